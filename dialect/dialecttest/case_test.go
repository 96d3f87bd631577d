package dialecttest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// fromChat says a stream of chat completions as one of messages.
func fromChat(t *testing.T, events ...string) string {
	t.Helper()
	var in strings.Builder
	for _, delta := range events {
		fmt.Fprintf(&in, "data: {\"id\":\"c\",\"created\":1,\"model\":\"m\",%s}\n\n", delta)
	}
	in.WriteString("data: [DONE]\n\n")
	return across(t, chat(), messages(), in.String())
}

// fromMessages says a stream of messages as one of chat completions.
func fromMessages(t *testing.T, events ...string) string {
	t.Helper()
	in := `data: {"type":"message_start","message":{"id":"i","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}` + "\n\n"
	for _, ev := range events {
		in += "data: " + ev + "\n\n"
	}
	return across(t, messages(), chat(), in)
}

func across(t *testing.T, from, to dialect.Codec, stream string) string {
	t.Helper()
	got := dialecttest.Decode(from, dialecttest.Frames([]byte(stream)), dialect.Want{})
	e := to.NewEncoder(&llm.Request{Stream: true, StreamUsage: llm.Some(true)}, dialect.Meta{CallID: "call", Now: 1})
	out, err := dialecttest.Encode(e, got.Events, got.Fault())
	if err != nil {
		t.Fatal(err)
	}
	if back := dialecttest.Decode(to, dialecttest.Frames(out), dialect.Want{}); (back.Fault() != nil) != (got.Fault() != nil) {
		t.Fatalf("%v, said as %v\n%s", got.Fault(), back.Fault(), out)
	}
	return string(out)
}

const (
	callDelta = `"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":null}]`
	callsDone = `"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]`
)

func TestCase_A1_WholeArgumentsReachTheOtherSide(t *testing.T) {
	out := fromChat(t, callDelta, callsDone)
	dialecttest.Has(t, out, `"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}`,
		`"type":"input_json_delta","partial_json":"{\"x\":1}"`, "content_block_stop", `"stop_reason":"tool_use"`, "message_stop")
}

func TestCase_A6_NoEmptyBlocksBeforeACall(t *testing.T) {
	out := fromChat(t, `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`, callDelta, callsDone)
	dialecttest.HasNot(t, out, `"type":"text"`, `"partial_json":""`)
	dialecttest.Has(t, out, `"content_block_start","index":0,"content_block":{"type":"tool_use"`)
}

func TestCase_A7_TheStreamAgreesWithTheWhole(t *testing.T) {
	hello := `"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]`
	stop := `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`
	dialecttest.Has(t, fromChat(t, hello, callDelta, stop), `"stop_reason":"tool_use"`)
	whole := `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"stop"}]}`
	res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(whole)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := messages().EncodeResponse(&llm.Request{}, res, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out.Body), `"stop_reason":"tool_use"`)
	back, err := messages().DecodeResponse(out)
	if err != nil {
		t.Fatal(err)
	}
	streamed := dialecttest.Decode(messages(), dialecttest.Frames([]byte(fromChat(t, hello, callDelta, stop))), dialect.Want{}).Fold()
	a, b := dialecttest.Plain(back.(*llm.Response)), dialecttest.Plain(streamed)
	if d := cmp.Diff(a.Choices, b.Choices); d != "" {
		t.Error(d)
	}
}

func TestCase_A9_EmptyArgumentsBothWays(t *testing.T) {
	out := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`,
		`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	dialecttest.Has(t, out, `"name":"f","arguments":""`, `"arguments":"{}"`, `"finish_reason":"tool_calls"`)
	body := `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"a","content":"r"}]}`
	dialecttest.Has(t, request(t, chat(), messages(), body, nil), `"input":{}`)
}

func TestCase_A11_ACutCallStaysCut(t *testing.T) {
	out := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"x"}}`,
		`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	dialecttest.Has(t, out, `"arguments":"{\"x"`, `"finish_reason":"length"`)
	dialecttest.HasNot(t, out, `"{}"`, "tool_calls\"}")
	out = fromChat(t, strings.Replace(callDelta, `{\"x\":1}`, `{\"x`, 1), strings.Replace(callsDone, "tool_calls", "length", 1))
	dialecttest.Has(t, out, `"partial_json":"{\"x"`, `"stop_reason":"max_tokens"`)
}

func TestCase_A5_CallsAreCountedFromZero(t *testing.T) {
	out := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`, `{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}}`, `{"type":"content_block_stop","index":2}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	dialecttest.Has(t, out, `"content":"I"`, `"tool_calls":[{"index":0,"id":"a"`, `"tool_calls":[{"index":1,"id":"b"`)
}

func TestCase_B6_PingsReachTheOtherSide(t *testing.T) {
	out := fromMessages(t, `{"type":"ping"}`, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	dialecttest.Has(t, out, `"delta":{"role":"assistant"`, `"delta":{},"logprobs":null,"finish_reason":null`, `"delta":{},"logprobs":null,"finish_reason":null`, `"content":"I"`)
	if n := strings.Count(out, `"role"`); n != 1 {
		t.Errorf("%d roles", n)
	}
}

func TestCase_B12_ErrorsInAStreamReachTheOtherSide(t *testing.T) {
	out := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"I"}}`, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
	dialecttest.Has(t, out, `"content":"I"`, `data: {"error":{"message":"Overloaded"`)
	dialecttest.HasNot(t, out, "[DONE]", "finish_reason\":\"")
	out = fromChat(t, `"choices":[{"index":0,"delta":{"content":"I"}}]`, `"error":{"message":"slow","code":"rate_limit_exceeded"}`)
	dialecttest.Has(t, out, `"text":"I"`, "event: error", `"rate_limit_error"`, "slow")
	dialecttest.HasNot(t, out, "message_stop")
}

func TestCase_D4_UsageReachesMessageDelta(t *testing.T) {
	out := fromChat(t, `"choices":[{"index":0,"delta":{"content":"I"},"finish_reason":"stop"}]`,
		`"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":60}}`)
	dialecttest.Has(t, out, "message_delta", `"input_tokens":40`, `"cache_read_input_tokens":60`, `"output_tokens":7`)
}

func TestCase_D3_UsageOfMessageDeltaReachesTheEnd(t *testing.T) {
	out := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"I"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":11,"cache_creation_input_tokens":4511,"output_tokens":5}}`, `{"type":"message_stop"}`)
	dialecttest.Has(t, out, `"prompt_tokens":4522,"completion_tokens":5,"total_tokens":4527`, `"cache_write_tokens":4511`)
}

func TestCase_D7_CachedTokensSurviveTheWay(t *testing.T) {
	body := `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2000,"completion_tokens":3,"total_tokens":2003,"prompt_tokens_details":{"cached_tokens":1792}}}`
	res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := messages().EncodeResponse(&llm.Request{}, res, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out.Body), `"input_tokens":208`, `"cache_read_input_tokens":1792`)
	if g := chat().Gist([]byte(body)).Usage; g.CacheRead != 1792 || g.Input != 208 {
		t.Errorf("billed as %+v", g)
	}
}

func request(t *testing.T, from, to dialect.Codec, body string, offer *plenum.Offer) string {
	t.Helper()
	p, err := from.DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := to.EncodeRequest(p, dialect.Shape{Offer: offer})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(losses)
	return string(out.Body)
}

// A Claude that thinks and calls a tool, behind a client of chat completions: what the client sends back
// on its second turn carries the signature to Anthropic again.
func TestCase_C1_SignedThinkingComesBackThroughAChatClient(t *testing.T) {
	answer := `{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"ZGF0YQ=="},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`
	res, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answer)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := chat().EncodeResponse(&llm.Request{}, res, dialect.Meta{CallID: "x"})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	secondTurn(t, out.Body)

	// The same from a stream, put together as clients do: strings are joined, lists by index.
	stream := fromMessages(t, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"ZGF0YQ=="}}`, `{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}`, `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}`, `{"type":"content_block_stop","index":2}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	folded := dialecttest.Decode(chat(), dialecttest.Frames([]byte(stream)), dialect.Want{}).Fold()
	out, _, err = chat().EncodeResponse(nil, folded, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	secondTurn(t, out.Body)
}

func secondTurn(t *testing.T, answer []byte) {
	t.Helper()
	var a struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatal(err)
	}
	body := `{"model":"m","reasoning_effort":"low","max_tokens":5000,"messages":[{"role":"user","content":"q"},` + string(a.Choices[0].Message) + `,{"role":"tool","tool_call_id":"toolu_1","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]}`
	out := request(t, chat(), messages(), body, &plenum.Offer{Upstream: "claude"})
	dialecttest.Has(t, out, `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, `{"type":"redacted_thinking","data":"ZGF0YQ=="}`, `"type":"tool_use","id":"toolu_1"`, `"type":"tool_result","tool_use_id":"toolu_1"`)
	dialecttest.Has(t, out, `"thinking":{"type":"enabled"`)
}

func TestCase_C2_ASignatureWithoutTextComesBack(t *testing.T) {
	answer := `{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"","signature":"c2ln"},{"type":"text","text":"so"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`
	res, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answer)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := chat().EncodeResponse(&llm.Request{}, res, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(out.Body, &a); err != nil {
		t.Fatal(err)
	}
	body := `{"model":"m","messages":[{"role":"user","content":"q"},` + string(a.Choices[0].Message) + `,{"role":"user","content":"and?"}]}`
	dialecttest.Has(t, request(t, chat(), messages(), body, nil), `{"type":"thinking","thinking":"","signature":"c2ln"}`, `"text":"so"`)
}

func TestCase_F8_SystemPromptsCross(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"one","cache_control":{"type":"ephemeral"}},{"type":"text","text":"two"}],"messages":[{"role":"user","content":"q"}]}`
	dialecttest.Has(t, request(t, messages(), chat(), body, nil), `{"role":"system","content":"one\n\ntwo"}`, `{"role":"user","content":"q"}`)
	body = `{"model":"m","messages":[{"role":"system","content":"one"},{"role":"developer","content":"two"},{"role":"user","content":"q"},{"role":"system","content":"three"}]}`
	dialecttest.Has(t, request(t, chat(), messages(), body, nil), "one", "two", "q", "three")
}
