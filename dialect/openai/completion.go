package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// CompletionsName is the name of the dialect of legacy completions.
const CompletionsName = "completions"

// Completions returns the dialect of legacy completions (POST /v1/completions): a model goes on with a
// text. It has the errors, the usage and the headers of chat completions, and an answer that a client of
// those cannot read: so it is a dialect of its own. Every call returns a new one.
func Completions() *dialect.Dialect {
	c := &completions{}
	post := func(pattern string) dialect.Route {
		return dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: pattern, Codec: c}
	}
	return &dialect.Dialect{
		Name:  CompletionsName,
		Title: "OpenAI Completions",
		Routes: []dialect.Route{
			post("/v1/completions"),
			post("/openai/v1/completions"),
			post("/openai/deployments/{" + deploymentVar + "...}/completions"),
			post("/completions"),
			post("/openai/completions"), // the base URL of chat completions given without /v1
		},
		Headers: namespace(),
		Allow:   platform.Allow,
	}
}

// completions speaks legacy completions. Peek, errors and the rest of a request's frame are those of chat.
type completions struct{ codec }

var _ dialect.Codec = (*completions)(nil)

// noteOne notes that the prompt stood in a list of one, and noteEcho that it is wanted back.
const (
	noteOne  = "prompt: list"
	noteEcho = "echo"
)

// DecodeRequest implements dialect.Server.
func (c *completions) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, notJSON(err)
	}
	d := completionDecoder{r: &llm.Request{Said: said}}
	if err := v.Fields(CompletionsName, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	if name := in.Vars[deploymentVar]; name != "" {
		d.r.Model = name
	}
	if d.r.Model == "" {
		return nil, invalid(wire.Bad("model", "the name of a model"))
	}
	return d.r, nil
}

type completionDecoder struct{ r *llm.Request }

func (d *completionDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "prompt":
		err = d.prompt(v)
	case "stream":
		if r.Stream, err = v.Bool(); !r.Stream && err == nil {
			r.Extra.Note(CompletionsName, "stream")
		}
	case "stream_options":
		var rest llm.Extra
		err = v.Fields(CompletionsName, &rest, func(key []byte, m wire.Value) (bool, error) {
			if string(key) != "include_usage" {
				return false, nil
			}
			return true, m.BoolTo(&r.StreamUsage)
		})
		wire.Leave(&r.Extra, "stream_options", rest)
	case "max_tokens":
		err = v.IntTo(&r.MaxOut)
	case "temperature":
		err = v.FloatTo(&r.Temperature)
	case "top_p":
		err = v.FloatTo(&r.TopP)
	case "frequency_penalty":
		err = v.FloatTo(&r.FrequencyPenalty)
	case "presence_penalty":
		err = v.FloatTo(&r.PresencePenalty)
	case "n":
		err = v.IntTo(&r.N)
	case "user":
		return v.StrTo(&r.User)
	case "seed":
		r.Seed.V, err = v.Int()
		r.Seed.Set = true
	case "stop":
		return true, d.stop(v)
	case "logprobs":
		if err = v.IntTo(&r.TopLogprobs); err == nil {
			r.Logprobs = llm.Some(true)
		}
	case "echo":
		var echo bool
		if echo, err = v.Bool(); echo {
			r.Extra.Note(CompletionsName, noteEcho)
		} else {
			r.Extra.Note(CompletionsName, "echo: false")
		}
	case "best_of":
		if v.JSON() != "1" {
			return false, nil
		}
		r.Extra.Note(CompletionsName, "best_of: 1")
	default:
		return false, nil
	}
	return true, err
}

func (d *completionDecoder) stop(v wire.Value) error {
	if v.Kind() == '"' {
		d.r.Stop = []string{v.Text()}
		d.r.Extra.Note(CompletionsName, noteStopString)
		return nil
	}
	d.r.Stop = []string{}
	return v.Elems(func(_ int, el wire.Value) error {
		s, err := el.Str()
		d.r.Stop = append(d.r.Stop, s)
		return err
	})
}

// prompt reads a prompt, or a list of one. Several, and tokens, mean something only to a host that speaks
// completions itself: there the bytes pass.
func (d *completionDecoder) prompt(v wire.Value) error {
	if v.Kind() == '[' && v.Len() == 1 && v.Get("0").Kind() == '"' {
		d.r.Extra.Note(CompletionsName, noteOne)
		v = v.Get("0")
	}
	if v.Kind() == '[' {
		return wire.Bad("", "one text: a list of prompts, or of tokens, is only for a target that speaks completions itself")
	}
	s, err := v.Str()
	d.r.Messages = []llm.Message{{
		Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: s}}, Extra: llm.Extra{Dialect: CompletionsName},
	}}
	return err
}

// Shapes implements dialect.Limited: a text that is continued has no shape but what is said in it.
func (c *completions) Shapes() dialect.Shapes { return dialect.Shapes{} }
