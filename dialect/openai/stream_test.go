package openai_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

const done = "data: [DONE]\n\n"

// chunk makes an event of a delta and a finish_reason, both JSON.
func chunk(delta, finish string) string {
	return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta +
		`,"logprobs":null,"finish_reason":` + finish + "}]}\n\n"
}

func read(stream string, want dialect.Want) dialecttest.Said {
	return dialecttest.Decode(chat(), dialecttest.Frames([]byte(stream)), want)
}

// home is the mark of what was said in this dialect.
func home() llm.Extra { return llm.Extra{Dialect: openai.Name} }

func finish(reason llm.StopReason, raw string) llm.Finish {
	return llm.Finish{Stop: llm.Stop{Reason: reason, Raw: raw, Extra: home()}}
}

// want checks that a stream tells these events between its start and its end.
func wantEvents(t *testing.T, stream string, want ...llm.Event) {
	t.Helper()
	got := read(stream, dialect.Want{})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if s := dialecttest.Grammar(got.Events, false); s != "" {
		t.Error(s)
	}
	all := append([]llm.Event{llm.Start{ID: "c", Model: "m", Created: 1}}, want...)
	if d := cmp.Diff(append(all, llm.End{}), got.Events); d != "" {
		t.Error(d)
	}
}

func call(index int, id, name string) llm.BlockStart {
	return llm.BlockStart{Index: index, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: name, Extra: home()}}
}

func TestCase_A1_WholeArgumentsInFirstDelta(t *testing.T) {
	stream := chunk(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}`, `null`) +
		chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, stream, call(0, "a", "f"), llm.ArgsDelta{JSON: `{"x":1}`}, llm.BlockEnd{}, finish(llm.StopTool, ""))
}

func TestCase_A5_CallsInterleaveAndBlocksAreCounted(t *testing.T) {
	piece := func(index int, args string) string {
		return chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%q}}]}`, index, args), `null`)
	}
	stream := chunk(`{"role":"assistant","content":"I call"}`, `null`) +
		chunk(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, `null`) + piece(0, "{") +
		chunk(`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"[1"}}]}`, `null`) +
		piece(0, "}") + piece(1, "]") + chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, stream,
		llm.BlockStart{Block: llm.Text{Extra: home()}}, llm.TextDelta{Text: "I call"}, llm.BlockEnd{},
		call(1, "a", "f"), llm.ArgsDelta{Index: 1, JSON: "{"},
		call(2, "b", "g"), llm.ArgsDelta{Index: 2, JSON: "[1"}, llm.ArgsDelta{Index: 1, JSON: "}"}, llm.ArgsDelta{Index: 2, JSON: "]"},
		llm.BlockEnd{Index: 1}, llm.BlockEnd{Index: 2}, finish(llm.StopTool, ""))
}

func TestCase_A6_NoEmptyTextBeforeACall(t *testing.T) {
	stream := chunk(`{"role":"assistant","content":""}`, `null`) +
		chunk(`{"content":"","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, `null`) +
		chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, stream, call(0, "a", "f"), llm.BlockEnd{}, finish(llm.StopTool, ""))
}

func TestCase_A7_StopMeansTheToolThatWasCalled(t *testing.T) {
	stream := chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}`, `null`) + chunk(`{}`, `"stop"`) + done
	wantEvents(t, stream, call(0, "a", "f"), llm.ArgsDelta{JSON: "{}"}, llm.BlockEnd{}, finish(llm.StopTool, "stop"))
}

func TestCase_A8_ToolCallsWithoutACallMeansTheEnd(t *testing.T) {
	wantEvents(t, chunk(`{"content":"x"}`, `null`)+chunk(`{}`, `"tool_calls"`)+done,
		llm.BlockStart{Block: llm.Text{Extra: home()}}, llm.TextDelta{Text: "x"}, llm.BlockEnd{}, finish(llm.StopEnd, "tool_calls"))
}

func TestCase_A10_CallsWithoutIDOrWithALateName(t *testing.T) {
	noID := chunk(`{"tool_calls":[{"function":{"name":"f","arguments":"{"}}]}`, `null`) +
		chunk(`{"tool_calls":[{"function":{"arguments":"}"}}]}`, `null`) + chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, noID, call(0, "call_c_0_0", "f"), llm.ArgsDelta{JSON: "{"}, llm.ArgsDelta{JSON: "}"}, llm.BlockEnd{}, finish(llm.StopTool, ""))

	late := chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}}]}`, `null`) +
		chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}`, `null`) + chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, late, call(0, "a", "f"), llm.ArgsDelta{JSON: "{"}, llm.ArgsDelta{JSON: "}"}, llm.BlockEnd{}, finish(llm.StopTool, ""))

	// A host that counts every call as the first, and tells them apart by their ids.
	same := chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}`, `null`) +
		chunk(`{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}`, `null`) + chunk(`{}`, `"tool_calls"`) + done
	wantEvents(t, same, call(0, "a", "f"), llm.ArgsDelta{JSON: "{}"}, call(1, "b", "g"), llm.ArgsDelta{Index: 1, JSON: "{}"},
		llm.BlockEnd{}, llm.BlockEnd{Index: 1}, finish(llm.StopTool, ""))
}

func TestCase_A11_CutArgumentsStayCut(t *testing.T) {
	stream := chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}}]}`, `null`) + chunk(`{}`, `"length"`) + done
	wantEvents(t, stream, call(0, "a", "f"), llm.ArgsDelta{JSON: `{"x`}, llm.BlockEnd{}, finish(llm.StopLength, ""))
}

func TestCase_B7_TheEndIsToldOnce(t *testing.T) {
	text := []llm.Event{llm.BlockStart{Block: llm.Text{Extra: home()}}, llm.TextDelta{Text: "x"}, llm.BlockEnd{}, finish(llm.StopEnd, "")}
	x, stop := chunk(`{"content":"x"}`, `null`), chunk(`{}`, `"stop"`)
	for name, stream := range map[string]string{
		"as it should":       x + stop + done,
		"no [DONE]":          x + stop,
		"no blank line":      x + strings.TrimRight(stop, "\n"),
		"no finish":          x + done,
		"a tail":             x + stop + done + chunk(`{"content":"y"}`, `null`) + done + "data: rubbish\n\n",
		"two finishes":       x + stop + chunk(`{"content":""}`, `"stop"`) + done,
		"[DONE] with spaces": x + stop + "data:  [DONE] \n\n",
	} {
		t.Run(name, func(t *testing.T) { wantEvents(t, stream, text...) })
	}
	// A caller of the same dialect gets the [DONE] that was missing, and not what came after it.
	if got := read(x+strings.TrimRight(stop, "\n"), dialect.Want{}); !bytes.HasSuffix(got.Raw, []byte("}]}\n\ndata: [DONE]\n\n")) {
		t.Errorf("got %q", got.Raw)
	}
	if got := read(x+stop+done+x, dialect.Want{Meter: true}); string(got.Raw) != x+stop+done {
		t.Errorf("got %q", got.Raw)
	}
	// A connection that breaks after the finish broke nothing.
	broken := io.MultiReader(strings.NewReader(x+stop), iotest.ErrReader(errors.New("reset")))
	if got := dialecttest.Decode(chat(), frame.NewReader(broken, 0).All(), dialect.Want{}); got.Err != nil {
		t.Error(got.Err)
	}
	for name, stream := range map[string]string{
		"no finish, no [DONE]": x, "nothing": "", "only [DONE]": done, "only a comment": ": hi\n\n",
		"only usage": "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n" + done,
		"one of two": `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{"content":"a"}}]}` + "\n\n",
		"not JSON":   x + "data: {\"id\n\n",
		"a list":     x + "data: []\n\n",
		"html":       "<html>\n\n",
	} {
		if got := read(stream, dialect.Want{}); !llm.IsKind(got.Err, llm.BadUpstream) {
			t.Errorf("%s: %v", name, got.Err)
		}
	}
}

func TestCase_B10_OddEmptinessIsRead(t *testing.T) {
	stream := `data: {"id":"c","created":1,"model":"m","choices":null}` + "\n\n" +
		chunk(`{"content":"x"}`, `""`) + chunk(`null`, `""`) + chunk(`{"content":null}`, `"stop"`) +
		`data: {"id":"c","choices":null,"usage":null}` + "\n\n" + done
	wantEvents(t, stream, llm.BlockStart{Block: llm.Text{Extra: home()}}, llm.TextDelta{Text: "x"}, llm.BlockEnd{}, finish(llm.StopEnd, ""))
}

func TestCase_B12_ErrorsWithinAStream(t *testing.T) {
	x := chunk(`{"content":"x"}`, `null`)
	for _, tt := range []struct {
		name, event string
		kind        llm.Kind
	}{
		{"object", `data: {"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}`, llm.RateLimited},
		{"event", "event: error\ndata: {\"error\":{\"message\":\"bad call\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\"}}", llm.Invalid},
		{"string", `data: {"error":"boom"}`, llm.UpstreamFault},
		{"number", `data: {"id":"c","error":{"code":502,"message":"provider"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`, llm.UpstreamFault},
		{"overloaded", `data: {"error":{"code":503,"message":"busy"}}`, llm.Overloaded},
		{"text", "event: error\ndata: it broke", llm.UpstreamFault},
		{"length", `data: {"error":{"message":"too long","code":"context_length_exceeded"}}`, llm.TooLong},
	} {
		for _, before := range []string{"", x} {
			for _, meter := range []bool{false, true} {
				got := read(before+tt.event+"\n\n"+done, dialect.Want{Meter: meter})
				e := llm.AsError(got.Fault())
				if got.Err != nil || e == nil || e.Kind != tt.kind || e.Upstream == nil || !e.Upstream.InStream || e.Message == "" {
					t.Errorf("%s: %v, %+v", tt.name, got.Err, e)
				}
				if bytes.Contains(got.Raw, []byte("DONE")) {
					t.Errorf("%s: went on after the error", tt.name)
				}
			}
		}
	}
}

func TestCase_C7_ReasoningKeepsItsBlocksAndSeals(t *testing.T) {
	detail := func(s string) string {
		return chunk(`{"content":"","reasoning":"ignored","reasoning_details":[`+s+`]}`, `null`)
	}
	stream := detail(`{"type":"reasoning.text","text":"on","format":"anthropic-claude-v1","index":0}`) +
		detail(`{"type":"reasoning.text","text":"e","format":"anthropic-claude-v1","index":0}`) +
		chunk(`{"reasoning_details":[{"type":"reasoning.text","signature":"sig","format":"anthropic-claude-v1","index":0}]}`, `null`) +
		detail(`{"type":"reasoning.text","text":"two","format":"anthropic-claude-v1","index":1}`) +
		chunk(`{"reasoning_details":[{"type":"reasoning.encrypted","data":"xyz","format":"anthropic-claude-v1","index":2}]}`, `null`) +
		chunk(`{"content":"so"}`, `"stop"`) + done
	thought := func(i int) llm.BlockStart {
		return llm.BlockStart{Index: i, Block: llm.Thought{Field: "reasoning_details", Origin: "anthropic", Extra: home()}}
	}
	wantEvents(t, stream,
		thought(0), llm.ThoughtDelta{Text: "on"}, llm.ThoughtDelta{Text: "e"}, llm.ThoughtDelta{Signature: "sig"}, llm.BlockEnd{},
		thought(1), llm.ThoughtDelta{Index: 1, Text: "two"}, llm.BlockEnd{Index: 1},
		thought(2), llm.ThoughtDelta{Index: 2, Sealed: "xyz"}, llm.BlockEnd{Index: 2},
		llm.BlockStart{Index: 3, Block: llm.Text{Extra: home()}}, llm.TextDelta{Index: 3, Text: "so"}, llm.BlockEnd{Index: 3},
		finish(llm.StopEnd, ""))
}

func TestCase_C8_ReasoningIsNotContent(t *testing.T) {
	for _, field := range []string{"reasoning_content", "reasoning"} {
		stream := chunk(`{"`+field+`":"hm","content":""}`, `null`) + chunk(`{"content":"so"}`, `"stop"`) + done
		wantEvents(t, stream,
			llm.BlockStart{Block: llm.Thought{Field: field, Extra: home()}}, llm.ThoughtDelta{Text: "hm"}, llm.BlockEnd{},
			llm.BlockStart{Index: 1, Block: llm.Text{Extra: home()}}, llm.TextDelta{Index: 1, Text: "so"}, llm.BlockEnd{Index: 1},
			finish(llm.StopEnd, ""))
	}
	mistral := chunk(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"}]}`, `"stop"`) + done
	wantEvents(t, mistral,
		llm.BlockStart{Block: llm.Thought{Field: "content", Extra: home()}}, llm.ThoughtDelta{Text: "hm"}, llm.BlockEnd{},
		llm.BlockStart{Index: 1, Block: llm.Text{Extra: home()}}, llm.TextDelta{Index: 1, Text: "so"}, llm.BlockEnd{Index: 1},
		finish(llm.StopEnd, ""))
}

func TestCase_D3_TheLastUsageCounts(t *testing.T) {
	usage := func(in, out int) string {
		return fmt.Sprintf(`data: {"id":"c","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n", in, out, in+out)
	}
	stream := chunk(`{"content":"x"}`, `null`) + usage(10, 1) + chunk(`{"content":"y"}`, `"stop"`) + usage(10, 2) + done
	for _, meter := range []bool{false, true} {
		u := read(stream, dialect.Want{Meter: meter}).Fold().Usage
		if u.In() != 10 || u.Out() != 2 {
			t.Errorf("got %+v", u)
		}
	}
}

func TestAzureThinksOfThePromptFirst(t *testing.T) {
	stream := `data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}` + "\n\n" +
		chunk(`{"content":"x"}`, `null`) + chunk(`{}`, `"stop"`) + done
	got := read(stream, dialect.Want{}).Fold()
	raw, _ := got.Extra.Get("prompt_filter_results")
	if got.ID != "c" || got.Model != "m" || raw != `[{"prompt_index":0}]` {
		t.Errorf("got %+v", got)
	}
}

func TestLogprobsAndChoicesApart(t *testing.T) {
	stream := `data: {"id":"c","choices":[{"index":1,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b","logprob":-0.10,"bytes":[98],"top_logprobs":[]}],"refusal":null}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{"refusal":"no"}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"content_filter","content_filter_results":{"hate":1}},{"index":1,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + done
	got := read(stream, dialect.Want{})
	if got.Err != nil || dialecttest.Grammar(got.Events, false) != "" {
		t.Fatal(got.Err, dialecttest.Grammar(got.Events, false))
	}
	r := got.Fold()
	if len(r.Choices) != 2 || r.Choices[0].Index != 1 || r.Choices[0].Logprobs.Content[0].Value != "-0.10" {
		t.Errorf("got %+v", r.Choices)
	}
	if raw, _ := r.Choices[1].Extra.Get("content_filter_results"); raw != `{"hate":1}` || r.Choices[1].Stop.Reason != llm.StopFilter {
		t.Errorf("got %+v", r.Choices[1])
	}
	if d := cmp.Diff([]llm.Block{llm.Refusal{Text: "no", Extra: home()}}, r.Choices[1].Blocks); d != "" {
		t.Error(d)
	}
}

func TestCitationsStandOnTheText(t *testing.T) {
	stream := chunk(`{"content":"","annotations":[{"type":"url_citation","url_citation":{"url":"http://x","title":"X","start_index":1,"end_index":2}}]}`, `null`) +
		chunk(`{"content":"see"}`, `"stop"`) + done
	r := read(stream, dialect.Want{}).Fold()
	text, ok := r.Choices[0].Blocks[0].(llm.Text)
	if !ok || text.Text != "see" || len(text.Citations) != 1 || text.Citations[0].URL != "http://x" || text.Citations[0].End != 2 {
		t.Errorf("got %+v", r.Choices[0].Blocks)
	}
}

func TestMeteringAllocatesNothingForPlainDeltas(t *testing.T) {
	head, piece := chunk(`{"role":"assistant","content":"x"}`, `null`), chunk(`{"content":"Hello"}`, `null`)
	frames := func(n int) float64 {
		stream := []byte(head + strings.Repeat(piece, n) + chunk(`{}`, `"stop"`) + done)
		return testing.AllocsPerRun(10, func() {
			for range chat().DecodeStream(dialecttest.Frames(stream), dialect.Want{Meter: true}) {
			}
		})
	}
	few, many := frames(100), frames(1100)
	if many-few > 20 { // the reader's buffer grows
		t.Errorf("%v allocations for a thousand chunks more", many-few)
	}
}

func TestSkimmedFramesHideNothing(t *testing.T) {
	plain := chunk(`{"content":"one"}`, `null`)
	sly := strings.Replace(plain, `one"}`, `x"},"error":{"message":"no"},"y":{"z":""}`, 1)
	escaped := chunk(`{"content":"say \"finish_reason\":\"stop\" \\"}`, `null`)
	got := read(plain+plain+plain+escaped+plain+chunk(`{"content":"one"}`, `"stop"`)+done, dialect.Want{Meter: true})
	if got.Err != nil || got.Fold().Choices[0].Stop.Reason != llm.StopEnd || got.Text < 5*3+30 {
		t.Errorf("got %+v", got)
	}
	for _, last := range []string{
		chunk(`{"content":"one"}`, `"length"`), strings.Replace(chunk(`{"content":"one"}`, `null`), `"finish_reason":null`, `"finish_reason" : "length"`, 1),
	} {
		got := read(plain+plain+plain+last+done, dialect.Want{Meter: true})
		if got.Fold().Choices[0].Stop.Reason != llm.StopLength {
			t.Errorf("%s: got %+v", last, got.Fold())
		}
	}
	if got := read(plain+plain+plain+sly+done, dialect.Want{Meter: true}); got.Err != nil {
		t.Errorf("got %v", got.Err) // the error is within the choice: no error of the stream
	}
	usage := strings.Replace(plain, `"choices"`, `"usage":{"prompt_tokens":4},"choices"`, 1)
	if got := read(plain+plain+plain+usage+chunk(`{}`, `"stop"`)+done, dialect.Want{Meter: true}); got.Fold().Usage.Input != 4 {
		t.Errorf("got %+v", got.Fold().Usage)
	}
}
