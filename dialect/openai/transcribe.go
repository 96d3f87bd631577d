package openai

import (
	"iter"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// transcribe speaks POST /v1/audio/transcriptions and /v1/audio/translations: a form with a file becomes text,
// as JSON, as bare text or subtitles, or as events while it is understood.
type transcribe struct {
	operation
	task llm.Op
}

var (
	_ dialect.Codec     = (*transcribe)(nil)
	_ dialect.Piecewise = (*transcribe)(nil)
)

func transcribeRoutes() []dialect.Route {
	return append(
		postRoutes(llm.OpTranscribe, "audio/transcriptions", &transcribe{newOperation(), llm.OpTranscribe}),
		postRoutes(llm.OpTranslate, "audio/translations", &transcribe{newOperation(), llm.OpTranslate})...)
}

// Peek implements dialect.Server.
func (*transcribe) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	return peekForm(in)
}

// EditRequest implements dialect.Client.
func (*transcribe) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	return editForm(in, h, s)
}

// DecodeRequest implements dialect.Server.
func (c *transcribe) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	f, err := readForm(in)
	if err != nil {
		return nil, err
	}
	r := &llm.Transcribe{Task: c.task}
	for _, p := range f.Parts {
		value := f.Content(p)
		switch p.Name {
		case "file":
			r.Sound = llm.Sound{Name: p.File, MIME: p.Type, Data: value}
		case "model":
			r.Model = string(value)
		case "language":
			r.Language = string(value)
		case "prompt":
			r.Prompt = string(value)
		case "response_format":
			r.Format = string(value)
		case "stream":
			r.Stream = yes(string(value))
		default:
			r.Fields = append(r.Fields, llm.FormField{Name: p.Name, Value: string(value)})
		}
	}
	if name := in.Vars[deploymentVar]; name != "" {
		r.Model = name
	}
	switch {
	case r.Model == "":
		return nil, c.NoModel()
	case f.Count("file") != 1:
		return nil, invalid(wire.Bad("file", "one file with sound"))
	}
	return r, nil
}

// EncodeRequest implements dialect.Client.
func (c *transcribe) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Transcribe)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	b := newForm()
	b.field("model", s.Upstream(r.Model))
	b.file(form.Part{Name: "file", File: r.Sound.Name, Type: r.Sound.MIME}, r.Sound.Data)
	b.optional("language", r.Language)
	b.optional("prompt", r.Prompt)
	b.optional("response_format", r.Format)
	if r.Stream {
		b.field("stream", "true")
	}
	for _, x := range r.Fields {
		b.field(x.Name, x.Value)
	}
	return b.end(), nil, nil
}

// Pieces implements dialect.Piecewise.
func (*transcribe) Pieces(media string) bool {
	return media == "text/plain" || media == "text/vtt" || media == "application/x-subrip" || media == "text/srt"
}

// DecodeResponse implements dialect.Client.
func (c *transcribe) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	res := &llm.Transcript{}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if c.Pieces(media) {
		res.Text = string(r.Body)
		res.Extra.Note(Name, noteBare+media)
		return res, nil
	}
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not JSON")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, inStream(r.Body)
	}
	found := false
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "text":
			found = true
			res.Text, err = m.Str()
			return true, err
		case "language":
			return m.StrTo(&res.Language)
		}
		return false, nil
	})
	if err == nil && !found {
		err = wire.Bad("text", "a text")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is no transcript")
	}
	res.Usage = heardUsage(v.Get("usage"), v.Get("duration"))
	return res, nil
}

// noteBare begins the note of a text that stood by itself, with its media type.
const noteBare = "bare: "

// heardUsage reads what was heard: the usage, or where there is none the duration.
func heardUsage(usage, duration wire.Value) llm.Usage {
	u := mediaUsage(usage)
	if d := seconds(duration); d.Seconds > 0 {
		u.Seconds = max(u.Seconds, d.Seconds)
		u.Reported |= d.Reported
	}
	return u
}

// Gist implements dialect.Client.
func (c *transcribe) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 3)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"text", "usage", "duration"}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{Text: len(found[0].Value.Raw(body))}
	g.Usage = heardUsage(wire.At(body, found[1].Value), wire.At(body, found[2].Value))
	return g
}

// EncodeResponse implements dialect.Server.
func (c *transcribe) EncodeResponse(_ llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Transcript)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	for _, f := range res.Extra.In(Name) {
		if media, ok := strings.CutPrefix(f.Key, noteBare); ok && f.Raw == "" {
			return dialect.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {media}}, Body: []byte(res.Text)}, nil, nil
		}
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	o.OptStr("language", res.Language)
	o.Str("text", res.Text)
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

// DecodeStream implements dialect.Client.
func (*transcribe) DecodeStream(frames iter.Seq2[dialect.Frame, error], _ dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return steps{usage: mediaUsage, last: func(kind string) bool { return kind == "transcript.text.done" }}.decode(frames)
}

// NewEncoder implements dialect.Server.
func (*transcribe) NewEncoder(llm.Payload, dialect.Meta) dialect.Encoder { return stepEncoder{} }
