package cohere

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// params are the parameters as they will be written.
type params struct {
	maxOut                      llm.Opt[int]
	temperature, topP           llm.Opt[float64]
	frequencyPenalty, presenceP llm.Opt[float64]
	topK                        llm.Opt[int]
	stop                        []string
	thinking                    *llm.Thinking
}

// plan settles the parameters. A request of the dialect's own keeps them as they are.
func (e *requestEncoder) plan() {
	r := e.r
	e.params = params{
		maxOut: r.MaxOut, temperature: r.Temperature, topP: r.TopP, frequencyPenalty: r.FrequencyPenalty,
		presenceP: r.PresencePenalty, topK: r.TopK, stop: r.Stop, thinking: r.Thinking,
	}
	if c, ok := dialect.LeastCap(e.shape.Edits, r.MaxOut); ok {
		e.params.maxOut = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("max_tokens"))
	}
	e.planTools()
	if e.home {
		return
	}
	e.between("temperature", &e.params.temperature, 0, 1)
	e.between("top_p", &e.params.topP, 0.01, 0.99)
	e.between("frequency_penalty", &e.params.frequencyPenalty, 0, 1)
	e.between("presence_penalty", &e.params.presenceP, 0, 1)
	if k := &e.params.topK; k.V > 500 {
		e.Add("top_k", "500 is the most here")
		k.V = 500
	}
	if len(e.params.stop) > mostStops {
		e.Add("stop", "5 are the most here")
		e.params.stop = e.params.stop[:mostStops]
	}
	e.planThinking()
	e.nameUnsaid()
}

// between keeps a parameter within what the vendor takes. A top_p of 1 asks for nothing.
func (e *requestEncoder) between(name string, p *llm.Opt[float64], least, most float64) {
	switch {
	case !p.Set || p.V >= least && p.V <= most:
	case name == "top_p" && p.V == 1:
		*p = llm.Opt[float64]{}
	case p.V < least:
		e.Add(name, "it is lower than the least here")
		p.V = least
	default:
		e.Add(name, "it is higher than the most here")
		p.V = most
	}
}

func (e *requestEncoder) planThinking() {
	t := e.params.thinking
	if t == nil {
		return
	}
	e.extra("thinking", t.Extra)
	fresh := llm.Thinking{Mode: llm.ThinkOn, Budget: t.Budget}
	switch {
	case t.Mode == llm.ThinkOff || t.Effort == "none":
		fresh = llm.Thinking{Mode: llm.ThinkOff}
	case t.Effort != "" && !t.Budget.Set:
		e.Add("reasoning_effort", "said as a budget")
		switch t.Effort {
		case "minimal", "low":
			fresh.Budget = llm.Some(1024)
		case "medium":
			fresh.Budget = llm.Some(8192)
		}
	}
	if t.Display != "" {
		e.Add("thinking.display", "")
	}
	e.params.thinking = &fresh
}

func (e *requestEncoder) planTools() {
	c := e.r.Choose
	for i, t := range e.r.Tools {
		path := "tools[" + itoa(i) + "]"
		switch {
		case t.Kind != llm.ToolFunction && t.Opaque.Dialect == e.version(), t.Extra.Dialect == e.version():
		case t.Kind != llm.ToolFunction:
			e.Add(path, strings.TrimSpace(t.Opaque.Type+" tool "+dialect.Foreign))
			continue
		case len(c.Allowed) > 0 && !slices.Contains(c.Allowed, t.Name), c.Mode == llm.ChooseTool && t.Name != c.Name:
			e.Add("tool_choice", "said by leaving out the other tools")
			continue
		default:
			e.extra(path, t.Extra)
			e.mark(t.Cache)
			t.Name = dialect.ToolNames{}.Fit(t.Name, mostName)
			t.Schema = dialect.ObjectSchema(t.Schema)
		}
		e.tools = append(e.tools, t)
	}
	strict := 0
	for _, t := range e.tools {
		if t.Strict.V {
			strict++
		}
	}
	if strict > 0 && strict < len(e.tools) {
		e.Add("tools.strict", "all tools are strict here, or none")
	}
	e.extra("tool_choice", c.Extra)
	switch {
	case c.Opaque.Raw != "":
		e.Add("tool_choice", c.Opaque.Type+" "+dialect.Foreign)
	case c.Mode == llm.ChooseNone && (len(e.tools) > 0 || e.home):
		e.choice = "NONE"
	case (c.Mode == llm.ChooseAny || c.Mode == llm.ChooseTool) && (len(e.tools) > 0 || e.home):
		e.choice = "REQUIRED"
	case c.Mode == llm.ChooseAny || c.Mode == llm.ChooseTool:
		e.Add("tool_choice", "there are no tools")
	}
}

// nameUnsaid names the parameters that the dialect has no word for.
func (e *requestEncoder) nameUnsaid() {
	r := e.r
	for _, p := range []struct {
		name string
		said bool
	}{
		{"n", r.N.Or(1) > 1},
		{"user", r.User != ""},
		{"metadata", len(r.Metadata) > 0},
		{"service_tier", r.Tier != "" && r.Tier != "auto" && r.Tier != "default"},
		{"prompt_cache_key", r.CacheKey != ""},
		{"top_logprobs", r.TopLogprobs.Or(0) > 0},
		{"parallel_tool_calls", r.Parallel.Set && !r.Parallel.V && len(e.tools) > 0},
		{"response_format.json_schema.description", r.Output.Description != ""},
	} {
		if p.said {
			e.Add(p.name, "")
		}
	}
	e.extra("response_format", r.Output.Extra)
	e.mark(r.Cache)
	e.extra("", r.Extra)
}

func (e *requestEncoder) encodeParams(w *jsonw.Writer, o wire.Object) {
	r, p := e.r, &e.params
	o.OptInt("max_tokens", p.maxOut)
	o.OptFloat("temperature", p.temperature)
	o.OptFloat("p", p.topP)
	o.OptInt("k", p.topK)
	o.OptFloat("frequency_penalty", p.frequencyPenalty)
	o.OptFloat("presence_penalty", p.presenceP)
	if r.Seed.Set {
		o.Int("seed", r.Seed.V)
	}
	o.OptBool("logprobs", r.Logprobs)
	if p.stop != nil && o.Free("stop_sequences") {
		w.KeyOpen("stop_sequences", '[')
		for _, s := range p.stop {
			w.Str(s)
		}
		w.Close(']')
	}
	if t := p.thinking; t != nil && o.Free("thinking") {
		w.Key("thinking")
		x := wire.Begin(w, t.Extra.In(Name))
		if t.Mode == llm.ThinkOff {
			x.Str("type", "disabled")
		} else {
			x.Str("type", "enabled")
		}
		x.OptInt("token_budget", t.Budget)
		x.End()
	}
	e.encodeFormat(w, o)
}

func (e *requestEncoder) encodeFormat(w *jsonw.Writer, o wire.Object) {
	f := e.r.Output
	typ := "json_object"
	switch f.Kind {
	case llm.FormatUnset:
		return
	case llm.FormatText:
		if f.Extra.Dialect != Name {
			return
		}
		typ = "text"
	}
	if !o.Free("response_format") {
		return
	}
	w.KeyOpen("response_format", '{')
	w.KeyStr("type", typ)
	if f.Kind == llm.FormatSchema {
		key := "json_schema"
		if f.Extra.Noted(Name, noteSchemaKey) {
			key = "schema"
		}
		w.KeyRaw(key, f.Schema)
	}
	w.Close('}')
}
