package responses

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The variables in the paths of what is kept.
const (
	responseVar     = "response"
	conversationVar = "conversation"
	itemVar         = "item"
)

// keptRoutes are the paths of answers and conversations that are kept.
func keptRoutes(root string) []dialect.Route {
	codec := &kept{codec: &codec{op: llm.OpKept}}
	route := func(method, path string) dialect.Route {
		return dialect.Route{Op: llm.OpKept, Method: method, Pattern: path, Codec: codec}
	}
	answer := root + "/{" + responseVar + "}"
	talks := strings.TrimSuffix(root, "responses") + "conversations"
	talk := talks + "/{" + conversationVar + "}"
	item := talk + "/items/{" + itemVar + "}"
	return []dialect.Route{
		route(http.MethodGet, answer),
		route(http.MethodDelete, answer),
		route(http.MethodPost, answer+"/cancel"),
		route(http.MethodGet, answer+"/input_items"),
		route(http.MethodPost, talks),
		route(http.MethodGet, talk),
		route(http.MethodPost, talk),
		route(http.MethodDelete, talk),
		route(http.MethodGet, talk+"/items"),
		route(http.MethodPost, talk+"/items"),
		route(http.MethodGet, item),
		route(http.MethodDelete, item),
	}
}

// kept speaks of answers and conversations that are kept.
type kept struct{ *codec }

var _ dialect.Keeper = (*kept)(nil)

// Peek reads whether a stream is asked for. There is no model in such a request.
func (*kept) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	q, _ := url.ParseQuery(in.RawQuery)
	stream, _ := strconv.ParseBool(q.Get("stream"))
	return dialect.Head{Stream: stream}, nil
}

// DecodeRequest refuses: nothing of such a request is for a model.
func (*kept) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	return nil, notKept("", "there is no answer at "+in.Path)
}

// Asks implements dialect.Keeper.
func (c *codec) Asks(in dialect.Inbound) (dialect.Asking, error) {
	a := dialect.Asking{ID: in.Vars[responseVar], Item: in.Vars[itemVar]}
	if a.ID != "" {
		a.Ask = answerAsk(in)
	} else {
		a.ID = in.Vars[conversationVar]
		a.Ask = conversationAsk(in, a)
	}
	if err := readPage(&a, in.RawQuery); err != nil {
		return a, err
	}
	if a.Ask == dialect.AskBegin || a.Ask == dialect.AskChange || a.Ask == dialect.AskAdd {
		return a, readTalk(&a, in.Body)
	}
	return a, nil
}

func answerAsk(in dialect.Inbound) dialect.Ask {
	switch {
	case in.Method == http.MethodDelete:
		return dialect.AskDelete
	case strings.HasSuffix(in.Path, "/cancel"):
		return dialect.AskCancel
	case strings.HasSuffix(in.Path, "/input_items"):
		return dialect.AskInput
	}
	return dialect.AskAnswer
}

func conversationAsk(in dialect.Inbound, a dialect.Asking) dialect.Ask {
	items := strings.HasSuffix(strings.TrimSuffix(in.Path, "/"), "/items")
	switch {
	case a.ID == "":
		return dialect.AskBegin
	case a.Item != "" && in.Method == http.MethodDelete:
		return dialect.AskDrop
	case a.Item != "":
		return dialect.AskItem
	case items && in.Method == http.MethodPost:
		return dialect.AskAdd
	case items:
		return dialect.AskItems
	case in.Method == http.MethodPost:
		return dialect.AskChange
	case in.Method == http.MethodDelete:
		return dialect.AskEnd
	}
	return dialect.AskConversation
}

// mostListed is the longest page of a list, and usualListed one whose length nobody said.
const (
	mostListed  = 100
	usualListed = 20
)

// readPage reads what of a list or a stream is asked for.
func readPage(a *dialect.Asking, query string) error {
	q, err := url.ParseQuery(query)
	if err != nil {
		return invalid(wire.Bad("query", "a query"))
	}
	a.After, a.Limit, a.Descending, a.From = q.Get("after"), usualListed, q.Get("order") != "asc", -1
	a.Stream, _ = strconv.ParseBool(q.Get("stream"))
	if s := q.Get("limit"); s != "" {
		if a.Limit, err = strconv.Atoi(s); err != nil || a.Limit < 1 || a.Limit > mostListed {
			return invalid(wire.Bad("limit", "a number from 1 to 100"))
		}
	}
	if s := q.Get("order"); s != "" && s != "asc" && s != "desc" {
		return invalid(wire.Bad("order", "asc or desc"))
	}
	if s := q.Get("starting_after"); s != "" {
		if a.From, err = strconv.ParseInt(s, 10, 64); err != nil {
			return invalid(wire.Bad("starting_after", "the sequence number of an event"))
		}
	}
	return nil
}

// readTalk reads what a conversation begins with, or what is added to it.
func readTalk(a *dialect.Asking, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	v, err := wire.Parse(body, nil)
	if err != nil {
		return dialect.NotJSON("dialect/responses", err)
	}
	if v.Kind() != '{' {
		return invalid(wire.Bad("", "an object"))
	}
	if m := v.Get("metadata"); m.Kind() == '{' {
		a.Metadata = m.JSON()
	} else if m.Found() && !m.IsNull() {
		return invalid(wire.Bad("metadata", "an object"))
	}
	items := v.Get("items")
	if items.Kind() != '[' {
		if items.Found() && !items.IsNull() {
			return invalid(wire.Bad("items", "a list of items"))
		}
		return nil
	}
	return invalidIf(items.Elems(func(_ int, el wire.Value) error {
		if el.Kind() != '{' {
			return wire.Bad("", "an object")
		}
		a.Items = append(a.Items, dialect.Item{ID: el.Get("id").Text(), JSON: el.JSON()})
		return nil
	}))
}

func invalidIf(err error) error {
	if err == nil {
		return nil
	}
	return invalid(err)
}

// Sums implements dialect.Keeper: the last event of a stream has the whole answer.
func (c *codec) Sums(event string) bool {
	return event == "" || event == "response.completed" || event == "response.incomplete"
}

// Show implements dialect.Keeper: an answer says itself how far it has come.
func (c *codec) Show(_ dialect.Asking, _ string, answer []byte) ([]byte, error) { return answer, nil }

// Tell implements dialect.Keeper.
func (c *codec) Tell(a dialect.Asking, t dialect.Told) []byte {
	var w jsonw.Writer
	switch a.Ask {
	case dialect.AskDelete, dialect.AskEnd:
		kind := "response"
		if a.Ask == dialect.AskEnd {
			kind = "conversation.deleted"
		}
		w.Open('{')
		w.KeyStr("id", a.ID)
		w.KeyStr("object", kind)
		w.KeyBool("deleted", true)
		w.Close('}')
	case dialect.AskInput, dialect.AskItems, dialect.AskAdd:
		tellItems(&w, t)
	case dialect.AskItem:
		for _, it := range t.Items {
			w.Raw(identified(it))
		}
	default:
		w.Open('{')
		w.KeyStr("id", a.ID)
		w.KeyStr("object", "conversation")
		w.KeyInt("created_at", t.Created)
		if t.Metadata == "" {
			t.Metadata = "{}"
		}
		w.KeyRaw("metadata", t.Metadata)
		w.Close('}')
	}
	return w.Buf
}

func tellItems(w *jsonw.Writer, t dialect.Told) {
	w.Open('{')
	w.KeyStr("object", "list")
	w.KeyOpen("data", '[')
	for _, it := range t.Items {
		w.Raw(identified(it))
	}
	w.Close(']')
	first, last := "", ""
	if n := len(t.Items); n > 0 {
		first, last = t.Items[0].ID, t.Items[n-1].ID
	}
	w.KeyStrOrNull("first_id", first)
	w.KeyStrOrNull("last_id", last)
	w.KeyBool("has_more", t.More)
	w.Close('}')
}

// identified returns an item as it is listed: with its id and its type, and a message's content in parts.
func identified(it dialect.Item) string {
	v := wire.Raw(it.JSON)
	if v.Kind() != '{' {
		return it.JSON
	}
	kind := v.Get("type").Text()
	if kind == "" {
		kind = kindMessage
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("id", it.ID)
	w.KeyStr("type", kind)
	if kind == kindMessage && !v.Get("status").Found() {
		w.KeyStr("status", completed)
	}
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch k := string(key); {
		case k == "id" || k == "type":
		case k == "content" && kind == kindMessage && m.Kind() == '"':
			part := inputText
			if v.Get("role").Is(string(llm.Assistant)) {
				part = outputText
			}
			w.KeyOpen(k, '[')
			appendPart(&w, llm.Text{Text: m.Text(), Extra: named()}, part)
			w.Close(']')
		default:
			w.KeyRaw(k, m.JSON())
		}
		return nil
	})
	w.Close('}')
	return w.String()
}

func notKept(param, msg string) *llm.Error {
	return &llm.Error{Kind: llm.NotFound, Op: "dialect/responses", Param: param, Code: "not_found", Message: msg}
}

// Depends implements dialect.Dependent: what a request refers to must be with the upstream that keeps it.
func (c *codec) Depends(p llm.Payload) error {
	r := dialect.RequestOf(p)
	if r == nil {
		return nil
	}
	const unkept = " cannot be found: the model that this call goes to keeps no responses for Plenum, and Plenum keeps none; send the whole conversation as input"
	for _, key := range [...]string{"previous_response_id", "conversation", "prompt"} {
		raw, ok := r.Extra.Get(key)
		if !ok || raw == "null" || r.Extra.Dialect != Name {
			continue
		}
		e := notKept(key, "the "+key+" "+raw+unkept)
		if key == "previous_response_id" {
			e.Code = "previous_response_not_found"
		}
		return e
	}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			if o, ok := b.(llm.Opaque); ok && o.Dialect == Name && o.Type == itemReference {
				return notKept("input", "an item that input refers to"+unkept)
			}
		}
	}
	return nil
}
