package openai

import (
	"fmt"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// defaultCompletion caps an answer where nobody else does: the API's own default is 16 tokens, which is
// what no caller of another dialect means.
const defaultCompletion = 4096

// EncodeRequest implements dialect.Client. A conversation is said as one text.
func (c *completions) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", err)
	}
	e := completionEncoder{r: r, shape: s, home: r.Extra.Dialect == CompletionsName}
	body, refused, err := dialect.WithoutRefused("dialect/openai", e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	out := dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...), AskedUsage: e.asked}
	return out, e.List(), nil
}

// EditRequest implements dialect.Client.
func (c *completions) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(in.Header), dialect.Redacted)
	}
	offer := plenum.Offer{}
	if s.Offer != nil {
		offer = *s.Offer
	}
	offer.Traits.MaxTokensField = peekKeys()[atMaxTokens]
	s.Offer = &offer
	return c.codec.EditRequest(in, h, s)
}

type completionEncoder struct {
	dialect.Losses
	r       *llm.Request
	shape   dialect.Shape
	home    bool // the request was said in this dialect
	changed []string
	asked   bool // usage was asked for that the caller did not ask for
}

func (e *completionEncoder) encode() []byte {
	r := e.r
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	rest, extra := wire.Take(r.Extra, CompletionsName, "stream_options")
	o := wire.Begin(&w, extra.In(CompletionsName))
	o.Str("model", e.shape.Upstream(r.Model))
	e.prompt(&w, o)
	e.maxOut(o)
	o.OptFloat("temperature", r.Temperature)
	o.OptFloat("top_p", r.TopP)
	o.OptFloat("frequency_penalty", r.FrequencyPenalty)
	o.OptFloat("presence_penalty", r.PresencePenalty)
	o.OptInt("n", r.N)
	o.OptStr("user", r.User)
	if r.Seed.Set {
		o.Int("seed", r.Seed.V)
	}
	if r.Logprobs.V {
		o.Int("logprobs", int64(r.TopLogprobs.Or(0)))
	}
	for _, f := range extra.In(CompletionsName) {
		switch {
		case f.Raw != "":
		case f.Key == noteEcho:
			w.KeyBool("echo", true)
		case f.Key == "echo: false":
			w.KeyBool("echo", false)
		case f.Key == "best_of: 1":
			w.KeyInt("best_of", 1)
		}
	}
	e.stop(&w, o)
	e.stream(&w, rest)
	if !e.home {
		e.nameUnsaid()
	}
	o.End()
	return w.Buf
}

func (e *completionEncoder) prompt(w *jsonw.Writer, o wire.Object) {
	if len(e.r.Messages) == 0 && e.home {
		return
	}
	text := dialect.Transcript(e.r.Messages)
	if len(e.r.Messages) > 1 {
		e.Add("messages", "said as one prompt")
	}
	switch {
	case !o.Free("prompt"):
	case e.r.Extra.Noted(CompletionsName, noteOne):
		w.KeyOpen("prompt", '[')
		w.Str(text)
		w.Close(']')
	default:
		w.KeyStr("prompt", text)
	}
}

func (e *completionEncoder) maxOut(o wire.Object) {
	n := e.r.MaxOut
	if !n.Set && !e.home {
		n = llm.Some(defaultCompletion)
		if of := e.shape.Offer; of != nil && of.Traits.DefaultMaxOut > 0 {
			n.V = of.Traits.DefaultMaxOut
		} else if of != nil && of.MaxOutput > 0 {
			n.V = of.MaxOutput
		}
		e.changed = append(e.changed, fmt.Sprintf("max_tokens %d set", n.V))
	}
	if c, ok := dialect.LeastCap(e.shape.Edits, n); ok {
		n = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("max_tokens"))
	}
	o.OptInt("max_tokens", n)
}

func (e *completionEncoder) stop(w *jsonw.Writer, o wire.Object) {
	stop := e.r.Stop
	if !e.home && len(stop) > mostStop {
		e.Add("stop", "four are the most here")
		stop = stop[:mostStop]
	}
	switch {
	case stop == nil || !o.Free("stop"):
	case len(stop) == 1 && e.r.Extra.Noted(CompletionsName, noteStopString):
		w.KeyStr("stop", stop[0])
	case len(stop) > 0 || e.home:
		w.KeyOpen("stop", '[')
		for _, s := range stop {
			w.Str(s)
		}
		w.Close(']')
	}
}

func (e *completionEncoder) stream(w *jsonw.Writer, rest string) {
	r := e.r
	if r.Stream || r.Extra.Noted(CompletionsName, "stream") {
		w.KeyBool("stream", r.Stream)
	}
	noUsage := e.shape.Offer != nil && e.shape.Offer.Traits.NoStreamUsage
	ask := r.Stream && e.shape.Meter && !noUsage
	e.asked = ask && !r.StreamUsage.V
	if (!ask && !r.StreamUsage.Set && rest == "") || noUsage {
		return
	}
	w.KeyOpen("stream_options", '{')
	if ask || r.StreamUsage.Set {
		w.KeyBool("include_usage", ask || r.StreamUsage.V)
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
}

// nameUnsaid names what a model that continues a text cannot be told.
func (e *completionEncoder) nameUnsaid() {
	r := e.r
	for _, p := range []struct {
		name string
		said bool
	}{
		{"tools", len(r.Tools) > 0},
		{"tool_choice", len(r.Tools) > 0 && r.Choose.Mode != llm.ChooseUnset && r.Choose.Mode != llm.ChooseAuto && r.Choose.Mode != llm.ChooseNone},
		{"response_format", r.Output.Kind == llm.FormatJSON || r.Output.Kind == llm.FormatSchema},
		{"thinking", r.Thinking != nil && r.Thinking.Mode != llm.ThinkOff},
		{"top_k", r.TopK.Set},
		{"metadata", len(r.Metadata) > 0},
		{"service_tier", r.Tier != "" && r.Tier != "auto" && r.Tier != "default"},
		{"prompt_cache_key", r.CacheKey != ""},
	} {
		if p.said {
			e.Add(p.name, "a completion has none")
		}
	}
	e.AddExtra("", r.Extra)
	for i, m := range r.Messages {
		for j, b := range m.Blocks {
			path := "messages[" + itoa(i) + "].content[" + itoa(j) + "]"
			switch b := b.(type) {
			case llm.Media:
				if b.Text == "" {
					e.Add(path, string(b.Kind)+" in a prompt")
				}
			case llm.Thought:
				if !b.Empty() {
					e.Add(path, "reasoning in a prompt")
				}
			case llm.Opaque:
				e.Add(path, b.Type+" "+dialect.Foreign)
			}
		}
	}
}
