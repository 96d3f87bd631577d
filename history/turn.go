package history

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// turn is the Out of a call whose answer is kept. Where caller and upstream speak one dialect the bytes pass,
// and are looked at. Else the answer is said here, in the caller's dialect, so that what is kept is what was
// heard.
type turn struct {
	*opening
	next  gateway.Out
	head  gateway.Head
	says  bool // the answer is said here
	notes bool // an upstream keeps it: only where is noted
	store bool // it is kept here
	enc   dialect.Encoder
	fold  *llm.Folder // of a stream that is not streamed on
	sum   *llm.Folder // of a stream that does not tell the whole answer at its end
	id    string
	done  bool
	// changed says that the bytes of the answer are not what was heard.
	changed bool
}

func newTurn(o *opening, out gateway.Out) *turn {
	t := &turn{opening: o, next: out}
	if o.keeps && !o.ref.Unstored || o.ref.Conversation != "" {
		o.call.Understand = true
	}
	return t
}

var _ gateway.Out = (*turn)(nil)

// Begin decides who keeps the answer.
func (t *turn) Begin(h gateway.Head) error {
	t.head = h
	raw := h.Dialect == t.call.Dialect.Name
	elsewhere := raw && !t.ref.Unstored && t.upstreamKeeps()
	t.notes = elsewhere
	t.store = t.keeps && !t.ref.Unstored && !elsewhere
	t.says = !raw && (t.store || t.ref.Conversation != "") && h.Dialect != ""
	if t.says {
		h.Dialect, h.Stream, h.Codec = t.call.Dialect.Name, t.call.Head.Stream, t.codec
		if h.Header == nil {
			h.Header = http.Header{}
		}
	}
	return t.next.Begin(h)
}

// upstreamKeeps reports whether the place that answers keeps answers itself.
func (t *turn) upstreamKeeps() bool {
	for i := range t.call.Candidates {
		if o := &t.call.Candidates[i].Offer; o.ID == t.call.Trail.Record.Target {
			return !o.Traits.NoState
		}
	}
	return false
}

// Chunk passes a piece of the answer on, and keeps the answer before its last piece goes out.
func (t *turn) Chunk(ch dialect.Chunk) error {
	if !t.says {
		t.changed = t.changed || ch.Resay
		t.look(ch)
		return t.next.Chunk(ch)
	}
	switch r, ok := ch.Result.(*llm.Response); {
	case t.head.Stream && t.call.Head.Stream:
		return t.say(ch.Events, ch)
	case t.head.Stream:
		if t.fold == nil {
			t.fold = llm.NewFolder()
		}
		for _, ev := range ch.Events {
			t.fold.Add(ev)
		}
		return nil
	case ok && t.call.Head.Stream:
		for ev := range llm.Replay(r) {
			if err := t.say([]llm.Event{ev}, dialect.Chunk{More: true}); err != nil {
				return err
			}
		}
		return nil
	case ok:
		return t.whole(ch)
	}
	return t.next.Chunk(ch)
}

// look reads what an answer whose bytes pass says of itself.
func (t *turn) look(ch dialect.Chunk) {
	for _, ev := range ch.Events {
		if s, ok := ev.(llm.Start); ok && s.ID != "" {
			t.id = s.ID
		}
	}
	t.gather(ch.Events)
	last := ch.Body != nil || slices.ContainsFunc(ch.Events, func(ev llm.Event) bool { _, ok := ev.(llm.End); return ok })
	if !last {
		return
	}
	data := ch.Body
	if data == nil && t.codec.Sums("") {
		data = ch.Frame.Data
	}
	said, ok := t.codec.Said(data)
	switch {
	case ok:
		t.ended(said)
	case t.changed || t.notes && data == nil:
		t.ended(dialect.Said{ID: t.id, Status: dialect.StateCompleted})
	default:
		t.summed()
	}
}

// gather keeps what the events of a stream mean that does not tell the whole answer at its end.
func (t *turn) gather(evs []llm.Event) {
	if !t.store || !t.head.Stream || t.codec.Sums("") {
		return
	}
	if t.sum == nil {
		t.sum = llm.NewFolder()
	}
	for _, ev := range evs {
		t.sum.Add(ev)
	}
}

// summed ends an answer whose events were gathered.
func (t *turn) summed() {
	if t.sum == nil {
		return
	}
	p, err := t.call.Payload()
	if err != nil {
		return
	}
	reply, _, err := t.codec.EncodeResponse(p, t.sum.Response(), t.meta())
	if err != nil {
		t.h.log.Warn("an answer is not kept", "id", t.id, "err", err)
		return
	}
	if said, ok := t.codec.Said(reply.Body); ok {
		t.ended(said)
	}
}

// say says events of a stream.
func (t *turn) say(evs []llm.Event, ch dialect.Chunk) error {
	if t.enc == nil {
		p, err := t.call.Payload()
		if err != nil {
			return err
		}
		t.enc = t.codec.NewEncoder(p, t.meta())
	}
	t.gather(evs)
	told := slices.DeleteFunc(slices.Clone(evs), func(ev llm.Event) bool { _, ok := ev.(llm.Fault); return ok })
	var frames []dialect.Frame
	for _, ev := range told {
		fs, err := t.enc.Encode(ev)
		if err != nil {
			return err
		}
		for _, f := range fs {
			frames = append(frames, f.Clone()) // good until the next event only
		}
	}
	return t.push(frames, told, ch)
}

// push passes frames on; what they mean goes with the first.
func (t *turn) push(frames []dialect.Frame, evs []llm.Event, ch dialect.Chunk) error {
	if len(frames) == 0 {
		return t.next.Chunk(dialect.Chunk{Events: evs, Text: ch.Text, More: ch.More})
	}
	for i, f := range frames {
		if said, ok := t.lastSaid(f); ok {
			t.ended(said)
		}
		if f.Raw == nil {
			f.Raw = frame.Append(nil, f)
		}
		x := dialect.Chunk{Frame: f, More: ch.More || i < len(frames)-1}
		if i == 0 {
			x.Events, x.Text = evs, ch.Text
		}
		if err := t.next.Chunk(x); err != nil {
			return err
		}
	}
	return nil
}

// lastSaid returns the answer that a frame says at its end.
func (t *turn) lastSaid(f dialect.Frame) (dialect.Said, bool) {
	if f.Event == "" || !t.codec.Sums(f.Event) {
		return dialect.Said{}, false
	}
	return t.codec.Said(f.Data)
}

// whole says an answer that is not streamed.
func (t *turn) whole(ch dialect.Chunk) error {
	p, err := t.call.Payload()
	if err != nil {
		return err
	}
	reply, losses, err := t.codec.EncodeResponse(p, ch.Result, t.meta())
	if err != nil {
		return err
	}
	t.call.Trail.Lose(losses)
	if said, ok := t.codec.Said(reply.Body); ok {
		t.ended(said)
	}
	ch.Body = reply.Body
	return t.next.Chunk(ch)
}

func (t *turn) meta() dialect.Meta {
	began := t.call.Trail.Began()
	m := dialect.Meta{CallID: t.call.ID, Now: began.Unix(), Began: began}
	if t.store {
		m.Kept = &dialect.Kept{Previous: t.ref.Previous, Conversation: t.ref.Conversation}
	}
	return m
}

// close ends the answer.
func (t *turn) close(err error) error {
	if err != nil || !t.says {
		return err
	}
	if t.fold != nil {
		return t.whole(dialect.Chunk{Result: t.fold.Response()})
	}
	if t.enc == nil {
		return nil
	}
	var frames []dialect.Frame
	for _, f := range t.enc.Close(nil) {
		frames = append(frames, f.Clone())
	}
	t.call.Trail.Lose(t.enc.Losses())
	t.summed()
	if len(frames) == 0 {
		return nil
	}
	return t.push(frames, nil, dialect.Chunk{})
}

// ended keeps an answer that has come to its end.
func (t *turn) ended(said dialect.Said) {
	if t.done {
		return
	}
	t.done = true
	if said.ID == "" {
		said.ID = t.id
	}
	if t.notes && said.ID != "" {
		o := t.h.object(t.call, kindElsewhere, said.ID, said.Status, nil)
		o.Label = t.connection()
		t.h.keep(o)
		for _, it := range said.Items {
			item := t.h.object(t.call, kindElsewhere, it.ID, said.Status, nil)
			item.Label = o.Label
			t.h.keep(item)
		}
	}
	if !t.store && t.ref.Conversation == "" {
		return
	}
	if t.changed {
		t.call.Trail.Note("the answer is not kept: a part of it was taken out")
		return
	}
	input, err := t.codec.Items(t.own, t.call.ID)
	if err != nil {
		t.h.log.Warn("an answer is not kept", "id", said.ID, "err", err)
		return
	}
	if t.store {
		t.h.keep(t.h.object(t.call, kindAnswer, said.ID, said.Status, &document{
			Previous: t.ref.Previous, Conversation: t.ref.Conversation, Dialect: t.call.Dialect.Name,
			Input: input, Output: said.Items, Answer: said.Answer,
		}))
	}
	if t.ref.Conversation != "" {
		t.h.goOn(t.call, t.ref.Conversation, append(input, said.Items...))
	}
}

func (t *turn) connection() string {
	for i := range t.call.Candidates {
		if o := &t.call.Candidates[i].Offer; o.ID == t.call.Trail.Record.Target {
			return o.Connection
		}
	}
	return ""
}

// addFor bounds how long a turn waits to be added to its conversation.
const addFor = 5 * time.Second

// goOn adds a turn to a conversation.
func (h *History) goOn(c *gateway.Call, id string, items []dialect.Item) {
	ctx, cancel := context.WithTimeout(context.Background(), addFor)
	defer cancel()
	expires := h.clock.Now().Add(retention(c)).UnixMilli()
	_, err := h.objects.UpdateObject(ctx, id, func(o *store.Object) error {
		d, err := documentOf(o)
		if err != nil {
			return err
		}
		if len(d.Items)+len(items) > mostItems {
			return errFull
		}
		d.Items = append(d.Items, items...)
		o.Body, o.Expires = d.bytes(), expires
		o.Size = int64(len(o.Body))
		return nil
	})
	if err != nil {
		c.Trail.Note("the turn was not added to its conversation")
		h.log.Warn("adding a turn to a conversation", "id", id, "err", err)
	}
}

// mostItems bounds a conversation.
const mostItems = 20_000

var errFull = errors.New("the conversation has too many items")
