package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// anthropic is the Messages API.
type anthropic struct{}

var (
	anthropicName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	anthropicID   = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

const extraInput = "%s: Extra inputs are not permitted"

func (anthropic) read(hr *http.Request, body []byte) (*request, *refusal) {
	r := &request{Vendor: "anthropic", Logprobs: -1, N: 1, Betas: strings.Join(hr.Header["Anthropic-Beta"], ",")}
	r.Count = hr.URL.Path == "/v1/messages/count_tokens"
	switch {
	case hr.Method != http.MethodPost || !r.Count && hr.URL.Path != "/v1/messages":
		return r, &refusal{404, "Not Found: " + hr.Method + " " + hr.URL.Path}
	case hr.Header.Get("X-Api-Key") != vendorKey:
		return r, &refusal{401, "invalid x-api-key"}
	case hr.Header.Get("Anthropic-Version") == "":
		return r, &refusal{400, "anthropic-version: header is required"}
	}
	c := &check{}
	a := &anthropicReader{check: c, r: r, results: map[string]bool{}}
	a.request(c.object("", body))
	return r, c.wrong
}

type anthropicReader struct {
	*check
	r        *request
	thinking bool
	calls    []string        // of the assistant's turn before
	results  map[string]bool // of the user's turn
	marks    int
}

func (a *anthropicReader) request(o *object) {
	r := a.r
	r.Model = o.need("model")
	r.Scenario = scenarioOf(r.Model)
	r.Stream = o.is("stream")
	if o.has("max_tokens") {
		r.Max = o.integer("max_tokens", 1)
	} else if !r.Count {
		a.fail("max_tokens: Field required")
	}
	r.Temperature = o.number("temperature", 0, 1)
	r.TopP = o.number("top_p", 0, 1)
	r.TopK = o.number("top_k", 0, 1<<20)
	r.Stop = o.strings("stop_sequences")
	for _, s := range r.Stop {
		if strings.TrimSpace(s) == "" {
			a.fail("stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	r.Tier = o.oneOf("service_tier", "auto", "standard_only")
	if o.has("metadata") {
		m := o.object("metadata")
		r.User = m.str("user_id")
		m.done(extraInput)
	}
	if o.has("cache_control") {
		a.mark(o, "request")
	}
	a.think(o)
	a.output(o)
	a.tools(o)
	a.system(o)
	a.messages(o)
	r.Extra = o.extras()
	o.done(extraInput)
}

func (a *anthropicReader) think(o *object) {
	if !o.has("thinking") {
		return
	}
	t := o.object("thinking")
	switch kind := t.oneOf("type", "enabled", "adaptive", "disabled"); kind {
	case "enabled":
		n := t.integer("budget_tokens", 1024)
		if n >= a.r.Max && !a.r.Count {
			a.fail("`max_tokens` must be greater than `thinking.budget_tokens`")
		}
		a.r.Thinking, a.thinking = fmt.Sprintf("budget:%d", n), true
	case "adaptive":
		a.r.Thinking, a.thinking = kind, true
	default:
		a.r.Thinking = "off"
	}
	t.oneOf("display", "summarized", "omitted")
	t.done(extraInput)
	if a.thinking && a.r.Temperature != "" && a.r.Temperature != "1" && a.r.Temperature != "1.0" {
		a.fail("`temperature` may only be set to 1 when thinking is enabled")
	}
	if a.thinking && a.r.TopK != "" {
		a.fail("`top_k` must be unset when thinking is enabled")
	}
}

func (a *anthropicReader) output(o *object) {
	if o.has("output_format") {
		if !strings.Contains(a.r.Betas, "structured-outputs") {
			a.fail(extraInput, "output_format")
		}
		a.format(o.object("output_format"))
	}
	if !o.has("output_config") {
		return
	}
	oc := o.object("output_config")
	a.r.Effort = oc.oneOf("effort", "low", "medium", "high", "xhigh", "max")
	if oc.has("format") {
		a.format(oc.object("format"))
	}
	oc.take("format")
	oc.done(extraInput)
}

func (a *anthropicReader) format(f *object) {
	f.oneOf("type", "json_schema")
	raw, _ := f.take("schema")
	a.schema(f.at("schema"), raw, true, false)
	a.r.Format = &format{"schema", raw}
	f.done(extraInput)
}

func (a *anthropicReader) tools(o *object) {
	names := map[string]bool{}
	for i, raw := range o.list("tools") {
		t := a.object(fmt.Sprintf("tools.%d", i), raw)
		t.oneOf("type", "custom")
		d := tool{Name: t.need("name"), Description: t.str("description"), Strict: t.is("strict")}
		a.name(t.at("name"), d.Name, anthropicName)
		if names[d.Name] {
			a.fail("tools: Tool names must be unique.")
		}
		names[d.Name] = true
		d.Schema, _ = t.take("input_schema")
		a.schema(t.at("input_schema"), d.Schema, d.Strict, false)
		t.flag("eager_input_streaming")
		if t.has("cache_control") {
			a.mark(t, "tool:"+d.Name)
		}
		t.done(extraInput)
		a.r.Tools = append(a.r.Tools, d)
	}
	if o.has("tool_choice") {
		a.choice(o.object("tool_choice"), names)
	}
}

func (a *anthropicReader) choice(o *object, names map[string]bool) {
	if len(names) == 0 {
		a.fail("tool_choice may only be specified while providing tools")
	}
	kind := o.oneOf("type", "auto", "any", "tool", "none")
	a.r.Choice = kind
	if kind == "tool" {
		name := o.need("name")
		if !names[name] {
			a.fail("tool_choice.tool: Tool '%s' not found in provided tools", name)
		}
		a.r.Choice = "tool:" + name
	}
	if a.thinking && (kind == "any" || kind == "tool") {
		a.fail("Thinking may not be enabled when tool_choice forces tool use.")
	}
	if off := o.flag("disable_parallel_tool_use"); off != nil {
		if kind == "none" {
			a.fail(extraInput, "tool_choice.none.disable_parallel_tool_use")
		}
		parallel := !*off
		a.r.Parallel = &parallel
	}
	o.done(extraInput)
}

// mark notes a prompt-cache mark.
func (a *anthropicReader) mark(o *object, where string) {
	m := o.object("cache_control")
	if m.oneOf("type", "ephemeral") == "" {
		a.fail("%s: Field required", m.at("type"))
	}
	if ttl := m.oneOf("ttl", "5m", "1h"); ttl != "" {
		where += "/" + ttl
	}
	m.done(extraInput)
	a.r.Marks = append(a.r.Marks, where)
	if a.marks++; a.marks > 4 {
		a.fail("A maximum of 4 blocks with cache_control may be provided. Found %d.", a.marks)
	}
	o.take("cache_control")
}

func (a *anthropicReader) system(o *object) {
	raw, ok := o.take("system")
	if !ok {
		return
	}
	for _, p := range a.content("system", "system", raw) {
		if p.Type != "text" {
			a.fail("system: Input should be text")
		}
		a.r.System = append(a.r.System, p.Text)
	}
}

func (a *anthropicReader) messages(o *object) {
	list := o.list("messages")
	if len(list) == 0 {
		a.fail("messages: at least one message is required")
	}
	for i, raw := range list {
		m := a.object(fmt.Sprintf("messages.%d", i), raw)
		role := m.oneOf("role", "user", "assistant", "system")
		if i == 0 && role != "user" {
			a.fail("messages: first message must use the \"user\" role")
		}
		content, _ := m.take("content")
		parts := a.content(m.at("content"), role, content)
		m.done(extraInput)
		a.order(m.path, role, parts)
		a.r.say(role, parts...)
	}
	a.settled("messages")
	a.ending()
}

// order checks that calls of tools are answered in the user's next turn, first of all.
func (a *anthropicReader) order(path, role string, parts []part) {
	if role == "assistant" {
		a.settled(path)
		if n := len(a.r.Turns); n == 0 || a.r.Turns[n-1].Role != role {
			a.calls = nil
		}
		a.signed(path, parts)
	}
	other := false
	for _, p := range parts {
		switch p.Type {
		case "call":
			a.calls = append(a.calls, p.ID)
		case "result":
			if other {
				a.fail("%s: `tool_result` blocks must come first in the user's turn", path)
			}
			a.result(path, p.ID)
		default:
			other = true
		}
	}
	if role == "user" {
		a.settled(path)
		a.calls = nil
	}
}

func (a *anthropicReader) result(path, id string) {
	for _, c := range a.calls {
		if c == id {
			a.results[id] = true
			return
		}
	}
	a.fail("%s: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", path, id)
}

// settled refuses what follows calls of tools that have no result yet.
func (a *anthropicReader) settled(path string) {
	for _, c := range a.calls {
		if !a.results[c] {
			a.fail("%s: `tool_use` ids were found without `tool_result` blocks immediately after: %s.", path, c)
		}
	}
}

// signed checks what the assistant thought: only what this vendor signed may come back, and with thinking
// on a turn that calls tools must begin with it.
func (a *anthropicReader) signed(path string, parts []part) {
	calls := false
	for _, p := range parts {
		calls = calls || p.Type == "call"
		if p.Type == "thought" && p.Sig != sign(p.Text) {
			a.fail("%s: Invalid `signature` in `thinking` block", path)
		}
		if p.Type == "sealed" && p.Text != sealed {
			a.fail("%s: Invalid `data` in `redacted_thinking` block", path)
		}
	}
	starts := len(parts) > 0 && (parts[0].Type == "thought" || parts[0].Type == "sealed")
	if a.thinking && calls && !starts {
		a.fail("%s.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).", path, parts[0].Type)
	}
}

// ending checks a prefilled answer.
func (a *anthropicReader) ending() {
	n := len(a.r.Turns)
	if n == 0 || a.r.Turns[n-1].Role != "assistant" {
		return
	}
	last := a.r.last()[len(a.r.last())-1]
	if strings.TrimRight(last.Text, " \t\n") != last.Text {
		a.fail("messages: final assistant content cannot end with trailing whitespace")
	}
}

func (a *anthropicReader) content(path, role string, raw json.RawMessage) []part {
	if len(raw) > 0 && raw[0] == '"' {
		s := a.text(path, raw)
		if strings.TrimSpace(s) == "" {
			a.fail("%s: text content must be non-empty", path)
		}
		return []part{{Type: "text", Text: s}}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		a.fail("%s: Input should be a valid string or list", path)
	}
	if len(list) == 0 {
		a.fail("%s: content must be non-empty", path)
	}
	var parts []part
	for i, b := range list {
		parts = append(parts, a.block(role, a.object(fmt.Sprintf("%s.%d", path, i), b)))
	}
	return parts
}

func (a *anthropicReader) block(role string, o *object) part {
	kind := o.str("type")
	p := part{Type: kind}
	allowed := map[string]string{
		"text": "user assistant system result", "image": "user result", "document": "user result",
		"thinking": "assistant", "redacted_thinking": "assistant", "tool_use": "assistant", "tool_result": "user",
	}
	if !strings.Contains(allowed[kind], role) {
		a.fail("%s: Input tag '%s' found using 'type' is not allowed in a message of %s", o.path, kind, role)
	}
	switch kind {
	case "text":
		p.Text = o.str("text")
		if strings.TrimSpace(p.Text) == "" {
			a.fail("%s: text content blocks must be non-empty", o.path)
		}
		o.take("citations")
	case "image":
		a.source(o.object("source"), &p, "image/png", "image/jpeg", "image/gif", "image/webp")
		o.take("source")
	case "document":
		a.source(o.object("source"), &p, "application/pdf")
		o.take("source")
		p.Name = o.str("title")
		o.take("context")
		o.take("citations")
	case "thinking":
		p.Type, p.Text, p.Sig = "thought", o.str("thinking"), o.str("signature")
	case "redacted_thinking":
		p.Type, p.Text = "sealed", o.str("data")
	case "tool_use":
		a.call(o, &p)
	case "tool_result":
		a.done(o, &p)
	}
	if o.has("cache_control") {
		a.mark(o, kind)
	}
	o.done(extraInput)
	return p
}

func (a *anthropicReader) call(o *object, p *part) {
	p.Type, p.ID, p.Name = "call", o.need("id"), o.need("name")
	a.name(o.at("id"), p.ID, anthropicID)
	a.name(o.at("name"), p.Name, anthropicName)
	raw, ok := o.take("input")
	if !ok || len(raw) == 0 || raw[0] != '{' {
		a.fail("%s: Input should be a valid dictionary", o.at("input"))
	}
	p.Args = compact(raw)
	o.take("caller")
}

func (a *anthropicReader) done(o *object, p *part) {
	p.Type, p.ID, p.Error = "result", o.need("tool_use_id"), o.is("is_error")
	raw, ok := o.take("content")
	if !ok {
		return
	}
	parts := a.content(o.at("content"), "result", raw)
	if len(parts) == 1 && parts[0].Type == "text" {
		p.Text = parts[0].Text
		return
	}
	p.Parts = parts
	for _, x := range parts {
		p.Text += x.Text
	}
}

func (a *anthropicReader) source(o *object, p *part, media ...string) {
	switch o.oneOf("type", "base64", "url", "text", "content", "file") {
	case "base64":
		p.Media = o.oneOf("media_type", media...)
		data, ok := unbase64(o.str("data"))
		if !ok || p.Media == "" {
			a.fail("%s: invalid base64 data or media type", o.path)
		}
		p.Hash = hash(data)
	case "url":
		p.URL = o.need("url")
		if !strings.HasPrefix(p.URL, "https://") {
			a.fail("%s: Only HTTPS URLs are supported.", o.path)
		}
	case "text":
		p.Media = o.oneOf("media_type", "text/plain")
		p.Text = o.need("data")
	case "file":
		p.ID = o.need("file_id")
	default:
		a.fail("%s: source type not served here", o.path)
	}
	o.done(extraInput)
}
