package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

var _ dialect.Keeper = (*codec)(nil)

// Refers implements dialect.Keeper.
func (c *codec) Refers(in dialect.Inbound, h dialect.Head) (dialect.Reference, error) {
	var r dialect.Reference
	st, ok := h.State.(*spans)
	if !ok {
		return r, nil
	}
	body := in.Body
	var err error
	if r.Previous, err = idAt(body, st.found[atPrevious].Value, "previous_response_id"); err != nil {
		return r, err
	}
	if at := st.found[atConversation].Value; at.Kind(body) == '{' {
		r.Conversation = wire.At(body, at).Get("id").Text()
	} else if r.Conversation, err = idAt(body, at, "conversation"); err != nil {
		return r, err
	}
	if r.Previous != "" && r.Conversation != "" {
		return r, invalid(wire.Bad("conversation", "left out where previous_response_id is given"))
	}
	if v, ok := st.found[atStore].Value.Bool(body); ok {
		r.Unstored = !v
	}
	r.Background, _ = st.found[atBackground].Value.Bool(body)
	if st.names.By != nil { // some item has an id
		r.Items = namedItems(body, st.found[atInput].Value)
	}
	return r, nil
}

func idAt(body []byte, at splice.Span, key string) (string, error) {
	if !at.Found() || at.IsNull(body) {
		return "", nil
	}
	s, ok := at.String(body)
	if !ok {
		return "", invalid(wire.Bad(key, "an id"))
	}
	return s, nil
}

// namedItems returns the ids of the items that the input only names.
func namedItems(body []byte, at splice.Span) []string {
	if at.Kind(body) != '[' {
		return nil
	}
	var out []string
	_ = wire.At(body, at).Elems(func(_ int, el wire.Value) error {
		if id := nameOf(el); id != "" {
			out = append(out, id)
		}
		return nil
	})
	return out
}

// nameOf returns the id in an item that only names another: by its type, which may be left out, or as a picture that
// does not come along.
func nameOf(el wire.Value) string {
	if el.Kind() != '{' {
		return ""
	}
	switch kind := el.Get("type"); {
	case kind.Is(itemReference):
	case (!kind.Found() || kind.IsNull()) && !el.Get("role").Found() && !el.Get("content").Found():
	case kind.Is("image_generation_call") && el.Get("result").Kind() != '"':
	default:
		return ""
	}
	return el.Get("id").Text()
}

// Recall implements dialect.Keeper.
func (c *codec) Recall(in dialect.Inbound, h dialect.Head, r dialect.Recalled) ([]byte, error) {
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = scan(nil, in.Body, splice.MaxDepth); err != nil {
			return nil, err
		}
	}
	ed := splice.NewEdit(in.Body)
	for _, i := range [...]int{atPrevious, atConversation, atBackground} {
		if m := st.found[i]; m.Found() {
			ed.Delete(m)
		}
	}
	set := func(i int, key, value string) {
		if m := st.found[i]; m.Found() {
			ed.Set(m.Value, []byte(value))
		} else {
			ed.Insert(st.object.Span, key, []byte(value))
		}
	}
	if r.Unstored {
		set(atStore, "store", "false")
	}
	if r.Streamed {
		set(atStream, "stream", "true")
	}
	if len(r.Before) > 0 || len(r.Named) > 0 {
		set(atInput, "input", recalled(wire.At(in.Body, st.found[atInput].Value), r))
	}
	body, err := ed.Bytes()
	if err != nil {
		return nil, internal("Recall", err)
	}
	return body, nil
}

// recalled returns the input with what it referred to.
func recalled(input wire.Value, r dialect.Recalled) string {
	var w jsonw.Writer
	w.Open('[')
	for _, it := range r.Before {
		w.Raw(it.JSON)
	}
	switch input.Kind() {
	case '"':
		w.Raw(userItem(input))
	case '[':
		_ = input.Elems(func(_ int, el wire.Value) error {
			if whole := r.Named[nameOf(el)]; whole != "" {
				w.Raw(whole)
			} else {
				w.Raw(el.JSON())
			}
			return nil
		})
	}
	w.Close(']')
	return w.String()
}

// userItem returns the item that an input which is a string stands for.
func userItem(text wire.Value) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", kindMessage)
	w.KeyStr("role", string(llm.User))
	w.KeyOpen("content", '[')
	w.Open('{')
	w.KeyStr("type", inputText)
	w.KeyRaw("text", text.JSON())
	w.Close('}')
	w.Close(']')
	w.Close('}')
	return w.String()
}

// Items implements dialect.Keeper.
func (c *codec) Items(body []byte, callID string) ([]dialect.Item, error) {
	v, err := wire.Parse(body, nil)
	if err != nil {
		return nil, dialect.NotJSON("dialect/responses", err)
	}
	var out []dialect.Item
	add := func(json string) {
		item := wire.Raw(json)
		id := item.Get("id").Text()
		if id == "" {
			id = itemPrefixOf(item.Get("type").Text()) + "_" + callID + "_in" + itoa(len(out))
		}
		out = append(out, dialect.Item{ID: id, JSON: json})
	}
	switch input := v.Get("input"); input.Kind() {
	case '"':
		add(userItem(input))
	case '[':
		err = input.Elems(func(_ int, el wire.Value) error {
			if nameOf(el) == "" {
				add(el.JSON())
			}
			return nil
		})
	}
	return out, err
}

// itemPrefixOf returns what ids of items of a type begin with.
func itemPrefixOf(kind string) string {
	switch kind {
	case "", kindMessage:
		return "msg"
	case kindCall:
		return "fc"
	case kindCustom:
		return "ctc"
	case kindReasoning:
		return "rs"
	case "function_call_output":
		return "fco"
	case "custom_tool_call_output":
		return "ctco"
	}
	return "item"
}

// Said implements dialect.Keeper.
func (c *codec) Said(answer []byte) (dialect.Said, bool) {
	v := wire.Whole(answer)
	if kind := v.Get("type").Text(); strings.HasPrefix(kind, "response.") {
		v = v.Get("response")
	}
	if v.Kind() != '{' || !v.Get("object").Is(wholeObject) {
		return dialect.Said{}, false
	}
	s := dialect.Said{ID: v.Get("id").Text(), Status: v.Get("status").Text(), Answer: []byte(v.JSON())}
	if output := v.Get("output"); output.Kind() == '[' {
		_ = output.Elems(func(_ int, el wire.Value) error {
			s.Items = append(s.Items, dialect.Item{ID: el.Get("id").Text(), JSON: el.JSON()})
			return nil
		})
	}
	return s, true
}

// State implements dialect.Keeper.
func (c *codec) State(p llm.Payload, m dialect.Meta, status string, failure error) []byte {
	s := newSpeaker(p, m)
	sh := shell{}
	if r := dialect.RequestOf(p); r != nil {
		sh.Model = r.Model
	}
	out := outcome{status: status}
	if failure != nil {
		x := faultOf(llm.AsError(failure))
		if x.Code == "" {
			x.Code = "server_error"
		}
		out.failure = &x
	}
	var w jsonw.Writer
	s.answer(&w, sh, out, func() {})
	return w.Buf
}
