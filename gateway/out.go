package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/llm"
)

// WriteError says that an answer could not be written to the caller, who is taken to be gone.
type WriteError struct{ Err error }

// Error returns the cause's message.
func (e *WriteError) Error() string { return "writing to the caller: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// edgeOut is the outermost Out: it says the answer to the caller in the dialect that the caller speaks.
// Where the upstream speaks it too the bytes pass; else, or where an answer comes whole that was wanted
// as a stream or the other way round, it is encoded from its meaning.
type edgeOut struct {
	w         http.ResponseWriter
	rc        *http.ResponseController
	c         *Call
	writeIdle time.Duration
	gone      func() bool // the caller's connection has ended: there is nobody to say anything to

	head    Head
	same    bool
	wrote   bool // the head has gone out
	faulted bool // the upstream's own error event has been passed on
	resay   bool // the bytes repeat what was changed: only their meaning goes on
	enc     dialect.Encoder
	fold    *llm.Folder
	buf     []byte      // said and not written yet: more is known to follow at once
	wrapped []byte      // the frame at hand, where its framing is not the one that it came in
	limited time.Time   // when the write deadline was last set
	status  http.Header // gRPC: how the call ended
	values  []string    // room for the values of headers
	listed  bool        // an element of the list that the stream is has gone out
}

var _ Out = (*edgeOut)(nil)

// Begin remembers the head. It goes out with the first chunk, when more is known.
func (o *edgeOut) Begin(h Head) error {
	o.head = h
	o.same = h.Dialect != "" && h.Dialect == o.c.Dialect.Name && !h.Continues
	return nil
}

// Chunk says a piece of the answer.
func (o *edgeOut) Chunk(ch dialect.Chunk) error {
	switch {
	case o.head.Upgraded:
		return nil
	case o.head.Pieces:
		return o.piece(ch)
	case o.head.Stream && o.c.Head.Stream:
		return o.streamed(ch)
	case o.head.Stream:
		return o.folded(ch)
	case o.c.Head.Stream && ch.Result != nil:
		return o.replayed(ch)
	default:
		return o.whole(ch)
	}
}

// streamed says one frame of a stream.
func (o *edgeOut) streamed(ch dialect.Chunk) error {
	o.startStream()
	err := o.frame(ch)
	if err == nil {
		o.c.heard.events(ch.Events)
	}
	return err
}

func (o *edgeOut) frame(ch dialect.Chunk) error {
	switch {
	case ch.Mute:
		return o.push(nil, ch.More)
	case o.same && !o.resay && !ch.Resay:
		o.faulted = o.faulted || faultOf(ch) != nil
		if err := o.observe(ch.Events); err != nil {
			return err
		}
		return o.push(o.framed(ch.Frame), ch.More)
	}
	o.resay = o.resay || ch.Resay
	for _, ev := range ch.Events {
		if _, fault := ev.(llm.Fault); fault {
			continue // said by Close, in the caller's words
		}
		if err := o.encode(ev); err != nil {
			return err
		}
	}
	return o.push(nil, ch.More)
}

// framed returns the bytes of a frame that passes, as the caller's framing has them.
func (o *edgeOut) framed(f dialect.Frame) []byte {
	switch {
	case o.lists():
		o.wrapped = o.element(o.wrapped[:0], f)
		return o.wrapped
	case o.c.Dialect.Wrap == nil:
		return f.Raw
	}
	o.wrapped = o.c.Dialect.Wrap(o.wrapped[:0], f)
	return o.wrapped
}

// maxUnsaid is how much is gathered of frames that came together before it is written.
const maxUnsaid = 32 << 10

// push writes bytes, with those that were kept back, unless more is known to follow at once: frames that
// came together go on together.
func (o *edgeOut) push(b []byte, more bool) error {
	if more || len(o.buf) > 0 {
		o.buf = append(bufs.Grow(o.buf, len(b)), b...)
		if more && len(o.buf) < maxUnsaid {
			return nil
		}
		b = o.buf
		o.buf = o.buf[:0]
	}
	if len(b) == 0 {
		return nil
	}
	return o.write(b, !more)
}

// observe tells the encoder what goes out as bytes, where a stage may yet end or continue the answer in
// words of ours.
func (o *edgeOut) observe(evs []llm.Event) error {
	if !o.c.Understand {
		return nil
	}
	enc, err := o.encoder()
	if err != nil {
		return err
	}
	for _, ev := range evs {
		enc.Observe(ev)
	}
	return nil
}

// replayed says a whole answer as a stream.
func (o *edgeOut) replayed(ch dialect.Chunk) error {
	r, ok := ch.Result.(*llm.Response)
	if !ok {
		return o.whole(ch)
	}
	o.startStream()
	o.same = false
	for ev := range llm.Replay(r) {
		if o.c.heard != nil {
			o.c.heard.events([]llm.Event{ev})
		}
		if err := o.encode(ev); err != nil {
			return err
		}
	}
	return o.push(nil, false)
}

// folded gathers a stream into the whole answer that the caller asked for.
func (o *edgeOut) folded(ch dialect.Chunk) error {
	if o.fold == nil {
		o.fold = llm.NewFolder()
	}
	for _, ev := range ch.Events {
		o.fold.Add(ev)
	}
	return nil
}

// whole says an unstreamed answer.
func (o *edgeOut) whole(ch dialect.Chunk) error {
	if o.same && ch.Body != nil {
		return o.reply(dialect.Reply{Status: o.head.Status, Header: o.head.Header, Body: ch.Body})
	}
	p, err := o.c.Payload()
	if err != nil {
		return err
	}
	reply, losses, err := o.c.Codec.EncodeResponse(p, ch.Result, o.meta())
	if err != nil {
		return err
	}
	o.c.Trail.Lose(losses)
	return o.reply(reply)
}

func (o *edgeOut) encode(ev llm.Event) error {
	enc, err := o.encoder()
	if err != nil {
		return err
	}
	frames, err := enc.Encode(ev)
	if err != nil {
		return err
	}
	o.append(frames)
	return nil
}

func (o *edgeOut) append(frames []dialect.Frame) {
	for i := range frames {
		o.buf = o.appendFrame(o.buf, frames[i])
	}
}

func (o *edgeOut) encoder() (dialect.Encoder, error) {
	if o.enc == nil {
		p, err := o.c.Payload()
		if err != nil {
			return nil, err
		}
		o.enc = o.c.Codec.NewEncoder(p, o.meta())
	}
	return o.enc, nil
}

func (o *edgeOut) meta() dialect.Meta {
	id, began := o.c.ID, o.c.Trail.Began()
	if f := o.head.First; f != nil {
		id, began = f.ID, f.Began
	}
	return dialect.Meta{CallID: id, Now: began.Unix(), Began: began, Model: o.c.Head.Model}
}

// finish ends the answer: with what the dialect says last, or with an error in its words, as a status
// where nothing has gone out and as an event where something has.
func (o *edgeOut) finish(err error) {
	if o.head.Upgraded {
		return
	}
	defer o.endHeard()
	switch {
	case err == nil && o.fold != nil:
		err = o.whole(dialect.Chunk{Result: o.fold.Response()})
	case err == nil && o.enc != nil && (!o.same || o.resay):
		o.append(o.enc.Close(nil))
		o.c.Trail.Lose(o.enc.Losses())
	}
	if err != nil {
		o.fail(err)
	}
	o.closeList()
	if len(o.buf) > 0 {
		_ = o.write(o.buf, false)
	}
	bufs.Put(o.buf)
	o.buf = nil
	if o.wrote && o.c.Head.Stream {
		o.trail()
	}
	if isGRPC(o.c.Dialect) {
		o.sayStatus()
	}
}

func (o *edgeOut) fail(err error) {
	if llm.IsKind(err, llm.Canceled) && o.gone() {
		return
	}
	if !o.wrote {
		_ = o.reply(o.c.Codec.EncodeError(err))
		return
	}
	if isGRPC(o.c.Dialect) {
		o.status = o.c.Codec.EncodeError(err).Header
		return
	}
	if o.head.Pieces {
		panic(http.ErrAbortHandler) // the body must not look whole
	}
	if o.faulted || !o.c.Head.Stream {
		return
	}
	enc, encErr := o.encoder()
	if encErr != nil {
		return
	}
	o.append(enc.Close(err))
}

// reply writes a whole answer.
func (o *edgeOut) reply(r dialect.Reply) error {
	if isGRPC(o.c.Dialect) {
		return o.replyGRPC(r)
	}
	r = o.inList(r)
	h := o.w.Header()
	for k, v := range r.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	if h.Get("Content-Type") == "" {
		o.set(h, "Content-Type", "application/json")
	}
	o.set(h, "Content-Length", strconv.Itoa(len(r.Body)))
	o.own(h)
	if cost, priced := o.c.Trail.Cost(); priced {
		o.set(h, "Plenum-Cost-Usd", cost.String())
	}
	if r.Status == http.StatusUnauthorized {
		h.Set("Www-Authenticate", "Bearer")
	}
	o.wrote = true
	o.c.Trail.Record.Status = r.Status
	o.w.WriteHeader(r.Status)
	for body := r.Body; ; body = body[maxPiece:] {
		if len(body) <= maxPiece {
			return o.write(body, false)
		}
		if err := o.write(body[:maxPiece], false); err != nil {
			return err
		}
	}
}

// maxPiece is how much of a large answer must be taken within one write_idle.
const maxPiece = 1 << 20

// startStream writes the head of a streamed answer, once.
func (o *edgeOut) startStream() {
	if o.wrote {
		return
	}
	h := o.w.Header()
	for k, v := range o.head.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	o.set(h, "Content-Type", streamType(o.c.Dialect, o.c.Head))
	o.set(h, "Cache-Control", "no-cache")
	o.set(h, "X-Accel-Buffering", "no")
	o.set(h, "Trailer", "Plenum-Cost-Usd, Plenum-Lost, Plenum-Attempts")
	if isGRPC(o.c.Dialect) {
		h.Set("Trailer", "Plenum-Cost-Usd, Plenum-Lost, Plenum-Attempts, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin")
	}
	o.own(h)
	o.c.heard.streams(o.c)
	// What is known only at the end is said at the end.
	h.Del("Plenum-Attempts")
	o.wrote = true
	o.c.Trail.Record.Status = http.StatusOK
	o.w.WriteHeader(http.StatusOK)
}

// streamType returns the media type of a dialect's streams.
func streamType(d *dialect.Dialect, h dialect.Head) string {
	if h.Media != "" {
		return h.Media + "; charset=UTF-8"
	}
	if d.Streams != "" {
		return d.Streams
	}
	return "text/event-stream; charset=utf-8"
}

// trail says as trailers what a stream knows late.
func (o *edgeOut) trail() {
	r := &o.c.Trail.Record
	h := o.w.Header()
	if cost, priced := o.c.Trail.Cost(); priced {
		h.Set("Plenum-Cost-Usd", cost.String())
	}
	h.Set("Plenum-Attempts", strconv.Itoa(max(1, o.c.Trail.Attempts())))
	if len(r.Lost) > 0 {
		h.Set("Plenum-Lost", list(r.Lost))
	}
}

// Replayed is what a record's Cache says of an answer that was given before, for its Idempotency-Key.
const Replayed = "replay"

// own sets the headers that are Plenum's own.
func (o *edgeOut) own(h http.Header) {
	r := &o.c.Trail.Record
	o.set(h, "Plenum-Request-Id", o.c.ID)
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "X-Amzn-Requestid"} {
		if h.Get(name) == "" && o.c.Dialect.Headers.Holds(name) {
			o.set(h, name, o.c.ID)
		}
	}
	if as := o.c.Trail.Allowances(); len(as) > 0 && o.c.Dialect.Allow != nil {
		o.c.Dialect.Allow(h, as, time.Now())
	}
	o.say(h, "Plenum-Deployment", r.Deployment)
	o.say(h, "Plenum-Target", r.Target)
	if n := o.c.Trail.Attempts(); n > 0 {
		o.set(h, "Plenum-Attempts", strconv.Itoa(n))
	}
	o.say(h, "Plenum-Lost", list(r.Lost))
	o.say(h, "Plenum-Changed", list(r.Changed))
	o.say(h, "Plenum-Guardrail", r.Guardrail)
	o.say(h, "Plenum-Cache", r.Cache)
	if r.Cache == Replayed {
		o.set(h, "Idempotent-Replayed", "true")
	}
}

// say sets a header that is Plenum's own, if it has a value.
func (o *edgeOut) say(h http.Header, name, value string) {
	if value != "" {
		o.set(h, name, headerValue(value))
	}
}

// set sets a header whose name is in its canonical form.
func (o *edgeOut) set(h http.Header, name, value string) {
	if len(o.values) == 0 {
		o.values = make([]string, 12)
	}
	o.values[0] = value
	h[name], o.values = o.values[:1:1], o.values[1:]
}

// maxHeaderValue bounds a header of ours: many clients refuse heads of more than a few KB.
const maxHeaderValue = 1024

func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return headerValue(strings.Join(names, ", "))
}

// headerValue makes a text fit for a header: what callers wrote can be part of it.
func headerValue(s string) string {
	if len(s) > maxHeaderValue {
		s = s[:maxHeaderValue] + " ..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func (o *edgeOut) write(b []byte, flush bool) error {
	if len(b) == 0 && !flush {
		return nil
	}
	o.extend()
	n, err := o.w.Write(b)
	o.c.Trail.Record.BytesOut += int64(n)
	o.c.heard.wrote(b[:n])
	if err != nil {
		return &WriteError{err}
	}
	if flush {
		if err := o.rc.Flush(); err != nil {
			return &WriteError{err}
		}
	}
	return nil
}

// extend gives a slow caller its time for the next piece. Setting a deadline costs more than a look at
// the clock, so it is not done for every chunk.
func (o *edgeOut) extend() {
	now := time.Now()
	if now.Sub(o.limited) < o.writeIdle/8 {
		return
	}
	o.limited = now
	_ = o.rc.SetWriteDeadline(now.Add(o.writeIdle))
}
