package anthropic

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
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
	o := begin(w, b.Extra)
	w.KeyStr("type", "text")
	o.str("text", b.Text)
	if len(b.Citations) > 0 {
		o.forget("citations")
		w.KeyOpen("citations", '[')
		for _, c := range b.Citations {
			appendCitation(w, c)
		}
		w.Close(']')
	}
	appendMark(w, b.Cache)
	o.end()
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
	o := begin(w, b.Extra)
	if b.Sealed != "" {
		w.KeyStr("type", "redacted_thinking")
		o.str("data", b.Sealed)
		o.end()
		return
	}
	if b.Signature != "" {
		o.forget("signature")
	}
	w.KeyStr("type", "thinking")
	o.str("thinking", b.Text)
	o.str("signature", b.Signature)
	o.end()
}

func appendToolUse(w *jsonw.Writer, b llm.ToolUse) {
	o := begin(w, b.Extra)
	w.KeyStr("type", "tool_use")
	o.str("id", b.ID)
	o.str("name", b.Name)
	if blank(b.Args) {
		b.Args = "{}"
	}
	o.raw("input", b.Args)
	appendMark(w, b.Cache)
	o.end()
}

func appendToolDone(w *jsonw.Writer, b llm.ToolDone) {
	o := begin(w, b.Extra)
	w.KeyStr("type", "tool_result")
	o.str("tool_use_id", b.ID)
	if b.Blocks != nil && o.free("content") {
		w.Key("content")
		appendContent(w, b.Blocks, b.Plain)
	}
	o.optBool("is_error", b.IsError)
	appendMark(w, b.Cache)
	o.end()
}

// appendContent writes content as a string where it was one, and as a list otherwise.
func appendContent(w *jsonw.Writer, blocks []llm.Block, plain bool) {
	if plain && len(blocks) == 1 {
		if t, ok := blocks[0].(llm.Text); ok && t.Cache == nil && len(t.Citations) == 0 && t.Extra.Empty() {
			w.Str(t.Text)
			return
		}
	}
	appendBlocks(w, blocks)
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	o := begin(w, b.Extra)
	if b.Kind == llm.Image {
		w.KeyStr("type", "image")
	} else {
		w.KeyStr("type", "document")
	}
	if o.free("source") {
		appendSource(w, b)
	}
	if b.Kind != llm.Image {
		o.optStr("title", b.Name)
		o.optStr("context", b.Context)
		if b.Cite.Set && o.free("citations") {
			w.KeyOpen("citations", '{')
			w.KeyBool("enabled", b.Cite.V)
			w.Close('}')
		}
	}
	appendMark(w, b.Cache)
	o.end()
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
	o := begin(w, c.Extra)
	o.str("type", "ephemeral")
	o.optStr("ttl", c.TTL)
	o.end()
}

// appendMembers writes the members of an object that is JSON already into the object being written.
func appendMembers(w *jsonw.Writer, raw string) {
	v := whole([]byte(raw))
	if v.kind() != '{' {
		return
	}
	// What is walked was written by this package.
	_ = v.members(func(key []byte, m value) error {
		w.KeyRaw(string(key), m.raw())
		return nil
	})
}

// blank reports whether there is nothing but space.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// isObject reports whether s is a whole JSON object.
func isObject(s string) bool {
	b := []byte(s)
	return splice.Whole(b).Kind(b) == '{' && splice.Valid(b, splice.DefaultDepth) == nil
}

// wrapInput says free text as the only member of an object.
func wrapInput(text string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("input", text)
	w.Close('}')
	return w.String()
}
