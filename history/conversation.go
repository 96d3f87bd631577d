package history

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// conversation puts what was said in a conversation in front of the input.
func (o *opening) conversation(ctx context.Context) error {
	x, err := o.h.find(ctx, o.call.Caller, o.ref.Conversation, kindConversation)
	if errors.Is(err, errNone) {
		e := noConversation(o.ref.Conversation)
		e.Param = "conversation"
		if !o.keeps {
			e.Message += "; Plenum keeps none here (content.keep)"
		}
		return e
	}
	if err != nil {
		return err
	}
	d, err := documentOf(&x)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "history", Message: "what was said before cannot be read", Err: err}
	}
	o.before = append(o.before, d.Items...)
	return nil
}

func noConversation(id string) *llm.Error {
	return &llm.Error{
		Kind: llm.NotFound, Op: "history", Code: "conversation_not_found",
		Message: "there is no conversation " + id + ": it was deleted, has expired, or belongs to another project",
	}
}

// notKept is what a caller is told who would have something kept where that is not allowed.
func notKept() *llm.Error {
	return &llm.Error{
		Kind: llm.Forbidden, Op: "history", Code: "content_not_kept",
		Message: "conversations are not kept here; content.keep in the configuration and in the project allows it",
	}
}

// begin makes a conversation.
func (h *History) begin(ctx context.Context, c *gateway.Call, k dialect.Keeper, a dialect.Asking) ([]byte, error) {
	if !c.Config.Keeps(c.Caller.Project, nil) {
		return nil, notKept()
	}
	a.ID = "conv_" + c.ID
	d := &document{Dialect: c.Dialect.Name, Metadata: json.RawMessage(a.Metadata), Items: identify(a.Items, c.ID)}
	if len(d.Metadata) == 0 {
		d.Metadata = nil
	}
	o := h.object(c, kindConversation, a.ID, "", d)
	if err := h.objects.CreateObject(ctx, o); err != nil {
		return nil, unwritten(err)
	}
	return k.Tell(a, dialect.Told{Metadata: a.Metadata, Created: o.Created / 1000}), nil
}

// identify gives items ids that have none.
func identify(items []dialect.Item, callID string) []dialect.Item {
	for i := range items {
		if items[i].ID == "" {
			items[i].ID = "msg_" + callID + "_in" + strconv.Itoa(i)
		}
	}
	return items
}

func unwritten(err error) error {
	return &llm.Error{Kind: llm.Overloaded, Op: "history", Message: "it cannot be kept at the moment", Retry: time.Second, Err: err}
}

// converse answers what is asked of a conversation.
func (h *History) converse(ctx context.Context, c *gateway.Call, k dialect.Keeper, a dialect.Asking) ([]byte, error) {
	if a.Ask == dialect.AskBegin {
		return h.begin(ctx, c, k, a)
	}
	o, err := h.find(ctx, c.Caller, a.ID, kindConversation)
	if errors.Is(err, errNone) {
		return nil, noConversation(a.ID)
	}
	if err != nil {
		return nil, err
	}
	switch a.Ask {
	case dialect.AskChange, dialect.AskAdd, dialect.AskDrop:
		o, err = h.change(ctx, c, a)
	case dialect.AskEnd:
		err = h.drop(ctx, a.ID)
	}
	if err != nil {
		return nil, err
	}
	d, err := documentOf(&o)
	if err != nil {
		return nil, &llm.Error{Kind: llm.Internal, Op: "history", Message: "the conversation cannot be read", Err: err}
	}
	told := dialect.Told{Metadata: string(d.Metadata), Created: o.Created / 1000}
	switch a.Ask {
	case dialect.AskAdd:
		told.Items = d.Items[len(d.Items)-len(a.Items):]
	case dialect.AskItems:
		told.Items, told.More = page(d.Items, a)
	case dialect.AskItem:
		i := indexOf(d.Items, a.Item)
		if i < 0 {
			return nil, noItem(a)
		}
		told.Items = d.Items[i : i+1]
	}
	return k.Tell(a, told), nil
}

// change changes a conversation as was asked. What is in it may be taken out where nothing more is kept.
func (h *History) change(ctx context.Context, c *gateway.Call, a dialect.Asking) (store.Object, error) {
	if (a.Ask == dialect.AskAdd || a.Ask == dialect.AskChange) && !c.Config.Keeps(c.Caller.Project, nil) {
		return store.Object{}, notKept()
	}
	o, err := h.objects.UpdateObject(ctx, a.ID, func(o *store.Object) error {
		d, err := documentOf(o)
		if err != nil {
			return err
		}
		switch a.Ask {
		case dialect.AskChange:
			d.Metadata = json.RawMessage(a.Metadata)
			if a.Metadata == "" {
				d.Metadata = nil
			}
		case dialect.AskAdd:
			if len(d.Items)+len(a.Items) > mostItems {
				return &llm.Error{Kind: llm.Invalid, Op: "history", Param: "items", Message: errFull.Error()}
			}
			d.Items = append(d.Items, identify(a.Items, c.ID)...)
		default:
			i := indexOf(d.Items, a.Item)
			if i < 0 {
				return noItem(a)
			}
			d.Items = append(d.Items[:i:i], d.Items[i+1:]...)
		}
		o.Body, o.Expires = d.bytes(), h.clock.Now().Add(retention(c)).UnixMilli()
		o.Size = int64(len(o.Body))
		return nil
	})
	var e *llm.Error
	switch {
	case err == nil, errors.As(err, &e):
		return o, err
	case errors.Is(err, store.ErrNotFound):
		return o, noConversation(a.ID)
	}
	return o, unwritten(err)
}

func noItem(a dialect.Asking) error {
	return &llm.Error{Kind: llm.NotFound, Op: "history", Code: "not_found", Message: "there is no item " + a.Item + " in " + a.ID}
}

func indexOf(items []dialect.Item, id string) int {
	for i := range items {
		if items[i].ID == id {
			return i
		}
	}
	return -1
}

// page returns a page of a list.
func page(items []dialect.Item, a dialect.Asking) (list []dialect.Item, more bool) {
	list = append(list, items...)
	if a.Descending {
		for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
	}
	if i := indexOf(list, a.After); i >= 0 {
		list = list[i+1:]
	}
	if len(list) > a.Limit {
		return list[:a.Limit], true
	}
	return list, false
}
