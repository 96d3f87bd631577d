package responses_test

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func codec() dialect.Codec { return responses.Dialect().Codec(llm.OpGenerate) }

func counter() dialect.Codec { return responses.Dialect().Codec(llm.OpCountTokens) }

func novars(*testkit.Exchange) map[string]string { return nil }

// recordings returns the recorded exchanges of every vendor that speaks the dialect.
func recordings(t testing.TB) testkit.Exchanges {
	return dialecttest.Recordings(t, responses.Name).Filter(func(x *testkit.Exchange) bool {
		return x.Path() == "" || strings.HasSuffix(x.Path(), "/responses")
	})
}

// The laws that hold for every dialect.
func TestLaws(t *testing.T) {
	xs := recordings(t)
	asked := xs.Filter(func(x *testkit.Exchange) bool { return x.Request.Found })
	t.Run("requests", func(t *testing.T) { dialecttest.Requests(t, codec(), asked, novars) })
	dialecttest.LawsOfAnswers(t, codec(), xs)
	t.Run("mutations", func(t *testing.T) {
		var seeds [][]byte
		for i := range asked {
			seeds = append(seeds, asked[i].Request.Body)
		}
		dialecttest.Mutations(t, codec(), seeds, 3000)
	})
}

// The laws of crossing, to and from the dialects that most callers and hosts speak.
func TestCrossing(t *testing.T) {
	chat, messages := openai.Dialect().Codec(llm.OpGenerate), anthropic.Dialect().Codec(llm.OpGenerate)
	own := recordings(t)
	asked := own.Filter(func(x *testkit.Exchange) bool { return x.Request.Found })
	for _, to := range []struct {
		name string
		c    dialect.Codec
	}{{"openai", chat}, {"anthropic", messages}} {
		t.Run("to "+to.name, func(t *testing.T) {
			dialecttest.CrossRequests(t, codec(), to.c, asked, novars)
			dialecttest.CrossAnswers(t, codec(), to.c, own, &llm.Request{StreamUsage: llm.Some(true)})
		})
		t.Run("from "+to.name, func(t *testing.T) {
			xs := dialecttest.Recordings(t, to.name).Filter(func(x *testkit.Exchange) bool {
				return strings.HasSuffix(x.Path(), "/chat/completions") || strings.HasSuffix(x.Path(), "/messages")
			})
			dialecttest.CrossRequests(t, to.c, codec(), xs, novars)
			dialecttest.CrossAnswers(t, to.c, codec(), xs, nil)
		})
	}
}
