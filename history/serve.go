package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// Handlers are those of the operations on what is kept.
func (h *History) Handlers() map[llm.Op]gateway.Handler {
	return map[llm.Op]gateway.Handler{llm.OpKept: h.serve}
}

// serve answers what is asked of what is kept.
func (h *History) serve(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	if r, ok := c.Codec.(dialect.Refuser); ok {
		return r.Refuse(c.In)
	}
	k, ok := c.Codec.(dialect.Keeper)
	if !ok {
		return &llm.Error{Kind: llm.NotFound, Op: "history", Message: "there is nothing of that kind here"}
	}
	if err := c.Load(); err != nil {
		return err
	}
	a, err := k.Asks(c.In)
	if err != nil {
		return err
	}
	c.Trail.Record.Stream = a.Stream
	if strings.HasPrefix(string(a.Ask), "conversation") {
		body, err := h.converse(ctx, c, k, a)
		return send(c, out, body, err)
	}
	o, err := h.find(ctx, c.Caller, a.ID, kindAnswer, kindElsewhere)
	if errors.Is(err, errNone) {
		msg := "there is no response " + a.ID + ": it was not kept, was deleted, has expired, or belongs to another project"
		return &llm.Error{Kind: llm.NotFound, Op: "history", Param: "response_id", Code: "not_found", Message: msg}
	}
	if err != nil {
		return err
	}
	if o.Kind == kindElsewhere {
		return h.elsewhere(ctx, c, out, a, &o)
	}
	return h.answer(ctx, c, out, k, a, &o)
}

func send(c *gateway.Call, out gateway.Out, body []byte, err error) error {
	if err != nil {
		return err
	}
	return gateway.SendJSON(c, out, http.StatusOK, body)
}

// answer answers what is asked of an answer that is kept here.
func (h *History) answer(ctx context.Context, c *gateway.Call, out gateway.Out, k dialect.Keeper, a dialect.Asking, o *store.Object) error {
	d, err := documentOf(o)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "history", Message: "the response cannot be read", Err: err}
	}
	if a.Ask != dialect.AskDelete && d.foreign(c) {
		msg := "the response " + a.ID + " was made by another API (" + d.Dialect + "); ask for it there"
		return &llm.Error{Kind: llm.NotFound, Op: "history", Param: "response_id", Code: "not_found", Message: msg}
	}
	switch a.Ask {
	case dialect.AskDelete:
		h.cancel(o.ID)
		if err := h.drop(ctx, o.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return unwritten(err)
		}
		return send(c, out, k.Tell(a, dialect.Told{}), nil)
	case dialect.AskCancel:
		body, err := h.cancelled(ctx, k, o, d)
		return send(c, out, body, err)
	case dialect.AskInput:
		t := dialect.Told{}
		t.Items, t.More = page(d.Input, a)
		return send(c, out, k.Tell(a, t), nil)
	}
	if a.Stream {
		return h.resume(ctx, c, out, k, a, o, d)
	}
	answer, status := []byte(d.Answer), o.Status
	if j := h.running(o.ID); j != nil {
		answer, status = j.answer(), j.now()
	}
	body, err := k.Show(a, status, answer)
	return send(c, out, body, err)
}

// resume says the events of an answer again, from a number on, and goes on with those that are to come.
func (h *History) resume(ctx context.Context, c *gateway.Call, out gateway.Out, k dialect.Keeper, a dialect.Asking, o *store.Object, d *document) error {
	c.Head.Stream = true
	if j := h.running(o.ID); j != nil {
		return j.follow(ctx, c, out, a.From)
	}
	for waiting(o.Status) { // another node runs it
		if err := h.clock.Sleep(ctx, lookElsewhere); err != nil {
			return &llm.Error{Kind: llm.Canceled, Op: "history", Message: "the caller went away", Err: err}
		}
		x, err := h.look(ctx, o.ID)
		if err != nil {
			return unwritten(err)
		}
		if o = &x; !waiting(o.Status) {
			if d, err = documentOf(o); err != nil {
				return &llm.Error{Kind: llm.Internal, Op: "history", Message: "the response cannot be read", Err: err}
			}
		}
	}
	events := d.Events
	if len(events) == 0 {
		var err error
		if events, err = replayed(k, d.Answer); err != nil {
			return err
		}
	}
	return sayEvents(c, out, events, a.From, true)
}

// replayed makes the events of an answer that was not streamed, or whose events were not kept.
func replayed(k dialect.Keeper, answer []byte) ([]event, error) {
	res, err := k.DecodeResponse(dialect.Reply{Status: http.StatusOK, Body: answer})
	if err != nil {
		return nil, err
	}
	r, ok := res.(*llm.Response)
	if !ok {
		return nil, &llm.Error{Kind: llm.Internal, Op: "history", Message: "the response cannot be streamed", Err: fmt.Errorf("a %T", res)}
	}
	var events []event
	add := func(fs []dialect.Frame) {
		for _, f := range fs {
			if len(f.Data) > 0 {
				events = append(events, event{f.Event, append(json.RawMessage(nil), f.Data...)})
			}
		}
	}
	enc := k.NewEncoder(nil, dialect.Meta{})
	for ev := range llm.Replay(r) {
		fs, err := enc.Encode(ev)
		if err != nil {
			return nil, err
		}
		add(fs)
	}
	add(enc.Close(nil))
	return events, nil
}

// sayEvents says events with numbers above from. The last is that of the answer's end where it is over.
func sayEvents(c *gateway.Call, out gateway.Out, events []event, from int64, over bool) error {
	if err := out.Begin(streamHead(c)); err != nil {
		return err
	}
	for i := int(max(from+1, 0)); i < len(events); i++ {
		last := over && i == len(events)-1
		if err := sayEvent(out, events[i], i < len(events)-1, last); err != nil {
			return err
		}
	}
	if over && int(from+1) >= len(events) {
		return out.Chunk(dialect.Chunk{Events: []llm.Event{llm.End{}}})
	}
	return nil
}

func streamHead(c *gateway.Call) gateway.Head {
	return gateway.Head{Status: http.StatusOK, Dialect: c.Dialect.Name, Header: http.Header{}, Stream: true, Codec: c.Codec}
}

func sayEvent(out gateway.Out, e event, more, last bool) error {
	f := dialect.Frame{Event: e.Type, Data: e.Data}
	f.Raw = frame.Append(nil, f)
	ch := dialect.Chunk{Frame: f, More: more}
	if last {
		ch.Events = []llm.Event{llm.End{}}
	}
	return out.Chunk(ch)
}

// elsewhere passes on what is asked of an answer that an upstream keeps.
func (h *History) elsewhere(ctx context.Context, c *gateway.Call, out gateway.Out, a dialect.Asking, o *store.Object) error {
	d, ok := c.Config.Deployment(o.Deployment)
	if ok {
		for i := range d.Targets {
			offer := &d.Targets[i].Offer
			if offer.Connection != o.Label {
				continue
			}
			c.Trail.Record.Deployment, c.Trail.Record.Target = d.Name, offer.ID
			if err := gateway.Forward(ctx, c, out, offer, a.ID+keptPath(a.Ask)); err != nil {
				return err
			}
			if a.Ask == dialect.AskDelete {
				_ = h.drop(ctx, o.ID)
			}
			return nil
		}
	}
	return &llm.Error{Kind: llm.NotFound, Op: "history", Message: "the response " + a.ID + " is kept by an upstream that is not connected any more"}
}

func keptPath(a dialect.Ask) string {
	switch a {
	case dialect.AskCancel:
		return "/cancel"
	case dialect.AskInput:
		return "/input_items"
	}
	return ""
}
