package gateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// What one WebSocket may ask for. The figures are those of the API that has such sessions.
const (
	mostLanes   = 32 // that have a name
	mostAtOnce  = 16
	mostWaiting = 64
	longest     = time.Hour
)

// lanes is a session on which answers are asked for by messages. Each is a call of its own through the whole
// pipeline, to whatever upstream its deployment has. The answers of one lane come one after the other, those of
// different lanes side by side.
type lanes struct {
	*socket
	codec dialect.Laned
	began time.Time

	mu      sync.Mutex
	lanes   map[string]*lane
	turn    []string // the names of lanes in which something waits, in the order in which they are served
	active  int
	waiting int
}

// lane is a row of answers.
type lane struct {
	name  string
	queue []*order
	busy  bool
	last  *recent
}

// order is an answer that is asked for.
type order struct {
	dialect.Order
	hold *holding
}

// recent is what was said up to an answer and in it. It is in no other place than here, for as long as the
// session lasts.
type recent struct {
	id    string
	items []dialect.Item
	hold  *holding
}

// ServeLanes answers a request for a session on which answers are asked for.
func ServeLanes(ctx context.Context, c *Call, out Out) error {
	up := c.req.upgrade
	codec, ok := c.Dialect.Codec(llm.OpGenerate).(dialect.Laned)
	if up == nil || !ok {
		return &llm.Error{Kind: llm.Invalid, Op: "lanes", Code: "websocket_required", Message: "this is reached by a WebSocket: open it with an SDK's realtime client, at ws:// or wss:// in place of http:// or https://"}
	}
	s := &lanes{socket: newSocket(ctx, c, up), codec: codec, began: time.Now(), lanes: map[string]*lane{}}
	defer s.release()
	var err error
	if s.caller, err = up.accept(); err != nil {
		return &llm.Error{Kind: llm.Invalid, Op: "lanes", Message: "the WebSocket cannot be opened", Err: err}
	}
	defer s.caller.CloseNow() //nolint:errcheck // it is over
	s.caller.SetReadLimit(int64(c.Config.Declared.MaxBody))
	c.Trail.Record.Status = http.StatusSwitchingProtocols
	if err := out.Begin(Head{Status: http.StatusSwitchingProtocols, Upgraded: true}); err != nil {
		return err
	}
	if err := out.Chunk(dialect.Chunk{Text: 1}); err != nil { // the record has the session before it begins
		return err
	}
	s.run()
	return out.Chunk(dialect.Chunk{Events: []llm.Event{llm.End{}}})
}

// run takes orders until the session is over.
func (s *lanes) run() {
	var g sync.WaitGroup
	g.Go(func() { s.stop(s.fromCaller()) })
	g.Go(func() { s.stop(s.watch(s.quiet, s.inTime)) })
	<-s.ctx.Done()
	s.begun() // none begins any more
	s.running.Wait()
	why := s.ending()
	_ = s.caller.Close(why.code, clip([]byte(why.reason), 120))
	g.Wait()
	s.note()
	for _, l := range s.lanes {
		l.forget()
		for _, o := range l.queue {
			o.hold.release()
		}
	}
}

// quiet reports whether no answer is under way.
func (s *lanes) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active+s.waiting == 0
}

// begun returns how many answers are under way, when those are that begin at this moment.
func (s *lanes) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

// inTime ends a session that has lasted as long as one may, when no answer is under way.
func (s *lanes) inTime() error {
	if time.Since(s.began) < longest || !s.quiet() {
		return nil
	}
	if err := s.refuse(tooLong(), ""); err != nil {
		return err
	}
	return &ended{websocket.StatusNormalClosure, "the session has lasted an hour; open a new one"}
}

func tooLong() error {
	return &llm.Error{
		Kind: llm.Invalid, Op: "lanes", Code: "websocket_connection_limit_reached",
		Message: "a WebSocket is good for 60 minutes; open a new one to go on",
	}
}

// fromCaller reads messages.
func (s *lanes) fromCaller() error {
	for {
		kind, text, err := s.caller.Read(s.wire)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return &ended{websocket.StatusUnsupportedData, "messages are texts"}
		}
		if err := s.hear(text); err != nil {
			return err
		}
	}
}

// hear takes one message.
func (s *lanes) hear(text []byte) error {
	o := &order{hold: &holding{room: s.up.room, limit: int64(s.call.Config.Declared.MaxInFlight)}}
	var err error
	if o.Order, err = s.codec.ReadOrder(text, s.call.bounds()); err == nil && o.Say != nil {
		return s.tell(o.Say)
	}
	if err == nil && !o.hold.grow(len(o.Body)) {
		err = &llm.Error{Kind: llm.Overloaded, Op: "lanes", Message: "the gateway holds as much as it can at the moment; try again", Retry: time.Second}
	}
	if err == nil {
		err = s.queue(o)
	}
	if err != nil {
		o.hold.release()
		return s.refuse(err, o.Lane)
	}
	return nil
}

// refuse tells the caller why there is no answer.
func (s *lanes) refuse(err error, lane string) error {
	return s.tell(s.codec.Whole(s.codec.EncodeError(err), lane))
}

// queue has an answer given when those before it in its lane have been.
func (s *lanes) queue(o *order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[o.Lane]
	switch {
	case time.Since(s.began) >= longest:
		return tooLong()
	case l == nil && o.Lane != "" && s.named() >= mostLanes:
		return &llm.Error{
			Kind: llm.Invalid, Op: "lanes", Param: "stream_id", Code: "websocket_stream_limit_reached",
			Message: fmt.Sprintf("one WebSocket has at most %d named streams; use one of them again, or open another WebSocket", mostLanes),
		}
	case s.waiting >= mostWaiting:
		return &llm.Error{Kind: llm.RateLimited, Op: "lanes", Code: "websocket_queue_full", Message: fmt.Sprintf("%d answers wait on this WebSocket already", mostWaiting)}
	case l == nil:
		l = &lane{name: o.Lane}
		s.lanes[o.Lane] = l
	}
	l.queue = append(l.queue, o)
	s.waiting++
	s.turn = append(s.turn, o.Lane)
	s.next()
	return nil
}

func (s *lanes) named() int {
	n := len(s.lanes)
	if s.lanes[""] != nil {
		n--
	}
	return n
}

// next begins what may begin.
func (s *lanes) next() {
	for i := 0; i < len(s.turn) && s.active < mostAtOnce && s.ctx.Err() == nil; {
		l := s.lanes[s.turn[i]]
		if l.busy {
			i++
			continue
		}
		o := l.queue[0]
		l.queue = l.queue[1:]
		s.turn = append(s.turn[:i], s.turn[i+1:]...)
		l.busy = true
		s.waiting--
		s.active++
		s.running.Go(func() {
			s.answer(l, o)
			s.mu.Lock()
			defer s.mu.Unlock()
			l.busy = false
			s.active--
			s.next()
		})
	}
}

// answer makes the call of an answer.
func (s *lanes) answer(l *lane, o *order) {
	defer o.hold.release()
	c := s.call
	now := time.Now()
	id := newID(now)
	from := ""
	recent := func(id string) ([]dialect.Item, bool) {
		items, ok := s.recent(id)
		if ok {
			from = id
		}
		return items, ok
	}
	child := &Call{
		ID: id, Op: llm.OpGenerate, Dialect: s.messages(l.name), Codec: s.codec, Caller: c.Caller, Parent: c.ID, Depth: c.Depth + 1,
		Recent: recent, Trail: NewTrail(id, now), req: &intake{hold: o.hold},
		In: dialect.Inbound{Method: http.MethodPost, Path: c.In.Path, RawQuery: c.In.RawQuery, Header: ofAnswer(c.In.Header), Body: o.Body},
	}
	if o.Warm {
		child.Op = llm.OpWarm
	}
	child.Trail.Record.Method, child.Trail.Record.Remote, child.Trail.Record.UserAgent = c.In.Method, c.Trail.Record.Remote, c.Trail.Record.UserAgent
	w := &laneWriter{session: s, lane: l.name, header: http.Header{}}
	out := &edgeOut{w: w, rc: http.NewResponseController(w), c: child, writeIdle: s.up.idle, gone: func() bool { return s.ctx.Err() != nil }}
	err := s.up.safely(id, func() error { return s.up.runner.Run(s.ctx, child, out) })
	if finish := s.up.safely(id, func() error { out.finish(err); return nil }); finish != nil && w.final == nil {
		w.final = s.codec.Whole(s.codec.EncodeError(finish), l.name)
	}
	if err == nil {
		s.remember(l, child, w.final)
	} else {
		s.evict(from)
	}
	if err := w.end(child); err != nil {
		s.stop(err)
	}
}

// ofAnswer returns the headers of a request for an answer: those of the handshake that are not about it.
func ofAnswer(in http.Header) http.Header {
	h := in.Clone()
	for k := range h {
		if strings.HasPrefix(k, "Sec-Websocket-") {
			h.Del(k)
		}
	}
	for _, k := range [...]string{"Upgrade", "Connection", "Idempotency-Key"} {
		h.Del(k)
	}
	if strings.HasPrefix(h.Get("Openai-Beta"), "responses_websockets") {
		h.Del("Openai-Beta") // the upstream is asked over HTTP
	}
	return h
}

// remember holds what was said up to an answer and in it, so that the next of the lane can go on from it though
// nobody keeps it. What only an upstream can go on from is not.
func (s *lanes) remember(l *lane, c *Call, final []byte) {
	said, ok := s.codec.Said(final)
	if !ok || said.ID == "" || said.Status != dialect.StateCompleted && said.Status != dialect.StateIncomplete {
		return
	}
	if ref, err := s.codec.Refers(c.In, c.Head); err != nil || !ref.Empty() {
		return
	}
	items, err := s.codec.Items(c.In.Body, c.ID)
	if err != nil {
		return
	}
	items = append(items, said.Items...)
	size := 0
	for _, it := range items {
		size += len(it.JSON)
	}
	hold := &holding{room: s.up.room, limit: int64(c.Config.Declared.MaxInFlight)}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.forget()
	if hold.grow(size) {
		l.last = &recent{said.ID, items, hold}
	}
}

func (l *lane) forget() {
	if l.last != nil {
		l.last.hold.release()
		l.last = nil
	}
}

// evict forgets an answer that was gone on from in vain, as the API has it: nothing goes on from it any more.
func (s *lanes) evict(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if id != "" && l.last != nil && l.last.id == id {
			l.forget()
		}
	}
}

// recent returns what was said up to an answer and in it. Any lane may go on from the last answer of another.
func (s *lanes) recent(id string) ([]dialect.Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if l.last != nil && l.last.id == id {
			return l.last.items, true
		}
	}
	return nil, false
}

// messageStream is the form in which answers are said to a laneWriter: before each message how the answer goes on
// after it, and its length.
const messageStream = "application/vnd.plenum.messages"

const messageHead = 5

// messages returns the dialect as it is spoken in a lane.
func (s *lanes) messages(lane string) *dialect.Dialect {
	d := *s.call.Dialect
	d.Streams = messageStream
	d.Wrap = func(dst []byte, f dialect.Frame) []byte {
		at := len(dst)
		dst = s.codec.AppendMessage(append(dst, make([]byte, messageHead)...), f, lane)
		n := len(dst) - at - messageHead
		if n == 0 {
			return dst[:at]
		}
		dst[at] = byte(s.codec.Ends(f))
		binary.BigEndian.PutUint32(dst[at+1:], uint32(n))
		return dst
	}
	return &d
}

// serveWarm is the innermost step of an answer that is only prepared. There is nothing to prepare: what was said
// is remembered when it has ended.
func serveWarm(out Out) error {
	if err := out.Begin(Head{Status: http.StatusOK, Stream: true}); err != nil {
		return err
	}
	return out.Chunk(dialect.Chunk{Text: 1, Events: []llm.Event{
		llm.Start{}, llm.Finish{Stop: llm.Stop{Reason: llm.StopEnd}}, llm.End{},
	}})
}
