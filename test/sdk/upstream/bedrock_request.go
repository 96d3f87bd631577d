package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// bedrock is Bedrock's Converse API, with a model behind it that thinks as Claude does.
type bedrock struct{}

var bedrockName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const unknownMember = "The model returned the following errors: %s: extraneous key is not permitted"

func (bedrock) read(hr *http.Request, body []byte) (*request, *refusal) {
	r := &request{Vendor: "bedrock", Logprobs: -1, N: 1}
	rest, ok := strings.CutPrefix(hr.URL.EscapedPath(), "/model/")
	model, verb, _ := strings.Cut(rest, "/")
	switch {
	case hr.Method != http.MethodPost || !ok || verb != "converse" && verb != "converse-stream":
		return r, &refusal{404, "no such operation: " + hr.Method + " " + hr.URL.Path}
	case hr.Header.Get("Authorization") != "Bearer "+vendorKey:
		return r, &refusal{403, "The security token included in the request is invalid."}
	}
	r.Model, _ = url.PathUnescape(model)
	r.Scenario, r.Stream = scenarioOf(r.Model), verb == "converse-stream"
	c := &check{}
	b := &bedrockReader{anthropicReader{check: c, r: r, results: map[string]bool{}}}
	b.request(c.object("", body))
	return r, c.wrong
}

// bedrockReader keeps Anthropic's rules of order, which Converse has as well.
type bedrockReader struct{ anthropicReader }

func (b *bedrockReader) request(o *object) {
	if o.has("inferenceConfig") {
		i := o.object("inferenceConfig")
		b.r.Max = i.integer("maxTokens", 1)
		b.r.Temperature = i.number("temperature", 0, 1)
		b.r.TopP = i.number("topP", 0, 1)
		b.r.Stop = i.strings("stopSequences")
		i.done(unknownMember)
	}
	o.take("inferenceConfig")
	if raw, ok := o.take("additionalModelRequestFields"); ok {
		f := b.object("additionalModelRequestFields", raw)
		b.think(f)
		f.done(unknownMember)
	}
	if raw, ok := o.take("requestMetadata"); ok {
		m := b.object("requestMetadata", raw)
		for k := range m.m {
			m.str(k)
		}
	}
	b.tools(o)
	for i, raw := range o.list("system") {
		for _, p := range b.block("system", b.object(fmt.Sprintf("system.%d", i), raw)) {
			b.r.System = append(b.r.System, p.Text)
		}
	}
	b.messages(o)
	o.done(unknownMember)
}

func (b *bedrockReader) tools(o *object) {
	if !o.has("toolConfig") {
		return
	}
	tc := o.object("toolConfig")
	names := map[string]bool{}
	for i, raw := range tc.list("tools") {
		t := b.object(fmt.Sprintf("toolConfig.tools.%d", i), raw)
		if t.has("cachePoint") {
			b.point(t, "tools")
			continue
		}
		s := t.object("toolSpec")
		d := tool{Name: s.need("name"), Description: s.str("description"), Strict: s.is("strict")}
		b.name(s.at("name"), d.Name, bedrockName)
		in := s.object("inputSchema")
		d.Schema, _ = in.take("json")
		b.schema(in.at("json"), d.Schema, false, false)
		names[d.Name] = true
		s.take("inputSchema")
		s.done(unknownMember)
		b.r.Tools = append(b.r.Tools, d)
	}
	if len(names) == 0 {
		b.fail("toolConfig.tools: must have at least one element")
	}
	if tc.has("toolChoice") {
		b.choose(tc.object("toolChoice"), names)
	}
	tc.take("toolChoice")
	tc.done(unknownMember)
	o.take("toolConfig")
}

func (b *bedrockReader) choose(o *object, names map[string]bool) {
	for _, kind := range []string{"auto", "any"} {
		if _, ok := o.take(kind); ok {
			b.r.Choice = kind
		}
	}
	if o.has("tool") {
		name := o.object("tool").need("name")
		if !names[name] {
			b.fail("toolChoice.tool: %s is not in toolConfig", name)
		}
		b.r.Choice = "tool:" + name
		o.take("tool")
	}
	o.done(unknownMember)
}

func (b *bedrockReader) point(o *object, where string) {
	p := o.object("cachePoint")
	p.oneOf("type", "default")
	p.oneOf("ttl", "5m", "1h")
	p.done(unknownMember)
	o.take("cachePoint")
	b.r.Marks = append(b.r.Marks, where)
	if b.marks++; b.marks > 4 {
		b.fail("A maximum of 4 cache points may be provided. Found %d.", b.marks)
	}
}

func (b *bedrockReader) messages(o *object) {
	for i, raw := range o.list("messages") {
		m := b.object(fmt.Sprintf("messages.%d", i), raw)
		role := m.oneOf("role", "user", "assistant")
		if i == 0 && role != "user" {
			b.fail("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
		}
		var parts []part
		list := m.list("content")
		if len(list) == 0 {
			b.fail("The content field in the Message object at %s is empty. Add a ContentBlock object to the content field and try again.", m.path)
		}
		for j, c := range list {
			parts = append(parts, b.block(role, b.object(fmt.Sprintf("%s.content.%d", m.path, j), c))...)
		}
		m.done(unknownMember)
		b.order(m.path, role, parts)
		b.r.say(role, parts...)
	}
	b.settled("messages")
	b.ending()
}

// block reads the one member that a block has.
func (b *bedrockReader) block(role string, o *object) []part {
	var p part
	switch {
	case o.has("text"):
		p = part{Type: "text", Text: o.str("text")}
		if strings.TrimSpace(p.Text) == "" {
			b.fail("The text field in the ContentBlock object at %s is blank. Add text to the text field, and try again.", o.path)
		}
	case o.has("cachePoint"):
		b.point(o, role)
		o.done(unknownMember)
		return nil
	case o.has("image"), o.has("document"):
		p = b.media(o)
	case o.has("reasoningContent") && role == "assistant":
		p = b.reasoning(o.object("reasoningContent"))
		o.take("reasoningContent")
	case o.has("toolUse") && role == "assistant":
		u := o.object("toolUse")
		p = part{Type: "call", ID: u.need("toolUseId"), Name: u.need("name")}
		b.name(u.at("toolUseId"), p.ID, bedrockName)
		raw, _ := u.take("input")
		p.Args = compact(raw)
		u.done(unknownMember)
		o.take("toolUse")
	case o.has("toolResult") && role == "user":
		p = b.result(o.object("toolResult"))
		o.take("toolResult")
	case o.has("json"):
		raw, _ := o.take("json")
		p = part{Type: "text", Text: compact(raw)}
	}
	o.done(unknownMember)
	return []part{p}
}

func (b *bedrockReader) reasoning(o *object) part {
	if o.has("redactedContent") {
		return part{Type: "sealed", Text: o.str("redactedContent")}
	}
	t := o.object("reasoningText")
	p := part{Type: "thought", Text: t.str("text"), Sig: t.str("signature")}
	t.done(unknownMember)
	return p
}

func (b *bedrockReader) result(o *object) part {
	p := part{Type: "result", ID: o.need("toolUseId"), Error: o.oneOf("status", "success", "error") == "error"}
	for i, raw := range o.list("content") {
		for _, x := range b.block("result", b.object(fmt.Sprintf("%s.content.%d", o.path, i), raw)) {
			p.Parts = append(p.Parts, x)
			p.Text += x.Text
		}
	}
	o.done(unknownMember)
	return p
}

func (b *bedrockReader) media(o *object) part {
	kind := "image"
	if o.has("document") {
		kind = "document"
	}
	m := o.object(kind)
	p := part{Type: kind, Media: m.need("format"), Name: m.str("name")}
	s := m.object("source")
	if data, ok := unbase64(s.str("bytes")); ok {
		p.Hash = hash(data)
	} else {
		b.fail("%s: invalid bytes", s.path)
	}
	m.take("source")
	m.done(unknownMember)
	o.take(kind)
	return p
}
