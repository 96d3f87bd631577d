package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// turn is one answer within a session: a call of its own through the pipeline, whose innermost step lets the
// upstream be asked and then passes what it says.
type turn struct {
	session  *session
	ask      []byte // the caller's message that asks for it; nil where the upstream began by itself
	event    string // its event_id
	response string // the answer's id, where the upstream began by itself
	heard    []byte // a message that is all of the turn
	message  dialect.Message
	begun    bool

	admitted chan error // whether it may be: one value, from the turn's own goroutine
	messages chan heardMessage
}

// heardMessage is a message of the upstream on its way through a turn.
type heardMessage struct {
	message *dialect.Message
	text    []byte
	done    chan struct{}
}

// begin runs a turn through the pipeline, and returns when it is known whether it may be. The caller is told
// if not; where it is for want of a key or of money the session is over.
func (s *session) begin(t *turn) error {
	t.admitted, t.messages = make(chan error, 1), make(chan heardMessage)
	s.running.Go(func() {
		err := t.run()
		t.forget()
		select {
		case t.admitted <- err: // it never got as far as the upstream
		default:
		}
	})
	select {
	case err := <-t.admitted:
		if err != nil {
			return t.refuse(err)
		}
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	return nil
}

// run makes the call of the turn.
func (t *turn) run() error {
	c := t.session.call
	codec, _ := c.Codec.(dialect.Realtime)
	codec.What = llm.OpTurn
	now := time.Now()
	id := newID(now)
	target := c.Try.Target
	child := &Call{
		ID: id, Op: llm.OpTurn, Dialect: c.Dialect, Codec: codec, Caller: c.Caller, Parent: c.ID, Depth: c.Depth + 1, Trail: NewTrail(id, now),
		Pin: &target, req: &intake{turn: t}, In: dialect.Inbound{Method: c.In.Method, Path: c.In.Path, RawQuery: c.In.RawQuery, Header: c.In.Header},
	}
	child.In.Body = t.ask
	child.Trail.Record.Method, child.Trail.Record.Remote, child.Trail.Record.UserAgent = c.In.Method, c.Trail.Record.Remote, c.Trail.Record.UserAgent
	up := t.session.up
	return up.safely(id, func() error { return up.runner.Run(t.session.ctx, child, &turnOut{t.session}) })
}

// forget takes the turn out of the session's books.
func (t *turn) forget() {
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.waiting {
		if w == t {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			break
		}
	}
	for id, x := range s.turns {
		if x == t {
			delete(s.turns, id)
		}
	}
}

// refuse tells the caller why there is no answer, and stops one that has begun.
func (t *turn) refuse(err error) error {
	s := t.session
	if t.response != "" {
		s.mu.Lock()
		s.refused[t.response] = true
		s.mu.Unlock()
		if err := s.send(dialect.CancelMessage(t.response)); err != nil {
			return err
		}
	}
	if err := s.tell(dialect.ErrorMessage(err, t.event)); err != nil {
		return err
	}
	switch llm.AsError(err).Kind {
	case llm.Unauthorized, llm.Forbidden, llm.Quota:
		return &ended{websocket.StatusPolicyViolation, llm.AsError(err).Message}
	}
	return nil
}

// serveTurn is the innermost step of a turn: it may be, so the upstream is asked.
func serveTurn(ctx context.Context, c *Call, out Out) error {
	t := c.req.turn
	if t == nil {
		return &llm.Error{Kind: llm.Internal, Op: "realtime", Message: "a turn without a session"}
	}
	c.Trail.Record.Status = http.StatusOK
	if err := out.Begin(Head{Status: http.StatusOK, Dialect: c.Dialect.Name}); err != nil {
		return err
	}
	if t.heard != nil {
		// Begin waits for the turn's end: what the upstream says next goes out after it.
		return out.Chunk(t.chunk(&t.message, t.heard, true))
	}
	c.Try.Sent = true
	if err := t.ready(); err != nil {
		return t.broken(err)
	}
	ctx, cancel := context.WithTimeout(ctx, or(t.session.conn.Timeouts.Total, 15*time.Minute))
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return t.broken(context.Cause(ctx))
		case h, ok := <-t.messages:
			if !ok {
				return t.broken(nil)
			}
			err := out.Chunk(t.chunk(h.message, h.text, h.message.Final))
			close(h.done)
			if err != nil || h.message.Final {
				return err
			}
		}
	}
}

// ready books the turn and asks the upstream, in one step: an answer must find its turn.
func (t *turn) ready() error {
	s := t.session
	s.mu.Lock()
	if t.response != "" {
		s.turns[t.response] = t
	} else {
		s.waiting = append(s.waiting, t)
	}
	s.mu.Unlock()
	var err error
	if t.ask != nil {
		err = s.send(t.ask)
	}
	t.admitted <- nil
	return err
}

// broken is the error of a turn that did not come to its end. It is never tried again: the upstream was asked.
func (t *turn) broken(err error) error {
	e := &llm.Error{Kind: llm.UpstreamFault, Op: "realtime", Message: "the upstream refused the answer", Upstream: &llm.Upstream{NoRetry: true}, Err: err}
	if err != nil {
		e.Kind, e.Message, e.Upstream = llm.Canceled, "the session ended before the answer did", nil
	}
	return e
}

// chunk is a message with what it means.
func (t *turn) chunk(m *dialect.Message, text []byte, last bool) dialect.Chunk {
	ch := dialect.Chunk{Frame: dialect.Frame{Raw: text}, Text: m.Text}
	if !t.begun {
		t.begun, ch.Text = true, max(1, m.Text) // from here on the answer is this one's
	}
	if last {
		if !m.Usage.Zero() {
			ch.Events = append(ch.Events, llm.UsageReport{Usage: m.Usage})
		}
		ch.Events = append(ch.Events, llm.End{})
	}
	return ch
}

// deliver hands a message to the turn and returns when it has gone to the caller, so that all messages keep
// their order and a slow caller slows the upstream.
func (t *turn) deliver(m *dialect.Message, text []byte) error {
	h := heardMessage{m, text, make(chan struct{})}
	s := t.session
	for _, step := range [...]func() bool{
		func() bool {
			select {
			case t.messages <- h:
				return true
			case <-s.ctx.Done():
				return false
			}
		},
		func() bool {
			select {
			case <-h.done:
				return true
			case <-s.ctx.Done():
				return false
			}
		},
	} {
		if !step() {
			return context.Cause(s.ctx)
		}
	}
	return nil
}

// turnOut says what comes of a turn to the caller.
type turnOut struct{ session *session }

// Begin does nothing: the session has begun.
func (o *turnOut) Begin(Head) error { return nil }

// Chunk sends a message.
func (o *turnOut) Chunk(ch dialect.Chunk) error {
	if len(ch.Frame.Raw) == 0 {
		return nil
	}
	if err := o.session.tell(ch.Frame.Raw); err != nil {
		return &WriteError{err}
	}
	return nil
}
