package ollama

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// message reads one message of a request.
func (d *requestDecoder) message(_ int, v wire.Value) error {
	var p messageParts
	m := llm.Message{Plain: true}
	err := v.Fields(Name, &m.Extra, func(key []byte, f wire.Value) (known bool, err error) {
		switch string(key) {
		case "role":
			m.Role, err = decodeRole(f)
		case "tool_name":
			p.toolName, err = f.Str()
			return p.toolName != "", err
		case "tool_call_id":
			p.toolID, err = f.Str()
			return p.toolID != "", err
		default:
			return p.member(string(key), f, &m.Extra)
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case m.Role == "":
		return wire.Bad("role", "system, user, assistant or tool")
	}
	if _, null := m.Extra.Get("content"); !p.said && !null {
		m.Extra.Note(Name, "content"+noteAbsent)
	}
	m.Blocks = p.blocks()
	if m.Role == llm.ToolRole {
		m.Blocks = []llm.Block{llm.ToolDone{ID: p.toolID, Name: p.toolName, Blocks: m.Blocks, Plain: true, Extra: llm.Extra{Dialect: Name}}}
	}
	d.r.Messages = append(d.r.Messages, m)
	return nil
}

func decodeRole(v wire.Value) (llm.Role, error) {
	switch role := llm.Role(v.Text()); role {
	case llm.User, llm.Assistant, llm.System, llm.ToolRole:
		return role, nil
	}
	return "", wire.Bad("", "system, user, assistant or tool")
}

// messageParts are the parts of a message, which stand side by side and have no order among them.
type messageParts struct {
	said             bool // content was there
	content          string
	thinking         string
	details          []llm.Thought
	images           []llm.Block
	calls            []llm.Block
	toolName, toolID string
}

// member reads a member that messages of requests and of answers have.
func (p *messageParts) member(key string, v wire.Value, e *llm.Extra) (known bool, err error) {
	switch key {
	case "content":
		p.said = true
		p.content, err = v.Str()
	case "thinking":
		if p.thinking, err = v.Str(); p.thinking == "" && err == nil {
			e.Note(Name, "thinking"+noteEmpty)
		}
	case dialect.Details:
		p.details = dialect.ReadDetails(v)
		return len(p.details) > 0, nil
	case "images":
		if p.images, err = decodeImages(v); len(p.images) == 0 && err == nil {
			e.Note(Name, "images"+noteEmpty)
		}
	case "tool_calls":
		if err = v.Elems(p.call); len(p.calls) == 0 && err == nil {
			e.Note(Name, "tool_calls"+noteEmpty)
		}
	default:
		return false, nil
	}
	return true, err
}

// blocks returns the parts in the order in which a model makes them.
func (p *messageParts) blocks() []llm.Block {
	var out []llm.Block
	told := ""
	for _, t := range p.details {
		told += t.Text
	}
	if told == "" && len(p.details) > 0 {
		p.details[0].Text = p.thinking // a stream tells the text before what seals it
	}
	told = ""
	for _, t := range p.details {
		told += t.Text
		out = append(out, t)
	}
	if p.thinking != "" && p.thinking != told {
		out = append(out, llm.Thought{Text: p.thinking, Extra: llm.Extra{Dialect: Name}})
	}
	if p.content != "" {
		out = append(out, llm.Text{Text: p.content, Extra: llm.Extra{Dialect: Name}})
	}
	return append(append(out, p.images...), p.calls...)
}

func decodeImages(v wire.Value) ([]llm.Block, error) {
	var out []llm.Block
	err := v.Elems(func(_ int, el wire.Value) error {
		data, err := el.Str()
		out = append(out, llm.Media{Kind: llm.Image, MIME: imageType(data), Data: data, Extra: llm.Extra{Dialect: Name}})
		return err
	})
	return out, err
}

// call reads a call of a tool.
func (p *messageParts) call(_ int, v wire.Value) error {
	t := llm.ToolUse{Kind: llm.ToolFunction}
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&t.ID)
		case "function":
			return true, callFunction(&t, m)
		}
		return false, nil
	})
	p.calls = append(p.calls, t)
	return err
}

func callFunction(t *llm.ToolUse, v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			return m.StrTo(&t.Name)
		case "index": // the place of the call among the calls, which tells nothing to others
			t.Extra.Note(Name, noteIndex+m.JSON())
			return true, nil
		case "arguments":
			switch m.Kind() {
			case '{':
				t.Args = m.JSON()
				return true, nil
			case '"': // as in OpenAI's dialect
				t.Args = m.Text()
				t.Extra.Note(Name, "arguments"+noteString)
				return true, nil
			}
			return false, wire.Bad("", "an object")
		}
		return false, nil
	})
	into(&t.Extra, "function", rest)
	return err
}

// pair gives calls and results the ids that other dialects must have and this one may leave out: the same
// for the same place in the conversation. What answers a call is told by its name, or else by its turn.
func pair(messages []llm.Message) {
	var open []unanswered
	for i := range messages {
		m := &messages[i]
		for j, b := range m.Blocks {
			switch b := b.(type) {
			case llm.ToolUse:
				without := b.ID == ""
				if without {
					b.ID = "call_" + itoa(i) + "_" + itoa(j)
					b.Extra.Note(Name, "id"+noteAbsent)
					m.Blocks[j] = b
				}
				open = append(open, unanswered{b, &m.Blocks[j], without})
			case llm.ToolDone:
				at := answers(open, b)
				if at < 0 {
					continue
				}
				switch {
				case b.ID == "":
					b.ID = open[at].ID
					b.Extra.Note(Name, "tool_call_id"+noteAbsent)
				case b.ID != open[at].ID:
					open[at].ID = b.ID
					*open[at].block = open[at].ToolUse
				}
				if b.Name == "" {
					b.Name = open[at].Name
					b.Extra.Note(Name, "tool_name"+noteAbsent)
				}
				m.Blocks[j] = b
				open = slices.Delete(open, at, at+1)
			}
		}
	}
}

// unanswered is a call that no result has answered yet.
type unanswered struct {
	llm.ToolUse
	block   *llm.Block
	without bool // it was said without an id
}

// answers returns which of the open calls a result answers, or -1. Some clients say the ids of calls in results
// alone: such a one is that of a call without.
func answers(open []unanswered, b llm.ToolDone) int {
	if b.ID != "" {
		if at := slices.IndexFunc(open, func(u unanswered) bool { return u.ID == b.ID }); at >= 0 {
			return at
		}
	}
	fits := func(u unanswered) bool { return b.ID == "" || u.without }
	if b.Name != "" {
		return slices.IndexFunc(open, func(u unanswered) bool { return u.Name == b.Name && fits(u) })
	}
	return slices.IndexFunc(open, fits)
}
