package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/h1"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// maxErrorBody bounds what is read of an upstream's error.
const maxErrorBody = 1 << 20

// Dispatch sends one attempt to its target and pushes the answer through out. It is the innermost
// handler: c.Try says where to.
func Dispatch(ctx context.Context, c *Call, out Out) error {
	switch c.Op {
	case llm.OpLifecycle:
		return passOn(ctx, c, out)
	case llm.OpRealtime:
		return serveSession(ctx, c, out)
	case llm.OpTurn:
		return serveTurn(ctx, c, out)
	case llm.OpWarm:
		return serveWarm(out)
	}
	conn, err := connection(c.Config, c.Try.Target.Offer.Connection)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "dispatch", Message: "this deployment's connection is not set up; whoever runs the gateway finds out why with plenum doctor", Err: err}
	}
	plan, err := provider.PlanFor(conn.Provider, c.Dialect.Name, c.Try.Target.Offer.Upstream, c.Op, c.Head.Stream)
	if err != nil {
		return withoutPlan(c, out, err)
	}
	a := &attempt{call: c, conn: conn, plan: plan, out: out, same: sameWords(c, plan)}
	ctx, a.watch = newWatch(ctx, conn.Timeouts)
	defer a.watch.stop()
	err = a.send(ctx)
	if a.body != nil {
		defer a.body.Close()
	}
	if err != nil {
		return a.fault(ctx, err)
	}
	defer a.resp.Body.Close()
	return a.fault(ctx, a.receive())
}

// sameWords reports whether caller and upstream speak the same dialect, in the same form.
func sameWords(c *Call, plan *provider.Plan) bool {
	if plan.Dialect.Name != c.Dialect.Name {
		return false
	}
	apart, ok := c.Codec.(dialect.Apart)
	return !ok || !apart.Apart(plan.Codec)
}

// withoutPlan answers what a place has no operation for and Plenum can do by itself: counting tokens,
// by estimate and marked as such.
func withoutPlan(c *Call, out Out, cause error) error {
	if c.Op != llm.OpCountTokens {
		return cause
	}
	p, err := c.Payload()
	if err != nil {
		return err
	}
	count, ok := p.(*llm.CountTokens)
	if !ok {
		return cause
	}
	c.Trail.Change("input_tokens estimated (the target cannot count tokens)")
	if err := out.Begin(Head{Status: http.StatusOK, Header: http.Header{}}); err != nil {
		return err
	}
	return out.Chunk(dialect.Chunk{Result: &llm.TokenCount{Input: llm.EstimateRequest(count.Request)}})
}

// attempt is the state of one Dispatch.
type attempt struct {
	call  *Call
	conn  *Connection
	plan  *provider.Plan
	out   Out
	mute  bool // the upstream was asked for usage that the caller did not ask for
	same  bool // caller and upstream speak the same dialect: the bytes pass
	watch *watch
	body  *h1.Body
	resp  *http.Response
}

// send builds, signs and sends the request, and leaves the answer's head in a.resp.
func (a *attempt) send(ctx context.Context) error {
	ob, err := a.outbound()
	if err != nil {
		return err
	}
	a.mute = ob.AskedUsage
	address := a.plan.URL
	if a.same {
		address = withQuery(address, a.call.In.RawQuery)
	}
	req, err := http.NewRequestWithContext(ctx, a.plan.Method, address, nil)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "dispatch", Message: "the connection's address is not usable", Err: err}
	}
	req.Header = a.header(ob)
	a.body = a.carry(ob.Body)
	a.body.Set(req)
	if err := a.conn.Provider.Sign(ctx, req, ob.Body); err != nil {
		return &llm.Error{Kind: llm.UpstreamAuth, Op: "dispatch", Message: "the gateway has no usable credential for the model's host; whoever runs it must renew it", Err: err}
	}
	a.call.Try.Sent = true
	a.resp, err = a.conn.Transport.RoundTrip(req) //nolint:bodyclose // Dispatch closes it
	if err != nil {
		a.call.Try.Sent = !neverSent(err)
	}
	return err
}

// carry returns the request's body. Whoever sends it may go on reading it after this attempt has ended,
// the answer came early or the attempt was called off; only then its memory is free.
func (a *attempt) carry(b []byte) *h1.Body {
	lease := a.call.req.lease
	in := a.call.In.Body
	if len(b) > 0 && len(in) > 0 && &b[0] == &in[0] {
		lease.hold()
		return h1.NewBody(lease.drop, a.parts(b)...)
	}
	return h1.NewBody(func() { bufs.Put(b) }, a.parts(b)...)
}

func (a *attempt) outbound() (dialect.Outbound, error) {
	c := a.call
	shape := dialect.Shape{Offer: &c.Try.Target.Offer, Edits: c.Edits, Meter: true}
	if c.Deployment != nil {
		shape.Params = c.Deployment.Parameters
	}
	codec := a.plan.Codec
	if a.same && !c.rewritten {
		ob, err := codec.EditRequest(c.In, c.Head, shape)
		c.Trail.Change(ob.Changed...)
		return ob, err
	}
	p, err := c.Payload()
	if err != nil {
		return dialect.Outbound{}, err
	}
	if d, ok := c.Codec.(dialect.Dependent); ok && !a.same {
		if err := d.Depends(p); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ob, losses, err := codec.EncodeRequest(p, shape)
	if err != nil {
		return ob, err
	}
	if len(losses) > 0 && c.Deployment != nil && c.Deployment.RefuseLoss {
		return ob, refuseLoss(losses)
	}
	c.Trail.Lose(losses)
	c.Trail.Change(ob.Changed...)
	return ob, nil
}

func refuseLoss(losses []dialect.Loss) error {
	names := make([]string, 0, len(losses))
	for _, l := range losses {
		names = append(names, l.String())
	}
	return &llm.Error{
		Kind: llm.Lossy, Op: "dispatch", Param: losses[0].What, Code: "lossy_call_refused",
		Message: "this deployment refuses calls that its target cannot carry whole; leave out: " + strings.Join(names, ", "),
	}
}

func (a *attempt) header(ob dialect.Outbound) http.Header {
	h := ob.Header
	if h == nil {
		h = make(http.Header, 4)
	}
	for k, v := range a.plan.Header {
		if _, said := h[k]; !said {
			h[k] = v
		}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	if a.call.Head.Stream {
		h.Set("Accept", streamMedia(a.plan.Framing))
	} else {
		h.Set("Accept", "application/json")
	}
	h.Set("User-Agent", userAgent)
	return h
}

const userAgent = "plenum"

// receive reads the answer and pushes it on.
func (a *attempt) receive() error {
	c, resp := a.call, a.resp
	c.Try.Record.Status = resp.StatusCode
	c.Try.Record.RequestID = requestID(resp.Header)
	if a.plan.Framing == provider.GRPC {
		return a.grpc()
	}
	media := mediaType(resp.Header.Get("Content-Type"))
	streamed := media == streamMedia(a.plan.Framing)
	limit := a.bounds().answer
	pieces := a.inPieces(media)
	if pieces || streamed && c.Head.Stream {
		limit = 0 // it passes as it comes
	}
	body, err := frame.Decompress(resp.Body, resp.Header.Get("Content-Encoding"), limit)
	if err != nil {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer is encoded in a way that cannot be read", Err: err}
	}
	defer body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return a.refused(body)
	}
	switch {
	case pieces:
		return a.pieces(body)
	case streamed:
		return a.stream(body)
	}
	return a.whole(body, media)
}

// streamMedia returns the media type of streams in a framing.
func streamMedia(f provider.Framing) string {
	switch f {
	case provider.NDJSON:
		return dialect.NDJSON
	case provider.EventStream:
		return dialect.EventStream
	case provider.GRPC:
		return dialect.GRPC
	}
	return "text/event-stream"
}

// mediaType returns a content type without its parameters.
func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// refused reads an error answer.
func (a *attempt) refused(body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, maxErrorBody))
	if err != nil && len(text) == 0 {
		text = nil
	}
	e := a.plan.Codec.DecodeError(dialect.Reply{Status: a.resp.StatusCode, Header: a.resp.Header, Body: text})
	if e.Upstream != nil {
		e.Upstream.Header = a.pass()
	}
	return e
}

// whole reads an unstreamed answer. One that comes although a stream was asked for is told as a stream.
func (a *attempt) whole(body io.Reader, media string) error {
	c := a.call
	text, err := a.collect(body)
	if err != nil {
		return err
	}
	a.watch.alive(true)
	if media == dialect.GRPC {
		if text, err = a.grpcMessage(text); err != nil {
			return err
		}
	} else if media != "" && media != "application/json" && !strings.HasSuffix(media, "+json") && !looksJSON(text) && !a.noJSON(media) {
		return &llm.Error{
			Kind: llm.BadUpstream, Op: "dispatch", Message: fmt.Sprintf("the upstream answered with %s instead of JSON; the address of its connection may be wrong, which whoever runs the gateway finds out with plenum doctor", media),
			Err: errors.New(clip(text, 512)),
		}
	}
	chunk := dialect.Chunk{Body: text}
	if a.same && !c.Understand && !c.Head.Stream {
		g := a.plan.Codec.Gist(text)
		if m, ok := a.plan.Codec.(dialect.HeadMeter); ok && g.Usage.Zero() {
			g.Usage = m.HeadUsage(a.resp.Header)
		}
		chunk.Events, chunk.Text = gistEvents(g), g.Text
		if err := a.answers(g, text); err != nil {
			return err
		}
	} else {
		res, err := a.plan.Codec.DecodeResponse(dialect.Reply{Status: a.resp.StatusCode, Header: a.resp.Header, Body: text})
		if err != nil {
			return err
		}
		chunk.Result = res
		if r, ok := res.(*llm.Response); ok {
			chunk.Events = []llm.Event{llm.UsageReport{Usage: r.Usage}}
			if len(r.Choices) > 0 {
				chunk.Events = append(chunk.Events, llm.Finish{Stop: r.Choices[0].Stop})
			}
			chunk.Text = len(text)
		} else if u, ok := res.(llm.Measured); ok {
			chunk.Events = []llm.Event{llm.UsageReport{Usage: u.Consumption()}}
		}
	}
	head := a.head(false)
	if a.noJSON(media) {
		head.Header.Set("Content-Type", a.resp.Header.Get("Content-Type"))
	}
	if err := a.out.Begin(head); err != nil {
		return err
	}
	return a.out.Chunk(chunk)
}

// answers reports what is wrong with an answer of status 200 in which nothing of an answer was found:
// an error after all, or something broken. What does not pass may be answered by another target.
func (a *attempt) answers(g dialect.Gist, text []byte) error {
	if g.Text > 0 || g.Stop != "" || !g.Usage.Zero() && a.call.Op != llm.OpGenerate {
		return nil
	}
	_, err := a.plan.Codec.DecodeResponse(dialect.Reply{Status: a.resp.StatusCode, Header: a.resp.Header, Body: text})
	return err
}

// collect reads an unstreamed answer within the bounds of the configuration.
func (a *attempt) collect(body io.Reader) ([]byte, error) {
	size, limit := a.resp.ContentLength, a.bounds().answer
	if limit > 0 && size > limit {
		return nil, &frame.TooLargeError{What: "answer", Max: limit}
	}
	text, err := a.call.req.hold.collect(body, size, fresh, func([]byte) {})
	if errors.Is(err, errNoRoom) {
		return nil, full("answer", a.call.Config.Declared)
	}
	return text, err
}

func fresh(n int) []byte { return make([]byte, 0, n) }

// bounds are what an upstream's answer may measure; 0 is without bound.
type bounds struct {
	answer int64
	event  int
}

func (a *attempt) bounds() bounds {
	if a.call.Config.Declared == nil {
		return bounds{}
	}
	return bounds{answer: int64(a.call.Config.Declared.MaxAnswer), event: int(a.call.Config.Declared.MaxEvent)}
}

func gistEvents(g dialect.Gist) []llm.Event {
	evs := make([]llm.Event, 0, 3)
	if g.Tier != "" {
		evs = append(evs, llm.Start{Tier: g.Tier})
	}
	if !g.Usage.Zero() {
		evs = append(evs, llm.UsageReport{Usage: g.Usage})
	}
	return append(evs, llm.Finish{Stop: llm.Stop{Reason: g.Stop}})
}

// stream reads a streamed answer and pushes each chunk on as it comes.
func (a *attempt) stream(body io.Reader) error {
	c := a.call
	frames := a.frames(body, a.bounds().event)
	defer frames.Release()
	want := dialect.Want{Meter: a.same && !c.Understand && c.Head.Stream}
	want.MuteUsage = a.same && a.mute
	began := false
	joins := want.Meter && c.Dialect.Wrap == nil && c.Head.Media == "" // else each frame is looked at
	var run together
	defer run.release()
	for chunk, err := range a.plan.Codec.DecodeStream(frames.All(), want) {
		if err == nil && (!chunk.More || !a.watch.begun.Load()) {
			a.watch.alive(hasContent(chunk))
		}
		chunk.More = chunk.More || a.ended()
		if err == nil && began && joins && run.join(&chunk) {
			continue
		}
		if gathered, some := run.end(); some {
			if err := a.push(gathered, &began); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if err := a.push(chunk, &began); err != nil {
			return err
		}
	}
	if !began {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's stream ended before it began"}
	}
	a.drain(body)
	return nil
}

// ended reports whether the end of the upstream's answer has come: it is said with what stands before it.
func (a *attempt) ended() bool {
	b, ok := a.resp.Body.(interface{ Ended() bool })
	return ok && b.Ended()
}

// push pushes a chunk of a stream on. A fault before anything else is the attempt's error and nothing more.
func (a *attempt) push(chunk dialect.Chunk, began *bool) error {
	fault := faultOf(chunk)
	if fault != nil && !*began {
		return fault
	}
	if !*began {
		*began = true
		if err := a.out.Begin(a.head(true)); err != nil {
			return err
		}
	}
	if fault != nil {
		chunk.Frame.Raw = a.conn.hideBytes(chunk.Frame.Raw)
	}
	if err := a.out.Chunk(chunk); err != nil {
		return err
	}
	return fault
}

// together joins frames that came together and mean nothing to anybody but as bytes of the answer: a burst
// then goes through the pipeline as a few chunks instead of hundreds.
type together struct {
	raw  []byte
	text int
}

// join adds a chunk. It reports whether the chunk is kept, to go on with those that follow at once; else the
// chunk may have become the whole run, which it ends.
func (t *together) join(ch *dialect.Chunk) bool {
	plain := len(ch.Events) == 0 && !ch.Mute && ch.Body == nil && ch.Result == nil && len(ch.Frame.Raw) > 0
	if !plain || !ch.More && len(t.raw) == 0 {
		return false
	}
	t.raw, t.text = append(bufs.Grow(t.raw, len(ch.Frame.Raw)), ch.Frame.Raw...), t.text+ch.Text
	if ch.More && len(t.raw) < maxUnsaid {
		return true
	}
	more := ch.More
	*ch, _ = t.end()
	ch.More = more
	return false
}

// end returns the run so far, of which more is known to follow. It is good until the next is begun.
func (t *together) end() (run dialect.Chunk, some bool) {
	if len(t.raw) == 0 {
		return run, false
	}
	run = dialect.Chunk{Frame: dialect.Frame{Raw: t.raw}, Text: t.text, More: true}
	t.raw, t.text = t.raw[:0], 0
	return run, true
}

// release gives the memory of runs up.
func (t *together) release() { bufs.Put(t.raw) }

type frames interface {
	All() iter.Seq2[frame.Frame, error]
	Release()
}

func (a *attempt) frames(body io.Reader, max int) frames {
	switch a.plan.Framing {
	case provider.NDJSON:
		return frame.NewLines(body, max)
	case provider.EventStream:
		return frame.NewEventStream(body, max)
	case provider.GRPC:
		return a.messages(body, max)
	}
	return frame.NewReader(body, max)
}

// drainFor is how long the end of a finished stream is waited for.
const drainFor = 20 * time.Millisecond

// drain reads what stands between the last event and the end of the body, which has mostly arrived
// already: a connection whose body was read to its end is used again.
func (a *attempt) drain(body io.Reader) {
	t := time.AfterFunc(drainFor, func() { a.watch.cancel(nil) })
	_, _ = io.CopyN(io.Discard, body, 16<<10)
	t.Stop()
}

func hasContent(ch dialect.Chunk) bool {
	if ch.Text > 0 {
		return true
	}
	for _, ev := range ch.Events {
		if llm.IsContent(ev) {
			return true
		}
	}
	return false
}

func faultOf(ch dialect.Chunk) error {
	for _, ev := range ch.Events {
		if f, ok := ev.(llm.Fault); ok && f.Err != nil {
			return f.Err
		}
	}
	return nil
}

func (a *attempt) head(stream bool) Head {
	name := a.plan.Dialect.Name
	if !a.same && name == a.call.Dialect.Name {
		name = "" // in another form: the bytes are not for the caller
	}
	return Head{Status: a.resp.StatusCode, Dialect: name, Codec: a.plan.Codec, Header: a.pass(), Stream: stream}
}

// pass returns the upstream's headers that may reach the caller: those of the dialect's namespace, if
// the caller speaks it too.
func (a *attempt) pass() http.Header {
	h := make(http.Header, 8)
	if !a.same {
		return h
	}
	for k, v := range a.resp.Header {
		if a.plan.Dialect.Headers.Holds(k) {
			h[k] = v
		}
	}
	return h
}

// fault turns what went wrong with an attempt into an error of a kind. Errors that are of one already,
// and those of a caller that went away, keep theirs.
func (a *attempt) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errFirstByte), errors.Is(cause, errIdle), errors.Is(cause, errTotal):
		return &llm.Error{Kind: llm.Timeout, Op: "dispatch", Message: cause.Error(), Err: err}
	case cause != nil:
		return &llm.Error{Kind: llm.Canceled, Op: "dispatch", Message: "the caller went away", Err: cause}
	}
	var e *llm.Error
	if errors.As(err, &e) {
		a.conn.scrub(e)
		return err
	}
	var gone *WriteError
	if errors.As(err, &gone) {
		return &llm.Error{Kind: llm.Canceled, Op: "dispatch", Message: "the caller went away", Err: err}
	}
	var big *frame.TooLargeError
	if errors.As(err, &big) {
		return answerTooLarge(big)
	}
	if a.resp != nil {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer was cut off; try again", Err: err}
	}
	return &llm.Error{Kind: llm.Unavailable, Op: "dispatch", Message: "the upstream cannot be reached; try again, and if it stays so whoever runs the gateway finds out why with plenum doctor", Err: err}
}

// answerTooLarge names the bound that an answer broke. Such a thing is no answer, and asking again does not
// help.
func answerTooLarge(e *frame.TooLargeError) error {
	name := "max_answer"
	if e.What == "event" || e.What == "line" {
		name = "max_event"
	}
	return &llm.Error{
		Kind: llm.BadUpstream, Op: "dispatch", Err: e, Upstream: &llm.Upstream{Status: http.StatusOK, NoRetry: true},
		Message: fmt.Sprintf("the upstream's answer is larger than %s (%s)", config.Size(e.Max), name),
	}
}

// neverSent reports whether a request failed before anything of it can have reached the upstream.
func neverSent(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &cert) || errors.As(err, &record)
}

func requestID(h http.Header) string {
	for _, k := range [...]string{"Request-Id", "X-Request-Id", "Apim-Request-Id", "X-Amzn-Requestid"} {
		if v := h.Get(k); v != "" {
			return v
		}
	}
	return ""
}

func looksJSON(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

func clip(b []byte, n int) string {
	if len(b) > n {
		b = b[:n]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
