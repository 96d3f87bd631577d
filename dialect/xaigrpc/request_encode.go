package xaigrpc

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, dialect.InternalFault("dialect/xaigrpc.EncodeRequest", fmt.Errorf("a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault("dialect/xaigrpc.EncodeRequest", err)
	}
	e := requestEncoder{r: r, home: r.Extra.Dialect == Name, m: message{make([]byte, 0, dialect.SizeOf(r))}}
	e.encode(s)
	body, removed, err := withoutRefused(e.m.b, s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, removed...)}, e.List(), nil
}

// requestEncoder says one request.
type requestEncoder struct {
	dialect.Losses
	m       message
	r       *llm.Request
	home    bool
	changed []string
}

// lost names what was kept of another dialect.
func (e *requestEncoder) lost(path string, x llm.Extra) {
	if x.Dialect != Name {
		e.AddExtra(path, x)
	}
}

func (e *requestEncoder) encode(s dialect.Shape) {
	r, m := e.r, &e.m
	for i := range r.Messages {
		e.message(&r.Messages[i], i)
	}
	m.text(2, s.Upstream(r.Model))
	e.numbers(s)
	if f := r.Output; f.Kind != llm.FormatUnset || !f.Extra.Empty() {
		e.format(f)
	}
	for _, stop := range r.Stop {
		m.str(12, stop)
	}
	m.text(16, r.User)
	for i := range r.Tools {
		e.tool(&r.Tools[i], i)
	}
	e.choose(r.Choose)
	e.effort()
	if r.Tier != "" {
		w := tiers()
		if n := numberOf(w[:], r.Tier); n > 0 {
			m.num(31, n)
		} else if r.Tier != "auto" {
			e.Add("service_tier", r.Tier+" is not said here")
		}
	}
	e.strangers()
	e.lost("", r.Extra)
	m.extra(r.Extra)
}

// strangers names what the dialect has no word for.
func (e *requestEncoder) strangers() {
	r := e.r
	if r.TopK.Set {
		e.Add("top_k", "")
	}
	for _, f := range r.Metadata {
		e.Add("metadata."+f.Key, "")
	}
	if r.CacheKey != "" {
		e.Add("prompt_cache_key", "")
	}
	if r.Cache != nil {
		e.Add("cache_control", "")
	}
}

func (e *requestEncoder) numbers(s dialect.Shape) {
	r, m := e.r, &e.m
	optFloat(m, 3, r.FrequencyPenalty)
	if r.Logprobs.Set && (r.Logprobs.V || e.home) {
		m.bool(5, r.Logprobs.V)
	}
	optInt(m, 6, r.TopLogprobs)
	most := r.MaxOut
	if least, ok := dialect.LeastCap(s.Edits, most); ok {
		most = llm.Some(least.N)
		e.changed = append(e.changed, least.Changed("max_tokens"))
	}
	optInt(m, 7, most)
	optInt(m, 8, r.N)
	optFloat(m, 9, r.PresencePenalty)
	if r.Seed.Set {
		if int64(int32(r.Seed.V)) == r.Seed.V { //nolint:gosec // that is the question
			m.num(11, r.Seed.V)
		} else {
			e.Add("seed", "is larger than 32 bits")
		}
	}
	optFloat(m, 14, r.Temperature)
	optFloat(m, 15, r.TopP)
	if r.Parallel.Set {
		m.num(21, flag(r.Parallel.V))
	}
}

func flag(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

func optInt(m *message, num int, v llm.Opt[int]) {
	if v.Set {
		m.num(num, int64(v.V))
	}
}

func optFloat(m *message, num int, v llm.Opt[float64]) {
	if v.Set {
		m.float(num, v.V)
	}
}

// effort says how much reasoning is wanted. A budget of tokens becomes the nearest word.
func (e *requestEncoder) effort() {
	t := e.r.Thinking
	if t == nil {
		return
	}
	e.lost("thinking", t.Extra)
	word := t.Effort
	switch {
	case t.Mode == llm.ThinkOff:
		word = "none"
	case word == "minimal":
		word = "low"
		e.Add("reasoning_effort", "minimal is said as low")
	case word == "max":
		word = "xhigh"
		e.Add("reasoning_effort", "max is said as xhigh")
	case word == "" && t.Budget.Set:
		word = dialect.EffortOf(t.Budget.V)
		e.Add("thinking.budget_tokens", "said as an effort of "+word)
	case word == "" && t.Mode == llm.ThinkAdaptive, word == "" && t.Mode == llm.ThinkOn:
		word = "medium"
	}
	if t.Display != "" && t.Mode != llm.ThinkOff {
		e.Add("thinking.display", "")
	}
	if word == "" {
		return
	}
	words := efforts()
	if n := numberOf(words[:], word); n > 0 {
		e.m.num(19, n)
	} else {
		e.Add("reasoning_effort", word+" is not said here")
	}
}

func (e *requestEncoder) format(f llm.Format) {
	e.lost("response_format", f.Extra)
	e.m.sub(10, func(m *message) {
		switch f.Kind {
		case llm.FormatText:
			m.num(1, formatText)
		case llm.FormatJSON:
			m.num(1, formatJSON)
		case llm.FormatSchema:
			m.num(1, formatSchema)
		}
		if f.Schema != "" {
			m.str(2, f.Schema)
		} else if f.Kind == llm.FormatSchema {
			m.str(2, "{}")
		}
		m.extra(f.Extra)
	})
	if f.Description != "" {
		e.Add("response_format.json_schema.description", "")
	}
}

func (e *requestEncoder) choose(c llm.ToolChoice) {
	e.lost("tool_choice", c.Extra)
	if c.Opaque.Raw != "" {
		e.Add("tool_choice", c.Opaque.Type)
	}
	if len(c.Allowed) > 0 {
		e.Add("tool_choice.allowed_tools", "")
	}
	if c.Mode == llm.ChooseUnset && len(c.Extra.In(Name)) == 0 {
		return
	}
	e.m.sub(18, func(m *message) {
		switch c.Mode {
		case llm.ChooseAuto:
			m.num(1, modeAuto)
		case llm.ChooseNone:
			m.num(1, modeNone)
		case llm.ChooseAny:
			m.num(1, modeRequired)
		case llm.ChooseTool:
			m.str(2, e.toolName(c.Name))
		}
		m.extra(c.Extra)
	})
}

// mostName is the longest name of a tool that the vendor takes.
const mostName = 200

func (e *requestEncoder) toolName(name string) string {
	if e.home {
		return name
	}
	return dialect.ToolNames{}.Fit(name, mostName)
}

func (e *requestEncoder) tool(t *llm.Tool, i int) {
	path := "tools[" + strconv.Itoa(i) + "]"
	if t.Kind == llm.ToolHosted || t.Kind == llm.ToolCustom || t.Opaque.Raw != "" {
		if t.Opaque.Dialect == Name {
			e.m.bytes(17, unsaid(t.Opaque.Raw))
			return
		}
		e.Add(path, "a tool that only its own vendor runs or takes")
		return
	}
	e.lost(path, t.Extra)
	e.cache(path, t.Cache)
	schema := t.Schema
	if schema == "" && !e.home {
		schema = `{"type":"object","properties":{}}`
	}
	e.m.sub(17, func(m *message) {
		m.sub(1, func(m *message) {
			m.text(1, e.toolName(t.Name))
			m.text(2, t.Description)
			m.bool(3, t.Strict.V)
			m.text(4, schema)
			m.extra(t.Extra)
		})
	})
}

func (e *requestEncoder) cache(path string, c *llm.CacheMark) {
	if c != nil {
		e.Add("cache_control", "the host keeps prompts by itself")
		e.lost(path+".cache_control", c.Extra)
	}
}

// saying is one message as it will be written.
type saying struct {
	role               int64
	contents           []message
	calls              []message
	thought, encrypted string
	name               string
	callID             llm.Opt[string]
	extra              llm.Extra
}

func (e *requestEncoder) write(s saying) {
	e.m.sub(1, func(m *message) {
		for _, c := range s.contents {
			m.whole(1, c.b)
		}
		m.int(2, s.role)
		m.text(3, s.name)
		for _, c := range s.calls {
			m.whole(4, c.b)
		}
		if s.thought != "" || s.extra.Noted(Name, noteNull) {
			m.str(5, s.thought)
		}
		m.text(6, s.encrypted)
		if s.callID.Set {
			m.str(7, s.callID.V)
		}
		m.extra(s.extra)
	})
}

func roleOf(r llm.Role) int64 {
	switch r {
	case llm.System:
		return roleSystem
	case llm.Developer:
		return roleDeveloper
	case llm.Assistant:
		return roleAssistant
	case llm.ToolRole:
		return roleTool
	}
	return roleUser
}

// message says one message. Results of tools are messages of their own here, and come before what is said
// besides.
func (e *requestEncoder) message(m *llm.Message, i int) {
	path := "messages[" + strconv.Itoa(i) + "]"
	e.lost(path, m.Extra)
	s := saying{role: roleOf(m.Role), name: m.Name, extra: m.Extra}
	var results []saying
	for j, b := range m.Blocks {
		at := path + ".content[" + strconv.Itoa(j) + "]"
		switch b := b.(type) {
		case llm.ToolDone:
			results = append(results, e.result(b, at))
		case llm.Opaque:
			if b.Dialect == Name && b.Type == opaqueMessage {
				e.m.bytes(1, unsaid(b.Raw))
				continue
			}
			e.block(&s, b, at)
		default:
			e.block(&s, b, at)
		}
	}
	for k, r := range results {
		if m.Role == llm.ToolRole && k == len(results)-1 {
			r.thought, r.encrypted, r.calls = s.thought, s.encrypted, s.calls
			r.extra.Dialect, r.extra.Fields = Name, append(r.extra.Fields, m.Extra.In(Name)...)
			for _, f := range m.Extra.In(Name) {
				if n, ok := strings.CutPrefix(f.Key, noteRole); ok && f.Raw == "" {
					r.role, _ = strconv.ParseInt(n, 10, 64)
				}
			}
		}
		e.write(r)
	}
	if m.Role == llm.ToolRole && len(s.contents) == 0 || len(results) > 0 && s.empty() {
		return
	}
	if m.Role == llm.ToolRole {
		s.role = roleUser
	}
	if s.empty() && !e.home {
		if m.Role == llm.Assistant {
			return // reasoning that could not be said was all of it
		}
		s.contents = []message{textContent("")}
	}
	if m.Extra.Noted(Name, noteText) {
		s.contents = []message{textContent("")}
	}
	e.write(s)
}

func (s *saying) empty() bool {
	return len(s.contents) == 0 && len(s.calls) == 0 && s.thought == "" && s.encrypted == ""
}

func textContent(s string) message {
	var m message
	m.str(1, s)
	return m
}

func (e *requestEncoder) block(s *saying, b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Text:
		e.lost(path, b.Extra)
		e.cache(path, b.Cache)
		if b.Signature != "" && b.Origin != Name {
			e.Add(path+".signature", "state of another vendor")
		}
		for k := range b.Citations {
			e.Add(path+".citations["+strconv.Itoa(k)+"]", "")
		}
		c := textContent(b.Text)
		c.extra(b.Extra)
		s.contents = append(s.contents, c)
	case llm.Refusal:
		e.lost(path, b.Extra)
		e.Add(path+".refusal", "said as text")
		s.contents = append(s.contents, textContent(b.Text))
	case llm.Thought:
		e.thought(s, b, path)
	case llm.ToolUse:
		e.call(s, b, path)
	case llm.Media:
		if c, ok := e.media(b, path); ok {
			s.contents = append(s.contents, c)
		}
	case llm.Opaque:
		e.opaque(s, b, path)
	}
}

func (e *requestEncoder) opaque(s *saying, b llm.Opaque, path string) {
	switch {
	case b.Dialect != Name:
		e.Add(path, b.Type+" of another dialect")
	case b.Type == opaqueCall:
		s.calls = append(s.calls, message{unsaid(b.Raw)})
	case b.Type == opaqueContent:
		s.contents = append(s.contents, message{unsaid(b.Raw)})
	}
}

// thought says reasoning. What another vendor has signed or sealed would be refused here.
func (e *requestEncoder) thought(s *saying, b llm.Thought, path string) {
	e.lost(path, b.Extra)
	foreign := b.Origin != "" && b.Origin != Name
	if foreign && dialect.Signed(b) {
		e.Add(path+".signature", "state of another vendor")
	}
	s.thought += b.Text
	if !foreign {
		s.encrypted += b.Sealed
	}
}

func (e *requestEncoder) call(s *saying, b llm.ToolUse, path string) {
	e.lost(path, b.Extra)
	e.cache(path, b.Cache)
	if b.Signature != "" && b.Origin != Name {
		e.Add(path+".signature", "state of another vendor")
	}
	args := b.Args
	if strings.TrimSpace(args) == "" && !e.home {
		args = "{}"
	}
	if b.Kind == llm.ToolCustom {
		args = customArgs(args)
		e.Add(path+".input", "free text is said as JSON")
	}
	s.calls = append(s.calls, callMessage(b, e.toolName(b.Name), args, e.home))
}

// customArgs puts free text into an object, which is what arguments are here.
func customArgs(text string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("input", text)
	w.Close('}')
	return w.String()
}

// callMessage writes a call of a tool, with the type and status that it was said with.
func callMessage(b llm.ToolUse, name, args string, home bool) message {
	kind, status := int64(callClient), int64(callCompleted)
	if home {
		kind, status = 0, 0
	}
	for _, f := range b.Extra.In(Name) {
		if f.Raw != "" {
			continue
		}
		if n, ok := strings.CutPrefix(f.Key, noteType); ok {
			kind, _ = strconv.ParseInt(n, 10, 64)
		}
		if n, ok := strings.CutPrefix(f.Key, noteDone); ok {
			status, _ = strconv.ParseInt(n, 10, 64)
		}
	}
	var m message
	m.text(1, b.ID)
	m.int(2, kind)
	m.int(3, status)
	m.sub(10, func(m *message) {
		m.text(1, name)
		m.text(2, args)
	})
	m.extra(b.Extra)
	return m
}

func (e *requestEncoder) result(b llm.ToolDone, path string) saying {
	e.lost(path, b.Extra)
	e.cache(path, b.Cache)
	s := saying{role: roleTool, name: b.Name, callID: llm.Some(b.ID)}
	if b.Extra.Noted(Name, noteNoID) {
		s.callID = llm.Opt[string]{}
	} else {
		s.extra = llm.Extra{Dialect: Name, Fields: slices.Clone(b.Extra.In(Name))}
	}
	if b.IsError.Set && b.IsError.V {
		e.Add(path+".is_error", dialect.FailedInText)
		b.Blocks = dialect.Failed(b.Blocks)
	}
	for k, x := range b.Blocks {
		e.block(&s, x, path+".content["+strconv.Itoa(k)+"]")
	}
	if len(s.contents) == 0 && !e.home {
		s.contents = []message{textContent("")}
	}
	return s
}

func (e *requestEncoder) media(b llm.Media, path string) (message, bool) {
	e.lost(path, b.Extra)
	e.cache(path, b.Cache)
	if b.Cite.Set && b.Cite.V {
		e.Add(path+".citations", "")
	}
	if b.Context != "" {
		e.Add(path+".context", "")
	}
	var m message
	switch {
	case b.Text != "":
		e.Add(path, "a document is said as text")
		return textContent(b.Text), true
	case len(b.Blocks) > 0:
		var parts []string
		for _, x := range b.Blocks {
			if t, ok := x.(llm.Text); ok {
				parts = append(parts, t.Text)
			} else {
				e.Add(path, "only the text of a document of blocks")
			}
		}
		e.Add(path, "a document is said as text")
		return textContent(strings.Join(parts, "\n")), true
	case b.FileID != "" && b.Extra.Dialect != Name && !e.home:
		e.Add(path, "a file kept by another vendor")
		return m, false
	case b.Kind == llm.Image && b.Data+b.URL+b.FileID == "":
		e.Add(path, "without content")
		return m, false
	case b.Kind == llm.Image:
		m.sub(2, func(m *message) { e.image(m, b, path) })
		return m, true
	}
	m.sub(3, func(m *message) {
		m.text(1, b.FileID)
		data, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil {
			e.Add(path, "its data are not base64")
		}
		m.bytes(2, data)
		m.text(3, b.Name)
		mime := b.MIME
		if mime == "" && b.Format != "" {
			mime = "audio/" + b.Format
		}
		m.text(4, mime)
		m.text(5, b.URL)
		m.extra(b.Extra)
	})
	return m, true
}

func (e *requestEncoder) image(m *message, b llm.Media, path string) {
	if b.Data != "" {
		m.str(1, "data:"+b.MIME+";base64,"+b.Data)
	} else {
		m.text(1, b.URL)
	}
	words := details()
	if n := numberOf(words[:], b.Detail); n > 0 {
		m.num(2, n)
	} else if b.Detail != "" {
		e.Add(path+".detail", b.Detail+" is not said here")
	}
	m.text(3, b.FileID)
	m.extra(b.Extra)
}

// withoutRefused takes out the parameters that the target refuses, as the deployment wants it.
func withoutRefused(body []byte, s dialect.Shape) ([]byte, []string, error) {
	if s.Offer == nil || len(s.Offer.Traits.Refuses) == 0 || s.Params == plenum.ParamPass {
		return body, nil, nil
	}
	names := requestNames()
	refused := func(num int) bool { return slices.Contains(s.Offer.Traits.Refuses, names[num]) }
	var out []byte
	var changed []string
	err := fields(body, func(f field) error {
		name := names[f.num]
		switch {
		case !refused(f.num):
			out = append(out, f.raw...)
		case s.Params == plenum.ParamStrict:
			return &llm.Error{
				Kind: llm.Invalid, Op: "dialect/xaigrpc", Param: name,
				Message: name + " is refused by the model this call would go to; leave it out",
			}
		case s.Params != plenum.ParamDrop && !slices.Contains(changed, name+refusedByModel):
			changed = append(changed, name+refusedByModel)
		}
		return nil
	})
	return out, changed, err
}

const refusedByModel = " removed (refused by the model)"
