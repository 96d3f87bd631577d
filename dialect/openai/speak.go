package openai

import (
	"iter"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// speak speaks POST /v1/audio/speech: a text becomes sound, which comes as it is made, or as events where
// stream_format is sse.
type speak struct{ operation }

var (
	_ dialect.Codec     = (*speak)(nil)
	_ dialect.Piecewise = (*speak)(nil)
)

func speakRoutes() []dialect.Route {
	return postRoutes(llm.OpSpeak, "audio/speech", &speak{namingOperation()})
}

// Peek implements dialect.Server.
func (c *speak) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	h, err := c.Single.Peek(in, b)
	if err != nil {
		return h, err
	}
	found := make([]splice.Member, 1)
	if _, err := splice.Scan(in.Body, b.MaxDepth, []string{"stream_format"}, found); err != nil {
		return h, notJSON(err)
	}
	h.Stream = found[0].Value.Equal(in.Body, "sse")
	return h, nil
}

// DecodeRequest implements dialect.Server.
func (c *speak) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	r := &llm.Speak{}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			r.Model, err = m.Str()
		case "input":
			r.Text, err = m.Str()
		case "voice":
			if m.Kind() != '"' {
				return false, nil // a voice of the caller's own, as an object
			}
			return m.StrTo(&r.Voice)
		case "instructions":
			return m.StrTo(&r.How)
		case "response_format":
			return m.StrTo(&r.Format)
		case "speed":
			err = m.FloatTo(&r.Speed)
		case "stream_format":
			r.Stream = m.Is("sse")
			return r.Stream, nil
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && r.Text == "" {
		err = wire.Bad("input", "a text that is not empty")
	}
	if err != nil {
		return nil, invalid(err)
	}
	if name := in.Vars[deploymentVar]; name != "" {
		r.Model = name
	}
	if r.Model == "" {
		return nil, c.NoModel()
	}
	return r, nil
}

// EncodeRequest implements dialect.Client.
func (c *speak) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Speak)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	var l losses
	l.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", s.Upstream(r.Model))
	o.Str("input", r.Text)
	o.OptStr("voice", r.Voice)
	o.OptStr("instructions", r.How)
	o.OptStr("response_format", r.Format)
	o.OptFloat("speed", r.Speed)
	if r.Stream {
		o.Str("stream_format", "sse")
	}
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

// Pieces implements dialect.Piecewise.
func (*speak) Pieces(media string) bool {
	return strings.HasPrefix(media, "audio/") || media == "application/octet-stream" || media == "application/ogg"
}

// DecodeResponse implements dialect.Client: sound, or an error that looks like an answer.
func (c *speak) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !c.Pieces(media) {
		if v, err := wire.Parse(r.Body, nil); err == nil && v.Get("error").Found() {
			return nil, inStream(r.Body)
		}
		return nil, badUpstream(nil, "the upstream answered with "+media+" instead of sound")
	}
	return &llm.Speech{Sound: llm.Sound{MIME: media, Data: r.Body}}, nil
}

// Gist implements dialect.Client.
func (*speak) Gist([]byte) dialect.Gist { return dialect.Gist{} }

// EncodeResponse implements dialect.Server.
func (c *speak) EncodeResponse(_ llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	s, ok := r.(*llm.Speech)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	return dialect.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {s.Sound.MIME}}, Body: s.Sound.Data}, nil, nil
}

// DecodeStream implements dialect.Client.
func (*speak) DecodeStream(frames iter.Seq2[dialect.Frame, error], _ dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return steps{usage: spokenUsage, last: func(kind string) bool { return kind == "speech.audio.done" }}.decode(frames)
}

// spokenUsage reads the usage of speech, whose output is sound alone.
func spokenUsage(v wire.Value) llm.Usage {
	u := mediaUsage(v)
	u.OutputAudio, u.Output = u.OutputAudio+u.Output, 0
	return u
}

// NewEncoder implements dialect.Server.
func (*speak) NewEncoder(llm.Payload, dialect.Meta) dialect.Encoder { return stepEncoder{} }
