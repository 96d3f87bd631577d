package converse

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes by which a block remembers how it was said.
const (
	noteJSON     = "json" // a tool's result said as JSON and not as text
	noteCited    = "citationsContent"
	noteSearch   = "searchResult"
	noteToolType = "type: tool_use"
	noteContent  = "content" // the text of citationsContent was said
	noteUnsigned = "signature"
)

// decodeContent reads the content of a message. A cache point is a mark of the block before it; one that
// has none is carried as it stands.
func decodeContent(v wire.Value, role llm.Role) ([]llm.Block, error) {
	blocks := []llm.Block{}
	err := v.Elems(func(_ int, el wire.Value) error {
		b, err := decodeBlock(el, role)
		if err != nil {
			return err
		}
		if o, ok := b.(llm.Opaque); ok && o.Type == "cachePoint" && markLast(blocks, el.Get("cachePoint")) {
			return nil
		}
		blocks = append(blocks, b)
		return nil
	})
	return blocks, err
}

// markLast puts a cache point on the last block, if that can bear one.
func markLast(blocks []llm.Block, point wire.Value) bool {
	n := len(blocks)
	if n == 0 || point.Kind() != '{' {
		return false
	}
	mark, ok := decodeMark(point)
	if !ok {
		return false
	}
	switch b := blocks[n-1].(type) {
	case llm.Text:
		if b.Cache == nil {
			b.Cache = mark
			blocks[n-1] = b
			return true
		}
	case llm.Media:
		if b.Cache == nil {
			b.Cache = mark
			blocks[n-1] = b
			return true
		}
	case llm.ToolUse:
		if b.Cache == nil {
			b.Cache = mark
			blocks[n-1] = b
			return true
		}
	case llm.ToolDone:
		if b.Cache == nil {
			b.Cache = mark
			blocks[n-1] = b
			return true
		}
	}
	return false
}

func decodeMark(v wire.Value) (*llm.CacheMark, bool) {
	var c llm.CacheMark
	err := v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return m.Text() == "default", nil
		case "ttl":
			return m.StrTo(&c.TTL)
		}
		return false, nil
	})
	return &c, err == nil
}

// decodeBlock reads a block. What has a member more than it should, or none that is known, is carried as
// it stands.
func decodeBlock(v wire.Value, role llm.Role) (llm.Block, error) {
	if v.Kind() != '{' {
		return nil, wire.Bad("", "an object")
	}
	key, in, ok := only(v)
	if !ok {
		return opaque("", v), nil
	}
	b, err := decodeUnion(key, in, role)
	if err != nil {
		return nil, wire.Under(err, key)
	}
	if b == nil {
		return opaque(key, v), nil
	}
	return b, nil
}

// decodeUnion reads what a block is by its one member, or returns nil for what llm has no word for.
func decodeUnion(key string, in wire.Value, role llm.Role) (llm.Block, error) {
	switch key {
	case "text":
		s, err := in.Str()
		return llm.Text{Text: s, Extra: home()}, err
	case "image":
		return decodeMedia(in, llm.Image)
	case "document":
		return decodeMedia(in, llm.Document)
	case "video":
		return decodeMedia(in, llm.Video)
	case "audio":
		return decodeMedia(in, llm.Audio)
	case "toolUse":
		return decodeToolUse(in)
	case "toolResult":
		if role == llm.Assistant { // of a tool that the vendor ran
			return nil, nil
		}
		return decodeToolDone(in)
	case "reasoningContent":
		return decodeThought(in)
	case "guardContent":
		return decodeGuarded(in)
	case "citationsContent":
		return decodeCited(in)
	case "searchResult":
		return decodeSearchResult(in)
	}
	return nil, nil
}

func decodeToolUse(v wire.Value) (llm.Block, error) {
	b := llm.ToolUse{Kind: llm.ToolFunction}
	hosted := false
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "toolUseId":
			b.ID, err = m.Str()
			return true, err
		case "name":
			b.Name, err = m.Str()
			return true, err
		case "input":
			b.Args = m.JSON()
			return true, nil
		case "type":
			if m.Is("tool_use") {
				b.Extra.Note(Name, noteToolType)
				return true, nil
			}
			hosted = true
		}
		return false, nil
	})
	if hosted {
		return nil, err
	}
	return b, err
}

func decodeToolDone(v wire.Value) (llm.Block, error) {
	var b llm.ToolDone
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "toolUseId":
			b.ID, err = m.Str()
			return true, err
		case "content":
			b.Blocks = []llm.Block{}
			err = m.Elems(func(_ int, el wire.Value) error {
				x, err := decodeResultPart(el)
				b.Blocks = append(b.Blocks, x)
				return err
			})
			return true, err
		case "status":
			if s := m.Text(); s == "error" || s == "success" {
				b.IsError = llm.Some(s == "error")
				return true, nil
			}
		}
		return false, nil
	})
	return b, err
}

// decodeResultPart reads a part of a tool's result. JSON is text for everyone else.
func decodeResultPart(v wire.Value) (llm.Block, error) {
	if key, in, ok := only(v); ok && key == "json" {
		b := llm.Text{Text: in.JSON(), Extra: home()}
		b.Extra.Note(Name, noteJSON)
		return b, nil
	}
	return decodeBlock(v, llm.User)
}

func decodeThought(v wire.Value) (llm.Block, error) {
	key, in, ok := only(v)
	switch {
	case !ok:
		return nil, nil
	case key == "redactedContent" && in.Kind() == '"':
		return sealed(in.Text()), nil
	case key != "reasoningText":
		return nil, nil
	}
	b := llm.Thought{Origin: claude}
	signed := false
	err := in.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "text":
			b.Text, err = m.Str()
			return true, err
		case "signature":
			signed = true
			b.Signature, err = m.Str()
			return true, err
		}
		return false, nil
	})
	if !signed {
		b.Extra.Note(Name, noteUnsigned)
	}
	b.Origin, b.Signature = openSignature(b.Signature)
	return b, err
}

// decodeGuarded reads content that a guardrail shall look at: to a model it is content like any other.
func decodeGuarded(v wire.Value) (llm.Block, error) {
	key, in, ok := only(v)
	if !ok {
		return nil, nil
	}
	switch key {
	case "text":
		text := in.Get("text")
		if text.Kind() != '"' {
			return nil, nil
		}
		b := llm.Text{Text: text.Text(), Extra: home()}
		b.Extra.Add(Name, "guardContent", v.JSON())
		return b, nil
	case "image":
		b, err := decodeMedia(in, llm.Image)
		if m, ok := b.(llm.Media); ok && err == nil {
			m.Extra.Add(Name, "guardContent", v.JSON())
			return m, nil
		}
		return nil, err
	}
	return nil, nil
}

func decodeMedia(v wire.Value, kind llm.MediaKind) (llm.Block, error) {
	b := llm.Media{Kind: kind}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "format":
			var format string
			if format, err = m.Str(); err != nil {
				return true, err
			}
			b.MIME = mimeOf(kind, format)
			if kind == llm.Audio {
				b.Format = format
			}
			return formatOf(b) == format, nil
		case "name":
			if kind == llm.Document {
				return m.StrTo(&b.Name)
			}
		case "context":
			return m.StrTo(&b.Context)
		case "citations":
			return decodeCite(&b, m)
		case "source":
			return decodeSource(&b, m)
		}
		return false, nil
	})
	return b, err
}

// decodeSource reads where the content of a medium is. What lies in a bucket of the caller's only AWS can
// fetch.
func decodeSource(b *llm.Media, v wire.Value) (known bool, err error) {
	key, in, ok := only(v)
	if !ok {
		return false, nil
	}
	switch key {
	case "bytes":
		b.Data, err = in.Str()
		return b.Data != "", err
	case "text":
		b.Text, err = in.Str()
		return b.Text != "", err
	case "content":
		var texts []llm.Block
		err = in.Elems(func(_ int, el wire.Value) error {
			key, text, ok := only(el)
			if !ok || key != "text" {
				return wire.Bad("", "an object with a text")
			}
			s, err := text.Str()
			texts = append(texts, llm.Text{Text: s, Extra: home()})
			return err
		})
		b.Blocks = texts
		return texts != nil, err
	}
	return false, nil
}

// decodeCite reads a document's citations setting; one that says more than yes or no is kept.
func decodeCite(b *llm.Media, v wire.Value) (known bool, err error) {
	key, in, ok := only(v)
	if !ok || key != "enabled" {
		return false, nil
	}
	return true, in.BoolTo(&b.Cite)
}

// decodeSearchResult reads what a caller found and gives to be cited: a document made of texts.
func decodeSearchResult(v wire.Value) (llm.Block, error) {
	b := llm.Media{Kind: llm.Document}
	whole := true
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "source":
			return m.StrTo(&b.Context)
		case "title":
			return m.StrTo(&b.Name)
		case "content":
			err = m.Elems(func(_ int, el wire.Value) error {
				key, text, ok := only(el)
				whole = whole && ok && key == "text"
				b.Blocks = append(b.Blocks, llm.Text{Text: text.Text(), Extra: home()})
				return nil
			})
			return true, err
		case "citations":
			return decodeCite(&b, m)
		}
		return false, nil
	})
	if err != nil || !whole || b.Name == "" || b.Context == "" || len(b.Blocks) == 0 {
		return nil, err
	}
	b.Extra.Note(Name, noteSearch)
	return b, nil
}

// decodeCited reads text with its citations.
func decodeCited(v wire.Value) (llm.Block, error) {
	b := llm.Text{Extra: home()}
	b.Extra.Note(Name, noteCited)
	var parts []string
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "content":
			if m.Kind() != '[' {
				return false, nil
			}
			b.Extra.Note(Name, noteContent)
			err = m.Elems(func(_ int, el wire.Value) error {
				parts = append(parts, el.Get("text").Text())
				return nil
			})
			return len(parts) == 1, err // several are joined, and kept as they stood
		case "citations":
			if m.Kind() != '[' {
				return false, nil
			}
			err = m.Elems(func(_ int, el wire.Value) error {
				b.Citations = append(b.Citations, decodeCitation(el))
				return nil
			})
			return len(b.Citations) > 0, err
		}
		return false, nil
	})
	b.Text = strings.Join(parts, "")
	return b, err
}

// decodeCitation reads a citation. It is kept whole, and said whole within the dialect; what is read out
// of it serves other dialects.
func decodeCitation(v wire.Value) llm.Citation {
	c := llm.Citation{Title: v.Get("title").Text(), Source: -1, Opaque: opaque("citation", v)}
	if v.Kind() != '{' {
		return c
	}
	var quote strings.Builder
	if parts := v.Get("sourceContent"); parts.Kind() == '[' {
		_ = parts.Elems(func(_ int, el wire.Value) error { quote.WriteString(el.Get("text").Text()); return nil })
	}
	c.Quote = quote.String()
	key, at, _ := only(v.Get("location"))
	span := func(kind llm.CiteKind, index string) {
		c.Kind, c.Source = kind, int(at.Get(index).Count())
		c.Start, c.End = int(at.Get("start").Count()), int(at.Get("end").Count())
	}
	switch key {
	case "web":
		c.Kind, c.URL = llm.CiteURL, at.Get("url").Text()
		if c.Title == "" {
			c.Title = at.Get("domain").Text()
		}
	case "documentChar":
		span(llm.CiteChar, "documentIndex")
	case "documentPage":
		span(llm.CitePage, "documentIndex")
	case "documentChunk":
		span(llm.CiteBlock, "documentIndex")
	case "searchResultLocation":
		span(llm.CiteSearch, "searchResultIndex")
		c.URL = v.Get("source").Text()
	}
	return c
}
