package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
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

func dataURL(mime, data string) string { return "data:" + mime + ";base64," + data }

func decodeImage(l *blockList, v value) error {
	b := llm.Media{Kind: llm.Image}
	err := v.fields(&b.Extra, func(key []byte, m value) (known bool, err error) {
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
		err = &fault{"image_url.url", "a URL"}
	}
	l.add(b)
	return err
}

// imageURL reads where an image is: an object, or the bare URL that some hosts take.
func imageURL(b *llm.Media, v value) error {
	if v.kind() == '"' {
		note(&b.Extra, noteBareURL)
		setURL(b, v.text())
		return nil
	}
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "url":
			url, err := m.str()
			setURL(b, url)
			return true, err
		case "detail":
			return optString(&b.Detail, m)
		}
		return false, nil
	})
	leave(&b.Extra, "image_url", rest)
	return err
}

func setURL(b *llm.Media, url string) {
	if mime, data, ok := cutDataURL(url); ok {
		b.MIME, b.Data = mime, data
		return
	}
	b.URL = url
}

func decodeAudio(l *blockList, v value) error {
	b := llm.Media{Kind: llm.Audio}
	err := v.fields(&b.Extra, func(key []byte, m value) (known bool, err error) {
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

func inputAudio(b *llm.Media, v value) error {
	if v.kind() == '"' { // Mistral's bare base64 or URL
		b.Extra.Add(Name, "input_audio", v.raw())
		b.Data = v.text()
		return nil
	}
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "data":
			return optString(&b.Data, m)
		case "format":
			return optString(&b.Format, m)
		}
		return false, nil
	})
	leave(&b.Extra, "input_audio", rest)
	return err
}

func decodeFile(l *blockList, v value) error {
	b := llm.Media{Kind: llm.File}
	err := v.fields(&b.Extra, func(key []byte, m value) (known bool, err error) {
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

func inputFile(b *llm.Media, v value) error {
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "file_data":
			s, err := m.str()
			switch mime, data, ok := cutDataURL(s); {
			case ok:
				b.MIME, b.Data = mime, data
			case strings.Contains(s, "://"): // OpenRouter takes an address here
				b.URL = s
			default:
				b.Data = s
			}
			return s != "", err
		case "filename":
			return optString(&b.Name, m)
		case "file_id":
			return optString(&b.FileID, m)
		}
		return false, nil
	})
	leave(&b.Extra, "file", rest)
	return err
}

// appendMedia writes an image, a sound or a file.
func appendMedia(w *jsonw.Writer, b llm.Media) {
	switch b.Kind {
	case llm.Image:
		appendImage(w, b)
	case llm.Audio:
		rest, extra := without(b.Extra, "input_audio")
		o := begin(w, extra)
		w.KeyStr("type", "input_audio")
		if rest != "" && rest[0] == '"' {
			w.KeyRaw("input_audio", rest)
		} else {
			o.open("input_audio", rest)
			optMember(w, "data", b.Data)
			optMember(w, "format", b.Format)
			w.Close('}')
		}
		appendMark(w, b.Cache)
		o.end()
	default:
		rest, extra := without(b.Extra, "file")
		o := begin(w, extra)
		w.KeyStr("type", "file")
		o.open("file", rest)
		optMember(w, "filename", b.Name)
		optMember(w, "file_data", fileData(b))
		optMember(w, "file_id", b.FileID)
		w.Close('}')
		appendMark(w, b.Cache)
		o.end()
	}
}

func optMember(w *jsonw.Writer, key, s string) {
	if s != "" {
		w.KeyStr(key, s)
	}
}

func fileData(b llm.Media) string {
	switch {
	case b.Data != "" && b.MIME != "":
		return dataURL(b.MIME, b.Data)
	case b.Data != "":
		return b.Data
	}
	return b.URL
}

func appendImage(w *jsonw.Writer, b llm.Media) {
	url := b.URL
	if b.Data != "" {
		url = dataURL(b.MIME, b.Data)
	}
	rest, extra := without(b.Extra, "image_url")
	o := begin(w, extra)
	w.KeyStr("type", "image_url")
	if noted(extra, noteBareURL) {
		w.KeyStr("image_url", url)
	} else {
		o.open("image_url", rest)
		w.KeyStr("url", url)
		optMember(w, "detail", b.Detail)
		w.Close('}')
	}
	appendMark(w, b.Cache)
	o.end()
}
