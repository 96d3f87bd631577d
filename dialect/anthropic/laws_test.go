package anthropic_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// The laws that hold for every dialect.
func TestLaws(t *testing.T) {
	xs := dialecttest.Recordings(t, "anthropic").Filter(func(x *testkit.Exchange) bool {
		return strings.HasSuffix(x.Path(), "/messages") || x.Path() == ""
	})
	t.Run("requests", func(t *testing.T) {
		// Some hosts name the model in the path, and their bodies are not quite this dialect's.
		xs := xs.Filter(func(x *testkit.Exchange) bool { return strings.Contains(string(x.Request.Body), `"model"`) })
		dialecttest.Requests(t, messages(), xs, func(*testkit.Exchange) map[string]string { return nil })
	})
	t.Run("responses", func(t *testing.T) { dialecttest.Responses(t, messages(), xs) })
	t.Run("cuts", func(t *testing.T) {
		// Each is cut at every byte, which takes its time.
		dialecttest.Cuts(t, messages(), xs.Filter(func(x *testkit.Exchange) bool { return len(x.Response.Body) < 1200 }))
	})
	t.Run("prefixes", func(t *testing.T) { dialecttest.Prefixes(t, messages(), xs) })
	t.Run("speaks", func(t *testing.T) { dialecttest.Speaks(t, messages(), xs, nil) })
}

func chat(t *testing.T) (dialect.Codec, testkit.Exchanges) {
	t.Helper()
	c := openai.Dialect().Codec(llm.OpGenerate)
	xs := dialecttest.Recordings(t, "openai").Filter(func(x *testkit.Exchange) bool { return strings.HasSuffix(x.Path(), "/chat/completions") })
	if len(xs) == 0 {
		t.Skip("no chat completions among the recordings in PLENUM_CORPUS")
	}
	return c, xs
}

// Law: a recorded request of chat completions is said here whole, or what is not is named.
func TestRequestsFromChatCompletions(t *testing.T) {
	c, xs := chat(t)
	for i := range xs {
		x := &xs[i]
		p, err := c.DecodeRequest(dialecttest.Inbound(x, nil))
		if err != nil {
			continue // not a request to this route: recorded for its error
		}
		r := p.(*llm.Request)
		for _, offer := range []*plenum.Offer{{}, {Traits: plenum.Traits{Effort: true}}} {
			out, losses, err := messages().EncodeRequest(p, dialect.Shape{Offer: offer})
			if err != nil {
				t.Errorf("%s: %v", x.Name(), err)
				continue
			}
			back, err := messages().DecodeRequest(dialect.Inbound{Body: out.Body})
			if err != nil {
				t.Errorf("%s: said as a request that is not read: %v\n%s", x.Name(), err, out.Body)
				continue
			}
			checkSaid(t, x.Name(), r, back.(*llm.Request), losses)
		}
	}
}

// checkSaid checks that each part of a request is in the one that it was said as, or named as lost.
func checkSaid(t *testing.T, name string, r, said *llm.Request, losses []dialect.Loss) {
	t.Helper()
	named := func(prefix string) bool {
		return slices.ContainsFunc(losses, func(l dialect.Loss) bool { return strings.HasPrefix(l.What, prefix) })
	}
	have := parts(said)
	for i, m := range r.Messages {
		for j, b := range m.Blocks {
			for _, p := range partsOf(b) {
				if !slices.Contains(have, p) && !named(blockName(i, j)) {
					t.Errorf("%s: %q of %s was lost in silence; named were %v", name, p, blockName(i, j), losses)
				}
			}
		}
	}
	for _, f := range r.Extra.Fields {
		if f.Raw != "" && f.Raw != "null" && !named(f.Key) {
			t.Errorf("%s: %s was lost in silence", name, f.Key)
		}
	}
	if len(said.Tools) != len(r.Tools) && !named("tools[") && !named("tool_choice") {
		t.Errorf("%s: %d of %d tools; named were %v", name, len(said.Tools), len(r.Tools), losses)
	}
	if d := cmp.Diff(r.Stop, said.Stop); d != "" && len(r.Stop) > 0 && !named("stop") {
		t.Errorf("%s: %s", name, d)
	}
}

func blockName(i, j int) string {
	return "messages[" + itoa(i) + "].content[" + itoa(j) + "]"
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func parts(r *llm.Request) (out []string) {
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			out = append(out, partsOf(b)...)
		}
	}
	return out
}

// partsOf returns what a block says, as strings to compare.
func partsOf(b llm.Block) []string {
	switch b := b.(type) {
	case llm.Text:
		if b.Text == "" {
			return nil
		}
		return []string{"text " + strings.TrimRight(b.Text, " \n")}
	case llm.Refusal:
		return []string{"text " + b.Text}
	case llm.ToolUse:
		return []string{"call " + b.Name}
	case llm.ToolDone:
		var out []string
		for _, x := range b.Blocks {
			out = append(out, partsOf(x)...)
		}
		return out
	case llm.Media:
		return []string{"media " + b.Data + b.URL + b.Text}
	case llm.Thought:
		if b.Empty() {
			return nil
		}
		return []string{"thought " + b.Text}
	case llm.Opaque:
		return []string{"opaque " + b.Raw}
	}
	return nil
}

// Law: a recorded answer of chat completions, whole or streamed, is told here as it was.
func TestAnswersFromChatCompletions(t *testing.T) {
	c, xs := chat(t)
	n := 0
	for _, x := range dialecttest.Answers(xs) {
		res, err := c.DecodeResponse(dialecttest.Reply(&x))
		if err != nil {
			continue
		}
		n++
		reply, _, err := messages().EncodeResponse(nil, res, dialect.Meta{CallID: "call"})
		if err != nil {
			t.Fatalf("%s: %v", x.Name(), err)
		}
		back, err := messages().DecodeResponse(reply)
		if err != nil {
			t.Fatalf("%s: %v\n%s", x.Name(), err, reply.Body)
		}
		sameAnswer(t, x.Name(), res.(*llm.Response), back.(*llm.Response))
	}
	for _, x := range dialecttest.Streams(xs) {
		said := dialecttest.Decode(c, dialecttest.Frames(x.Response.Body), dialect.Want{})
		if said.Fault() != nil {
			continue
		}
		n++
		wire := encode(t, messages().NewEncoder(nil, dialect.Meta{CallID: "call"}), said.Events)
		checkGrammar(t, wire)
		evs, err := decode(messages(), wire, dialect.Want{})
		if err != nil {
			t.Fatalf("%s: %v", x.Name(), err)
		}
		sameAnswer(t, x.Name(), said.Fold(), fold(t, evs))
	}
	t.Logf("%d answers", n)
}

// sameAnswer compares what both dialects can say of an answer.
func sameAnswer(t *testing.T, name string, want, got *llm.Response) {
	t.Helper()
	if len(want.Choices) == 0 {
		return
	}
	a, b := dialecttest.Plain(want).Choices[0], dialecttest.Plain(got).Choices[0]
	if d := cmp.Diff(sayable(a.Blocks), sayable(b.Blocks)); d != "" {
		t.Errorf("%s: blocks: %s", name, d)
	}
	if d := cmp.Diff(tokens(want.Usage), tokens(got.Usage)); d != "" && want.Usage.Reported == llm.InSide|llm.OutSide {
		t.Errorf("%s: usage: %s", name, d)
	}
	called := slices.ContainsFunc(b.Blocks, func(b llm.Block) bool { _, ok := b.(llm.ToolUse); return ok })
	if (b.Stop.Reason == llm.StopTool) != called && b.Stop.Reason != llm.StopLength {
		t.Errorf("%s: stops for %q, a tool was called: %v", name, b.Stop.Reason, called)
	}
}

func tokens(u llm.Usage) [4]int64 {
	return [4]int64{u.In(), u.CacheRead, u.Out(), u.Reasoning}
}

// sayable joins what this dialect tells as one kind of block, in order.
func sayable(blocks []llm.Block) (out []string) {
	text := func(kind, s string) {
		if n := len(out); n > 0 && strings.HasPrefix(out[n-1], kind) {
			out[n-1] += s
		} else if s != "" {
			out = append(out, kind+s)
		}
	}
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			text("text ", b.Text)
		case llm.Refusal:
			text("text ", b.Text)
		case llm.Thought:
			text("thought ", b.Text)
		case llm.ToolUse:
			var args any
			_ = json.Unmarshal([]byte(b.Args), &args)
			canon, _ := json.Marshal(args)
			out = append(out, "call "+b.Name+" "+string(canon))
		}
	}
	return out
}
