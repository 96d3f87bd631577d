package ollama

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(c.op("DecodeRequest"), err)
	}
	r, err := c.decodeRequest(v)
	if err != nil {
		return nil, c.invalid(err)
	}
	r.Said = said
	return r, nil
}

// invalid turns a fault into what the caller is told.
func (c *codec) invalid(err error) error {
	return dialect.Invalid(c.op("DecodeRequest"), err)
}

func (c *codec) decodeRequest(v wire.Value) (*llm.Request, error) {
	d := requestDecoder{r: &llm.Request{Stream: true}, generate: c.generate}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, err
	}
	switch {
	case d.r.Model == "":
		return nil, wire.Bad("model", "the name of a model")
	case !d.turns && !c.generate:
		return nil, wire.Bad("messages", "a list of messages")
	}
	if !d.streamed {
		d.r.Extra.Note(Name, "stream"+noteAbsent)
	}
	if c.generate {
		d.prompted()
	}
	pair(d.r.Messages)
	return d.r, nil
}

type requestDecoder struct {
	r        *llm.Request
	generate bool
	streamed bool // stream was said
	turns    bool // messages were there

	system, prompt wire.Value
	images         []llm.Block
}

func (d *requestDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "messages":
		if d.generate {
			return false, nil
		}
		d.turns = true
		err = v.Elems(d.message)
	case "tools":
		if v.Len() == 0 && v.Kind() == '[' {
			r.Extra.Note(Name, "tools"+noteEmpty)
		}
		err = v.Elems(d.tool)
	case "format":
		err = d.format(v)
	case "options":
		err = d.options(v)
	case "stream":
		d.streamed = true
		r.Stream, err = v.Bool()
	case "think":
		err = d.think(v)
	case "logprobs":
		err = v.BoolTo(&r.Logprobs)
	case "top_logprobs":
		err = v.IntTo(&r.TopLogprobs)
	default:
		if d.generate {
			return d.generateMember(string(key), v)
		}
		return false, nil
	}
	return true, err
}

// generateMember reads what only /api/generate has. What asks for nothing (raw: false, an empty template)
// is only noted.
func (d *requestDecoder) generateMember(key string, v wire.Value) (known bool, err error) {
	switch key {
	case "prompt":
		d.prompt = v
		_, err = v.Str()
	case "system":
		d.system = v
		_, err = v.Str()
	case "images":
		d.images, err = decodeImages(v)
		if len(d.images) == 0 {
			d.r.Extra.Note(Name, "images"+noteEmpty)
		}
	case "template", "suffix":
		if !v.Is("") {
			return false, nil
		}
		d.r.Extra.Note(Name, key+noteEmpty)
	default:
		return false, nil
	}
	return true, err
}

// prompted makes messages of the prompt and what stands beside it.
func (d *requestDecoder) prompted() {
	home := llm.Extra{Dialect: Name}
	if s := d.system.Text(); s != "" {
		d.r.Messages = append(d.r.Messages, llm.Message{
			Role: llm.System, Place: "field", Plain: true, Blocks: []llm.Block{llm.Text{Text: s}}, Extra: home,
		})
	} else if d.system.Found() {
		d.r.Extra.Note(Name, "system"+noteEmpty)
	}
	m := llm.Message{Role: llm.User, Plain: true, Extra: home}
	if s := d.prompt.Text(); s != "" {
		m.Blocks = append(m.Blocks, llm.Text{Text: s})
	} else if d.prompt.Found() {
		d.r.Extra.Note(Name, "prompt"+noteEmpty)
	}
	if m.Blocks = append(m.Blocks, d.images...); len(m.Blocks) > 0 {
		d.r.Messages = append(d.r.Messages, m)
	}
}

func (d *requestDecoder) format(v wire.Value) error {
	switch {
	case v.Is(""):
		d.r.Extra.Note(Name, "format"+noteEmpty)
	case v.Is("json"):
		d.r.Output = llm.Format{Kind: llm.FormatJSON, Extra: llm.Extra{Dialect: Name}}
	case v.Kind() == '{':
		d.r.Output = llm.Format{Kind: llm.FormatSchema, Schema: v.JSON(), Extra: llm.Extra{Dialect: Name}}
	default:
		return wire.Bad("", `"json" or a JSON schema`)
	}
	return nil
}

func (d *requestDecoder) think(v wire.Value) error {
	t := &llm.Thinking{Extra: llm.Extra{Dialect: Name}}
	d.r.Thinking = t
	if v.Kind() == '"' {
		if t.Effort = v.Text(); t.Effort == "" {
			d.r.Thinking = nil
			d.r.Extra.Note(Name, "think"+noteEmpty)
		}
		return nil
	}
	on, err := v.Bool()
	t.Mode = llm.ThinkOff
	if on {
		t.Mode = llm.ThinkOn
	}
	if err != nil {
		return wire.Bad("", "true, false or a level")
	}
	return nil
}

// options reads the options of the model. Those that have no word in llm are kept each by its path.
func (d *requestDecoder) options(v wire.Value) error {
	r := d.r
	var rest llm.Extra
	if v.Len() == 0 {
		r.Extra.Note(Name, "options: none")
	}
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "temperature":
			err = m.FloatTo(&r.Temperature)
		case "top_p":
			err = m.FloatTo(&r.TopP)
		case "top_k":
			err = m.IntTo(&r.TopK)
		case "frequency_penalty":
			err = m.FloatTo(&r.FrequencyPenalty)
		case "presence_penalty":
			err = m.FloatTo(&r.PresencePenalty)
		case "seed":
			r.Seed.V, err = m.Int()
			r.Seed.Set = true
		case "num_predict":
			n, err := m.Int()
			if n > 0 && err == nil {
				r.MaxOut = llm.Some(int(n))
			}
			return n > 0, err // -1 and -2 ask for no cap
		case "stop":
			return true, d.stop(m)
		default:
			return false, nil
		}
		return true, err
	})
	into(&r.Extra, "options", rest)
	return err
}

func (d *requestDecoder) stop(v wire.Value) error {
	if v.Kind() == '"' {
		d.r.Stop = []string{v.Text()}
		d.r.Extra.Note(Name, "stop"+noteString)
		return nil
	}
	return decodeStrings(v, &d.r.Stop)
}

// tool reads a tool. Only functions are known; another is carried whole.
func (d *requestDecoder) tool(_ int, v wire.Value) error {
	t := llm.Tool{Kind: llm.ToolFunction}
	typ := "function"
	noted := false
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			noted = true
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
	case typ != "function":
		t = llm.Tool{Kind: llm.ToolHosted, Name: t.Name, Opaque: llm.Opaque{Dialect: Name, Type: typ, Raw: v.JSON()}}
	case t.Name == "":
		return wire.Bad("function.name", "the name of a function")
	case !noted:
		t.Extra.Note(Name, "type"+noteAbsent)
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
