package openai_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// recordings returns the recorded exchanges of up to 8 KB, or none where there is no corpus.
func recordings(f *testing.F) testkit.Exchanges { return dialecttest.Seeds(f, openai.Name, 8<<10) }

func fuzzed(older bool) dialecttest.Fuzzed {
	traits := plenum.Traits{Refuses: []string{"temperature", "stop"}, NoDeveloper: true, MaxTokensField: "max_completion_tokens"}
	if older {
		traits.MaxTokensField, traits.NoStreamUsage = "max_tokens", true
	}
	s := dialect.Shape{Meter: true, Offer: &plenum.Offer{Upstream: "up", Traits: traits}, Edits: []dialect.Edit{dialect.Cap{N: 3}}}
	return dialecttest.Fuzzed{Codec: chat(), Shape: s}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, body := range requests() {
		f.Add([]byte(body))
	}
	for _, x := range recordings(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(fuzzed(false).Request)
}

func FuzzEditRequest(f *testing.F) {
	for _, body := range requests() {
		f.Add([]byte(body), true)
	}
	for _, x := range recordings(f) {
		f.Add(x.Request.Body, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, older bool) { fuzzed(older).Edit(t, body) })
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add(answerWith(`{"prompt_tokens":1,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}`))
	for _, x := range recordings(f) {
		if !x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(fuzzed(false).Response)
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(chunk(`{"content":"x","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}`, `"stop"`) + done))
	f.Add([]byte(chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}`, `null`) + chunk(`{}`, `"tool_calls"`) + done))
	for _, x := range recordings(f) {
		if x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(fuzzed(false).Stream)
}
