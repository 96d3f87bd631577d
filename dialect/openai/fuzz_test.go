package openai_test

import (
	"encoding/json"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// recordings returns the recorded exchanges of up to 8 KB, or none where there is no corpus.
func recordings(f *testing.F) testkit.Exchanges {
	dir, err := testkit.FindCorpus()
	if err != nil {
		return nil
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		f.Fatal(err)
	}
	return xs.Dialect(openai.Name).Filter(func(x *testkit.Exchange) bool { return len(x.Request.Body)+len(x.Response.Body) < 8<<10 })
}

func FuzzDecodeRequest(f *testing.F) {
	for _, body := range requests() {
		f.Add([]byte(body))
	}
	for _, x := range recordings(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := chat().DecodeRequest(dialect.Inbound{Body: body})
		if err != nil {
			if !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
			return
		}
		out, losses, err := chat().EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 || !json.Valid(out.Body) {
			t.Fatalf("%q: %v, %v", out.Body, losses, err)
		}
	})
}

func FuzzEditRequest(f *testing.F) {
	for _, body := range requests() {
		f.Add([]byte(body), true)
	}
	for _, x := range recordings(f) {
		f.Add(x.Request.Body, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, older bool) {
		in := dialect.Inbound{Body: body}
		h, err := chat().Peek(in, dialect.Bounds{})
		if err != nil {
			if !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
			return
		}
		traits := plenum.Traits{Refuses: []string{"temperature", "stop"}, NoDeveloper: true, MaxTokensField: "max_completion_tokens"}
		if older {
			traits.MaxTokensField, traits.NoStreamUsage = "max_tokens", true
		}
		s := dialect.Shape{Meter: true, Offer: &plenum.Offer{Upstream: "up", Traits: traits}, Edits: []dialect.Edit{dialect.Cap{N: 3}}}
		out, err := chat().EditRequest(in, h, s)
		switch {
		case err != nil && !llm.IsKind(err, llm.Invalid):
			t.Fatal(err)
		case err == nil && json.Valid(body) && !json.Valid(out.Body):
			t.Fatalf("%q became %q", body, out.Body)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add(answerWith(`{"prompt_tokens":1,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}`))
	for _, x := range recordings(f) {
		if !x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		gist := chat().Gist(body)
		for class, n := range gist.Usage.Classes() {
			if n < 0 {
				t.Fatalf("%s is %d", class, n)
			}
		}
		_ = chat().EncodeError(chat().DecodeError(dialect.Reply{Status: 400, Body: body}))
		res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		out, losses, err := chat().EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || len(losses) > 0 || !json.Valid(out.Body) {
			t.Fatalf("%q: %v, %v", out.Body, losses, err)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(chunk(`{"content":"x","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}`, `"stop"`) + done))
	f.Add([]byte(chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}`, `null`) + chunk(`{}`, `"tool_calls"`) + done))
	for _, x := range recordings(f) {
		if x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		got := dialecttest.Decode(chat(), dialecttest.Frames(stream), dialect.Want{})
		if s := dialecttest.Grammar(got.Events, got.Fault() != nil); s != "" {
			t.Fatal(s)
		}
		metered := dialecttest.Decode(chat(), dialecttest.Frames(stream), dialect.Want{Meter: true})
		if got.Fault() == nil && metered.Fault() != nil {
			t.Fatal(metered.Fault())
		}
		if got.Fault() != nil {
			return
		}
		out, err := dialecttest.Encode(chat().NewEncoder(nil, dialect.Meta{}), got.Events, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again := dialecttest.Decode(chat(), dialecttest.Frames(out), dialect.Want{}); again.Fault() != nil {
			t.Fatalf("%v\n%s", again.Fault(), out)
		}
	})
}
