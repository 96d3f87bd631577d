package trial

import (
	"github.com/plenum-foundry/plenum/llm"
)

const gem = "gemini"

// askGemini decodes a generateContent request.
func askGemini(o *object) *llm.Request {
	r := &llm.Request{}
	for _, name := range []string{"systemInstruction", "system_instruction"} {
		if o.has(name) {
			m := turn(o.obj(name))
			m.Role, m.Place = llm.System, "field"
			r.Messages = append(r.Messages, m)
		}
	}
	for _, c := range o.list("contents") {
		r.Messages = append(r.Messages, turn(c))
	}
	for _, t := range o.list("tools") {
		decl := t.list("functionDeclarations")
		for _, f := range decl {
			schema := f.raw("parameters")
			if f.has("parametersJsonSchema") {
				schema = f.raw("parametersJsonSchema")
			}
			r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolFunction, Name: f.str("name"), Description: f.str("description"), Schema: schema, Extra: f.rest(gem)})
		}
		if len(decl) == 0 {
			r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolHosted, Opaque: t.opaque(gem, "tool")})
		}
	}
	g := o.obj("generationConfig")
	r.Temperature, r.TopP = g.float("temperature"), g.float("topP")
	if g.has("maxOutputTokens") {
		r.MaxOut = llm.Some(int(g.num("maxOutputTokens")))
	}
	if g.has("thinkingConfig") {
		t := g.obj("thinkingConfig")
		r.Thinking = &llm.Thinking{Effort: t.str("thinkingLevel")}
		if t.has("thinkingBudget") {
			r.Thinking.Budget = llm.Some(int(t.num("thinkingBudget")))
		}
		r.Thinking.Extra = t.rest(gem)
	}
	if g.has("responseLogprobs") {
		r.Logprobs = g.flag("responseLogprobs")
		r.TopLogprobs = llm.Some(int(g.num("logprobs")))
	}
	r.Extra = g.rest(gem)
	for _, f := range o.rest(gem).Fields { // safetySettings, toolConfig, cachedContent ...
		r.Extra.Add(gem, f.Key, f.Raw)
	}
	return r
}

func turn(o *object) llm.Message {
	m := llm.Message{Role: llm.User}
	if role := o.str("role"); role == "model" {
		m.Role = llm.Assistant
	}
	for _, p := range o.list("parts") {
		m.Blocks = append(m.Blocks, geminiPart(p))
	}
	m.Extra = o.rest(gem)
	return m
}

// signature returns the opaque state of a part and whose it is.
func signature(o *object) (sig, origin string) {
	for _, name := range []string{"thoughtSignature", "thought_signature"} {
		if o.has(name) {
			return o.str(name), gem
		}
	}
	return "", ""
}

func geminiPart(o *object) llm.Block {
	sig, origin := signature(o)
	switch {
	case o.flag("thought").V:
		return llm.Thought{Text: o.str("text"), Signature: sig, Origin: origin, Extra: o.rest(gem)}
	case o.has("text"):
		return llm.Text{Text: o.str("text"), Signature: sig, Origin: origin, Extra: o.rest(gem)}
	case o.has("functionCall"):
		f := o.obj("functionCall")
		u := llm.ToolUse{Kind: llm.ToolFunction, ID: f.str("id"), Name: f.str("name"), Args: f.raw("args"), Signature: sig, Origin: origin}
		u.Extra = f.rest(gem)
		o.rest(gem)
		return u
	case o.has("functionResponse"):
		f := o.obj("functionResponse")
		d := llm.ToolDone{ID: f.str("id"), Name: f.str("name"), Blocks: []llm.Block{llm.Opaque{Dialect: gem, Type: "response", Raw: f.raw("response")}}}
		for _, p := range f.list("parts") {
			d.Blocks = append(d.Blocks, geminiPart(p))
		}
		d.Extra = f.rest(gem)
		return d
	case o.has("inlineData"):
		d := o.obj("inlineData")
		return llm.Media{Kind: llm.File, MIME: d.str("mimeType"), Data: d.str("data"), Extra: d.rest(gem)}
	case o.has("fileData"):
		d := o.obj("fileData")
		return llm.Media{Kind: llm.File, MIME: d.str("mimeType"), URL: d.str("fileUri"), Extra: d.rest(gem)}
	default:
		return o.opaque(gem, "part")
	}
}

// gemini decodes a generateContent answer.
func gemini(o *object) *llm.Response {
	r := &llm.Response{ID: o.str("responseId"), Model: o.str("modelVersion")}
	for _, c := range o.list("candidates") {
		m := c.obj("content")
		m.str("role")
		ch := llm.Choice{Index: int(c.num("index")), Stop: llm.Stop{Reason: llm.StopEnd, Raw: c.str("finishReason")}}
		for _, p := range m.list("parts") {
			b := geminiPart(p)
			if _, call := b.(llm.ToolUse); call {
				ch.Stop.Reason = llm.StopTool
			}
			ch.Blocks = append(ch.Blocks, b)
		}
		m.rest(gem)
		if c.has("logprobsResult") {
			ch.Logprobs = geminiLogprobs(c.obj("logprobsResult"))
		}
		ch.Extra = c.rest(gem) // groundingMetadata, safetyRatings, citationMetadata
		r.Choices = append(r.Choices, ch)
	}
	u := o.obj("usageMetadata")
	cached := u.num("cachedContentTokenCount")
	r.Usage = llm.Usage{
		Input: u.num("promptTokenCount") + u.num("toolUsePromptTokenCount") - cached, CacheRead: cached,
		Output: u.num("candidatesTokenCount"), Reasoning: u.num("thoughtsTokenCount"), Reported: llm.InSide | llm.OutSide,
	}
	r.Usage.Extra = u.rest(gem) // the counts by modality
	r.Extra = o.rest(gem)
	return r
}

func geminiLogprobs(o *object) *llm.Logprobs {
	l := &llm.Logprobs{}
	for _, c := range o.list("chosenCandidates") {
		l.Content = append(l.Content, llm.Logprob{Token: c.str("token"), Value: c.raw("logProbability"), Extra: c.rest(gem)})
	}
	for i, t := range o.list("topCandidates") {
		for _, c := range t.list("candidates") {
			top := llm.Logprob{Token: c.str("token"), Value: c.raw("logProbability"), Extra: c.rest(gem)}
			if i < len(l.Content) {
				l.Content[i].Top = append(l.Content[i].Top, top)
			}
		}
		t.rest(gem)
	}
	l.Extra = o.rest(gem)
	return l
}
