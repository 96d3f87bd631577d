package ollama_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/llm"
)

func embeds() dialect.Codec { return ollama.Dialect().Codec(llm.OpEmbed) }

func embedBodies() (requests, answers []string) {
	requests = []string{
		`{"model":"m","input":"alpha","truncate":false,"options":{"num_ctx":100},"keep_alive":"5m"}`,
		`{"model":"m","input":["alpha","beta"],"truncate":true,"dimensions":64}`,
	}
	answers = []string{
		`{"model":"m","embeddings":[[0.1,-2e-7],[1]],"total_duration":5,"load_duration":1,"prompt_eval_count":7}`,
		`{"model":"m","embeddings":[[0.1]]}`,
	}
	return requests, answers
}

func TestEmbeddingsAreSaidAgain(t *testing.T) {
	requests, answers := embedBodies()
	dialecttest.Operation(t, embeds(), nil, requests, answers)
}

func TestRecordedEmbeddingsAreSaidAgain(t *testing.T) {
	requests, answers := dialecttest.Bodies(dialecttest.At(t, "/api/embed"))
	if len(answers) == 0 {
		t.Fatal("no embeddings were found in the corpus")
	}
	dialecttest.Operation(t, embeds(), nil, requests, answers)
}

func FuzzDecodeEmbed(f *testing.F) {
	requests, answers := embedBodies()
	dialecttest.FuzzOperation(f, embeds(), requests, answers)
}
