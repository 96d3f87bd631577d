package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// mostTurns bounds how many answers one goes on from.
const mostTurns = 4096

// opening is a call while it is put together.
type opening struct {
	h      *History
	call   *gateway.Call
	codec  dialect.Keeper
	ref    dialect.Reference
	keeps  bool   // what is said may be kept
	own    []byte // the body with what it names, without what comes before it
	before []dialect.Item
	recent bool // what comes before was said on the same connection and is kept nowhere
}

// Open has a call say by itself what it only refers to, and returns the Out that keeps its answer. What is
// to run in the background is answered here, without an Out.
func (h *History) Open(ctx context.Context, c *gateway.Call, out gateway.Out) (gateway.Out, func(error) error, error) {
	codec, ok := c.Codec.(dialect.Keeper)
	if !ok || !goesOn(c.Op) {
		return out, nil, nil
	}
	if err := c.Load(); err != nil {
		return nil, nil, err
	}
	ref, err := codec.Refers(c.In, c.Head)
	if err != nil {
		return nil, nil, err
	}
	d, ok := c.Config.Deployment(c.Head.Model)
	if !ok {
		return out, nil, nil // resolve says so
	}
	o := &opening{h: h, call: c, codec: codec, ref: ref, keeps: c.Config.Keeps(c.Caller.Project, d), own: c.In.Body}
	if !ref.Empty() {
		if err := o.recall(ctx, d); err != nil {
			return nil, nil, err
		}
	}
	if c.Op != llm.OpGenerate {
		return out, nil, nil
	}
	if ref.Conversation != "" && !o.keeps {
		return nil, nil, notKept() // a turn would be added to it
	}
	if ref.Background {
		if o.keeps && !ref.Unstored {
			return nil, nil, h.inBackground(ctx, o, out)
		}
		if err := o.foreground(); err != nil {
			return nil, nil, err
		}
	}
	if ref.Unstored && ref.Conversation == "" {
		return out, nil, nil
	}
	t := newTurn(o, out)
	return t, t.close, nil
}

// goesOn reports whether a request may refer to what was said before.
func goesOn(op llm.Op) bool {
	switch op {
	case llm.OpGenerate, llm.OpCountTokens, llm.OpCompact, llm.OpWarm:
		return true
	}
	return false
}

// foreground has an answer given at once that was asked for later: where nothing is kept, nobody could ask
// for it.
func (o *opening) foreground() error {
	c := o.call
	if o.ref.Later {
		return &llm.Error{
			Kind: llm.Unsupported, Op: "history",
			Message: "nothing that is said is kept here (content.keep), so that an answer could not be asked for later; ask for it at once, streamed if it takes long",
		}
	}
	body, err := o.codec.Recall(c.In, c.Head, dialect.Recalled{})
	if err != nil {
		return err
	}
	c.Trail.Change("background false set (nothing that is said is kept here)")
	return c.Refill(body)
}

// recall puts what the request refers to into it, or has it go where that is kept.
func (o *opening) recall(ctx context.Context, d *plenum.Deployment) error {
	c := o.call
	if o.ref.Previous != "" {
		elsewhere, err := o.previous(ctx, d)
		if err != nil {
			return err
		}
		if elsewhere {
			return o.strangers(ctx, d, nil)
		}
	}
	if o.ref.Conversation != "" {
		if err := o.conversation(ctx); err != nil {
			return err
		}
	}
	named, err := o.named(ctx)
	if err != nil {
		return err
	}
	if err := o.strangers(ctx, d, named); err != nil {
		return err
	}
	if o.ref.Previous == "" && o.ref.Conversation == "" && len(named) == 0 {
		return nil // items that only an upstream may know
	}
	if len(named) > 0 {
		if o.own, err = o.codec.Recall(c.In, c.Head, dialect.Recalled{Named: named}); err != nil {
			return err
		}
	}
	body, err := o.codec.Recall(c.In, c.Head, dialect.Recalled{Before: o.before, Named: named})
	if err != nil {
		return err
	}
	if limit := int64(c.Config.Declared.MaxDecompressed); limit > 0 && int64(len(body)) > limit {
		return &llm.Error{Kind: llm.TooLarge, Op: "history", Message: "the conversation has grown larger than max_decompressed; begin a new one"}
	}
	if o.recent {
		o.own, o.ref.Previous = body, "" // an answer that is kept must not go on from one that is not
	}
	return c.Refill(body)
}

// justSaid puts in what the same connection remembers, where nobody keeps it.
func (o *opening) justSaid(ctx context.Context) bool {
	again, ok := o.codec.(dialect.Laned)
	if !ok || o.call.Recent == nil {
		return false
	}
	items, ok := o.call.Recent(o.ref.Previous)
	if !ok {
		return false
	}
	if _, err := o.h.look(ctx, o.ref.Previous); !errors.Is(err, store.ErrNotFound) {
		return false
	}
	o.before, o.recent = again.Again(items), true
	return true
}

// previous loads the answers that the call goes on from. It reports whether an upstream keeps them: then the
// call goes there as it is.
func (o *opening) previous(ctx context.Context, d *plenum.Deployment) (elsewhere bool, err error) {
	if o.justSaid(ctx) {
		return false, nil
	}
	var turns []*document
	for id, n := o.ref.Previous, 0; id != ""; n++ {
		x, err := o.h.find(ctx, o.call.Caller, id, kindAnswer, kindElsewhere)
		if errors.Is(err, errNone) {
			return false, o.unknown(id, n)
		}
		if err != nil {
			return false, err
		}
		if x.Kind == kindElsewhere && n == 0 {
			return true, o.pin(d, x.Label)
		}
		doc, err := documentOf(&x)
		if err == nil && (x.Kind == kindElsewhere || n >= mostTurns) {
			err = fmt.Errorf("%s cannot be gone on from", id)
		}
		if err != nil {
			return false, &llm.Error{Kind: llm.Internal, Op: "history", Message: "what was said before cannot be read", Err: err}
		}
		if err := ended(id, x.Status); err != nil {
			return false, err
		}
		if doc.foreign(o.call) {
			return false, o.unlike(id, doc)
		}
		turns = append(turns, doc)
		id = doc.Previous
	}
	for _, t := range slices.Backward(turns) {
		o.before = append(append(o.before, t.Input...), t.Output...)
	}
	return false, nil
}

// unlike refuses to go on from what was said in another dialect: its items are kept in that one's words.
func (o *opening) unlike(id string, d *document) error {
	return &llm.Error{
		Kind: llm.NotFound, Op: "history", Param: "previous_response_id", Code: "previous_response_not_found",
		Message: "the response " + id + " was made by another API (" + d.Dialect + "); go on from it there, or send the whole conversation",
	}
}

// ended refuses to go on from an answer that is not there.
func ended(id, status string) error {
	if status == dialect.StateCompleted || status == dialect.StateIncomplete {
		return nil
	}
	msg := "the response " + id + " is " + strings.ReplaceAll(status, "_", " ") + "; nothing can go on from it"
	return &llm.Error{Kind: llm.Invalid, Op: "history", Param: "previous_response_id", Message: msg}
}

// unknown says why there is no such answer.
func (o *opening) unknown(id string, depth int) error {
	e := &llm.Error{Kind: llm.NotFound, Op: "history", Param: "previous_response_id", Code: "previous_response_not_found"}
	switch {
	case depth > 0:
		e.Message = "the response " + o.ref.Previous + " goes on from " + id + ", which was deleted or has expired; send the whole conversation as input"
	case o.keeps:
		e.Message = "there is no response " + id + ": it was not kept (store: false), was deleted, has expired, or belongs to another project; send the whole conversation as input"
	default:
		e.Message = "there is no response " + id + ": Plenum keeps none here (content.keep), and no upstream is known to keep it for this project; send the whole conversation as input"
	}
	return e
}

// pin has the call go to the connection that keeps what it goes on from.
func (o *opening) pin(d *plenum.Deployment, connection string) error {
	for i := range d.Targets {
		if d.Targets[i].Offer.Connection == connection {
			o.call.Pin = &d.Targets[i]
			return nil
		}
	}
	return &llm.Error{
		Kind: llm.NotFound, Op: "history", Param: "previous_response_id", Code: "previous_response_not_found",
		Message: "the response " + o.ref.Previous + " is kept by an upstream that this deployment does not call; call the deployment that it came from, or send the whole conversation as input",
	}
}

// strangers refuses items that the input only names and that are not the caller's: an upstream would put in what it
// keeps for whomever. What it keeps of this caller's answers is asked of it alone.
func (o *opening) strangers(ctx context.Context, d *plenum.Deployment, named map[string]string) error {
	for _, id := range o.ref.Items {
		if _, ok := named[id]; ok || o.call.Pin != nil && d.UnknownIDs {
			continue
		}
		x, err := o.h.find(ctx, o.call.Caller, id, kindElsewhere)
		switch {
		case errors.Is(err, errNone) && d.UnknownIDs:
		case errors.Is(err, errNone):
			return &llm.Error{Kind: llm.NotFound, Op: "history", Param: "input", Message: fmt.Sprintf("there is no item %q for this project; send it whole", id)}
		case err != nil:
			return err
		case o.call.Pin == nil:
			if err := o.pin(d, x.Label); err != nil {
				return err
			}
		}
	}
	return nil
}

// named returns the items that the input only names, as far as they are kept here.
func (o *opening) named(ctx context.Context) (map[string]string, error) {
	named := map[string]string{}
	known := map[string]string{}
	for _, it := range o.before {
		known[it.ID] = it.JSON
	}
	for _, id := range o.ref.Items {
		if json, ok := known[id]; ok {
			named[id] = json
			continue
		}
		answer := answerOf(id)
		if answer == "" {
			continue
		}
		x, err := o.h.find(ctx, o.call.Caller, answer, kindAnswer)
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		doc, err := documentOf(&x)
		if err != nil {
			return nil, &llm.Error{Kind: llm.Internal, Op: "history", Message: "what was said before cannot be read", Err: err}
		}
		if doc.foreign(o.call) {
			continue
		}
		for _, it := range append(doc.Input, doc.Output...) {
			if it.ID == id {
				named[id] = it.JSON
			}
		}
	}
	return named, nil
}

// answerOf returns the id of the answer whose call made the id of an item; "" for one that no call made.
func answerOf(item string) string {
	_, rest, _ := strings.Cut(item, "_")
	if i := strings.LastIndexByte(rest, '_'); i > 0 && strings.HasPrefix(rest, "req_") {
		return "resp_" + rest[:i]
	}
	return ""
}
