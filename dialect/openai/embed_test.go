package openai_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func embeds() dialect.Codec { return openai.Dialect().Codec(llm.OpEmbed) }

func embedBodies() (requests, answers []string) {
	requests = []string{
		`{"model":"m","input":"alpha"}`,
		`{"model":"m","input":["alpha","beta"],"dimensions":256,"encoding_format":"base64","user":"u"}`,
		`{"model":"m","input":[1,2,3],"encoding_format":"float"}`,
		`{"model":"m","input":[[1,2],[3]],"x_new":{"a":1}}`,
		`{"model":"m","input":["a"],"input_type":"passage","truncation":true,"output_dtype":"int8","output_dimension":64}`,
		`{"model":"m","input":["a"],"encoding_format":"base64_int8","input_type":"text"}`,
		`{"model":"m","input":["a"],"output_dtype":"ubinary","encoding_format":"base64"}`,
	}
	answers = []string{
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-7]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`,
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPw=="},{"object":"embedding","index":1,"embedding":"AAAAPw=="}],"model":"m","usage":{"total_tokens":3},"x_new":1}`,
		`{"id":"e","object":"list","data":[{"object":"embedding","index":0,"embedding":[1],"x":2}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3,"cost":{"currency":"USD"}}}`,
	}
	return requests, answers
}

func TestEmbeddingsAreSaidAgain(t *testing.T) {
	requests, answers := embedBodies()
	dialecttest.Operation(t, embeds(), nil, requests, answers)
}

func TestRecordedEmbeddingsAreSaidAgain(t *testing.T) {
	xs := dialecttest.At(t, "/embeddings")
	requests, answers := dialecttest.Bodies(xs)
	if len(answers) == 0 {
		t.Fatal("no embeddings were found in the corpus")
	}
	dialecttest.Operation(t, embeds(), nil, requests, answers)
	for i := range xs {
		if x := &xs[i]; x.Response.Status >= 400 {
			e := embeds().DecodeError(dialecttest.Reply(x))
			if reply := embeds().EncodeError(e); e.Message == "" || x.Response.Status != 401 && string(reply.Body) != string(x.Response.Body) {
				t.Errorf("%s: %v\n%s", x.Name(), e, reply.Body)
			}
		}
	}
}

func TestBrokenAnswersOfEmbeddings(t *testing.T) {
	for _, body := range []string{``, `[]`, `{}`, `{"data":[]}`, `{"data":[{"index":0}]}`, `{"data":[{"embedding":7}]}`, `{"error":{"message":"no"}}`} {
		if _, err := embeds().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)}); err == nil {
			t.Errorf("%s was taken for an answer", body)
		}
	}
	p := &llm.Embed{Inputs: make([]llm.EmbedInput, 2)}
	for _, vectors := range [][]llm.Vector{{{Index: 0}}, {{Index: 0}, {Index: 0}}, {{Index: 0}, {Index: 2}}} {
		if _, _, err := embeds().EncodeResponse(p, &llm.Embeddings{Vectors: vectors}, dialect.Meta{}); !llm.IsKind(err, llm.BadUpstream) {
			t.Errorf("%v: %v", vectors, err)
		}
	}
}

func FuzzDecodeEmbed(f *testing.F) {
	requests, answers := embedBodies()
	dialecttest.FuzzOperation(f, embeds(), requests, answers)
}
