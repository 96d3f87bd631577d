package openai

import (
	"fmt"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// FIMName is the name of the dialect of /v1/fim/completions.
const FIMName = "fim"

// FIM returns the dialect of /v1/fim/completions, Mistral's: a model writes what stands between a prompt and a suffix. It is
// answered as chat is, and metered so. Who does not speak it gets the prompt, and the suffix is lost by name.
func FIM() *dialect.Dialect {
	c := &fim{}
	return &dialect.Dialect{
		Name:  FIMName,
		Title: "Mistral FIM",
		Routes: []dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/v1/fim/completions", Codec: c},
		},
		Headers: namespace(),
		Allow:   platform.Allow,
	}
}

// fim speaks what is filled in. Its answers are those of chat, whole and streamed.
type fim struct{ codec }

var _ dialect.Codec = (*fim)(nil)

// Shapes implements dialect.Limited: a text that is filled in has no shape but what stands around it.
func (c *fim) Shapes() dialect.Shapes { return dialect.Shapes{} }

// DecodeRequest implements dialect.Server.
func (c *fim) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, notJSON(err)
	}
	r := &llm.Request{Said: said}
	d := completionDecoder{r: r}
	err = v.Fields(FIMName, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "random_seed":
			r.Seed.V, err = m.Int()
			r.Seed.Set = true
		case "prompt":
			var text string
			text, err = m.Str()
			r.Messages = []llm.Message{{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: text}}, Extra: llm.Extra{Dialect: FIMName}}}
		case "stop":
			if m.Kind() == '"' {
				r.Extra.Note(FIMName, noteStopString)
				r.Stop = []string{m.Text()}
				return true, nil
			}
			return true, d.stop(m)
		case "stream":
			if r.Stream, err = m.Bool(); !r.Stream && err == nil {
				r.Extra.Note(FIMName, "stream")
			}
		case "model", "max_tokens", "temperature", "top_p":
			return d.member(key, m)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return nil, invalid(err)
	case r.Model == "":
		return nil, invalid(wire.Bad("model", "the name of a model"))
	case len(r.Messages) == 0:
		return nil, invalid(wire.Bad("prompt", "a text"))
	}
	return r, nil
}

// EditRequest implements dialect.Client.
func (c *fim) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(in.Header), dialect.Redacted)
	}
	return c.codec.EditRequest(in, h, s)
}

// EncodeRequest implements dialect.Client. A conversation is said as one text.
func (c *fim) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", err)
	}
	e := completionEncoder{r: r, shape: s, home: r.Extra.Dialect == FIMName}
	body, refused, err := dialect.WithoutRefused(where, e.fim(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}, e.List(), nil
}

// fim writes the body.
func (e *completionEncoder) fim() []byte {
	r := e.r
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	o := wire.Begin(&w, r.Extra.In(FIMName))
	o.Str("model", e.shape.Upstream(r.Model))
	w.KeyStr("prompt", dialect.Transcript(r.Messages))
	if len(r.Messages) > 1 {
		e.Add("messages", "said as one prompt")
	}
	most := r.MaxOut
	if c, ok := dialect.LeastCap(e.shape.Edits, r.MaxOut); ok {
		most = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("max_tokens"))
	}
	o.OptInt("max_tokens", most)
	o.OptFloat("temperature", r.Temperature)
	o.OptFloat("top_p", r.TopP)
	if r.Seed.Set {
		o.Int("random_seed", r.Seed.V)
	}
	if r.Stop != nil && o.Free("stop") {
		if r.Extra.Noted(FIMName, noteStopString) && len(r.Stop) == 1 {
			w.KeyStr("stop", r.Stop[0])
		} else {
			w.KeyOpen("stop", '[')
			for _, s := range r.Stop {
				w.Str(s)
			}
			w.Close(']')
		}
	}
	if r.Stream || r.Extra.Noted(FIMName, "stream") {
		w.KeyBool("stream", r.Stream)
	}
	if !e.home {
		for _, p := range []struct {
			name string
			said bool
		}{
			{"n", r.N.Or(1) > 1},
			{"frequency_penalty", r.FrequencyPenalty.Set},
			{"presence_penalty", r.PresencePenalty.Set},
			{"logprobs", r.Logprobs.V},
			{"user", r.User != ""},
		} {
			if p.said {
				e.Add(p.name, "")
			}
		}
		e.nameUnsaid()
	}
	o.End()
	return w.Buf
}
