package gateway

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// passOn sends a call on what an upstream keeps to the place that keeps it, as it is, and the answer back.
func passOn(ctx context.Context, c *Call, out Out) error {
	conn, err := connection(c.Config, c.Try.Target.Offer.Connection)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "dispatch", Message: "this deployment's connection is not set up; whoever runs the gateway finds out why with plenum doctor", Err: err}
	}
	plan, address, err := lifecyclePlan(c, conn)
	if err != nil {
		return err
	}
	a := &attempt{call: c, conn: conn, plan: plan, out: out, same: true}
	ctx, a.watch = newWatch(ctx, conn.Timeouts)
	defer a.watch.stop()
	err = a.passOn(ctx, address)
	if a.body != nil {
		defer a.body.Close()
	}
	if a.resp != nil {
		defer a.resp.Body.Close()
	}
	return once(c, a.fault(ctx, err))
}

// once keeps a call that may have done something from being sent again.
func once(c *Call, err error) error {
	if err == nil || c.In.Method == http.MethodGet || !c.Try.Sent {
		return err
	}
	e := *llm.AsError(err)
	if e.Upstream == nil {
		e.Upstream = &llm.Upstream{}
	}
	u := *e.Upstream
	u.NoRetry, e.Upstream = true, &u
	return &e
}

// lifecyclePlan returns how the place is reached, and the address of what the call is about: beside that of
// the dialect's answers.
func lifecyclePlan(c *Call, conn *Connection) (*provider.Plan, string, error) {
	codec, ok := c.Codec.(dialect.Lifecycle)
	plan, err := provider.PlanFor(conn.Provider, c.Dialect.Name, c.Try.Target.Offer.Upstream, llm.OpGenerate, false)
	if err != nil {
		return nil, "", err
	}
	base, query, _ := strings.Cut(plan.URL, "?")
	base, beside := cutBeside(base, codec)
	if !ok || !beside || plan.Dialect.Name != c.Dialect.Name {
		return nil, "", &llm.Error{Kind: llm.NotFound, Op: "dispatch", Code: "no_such_operation", Message: fmt.Sprintf("the place behind the deployment %q has no %s; name another deployment in the header plenum-deployment", c.Deployment.Name, codec.Resource)}
	}
	address := base + codec.Under
	for _, name := range [...]string{"id", "rest"} {
		for s := range strings.SplitSeq(c.In.Vars[name], "/") {
			if s == "" && name == "rest" || c.In.Vars[name] == "" {
				continue
			}
			if !plainSegment(s) {
				return nil, "", &llm.Error{Kind: llm.NotFound, Op: "dispatch", Code: "unknown_url", Message: "there is nothing at this path: ids have letters, digits, dots, colons, dashes and underscores"}
			}
			address += "/" + url.PathEscape(s)
		}
	}
	if query != "" {
		address += "?" + query
	}
	return plan, withQuery(address, c.In.RawQuery), nil
}

// cutBeside returns the base of what stands beside the answers at an address.
func cutBeside(address string, codec dialect.Lifecycle) (base string, ok bool) {
	before, after, named := strings.Cut(codec.Beside, "{model}")
	if !named {
		return strings.CutSuffix(address, codec.Beside)
	}
	if address, ok = strings.CutSuffix(address, after); !ok {
		return address, false
	}
	if codec.Verb != "" {
		return address + ":" + codec.Verb, strings.Contains(address, before)
	}
	at := strings.LastIndex(address, before)
	return address[:max(at, 0)], at >= 0
}

// plainSegment reports whether a part of a path says what it says to every reader: an upstream must not see
// another path than the one whose owner was checked.
func plainSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && r != ':' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func (a *attempt) passOn(ctx context.Context, address string) error {
	in := &a.call.In
	req, err := http.NewRequestWithContext(ctx, in.Method, address, nil)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "dispatch", Message: "the connection's address is not usable", Err: err}
	}
	req.Header = make(http.Header, 6)
	for k, v := range in.Header {
		if a.plan.Dialect.Headers.Holds(k) {
			req.Header[k] = v
		}
	}
	for k, v := range a.plan.Header {
		if _, said := req.Header[k]; !said {
			req.Header[k] = v
		}
	}
	for _, k := range [...]string{"Content-Type", "Accept"} {
		if v := in.Header.Get(k); v != "" {
			req.Header.Set(k, v)
		}
	}
	req.Header.Set("User-Agent", userAgent)
	codec, _ := a.call.Codec.(dialect.Lifecycle)
	body, err := codec.Body(*in, a.call.Try.Target.Offer.Upstream, a.plan.URL)
	if err != nil {
		return dialect.NotJSON("dispatch", err)
	}
	if len(body) > 0 {
		a.body = a.carry(body)
		a.body.Set(req)
	}
	if err := a.conn.Provider.Sign(ctx, req, body); err != nil {
		return &llm.Error{Kind: llm.UpstreamAuth, Op: "dispatch", Message: "the gateway has no usable credential for the model's host; whoever runs it must renew it", Err: err}
	}
	a.call.Try.Sent = true
	a.resp, err = a.conn.Transport.RoundTrip(req) //nolint:bodyclose // passOn's caller closes it
	if err != nil {
		a.call.Try.Sent = !neverSent(err)
		return err
	}
	return a.passBack()
}

// passBack passes the answer on: JSON whole, so that who owns what can be noted before the caller knows of it,
// anything else as it comes.
func (a *attempt) passBack() error {
	resp, try := a.resp, a.call.Try
	try.Record.Status, try.Record.RequestID = resp.StatusCode, requestID(resp.Header)
	body, err := frame.Decompress(resp.Body, resp.Header.Get("Content-Encoding"), 0)
	if err != nil {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer is encoded in a way that cannot be read", Err: err}
	}
	defer body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return a.refused(body)
	}
	head := a.head(false)
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/json" {
		a.watch.alive(true)
		head.Header.Set("X-Content-Type-Options", "nosniff")
		head.Header.Set("Content-Type", "application/octet-stream")
		if media == "text/event-stream" {
			head.Header.Set("Content-Type", media)
		}
		return SendPieces(a.out, head, &heard{body, a.watch})
	}
	text, err := a.collect(body)
	if err != nil {
		return err
	}
	if err := a.out.Begin(head); err != nil {
		return err
	}
	return a.out.Chunk(dialect.Chunk{Body: text})
}

// heard reads an upstream's answer and notes its signs of life.
type heard struct {
	r io.Reader
	w *watch
}

// Read reads on.
func (h *heard) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.w.alive(true)
	return n, err
}
