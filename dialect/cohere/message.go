package cohere

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// message reads one message of a request.
func (d *requestDecoder) message(_ int, v wire.Value) error {
	var p messageParts
	m := llm.Message{}
	id := ""
	err := v.Fields(Name, &m.Extra, func(key []byte, f wire.Value) (known bool, err error) {
		switch string(key) {
		case "role":
			m.Role, err = decodeRole(f)
		case "tool_call_id":
			return f.StrTo(&id)
		default:
			return p.member(string(key), f, &m.Extra)
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case m.Role == "":
		return wire.Bad("role", "user, assistant, system or tool")
	}
	m.Plain = p.plain
	m.Blocks = p.blocks()
	if m.Role == llm.ToolRole {
		done := llm.ToolDone{ID: id, Blocks: m.Blocks, Plain: p.plain, Extra: home()}
		m.Blocks = []llm.Block{done}
	}
	d.r.Messages = append(d.r.Messages, m)
	return nil
}

func decodeRole(v wire.Value) (llm.Role, error) {
	switch role := llm.Role(v.Text()); role {
	case llm.User, llm.Assistant, llm.System, llm.ToolRole:
		return role, nil
	}
	return "", wire.Bad("", "user, assistant, system or tool")
}

// messageParts are the parts of a message of a request or of an answer.
type messageParts struct {
	plain   bool // content was a bare string
	plan    string
	content []llm.Block
	calls   []llm.Block
	cites   []wire.Value
}

func (p *messageParts) member(key string, v wire.Value, e *llm.Extra) (known bool, err error) {
	switch key {
	case "content":
		err = p.contents(v, e)
	case "tool_plan":
		if p.plan, err = v.Str(); p.plan == "" && err == nil {
			e.Note(Name, "tool_plan"+noteEmpty)
		}
	case "tool_calls":
		if err = v.Elems(p.call); len(p.calls) == 0 && err == nil {
			e.Note(Name, "tool_calls"+noteEmpty)
		}
	case "citations":
		err = v.Elems(func(_ int, el wire.Value) error {
			if el.Kind() != '{' {
				return wire.Bad("", "an object")
			}
			p.cites = append(p.cites, el)
			return nil
		})
		if len(p.cites) == 0 && err == nil {
			e.Note(Name, "citations"+noteEmpty)
		}
	default:
		return false, nil
	}
	return true, err
}

func (p *messageParts) contents(v wire.Value, e *llm.Extra) error {
	if v.Kind() == '"' {
		s, err := v.Str()
		p.plain = true
		p.content = append(p.content, llm.Text{Text: s, Extra: home()})
		return err
	}
	if v.Kind() != '[' {
		return wire.Bad("", "a string or a list of parts")
	}
	if v.Len() == 0 {
		e.Note(Name, "content"+noteEmpty)
	}
	return v.Elems(func(_ int, el wire.Value) error {
		b, err := decodeContent(el)
		p.content = append(p.content, b)
		return err
	})
}

// decodeContent reads a part of a content. One of an unknown type is carried whole.
func decodeContent(v wire.Value) (llm.Block, error) {
	if v.Kind() != '{' {
		return nil, wire.Bad("", "an object")
	}
	switch typ := v.Get("type").Text(); typ {
	case "text":
		var b llm.Text
		err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
			if string(key) == "text" {
				b.Text, err = m.Str()
				return true, err
			}
			return string(key) == "type", nil
		})
		return b, err
	case "thinking":
		return decodeThought(v)
	case "image_url":
		return decodeImage(v)
	case "document":
		b, err := decodeDocument(v.Get("document"))
		return b, wire.Under(err, "document")
	case "":
		return nil, wire.Bad("type", "the type of the part")
	default:
		return llm.Opaque{Dialect: Name, Type: typ, Raw: v.JSON()}, nil
	}
}

// decodeThought reads reasoning. What another vendor signed comes back in details.
func decodeThought(v wire.Value) (llm.Block, error) {
	var b llm.Thought
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "thinking":
			b.Text, err = m.Str()
			return true, err
		case dialect.Details:
			list := dialect.ReadDetails(m)
			if len(list) != 1 {
				return false, nil
			}
			b.Signature, b.Sealed, b.Item, b.Origin = list[0].Signature, list[0].Sealed, list[0].Item, list[0].Origin
			return true, nil
		}
		return false, nil
	})
	return b, err
}

func decodeImage(v wire.Value) (llm.Block, error) {
	b := llm.Media{Kind: llm.Image}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "image_url":
			var rest llm.Extra
			err = m.Fields(Name, &rest, func(key []byte, f wire.Value) (bool, error) {
				switch string(key) {
				case "url":
					b.URL, err = f.Str()
					return true, err
				case "detail":
					return f.StrTo(&b.Detail)
				}
				return false, nil
			})
			into(&b.Extra, "image_url", rest)
			return true, err
		}
		return false, nil
	})
	if mime, data, ok := dataURL(b.URL); ok {
		b.MIME, b.Data, b.URL = mime, data, ""
	}
	return b, err
}

// dataURL takes an address apart that holds its content.
func dataURL(s string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(s, "data:")
	if !ok {
		return "", "", false
	}
	mime, data, ok = strings.Cut(rest, ";base64,")
	return mime, data, ok
}

func (p *messageParts) call(_ int, v wire.Value) error {
	t, err := decodeCall(v)
	p.calls = append(p.calls, t)
	return err
}

func decodeCall(v wire.Value) (llm.ToolUse, error) {
	t := llm.ToolUse{Kind: llm.ToolFunction}
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&t.ID)
		case "type":
			return m.Is("function"), nil
		case "function":
			var rest llm.Extra
			err = m.Fields(Name, &rest, func(key []byte, f wire.Value) (bool, error) {
				switch string(key) {
				case "name":
					return f.StrTo(&t.Name)
				case "arguments":
					return f.StrTo(&t.Args)
				}
				return false, nil
			})
			into(&t.Extra, "function", rest)
			return true, err
		}
		return false, nil
	})
	return t, err
}

// blocks returns the parts in the order in which a model makes them: a plan, what is said, calls. Citations
// go to the text that they are of.
func (p *messageParts) blocks() []llm.Block {
	var out []llm.Block
	if p.plan != "" {
		out = append(out, llm.Thought{Text: p.plan, Field: notePlan, Extra: home()})
	}
	start := len(out)
	out = append(out, p.content...)
	for _, c := range p.cites {
		if at := citedText(out[start:], c); at >= 0 {
			t := out[start+at].(llm.Text)
			t.Citations = append(t.Citations, decodeCitation(c))
			out[start+at] = t
		} else {
			out = append(out, llm.Text{Citations: []llm.Citation{decodeCitation(c)}, Extra: home()})
		}
	}
	return append(out, p.calls...)
}

// citedText returns which block a citation is of, or -1 where there is no text.
func citedText(content []llm.Block, c wire.Value) int {
	if i := int(c.Get("content_index").Count()); c.Get("content_index").Found() && i < len(content) {
		if _, ok := content[i].(llm.Text); ok {
			return i
		}
	}
	for i, b := range content {
		if _, ok := b.(llm.Text); ok {
			return i
		}
	}
	return -1
}

// decodeCitation reads a citation. What it cites is told to others where it has an address.
func decodeCitation(v wire.Value) llm.Citation {
	doc := v.Get("sources", "0", "document")
	c := llm.Citation{
		Quote: v.Get("text").Text(), Title: doc.Get("title").Text(), URL: doc.Get("url").Text(), Source: -1,
		Start: int(v.Get("start").Count()), End: int(v.Get("end").Count()),
		Opaque: llm.Opaque{Dialect: Name, Type: v.Get("type").Text(), Raw: v.JSON()},
	}
	if c.URL != "" {
		c.Kind = llm.CiteURL
	}
	return c
}
