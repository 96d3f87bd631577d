package converse_test

import (
	"encoding/json"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// recorded adds what a seed takes of each recording, where there are any.
func recorded(seed func(x *testkit.Exchange)) {
	dir, err := testkit.FindCorpus()
	if err != nil {
		return
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		return
	}
	for _, x := range xs.Dialect("converse") {
		seed(&x)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range samples() {
		f.Add([]byte(s))
	}
	recorded(func(x *testkit.Exchange) { f.Add(x.Request.Body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		in := dialect.Inbound{Body: body, Vars: map[string]string{"modelId": "m"}}
		h, err := codec().Peek(in, dialect.Bounds{})
		if err != nil {
			return
		}
		shape := dialect.Shape{
			Offer: &plenum.Offer{Upstream: "u", Traits: plenum.Traits{Refuses: []string{"temperature", "top_k"}}},
			Edits: []dialect.Edit{dialect.Cap{N: 7}},
		}
		out, err := codec().EditRequest(in, h, shape)
		if err == nil && !json.Valid(out.Body) && json.Valid(body) {
			t.Fatalf("edited into %s", out.Body)
		}
		p, err := codec().DecodeRequest(in)
		if err != nil {
			return
		}
		out, losses, err := codec().EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 || !json.Valid(out.Body) {
			t.Fatalf("%v %v %s", losses, err, out.Body)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(answerBody))
	recorded(func(x *testkit.Exchange) { f.Add(x.Response.Body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		codec().Gist(body)
		res, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		out, _, err := codec().EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || !json.Valid(out.Body) {
			t.Fatalf("%v %s", err, out.Body)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	recorded(func(x *testkit.Exchange) {
		if x.Stream() {
			f.Add(x.Response.Body)
		}
	})
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, want := range []dialect.Want{{}, {Meter: true}} {
			got := dialecttest.Decode(codec(), dialecttest.Frames(wire), want)
			if got.Err != nil && !llm.IsKind(got.Err, llm.BadUpstream) {
				t.Fatal(got.Err)
			}
			if s := dialecttest.Grammar(got.Events, true); s != "" && !want.Meter {
				t.Fatal(s)
			}
		}
	})
}

// requestOf is a request of about n bytes.
func requestOf(n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return []byte(`{"messages":[{"role":"user","content":[{"text":"` + string(text) + `"}]}],"inferenceConfig":{"maxTokens":100}}`)
}

func BenchmarkEdit(b *testing.B) {
	for name, n := range map[string]int{"300B": 300, "100KB": 100 << 10, "1MB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			in := dialect.Inbound{Body: requestOf(n), Vars: map[string]string{"modelId": "m"}}
			b.SetBytes(int64(len(in.Body)))
			b.ReportAllocs()
			for b.Loop() {
				h, err := codec().Peek(in, dialect.Bounds{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := codec().EditRequest(in, h, dialect.Shape{Offer: &plenum.Offer{Upstream: "u"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
