package converse

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// appendBlocks writes content. What the dialect cannot say has been taken out or changed before: this
// writes everything that it is given.
func appendBlocks(w *jsonw.Writer, blocks []llm.Block) {
	w.Open('[')
	for _, b := range blocks {
		appendBlock(w, b)
		appendMark(w, markOf(b))
	}
	w.Close(']')
}

func markOf(b llm.Block) *llm.CacheMark {
	switch b := b.(type) {
	case llm.Text:
		return b.Cache
	case llm.Media:
		return b.Cache
	case llm.ToolUse:
		return b.Cache
	case llm.ToolDone:
		return b.Cache
	}
	return nil
}

// appendMark writes a cache point, which is a block of its own.
func appendMark(w *jsonw.Writer, c *llm.CacheMark) {
	if c == nil {
		return
	}
	w.Open('{')
	w.Key("cachePoint")
	o := wire.Begin(w, c.Extra.In(Name))
	o.Str("type", "default")
	o.OptStr("ttl", c.TTL)
	o.End()
	w.Close('}')
}

func appendBlock(w *jsonw.Writer, b llm.Block) {
	if o, ok := b.(llm.Opaque); ok {
		w.Raw(o.Raw)
		return
	}
	w.Open('{')
	switch b := b.(type) {
	case llm.Text:
		appendText(w, b)
	case llm.Refusal:
		w.KeyStr("text", b.Text)
	case llm.Thought:
		appendThought(w, b)
	case llm.ToolUse:
		appendToolUse(w, b)
	case llm.ToolDone:
		appendToolDone(w, b)
	case llm.Media:
		appendMedia(w, b)
	}
	w.Close('}')
}

func appendText(w *jsonw.Writer, b llm.Text) {
	guard, _ := b.Extra.Get("guardContent")
	switch {
	case b.Extra.Noted(Name, noteJSON):
		w.KeyRaw("json", b.Text)
	case guard != "" && b.Extra.Dialect == Name:
		appendGuarded(w, b, guard)
	case len(b.Citations) > 0 || b.Extra.Noted(Name, noteCited):
		appendCited(w, b)
	default:
		w.KeyStr("text", b.Text)
	}
}

// appendGuarded writes a text for a guardrail with what it was said to be.
func appendGuarded(w *jsonw.Writer, b llm.Text, raw string) {
	w.KeyOpen("guardContent", '{')
	w.KeyOpen("text", '{')
	w.KeyStr("text", b.Text)
	_ = wire.Raw(raw).Get("text").Members(func(key []byte, m wire.Value) error {
		if string(key) != "text" {
			w.KeyRaw(string(key), m.JSON())
		}
		return nil
	})
	w.Close('}')
	w.Close('}')
}

func appendCited(w *jsonw.Writer, b llm.Text) {
	w.Key("citationsContent")
	o := wire.Begin(w, b.Extra.In(Name))
	if !b.Extra.Noted(Name, noteCited) || b.Extra.Noted(Name, noteContent) && rawOf(b.Extra, "content") == "" {
		w.KeyOpen("content", '[')
		w.Open('{')
		w.KeyStr("text", b.Text)
		w.Close('}')
		w.Close(']')
	}
	if len(b.Citations) > 0 {
		w.KeyOpen("citations", '[')
		for _, c := range b.Citations {
			appendCitation(w, c)
		}
		w.Close(']')
	}
	o.End()
}

// rawOf returns a member that is no note.
func rawOf(e llm.Extra, key string) string {
	for _, f := range e.In(Name) {
		if f.Key == key && f.Raw != "" {
			return f.Raw
		}
	}
	return ""
}

// appendCitation writes a citation, as it stood where it was said here.
func appendCitation(w *jsonw.Writer, c llm.Citation) {
	if c.Opaque.Dialect == Name {
		w.Raw(c.Opaque.Raw)
		return
	}
	w.Open('{')
	if c.Title != "" {
		w.KeyStr("title", c.Title)
	}
	if c.Kind == llm.CiteSearch && c.URL != "" {
		w.KeyStr("source", c.URL)
	}
	if c.Quote != "" {
		w.KeyOpen("sourceContent", '[')
		w.Open('{')
		w.KeyStr("text", c.Quote)
		w.Close('}')
		w.Close(']')
	}
	w.KeyOpen("location", '{')
	if c.Kind == llm.CiteURL {
		w.KeyOpen("web", '{')
		w.KeyStr("url", c.URL)
		w.Close('}')
	} else {
		key, index := location(c.Kind)
		w.KeyOpen(key, '{')
		w.KeyInt(index, int64(max(c.Source, 0)))
		w.KeyInt("start", int64(c.Start))
		w.KeyInt("end", int64(c.End))
		w.Close('}')
	}
	w.Close('}')
	w.Close('}')
}

// location names where a citation points to, or returns "" for what cannot be said.
func location(k llm.CiteKind) (key, index string) {
	switch k {
	case llm.CiteChar:
		return "documentChar", "documentIndex"
	case llm.CitePage:
		return "documentPage", "documentIndex"
	case llm.CiteBlock:
		return "documentChunk", "documentIndex"
	case llm.CiteSearch:
		return "searchResultLocation", "searchResultIndex"
	}
	return "", ""
}

// citable reports whether a citation can be said here.
func citable(c llm.Citation) bool {
	key, _ := location(c.Kind)
	return c.Opaque.Dialect == Name || key != "" || c.Kind == llm.CiteURL && c.URL != ""
}

func appendThought(w *jsonw.Writer, b llm.Thought) {
	w.KeyOpen("reasoningContent", '{')
	if b.Sealed != "" {
		w.KeyStr("redactedContent", redacted(b))
		w.Close('}')
		return
	}
	w.Key("reasoningText")
	o := wire.Begin(w, b.Extra.In(Name))
	o.Str("text", b.Text)
	if s := closeSignature(b); s != "" {
		w.KeyStr("signature", s)
	} else if b.Extra.Dialect == Name && !b.Extra.Noted(Name, noteUnsigned) && rawOf(b.Extra, "signature") == "" {
		w.KeyStr("signature", "")
	}
	o.End()
	w.Close('}')
}

func appendToolUse(w *jsonw.Writer, b llm.ToolUse) {
	w.Key("toolUse")
	o := wire.Begin(w, b.Extra.In(Name))
	o.Str("toolUseId", b.ID)
	o.Str("name", b.Name)
	if blank(b.Args) {
		b.Args = "{}"
	}
	o.Raw("input", b.Args)
	if b.Extra.Noted(Name, noteToolType) {
		w.KeyStr("type", "tool_use")
	}
	o.End()
}

func appendToolDone(w *jsonw.Writer, b llm.ToolDone) {
	w.Key("toolResult")
	o := wire.Begin(w, b.Extra.In(Name))
	o.Str("toolUseId", b.ID)
	if b.Blocks != nil && o.Free("content") {
		w.Key("content")
		appendBlocks(w, b.Blocks)
	}
	switch {
	case !b.IsError.Set:
	case b.IsError.V:
		o.Str("status", "error")
	default:
		o.Str("status", "success")
	}
	o.End()
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	guard := rawOf(b.Extra, "guardContent")
	switch {
	case guard != "" && b.Extra.Dialect == Name:
		w.KeyRaw("guardContent", guard)
		return
	case b.Extra.Noted(Name, noteSearch):
		appendSearchResult(w, b)
		return
	case b.Kind == llm.File:
		b.Kind = llm.Document
	}
	w.Key(string(b.Kind))
	o := wire.Begin(w, b.Extra.In(Name))
	if f := formatOf(b); f != "" {
		o.Str("format", f)
	}
	if b.Kind == llm.Document {
		o.OptStr("name", b.Name)
	}
	if o.Free("source") {
		appendSource(w, b)
	}
	if b.Kind == llm.Document {
		o.OptStr("context", b.Context)
		appendCite(w, o, b)
	}
	o.End()
}

func appendCite(w *jsonw.Writer, o wire.Object, b llm.Media) {
	if b.Cite.Set && o.Free("citations") {
		w.KeyOpen("citations", '{')
		w.KeyBool("enabled", b.Cite.V)
		w.Close('}')
	}
}

func appendSource(w *jsonw.Writer, b llm.Media) {
	w.KeyOpen("source", '{')
	switch {
	case b.Data != "":
		w.KeyStr("bytes", b.Data)
	case b.URL != "":
		w.KeyOpen("s3Location", '{')
		w.KeyStr("uri", b.URL)
		w.Close('}')
	case b.Text != "":
		w.KeyStr("text", b.Text)
	case b.Blocks != nil:
		w.Key("content")
		appendTexts(w, b.Blocks)
	}
	w.Close('}')
}

func appendTexts(w *jsonw.Writer, blocks []llm.Block) {
	w.Open('[')
	for _, b := range blocks {
		if t, ok := b.(llm.Text); ok {
			w.Open('{')
			w.KeyStr("text", t.Text)
			w.Close('}')
		}
	}
	w.Close(']')
}

func appendSearchResult(w *jsonw.Writer, b llm.Media) {
	w.Key("searchResult")
	o := wire.Begin(w, b.Extra.In(Name))
	o.Str("source", b.Context)
	o.Str("title", b.Name)
	w.Key("content")
	appendTexts(w, b.Blocks)
	appendCite(w, o, b)
	o.End()
}
