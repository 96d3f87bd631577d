package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// redactAll reads a stream whole and replaces a word in every chunk that adds it to a block.
func redactAll(t *testing.T, stream, word string) dialecttest.Said {
	t.Helper()
	var out dialecttest.Said
	for ch, err := range chat().DecodeStream(dialecttest.Frames([]byte(stream)), dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		var edits []dialect.TextEdit
		for _, ev := range ch.Events {
			choice, index, text := 0, 0, ""
			switch e := ev.(type) {
			case llm.TextDelta:
				choice, index, text = e.Choice, e.Index, e.Text
			case llm.ThoughtDelta:
				choice, index, text = e.Choice, e.Index, e.Text
			case llm.ArgsDelta:
				choice, index, text = e.Choice, e.Index, e.JSON
			}
			if i := strings.Index(text, word); i >= 0 {
				edits = append(edits, dialect.TextEdit{Choice: choice, Index: index, Start: i, End: i + len(word), New: "[gone]"})
			}
		}
		if ch, err = chat().Redact(ch, edits); err != nil {
			t.Fatal(err)
		}
		out.Events = append(out.Events, ch.Events...)
		out.Raw = append(out.Raw, ch.Frame.Raw...)
	}
	return out
}

func TestRedactedStreams(t *testing.T) {
	stream := chunk(`{"content":"the \"secret\" word"}`, `null`) + chunk(`{"refusal":"secret"}`, `null`) +
		chunk(`{"reasoning":"a secret","reasoning_details":[{"type":"reasoning.text","text":"a secret","index":0}]}`, `null`) +
		chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"secret\"}"}}]}`, `null`) +
		`data: {"id":"c","choices":[{"index":1,"delta":{"content":"secret"},"logprobs":{"content":[{"token":"secret","logprob":-1}]}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + done
	got := redactAll(t, stream, "secret")
	if strings.Contains(string(got.Raw), "secret") || strings.Count(string(got.Raw), "[gone]") != 6 {
		t.Errorf("got %s", got.Raw)
	}
	again := read(string(got.Raw), dialect.Want{})
	if d := cmp.Diff(again.Fold().Choices, got.Fold().Choices); d != "" || again.Err != nil {
		t.Errorf("bytes and meaning differ: %v %s", again.Err, d)
	}
}

func TestRedactedAnswers(t *testing.T) {
	body := []byte(`{"id":"c","choices":[{"index":0,"message":{"role":"assistant","reasoning":"a secret","reasoning_details":[{"type":"reasoning.text","text":"a secret","index":0}],"content":"say secret",` +
		`"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":\"secret\"}"}}]},"finish_reason":"tool_calls","logprobs":{"content":[{"token":"secret","logprob":-1}]}}]}`)
	res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	edits := []dialect.TextEdit{{Index: 0, Start: 2, End: 8, New: "X"}, {Index: 1, Start: 4, End: 10, New: "X"}, {Index: 2, Start: 6, End: 12, New: "X"}}
	for _, result := range []llm.Result{res, nil} {
		ch, err := chat().Redact(dialect.Chunk{Body: body, Result: result}, edits)
		if err != nil || strings.Contains(string(ch.Body), "secret") {
			t.Errorf("got %s, %v", ch.Body, err)
		}
		back, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: ch.Body})
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := ch.Result.(*llm.Response); ok {
			if d := cmp.Diff(dialecttest.Plain(back.(*llm.Response)), dialecttest.Plain(r)); d != "" {
				t.Error(d)
			}
		}
	}
	if res.(*llm.Response).Choices[0].Blocks[1].(llm.Text).Text != "say secret" {
		t.Error("the answer given was changed")
	}
	for _, e := range []dialect.TextEdit{{Index: 9}, {Choice: 3}, {Index: 1, Start: 2, End: 99}, {Index: -1}} {
		if ch, err := chat().Redact(dialect.Chunk{Body: body, Result: res}, []dialect.TextEdit{e}); err == nil {
			t.Errorf("%+v gave %s", e, ch.Body)
		}
	}
}
