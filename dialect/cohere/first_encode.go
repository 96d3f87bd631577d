package cohere

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeRequest implements dialect.Client.
func (c *first) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, err)
	}
	e := firstEncoder{requestEncoder: requestEncoder{r: r, shape: s, home: r.Extra.Dialect == FirstName}}
	e.own = FirstName
	e.adopt(Name)
	e.arrange()
	e.plan()
	body, refused, err := dialect.WithoutRefused(op, e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}, e.List(), nil
}

// firstEncoder says one request. What is common to both versions (parameters, documents) is said as in the second.
type firstEncoder struct {
	requestEncoder
	preamble  llm.Opt[string]
	turns     []firstTurn
	now       string
	results   []string
	describes []string // what the tools' parameters are, in the order of the tools
}

// firstTurn is one turn as it will be written.
type firstTurn struct {
	role    string
	message string
	told    bool // there is a message, if an empty one
	calls   []llm.ToolUse
	results []string
	extra   llm.Extra
}

// arrange makes turns of the messages, and takes out of them what is said now.
func (e *firstEncoder) arrange() {
	known := map[string]llm.ToolUse{}
	for i, m := range e.r.Messages {
		path := "messages[" + itoa(i) + "]"
		if m.Place == placeDocuments {
			for _, b := range m.Blocks {
				if d, ok := b.(llm.Media); ok {
					e.documents = append(e.documents, d)
				}
			}
			continue
		}
		e.extra(path, m.Extra)
		if m.Name != "" {
			e.Add(path+".name", "")
		}
		e.turn(m, path, known)
	}
	e.take()
}

func (e *firstEncoder) turn(m llm.Message, path string, known map[string]llm.ToolUse) {
	t := firstTurn{extra: m.Extra}
	var text, answered []string
	for j, b := range m.Blocks {
		at := path + ".content[" + itoa(j) + "]"
		if done, ok := b.(llm.ToolDone); ok {
			t.results = append(t.results, e.result(done, known[done.ID], at))
			continue
		}
		b, ok := e.fit(b, at)
		if !ok {
			continue
		}
		switch b := b.(type) {
		case llm.Text:
			text, t.told = append(text, b.Text), true
			if m.Extra.Dialect != FirstName && len(t.calls) > 0 {
				answered = append(answered, at)
			}
		case llm.ToolUse:
			known[b.ID] = b
			t.calls = append(t.calls, b)
		}
	}
	for _, at := range answered {
		e.Add(at, "a text after a call is said before it")
	}
	t.message = strings.Join(text, "\n\n")
	e.place(m, t)
}

// place puts a turn into the history, or a leading one of the system's into the preamble.
func (e *firstEncoder) place(m llm.Message, t firstTurn) {
	home := m.Extra.Dialect == FirstName
	system := m.Role == llm.System || m.Role == llm.Developer
	switch {
	case m.Place == "field" && home, system && !e.home && len(e.turns) == 0:
		if e.preamble.Set {
			t.message = e.preamble.V + "\n\n" + t.message
		}
		e.preamble = llm.Some(t.message)
		return
	case system:
		t.role = firstSystem
	case m.Role == llm.Assistant:
		t.role = firstBot
	default:
		t.role = firstUser
	}
	if len(t.results) > 0 || m.Role == llm.ToolRole {
		done := firstTurn{role: firstTool, results: t.results, extra: t.extra}
		e.turns = append(e.turns, done)
		if !t.told {
			return
		}
		t.results, t.extra, t.role = nil, llm.Extra{}, firstUser
	}
	if home || t.told || len(t.calls) > 0 {
		e.turns = append(e.turns, t)
	}
}

// take takes what is said now out of the turns: the last message of the user, or what the tools answered last.
func (e *firstEncoder) take() {
	n := len(e.turns)
	for n > 0 && e.turns[n-1].role == firstTool && (!e.home || e.turns[n-1].extra.Noted(FirstName, noteNow)) {
		e.results = append(slices.Clone(e.turns[n-1].results), e.results...)
		n--
	}
	if len(e.results) > 0 && n > 0 && e.turns[n-1].extra.Noted(FirstName, noteMade) {
		n-- // results tell of their calls
	}
	if n > 0 && e.turns[n-1].role == firstUser && (len(e.results) == 0 && !e.home || e.turns[n-1].extra.Noted(FirstName, noteNow)) {
		e.now = e.turns[n-1].message
		n--
	} else if len(e.results) == 0 && !e.home {
		e.Add("messages", "the user says nothing last: the message is empty")
	}
	e.turns = e.turns[:n]
	e.turns = slices.DeleteFunc(e.turns, func(t firstTurn) bool { return t.extra.Noted(FirstName, noteMade) })
}

// result says what a tool answered, with the call that it answers.
func (e *firstEncoder) result(b llm.ToolDone, call llm.ToolUse, path string) string {
	if call.Name == "" {
		call.Name = b.Name
	}
	var w jsonw.Writer
	o := wire.Begin(&w, b.Extra.In(FirstName))
	if o.Free("call") {
		w.Key("call")
		appendFirstCall(&w, call)
	}
	if b.Extra.Dialect != FirstName {
		e.extra(path, b.Extra)
		e.mark(b.Cache)
		if b.IsError.V {
			e.Add(path+".is_error", "")
		}
	}
	if o.Free("outputs") {
		w.KeyOpen("outputs", '[')
		for k, x := range b.Blocks {
			at := path + ".content[" + itoa(k) + "]"
			if doc, ok := x.(llm.Media); ok && doc.Kind != llm.Image && doc.Text != "" {
				x = llm.Text{Text: doc.Text}
			}
			x, ok := e.fit(x, at)
			if t, text := x.(llm.Text); ok && text {
				appendOutput(&w, t.Text)
			}
		}
		w.Close(']')
	}
	o.End()
	return w.String()
}

// appendOutput says a text as what a tool answered: an object, as it is or with the text in it.
func appendOutput(w *jsonw.Writer, text string) {
	if splice.IsObject(text) {
		w.Raw(text)
		return
	}
	w.Open('{')
	w.KeyStr("output", text)
	w.Close('}')
}

// fit returns a block as it can be said: texts and calls.
func (e *firstEncoder) fit(b llm.Block, path string) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.Thought:
		if b.Field == notePlan && b.Extra.Dialect == Name {
			return llm.Text{Text: b.Text}, b.Text != ""
		}
		e.extra(path, b.Extra)
		e.Add(path, "reasoning")
		return nil, false
	case llm.Media:
		if b.Kind == llm.Image {
			e.Add(path, "images are not read by this version")
			return nil, false
		}
		if b.Extra.Dialect == Name {
			e.Add(path, "a document is said beside the conversation")
			e.documents = append(e.documents, b)
			return nil, false
		}
		return e.fitMedia(b, path)
	case llm.Text:
		fit, ok := e.requestEncoder.fit(b, path)
		return fit, ok || b.Extra.Empty() && e.home
	case llm.ToolUse:
		if b.Extra.Dialect == FirstName {
			return b, true
		}
		b.Extra = llm.Extra{Dialect: b.Extra.Dialect, Fields: b.Extra.Fields}
		return e.fitCall(b, path), true
	case llm.Opaque:
		e.Add(path, b.Type+" "+dialect.Foreign)
		return nil, false
	}
	return e.requestEncoder.fit(b, path)
}

func appendFirstCall(w *jsonw.Writer, c llm.ToolUse) {
	o := wire.Begin(w, c.Extra.In(FirstName))
	o.Str("name", c.Name)
	switch {
	case !o.Free("parameters"):
	case splice.IsObject(c.Args):
		w.KeyRaw("parameters", c.Args)
	case c.Extra.Dialect != FirstName || c.Args != "":
		w.KeyOpen("parameters", '{')
		w.Close('}')
	}
	o.End()
}

// plan settles the parameters, and names what this version does not have.
func (e *firstEncoder) plan() {
	e.requestEncoder.plan()
	e.params.thinking = nil
	if t := e.r.Thinking; t != nil && t.Mode != llm.ThinkOff && t.Effort != "none" {
		e.Add("thinking", "")
	}
	if e.choice != "" {
		e.Add("tool_choice", "")
	}
	if e.r.Logprobs.V {
		e.Add("logprobs", "")
	}
	for i, t := range e.tools {
		path := "tools[" + itoa(i) + "]"
		if t.Strict.V {
			e.Add(path+".strict", "")
		}
		raw := firstNoted(t.Extra, noteDefinition)
		if raw == "" && t.Extra.Dialect != FirstName {
			raw = e.definitions(t.Schema, path+".parameters")
		}
		e.describes = append(e.describes, raw)
	}
}

// definitions says a JSON Schema as descriptions of parameters, which have a type, a text and nothing else.
func (e *firstEncoder) definitions(schema, path string) string {
	if schema == "" {
		return ""
	}
	v := wire.Raw(schema)
	var required []string
	_ = v.Get("required").Elems(func(_ int, el wire.Value) error {
		required = append(required, el.Text())
		return nil
	})
	plain := true
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "type", "properties", "required", "$schema":
		case "additionalProperties":
			plain = plain && m.JSON() == "false"
		default:
			plain = false
		}
		return nil
	})
	var w jsonw.Writer
	w.Open('{')
	_ = v.Get("properties").Members(func(key []byte, m wire.Value) error {
		w.KeyOpen(string(key), '{')
		w.KeyStr("type", pythonType(m))
		if text := m.Get("description").Text(); text != "" {
			w.KeyStr("description", text)
		}
		if slices.Contains(required, string(key)) {
			w.KeyBool("required", true)
		}
		w.Close('}')
		if m.Kind() == '{' {
			_ = m.Members(func(key []byte, _ wire.Value) error {
				plain = plain && (string(key) == "type" || string(key) == "description" || string(key) == "title")
				return nil
			})
		}
		return nil
	})
	w.Close('}')
	if !plain {
		e.Add(path, "only the types and descriptions of the parameters are said")
	}
	return w.String()
}

func pythonType(v wire.Value) string {
	switch v.Get("type").Text() {
	case "string":
		return "str"
	case "integer":
		return "int"
	case "number":
		return "float"
	case "boolean":
		return "bool"
	case "array":
		return "list"
	case "object":
		return "dict"
	}
	return "str"
}

// encode writes the body.
func (e *firstEncoder) encode() []byte {
	r := e.r
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	o := wire.Begin(&w, r.Extra.In(FirstName))
	o.Str("model", e.shape.Upstream(r.Model))
	if r.Stream || r.Extra.Noted(FirstName, noteNotStream) {
		w.KeyBool("stream", r.Stream)
	}
	w.KeyStr("message", e.now)
	if e.preamble.Set && o.Free("preamble") {
		w.KeyStr("preamble", e.preamble.V)
	}
	if len(e.turns) > 0 && o.Free("chat_history") {
		w.KeyOpen("chat_history", '[')
		for _, t := range e.turns {
			t.append(&w)
		}
		w.Close(']')
	}
	appendAll(&w, "tool_results", e.results)
	if len(e.documents) > 0 {
		w.KeyOpen("documents", '[')
		for _, d := range e.documents {
			appendFirstDocument(&w, d)
		}
		w.Close(']')
	}
	e.encodeTools(&w)
	e.encodeParams(&w, o)
	wire.AppendFields(&w, e.kin)
	if raw := firstNoted(r.Extra, noteSingle); raw != "" {
		w.KeyRaw("force_single_step", raw)
	}
	firstEmptied(&w, r.Extra)
	o.End()
	return w.Buf
}

// firstEmptied says the members of which it was noted that they were there and empty.
func firstEmptied(w *jsonw.Writer, e llm.Extra) {
	if e.Dialect == FirstName {
		e.Dialect = Name
		emptied(w, e)
	}
}

func appendAll(w *jsonw.Writer, key string, list []string) {
	if len(list) == 0 {
		return
	}
	w.KeyOpen(key, '[')
	for _, raw := range list {
		w.Raw(raw)
	}
	w.Close(']')
}

func (t *firstTurn) append(w *jsonw.Writer) {
	o := wire.Begin(w, t.extra.In(FirstName))
	role := firstNoted(t.extra, noteRole)
	if role == "" {
		role = t.role
	}
	w.KeyStr("role", role)
	if t.role != firstTool && (t.told || t.extra.Dialect != FirstName) && o.Free("message") {
		w.KeyStr("message", t.message)
	}
	if len(t.calls) > 0 {
		w.KeyOpen("tool_calls", '[')
		for _, c := range t.calls {
			appendFirstCall(w, c)
		}
		w.Close(']')
	}
	appendAll(w, "tool_results", t.results)
	firstEmptied(w, t.extra)
	o.End()
}

// appendFirstDocument writes a document: as it stood, unless its text has become another since.
func appendFirstDocument(w *jsonw.Writer, b llm.Media) {
	if raw := firstNoted(b.Extra, noteDocument); raw != "" {
		was, err := decodeFirstDocument(wire.Raw(raw))
		if err == nil && was.Text == b.Text && was.Name == b.Name {
			w.Raw(raw)
			return
		}
	}
	w.Open('{')
	if b.Name != "" {
		w.KeyStr("title", b.Name)
	}
	if b.Context != "" {
		w.KeyStr("context", b.Context)
	}
	w.KeyStr("text", b.Text)
	w.Close('}')
}

func (e *firstEncoder) encodeTools(w *jsonw.Writer) {
	if len(e.tools) == 0 {
		return
	}
	w.KeyOpen("tools", '[')
	for i, t := range e.tools {
		if t.Kind != llm.ToolFunction {
			continue
		}
		o := wire.Begin(w, t.Extra.In(FirstName))
		o.Str("name", t.Name)
		if t.Description != "" || t.Extra.Dialect != FirstName {
			o.Str("description", t.Description)
		}
		if raw := e.describes[i]; raw != "" {
			w.KeyRaw("parameter_definitions", raw)
		}
		o.End()
	}
	w.Close(']')
}
