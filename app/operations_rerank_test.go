package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const rerankYAML = `
connections:
  - {name: a, %s}
deployments:
  - name: m
    retry: {attempts: 1}
    targets:
      - {connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 0, search_usd_per_thousand: 2}}
`

func TestRankingsCross(t *testing.T) {
	cohere := `provider: cohere, base_url: "%s", credentials: {api_key: "co-key-0123456789"}`
	jina := `provider: openai-compatible, base_url: "%s/v1"`
	for _, x := range []struct {
		name, settings, answer, asked string
		path, body                    string
		header                        []string
		says                          []string
		tokens, searches, cost        int64
	}{
		{
			"jina on cohere", cohere, `{"id":"r","results":[{"index":1,"relevance_score":0.75809944}],"meta":{"billed_units":{"search_units":1}}}`, "/v2/rerank",
			"/v1/rerank", `{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1,"return_documents":true}`, nil,
			[]string{`"index":1`, `"relevance_score":0.75809944`, `"document":{"text":"b"}`, `"model":"m"`, `"search_units":1`},
			0, 1, 2000,
		},
		{
			"cohere on jina", jina, `{"model":"up","results":[{"index":0,"relevance_score":0.1,"document":{"text":"a"}}],"usage":{"total_tokens":9}}`, "/v1/rerank",
			"/v2/rerank", `{"model":"m","query":"q","documents":["a","b"],"top_n":1}`, nil,
			[]string{`"results":[{"index":0,"relevance_score":0.1`, `"billed_units":{"input_tokens":9}`},
			9, 0, 9,
		},
		{
			"cohere, first version", cohere, `{"id":"r","results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":3}}}`, "/v2/rerank",
			"/v1/rerank", `{"model":"m","query":"q","documents":["a"]}`,
			[]string{"X-Fern-SDK-Name", "cohere"},
			[]string{`"search_units":3`},
			0, 3, 6000,
		},
		{
			"jina on a host that reports nothing", jina, `{"results":[{"index":0,"relevance_score":0.1}]}`, "/v1/rerank",
			"/v1/rerank", `{"model":"m","query":"four","documents":["four","four"]}`, nil,
			[]string{`"index":0`},
			4, 1, 2004,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			up := testkit.NewUpstream(t, testkit.JSON(x.answer))
			w := newWorld(t, Mechanisms{}, fmt.Sprintf(rerankYAML, x.settings), up.URL)
			resp, text := w.post(x.path, x.body, x.header...)
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			holds(t, "answer", text, x.says)
			if up.Last().Path != x.asked {
				t.Errorf("sent to %s", up.Last().Path)
			}
			r := w.records.nth(t, 0)
			if r.Usage.Input != x.tokens || r.Usage.Searches != x.searches || int64(r.Cost) != x.cost || r.Estimated != strings.Contains(x.name, "nothing") {
				t.Errorf("metered %+v, cost %d, estimated %v", r.Usage, r.Cost, r.Estimated)
			}
		})
	}
}

// A host without reranking says so in the caller's words.
func TestRankingsRefused(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(rerankYAML, `provider: openai, base_url: "%s/v1", credentials: {api_key: "sk-vendor-0123456789"}`), up.URL)
	for path, shape := range map[string]string{"/v2/rerank": `{"message":"OpenAI has no reranking`, "/v1/rerank": `"code":"no_such_operation"`} {
		resp, text := w.post(path, `{"model":"m","query":"q","documents":["a"]}`)
		if resp.StatusCode != 404 || !strings.Contains(text, shape) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
	}
}
