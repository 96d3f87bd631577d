package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// input reads what the model is to answer: a string, or a list of items.
func (d *requestDecoder) input() error {
	r := d.r
	switch d.in.Kind() {
	case 0:
		if _, null := r.Extra.Get("input"); !null {
			r.Extra.Note(Name, noteNoInput)
		}
		return nil
	case '"':
		r.Extra.Note(Name, noteInputString)
		text, _ := d.in.Str()
		r.Messages = append(r.Messages, llm.Message{
			Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: text, Extra: named()}}, Extra: named(),
		})
		return nil
	case '[':
	default:
		return wire.Bad("", "a string or a list of items")
	}
	err := d.in.Elems(d.item)
	for i := range r.Messages {
		if m := &r.Messages[i]; m.Role == llm.Assistant {
			m.Blocks = bringHome(m.Blocks)
		}
	}
	return err
}

// item reads an item of the input.
func (d *requestDecoder) item(_ int, v wire.Value) error {
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	kind, role := v.Get("type").Text(), v.Get("role").Text()
	switch {
	case kind == "" && role == "" && v.Get("id").Found():
		kind = itemReference
	case kind == "":
		kind = "message"
	}
	switch {
	case kind == "message" && role != string(llm.Assistant):
		return d.message(v)
	case kind == "function_call_output":
		return d.result(v, false)
	case kind == "custom_tool_call_output":
		return d.result(v, true)
	case d.clientResult(kind, v):
		return nil
	case strings.HasSuffix(kind, "_output"), kind == "mcp_approval_response", kind == "additional_tools", kind == "configuration_update":
		d.add(llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{opaque(kind, v)}, Extra: named()})
		return nil
	}
	blocks, err := decodeItem(kind, v, true)
	if err != nil {
		return err
	}
	d.assistant(blocks)
	return nil
}

func (d *requestDecoder) add(m llm.Message) { d.r.Messages = append(d.r.Messages, m) }

// assistant adds what the assistant said or did to its turn.
func (d *requestDecoder) assistant(blocks []llm.Block) {
	if n := len(d.r.Messages); n > 0 && d.r.Messages[n-1].Role == llm.Assistant {
		m := &d.r.Messages[n-1]
		m.Blocks = append(m.Blocks, blocks...)
		return
	}
	d.add(llm.Message{Role: llm.Assistant, Blocks: blocks, Extra: named()})
}

// message reads what somebody other than the assistant said.
func (d *requestDecoder) message(v wire.Value) error {
	role := llm.Role(v.Get("role").Text())
	switch role {
	case llm.User, llm.System, llm.Developer:
	default:
		return wire.Bad("role", "user, assistant, system or developer")
	}
	head, rest, content := messageHead(v)
	m := llm.Message{Role: role, Extra: rest}
	m.Extra.Dialect = Name
	tell(&m.Extra, itemNote, head)
	var err error
	m.Blocks, m.Plain, err = decodeParts(content)
	d.add(m)
	return wire.Under(err, "content")
}

// result reads what a tool answered.
func (d *requestDecoder) result(v wire.Value, custom bool) error {
	var b llm.ToolDone
	said := false
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type", "id", "status":
			tell(&b.Extra, string(key), m.JSON())
			return true, nil
		case "call_id":
			return m.StrTo(&b.ID)
		case "output":
			said = true
			b.Blocks, b.Plain, err = decodeParts(m)
			return true, err
		}
		return false, nil
	})
	if err == nil && !said {
		err = wire.Bad("output", "a string or a list of parts")
	}
	if custom {
		b.Extra.Note(Name, noteCustom)
	}
	d.add(llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{b}, Extra: named()})
	return err
}
