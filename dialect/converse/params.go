package converse

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// family is whose model is asked: what Converse has no field for goes to the model in its maker's words.
type family uint8

const (
	familyOther family = iota
	familyClaude
	familyNova
	familyOpenAI // and those who speak as OpenAI's do of effort
	familyMistral
	familyCohere
)

// familyOf tells the family by the model's id, in which its maker's name stands after a region's:
// us.anthropic.claude-..., or in the last part of an ARN.
func familyOf(id string) family {
	id = id[strings.LastIndexByte(id, '/')+1:]
	for _, f := range [...]struct {
		maker string
		is    family
	}{
		{"anthropic.", familyClaude},
		{"amazon.nova", familyNova},
		{"openai.", familyOpenAI},
		{"xai.", familyOpenAI},
		{"mistral.", familyMistral},
		{"cohere.", familyCohere},
	} {
		if strings.HasPrefix(id, f.maker) || strings.Contains(id, "."+f.maker) {
			return f.is
		}
	}
	if strings.Contains(id, "claude") {
		return familyClaude
	}
	return familyOther
}

// params are the parameters as they will be written.
type params struct {
	maxOut            llm.Opt[int]
	temperature, topP llm.Opt[float64]
	topK              llm.Opt[int]
	stop              []string
	choose            llm.ToolChoice
	thinking          *llm.Thinking
	output            llm.Format
	tier              string
	metadata          []llm.Field
}

// plan settles the parameters. A request of the dialect's own keeps them as they are.
func (e *requestEncoder) plan() {
	r := e.r
	e.params = params{
		maxOut: r.MaxOut, temperature: r.Temperature, topP: r.TopP, topK: r.TopK, stop: r.Stop,
		choose: r.Choose, output: r.Output, tier: r.Tier, metadata: r.Metadata,
	}
	e.tools = r.Tools
	if r.Thinking != nil {
		t := *r.Thinking
		e.params.thinking = &t
	}
	if c, ok := dialect.LeastCap(e.shape.Edits, r.MaxOut); ok && e.op == llm.OpGenerate {
		e.params.maxOut = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("maxTokens"))
	}
	if e.home {
		return
	}
	e.planTools()
	e.planSampling()
	e.planThinking()
	e.nameUnsaid()
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
		e.Add("tool_choice", strings.TrimSpace(c.Opaque.Type+" "+dialect.Foreign))
		*c = llm.ToolChoice{}
	}
	if len(c.Allowed) > 0 {
		e.tools, c.Allowed = dialect.AllowedTools(&e.Losses, e.tools, c.Allowed, mostName), nil
	}
	if c.Mode == llm.ChooseNone {
		e.chooseNone(c)
	}
	if len(e.tools) == 0 {
		if c.Mode == llm.ChooseAny || c.Mode == llm.ChooseTool {
			e.Add("tool_choice", "there are no tools")
		}
		*c = llm.ToolChoice{}
		e.pastTools()
	}
	if c.Mode == llm.ChooseTool {
		c.Name = dialect.ToolNames{}.Fit(c.Name, mostName)
	}
	if e.r.Parallel.Set && !e.r.Parallel.V && len(e.tools) > 0 {
		e.Add("parallel_tool_calls", "several tools may be called here")
	}
}

// chooseNone says that no tool may be called by leaving them out, where the history allows it.
func (e *requestEncoder) chooseNone(c *llm.ToolChoice) {
	*c = llm.ToolChoice{}
	if len(e.tools) == 0 {
		return
	}
	if e.called("") {
		e.Add("tool_choice", "none cannot be said where the history has calls of tools")
		return
	}
	e.tools = nil
	e.changed = append(e.changed, "tools left out (tool_choice none)")
}

// called reports whether the history calls a tool, or any if no name is given.
func (e *requestEncoder) called(name string) bool {
	for _, t := range e.turns {
		for _, b := range t.blocks {
			if u, ok := b.(llm.ToolUse); ok && (name == "" || u.Name == name) {
				return true
			}
		}
	}
	return false
}

// pastTools declares the tools that the history calls, where the caller declares none: the vendor refuses
// calls of what it does not know.
func (e *requestEncoder) pastTools() {
	for _, t := range e.turns {
		e.tools = dialect.CalledTools(e.tools, t.blocks)
	}
	if len(e.tools) > 0 {
		e.changed = append(e.changed, "tools set to those of the history")
	}
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
	t.Cache = e.fitMark(t.Cache, path)
	t.Name = dialect.ToolNames{}.Fit(t.Name, mostName)
	t.Schema = dialect.ObjectSchema(t.Schema)
	if blank(t.Description) {
		t.Description = ""
	}
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
	if p.topK.Set && e.family != familyClaude && e.family != familyNova && e.family != familyMistral && e.family != familyCohere {
		e.Add("top_k", "")
		p.topK = llm.Opt[int]{}
	}
	p.tier = e.fitTier(p.tier)
	if p.output.Kind == llm.FormatJSON {
		e.Add("response_format", "any JSON object: the vendor has only schemas")
	}
	e.extra("response_format", p.output.Extra)
	var meta []llm.Field
	for _, f := range p.metadata {
		if len(f.Raw) > 1 && f.Raw[0] == '"' {
			meta = append(meta, f)
		} else {
			e.Add("metadata."+f.Key, "only strings are taken")
		}
	}
	p.metadata = meta
}

func (e *requestEncoder) fitTier(tier string) string {
	switch tier {
	case "", "auto":
		return ""
	case "default", "priority", "flex", "reserved":
		return tier
	case "standard_only":
		return "default"
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
		{"prompt_cache_key", r.CacheKey != ""},
		{"user", r.User != ""},
		{"cache_control", r.Cache != nil},
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

func (e *requestEncoder) encodeInference(w *jsonw.Writer, rest string) {
	p := &e.params
	inTopK := p.topK.Set && (e.home && e.r.Extra.Noted(Name, noteTopK) || !e.home && e.family == familyNova)
	said := p.maxOut.Set || p.temperature.Set || p.topP.Set || p.stop != nil || inTopK
	if !said && rest == "" && !e.r.Extra.Noted(Name, noteInference) {
		return
	}
	w.Key("inferenceConfig")
	o := wire.Begin(w, nil)
	o.OptInt("maxTokens", p.maxOut)
	o.OptFloat("temperature", p.temperature)
	o.OptFloat("topP", p.topP)
	if inTopK {
		o.OptInt("topK", p.topK)
	}
	if p.stop != nil {
		w.KeyOpen("stopSequences", '[')
		for _, s := range p.stop {
			w.Str(s)
		}
		w.Close(']')
	}
	wire.AppendMembers(w, rest)
	o.End()
}

func (e *requestEncoder) encodeTools(w *jsonw.Writer, rest string) {
	c := e.params.choose
	if e.tools == nil && c.Mode == "" && c.Opaque.Raw == "" && rest == "" {
		return
	}
	w.KeyOpen("toolConfig", '{')
	if e.tools != nil {
		w.KeyOpen("tools", '[')
		for _, t := range e.tools {
			appendTool(w, t)
		}
		w.Close(']')
	}
	if c.Opaque.Dialect == Name && c.Opaque.Raw != "" {
		w.KeyRaw("toolChoice", c.Opaque.Raw)
	} else if c.Mode != llm.ChooseUnset {
		w.KeyOpen("toolChoice", '{')
		w.KeyOpen(string(c.Mode), '{')
		if c.Mode == llm.ChooseTool {
			w.KeyStr("name", c.Name)
		}
		w.Close('}')
		w.Close('}')
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
}

func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		appendMark(w, t.Cache)
		return
	}
	w.Open('{')
	w.Key("toolSpec")
	o := wire.Begin(w, t.Extra.In(Name))
	o.Str("name", t.Name)
	o.OptStr("description", t.Description)
	if t.Schema != "" && o.Free("inputSchema") {
		w.KeyOpen("inputSchema", '{')
		w.KeyRaw("json", t.Schema)
		w.Close('}')
	}
	o.OptBool("strict", t.Strict)
	o.End()
	w.Close('}')
	appendMark(w, t.Cache)
}

func (e *requestEncoder) encodeOutput(w *jsonw.Writer, rest string) {
	f, effort := e.params.output, ""
	if t := e.params.thinking; t != nil && t.Extra.Noted(Name, noteOutEffort) {
		effort = t.Effort
	}
	if f.Kind != llm.FormatSchema && effort == "" && rest == "" {
		return
	}
	if rest == "null" {
		w.KeyNull("outputConfig")
		return
	}
	w.KeyOpen("outputConfig", '{')
	if f.Kind == llm.FormatSchema {
		w.KeyOpen("textFormat", '{')
		w.KeyStr("type", "json_schema")
		w.KeyOpen("structure", '{')
		w.Key("jsonSchema")
		o := wire.Begin(w, f.Extra.In(Name))
		o.Str("schema", f.Schema)
		o.OptStr("name", f.Name)
		o.OptStr("description", f.Description)
		o.End()
		w.Close('}')
		w.Close('}')
	}
	if effort != "" {
		w.KeyStr("effort", effort)
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
}

func (e *requestEncoder) encodeMeta(w *jsonw.Writer) {
	if len(e.params.metadata) > 0 {
		w.KeyOpen("requestMetadata", '{')
		wire.AppendFields(w, e.params.metadata)
		w.Close('}')
	}
	if e.params.tier != "" {
		w.KeyOpen("serviceTier", '{')
		w.KeyStr("type", e.params.tier)
		w.Close('}')
	}
}
