package ollama

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(c.op("EncodeRequest"), fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(c.op("EncodeRequest"), err)
	}
	e := requestEncoder{r: r, shape: s, home: r.Extra.Dialect == Name, generate: c.generate}
	e.plan()
	body, refused, err := c.withoutRefused("EncodeRequest", e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(), Body: body, Changed: append(e.changed, refused...)}, e.List(), nil
}

// requestEncoder says one request. It first settles what can be said, naming what cannot, and then writes.
type requestEncoder struct {
	losses
	r        *llm.Request
	shape    dialect.Shape
	home     bool // the request was said in this dialect
	generate bool
	changed  []string

	extra     []llm.Field
	tools     []llm.Tool
	turns     []turn
	maxOut    llm.Opt[int]
	toolNames map[string]string // of the calls so far, by id
}

// generateOnly are the members of /api/generate that /api/chat does not have.
func generateOnly() []string { return []string{"suffix", "template", "context", "raw"} }

func (e *requestEncoder) plan() {
	r := e.r
	e.planCap()
	e.planTools()
	e.nameUnsaid()
	for _, f := range r.Extra.In(Name) {
		if !e.generate && slices.Contains(generateOnly(), f.Key) {
			if f.Raw != "false" {
				e.Add(f.Key, "/api/chat does not have it")
			}
			continue
		}
		if cut, ok := strings.CutSuffix(f.Key, noteEmpty); ok && !e.generate && slices.Contains([]string{"prompt", "system", "template", "suffix", "images"}, cut) {
			continue
		}
		e.extra = append(e.extra, f)
	}
	e.losses.extra("", r.Extra)
	for i := range r.Messages {
		e.arrange(&r.Messages[i], i)
	}
}

func (e *requestEncoder) planCap() {
	e.maxOut = e.r.MaxOut
	if c, ok := dialect.LeastCap(e.shape.Edits, e.maxOut); ok {
		e.maxOut = llm.Some(c.N)
		e.changed = append(e.changed, c.Changed("options.num_predict"))
	}
}

// planTools settles the tools and the choice among them. The API has no such choice: what can be said of
// it is said by leaving tools out.
func (e *requestEncoder) planTools() {
	c := e.r.Choose
	for i, t := range e.r.Tools {
		path := "tools[" + itoa(i) + "]"
		switch {
		case t.Kind != llm.ToolFunction && t.Opaque.Dialect == Name:
		case t.Kind != llm.ToolFunction:
			e.Add(path, strings.TrimSpace(t.Opaque.Type+" tool "+dialect.Foreign))
			continue
		case len(c.Allowed) > 0 && !slices.Contains(c.Allowed, t.Name):
			e.Add("tool_choice.allowed_tools", "said by leaving out the other tools")
			continue
		case t.Extra.Dialect != Name:
			t = e.fitTool(t, path)
		}
		e.tools = append(e.tools, t)
	}
	e.losses.extra("tool_choice", c.Extra)
	switch {
	case c.Opaque.Raw != "":
		e.Add("tool_choice", c.Opaque.Type+" "+dialect.Foreign)
	case c.Mode == llm.ChooseNone && len(e.tools) > 0:
		e.Add("tool_choice", "said by leaving out the tools")
		e.tools = nil
	case c.Mode == llm.ChooseAny, c.Mode == llm.ChooseTool:
		e.Add("tool_choice", "the model decides whether to call a tool")
	}
	if e.r.Parallel.Set && !e.r.Parallel.V && len(e.tools) > 0 {
		e.Add("parallel_tool_calls", "")
	}
	if e.generate && len(e.tools) > 0 {
		e.Add("tools", "/api/generate does not have them")
		e.tools = nil
	}
}

func (e *requestEncoder) fitTool(t llm.Tool, path string) llm.Tool {
	e.losses.extra(path, t.Extra)
	e.mark(t.Cache)
	if t.Strict.V {
		e.Add(path+".strict", "")
	}
	t.Schema = dialect.ObjectSchema(t.Schema)
	return t
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
		{"response_format.json_schema.description", r.Output.Description != ""},
	} {
		if p.said {
			e.Add(p.name, "")
		}
	}
	if r.Output.Extra.Dialect != Name {
		e.losses.extra("response_format", r.Output.Extra)
	}
	e.mark(r.Cache)
	if t := r.Thinking; t != nil && t.Extra.Dialect != Name {
		e.losses.extra("thinking", t.Extra)
		if t.Budget.Set && t.Mode != llm.ThinkOff {
			e.Add("thinking.budget_tokens", "said as a level")
		}
		if t.Display != "" {
			e.Add("thinking.display", "")
		}
	}
}

// encode writes the body.
func (e *requestEncoder) encode() []byte {
	r := e.r
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	options, rest := under(e.extra, "options")
	o := wire.Begin(&w, rest)
	o.Str("model", e.shape.Upstream(r.Model))
	if e.generate {
		e.encodePrompt(&w, o)
	} else {
		w.KeyOpen("messages", '[')
		for _, t := range e.turns {
			t.append(&w)
		}
		w.Close(']')
	}
	if len(e.tools) > 0 {
		w.KeyOpen("tools", '[')
		for _, t := range e.tools {
			appendTool(&w, t)
		}
		w.Close(']')
	}
	switch r.Output.Kind {
	case llm.FormatJSON:
		o.Str("format", "json")
	case llm.FormatSchema:
		o.Raw("format", r.Output.Schema)
	}
	if !r.Extra.Noted(Name, "stream"+noteAbsent) || !r.Stream {
		w.KeyBool("stream", r.Stream)
	}
	e.encodeThink(o)
	o.OptBool("logprobs", r.Logprobs)
	o.OptInt("top_logprobs", r.TopLogprobs)
	e.encodeOptions(&o, &w, options)
	emptied(&w, llm.Extra{Dialect: Name, Fields: e.extra})
	o.End()
	return w.Buf
}

func (e *requestEncoder) encodeThink(o wire.Object) {
	t := e.r.Thinking
	if t == nil {
		return
	}
	effort := t.Effort
	if t.Extra.Dialect != Name {
		effort = effortWord(t)
	}
	switch {
	case t.Mode == llm.ThinkOff || effort == "none":
		o.Raw("think", "false")
	case effort != "":
		o.Str("think", effort)
	default:
		o.Raw("think", "true")
	}
}

// effortWord returns the level of thinking that comes nearest to what was asked for, or "".
func effortWord(t *llm.Thinking) string {
	switch t.Effort {
	case "minimal":
		return "low"
	case "xhigh":
		return "max"
	case "":
	default:
		return t.Effort
	}
	if !t.Budget.Set {
		return ""
	}
	return dialect.EffortOf(t.Budget.V)
}

func (e *requestEncoder) encodeOptions(top *wire.Object, w *jsonw.Writer, kept []llm.Field) {
	r := e.r
	var inner jsonw.Writer
	o := wire.Begin(&inner, kept)
	o.OptFloat("temperature", r.Temperature)
	o.OptFloat("top_p", r.TopP)
	o.OptInt("top_k", r.TopK)
	o.OptFloat("frequency_penalty", r.FrequencyPenalty)
	o.OptFloat("presence_penalty", r.PresencePenalty)
	if r.Seed.Set {
		o.Int("seed", r.Seed.V)
	}
	if e.maxOut.Set && e.maxOut != r.MaxOut {
		o.Forget("num_predict")
	}
	o.OptInt("num_predict", e.maxOut)
	if r.Stop != nil && o.Free("stop") {
		inner.Key("stop")
		if r.Extra.Noted(Name, "stop"+noteString) && len(r.Stop) == 1 {
			inner.Str(r.Stop[0])
		} else {
			appendStrings(&inner, r.Stop)
		}
	}
	o.End()
	if s := inner.String(); s != "{}" || r.Extra.Noted(Name, "options: none") {
		top.Forget("options") // it was null
		w.KeyRaw("options", s)
	}
}

func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		return
	}
	inner, rest := under(t.Extra.In(Name), "function")
	o := wire.Begin(w, rest)
	if !t.Extra.Noted(Name, "type"+noteAbsent) {
		o.Str("type", "function")
	}
	w.Key("function")
	f := wire.Begin(w, inner)
	f.Str("name", t.Name)
	f.OptStr("description", t.Description)
	if t.Schema != "" {
		f.Raw("parameters", t.Schema)
	}
	f.End()
	o.End()
}

// encodePrompt says the messages as the members of /api/generate: a system prompt, a prompt and images.
func (e *requestEncoder) encodePrompt(w *jsonw.Writer, o wire.Object) {
	var system []string
	var images []string
	var rest []llm.Message
	for i, m := range e.r.Messages {
		if (m.Role == llm.System || m.Role == llm.Developer) && len(rest) == 0 {
			system = append(system, e.turns[i].content)
			continue
		}
		rest = append(rest, m)
		images = append(images, e.turns[i].images...)
	}
	if s := strings.Join(system, "\n\n"); s != "" {
		o.Str("system", s)
	}
	if len(rest) > 1 {
		e.Add("messages", "said as one prompt")
	}
	if prompt := dialect.Transcript(rest); len(rest) > 0 && prompt != "" {
		o.Str("prompt", prompt)
	}
	if len(images) > 0 {
		w.Key("images")
		appendStrings(w, images)
	}
}
