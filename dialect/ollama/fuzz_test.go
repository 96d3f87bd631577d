package ollama_test

import (
	"encoding/json"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/llm"
)

// FuzzDecodeRequest holds that a body is refused as the caller's, or said again without a loss.
func FuzzDecodeRequest(f *testing.F) {
	for name := range spoken() {
		for _, x := range made(f, name) {
			f.Add(x.Request.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range spoken() {
			p, err := c().DecodeRequest(dialect.Inbound{Body: body})
			if err != nil {
				if !llm.IsKind(err, llm.Invalid) {
					t.Fatal(err)
				}
				continue
			}
			out, losses, err := c().EncodeRequest(p, dialect.Shape{})
			if err != nil || !json.Valid(out.Body) {
				t.Fatalf("%q: %v, %v", out.Body, losses, err)
			}
		}
	})
}

// FuzzEditRequest holds that what is edited is JSON.
func FuzzEditRequest(f *testing.F) {
	for name := range spoken() {
		for _, x := range made(f, name) {
			f.Add(x.Request.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range spoken() {
			in := dialect.Inbound{Body: body}
			h, err := c().Peek(in, dialect.Bounds{})
			if err != nil {
				continue
			}
			s := dialect.Shape{Offer: &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"stream"}}}, Edits: []dialect.Edit{dialect.Cap{N: 3}}}
			out, err := c().EditRequest(in, h, s)
			if err == nil && json.Valid(body) && !json.Valid(out.Body) {
				t.Fatalf("%q became %q", body, out.Body)
			}
		}
	})
}

// FuzzDecodeResponse holds that an answer is read, or refused as the upstream's.
func FuzzDecodeResponse(f *testing.F) {
	for name := range spoken() {
		for _, x := range made(f, name) {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range spoken() {
			res, err := c().DecodeResponse(dialect.Reply{Status: 200, Body: body})
			_ = c().Gist(body)
			if err != nil {
				if llm.IsKind(err, llm.Internal) {
					t.Fatal(err)
				}
				continue
			}
			out, _, err := c().EncodeResponse(nil, res, dialect.Meta{})
			if err != nil || !json.Valid(out.Body) {
				t.Fatalf("%q: %v", out.Body, err)
			}
		}
	})
}

// FuzzDecodeStream holds that a stream ends well or in an error, in the right order.
func FuzzDecodeStream(f *testing.F) {
	for name := range spoken() {
		for _, x := range made(f, name) {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range spoken() {
			_ = dialecttest.Decode(c(), dialecttest.Frames(body), dialect.Want{Meter: true})
			said := dialecttest.Decode(c(), dialecttest.Frames(body), dialect.Want{})
			if len(said.Events) == 0 {
				continue
			}
			if s := dialecttest.Grammar(said.Events, said.Fault() != nil); s != "" {
				t.Fatal(s)
			}
		}
	})
}

func BenchmarkEditRequest(b *testing.B) {
	body := made(b, ollama.Name)[0].Request.Body
	in, s := dialect.Inbound{Body: body}, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		h, err := chat().Peek(in, dialect.Bounds{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := chat().EditRequest(in, h, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	for _, x := range made(b, ollama.Name) {
		if !x.Stream() {
			continue
		}
		for name, want := range map[string]dialect.Want{"meter": {Meter: true}, "whole": {}} {
			b.Run(x.File+" "+name, func(b *testing.B) {
				b.SetBytes(int64(len(x.Response.Body)))
				b.ReportAllocs()
				for b.Loop() {
					_ = dialecttest.Decode(chat(), dialecttest.Frames(x.Response.Body), want)
				}
			})
		}
	}
}
