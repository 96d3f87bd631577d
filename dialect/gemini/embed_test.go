package gemini_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func embeds() dialect.Codec { return gemini.Dialect().Codec(llm.OpEmbed) }

func embedBodies() (requests, answers []string) {
	requests = []string{
		`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64},{"model":"models/m","content":{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"aaaa"}}]},"title":"t"}]}`,
		`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"},{"fileData":{"fileUri":"x"}}]},"task_type":"NEWER","embedContentConfig":{"autoTruncate":true}}]}`,
	}
	answers = []string{
		`{"embeddings":[{"values":[0.1,-2e-7]},{"values":[1],"shape":[1]}],"usageMetadata":{"promptTokenCount":261,"promptTokenDetails":[{"modality":"IMAGE","tokenCount":258},{"modality":"TEXT","tokenCount":3}]}}`,
		`{"embeddings":[{"values":[1]}]}`,
	}
	return requests, answers
}

func embedVars() map[string]string { return map[string]string{"model": "m"} }

func TestEmbeddingsAreSaidAgain(t *testing.T) {
	requests, answers := embedBodies()
	dialecttest.Operation(t, embeds(), embedVars(), requests, answers)
}

func TestRecordedEmbeddingsAreSaidAgain(t *testing.T) {
	xs := dialecttest.At(t, ":batchEmbedContents")
	if len(xs) == 0 {
		t.Fatal("no embeddings were found in the corpus")
	}
	for _, x := range xs {
		requests, answers := dialecttest.Bodies(testkit.Exchanges{x})
		dialecttest.Operation(t, embeds(), vars(&x), requests, answers)
	}
}

func FuzzDecodeEmbed(f *testing.F) {
	requests, answers := embedBodies()
	dialecttest.FuzzOperation(f, embeds(), requests, answers)
}
