package responses_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func TestEverythingIsSaidAgain(t *testing.T) {
	out, losses, err := codec().EncodeRequest(request(t, everything), dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	if d := dialecttest.SameJSON([]byte(everything), out.Body); d != "" {
		t.Error(d)
	}
}

func TestBytesPassButForSplices(t *testing.T) {
	body := `{"input":"x", "model":"m","future":1,"temperature":0.5}`
	in := dialect.Inbound{Body: []byte(body)}
	h, err := codec().Peek(in, dialect.Bounds{})
	if err != nil || h.Model != "m" || h.Stream || h.MaxOut.Set {
		t.Fatalf("%+v %v", h, err)
	}
	out, err := codec().EditRequest(in, h, dialect.Shape{Offer: offer(), Edits: []dialect.Edit{dialect.Cap{N: 50, Why: "budget"}}})
	want := `{"input":"x", "model":"up","future":1,"temperature":0.5,"max_output_tokens":50}`
	if err != nil || string(out.Body) != want || !cmp.Equal(out.Changed, []string{"max_output_tokens 50 set (budget)"}) {
		t.Errorf("%v %v: %s", err, out.Changed, out.Body)
	}
	out, err = codec().EditRequest(in, h, dialect.Shape{Offer: offer(), Edits: []dialect.Edit{dialect.Redact{Start: 0, End: 1, New: "y"}}})
	if err != nil || !strings.Contains(string(out.Body), `"input":"y"`) {
		t.Errorf("%v: %s", err, out.Body)
	}
}

func TestFaultsOfRequestsAreNamed(t *testing.T) {
	for body, param := range map[string]string{
		`{"input":"x"}`:             "model",
		`{"model":"m","input":5}`:   "input",
		`{"model":"m","input":[5]}`: "input[0]",
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":5}]}]}`:       "input[0].content[0].text",
		`{"model":"m","input":[{"role":"king","content":"x"}]}`:                                    "input[0].role",
		`{"model":"m","input":[{"type":"function_call_output","call_id":"a"}]}`:                    "input[0].output",
		`{"model":"m","input":"x","tools":[{"type":"function"}]}`:                                  "tools[0].name",
		`{"model":"m","input":"x","tool_choice":5}`:                                                "tool_choice",
		`{"model":"m","input":"x","max_output_tokens":"many"}`:                                     "max_output_tokens",
		`{"model":"m","input":[{"type":"function_call","call_id":"a","name":"f","arguments":{}}]}`: "input[0].arguments",
	} {
		_, err := codec().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != param {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A custom tool reaches hosts that know none as a function of one string, and its call comes back as one.
func TestCustomToolsWorkOnEveryHost(t *testing.T) {
	req := request(t, `{"model":"m","input":[{"role":"user","content":"x"},{"type":"custom_tool_call","call_id":"a","name":"apply_patch","input":"*** Begin"},
		{"type":"custom_tool_call_output","call_id":"a","output":"ok"}],"tools":[{"type":"custom","name":"apply_patch","description":"Patches."}],"tool_choice":{"type":"custom","name":"apply_patch"}}`)
	out, losses, err := openai.Dialect().Codec(llm.OpGenerate).EncodeRequest(req, dialect.Shape{Offer: offer()})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	for _, want := range []string{`"name":"apply_patch","arguments":"{\"input\":\"*** Begin\"}"`, `"required":["input"]`, `"content":"ok"`, `"tool_choice":{"type":"function"`} {
		if !strings.Contains(string(out.Body), want) {
			t.Errorf("no %s in %s", want, out.Body)
		}
	}
	said, r := say(t, req, llm.Start{}, llm.BlockStart{Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "apply_patch"}},
		llm.ArgsDelta{JSON: `{"inp`}, llm.ArgsDelta{JSON: `ut":"*** End\n"}`}, llm.BlockEnd{}, llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}}, llm.End{})
	item := r["output"].([]any)[0].(map[string]any)
	if item["type"] != "custom_tool_call" || item["input"] != "*** End\n" || item["call_id"] != "b" || !strings.Contains(said, "event: response.custom_tool_call_input.delta") {
		t.Errorf("said %v", item)
	}
	res := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "apply_patch", Args: `{"input":"*** End\n"}`}}}}}
	reply, _, err := codec().EncodeResponse(req, res, dialect.Meta{CallID: "call"})
	if err != nil || !strings.Contains(string(reply.Body), `"type":"custom_tool_call"`) || !strings.Contains(string(reply.Body), `"input":"*** End\n"`) {
		t.Errorf("%v: %s", err, reply.Body)
	}
}

func TestTokensAreCounted(t *testing.T) {
	p, err := counter().DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","input":"x","instructions":"i"}`)})
	if _, ok := p.(*llm.CountTokens); !ok || err != nil {
		t.Fatalf("%T %v", p, err)
	}
	out, losses, err := counter().EncodeRequest(p, dialect.Shape{Offer: offer()})
	if err != nil || len(losses) > 0 || string(out.Body) != `{"model":"up","instructions":"i","input":"x"}` {
		t.Errorf("%v %v: %s", err, losses, out.Body)
	}
	res, err := counter().DecodeResponse(dialect.Reply{Body: []byte(`{"object":"response.input_tokens","input_tokens":11}`)})
	if n, ok := res.(*llm.TokenCount); err != nil || !ok || n.Input != 11 {
		t.Errorf("%+v %v", res, err)
	}
	reply, _, err := counter().EncodeResponse(p, res, dialect.Meta{})
	if err != nil || string(reply.Body) != `{"object":"response.input_tokens","input_tokens":11}` {
		t.Errorf("%v: %s", err, reply.Body)
	}
}
