package gemini

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes of how a part was said.
const (
	noteNoText  = "no text"
	noteNoArgs  = "no args"
	noteFile    = "is fileData"
	noteThought = "is thought"
)

// Members of a part that say what it is; there is one of them.
const (
	partText     = "text"
	partInline   = "inlineData"
	partFile     = "fileData"
	partCall     = "functionCall"
	partResponse = "functionResponse"
)

// decodePart reads a part. One that llm has no word for, or that says several things at once, is carried as
// it stands.
func decodePart(v wire.Value) (llm.Block, error) {
	if v.Kind() != '{' {
		return nil, wire.Bad("", "an object")
	}
	p := partDecoder{}
	err := fields(v, &p.x, p.member)
	switch {
	case err != nil:
		return nil, err
	case p.many || p.kind != "" && p.other:
		return opaque(p.kind, v), nil
	}
	b, err := p.block(v)
	return b, wire.Under(err, p.kind)
}

type partDecoder struct {
	x       llm.Extra
	kind    string // the member that says what the part is
	data    wire.Value
	many    bool // there were several
	other   bool // it is one that llm has no word for
	thought bool
	sign    string
}

func (p *partDecoder) member(key string, m wire.Value) (known bool, err error) {
	switch key {
	case partText, partInline, partFile, partCall, partResponse:
		p.many = p.many || p.kind != ""
		p.kind, p.data = key, m
		return true, nil
	case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
		p.many = p.many || p.kind != ""
		p.kind, p.other = key, true
		return true, nil
	case "thought":
		p.thought, err = m.Bool()
		if !p.thought {
			return false, err
		}
		return true, err
	case "thoughtSignature":
		return m.StrTo(&p.sign)
	}
	return false, nil
}

func (p *partDecoder) block(v wire.Value) (llm.Block, error) {
	s := openSignature(p.sign)
	switch p.kind {
	case partText, "":
		if p.kind == "" {
			if p.sign == "" {
				return opaque("", v), nil
			}
			p.x.Note(Name, noteNoText)
		}
		return p.text(s)
	case partCall:
		return p.call(s)
	}
	// Only texts and calls have a place for a signature in llm; others keep it as it stood.
	if p.sign != "" {
		p.x.Add(Name, "thoughtSignature", quote(p.sign))
	}
	if p.thought {
		p.x.Add(Name, "thought", "true")
	}
	switch p.kind {
	case partInline:
		return decodeInline(p.data, p.x)
	case partFile:
		return decodeFile(p.data, p.x)
	case partResponse:
		return decodeToolDone(p.data, p.x)
	}
	return opaque(p.kind, v), nil
}

// text reads a text, which is reasoning where it says so, or where another vendor's state is in it.
func (p *partDecoder) text(s llm.Thought) (llm.Block, error) {
	text := ""
	if p.kind != "" {
		var err error
		if text, err = p.data.Str(); err != nil {
			return nil, err
		}
	}
	foreign := s.Origin != "" && s.Origin != Name
	if p.thought || foreign {
		s.Text, s.Extra = text, p.x
		if p.thought {
			s.Extra.Note(Name, noteThought)
		}
		return s, nil
	}
	return llm.Text{Text: text, Signature: s.Signature, Origin: s.Origin, Extra: p.x}, nil
}

func (p *partDecoder) call(s llm.Thought) (llm.Block, error) {
	b := llm.ToolUse{Kind: llm.ToolFunction, Signature: s.Signature, Origin: s.Origin, Extra: p.x}
	if p.thought {
		b.Extra.Add(Name, "thought", "true")
	}
	var rest llm.Extra
	err := fields(p.data, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "id":
			return m.StrTo(&b.ID)
		case "name":
			b.Name, err = m.Str()
			return true, err
		case "args":
			if m.Kind() != '{' {
				return false, wire.Bad("", "an object")
			}
			b.Args = m.JSON()
			return true, nil
		}
		return false, nil
	})
	if b.Args == "" {
		rest.Note(Name, noteNoArgs)
		b.Args = "{}"
	}
	leave(&b.Extra, partCall, rest)
	return b, err
}

// decodeToolDone reads what a function answered: an object, of which the one member that most clients put
// the answer into is taken out.
func decodeToolDone(v wire.Value, x llm.Extra) (llm.Block, error) {
	b := llm.ToolDone{Extra: x}
	var rest llm.Extra
	var media []llm.Block
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "id":
			return m.StrTo(&b.ID)
		case "name":
			b.Name, err = m.Str()
			return true, err
		case "response":
			if m.Kind() != '{' {
				return false, wire.Bad("", "an object")
			}
			text, failed := answerOf(m)
			b.Blocks = append(b.Blocks, llm.Text{Text: text})
			if failed {
				b.IsError = llm.Some(true)
			}
			wasWritten(&rest, key, m)
			return true, nil
		case "parts":
			err = elems(m, &rest, key, func(_ int, el wire.Value) error {
				part, err := decodePart(el)
				media = append(media, part)
				return err
			})
			return true, err
		}
		return false, nil
	})
	b.Blocks = append(b.Blocks, media...)
	if len(media) > 0 {
		rest.Note(Name, "parts")
	}
	leave(&b.Extra, partResponse, rest)
	return b, err
}

// answerOf returns the text of a function's response, and whether it tells of an error.
func answerOf(v wire.Value) (text string, failed bool) {
	key, in, n := "", wire.Value{}, 0
	_ = v.Members(func(k []byte, m wire.Value) error { // the visit has no error to give
		n++
		key, in = string(k), m
		return nil
	})
	if n != 1 {
		return v.JSON(), false
	}
	switch key {
	case "output", "result", "error", "content", "return_value":
		if in.Kind() == '"' {
			return in.Text(), key == "error"
		}
		return in.JSON(), key == "error"
	}
	return v.JSON(), false
}

// decodeInline reads data that lies in the part. SDKs write it in the alphabet for URLs, which nobody else
// takes.
func decodeInline(v wire.Value, x llm.Extra) (llm.Block, error) {
	b := llm.Media{Extra: x}
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "mimeType":
			return m.StrTo(&b.MIME)
		case "displayName":
			return m.StrTo(&b.Name)
		case "data":
			if known, err = m.StrTo(&b.Data); err == nil && strings.ContainsAny(b.Data, "-_") {
				b.Data = dialect.StandardBase64(b.Data)
				wasWritten(&rest, key, m)
			}
			return known, err
		}
		return false, nil
	})
	b.Kind, b.Format = kindOf(b.MIME), formatOf(b.MIME)
	leave(&b.Extra, partInline, rest)
	return b, err
}

func decodeFile(v wire.Value, x llm.Extra) (llm.Block, error) {
	b := llm.Media{Extra: x}
	b.Extra.Note(Name, noteFile)
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "mimeType":
			return m.StrTo(&b.MIME)
		case "displayName":
			return m.StrTo(&b.Name)
		case "fileUri":
			var uri string
			known, err = m.StrTo(&uri)
			if googleFile(uri) {
				b.FileID = uri
			} else {
				b.URL = uri
			}
			return known, err
		}
		return false, nil
	})
	b.Kind = kindOf(b.MIME)
	leave(&b.Extra, partFile, rest)
	return b, err
}

// googleFile reports whether an address is one that only Google can fetch from.
func googleFile(uri string) bool {
	return !strings.HasPrefix(uri, "http") || strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/")
}

// kindOf tells the kind of a medium by its type.
func kindOf(mime string) llm.MediaKind {
	kind, _, _ := strings.Cut(strings.ToLower(mime), "/")
	switch kind {
	case "image":
		return llm.Image
	case "audio":
		return llm.Audio
	case "video":
		return llm.Video
	case "application", "text":
		return llm.Document
	}
	return llm.File
}

// formatOf returns the word by which others call a type of sound.
func formatOf(mime string) string {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	switch mime {
	case "audio/wav", "audio/x-wav", "audio/wave":
		return "wav"
	case "audio/mpeg", "audio/mp3":
		return "mp3"
	}
	return ""
}

func quote(s string) string { return string(jsonw.AppendString(nil, s)) }

// appendParts writes blocks as parts. What the dialect cannot say has been taken out or changed before: this
// writes everything that it is given.
func appendParts(w *jsonw.Writer, blocks []llm.Block) {
	w.Open('[')
	for _, b := range blocks {
		appendPart(w, b)
	}
	w.Close(']')
}

func appendPart(w *jsonw.Writer, b llm.Block) {
	switch b := b.(type) {
	case llm.Opaque:
		w.Raw(b.Raw)
	case llm.Text:
		o := begin(w, b.Extra)
		if !b.Extra.Noted(Name, noteNoText) {
			o.str("text", b.Text)
		}
		o.optStr("thoughtSignature", b.Signature)
		o.End()
	case llm.Refusal:
		w.Open('{')
		w.KeyStr("text", b.Text)
		w.Close('}')
	case llm.Thought:
		o := begin(w, b.Extra)
		if !b.Extra.Noted(Name, noteNoText) {
			o.str("text", b.Text)
		}
		if b.Extra.Dialect != Name || b.Extra.Noted(Name, noteThought) {
			o.raw("thought", "true")
		}
		o.optStr("thoughtSignature", closeSignature(b))
		o.End()
	case llm.ToolUse:
		appendCall(w, b)
	case llm.ToolDone:
		appendToolDone(w, b)
	case llm.Media:
		appendMedia(w, b)
	}
}

func appendCall(w *jsonw.Writer, b llm.ToolUse) {
	o := begin(w, without(b.Extra, partCall))
	rest := within(b.Extra, partCall)
	o.key(partCall)
	in := begin(w, rest)
	if !ownID(b.ID) && !rest.Noted(Name, noteNoID) {
		in.optStr("id", b.ID)
	}
	in.str("name", b.Name)
	if !rest.Noted(Name, noteNoArgs) {
		args := b.Args
		if blank(args) {
			args = "{}"
		}
		in.raw("args", args)
	}
	in.End()
	o.optStr("thoughtSignature", b.Signature)
	o.End()
}

// ownID reports whether an id was made here for a call that had none.
func ownID(id string) bool { return strings.HasPrefix(id, callPrefix) }

func appendToolDone(w *jsonw.Writer, b llm.ToolDone) {
	o := begin(w, without(b.Extra, partResponse))
	rest := within(b.Extra, partResponse)
	o.key(partResponse)
	in := begin(w, rest)
	if !ownID(b.ID) && !rest.Noted(Name, noteNoID) {
		in.optStr("id", b.ID)
	}
	if b.Name != "" || b.Extra.Dialect != Name {
		in.str("name", b.Name)
	}
	text, media := splitResult(b.Blocks)
	if (b.Extra.Dialect != Name || len(b.Blocks) > len(media)) && in.free("response") {
		in.key("response")
		appendAnswer(w, in, text, b.IsError.V)
	}
	if len(media) > 0 {
		in.key("parts")
		if rest.Noted(Name, noteOne+"parts") {
			appendPart(w, media[0])
		} else {
			appendParts(w, media)
		}
	}
	in.End()
	o.End()
}

// appendAnswer writes a function's response: as it stood, unless its text has been changed since. The text
// is said as a string, also where it is JSON: what looks like a schema in an object is taken for one.
func appendAnswer(w *jsonw.Writer, o object, text string, failed bool) {
	if raw := o.wasWhat("response"); raw != "" {
		if was, wrong := answerOf(wire.Raw(raw)); was == text && wrong == failed {
			w.Raw(raw)
			return
		}
	}
	w.Open('{')
	if failed {
		w.KeyStr("error", text)
	} else {
		w.KeyStr("output", text)
	}
	w.Close('}')
}

// splitResult returns the text of a tool's result, and what is no text.
func splitResult(blocks []llm.Block) (string, []llm.Block) {
	var texts []string
	var media []llm.Block
	for _, b := range blocks {
		if t, ok := b.(llm.Text); ok {
			texts = append(texts, t.Text)
		} else {
			media = append(media, b)
		}
	}
	return strings.Join(texts, "\n"), media
}

func appendMedia(w *jsonw.Writer, b llm.Media) {
	o := begin(w, without(b.Extra, partInline, partFile))
	uri := b.FileID + b.URL
	if uri != "" || b.Extra.Noted(Name, noteFile) {
		o.key(partFile)
		in := begin(w, within(b.Extra, partFile))
		in.optStr("fileUri", uri)
		in.optStr("mimeType", b.MIME)
		in.optStr("displayName", b.Name)
		in.End()
	} else {
		o.key(partInline)
		in := begin(w, within(b.Extra, partInline))
		in.optStr("mimeType", b.MIME)
		in.optStr("data", b.Data)
		in.optStr("displayName", b.Name)
		in.End()
	}
	o.End()
}
