package responses_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

const paris = `{"city":"Paris"}`

func callOf(t *testing.T, r *llm.Response) llm.ToolUse {
	t.Helper()
	if len(r.Choices) != 1 || len(r.Choices[0].Blocks) != 1 {
		t.Fatalf("got %+v", r)
	}
	u, _ := r.Choices[0].Blocks[0].(llm.ToolUse)
	return u
}

const addedCall = `output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"","status":"in_progress"}`

func doneCall(args string) string {
	return `{"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":` + args + `,"status":"completed"}`
}

// Whoever hears the stream, not only who reads the whole, gets the arguments once.
func argsHeard(t *testing.T, s string) string {
	t.Helper()
	got := dialecttest.Decode(codec(), dialecttest.Frames([]byte(s)), dialect.Want{})
	var b strings.Builder
	for _, ev := range got.Events {
		if d, ok := ev.(llm.ArgsDelta); ok {
			b.WriteString(d.JSON)
		}
	}
	return b.String()
}

func TestCase_A2_ArgumentsThatOnlyDoneSays(t *testing.T) {
	q := `"{\"city\":\"Paris\"}"`
	for name, s := range map[string]string{
		"arguments.done": stream(ev(created), ev(addedCall), ev(`function_call_arguments.done","output_index":0,"item_id":"fc_1","arguments":`+q),
			ev(`output_item.done","output_index":0,"item":`+doneCall(q)), done(`[`+doneCall(q)+`]`)),
		"arguments.done alone": stream(ev(created), ev(addedCall), ev(`function_call_arguments.done","output_index":0,"item_id":"fc_1","arguments":`+q),
			ev(`output_item.done","output_index":0,"item":`+doneCall(`""`)), done(`[]`)),
		"item.done":      stream(ev(created), ev(addedCall), ev(`output_item.done","output_index":0,"item":`+doneCall(q)), done(`[`+doneCall(q)+`]`)),
		"completed":      stream(ev(created), ev(addedCall), done(`[`+doneCall(q)+`]`)),
		"item.done only": stream(ev(created), ev(`output_item.done","output_index":0,"item":`+doneCall(q)), done(`[]`)),
	} {
		r := read(t, s)
		if u := callOf(t, r); u.Args != paris || u.Name != "weather" || u.ID != "call_1" || r.Choices[0].Stop.Reason != llm.StopTool {
			t.Errorf("%s: %+v, %+v", name, u, r.Choices[0].Stop)
		}
		if got := argsHeard(t, s); got != paris {
			t.Errorf("%s: heard %q", name, got)
		}
	}
}

func TestCase_A3_DeltasAfterDone(t *testing.T) {
	delta := ev(`function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"{\"city\":"`) + ev(`function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"\"Paris\"}"`)
	empty := ev(`function_call_arguments.done","output_index":0,"item_id":"fc_1","arguments":""`)
	for name, s := range map[string]string{
		"arguments.done first": stream(ev(created), ev(addedCall), empty, delta, ev(`output_item.done","output_index":0,"item":`+doneCall(`""`)), done(`[]`)),
		"item.done first too":  stream(ev(created), ev(addedCall), empty, ev(`output_item.done","output_index":0,"item":`+doneCall(`""`)), delta, done(`[]`)),
	} {
		if u := callOf(t, read(t, s)); u.Args != paris {
			t.Errorf("%s: %q", name, u.Args)
		}
		if got := argsHeard(t, s); got != paris {
			t.Errorf("%s: heard %q", name, got)
		}
	}
}

// The life cycle of a stream with reasoning, text and calls, whatever order the upstream tells them in.
func TestCase_B8_TheWholeLifeCycleIsSaid(t *testing.T) {
	req := request(t, `{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"instructions":"i","metadata":{"a":"b"}}`)
	out, r := say(t, req,
		llm.Start{Model: "up"},
		llm.BlockStart{Index: 0, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f"}},
		llm.BlockStart{Index: 1, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "f"}},
		llm.ArgsDelta{Index: 0, JSON: `{"x":`},
		llm.ArgsDelta{Index: 1, JSON: `{"y":2}`},
		llm.ArgsDelta{Index: 0, JSON: `1}`},
		llm.BlockEnd{Index: 0},
		llm.BlockEnd{Index: 1},
		llm.BlockStart{Index: 2, Block: llm.Thought{}},
		llm.ThoughtDelta{Index: 2, Text: "Hm."},
		llm.BlockEnd{Index: 2},
		llm.BlockStart{Index: 3, Block: llm.Text{}},
		llm.TextDelta{Index: 3, Text: "He"},
		llm.TextDelta{Index: 3, Text: "llo."},
		llm.BlockEnd{Index: 3},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}},
		llm.UsageReport{Usage: llm.Usage{Input: 6, CacheRead: 4, Output: 3, Reasoning: 2, Reported: 3}},
		llm.End{},
	)
	for _, kind := range []string{
		"created", "in_progress", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
		"reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
		"content_part.added", "output_text.delta", "output_text.done", "content_part.done", "completed",
	} {
		if !strings.Contains(out, "event: response."+kind+"\n") {
			t.Errorf("there is no response.%s", kind)
		}
	}
	if r["id"] != "resp_call" || r["object"] != "response" || r["model"] != "up" || r["status"] != "completed" || r["store"] != false || r["instructions"] != "i" {
		t.Errorf("the answer says %v", r)
	}
	want := `{"input_tokens":10,"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}`
	if got := sprint(r["usage"]); got != want {
		t.Errorf("usage %s", got)
	}
	items := r["output"].([]any)
	if len(items) != 4 {
		t.Fatalf("items %v", items)
	}
	for i, want := range []map[string]any{
		{"type": "function_call", "call_id": "a", "arguments": `{"x":1}`, "status": "completed"},
		{"type": "function_call", "call_id": "b", "arguments": `{"y":2}`, "status": "completed"},
		{"type": "reasoning"},
		{"type": "message", "role": "assistant", "status": "completed"},
	} {
		for k, v := range want {
			if got := items[i].(map[string]any)[k]; got != v {
				t.Errorf("item %d: %s is %v, not %v", i, k, got, v)
			}
		}
	}
	if got := sprint(items[3].(map[string]any)["content"]); got != `[{"annotations":[],"logprobs":[],"text":"Hello.","type":"output_text"}]` {
		t.Errorf("content %s", got)
	}
}

func TestCase_B14_FailedAndIncompleteAreTerminalAndCarryUsage(t *testing.T) {
	s := stream(ev(created), ev(`failed","response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down."},`+usage+`}`))
	for _, want := range []dialect.Want{{}, {Meter: true}} {
		got := dialecttest.Decode(codec(), dialecttest.Frames([]byte(s)), want)
		e := llm.AsError(got.Fault())
		if e.Kind != llm.RateLimited || e.Message != "Slow down." || !e.Upstream.InStream {
			t.Errorf("the fault is %+v", e)
		}
		if r := got.Fold(); r.Usage.In() != 10 || r.Usage.Out() != 5 {
			t.Errorf("usage %+v", r.Usage)
		}
	}
	// An error event may come before; the failure tells more.
	s = stream(ev(created), "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"Oops.\",\"param\":null,\"sequence_number\":1}\n\n",
		ev(`failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"Oops."},`+usage+`}`))
	got := dialecttest.Decode(codec(), dialecttest.Frames([]byte(s)), dialect.Want{})
	if e := llm.AsError(got.Fault()); e.Kind != llm.UpstreamFault || e.Message != "Oops." || got.Fold().Usage.In() != 10 {
		t.Errorf("the fault is %+v, usage %+v", e, got.Fold().Usage)
	}
	s = stream(ev(created), ev(addedCall), ev(`function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"{\"ci"`),
		ev(`output_item.done","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"{\"ci","status":"incomplete"}`),
		ev(`incomplete","response":{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],`+usage+`}`))
	r := read(t, s)
	if u := callOf(t, r); u.Args != `{"ci` || r.Choices[0].Stop.Reason != llm.StopLength || r.Usage.In() != 10 {
		t.Errorf("got %+v", r)
	}
	// Nothing of it passes where it is an unstreamed answer, either.
	_, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(`{"id":"r","object":"response","status":"failed","error":{"code":"server_error","message":"Oops."},"output":[]}`)})
	if e := llm.AsError(err); e.Kind != llm.UpstreamFault || e.Message != "Oops." {
		t.Errorf("the error is %+v", e)
	}
}

func TestCase_A4_A5_InterleavedCallsStayApart(t *testing.T) {
	chat := openai.Dialect().Codec(llm.OpGenerate)
	chunk := func(delta string) string {
		return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}` + "\n\n"
	}
	s := chunk(`{"role":"assistant","content":"I look."}`) +
		chunk(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`) +
		chunk(`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}`) +
		chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}`) +
		chunk(`{"tool_calls":[{"index":1,"function":{"arguments":"{\"y\":"}}]}`) +
		chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}`) +
		chunk(`{"tool_calls":[{"index":1,"function":{"arguments":"2}"}}]}`) +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n"
	events := dialecttest.Decode(chat, dialecttest.Frames([]byte(s)), dialect.Want{}).Events
	_, r := say(t, nil, events...)
	got := sprint(r["output"])
	for _, want := range []string{`"arguments":"{\"x\":1}","call_id":"a"`, `"arguments":"{\"y\":2}","call_id":"b"`, `"text":"I look."`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestCase_A9_ACallWithoutArgumentsHasNone(t *testing.T) {
	_, r := say(t, nil, llm.Start{}, llm.BlockStart{Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "now"}}, llm.BlockEnd{}, llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}}, llm.End{})
	if got := sprint(r["output"]); !strings.Contains(got, `"arguments":"{}"`) {
		t.Errorf("got %s", got)
	}
	out, _, err := codec().EncodeRequest(&llm.Request{Messages: []llm.Message{{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "now"}}}}}, dialect.Shape{})
	if err != nil || !strings.Contains(string(out.Body), `"arguments":"{}"`) {
		t.Errorf("%v: %s", err, out.Body)
	}
}

func TestCase_A11_ACutCallStaysCut(t *testing.T) {
	out, r := say(t, nil, llm.Start{}, llm.BlockStart{Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f"}}, llm.ArgsDelta{JSON: `{"ci`}, llm.BlockEnd{},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopLength}}, llm.End{})
	item := r["output"].([]any)[0].(map[string]any)
	if r["status"] != "incomplete" || item["status"] != "incomplete" || item["arguments"] != `{"ci` || !strings.Contains(out, "event: response.incomplete") ||
		sprint(r["incomplete_details"]) != `{"reason":"max_output_tokens"}` {
		t.Errorf("got %v", r)
	}
	whole := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: `{"ci`}}, Stop: llm.Stop{Reason: llm.StopLength}}}}
	reply, _, err := codec().EncodeResponse(nil, whole, dialect.Meta{CallID: "call"})
	if err != nil || !strings.Contains(string(reply.Body), `"arguments":"{\"ci"`) || strings.Contains(string(reply.Body), `"status":"completed"`) {
		t.Errorf("%v: %s", err, reply.Body)
	}
}

// Items that have no word in another dialect are named, each of them, and none is dropped in silence.
func TestCase_A14_ItemsOfTheVendorsAreNamed(t *testing.T) {
	req := request(t, everything)
	_, losses, err := openai.Dialect().Codec(llm.OpGenerate).EncodeRequest(req, dialect.Shape{Offer: offer()})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, l := range losses {
		all.WriteString(l.String() + "\n")
	}
	for _, kind := range []string{
		"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools", "mcp_call",
		"mcp_approval_request", "mcp_approval_response", "computer_call", "computer_call_output", "compaction", "item_reference", "hologram_call",
		"web_search tool", "mcp tool", "namespace tool", "previous_response_id", "truncation", "store", "max_tool_calls", "future", "tools[2].format",
	} {
		if !strings.Contains(all.String(), kind) {
			t.Errorf("%s is not named in\n%s", kind, all.String())
		}
	}
	// Images in a tool's result are carried.
	res, err := anthropic.Dialect().Codec(llm.OpGenerate).DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","max_tokens":9,"messages":[
		{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"look","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := codec().EncodeRequest(res, dialect.Shape{Offer: offer()})
	if err != nil || len(losses) > 0 || !strings.Contains(string(out.Body), `"output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="`) {
		t.Errorf("%v %v: %s", err, losses, out.Body)
	}
}

func TestCase_B12_AnErrorIsSaidAsTheAnswersFailure(t *testing.T) {
	e := codec().NewEncoder(nil, dialect.Meta{CallID: "call"})
	out, _ := dialecttest.Encode(e, []llm.Event{llm.Start{}, llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "Hel"}},
		&llm.Error{Kind: llm.Overloaded, Message: "too much to do"})
	s := string(out)
	if !strings.Contains(s, "event: error\n") || !strings.Contains(s, "event: response.failed\n") || strings.Contains(s, "response.completed") || strings.Contains(s, "[DONE]") ||
		!strings.Contains(s, `"error":{"code":"server_is_overloaded","message":"too much to do"}`) {
		t.Errorf("said %s", s)
	}
	got := dialecttest.Decode(codec(), dialecttest.Frames(out), dialect.Want{})
	if e := llm.AsError(got.Fault()); e.Kind != llm.Overloaded || e.Message != "too much to do" {
		t.Errorf("read as %+v", e)
	}
}

// What another vendor signed or sealed comes home through a client that sends the items back as they were.
func TestCase_C1_C2_C3_C4_StateOfOtherVendorsComesHome(t *testing.T) {
	blocks := []llm.Block{
		llm.Thought{Text: "Hm.\n\nYes.", Signature: "sig", Origin: "anthropic"},
		llm.Thought{Signature: "sig2", Origin: "anthropic"},
		llm.Thought{Sealed: "data", Origin: "anthropic"},
		llm.Text{Text: "I look.", Signature: "ts", Origin: "gemini"},
		llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: "{}", Signature: "gs", Origin: "gemini"},
	}
	r := &llm.Response{Model: "up", Choices: []llm.Choice{{Blocks: blocks, Stop: llm.Stop{Reason: llm.StopTool}}}}
	reply, losses, err := codec().EncodeResponse(nil, r, dialect.Meta{CallID: "call"})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	_, streamed := say(t, nil, events...)
	for name, output := range map[string]string{"whole": field(reply.Body, "output"), "streamed": sprint(streamed["output"])} {
		req := request(t, `{"model":"m","input":`+output+`}`)
		if len(req.Messages) != 1 || req.Messages[0].Role != llm.Assistant {
			t.Fatalf("%s: %+v", name, req.Messages)
		}
		var got []llm.Block
		for _, b := range req.Messages[0].Blocks {
			switch b := b.(type) {
			case llm.Thought:
				b.Extra, b.Item, b.Field = llm.Extra{}, "", ""
				got = append(got, b)
			case llm.Text:
				b.Extra = llm.Extra{}
				got = append(got, b)
			case llm.ToolUse:
				b.Extra, b.Item = llm.Extra{}, ""
				got = append(got, b)
			}
		}
		if d := cmp.Diff(blocks, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Of what another vendor sealed nothing reaches a vendor of this dialect, which would refuse it.
func TestCase_C5_ForeignStateIsStripped(t *testing.T) {
	r := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.Thought{Text: "Hm.", Signature: "sig", Origin: "anthropic"}, llm.Text{Text: "Yes."}}}}}
	reply, _, err := codec().EncodeResponse(nil, r, dialect.Meta{CallID: "call"})
	if err != nil {
		t.Fatal(err)
	}
	in := dialect.Inbound{Body: []byte(`{"model":"m","input":[{"role":"user","content":"x"},` + field(reply.Body, "output")[1:] + `}`)}
	h, err := codec().Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := codec().EditRequest(in, h, dialect.Shape{Offer: offer()})
	if err != nil || strings.Contains(string(out.Body), "reasoning") || !strings.Contains(string(out.Body), "Yes.") || len(out.Changed) != 1 {
		t.Errorf("%v %v: %s", err, out.Changed, out.Body)
	}
	whole := request(t, string(in.Body))
	said, _, err := codec().EncodeRequest(whole, dialect.Shape{})
	if err != nil || strings.Contains(string(said.Body), "reasoning") {
		t.Errorf("%v: %s", err, said.Body)
	}
}

// A thought of this dialect's survives a turn through chat completions, with its id.
func TestCase_C4_SealedReasoningComesBackThroughAChatClient(t *testing.T) {
	chat := openai.Dialect().Codec(llm.OpGenerate)
	res, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answerWith(`[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"sealed"},` + doneCall(`"{}"`) + `]`))})
	if err != nil {
		t.Fatal(err)
	}
	reply, _, err := chat.EncodeResponse(nil, res, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := chat.DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","messages":[{"role":"user","content":"x"},` + message(reply.Body) + `,{"role":"tool","tool_call_id":"call_1","content":"20"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := codec().EncodeRequest(p, dialect.Shape{Offer: offer()})
	for _, want := range []string{`"id":"rs_1"`, `"encrypted_content":"sealed"`, `"store":false`, `"call_id":"call_1"`} {
		if err != nil || !strings.Contains(string(out.Body), want) {
			t.Errorf("%v: no %s in %s", err, want, out.Body)
		}
	}
}

func TestCase_F15_ItemsWithoutTypeOrID(t *testing.T) {
	r := request(t, `{"model":"m","input":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"assistant","content":[{"type":"output_text","text":"c"}]},
		{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"d"}]}`)
	if len(r.Messages) != 3 || len(r.Messages[1].Blocks) != 3 {
		t.Errorf("read as %+v", r.Messages)
	}
	d := codec().(dialect.Dependent)
	if err := d.Depends(r); err != nil {
		t.Error(err)
	}
	for _, body := range []string{
		`{"model":"m","input":"x","previous_response_id":"resp_1"}`, `{"model":"m","input":"x","conversation":"conv_1"}`,
		`{"model":"m","prompt":{"id":"p"}}`, `{"model":"m","input":[{"type":"item_reference","id":"msg_1"}]}`, `{"model":"m","input":[{"id":"msg_1"}]}`,
	} {
		err := d.Depends(request(t, body))
		if !llm.IsKind(err, llm.NotFound) {
			t.Errorf("%s: %v", body, err)
			continue
		}
		reply := codec().EncodeError(err)
		if reply.Status != 404 || !strings.Contains(string(reply.Body), `"type":"invalid_request_error"`) || !strings.Contains(string(reply.Body), "send the whole conversation") {
			t.Errorf("%s: %d %s", body, reply.Status, reply.Body)
		}
	}
}
