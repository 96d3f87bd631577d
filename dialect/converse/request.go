package converse

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// op names where errors of this package arise.
const op = "dialect/converse"

// Notes by which a request remembers what was said without saying anything.
const (
	noteNoMessages = "no messages"
	noteSystem     = "system: []"
	noteInference  = "inferenceConfig: {}"
)

// Members of additionalModelRequestFields that have a meaning here, and notes of where thinking was said.
const (
	atThinking     = "thinking"         // Claude
	atReasoning    = "reasoning_config" // Claude, as it was called first
	atNova         = "reasoningConfig"
	atEffort       = "reasoning_effort" // OpenAI's models and others
	fieldsMore     = "additionalModelRequestFields"
	noteOutEffort  = "outputConfig.effort"
	noteFieldsNone = "additionalModelRequestFields: {}"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	if c.op == llm.OpCountTokens {
		return decodeCount(v, in, said)
	}
	r, err := decodeRequest(v)
	if err != nil {
		return nil, invalid(err)
	}
	r.Model, r.Stream, r.Said = model(in), c.stream, said
	return r, nil
}

// decodeCount reads the request within a request to count its tokens.
func decodeCount(v wire.Value, in dialect.Inbound, said *llm.Said) (llm.Payload, error) {
	if v.Kind() != '{' {
		return nil, invalid(wire.Bad("", "an object"))
	}
	inner := v.Get("input", "converse")
	if !inner.Found() {
		return nil, invalid(wire.Bad("input", "an object with converse: Plenum counts no other requests"))
	}
	r, err := decodeRequest(inner)
	if err != nil {
		return nil, invalid(wire.Under(wire.Under(err, "converse"), "input"))
	}
	r.Model, r.Said = model(in), said
	return &llm.CountTokens{Request: r}, nil
}

// invalid turns a fault into what the caller is told.
func invalid(err error) error { return dialect.Invalid(op, err) }

func decodeRequest(v wire.Value) (*llm.Request, error) {
	d := requestDecoder{r: &llm.Request{}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, err
	}
	if !d.turns {
		d.r.Extra.Note(Name, noteNoMessages)
	}
	d.r.Messages = append(d.system, d.r.Messages...)
	return d.r, nil
}

type requestDecoder struct {
	r      *llm.Request
	system []llm.Message
	turns  bool // messages were there
}

func (d *requestDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	switch string(key) {
	case "messages":
		d.turns = true
		return true, v.Elems(d.message)
	case "system":
		return true, d.systemField(v)
	case "inferenceConfig":
		return true, d.inference(v)
	case "toolConfig":
		return true, d.toolConfig(v)
	case fieldsMore:
		return d.more(v)
	case "outputConfig":
		return true, d.outputConfig(v)
	case "serviceTier":
		key, tier, ok := only(v)
		if !ok || key != "type" {
			return false, nil
		}
		return tier.StrTo(&d.r.Tier)
	case "requestMetadata":
		if v.Len() == 0 {
			return false, nil
		}
		return true, v.Members(func(key []byte, m wire.Value) error {
			d.r.Metadata = append(d.r.Metadata, llm.Field{Key: string(key), Raw: m.JSON()})
			return nil
		})
	}
	return false, nil
}

func (d *requestDecoder) systemField(v wire.Value) error {
	m := llm.Message{Role: llm.System, Place: "field", Extra: home()}
	var err error
	m.Blocks, err = decodeContent(v, llm.System)
	if len(m.Blocks) == 0 {
		d.r.Extra.Note(Name, noteSystem)
		return err
	}
	d.system = []llm.Message{m}
	return err
}

func (d *requestDecoder) message(_ int, v wire.Value) error {
	var m llm.Message
	role := v
	if v.Kind() == '{' {
		role = v.Get("role")
	}
	switch m.Role = llm.Role(role.Text()); m.Role {
	case llm.User, llm.Assistant, llm.System:
	default:
		return wire.Bad("role", "user, assistant or system")
	}
	content := false
	err := v.Fields(Name, &m.Extra, func(key []byte, f wire.Value) (known bool, err error) {
		switch string(key) {
		case "role":
			return true, nil
		case "content":
			content = true
			m.Blocks, err = decodeContent(f, m.Role)
			return true, err
		}
		return false, nil
	})
	if err == nil && !content {
		return wire.Bad("content", "a list of blocks")
	}
	d.r.Messages = append(d.r.Messages, m)
	return err
}

func (d *requestDecoder) inference(v wire.Value) error {
	var rest llm.Extra
	r := d.r
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "maxTokens":
			err = m.IntTo(&r.MaxOut)
		case "temperature":
			err = m.FloatTo(&r.Temperature)
		case "topP":
			err = m.FloatTo(&r.TopP)
		case "topK": // of Amazon's own models
			err = m.IntTo(&r.TopK)
			r.Extra.Note(Name, noteTopK)
		case "stopSequences":
			r.Stop = []string{}
			err = m.Elems(func(_ int, el wire.Value) error {
				s, err := el.Str()
				r.Stop = append(r.Stop, s)
				return err
			})
		default:
			return false, nil
		}
		return true, err
	})
	if v.Kind() == '{' && v.Len() == 0 {
		r.Extra.Note(Name, noteInference)
	}
	wire.Leave(&r.Extra, "inferenceConfig", rest)
	return err
}

// noteTopK notes that topK was said in inferenceConfig.
const noteTopK = "inferenceConfig.topK"

func (d *requestDecoder) toolConfig(v wire.Value) error {
	var rest llm.Extra
	r := d.r
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "tools":
			r.Tools = []llm.Tool{}
			return true, m.Elems(d.tool)
		case "toolChoice":
			return true, d.choose(m)
		}
		return false, nil
	})
	wire.Leave(&r.Extra, "toolConfig", rest)
	return err
}

func (d *requestDecoder) tool(_ int, v wire.Value) error {
	key, in, ok := only(v)
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	n := len(d.r.Tools)
	switch {
	case ok && key == "cachePoint" && n > 0 && d.r.Tools[n-1].Cache == nil:
		if mark, ok := decodeMark(in); ok {
			d.r.Tools[n-1].Cache = mark
			return nil
		}
	case ok && key == "toolSpec":
		t, err := decodeTool(in)
		d.r.Tools = append(d.r.Tools, t)
		return wire.Under(err, key)
	}
	t := llm.Tool{Kind: llm.ToolHosted, Opaque: opaque(key, v)}
	if in.Kind() == '{' {
		t.Name = in.Get("name").Text()
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

func decodeTool(v wire.Value) (llm.Tool, error) {
	t := llm.Tool{Kind: llm.ToolFunction}
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			t.Name, err = m.Str()
		case "description":
			return m.StrTo(&t.Description)
		case "inputSchema":
			key, schema, ok := only(m)
			if !ok || key != "json" {
				return false, nil
			}
			t.Schema = schema.JSON()
		case "strict":
			err = m.BoolTo(&t.Strict)
		default:
			return false, nil
		}
		return true, err
	})
	return t, err
}

func (d *requestDecoder) choose(v wire.Value) error {
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	c := &d.r.Choose
	key, in, ok := only(v)
	switch {
	case ok && (key == "auto" || key == "any") && in.Kind() == '{' && in.Len() == 0:
		*c = llm.ToolChoice{Mode: llm.ChooseMode(key), Extra: home()}
	case ok && key == "tool" && in.Kind() == '{' && in.Len() == 1 && in.Get("name").Text() != "":
		*c = llm.ToolChoice{Mode: llm.ChooseTool, Name: in.Get("name").Text(), Extra: home()}
	default:
		*c = llm.ToolChoice{Opaque: opaque(key, v)}
	}
	return nil
}

func (d *requestDecoder) think() *llm.Thinking {
	if d.r.Thinking == nil {
		d.r.Thinking = &llm.Thinking{Extra: home()}
	}
	return d.r.Thinking
}

// more reads of the fields that go to the model as they are those that llm has a word for.
func (d *requestDecoder) more(v wire.Value) (known bool, err error) {
	if v.Kind() != '{' {
		return false, nil
	}
	var rest llm.Extra
	err = v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch name := string(key); name {
		case atThinking, atReasoning:
			return d.claudeThinking(name, m), nil
		case atNova:
			return d.novaThinking(m), nil
		case atEffort:
			if m.Kind() != '"' || d.r.Thinking != nil {
				return false, nil
			}
			d.think().Extra.Note(Name, atEffort)
			return m.StrTo(&d.r.Thinking.Effort)
		case "top_k":
			if _, err := m.Int(); err != nil || d.r.TopK.Set {
				return false, nil
			}
			return true, m.IntTo(&d.r.TopK)
		}
		return false, nil
	})
	if v.Len() == 0 {
		d.r.Extra.Note(Name, noteFieldsNone)
	}
	wire.Leave(&d.r.Extra, fieldsMore, rest)
	return true, err
}

// claudeThinking reads the thinking of Claude's Messages. What is not as it should be stays as it is: it is
// for the model to refuse.
func (d *requestDecoder) claudeThinking(where string, v wire.Value) bool {
	t := llm.Thinking{Extra: home()}
	t.Extra.Note(Name, where)
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			var s string
			s, err = m.Str()
			t.Mode = llm.ThinkMode(s)
		case "budget_tokens":
			err = m.IntTo(&t.Budget)
		case "display":
			return m.StrTo(&t.Display)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil || t.Mode == "" || d.r.Thinking != nil {
		return false
	}
	d.r.Thinking = &t
	return true
}

func (d *requestDecoder) novaThinking(v wire.Value) bool {
	t := llm.Thinking{Extra: home()}
	t.Extra.Note(Name, atNova)
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			var s string
			s, err = m.Str()
			t.Mode = llm.ThinkMode(s)
			return true, err
		case "maxReasoningEffort":
			return m.StrTo(&t.Effort)
		}
		return false, nil
	})
	if err != nil || t.Mode == "" || d.r.Thinking != nil {
		return false
	}
	d.r.Thinking = &t
	return true
}

func (d *requestDecoder) outputConfig(v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "effort":
			if d.r.Thinking != nil && d.r.Thinking.Effort != "" {
				return false, nil
			}
			d.think().Extra.Note(Name, noteOutEffort)
			return m.StrTo(&d.r.Thinking.Effort)
		case "textFormat":
			return d.format(m), nil
		}
		return false, nil
	})
	wire.Leave(&d.r.Extra, "outputConfig", rest)
	if err == nil && v.Len() == 0 {
		d.r.Extra.Add(Name, "outputConfig", "{}")
	}
	return err
}

// format reads a JSON schema for the answer, which stands there as a string.
func (d *requestDecoder) format(v wire.Value) bool {
	if v.Kind() != '{' || !v.Get("type").Is("json_schema") || v.Len() != 2 || v.Get("structure").Len() != 1 {
		return false
	}
	f := llm.Format{Kind: llm.FormatSchema, Extra: home()}
	err := v.Get("structure", "jsonSchema").Fields(Name, &f.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "schema":
			return m.StrTo(&f.Schema)
		case "name":
			return m.StrTo(&f.Name)
		case "description":
			return m.StrTo(&f.Description)
		}
		return false, nil
	})
	if err != nil || !splice.IsObject(f.Schema) {
		return false
	}
	d.r.Output = f
	return true
}
