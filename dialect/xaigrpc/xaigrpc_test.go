package xaigrpc_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// asked is a request with something of everything.
func asked() *llm.Request {
	return &llm.Request{
		Model: "grok",
		Messages: []llm.Message{
			{Role: llm.System, Plain: true, Blocks: []llm.Block{llm.Text{Text: "Be brief."}}},
			{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: "Look."}}},
			{Role: llm.Assistant, Blocks: []llm.Block{
				llm.Thought{Text: "Hm.", Sealed: "c2VhbA==", Origin: "xaigrpc"},
				llm.ToolUse{Kind: llm.ToolFunction, ID: "c1", Name: "look", Args: `{"a":1}`},
			}},
			{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "c1", Plain: true, Blocks: []llm.Block{llm.Text{Text: "a cat"}}}}},
		},
		Tools:       []llm.Tool{{Kind: llm.ToolFunction, Name: "look", Schema: `{"type":"object"}`}},
		Choose:      llm.ToolChoice{Mode: llm.ChooseAuto},
		Output:      llm.Format{Kind: llm.FormatSchema, Schema: `{"type":"object"}`},
		Temperature: llm.Some(0.7), MaxOut: llm.Some(50), Seed: llm.Some(int64(-3)), Stop: []string{"END"},
		Parallel: llm.Some(false), Thinking: &llm.Thinking{Effort: "high"}, Tier: "priority", User: "u",
	}
}

func said(t testing.TB, r *llm.Request) []byte {
	t.Helper()
	out, losses, err := whole().EncodeRequest(r, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	return out.Body
}

func heard(t testing.TB, body []byte) *llm.Request {
	t.Helper()
	p, err := whole().DecodeRequest(dialect.Inbound{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*llm.Request)
}

func TestARequestComesThrough(t *testing.T) {
	got := heard(t, said(t, asked()))
	got.Extra = llm.Extra{}
	for i := range got.Messages {
		for j, b := range got.Messages[i].Blocks {
			if u, ok := b.(llm.ToolUse); ok {
				u.Extra = llm.Extra{} // notes of how it was said
				got.Messages[i].Blocks[j] = u
			}
		}
	}
	if d := cmp.Diff(asked(), got); d != "" {
		t.Error(d)
	}
}

func TestEditsTouchNothingElse(t *testing.T) {
	unknown := []byte{0xfa, 0x3e, 0x02, 'h', 'i'}
	body := append(said(t, asked()), unknown...)
	in := dialect.Inbound{Body: body}
	head, err := whole().Peek(in, dialect.Bounds{})
	if err != nil || head.Model != "grok" || head.MaxOut != llm.Some(50) || head.Stream {
		t.Fatalf("%+v, %v", head, err)
	}
	out, err := whole().EditRequest(in, head, dialect.Shape{Offer: &plenum.Offer{Upstream: "grok"}})
	if err != nil || &out.Body[0] != &body[0] || out.Changed != nil {
		t.Errorf("%v, %v", out.Changed, err)
	}
	offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"temperature", "stop"}}}
	shape := dialect.Shape{Offer: offer, Params: plenum.ParamReport, Edits: []dialect.Edit{dialect.Cap{N: 20}}}
	out, err = whole().EditRequest(in, head, shape)
	if err != nil || !bytes.HasSuffix(body, unknown) || !bytes.Contains(out.Body, unknown) {
		t.Fatal(err)
	}
	want := asked()
	want.Model, want.MaxOut, want.Temperature, want.Stop = "up", llm.Some(20), llm.Opt[float64]{}, nil
	got := heard(t, out.Body)
	if got.Model != "up" || got.MaxOut != want.MaxOut || got.Temperature.Set || got.Stop != nil || len(got.Messages) != 4 {
		t.Errorf("%+v", got)
	}
	if len(out.Changed) != 3 {
		t.Errorf("changed %q", out.Changed)
	}
	shape.Params = plenum.ParamStrict
	if _, err := whole().EditRequest(in, head, shape); !llm.IsKind(err, llm.Invalid) {
		t.Errorf("strict: %v", err)
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	bad := asked()
	bad.Tools[0].Schema = "{"
	bad2 := asked()
	bad2.Output.Schema = "nope"
	for place, body := range map[string][]byte{
		"model":                        {0x0a, 0x02, 0x10, 0x01},
		"messages":                     {0x12, 1, 'm'},
		"messages[0].role":             {0x12, 1, 'm', 0x0a, 0x02, 0x10, 0x63},
		"messages[0].content[0]":       {0x12, 1, 'm', 0x0a, 0x05, 0x0a, 0x01, 0xff, 0x10, 0x01},
		"tools[0].function.parameters": said(t, bad),
		"response_format.schema":       said(t, bad2),
		"":                             {0xff},
	} {
		_, err := whole().DecodeRequest(dialect.Inbound{Body: body})
		if e := llm.AsError(err); e.Kind != llm.Invalid || e.Param != place || e.Message == "" {
			t.Errorf("%q: %v", place, err)
		}
	}
}

// TestStateOfAnotherVendorGoesRound takes Anthropic's signed reasoning through a client of xAI's and back.
func TestStateOfAnotherVendorGoesRound(t *testing.T) {
	thought := llm.Thought{Text: "Hm.", Signature: "c2ln", Origin: "anthropic"}
	res := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{thought, llm.ToolUse{Kind: llm.ToolFunction, ID: "c1", Name: "look", Args: "{}"}}}}}
	reply, losses, err := whole().EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	again, err := whole().DecodeResponse(reply)
	if err != nil {
		t.Fatal(err)
	}
	r := asked()
	r.Messages[2].Blocks = again.(*llm.Response).Choices[0].Blocks
	if d := cmp.Diff(thought, r.Messages[2].Blocks[0]); d != "" {
		t.Fatal(d)
	}
	out, _, err := anthropic.Dialect().Codec(llm.OpGenerate).EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "claude"}})
	if err != nil || !bytes.Contains(out.Body, []byte(`"signature":"c2ln"`)) {
		t.Errorf("%s, %v", out.Body, err)
	}

	// The same in a stream.
	enc := streaming().NewEncoder(nil, dialect.Meta{})
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	events = append(events[:len(events)-1:len(events)-1], llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}}, llm.End{})
	back := dialecttest.Decode(streaming(), framed(encoded(t, enc, events)), dialect.Want{}).Fold()
	var signed bool
	for _, b := range back.Choices[0].Blocks {
		x, ok := b.(llm.Thought)
		signed = signed || ok && x.Signature == "c2ln" && x.Origin == "anthropic"
	}
	if !signed {
		t.Errorf("the signature is not in %+v", back.Choices[0].Blocks)
	}

	// And it never reaches xAI, which would refuse it.
	m := said(t, &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "x"}}}}})
	sealed := bytes.Index(reply.Body, []byte("plenum:"))
	envelope := string(reply.Body[sealed:])
	envelope = envelope[:strings.IndexFunc(envelope[7:], func(r rune) bool { return r < ' ' || r > '~' })+7]
	turn := append([]byte{0x10, 0x02, 0x32, byte(len(envelope) % 128)}, envelope...)
	if len(envelope) >= 128 {
		turn = append([]byte{0x10, 0x02, 0x32, byte(len(envelope)%128 | 0x80), byte(len(envelope) / 128)}, envelope...)
	}
	var msg []byte
	if len(turn) < 128 {
		msg = append([]byte{0x0a, byte(len(turn))}, turn...)
	} else {
		msg = append([]byte{0x0a, byte(len(turn)%128 | 0x80), byte(len(turn) / 128)}, turn...)
	}
	body := append(append([]byte{}, msg...), m...)
	edited, err := whole().EditRequest(dialect.Inbound{Body: body}, dialect.Head{Model: "m"}, dialect.Shape{})
	if err != nil || bytes.Contains(edited.Body, []byte("plenum:")) || len(edited.Changed) == 0 {
		t.Errorf("%q, %q, %v", edited.Body, edited.Changed, err)
	}
}

func TestErrorsBothWays(t *testing.T) {
	for _, c := range []struct {
		code, message string
		kind          llm.Kind
		out           string
	}{
		{"3", "bad", llm.Invalid, "3"},
		{"3", "Incorrect API key provided", llm.UpstreamAuth, "13"},
		{"3", "This model's maximum prompt length is 131072", llm.TooLong, "3"},
		{"4", "", llm.Timeout, "4"},
		{"5", "no model", llm.NotFound, "5"},
		{"7", "no", llm.UpstreamAuth, "13"},
		{"7", "Your team has no credits", llm.Payment, "13"},
		{"8", "slow", llm.RateLimited, "8"},
		{"8", "spending limit", llm.Quota, "8"},
		{"13", "oops", llm.UpstreamFault, "13"},
		{"14", "away", llm.Unavailable, "14"},
		{"16", "who", llm.UpstreamAuth, "13"},
	} {
		e := whole().DecodeError(dialect.Reply{Status: 200, Header: http.Header{"Grpc-Status": {c.code}, "Grpc-Message": {c.message}}})
		reply := whole().EncodeError(e)
		if e.Kind != c.kind || e.Message == "" || reply.Header.Get("Grpc-Status") != c.out || reply.Status < 400 {
			t.Errorf("%s %s: %v, said as %v", c.code, c.message, e, reply)
		}
	}
	e := whole().DecodeError(dialect.Reply{Status: 503, Header: http.Header{"Retry-After": {"2"}}, Body: []byte("<h1>busy</h1>")})
	if e.Kind != llm.Overloaded || !strings.Contains(e.Message, "busy") || e.Retry == 0 {
		t.Errorf("a proxy: %v", e)
	}
	reply := whole().EncodeError(errors.New("secret"))
	if reply.Header.Get("Grpc-Status") != "13" || strings.Contains(reply.Header.Get("Grpc-Message"), "secret") {
		t.Errorf("%v", reply)
	}
	reply = whole().EncodeError(&llm.Error{Kind: llm.Invalid, Message: "50 % of\nGrüße"})
	if got := reply.Header.Get("Grpc-Message"); got != "50 %25 of%0AGr%C3%BC%C3%9Fe" {
		t.Errorf("said %q", got)
	}
}

func TestRedactedChunks(t *testing.T) {
	res := &llm.Response{
		ID:      "r",
		Choices: []llm.Choice{{Blocks: []llm.Block{llm.Thought{Text: "secret thought"}, llm.Text{Text: "a secret"}}, Stop: llm.Stop{Reason: llm.StopEnd}}},
	}
	reply, _, err := whole().EncodeResponse(nil, res, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	edits := []dialect.TextEdit{{Index: 0, Start: 0, End: 6, New: "***"}, {Index: 1, Start: 2, End: 8, New: "***"}}
	ch, err := whole().Redact(dialect.Chunk{Body: reply.Body}, edits)
	if err != nil || bytes.Contains(ch.Body, []byte("secret")) || !bytes.Contains(ch.Body, []byte("*** thought")) {
		t.Errorf("%q, %v", ch.Body, err)
	}
	enc := streaming().NewEncoder(nil, dialect.Meta{})
	frames := encoded(t, enc, []llm.Event{
		llm.Start{}, llm.BlockStart{Block: llm.Text{}}, llm.TextDelta{Text: "a secret"}, llm.BlockEnd{}, llm.Finish{Stop: llm.Stop{Reason: llm.StopEnd}}, llm.End{},
	})
	n := 0
	for ch, err := range streaming().DecodeStream(framed(frames), dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Text == 0 {
			continue
		}
		n++
		ch, err = streaming().Redact(ch, []dialect.TextEdit{{Start: 2, End: 8, New: "***"}})
		if err != nil || bytes.Contains(ch.Frame.Raw, []byte("secret")) || !bytes.Contains(ch.Frame.Raw, []byte("a ***")) {
			t.Errorf("%q, %v", ch.Frame.Raw, err)
		}
		if !bytes.Equal(ch.Frame.Raw, frame.AppendMessage(nil, ch.Frame.Data)) {
			t.Error("the frame's bytes are not those of its message")
		}
	}
	if n != 1 {
		t.Errorf("%d chunks with text", n)
	}
}

// TestCase_D1_ReasoningIsCountedOnce holds the exception: xAI's completion tokens leave out the reasoning.
func TestCase_D1_ReasoningIsCountedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		wire []byte // of SamplingUsage
		want llm.Usage
	}{
		"exclusive": {[]byte{0x08, 7, 0x10, 20, 0x18, 30, 0x30, 3, 0x38, 5}, llm.Usage{Input: 15, CacheRead: 5, Output: 7, Reasoning: 3}},
		"inclusive": {[]byte{0x08, 7, 0x10, 20, 0x18, 27, 0x30, 3}, llm.Usage{Input: 20, Output: 4, Reasoning: 3}},
		"images":    {[]byte{0x08, 1, 0x10, 20, 0x18, 21, 0x20, 8, 0x28, 12}, llm.Usage{Input: 8, InputImage: 12, Output: 1}},
		"too much":  {[]byte{0x08, 1, 0x10, 5, 0x38, 9}, llm.Usage{CacheRead: 5, Output: 1}},
	} {
		body := append([]byte{0x12, 0x02, 0x08, 0x03, 0x4a, byte(len(c.wire))}, c.wire...)
		res, err := whole().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			t.Fatal(name, err)
		}
		got := res.(*llm.Response).Usage.Metered()
		got.Reported = 0
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestMutations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seed := said(t, asked())
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"seed"}}}, Edits: []dialect.Edit{dialect.Cap{N: 5}}}
	for range 10_000 {
		body := bytes.Clone(seed)
		for range 1 + rng.IntN(4) {
			body[rng.IntN(len(body))] = byte(rng.IntN(256))
		}
		body = body[:len(body)-rng.IntN(3)*rng.IntN(20)]
		tried(t, body, shape)
	}
}

// tried checks what must hold for any body.
func tried(t *testing.T, body []byte, shape dialect.Shape) {
	t.Helper()
	in := dialect.Inbound{Body: body}
	head, err := whole().Peek(in, dialect.Bounds{})
	if err != nil && !llm.IsKind(err, llm.Invalid) {
		t.Fatalf("%q: %v", body, err)
	}
	if err == nil {
		out, err := whole().EditRequest(in, head, shape)
		if err != nil && !llm.IsKind(err, llm.Invalid) {
			t.Fatalf("%q: %v", body, err)
		}
		if err == nil {
			if h, err := whole().Peek(dialect.Inbound{Body: out.Body}, dialect.Bounds{}); err != nil || h.Model != "up" {
				t.Fatalf("%q edited to %q: %v", body, out.Body, err)
			}
		}
	}
	p, err := whole().DecodeRequest(in)
	if err != nil {
		if !llm.IsKind(err, llm.Invalid) || llm.AsError(err).Message == "" {
			t.Fatalf("%q: %v", body, err)
		}
		return
	}
	out, _, err := whole().EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if _, err := whole().DecodeRequest(dialect.Inbound{Body: out.Body}); err != nil {
		t.Fatalf("%q said as %q: %v", body, out.Body, err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(said(f, asked()))
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}}
	f.Fuzz(func(t *testing.T, body []byte) { tried(t, body, shape) })
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte{0x12, 0x02, 0x08, 0x03, 0x4a, 2, 0x08, 7})
	f.Fuzz(func(t *testing.T, body []byte) {
		whole().Gist(body)
		res, err := whole().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		if _, _, err := whole().EncodeResponse(nil, res, dialect.Meta{}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte{0x12, 0x08, 0x0a, 0x04, 0x0a, 0x02, 'h', 'i', 0x18, 3})
	f.Fuzz(func(t *testing.T, body []byte) {
		got := dialecttest.Decode(streaming(), framed([][]byte{body, body}), dialect.Want{})
		if s := dialecttest.Grammar(got.Events, got.Err != nil); s != "" && len(got.Events) > 0 {
			t.Fatal(s)
		}
	})
}

func BenchmarkEdit(b *testing.B) {
	body := said(b, asked())
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}}
	c := whole()
	b.ReportAllocs()
	for b.Loop() {
		in := dialect.Inbound{Body: body}
		head, err := c.Peek(in, dialect.Bounds{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.EditRequest(in, head, shape); err != nil {
			b.Fatal(err)
		}
	}
}
