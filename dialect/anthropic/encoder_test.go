package anthropic_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// told returns what a client has heard of an answer: each block by its type and its deltas put
// together, as the vendor's SDKs put them.
type told struct {
	blocks []string
	stop   any
	start  map[string]any
	final  map[string]any
	err    map[string]any
}

func tell(t testing.TB, wire []byte) told {
	t.Helper()
	var out told
	for _, e := range checkGrammar(t, wire) {
		switch e.Type {
		case "message_start":
			out.start = e.Message
		case "content_block_start":
			s, _ := e.Block["type"].(string)
			switch s {
			case "tool_use":
				s += " " + e.Block["name"].(string) + " "
			case "redacted_thinking":
				s += " " + e.Block["data"].(string)
			default:
				s += " "
			}
			out.blocks = append(out.blocks, s)
		case "content_block_delta":
			b := &out.blocks[len(out.blocks)-1]
			for _, key := range []string{"text", "thinking", "signature", "partial_json"} {
				if s, ok := e.Delta[key].(string); ok {
					*b += s
				}
			}
		case "message_delta":
			out.stop, out.final = e.Delta["stop_reason"], e.Usage
		case "error":
			out.err = e.Error
		}
	}
	return out
}

// speak encodes an answer from another dialect.
func speak(t testing.TB, events ...llm.Event) (told, dialect.Encoder) {
	t.Helper()
	enc := messages().NewEncoder(askHello(), dialect.Meta{CallID: "call1"})
	return tell(t, encode(t, enc, events)), enc
}

func askHello() *llm.Request {
	return &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: strings.Repeat("hello ", 100)}}}}}
}

func tool(i int, id, name, args string) llm.Event {
	return llm.BlockStart{Index: i, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: name, Args: args}}
}

func wantBlocks(t testing.TB, got told, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got.blocks); d != "" {
		t.Errorf("blocks differ (-want +got):\n%s", d)
	}
}

var start = llm.Start{ID: "chatcmpl-1", Model: "gpt"}

func stopped(r llm.StopReason) llm.Event { return llm.Finish{Stop: llm.Stop{Reason: r}} }

func TestCase_A1_WholeArgumentsInFirstDelta(t *testing.T) {
	got, _ := speak(t, start, tool(0, "c1", "get", `{"city":"Bern"}`), llm.BlockEnd{Index: 0}, stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, `tool_use get {"city":"Bern"}`)
}

func TestCase_A4_InterleavedParallelCalls(t *testing.T) {
	got, _ := speak(t, start,
		llm.BlockStart{Index: 0, Block: llm.Text{}}, llm.TextDelta{Index: 0, Text: "Two."},
		tool(1, "a", "f", ""), tool(2, "b", "g", ""),
		llm.ArgsDelta{Index: 1, JSON: `{"x"`}, llm.ArgsDelta{Index: 2, JSON: `{"y":"}`},
		llm.ArgsDelta{Index: 1, JSON: `:1}`}, llm.ArgsDelta{Index: 2, JSON: `"}`},
		llm.TextDelta{Index: 0, Text: "More."},
		llm.BlockEnd{Index: 0}, llm.BlockEnd{Index: 1}, llm.BlockEnd{Index: 2},
		stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, "text Two.", `tool_use f {"x":1}`, `tool_use g {"y":"}"}`, "text More.")
	if got.stop != "tool_use" {
		t.Errorf("stop %v", got.stop)
	}
}

func TestCase_A4_CallsThatNeverEndAreToldInOrder(t *testing.T) {
	got, _ := speak(t, start,
		tool(0, "a", "f", `{"x":`), tool(1, "b", "g", `{"y":`), tool(2, "c", "h", ""),
		llm.ArgsDelta{Index: 2, JSON: `{}`}, llm.ArgsDelta{Index: 1, JSON: `2}`}, llm.ArgsDelta{Index: 0, JSON: `1`},
		stopped(llm.StopLength), llm.End{})
	wantBlocks(t, got, `tool_use f {"x":1`, `tool_use g {"y":2}`, `tool_use h {}`)
	if got.stop != "max_tokens" {
		t.Errorf("stop %v: a call that was cut is no finished call", got.stop)
	}
}

func TestCase_A4_TheLiveBlockIsNotHeldBack(t *testing.T) {
	enc := messages().NewEncoder(nil, dialect.Meta{})
	for _, ev := range []llm.Event{start, tool(0, "a", "f", ""), tool(1, "b", "g", ""), llm.ArgsDelta{Index: 1, JSON: `{}`}} {
		if _, err := enc.Encode(ev); err != nil {
			t.Fatal(err)
		}
	}
	frames, _ := enc.Encode(llm.ArgsDelta{Index: 0, JSON: `{"x":`})
	if len(frames) != 1 || !strings.Contains(string(frames[0].Data), `{\"x\":`) {
		t.Errorf("got %d frames for a delta of the live block", len(frames))
	}
	frames, _ = enc.Encode(llm.ArgsDelta{Index: 0, JSON: `1}`})
	if len(frames) < 3 {
		t.Errorf("got %d frames: the block that waited was not let go when the live one was whole", len(frames))
	}
}

func TestCase_A6_NoEmptyTextBlockBeforeATool(t *testing.T) {
	got, _ := speak(t, start,
		llm.BlockStart{Index: 0, Block: llm.Text{}}, llm.TextDelta{Index: 0, Text: ""},
		tool(1, "a", "f", ""), llm.ArgsDelta{Index: 1, JSON: "{}"},
		llm.BlockEnd{Index: 0}, llm.BlockEnd{Index: 1}, stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, "tool_use f {}")
}

func TestCase_A7_StopReasonFollowsTheCall(t *testing.T) {
	got, _ := speak(t, start, tool(0, "a", "f", "{}"), llm.BlockEnd{}, stopped(llm.StopEnd), llm.End{})
	if got.stop != "tool_use" {
		t.Errorf("a tool was called, and stop_reason is %v", got.stop)
	}
	got, _ = speak(t, start, llm.BlockStart{Block: llm.Text{Text: "hi"}}, llm.BlockEnd{}, stopped(llm.StopTool), llm.End{})
	if got.stop != "end_turn" {
		t.Errorf("no tool was called, and stop_reason is %v", got.stop)
	}
}

func TestCase_A7_StreamAndWholeAnswerAgree(t *testing.T) {
	r := &llm.Response{ID: "x", Model: "gpt", Choices: []llm.Choice{{
		Blocks: []llm.Block{
			llm.Thought{Text: "think", Field: "reasoning_content"},
			llm.Text{Text: "say"},
			llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f"},
			llm.Text{Text: "after"},
		},
		Stop: llm.Stop{Reason: llm.StopEnd},
	}}, Usage: llm.Usage{Input: 3, CacheRead: 2, Output: 4, Reasoning: 5, Reported: llm.InSide | llm.OutSide}, Tier: "default"}
	reply, lostWhole, err := messages().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := messages().DecodeResponse(reply)
	if err != nil {
		t.Fatal(err)
	}
	var evs []llm.Event
	for ev := range llm.Replay(r) {
		evs = append(evs, ev)
	}
	enc := messages().NewEncoder(nil, dialect.Meta{})
	streamed, err := decode(messages(), encode(t, enc, evs), dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whole, fold(t, streamed)); d != "" {
		t.Errorf("stream and whole answer differ:\n%s", d)
	}
	if d := cmp.Diff(lostWhole, enc.Losses()); d != "" {
		t.Errorf("losses differ:\n%s", d)
	}
}

func TestCase_A9_ToolWithoutArguments(t *testing.T) {
	got, _ := speak(t, start, tool(0, "a", "now", ""), llm.BlockEnd{}, stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, "tool_use now {}")

	wire := sse(
		`{"type":"message_start","message":{"id":"m","model":"x","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"now","input":{}}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	evs, err := decode(messages(), wire, dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	if b := fold(t, evs).Choices[0].Blocks[0].(llm.ToolUse); b.Args != "{}" {
		t.Errorf("arguments %q of a tool without any", b.Args)
	}
}

func TestCase_A10_CallWithoutIDOrBelatedName(t *testing.T) {
	ids := func() []string {
		enc := messages().NewEncoder(nil, dialect.Meta{CallID: "c/9"})
		wire := encode(t, enc, []llm.Event{start, tool(0, "", "f", "{}"), llm.BlockEnd{Index: 0}, tool(1, "", "g", "{}"), llm.BlockEnd{Index: 1}, stopped(llm.StopTool), llm.End{}})
		var out []string
		for _, e := range wireEvents(t, wire) {
			if id, ok := e.Block["id"].(string); ok {
				out = append(out, id)
			}
		}
		return out
	}
	a, b := ids(), ids()
	if d := cmp.Diff(a, b); d != "" || len(a) != 2 || a[0] == "" || a[0] == a[1] {
		t.Errorf("ids %v, then %v", a, b)
	}
	got, _ := speak(t, start, tool(0, "a", "", `{"x"`), llm.ArgsDelta{JSON: ":1}"}, tool(0, "a", "late", ""),
		llm.BlockEnd{}, stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, `tool_use late {"x":1}`)
	got, _ = speak(t, start, tool(0, "a", "", `{}`), llm.BlockEnd{Block: llm.ToolUse{ID: "a", Name: "later", Args: "{}"}}, stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, `tool_use later {}`)
	got, enc := speak(t, start, tool(0, "a", "", `{}`), llm.BlockEnd{}, stopped(llm.StopEnd), llm.End{})
	if len(got.blocks) != 0 || got.stop != "end_turn" || len(enc.Losses()) != 1 {
		t.Errorf("a call that never had a name: %v %v %v", got.blocks, got.stop, enc.Losses())
	}
}

func TestCase_A11_CutArgumentsStayCut(t *testing.T) {
	got, _ := speak(t, start, tool(0, "a", "f", ""), llm.ArgsDelta{JSON: `{"x":"ha`}, llm.BlockEnd{}, stopped(llm.StopLength), llm.End{})
	wantBlocks(t, got, `tool_use f {"x":"ha`)
	if got.stop != "max_tokens" {
		t.Errorf("stop %v", got.stop)
	}
	r := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{ID: "a", Name: "f", Args: `{"x":"ha`}}, Stop: llm.Stop{Reason: llm.StopLength}}}}
	reply, lost, err := messages().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil || len(lost) != 1 || !strings.Contains(string(reply.Body), `"stop_reason":"max_tokens"`) {
		t.Errorf("%v %v %s", err, lost, reply.Body)
	}
}

func TestCase_B6_PingPasses(t *testing.T) {
	enc := messages().NewEncoder(nil, dialect.Meta{})
	frames, _ := enc.Encode(llm.Ping{})
	if len(frames) != 1 || frames[0].Event != "ping" || string(frames[0].Data) != `{"type":"ping"}` {
		t.Errorf("got %v", frames)
	}
	evs, err := decode(messages(), []byte(toolStream), dialect.Want{})
	if err != nil || evs[2] != llm.Event(llm.Ping{}) {
		t.Errorf("%v: %v", err, evs[2])
	}
}

func TestCase_B7_MissingEndIsMadeOnce(t *testing.T) {
	cut := strings.TrimSuffix(toolStream, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	for _, want := range []dialect.Want{{}, {Meter: true}} {
		var raw []byte
		ends := 0
		for ch, err := range messages().DecodeStream(frame.NewReader(strings.NewReader(cut), 0).All(), want) {
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, ch.Frame.Raw...)
			for _, ev := range ch.Events {
				if _, ok := ev.(llm.End); ok {
					ends++
				}
			}
		}
		if ends != 1 || string(raw) != toolStream {
			t.Errorf("%d ends; the bytes are right: %v", ends, string(raw) == toolStream)
		}
	}
	evs, err := decode(messages(), []byte(toolStream+toolStream), dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	checkEvents(t, evs)
}

func TestCase_B9_MessageDeltaAlwaysHasUsage(t *testing.T) {
	got, _ := speak(t, start, llm.BlockStart{Block: llm.Text{Text: "four byte"}}, llm.BlockEnd{}, stopped(llm.StopEnd), llm.End{})
	if got.final == nil || got.final["output_tokens"].(float64) == 0 {
		t.Errorf("usage %v", got.final)
	}
	var twice int
	enc := messages().NewEncoder(nil, dialect.Meta{})
	wire := encode(t, enc, []llm.Event{start, llm.BlockStart{Block: llm.Text{Text: "x"}}, llm.BlockEnd{}, llm.BlockEnd{}, stopped(llm.StopEnd), llm.End{}, llm.End{}})
	for _, e := range checkGrammar(t, wire) {
		if e.Type == "content_block_stop" {
			twice++
		}
	}
	if twice != 1 {
		t.Errorf("%d stops of one block", twice)
	}
}

func TestCase_B9_DeltaWithoutStartBeginsABlock(t *testing.T) {
	got, _ := speak(t, start, llm.TextDelta{Index: 4, Text: "lost start"}, stopped(llm.StopEnd), llm.End{})
	wantBlocks(t, got, "text lost start")
	evs, err := decode(messages(), sse(
		`{"type":"message_start","message":{"id":"m","model":"x","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`), dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	checkEvents(t, evs)
}

func TestCase_B12_ErrorWithinAStream(t *testing.T) {
	enc := messages().NewEncoder(nil, dialect.Meta{})
	wire := func() (wire []byte) {
		for _, ev := range []llm.Event{start, llm.TextDelta{Text: "half"}} {
			frames, _ := enc.Encode(ev)
			for _, f := range frames {
				wire = frame.Append(wire, f)
			}
		}
		for _, f := range enc.Close(&llm.Error{Kind: llm.Overloaded, Message: "busy", Retry: time.Second}) {
			wire = frame.Append(wire, f)
		}
		return wire
	}()
	got := tell(t, wire)
	if got.err["type"] != "overloaded_error" || got.err["message"] != "busy" {
		t.Errorf("got %v", got.err)
	}
	if more := enc.Close(nil); len(more) != 0 {
		t.Errorf("%d frames after the error", len(more))
	}
	if frames, _ := enc.Encode(llm.TextDelta{Text: "more"}); len(frames) != 0 {
		t.Errorf("%d frames after the error", len(frames))
	}
	enc = messages().NewEncoder(nil, dialect.Meta{})
	if frames := enc.Close(errors.New("boom: secret")); len(frames) != 1 || strings.Contains(string(frames[0].Data), "secret") {
		t.Errorf("an error of ours is told as %s", frames[0].Data)
	}
}

func TestCase_B13_OrderOfBlocksStays(t *testing.T) {
	got, _ := speak(t, start,
		tool(0, "a", "f", "{}"), llm.BlockEnd{Index: 0},
		llm.BlockStart{Index: 1, Block: llm.Text{}}, llm.TextDelta{Index: 1, Text: "one"}, llm.BlockEnd{Index: 1},
		llm.BlockStart{Index: 2, Block: llm.Text{}}, llm.TextDelta{Index: 2, Text: "two"}, llm.BlockEnd{Index: 2},
		stopped(llm.StopTool), llm.End{})
	wantBlocks(t, got, "tool_use f {}", "text one", "text two")
}

func TestCase_C2_SignatureOnlyThoughtStays(t *testing.T) {
	own := llm.Thought{Origin: "anthropic"}
	got, _ := speak(t, start,
		llm.BlockStart{Index: 0, Block: own}, llm.ThoughtDelta{Index: 0, Signature: "sig"}, llm.BlockEnd{Index: 0},
		llm.BlockStart{Index: 1, Block: llm.Thought{}}, llm.BlockEnd{Index: 1},
		llm.BlockStart{Index: 2, Block: llm.Thought{Sealed: "blob", Origin: "anthropic"}}, llm.BlockEnd{Index: 2},
		stopped(llm.StopEnd), llm.End{})
	wantBlocks(t, got, "thinking sig", "redacted_thinking blob")
}

// Another vendor's signature travels in an envelope, and is neither lost nor sent to this vendor.
func TestCase_C5_ForeignSignatureTravelsInAnEnvelope(t *testing.T) {
	got, enc := speak(t, start,
		llm.BlockStart{Index: 0, Block: llm.Thought{Origin: "openai"}}, llm.ThoughtDelta{Index: 0, Text: "hm"},
		llm.ThoughtDelta{Index: 0, Signature: "foreign"}, llm.BlockEnd{Index: 0}, stopped(llm.StopEnd), llm.End{})
	enclosed := dialect.Enclose(llm.Thought{Signature: "foreign", Origin: "openai"})
	wantBlocks(t, got, "thinking hm"+enclosed)
	if len(enc.Losses()) != 0 {
		t.Errorf("losses %v", enc.Losses())
	}
	body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[
		{"type":"thinking","thinking":"hm","signature":"` + enclosed + `"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`
	in := dialect.Inbound{Body: []byte(body)}
	p, err := messages().DecodeRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	if back := p.(*llm.Request).Messages[1].Blocks[0].(llm.Thought); back.Signature != "foreign" || back.Origin != "openai" {
		t.Errorf("came home as %+v", back)
	}
	out, err := messages().EditRequest(in, dialect.Head{}, dialect.Shape{})
	if err != nil || strings.Contains(string(out.Body), "thinking") || len(out.Changed) != 1 {
		t.Errorf("%v %v %s", err, out.Changed, out.Body)
	}
}

func TestCase_C7_SignatureComesAfterTheText(t *testing.T) {
	got, _ := speak(t, start,
		llm.BlockStart{Index: 0, Block: llm.Thought{Origin: "anthropic", Signature: "S"}}, llm.ThoughtDelta{Index: 0, Text: "a"},
		llm.ThoughtDelta{Index: 0, Text: "b"}, llm.BlockEnd{Index: 0},
		llm.BlockStart{Index: 1, Block: llm.Thought{Origin: "anthropic"}}, llm.ThoughtDelta{Index: 1, Text: "c", Signature: "T"}, llm.BlockEnd{Index: 1},
		stopped(llm.StopEnd), llm.End{})
	wantBlocks(t, got, "thinking abS", "thinking cT")
}

func TestCase_C8_ReasoningIsNotContent(t *testing.T) {
	got, _ := speak(t, start,
		llm.BlockStart{Index: 0, Block: llm.Thought{Field: "reasoning_content"}}, llm.ThoughtDelta{Index: 0, Text: "secret plan"},
		llm.BlockStart{Index: 1, Block: llm.Text{}}, llm.TextDelta{Index: 1, Text: "answer"},
		llm.BlockEnd{Index: 0}, llm.BlockEnd{Index: 1}, stopped(llm.StopEnd), llm.End{})
	wantBlocks(t, got, "thinking secret plan", "text answer")
}

func TestCase_D4_InputIsEstimatedAtTheStartAndExactAtTheEnd(t *testing.T) {
	got, _ := speak(t, start, llm.BlockStart{Block: llm.Text{Text: "hi"}}, llm.BlockEnd{}, stopped(llm.StopEnd),
		llm.UsageReport{Usage: llm.Usage{Input: 100, CacheRead: 20, Output: 7, Reasoning: 3, Reported: llm.InSide | llm.OutSide}}, llm.End{})
	if n := got.start["usage"].(map[string]any)["input_tokens"].(float64); n < 100 || n > 300 {
		t.Errorf("estimate of 600 bytes: %v tokens", n)
	}
	want := map[string]any{
		"input_tokens": 100.0, "cache_read_input_tokens": 20.0, "cache_creation_input_tokens": 0.0, "output_tokens": 10.0,
		"cache_creation":        map[string]any{"ephemeral_5m_input_tokens": 0.0, "ephemeral_1h_input_tokens": 0.0},
		"output_tokens_details": map[string]any{"thinking_tokens": 3.0},
	}
	if d := cmp.Diff(want, got.final); d != "" {
		t.Error(d)
	}
}

func TestCase_J4_NeverASecondMessageStart(t *testing.T) {
	enc := messages().NewEncoder(nil, dialect.Meta{})
	home := llm.Extra{Dialect: "anthropic"}
	for _, ev := range []llm.Event{
		llm.Start{ID: "msg_1"},
		llm.BlockStart{Index: 0, Block: llm.Text{Extra: home}},
		llm.TextDelta{Text: "seen"},
		llm.BlockEnd{},
		llm.BlockStart{Index: 1, Block: llm.Text{Extra: home}},
		llm.TextDelta{Index: 1, Text: "cut"},
	} {
		enc.Observe(ev)
	}
	wire := encode(t, enc, []llm.Event{start, llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "on"}, llm.BlockEnd{}, stopped(llm.StopEnd), llm.End{}})
	var got []string
	for _, e := range wireEvents(t, wire) {
		s := e.Type
		if e.Index != nil {
			s += " " + strconv.Itoa(*e.Index)
		}
		got = append(got, s)
	}
	want := []string{"content_block_stop 1", "content_block_start 2", "content_block_delta 2", "content_block_stop 2", "message_delta", "message_stop"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	enc = messages().NewEncoder(nil, dialect.Meta{})
	enc.Observe(start)
	if frames := enc.Close(&llm.Error{Kind: llm.BadUpstream, Message: "cut"}); len(frames) != 1 || frames[0].Event != "error" {
		t.Errorf("got %v", frames)
	}
}

func TestCase_F7_ToolNamesOfTheCallerComeBack(t *testing.T) {
	req := &llm.Request{Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "files.read"}}}
	sent := dialect.ToolNames{}.Fit("files.read", 64)
	enc := messages().NewEncoder(req, dialect.Meta{})
	got := tell(t, encode(t, enc, []llm.Event{start, tool(0, "a", sent, "{}"), llm.BlockEnd{}, stopped(llm.StopTool), llm.End{}}))
	wantBlocks(t, got, "tool_use files.read {}")
}

func TestSecondChoiceIsNamed(t *testing.T) {
	got, enc := speak(t, start, llm.TextDelta{Text: "a"}, llm.TextDelta{Choice: 1, Text: "b"},
		stopped(llm.StopEnd), llm.Finish{Choice: 1, Stop: llm.Stop{Reason: llm.StopLength}}, llm.End{})
	wantBlocks(t, got, "text a")
	if got.stop != "end_turn" || len(enc.Losses()) != 1 || enc.Losses()[0].What != "choices[1]" {
		t.Errorf("stop %v, losses %v", got.stop, enc.Losses())
	}
}

func TestAnswerWithoutEventsIsStillAnAnswer(t *testing.T) {
	got := tell(t, encode(t, messages().NewEncoder(nil, dialect.Meta{CallID: "x"}), nil))
	if got.stop != "end_turn" || got.start["id"] != "msg_x" {
		t.Errorf("%v %v", got.stop, got.start)
	}
}

func TestFreeTextToolIsSaidAsAnObject(t *testing.T) {
	got, enc := speak(t, start, llm.BlockStart{Block: llm.ToolUse{Kind: llm.ToolCustom, ID: "a", Name: "sql"}},
		llm.ArgsDelta{JSON: "select "}, llm.ArgsDelta{JSON: `"x"`}, llm.BlockEnd{}, stopped(llm.StopTool), llm.End{})
	in, _ := json.Marshal(map[string]string{"input": `select "x"`})
	wantBlocks(t, got, "tool_use sql "+string(in))
	if len(enc.Losses()) != 1 {
		t.Errorf("losses %v", enc.Losses())
	}
}

func TestTheFinalFormOfAFreeTextToolIsNotItsInputAgain(t *testing.T) {
	use := llm.ToolUse{Kind: llm.ToolCustom, ID: "a", Name: "sql"}
	whole := use
	whole.Args = "select 1"
	got, _ := speak(t, start, llm.BlockStart{Block: use}, llm.ArgsDelta{JSON: "select"}, llm.ArgsDelta{JSON: " 1"}, llm.BlockEnd{Block: whole},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}}, llm.End{})
	if d := cmp.Diff([]string{`tool_use sql {"input":"select 1"}`}, got.blocks); d != "" {
		t.Error(d)
	}
}
