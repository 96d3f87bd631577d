package cohere

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	d := requestDecoder{r: &llm.Request{}}
	err = v.Fields(Name, &d.r.Extra, d.member)
	switch {
	case err != nil:
		return nil, invalid(err)
	case d.r.Model == "":
		return nil, invalid(wire.Bad("model", "the name of a model"))
	case !d.turns:
		return nil, invalid(wire.Bad("messages", "a list of messages"))
	}
	d.finish()
	d.r.Said = said
	return d.r, nil
}

// invalid turns a fault into what the caller is told.
func invalid(err error) error { return dialect.Invalid(op, err) }

type requestDecoder struct {
	r         *llm.Request
	turns     bool // messages were there
	documents []llm.Block
	strict    llm.Opt[bool]
	mode      string // of citations
}

func (d *requestDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "messages":
		d.turns = true
		err = v.Elems(d.message)
	case "documents":
		err = v.Elems(func(_ int, el wire.Value) error {
			b, err := decodeDocument(el)
			d.documents = append(d.documents, b)
			return err
		})
		if len(d.documents) == 0 && err == nil {
			r.Extra.Note(Name, "documents"+noteEmpty)
		}
	case "tools":
		if err = v.Elems(d.tool); len(r.Tools) == 0 && err == nil {
			r.Extra.Note(Name, "tools"+noteEmpty)
		}
	case "strict_tools":
		r.Extra.Note(Name, noteStrict)
		err = v.BoolTo(&d.strict)
	case "tool_choice":
		switch v.Text() {
		case "REQUIRED":
			r.Choose.Mode = llm.ChooseAny
		case "NONE":
			r.Choose.Mode = llm.ChooseNone
		default:
			return false, wire.Bad("", "REQUIRED or NONE")
		}
	case "response_format":
		return d.format(v)
	case "citation_options":
		d.mode = v.Get("mode").Text()
		return false, nil
	case "thinking":
		err = d.thinking(v)
	default:
		return d.param(string(key), v)
	}
	return true, err
}

// param reads the members that are plain values.
func (d *requestDecoder) param(key string, v wire.Value) (known bool, err error) {
	r := d.r
	switch key {
	case "stream":
		if r.Stream, err = v.Bool(); !r.Stream && err == nil {
			r.Extra.Note(Name, noteNotStream)
		}
	case "max_tokens":
		err = v.IntTo(&r.MaxOut)
	case "stop_sequences":
		r.Stop = []string{}
		err = v.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "temperature":
		err = v.FloatTo(&r.Temperature)
	case "p":
		err = v.FloatTo(&r.TopP)
	case "k":
		err = v.IntTo(&r.TopK)
	case "frequency_penalty":
		err = v.FloatTo(&r.FrequencyPenalty)
	case "presence_penalty":
		err = v.FloatTo(&r.PresencePenalty)
	case "seed":
		n, err := v.Int()
		r.Seed = llm.Opt[int64]{V: n, Set: err == nil}
		return err == nil, nil // it may be larger than any number here
	case "logprobs":
		err = v.BoolTo(&r.Logprobs)
	default:
		return false, nil
	}
	return true, err
}

// finish puts in its place what is said of all messages or of all tools.
func (d *requestDecoder) finish() {
	r := d.r
	for i := range r.Tools {
		r.Tools[i].Strict = d.strict
	}
	if len(d.documents) == 0 {
		return
	}
	cite := r.Output.Kind == llm.FormatUnset && d.mode != "OFF" && d.mode != "DISABLED"
	for i, b := range d.documents {
		m := b.(llm.Media)
		m.Cite = llm.Some(cite)
		d.documents[i] = m
	}
	at := 0
	for at < len(r.Messages) && r.Messages[at].Role == llm.System {
		at++
	}
	r.Messages = slices.Insert(r.Messages, at, llm.Message{Role: llm.User, Place: placeDocuments, Blocks: d.documents, Extra: home()})
}

// format reads the shape of the answer. One that is unknown is left as it is.
func (d *requestDecoder) format(v wire.Value) (known bool, err error) {
	f := llm.Format{Extra: home()}
	schema := wire.Value{}
	only := true
	err = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "type":
			switch m.Text() {
			case "text":
				f.Kind = llm.FormatText
			case "json_object":
				f.Kind = llm.FormatJSON
			}
		case "json_schema", "schema":
			only = only && !schema.Found()
			if string(key) == "schema" {
				f.Extra.Note(Name, noteSchemaKey)
			}
			schema = m
		default:
			only = false
		}
		return nil
	})
	if err != nil || !only || f.Kind == "" {
		return false, err
	}
	if schema.Kind() == '{' {
		f.Kind, f.Schema = llm.FormatSchema, schema.JSON()
	} else if schema.Found() {
		return false, nil
	}
	d.r.Output = f
	return true, nil
}

func (d *requestDecoder) thinking(v wire.Value) error {
	t := &llm.Thinking{Extra: home()}
	d.r.Thinking = t
	return v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			switch m.Text() {
			case "enabled":
				t.Mode = llm.ThinkOn
			case "disabled":
				t.Mode = llm.ThinkOff
			default:
				return false, wire.Bad("", "enabled or disabled")
			}
		case "token_budget":
			err = m.IntTo(&t.Budget)
		default:
			return false, nil
		}
		return true, err
	})
}

// tool reads a tool. Only functions are known; another is carried whole.
func (d *requestDecoder) tool(_ int, v wire.Value) error {
	t := llm.Tool{Kind: llm.ToolFunction}
	typ := ""
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			typ, err = m.Str()
		case "function":
			err = toolFunction(&t, m)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case typ != "function" && typ != "":
		t = llm.Tool{Kind: llm.ToolHosted, Name: t.Name, Opaque: llm.Opaque{Dialect: Name, Type: typ, Raw: v.JSON()}}
	case t.Name == "":
		return wire.Bad("function.name", "the name of a function")
	case typ == "":
		t.Extra.Note(Name, "type")
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

func toolFunction(t *llm.Tool, v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			return m.StrTo(&t.Name)
		case "description":
			return m.StrTo(&t.Description)
		case "parameters":
			t.Schema = m.JSON()
			return true, nil
		}
		return false, nil
	})
	into(&t.Extra, "function", rest)
	return err
}
