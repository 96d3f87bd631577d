package trial

import "github.com/plenum-foundry/plenum/llm"

const con = "converse"

// askConverse decodes a request of Bedrock's Converse.
func askConverse(o *object) *llm.Request {
	r := &llm.Request{}
	if system := o.list("system"); len(system) > 0 {
		m := llm.Message{Role: llm.System, Place: "field", Blocks: converseBlocks(system)}
		r.Messages = append(r.Messages, m)
	}
	for _, t := range o.list("messages") {
		m := llm.Message{Role: llm.Role(t.str("role")), Blocks: converseBlocks(t.list("content"))}
		m.Extra = t.rest(con)
		r.Messages = append(r.Messages, m)
	}
	c := o.obj("inferenceConfig")
	r.Temperature, r.TopP = c.float("temperature"), c.float("topP")
	if c.has("maxTokens") {
		r.MaxOut = llm.Some(int(c.num("maxTokens")))
	}
	r.Stop = append(r.Stop, listOf(c.m["stopSequences"])...)
	c.read["stopSequences"] = true
	tc := o.obj("toolConfig")
	for _, t := range tc.list("tools") {
		switch {
		case t.has("toolSpec"):
			s := t.obj("toolSpec")
			r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolFunction, Name: s.str("name"), Description: s.str("description"), Schema: s.obj("inputSchema").raw("json"), Extra: s.rest(con)})
		case t.has("cachePoint") && len(r.Tools) > 0:
			r.Tools[len(r.Tools)-1].Cache = &llm.CacheMark{Extra: t.obj("cachePoint").rest(con)}
		default:
			r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolHosted, Opaque: t.opaque(con, "tool")})
		}
	}
	r.Choose = llm.ToolChoice{Opaque: llm.Opaque{Dialect: con, Raw: tc.raw("toolChoice")}}
	r.Extra = o.rest(con) // additionalModelRequestFields, guardrailConfig ...
	return r
}

func listOf(v any) []string {
	var out []string
	items, _ := v.([]any)
	for _, it := range items {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func converseBlocks(parts []*object) []llm.Block {
	var out []llm.Block
	for _, p := range parts {
		if p.has("cachePoint") && len(out) > 0 {
			// A mark of its own on the wire is a mark of the block before it here.
			out[len(out)-1] = mark(out[len(out)-1], &llm.CacheMark{Extra: p.obj("cachePoint").rest(con)})
			continue
		}
		out = append(out, converseBlock(p))
	}
	return out
}

func mark(b llm.Block, m *llm.CacheMark) llm.Block {
	switch k := b.(type) {
	case llm.Text:
		k.Cache = m
		return k
	case llm.Media:
		k.Cache = m
		return k
	case llm.ToolDone:
		k.Cache = m
		return k
	case llm.ToolUse:
		k.Cache = m
		return k
	default:
		return b
	}
}

func converseBlock(o *object) llm.Block {
	switch {
	case o.has("text"):
		return llm.Text{Text: o.str("text"), Extra: o.rest(con)}
	case o.has("image"):
		return converseMedia(o.obj("image"), llm.Image)
	case o.has("document"):
		return converseMedia(o.obj("document"), llm.Document)
	case o.has("toolUse"):
		u := o.obj("toolUse")
		return llm.ToolUse{Kind: llm.ToolFunction, ID: u.str("toolUseId"), Name: u.str("name"), Args: u.raw("input"), Extra: u.rest(con)}
	case o.has("toolResult"):
		d := o.obj("toolResult")
		return llm.ToolDone{ID: d.str("toolUseId"), Blocks: converseBlocks(d.list("content")), IsError: llm.Opt[bool]{V: d.str("status") == "error", Set: d.has("status")}, Extra: d.rest(con)}
	case o.has("reasoningContent"):
		return converseThought(o.obj("reasoningContent"))
	default:
		return o.opaque(con, "block")
	}
}

func converseThought(o *object) llm.Block {
	if o.has("redactedContent") {
		return llm.Thought{Sealed: o.str("redactedContent"), Origin: con, Extra: o.rest(con)}
	}
	t := o.obj("reasoningText")
	th := llm.Thought{Text: t.str("text"), Signature: t.str("signature")}
	if th.Signature != "" {
		th.Origin = con
	}
	th.Extra = t.rest(con)
	return th
}

func converseMedia(o *object, kind llm.MediaKind) llm.Block {
	m := llm.Media{Kind: kind, MIME: o.str("format"), Name: o.str("name")}
	src := o.obj("source")
	m.Data, m.Text = src.str("bytes"), src.str("text")
	m.Extra = src.rest(con)
	o.rest(con)
	return m
}

// converse decodes an answer of Converse.
func converse(o *object) *llm.Response {
	m := o.obj("output").obj("message")
	m.str("role")
	c := llm.Choice{Blocks: converseBlocks(m.list("content")), Stop: llm.Stop{Reason: llm.StopEnd, Raw: o.str("stopReason")}}
	u := o.obj("usage")
	r := &llm.Response{Usage: llm.Usage{
		Input: u.num("inputTokens"), CacheRead: u.num("cacheReadInputTokens"), CacheWrite5m: u.num("cacheWriteInputTokens"),
		Output: u.num("outputTokens"), Reported: llm.InSide | llm.OutSide,
	}}
	r.Usage.Extra = u.rest(con)
	r.Choices = []llm.Choice{c}
	r.Extra = o.rest(con) // metrics, trace
	return r
}
