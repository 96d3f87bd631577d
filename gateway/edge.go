package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
)

// Edge is the inference door: it makes a Call of every HTTP request, runs it through the pipeline and
// says the answer.
type Edge struct {
	current  *config.Current
	pipeline Handler
	routes   *matcher
	room     inflight
	calls    atomic.Int64
	ending   atomic.Bool
	log      *slog.Logger
}

// NewEdge returns the door for the dialects, the first of which answers paths that belong to none.
func NewEdge(dialects []*dialect.Dialect, current *config.Current, pipeline Handler, log *slog.Logger) *Edge {
	return &Edge{current: current, pipeline: pipeline, routes: newMatcher(dialects), log: log}
}

var _ http.Handler = (*Edge)(nil)

// InFlight returns how many calls are under way.
func (e *Edge) InFlight() int64 { return e.calls.Load() }

// ServeHTTP answers one request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls.Add(1)
	defer e.calls.Add(-1)
	c := e.call(w, r)
	out := &edgeOut{w: w, rc: http.NewResponseController(w), c: c, writeIdle: time.Minute, gone: func() bool { return r.Context().Err() != nil }}
	if c.Config == nil {
		out.finish(&llm.Error{Kind: llm.Overloaded, Op: "edge", Message: "the gateway is still starting; try again in a second", Retry: time.Second})
		return
	}
	out.writeIdle = or(c.Config.Declared.Timeouts.WriteIdle, time.Minute)
	c.req.hold = &holding{room: &e.room, limit: int64(c.Config.Declared.MaxInFlight)}
	body := &bodyReader{w: w, r: r, conf: c.Config.Declared, hold: c.req.hold}
	defer body.release()
	c.req.load = func() (err error) {
		c.In.Body, err = body.read()
		c.req.lease = body.kept
		c.Trail.Record.BytesIn = int64(len(c.In.Body))
		if err == nil {
			c.In.Body, err = unwrap(c, c.In.Body, int(c.Config.Declared.MaxDecompressed))
		}
		if err == nil {
			c.heard.asked(c, c.In.Body)
		}
		return err
	}
	c.req.open = body.stream
	if c.Op == llm.OpRealtime || c.Op == llm.OpSession {
		e.upgradable(c, w, r)
		c.req.load = nil
	}
	out.finish(e.run(r.Context(), c, out))
}

// call makes the Call of a request. The credential is taken out of the query first of all, so that
// nothing later can log it or send it on.
func (e *Edge) call(w http.ResponseWriter, r *http.Request) *Call {
	f := e.routes.find(r) // which looks where a key is
	cred, query, credErr := identity.Credential(r.Header, r.URL.RawQuery)
	r.URL.RawQuery = query
	r.RequestURI = ""
	var signed *identity.Signed
	if cred.Kind == identity.SignatureCred && credErr == nil {
		signed, credErr = identity.ReadSigned(r)
	}
	now := time.Now()
	id := newID(now)
	c := &Call{ID: id, Config: e.current.Load(), Cred: cred, Signed: signed, CredErr: credErr, Trail: NewTrail(id, now), req: &intake{}}
	c.Dialect = f.dialect
	if f.route != nil {
		c.Op, c.Codec = f.route.Op, f.route.Codec
	} else {
		c.Codec = anyCodec(f.dialect)
		if len(f.allow) > 0 {
			w.Header().Set("Allow", strings.Join(f.allow, ", "))
		}
		c.req.loaded, c.req.loadErr = true, unknownPath(r, f.allow)
	}
	forbidOwn(r.Header)
	c.In = dialect.Inbound{Method: r.Method, Path: r.URL.Path, RawQuery: query, Vars: f.vars, Header: r.Header, Origin: origin(r)}
	c.describe(r)
	return c
}

// origin returns the address that a caller has us at, for answers that name it. Whoever stands in front and takes the
// encryption off says so.
func origin(r *http.Request) string {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (c *Call) describe(r *http.Request) {
	rec := &c.Trail.Record
	rec.Op, rec.Dialect, rec.Method, rec.Path = c.Op, c.Dialect.Name, r.Method, clipString(r.URL.Path, 256)
	rec.Remote, rec.UserAgent = remote(r.RemoteAddr), clipString(r.UserAgent(), 200)
	if c.Config != nil {
		rec.Config = c.Config.Version
	}
}

// run runs the pipeline.
func (e *Edge) run(ctx context.Context, c *Call, out Out) error {
	return e.safely(c.ID, func() error { return e.pipeline(ctx, c, out) })
}

// safely runs a call. A panic in it is a fault of ours: the caller gets an error, the operator the stack, and
// other calls notice nothing.
func (e *Edge) safely(id string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("a call panicked", "id", id, "panic", p, "stack", string(debug.Stack()))
			err = &llm.Error{Kind: llm.Internal, Op: "edge", Message: "internal error; the operator finds it under " + id, Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	return call()
}

func unknownPath(r *http.Request, allow []string) error {
	if len(allow) > 0 {
		return &llm.Error{
			Kind: llm.NotAllowed, Op: "edge",
			Message: fmt.Sprintf("%s is not allowed here; use %s", clipString(r.Method, 16), strings.Join(allow, " or ")),
		}
	}
	return &llm.Error{
		Kind: llm.NotFound, Op: "edge", Code: "unknown_url",
		Message: fmt.Sprintf("there is nothing at %s %s; check the base URL of your client", clipString(r.Method, 16), clipString(r.URL.Path, 200)),
	}
}

// anyCodec returns a codec that can say errors in a dialect.
func anyCodec(d *dialect.Dialect) dialect.Codec {
	if c := d.Codec(llm.OpGenerate); c != nil {
		return c
	}
	return d.Routes[0].Codec
}

// forbidOwn drops headers that are Plenum's to set: a caller never speaks in its name.
func forbidOwn(h http.Header) {
	for k := range h {
		if strings.HasPrefix(k, "Plenum-") && k != "Plenum-Deployment" && k != "Plenum-Tags" {
			delete(h, k)
		}
	}
}

func remote(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().Unmap().String()
	}
	return addr
}

func clipString(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}
