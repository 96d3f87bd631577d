package responses

import (
	"fmt"
	"slices"
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
	leastOut = 16                // the lowest cap on output that the vendor takes
)

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r := dialect.RequestOf(p)
	if r == nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", fmt.Errorf("cannot say a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", err)
	}
	e := requestEncoder{r: r, shape: s, home: r.Extra.Dialect == Name, op: c.op}
	if s.Offer != nil {
		e.traits = s.Offer.Traits
	}
	e.encode()
	body, refused, err := dialect.WithoutRefused("dialect/responses", e.w.Buf, s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}, e.List(), nil
}

// requestEncoder says one request.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	traits  plenum.Traits
	op      llm.Op
	home    bool // the request was said in this dialect
	changed []string
	w       jsonw.Writer
	tools   []llm.Tool // those that can be said
	custom  map[string]bool
	fields  int // messages so far that are not among the turns on the wire
}

func (e *requestEncoder) change(what string) {
	if !slices.Contains(e.changed, what) {
		e.changed = append(e.changed, what)
	}
}

func (e *requestEncoder) encode() {
	r := e.r
	e.w = jsonw.Writer{Buf: bufs.Get(dialect.SizeOf(r)), Known: r.Said.JSON}
	if !e.home {
		e.extra("", r.Extra)
	}
	text, extra := wire.Take(r.Extra, Name, "text")
	o := wire.Begin(&e.w, retold(extra))
	o.Str("model", e.shape.Upstream(r.Model))
	e.instructions(o)
	e.input(o)
	e.sayTools(o)
	e.text(o, text)
	e.thinking(o)
	if e.op == llm.OpGenerate || e.home {
		e.sampling(o)
		e.rest(o)
	}
	o.End()
}

// instructions says the system prompt that stood in a field of its own.
func (e *requestEncoder) instructions(o wire.Object) {
	var texts []string
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		if m.Place != "field" {
			continue
		}
		e.fields++
		e.extra("system", m.Extra)
		for j, b := range m.Blocks {
			if t, ok := b.(llm.Text); ok {
				e.nameText(t, at("system", j))
				texts = append(texts, t.Text)
			} else {
				e.Add(at("system", j), "only text can be said there")
			}
		}
	}
	if len(texts) > 0 {
		o.Str("instructions", strings.Join(texts, "\n\n"))
	}
}

func (e *requestEncoder) sampling(o wire.Object) {
	r := e.r
	o.OptFloat("temperature", r.Temperature)
	o.OptFloat("top_p", r.TopP)
	if e.home {
		o.OptFloat("frequency_penalty", r.FrequencyPenalty)
		o.OptFloat("presence_penalty", r.PresencePenalty)
		o.OptInt("top_logprobs", r.TopLogprobs)
	} else {
		e.foreignSampling(o)
	}
	n := r.MaxOut
	if c, ok := dialect.LeastCap(e.shape.Edits, n); ok {
		n = llm.Some(c.N)
		e.change(c.Changed(maxOutput))
	} else if !e.home && n.Set && n.V < leastOut {
		n.V = leastOut
		e.change(maxOutput + " " + itoa(leastOut) + " set (the least there)")
	}
	o.OptInt(maxOutput, n)
}

// foreignSampling names what there is no word for here.
func (e *requestEncoder) foreignSampling(o wire.Object) {
	r := e.r
	for _, p := range []struct {
		name string
		set  bool
	}{
		{"top_k", r.TopK.Set},
		{"seed", r.Seed.Set},
		{"stop", len(r.Stop) > 0},
		{"n", r.N.Set && r.N.V != 1},
		{"frequency_penalty", r.FrequencyPenalty.Or(0) != 0},
		{"presence_penalty", r.PresencePenalty.Or(0) != 0},
	} {
		if p.set {
			e.Add(p.name, "")
		}
	}
	if r.Logprobs.V {
		o.OptInt("top_logprobs", r.TopLogprobs)
	}
}

func (e *requestEncoder) thinking(o wire.Object) {
	t := e.r.Thinking
	switch {
	case t == nil || !o.Free("reasoning"):
	case e.home:
		e.w.Key("reasoning")
		x := wire.Begin(&e.w, retold(t.Extra))
		x.OptStr("effort", t.Effort)
		x.End()
	default:
		e.foreignThinking(t)
	}
}

// foreignThinking says how hard to think as a word, which is all that there is here.
func (e *requestEncoder) foreignThinking(t *llm.Thinking) {
	e.extra("thinking", t.Extra)
	if t.Mode == llm.ThinkOff {
		return
	}
	word := platform.FitEffort(&e.Losses, t, "reasoning.effort")
	if e.traits.Capabilities.Thinking == plenum.No {
		e.Add("thinking", "the model does not think")
		return
	}
	if word == "" && t.Display == "" {
		return
	}
	e.w.KeyOpen("reasoning", '{')
	optMember(&e.w, "effort", word)
	if t.Display == summarized {
		e.w.KeyStr("summary", "auto")
	}
	e.w.Close('}')
}

// text says the shape of the answer. rest is what else the caller's member held.
func (e *requestEncoder) text(o wire.Object, rest string) {
	f := e.r.Output
	verbose := e.r.Extra.Noted(Name, noteVerbosity)
	e.extra("response_format", f.Extra)
	if f.Kind == llm.FormatUnset && rest == "" && !verbose || !o.Free("text") {
		return
	}
	if !e.home && f.Kind == llm.FormatText {
		return
	}
	e.w.KeyOpen("text", '{')
	if f.Kind != llm.FormatUnset {
		e.w.Key("format")
		e.format(f)
	}
	if verbose {
		e.w.KeyStr("verbosity", "medium")
	}
	wire.AppendMembers(&e.w, rest)
	e.w.Close('}')
}

func (e *requestEncoder) format(f llm.Format) {
	o := wire.Begin(&e.w, f.Extra.In(Name))
	switch f.Kind {
	case llm.FormatText:
		o.Str("type", "text")
	case llm.FormatJSON:
		o.Str("type", "json_object")
	case llm.FormatSchema:
		o.Str("type", "json_schema")
		if f.Name == "" && !e.home {
			f.Name = "answer" // there must be one here
		}
		o.OptStr("name", f.Name)
		o.OptStr("description", f.Description)
		o.Raw("schema", f.Schema)
		switch {
		case f.Strict.Set:
			o.OptBool("strict", f.Strict)
		case !e.home: // left out it is strict here, which most schemas are not fit for
			strict := dialect.ClosedSchema(wire.Raw(f.Schema))
			e.w.KeyBool("strict", strict)
			if !strict {
				e.Add("output_config.format", "held to less strictly: the schema leaves members open")
			}
		}
	}
	o.End()
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
		if c := e.r.Choose; (c.Mode != llm.ChooseUnset || c.Opaque.Raw != "") && o.Free("tool_choice") {
			e.w.Key("tool_choice")
			appendChoice(&e.w, c)
		}
		o.OptBool("parallel_tool_calls", e.r.Parallel)
		return
	}
	e.fitChoice()
}

// fitTool makes a tool of another dialect one that can be said here.
func (e *requestEncoder) fitTool(t llm.Tool, path string) (llm.Tool, bool) {
	if t.Kind == llm.ToolCustom && t.Name != "" {
		return e.fitCustom(t, path), true
	}
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
	if !t.Strict.Set {
		t.Strict = llm.Some(false) // left out it is strict here
	}
	t.Cache, t.Extra = nil, llm.Extra{}
	return t, true
}

// fitCustom makes a tool of free text, which chat completions have as well, one of this dialect's.
func (e *requestEncoder) fitCustom(t llm.Tool, path string) llm.Tool {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "custom")
	name := dialect.ToolNames{}.Fit(t.Name, mostName)
	w.KeyStr("name", name)
	optMember(&w, "description", t.Description)
	switch f := wire.Raw(t.Opaque.Raw).Get("custom", "format"); {
	case f.Get("type").Is("grammar"):
		w.KeyOpen("format", '{')
		w.KeyStr("type", "grammar")
		wire.AppendMembers(&w, f.Get("grammar").JSON())
		w.Close('}')
	case f.Found() && !f.Get("type").Is("text"):
		e.Add(path+".custom.format", "")
	}
	w.Close('}')
	return llm.Tool{Kind: llm.ToolCustom, Name: name, Opaque: llm.Opaque{Dialect: Name, Type: "custom", Raw: w.String()}}
}

// fitChoice writes a tool_choice that came in another dialect. One that is left without its tools is left
// out.
func (e *requestEncoder) fitChoice() {
	e.extra("tool_choice", e.r.Choose.Extra)
	c := platform.FitChoice(&e.Losses, e.r.Choose, e.tools)
	if slices.ContainsFunc(e.tools, func(t llm.Tool) bool { return t.Kind == llm.ToolCustom && t.Name == c.Name }) {
		c.Extra.Note(Name, noteCustom)
	}
	if c.Mode != llm.ChooseUnset {
		e.w.Key("tool_choice")
		appendChoice(&e.w, c)
	}
	if e.r.Parallel.Set && !e.r.Parallel.V && len(e.tools) > 0 {
		e.w.KeyBool("parallel_tool_calls", false)
	}
}

// rest writes what is left. What came in another dialect is not to be kept by the vendor, and its sealed
// reasoning is asked for: it travels with the caller.
func (e *requestEncoder) rest(o wire.Object) {
	r := e.r
	if !e.home {
		e.w.KeyBool("store", false)
		e.include(o)
	}
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
	switch {
	case e.op != llm.OpGenerate:
	case r.Stream:
		o.Raw("stream", "true")
	case r.Extra.Noted(Name, noteNotStreamed):
		o.Raw("stream", "false")
	}
}

// include asks for what else the answer shall hold. A model that does not think refuses to be asked for
// reasoning.
func (e *requestEncoder) include(o wire.Object) {
	var words []string
	if e.r.Logprobs.V {
		words = append(words, includeAsked)
	}
	thinks := e.r.Thinking != nil && e.r.Thinking.Mode != llm.ThinkOff && e.traits.Capabilities.Thinking != plenum.No
	if thinks || e.traits.Capabilities.Thinking == plenum.Yes {
		words = append(words, includeSealed)
	}
	if len(words) == 0 || !o.Free("include") {
		return
	}
	e.w.KeyOpen("include", '[')
	for _, s := range words {
		e.w.Str(s)
	}
	e.w.Close(']')
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
	case t == "" || e.home:
		return t
	case t == "auto", t == "default", t == "flex", t == "priority", t == "scale":
		return t
	case t == "standard_only":
		return "default"
	default:
		e.Add("service_tier", t+" is not a tier here")
		return ""
	}
}
