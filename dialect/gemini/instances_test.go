package gemini_test

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/llm"
)

func predicts() dialect.Codec { return gemini.Predict().Codec(llm.OpEmbed) }

func predictBodies() (requests, answers []string) {
	requests = []string{
		`{"instances":[{"content":"a","task_type":"RETRIEVAL_DOCUMENT","title":"t"},{"content":"b","mimeType":"text/plain"}],"parameters":{"outputDimensionality":256,"autoTruncate":false}}`,
		`{"instances":[{"content":"a"}]}`,
		`{"instances":[{"text":"a"},{"image":{"bytesBase64Encoded":"aaaa","mimeType":"image/png"}}],"parameters":{"dimension":128}}`,
	}
	answers = []string{
		`{"predictions":[{"embeddings":{"values":[0.1,-2e-7],"statistics":{"truncated":false,"token_count":4}}},{"embeddings":{"values":[1],"statistics":{"token_count":3}}}],"metadata":{"billableCharacterCount":12},"deployedModelId":"1"}`,
		`{"predictions":[{"textEmbedding":[0.5,1]},{"imageEmbedding":[1,2]}]}`,
		`{"predictions":[{"embeddings":{"values":[1]}}]}`,
	}
	return requests, answers
}

func TestPredictedVectorsAreSaidAgain(t *testing.T) {
	requests, answers := predictBodies()
	dialecttest.Operation(t, predicts(), embedVars(), requests, answers)
}

func TestVectorsOfOneContentAreSaidAgain(t *testing.T) {
	dialecttest.Operation(t, gemini.Vertex().Codec(llm.OpEmbed), embedVars(), []string{
		`{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"taskType":"CLUSTERING","outputDimensionality":64,"autoTruncate":true,"documentOcr":true}}`,
		`{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}`,
	}, []string{
		`{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3},"truncated":false}`,
	})
}

func FuzzDecodePredicted(f *testing.F) {
	requests, answers := predictBodies()
	dialecttest.FuzzOperation(f, predicts(), requests, answers)
}

// embedForms are requests for the same, as other dialects and forms have it.
func embedForms(t *testing.T) map[string]llm.Payload {
	t.Helper()
	read := func(c dialect.Codec, body string) llm.Payload {
		p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(body), Vars: embedVars()})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	return map[string]llm.Payload{
		"batch":   read(embeds(), `{"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64,"embedContentConfig":{"autoTruncate":false}}]}`),
		"one":     read(gemini.Vertex().Codec(llm.OpEmbed), `{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"taskType":"RETRIEVAL_QUERY","outputDimensionality":64,"autoTruncate":false}}`),
		"predict": read(predicts(), `{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":64,"autoTruncate":false}}`),
		"foreign": &llm.Embed{
			Inputs: []llm.EmbedInput{{Blocks: []llm.Block{llm.Text{Text: "a"}}}}, Purpose: llm.PurposeQuery, Size: llm.Some(64), Cut: llm.CutNone,
		},
	}
}

func TestEachFormOfEmbeddingsIsSaidInEachOther(t *testing.T) {
	for from, p := range embedForms(t) {
		for _, to := range []struct {
			name, want string
			c          dialect.Codec
		}{
			{"predict", `{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":64,"autoTruncate":false}}`, predicts()},
			{"one", `{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"taskType":"RETRIEVAL_QUERY","outputDimensionality":64,"autoTruncate":false}}`, gemini.Vertex().Codec(llm.OpEmbed)},
			{"batch", `{"requests":[{"model":"models/up","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64,"embedContentConfig":{"autoTruncate":false}}]}`, embeds()},
		} {
			if from == "batch" && to.name == "one" || from == "one" && to.name == "batch" {
				continue // the settings stay where the caller had them: either place is good
			}
			out, losses, err := to.c.EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
			if err != nil || len(losses) > 0 {
				t.Errorf("%s as %s: losses %v, %v", from, to.name, losses, err)
				continue
			}
			if d := dialecttest.SameJSON([]byte(to.want), out.Body); d != "" {
				t.Errorf("%s as %s: %s\n%s", from, to.name, out.Body, d)
			}
		}
	}
}

func TestOneVectorACallIsRefusedMore(t *testing.T) {
	two := &llm.Embed{Inputs: []llm.EmbedInput{{Blocks: []llm.Block{llm.Text{Text: "a"}}}, {Blocks: []llm.Block{llm.Text{Text: "b"}}}}}
	_, _, err := gemini.Vertex().Codec(llm.OpEmbed).EncodeRequest(two, dialect.Shape{})
	if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || !e.Elsewhere {
		t.Errorf("two inputs for a model of one: %v", err)
	}
}

func TestPredictedVectorsOfOthers(t *testing.T) {
	ask := &llm.Embed{Inputs: []llm.EmbedInput{{Blocks: []llm.Block{llm.Text{Text: "grün"}}}}}
	res := &llm.Embeddings{
		Vectors: []llm.Vector{{Numbers: []llm.Numbers{{Kind: llm.VectorFloat, List: "[1,2]"}}}},
		Usage:   llm.Usage{Input: 5, Reported: llm.InSide | llm.OutSide},
	}
	out, losses, err := predicts().EncodeResponse(ask, res, dialect.Meta{})
	want := `{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":5,"truncated":false}}}],"metadata":{"billableCharacterCount":4}}`
	if d := dialecttest.SameJSON([]byte(want), out.Body); err != nil || len(losses) > 0 || d != "" {
		t.Errorf("losses %v, %v, %s", losses, err, d)
	}
	ask.Inputs = append(ask.Inputs, ask.Inputs[0])
	second := res.Vectors[0]
	second.Index = 1
	res.Vectors = append(res.Vectors, second)
	out, losses, err = predicts().EncodeResponse(ask, res, dialect.Meta{})
	if err != nil || len(losses) != 1 || strings.Contains(string(out.Body), "token_count") {
		t.Errorf("what both were together is said of each: %s, losses %v, %v", out.Body, losses, err)
	}
}

func TestWhatIsPredictedTellsItsOperation(t *testing.T) {
	for _, r := range gemini.Dialect().Routes {
		carrier, ok := r.Codec.(dialect.Carrier)
		if !ok {
			continue
		}
		for body, want := range map[string]llm.Op{
			`{"instances":[{"content":"a"}]}`:                       llm.OpEmbed,
			`{"instances":[{"prompt":"a"}]}`:                        llm.OpImage,
			`{"instances":[{"prompt":"a","referenceImages":[{}]}]}`: llm.OpImageEdit,
		} {
			got, err := carrier.Unpack(dialect.Inbound{Body: []byte(body), Vars: embedVars()}, dialect.Bounds{})
			if err != nil || got.Op != want || got.Dialect.Name != gemini.Name {
				t.Errorf("%s is %q (%v), want %q", body, got.Op, err, want)
			}
		}
		for _, body := range []string{``, `{}`, `{"instances":[]}`, `{"instances":[1]}`, `[`} {
			if _, err := carrier.Unpack(dialect.Inbound{Body: []byte(body)}, dialect.Bounds{}); !llm.IsKind(err, llm.Invalid) {
				t.Errorf("%q: %v, want a fault of the caller's", body, err)
			}
		}
	}
}
