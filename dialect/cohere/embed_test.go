package cohere_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

func embeds() dialect.Codec { return cohere.Dialect().Codec(llm.OpEmbed) }

func embedBodies() (requests, answers []string) {
	requests = []string{
		`{"model":"m","texts":["alpha","beta"],"input_type":"search_query","embedding_types":["float","int8","base64"],"truncate":"NONE"}`,
		`{"model":"m","images":["data:image/png;base64,aaaa"],"input_type":"image","output_dimension":256,"max_tokens":null}`,
		`{"model":"m","inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}],"input_type":"search_document","priority":3}`,
		`{"model":"m","texts":["a"],"input_type":"newer_type","truncate":"MIDDLE"}`,
	}
	answers = []string{
		`{"id":"e","embeddings":{"float":[[0.1,-2e-7],[1,2]],"int8":[[1,-2],[3,4]],"base64":["AAAAPw==","AAAAPw=="]},"texts":["a","b"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":4}},"response_type":"embeddings_by_type"}`,
		`{"id":"e","embeddings":[[0.1]],"texts":["a"],"meta":{"billed_units":{"images":1,"image_tokens":9}},"response_type":"embeddings_floats"}`,
	}
	return requests, answers
}

func TestEmbeddingsAreSaidAgain(t *testing.T) {
	requests, answers := embedBodies()
	dialecttest.Operation(t, embeds(), nil, requests, answers)
}

func TestRecordedErrorsOfEmbeddings(t *testing.T) {
	xs := dialecttest.At(t, "/v2/embed")
	if len(xs) == 0 {
		t.Fatal("nothing was found in the corpus")
	}
	for i := range xs {
		x := &xs[i]
		e := embeds().DecodeError(dialecttest.Reply(x))
		if reply := embeds().EncodeError(e); e.Kind != llm.NotFound || string(reply.Body) != string(x.Response.Body) {
			t.Errorf("%s: %v\n%s", x.Name(), e, reply.Body)
		}
		if _, err := embeds().DecodeRequest(dialecttest.Inbound(x, nil)); err != nil {
			t.Errorf("%s: %v", x.Name(), err)
		}
	}
}

func FuzzDecodeEmbed(f *testing.F) {
	requests, answers := embedBodies()
	dialecttest.FuzzOperation(f, embeds(), requests, answers)
}
