package responses_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// seeds returns the recorded exchanges of up to 8 KB, or none where there is no corpus.
func seeds(f *testing.F) testkit.Exchanges { return dialecttest.Seeds(f, responses.Name, 8<<10) }

func fuzzed() dialecttest.Fuzzed {
	offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"temperature", "user"}}}
	return dialecttest.Fuzzed{Codec: codec(), Shape: dialect.Shape{Offer: offer, Edits: []dialect.Edit{dialect.Cap{N: 3}}}}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(everything))
	for _, x := range seeds(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(fuzzed().Request)
}

func FuzzEditRequest(f *testing.F) {
	f.Add([]byte(everything))
	for _, x := range seeds(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(fuzzed().Edit)
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(answerWith(`[]`)))
	for _, x := range seeds(f) {
		if !x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(fuzzed().Response)
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(stream(ev(`created","response":{"id":"r","model":"m"}`), ev(`completed","response":{"id":"r","output":[]}`))))
	for _, x := range seeds(f) {
		if x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(fuzzed().Stream)
}
