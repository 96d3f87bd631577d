package openai

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

func (e *requestEncoder) messages() {
	e.w.KeyOpen("messages", '[')
	apart := 0 // messages before this one are said one by one
	for i := 0; i < len(e.r.Messages); i++ {
		m := &e.r.Messages[i]
		if m.Extra.Dialect == Name {
			e.homeMessage(m)
			continue
		}
		path := "messages[" + itoa(i-e.fields) + "]"
		if m.Place == "field" {
			path = "system"
			e.fields++
		}
		if i >= apart {
			n, one := turnOf(e.r.Messages[i:])
			apart = i + n
			if one {
				m = e.join(i, n)
				i += n - 1
			}
		}
		e.foreignMessage(m, path)
		e.joined = e.joined[:0]
	}
	e.w.Close(']')
}

// turnOf returns how many messages at the start of a list are of one role, and whether they must be said
// as one. Where results of tools are blocks, neighbouring messages of a role are one turn; here the results
// must follow the calls at once.
func turnOf(list []llm.Message) (n int, one bool) {
	calls := holds[llm.ToolUse](list[0].Blocks)
	for n = 1; n < len(list) && list[n].Role == list[0].Role && list[n].Extra.Dialect != Name; n++ {
		one = one || calls || holds[llm.ToolDone](list[n].Blocks)
		calls = calls || holds[llm.ToolUse](list[n].Blocks)
	}
	return n, one
}

func holds[B llm.Block](blocks []llm.Block) bool {
	return slices.ContainsFunc(blocks, func(b llm.Block) bool { _, ok := b.(B); return ok })
}

// joint is where the blocks of a message begin among those of several that are said as one.
type joint struct {
	from int
	path string
}

// join returns n messages as one.
func (e *requestEncoder) join(from, n int) *llm.Message {
	whole := llm.Message{Role: e.r.Messages[from].Role, Name: e.r.Messages[from].Name}
	for i := from; i < from+n; i++ {
		m := &e.r.Messages[i]
		path := "messages[" + itoa(i-e.fields) + "]"
		e.extra(path, m.Extra)
		e.joined = append(e.joined, joint{len(whole.Blocks), path})
		whole.Blocks = append(whole.Blocks, m.Blocks...)
	}
	return &whole
}

// at returns the path of a block of the message at hand.
func (e *requestEncoder) at(path string, i int) string {
	for _, j := range slices.Backward(e.joined) {
		if i >= j.from {
			return at(j.path, i-j.from)
		}
	}
	return at(path, i)
}

// role returns how a role is called here.
func (e *requestEncoder) role(r llm.Role) string {
	if r == llm.Developer && e.traits.NoDeveloper {
		e.change(noDeveloper)
		r = llm.System
	}
	return string(r)
}

const noDeveloper = "developer messages said as system messages"

// homeMessage says a message as it was said in this dialect.
func (e *requestEncoder) homeMessage(m *llm.Message) {
	if len(m.Blocks) == 1 {
		if b, ok := m.Blocks[0].(llm.Opaque); ok && b.Type == functionMessage {
			e.w.Raw(b.Raw)
			return
		}
	}
	w := &e.w
	o := wire.Begin(w, retold(m.Extra))
	o.Str("role", e.role(m.Role))
	o.OptStr("name", m.Name)
	blocks, plain := m.Blocks, m.Plain
	if m.Role == llm.ToolRole {
		blocks, plain = nil, false
		for _, b := range m.Blocks {
			if done, ok := b.(llm.ToolDone); ok {
				o.OptStr("tool_call_id", done.ID)
				blocks, plain = done.Blocks, done.Plain
			}
		}
	}
	s := sortSpeech(blocks)
	s.appendThoughts(w, m.Extra)
	switch {
	case !o.Free("content"):
	case m.Extra.Noted(Name, noteNoParts):
		w.KeyRaw("content", "[]")
	case m.Extra.Noted(Name, noteEmptyContent), plain:
		w.KeyStr("content", s.text())
	case len(s.parts) > 0:
		w.Key("content")
		appendParts(w, s.parts)
	}
	if s.refusal != nil {
		w.KeyStr("refusal", s.refusal.Text)
	}
	if s.called() {
		appendCalls(w, s.calls)
	} else if m.Extra.Noted(Name, noteNoCalls) {
		w.KeyRaw("tool_calls", "[]")
	}
	o.End()
}

// foreignMessage says a message of another dialect, as one or several.
func (e *requestEncoder) foreignMessage(m *llm.Message, path string) {
	e.extra(path, m.Extra)
	switch m.Role {
	case llm.Assistant:
		e.assistant(m, path)
	case llm.System, llm.Developer:
		e.turn(e.role(m.Role), m.Name, e.fitParts(m.Blocks, path, true))
	default:
		e.user(m, path)
	}
}

func at(path string, i int) string { return path + ".content[" + itoa(i) + "]" }

// turn writes a message of text, or of parts where there is more than text. Text alone is said as a
// string: many hosts take nothing else. A message of which nothing is left is left out.
func (e *requestEncoder) turn(role, name string, parts []llm.Block) {
	if len(parts) == 0 {
		return
	}
	e.w.Open('{')
	e.w.KeyStr("role", role)
	optMember(&e.w, "name", name)
	if text, ok := onlyText(parts, "\n\n"); ok {
		e.w.KeyStr("content", text)
	} else {
		e.w.Key("content")
		appendParts(&e.w, parts)
	}
	e.w.Close('}')
}

// onlyText returns the texts of parts that are nothing but text.
func onlyText(parts []llm.Block, between string) (string, bool) {
	texts := make([]string, 0, len(parts))
	for _, b := range parts {
		t, ok := b.(llm.Text)
		if !ok {
			return "", false
		}
		texts = append(texts, t.Text)
	}
	return strings.Join(texts, between), true
}

// fitParts makes blocks of another dialect parts of content.
func (e *requestEncoder) fitParts(blocks []llm.Block, path string, system bool) []llm.Block {
	var out []llm.Block
	for i, b := range blocks {
		if plain(b) {
			out = append(out, b)
			continue
		}
		out = append(out, e.fitPart(b, at(path, i), system)...)
	}
	return out
}

// plain reports whether a block of another dialect is a text and nothing else, which is said as it is.
func plain(b llm.Block) bool {
	t, ok := b.(llm.Text)
	return ok && t.Text != "" && t.Cache == nil && t.Signature == "" && len(t.Citations) == 0 && t.Extra.Empty() && t.Extra.Dialect != Name
}

func (e *requestEncoder) fitPart(b llm.Block, path string, system bool) []llm.Block {
	switch b := b.(type) {
	case llm.Text:
		if t := e.fitText(b, path); t.Text != "" {
			return []llm.Block{t}
		}
		return nil
	case llm.Refusal:
		return []llm.Block{llm.Text{Text: b.Text}}
	case llm.Media:
		if system {
			break
		}
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

func (e *requestEncoder) fitText(b llm.Text, path string) llm.Text {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if len(b.Citations) > 0 {
		e.Add(path+".citations", "")
	}
	if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	return llm.Text{Text: b.Text}
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
		return []llm.Block{b}
	case b.Kind != llm.Document && b.Kind != llm.File:
		e.Add(path, string(b.Kind)+" cannot be said here")
	case b.Blocks != nil:
		e.Add(path, "a document is said as text")
		return append(heading(b), e.fitParts(b.Blocks, path, false)...)
	default:
		return e.fitDocument(b, path)
	}
	return nil
}

func (e *requestEncoder) fitDocument(b llm.Media, path string) []llm.Block {
	switch {
	case b.Text != "":
	case b.Data != "" && strings.HasPrefix(b.MIME, "text/"):
		text, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil {
			e.Add(path, "not base64")
			return nil
		}
		b.Text = string(text)
	case b.Data != "":
		if b.Context != "" {
			e.Add(path+".context", "")
		}
		if b.Name == "" {
			b.Name = "document" // there must be one here
		}
		return []llm.Block{b}
	case b.URL != "":
		e.Add(path, "a document cannot be given by its address")
		return nil
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

// user writes what the user says. Results of tools come first, each a message of its own, as they must
// follow the calls.
func (e *requestEncoder) user(m *llm.Message, path string) {
	var rest, media []llm.Block
	said := false
	for i, b := range m.Blocks {
		done, ok := b.(llm.ToolDone)
		if plain(b) {
			rest, said = append(rest, b), true
			continue
		}
		if !ok {
			more := e.fitPart(b, e.at(path, i), false)
			said = said || len(more) > 0
			rest = append(rest, more...)
			continue
		}
		if said {
			e.Add(e.at(path, i), "a tool's result is said before what precedes it")
			said = false
		}
		media = append(media, e.result(done, e.at(path, i))...)
	}
	e.turn(string(llm.User), m.Name, append(media, rest...))
}

// result writes a tool's result and returns what it cannot hold: anything but text. The user says that
// afterwards.
func (e *requestEncoder) result(b llm.ToolDone, path string) []llm.Block {
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.IsError.V {
		e.Add(path+".is_error", dialect.FailedInText)
		b.Blocks = dialect.Failed(b.Blocks)
	}
	var texts []string
	var media []llm.Block
	for i, x := range b.Blocks {
		for _, p := range e.fitPart(x, at(path, i), false) {
			if t, ok := p.(llm.Text); ok {
				texts = append(texts, t.Text)
				continue
			}
			e.Add(at(path, i), "a tool's result holds only text here: the user says it afterwards")
			media = append(media, p)
		}
	}
	id := fitID(b.ID)
	if len(media) > 0 {
		media = append([]llm.Block{llm.Text{Text: "What the tool call " + id + " returned:"}}, media...)
		if len(texts) == 0 {
			texts = []string{"The result follows in the next message of the user."}
		}
	}
	e.w.Open('{')
	e.w.KeyStr("role", string(llm.ToolRole))
	e.w.KeyStr("tool_call_id", id)
	e.w.KeyStr("content", strings.Join(texts, "\n\n"))
	e.w.Close('}')
	return media
}

// fitID makes an id of a call one that hosts take. It depends on the id alone.
func fitID(id string) string {
	if len(id) <= mostName {
		return id
	}
	return dialect.ToolNames{}.Fit(id, mostName)
}

// assistant writes what the model said.
func (e *requestEncoder) assistant(m *llm.Message, path string) {
	e.order(m.Blocks, path)
	var s speech
	for i, b := range m.Blocks {
		if plain(b) {
			s.parts = append(s.parts, b)
			continue
		}
		e.sortForeign(&s, b, e.at(path, i))
	}
	text, reasoning := s.text(), ""
	for _, t := range s.thoughts {
		reasoning += t.Text
	}
	if text == "" && !s.called() && s.refusal == nil && reasoning == "" {
		return
	}
	w := &e.w
	w.Open('{')
	w.KeyStr("role", string(llm.Assistant))
	optMember(w, "name", m.Name)
	if e.traits.Unsigned { // such a host wants it of every message, were it empty
		w.KeyStr(e.reasoningField(), reasoning)
	}
	if text != "" || !s.called() && s.refusal == nil {
		w.KeyStr("content", text)
	} else {
		w.KeyNull("content")
	}
	if s.refusal != nil {
		w.KeyStr("refusal", s.refusal.Text)
	}
	if s.called() {
		appendCalls(w, fitCalls(s.calls, dialect.ToolNames{}, false))
	}
	w.Close('}')
}

func (e *requestEncoder) reasoningField() string {
	if e.traits.ReasoningField != "" {
		return e.traits.ReasoningField
	}
	return fieldThought
}

// sortForeign puts a block of another dialect where it can be said.
func (e *requestEncoder) sortForeign(s *speech, b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Text:
		s.parts = append(s.parts, e.fitText(b, path))
	case llm.Refusal:
		s.refusal = &llm.Refusal{Text: b.Text}
	case llm.Thought:
		e.fitThought(s, b, path)
	case llm.ToolUse:
		e.extra(path, b.Extra)
		e.mark(b.Cache)
		if b.Signature != "" {
			e.Add(path+".signature", dialect.Foreign)
		}
		b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
		b.ID, b.Extra, b.Cache, b.Signature = fitID(b.ID), llm.Extra{}, nil, ""
		s.calls = append(s.calls, b)
	case llm.Opaque:
		e.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
	default:
		e.Add(path, "the assistant says only text here")
	}
}

// fitThought hands reasoning back to hosts that take it. Most refuse it, and none reads another's seal.
func (e *requestEncoder) fitThought(s *speech, b llm.Thought, path string) {
	e.extra(path, b.Extra)
	if !e.traits.Unsigned {
		if !b.Empty() {
			e.Add(path, "the host takes no reasoning back")
		}
		return
	}
	if b.Signature != "" || b.Sealed != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	s.thoughts = append(s.thoughts, b)
}
