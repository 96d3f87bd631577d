package anthropic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

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
		if err := json.Unmarshal(f.Data, &e); err != nil {
			t.Fatalf("%v in %s", err, f.Data)
		}
		if e.Type != f.Event {
			t.Errorf("event %q has type %q", f.Event, e.Type)
		}
		out = append(out, e)
	}
	return out
}

// checkGrammar checks what the vendor's own streams keep to.
func checkGrammar(t testing.TB, wire []byte) []wireEvent {
	t.Helper()
	events := wireEvents(t, wire)
	open, next, over := -1, 0, false
	usage := false
	for i, e := range events {
		if over {
			t.Fatalf("%s after the end", e.Type)
		}
		if (i == 0) != (e.Type == "message_start") && e.Type != "error" && e.Type != "ping" {
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

// oneByte gives out a byte at a time.
type oneByte struct{ b []byte }

func (r *oneByte) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, errEOF
	}
	p[0], r.b = r.b[0], r.b[1:]
	return 1, nil
}

var errEOF = errors.New("placeholder")

func sse(events ...string) []byte {
	var wire []byte
	for _, e := range events {
		var typ struct{ Type string }
		_ = json.Unmarshal([]byte(e), &typ)
		wire = frame.Append(wire, frame.Frame{Event: typ.Type, Data: []byte(e)})
	}
	return wire
}

var _ = slices.Contains[[]string]
var _ = strings.Contains
var _ = cmp.Diff
