package invoke_test

import (
	"net/http"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/invoke"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func TestVectorsAreAskedForInTheModelsOwnWords(t *testing.T) {
	for _, tt := range []struct{ model, in, want, refused string }{
		{"amazon.titan-embed-text-v2:0", `{"model":"m","input":"hello","dimensions":256}`, `{"inputText":"hello","dimensions":256}`, ""},
		{"amazon.titan-embed-image-v1", `{"model":"m","input":"hello","dimensions":256}`, `{"inputText":"hello","embeddingConfig":{"outputEmbeddingLength":256}}`, ""},
		{"us.cohere.embed-v4:0", `{"model":"m","input":["a","b"],"dimensions":512}`, `{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"output_dimension":512}`, ""},
		{"amazon.nova-2-multimodal-embeddings-v1:0", `{"model":"m","input":"hello","dimensions":256}`, `{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingPurpose":"GENERIC_INDEX","embeddingDimension":256,"text":{"truncationMode":"NONE","value":"hello"}}}`, ""},
		{"amazon.titan-embed-text-v2:0", `{"model":"m","input":["a","b"]}`, "", "one vector a call"},
		{"amazon.titan-embed-text-v2:0", `{"model":"m","input":[1,2,3]}`, "", "send text in place of"},
		{"anthropic.claude-x", `{"model":"m","input":"a"}`, "", "makes no vectors"},
	} {
		p, err := openai.Dialect().Codec(llm.OpEmbed).DecodeRequest(dialect.Inbound{Body: []byte(tt.in)})
		if err != nil {
			t.Fatal(err)
		}
		out, losses, err := invoke.Vectors().Codec(llm.OpEmbed).EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: tt.model}})
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s %s: %v", tt.model, tt.in, err)
			}
			continue
		}
		if err != nil || len(losses) > 0 {
			t.Errorf("%s %s: losses %v, %v", tt.model, tt.in, losses, err)
			continue
		}
		if d := dialecttest.SameJSON([]byte(tt.want), out.Body); d != "" {
			t.Errorf("%s %s: %s", tt.model, tt.in, d)
		}
	}
}

func TestVectorsAreReadInEveryShape(t *testing.T) {
	c, back := invoke.Vectors().Codec(llm.OpEmbed), openai.Dialect().Codec(llm.OpEmbed)
	for _, tt := range []struct{ body, want string }{
		{`{"embedding":[0.5,1],"inputTextTokenCount":5}`, `[0.5,1]`},
		{`{"embedding":[0.5,1],"embeddingsByType":{"float":[0.5,1]},"inputTextTokenCount":5}`, `[0.5,1]`},
		{`{"embeddings":[{"embeddingType":"TEXT","embedding":[0.5,1]}]}`, `[0.5,1]`},
		{`{"embeddings":[[0.5,1]],"id":"x","response_type":"embeddings_floats","texts":["a"]}`, `[0.5,1]`},
		{`{"embeddings":{"float":[[0.5,1]]},"id":"x","response_type":"embeddings_by_type","texts":["a"]}`, `[0.5,1]`},
	} {
		res, err := c.DecodeResponse(dialect.Reply{Status: 200, Header: http.Header{"X-Amzn-Bedrock-Input-Token-Count": {"5"}}, Body: []byte(tt.body)})
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if u := res.(*llm.Embeddings).Usage; u.In() != 5 || u.Reported&llm.InSide == 0 {
			t.Errorf("%s: the usage is %+v", tt.body, u)
		}
		out, _, err := back.EncodeResponse(&llm.Embed{Inputs: make([]llm.EmbedInput, 1)}, res, dialect.Meta{})
		if err != nil || !strings.Contains(string(out.Body), `"embedding":`+tt.want) {
			t.Errorf("%s: %s %v", tt.body, out.Body, err)
		}
	}
	for _, body := range []string{`{}`, `{"embedding":"x"}`, `nothing`, `{"embeddings":[]}`} {
		if _, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)}); !llm.IsKind(err, llm.BadUpstream) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestRankingsAreInvoked(t *testing.T) {
	p, err := cohere.Dialect().Codec(llm.OpRerank).DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","query":"q","documents":["a","b"],"top_n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	c := invoke.Vectors().Codec(llm.OpRerank)
	out, losses, err := c.EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: "cohere.rerank-v3-5:0"}})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	if d := dialecttest.SameJSON([]byte(`{"query":"q","documents":["a","b"],"top_n":1,"api_version":2}`), out.Body); d != "" {
		t.Error(d)
	}
	res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(`{"results":[{"index":1,"relevance_score":0.87}]}`)})
	if r, ok := res.(*llm.Ranking); err != nil || !ok || len(r.Results) != 1 || r.Results[0].Index != 1 {
		t.Errorf("%+v %v", res, err)
	}
	if e := c.DecodeError(dialect.Reply{Status: 429, Header: http.Header{"X-Amzn-Errortype": {"ThrottlingException"}}, Body: []byte(`{"message":"slow"}`)}); e.Kind != llm.RateLimited {
		t.Errorf("%v", e)
	}
}
