package converse_test

import (
	"encoding/base64"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// from says a request of another dialect here, for a model.
func from(t *testing.T, c dialect.Codec, model, body string) (out, losses string) {
	t.Helper()
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	o, lost, err := codec().EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: model}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lost {
		losses += l.String() + "; "
	}
	return string(o.Body), losses
}

const claudeModel = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

func TestCase_F3_NullPropertiesAreAnObject(t *testing.T) {
	out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":null}}},{"type":"function","function":{"name":"g"}}]}`)
	dialecttest.Has(t, out, `"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}`, `"name":"g","inputSchema":{"json":{"type":"object","properties":{}}}`)
}

func TestCase_F5_CachePointsAreToolsOfTheirOwn(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}`
	out, _ := from(t, messages(), claudeModel, body)
	dialecttest.Has(t, out, `{"toolSpec":{"name":"f"`, `}},{"cachePoint":{"type":"default","ttl":"1h"}}]`)
	out, losses := from(t, messages(), "meta.llama3", body)
	dialecttest.HasNot(t, out, "cachePoint")
	dialecttest.Has(t, losses, "tools[0].cache_control")
}

func TestCase_F5_ToolsOfTheHistoryAreDeclared(t *testing.T) {
	out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"r"}]}`)
	dialecttest.Has(t, out, `"toolConfig":{"tools":[{"toolSpec":{"name":"f"`)
}

func TestCase_F6_NothingEmptyIsSaid(t *testing.T) {
	out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":""},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"  "},{"type":"text","text":"and"}]},
		{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"a","content":""}]}`)
	dialecttest.HasNot(t, out, `"text":""`, `"text":"  "`, `"content":[]`)
	dialecttest.Has(t, out, `[{"role":"user","content":[{"text":"q"},{"text":"and"}]}`, `"input":{}`, `"toolResult":{"toolUseId":"a","content":[{"text":"(empty)"}]`)
	out, _ = from(t, messages(), claudeModel, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true}]}]}`)
	dialecttest.Has(t, out, `"content":[{"text":"(empty)"}],"status":"error"`)
}

func TestCase_F6_TurnsOfOneRoleAreOne(t *testing.T) {
	out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"one"},{"role":"user","content":"two"},
		{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"a","content":"[1,2]"},{"role":"tool","tool_call_id":"b","content":"rb"},{"role":"user","content":"three"}]}`)
	dialecttest.Has(t, out, `{"role":"user","content":[{"text":"one"},{"text":"two"}]}`, `"toolUseId":"a","content":[{"text":"[1,2]"}]`, `"toolUseId":"b"`, `{"text":"three"}`)
	if n := strings.Count(out, `"role"`); n != 3 {
		t.Errorf("%d turns: %s", n, out)
	}
}

func TestCase_A15_TheChoiceOfToolsIsKept(t *testing.T) {
	tools := `,"tools":[{"type":"function","function":{"name":"f"}}]}`
	for said, want := range map[string]string{
		`"required"`: `"toolChoice":{"any":{}}`, `"auto"`: `"toolChoice":{"auto":{}}`, `{"type":"function","function":{"name":"f"}}`: `"toolChoice":{"tool":{"name":"f"}}`,
	} {
		out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"q"}],"tool_choice":`+said+tools)
		dialecttest.Has(t, out, want)
	}
	out, _ := from(t, chat(), claudeModel, `{"model":"m","messages":[{"role":"user","content":"q"}],"tool_choice":"none"`+tools)
	dialecttest.HasNot(t, out, "toolConfig")
}

func TestCase_C1_SignedThinkingComesBackThroughAConverseClient(t *testing.T) {
	answer := `{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"EvkHCkYIBxgCKkDqrSealedThoughts0123"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`
	res, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answer)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := codec().EncodeResponse(&llm.Request{}, res, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	_, message, _ := strings.Cut(string(out.Body), `"message":`)
	message, _, _ = strings.Cut(message, `},"stopReason"`)
	p, err := codec().DecodeRequest(dialect.Inbound{Vars: map[string]string{"modelId": "m"}, Body: []byte(`{"messages":[{"role":"user","content":[{"text":"q"}]},` + message + `,{"role":"user","content":[{"toolResult":{"toolUseId":"toolu_1","content":[{"text":"r"}]}}]}],"inferenceConfig":{"maxTokens":5000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := messages().EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(back.Body), `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, `{"type":"redacted_thinking","data":"EvkHCkYIBxgCKkDqrSealedThoughts0123"}`, `"type":"tool_use"`, `"thinking":{"type":"enabled","budget_tokens":2000`)
}

func TestCase_C6_ReasoningComesBackInItsOwnShape(t *testing.T) {
	blob := base64.StdEncoding.EncodeToString([]byte{0, 1, 2})
	answer := `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"` + blob + `"}},{"text":"so"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`
	res, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answer)})
	if err != nil {
		t.Fatal(err)
	}
	history := &llm.Request{Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "q"}}}, {Role: llm.Assistant, Blocks: res.(*llm.Response).Choices[0].Blocks}}}
	out, _, err := codec().EncodeRequest(history, dialect.Shape{Offer: &plenum.Offer{Upstream: "openai.gpt-oss-120b-1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out.Body), `{"reasoningContent":{"redactedContent":"`+blob+`"}}`)
	// What Claude signed is nothing to another maker's model, and reasoning that nobody signed is refused.
	for _, th := range []llm.Thought{{Text: "hm", Signature: "s", Origin: "anthropic"}, {Text: "hm"}} {
		history.Messages[1].Blocks = []llm.Block{th, llm.Text{Text: "so"}}
		out, losses, err := codec().EncodeRequest(history, dialect.Shape{Offer: &plenum.Offer{Upstream: "openai.gpt-oss-120b-1:0"}})
		if err != nil || len(losses) != 1 {
			t.Error(losses, err)
		}
		dialecttest.HasNot(t, string(out.Body), "reasoningContent")
	}
	// State of yet another vendor goes through a client of Converse in an envelope.
	c := llm.Choice{Blocks: []llm.Block{llm.Thought{Text: "hm", Signature: "sig", Origin: "gemini"}, llm.Thought{Sealed: "box", Origin: "responses"}}, Stop: llm.Stop{Reason: llm.StopEnd}}
	reply, _, err := codec().EncodeResponse(nil, &llm.Response{Choices: []llm.Choice{c}}, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := codec().DecodeResponse(reply)
	if err != nil {
		t.Fatal(err)
	}
	b := back.(*llm.Response).Choices[0].Blocks
	if x := b[0].(llm.Thought); x.Signature != "sig" || x.Origin != "gemini" {
		t.Errorf("%+v", x)
	}
	if x := b[1].(llm.Thought); x.Sealed != "box" || x.Origin != "responses" {
		t.Errorf("%+v", x)
	}
}

func TestCase_C9_ThinkingCalmsTheRest(t *testing.T) {
	out, losses := from(t, chat(), claudeModel, `{"model":"m","reasoning_effort":"low","temperature":0.2,"max_completion_tokens":4000,"messages":[{"role":"user","content":"q"}]}`)
	dialecttest.Has(t, out, `"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2048`)
	dialecttest.HasNot(t, out, `"temperature"`)
	dialecttest.Has(t, losses, "temperature")
	out, _ = from(t, chat(), "openai.gpt-oss-120b-1:0", `{"model":"m","reasoning_effort":"low","messages":[{"role":"user","content":"q"}]}`)
	dialecttest.Has(t, out, `"additionalModelRequestFields":{"reasoning_effort":"low"}`)
	out, _ = from(t, chat(), "us.amazon.nova-2-lite-v1:0", `{"model":"m","reasoning_effort":"low","messages":[{"role":"user","content":"q"}]}`)
	dialecttest.Has(t, out, `"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"}`)
	_, losses = from(t, chat(), "meta.llama3", `{"model":"m","reasoning_effort":"low","messages":[{"role":"user","content":"q"}]}`)
	dialecttest.Has(t, losses, "reasoning_effort")
}

func TestCase_F11_TopKStandsWhereTheModelTakesIt(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"top_k":5,"stop_sequences":["END"],"messages":[{"role":"user","content":"q"}]}`
	out, _ := from(t, messages(), claudeModel, body)
	dialecttest.Has(t, out, `"inferenceConfig":{"maxTokens":9,"stopSequences":["END"]}`, `"additionalModelRequestFields":{"top_k":5}`)
	out, _ = from(t, messages(), "amazon.nova-pro-v1:0", body)
	dialecttest.Has(t, out, `"topK":5`)
	out, losses := from(t, messages(), "meta.llama3", body)
	dialecttest.HasNot(t, out, "topK", "top_k")
	dialecttest.Has(t, losses, "top_k")
}

func TestCase_F7_ToolNamesAreNarrowedAndGivenBack(t *testing.T) {
	req := &llm.Request{Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "files.read"}}, Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "q"}}}}}
	out, _, err := codec().EncodeRequest(req, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.HasNot(t, string(out.Body), "files.read")
	_, rest, _ := strings.Cut(string(out.Body), `"toolSpec":{"name":"`)
	narrow, _, _ := strings.Cut(rest, `"`)
	reply, _, err := codec().EncodeResponse(req, &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: narrow}}}}}, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(reply.Body), `"name":"files.read"`, `"stopReason":"tool_use"`)
}

// wire frames events as Bedrock does.
func wire(events ...string) []byte {
	var b []byte
	for _, e := range events {
		name, data, _ := strings.Cut(e, " ")
		b = frame.AppendEvent(b, frame.Frame{Event: name, Data: []byte(data), Fault: strings.HasSuffix(name, "Exception")})
	}
	return b
}

func TestCase_B12_ExceptionsInAStreamAreFaults(t *testing.T) {
	for name, want := range map[string]llm.Kind{
		"throttlingException": llm.RateLimited, "serviceUnavailableException": llm.Overloaded, "internalServerException": llm.UpstreamFault,
		"modelStreamErrorException": llm.UpstreamFault, "validationException": llm.Invalid,
	} {
		for _, w := range []dialect.Want{{}, {Meter: true}} {
			got := dialecttest.Decode(codec(), dialecttest.Frames(wire(`messageStart {"role":"assistant"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"I"}}`, name+` {"message":"no"}`, `metadata {}`)), w)
			e := llm.AsError(got.Fault())
			if e.Kind != want || e.Message != "no" || !e.Upstream.InStream {
				t.Errorf("%s: %v", name, e)
			}
		}
	}
}

func TestCase_B7_AStreamWithoutMetadataEnds(t *testing.T) {
	got := dialecttest.Decode(codec(), dialecttest.Frames(wire(`messageStart {"role":"assistant"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"I"}}`, `messageStop {"stopReason":"end_turn"}`)), dialect.Want{})
	if s := dialecttest.Grammar(got.Events, false); got.Err != nil || s != "" {
		t.Error(got.Err, s)
	}
	got = dialecttest.Decode(codec(), dialecttest.Frames(wire(`messageStart {"role":"assistant"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"I"}}`)), dialect.Want{})
	if !llm.IsKind(got.Err, llm.BadUpstream) {
		t.Error(got.Err)
	}
}

func TestCase_A9_EmptyArgumentsAreAnObject(t *testing.T) {
	got := dialecttest.Decode(codec(), dialecttest.Frames(wire(`messageStart {"role":"assistant"}`, `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}`, `contentBlockStop {"contentBlockIndex":0}`, `messageStop {"stopReason":"tool_use"}`, `metadata {}`)), dialect.Want{})
	if b := got.Fold().Choices[0].Blocks[0].(llm.ToolUse); b.Args != "{}" {
		t.Errorf("%+v", b)
	}
}

// Redaction changes bytes and meaning alike, whole, streamed and on the way out.
func TestRedaction(t *testing.T) {
	ch := dialect.Chunk{Body: []byte(answerBody)}
	out, err := codec().Redact(ch, []dialect.TextEdit{{Index: 2, Start: 0, End: 2, New: "XX"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := dialecttest.SameJSON([]byte(strings.Replace(answerBody, `{"text":"so"}`, `{"text":"XX"}`, 1)), out.Body); d != "" {
		t.Error(d)
	}
	for ch, err := range codec().DecodeStream(dialecttest.Frames(wire(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"secret"},"p":"a"}`)), dialect.Want{}) {
		if err != nil {
			break
		}
		out, err := codec().Redact(ch, []dialect.TextEdit{{Index: 0, Start: 0, End: 6, New: "***"}})
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.Has(t, string(out.Frame.Raw), `"text":"***"},"p":"a"`)
	}
	body := `{"messages":[{"role":"user","content":[{"text":"my secret"}]}],"x":1}`
	in := dialect.Inbound{Body: []byte(body), Vars: map[string]string{"modelId": "m"}}
	edited, err := codec().EditRequest(in, dialect.Head{}, dialect.Shape{Edits: []dialect.Edit{dialect.Redact{Message: 0, Block: 0, Start: 3, End: 9, New: "***"}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := dialecttest.SameJSON([]byte(strings.Replace(body, "secret", "***", 1)), edited.Body); d != "" {
		t.Error(d)
	}
}

// A request passes as it came but for caps and what the host refuses.
func TestEdit(t *testing.T) {
	body := `{ "messages": [], "inferenceConfig": {"maxTokens": 100, "temperature": 1}, "additionalModelRequestFields": {"top_k": 5} }`
	in := dialect.Inbound{Body: []byte(body), Vars: map[string]string{"modelId": "arn:x", "more": "y"}}
	h, err := codec().Peek(in, dialect.Bounds{})
	if err != nil || h.Model != "arn:x/y" || h.MaxOut.V != 100 {
		t.Fatal(h, err)
	}
	out, err := codec().EditRequest(in, h, dialect.Shape{})
	if err != nil || string(out.Body) != body {
		t.Errorf("%s %v", out.Body, err)
	}
	offer := &plenum.Offer{Traits: plenum.Traits{Refuses: []string{"temperature", "top_k"}}}
	out, err = codec().EditRequest(in, h, dialect.Shape{Offer: offer, Params: plenum.ParamReport, Edits: []dialect.Edit{dialect.Cap{N: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := dialecttest.SameJSON([]byte(`{"messages":[],"inferenceConfig":{"maxTokens":7},"additionalModelRequestFields":{}}`), out.Body); d != "" || len(out.Changed) != 3 {
		t.Error(d, out.Changed)
	}
	if _, err := codec().EditRequest(in, h, dialect.Shape{Offer: offer, Params: plenum.ParamStrict}); !llm.IsKind(err, llm.Invalid) {
		t.Error(err)
	}
	out, err = codec().EditRequest(dialect.Inbound{Body: []byte(`{}`)}, dialect.Head{}, dialect.Shape{Edits: []dialect.Edit{dialect.Cap{N: 7}}})
	if err != nil || string(out.Body) != `{"inferenceConfig":{"maxTokens":7}}` {
		t.Errorf("%s %v", out.Body, err)
	}
}
