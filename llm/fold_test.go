package llm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/llm"
	"pgregory.net/rapid"
)

// The law on which everything rests: a whole answer and its stream are the same answer.
func TestCollectOfReplayIsTheSameResponse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := response(rt)
		got, err := llm.Collect(llm.Replay(want))
		if err != nil {
			rt.Fatalf("collecting: %v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("Collect(Replay(r)) differs from r (-want +got):\n%s", d)
		}
	})
}

func TestReplayStopsWhenNobodyListens(t *testing.T) {
	r := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "a"}, llm.Text{Text: "b"}}}}}
	for stop := 1; stop < 9; stop++ {
		n := 0
		for range llm.Replay(r) {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("heard %d events, stopped after %d", n, stop)
		}
	}
}

func TestCollectKeepsInterleavedBlocksApart(t *testing.T) {
	events := []llm.Event{
		llm.Start{ID: "r"},
		llm.BlockStart{Index: 1, Block: llm.ToolUse{ID: "b", Name: "g"}},
		llm.BlockStart{Index: 0, Block: llm.ToolUse{ID: "a", Name: "f"}},
		llm.ArgsDelta{Index: 0, JSON: `{"x"`},
		llm.ArgsDelta{Index: 1, JSON: `{"y"`},
		llm.ArgsDelta{Index: 0, JSON: `:1}`},
		llm.ArgsDelta{Index: 1, JSON: `:2}`},
		llm.BlockEnd{Index: 0},
		llm.BlockEnd{Index: 1},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}},
		llm.End{},
	}
	got, err := llm.Collect(stream(events, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Block{llm.ToolUse{ID: "a", Name: "f", Args: `{"x":1}`}, llm.ToolUse{ID: "b", Name: "g", Args: `{"y":2}`}}
	if d := cmp.Diff(want, got.Choices[0].Blocks); d != "" {
		t.Error(d)
	}
}

func TestCollectReturnsWhatWasSaidBeforeAFault(t *testing.T) {
	fault := &llm.Error{Kind: llm.Overloaded, Message: "busy"}
	got, err := llm.Collect(stream([]llm.Event{
		llm.Start{ID: "r"}, llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "half"}, llm.Fault{Err: fault},
	}, nil))
	if err != error(fault) {
		t.Fatalf("got error %v, want the fault", err)
	}
	if d := cmp.Diff([]llm.Block{llm.Text{Text: "half"}}, got.Choices[0].Blocks); d != "" {
		t.Error(d)
	}
}

func stream(events []llm.Event, err error) llm.Stream {
	return func(yield func(llm.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func response(t *rapid.T) *llm.Response {
	r := &llm.Response{
		ID: word(t, "id"), Model: word(t, "model"), Created: rapid.Int64Range(0, 1<<40).Draw(t, "created"),
		Tier: word(t, "tier"), Extra: extra(t), Usage: usage(t),
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "choices") {
		c := llm.Choice{Index: i, Extra: extra(t), Message: extra(t)}
		c.Stop = llm.Stop{Reason: llm.StopReason(word(t, "stop")), Sequence: word(t, "seq"), Raw: word(t, "raw"), Extra: extra(t)}
		for range rapid.IntRange(0, 4).Draw(t, "blocks") {
			c.Blocks = append(c.Blocks, block(t))
		}
		if rapid.Bool().Draw(t, "logprobs") {
			c.Logprobs = &llm.Logprobs{Content: []llm.Logprob{{Token: word(t, "token"), Value: "-0.5", Bytes: []int{1}}}, Extra: extra(t)}
		}
		r.Choices = append(r.Choices, c)
	}
	return r
}

func block(t *rapid.T) llm.Block {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		b := llm.Text{Text: word(t, "text"), Extra: extra(t)}
		for range rapid.IntRange(0, 2).Draw(t, "cites") {
			b.Citations = append(b.Citations, llm.Citation{Kind: llm.CiteURL, URL: word(t, "url"), Source: -1})
		}
		return b
	case 1:
		return llm.Refusal{Text: word(t, "text"), Extra: extra(t)}
	case 2:
		return llm.Thought{Text: word(t, "text"), Signature: word(t, "sig"), Sealed: word(t, "sealed"), Origin: word(t, "origin"), Extra: extra(t)}
	case 3:
		return llm.ToolUse{Kind: llm.ToolFunction, ID: word(t, "id"), Name: word(t, "name"), Args: word(t, "args"), Extra: extra(t)}
	case 4:
		return llm.Media{Kind: llm.Audio, Data: word(t, "data"), Text: word(t, "transcript"), Extra: extra(t)}
	case 5:
		return llm.ToolDone{ID: word(t, "id"), Blocks: []llm.Block{llm.Text{Text: word(t, "text")}}}
	default:
		return llm.Opaque{Dialect: "x", Type: word(t, "type"), Raw: `{"a":1}`}
	}
}

func usage(t *rapid.T) llm.Usage {
	n := func(s string) int64 { return rapid.Int64Range(0, 1<<40).Draw(t, s) }
	return llm.Usage{
		Input: n("in"), CacheRead: n("read"), CacheWrite5m: n("w5"), CacheWrite1h: n("w1"), Output: n("out"),
		Reasoning: n("think"), Reported: llm.InSide | llm.OutSide, Extra: extra(t),
	}
}

func extra(t *rapid.T) llm.Extra {
	var e llm.Extra
	for i := range rapid.IntRange(0, 2).Draw(t, "extras") {
		e.Add("x", string(rune('a'+i)), `"`+word(t, "v")+`"`)
	}
	return e
}

func word(t *rapid.T, name string) string { return rapid.StringMatching(`[a-z]{0,6}`).Draw(t, name) }
