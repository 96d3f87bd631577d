package dialecttest_test

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func chat() dialect.Codec     { return openai.Dialect().Codec(llm.OpGenerate) }
func messages() dialect.Codec { return anthropic.Dialect().Codec(llm.OpGenerate) }

func none(*testkit.Exchange) map[string]string { return nil }

func deployment(x *testkit.Exchange) map[string]string {
	_, rest, ok := strings.Cut(x.Path(), "/openai/deployments/")
	if !ok {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	return map[string]string{"deployment": name}
}

func generate(xs testkit.Exchanges) testkit.Exchanges {
	return xs.Filter(func(x *testkit.Exchange) bool { return x.Op() != "messages.count_tokens" })
}

func TestMessagesAsChatCompletions(t *testing.T) {
	dialecttest.CrossRequests(t, messages(), chat(), generate(dialecttest.Recordings(t, anthropic.Name)), none)
}

func TestChatCompletionsAsMessages(t *testing.T) {
	dialecttest.CrossRequests(t, chat(), messages(), dialecttest.Recordings(t, openai.Name), deployment)
}

func TestAnswersOfMessagesAsChatCompletions(t *testing.T) {
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	dialecttest.CrossAnswers(t, messages(), chat(), generate(dialecttest.Recordings(t, anthropic.Name)), req)
}

func TestAnswersOfChatCompletionsAsMessages(t *testing.T) {
	dialecttest.CrossAnswers(t, chat(), messages(), dialecttest.Recordings(t, openai.Name), &llm.Request{Stream: true})
}
