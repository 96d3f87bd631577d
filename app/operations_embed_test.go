package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// Embeddings, the whole way: clients of each dialect on upstreams of each.

const embedYAML = `
connections:
  - {name: a, %s}
deployments:
  - name: m
    retry: {attempts: 1}
    targets:
      - {connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
`

// packedHalf is the base64 of the floats 0.5 and -1.25.
const packedHalf = "AAAAPwAAoL8="

// embedUpstream is an upstream: the settings of its connection, what it answers, and where and how it must
// have been asked for the vectors of "alpha" and "beta".
type embedUpstream struct {
	settings, path, answer string
	asked                  []string
}

func embedUpstreams() map[string]embedUpstream {
	return map[string]embedUpstream{
		"openai": {
			settings: `provider: openai, base_url: "%s/v1", credentials: {api_key: "sk-vendor-0123456789"}`, path: "/v1/embeddings",
			answer: `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]},{"object":"embedding","index":1,"embedding":[0.1,2e-7]}],"model":"up-1","usage":{"prompt_tokens":7,"total_tokens":7}}`,
			asked:  []string{`"model":"up"`, `"input":["alpha","beta"]`},
		},
		"cohere": {
			settings: `provider: cohere, base_url: "%s", credentials: {api_key: "co-key-0123456789"}`, path: "/v2/embed",
			answer: `{"id":"e1","embeddings":{"float":[[0.5,-1.25],[0.1,2e-7]]},"texts":["alpha","beta"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":7}},"response_type":"embeddings_by_type"}`,
			asked:  []string{`"model":"up"`, `"texts":["alpha","beta"]`, `"input_type":"search_`, `"embedding_types":["float"]`},
		},
		"gemini": {
			settings: `provider: gemini, base_url: "%s", credentials: {api_key: "goog-key-0123456789"}`, path: "/v1beta/models/up:batchEmbedContents",
			answer: `{"embeddings":[{"values":[0.5,-1.25]},{"values":[0.1,2e-7]}],"usageMetadata":{"promptTokenCount":7}}`,
			asked:  []string{`"model":"models/up"`, `"text":"alpha"`, `"text":"beta"`},
		},
		"ollama": {
			settings: `provider: ollama, dialect: ollama, base_url: "%s"`, path: "/api/embed",
			answer: `{"model":"up","embeddings":[[0.5,-1.25],[0.1,2e-7]],"total_duration":5,"load_duration":1,"prompt_eval_count":7}`,
			asked:  []string{`"model":"up"`, `"input":["alpha","beta"]`},
		},
	}
}

func embedClients() map[string]struct {
	path, body string
	says       []string
} {
	return map[string]struct {
		path, body string
		says       []string
	}{
		"openai": {
			"/v1/embeddings", `{"model":"m","input":["alpha","beta"]}`,
			[]string{`"embedding":[0.5,-1.25]`, `"embedding":[0.1,2e-7]`, `"prompt_tokens":7`, `"object":"list"`},
		},
		"openai packed": {
			"/v1/embeddings", `{"model":"m","input":["alpha","beta"],"encoding_format":"base64"}`, nil,
		},
		"azure classic": {
			"/openai/deployments/m/embeddings?api-version=2024-10-21", `{"input":["alpha","beta"]}`,
			[]string{`"embedding":[0.5,-1.25]`, `"total_tokens":7`},
		},
		"azure inference": {
			"/models/embeddings?api-version=2024-05-01-preview", `{"model":"m","input":["alpha","beta"]}`,
			[]string{`"embedding":[0.5,-1.25]`, `"total_tokens":7`},
		},
		"cohere": {
			"/v2/embed", `{"model":"m","texts":["alpha","beta"],"input_type":"search_query","embedding_types":["float"]}`,
			[]string{`"float":[[0.5,-1.25],[0.1,2e-7]]`, `"billed_units":{"input_tokens":7}`, `"texts":["alpha","beta"]`},
		},
		"gemini": {
			"/v1beta/models/m:batchEmbedContents", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"alpha"}]}},{"model":"models/m","content":{"parts":[{"text":"beta"}]}}]}`,
			[]string{`"embeddings":[{"values":[0.5,-1.25]},{"values":[0.1,2e-7]}]`, `"promptTokenCount":7`},
		},
		"ollama": {
			"/api/embed", `{"model":"m","input":["alpha","beta"]}`,
			[]string{`"embeddings":[[0.5,-1.25],[0.1,2e-7]]`, `"prompt_eval_count":7`},
		},
	}
}

func TestEmbeddingsCross(t *testing.T) {
	for upName, u := range embedUpstreams() {
		for name, c := range embedClients() {
			t.Run(name+" on "+upName, func(t *testing.T) {
				up := testkit.NewUpstream(t, testkit.JSON(u.answer))
				w := newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, u.settings), up.URL)
				resp, text := w.post(c.path, c.body)
				if resp.StatusCode != 200 {
					t.Fatalf("%d %s", resp.StatusCode, text)
				}
				holds(t, "answer", text, c.says)
				if name == "openai packed" && upName != "openai" && !strings.Contains(text, `"embedding":"`+packedHalf+`"`) {
					t.Errorf("not packed: %s", text)
				}
				if up.Last().Path != u.path {
					t.Errorf("sent to %s", up.Last().Path)
				}
				holds(t, "request", string(up.Last().Body), u.asked)
				r := w.records.nth(t, 0)
				if r.Usage.Input != 7 || r.Usage.Output != 0 || r.Estimated || r.Cost != 7 || string(r.Op) != "embed" {
					t.Errorf("metered %+v, cost %d, estimated %v", r.Usage, r.Cost, r.Estimated)
				}
				if same := strings.Split(name, " ")[0] == upName; same && text != u.answer {
					t.Errorf("the bytes differ:\n%s\n%s", text, u.answer)
				}
			})
		}
	}
}

func TestFormsOfOneEmbedding(t *testing.T) {
	for name, u := range embedUpstreams() {
		one := map[string]string{
			"openai": `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"up","usage":{"prompt_tokens":3,"total_tokens":3}}`,
			"cohere": `{"id":"e1","embeddings":{"float":[[0.5]]},"meta":{"billed_units":{"input_tokens":3}}}`,
			"gemini": `{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":3}}`,
			"ollama": `{"model":"up","embeddings":[[0.5]],"prompt_eval_count":3}`,
		}[name]
		up := testkit.NewUpstream(t, testkit.JSON(one))
		w := newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, u.settings), up.URL)
		resp, text := w.post("/api/embeddings", `{"model":"m","prompt":"alpha","keep_alive":"5m"}`)
		if resp.StatusCode != 200 || text != `{"embedding":[0.5]}` {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
		if r := w.records.nth(t, 0); r.Usage.Input != 3 {
			t.Errorf("%s: metered %+v", name, r.Usage)
		}
		if name == "ollama" {
			holds(t, "request", string(up.Last().Body), []string{`"keep_alive":"5m"`, `"input":"alpha"`})
		}
		up.Script(testkit.JSON(one))
		resp, text = w.post("/v1beta/models/m:embedContent", `{"content":{"parts":[{"text":"alpha"}]},"taskType":"RETRIEVAL_QUERY"}`)
		if resp.StatusCode != 200 || !strings.HasPrefix(text, `{"embedding":{"values":[0.5]}`) {
			t.Errorf("gemini on %s: %d %s", name, resp.StatusCode, text)
		}
		if name == "gemini" {
			holds(t, "request", string(up.Last().Body), []string{`"taskType":"RETRIEVAL_QUERY"`, `{"requests":[{"model":"models/up"`})
		}
	}
}

func TestEmbeddingsRefused(t *testing.T) {
	openai, cohere := embedUpstreams()["openai"], embedUpstreams()["cohere"]
	for _, x := range []struct{ settings, path, body, want string }{
		{cohere.settings, "/v1/embeddings", `{"model":"m","input":[[1,2,3]]}`, "tokens"},
		{openai.settings, "/v2/embed", `{"model":"m","texts":["a"],"embedding_types":["int8"],"input_type":"search_query"}`, "int8"},
		{openai.settings, "/v2/embed", `{"model":"m","images":["data:image/png;base64,aaaa"],"input_type":"image"}`, "images"},
		{openai.settings, "/v1/embeddings", `{"model":"m"}`, "input"},
		{cohere.settings, "/v1/embeddings", `{"model":"m","input":[{"a":1}]}`, "a text or a list of tokens"},
	} {
		up := testkit.NewUpstream(t, testkit.Text(http.StatusBadRequest, "application/json", `{"error":{"message":"input","param":"input"}}`))
		w := newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, x.settings), up.URL)
		resp, text := w.post(x.path, x.body)
		if resp.StatusCode != 400 || !strings.Contains(text, x.want) {
			t.Errorf("%s: %d %s", x.body, resp.StatusCode, text)
		}
	}
}

// A deployment whose first target has no embeddings goes on to one that has.
func TestEmbeddingsGoWhereTheyAreServed(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(embedUpstreams()["openai"].answer))
	yaml := `
connections:
  - {name: a, provider: anthropic, base_url: "%[1]s", credentials: {api_key: "sk-vendor-0123456789"}}
  - {name: b, provider: openai, base_url: "%[1]s/v1", credentials: {api_key: "sk-vendor-0123456789"}}
deployments:
  - name: m
    targets:
      - {connection: a, upstream_model: claude}
      - {connection: b, upstream_model: up}
  - {name: alone, targets: [{connection: a, upstream_model: claude}]}
`
	w := newWorld(t, Mechanisms{}, yaml, up.URL)
	if resp, text := w.post("/v1/embeddings", `{"model":"m","input":["alpha","beta"]}`); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	resp, text := w.post("/v1/embeddings", `{"model":"alone","input":["alpha"]}`)
	if resp.StatusCode != 404 || !strings.Contains(text, "Anthropic has no embeddings") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// F14: packed vectors stay packed, lists of tokens arrive as they are, and no digit is lost.
func TestCase_F14_EmbeddingsKeepTheirForm(t *testing.T) {
	packed := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAoL8="}],"model":"up","usage":{"prompt_tokens":2,"total_tokens":2}}`
	u := embedUpstreams()["openai"]
	up := testkit.NewUpstream(t, testkit.JSON(packed))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, u.settings), up.URL)
	body := `{"input":[[8134],[2308, 7]],"model":"up","encoding_format":"base64","x_new":1e-7}`
	_, text := w.post("/v1/embeddings", strings.Replace(body, `"up"`, `"m"`, 1))
	if text != packed || string(up.Last().Body) != body {
		t.Errorf("answered %s\nsent %s", text, up.Last().Body)
	}
	c := embedUpstreams()["cohere"]
	digits := `[0.1234567890123456789,-3.4028235e+38,1.401298464324817e-45]`
	up = testkit.NewUpstream(t, testkit.JSON(`{"id":"e1","embeddings":{"float":[`+digits+`]},"meta":{"billed_units":{"input_tokens":7}}}`))
	w = newWorld(t, Mechanisms{}, fmt.Sprintf(embedYAML, c.settings), up.URL)
	if _, text := w.post("/v1/embeddings", `{"model":"m","input":"alpha"}`); !strings.Contains(text, `"embedding":`+digits) {
		t.Errorf("digits were lost: %s", text)
	}
}
