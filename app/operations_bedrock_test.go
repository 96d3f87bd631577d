package app

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const bedrockVectors = `connections:
  - {name: br, provider: bedrock, base_url: "%s", region: eu-west-1, credentials: {api_key: a-key-of-the-tests}}
deployments:
  - {name: titan, targets: [{connection: br, upstream_model: "amazon.titan-embed-text-v2:0", price: {input_usd_per_million: 2, output_usd_per_million: 0}}]}
  - {name: cohere, targets: [{connection: br, upstream_model: "cohere.embed-v4:0", price: {input_usd_per_million: 2, output_usd_per_million: 0}}]}
  - {name: rank, targets: [{connection: br, upstream_model: "cohere.rerank-v3-5:0"}]}
`

// Vectors and rankings of Bedrock reach clients of other dialects, each metered by what Bedrock says it read.
func TestVectorsOfBedrock(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, bedrockVectors, up.URL)
	for _, tt := range []struct{ path, body, sentTo, answer, want string }{
		{"/v1/embeddings", `{"model":"titan","input":"hello"}`, "/model/amazon.titan-embed-text-v2:0/invoke", `{"embedding":[0.5,1],"inputTextTokenCount":50}`, `"embedding":[0.5,1]`},
		{"/v1/embeddings", `{"model":"cohere","input":["a","b"]}`, "/model/cohere.embed-v4:0/invoke", `{"embeddings":{"float":[[1],[2]]},"id":"x","response_type":"embeddings_by_type","texts":["a","b"]}`, `"index":1,"embedding":[2]`},
		{"/v2/rerank", `{"model":"rank","query":"q","documents":["a","b"]}`, "/model/cohere.rerank-v3-5:0/invoke", `{"results":[{"index":1,"relevance_score":0.87}]}`, `"relevance_score":0.87`},
	} {
		up.Script(testkit.JSON(tt.answer).WithHeader("X-Amzn-Bedrock-Input-Token-Count", "50"))
		resp, body := w.post(tt.path, tt.body)
		if resp.StatusCode != 200 || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s", tt.body, resp.StatusCode, body)
			continue
		}
		if path := up.Last().Path; path != tt.sentTo {
			t.Errorf("it was sent to %s", path)
		}
		if strings.HasPrefix(tt.path, "/v1") {
			if c := resp.Header.Get("Plenum-Cost-Usd"); c != "0.000100" {
				t.Errorf("%s costs %q", tt.body, c)
			}
		}
	}
	resp, body := w.post("/v1/embeddings", `{"model":"titan","input":["a","b"]}`)
	if resp.StatusCode != 400 || !strings.Contains(body, "one vector a call") {
		t.Errorf("two inputs: %d %s", resp.StatusCode, body)
	}
}
