package responses

import (
	"encoding/base64"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// input writes the turns as items.
func (e *requestEncoder) input(o wire.Object) {
	if !o.Free("input") || e.r.Extra.Noted(Name, noteNoInput) {
		return
	}
	if e.r.Extra.Noted(Name, noteInputString) {
		if text, ok := e.onlyInput(); ok {
			e.w.KeyStr("input", text)
			return
		}
	}
	e.w.KeyOpen("input", '[')
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		switch {
		case m.Place == "field":
		case m.Extra.Dialect == Name:
			e.homeMessage(m)
		default:
			e.foreignMessage(m, "messages["+itoa(i-e.fields)+"]")
		}
	}
	e.w.Close(']')
}

// onlyInput returns the text of a request whose input is one.
func (e *requestEncoder) onlyInput() (string, bool) {
	text, n := "", 0
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		if m.Place == "field" {
			continue
		}
		n++
		if len(m.Blocks) == 1 && m.Role == llm.User {
			if t, ok := m.Blocks[0].(llm.Text); ok {
				text = t.Text
				continue
			}
		}
		return "", false
	}
	return text, n == 1
}

// homeMessage says a message as it was said in this dialect.
func (e *requestEncoder) homeMessage(m *llm.Message) {
	w := &e.w
	switch m.Role {
	case llm.Assistant:
		e.homeBlocks(m.Blocks)
	case llm.ToolRole:
		for _, b := range m.Blocks {
			switch b := b.(type) {
			case llm.ToolDone:
				e.homeResult(b)
			case llm.Opaque:
				w.Raw(b.Raw)
			}
		}
	default:
		head, _ := told(m.Extra, itemNote)
		extra := llm.Extra{Dialect: Name}
		for _, f := range m.Extra.Fields {
			if f.Raw != "" {
				extra.Fields = append(extra.Fields, f)
			}
		}
		o := wire.Begin(w, extra.Fields)
		if head == "" {
			head = `{"role":` + quote(string(m.Role)) + `}`
		}
		wire.AppendMembers(w, head)
		e.content(m.Blocks, m.Plain, inputText)
		o.End()
	}
}

// content writes the content of a message: a string if it was one, or a list of parts.
func (e *requestEncoder) content(blocks []llm.Block, plain bool, usual string) {
	if t, ok := onlyText(blocks); ok && plain {
		e.w.KeyStr("content", t)
		return
	}
	e.parts("content", blocks, usual)
}

func (e *requestEncoder) parts(key string, blocks []llm.Block, usual string) {
	e.w.KeyOpen(key, '[')
	for _, b := range blocks {
		appendPart(&e.w, b, usual)
	}
	e.w.Close(']')
}

func onlyText(blocks []llm.Block) (string, bool) {
	if len(blocks) != 1 {
		return "", false
	}
	t, ok := blocks[0].(llm.Text)
	return t.Text, ok
}

// homeBlocks writes what the assistant said or did in this dialect. What another vendor sealed means
// nothing to the upstream, and is left out.
func (e *requestEncoder) homeBlocks(blocks []llm.Block) {
	for i := 0; i < len(blocks); i++ {
		switch b := blocks[i].(type) {
		case llm.ToolUse:
			if b.Signature != "" && b.Origin != Name {
				e.change(strippedState)
			}
			appendCall(&e.w, b)
		case llm.Thought:
			if (b.Signature != "" || b.Sealed != "") && b.Origin != Name {
				e.change(strippedState)
				continue
			}
			appendReasoning(&e.w, b, b.Item, b.Sealed)
		case llm.Opaque:
			e.w.Raw(b.Raw)
		default:
			n := messageLen(blocks[i:])
			e.homeItem(blocks[i : i+n])
			i += n - 1
		}
	}
}

// strippedState says that reasoning was left out which another vendor sealed.
const strippedState = "reasoning of another vendor removed from input"

// messageLen returns how many blocks at the start of a list are one message item.
func messageLen(blocks []llm.Block) int {
	n := 1
	for n < len(blocks) {
		switch blocks[n].(type) {
		case llm.ToolUse, llm.Thought:
			return n
		}
		if _, _, begins := headOf(blocks[n]); begins {
			return n
		}
		if o, ok := blocks[n].(llm.Opaque); ok && !partOf(o) {
			return n
		}
		n++
	}
	return n
}

// partOf reports whether an opaque block is a part of a message, and not an item.
func partOf(o llm.Opaque) bool {
	return strings.HasPrefix(o.Type, "input_") || strings.HasPrefix(o.Type, "output_")
}

// homeItem writes a message item.
func (e *requestEncoder) homeItem(blocks []llm.Block) {
	head, rest, _ := headOf(blocks[0])
	v := wire.Raw(head)
	o := wire.Begin(&e.w, rest)
	plain := v.Get("content").Found()
	if head == "" {
		o.Str("type", "message")
		o.Str("role", string(llm.Assistant))
	}
	if v.Kind() == '{' {
		_ = v.Members(func(key []byte, m wire.Value) error {
			if string(key) != "content" {
				e.w.KeyRaw(string(key), m.JSON())
			}
			return nil
		})
	}
	if extraOf(blocks[0]).Noted(Name, noteEmpty) {
		blocks = blocks[1:]
	}
	e.content(blocks, plain, outputText)
	o.End()
}

func (e *requestEncoder) homeResult(b llm.ToolDone) {
	if raw, ok := told(b.Extra, noteAs); ok {
		appendResultAs(&e.w, raw, b)
		return
	}
	o := wire.Begin(&e.w, retold(b.Extra))
	o.Str("type", "function_call_output")
	o.OptStr("call_id", b.ID)
	if t, ok := onlyText(b.Blocks); ok && b.Plain {
		e.w.KeyStr("output", t)
	} else {
		e.parts("output", b.Blocks, inputText)
	}
	o.End()
}

// foreignMessage says a message of another dialect, as one or several items.
func (e *requestEncoder) foreignMessage(m *llm.Message, path string) {
	e.extra(path, m.Extra)
	if m.Name != "" {
		e.Add(path+".name", "")
	}
	switch m.Role {
	case llm.Assistant:
		e.assistant(m, path)
	case llm.System, llm.Developer:
		role := m.Role
		if role == llm.Developer && e.traits.NoDeveloper {
			e.change("developer messages said as system messages")
			role = llm.System
		}
		e.turn(string(role), e.fitParts(m.Blocks, path), inputText)
	default:
		e.user(m, path)
	}
}

// turn writes a message. One of which nothing is left is left out.
func (e *requestEncoder) turn(role string, parts []llm.Block, usual string) {
	if len(parts) == 0 {
		return
	}
	e.w.Open('{')
	e.w.KeyStr("role", role)
	e.content(parts, true, usual)
	e.w.Close('}')
}

// fitParts makes blocks of another dialect parts of content.
func (e *requestEncoder) fitParts(blocks []llm.Block, path string) []llm.Block {
	var out []llm.Block
	for i, b := range blocks {
		out = append(out, e.fitPart(b, at(path, i))...)
	}
	return out
}

func (e *requestEncoder) fitPart(b llm.Block, path string) []llm.Block {
	switch b := b.(type) {
	case llm.Text:
		e.nameText(b, path)
		if b.Text == "" {
			return nil
		}
		return []llm.Block{llm.Text{Text: b.Text}}
	case llm.Refusal:
		return []llm.Block{llm.Text{Text: b.Text}}
	case llm.Media:
		return e.fitMedia(b, path)
	case llm.Opaque:
		if b.Dialect == Name {
			return []llm.Block{b}
		}
		e.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
		return nil
	}
	e.Add(path, blockWord(b)+" cannot be said there")
	return nil
}

// nameText names what of a text is not said.
func (e *requestEncoder) nameText(b llm.Text, path string) {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if len(b.Citations) > 0 && b.Extra.Dialect != Name {
		e.Add(path+".citations", "")
	}
	if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
}

// blockWord names a kind of block to people.
func blockWord(b llm.Block) string {
	switch b := b.(type) {
	case llm.Media:
		return string(b.Kind)
	case llm.Thought:
		return "reasoning"
	case llm.ToolUse:
		return "a call"
	case llm.ToolDone:
		return "a tool's result"
	case llm.Opaque:
		return b.Type
	}
	return "a block"
}

// fitMedia makes an image, a sound or a document one that can be said here.
func (e *requestEncoder) fitMedia(b llm.Media, path string) []llm.Block {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.Cite.V {
		e.Add(path+".citations", "")
	}
	b.Extra, b.Cache = llm.Extra{}, nil
	switch {
	case b.FileID != "" && b.Data == "" && b.URL == "":
		e.Add(path, "a file kept by another vendor")
	case b.Kind == llm.Image && (b.Data != "" || b.URL != ""), b.Kind == llm.Audio && b.Data != "":
		b.FileID = ""
		return []llm.Block{b}
	case b.Kind != llm.Document && b.Kind != llm.File:
		e.Add(path, string(b.Kind)+" cannot be said here")
	case b.Blocks != nil:
		e.Add(path, "a document is said as text")
		return append(heading(b), e.fitParts(b.Blocks, path)...)
	default:
		return e.fitDocument(b, path)
	}
	return nil
}

func (e *requestEncoder) fitDocument(b llm.Media, path string) []llm.Block {
	b.FileID = ""
	switch {
	case b.Text != "":
	case b.Data != "" && strings.HasPrefix(b.MIME, "text/"):
		text, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil {
			e.Add(path, "not base64")
			return nil
		}
		b.Text = string(text)
	case b.Data != "" || b.URL != "":
		if b.Context != "" {
			e.Add(path+".context", "")
		}
		if b.Name == "" && b.Data != "" {
			b.Name = "document" // there must be one here
		}
		if b.MIME == "" && b.Data != "" {
			b.MIME = "application/pdf"
		}
		return []llm.Block{b}
	default:
		e.Add(path, "without content")
		return nil
	}
	e.Add(path, "a document is said as text")
	return append(heading(b), llm.Text{Text: b.Text})
}

// heading says what a document is called and what it is about.
func heading(b llm.Media) []llm.Block {
	text := strings.Trim(b.Name+"\n"+b.Context, "\n")
	if text == "" {
		return nil
	}
	return []llm.Block{llm.Text{Text: text}}
}

// user writes what the user says. Results of tools come first, each an item of its own.
func (e *requestEncoder) user(m *llm.Message, path string) {
	var rest []llm.Block
	for i, b := range m.Blocks {
		done, ok := b.(llm.ToolDone)
		if !ok {
			rest = append(rest, e.fitPart(b, at(path, i))...)
			continue
		}
		if len(rest) > 0 {
			e.turn(string(llm.User), rest, inputText)
			rest = nil
		}
		e.result(done, at(path, i))
	}
	e.turn(string(llm.User), rest, inputText)
}

// result writes a tool's result, with whatever it holds.
func (e *requestEncoder) result(b llm.ToolDone, path string) {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.IsError.V {
		e.Add(path+".is_error", dialect.FailedInText)
		b.Blocks = dialect.Failed(b.Blocks)
	}
	parts := e.fitParts(b.Blocks, path)
	e.w.Open('{')
	if e.custom[b.ID] {
		e.w.KeyStr("type", "custom_tool_call_output")
	} else {
		e.w.KeyStr("type", "function_call_output")
	}
	e.w.KeyStr("call_id", fitID(b.ID))
	if text, ok := allText(parts); ok {
		e.w.KeyStr("output", text)
	} else {
		e.parts("output", parts, inputText)
	}
	e.w.Close('}')
}

// allText returns the texts of parts that are nothing but text.
func allText(parts []llm.Block) (string, bool) {
	texts := make([]string, 0, len(parts))
	for _, b := range parts {
		t, ok := b.(llm.Text)
		if !ok {
			return "", false
		}
		texts = append(texts, t.Text)
	}
	return strings.Join(texts, "\n\n"), true
}

// fitID makes an id of a call one that is taken here. It depends on the id alone.
func fitID(id string) string {
	if len(id) <= mostName {
		return id
	}
	return dialect.ToolNames{}.Fit(id, mostName)
}

// assistant writes what the model said and did, in its order.
func (e *requestEncoder) assistant(m *llm.Message, path string) {
	var spoken []llm.Block
	flush := func() {
		e.turn(string(llm.Assistant), spoken, outputText)
		spoken = nil
	}
	for i, b := range m.Blocks {
		path := at(path, i)
		switch b := b.(type) {
		case llm.Text:
			spoken = append(spoken, e.fitPart(b, path)...)
		case llm.Refusal:
			e.Add(path+".refusal", "said as text: the vendor describes refusals only in items that it made")
			spoken = append(spoken, llm.Text{Text: b.Text})
		case llm.Thought:
			flush()
			e.thought(b, path)
		case llm.ToolUse:
			flush()
			e.call(b, path)
		case llm.Opaque:
			if b.Dialect == Name {
				flush()
				e.w.Raw(b.Raw)
				continue
			}
			e.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
		default:
			e.Add(path, "the assistant says only text here")
		}
	}
	flush()
}

// thought hands reasoning back that was sealed in this dialect. No host reads another's seal, and most take
// no text.
func (e *requestEncoder) thought(b llm.Thought, path string) {
	e.extra(path, b.Extra)
	switch {
	case b.Origin == Name && b.Sealed != "":
		b.Extra = llm.Extra{}
		appendReasoning(&e.w, b, b.Item, b.Sealed)
	case e.traits.Unsigned && b.Text != "":
		if b.Signature != "" || b.Sealed != "" {
			e.Add(path+".signature", dialect.Foreign)
		}
		appendReasoning(&e.w, llm.Thought{Text: b.Text, Field: "content"}, "", "")
	case !b.Empty():
		e.Add(path, "the host takes no reasoning back but what it sealed")
	}
}

// call writes a call of another dialect's.
func (e *requestEncoder) call(b llm.ToolUse, path string) {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	if b.Kind == llm.ToolCustom {
		if e.custom == nil {
			e.custom = map[string]bool{}
		}
		e.custom[b.ID] = true
	} else if blank(b.Args) {
		b.Args = "{}"
	}
	b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
	b.ID, b.Item, b.Extra = fitID(b.ID), "", llm.Extra{}
	appendCall(&e.w, b)
}
