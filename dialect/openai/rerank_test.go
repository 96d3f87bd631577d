package openai_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func reranks() dialect.Codec { return openai.Dialect().Codec(llm.OpRerank) }

func rerankBodies() (requests, answers []string) {
	requests = []string{
		`{"model":"m","query":"q","documents":["a","b"],"top_n":1,"return_documents":true}`,
		`{"model":"m","query":"q","documents":[{"text":"a","title":"t"}],"rank_fields":["title"],"max_tokens_per_doc":100}`,
		`{"model":"m","query":"q","documents":["a"],"top_k":3,"truncation":true}`,
		`{"model":"m","query":"q","documents":["a"],"top_k":3,"top_n":2}`,
	}
	answers = []string{
		`{"model":"m","object":"list","usage":{"total_tokens":20,"prompt_tokens":20},"results":[{"index":1,"relevance_score":0.75809944,"document":{"text":"b"}},{"index":0,"relevance_score":1e-7}]}`,
		`{"object":"list","data":[{"relevance_score":0.4,"index":0}],"model":"m","usage":{"total_tokens":26}}`,
		`{"id":"r","results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}`,
		`{"results":[],"model":"m"}`,
	}
	return requests, answers
}

func TestRankingsAreSaidAgain(t *testing.T) {
	requests, answers := rerankBodies()
	dialecttest.Operation(t, reranks(), nil, requests, answers)
}

func FuzzDecodeRerank(f *testing.F) {
	requests, answers := rerankBodies()
	dialecttest.FuzzOperation(f, reranks(), requests, answers)
}
