package anthropic

import (
	"errors"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// oldFormat marks, as the Dialect of an empty Extra, an output format that was said in output_format,
// where it stood before output_config had one.
const oldFormat = Name + "/output_format"

// notStreamed notes that the caller said stream: false, which is what it is unless said.
const notStreamed = "stream: false"

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	if err := splice.Valid(in.Body, splice.MaxDepth); err != nil {
		return nil, notJSON(err)
	}
	r, err := decodeRequest(whole(in.Body))
	if err != nil {
		return nil, invalid(err)
	}
	if c.op == llm.OpCountTokens {
		return &llm.CountTokens{Request: r}, nil
	}
	return r, nil
}

// invalid turns a fault into what the caller is told.
func invalid(err error) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return notJSON(err)
	}
	return &llm.Error{Kind: llm.Invalid, Op: "dialect/anthropic", Param: f.path, Message: f.Error()}
}

func notJSON(err error) error {
	msg := "the body is not valid JSON: " + err.Error()
	return &llm.Error{Kind: llm.Invalid, Op: "dialect/anthropic", Message: msg, Err: err}
}

func decodeRequest(v value) (*llm.Request, error) {
	d := requestDecoder{r: &llm.Request{}}
	if err := v.fields(&d.r.Extra, d.member); err != nil {
		return nil, err
	}
	switch {
	case d.r.Model == "":
		return nil, &fault{"model", "the name of a model"}
	case !d.turns:
		return nil, &fault{"messages", "a list of messages"}
	}
	d.r.Messages = append(d.system, d.r.Messages...)
	return d.r, nil
}

type requestDecoder struct {
	r      *llm.Request
	system []llm.Message
	turns  bool // messages were there
}

func (d *requestDecoder) member(key []byte, v value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.str()
	case "messages":
		d.turns = true
		err = v.elems(d.message)
	case "system":
		err = d.systemField(v)
	case "tools":
		r.Tools = []llm.Tool{}
		err = v.elems(d.tool)
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
func (d *requestDecoder) param(key []byte, v value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "max_tokens":
		err = optInt(&r.MaxOut, v)
	case "temperature":
		err = optFloat(&r.Temperature, v)
	case "top_p":
		err = optFloat(&r.TopP, v)
	case "top_k":
		err = optInt(&r.TopK, v)
	case "stop_sequences":
		r.Stop = []string{}
		err = v.elems(func(_ int, el value) error {
			s, err := el.str()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "stream":
		r.Stream, err = v.boolean()
		if !r.Stream && err == nil {
			absent(&r.Extra, notStreamed)
		}
	case "service_tier":
		r.Tier, err = v.str()
		return r.Tier != "", err
	default:
		return false, nil
	}
	return true, err
}

func optInt(to *llm.Opt[int], v value) error {
	n, err := v.integer()
	*to = llm.Some(int(n))
	return err
}

func optFloat(to *llm.Opt[float64], v value) error {
	f, err := v.number()
	*to = llm.Some(f)
	return err
}

func (d *requestDecoder) systemField(v value) error {
	m := llm.Message{Role: llm.System, Place: "field", Extra: llm.Extra{Dialect: Name}}
	var err error
	m.Blocks, m.Plain, err = decodeContent(v, 1)
	d.system = []llm.Message{m}
	return err
}

func (d *requestDecoder) message(_ int, v value) error {
	var m llm.Message
	content := false
	err := v.fields(&m.Extra, func(key []byte, f value) (known bool, err error) {
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
		return &fault{"role", "user, assistant or system"}
	case !content:
		return &fault{"content", "a string or a list of blocks"}
	}
	d.r.Messages = append(d.r.Messages, m)
	return nil
}

func decodeRole(v value) (llm.Role, error) {
	switch role := llm.Role(v.text()); role {
	case llm.User, llm.Assistant, llm.System:
		return role, nil
	}
	return "", &fault{want: "user, assistant or system"}
}

// tool reads a tool. One without a type, or of type custom, is a function of the caller's; every other
// is the vendor's own and is carried whole.
func (d *requestDecoder) tool(_ int, v value) error {
	var t llm.Tool
	err := v.fields(&t.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			t.Opaque.Dialect = Name
			t.Opaque.Type, err = m.str()
		case "name":
			t.Name, err = m.str()
		case "description":
			t.Description, err = m.str()
			return t.Description != "", err
		case "input_schema":
			t.Schema = m.raw()
		case "strict":
			t.Strict.V, err = m.boolean()
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

func (d *requestDecoder) choose(v value) error {
	c := &d.r.Choose
	err := v.fields(&c.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			c.Mode = llm.ChooseMode(m.text())
		case "name":
			c.Name, err = m.str()
		case "disable_parallel_tool_use":
			var off bool
			off, err = m.boolean()
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
			return &fault{"name", "the name of a tool"}
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

func (d *requestDecoder) thinking(v value) error {
	t := d.think()
	return v.fields(&t.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			var s string
			s, err = m.str()
			t.Mode = llm.ThinkMode(s)
		case "budget_tokens":
			err = optInt(&t.Budget, m)
		case "display":
			t.Display, err = m.str()
		default:
			return false, nil
		}
		return true, err
	})
}

// outputConfig reads effort and format. What else is in it stays behind as an output_config of its own.
func (d *requestDecoder) outputConfig(v value) error {
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "effort":
			d.think().Effort, err = m.str()
			return d.r.Thinking.Effort != "", err
		case "format":
			return d.format(m)
		}
		return false, nil
	})
	d.leave("output_config", rest)
	return err
}

// leave keeps the members of an object that were not read. An empty object is kept as well, unless
// something was read out of it.
func (d *requestDecoder) leave(key string, rest llm.Extra) {
	if len(rest.Fields) == 0 {
		return
	}
	var w jsonw.Writer
	begin(&w, rest).end()
	d.r.Extra.Add(Name, key, w.String())
}

// format reads a JSON schema for the answer. One of another type or with more members is left as it is.
func (d *requestDecoder) format(v value) (known bool, err error) {
	var schema string
	only := true
	err = v.members(func(key []byte, m value) error {
		switch string(key) {
		case "type":
			only = only && m.text() == "json_schema"
		case "schema":
			schema = m.raw()
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

func (d *requestDecoder) outputFormat(v value) (known bool, err error) {
	if d.r.Output.Kind != llm.FormatUnset {
		return false, nil
	}
	known, err = d.format(v)
	if known {
		d.r.Output.Extra.Dialect = oldFormat
	}
	return known, err
}

func (d *requestDecoder) metadata(v value) error {
	var rest llm.Extra
	n := 0
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		n++
		if string(key) != "user_id" {
			return false, nil
		}
		d.r.User, err = m.str()
		return d.r.User != "", err
	})
	if n == 0 && rest.Empty() {
		d.r.Extra.Add(Name, "metadata", "{}")
	}
	d.leave("metadata", rest)
	return err
}

func itoa(n int) string { return strconv.Itoa(n) }
