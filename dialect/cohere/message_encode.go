package cohere

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// appendContent writes a part of a content. What the dialect cannot say has been taken out or changed
// before.
func appendContent(w *jsonw.Writer, b llm.Block) {
	switch b := b.(type) {
	case llm.Text:
		o := wire.Begin(w, b.Extra.In(Name))
		w.KeyStr("type", "text")
		o.Str("text", b.Text)
		o.End()
	case llm.Thought:
		o := wire.Begin(w, b.Extra.In(Name))
		w.KeyStr("type", "thinking")
		o.Str("thinking", b.Text)
		if dialect.Signed(b) {
			w.Key(dialect.Details)
			dialect.AppendDetails(w, []llm.Thought{b})
		}
		o.End()
	case llm.Media:
		appendMedia(w, b)
	case llm.Opaque:
		w.Raw(b.Raw)
	}
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	if b.Kind != llm.Image {
		w.Open('{')
		w.KeyStr("type", "document")
		w.Key("document")
		appendDocument(w, b)
		w.Close('}')
		return
	}
	inner, rest := under(b.Extra.In(Name), "image_url")
	o := wire.Begin(w, rest)
	w.KeyStr("type", "image_url")
	w.Key("image_url")
	i := wire.Begin(w, inner)
	if b.Data != "" {
		w.Key("url")
		w.Strs("data:", b.MIME, ";base64,", b.Data)
	} else {
		i.Str("url", b.URL)
	}
	i.OptStr("detail", b.Detail)
	i.End()
	o.End()
}

func appendCall(w *jsonw.Writer, c llm.ToolUse) {
	inner, rest := under(c.Extra.In(Name), "function")
	o := wire.Begin(w, rest)
	o.Str("id", c.ID)
	o.Str("type", "function")
	w.Key("function")
	f := wire.Begin(w, inner)
	f.Str("name", c.Name)
	f.Str("arguments", c.Args)
	f.End()
	o.End()
}

// said is what a message says, by the members that it is said in.
type said struct {
	plan    string
	content []llm.Block
	calls   []llm.ToolUse
	cites   []string // citations, as JSON
}

// add puts a block that can be said where it belongs.
func (s *said) add(b llm.Block) {
	switch b := b.(type) {
	case llm.Thought:
		if b.Field == notePlan && b.Extra.Dialect == Name {
			s.plan += b.Text
			return
		}
		s.content = append(s.content, b)
	case llm.ToolUse:
		s.calls = append(s.calls, b)
	case llm.Text:
		at := len(s.content)
		for _, c := range b.Citations {
			s.cites = append(s.cites, citation(c, b.Text, at))
		}
		if b.Text != "" || len(b.Citations) == 0 {
			s.content = append(s.content, b)
		}
	default:
		s.content = append(s.content, b)
	}
}

// append writes the members of a message. plain says that a text alone is said as a bare string.
func (s *said) append(w *jsonw.Writer, o wire.Object, plain bool) {
	o.OptStr("tool_plan", s.plan)
	switch {
	case plain && len(s.content) == 1 && plainText(s.content[0]) && o.Free("content"):
		w.KeyStr("content", s.content[0].(llm.Text).Text)
	case len(s.content) > 0 && o.Free("content"):
		w.KeyOpen("content", '[')
		for _, b := range s.content {
			appendContent(w, b)
		}
		w.Close(']')
	}
	if len(s.calls) > 0 {
		w.KeyOpen("tool_calls", '[')
		for _, c := range s.calls {
			appendCall(w, c)
		}
		w.Close(']')
	}
	if len(s.cites) > 0 {
		w.KeyOpen("citations", '[')
		for _, c := range s.cites {
			w.Raw(c)
		}
		w.Close(']')
	}
}

func plainText(b llm.Block) bool {
	t, ok := b.(llm.Text)
	return ok && t.Extra.Empty()
}

// citation says a citation of a text: as it stood, or made of what another vendor tells. Where that is a
// place in the document and not in the answer, the text as a whole is what cites.
func citation(c llm.Citation, text string, index int) string {
	if c.Opaque.Dialect == Name {
		return c.Opaque.Raw
	}
	var w jsonw.Writer
	w.Open('{')
	start, end, quote := c.Start, c.End, c.Quote
	if c.Kind != llm.CiteURL && c.Opaque.Dialect != FirstName || end <= start {
		start, end, quote = 0, len([]rune(text)), text
	}
	w.KeyInt("start", int64(start))
	w.KeyInt("end", int64(end))
	w.KeyStr("text", quote)
	w.KeyOpen("sources", '[')
	w.Open('{')
	w.KeyStr("type", "document")
	id := c.URL
	if c.Opaque.Dialect == FirstName {
		id = wire.Raw(c.Opaque.Raw).Get("document_ids", "0").Text()
	}
	if id == "" {
		id = "doc:" + itoa(max(c.Source, 0))
	}
	w.KeyStr("id", id)
	w.KeyOpen("document", '{')
	w.KeyStr("id", id)
	if c.Title != "" {
		w.KeyStr("title", c.Title)
	}
	if c.URL != "" {
		w.KeyStr("url", c.URL)
	}
	if c.Quote != "" {
		w.KeyStr("snippet", c.Quote)
	}
	w.Close('}')
	w.Close('}')
	w.Close(']')
	w.KeyInt("content_index", int64(index))
	w.KeyStr("type", "TEXT_CONTENT")
	w.Close('}')
	return w.String()
}
