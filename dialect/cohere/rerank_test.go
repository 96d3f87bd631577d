package cohere_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

func reranks() dialect.Codec { return cohere.Dialect().Codec(llm.OpRerank) }

func rerankBodies() (requests, answers []string) {
	requests = []string{
		`{"model":"m","query":"q","documents":["a","b"],"top_n":1,"max_tokens_per_doc":50,"priority":2}`,
		`{"model":"m","query":"q","documents":[{"text":"a","title":"t"},"b"],"rank_fields":["title"],"return_documents":true,"max_chunks_per_doc":3}`,
	}
	answers = []string{
		`{"id":"r","results":[{"index":1,"relevance_score":0.75809944,"document":{"text":"b"}},{"index":0,"relevance_score":1e-7}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`,
	}
	return requests, answers
}

func TestRankingsAreSaidAgain(t *testing.T) {
	requests, answers := rerankBodies()
	dialecttest.Operation(t, reranks(), nil, requests, answers)
}

func TestRecordedRankingsAreSaidAgain(t *testing.T) {
	requests, answers := dialecttest.Bodies(dialecttest.At(t, "/v2/rerank"))
	if len(answers) == 0 {
		t.Fatal("no rankings were found in the corpus")
	}
	dialecttest.Operation(t, reranks(), nil, requests, answers)
}

func FuzzDecodeRerank(f *testing.F) {
	requests, answers := rerankBodies()
	dialecttest.FuzzOperation(f, reranks(), requests, answers)
}
