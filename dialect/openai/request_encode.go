package openai

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	mostName = platform.MostName // letters of a tool's name, and of a call's id
	mostStop = 4
)

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", fmt.Errorf("cannot say a %T", p))
	}
	r, err := redactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	e := requestEncoder{r: r, shape: s, home: r.Extra.Dialect == Name}
	if s.Offer != nil {
		e.traits = s.Offer.Traits
	}
	e.encode()
	body, refused, err := dialect.WithoutRefused("dialect/openai", e.w.Buf, s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	out := dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...), AskedUsage: e.asked}
	return out, e.List(), nil
}

// requestEncoder says one request.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	traits  plenum.Traits
	home    bool // the request was said in this dialect
	changed []string
	asked   bool
	w       jsonw.Writer
	tools   []llm.Tool // those that can be said
	joined  []joint    // where the message at hand was several
	fields  int        // messages so far that are not among the turns on the wire
}

func (e *requestEncoder) change(what string) {
	if !slices.Contains(e.changed, what) {
		e.changed = append(e.changed, what)
	}
}

func (e *requestEncoder) encode() {
	r := e.r
	if !e.home {
		e.extra("", r.Extra)
	}
	e.w = jsonw.Writer{Buf: bufs.Get(dialect.SizeOf(r)), Known: r.Said.JSON}
	options, extra := wire.Take(r.Extra, Name, "stream_options")
	if e.traits.MaxTokensField != "" {
		_, extra = wire.Take(extra, Name, "max_tokens") // where both fields were said
	}
	o := wire.Begin(&e.w, retold(extra))
	o.Forget("model") // clients of addresses that name the deployment say null
	o.Str("model", e.shape.Upstream(e.r.Model))
	e.messages()
	e.sayTools(o)
	e.format(o)
	e.sampling(o)
	e.maxOut(o)
	e.stop(o)
	e.thinking(o)
	e.stream(o, options)
	e.rest(o)
	o.End()
}

func (e *requestEncoder) sampling(o wire.Object) {
	r := e.r
	o.OptFloat("temperature", r.Temperature)
	o.OptFloat("top_p", r.TopP)
	if e.home {
		o.OptInt("top_k", r.TopK)
	} else if r.TopK.Set {
		e.Add("top_k", "")
	}
	o.OptFloat("frequency_penalty", r.FrequencyPenalty)
	o.OptFloat("presence_penalty", r.PresencePenalty)
	if r.Seed.Set {
		o.Int("seed", r.Seed.V)
	}
	o.OptInt("n", r.N)
	o.OptBool("logprobs", r.Logprobs)
	o.OptInt("top_logprobs", r.TopLogprobs)
}

// maxOut writes the cap on output under the name that the host knows, or that the caller used.
func (e *requestEncoder) maxOut(o wire.Object) {
	n := e.r.MaxOut
	if c, ok := dialect.LeastCap(e.shape.Edits, n); ok {
		n = llm.Some(c.N)
		e.change(capped(c))
	}
	o.OptInt(e.maxField(), n)
}

func (e *requestEncoder) maxField() string {
	switch {
	case e.traits.MaxTokensField != "":
		return e.traits.MaxTokensField
	case e.r.Extra.Noted(Name, noteMaxTokens):
		return "max_tokens"
	}
	return "max_completion_tokens"
}

func (e *requestEncoder) stop(o wire.Object) {
	stop := e.r.Stop
	if !e.home && len(stop) > mostStop {
		e.Add("stop_sequences["+itoa(mostStop)+"]", "four are the most here")
		stop = stop[:mostStop]
	}
	switch {
	case stop == nil || !o.Free("stop"):
	case len(stop) == 1 && e.r.Extra.Noted(Name, noteStopString):
		e.w.KeyStr("stop", stop[0])
	case len(stop) > 0 || e.home:
		e.w.KeyOpen("stop", '[')
		for _, s := range stop {
			e.w.Str(s)
		}
		e.w.Close(']')
	}
}

func (e *requestEncoder) thinking(o wire.Object) {
	t := e.r.Thinking
	switch {
	case t == nil:
	case !e.home:
		e.foreignThinking(t)
	case t.Extra.Noted(Name, noteReasoning):
		e.w.Key("reasoning")
		x := wire.Begin(&e.w, t.Extra.In(Name))
		x.OptStr("effort", t.Effort)
		x.OptInt("max_tokens", t.Budget)
		if t.Mode != llm.ThinkUnset && x.Free("enabled") {
			e.w.KeyBool("enabled", t.Mode != llm.ThinkOff)
		}
		x.End()
	case t.Extra.Noted(Name, noteThinking):
		e.w.Key("thinking")
		x := wire.Begin(&e.w, t.Extra.In(Name))
		x.OptStr("type", string(t.Mode))
		x.OptInt("budget_tokens", t.Budget)
		x.End()
	default:
		o.OptStr("reasoning_effort", t.Effort)
	}
}

// foreignThinking says how hard to think as a word, which is all that there is here.
func (e *requestEncoder) foreignThinking(t *llm.Thinking) {
	e.extra("thinking", t.Extra)
	word := platform.FitEffort(&e.Losses, t, "reasoning_effort")
	if word == "" {
		if t.Display != "" && t.Mode != llm.ThinkOff {
			e.Add("thinking.display", "")
		}
		return
	}
	if e.traits.Capabilities.Thinking == plenum.No {
		e.Add("thinking", "the model does not think")
		return
	}
	if t.Display != "" {
		e.Add("thinking.display", "")
	}
	e.w.KeyStr("reasoning_effort", word)
}

// stream says whether the answer is streamed, and asks for usage at its end. rest is what else the
// caller's stream_options held.
func (e *requestEncoder) stream(o wire.Object, rest string) {
	switch {
	case e.r.Stream:
		o.Raw("stream", "true")
	case e.r.Extra.Noted(Name, noteNotStreamed):
		o.Raw("stream", "false")
	}
	want := e.r.StreamUsage
	switch {
	case e.traits.NoStreamUsage:
		want, rest = llm.Opt[bool]{}, ""
	case e.r.Stream && e.shape.Meter && !want.V:
		want, e.asked = llm.Some(true), true
	}
	if !want.Set && (rest == "" || rest == "null") {
		if rest != "" {
			e.w.KeyRaw("stream_options", rest)
		}
		return
	}
	o.Open("stream_options", rest)
	if want.Set {
		e.w.KeyBool("include_usage", want.V)
	}
	e.w.Close('}')
}

func (e *requestEncoder) format(o wire.Object) {
	f := e.r.Output
	if f.Kind == llm.FormatUnset {
		e.extra("output_config.format", f.Extra)
		return
	}
	if !o.Free("response_format") {
		return
	}
	e.extra("output_config.format", f.Extra)
	rest, extra := wire.Take(f.Extra, Name, "json_schema")
	e.w.Key("response_format")
	x := wire.Begin(&e.w, extra.In(Name))
	switch f.Kind {
	case llm.FormatText:
		x.Str("type", "text")
	case llm.FormatJSON:
		x.Str("type", "json_object")
	case llm.FormatSchema:
		x.Str("type", "json_schema")
		e.schema(x, f, rest)
	}
	x.End()
}

func (e *requestEncoder) schema(o wire.Object, f llm.Format, rest string) {
	o.Open("json_schema", rest)
	if f.Name == "" && !e.home {
		f.Name = "answer" // there must be one here
	}
	optMember(&e.w, "name", f.Name)
	optMember(&e.w, "description", f.Description)
	if f.Schema != "" {
		e.w.KeyRaw("schema", f.Schema)
	}
	switch {
	case f.Strict.Set:
		e.w.KeyBool("strict", f.Strict.V)
	case e.home:
	case dialect.ClosedSchema(wire.Raw(f.Schema)):
		e.w.KeyBool("strict", true)
	default:
		e.Add("output_config.format", "held to less strictly: the schema leaves members open")
	}
	e.w.Close('}')
}

// sayTools writes the tools and the choice among them.
func (e *requestEncoder) sayTools(o wire.Object) {
	e.tools = e.r.Tools
	if !e.home {
		e.tools = nil
		for i, t := range e.r.Tools {
			if t, ok := e.fitTool(t, "tools["+itoa(i)+"]"); ok {
				e.tools = append(e.tools, t)
			}
		}
	}
	if (len(e.tools) > 0 || e.home && e.tools != nil) && o.Free("tools") {
		e.w.KeyOpen("tools", '[')
		for _, t := range e.tools {
			appendTool(&e.w, t)
		}
		e.w.Close(']')
	}
	if e.home {
		if c := e.r.Choose; c.Mode != llm.ChooseUnset || c.Opaque.Raw != "" {
			if o.Free("tool_choice") {
				e.w.Key("tool_choice")
				appendChoice(&e.w, c)
			}
		}
		o.OptBool("parallel_tool_calls", e.r.Parallel)
		return
	}
	e.fitChoice()
}

// fitTool makes a tool of another dialect one that can be said here.
func (e *requestEncoder) fitTool(t llm.Tool, path string) (llm.Tool, bool) {
	if t.Kind != llm.ToolFunction {
		if t.Opaque.Dialect == Name {
			return t, true
		}
		e.Add(path, strings.TrimSpace(t.Opaque.Type+" tool "+dialect.Foreign))
		return t, false
	}
	if t.Name == "" {
		e.Add(path, "a tool without a name")
		return t, false
	}
	e.extra(path, t.Extra)
	e.mark(t.Cache)
	t.Name = dialect.ToolNames{}.Fit(t.Name, mostName)
	t.Schema = dialect.ObjectSchema(t.Schema)
	t.Cache, t.Extra = nil, llm.Extra{}
	return t, true
}

// fitChoice writes a tool_choice that came in another dialect. One that is left without its tools is left
// out.
func (e *requestEncoder) fitChoice() {
	e.extra("tool_choice", e.r.Choose.Extra)
	c := platform.FitChoice(&e.Losses, e.r.Choose, e.tools)
	if c.Mode != llm.ChooseUnset {
		e.w.Key("tool_choice")
		appendChoice(&e.w, c)
	}
	if e.r.Parallel.Set && !e.r.Parallel.V && len(e.tools) > 0 {
		e.w.KeyBool("parallel_tool_calls", false)
	}
}

// rest writes what is left: tier, user, metadata, the cache's key.
func (e *requestEncoder) rest(o wire.Object) {
	r := e.r
	o.OptStr("service_tier", e.fitTier())
	if e.r.Extra.Noted(Name, noteSafety) {
		o.OptStr("safety_identifier", r.User)
	} else {
		o.OptStr("user", e.endUser())
	}
	o.OptStr("prompt_cache_key", r.CacheKey)
	if r.Cache != nil {
		e.mark(r.Cache)
	}
	if len(r.Metadata) > 0 && o.Free("metadata") {
		e.w.KeyOpen("metadata", '{')
		wire.AppendFields(&e.w, r.Metadata)
		e.w.Close('}')
	}
}

// endUser returns the caller's name for its end user.
func (e *requestEncoder) endUser() string {
	if e.home {
		return e.r.User
	}
	return platform.FitUser(e.r.User)
}

func (e *requestEncoder) fitTier() string {
	switch t := e.r.Tier; {
	case t == "" || e.home || t == "auto":
		return t
	case t == "standard_only":
		return "default"
	default:
		e.Add("service_tier", t+" is not a tier here")
		return ""
	}
}

func capped(c dialect.Cap) string {
	s := "output capped at " + strconv.Itoa(c.N) + " tokens"
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	return s
}
