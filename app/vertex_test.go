package app

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

const vertexTargets = `
connections:
  - {name: vx, provider: vertex, project: proj, location: us-east5, base_url: "%s", credentials: {access_token: ya29.test}}
  - {name: an, provider: anthropic-compatible, base_url: "%s"}
  - {name: oa, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - {name: claude, retry: {attempts: 1}, targets: [{connection: vx, upstream_model: claude-x@1, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: grok, retry: {attempts: 1}, targets: [{connection: vx, upstream_model: xai/grok-x, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: mistral, retry: {attempts: 1}, targets: [{connection: vx, upstream_model: mistral-x, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: gemini, retry: {attempts: 1}, targets: [{connection: vx, upstream_model: google/gemini-x, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: an, retry: {attempts: 1}, targets: [{connection: an, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: oa, retry: {attempts: 1}, targets: [{connection: oa, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
`

const vertexPlace = "/v1/projects/proj/locations/us-east5"

// A client of the Messages API on Claude on Vertex AI: the bytes pass, but for what the host wants elsewhere.
func TestMessagesClientsReachClaudeOnVertex(t *testing.T) {
	vx := testkit.NewUpstream(t, testkit.JSON(messagesCall), messagesStream(), testkit.JSON(`{"input_tokens":42}`))
	w := newWorld(t, Mechanisms{}, vertexTargets, vx.URL, vx.URL, vx.URL)
	const rest = `"max_tokens" : 50, "odd_one":[1, 2.50],"messages":[{"role":"user","content":"The weather\u00e9?"}]`

	resp, body := w.post("/v1/messages", `{"model":"claude",`+rest+`}`, "Anthropic-Beta", "context-1m-2025-08-07,thinking-token-count-2026-05-13")
	if body != messagesCall || !strings.Contains(resp.Header.Get("Plenum-Changed"), "thinking-token-count-2026-05-13 removed") {
		t.Errorf("%v %s", resp.Header, body)
	}
	_, body = w.post("/v1/messages", `{"stream":true,"model":"claude",`+rest+`}`)
	if body != string(messagesStream().Body()) {
		t.Errorf("the bytes did not pass: %s", body)
	}
	_, body = w.post("/v1/messages/count_tokens", `{"model":"claude","messages":[]}`)
	if body != `{"input_tokens":42}` {
		t.Errorf("counted %s", body)
	}
	for i, want := range []struct{ path, body, beta string }{
		{"claude-x@1:rawPredict", `{` + rest + `,"anthropic_version":"vertex-2023-10-16"}`, "context-1m-2025-08-07"},
		{"claude-x@1:streamRawPredict", `{"stream":true,` + rest + `,"anthropic_version":"vertex-2023-10-16"}`, ""},
		{"count-tokens:rawPredict", `{"model":"claude-x@1","messages":[],"anthropic_version":"vertex-2023-10-16"}`, ""},
	} {
		r := vx.Requests()[i]
		if r.Path != vertexPlace+"/publishers/anthropic/models/"+want.path || string(r.Body) != want.body ||
			r.Header.Get("Authorization") != "Bearer ya29.test" || r.Header.Get("Anthropic-Beta") != want.beta || r.Header.Get("Anthropic-Version") != "" {
			t.Errorf("sent %s %s %v", r.Path, r.Body, r.Header)
		}
	}
	if r := w.records.nth(t, 1); r.Usage.Input != 6 || r.Usage.CacheRead != 4 || r.Usage.Output != 5 {
		t.Errorf("metered %+v", r.Usage)
	}
}

// Clients of chat completions reach every publisher's models, and Claude, in its own dialect.
func TestChatClientsReachVertex(t *testing.T) {
	vx := testkit.NewUpstream(t, testkit.JSON(chatCall), testkit.SSE(chatStream...), testkit.JSON(chatCall), testkit.JSON(messagesCall))
	w := newWorld(t, Mechanisms{}, vertexTargets, vx.URL, vx.URL, vx.URL)
	for i, want := range []struct{ ask, path, sent string }{
		{`{"model":"grok"`, "/endpoints/openapi/chat/completions", `{"model":"xai/grok-x"`},
		{`{"model":"mistral","stream":true`, "/publishers/mistralai/models/mistral-x:streamRawPredict", `{"model":"mistral-x"`},
		{`{"model":"mistral"`, "/publishers/mistralai/models/mistral-x:rawPredict", `{"model":"mistral-x"`},
		{`{"model":"claude"`, "/publishers/anthropic/models/claude-x@1:rawPredict", `{"anthropic_version"`},
	} {
		resp, body := w.post("/v1/chat/completions", want.ask+`,"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`)
		if resp.StatusCode != 200 || !strings.Contains(body, "look.") || !strings.Contains(body, "Paris") {
			t.Errorf("%s: %d %s", want.ask, resp.StatusCode, body)
		}
		r := vx.Requests()[i]
		if r.Path != vertexPlace+want.path || i < 3 && !strings.HasPrefix(string(r.Body), want.sent) || i == 3 && (strings.Contains(string(r.Body), `"model"`) || !strings.Contains(string(r.Body), "vertex-2023-10-16")) {
			t.Errorf("%s: sent %s %s", want.ask, r.Path, r.Body)
		}
	}
	for status, want := range map[int]int{400: 400, 401: 502, 429: 429} {
		vx.Script(testkit.Text(status, "application/json", `[{"error":{"code":400,"message":"no good","status":"INVALID_ARGUMENT"}}]`))
		resp, body := w.post("/v1/messages", `{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`)
		if resp.StatusCode != want || strings.Contains(body, "no good") != (status != 401) || !strings.HasPrefix(body, `{"type":"error"`) {
			t.Errorf("%d: %d %s", status, resp.StatusCode, body)
		}
	}
}

// Clients of Vertex AI pointed at Plenum: Claude's, on Claude and on another vendor's model, and those of the
// compatible endpoint.
func TestVertexClients(t *testing.T) {
	an, oa := testkit.NewUpstream(t), testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, vertexTargets, an.URL, an.URL, oa.URL)
	const ask = `{"anthropic_version":"vertex-2023-10-16","max_tokens":50,"messages":[{"role":"user","content":"hi"}]`
	for _, at := range []string{"/v1", "/v1beta1", ""} {
		models := at + "/projects/any/locations/us-east5/publishers/anthropic/models/"
		an.Script(testkit.JSON(messagesCall), messagesStream(), testkit.JSON(`{"input_tokens":42}`))
		if _, body := w.post(models+"an:rawPredict", ask+`}`); body != messagesCall {
			t.Errorf("the bytes did not pass: %s", body)
		}
		if resp, body := w.post(models+"an:streamRawPredict", ask+`,"stream":true}`); body != string(messagesStream().Body()) || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("the bytes did not pass: %s", body)
		}
		reqs := an.Requests()
		for _, r := range reqs[len(reqs)-2:] {
			if strings.Contains(string(r.Body), "anthropic_version") || !strings.Contains(string(r.Body), `"model":"up"`) || r.Header.Get("Anthropic-Version") != "2023-06-01" {
				t.Errorf("sent %s %v", r.Body, r.Header)
			}
		}
		if _, body := w.post(models+"count-tokens:rawPredict", `{"model":"an","messages":[{"role":"user","content":"hi"}]}`); !strings.HasPrefix(body, `{"input_tokens":`) {
			t.Errorf("counted %s", body)
		}
		oa.Script(testkit.JSON(chatCall), testkit.SSE(chatStream...), testkit.JSON(chatCall), testkit.JSON(chatCall))
		if _, body := w.post(models+"oa:rawPredict", ask+`}`); !strings.Contains(body, `"type":"tool_use"`) {
			t.Errorf("got %s", body)
		}
		if _, body := w.post(models+"oa:streamRawPredict", ask+`}`); !strings.Contains(body, "event: message_stop") {
			t.Errorf("got %s", body)
		}
		place := at + "/projects/any/locations/us-east5/"
		for _, path := range []string{"endpoints/openapi/chat/completions", "publishers/mistralai/models/oa:rawPredict"} {
			if _, body := w.post(place+path, `{"model":"oa","messages":[{"role":"user","content":"hi"}]}`); body != chatCall {
				t.Errorf("%s: %s", path, body)
			}
		}
	}
	resp, body := w.post("/v1/projects/any/locations/us-east5/publishers/anthropic/models/an:embed", ask+`}`)
	if resp.StatusCode != 404 || !strings.HasPrefix(body, `{"type":"error"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = w.post("/v1/projects/any/locations/us-east5/publishers/anthropic/models/nobody:rawPredict", ask+`}`)
	if resp.StatusCode != 404 || !strings.Contains(body, "nobody") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Gemini on Vertex AI is spoken to in its own dialect, but by callers of OpenAI's at the compatible endpoint.
func TestGeminiOnVertex(t *testing.T) {
	const answer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"I look."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-x"}`
	vx := testkit.NewUpstream(t, testkit.JSON(answer), testkit.SSE(answer), testkit.JSON(chatCall), testkit.JSON(answer))
	w := newWorld(t, Mechanisms{}, vertexTargets, vx.URL, vx.URL, vx.URL)
	const native = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for i, c := range []struct{ at, ask, path string }{
		{"/v1/projects/any/locations/global/publishers/google/models/gemini:generateContent", native, "/publishers/google/models/gemini-x:generateContent"},
		{"/v1beta/models/gemini:streamGenerateContent?alt=sse", native, "/publishers/google/models/gemini-x:streamGenerateContent"},
		{"/v1/chat/completions", `{"model":"gemini","messages":[{"role":"user","content":"hi"}]}`, "/endpoints/openapi/chat/completions"},
		{"/v1/messages", `{"model":"gemini","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`, "/publishers/google/models/gemini-x:generateContent"},
	} {
		resp, body := w.post(c.at, c.ask)
		if resp.StatusCode != 200 || !strings.Contains(body, "I look.") {
			t.Errorf("%s: %d %s", c.at, resp.StatusCode, body)
		}
		r := vx.Requests()[i]
		if r.Path != vertexPlace+c.path || r.Header.Get("Authorization") != "Bearer ya29.test" || i < 2 && string(r.Body) != native {
			t.Errorf("%s: sent %s %s", c.at, r.Path, r.Body)
		}
		if n := strings.Count(r.RawQuery, "alt=sse"); i == 1 && n != 1 {
			t.Errorf("asked with the query %s", r.RawQuery)
		}
	}
}

// Connections to the clouds need no address, and Azure no key where it is told how else to authenticate.
func TestCloudsAreFoundByTheirSettings(t *testing.T) {
	const yaml = `
connections:
  - {name: br, provider: bedrock, region: eu-west-1, credentials: {access_key_id: AKIDEXAMPLE, secret_access_key: a-secret-of-the-tests}}
  - {name: vx, provider: vertex, project: proj, credentials: {access_token: ya29.test}}
  - {name: az, provider: azure, base_url: "https://res.services.ai.azure.com", auth: managed_identity}
deployments:
  - {name: m, targets: [{connection: br, upstream_model: x}, {connection: vx, upstream_model: x}, {connection: az, upstream_model: x}]}
`
	w := newWorld(t, Mechanisms{}, yaml)
	for name, want := range map[string]string{
		"br": "https://bedrock-runtime.eu-west-1.amazonaws.com/", "vx": "https://aiplatform.googleapis.com/v1/projects/proj/",
		"az": "https://res.services.ai.azure.com/openai/v1/",
	} {
		conn, ok := w.current.Load().Connection(name)
		if !ok {
			t.Fatalf("there is no connection %s", name)
		}
		plan, err := conn.Handle.(*gateway.Connection).Provider.Plan("x", llm.OpGenerate, false)
		if err != nil || !strings.HasPrefix(plan.URL, want) {
			t.Errorf("%s: %+v %v", name, plan, err)
		}
	}
}
