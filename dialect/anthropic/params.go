package anthropic

import (
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// defaultMaxOut caps an answer where the caller gave no cap and the offer knows none: this dialect
// must have one.
const defaultMaxOut = 4096

// mostUser is the longest name of an end user that every host takes.
const mostUser = 256

// params are the parameters as they will be written.
type params struct {
	maxOut            int
	temperature, topP llm.Opt[float64]
	topK              llm.Opt[int]
	stop              []string
	choose            llm.ToolChoice
	parallel          llm.Opt[bool]
	thinking          *llm.Thinking
	effort            string
	tier              string
}

// plan settles the parameters. A request of the dialect's own keeps them as they are.
func (e *requestEncoder) plan() {
	r := e.r
	e.params = params{
		temperature: r.Temperature, topP: r.TopP, topK: r.TopK, stop: r.Stop,
		choose: r.Choose, parallel: r.Parallel, tier: r.Tier,
	}
	e.tools = r.Tools
	e.planMaxOut()
	if r.Thinking != nil {
		t := *r.Thinking
		e.params.thinking, e.params.effort = &t, t.Effort
	}
	if e.home {
		e.format = r.Output
		e.capThinking()
		return
	}
	e.planTools()
	e.planThinking()
	e.planSampling()
	e.nameUnsaid()
}

// planMaxOut finds the cap on output tokens, which the dialect requires.
func (e *requestEncoder) planMaxOut() {
	p := &e.params
	p.maxOut = e.r.MaxOut.Or(0)
	if !e.r.MaxOut.Set && e.op == llm.OpGenerate {
		p.maxOut = e.defaultMaxOut()
		e.changed = append(e.changed, fmt.Sprintf("max_tokens %d set", p.maxOut))
	}
	if least, ok := dialect.LeastCap(e.shape.Edits, llm.Some(p.maxOut)); ok && e.op == llm.OpGenerate {
		p.maxOut = least.N
		e.changed = append(e.changed, least.Changed("max_tokens"))
	}
}

func (e *requestEncoder) defaultMaxOut() int {
	if o := e.shape.Offer; o != nil {
		switch {
		case o.Traits.DefaultMaxOut > 0:
			return o.Traits.DefaultMaxOut
		case o.MaxOutput > 0:
			return o.MaxOutput
		}
	}
	return defaultMaxOut
}

// planTools fits tools and the choice among them.
func (e *requestEncoder) planTools() {
	e.tools = nil
	for i, t := range e.r.Tools {
		if t, ok := e.fitTool(t, "tools["+itoa(i)+"]"); ok {
			e.tools = append(e.tools, t)
		}
	}
	c := &e.params.choose
	e.extra("tool_choice", c.Extra)
	c.Extra = llm.Extra{}
	if c.Opaque.Raw != "" && c.Opaque.Dialect != Name {
		e.Add("tool_choice", c.Opaque.Type+" "+dialect.Foreign)
		*c = llm.ToolChoice{}
	}
	if len(c.Allowed) > 0 {
		e.tools, c.Allowed = dialect.AllowedTools(&e.Losses, e.tools, c.Allowed, mostName), nil
	}
	if len(e.tools) == 0 && e.pastTools() {
		*c, e.params.parallel = llm.ToolChoice{Mode: llm.ChooseNone}, llm.Opt[bool]{}
		e.changed = append(e.changed, "tools set to those of the history, not to be called")
	}
	if len(e.tools) == 0 {
		if c.Mode != llm.ChooseUnset && c.Mode != llm.ChooseNone && c.Mode != llm.ChooseAuto {
			e.Add("tool_choice", "there are no tools")
		}
		*c, e.params.parallel = llm.ToolChoice{}, llm.Opt[bool]{}
	}
	if c.Mode == llm.ChooseTool {
		c.Name = dialect.ToolNames{}.Fit(c.Name, mostName)
	}
}

// pastTools declares the tools that the history calls, where the caller declares none: the vendor refuses
// calls of what it does not know.
func (e *requestEncoder) pastTools() bool {
	for _, t := range e.turns {
		e.tools = dialect.CalledTools(e.tools, t.blocks)
	}
	return len(e.tools) > 0
}

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
	e.mark(path, t.Cache)
	t.Name = dialect.ToolNames{}.Fit(t.Name, mostName)
	t.Schema = dialect.ObjectSchema(t.Schema)
	if t.Strict.Set && !t.Strict.V {
		t.Strict = llm.Opt[bool]{} // not strict is what a tool is here
	}
	return t, true
}

func (e *requestEncoder) planSampling() {
	p := &e.params
	if p.temperature.Set && p.temperature.V > 1 {
		e.Add("temperature", "1 is the most here")
		p.temperature.V = 1
	}
	var stop []string
	for i, s := range p.stop {
		if blank(s) {
			e.Add("stop["+itoa(i)+"]", "only space")
			continue
		}
		stop = append(stop, s)
	}
	p.stop = stop
	p.tier = e.fitTier(p.tier)
	e.planFormat()
}

// planFormat settles the shape of the answer.
func (e *requestEncoder) planFormat() {
	e.format = e.r.Output
	if e.format.Kind == llm.FormatSchema {
		var c closer
		c.schema(wire.Raw(e.format.Schema))
		if c.closed {
			e.changed = append(e.changed, "the objects of response_format allow no other members")
		}
		if c.cut {
			e.Add("response_format.json_schema.schema", "objects allow no other members here")
		}
		e.format.Schema = c.w.String()
	}
	if e.r.Output.Kind == llm.FormatJSON {
		e.Add("response_format", "any JSON object: the vendor has only schemas")
	}
	if e.r.Output.Description != "" {
		e.Add("response_format.json_schema.description", "")
	}
	e.extra("response_format", e.r.Output.Extra)
}

func (e *requestEncoder) fitTier(tier string) string {
	switch tier {
	case "", "auto", "standard_only":
		return tier
	case "default":
		return "standard_only"
	}
	e.Add("service_tier", tier+" is not a tier here")
	return ""
}

// nameUnsaid names the parameters that the dialect has no word for.
func (e *requestEncoder) nameUnsaid() {
	r := e.r
	for _, p := range []struct {
		name string
		said bool
	}{
		{"frequency_penalty", r.FrequencyPenalty.Or(0) != 0},
		{"presence_penalty", r.PresencePenalty.Or(0) != 0},
		{"seed", r.Seed.Set},
		{"logprobs", r.Logprobs.V},
		{"top_logprobs", r.TopLogprobs.Or(0) > 0},
		{"metadata", len(r.Metadata) > 0},
		{"prompt_cache_key", r.CacheKey != ""},
	} {
		if p.said {
			e.Add(p.name, "")
		}
	}
	if r.N.Or(1) > 1 {
		e.Add("n", "one answer is given")
	}
	e.extra("", r.Extra)
}

// sampling writes the parameters of an answer, which a count does not have.
func (e *requestEncoder) sampling(w *jsonw.Writer, o wire.Object, meta string) {
	p := &e.params
	w.KeyInt("max_tokens", int64(p.maxOut))
	if e.r.Stream || e.home && !o.Free(notStreamed) {
		w.KeyBool("stream", e.r.Stream)
	}
	o.OptFloat("temperature", p.temperature)
	o.OptFloat("top_p", p.topP)
	o.OptInt("top_k", p.topK)
	if p.stop != nil && o.Free("stop_sequences") {
		w.KeyOpen("stop_sequences", '[')
		for _, s := range p.stop {
			w.Str(s)
		}
		w.Close(']')
	}
	o.OptStr("service_tier", p.tier)
	e.encodeMetadata(w, meta)
}

func (e *requestEncoder) encodeMetadata(w *jsonw.Writer, meta string) {
	switch {
	case meta == "null":
		w.KeyNull("metadata")
	case meta != "" || e.r.User != "":
		w.KeyOpen("metadata", '{')
		if e.r.User != "" {
			w.KeyStr("user_id", e.user())
		}
		wire.AppendMembers(w, meta)
		w.Close('}')
	}
}

// user returns the caller's name for its end user, which must not be too long.
func (e *requestEncoder) user() string {
	if e.home || len(e.r.User) <= mostUser {
		return e.r.User
	}
	return dialect.ToolNames{}.Fit(e.r.User, mostUser)
}

func (e *requestEncoder) encodeTools(w *jsonw.Writer, o wire.Object) {
	if e.tools != nil && o.Free("tools") {
		w.KeyOpen("tools", '[')
		for _, t := range e.tools {
			appendTool(w, t)
		}
		w.Close(']')
	}
	e.encodeChoice(w, o)
}

func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		return
	}
	o := wire.Begin(w, t.Extra.In(Name))
	if t.Opaque.Dialect == Name && t.Opaque.Type != "" {
		o.Str("type", t.Opaque.Type)
	}
	o.Str("name", t.Name)
	o.OptStr("description", t.Description)
	if t.Schema != "" {
		o.Raw("input_schema", t.Schema)
	}
	o.OptBool("strict", t.Strict)
	appendMark(w, t.Cache)
	o.End()
}

func (e *requestEncoder) encodeChoice(w *jsonw.Writer, o wire.Object) {
	c, parallel := e.params.choose, e.params.parallel
	if c.Opaque.Dialect == Name && c.Opaque.Raw != "" {
		o.Raw("tool_choice", c.Opaque.Raw)
		return
	}
	if c.Mode == llm.ChooseUnset && parallel.Set && !parallel.V && len(e.tools) > 0 {
		c.Mode = llm.ChooseAuto
	}
	if c.Mode == llm.ChooseUnset || !o.Free("tool_choice") {
		return
	}
	w.Key("tool_choice")
	x := wire.Begin(w, c.Extra.In(Name))
	w.KeyStr("type", string(c.Mode))
	if c.Mode == llm.ChooseTool {
		x.Str("name", c.Name)
	}
	if parallel.Set && (e.home || c.Mode != llm.ChooseNone && !parallel.V) {
		x.Raw("disable_parallel_tool_use", fmt.Sprint(!parallel.V))
	}
	x.End()
}

func (e *requestEncoder) encodeThinking(w *jsonw.Writer, o wire.Object) {
	t := e.params.thinking
	if t == nil || t.Mode == llm.ThinkUnset || !o.Free("thinking") {
		return
	}
	w.Key("thinking")
	x := wire.Begin(w, t.Extra.In(Name))
	w.KeyStr("type", string(t.Mode))
	x.OptInt("budget_tokens", t.Budget)
	x.OptStr("display", t.Display)
	x.End()
}

func (e *requestEncoder) encodeOutput(w *jsonw.Writer, o wire.Object, config string) {
	format := e.format
	if format.Kind == llm.FormatSchema && format.Extra.Dialect == oldFormat && o.Free("output_format") {
		w.Key("output_format")
		appendFormat(w, format)
		format = llm.Format{}
	}
	switch {
	case e.params.effort == "" && format.Kind != llm.FormatSchema && config == "":
		return
	case config == "null":
		w.KeyNull("output_config")
		return
	}
	w.KeyOpen("output_config", '{')
	if e.params.effort != "" {
		w.KeyStr("effort", e.params.effort)
	}
	if format.Kind == llm.FormatSchema {
		w.Key("format")
		appendFormat(w, format)
	}
	wire.AppendMembers(w, config)
	w.Close('}')
}

func appendFormat(w *jsonw.Writer, f llm.Format) {
	w.Open('{')
	w.KeyStr("type", "json_schema")
	w.KeyRaw("schema", f.Schema)
	w.Close('}')
}
