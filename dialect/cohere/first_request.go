package cohere

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeRequest implements dialect.Server.
func (c *first) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	d := firstDecoder{requestDecoder: requestDecoder{r: &llm.Request{Said: said}}}
	err = v.Fields(FirstName, &d.r.Extra, d.member)
	switch {
	case err != nil:
		return nil, invalid(err)
	case d.r.Model == "":
		return nil, invalid(wire.Bad("model", "the name of a model"))
	case !d.said:
		return nil, invalid(wire.Bad("message", "what the user says"))
	}
	d.finish()
	d.r.Said = said
	return d.r, nil
}

type firstDecoder struct {
	requestDecoder
	said     bool // a message was there
	now      string
	preamble llm.Opt[string]
	history  []llm.Message
	results  []firstResult
	calls    int // that have got an id
}

// firstResult is what a tool has answered, and the call that it answers.
type firstResult struct {
	call llm.ToolUse
	done llm.ToolDone
}

func (d *firstDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "message":
		d.said = true
		d.now, err = v.Str()
	case "preamble":
		d.preamble.Set = true
		d.preamble.V, err = v.Str()
	case "chat_history":
		if err = v.Elems(d.turn); len(d.history) == 0 && err == nil {
			r.Extra.Note(FirstName, "chat_history"+noteEmpty)
		}
	case "tool_results":
		if d.results, err = d.toolResults(v); len(d.results) == 0 && err == nil {
			r.Extra.Note(FirstName, "tool_results"+noteEmpty)
		}
	case "documents":
		return true, d.document(v)
	case "tools":
		if err = v.Elems(d.tool); len(r.Tools) == 0 && err == nil {
			r.Extra.Note(FirstName, "tools"+noteEmpty)
		}
	case "response_format":
		return d.format(v)
	case "citation_quality":
		d.mode = strings.ToUpper(v.Text())
		return false, nil
	case "force_single_step":
		// A model is asked for one step at a time everywhere.
		r.Extra.Note(FirstName, noteSingle+v.JSON())
	case "model":
		r.Model, err = v.Str()
	default:
		return d.param(string(key), v)
	}
	return true, err
}

// noteSingle begins the note of what was said of single steps.
const noteSingle = "force_single_step: "

// document reads the documents: each is an object of texts by name.
func (d *firstDecoder) document(v wire.Value) error {
	err := v.Elems(func(_ int, el wire.Value) error {
		b, err := decodeFirstDocument(el)
		d.documents = append(d.documents, b)
		return err
	})
	if len(d.documents) == 0 && err == nil {
		d.r.Extra.Note(FirstName, "documents"+noteEmpty)
	}
	return err
}

func decodeFirstDocument(v wire.Value) (llm.Media, error) {
	if v.Kind() != '{' {
		return llm.Media{}, wire.Bad("", "an object")
	}
	var w jsonw.Writer
	w.Open('{')
	if id := v.Get("id").Text(); id != "" {
		w.KeyStr("id", id)
	}
	w.KeyOpen("data", '{')
	// The visit has no error to give.
	_ = v.Members(func(key []byte, m wire.Value) error {
		if k := string(key); k != "id" && k != "_excludes" {
			w.KeyRaw(k, m.JSON())
		}
		return nil
	})
	w.Close('}')
	w.Close('}')
	b, err := decodeDocument(wire.Raw(w.String()))
	b.Extra = firstHome()
	b.Extra.Note(FirstName, noteDocument+v.JSON())
	return b, err
}

// turn reads what was said before.
func (d *firstDecoder) turn(_ int, v wire.Value) error {
	m := llm.Message{Plain: true}
	text, found := "", false
	var calls []llm.Block
	var results []firstResult
	err := v.Fields(FirstName, &m.Extra, func(key []byte, f wire.Value) (known bool, err error) {
		switch string(key) {
		case "role":
			m.Role, err = firstRole(f, &m.Extra)
		case "message":
			found = true
			text, err = f.Str()
		case "tool_calls":
			err = f.Elems(func(_ int, el wire.Value) error {
				c, err := d.call(el)
				calls = append(calls, c)
				return err
			})
			if len(calls) == 0 && err == nil {
				m.Extra.Note(FirstName, "tool_calls"+noteEmpty)
			}
		case "tool_results":
			results, err = d.toolResults(f)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case m.Role == "":
		return wire.Bad("role", "USER, CHATBOT, SYSTEM or TOOL")
	case m.Role == llm.ToolRole:
		d.answer(&m, results)
	default:
		if found {
			m.Blocks = append(m.Blocks, llm.Text{Text: text})
		}
		m.Blocks = append(m.Blocks, calls...)
	}
	d.history = append(d.history, m)
	return nil
}

// firstRole reads who speaks. Older clients write the word otherwise.
func firstRole(v wire.Value, e *llm.Extra) (llm.Role, error) {
	word := v.Text()
	upper := strings.ToUpper(word)
	if word != upper {
		e.Note(FirstName, noteRole+word)
	}
	switch upper {
	case firstUser:
		return llm.User, nil
	case firstBot:
		return llm.Assistant, nil
	case firstSystem:
		return llm.System, nil
	case firstTool:
		return llm.ToolRole, nil
	}
	return "", wire.Bad("", "USER, CHATBOT, SYSTEM or TOOL")
}

// call reads a call of a tool. Calls have no ids here: they are counted.
func (d *firstDecoder) call(v wire.Value) (llm.ToolUse, error) {
	c, err := decodeFirstCall(v)
	c.ID = "call_" + itoa(d.calls)
	d.calls++
	return c, err
}

func decodeFirstCall(v wire.Value) (llm.ToolUse, error) {
	c := llm.ToolUse{Kind: llm.ToolFunction}
	err := v.Fields(FirstName, &c.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "name":
			return m.StrTo(&c.Name)
		case "parameters":
			if m.Kind() != '{' {
				return false, nil
			}
			c.Args = m.JSON()
			return true, nil
		}
		return false, nil
	})
	return c, err
}

// toolResults reads what tools have answered.
func (d *firstDecoder) toolResults(v wire.Value) (out []firstResult, err error) {
	err = v.Elems(func(_ int, el wire.Value) error {
		r := firstResult{done: llm.ToolDone{}}
		err := el.Fields(FirstName, &r.done.Extra, func(key []byte, m wire.Value) (known bool, err error) {
			switch string(key) {
			case "call":
				r.call, err = decodeFirstCall(m)
			case "outputs":
				err = m.Elems(func(_ int, x wire.Value) error {
					if x.Kind() != '{' {
						return wire.Bad("", "an object")
					}
					r.done.Blocks = append(r.done.Blocks, llm.Text{Text: x.JSON()})
					return nil
				})
			default:
				return false, nil
			}
			return true, err
		})
		if err == nil && r.call.Name == "" {
			return wire.Bad("call.name", "the name of the tool that was called")
		}
		out = append(out, r)
		return err
	})
	return out, err
}

// answer puts results into a message, each with the id of the call that it answers: one that stands before, or,
// where there is none, one of a turn that is made for them.
func (d *firstDecoder) answer(m *llm.Message, results []firstResult) {
	open := d.open()
	var made []llm.Block
	for _, r := range results {
		key := r.call.Name + "\x00" + r.call.Args
		if ids := open[key]; len(ids) > 0 {
			r.call.ID, open[key] = ids[0], ids[1:]
		} else {
			r.call.ID = "call_" + itoa(d.calls)
			d.calls++
			made = append(made, r.call)
		}
		r.done.ID, r.done.Name = r.call.ID, r.call.Name
		m.Blocks = append(m.Blocks, r.done)
	}
	if len(made) > 0 {
		turn := llm.Message{Role: llm.Assistant, Blocks: made, Extra: firstHome()}
		turn.Extra.Note(FirstName, noteMade)
		d.history = append(d.history, turn)
	}
}

// open returns the ids of the calls of the last turn, which nobody has answered yet, by what was called.
func (d *firstDecoder) open() map[string][]string {
	out := map[string][]string{}
	if len(d.history) == 0 {
		return out
	}
	for _, b := range d.history[len(d.history)-1].Blocks {
		if c, ok := b.(llm.ToolUse); ok {
			key := c.Name + "\x00" + c.Args
			out[key] = append(out[key], c.ID)
		}
	}
	return out
}

// finish puts in its place what is said apart from the turns. What the user says now comes before the results of
// the tools that it made the model call.
func (d *firstDecoder) finish() {
	r := d.r
	if d.now != "" || len(d.results) == 0 {
		now := llm.Message{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: d.now}}, Extra: firstHome()}
		now.Extra.Note(FirstName, noteNow)
		d.history = append(d.history, now)
	}
	if len(d.results) > 0 {
		m := llm.Message{Role: llm.ToolRole, Extra: firstHome()}
		m.Extra.Note(FirstName, noteNow)
		d.answer(&m, d.results)
		d.history = append(d.history, m)
	}
	if d.preamble.Set {
		r.Messages = append(r.Messages, llm.Message{
			Role: llm.System, Place: "field", Plain: true, Blocks: []llm.Block{llm.Text{Text: d.preamble.V}}, Extra: firstHome(),
		})
	}
	r.Messages = append(r.Messages, d.history...)
	d.requestDecoder.finish()
}

// tool reads a tool. Its parameters are described one by one, with types as Python calls them.
func (d *firstDecoder) tool(_ int, v wire.Value) error {
	t := llm.Tool{Kind: llm.ToolFunction}
	err := v.Fields(FirstName, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			return m.StrTo(&t.Name)
		case "description":
			return m.StrTo(&t.Description)
		case "parameter_definitions":
			t.Schema, err = schemaOfDefinitions(m)
			t.Extra.Note(FirstName, noteDefinition+m.JSON())
			return true, err
		}
		return false, nil
	})
	if err == nil && t.Name == "" {
		err = wire.Bad("name", "the name of a tool")
	}
	d.r.Tools = append(d.r.Tools, t)
	return err
}

// mostNested is how deep types are read within types.
const mostNested = 8

// schemaOfDefinitions says descriptions of parameters as a JSON Schema.
func schemaOfDefinitions(v wire.Value) (string, error) {
	var w jsonw.Writer
	var required []string
	w.Open('{')
	w.KeyStr("type", "object")
	w.KeyOpen("properties", '{')
	err := v.Members(func(key []byte, m wire.Value) error {
		if m.Kind() != '{' {
			return wire.Bad("", "an object")
		}
		w.KeyOpen(string(key), '{')
		appendFirstType(&w, m.Get("type").Text(), mostNested)
		if text := m.Get("description").Text(); text != "" {
			w.KeyStr("description", text)
		}
		w.Close('}')
		if m.Get("required").JSON() == "true" {
			required = append(required, string(key))
		}
		return nil
	})
	w.Close('}')
	if len(required) > 0 {
		w.KeyOpen("required", '[')
		for _, name := range required {
			w.Str(name)
		}
		w.Close(']')
	}
	w.Close('}')
	return w.String(), err
}

// appendFirstType says a type of Python's as members of a schema. Of one that is unknown nothing is said but its
// name, to the model, and so of one that is nested deeper than depth.
func appendFirstType(w *jsonw.Writer, typ string, depth int) {
	word := strings.TrimSpace(typ)
	inner := ""
	if at := strings.IndexByte(word, '['); at >= 0 && strings.HasSuffix(word, "]") {
		word, inner = word[:at], word[at+1:len(word)-1]
	}
	if depth == 0 {
		word = ""
	}
	switch strings.ToLower(strings.TrimPrefix(word, "typing.")) {
	case "optional":
		appendFirstType(w, inner, depth-1)
	case "str", "string":
		w.KeyStr("type", "string")
	case "int", "integer":
		w.KeyStr("type", "integer")
	case "float", "number":
		w.KeyStr("type", "number")
	case "bool", "boolean":
		w.KeyStr("type", "boolean")
	case "list", "array", "tuple", "set":
		w.KeyStr("type", "array")
		w.KeyOpen("items", '{')
		if inner != "" {
			appendFirstType(w, inner, depth-1)
		}
		w.Close('}')
	case "dict", "object", "mapping":
		w.KeyStr("type", "object")
	case "":
	default:
		w.KeyStr("title", typ)
	}
}
