package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// openAI is the Chat Completions API.
type openAI struct{}

var openAIName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const unknownParam = "Unknown parameter: '%s'."

func (openAI) read(hr *http.Request, body []byte) (*request, *refusal) {
	r := &request{Vendor: "openai", Logprobs: -1}
	switch {
	case hr.Method != http.MethodPost || hr.URL.Path != "/v1/chat/completions":
		return r, &refusal{404, fmt.Sprintf("Invalid URL (%s %s)", hr.Method, hr.URL.Path)}
	case hr.Header.Get("Authorization") != "Bearer "+vendorKey:
		return r, &refusal{401, "Incorrect API key provided."}
	case !strings.HasPrefix(hr.Header.Get("Content-Type"), "application/json"):
		return r, &refusal{400, "Unsupported content type"}
	}
	c := &check{}
	a := &openAIReader{check: c, r: r, open: map[string]bool{}}
	a.request(c.object("", body))
	return r, c.wrong
}

type openAIReader struct {
	*check
	r    *request
	open map[string]bool // calls of tools that have no result yet
}

func (a *openAIReader) request(o *object) {
	r := a.r
	r.Model = o.need("model")
	r.Scenario = scenarioOf(r.Model)
	a.streaming(o)
	a.sampling(o)
	a.length(o)
	r.Tier = o.oneOf("service_tier", "auto", "default", "flex", "priority", "scale", "standard")
	r.Effort = o.oneOf("reasoning_effort", "none", "minimal", "low", "medium", "high", "xhigh", "max")
	r.User = o.str("user")
	if id := o.str("safety_identifier"); id != "" {
		r.User = id
	}
	o.str("prompt_cache_key")
	o.oneOf("prompt_cache_retention", "in_memory", "24h")
	o.oneOf("verbosity", "low", "medium", "high")
	o.flag("store")
	if o.has("metadata") {
		m := o.object("metadata")
		for k := range m.m {
			m.str(k)
		}
		o.take("metadata")
	}
	a.tools(o)
	a.format(o)
	a.messages(o)
	r.Extra = o.extras()
	o.done(unknownParam)
}

func (a *openAIReader) streaming(o *object) {
	a.r.Stream = o.is("stream")
	if !o.has("stream_options") {
		return
	}
	if !a.r.Stream {
		a.fail("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	so := o.object("stream_options")
	a.r.Usage = so.is("include_usage")
	so.flag("include_obfuscation")
	so.done(unknownParam)
}

func (a *openAIReader) sampling(o *object) {
	r := a.r
	r.Temperature = o.number("temperature", 0, 2)
	r.TopP = o.number("top_p", 0, 1)
	r.Seed = o.number("seed", -1<<62, 1<<62)
	o.number("frequency_penalty", -2, 2)
	o.number("presence_penalty", -2, 2)
	r.N = 1
	if o.has("n") {
		r.N = o.integer("n", 1)
	}
	if o.is("logprobs") {
		r.Logprobs = 0
	}
	if o.has("top_logprobs") {
		if r.Logprobs < 0 {
			a.fail("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
		}
		r.Logprobs = o.integer("top_logprobs", 0)
	}
	if raw := o.m["stop"]; len(raw) > 0 && raw[0] == '"' {
		r.Stop = []string{o.str("stop")}
	} else {
		r.Stop = o.strings("stop")
	}
	if len(r.Stop) > 4 {
		a.fail("Invalid 'stop': array too long. Expected an array with maximum length 4.")
	}
}

func (a *openAIReader) length(o *object) {
	if o.has("max_tokens") && o.has("max_completion_tokens") {
		a.fail("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	a.r.Max = max(o.integer("max_tokens", 1), o.integer("max_completion_tokens", 1))
}

func (a *openAIReader) tools(o *object) {
	names := map[string]bool{}
	list := o.list("tools")
	for i, raw := range list {
		t := a.object(fmt.Sprintf("tools[%d]", i), raw)
		if t.oneOf("type", "function") == "" {
			a.fail("Missing required parameter: '%s'.", t.at("type"))
		}
		f := t.object("function")
		d := tool{Name: f.need("name"), Description: f.str("description"), Strict: f.is("strict")}
		a.name(f.at("name"), d.Name, openAIName)
		names[d.Name] = true
		if raw, ok := f.take("parameters"); ok {
			d.Schema = raw
			a.schema(f.at("parameters"), raw, d.Strict, true)
		}
		f.done(unknownParam)
		t.take("function")
		t.done(unknownParam)
		a.r.Tools = append(a.r.Tools, d)
	}
	a.r.Parallel = o.flag("parallel_tool_calls")
	if a.r.Parallel != nil && len(list) == 0 {
		a.fail("Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.")
	}
	a.choice(o, names)
}

func (a *openAIReader) choice(o *object, names map[string]bool) {
	raw, ok := o.m["tool_choice"]
	if !ok {
		return
	}
	if len(names) == 0 {
		a.fail("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	if raw[0] == '"' {
		switch word := o.oneOf("tool_choice", "auto", "none", "required"); word {
		case "required":
			a.r.Choice = "any"
		default:
			a.r.Choice = word
		}
		return
	}
	c := o.object("tool_choice")
	c.oneOf("type", "function")
	f := c.object("function")
	name := f.need("name")
	if !names[name] {
		a.fail("Invalid value for 'tool_choice': no function named '%s' was specified in the 'tools' parameter.", name)
	}
	a.r.Choice = "tool:" + name
}

func (a *openAIReader) format(o *object) {
	if !o.has("response_format") {
		return
	}
	f := o.object("response_format")
	switch f.oneOf("type", "text", "json_object", "json_schema") {
	case "json_object":
		a.r.Format = &format{Kind: "object"}
	case "json_schema":
		s := f.object("json_schema")
		a.name(s.at("name"), s.need("name"), openAIName)
		s.str("description")
		raw, _ := s.take("schema")
		a.schema("response_format.schema", raw, s.is("strict"), true)
		a.r.Format = &format{"schema", raw}
		s.done(unknownParam)
		f.take("json_schema")
	}
	f.done(unknownParam)
}

func (a *openAIReader) messages(o *object) {
	list := o.list("messages")
	if len(list) == 0 {
		a.fail("Invalid 'messages': empty array. Expected an array with minimum length 1.")
	}
	for i, raw := range list {
		m := a.object(fmt.Sprintf("messages[%d]", i), raw)
		role := m.oneOf("role", "system", "developer", "user", "assistant", "tool")
		if role != "tool" {
			a.answered()
		}
		a.message(role, m)
		m.done(unknownParam)
	}
	a.answered()
}

// answered refuses what follows calls of tools that have no result yet.
func (a *openAIReader) answered() {
	for id := range a.open {
		a.fail("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", id)
	}
}

func (a *openAIReader) message(role string, m *object) {
	m.str("name")
	switch role {
	case "system", "developer":
		for _, p := range a.content(m, "text") {
			a.r.System = append(a.r.System, p.Text)
		}
	case "user":
		a.r.say("user", a.content(m, "text image_url file input_audio")...)
	case "assistant":
		a.assistant(m)
	case "tool":
		p := part{Type: "result", ID: m.need("tool_call_id")}
		if !a.open[p.ID] {
			a.fail("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls' (%s).", p.ID)
		}
		delete(a.open, p.ID)
		for _, x := range a.content(m, "text") {
			p.Text += x.Text
		}
		a.r.say("user", p)
	default:
		a.fail("Missing required parameter: '%s'.", m.at("role"))
	}
}

func (a *openAIReader) assistant(m *object) {
	var parts []part
	if m.has("content") {
		parts = a.content(m, "text refusal")
	}
	m.take("content")
	if s := m.str("refusal"); s != "" {
		parts = append(parts, part{Type: "refusal", Text: s})
	}
	m.take("audio")
	m.take("annotations")
	m.take("function_call")
	for i, raw := range m.list("tool_calls") {
		c := a.object(fmt.Sprintf("%s[%d]", m.at("tool_calls"), i), raw)
		p := part{Type: "call", ID: c.need("id")}
		c.oneOf("type", "function")
		f := c.object("function")
		p.Name, p.Args = f.need("name"), f.str("arguments")
		a.name(f.at("name"), p.Name, openAIName)
		if len(p.ID) > 64 {
			a.fail("Invalid '%s': string too long. Expected a string with maximum length 64.", c.at("id"))
		}
		p.Args = compact(json.RawMessage(p.Args))
		f.done(unknownParam)
		c.take("function")
		c.take("index")
		c.done(unknownParam)
		a.open[p.ID] = true
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		a.fail("Invalid value for 'content': expected a string, got null.")
	}
	a.r.say("assistant", parts...)
}

func (a *openAIReader) content(m *object, kinds string) []part {
	raw, ok := m.take("content")
	if !ok {
		a.fail("Invalid value for 'content': expected a string, got null.")
		return nil
	}
	if raw[0] == '"' {
		return []part{{Type: "text", Text: a.text(m.at("content"), raw)}}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		a.fail("Invalid type for '%s': expected a string or an array of content parts.", m.at("content"))
	}
	var parts []part
	for i, b := range list {
		parts = append(parts, a.part(kinds, a.object(fmt.Sprintf("%s[%d]", m.at("content"), i), b)))
	}
	return parts
}

func (a *openAIReader) part(kinds string, o *object) part {
	kind := o.str("type")
	if !strings.Contains(" "+kinds+" ", " "+kind+" ") {
		a.fail("Invalid value: '%s'. Supported values here are: %s.", kind, kinds)
	}
	p := part{Type: kind}
	switch kind {
	case "text":
		p.Text = o.str("text")
	case "refusal":
		p.Text = o.str("refusal")
	case "image_url":
		p = a.image(o)
	case "file":
		p = a.file(o)
	case "input_audio":
		o.take("input_audio")
	}
	if o.has("cache_control") {
		a.fail(unknownParam, o.at("cache_control"))
	}
	o.done(unknownParam)
	return p
}

func (a *openAIReader) image(o *object) part {
	p := part{Type: "image"}
	i := o.object("image_url")
	u := i.need("url")
	i.oneOf("detail", "auto", "low", "high", "original")
	i.done(unknownParam)
	o.take("image_url")
	if strings.HasPrefix(u, "data:") {
		media, data, ok := dataURL(u)
		if !ok {
			a.fail("Invalid image data URL.")
		}
		p.Media, p.Hash = media, hash(data)
		return p
	}
	if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		a.fail("Invalid image URL: %s", u)
	}
	p.URL = u
	return p
}

func (a *openAIReader) file(o *object) part {
	p := part{Type: "document"}
	f := o.object("file")
	p.ID, p.Name = f.str("file_id"), f.str("filename")
	if s := f.str("file_data"); s != "" {
		media, data, ok := dataURL(s)
		if !ok {
			a.fail("Invalid 'file_data': expected a base64-encoded data URL with a MIME type.")
		}
		if p.Name == "" {
			a.fail("Missing required parameter: '%s'.", f.at("filename"))
		}
		p.Media, p.Hash = media, hash(data)
	} else if p.ID == "" {
		a.fail("Missing required parameter: '%s'.", f.at("file_id"))
	}
	f.done(unknownParam)
	o.take("file")
	return p
}
