package trial

import "github.com/plenum-foundry/plenum/llm"

const rsp = "responses"

// askResponses decodes a request of OpenAI's Responses API.
func askResponses(o *object) *llm.Request {
	r := &llm.Request{Model: o.str("model"), Temperature: o.float("temperature"), TopP: o.float("top_p"), User: o.str("user")}
	if o.has("instructions") && o.m["instructions"] != nil {
		r.Messages = append(r.Messages, llm.Message{Role: llm.System, Place: "field", Plain: true, Blocks: []llm.Block{llm.Text{Text: o.str("instructions")}}})
	}
	r.Stream = o.flag("stream").V
	if o.has("max_output_tokens") {
		r.MaxOut = llm.Some(int(o.num("max_output_tokens")))
	}
	r.Parallel = o.flag("parallel_tool_calls")
	if s, plain := o.m["input"].(string); plain {
		o.read["input"] = true
		r.Messages = append(r.Messages, llm.Message{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: s}}})
	} else {
		for _, item := range o.list("input") {
			r.Messages = append(r.Messages, itemMessage(item))
		}
	}
	for _, t := range o.list("tools") {
		if t.str("type") != "function" {
			r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolHosted, Opaque: t.opaque(rsp, t.str("type"))})
			continue
		}
		r.Tools = append(r.Tools, llm.Tool{
			Kind: llm.ToolFunction, Name: t.str("name"), Description: t.str("description"), Schema: t.raw("parameters"), Strict: t.flag("strict"), Extra: t.rest(rsp),
		})
	}
	if o.has("reasoning") {
		t := o.obj("reasoning")
		r.Thinking = &llm.Thinking{Effort: t.str("effort"), Display: t.str("summary"), Extra: t.rest(rsp)}
	}
	if o.has("text") {
		f := o.obj("text").obj("format")
		r.Output = llm.Format{Kind: llm.FormatKind(f.str("type")), Name: f.str("name"), Schema: f.raw("schema"), Strict: f.flag("strict"), Extra: f.rest(rsp)}
	}
	r.Extra = o.rest(rsp) // store, include, previous_response_id, truncation, background ...
	return r
}

// itemMessage makes a message of an input item. An item without a role is a message of its own.
func itemMessage(o *object) llm.Message {
	switch kind := o.str("type"); kind {
	case "", "message":
		m := llm.Message{Role: llm.Role(o.str("role"))}
		if s, plain := o.m["content"].(string); plain {
			o.read["content"] = true
			m.Plain, m.Blocks = true, []llm.Block{llm.Text{Text: s}}
		} else {
			for _, p := range o.list("content") {
				m.Blocks = append(m.Blocks, part(p))
			}
		}
		m.Extra = o.rest(rsp)
		return m
	case "function_call_output":
		d := llm.ToolDone{ID: o.str("call_id"), Plain: true, Blocks: []llm.Block{llm.Text{Text: o.str("output")}}, Extra: o.rest(rsp)}
		return llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{d}}
	default:
		return llm.Message{Role: llm.Assistant, Blocks: []llm.Block{item(o, kind)}}
	}
}

func part(o *object) llm.Block {
	switch kind := o.str("type"); kind {
	case "input_text", "output_text":
		t := llm.Text{Text: o.str("text")}
		for _, a := range o.list("annotations") {
			c := llm.Citation{Kind: llm.CiteURL, Title: a.str("title"), URL: a.str("url"), Source: -1, Start: int(a.num("start_index")), End: int(a.num("end_index"))}
			c.Opaque = a.opaque(rsp, a.str("type"))
			t.Citations = append(t.Citations, c)
		}
		t.Extra = o.rest(rsp)
		return t
	case "refusal":
		return llm.Refusal{Text: o.str("refusal"), Extra: o.rest(rsp)}
	case "input_image":
		return llm.Media{Kind: llm.Image, URL: o.str("image_url"), FileID: o.str("file_id"), Detail: o.str("detail"), Extra: o.rest(rsp)}
	case "input_file":
		return llm.Media{Kind: llm.File, Data: o.str("file_data"), Name: o.str("filename"), FileID: o.str("file_id"), URL: o.str("file_url"), Extra: o.rest(rsp)}
	default:
		return o.opaque(rsp, kind)
	}
}

// item decodes what is not a message: a call, reasoning, or something that OpenAI runs itself.
func item(o *object, kind string) llm.Block {
	switch kind {
	case "function_call":
		return llm.ToolUse{Kind: llm.ToolFunction, ID: o.str("call_id"), Item: o.str("id"), Name: o.str("name"), Args: o.str("arguments"), Extra: o.rest(rsp)}
	case "reasoning":
		t := llm.Thought{Item: o.str("id"), Sealed: o.str("encrypted_content"), Field: "summary"}
		for _, s := range o.list("summary") {
			s.str("type")
			t.Text += s.str("text")
		}
		if t.Sealed != "" {
			t.Origin = rsp
		}
		t.Extra = o.rest(rsp)
		return t
	default:
		return o.opaque(rsp, kind)
	}
}

// responses decodes an answer of the Responses API.
func responses(o *object) *llm.Response {
	r := &llm.Response{ID: o.str("id"), Model: o.str("model"), Created: o.num("created_at"), Tier: o.str("service_tier")}
	c := llm.Choice{Stop: llm.Stop{Reason: llm.StopEnd, Raw: o.str("status")}}
	for _, it := range o.list("output") {
		kind := it.str("type")
		if kind != "message" {
			if kind == "function_call" {
				c.Stop.Reason = llm.StopTool
			}
			c.Blocks = append(c.Blocks, item(it, kind))
			continue
		}
		for _, p := range it.list("content") {
			c.Blocks = append(c.Blocks, part(p))
		}
		it.rest(rsp) // the id and status of the message: members of the choice's message
	}
	u := o.obj("usage")
	in, out := u.obj("input_tokens_details"), u.obj("output_tokens_details")
	cached, reasoning := in.num("cached_tokens"), out.num("reasoning_tokens")
	r.Usage = llm.Usage{
		Input: u.num("input_tokens") - cached, CacheRead: cached, Output: u.num("output_tokens") - reasoning, Reasoning: reasoning,
		Reported: llm.InSide | llm.OutSide,
	}
	in.rest(rsp)
	out.rest(rsp)
	r.Usage.Extra = u.rest(rsp)
	r.Choices = []llm.Choice{c}
	r.Extra = o.rest(rsp)
	return r
}
