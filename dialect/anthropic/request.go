package anthropic

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// oldFormat marks, as the Dialect of an empty Extra, an output format that was said in output_format,
// where it stood before output_config had one.
const oldFormat = Name + "/output_format"

// notStreamed notes that the caller said stream: false, which is what it is unless said.
const notStreamed = "stream: false"

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, notJSON(err)
	}
	r, err := decodeRequest(v)
	if err != nil {
		return nil, invalid(err)
	}
	r.Said = said
	if c.op == llm.OpCountTokens {
		return &llm.CountTokens{Request: r}, nil
	}
	return r, nil
}

func decodeRequest(v wire.Value) (*llm.Request, error) {
	d := requestDecoder{r: &llm.Request{}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, err
	}
	switch {
	case d.r.Model == "":
		return nil, wire.Bad("model", "the name of a model")
	case !d.turns:
		return nil, wire.Bad("messages", "a list of messages")
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
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "messages":
		d.turns = true
		err = v.Elems(d.message)
	case "system":
		err = d.systemField(v)
	case "tools":
		r.Tools = []llm.Tool{}
		err = v.Elems(d.tool)
	case "tool_choice":
		err = d.choose(v)
	case "thinking":
		err = d.thinking(v)
	case "output_config":
		err = d.outputConfig(v)
	case "output_format":
		return d.outputFormat(v)
	case "metadata":
		err = d.metadata(v)
	case "cache_control":
		r.Cache, err = decodeMark(v)
	default:
		return d.param(key, v)
	}
	return true, err
}

// param reads the members that are plain values.
func (d *requestDecoder) param(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "max_tokens":
		err = v.IntTo(&r.MaxOut)
	case "temperature":
		err = v.FloatTo(&r.Temperature)
	case "top_p":
		err = v.FloatTo(&r.TopP)
	case "top_k":
		err = v.IntTo(&r.TopK)
	case "stop_sequences":
		r.Stop = []string{}
		err = v.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "stream":
		r.Stream, err = v.Bool()
		if !r.Stream && err == nil {
			r.Extra.Note(Name, notStreamed)
		}
	case "service_tier":
		r.Tier, err = v.Str()
		return r.Tier != "", err
	default:
		return false, nil
	}
	return true, err
}

func (d *requestDecoder) systemField(v wire.Value) error {
	m := llm.Message{Role: llm.System, Place: "field", Extra: llm.Extra{Dialect: Name}}
	var err error
	m.Blocks, m.Plain, err = decodeContent(v, 1)
	d.system = []llm.Message{m}
	return err
}

func (d *requestDecoder) message(_ int, v wire.Value) error {
	var m llm.Message
	content := false
	err := v.Fields(Name, &m.Extra, func(key []byte, f wire.Value) (known bool, err error) {
		switch string(key) {
		case "role":
			m.Role, err = decodeRole(f)
		case "content":
			content = true
			m.Blocks, m.Plain, err = decodeContent(f, 1)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case m.Role == "":
		return wire.Bad("role", "user, assistant or system")
	case !content:
		return wire.Bad("content", "a string or a list of blocks")
	}
	d.r.Messages = append(d.r.Messages, m)
	return nil
}

func decodeRole(v wire.Value) (llm.Role, error) {
	switch role := llm.Role(v.Text()); role {
	case llm.User, llm.Assistant, llm.System:
		return role, nil
	}
	return "", wire.Bad("", "user, assistant or system")
}

// tool reads a tool. One without a type, or of type custom, is a function of the caller's; every other
// is the vendor's own and is carried whole.
func (d *requestDecoder) tool(_ int, v wire.Value) error {
	var t llm.Tool
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			t.Opaque.Dialect = Name
			t.Opaque.Type, err = m.Str()
		case "name":
			t.Name, err = m.Str()
		case "description":
			t.Description, err = m.Str()
			return t.Description != "", err
		case "input_schema":
			t.Schema = m.JSON()
		case "strict":
			t.Strict.V, err = m.Bool()
			t.Strict.Set = true
		case "cache_control":
			t.Cache, err = decodeMark(m)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return err
	}
	switch t.Opaque.Type {
	case "", "custom":
		t.Kind = llm.ToolFunction
	default:
		t = llm.Tool{Kind: llm.ToolHosted, Name: t.Name, Opaque: opaque(t.Opaque.Type, v)}
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

func (d *requestDecoder) choose(v wire.Value) error {
	c := &d.r.Choose
	err := v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			c.Mode = llm.ChooseMode(m.Text())
		case "name":
			c.Name, err = m.Str()
		case "disable_parallel_tool_use":
			var off bool
			off, err = m.Bool()
			d.r.Parallel = llm.Some(!off)
		default:
			return false, nil
		}
		return true, err
	})
	switch c.Mode {
	case llm.ChooseAuto, llm.ChooseAny, llm.ChooseNone:
	case llm.ChooseTool:
		if c.Name == "" && err == nil {
			return wire.Bad("name", "the name of a tool")
		}
	default:
		*c = llm.ToolChoice{Opaque: opaque(string(c.Mode), v)}
		d.r.Parallel = llm.Opt[bool]{}
	}
	return err
}

func (d *requestDecoder) think() *llm.Thinking {
	if d.r.Thinking == nil {
		d.r.Thinking = &llm.Thinking{Extra: llm.Extra{Dialect: Name}}
	}
	return d.r.Thinking
}

func (d *requestDecoder) thinking(v wire.Value) error {
	t := d.think()
	return v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			var s string
			s, err = m.Str()
			t.Mode = llm.ThinkMode(s)
		case "budget_tokens":
			err = m.IntTo(&t.Budget)
		case "display":
			t.Display, err = m.Str()
		default:
			return false, nil
		}
		return true, err
	})
}

// outputConfig reads effort and format. What else is in it stays behind as an output_config of its own.
func (d *requestDecoder) outputConfig(v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "effort":
			d.think().Effort, err = m.Str()
			return d.r.Thinking.Effort != "", err
		case "format":
			return d.format(m)
		}
		return false, nil
	})
	wire.Leave(&d.r.Extra, "output_config", rest)
	if err == nil && v.Len() == 0 {
		d.r.Extra.Add(Name, "output_config", "{}")
	}
	return err
}

// format reads a JSON schema for the answer. One of another type or with more members is left as it is.
func (d *requestDecoder) format(v wire.Value) (known bool, err error) {
	var schema string
	only := true
	err = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "type":
			only = only && m.Text() == "json_schema"
		case "schema":
			schema = m.JSON()
		default:
			only = false
		}
		return nil
	})
	if err != nil || !only || schema == "" {
		return false, err
	}
	d.r.Output = llm.Format{Kind: llm.FormatSchema, Schema: schema, Extra: llm.Extra{Dialect: Name}}
	return true, nil
}

func (d *requestDecoder) outputFormat(v wire.Value) (known bool, err error) {
	if d.r.Output.Kind != llm.FormatUnset {
		return false, nil
	}
	known, err = d.format(v)
	if known {
		d.r.Output.Extra.Dialect = oldFormat
	}
	return known, err
}

func (d *requestDecoder) metadata(v wire.Value) error {
	var rest llm.Extra
	n := 0
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		n++
		if string(key) != "user_id" {
			return false, nil
		}
		d.r.User, err = m.Str()
		return d.r.User != "", err
	})
	if n == 0 && rest.Empty() {
		d.r.Extra.Add(Name, "metadata", "{}")
	}
	wire.Leave(&d.r.Extra, "metadata", rest)
	return err
}
