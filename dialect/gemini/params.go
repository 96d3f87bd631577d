package gemini

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// model is what is known of a model by its id: from which generation of Gemini it is, and of which size.
type model struct {
	generation int // 0 where the id does not tell
	pro, flash bool
	word       bool // the host takes how hard to think as a word
}

// modelBy tells a model by its id at the upstream. Ids that name no version are of the newest models.
func modelBy(s dialect.Shape, asked string) model {
	id := s.Upstream(asked)
	id = id[strings.LastIndexByte(id, '/')+1:]
	m := model{pro: strings.Contains(id, "pro"), flash: strings.Contains(id, "flash")}
	if s.Offer != nil {
		m.word = s.Offer.Traits.Effort
	}
	rest, ok := strings.CutPrefix(id, "gemini-")
	if !ok {
		return m
	}
	m.generation = 3
	if rest != "" && '0' <= rest[0] && rest[0] <= '9' {
		m.generation = int(rest[0] - '0')
	}
	m.word = m.word || m.generation >= 3
	return m
}

// signs reports whether the model refuses calls of tools in its history without a signature.
func (m model) signs() bool { return m.generation >= 3 }

// seesResults reports whether the model takes media in the result of a tool.
func (m model) seesResults() bool { return m.generation >= 3 }

// params are the parameters as they will be written.
type params struct {
	maxOut            llm.Opt[int]
	temperature, topP llm.Opt[float64]
	topK, n           llm.Opt[int]
	seed              llm.Opt[int64]
	stop              []string
	choose            llm.ToolChoice
	thinking          *llm.Thinking
	output            llm.Format
	tier              string
}

// plan settles the parameters. A request of the dialect's own keeps them as they are.
func (e *requestEncoder) plan() {
	r := e.r
	e.params = params{
		maxOut: r.MaxOut, temperature: r.Temperature, topP: r.TopP, topK: r.TopK, n: r.N, seed: r.Seed, stop: r.Stop,
		choose: r.Choose, output: r.Output, tier: r.Tier, thinking: r.Thinking,
	}
	e.tools = r.Tools
	if c, ok := dialect.LeastCap(e.shape.Edits, r.MaxOut); ok && e.codec.op == llm.OpGenerate {
		e.params.maxOut = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("maxOutputTokens"))
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
	if c.Opaque.Raw != "" {
		e.Add("tool_choice", strings.TrimSpace(c.Opaque.Type+" "+dialect.Foreign))
		*c = llm.ToolChoice{}
	}
	c.Name = dialect.ToolNames{}.Fit(c.Name, mostName)
	c.Allowed = slices.Clone(c.Allowed)
	for i := range c.Allowed {
		c.Allowed[i] = dialect.ToolNames{}.Fit(c.Allowed[i], mostName)
	}
	if len(c.Allowed) > 0 && c.Mode != llm.ChooseAny {
		// The vendor takes names only where one must be called.
		e.tools, c.Allowed = dialect.AllowedTools(&e.Losses, e.tools, c.Allowed, mostName), nil
	}
	if !slices.ContainsFunc(e.tools, func(t llm.Tool) bool { return t.Kind == llm.ToolFunction }) {
		if c.Mode == llm.ChooseAny || c.Mode == llm.ChooseTool {
			e.Add("tool_choice", "there are no tools")
		}
		*c = llm.ToolChoice{}
	}
	if e.r.Parallel.Set && !e.r.Parallel.V && len(e.tools) > 0 {
		e.Add("parallel_tool_calls", "several functions may be called here")
	}
}

func (e *requestEncoder) fitTool(t llm.Tool, path string) (llm.Tool, bool) {
	switch {
	case t.Kind == llm.ToolHosted && t.Opaque.Dialect == Name:
		return t, true
	case t.Kind == llm.ToolCustom && t.Name != "":
		e.Add(path, "a free-text tool's input is said as an object")
		t.Schema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`
		t.Kind, t.Extra = llm.ToolFunction, llm.Extra{}
	case t.Kind != llm.ToolFunction:
		e.Add(path, strings.TrimSpace(t.Opaque.Type+" tool "+dialect.Foreign))
		return t, false
	case t.Name == "":
		e.Add(path, "a tool without a name")
		return t, false
	}
	e.extra(path, t.Extra)
	e.mark(path, t.Cache)
	t.Extra, t.Cache = llm.Extra{}, nil
	t.Name = dialect.ToolNames{}.Fit(t.Name, mostName)
	if !splice.IsObject(t.Schema) {
		t.Schema = ""
	}
	if t.Strict.V {
		e.Add(path+".strict", "")
	}
	if t.Schema != "" && e.plainSchema() {
		t.Extra.Note(Name, noteWas+"parameters "+e.toSchema(t.Schema, path+".parameters"))
	}
	return t, true
}

// plainSchema reports whether the host takes schemas only in the API's own subset.
func (e *requestEncoder) plainSchema() bool {
	if e.shape.Offer != nil && e.shape.Offer.Traits.PlainSchema {
		return true
	}
	return e.model.generation == 1
}

func (e *requestEncoder) planSampling() {
	p := &e.params
	if p.temperature.Set && p.temperature.V > 2 {
		e.Add("temperature", "2 is the most here")
		p.temperature.V = 2
	}
	var stop []string
	for i, s := range p.stop {
		if s == "" || len(stop) == 5 {
			e.Add("stop["+itoa(i)+"]", "at most five that are not empty")
			continue
		}
		stop = append(stop, s)
	}
	p.stop = stop
	if s := p.seed; s.Set && s.V != int64(int32(s.V)) { //nolint:gosec // that is the question
		e.Add("seed", "said in 32 bits")
		p.seed.V = int64(int32(s.V)) //nolint:gosec // said so
	}
	p.tier = e.fitTier(p.tier)
	e.extra("response_format", p.output.Extra)
	p.output.Extra = llm.Extra{}
	if p.output.Kind == llm.FormatSchema && !splice.IsObject(p.output.Schema) {
		p.output.Kind, p.output.Schema = llm.FormatJSON, ""
	}
	if p.output.Kind == llm.FormatSchema && e.plainSchema() {
		p.output.Extra.Note(Name, noteWas+"responseSchema "+e.toSchema(p.output.Schema, "response_format.schema"))
	}
}

func (e *requestEncoder) fitTier(tier string) string {
	switch tier {
	case "", "auto":
		return ""
	case "default", "standard_only", "standard":
		return "standard"
	case "flex", "priority":
		return tier
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
		{"prompt_cache_key", r.CacheKey != ""},
		{"user", r.User != ""},
		{"cache_control", r.Cache != nil},
	} {
		if p.said {
			e.Add(p.name, "")
		}
	}
	for _, f := range r.Metadata {
		e.Add("metadata."+f.Key, "")
	}
	e.extra("", r.Extra)
}

// encodeTools writes tools in the groups in which they came. Functions of other dialects make one.
func (e *requestEncoder) encodeTools(w *jsonw.Writer, o object) {
	if e.tools == nil || len(e.tools) == 0 && !e.home {
		return
	}
	o.key("tools")
	groups := grouped(e.tools)
	one := e.r.Extra.Noted(Name, noteOne+"tools") && len(groups) == 1
	if !one {
		w.Open('[')
	}
	for _, g := range groups {
		appendTools(w, g)
	}
	if !one {
		w.Close(']')
	}
}

// grouped returns tools in runs of the same group.
func grouped(tools []llm.Tool) [][]llm.Tool {
	var out [][]llm.Tool
	last := ""
	for i, t := range tools {
		g := groupOf(t)
		if i == 0 || g != last {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], t)
		last = g
	}
	return out
}

func groupOf(t llm.Tool) string {
	for _, f := range t.Extra.In(Name) {
		if f.Raw == "" && strings.HasPrefix(f.Key, "tool ") {
			return f.Key
		}
	}
	if t.Kind == llm.ToolHosted {
		return t.Name
	}
	return ""
}

// appendTools writes the tools of one group as one object.
func appendTools(w *jsonw.Writer, tools []llm.Tool) {
	first := llm.Extra{}
	if tools[0].Kind == llm.ToolFunction {
		first = within(tools[0].Extra, "tool")
	}
	o := begin(w, first)
	functions := slices.DeleteFunc(slices.Clone(tools), func(t llm.Tool) bool { return t.Kind != llm.ToolFunction })
	switch {
	case len(functions) == 0:
	case first.Noted(Name, noteOne+"functionDeclarations"):
		o.key("functionDeclarations")
		appendTool(w, functions[0])
	default:
		o.key("functionDeclarations")
		w.Open('[')
		for _, t := range functions {
			appendTool(w, t)
		}
		w.Close(']')
	}
	for _, t := range tools {
		if t.Kind != llm.ToolFunction {
			wire.AppendMembers(w, t.Opaque.Raw)
		}
	}
	o.End()
}

func appendTool(w *jsonw.Writer, t llm.Tool) {
	o := begin(w, without(t.Extra, "tool"))
	o.str("name", t.Name)
	o.optStr("description", t.Description)
	if t.Schema != "" && !o.was("parameters") {
		o.raw("parametersJsonSchema", t.Schema)
	}
	o.End()
}

// encodeToolConfig writes how functions are chosen.
func (e *requestEncoder) encodeToolConfig(w *jsonw.Writer, o object) {
	c := e.params.choose
	outer := within(e.r.Extra, inTools)
	inner := within(e.r.Extra, inCalling)
	calling := c.Mode != "" || c.Allowed != nil || !inner.Empty()
	if !calling && outer.Empty() {
		return
	}
	o.key(inTools)
	t := begin(w, without(outer, "functionCallingConfig"))
	if calling {
		t.key("functionCallingConfig")
		f := begin(w, inner)
		f.optStr("mode", modeWord(c.Mode))
		names := c.Allowed
		if c.Mode == llm.ChooseTool {
			names = []string{c.Name}
		}
		if names != nil {
			f.key("allowedFunctionNames")
			appendStrings(w, names)
		}
		f.End()
	}
	t.End()
}

func appendStrings(w *jsonw.Writer, list []string) {
	w.Open('[')
	for _, s := range list {
		w.Str(s)
	}
	w.Close(']')
}

// config returns generationConfig as it will be written, or "".
func (e *requestEncoder) config() string {
	p, r := &e.params, e.r
	x := within(r.Extra, inConfig)
	if p.maxOut != r.MaxOut { // capped: a null that stood there is no word against it
		x = less(x, "maxOutputTokens")
	}
	var cw jsonw.Writer
	o := begin(&cw, without(x, "thinkingConfig"))
	empty := len(cw.Buf)
	o.optFloat("temperature", p.temperature)
	o.optFloat("topP", p.topP)
	o.optInt("topK", p.topK)
	o.optInt("candidateCount", p.n)
	o.optInt("maxOutputTokens", p.maxOut)
	if p.stop != nil {
		o.key("stopSequences")
		appendStrings(&cw, p.stop)
	}
	o.optFloat("presencePenalty", r.PresencePenalty)
	o.optFloat("frequencyPenalty", r.FrequencyPenalty)
	if p.seed.Set {
		o.int("seed", p.seed.V)
	}
	e.encodeLogprobs(o)
	e.encodeOutput(&cw, o, x)
	e.encodeThinking(&cw, o, within(x, "thinkingConfig"))
	said := len(cw.Buf) > empty
	o.End()
	if said || !x.Empty() {
		return cw.String()
	}
	return ""
}

func (e *requestEncoder) encodeLogprobs(o object) {
	r := e.r
	if e.home || r.Logprobs.V {
		o.optBool("responseLogprobs", r.Logprobs)
		if r.TopLogprobs.Set {
			o.optInt("logprobs", r.TopLogprobs)
		}
	}
}

func (e *requestEncoder) encodeOutput(w *jsonw.Writer, o object, x llm.Extra) {
	f := e.params.output
	switch f.Kind {
	case llm.FormatText:
		if e.home {
			o.str("responseMimeType", mimeText)
		}
	case llm.FormatJSON:
		o.str("responseMimeType", mimeJSON)
	case llm.FormatSchema:
		if !x.Noted(Name, noteNoMime) {
			o.str("responseMimeType", mimeJSON)
		}
		e.encodeSchema(w, o, x)
	}
}

func (e *requestEncoder) encodeSchema(w *jsonw.Writer, o object, x llm.Extra) {
	f := e.params.output
	if o.was("responseSchema") {
		return
	}
	for _, n := range f.Extra.In(Name) {
		if raw, ok := strings.CutPrefix(n.Key, noteWas+"responseSchema "); ok {
			w.KeyRaw("responseSchema", raw)
			return
		}
	}
	if x.Noted(Name, noteUnderscore) {
		w.KeyRaw(noteUnderscore, f.Schema)
		return
	}
	o.raw("responseJsonSchema", f.Schema)
}
