package matrix

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// spent returns how many bytes f allocates.
func spent(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// flows are streams of n pieces of one kind each.
func flows(n int) map[string][]llm.Event {
	of := func(b llm.Block, piece func(i int) llm.Event) []llm.Event {
		out := []llm.Event{llm.Start{ID: "s", Model: "m", Created: 1}, llm.BlockStart{Block: b}}
		for i := range n {
			out = append(out, piece(i))
		}
		stop := llm.StopEnd
		if _, call := b.(llm.ToolUse); call {
			stop = llm.StopTool
		}
		return append(out, llm.BlockEnd{}, llm.Finish{Stop: llm.Stop{Reason: stop}}, llm.UsageReport{Usage: llm.Usage{Input: 1, Output: 1, Reported: llm.InSide | llm.OutSide}}, llm.End{})
	}
	out := map[string][]llm.Event{
		"text":    of(llm.Text{}, func(int) llm.Event { return llm.TextDelta{Text: "some words "} }),
		"thought": of(llm.Thought{}, func(int) llm.Event { return llm.ThoughtDelta{Text: "some words "} }),
		"call": of(llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "f"}, func(i int) llm.Event {
			switch i {
			case 0:
				return llm.ArgsDelta{JSON: `{"a":"`}
			case n - 1:
				return llm.ArgsDelta{JSON: `"}`}
			}
			return llm.ArgsDelta{JSON: "some words "}
		}),
		"citations": of(llm.Text{Text: "words"}, func(i int) llm.Event {
			return llm.CiteDelta{Citation: llm.Citation{Kind: llm.CiteURL, Title: "t", URL: fmt.Sprint("https://example.com/", i), Source: -1, End: 5}}
		}),
	}
	calls := []llm.Event{llm.Start{ID: "s", Model: "m", Created: 1}}
	for i := range n {
		calls = append(calls, llm.BlockStart{Index: i, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: fmt.Sprint("call_", i), Name: "f"}}, llm.ArgsDelta{Index: i, JSON: "{}"}, llm.BlockEnd{Index: i})
	}
	out["calls"] = append(calls, llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}}, llm.End{})
	return out
}

// long is a request of n turns, each with a call and its result, and n tools.
func long(n int) *llm.Request {
	r := &llm.Request{Model: "m", MaxOut: llm.Some(100)}
	for i := range n {
		name, id := fmt.Sprint("tool_", i), fmt.Sprint("call_", i)
		r.Tools = append(r.Tools, llm.Tool{Kind: llm.ToolFunction, Name: name, Description: "d", Schema: `{"type":"object","properties":{}}`})
		r.Messages = append(r.Messages, user(text("some words")), assistant(llm.Thought{Text: "hm"}, llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: name, Args: "{}"}),
			llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: id, Name: name, Plain: true, Blocks: []llm.Block{text("done")}}}})
	}
	return r
}

const (
	few  = 400
	many = 4 * few
	// most is how much more four times as much may cost: twice what is in proportion.
	most = 8
)

// What is four times as long costs about four times as much, in every dialect: nothing grows with the square of an
// answer's or a conversation's length.
func TestNothingGrowsWithTheSquareOfALength(t *testing.T) {
	for _, s := range sides.All() {
		codec, vars := s.Codec("anthropic.claude-m", true)
		req := &llm.Request{Model: "m", Stream: true, StreamUsage: llm.Some(true)}
		meta := dialect.Meta{CallID: "c", Now: 1}
		small, large := flows(few), flows(many)
		for kind := range small {
			say := func(events []llm.Event) (wire []byte) {
				wire, err := dialecttest.Encode(codec.NewEncoder(req, meta), events, nil)
				if err != nil {
					t.Errorf("%s, %s: %v", s.Title, kind, err)
				}
				return wire
			}
			read := func(wire []byte) {
				for _, err := range codec.DecodeStream(s.Frames(wire), dialect.Want{}) {
					if err != nil {
						t.Errorf("%s, %s: %v", s.Title, kind, err)
					}
				}
			}
			grows(t, s.Title+" says a stream of "+kind, func() { say(small[kind]) }, func() { say(large[kind]) })
			a, b := say(small[kind]), say(large[kind])
			if len(b) > most*len(a) {
				t.Errorf("%s: a stream of %s grows from %d to %d bytes", s.Title, kind, len(a), len(b))
			}
			grows(t, s.Title+" reads a stream of "+kind, func() { read(a) }, func() { read(b) })
		}
		shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "anthropic.claude-m"}}
		write := func(r *llm.Request) []byte {
			out, _, err := codec.EncodeRequest(r, shape)
			if err != nil {
				t.Errorf("%s: %v", s.Title, err)
			}
			return out.Body
		}
		read := func(body []byte) {
			if _, err := codec.DecodeRequest(dialect.Inbound{Path: strings.Split(s.Path("m", true), "?")[0], Vars: vars, Body: body}); err != nil {
				t.Errorf("%s: %v", s.Title, err)
			}
		}
		grows(t, s.Title+" says a request", func() { write(long(few)) }, func() { write(long(many)) })
		a, b := write(long(few)), write(long(many))
		grows(t, s.Title+" reads a request", func() { read(a) }, func() { read(b) })
	}
}

func grows(t *testing.T, what string, few, many func()) {
	t.Helper()
	few()
	a, b := spent(few), spent(many)
	if b > most*a+1<<16 {
		t.Errorf("%s: %d bytes, and for four times as much %d, %.1f times as many", what, a, b, float64(b)/float64(a))
	}
}
