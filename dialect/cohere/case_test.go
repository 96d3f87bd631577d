package cohere_test

import (
	"encoding/json"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// speak says events here.
func speak(t *testing.T, events []llm.Event, end error) (string, []dialect.Loss) {
	t.Helper()
	e := chat().NewEncoder(nil, dialect.Meta{CallID: "c", Now: 1})
	out, err := dialecttest.Encode(e, events, end)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), e.Losses()
}

func replay(stop llm.StopReason, blocks ...llm.Block) []llm.Event {
	var out []llm.Event
	for ev := range llm.Replay(&llm.Response{Choices: []llm.Choice{{Blocks: blocks, Stop: llm.Stop{Reason: stop}}}}) {
		out = append(out, ev)
	}
	return out
}

func encode(t *testing.T, r *llm.Request) (string, []dialect.Loss) {
	t.Helper()
	out, losses, err := chat().EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Body), losses
}

func ask(text string) []llm.Message {
	return []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: text}}}}
}

func TestCase_A4_CohereInterleavedCalls(t *testing.T) {
	out, _ := speak(t, []llm.Event{
		llm.Start{ID: "1"},
		llm.BlockStart{Index: 0, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x"}},
		llm.ArgsDelta{Index: 0, JSON: `{"a":`},
		llm.BlockStart{Index: 1, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "y"}},
		llm.ArgsDelta{Index: 1, JSON: `{}`},
		llm.ArgsDelta{Index: 0, JSON: `1}`},
		llm.BlockEnd{Index: 0},
		llm.BlockEnd{Index: 1},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}},
		llm.End{},
	}, nil)
	for _, once := range []string{"tool-call-start", "tool-call-end"} {
		if n := strings.Count(out, "event: "+once); n != 2 {
			t.Errorf("%d of %s", n, once)
		}
	}
	back := dialecttest.Decode(chat(), dialecttest.Frames([]byte(out)), dialect.Want{})
	if s := dialecttest.Grammar(back.Events, false); s != "" {
		t.Error(s)
	}
	if b := back.Fold().Choices[0].Blocks; len(b) != 2 || b[0].(llm.ToolUse).Args != `{"a":1}` || b[1].(llm.ToolUse).Args != `{}` {
		t.Errorf("%+v", b)
	}
}

func TestCase_A5_CohereCountsCallsFromZero(t *testing.T) {
	out, _ := speak(t, replay(llm.StopTool, llm.Text{Text: "I look."}, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x", Args: `{"a":1}`}), nil)
	if !strings.Contains(out, `{"type":"tool-call-start","index":0,`) {
		t.Error(out)
	}
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(out)), dialect.Want{})
	foreign, err := dialecttest.Encode(openai.Dialect().Codec(llm.OpGenerate).NewEncoder(nil, dialect.Meta{}), said.Events, nil)
	if err != nil || !strings.Contains(string(foreign), `"tool_calls":[{"index":0,`) {
		t.Errorf("%s %v", foreign, err)
	}
}

func TestCase_A6_CohereBeginsWithACall(t *testing.T) {
	out, _ := speak(t, replay(llm.StopTool, llm.Text{}, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x", Args: `{"a":1}`}), nil)
	if strings.Contains(out, "content-start") {
		t.Errorf("an empty text is said:\n%s", out)
	}
}

func TestCase_A7_CohereStopsForATool(t *testing.T) {
	for _, reason := range []llm.StopReason{llm.StopEnd, llm.StopTool} {
		out, _ := speak(t, replay(reason, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x", Args: "{}"}), nil)
		if !strings.Contains(out, `"finish_reason":"TOOL_CALL"`) {
			t.Error(out)
		}
	}
}

func TestCase_A8_CohereStopsForNoTool(t *testing.T) {
	if out, _ := speak(t, replay(llm.StopTool, llm.Text{Text: "Hi"}), nil); !strings.Contains(out, `"finish_reason":"COMPLETE"`) {
		t.Error(out)
	}
}

func TestCase_A9_CohereCallsWithoutArguments(t *testing.T) {
	out, _ := speak(t, replay(llm.StopTool, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x"}), nil)
	if !strings.Contains(out, `"arguments":"{}"`) {
		t.Error(out)
	}
	xs := made(t, "")
	for i := range xs {
		if strings.HasPrefix(xs[i].File, "stream") {
			said := dialecttest.Decode(chat(), dialecttest.Frames(xs[i].Response.Body), dialect.Want{})
			got, _ := dialecttest.Encode(anthropic.Dialect().Codec(llm.OpGenerate).NewEncoder(nil, dialect.Meta{}), said.Events, nil)
			if !strings.Contains(string(got), `"name":"now"`) {
				t.Errorf("a call without arguments is lost: %s", got)
			}
		}
	}
}

func TestCase_A10_CohereMakesIDs(t *testing.T) {
	out, _ := speak(t, replay(llm.StopTool, llm.ToolUse{Kind: llm.ToolFunction, Name: "x", Args: "{}"}, llm.ToolUse{Kind: llm.ToolFunction, Name: "y", Args: "{}"}), nil)
	if !strings.Contains(out, `"id":"call_c_0"`) || !strings.Contains(out, `"id":"call_c_1"`) {
		t.Error(out)
	}
}

func TestCase_A11_CohereCutCallStaysCut(t *testing.T) {
	out, _ := speak(t, replay(llm.StopLength, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x", Args: `{"ci`}), nil)
	if !strings.Contains(out, `"finish_reason":"MAX_TOKENS"`) || !strings.Contains(out, `"arguments":"{\"ci"`) {
		t.Error(out)
	}
}

func TestCase_A15_CohereToolChoice(t *testing.T) {
	tools := []llm.Tool{{Kind: llm.ToolFunction, Name: "a"}, {Kind: llm.ToolFunction, Name: "b"}}
	for _, x := range []struct {
		choose llm.ToolChoice
		want   string
		tools  int
		losses int
	}{
		{llm.ToolChoice{Mode: llm.ChooseAny}, "REQUIRED", 2, 0},
		{llm.ToolChoice{Mode: llm.ChooseNone}, "NONE", 2, 0},
		{llm.ToolChoice{Mode: llm.ChooseAuto}, "", 2, 0},
		{llm.ToolChoice{Mode: llm.ChooseTool, Name: "b"}, "REQUIRED", 1, 1},
		{llm.ToolChoice{Mode: llm.ChooseAuto, Allowed: []string{"a"}}, "", 1, 1},
	} {
		body, losses := encode(t, &llm.Request{Model: "m", Messages: ask("a"), Tools: tools, Choose: x.choose})
		var got struct {
			Tools  []any
			Choice string `json:"tool_choice"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Choice != x.want || len(got.Tools) != x.tools || len(losses) != x.losses {
			t.Errorf("%+v: %s, losses %v, %v", x.choose, body, losses, err)
		}
	}
}

const head = "event: message-start\ndata: {\"id\":\"1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\n" +
	"data:{\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n" +
	"data:{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}\n\n"

const tail = "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":4}}}}\n\n"

func TestCase_B1_CohereEventsWithoutSpaceOrType(t *testing.T) {
	for _, want := range []dialect.Want{{}, {Meter: true}} {
		said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(head+tail)), want)
		if u := said.Fold().Usage; said.Err != nil || u.Input != 3 || u.Output != 4 {
			t.Errorf("%+v %v", u, said.Err)
		}
	}
}

func TestCase_B7_CohereStreamWithoutItsEnd(t *testing.T) {
	if said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(head)), dialect.Want{}); !llm.IsKind(said.Err, llm.BadUpstream) {
		t.Errorf("ends with %v", said.Err)
	}
	// Older versions of the API say no [DONE]; and what comes after the end is dropped.
	for _, after := range []string{"", "data: [DONE]\n\n", head + "data: [DONE]\n\n"} {
		said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(head+tail+after)), dialect.Want{})
		if s := dialecttest.Grammar(said.Events, false); said.Err != nil || s != "" || len(said.Fold().Choices[0].Blocks) != 1 {
			t.Errorf("%q: %v %s", after, said.Err, s)
		}
	}
}

func TestCase_B12_CohereErrorWithinAStream(t *testing.T) {
	const fault = "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":\"it broke\",\"finish_reason\":\"ERROR\"}}\n\n"
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(head+fault)), dialect.Want{})
	if e := llm.AsError(said.Fault()); e == nil || e.Kind != llm.UpstreamFault || e.Message != "it broke" {
		t.Errorf("%v", said.Fault())
	}
	out, _ := speak(t, nil, &llm.Error{Kind: llm.Overloaded, Message: "too much to do"})
	if !strings.Contains(out, `"error":"too much to do"`) || strings.Contains(out, "[DONE]") {
		t.Errorf("said %s", out)
	}
}

func TestCase_C2_CohereSignatureOnlyThoughtComesBack(t *testing.T) {
	out, losses := speak(t, replay(llm.StopEnd, llm.Thought{Signature: "sig", Origin: anthropic.Name}, llm.Text{Text: "Hi"}), nil)
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(out)), dialect.Want{})
	b, ok := said.Fold().Choices[0].Blocks[0].(llm.Thought)
	if !ok || b.Signature != "sig" || len(losses) > 0 {
		t.Fatalf("%s, losses %v", out, losses)
	}
	reply, losses, err := chat().EncodeResponse(nil, &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.Thought{Sealed: "blob", Origin: anthropic.Name}, llm.Text{Text: "Hi"}}, Stop: llm.Stop{Reason: llm.StopEnd}}}}, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Fatalf("losses %v, %v", losses, err)
	}
	var r struct{ Message json.RawMessage }
	if err := json.Unmarshal(reply.Body, &r); err != nil {
		t.Fatal(err)
	}
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"a"},` + string(r.Message) + `,{"role":"user","content":"b"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := anthropic.Dialect().Codec(llm.OpGenerate).EncodeRequest(p, dialect.Shape{})
	if err != nil || !strings.Contains(string(back.Body), `"redacted_thinking","data":"blob"`) {
		t.Errorf("the sealed reasoning does not come home: %s %v", back.Body, err)
	}
}

func TestCase_C5_CohereStripsForeignSignatures(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: append(ask("a"), llm.Message{Role: llm.Assistant, Blocks: []llm.Block{
		llm.Thought{Text: "Hm.", Signature: "sig", Origin: anthropic.Name}, llm.Text{Text: "Hi"},
	}})}
	body, losses := encode(t, r)
	if strings.Contains(body, "sig") || !strings.Contains(body, "Hm.") || len(losses) != 1 {
		t.Errorf("%s, losses %v", body, losses)
	}
}

func TestCase_D5_CohereUsage(t *testing.T) {
	for body, want := range map[string]llm.Usage{
		`{"billed_units":{"input_tokens":65,"output_tokens":63},"tokens":{"input_tokens":508,"output_tokens":86,"reasoning_tokens":28},"cached_tokens":144}`: {Input: 65, Output: 35, Reasoning: 28},
		`{"billed_units":{"input_tokens":5,"output_tokens":3,"search_units":2},"tokens":{"input_tokens":9,"output_tokens":8,"reasoning_tokens":7}}`:          {Input: 5, Reasoning: 3, Searches: 2},
		`{"tokens":{"input_tokens":10,"output_tokens":4},"cached_tokens":12}`:                                                                                {CacheRead: 10, Output: 4},
		`{"billed_units":{"input_tokens":-5,"output_tokens":3.0}}`:                                                                                           {Output: 3},
	} {
		res, err := chat().DecodeResponse(dialect.Reply{Body: []byte(`{"id":"1","message":{"role":"assistant","content":[]},"finish_reason":"COMPLETE","usage":` + body + `}`)})
		if err != nil {
			t.Fatal(err)
		}
		u := res.(*llm.Response).Usage
		u.Extra, u.Reported = llm.Extra{}, 0
		if u.In() != want.In() || u.Input != want.Input || u.Output != want.Output || u.Reasoning != want.Reasoning || u.Searches != want.Searches {
			t.Errorf("%s: %+v", body, u)
		}
	}
}

func TestCase_F3_CohereToolsHaveProperties(t *testing.T) {
	body, _ := encode(t, &llm.Request{Model: "m", Messages: ask("a"), Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "a"}, {Kind: llm.ToolFunction, Name: "b", Schema: `{"type":"object","properties":null}`}}})
	if strings.Count(body, `"properties":{}`) != 2 {
		t.Error(body)
	}
}

func TestCase_F7_CohereToolNames(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: ask("a"), Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "files.read/" + strings.Repeat("x", 80)}}}
	body, _ := encode(t, r)
	var got struct {
		Tools []struct{ Function struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Tools[0].Function.Name) > 64 || strings.ContainsAny(got.Tools[0].Function.Name, "./") {
		t.Errorf("%s %v", body, err)
	}
}

func TestCase_F18_CohereBodiesThatAreWrong(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{"model":"m"}`, `{"model":"m","messages":{}}`, `{"model":"m","messages":[{"content":"a"}]}`, `{"model":"m","messages":[{"role":"user","content":[1]}]}`,
		`{"model":"m","messages":[],"documents":[1]}`, `{"model":"m","messages":[],"tool_choice":"X"}`, `{"model":"m","messages":[],"thinking":{"type":"x"}}`,
		`{"model":"m","messages":[],"tools":[{"type":"function"}]}`, `{"model":"m","messages":[{"role":"assistant","citations":[1]}]}`,
	} {
		if _, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)}); !llm.IsKind(err, llm.Invalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, x := range []struct {
		status int
		body   string
		kind   llm.Kind
		passes bool
	}{
		{404, `{"id":"1","message":"model not found"}`, llm.NotFound, true},
		{400, `{"error_type":"TOO_MANY_TOKENS","id":"1","message":"too many tokens: size limit exceeded by 4"}`, llm.TooLong, true},
		{422, `{"message":"bad"}`, llm.Invalid, true},
		{401, `{"id":"1","message":"Incorrect API key provided"}`, llm.UpstreamAuth, false},
		{498, `{"message":"invalid token"}`, llm.UpstreamAuth, false},
		{429, `{"message":"slow down"}`, llm.RateLimited, true},
		{502, `<html>oops</html>`, llm.UpstreamFault, false},
	} {
		e := chat().DecodeError(dialect.Reply{Status: x.status, Body: []byte(x.body)})
		r := chat().EncodeError(e)
		if e.Kind != x.kind || e.Message == "" || (string(r.Body) == x.body) != x.passes || !strings.Contains(string(r.Body), `"message":"`) {
			t.Errorf("%d %s: %v, said as %d %s", x.status, x.body, e, r.Status, r.Body)
		}
	}
}

func TestRedaction(t *testing.T) {
	in := dialect.Inbound{Body: []byte(`{"model":"m","messages":[{"role":"user","content":"a"}],"documents":[{"id":"d","data":{"text":"my secret"}}]}`)}
	h, _ := chat().Peek(in, dialect.Bounds{})
	out, err := chat().EditRequest(in, h, dialect.Shape{Edits: []dialect.Edit{dialect.Redact{Message: 0, Start: 3, End: 9, New: "***"}}})
	if err != nil || strings.Contains(string(out.Body), "secret") || !strings.Contains(string(out.Body), "my ***") {
		t.Errorf("%s %v", out.Body, err)
	}
	seen := false
	for ch, err := range chat().DecodeStream(dialecttest.Frames([]byte(head+tail)), dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Text == 0 {
			continue
		}
		seen = true
		ch, err = chat().Redact(ch, []dialect.TextEdit{{Start: 0, End: 2, New: "**"}})
		if err != nil || !strings.Contains(string(ch.Frame.Raw), `"text":"**"`) {
			t.Errorf("%s %v", ch.Frame.Raw, err)
		}
	}
	if !seen {
		t.Error("no text")
	}
}

func TestDocumentsCross(t *testing.T) {
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"documents":[{"id":"d","data":{"title":"Notes","text":"green"}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := anthropic.Dialect().Codec(llm.OpGenerate).EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 || !strings.Contains(string(out.Body), `"type":"document","source":{"type":"text","media_type":"text/plain","data":"green"},"title":"Notes","citations":{"enabled":true}`) {
		t.Errorf("%s, losses %v, %v", out.Body, losses, err)
	}
}

func TestCallsAreSaidOneAfterTheOther(t *testing.T) {
	out, _ := speak(t, []llm.Event{
		llm.Start{ID: "1"},
		llm.BlockStart{Index: 0, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x"}},
		llm.ArgsDelta{Index: 0, JSON: `{"a":1}`},
		llm.BlockStart{Index: 1, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "y"}},
		llm.ArgsDelta{Index: 1, JSON: `{"b":2}`},
		llm.BlockStart{Index: 2, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "c", Name: "z"}},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}},
		llm.End{},
	}, nil)
	var kinds []string
	for _, line := range strings.Split(out, "\n") {
		if kind, ok := strings.CutPrefix(line, "event: tool-call-"); ok {
			kinds = append(kinds, kind)
		}
	}
	if got := strings.Join(kinds, " "); got != "start delta end start delta end start delta end" {
		t.Errorf("%s\n%s", got, out)
	}
}
