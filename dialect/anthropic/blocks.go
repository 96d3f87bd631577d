package anthropic

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// nesting bounds how deep blocks are read within blocks (a text in a document in a tool's result); what
// is deeper is carried as it stands. Reading goes over an inner block once for each level around it.
const nesting = 4

// decodeContent reads content, which is a string or a list of blocks.
func decodeContent(v wire.Value, depth int) (blocks []llm.Block, plain bool, err error) {
	switch v.Kind() {
	case '"':
		return []llm.Block{llm.Text{Text: v.Text()}}, true, nil
	case '[':
		blocks = []llm.Block{}
		err = v.Elems(func(_ int, el wire.Value) error {
			b, err := decodeBlock(el, depth)
			blocks = append(blocks, b)
			return err
		})
		return blocks, false, err
	}
	return nil, false, wire.Bad("", "a string or a list of blocks")
}

// decodeBlock reads a block of a request or of an answer. Every block carries the dialect in its
// Extra, also where nothing is in it: so an encoder knows its own blocks.
func decodeBlock(v wire.Value, depth int) (llm.Block, error) {
	if v.Kind() != '{' {
		return nil, wire.Bad("", "an object")
	}
	kind, err := v.Get("type").Str()
	if err != nil {
		return nil, wire.Under(err, "type")
	}
	switch kind {
	case "text":
		return decodeText(v)
	case "thinking", "redacted_thinking":
		return decodeThought(v)
	case "tool_use":
		return decodeToolUse(v)
	}
	if depth >= nesting {
		return opaque(kind, v), nil
	}
	switch kind {
	case "image":
		return decodeMedia(v, llm.Image, depth)
	case "document":
		return decodeMedia(v, llm.Document, depth)
	case "tool_result":
		return decodeToolDone(v, depth)
	case "search_result":
		return decodeSearchResult(v, depth)
	}
	return opaque(kind, v), nil
}

// noteSearchResult notes that a document was given as a result of a search, with its source as context.
const noteSearchResult = "type: search_result"

// decodeSearchResult reads what a caller found and gives to be cited: a document made of texts. One that
// is not whole is carried as it stands.
func decodeSearchResult(v wire.Value, depth int) (llm.Block, error) {
	b := llm.Media{Kind: llm.Document}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "title":
			return m.StrTo(&b.Name)
		case "source":
			return m.StrTo(&b.Context)
		case "content":
			if m.Kind() != '[' {
				return false, nil
			}
			b.Blocks, _, err = decodeContent(m, depth+1)
			return true, err
		case "citations":
			return decodeCite(&b, m)
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	if err == nil && (b.Name == "" || b.Context == "" || len(b.Blocks) == 0) {
		return opaque("search_result", v), nil
	}
	b.Extra.Note(Name, noteSearchResult)
	return b, err
}

func decodeText(v wire.Value) (llm.Block, error) {
	var b llm.Text
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "text":
			b.Text, err = m.Str()
			return true, err
		case "citations":
			b.Citations, err = decodeCitations(m)
			return err != nil || b.Citations != nil, err
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	return b, err
}

func decodeThought(v wire.Value) (llm.Block, error) {
	b := llm.Thought{Origin: Name}
	var signed, sealed bool
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			sealed = m.Text() == "redacted_thinking"
			return true, nil
		case "thinking":
			b.Text, err = m.Str()
			return true, err
		case "signature":
			b.Signature, err = m.Str()
			signed = true
			return true, err
		case "data":
			b.Sealed, err = m.Str()
			return true, err
		}
		return false, nil
	})
	if _, null := b.Extra.Get("signature"); !sealed && !signed && !null {
		b.Extra.Note(Name, "signature")
	}
	if t, ok := dialect.Disclose(b.Signature + b.Sealed); ok {
		b.Origin, b.Signature, b.Sealed, b.Item = t.Origin, t.Signature, t.Sealed, t.Item
	}
	return b, err
}

func decodeToolUse(v wire.Value) (llm.Block, error) {
	b := llm.ToolUse{Kind: llm.ToolFunction}
	if !v.Get("input").Found() {
		b.Extra.Note(Name, "input")
	}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "id":
			b.ID, err = m.Str()
			return true, err
		case "name":
			b.Name, err = m.Str()
			return true, err
		case "input":
			b.Args = m.JSON()
			return true, nil
		case "caller":
			if m.Len() != 1 || !m.Get("type").Is("direct") {
				return false, nil
			}
			b.Extra.Note(Name, noteDirect)
			return true, nil
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	return b, err
}

// noteDirect notes that a call was said to be the model's own, which it is unless said.
const noteDirect = "caller: direct"

func decodeToolDone(v wire.Value, depth int) (llm.Block, error) {
	var b llm.ToolDone
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "tool_use_id":
			b.ID, err = m.Str()
			return true, err
		case "content":
			b.Blocks, b.Plain, err = decodeContent(m, depth+1)
			return true, err
		case "is_error":
			b.IsError.V, err = m.Bool()
			b.IsError.Set = true
			return true, err
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	return b, err
}

func decodeMedia(v wire.Value, kind llm.MediaKind, depth int) (llm.Block, error) {
	b := llm.Media{Kind: kind}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "source":
			return decodeSource(&b, m, depth)
		case "title":
			b.Name, err = m.Str()
			return b.Name != "", err
		case "context":
			b.Context, err = m.Str()
			return b.Context != "", err
		case "citations":
			return decodeCite(&b, m)
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	return b, err
}

// decodeSource reads where the content of a medium is. A source with members or of a type unknown here
// is kept as it stood besides: within the dialect it is said again in the same words.
func decodeSource(b *llm.Media, v wire.Value, depth int) (known bool, err error) {
	known = true
	err = v.Members(func(key []byte, m wire.Value) (err error) {
		switch string(key) {
		case "type":
			switch m.Text() {
			case "base64", "url", "file", "text", "content":
			default:
				known = false
			}
		case "media_type":
			b.MIME, err = m.Str()
		case "data":
			b.Data, err = m.Str()
		case "url":
			b.URL, err = m.Str()
		case "file_id":
			b.FileID, err = m.Str()
		case "content":
			var plain bool
			b.Blocks, plain, err = decodeContent(m, depth+1)
			known = known && !plain
		default:
			known = false
		}
		return err
	})
	if v.Get("type").Text() == "text" {
		b.Text, b.Data = b.Data, ""
		known = known && b.Text != "" && b.MIME != ""
	}
	return known && sourceType(*b) == v.Get("type").Text(), err
}

// decodeCite reads a document's citations setting; one that says more than yes or no is kept.
func decodeCite(b *llm.Media, v wire.Value) (known bool, err error) {
	only := 0
	err = v.Members(func(key []byte, m wire.Value) (err error) {
		only++
		if string(key) == "enabled" {
			b.Cite.V, err = m.Bool()
			b.Cite.Set = true
		}
		return err
	})
	return only == 1 && b.Cite.Set, err
}

func decodeMark(v wire.Value) (*llm.CacheMark, error) {
	var c llm.CacheMark
	err := v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return m.Text() == "ephemeral", nil
		case "ttl":
			c.TTL, err = m.Str()
			return c.TTL != "", err
		}
		return false, nil
	})
	return &c, err
}

func decodeCitations(v wire.Value) ([]llm.Citation, error) {
	var list []llm.Citation
	err := v.Elems(func(_ int, el wire.Value) error {
		if el.Kind() != '{' {
			return wire.Bad("", "an object")
		}
		list = append(list, decodeCitation(el))
		return nil
	})
	return list, err
}

// decodeCitation reads a citation. It is kept whole, and said whole within the dialect; what is read
// out of it serves other dialects.
func decodeCitation(v wire.Value) llm.Citation {
	kind := v.Get("type").Text()
	c := llm.Citation{
		Quote:  v.Get("cited_text").Text(),
		Title:  v.Get("document_title").Text(),
		Source: int(v.Get("document_index").Count()),
		Opaque: opaque(kind, v),
	}
	span := func(start, end string) {
		c.Start, c.End = int(v.Get(start).Count()), int(v.Get(end).Count())
	}
	switch kind {
	case "char_location":
		c.Kind = llm.CiteChar
		span("start_char_index", "end_char_index")
	case "page_location":
		c.Kind = llm.CitePage
		span("start_page_number", "end_page_number")
	case "content_block_location":
		c.Kind = llm.CiteBlock
		span("start_block_index", "end_block_index")
	case "search_result_location":
		c.Kind, c.Source = llm.CiteSearch, int(v.Get("search_result_index").Count())
		c.Title, c.URL = v.Get("title").Text(), v.Get("source").Text()
		span("start_block_index", "end_block_index")
	case "web_search_result_location":
		c.Kind, c.Source = llm.CiteURL, -1
		c.Title, c.URL = v.Get("title").Text(), v.Get("url").Text()
	default:
		c.Source = -1
	}
	return c
}
