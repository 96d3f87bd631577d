package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// speech is what one message says, sorted into the fields in which the dialect says it.
type speech struct {
	thoughts []llm.Thought // beside the content
	parts    []llm.Block   // of the content
	refusal  *llm.Refusal
	calls    []llm.Block
	cites    []llm.Citation
}

func sortSpeech(blocks []llm.Block) speech {
	var s speech
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Thought:
			if b.Field == fieldContent {
				s.parts = append(s.parts, b)
			} else {
				s.thoughts = append(s.thoughts, b)
			}
		case llm.Refusal:
			if b.Extra.Noted(Name, notePart) || s.refusal != nil {
				s.parts = append(s.parts, b)
			} else {
				s.refusal = &b
			}
		case llm.ToolUse:
			s.calls = append(s.calls, b)
		case llm.Opaque:
			if strings.HasPrefix(b.Type, callPrefix) {
				s.calls = append(s.calls, b)
			} else {
				s.parts = append(s.parts, b)
			}
		case llm.Text:
			s.cites = append(s.cites, b.Citations...)
			s.parts = append(s.parts, b)
		default:
			s.parts = append(s.parts, b)
		}
	}
	return s
}

// text returns the texts of the content laid end to end.
func (s *speech) text() string {
	if len(s.parts) == 1 {
		t, _ := s.parts[0].(llm.Text)
		return t.Text
	}
	var b strings.Builder
	for _, p := range s.parts {
		if t, ok := p.(llm.Text); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// called reports whether a tool was called.
func (s *speech) called() bool { return len(s.calls) > 0 }

// appendParts writes content as a list of parts.
func appendParts(w *jsonw.Writer, parts []llm.Block) {
	w.Open('[')
	for _, b := range parts {
		appendPart(w, b)
	}
	w.Close(']')
}

func appendPart(w *jsonw.Writer, b llm.Block) {
	switch b := b.(type) {
	case llm.Text:
		o := wire.Begin(w, b.Extra.In(Name))
		w.KeyStr("type", "text")
		o.Str("text", b.Text)
		appendMark(w, b.Cache)
		o.End()
	case llm.Refusal:
		o := wire.Begin(w, b.Extra.In(Name))
		w.KeyStr("type", "refusal")
		o.Str("refusal", b.Text)
		o.End()
	case llm.Thought:
		o := wire.Begin(w, b.Extra.In(Name))
		w.KeyStr("type", "thinking")
		if o.Free("thinking") {
			w.KeyOpen("thinking", '[')
			w.Open('{')
			w.KeyStr("type", "text")
			w.KeyStr("text", b.Text)
			w.Close('}')
			w.Close(']')
		}
		o.OptStr("signature", b.Signature)
		o.End()
	case llm.Media:
		appendMedia(w, b)
	case llm.Opaque:
		w.Raw(b.Raw)
	}
}

// appendThoughts writes reasoning as it stood in a message of this dialect.
func (s *speech) appendThoughts(w *jsonw.Writer, extra llm.Extra) {
	var all strings.Builder
	var details []llm.Thought
	for _, t := range s.thoughts {
		all.WriteString(t.Text)
		if t.Field == fieldDetails {
			details = append(details, t)
		}
	}
	for _, name := range [...]string{fieldThought, fieldReasoning} {
		switch {
		case extra.Noted(Name, name+noteEmptyField):
			w.KeyStr(name, "")
		case extra.Noted(Name, name+noteSameField):
			w.KeyStr(name, all.String())
		default:
			for _, t := range s.thoughts {
				if t.Field == name {
					w.KeyStr(name, t.Text)
				}
			}
		}
	}
	if len(details) > 0 {
		appendDetails(w, details)
	}
}

func appendDetails(w *jsonw.Writer, details []llm.Thought) {
	w.KeyOpen(fieldDetails, '[')
	for i, t := range details {
		appendDetail(w, t, i)
	}
	w.Close(']')
}

// appendForeign writes reasoning that another dialect told: its text in the field that most clients read,
// and where it is signed, sealed or in several pieces the pieces as well, so that a client that sends
// them back brings the signatures back too.
func (s *speech) appendForeign(w *jsonw.Writer, field string) {
	if len(s.thoughts) == 0 {
		return
	}
	var all strings.Builder
	detailed := len(s.thoughts) > 1
	for _, t := range s.thoughts {
		all.WriteString(t.Text)
		detailed = detailed || t.Signature != "" || t.Sealed != ""
	}
	if all.Len() > 0 {
		w.KeyStr(field, all.String())
	}
	if detailed {
		appendDetails(w, s.thoughts)
	}
}

// appendCalls writes calls of tools.
func appendCalls(w *jsonw.Writer, calls []llm.Block) {
	w.KeyOpen("tool_calls", '[')
	for i, b := range calls {
		switch b := b.(type) {
		case llm.Opaque:
			w.Raw(b.Raw)
		case llm.ToolUse:
			appendCall(w, b, i)
		}
	}
	w.Close(']')
}

func appendCall(w *jsonw.Writer, b llm.ToolUse, index int) {
	key, args := "function", "arguments"
	if b.Kind == llm.ToolCustom {
		key, args = "custom", "input"
	}
	rest, extra := wire.Take(b.Extra, Name, key)
	o := wire.Begin(w, extra.In(Name))
	if extra.Noted(Name, noteIndexed) {
		w.KeyInt("index", int64(index))
	}
	o.Str("id", b.ID)
	o.Str("type", key)
	w.KeyOpen(key, '{')
	optMember(w, "name", b.Name)
	if !wire.Raw(rest).Get(args).Found() && !extra.Noted(Name, noteNoArguments) {
		w.KeyStr(args, b.Args)
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
	appendMark(w, b.Cache)
	if b.Signature != "" && o.Free(signatureMember) {
		w.KeyRaw(signatureMember, signatureJSON(b.Signature))
	}
	o.End()
}

// signatureMember is where the signature of a call stands in Gemini's form of chat completions, whose signatures
// alone are of calls.
const (
	signatureMember = "extra_content"
	signer          = "gemini"
)

// signatureIn returns the signature of a call, if that is all that the member holds.
func signatureIn(v wire.Value) string {
	if v.Len() != 1 || v.Get("google").Len() != 1 {
		return ""
	}
	return v.Get("google", "thought_signature").Text()
}

func signatureJSON(signature string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen("google", '{')
	w.KeyStr("thought_signature", signature)
	w.Close('}')
	w.Close('}')
	return w.String()
}

// fitCalls makes the calls of another dialect ones that can be said here: arguments are never empty but
// where the answer was cut off before them, names are what the caller calls its tools.
func fitCalls(calls []llm.Block, names dialect.ToolNames, cut bool) []llm.Block {
	out := make([]llm.Block, 0, len(calls))
	for i, b := range calls {
		if c, ok := b.(llm.ToolUse); ok {
			last := i == len(calls)-1
			if c.Kind != llm.ToolCustom && strings.TrimSpace(c.Args) == "" && !(cut && last) {
				c.Args = "{}"
			}
			c.Name = names.Back(c.Name)
			b = c
		}
		out = append(out, b)
	}
	return out
}

// appendAnnotations writes citations. One of another dialect is told by the page on the web that it
// names, and the span of the answer that it supports.
func appendAnnotations(w *jsonw.Writer, cites []llm.Citation) {
	w.KeyOpen("annotations", '[')
	for _, c := range cites {
		appendCitation(w, c)
	}
	w.Close(']')
}

func appendCitation(w *jsonw.Writer, c llm.Citation) {
	if c.Opaque.Dialect == Name {
		w.Raw(c.Opaque.Raw)
		return
	}
	w.Open('{')
	w.KeyStr("type", "url_citation")
	w.KeyOpen("url_citation", '{')
	w.KeyInt("start_index", int64(c.Start))
	w.KeyInt("end_index", int64(c.End))
	w.KeyStr("title", c.Title)
	w.KeyStr("url", c.URL)
	optMember(w, "content", c.Quote) // the words cited, where OpenRouter has them
	w.Close('}')
	w.Close('}')
}

// citable reports whether a citation can be told here.
func citable(c llm.Citation) bool { return c.Opaque.Dialect == Name || c.URL != "" }

// cited is the reason given for what is left out of a citation of another vendor.
const cited = "told by the page, the words cited and the span of the answer"

func decodeCitation(v wire.Value) llm.Citation {
	c := llm.Citation{Source: -1, Opaque: opaque(v.Get("type").Text(), v)}
	if v.Kind() != '{' {
		return c
	}
	if u := v.Get("url_citation"); u.Kind() == '{' {
		c.Kind, c.URL, c.Title = llm.CiteURL, u.Get("url").Text(), u.Get("title").Text()
		c.Start, c.End = int(u.Get("start_index").Count()), int(u.Get("end_index").Count())
		c.Quote = u.Get("content").Text()
	}
	return c
}
