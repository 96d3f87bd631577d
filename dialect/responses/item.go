package responses

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The note on the first block of a message item holds the members by which the item is known, as an
// object; members of the item that another dialect would lose are fields with a prefix.
const (
	itemNote      = "item"
	itemPrefix    = "item."
	noteCustom    = "custom"         // a call, a tool or a result of one whose argument is free text
	noteEmpty     = "content: empty" // a message item without parts
	itemReference = "item_reference"
)

// decodeItem reads an item that the assistant said or did. In a request the argument of a custom tool is
// wrapped in an object, which is how every other dialect can say it; see wrapInput.
func decodeItem(kind string, v wire.Value, request bool) ([]llm.Block, error) {
	switch kind {
	case "message":
		return decodeMessage(v)
	case "function_call":
		b, err := decodeCall(v, "arguments")
		if request {
			b = inSpace(b)
		}
		return []llm.Block{b}, err
	case "custom_tool_call":
		b, err := decodeCall(v, "input")
		b.Kind = llm.ToolCustom
		if request {
			b.Kind, b.Args = llm.ToolFunction, dialect.WrapInput(b.Args)
			b.Extra.Note(Name, noteCustom)
			b = inSpace(b)
		}
		return []llm.Block{b}, err
	case "shell_call", "local_shell_call", "apply_patch_call", "tool_search_call":
		if b, ok := clientCall(kind, v); ok && request {
			return []llm.Block{b}, nil
		}
	case "reasoning":
		b, err := decodeReasoning(v)
		return []llm.Block{b}, err
	}
	return []llm.Block{opaque(kind, v)}, nil
}

// answerItem reads an item of an answer. One that is not as it should be is carried as it stands: an
// answer was paid for, and is not thrown away for a detail.
func answerItem(v wire.Value) []llm.Block {
	kind := v.Get("type").Text()
	blocks, err := decodeItem(kind, v, false)
	if err != nil {
		return []llm.Block{opaque(kind, v)}
	}
	return blocks
}

// decodeMessage reads a message of the assistant.
func decodeMessage(v wire.Value) ([]llm.Block, error) {
	head, rest, content := messageHead(v)
	if !content.Found() {
		return nil, wire.Bad("content", "a string or a list of parts")
	}
	blocks, plain, err := decodeParts(content)
	if err != nil {
		return nil, wire.Under(err, "content")
	}
	if plain {
		head = strings.TrimSuffix(head, "}")
		if head != "{" {
			head += ","
		}
		head += `"content":"s"}`
	}
	if len(blocks) == 0 {
		t := llm.Text{Extra: named()}
		t.Extra.Note(Name, noteEmpty)
		blocks = append(blocks, t)
	}
	if _, odd := blocks[0].(llm.Opaque); odd {
		return []llm.Block{opaque("message", v)}, nil
	}
	blocks[0] = heads(blocks[0], head, rest)
	return blocks, nil
}

// messageHead returns the members by which a message is known as an object, those that tell more, and its
// content.
func messageHead(v wire.Value) (head string, rest llm.Extra, content wire.Value) {
	var w jsonw.Writer
	w.Open('{')
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch k := string(key); k {
		case "content":
			content = m
		case "type", "id", "status", "role":
			w.KeyRaw(k, m.JSON())
		default:
			rest.Add(Name, k, m.JSON())
		}
		return nil
	})
	w.Close('}')
	return w.String(), rest, content
}

// heads returns a block with a note that a message item begins with it.
func heads(b llm.Block, head string, rest llm.Extra) llm.Block {
	var e llm.Extra
	tell(&e, itemNote, head)
	for _, f := range rest.Fields {
		e.Add(Name, itemPrefix+f.Key, f.Raw)
	}
	switch b := b.(type) {
	case llm.Text:
		b.Extra.Dialect = Name
		b.Extra.Fields = append(e.Fields, b.Extra.Fields...)
		return b
	case llm.Refusal:
		b.Extra.Dialect = Name
		b.Extra.Fields = append(e.Fields, b.Extra.Fields...)
		return b
	case llm.Media:
		b.Extra.Dialect = Name
		b.Extra.Fields = append(e.Fields, b.Extra.Fields...)
		return b
	}
	return b
}

// headOf returns the head of the message item that begins with a block.
func headOf(b llm.Block) (head string, rest []llm.Field, ok bool) {
	e := extraOf(b)
	head, ok = told(e, itemNote)
	if !ok {
		return "", nil, false
	}
	for _, f := range e.In(Name) {
		if key, cut := strings.CutPrefix(f.Key, itemPrefix); cut && f.Raw != "" {
			rest = append(rest, llm.Field{Key: key, Raw: f.Raw})
		}
	}
	return head, rest, true
}

func extraOf(b llm.Block) llm.Extra {
	switch b := b.(type) {
	case llm.Text:
		return b.Extra
	case llm.Refusal:
		return b.Extra
	case llm.Media:
		return b.Extra
	case llm.Thought:
		return b.Extra
	case llm.ToolUse:
		return b.Extra
	case llm.ToolDone:
		return b.Extra
	}
	return llm.Extra{}
}

// decodeCall reads a call; args is the member that holds its arguments.
func decodeCall(v wire.Value, args string) (llm.ToolUse, error) {
	b := llm.ToolUse{Kind: llm.ToolFunction}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "call_id":
			return m.StrTo(&b.ID)
		case "id":
			return m.StrTo(&b.Item)
		case "name":
			return m.StrTo(&b.Name)
		case "status":
			tell(&b.Extra, "status", m.JSON())
			return true, nil
		case args:
			b.Args, err = m.Str()
			return true, err
		}
		return false, nil
	})
	return b, err
}

// appendCall writes a call of this dialect's.
func appendCall(w *jsonw.Writer, b llm.ToolUse) {
	if raw, ok := told(b.Extra, noteAs); ok {
		appendAs(w, raw, b)
		return
	}
	custom := b.Kind == llm.ToolCustom || b.Extra.Noted(Name, noteCustom)
	if raw, ok := told(b.Extra, "namespace"); ok {
		b.Name = strings.TrimPrefix(b.Name, spaced(wire.Raw(raw).Text(), ""))
	}
	o := wire.Begin(w, retold(b.Extra))
	kind := "function_call"
	if custom {
		kind = "custom_tool_call"
	}
	o.Str("type", kind)
	o.OptStr("id", b.Item)
	o.OptStr("call_id", b.ID)
	o.OptStr("name", b.Name)
	switch {
	case !custom:
		o.Str("arguments", b.Args)
	case b.Kind == llm.ToolCustom:
		o.Str("input", b.Args)
	default:
		o.Str("input", unwrapInput(b.Args))
	}
	o.End()
}

// unwrapInput returns the argument of a custom tool. A model that was told of an object mostly makes one;
// anything else is the argument itself.
func unwrapInput(s string) string {
	if v := wire.Raw(s).Get("input"); v.Kind() == '"' {
		return v.Text()
	}
	return s
}

// decodeReasoning reads a reasoning item: its summary, its text, what is sealed of it. All of its text is
// one block; a note tells how it was in parts.
func decodeReasoning(v wire.Value) (llm.Thought, error) {
	var b llm.Thought
	var text strings.Builder
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch k := string(key); k {
		case "type":
			return true, nil
		case "id":
			return m.StrTo(&b.Item)
		case "status":
			tell(&b.Extra, k, m.JSON())
			return true, nil
		case "encrypted_content":
			return m.StrTo(&b.Sealed)
		case "summary", "content":
			return reasoningParts(&b, &text, k, m), nil
		}
		return false, nil
	})
	b.Text = text.String()
	if b.Sealed != "" {
		b.Origin = Name
		open(&b)
	}
	return b, err
}

// between is what stands between parts of reasoning where they are one text.
const between = "\n\n"

// reasoningParts adds the texts of a list of parts to the text of a block, and notes their lengths.
func reasoningParts(b *llm.Thought, text *strings.Builder, key string, v wire.Value) bool {
	if v.Kind() != '[' {
		return false
	}
	var texts []string
	plain := true
	_ = v.Elems(func(_ int, part wire.Value) error {
		kind := part.Get("type").Text()
		plain = plain && part.Len() == 2 && part.Get("text").Kind() == '"' && kind == partType(key)
		texts = append(texts, part.Get("text").Text())
		return nil
	})
	if !plain {
		return false
	}
	lengths := make([]string, 0, len(texts))
	for _, s := range texts {
		if text.Len() > 0 {
			text.WriteString(between)
		}
		text.WriteString(s)
		lengths = append(lengths, strconv.Itoa(len(s)))
	}
	b.Extra.Note(Name, key+":"+strings.Join(lengths, ","))
	if b.Field == "" && len(texts) > 0 {
		b.Field = key
	}
	return true
}

// partType returns the type of the parts of a list of a reasoning item.
func partType(key string) string {
	if key == "content" {
		return "reasoning_text"
	}
	return "summary_text"
}

// reasoningList is a list of a reasoning item with the texts of its parts.
type reasoningList struct {
	key   string
	texts []string
}

// lists returns the lists that the text of a block stood in. Where the text was changed since, it is one
// part.
func lists(b llm.Thought) []reasoningList {
	var out []reasoningList
	rest, taken := b.Text, 0
	for _, f := range b.Extra.In(Name) {
		key, lengths, ok := strings.Cut(f.Key, ":")
		if !ok || f.Raw != "" || key != "summary" && key != "content" {
			continue
		}
		l := reasoningList{key: key}
		for s := range strings.SplitSeq(lengths, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				continue // a list without parts
			}
			if taken > 0 {
				rest = strings.TrimPrefix(rest, between)
			}
			n = min(n, len(rest))
			l.texts = append(l.texts, rest[:n])
			rest, taken = rest[n:], taken+n
		}
		out = append(out, l)
	}
	if whole := joined(out); whole == b.Text && (whole != "" || len(out) > 0) {
		return out
	}
	key := b.Field
	if key != "content" {
		key = "summary"
	}
	l := reasoningList{key: key}
	if b.Text != "" {
		l.texts = []string{b.Text}
	}
	return []reasoningList{l}
}

// joined returns the texts of lists as one.
func joined(lists []reasoningList) string {
	var text strings.Builder
	for _, l := range lists {
		for _, s := range l.texts {
			if text.Len() > 0 {
				text.WriteString(between)
			}
			text.WriteString(s)
		}
	}
	return text.String()
}

// appendReasoning writes a reasoning item.
func appendReasoning(w *jsonw.Writer, b llm.Thought, id string, sealed string) {
	o := wire.Begin(w, retold(b.Extra))
	o.Str("type", "reasoning")
	o.OptStr("id", id)
	summary := !o.Free("summary")
	for _, l := range lists(b) {
		summary = summary || l.key == "summary"
		if !o.Free(l.key) {
			continue
		}
		w.KeyOpen(l.key, '[')
		for _, s := range l.texts {
			w.Open('{')
			w.KeyStr("type", partType(l.key))
			w.KeyStr("text", s)
			w.Close('}')
		}
		w.Close(']')
	}
	if !summary {
		w.KeyRaw("summary", "[]") // there must be one
	}
	o.OptStr("encrypted_content", sealed)
	o.End()
}
