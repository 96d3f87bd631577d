package gemini_test

import (
	"bytes"
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
	t.Run("requests", func(t *testing.T) { dialecttest.RequestsByPath(t, codec(), append(lists, xs...), vars, old()) })
	dialecttest.LawsOfAnswers(t, codec(), xs)
}

func TestCountTokens(t *testing.T) {
	xs := testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool { return strings.HasSuffix(x.Path(), ":countTokens") })
	if len(xs) == 0 {
		t.Skip("no counts of tokens among the recordings in PLENUM_CORPUS")
	}
	dialecttest.RequestsByPath(t, counter(), xs, vars, old())
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
	dialecttest.Across(t, gemini.Name, codec(), others(), xs, vars)
	dialecttest.AcrossFrom(t, others(), gemini.Name, codec())
}

// old is an offer of a model that asks for no signatures.
func old() *plenum.Offer { return &plenum.Offer{Upstream: "gemini-2.5-flash"} }
