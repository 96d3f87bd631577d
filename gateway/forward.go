package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Forward passes a call on to a place as it is, to a path below that of the answers there, and its answer
// back: what only the upstream keeps, only the upstream can tell of. The place must speak the caller's
// dialect. Nothing of it is metered, for nothing is made.
func Forward(ctx context.Context, c *Call, out Out, offer *plenum.Offer, below string) error {
	conn, err := connection(c.Config, offer.Connection)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "forward", Message: "this deployment's connection is not set up; whoever runs the gateway finds out why with plenum doctor", Err: err}
	}
	plan, err := provider.PlanFor(conn.Provider, c.Dialect.Name, offer.Upstream, llm.OpGenerate, false)
	if err != nil {
		return err
	}
	if plan.Dialect.Name != c.Dialect.Name {
		return &llm.Error{Kind: llm.NotFound, Op: "forward", Message: "the place that keeps it does not speak " + c.Dialect.Title + " any more"}
	}
	a := &attempt{call: c, conn: conn, plan: plan, out: out, same: true}
	ctx, a.watch = newWatch(ctx, conn.Timeouts)
	defer a.watch.stop()
	path, query, _ := strings.Cut(plan.URL, "?")
	address := path + "/" + below
	if query != "" {
		address += "?" + query
	}
	var body io.Reader = http.NoBody
	if plan.Framing == provider.GRPC { // what is asked for stands in the message
		u, err := url.Parse(plan.URL)
		if err != nil {
			return &llm.Error{Kind: llm.Internal, Op: "forward", Message: "the connection's address is not usable", Err: err}
		}
		u.Path = c.In.Path
		address, body = u.String(), bytes.NewReader(frame.AppendMessage(nil, c.In.Body))
	}
	req, err := http.NewRequestWithContext(ctx, c.In.Method, withQuery(address, c.In.RawQuery), body)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "forward", Message: "the connection's address is not usable", Err: err}
	}
	req.Header = a.header(dialect.Outbound{})
	if plan.Framing == provider.GRPC {
		req.Header.Set("Content-Type", dialect.GRPC)
		req.Header.Set("Te", "trailers")
	}
	if err := conn.Provider.Sign(ctx, req, nil); err != nil {
		return &llm.Error{Kind: llm.UpstreamAuth, Op: "forward", Message: "the gateway has no usable credential for the model's host; whoever runs it must renew it", Err: err}
	}
	if a.resp, err = conn.Transport.RoundTrip(req); err != nil { //nolint:bodyclose // closed below
		return a.fault(ctx, err)
	}
	defer a.resp.Body.Close()
	if plan.Framing == provider.GRPC {
		return a.fault(ctx, a.grpc())
	}
	return a.fault(ctx, a.forwarded())
}

// forwarded passes the upstream's answer back.
func (a *attempt) forwarded() error {
	body, err := frame.Decompress(a.resp.Body, a.resp.Header.Get("Content-Encoding"), 0)
	if err != nil {
		return &llm.Error{Kind: llm.BadUpstream, Op: "forward", Message: "the upstream's answer is encoded in a way that cannot be read", Err: err}
	}
	defer body.Close()
	if a.resp.StatusCode < 200 || a.resp.StatusCode > 299 {
		return a.refused(body)
	}
	head := a.head(a.call.Head.Stream)
	head.Header.Set("Content-Type", a.resp.Header.Get("Content-Type"))
	return SendPieces(a.out, head, &watched{body, a.watch})
}

// watched tells the watch of an attempt that more has come.
type watched struct {
	io.Reader
	watch *watch
}

// Read reads on.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.watch.alive(true)
	}
	return n, err
}
