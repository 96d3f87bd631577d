package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes on how a request said things.
const (
	noteInputString = "input: a string"
	noteNoInput     = "input: absent"
	noteNotStreamed = "stream: false"
	noteSafety      = "user: safety_identifier"
	noteUnasked     = "logprobs: not asked"
	noteVerbosity   = "text.verbosity: medium"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON("dialect/responses", err)
	}
	d := requestDecoder{r: &llm.Request{Said: said}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	if d.r.Model == "" {
		return nil, invalid(wire.Bad("model", "the name of a model"))
	}
	d.distinct()
	if err := d.input(); err != nil {
		return nil, invalid(wire.Under(err, "input"))
	}
	d.settle()
	if c.op == llm.OpCountTokens {
		return &llm.CountTokens{Request: d.r}, nil
	}
	return d.r, nil
}

type requestDecoder struct {
	r      *llm.Request
	in     wire.Value
	safety string
	asked  bool // log probabilities were, by include
}

func (d *requestDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "input":
		d.in = v
	case "instructions":
		return d.instructions(v)
	case "tools":
		r.Tools = []llm.Tool{}
		err = v.Elems(d.tool)
	case "tool_choice":
		err = d.choose(v)
	case "text":
		err = d.text(v)
	case "reasoning":
		return d.reasoning(v)
	case "include":
		return d.include(v)
	case "metadata":
		return d.metadata(v)
	case "stream":
		if r.Stream, err = v.Bool(); !r.Stream {
			r.Extra.Note(Name, noteNotStreamed)
		}
	case "parallel_tool_calls":
		err = v.BoolTo(&r.Parallel)
	default:
		return d.param(key, v)
	}
	return true, err
}

// param reads the members that are plain values.
func (d *requestDecoder) param(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch k := string(key); k {
	case maxOutput:
		err = v.IntTo(&r.MaxOut)
	case "temperature":
		err = v.FloatTo(&r.Temperature)
	case "top_p":
		err = v.FloatTo(&r.TopP)
	case "top_logprobs":
		err = v.IntTo(&r.TopLogprobs)
	case "frequency_penalty":
		err = v.FloatTo(&r.FrequencyPenalty)
	case "presence_penalty":
		err = v.FloatTo(&r.PresencePenalty)
	case "service_tier":
		return v.StrTo(&r.Tier)
	case "user":
		return v.StrTo(&r.User)
	case "safety_identifier":
		return v.StrTo(&d.safety)
	case "prompt_cache_key":
		return v.StrTo(&r.CacheKey)
	case "store", "background", "truncation", "stream_options":
		if !usual(k, v) {
			return false, nil
		}
		tell(&r.Extra, k, v.JSON())
	default:
		return false, nil
	}
	return true, err
}

// usual reports whether a member says what holds anyway, so that nothing is lost without it.
func usual(key string, v wire.Value) bool {
	switch key {
	case "store", "background":
		return v.Kind() == 'f'
	case "truncation":
		return v.Is("disabled")
	case "stream_options": // how the upstream's frames are padded
		return v.Len() == 0 || v.Len() == 1 && v.Get("include_obfuscation").Found()
	}
	return false
}

// settle joins what several members say.
func (d *requestDecoder) settle() {
	switch r := d.r; {
	case d.safety == "":
	case r.User == "":
		r.User = d.safety
		r.Extra.Note(Name, noteSafety)
	default:
		r.Extra.Add(Name, "safety_identifier", quote(d.safety))
	}
	if n := d.r.TopLogprobs; d.asked || n.Set && n.V > 0 {
		d.r.Logprobs = llm.Some(true)
		if !d.asked {
			d.r.Extra.Note(Name, noteUnasked)
		}
	}
}

func (d *requestDecoder) instructions(v wire.Value) (known bool, err error) {
	text, err := v.Str()
	if err != nil || text == "" {
		return false, err
	}
	d.r.Messages = append(d.r.Messages, llm.Message{
		Role: llm.System, Place: "field", Plain: true, Blocks: []llm.Block{llm.Text{Text: text, Extra: named()}}, Extra: named(),
	})
	return true, nil
}

// includeAsked is the member of include that asks for log probabilities.
const includeAsked = "message.output_text.logprobs"

// includeSealed is the member of include that asks for sealed reasoning.
const includeSealed = "reasoning.encrypted_content"

// include reads what else the answer shall hold. Sealed reasoning is always given; what belongs to tools
// that the vendor runs goes with these.
func (d *requestDecoder) include(v wire.Value) (known bool, err error) {
	plain := true
	err = v.Elems(func(_ int, el wire.Value) error {
		word, err := el.Str()
		d.asked = d.asked || word == includeAsked
		plain = plain && (word == includeAsked || word == includeSealed || hostedInclude(word))
		return err
	})
	if plain && err == nil {
		tell(&d.r.Extra, "include", v.JSON())
	}
	return plain, err
}

// hostedInclude reports whether a member of include is about a tool that the vendor runs: without the tool,
// which is named where it is lost, it asks for nothing.
func hostedInclude(word string) bool {
	for _, tool := range [...]string{"web_search_call.", "file_search_call.", "code_interpreter_call.", "computer_call_output."} {
		if strings.HasPrefix(word, tool) {
			return true
		}
	}
	return false
}

// metadata reads an object of strings; anything else stays as it stands.
func (d *requestDecoder) metadata(v wire.Value) (known bool, err error) {
	if v.Kind() != '{' {
		return false, wire.Bad("", "an object")
	}
	if v.Len() == 0 {
		tell(&d.r.Extra, "metadata", "{}")
		return true, nil
	}
	d.r.Metadata = nil
	return true, v.Members(func(key []byte, m wire.Value) error {
		d.r.Metadata = append(d.r.Metadata, llm.Field{Key: string(key), Raw: m.JSON()})
		return nil
	})
}

// reasoning reads how hard to think, and whether a summary of it is wanted.
func (d *requestDecoder) reasoning(v wire.Value) (known bool, err error) {
	t := &llm.Thinking{}
	err = v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "effort":
			return m.StrTo(&t.Effort)
		case "summary":
			if !m.Is("auto") && !m.Is("concise") && !m.Is("detailed") {
				return false, nil
			}
			t.Display = summarized
			tell(&t.Extra, "summary", m.JSON())
			return true, nil
		}
		return false, nil
	})
	d.r.Thinking = t
	return true, err
}

// summarized is what Thinking.Display says of reasoning that shall be shown.
const summarized = "summarized"

// text reads the shape of the answer.
func (d *requestDecoder) text(v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "format":
			return d.format(m)
		case "verbosity":
			if m.Is("medium") {
				d.r.Extra.Note(Name, noteVerbosity)
				return true, nil
			}
		}
		return false, nil
	})
	if err == nil && v.Len() == 0 {
		tell(&d.r.Extra, "text", "{}")
	}
	wire.Leave(&d.r.Extra, "text", rest)
	return err
}

// format reads a format. One of a type that is not known stays as it stands.
func (d *requestDecoder) format(v wire.Value) (known bool, err error) {
	var f llm.Format
	err = v.Fields(Name, &f.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		if string(key) == "type" {
			f.Kind = platform.FormatKind(m.Text())
			return true, nil
		}
		return platform.FormatMember(&f, string(key), m)
	})
	if err != nil || f.Kind == llm.FormatUnset || (f.Kind == llm.FormatSchema) != (f.Schema != "") {
		return false, err
	}
	d.r.Output = f
	return true, nil
}
