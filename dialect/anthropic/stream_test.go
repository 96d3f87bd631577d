package anthropic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

func messages() dialect.Codec { return anthropic.Dialect().Codec(llm.OpGenerate) }

// decode returns the events of a stream.
func decode(c dialect.Codec, wire []byte, want dialect.Want) ([]llm.Event, error) {
	var events []llm.Event
	for ch, err := range c.DecodeStream(frame.NewReader(bytes.NewReader(wire), 0).All(), want) {
		events = append(events, ch.Events...)
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// fold returns the answer that events tell.
func fold(t testing.TB, events []llm.Event) *llm.Response {
	t.Helper()
	r, err := llm.Collect(func(yield func(llm.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatalf("folding: %v", err)
	}
	return r
}

// encode returns the bytes that an encoder makes of events and of a good end.
func encode(t testing.TB, enc dialect.Encoder, events []llm.Event) []byte {
	t.Helper()
	var wire []byte
	for _, ev := range events {
		frames, err := enc.Encode(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			wire = frame.Append(wire, f)
		}
	}
	for _, f := range enc.Close(nil) {
		wire = frame.Append(wire, f)
	}
	return wire
}

// wireEvent is an event as a client sees it.
type wireEvent struct {
	Type    string
	Index   *int
	Message map[string]any
	Block   map[string]any `json:"content_block"`
	Delta   map[string]any
	Usage   map[string]any
	Error   map[string]any
}

func wireEvents(t testing.TB, wire []byte) []wireEvent {
	t.Helper()
	var out []wireEvent
	for f, err := range frame.NewReader(bytes.NewReader(wire), 0).All() {
		if err != nil {
			t.Fatal(err)
		}
		var e wireEvent
		if err := json.Unmarshal(exactly(t, f.Data), &e); err != nil {
			t.Fatalf("%v in %s", err, f.Data)
		}
		if e.Type != f.Event {
			t.Errorf("event %q has type %q", f.Event, e.Type)
		}
		out = append(out, e)
	}
	return out
}

// exactly leaves out members that are read as if they were those of wireEvent but for their case.
func exactly(t testing.TB, data []byte) []byte {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool { return key != strings.ToLower(key) })
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkGrammar checks what the vendor's own streams keep to.
func checkGrammar(t testing.TB, wire []byte) []wireEvent {
	t.Helper()
	events := wireEvents(t, wire)
	open, next, over := -1, 0, false
	usage := false
	events = slices.DeleteFunc(events, func(e wireEvent) bool { return e.Type == "ping" })
	for i, e := range events {
		if over {
			t.Fatalf("%s after the end", e.Type)
		}
		if (i == 0) != (e.Type == "message_start") && e.Type != "error" {
			t.Fatalf("event %d is %s", i, e.Type)
		}
		switch e.Type {
		case "content_block_start":
			if open >= 0 || e.Index == nil || *e.Index != next {
				t.Fatalf("block %v begins while %d is open and %d is next", e.Index, open, next)
			}
			open = next
			next++
		case "content_block_delta":
			if e.Index == nil || *e.Index != open {
				t.Fatalf("delta of block %v while %d is open", e.Index, open)
			}
		case "content_block_stop":
			if e.Index == nil || *e.Index != open {
				t.Fatalf("block %v ends while %d is open", e.Index, open)
			}
			open = -1
		case "message_delta":
			usage = e.Usage["output_tokens"] != nil
		case "message_stop", "error":
			over = true
			if e.Type == "message_stop" && (!usage || open >= 0) {
				t.Fatalf("ends with usage %v and block %d open", usage, open)
			}
		}
	}
	if !over {
		t.Fatal("does not end")
	}
	return events
}

// checkEvents checks what llm says a stream of events keeps to.
func checkEvents(t testing.TB, events []llm.Event) {
	t.Helper()
	open := map[int]bool{}
	finished := false
	for i, ev := range events {
		switch e := ev.(type) {
		case llm.Start:
			if i != 0 {
				t.Fatalf("event %d is a start", i)
			}
		case llm.BlockStart:
			if open[e.Index] || finished {
				t.Fatalf("block %d begins again or late", e.Index)
			}
			open[e.Index] = true
		case llm.TextDelta:
			mustBeOpen(t, open, e.Index)
		case llm.ThoughtDelta:
			mustBeOpen(t, open, e.Index)
		case llm.ArgsDelta:
			mustBeOpen(t, open, e.Index)
		case llm.OpaqueDelta:
			mustBeOpen(t, open, e.Index)
		case llm.BlockEnd:
			mustBeOpen(t, open, e.Index)
			delete(open, e.Index)
		case llm.Finish:
			if finished || len(open) > 0 {
				t.Fatalf("finishes twice, or with %v open", open)
			}
			finished = true
		case llm.End:
			if i != len(events)-1 || !finished {
				t.Fatalf("end at %d of %d, finished %v", i, len(events), finished)
			}
		}
	}
}

func mustBeOpen(t testing.TB, open map[int]bool, i int) {
	t.Helper()
	if !open[i] {
		t.Fatalf("block %d is not open", i)
	}
}

func sse(events ...string) []byte {
	var wire []byte
	for _, e := range events {
		var typ struct{ Type string }
		_ = json.Unmarshal([]byte(e), &typ)
		wire = frame.Append(wire, frame.Frame{Event: typ.Type, Data: []byte(e)})
	}
	return wire
}

const toolStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":4,"cache_read_input_tokens":2,"output_tokens":1,"service_tier":"standard"}}}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hmm ü"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Look\n"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"get","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":33}}

event: message_stop
data: {"type":"message_stop"}

`

func TestStreamSaysWhatItSays(t *testing.T) {
	events, err := decode(messages(), []byte(toolStream), dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	checkEvents(t, events)
	got := fold(t, events)
	home := llm.Extra{Dialect: "anthropic"}
	want := &llm.Response{
		ID: "msg_1", Model: "m", Tier: "standard",
		Choices: []llm.Choice{{
			Blocks: []llm.Block{
				llm.Thought{Text: "Hmm ü", Signature: "c2ln", Origin: "anthropic", Extra: home},
				llm.Text{Text: "Look\n", Extra: home},
				llm.ToolUse{Kind: llm.ToolFunction, ID: "toolu_1", Name: "get", Args: `{"a":1}`, Extra: home},
			},
			Stop: llm.Stop{Reason: llm.StopTool, Extra: home},
		}},
		Usage: llm.Usage{
			Input: 9, CacheRead: 2, CacheWrite5m: 4, Output: 33, Reported: llm.InSide | llm.OutSide,
			Extra: llm.Extra{Dialect: "anthropic", Fields: []llm.Field{{Key: "cache_creation"}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Law: however a stream is cut on its way, its events are the same.
func TestStreamCutAtEveryByteIsTheSame(t *testing.T) {
	wire := []byte(toolStream)
	want, err := decode(messages(), wire, dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	slow := frame.NewReader(iotest.OneByteReader(bytes.NewReader(wire)), 0).All()
	if d := cmp.Diff(want, events(t, slow)); d != "" {
		t.Errorf("byte by byte it differs:\n%s", d)
	}
	for k := range wire {
		cut := frame.NewReader(&twoParts{parts: [][]byte{wire[:k], wire[k:]}}, 0).All()
		if d := cmp.Diff(want, events(t, cut)); d != "" {
			t.Fatalf("cut at byte %d it differs:\n%s", k, d)
		}
	}
}

func TestEveryRecordedStreamByteByByteIsTheSame(t *testing.T) {
	for _, x := range corpus(t) {
		if !x.stream {
			continue
		}
		want, err := decode(messages(), x.response, dialect.Want{})
		if err != nil {
			t.Fatal(err)
		}
		slow := frame.NewReader(iotest.OneByteReader(bytes.NewReader(x.response)), 0).All()
		if d := cmp.Diff(want, events(t, slow)); d != "" {
			t.Errorf("%s: byte by byte it differs:\n%s", x.name, d)
		}
	}
}

func events(t *testing.T, frames iter.Seq2[dialect.Frame, error]) []llm.Event {
	t.Helper()
	var out []llm.Event
	for ch, err := range messages().DecodeStream(frames, dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ch.Events...)
	}
	return out
}

// twoParts gives out one part at each read.
type twoParts struct{ parts [][]byte }

func (r *twoParts) Read(p []byte) (int, error) {
	for len(r.parts) > 0 && len(r.parts[0]) == 0 {
		r.parts = r.parts[1:]
	}
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.parts[0])
	r.parts[0] = r.parts[0][n:]
	return n, nil
}

// Law: every prefix of a stream gives no panic, and an error or an end.
func TestEveryPrefixOfAStreamEndsOnce(t *testing.T) {
	streams := [][]byte{[]byte(toolStream)}
	if testing.Short() {
		t.Log("only the stream written here")
	} else {
		for _, x := range corpusOrNone(t) {
			if x.stream && len(x.response) < 20_000 {
				streams = append(streams, x.response)
			}
		}
	}
	for _, wire := range streams {
		for k := range wire {
			for _, want := range []dialect.Want{{}, {Meter: true}} {
				got, err := decode(messages(), wire[:k], want)
				ended := hasEnd(got)
				if (err != nil) == ended {
					t.Fatalf("prefix of %d: error %v, ended %v", k, err, ended)
				}
				if err != nil && !llm.IsKind(err, llm.BadUpstream) {
					t.Fatalf("prefix of %d: %v", k, err)
				}
			}
		}
	}
}

func hasEnd(events []llm.Event) bool {
	n := 0
	for _, ev := range events {
		switch ev.(type) {
		case llm.End, llm.Fault:
			n++
		}
	}
	return n == 1
}

func TestMeterPassesContentUnread(t *testing.T) {
	n, text := 0, 0
	var raw []byte
	frames := frame.NewReader(strings.NewReader(toolStream), 0).All()
	for ch, err := range messages().DecodeStream(frames, dialect.Want{Meter: true}) {
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, ch.Frame.Raw...)
		text += ch.Text
		for _, ev := range ch.Events {
			if llm.IsContent(ev) {
				n++
			}
		}
	}
	if string(raw) != toolStream {
		t.Error("the bytes that passed are not those that came")
	}
	if n != 2 { // the first content, and the finish
		t.Errorf("%d content events were decoded", n)
	}
	if want := len("Hmm ü") + len(`Look\n`) + len(`{\"a\":`) + len("1}"); text != want {
		t.Errorf("counted %d bytes of text, want %d", text, want)
	}
}

func TestStreamOfUnknownEventsPasses(t *testing.T) {
	wire := sse(
		`{"type":"message_start","message":{"id":"m","model":"x","role":"assistant","type":"message","content":[],"container":{"id":"c"},"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}`,
		`{"type":"thread_started","thread":{"id":1}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"go\"}"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"compaction","content":null}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"compaction_delta","content":"sum"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"compaction_delta","content":"mary"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"web_search_tool_result","tool_use_id":"srv","content":[]}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"content_block_start","index":3,"content_block":{"type":"text","text":"","citations":[]}}`,
		`{"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://x","title":"X","cited_text":"q","encrypted_index":"e"}}}`,
		`{"type":"content_block_delta","index":3,"delta":{"type":"sparkle_delta","sparkle":1}}`,
		`{"type":"content_block_stop","index":3}`,
		`{"type":"message_delta","context_management":{"applied_edits":[]},"delta":{"stop_reason":"compaction","stop_sequence":null,"stop_details":{"type":"x"},"container":{"id":"c2"}},"usage":{"output_tokens":2,"iterations":[1]}}`,
		`{"type":"message_stop"}`,
	)
	all, err := decode(messages(), wire, dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	checkEvents(t, all)
	r := fold(t, all)
	want := []llm.Block{
		llm.Opaque{Dialect: "anthropic", Type: "server_tool_use", Raw: `{"type":"server_tool_use","id":"srv","name":"web_search","input":{"query":"go"}}`},
		llm.Opaque{Dialect: "anthropic", Type: "compaction", Raw: `{"type":"compaction","content":"summary"}`},
		llm.Opaque{Dialect: "anthropic", Type: "web_search_tool_result", Raw: `{"type":"web_search_tool_result","tool_use_id":"srv","content":[]}`},
	}
	if d := cmp.Diff(want, r.Choices[0].Blocks[:3]); d != "" {
		t.Error(d)
	}
	if c := r.Choices[0].Blocks[3].(llm.Text).Citations; len(c) != 1 || c[0].URL != "https://x" {
		t.Errorf("citations %v", c)
	}
	if got, _ := r.Extra.Get("container"); got != `{"id":"c2"}` {
		t.Errorf("container %s", got)
	}
	enc := messages().NewEncoder(nil, dialect.Meta{})
	again := encode(t, enc, all)
	if len(enc.Losses()) != 0 {
		t.Errorf("lost %v", enc.Losses())
	}
	checkOnlyAdds(t, wire, again)
	redone, err := decode(messages(), again, dialect.Want{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, fold(t, redone)); d != "" {
		t.Error(d)
	}
}

// checkOnlyAdds checks that every event of the one stream is in the other, in order, of the same type.
func checkOnlyAdds(t *testing.T, want, got []byte) {
	t.Helper()
	rest := wireEvents(t, got)
	for _, w := range wireEvents(t, want) {
		for len(rest) > 0 && (rest[0].Type != w.Type || w.Delta != nil && w.Delta["type"] != rest[0].Delta["type"]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Fatalf("%s %v was lost", w.Type, w.Delta)
		}
	}
}

func TestStreamErrorIsAFault(t *testing.T) {
	wire := append([]byte(toolStream[:strings.Index(toolStream, "event: content_block_stop")]),
		sse(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, `{"type":"message_stop"}`)...)
	for _, want := range []dialect.Want{{}, {Meter: true}} {
		got, err := decode(messages(), wire, want)
		if err != nil {
			t.Fatal(err)
		}
		f, ok := got[len(got)-1].(llm.Fault)
		if !ok || f.Err.Kind != llm.Overloaded || !f.Err.Upstream.InStream || f.Err.Message != "Overloaded" {
			t.Errorf("got %#v", got[len(got)-1])
		}
	}
}

func TestStreamThatBreaksOffIsAnError(t *testing.T) {
	reset := errors.New("connection reset")
	frames := func(yield func(dialect.Frame, error) bool) { yield(dialect.Frame{}, reset) }
	for _, err := range messages().DecodeStream(frames, dialect.Want{}) {
		if !llm.IsKind(err, llm.BadUpstream) || !errors.Is(err, reset) {
			t.Errorf("got %v", err)
		}
	}
}
