package ollama_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/ollama"
)

func fuzzed(c dialect.Codec) dialecttest.Fuzzed {
	offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"stream"}}}
	return dialecttest.Fuzzed{Codec: c, Lossy: true, Shape: dialect.Shape{Offer: offer, Edits: []dialect.Edit{dialect.Cap{N: 3}}}}
}

// seeds returns the codecs, and the requests and answers of what was made.
func seeds(f *testing.F) (codecs []dialecttest.Fuzzed, requests, answers [][]byte) {
	f.Helper()
	for name, c := range spoken() {
		codecs = append(codecs, fuzzed(c()))
		for _, x := range made(f, name) {
			requests, answers = append(requests, x.Request.Body), append(answers, x.Response.Body)
		}
	}
	return codecs, requests, answers
}

func FuzzDecodeRequest(f *testing.F) {
	codecs, requests, _ := seeds(f)
	dialecttest.Holds(f, codecs, requests, dialecttest.Fuzzed.Request)
}

func FuzzEditRequest(f *testing.F) {
	codecs, requests, _ := seeds(f)
	dialecttest.Holds(f, codecs, requests, dialecttest.Fuzzed.Edit)
}

func FuzzDecodeResponse(f *testing.F) {
	codecs, _, answers := seeds(f)
	dialecttest.Holds(f, codecs, answers, dialecttest.Fuzzed.Response)
}

func FuzzDecodeStream(f *testing.F) {
	codecs, _, answers := seeds(f)
	dialecttest.Holds(f, codecs, answers, dialecttest.Fuzzed.Stream)
}

func BenchmarkEditRequest(b *testing.B) {
	c := dialecttest.Fuzzed{Codec: chat(), Shape: dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}}}
	c.BenchmarkEdit(b, made(b, ollama.Name)[0].Request.Body)
}

func BenchmarkStream(b *testing.B) {
	dialecttest.Fuzzed{Codec: chat()}.BenchmarkStreams(b, made(b, ollama.Name))
}
