package ollama_test

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// across decodes lines of the dialect and says them in another.
func across(t *testing.T, to dialect.Codec, lines ...string) string {
	t.Helper()
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(strings.Join(lines, "\n")+"\n")), dialect.Want{})
	out, err := dialecttest.Encode(to.NewEncoder(&llm.Request{Stream: true}, dialect.Meta{CallID: "c", Now: 1}), said.Events, said.Fault())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// speak says an answer here, streamed.
func speak(t *testing.T, c dialect.Codec, r *llm.Response) (string, []dialect.Loss) {
	t.Helper()
	e := c.NewEncoder(nil, dialect.Meta{CallID: "c", Now: 1})
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	out, err := dialecttest.Encode(e, events, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), e.Losses()
}

func answerOf(stop llm.StopReason, blocks ...llm.Block) *llm.Response {
	return &llm.Response{Model: "m", Choices: []llm.Choice{{Blocks: blocks, Stop: llm.Stop{Reason: stop}}}}
}

func request(t *testing.T, c dialect.Codec, body string) *llm.Request {
	t.Helper()
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*llm.Request)
}

func encode(t *testing.T, c dialect.Codec, r *llm.Request) (string, []dialect.Loss) {
	t.Helper()
	out, losses, err := c.EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Body), losses
}

const (
	callLine = `{"model":"m","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Paris"}}}]},"done":false}`
	textLine = `{"model":"m","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"Hi"},"done":false}`
	doneLine = `{"model":"m","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}`
)

func TestCase_A1_OllamaArgumentsComeWhole(t *testing.T) {
	out := across(t, anthropic.Dialect().Codec(llm.OpGenerate), callLine, doneLine)
	if !strings.Contains(out, `"input_json_delta","partial_json":"{\"city\":\"Paris\"}"`) || !strings.Contains(out, `"input":{}`) {
		t.Errorf("the arguments are not said as a delta:\n%s", out)
	}
}

func TestCase_A7_OllamaStopsForATool(t *testing.T) {
	for name, want := range map[string]string{openai.Name: `"finish_reason":"tool_calls"`, anthropic.Name: `"stop_reason":"tool_use"`} {
		if out := across(t, others()[name], callLine, doneLine); !strings.Contains(out, want) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestCase_A8_OllamaStopsForNoTool(t *testing.T) {
	done := strings.Replace(doneLine, `"done_reason":"stop"`, `"done_reason":"tool_calls"`, 1)
	if out := across(t, openai.Dialect().Codec(llm.OpGenerate), textLine, done); !strings.Contains(out, `"finish_reason":"stop"`) {
		t.Error(out)
	}
}

func TestCase_A9_OllamaCallsWithoutArguments(t *testing.T) {
	out, losses := speak(t, chat(), answerOf(llm.StopTool, llm.ToolUse{Kind: llm.ToolFunction, ID: "1", Name: "now"}))
	if !strings.Contains(out, `"arguments":{}`) || len(losses) > 0 {
		t.Errorf("%s, losses %v", out, losses)
	}
}

func TestCase_A10_OllamaCallsWithoutIDs(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"x","arguments":{}}},{"function":{"name":"y","arguments":{}}}]},{"role":"tool","content":"of y","tool_name":"y"},{"role":"tool","content":"of x","tool_name":"x"}]}`
	r := request(t, chat(), body)
	x, y := r.Messages[1].Blocks[0].(llm.ToolUse), r.Messages[1].Blocks[1].(llm.ToolUse)
	if x.ID == "" || x.ID == y.ID || r.Messages[2].Blocks[0].(llm.ToolDone).ID != y.ID || r.Messages[3].Blocks[0].(llm.ToolDone).ID != x.ID {
		t.Errorf("results do not find their calls: %+v", r.Messages)
	}
	late := request(t, chat(), strings.ReplaceAll(strings.Replace(body, `"tool_name":"y"`, `"tool_call_id":"toolu_y"`, 1), `"tool_name":"x"`, `"tool_call_id":"toolu_x"`))
	x, y = late.Messages[1].Blocks[0].(llm.ToolUse), late.Messages[1].Blocks[1].(llm.ToolUse)
	if x.ID != "toolu_y" || y.ID != "toolu_x" || late.Messages[3].Blocks[0].(llm.ToolDone).ID != y.ID {
		t.Errorf("results with ids do not find their calls without: %+v", late.Messages)
	}
	first, _ := encode(t, openai.Dialect().Codec(llm.OpGenerate), r)
	again, _ := encode(t, openai.Dialect().Codec(llm.OpGenerate), request(t, chat(), body))
	if first != again {
		t.Error("the ids are others the next time")
	}
}

func TestCase_A11_OllamaSaysNoCallThatWasCut(t *testing.T) {
	out, losses := speak(t, chat(), answerOf(llm.StopLength, llm.ToolUse{Kind: llm.ToolFunction, ID: "1", Name: "w", Args: `{"city":"Par`}))
	if strings.Contains(out, "tool_calls") || !strings.Contains(out, `"done_reason":"length"`) || len(losses) != 1 {
		t.Errorf("%s, losses %v", out, losses)
	}
}

func TestCase_A13_OllamaTextFlowsBesideTools(t *testing.T) {
	e := chat().NewEncoder(&llm.Request{Stream: true, Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "x"}}}, dialect.Meta{Now: 1})
	_, _ = e.Encode(llm.Start{Model: "m"})
	_, _ = e.Encode(llm.BlockStart{Block: llm.Text{}})
	frames, err := e.Encode(llm.TextDelta{Text: "Hi"})
	if err != nil || len(frames) != 1 || !strings.Contains(string(frames[0].Raw), `"content":"Hi"`) {
		t.Errorf("the text is held back: %v %v", frames, err)
	}
}

func TestCase_B7_OllamaStreamWithoutItsEnd(t *testing.T) {
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(textLine+"\n")), dialect.Want{})
	if !llm.IsKind(said.Err, llm.BadUpstream) {
		t.Errorf("ends with %v", said.Err)
	}
	said = dialecttest.Decode(chat(), dialecttest.Frames([]byte(textLine+"\n"+doneLine+"\n"+textLine+"\n")), dialect.Want{})
	if text := said.Fold().Choices[0].Blocks; said.Err != nil || len(text) != 1 || text[0].(llm.Text).Text != "Hi" {
		t.Errorf("what comes after the end counts: %+v %v", text, said.Err)
	}
}

func TestCase_B12_OllamaErrorWithinAStream(t *testing.T) {
	said := dialecttest.Decode(chat(), dialecttest.Frames([]byte(textLine+"\n"+`{"error":"an error was encountered while running the model"}`+"\n")), dialect.Want{})
	if e := llm.AsError(said.Fault()); e == nil || e.Kind != llm.UpstreamFault || !e.Upstream.InStream {
		t.Errorf("%v", said.Fault())
	}
	out, _ := dialecttest.Encode(chat().NewEncoder(nil, dialect.Meta{Now: 1}), nil, &llm.Error{Kind: llm.Overloaded, Message: "too much to do"})
	if string(out) != `{"error":"too much to do"}`+"\n" {
		t.Errorf("said %s", out)
	}
}

func TestCase_C2_OllamaSignatureOnlyThoughtComesBack(t *testing.T) {
	out, losses := speak(t, chat(), answerOf(llm.StopTool,
		llm.Thought{Signature: "sig", Origin: anthropic.Name}, llm.ToolUse{Kind: llm.ToolFunction, ID: "toolu_1", Name: "w", Args: "{}"}))
	if len(losses) > 0 || !strings.Contains(out, `"reasoning_details":[{"type":"reasoning.text","text":"","signature":"sig","format":"anthropic-claude-v1","index":0}]`) {
		t.Fatalf("%s, losses %v", out, losses)
	}
	r := request(t, chat(), `{"model":"m","options":{"num_predict":9000},"think":true,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","reasoning_details":[{"type":"reasoning.text","text":"","signature":"sig","format":"anthropic-claude-v1","index":0}],"tool_calls":[{"id":"toolu_1","function":{"name":"w","arguments":{}}}]},{"role":"tool","content":"1","tool_call_id":"toolu_1"}],"tools":[{"type":"function","function":{"name":"w","parameters":{"type":"object","properties":{}}}}]}`)
	back, _ := encode(t, anthropic.Dialect().Codec(llm.OpGenerate), r)
	if !strings.Contains(back, `"signature":"sig"`) {
		t.Errorf("the signature does not come home: %s", back)
	}
}

func TestCase_F3_OllamaToolsHaveProperties(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "a"}}}}}
	r.Tools = []llm.Tool{{Kind: llm.ToolFunction, Name: "a"}, {Kind: llm.ToolFunction, Name: "b", Schema: `{"type":"object","properties":null}`}}
	body, losses := encode(t, chat(), r)
	if strings.Count(body, `"properties":{}`) != 2 || len(losses) > 0 {
		t.Errorf("%s, losses %v", body, losses)
	}
}

func TestCase_F10_OllamaTakesLogprobs(t *testing.T) {
	r := &llm.Request{Model: "m", Logprobs: llm.Some(true), TopLogprobs: llm.Some(3), Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "a"}}}}}
	body, losses := encode(t, chat(), r)
	if !strings.Contains(body, `"logprobs":true,"top_logprobs":3`) || len(losses) > 0 {
		t.Errorf("%s, losses %v", body, losses)
	}
}

func TestCase_F18_OllamaBodiesThatAreWrong(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{`, `{"model":1}`, `{"model":"m"}`, `{"model":"m","messages":{}}`, `{"model":"m","messages":[1]}`,
		`{"model":"m","messages":[{"role":"x","content":""}]}`, `{"model":"m","messages":[{"role":"user","content":1}]}`,
		`{"model":"m","messages":[],"options":[]}`, `{"model":"m","messages":[],"format":1}`, `{"model":"m","messages":[],"think":3}`,
		`{"model":"m","messages":[{"role":"user","content":"","images":[1]}]}`, `{"model":"m","messages":[],"tools":[{}]}`,
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
		{404, `{"error":"model 'x' not found"}`, llm.NotFound, true},
		{400, `{"error":"prompt too long; exceeded max context length by 4 tokens"}`, llm.TooLong, true},
		{400, `{"error":"bad"}`, llm.Invalid, true},
		{401, `{"error":"unauthorized"}`, llm.UpstreamAuth, false},
		{429, `{"error":"slow down"}`, llm.RateLimited, true},
		{500, `<html>oops</html>`, llm.UpstreamFault, false},
		{503, ``, llm.Overloaded, false},
	} {
		e := chat().DecodeError(dialect.Reply{Status: x.status, Body: []byte(x.body)})
		r := chat().EncodeError(e)
		if e.Kind != x.kind || e.Message == "" || (string(r.Body) == x.body) != x.passes || !strings.HasPrefix(string(r.Body), `{"error":"`) {
			t.Errorf("%d %s: %v, said as %d %s", x.status, x.body, e, r.Status, r.Body)
		}
	}
}

func TestEditRequestSplices(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m", "messages":[] ,"options":{"num_predict":50,"x":1}}`: `{"model":"up", "messages":[] ,"options":{"num_predict":7,"x":1}}`,
		`{"messages":[],"model":"m","options":{}}`:                         `{"messages":[],"model":"up","options":{"num_predict":7}}`,
		`{"messages":[],"model":"m"}`:                                      `{"messages":[],"model":"up","options":{"num_predict":7}}`,
		`{"messages":[],"model":"m","options":{"num_predict":3}}`:          `{"messages":[],"model":"up","options":{"num_predict":3}}`,
	} {
		in := dialect.Inbound{Body: []byte(body)}
		h, err := chat().Peek(in, dialect.Bounds{})
		if err != nil || !h.Stream || h.Model != "m" {
			t.Fatalf("%s: %+v %v", body, h, err)
		}
		out, err := chat().EditRequest(in, h, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}, Edits: []dialect.Edit{dialect.Cap{N: 7}}})
		if err != nil || string(out.Body) != want {
			t.Errorf("%s: %s %v", body, out.Body, err)
		}
	}
}

func TestRedaction(t *testing.T) {
	in := dialect.Inbound{Body: []byte(`{"model":"m","messages":[{"role":"user","content":"my secret"}],"keep_alive":"5m"}`)}
	h, _ := chat().Peek(in, dialect.Bounds{})
	out, err := chat().EditRequest(in, h, dialect.Shape{Edits: []dialect.Edit{dialect.Redact{Start: 3, End: 9, New: "***"}}})
	if err != nil || !strings.Contains(string(out.Body), `"my ***"`) || !strings.Contains(string(out.Body), `"keep_alive":"5m"`) {
		t.Errorf("%s %v", out.Body, err)
	}
	for ch, err := range chat().DecodeStream(dialecttest.Frames([]byte(textLine+"\n"+doneLine+"\n")), dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		ch, err = chat().Redact(ch, []dialect.TextEdit{{Start: 0, End: 2, New: "**"}})
		if err != nil || !strings.Contains(string(ch.Frame.Raw), `"content":"**"`) || !strings.HasSuffix(string(ch.Frame.Raw), "}\n") {
			t.Errorf("%s %v", ch.Frame.Raw, err)
		}
		break
	}
	res, err := chat().DecodeResponse(dialect.Reply{Body: []byte(strings.Replace(doneLine, `"content":""`, `"content":"Hi"`, 1))})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := chat().Redact(dialect.Chunk{Body: []byte("{}"), Result: res}, []dialect.TextEdit{{Start: 0, End: 1, New: "*"}})
	if err != nil || !strings.Contains(string(ch.Body), `"content":"*i"`) {
		t.Errorf("%s %v", ch.Body, err)
	}
}
