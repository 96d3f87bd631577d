package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeParts reads content, which is a string or a list of parts.
func decodeParts(v wire.Value) (blocks []llm.Block, plain bool, err error) {
	switch v.Kind() {
	case '"':
		return []llm.Block{llm.Text{Text: v.Text(), Extra: named()}}, true, nil
	case '[':
		blocks = []llm.Block{}
		err = v.Elems(func(_ int, el wire.Value) error {
			b, err := decodePart(el)
			blocks = append(blocks, b)
			return err
		})
		return blocks, false, err
	}
	return nil, false, wire.Bad("", "a string or a list of parts")
}

// decodePart reads a part of content. Its type is told, since several mean the same.
func decodePart(v wire.Value) (llm.Block, error) {
	if v.Kind() != '{' {
		return nil, wire.Bad("", "an object")
	}
	kind, err := v.Get("type").Str()
	if err != nil {
		return nil, wire.Under(err, "type")
	}
	switch kind {
	case "input_text", "output_text", "text":
		return decodeText(v)
	case "refusal":
		return decodeRefusal(v)
	case "input_image":
		return decodeImage(v)
	case "input_file":
		return decodeFile(v)
	case "input_audio":
		return decodeAudio(v)
	}
	return opaque(kind, v), nil
}

func decodeText(v wire.Value) (llm.Block, error) {
	var b llm.Text
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			tell(&b.Extra, "type", m.JSON())
		case "text":
			b.Text, err = m.Str()
		case "logprobs":
			tell(&b.Extra, "logprobs", m.JSON())
		case "annotations":
			if m.Kind() != '[' {
				return false, nil
			}
			if m.Len() == 0 {
				tell(&b.Extra, "annotations", "[]")
			}
			_ = m.Elems(func(_ int, a wire.Value) error {
				b.Citations = append(b.Citations, decodeCitation(a))
				return nil
			})
		default:
			return false, nil
		}
		return true, err
	})
	return b, err
}

// decodeCitation reads an annotation. It is kept whole, and said whole within the dialect.
func decodeCitation(v wire.Value) llm.Citation {
	c := llm.Citation{Source: -1, Opaque: opaque(v.Get("type").Text(), v)}
	if c.Opaque.Type == "url_citation" {
		c.Kind, c.URL, c.Title = llm.CiteURL, v.Get("url").Text(), v.Get("title").Text()
		c.Start, c.End = int(v.Get("start_index").Count()), int(v.Get("end_index").Count())
	} else {
		c.Title = v.Get("filename").Text()
	}
	return c
}

func decodeRefusal(v wire.Value) (llm.Block, error) {
	var b llm.Refusal
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "refusal":
			b.Text, err = m.Str()
			return true, err
		}
		return false, nil
	})
	return b, err
}

// cutDataURL splits a data URL with base64 content. What stands before the content is the MIME type.
func cutDataURL(url string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	mime, data, ok = strings.Cut(rest, ";base64,")
	return mime, data, ok && data != ""
}

func decodeImage(v wire.Value) (llm.Block, error) {
	b := llm.Media{Kind: llm.Image}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "image_url":
			url, err := m.Str()
			if mime, data, ok := cutDataURL(url); ok {
				b.MIME, b.Data = mime, data
				m.Part(data)
			} else {
				b.URL = url
			}
			return url != "", err
		case "file_id":
			return m.StrTo(&b.FileID)
		case "detail":
			return m.StrTo(&b.Detail)
		}
		return false, nil
	})
	return b, err
}

// noteBare notes that the content of a file was base64 alone, and not a data URL.
const noteBare = "file_data: base64"

func decodeFile(v wire.Value) (llm.Block, error) {
	b := llm.Media{Kind: llm.File}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "file_data":
			data, err := m.Str()
			var ok bool
			if b.MIME, b.Data, ok = cutDataURL(data); ok {
				m.Part(b.Data)
			} else {
				b.MIME, b.Data = "", data
				b.Extra.Note(Name, noteBare)
			}
			return data != "", err
		case "file_url":
			return m.StrTo(&b.URL)
		case "file_id":
			return m.StrTo(&b.FileID)
		case "filename":
			return m.StrTo(&b.Name)
		}
		return false, nil
	})
	return b, err
}

func decodeAudio(v wire.Value) (llm.Block, error) {
	b := llm.Media{Kind: llm.Audio}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "input_audio":
			var rest llm.Extra
			err := m.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
				switch string(key) {
				case "data":
					return m.StrTo(&b.Data)
				case "format":
					return m.StrTo(&b.Format)
				}
				return false, nil
			})
			wire.Leave(&b.Extra, "input_audio", rest)
			return true, err
		}
		return false, nil
	})
	return b, err
}

// appendPart writes a part of content. usual is the type of a text that does not know its own.
func appendPart(w *jsonw.Writer, b llm.Block, usual string) {
	switch b := b.(type) {
	case llm.Text:
		appendText(w, b, usual)
	case llm.Refusal:
		o := wire.Begin(w, partFields(b.Extra))
		o.Str("type", "refusal")
		o.Str("refusal", b.Text)
		o.End()
	case llm.Media:
		appendMedia(w, b)
	case llm.Opaque:
		w.Raw(b.Raw)
	}
}

// partFields returns the fields of a part itself, without those of the message item that begins with it.
func partFields(e llm.Extra) []llm.Field {
	fields := retold(e)
	out := fields[:0]
	for _, f := range fields {
		if f.Key != itemNote && !strings.HasPrefix(f.Key, itemPrefix) {
			out = append(out, f)
		}
	}
	return out
}

func appendText(w *jsonw.Writer, b llm.Text, usual string) {
	o := wire.Begin(w, partFields(b.Extra))
	o.Str("type", usual)
	o.Str("text", b.Text)
	if (len(b.Citations) > 0 || b.Extra.Dialect != Name && usual == outputText) && o.Free("annotations") {
		w.KeyOpen("annotations", '[')
		for _, c := range b.Citations {
			appendCitation(w, c)
		}
		w.Close(']')
	}
	if b.Extra.Dialect != Name && usual == outputText {
		o.Raw("logprobs", "[]")
	}
	o.End()
}

const (
	inputText  = "input_text"
	outputText = "output_text"
)

func appendCitation(w *jsonw.Writer, c llm.Citation) {
	if c.Opaque.Dialect == Name && c.Opaque.Raw != "" {
		w.Raw(c.Opaque.Raw)
		return
	}
	w.Open('{')
	w.KeyStr("type", "url_citation")
	w.KeyInt("start_index", int64(c.Start))
	w.KeyInt("end_index", int64(c.End))
	w.KeyStr("url", c.URL)
	w.KeyStr("title", c.Title)
	w.Close('}')
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	rest, extra := wire.Take(b.Extra, Name, "input_audio")
	o := wire.Begin(w, partFields(extra))
	switch b.Kind {
	case llm.Image:
		o.Str("type", "input_image")
		if b.Data != "" {
			w.Key("image_url")
			w.Strs("data:", b.MIME, ";base64,", b.Data)
		} else {
			o.OptStr("image_url", b.URL)
		}
		o.OptStr("file_id", b.FileID)
		if b.Detail != "" || b.Extra.Dialect == Name {
			o.OptStr("detail", b.Detail)
		} else {
			o.Str("detail", "auto") // there must be one
		}
	case llm.Audio:
		o.Str("type", "input_audio")
		w.KeyOpen("input_audio", '{')
		optMember(w, "data", b.Data)
		optMember(w, "format", b.Format)
		wire.AppendMembers(w, rest)
		w.Close('}')
	default:
		o.Str("type", "input_file")
		o.OptStr("filename", b.Name)
		switch {
		case b.Data != "" && b.Extra.Noted(Name, noteBare):
			o.Str("file_data", b.Data)
		case b.Data != "":
			w.Key("file_data")
			w.Strs("data:", b.MIME, ";base64,", b.Data)
		}
		o.OptStr("file_url", b.URL)
		o.OptStr("file_id", b.FileID)
	}
	o.End()
}
