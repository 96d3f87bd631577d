package gemini_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func codec() dialect.Codec   { return gemini.Dialect().Codec(llm.OpGenerate) }
func counter() dialect.Codec { return gemini.Dialect().Codec(llm.OpCountTokens) }

// vars returns what the route takes out of a recorded path.
func vars(x *testkit.Exchange) map[string]string {
	_, rest, _ := strings.Cut(x.Path(), "/models/")
	id, _, _ := strings.Cut(rest, ":")
	return map[string]string{"model": id}
}

// recordings returns the recorded exchanges. Those whose stream is a list of objects are told apart: the
// tests read them as that.
func recordings(t *testing.T) (plain, lists testkit.Exchanges) {
	for _, x := range dialecttest.Recordings(t, gemini.Name) {
		switch {
		case strings.HasSuffix(x.Path(), ":countTokens"):
		case bytes.HasPrefix(x.Response.Body, []byte("[")):
			lists = append(lists, x)
		default:
			plain = append(plain, x)
		}
	}
	return plain, lists
}

// The laws that hold for every dialect.
func TestLaws(t *testing.T) {
	xs, lists := recordings(t)
	t.Run("requests", func(t *testing.T) { requests(t, codec(), append(lists, xs...)) })
	t.Run("responses", func(t *testing.T) { dialecttest.Responses(t, codec(), xs) })
	t.Run("cuts", func(t *testing.T) { dialecttest.Cuts(t, codec(), xs) })
	t.Run("prefixes", func(t *testing.T) { dialecttest.Prefixes(t, codec(), xs) })
	t.Run("speaks", func(t *testing.T) { dialecttest.Speaks(t, codec(), xs, nil) })
}

// Law: what is decoded and encoded again is the same. The model is in the path, and so in no body.
func requests(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	t.Helper()
	n := 0
	for i := range xs {
		x := &xs[i]
		if !json.Valid(x.Request.Body) {
			continue
		}
		n++
		in := dialecttest.Inbound(x, vars(x))
		p, err := c.DecodeRequest(in)
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		if r, ok := p.(*llm.Request); ok && r.Model == "" {
			t.Errorf("%s: no model", x.Name())
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{Offer: old()})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", x.Name(), losses, err)
		}
		if d := dialecttest.SameJSON(in.Body, out.Body); d != "" {
			t.Errorf("%s: %s", x.Name(), d)
		}
	}
	t.Logf("%d requests", n)
}

func TestCountTokens(t *testing.T) {
	xs := testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool { return strings.HasSuffix(x.Path(), ":countTokens") })
	if len(xs) == 0 {
		t.Skip("no counts of tokens among the recordings in PLENUM_CORPUS")
	}
	requests(t, counter(), xs)
	dialecttest.Responses(t, counter(), xs)
}

// others are the dialects that calls cross to and from.
func others() map[string]dialect.Codec {
	return map[string]dialect.Codec{
		openai.Name: openai.Dialect().Codec(llm.OpGenerate), anthropic.Name: anthropic.Dialect().Codec(llm.OpGenerate),
		responses.Name: responses.Dialect().Codec(llm.OpGenerate),
	}
}

func TestCrossing(t *testing.T) {
	xs, _ := recordings(t)
	all := testkit.Corpus(t)
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	named := func(*testkit.Exchange) map[string]string { return map[string]string{"deployment": "d"} }
	for name, c := range others() {
		t.Run("gemini to "+name, func(t *testing.T) {
			dialecttest.CrossRequests(t, codec(), c, xs, vars)
			dialecttest.CrossAnswers(t, codec(), c, xs, req)
		})
		t.Run(name+" to gemini", func(t *testing.T) {
			ys := all.Dialect(name).Filter(func(x *testkit.Exchange) bool { return x.Op() != "messages.count_tokens" })
			dialecttest.CrossRequests(t, c, codec(), ys, named)
			dialecttest.CrossAnswers(t, c, codec(), ys, req)
		})
	}
}

// old is an offer of a model that asks for no signatures.
func old() *plenum.Offer { return &plenum.Offer{Upstream: "gemini-2.5-flash"} }
