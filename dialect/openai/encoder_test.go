package openai_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// say encodes events and returns what of each chunk tells: the delta and what follows it.
func say(t *testing.T, req *llm.Request, events []llm.Event, end error) (lines []string, losses []dialect.Loss) {
	t.Helper()
	e := chat().NewEncoder(req, dialect.Meta{CallID: "call", Now: 7})
	out, err := dialecttest.Encode(e, events, end)
	if err != nil {
		t.Fatal(err)
	}
	head := `data: {"id":"i","object":"chat.completion.chunk","created":7,"model":"m",`
	for line := range strings.SplitSeq(strings.TrimRight(string(out), "\n"), "\n\n") {
		line = strings.TrimPrefix(line, head)
		line = strings.TrimPrefix(line, `"choices":[{"index":0,"delta":`)
		if delta, ok := strings.CutSuffix(line, `,"logprobs":null,"finish_reason":null}]}`); ok {
			line = delta
		} else if strings.Contains(line, `,"logprobs":`) {
			line = strings.TrimSuffix(line, "}]}")
		}
		lines = append(lines, line)
	}
	return lines, e.Losses()
}

const (
	roleLine = `{"role":"assistant","content":"","refusal":null}`
	doneLine = "data: [DONE]"
)

func lastLine(word string) string { return `{},"logprobs":null,"finish_reason":"` + word + `"` }

func start(events ...llm.Event) []llm.Event {
	return append([]llm.Event{llm.Start{ID: "i", Model: "m"}}, events...)
}

func use(index int, id, name, args string) llm.BlockStart {
	return llm.BlockStart{Index: index, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: name, Args: args}}
}

func stop(r llm.StopReason) llm.Finish { return llm.Finish{Stop: llm.Stop{Reason: r}} }

func TestEncoderByCase(t *testing.T) {
	begin := func(i int, id, name, args string) string {
		return `{"tool_calls":[{"index":` + string(rune('0'+i)) + `,"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":"` + args + `"}}]}`
	}
	more := func(i int, args string) string {
		return `{"tool_calls":[{"index":` + string(rune('0'+i)) + `,"function":{"arguments":"` + args + `"}}]}`
	}
	tests := []struct {
		name   string
		events []llm.Event
		want   []string
	}{
		{
			"A5 calls are counted from 0, and interleave",
			start(llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "I"}, llm.BlockEnd{},
				use(1, "a", "f", ""), use(2, "b", "g", ""), llm.ArgsDelta{Index: 1, JSON: "1"}, llm.ArgsDelta{Index: 2, JSON: "2"},
				llm.BlockEnd{Index: 1}, llm.BlockEnd{Index: 2}, stop(llm.StopTool), llm.End{}),
			[]string{roleLine, `{"content":"I"}`, begin(0, "a", "f", ""), begin(1, "b", "g", ""), more(0, "1"), more(1, "2"), lastLine("tool_calls"), doneLine},
		},
		{
			"A7 a called tool is why it stopped",
			start(use(0, "a", "f", "1"), llm.BlockEnd{}, stop(llm.StopEnd), llm.End{}),
			[]string{roleLine, begin(0, "a", "f", "1"), lastLine("tool_calls"), doneLine},
		},
		{
			"A8 no tool was called",
			start(llm.BlockStart{Block: llm.Text{Text: "x"}}, llm.BlockEnd{}, stop(llm.StopTool), llm.End{}),
			[]string{roleLine, `{"content":"x"}`, lastLine("stop"), doneLine},
		},
		{
			"A9 no arguments are an empty object",
			start(use(0, "a", "f", ""), llm.BlockEnd{}, use(1, "b", "g", ""), llm.BlockEnd{Index: 1}, stop(llm.StopTool), llm.End{}),
			[]string{roleLine, begin(0, "a", "f", ""), begin(1, "b", "g", ""), more(0, "{}"), more(1, "{}"), lastLine("tool_calls"), doneLine},
		},
		{
			"A10 an id is made",
			start(use(0, "", "f", "1"), llm.BlockEnd{}, stop(llm.StopTool), llm.End{}),
			[]string{roleLine, begin(0, "call_call_0_0", "f", "1"), lastLine("tool_calls"), doneLine},
		},
		{
			"A11 what was cut stays cut",
			start(use(0, "a", "f", ""), llm.ArgsDelta{JSON: "{"}, llm.BlockEnd{}, use(1, "b", "g", ""), llm.BlockEnd{Index: 1}, stop(llm.StopLength), llm.End{}),
			[]string{roleLine, begin(0, "a", "f", ""), more(0, "{"), begin(1, "b", "g", ""), lastLine("length"), doneLine},
		},
		{
			"A2 arguments that only the end of the block tells",
			start(use(0, "a", "f", ""), llm.BlockEnd{Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: "[]"}}, stop(llm.StopTool), llm.End{}),
			[]string{roleLine, begin(0, "a", "f", ""), more(0, "[]"), lastLine("tool_calls"), doneLine},
		},
		{
			"B6 a ping adds nothing and leaves the role alone",
			append([]llm.Event{llm.Ping{}}, start(llm.Ping{}, llm.BlockStart{Block: llm.Text{}}, llm.Ping{}, llm.TextDelta{Text: "x"}, llm.BlockEnd{}, stop(llm.StopEnd), llm.Ping{}, llm.End{})...),
			[]string{": ping", roleLine, `{}`, `{}`, `{"content":"x"}`, lastLine("stop"), `{}`, doneLine},
		},
		{
			"B7 the end is said once, whatever is missing",
			start(llm.BlockStart{Block: llm.Text{Text: "x"}}),
			[]string{roleLine, `{"content":"x"}`, lastLine("stop"), doneLine},
		},
		{
			"C2 a signature without a text",
			start(llm.BlockStart{Block: llm.Thought{Origin: "anthropic"}}, llm.ThoughtDelta{Signature: "sig"}, llm.BlockEnd{}, stop(llm.StopEnd), llm.End{}),
			[]string{roleLine, `{"reasoning_details":[{"type":"reasoning.text","text":"","signature":"sig","format":"anthropic-claude-v1","index":0}]}`, lastLine("stop"), doneLine},
		},
		{
			"C7 the text comes before what seals it",
			start(llm.BlockStart{Block: llm.Thought{Origin: "anthropic"}}, llm.ThoughtDelta{Text: "h"}, llm.ThoughtDelta{Text: "m"}, llm.ThoughtDelta{Signature: "sig"}, llm.BlockEnd{},
				llm.BlockStart{Index: 1, Block: llm.Thought{Sealed: "xyz", Origin: "anthropic"}}, llm.BlockEnd{Index: 1}, stop(llm.StopEnd), llm.End{}),
			[]string{
				roleLine, `{"reasoning_content":"h"}`, `{"reasoning_content":"m"}`,
				`{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic-claude-v1","index":0}]}`,
				`{"reasoning_details":[{"type":"reasoning.encrypted","data":"xyz","format":"anthropic-claude-v1","index":1}]}`, lastLine("stop"), doneLine,
			},
		},
		{
			"C8 reasoning is not content",
			start(llm.BlockStart{Block: llm.Thought{}}, llm.ThoughtDelta{Text: "hm"}, llm.BlockEnd{}, llm.BlockStart{Index: 1, Block: llm.Text{}}, llm.TextDelta{Index: 1, Text: "so"}, llm.BlockEnd{Index: 1}, stop(llm.StopEnd), llm.End{}),
			[]string{roleLine, `{"reasoning_content":"hm"}`, `{"content":"so"}`, lastLine("stop"), doneLine},
		},
		{
			"a refusal",
			start(llm.BlockStart{Block: llm.Refusal{}}, llm.TextDelta{Text: "no"}, llm.BlockEnd{}, stop(llm.StopRefusal), llm.End{}),
			[]string{roleLine, `{"refusal":"no"}`, lastLine("content_filter"), doneLine},
		},
		{
			"a citation has the span of its text",
			start(llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "é"}, llm.BlockEnd{}, llm.BlockStart{Index: 1, Block: llm.Text{}}, llm.CiteDelta{Index: 1, Citation: llm.Citation{Kind: llm.CiteSearch, URL: "u", Title: "t"}},
				llm.TextDelta{Index: 1, Text: "abc"}, llm.BlockEnd{Index: 1}, stop(llm.StopEnd), llm.End{}),
			[]string{
				roleLine, `{"content":"é"}`, `{"content":"abc"}`,
				`{"annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":4,"title":"t","url":"u"}}]}`, lastLine("stop"), doneLine,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := say(t, nil, tt.events, nil)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// The cases by their names, so that the list of tests shows them.
func TestCase_A9_NoArgumentsAreAnEmptyObject(t *testing.T) {
	r := &llm.Response{ID: "i", Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f"}}, Stop: llm.Stop{Reason: llm.StopTool}}}}
	out, _, err := chat().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil || !strings.Contains(string(out.Body), `"function":{"name":"f","arguments":"{}"}`) || !strings.Contains(string(out.Body), `"content":null`) {
		t.Errorf("got %s, %v", out.Body, err)
	}
	r.Choices[0].Stop.Reason = llm.StopLength
	out, _, err = chat().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil || !strings.Contains(string(out.Body), `"arguments":""`) || !strings.Contains(string(out.Body), `"finish_reason":"length"`) {
		t.Errorf("cut: got %s, %v", out.Body, err)
	}
}

func TestCase_B6_PingsKeepTheRoleChunk(t *testing.T) {
	got, _ := say(t, nil, start(llm.Ping{}, llm.End{}), nil)
	if d := cmp.Diff([]string{roleLine, "{}", lastLine("stop"), doneLine}, got); d != "" {
		t.Error(d)
	}
}

func TestCase_B10_NullsAndRolesAreWhatSDKsExpect(t *testing.T) {
	e := chat().NewEncoder(&llm.Request{StreamUsage: llm.Some(true)}, dialect.Meta{CallID: "x", Now: 7})
	out, err := dialecttest.Encode(e, start(llm.BlockStart{Choice: 1, Block: llm.Text{Text: "x"}}, llm.BlockEnd{Choice: 1}, llm.UsageReport{Usage: llm.Usage{Input: 1, Output: 2}}, llm.End{}), nil)
	head := `data: {"id":"i","object":"chat.completion.chunk","created":7,"model":"m",`
	want := head + `"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n" +
		head + `"choices":[{"index":1,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n" +
		head + `"choices":[{"index":1,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n" +
		head + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		head + `"choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		head + `"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}` + "\n\n" +
		"data: [DONE]\n\n"
	if d := cmp.Diff(want, string(out)); d != "" || err != nil {
		t.Error(err, d)
	}
}

func TestCase_B12_AnErrorEndsTheStreamWithoutDone(t *testing.T) {
	got, _ := say(t, nil, start(llm.BlockStart{Block: llm.Text{Text: "x"}}), &llm.Error{Kind: llm.Overloaded, Message: "busy", Upstream: &llm.Upstream{Dialect: "anthropic", Body: []byte(`{"type":"error"}`)}})
	want := []string{roleLine, `{"content":"x"}`, `data: {"error":{"message":"busy","type":"server_error","param":null,"code":"overloaded"}}`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	e := chat().NewEncoder(nil, dialect.Meta{})
	first := string(dialecttest.Append(nil, e.Close(errors.New("secret"))))
	if strings.Contains(first, "secret") || len(e.Close(nil)) > 0 {
		t.Errorf("got %q", first)
	}
	if frames, err := e.Encode(llm.TextDelta{Text: "late"}); len(frames) > 0 || err != nil {
		t.Errorf("after the end: %v, %v", frames, err)
	}
}

func TestCase_A13_TextIsSaidAtOnceBesideTools(t *testing.T) {
	e := chat().NewEncoder(&llm.Request{Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "f"}}}, dialect.Meta{})
	for _, ev := range start(llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "x"}) {
		frames, err := e.Encode(ev)
		if _, opens := ev.(llm.BlockStart); err != nil || len(frames) == 0 != opens {
			t.Errorf("%T gave %d frames, %v", ev, len(frames), err)
		}
	}
}

func TestObservedEventsAreNotSaidAgain(t *testing.T) {
	e := chat().NewEncoder(nil, dialect.Meta{Now: 7})
	for _, ev := range start(llm.BlockStart{Block: llm.Text{Text: "x"}}, llm.BlockEnd{}, use(1, "a", "f", "1"), llm.BlockEnd{Index: 1}) {
		e.Observe(ev)
	}
	out, err := dialecttest.Encode(e, []llm.Event{llm.Start{ID: "other"}, use(5, "b", "g", "2"), llm.BlockEnd{Index: 5}, stop(llm.StopTool), llm.End{}}, nil)
	if err != nil || strings.Contains(string(out), "role") || !strings.Contains(string(out), `"tool_calls":[{"index":1,"id":"b"`) || strings.Contains(string(out), "other") {
		t.Errorf("got %s, %v", out, err)
	}
	e = chat().NewEncoder(nil, dialect.Meta{})
	e.Observe(llm.Start{ID: "i"})
	e.Observe(llm.Fault{Err: &llm.Error{}})
	if frames := e.Close(&llm.Error{Kind: llm.Timeout}); len(frames) > 0 {
		t.Errorf("after an observed fault: %d frames", len(frames))
	}
}

func TestCase_F7_NamesThatHostsRefuseComeBack(t *testing.T) {
	long := strings.Repeat("read.files/", 10)
	req := &llm.Request{Model: "m", Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: long}}, Choose: llm.ToolChoice{Mode: llm.ChooseTool, Name: long}, Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "x"}}},
		{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: long, Args: "{}"}}},
		{Role: llm.User, Blocks: []llm.Block{llm.ToolDone{ID: "a"}}},
	}}
	out, _, err := chat().EncodeRequest(req, dialect.Shape{})
	if err != nil || strings.Contains(string(out.Body), "read.files") {
		t.Fatalf("got %s, %v", out.Body, err)
	}
	p, err := chat().DecodeRequest(dialect.Inbound{Body: out.Body})
	if err != nil {
		t.Fatal(err)
	}
	sent := p.(*llm.Request).Tools[0].Name
	if len(sent) > 64 || p.(*llm.Request).Choose.Name != sent || p.(*llm.Request).Messages[1].Blocks[0].(llm.ToolUse).Name != sent {
		t.Errorf("sent as %q", sent)
	}
	got, _ := say(t, req, start(use(0, "b", sent, "1"), llm.BlockEnd{}, stop(llm.StopTool), llm.End{}), nil)
	if !strings.Contains(got[1], long) {
		t.Errorf("came back as %s", got[1])
	}
}
