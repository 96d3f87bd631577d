package anthropic

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// appendBlock writes a block. What the dialect cannot say has been taken out or changed before: this
// writes everything that it is given.
func appendBlock(w *jsonw.Writer, b llm.Block) {
	switch b := b.(type) {
	case llm.Text:
		appendText(w, b)
	case llm.Refusal:
		appendText(w, llm.Text{Text: b.Text})
	case llm.Thought:
		appendThought(w, b)
	case llm.ToolUse:
		appendToolUse(w, b)
	case llm.ToolDone:
		appendToolDone(w, b)
	case llm.Media:
		appendMedia(w, b)
	case llm.Opaque:
		w.Raw(b.Raw)
	}
}

func appendBlocks(w *jsonw.Writer, blocks []llm.Block) {
	w.Open('[')
	for _, b := range blocks {
		appendBlock(w, b)
	}
	w.Close(']')
}

func appendText(w *jsonw.Writer, b llm.Text) {
	o := wire.Begin(w, b.Extra.In(Name))
	w.KeyStr("type", "text")
	o.Str("text", b.Text)
	if len(b.Citations) > 0 {
		o.Forget("citations")
		w.KeyOpen("citations", '[')
		for _, c := range b.Citations {
			appendCitation(w, c)
		}
		w.Close(']')
	}
	appendMark(w, b.Cache)
	o.End()
}

// appendCitation writes a citation as it stood. Of another vendor's only the page on the web can be
// told; it has no encrypted index, and so is taken out again before it gets back to Anthropic.
func appendCitation(w *jsonw.Writer, c llm.Citation) {
	if c.Opaque.Dialect == Name {
		w.Raw(c.Opaque.Raw)
		return
	}
	w.Open('{')
	w.KeyStr("type", "web_search_result_location")
	w.KeyStr("cited_text", c.Quote)
	w.KeyStr("url", c.URL)
	w.KeyStr("title", c.Title)
	w.KeyStr("encrypted_index", "")
	w.Close('}')
}

func appendThought(w *jsonw.Writer, b llm.Thought) {
	o := wire.Begin(w, b.Extra.In(Name))
	if b.Origin != Name && b.Origin != "" && dialect.Signed(b) { // another vendor's, said again as it came
		sealed := dialect.Enclose(b)
		if b.Text == "" && b.Sealed != "" {
			b.Sealed = sealed
		} else {
			b.Sealed, b.Signature = "", sealed
		}
	}
	if b.Sealed != "" {
		w.KeyStr("type", "redacted_thinking")
		o.Str("data", b.Sealed)
		o.End()
		return
	}
	if b.Signature != "" {
		o.Forget("signature")
	}
	w.KeyStr("type", "thinking")
	o.Str("thinking", b.Text)
	o.Str("signature", b.Signature)
	o.End()
}

func appendToolUse(w *jsonw.Writer, b llm.ToolUse) {
	o := wire.Begin(w, b.Extra.In(Name))
	w.KeyStr("type", "tool_use")
	o.Str("id", b.ID)
	o.Str("name", b.Name)
	if blank(b.Args) {
		b.Args = "{}"
	} else {
		o.Forget("input")
	}
	o.Raw("input", b.Args)
	if b.Extra.Noted(Name, noteDirect) {
		w.KeyRaw("caller", `{"type":"direct"}`)
	}
	appendMark(w, b.Cache)
	o.End()
}

func appendToolDone(w *jsonw.Writer, b llm.ToolDone) {
	o := wire.Begin(w, b.Extra.In(Name))
	w.KeyStr("type", "tool_result")
	o.Str("tool_use_id", b.ID)
	if b.Blocks != nil && o.Free("content") {
		w.Key("content")
		appendContent(w, b.Blocks, b.Plain)
	}
	o.OptBool("is_error", b.IsError)
	appendMark(w, b.Cache)
	o.End()
}

// appendContent writes content as a string where it was one, and as a list otherwise.
func appendContent(w *jsonw.Writer, blocks []llm.Block, plain bool) {
	if plain && len(blocks) == 0 {
		w.Str("")
		return
	}
	if plain && len(blocks) == 1 {
		if t, ok := blocks[0].(llm.Text); ok && t.Cache == nil && len(t.Citations) == 0 && t.Extra.Empty() {
			w.Str(t.Text)
			return
		}
	}
	appendBlocks(w, blocks)
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	o := wire.Begin(w, b.Extra.In(Name))
	if b.Extra.Noted(Name, noteSearchResult) {
		w.KeyStr("type", "search_result")
		w.KeyStr("title", b.Name)
		w.KeyStr("source", b.Context)
		w.Key("content")
		appendBlocks(w, b.Blocks)
		appendCite(w, o, b)
		appendMark(w, b.Cache)
		o.End()
		return
	}
	if b.Kind == llm.Image {
		w.KeyStr("type", "image")
	} else {
		w.KeyStr("type", "document")
	}
	if o.Free("source") {
		appendSource(w, b)
	}
	if b.Kind != llm.Image {
		o.OptStr("title", b.Name)
		o.OptStr("context", b.Context)
		appendCite(w, o, b)
	}
	appendMark(w, b.Cache)
	o.End()
}

func appendCite(w *jsonw.Writer, o wire.Object, b llm.Media) {
	if b.Cite.Set && o.Free("citations") {
		w.KeyOpen("citations", '{')
		w.KeyBool("enabled", b.Cite.V)
		w.Close('}')
	}
}

// sourceType returns the type of the source that says where a medium's content is, or "".
func sourceType(b llm.Media) string {
	switch {
	case b.Data != "":
		return "base64"
	case b.URL != "":
		return "url"
	case b.FileID != "":
		return "file"
	case b.Text != "":
		return "text"
	case b.Blocks != nil:
		return "content"
	}
	return ""
}

func appendSource(w *jsonw.Writer, b llm.Media) {
	kind := sourceType(b)
	w.KeyOpen("source", '{')
	w.KeyStr("type", kind)
	switch kind {
	case "base64":
		w.KeyStr("media_type", b.MIME)
		w.KeyStr("data", b.Data)
	case "url":
		w.KeyStr("url", b.URL)
	case "file":
		w.KeyStr("file_id", b.FileID)
	case "text":
		w.KeyStr("media_type", "text/plain")
		w.KeyStr("data", b.Text)
	case "content":
		w.Key("content")
		appendBlocks(w, b.Blocks)
	}
	w.Close('}')
}

func appendMark(w *jsonw.Writer, c *llm.CacheMark) {
	if c != nil {
		w.Key("cache_control")
		appendMarkValue(w, c)
	}
}

func appendMarkValue(w *jsonw.Writer, c *llm.CacheMark) {
	o := wire.Begin(w, c.Extra.In(Name))
	o.Str("type", "ephemeral")
	o.OptStr("ttl", c.TTL)
	o.End()
}

// blank reports whether there is nothing but space.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
