package matrix

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// phrase draws a text that says something: letters of all kinds, quotes, breaks, what must be escaped.
func phrase(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-zA-Zäß€日😀"\\\n\t/<>{}\x01' ]{0,24}[a-z]`).Draw(t, label)
}

func chance(t *rapid.T, label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }

func maybe[T any](t *rapid.T, label string, g *rapid.Generator[T]) llm.Opt[T] {
	if !chance(t, label+" said") {
		return llm.Opt[T]{}
	}
	return llm.Some(g.Draw(t, label))
}

// object draws the arguments of a call.
func object(t *rapid.T, label string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range rapid.IntRange(0, 2).Draw(t, label) {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `"k%d":%s`, i, rapid.SampledFrom([]string{`"v"`, "1", "true", "null", `["a",{"b":2}]`, `"ä\n\"q\""`}).Draw(t, "value"))
	}
	return b.String() + "}"
}

// anyRequest draws a conversation as one may go on: people speak, models think, call and answer, tools tell.
func anyRequest(t *rapid.T) *llm.Request {
	r := &llm.Request{Model: "m", MaxOut: llm.Some(rapid.IntRange(4000, 9000).Draw(t, "max"))}
	if chance(t, "system") {
		r.Messages = append(r.Messages, llm.Message{Role: llm.System, Place: "field", Blocks: []llm.Block{llm.Text{Text: phrase(t, "system")}}})
	}
	if chance(t, "tools") {
		r.Tools = tools()
		r.Choose.Mode = rapid.SampledFrom([]llm.ChooseMode{llm.ChooseUnset, llm.ChooseAuto, llm.ChooseAny, llm.ChooseNone}).Draw(t, "choice")
		r.Parallel = maybe(t, "parallel", rapid.Bool())
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "turns") {
		asked := []llm.Block{llm.Text{Text: phrase(t, "asked")}}
		if chance(t, "image") {
			asked = append(asked, llm.Media{Kind: llm.Image, MIME: "image/png", Data: pixel})
		}
		r.Messages = append(r.Messages, user(asked...))
		said := []llm.Block{}
		if chance(t, "thought") {
			said = append(said, llm.Thought{Text: phrase(t, "thought")})
		}
		if chance(t, "said") {
			said = append(said, llm.Text{Text: phrase(t, "said")})
		}
		var results []llm.Message
		if r.Tools != nil {
			for j := range rapid.IntRange(0, 2).Draw(t, "calls") {
				id := fmt.Sprintf("call_%d_%d", i, j)
				said = append(said, llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: "weather", Args: object(t, "args")})
				results = append(results, result(id, llm.Text{Text: phrase(t, "result")}))
			}
		}
		if len(said) == 0 || len(said) == 1 && results == nil {
			if _, thought := append(said, llm.Text{})[0].(llm.Thought); thought || len(said) == 0 {
				said = append(said, llm.Text{Text: phrase(t, "answer")})
			}
		}
		r.Messages = append(append(r.Messages, assistant(said...)), results...)
	}
	r.Messages = append(r.Messages, user(llm.Text{Text: phrase(t, "last")}))
	r.Temperature = maybe(t, "temperature", rapid.SampledFrom([]float64{0, 0.25, 1}))
	r.TopP = maybe(t, "top_p", rapid.SampledFrom([]float64{0.5, 0.9}))
	r.TopK = maybe(t, "top_k", rapid.IntRange(1, 50))
	r.Seed = maybe(t, "seed", rapid.Int64Range(0, 1<<31-1))
	r.FrequencyPenalty = maybe(t, "frequency", rapid.SampledFrom([]float64{-0.5, 0.5}))
	r.PresencePenalty = maybe(t, "presence", rapid.SampledFrom([]float64{-0.5, 0.5}))
	if chance(t, "stop") {
		r.Stop = []string{"END", phrase(t, "stop")}
	}
	if chance(t, "format") {
		r.Output = llm.Format{Kind: llm.FormatSchema, Name: "person", Schema: person, Strict: llm.Some(true)}
	}
	return r
}

// anyAnswer draws an answer.
func anyAnswer(t *rapid.T) *llm.Response {
	r := response()
	var blocks []llm.Block
	if chance(t, "thought") {
		blocks = append(blocks, llm.Thought{Text: phrase(t, "thought")})
	}
	if chance(t, "text") {
		blocks = append(blocks, llm.Text{Text: phrase(t, "text")})
	}
	stop := rapid.SampledFrom([]llm.StopReason{llm.StopEnd, llm.StopLength, llm.StopFilter}).Draw(t, "stop")
	for j := range rapid.IntRange(0, 2).Draw(t, "calls") {
		blocks = append(blocks, llm.ToolUse{Kind: llm.ToolFunction, ID: fmt.Sprintf("call_%d", j), Name: "weather", Args: object(t, "args")})
		stop = llm.StopTool
	}
	if len(blocks) == 0 {
		blocks = append(blocks, llm.Text{Text: phrase(t, "answer")})
	}
	r.Choices[0] = llm.Choice{Blocks: blocks, Stop: llm.Stop{Reason: stop}}
	n := rapid.Int64Range(0, 1000)
	r.Usage = llm.Usage{
		Input: 1 + n.Draw(t, "input"), CacheRead: n.Draw(t, "read"), CacheWrite5m: n.Draw(t, "written"), Output: 1 + n.Draw(t, "output"),
		Reasoning: n.Draw(t, "reasoning"), Reported: llm.InSide | llm.OutSide,
	}
	return r
}

// Whatever is said in a dialect is understood there, or named as lost; and what was understood is said again as it was,
// with nothing lost: reading undoes saying.
func TestReadingUndoesSaying(t *testing.T) {
	for _, s := range sides.All() {
		t.Run(s.Title+", requests", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { requestLaws(t, s) }) })
		t.Run(s.Title+", answers", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { answerLaws(t, s) }) })
		t.Run(s.Title+", streams", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { streamLaws(t, s) }) })
	}
}

const lawModel = "anthropic.claude-of-the-laws"

func requestLaws(t *rapid.T, s sides.Side) {
	codec, vars := s.Codec(lawModel, false)
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: lawModel}}
	say := func(r *llm.Request, shape dialect.Shape) ([]byte, []dialect.Loss, []string) {
		out, losses, err := codec.EncodeRequest(r, shape)
		if err != nil {
			t.Fatal(err)
		}
		return out.Body, losses, out.Changed
	}
	read := func(body []byte) *llm.Request {
		p, err := codec.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Path: s.Path(lawModel, false), Vars: vars, Header: http.Header{}, Body: body})
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return p.(*llm.Request)
	}
	r := anyRequest(t)
	body, losses, changed := say(r, shape)
	back := read(body)
	for _, c := range changed {
		losses = append(losses, dialect.Loss{What: strings.SplitN(c, " ", 2)[0]})
	}
	if silent := dialecttest.Asked(r, false).Silent(dialecttest.Asked(back, false), losses); len(silent) > 0 {
		t.Fatalf("lost in silence: %v (named %v): %s", silent, losses, body)
	}
	again, losses, changed := say(back, dialect.Shape{})
	if len(losses)+len(changed) > 0 {
		t.Fatalf("what was said here is said again with losses: %v %v", losses, changed)
	}
	if d := cmp.Diff(plain(back), plain(read(again)), anyOrder()); d != "" {
		t.Fatalf("%s\n%s\n%s", d, body, again)
	}
}

// anyOrder compares members without their order, in which nothing is said.
func anyOrder() cmp.Option {
	return cmpopts.SortSlices(func(a, b llm.Field) bool { return a.Key < b.Key })
}

// plain is a request without what only saves work.
func plain(r *llm.Request) llm.Request {
	out := *r
	out.Said = nil
	return out
}

func answerLaws(t *rapid.T, s sides.Side) {
	codec, _ := s.Codec(lawModel, false)
	say := func(r *llm.Response) ([]byte, []dialect.Loss) {
		out, losses, err := codec.EncodeResponse(nil, r, dialect.Meta{CallID: "c", Now: 1, Model: lawModel})
		if err != nil {
			t.Fatal(err)
		}
		return out.Body, losses
	}
	read := func(body []byte) *llm.Response {
		res, err := codec.DecodeResponse(dialect.Reply{Status: http.StatusOK, Header: http.Header{}, Body: body})
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return res.(*llm.Response)
	}
	r := anyAnswer(t)
	body, losses := say(r)
	back := read(body)
	if silent := dialecttest.Answered(r).Silent(dialecttest.Answered(back), losses); len(silent) > 0 {
		t.Fatalf("lost in silence: %v (named %v): %s", silent, losses, body)
	}
	again, losses := say(back)
	if len(losses) > 0 {
		t.Fatalf("what was said here is said again with losses: %v", losses)
	}
	if d := cmp.Diff(back, read(again), anyOrder()); d != "" {
		t.Fatalf("%s\n%s\n%s", d, body, again)
	}
}

func streamLaws(t *rapid.T, s sides.Side) {
	codec, _ := s.Codec(lawModel, true)
	say := func(events []llm.Event) ([]byte, []dialect.Loss) {
		e := codec.NewEncoder(&llm.Request{Model: lawModel, Stream: true, StreamUsage: llm.Some(true)}, dialect.Meta{CallID: "c", Now: 1, Model: lawModel})
		wire, err := dialecttest.Encode(e, events, nil)
		if err != nil {
			t.Fatal(err)
		}
		return wire, e.Losses()
	}
	read := func(wire []byte) dialecttest.Said {
		said := dialecttest.Decode(codec, s.Frames(wire), dialect.Want{})
		if err := said.Fault(); err != nil {
			t.Fatalf("%v: %s", err, wire)
		}
		if wrong := dialecttest.Grammar(said.Events, false); wrong != "" {
			t.Fatalf("%s: %s", wrong, wire)
		}
		return said
	}
	r := anyAnswer(t)
	wire, losses := say(cut(t, r))
	said := read(wire)
	back := said.Fold()
	if silent := dialecttest.Answered(r).Silent(dialecttest.Answered(back), losses); len(silent) > 0 {
		t.Fatalf("lost in silence: %v (named %v): %s", silent, losses, wire)
	}
	again, losses := say(said.Events)
	if len(losses) > 0 {
		t.Fatalf("what was said here is said again with losses: %v", losses)
	}
	if d := dialecttest.Answered(back).Differ(dialecttest.Answered(read(again).Fold())); len(d) > 0 {
		t.Fatalf("%v\n%s\n%s", d, wire, again)
	}
}

// cut returns the events of an answer, its texts in pieces as models say them.
func cut(t *rapid.T, r *llm.Response) (out []llm.Event) {
	pieces := func(s string, event func(string) llm.Event) {
		for s != "" {
			runes := []rune(s)
			n := len(string(runes[:rapid.IntRange(1, len(runes)).Draw(t, "piece")]))
			out = append(out, event(s[:n]))
			s = s[n:]
		}
	}
	for ev := range llm.Replay(r) {
		b, ok := ev.(llm.BlockStart)
		if !ok {
			switch d := ev.(type) {
			case llm.TextDelta:
				pieces(d.Text, func(s string) llm.Event { return llm.TextDelta{Choice: d.Choice, Index: d.Index, Text: s} })
			case llm.ThoughtDelta:
				pieces(d.Text, func(s string) llm.Event { return llm.ThoughtDelta{Choice: d.Choice, Index: d.Index, Text: s} })
			case llm.ArgsDelta:
				pieces(d.JSON, func(s string) llm.Event { return llm.ArgsDelta{Choice: d.Choice, Index: d.Index, JSON: s} })
			default:
				out = append(out, ev)
			}
			continue
		}
		switch x := b.Block.(type) {
		case llm.Text:
			text := x.Text
			x.Text = ""
			out = append(out, llm.BlockStart{Choice: b.Choice, Index: b.Index, Block: x})
			pieces(text, func(s string) llm.Event { return llm.TextDelta{Choice: b.Choice, Index: b.Index, Text: s} })
		case llm.Thought:
			text := x.Text
			x.Text = ""
			out = append(out, llm.BlockStart{Choice: b.Choice, Index: b.Index, Block: x})
			pieces(text, func(s string) llm.Event { return llm.ThoughtDelta{Choice: b.Choice, Index: b.Index, Text: s} })
		case llm.ToolUse:
			args := x.Args
			x.Args = ""
			out = append(out, llm.BlockStart{Choice: b.Choice, Index: b.Index, Block: x})
			pieces(args, func(s string) llm.Event { return llm.ArgsDelta{Choice: b.Choice, Index: b.Index, JSON: s} })
		default:
			out = append(out, ev)
		}
	}
	return out
}
