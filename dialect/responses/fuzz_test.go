package responses_test

import (
	"encoding/json"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// seeds returns the recorded exchanges of up to 8 KB, or none where there is no corpus.
func seeds(f *testing.F) testkit.Exchanges {
	dir, err := testkit.FindCorpus()
	if err != nil {
		return nil
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		f.Fatal(err)
	}
	return xs.Dialect(responses.Name).Filter(func(x *testkit.Exchange) bool { return len(x.Request.Body)+len(x.Response.Body) < 8<<10 })
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(everything))
	for _, x := range seeds(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := codec().DecodeRequest(dialect.Inbound{Body: body})
		if err != nil {
			if !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
			return
		}
		out, losses, err := codec().EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 || !json.Valid(out.Body) {
			t.Fatalf("%q: %v, %v", out.Body, losses, err)
		}
	})
}

func FuzzEditRequest(f *testing.F) {
	f.Add([]byte(everything))
	for _, x := range seeds(f) {
		f.Add(x.Request.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := dialect.Inbound{Body: body}
		h, err := codec().Peek(in, dialect.Bounds{})
		if err != nil {
			if !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
			return
		}
		offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"temperature", "user"}}}
		out, err := codec().EditRequest(in, h, dialect.Shape{Offer: offer, Edits: []dialect.Edit{dialect.Cap{N: 3}}})
		switch {
		case err != nil && !llm.IsKind(err, llm.Invalid):
			t.Fatal(err)
		case err == nil && json.Valid(body) && !json.Valid(out.Body):
			t.Fatalf("%q became %q", body, out.Body)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(answerWith(`[]`)))
	for _, x := range seeds(f) {
		if !x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		gist := codec().Gist(body)
		for class, n := range gist.Usage.Classes() {
			if n < 0 {
				t.Fatalf("%s is %d", class, n)
			}
		}
		_ = codec().EncodeError(codec().DecodeError(dialect.Reply{Status: 400, Body: body}))
		res, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		out, losses, err := codec().EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || len(losses) > 0 || !json.Valid(out.Body) {
			t.Fatalf("%q: %v, %v", out.Body, losses, err)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(stream(ev(`created","response":{"id":"r","model":"m"}`), ev(`completed","response":{"id":"r","output":[]}`))))
	for _, x := range seeds(f) {
		if x.Stream() {
			f.Add(x.Response.Body)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		got := dialecttest.Decode(codec(), dialecttest.Frames(stream), dialect.Want{})
		if s := dialecttest.Grammar(got.Events, got.Fault() != nil); s != "" {
			t.Fatal(s)
		}
		metered := dialecttest.Decode(codec(), dialecttest.Frames(stream), dialect.Want{Meter: true})
		if got.Fault() == nil && metered.Fault() != nil {
			t.Fatal(metered.Fault())
		}
		if got.Fault() != nil {
			return
		}
		out, err := dialecttest.Encode(codec().NewEncoder(nil, dialect.Meta{}), got.Events, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again := dialecttest.Decode(codec(), dialecttest.Frames(out), dialect.Want{}); again.Fault() != nil {
			t.Fatalf("%v\n%s", again.Fault(), out)
		}
	})
}
