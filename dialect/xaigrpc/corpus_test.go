package xaigrpc_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/specs"
)

func TestRecordedRequestsAreSaidAgain(t *testing.T) {
	files, c := specs.XAI(t), whole()
	for _, r := range recordings(t) {
		p, err := c.DecodeRequest(dialect.Inbound{Body: r.request})
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", r.name, losses, err)
		}
		want, got := parse(t, files, "GetCompletionsRequest", r.request), parse(t, files, "GetCompletionsRequest", out.Body)
		if !proto.Equal(want, got) {
			t.Errorf("%s: %s", r.name, cmp.Diff(prototext.Format(want), prototext.Format(got)))
		}
	}
}

func TestRecordedAnswersAreSaidAgain(t *testing.T) {
	files, c := specs.XAI(t), whole()
	for _, r := range recordings(t) {
		if len(r.answer) == 0 {
			continue
		}
		res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: r.answer})
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		reply, losses, err := c.EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", r.name, losses, err)
		}
		want, got := parse(t, files, "GetChatCompletionResponse", r.answer), parse(t, files, "GetChatCompletionResponse", reply.Body)
		if !proto.Equal(want, got) {
			t.Errorf("%s: %s", r.name, cmp.Diff(prototext.Format(want), prototext.Format(got)))
		}
		said := res.(*llm.Response)
		folded, err := llm.Collect(llm.Replay(said))
		if d := cmp.Diff(said, folded); d != "" || err != nil {
			t.Errorf("%s: replayed: %s %v", r.name, d, err)
		}
		g := c.Gist(r.answer)
		if d := cmp.Diff(said.Usage.Metered(), g.Usage.Metered()); d != "" || g.ID != said.ID || g.Model != said.Model {
			t.Errorf("%s: gist %+v: %s", r.name, g, d)
		}
	}
}

func TestRecordedStreams(t *testing.T) {
	c := streaming()
	n := 0
	for _, r := range recordings(t) {
		if len(r.chunks) == 0 {
			continue
		}
		n++
		got := dialecttest.Decode(c, framed(r.chunks), dialect.Want{})
		if got.Err != nil {
			t.Errorf("%s: %v", r.name, got.Err)
			continue
		}
		if s := dialecttest.Grammar(got.Events, false); s != "" {
			t.Errorf("%s: %s", r.name, s)
		}
		metered := dialecttest.Decode(c, framed(r.chunks), dialect.Want{Meter: true})
		if d := cmp.Diff(got.Fold().Usage, metered.Fold().Usage); d != "" || metered.Text != got.Text || metered.Err != nil {
			t.Errorf("%s: metered: %s", r.name, d)
		}
		for i := range r.chunks {
			cut := dialecttest.Decode(c, framed(r.chunks[:i]), dialect.Want{})
			if !llm.IsKind(cut.Err, llm.BadUpstream) {
				t.Fatalf("%s: up to chunk %d: %v", r.name, i, cut.Err)
			}
		}
		e := c.NewEncoder(&llm.Request{}, dialect.Meta{CallID: "call", Now: 1})
		again := dialecttest.Decode(c, framed(encoded(t, e, got.Events)), dialect.Want{})
		if d := cmp.Diff(dialecttest.Plain(got.Fold()), dialecttest.Plain(again.Fold())); d != "" || again.Err != nil {
			t.Errorf("%s: said again: %s %v", r.name, d, again.Err)
		}
	}
	t.Logf("%d streams", n)
}

// encoded returns the messages that an encoder makes of events.
func encoded(t *testing.T, e dialect.Encoder, events []llm.Event) [][]byte {
	t.Helper()
	var frames []dialect.Frame
	for _, ev := range events {
		fs, err := e.Encode(ev)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, fs...)
	}
	frames = append(frames, e.Close(nil)...)
	var out [][]byte
	for _, f := range frames {
		out = append(out, f.Data)
	}
	return out
}

// TestRecordedRequestsCross checks that other dialects can say what was recorded, or name what they cannot.
func TestRecordedRequestsCross(t *testing.T) {
	offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{DefaultMaxOut: 4096}}
	for _, to := range []*dialect.Dialect{openai.Dialect(), anthropic.Dialect()} {
		codec := to.Codec(llm.OpGenerate)
		for _, r := range recordings(t) {
			p, err := whole().DecodeRequest(dialect.Inbound{Body: r.request})
			if err != nil {
				t.Fatal(err)
			}
			out, losses, err := codec.EncodeRequest(p, dialect.Shape{Offer: offer, Meter: true})
			if err != nil {
				t.Errorf("%s to %s: %v", r.name, to.Name, err)
				continue
			}
			if _, err := codec.DecodeRequest(dialect.Inbound{Body: out.Body}); err != nil {
				t.Errorf("%s to %s: %v\n%s", r.name, to.Name, err, out.Body)
			}
			t.Logf("%s to %s: %v", r.name, to.Name, losses)
		}
	}
}

func TestRecordedAnswersCross(t *testing.T) {
	for _, to := range []*dialect.Dialect{openai.Dialect(), anthropic.Dialect()} {
		codec := to.Codec(llm.OpGenerate)
		for _, r := range recordings(t) {
			if len(r.answer) == 0 {
				continue
			}
			res, err := whole().DecodeResponse(dialect.Reply{Status: 200, Body: r.answer})
			if err != nil {
				t.Fatal(err)
			}
			reply, losses, err := codec.EncodeResponse(&llm.Request{}, res, dialect.Meta{CallID: "c", Now: 1})
			if err != nil {
				t.Errorf("%s to %s: %v", r.name, to.Name, err)
				continue
			}
			back, err := codec.DecodeResponse(reply)
			if err != nil {
				t.Errorf("%s to %s: %v\n%s", r.name, to.Name, err, reply.Body)
				continue
			}
			want, got := res.(*llm.Response), back.(*llm.Response)
			if want.Usage.In() != got.Usage.In() || want.Usage.Out() != got.Usage.Out() {
				t.Errorf("%s to %s: usage %+v, said as %+v", r.name, to.Name, want.Usage, got.Usage)
			}
			if len(got.Choices) != 1 {
				t.Errorf("%s to %s: %d choices", r.name, to.Name, len(got.Choices))
			}
			t.Logf("%s to %s: %v", r.name, to.Name, losses)
		}
	}
}
