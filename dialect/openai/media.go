package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// cutDataURL splits a data URL with base64 content. What stands before the content is the MIME type.
func cutDataURL(url string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	mime, data, ok = strings.Cut(rest, ";base64,")
	return mime, data, ok && data != ""
}

func decodeImage(l *blockList, v wire.Value) error {
	b := llm.Media{Kind: llm.Image}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "image_url":
			return true, imageURL(&b, m)
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	if err == nil && b.URL == "" && b.Data == "" {
		err = wire.Bad("image_url.url", "a URL")
	}
	l.add(b)
	return err
}

// imageURL reads where an image is: an object, or the bare URL that some hosts take.
func imageURL(b *llm.Media, v wire.Value) error {
	if v.Kind() == '"' {
		b.Extra.Note(Name, noteBareURL)
		return setURL(b, v)
	}
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "url":
			return true, setURL(b, m)
		case "detail":
			return m.StrTo(&b.Detail)
		}
		return false, nil
	})
	wire.Leave(&b.Extra, "image_url", rest)
	return err
}

func setURL(b *llm.Media, v wire.Value) error {
	url, err := v.Str()
	if mime, data, ok := cutDataURL(url); ok {
		b.MIME, b.Data = mime, data
		v.Part(data)
		return nil
	}
	b.URL = url
	return err
}

func decodeAudio(l *blockList, v wire.Value) error {
	b := llm.Media{Kind: llm.Audio}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "input_audio":
			return true, inputAudio(&b, m)
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	l.add(b)
	return err
}

func inputAudio(b *llm.Media, v wire.Value) error {
	if v.Kind() == '"' { // Mistral's bare base64 or URL
		b.Extra.Add(Name, "input_audio", v.JSON())
		b.Data = v.Text()
		return nil
	}
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "data":
			return m.StrTo(&b.Data)
		case "format":
			return m.StrTo(&b.Format)
		}
		return false, nil
	})
	wire.Leave(&b.Extra, "input_audio", rest)
	return err
}

func decodeFile(l *blockList, v wire.Value) error {
	b := llm.Media{Kind: llm.File}
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "file":
			return true, inputFile(&b, m)
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	if b.MIME == "application/pdf" || strings.HasPrefix(b.MIME, "text/") {
		b.Kind = llm.Document
	}
	l.add(b)
	return err
}

func inputFile(b *llm.Media, v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "file_data":
			s, err := m.Str()
			switch mime, data, ok := cutDataURL(s); {
			case ok:
				b.MIME, b.Data = mime, data
				m.Part(data)
			case strings.Contains(s, "://"): // OpenRouter takes an address here
				b.URL = s
			default:
				b.Data = s
			}
			return s != "", err
		case "filename":
			return m.StrTo(&b.Name)
		case "file_id":
			return m.StrTo(&b.FileID)
		}
		return false, nil
	})
	wire.Leave(&b.Extra, "file", rest)
	return err
}

// appendMedia writes an image, a sound or a file.
func appendMedia(w *jsonw.Writer, b llm.Media) {
	switch b.Kind {
	case llm.Image:
		appendImage(w, b)
	case llm.Audio:
		rest, extra := wire.Take(b.Extra, Name, "input_audio")
		o := wire.Begin(w, extra.In(Name))
		w.KeyStr("type", "input_audio")
		if rest != "" && rest[0] == '"' {
			w.KeyRaw("input_audio", rest)
		} else {
			o.Open("input_audio", rest)
			optMember(w, "data", b.Data)
			optMember(w, "format", b.Format)
			w.Close('}')
		}
		appendMark(w, b.Cache)
		o.End()
	default:
		rest, extra := wire.Take(b.Extra, Name, "file")
		o := wire.Begin(w, extra.In(Name))
		w.KeyStr("type", "file")
		o.Open("file", rest)
		optMember(w, "filename", b.Name)
		appendFileData(w, b)
		optMember(w, "file_id", b.FileID)
		w.Close('}')
		appendMark(w, b.Cache)
		o.End()
	}
}

func optMember(w *jsonw.Writer, key, s string) {
	if s != "" {
		w.KeyStr(key, s)
	}
}

func appendFileData(w *jsonw.Writer, b llm.Media) {
	switch {
	case b.Data != "" && b.MIME != "":
		w.Key("file_data")
		appendURL(w, b)
	case b.Data != "":
		w.KeyStr("file_data", b.Data)
	default:
		optMember(w, "file_data", b.URL)
	}
}

// appendURL writes where a medium is: its URL, or one that holds it.
func appendURL(w *jsonw.Writer, b llm.Media) {
	if b.Data != "" {
		w.Strs("data:", b.MIME, ";base64,", b.Data)
		return
	}
	w.Str(b.URL)
}

func appendImage(w *jsonw.Writer, b llm.Media) {
	rest, extra := wire.Take(b.Extra, Name, "image_url")
	o := wire.Begin(w, extra.In(Name))
	w.KeyStr("type", "image_url")
	if extra.Noted(Name, noteBareURL) {
		w.Key("image_url")
		appendURL(w, b)
	} else {
		o.Open("image_url", rest)
		w.Key("url")
		appendURL(w, b)
		optMember(w, "detail", b.Detail)
		w.Close('}')
	}
	appendMark(w, b.Cache)
	o.End()
}
