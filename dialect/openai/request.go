package openai

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
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
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	if err := splice.Valid(in.Body, splice.MaxDepth); err != nil {
		return nil, notJSON(err)
	}
	d := requestDecoder{r: &llm.Request{}}
	if err := whole(in.Body).fields(&d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	if name := in.Vars[deploymentVar]; name != "" {
		d.r.Model = name
	}
	switch {
	case d.r.Model == "":
		return nil, invalid(&fault{"model", "the name of a model"})
	case !d.turns:
		return nil, invalid(&fault{"messages", "a list of messages"})
	}
	d.settleMaxOut()
	return d.r, nil
}

type requestDecoder struct {
	r                    *llm.Request
	turns                bool // messages were there
	maxTokens, maxOutput llm.Opt[int]
}

func (d *requestDecoder) member(key []byte, v value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.str()
	case "messages":
		d.turns = true
		r.Messages = nil
		err = v.elems(d.message)
	case "tools":
		r.Tools = []llm.Tool{}
		err = v.elems(d.tool)
	case "tool_choice":
		err = d.choose(v)
	case "response_format":
		return d.format(v)
	case "stop":
		err = d.stop(v)
	case "stream":
		if r.Stream, err = v.boolean(); !r.Stream {
			note(&r.Extra, noteNotStreamed)
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
func (d *requestDecoder) param(key []byte, v value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "max_tokens":
		err = optInt(&d.maxTokens, v)
	case "max_completion_tokens":
		err = optInt(&d.maxOutput, v)
	case "temperature":
		err = optFloat(&r.Temperature, v)
	case "top_p":
		err = optFloat(&r.TopP, v)
	case "top_k":
		err = optInt(&r.TopK, v)
	case "frequency_penalty":
		err = optFloat(&r.FrequencyPenalty, v)
	case "presence_penalty":
		err = optFloat(&r.PresencePenalty, v)
	case "n":
		err = optInt(&r.N, v)
	case "logprobs":
		err = optBool(&r.Logprobs, v)
	case "top_logprobs":
		err = optInt(&r.TopLogprobs, v)
	case "parallel_tool_calls":
		err = optBool(&r.Parallel, v)
	case "seed":
		return d.seed(v)
	case "service_tier":
		return optString(&r.Tier, v)
	case "user":
		return optString(&r.User, v)
	case "prompt_cache_key":
		return optString(&r.CacheKey, v)
	default:
		return false, nil
	}
	return true, err
}

func optInt(to *llm.Opt[int], v value) error {
	n, err := v.integer()
	*to = llm.Some(int(n))
	return err
}

func optFloat(to *llm.Opt[float64], v value) error {
	f, err := v.number()
	*to = llm.Some(f)
	return err
}

func optBool(to *llm.Opt[bool], v value) error {
	b, err := v.boolean()
	*to = llm.Some(b)
	return err
}

// optString reads a string; an empty one stays as it stands.
func optString(to *string, v value) (known bool, err error) {
	*to, err = v.str()
	return *to != "", err
}

// seed reads a whole number; hosts take larger ones than an int64 holds, which are left as they stand.
func (d *requestDecoder) seed(v value) (known bool, err error) {
	if v.kind() != '0' {
		return false, &fault{want: "a whole number"}
	}
	n, ok := v.at.Int(v.b)
	if !ok {
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
		note(&r.Extra, noteMaxTokens)
	}
}

func (d *requestDecoder) stop(v value) error {
	if v.kind() == '"' {
		d.r.Stop = []string{v.text()}
		note(&d.r.Extra, noteStopString)
		return nil
	}
	if v.kind() != '[' {
		return &fault{want: "a string or a list of strings"}
	}
	d.r.Stop = []string{}
	return v.elems(func(_ int, el value) error {
		s, err := el.str()
		d.r.Stop = append(d.r.Stop, s)
		return err
	})
}

func (d *requestDecoder) streamOptions(v value) error {
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		if string(key) != "include_usage" {
			return false, nil
		}
		return true, optBool(&d.r.StreamUsage, m)
	})
	leave(&d.r.Extra, "stream_options", rest)
	if err == nil && v.size() == 0 {
		d.r.Extra.Add(Name, "stream_options", "{}")
	}
	return err
}

// metadata reads an object of strings; anything else stays as it stands.
func (d *requestDecoder) metadata(v value) (known bool, err error) {
	if v.kind() != '{' || v.size() == 0 {
		return false, nil
	}
	d.r.Metadata = nil
	return true, v.members(func(key []byte, m value) error {
		d.r.Metadata = append(d.r.Metadata, llm.Field{Key: string(key), Raw: m.raw()})
		return nil
	})
}

func (d *requestDecoder) effort(v value) (known bool, err error) {
	word, err := v.str()
	if err != nil || word == "" || d.r.Thinking != nil {
		return false, err
	}
	d.r.Thinking = &llm.Thinking{Effort: word, Extra: llm.Extra{Dialect: Name}}
	return true, nil
}

// thinking reads what hosts other than OpenAI take as an object: `reasoning`, with effort, max_tokens and
// enabled, and `thinking`, with type and budget_tokens. Of several ways to say it in one request the first
// is read and the others stay as they stand.
func (d *requestDecoder) thinking(key string, v value) (known bool, err error) {
	if v.kind() != '{' || d.r.Thinking != nil {
		return false, nil
	}
	t := &llm.Thinking{}
	how := noteReasoning
	if key == "thinking" {
		how = noteThinking
	}
	err = v.fields(&t.Extra, func(key []byte, m value) (known bool, err error) {
		return thinkingMember(t, how, string(key), m)
	})
	note(&t.Extra, how)
	d.r.Thinking = t
	return true, err
}

func thinkingMember(t *llm.Thinking, how, key string, m value) (known bool, err error) {
	switch {
	case how == noteReasoning && key == "effort":
		return optString(&t.Effort, m)
	case how == noteReasoning && key == "max_tokens", how == noteThinking && key == "budget_tokens":
		return true, optInt(&t.Budget, m)
	case how == noteReasoning && key == "enabled":
		on, err := m.boolean()
		t.Mode = llm.ThinkOff
		if on {
			t.Mode = llm.ThinkOn
		}
		return true, err
	case how == noteThinking && key == "type":
		var word string
		known, err := optString(&word, m)
		t.Mode = llm.ThinkMode(word)
		return known, err
	}
	return false, nil
}

// format reads the shape of the answer. One of a type that only some host knows stays as it stands.
func (d *requestDecoder) format(v value) (known bool, err error) {
	var f llm.Format
	err = v.fields(&f.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			f.Kind = formatKind(m.text())
			return true, nil
		case "json_schema":
			return true, jsonSchema(&f, m)
		}
		return false, nil
	})
	if err != nil || f.Kind == llm.FormatUnset || f.Kind == llm.FormatSchema && f.Schema == "" {
		return false, err
	}
	d.r.Output = f
	return true, nil
}

func formatKind(word string) llm.FormatKind {
	switch word {
	case "text":
		return llm.FormatText
	case "json_object":
		return llm.FormatJSON
	case "json_schema":
		return llm.FormatSchema
	}
	return llm.FormatUnset
}

func jsonSchema(f *llm.Format, v value) error {
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "name":
			return optString(&f.Name, m)
		case "description":
			return optString(&f.Description, m)
		case "schema":
			f.Schema = m.raw()
		case "strict":
			err = optBool(&f.Strict, m)
		default:
			return false, nil
		}
		return true, err
	})
	leave(&f.Extra, "json_schema", rest)
	return err
}
