package openai

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes on how a request said things; see note.
const (
	noteMaxTokens    = "max_tokens: the field"
	noteStopString   = "stop: a string"
	noteNotStreamed  = "stream: false"
	noteReasoning    = "reasoning: an object"
	noteThinking     = "thinking: an object"
	noteAnyTool      = "tool_choice: any"
	noteEmptyContent = "content: empty"
	noteBareURL      = "image_url: a string"
	noteSafety       = "user: safety_identifier"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, notJSON(err)
	}
	d := requestDecoder{r: &llm.Request{Said: said}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	if name := in.Vars[deploymentVar]; name != "" {
		d.r.Model = name
	}
	switch {
	case d.r.Model == "":
		return nil, invalid(wire.Bad("model", "the name of a model"))
	case !d.turns:
		return nil, invalid(wire.Bad("messages", "a list of messages"))
	}
	d.settleMaxOut()
	d.settleUser()
	return d.r, nil
}

type requestDecoder struct {
	r                    *llm.Request
	turns                bool // messages were there
	maxTokens, maxOutput llm.Opt[int]
	safety               string
}

func (d *requestDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "messages":
		d.turns = true
		r.Messages = nil
		err = v.Elems(d.message)
	case "tools":
		r.Tools = []llm.Tool{}
		err = v.Elems(d.tool)
	case "tool_choice":
		err = d.choose(v)
	case "response_format":
		return d.format(v)
	case "stop":
		err = d.stop(v)
	case "stream":
		if r.Stream, err = v.Bool(); !r.Stream {
			r.Extra.Note(Name, noteNotStreamed)
		}
	case "stream_options":
		err = d.streamOptions(v)
	case "metadata":
		return d.metadata(v)
	case "reasoning_effort":
		return d.effort(v)
	case "reasoning", "thinking":
		return d.thinking(string(key), v)
	default:
		return d.param(key, v)
	}
	return true, err
}

// param reads the members that are plain values.
func (d *requestDecoder) param(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "max_tokens":
		err = v.IntTo(&d.maxTokens)
	case "max_completion_tokens":
		err = v.IntTo(&d.maxOutput)
	case "temperature":
		err = v.FloatTo(&r.Temperature)
	case "top_p":
		err = v.FloatTo(&r.TopP)
	case "top_k":
		err = v.IntTo(&r.TopK)
	case "frequency_penalty":
		err = v.FloatTo(&r.FrequencyPenalty)
	case "presence_penalty":
		err = v.FloatTo(&r.PresencePenalty)
	case "n":
		err = v.IntTo(&r.N)
	case "logprobs":
		if v.Kind() == '0' { // some hosts take how many are wanted here
			return false, nil
		}
		err = v.BoolTo(&r.Logprobs)
	case "top_logprobs":
		err = v.IntTo(&r.TopLogprobs)
	case "parallel_tool_calls":
		err = v.BoolTo(&r.Parallel)
	case "seed":
		return d.seed(v)
	case "service_tier":
		return v.StrTo(&r.Tier)
	case "user":
		return v.StrTo(&r.User)
	case "safety_identifier":
		return v.StrTo(&d.safety)
	case "store", "modalities", "logit_bias", "verbosity":
		if usual(string(key), v) {
			tell(&r.Extra, string(key), v.JSON())
			return true, nil
		}
		return false, nil
	case "prompt_cache_key":
		return v.StrTo(&r.CacheKey)
	default:
		return false, nil
	}
	return true, err
}

// usual reports whether a member says what holds anyway, so that nothing is lost without it.
func usual(key string, v wire.Value) bool {
	switch key {
	case "store":
		return v.Kind() == 'f'
	case "modalities":
		return v.Len() == 1 && v.Get("0").Is("text")
	case "logit_bias":
		return v.Kind() == '{' && v.Len() == 0
	}
	return v.Is("medium")
}

// settleUser takes the newer name of the end user where the older one was not said.
func (d *requestDecoder) settleUser() {
	switch r := d.r; {
	case d.safety == "":
	case r.User == "":
		r.User = d.safety
		r.Extra.Note(Name, noteSafety)
	default:
		r.Extra.Add(Name, "safety_identifier", quote(d.safety))
	}
}

// seed reads a whole number; hosts take larger ones than an int64 holds, which are left as they stand.
func (d *requestDecoder) seed(v wire.Value) (known bool, err error) {
	if v.Kind() != '0' {
		return false, wire.Bad("", "a whole number")
	}
	n, err := v.Int()
	if err != nil {
		return false, nil
	}
	d.r.Seed = llm.Some(n)
	return true, nil
}

// settleMaxOut joins the two fields for the cap on output. Where both were said the newer one counts.
func (d *requestDecoder) settleMaxOut() {
	r := d.r
	switch {
	case d.maxOutput.Set && d.maxTokens.Set:
		r.MaxOut = d.maxOutput
		r.Extra.Add(Name, "max_tokens", itoa(d.maxTokens.V))
	case d.maxOutput.Set:
		r.MaxOut = d.maxOutput
	case d.maxTokens.Set:
		r.MaxOut = d.maxTokens
		r.Extra.Note(Name, noteMaxTokens)
	}
}

func (d *requestDecoder) stop(v wire.Value) error {
	if v.Kind() == '"' {
		d.r.Stop = []string{v.Text()}
		d.r.Extra.Note(Name, noteStopString)
		return nil
	}
	if v.Kind() != '[' {
		return wire.Bad("", "a string or a list of strings")
	}
	d.r.Stop = []string{}
	return v.Elems(func(_ int, el wire.Value) error {
		s, err := el.Str()
		d.r.Stop = append(d.r.Stop, s)
		return err
	})
}

func (d *requestDecoder) streamOptions(v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		if string(key) != "include_usage" {
			return false, nil
		}
		return true, m.BoolTo(&d.r.StreamUsage)
	})
	wire.Leave(&d.r.Extra, "stream_options", rest)
	if err == nil && v.Len() == 0 {
		d.r.Extra.Add(Name, "stream_options", "{}")
	}
	return err
}

// metadata reads an object of strings; anything else stays as it stands.
func (d *requestDecoder) metadata(v wire.Value) (known bool, err error) {
	if v.Kind() != '{' || v.Len() == 0 {
		return false, nil
	}
	d.r.Metadata = nil
	return true, v.Members(func(key []byte, m wire.Value) error {
		d.r.Metadata = append(d.r.Metadata, llm.Field{Key: string(key), Raw: m.JSON()})
		return nil
	})
}

func (d *requestDecoder) effort(v wire.Value) (known bool, err error) {
	word, err := v.Str()
	if err != nil || word == "" || d.r.Thinking != nil {
		return false, err
	}
	d.r.Thinking = &llm.Thinking{Effort: word, Extra: llm.Extra{Dialect: Name}}
	return true, nil
}

// thinking reads what hosts other than OpenAI take as an object: `reasoning`, with effort, max_tokens and
// enabled, and `thinking`, with type and budget_tokens. Of several ways to say it in one request the first
// is read and the others stay as they stand.
func (d *requestDecoder) thinking(key string, v wire.Value) (known bool, err error) {
	if v.Kind() != '{' || d.r.Thinking != nil {
		return false, nil
	}
	t := &llm.Thinking{}
	how := noteReasoning
	if key == "thinking" {
		how = noteThinking
	}
	err = v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		return thinkingMember(t, how, string(key), m)
	})
	t.Extra.Note(Name, how)
	d.r.Thinking = t
	return true, err
}

func thinkingMember(t *llm.Thinking, how, key string, m wire.Value) (known bool, err error) {
	switch {
	case how == noteReasoning && key == "effort":
		return m.StrTo(&t.Effort)
	case how == noteReasoning && key == "max_tokens", how == noteThinking && key == "budget_tokens":
		return true, m.IntTo(&t.Budget)
	case how == noteReasoning && key == "enabled":
		on, err := m.Bool()
		t.Mode = llm.ThinkOff
		if on {
			t.Mode = llm.ThinkOn
		}
		return true, err
	case how == noteThinking && key == "type":
		var word string
		known, err := m.StrTo(&word)
		t.Mode = llm.ThinkMode(word)
		return known, err
	}
	return false, nil
}

// format reads the shape of the answer. One of a type that only some host knows stays as it stands.
func (d *requestDecoder) format(v wire.Value) (known bool, err error) {
	var f llm.Format
	err = v.Fields(Name, &f.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			f.Kind = platform.FormatKind(m.Text())
			return true, nil
		case "json_schema":
			return true, jsonSchema(&f, m)
		}
		return false, nil
	})
	if err != nil || f.Kind == llm.FormatUnset || (f.Kind == llm.FormatSchema) != (f.Schema != "") {
		return false, err
	}
	d.r.Output = f
	return true, nil
}

func jsonSchema(f *llm.Format, v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		return platform.FormatMember(f, string(key), m)
	})
	wire.Leave(&f.Extra, "json_schema", rest)
	return err
}
