package openai_test

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func chat() dialect.Codec { return openai.Dialect().Codec(llm.OpGenerate) }

// deployment returns the variables of Azure's classic path.
func deployment(x *testkit.Exchange) map[string]string {
	_, rest, ok := strings.Cut(x.Path(), "/openai/deployments/")
	if !ok {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	return map[string]string{"deployment": name}
}

func TestRecordedRequestsAreSaidAgain(t *testing.T) {
	dialecttest.Requests(t, chat(), dialecttest.Recordings(t, openai.Name), deployment)
}

func TestRecordedAnswersAreSaidAgain(t *testing.T) {
	dialecttest.Responses(t, chat(), dialecttest.Recordings(t, openai.Name))
}

func TestRecordedStreamsSurviveEveryCut(t *testing.T) {
	dialecttest.Cuts(t, chat(), dialecttest.Recordings(t, openai.Name))
}

func TestPrefixesOfRecordedStreams(t *testing.T) {
	dialecttest.Prefixes(t, chat(), dialecttest.Recordings(t, openai.Name))
}

func TestRecordedStreamsAreSaidAgain(t *testing.T) {
	p := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	dialecttest.Speaks(t, chat(), dialecttest.Recordings(t, openai.Name), p)
}
