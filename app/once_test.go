package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const onceDeployments = `
connections:
  - {name: a, provider: mistral, base_url: "%s/v1", credentials: {api_key: "sk-vendor-0123456789"}}
  - {name: c, provider: cohere, base_url: "%s", credentials: {api_key: "sk-vendor-0123456789"}}
  - {name: n, provider: anthropic, base_url: "%s", credentials: {api_key: "sk-vendor-0123456789"}}
deployments:
  - name: plain
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: reader
    lifecycle: allow
    targets: [{connection: a, upstream_model: mistral-ocr-latest}]
  - name: command
    lifecycle: allow
    targets: [{connection: c, upstream_model: command-a}]
  - name: claude
    lifecycle: allow
    targets: [{connection: n, upstream_model: claude-x}]
`

func onceWorld(t *testing.T) (*world, *testkit.Upstream) {
	t.Helper()
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{Owners: owners{openDB(t, t.TempDir()+"/plenum.db")}}, onceDeployments, up.URL, up.URL, up.URL)
	w.withKeys(fmt.Sprintf(onceDeployments, up.URL, up.URL, up.URL))
	return w, up
}

func TestWhatAModelDoesOncePassesWithItsName(t *testing.T) {
	w, up := onceWorld(t)
	for path, sent := range map[string]string{
		"/v1/ocr":                  "/v1/ocr",
		"/openai/v1/ocr":           "/v1/ocr",
		"/v1/classifications":      "/v1/classifications",
		"/v1/chat/moderations":     "/v1/chat/moderations",
		"/v1/chat/classifications": "/v1/chat/classifications",
		"/v1/tts":                  "/v1/tts",
		"/v1/documents/search":     "/v1/documents/search",
	} {
		up.Script(testkit.JSON(`{"pages":[],"id":"x-1"}`))
		resp, got := w.post(path, `{"model": "reader",  "x":1.50}`, "Content-Type", "application/json")
		if r := up.Last(); resp.StatusCode != 200 || got != `{"pages":[],"id":"x-1"}` || r.Path != sent || string(r.Body) != `{"model": "mistral-ocr-latest",  "x":1.50}` {
			t.Errorf("%s: %d %s; sent %s to %s", path, resp.StatusCode, got, r.Body, r.Path)
		}
	}
	rec := w.records.nth(t, 0)
	if rec.Deployment != "reader" || rec.Priced || rec.Op != "lifecycle" {
		t.Errorf("the record is %+v", rec)
	}
	ct, body := form("model", "reader", "file", "sound")
	up.Script(testkit.JSON(`{}`))
	if resp, got := w.post("/v1/stt", body, "Content-Type", ct); resp.StatusCode != 200 || !strings.Contains(string(up.Last().Body), "\r\n\r\nmistral-ocr-latest\r\n") || strings.Contains(string(up.Last().Body), "reader") {
		t.Errorf("a form: %d %s; sent %s", resp.StatusCode, got, up.Last().Body)
	}
	up.Script(testkit.JSON(`{"tokens":[1,2]}`))
	if resp, got := w.post("/cohere/v1/tokenize", `{"model":"command","text":"Hi"}`, "Content-Type", "application/json"); resp.StatusCode != 200 || got != `{"tokens":[1,2]}` || up.Last().Path != "/v1/tokenize" || !strings.Contains(string(up.Last().Body), `"command-a"`) {
		t.Errorf("tokens: %d %s; sent %s to %s", resp.StatusCode, got, up.Last().Body, up.Last().Path)
	}
	before := up.Count()
	for name, x := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"an unknown model":          {`{"model":"reeder"}`, 404, "did you mean reader"},
		"one that does not let it":  {`{"model":"plain"}`, 403, "lifecycle: allow"},
		"another project's library": {`{"model":"reader","tools":[{"library_ids":["0198aaaa-1111-7222-8333-444455556666"]}]}`, 404, "0198aaaa"},
	} {
		if resp, got := w.post("/v1/ocr", x.body, "Content-Type", "application/json"); resp.StatusCode != x.status || !strings.Contains(got, x.says) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	if up.Count() != before {
		t.Error("the upstream was asked")
	}
}

// What vendors keep is called otherwise by some: the answer says so, and only its owner finds it again.
func TestCase_I10_WhatKindredVendorsKeepIsItsMakersAlone(t *testing.T) {
	w, up := onceWorld(t)
	sse := testkit.Text(200, "text/event-stream", "event: conversation.response.started\ndata: {\"type\":\"conversation.response.started\",\"conversation_id\":\"conv_0198bbbb\"}\n\n")
	for _, x := range []struct {
		path, answer, then string
		stream             bool
	}{
		{"/v1/agents", `{"id":"ag_0198aaaa"}`, "/v1/agents/ag_0198aaaa", false},
		{"/v1/libraries", `{"id":"0198aaaa-1111-7222-8333-444455556666"}`, "/v1/libraries/0198aaaa-1111-7222-8333-444455556666/documents", false},
		{"/v1/conversations", `{"conversation_id":"conv_0198aaaa","outputs":[]}`, "/v1/conversations/conv_0198aaaa", false},
		{"/v1/conversations", "", "/v1/conversations/conv_0198bbbb/history", true},
		{"/v1/videos/generations", `{"request_id":"r-0198"}`, "/v1/videos/r-0198", false},
	} {
		header := []string{"Content-Type", "application/json", "Plenum-Deployment", "reader", "User-Agent", "mistral-client-python/2"}
		up.Script(testkit.JSON(x.answer))
		if x.stream {
			up.Script(sse)
		}
		if resp, got := w.post(x.path, `{"model":"mistral-medium"}`, header...); resp.StatusCode != 200 || up.Last().Path != x.path {
			t.Fatalf("%s: %d %s", x.path, resp.StatusCode, got)
		}
		up.Script(testkit.JSON(`{"ok":1}`))
		if resp, got := w.request("GET", x.then, "", header...); resp.StatusCode != 200 || got != `{"ok":1}` {
			t.Errorf("%s: %d %s", x.then, resp.StatusCode, got)
		}
		before := up.Count()
		if resp, got := w.request("GET", x.then, "", append(header, "Authorization", another)...); resp.StatusCode != http.StatusNotFound || up.Count() != before {
			t.Errorf("%s, another's: %d %s", x.then, resp.StatusCode, got)
		}
	}
	up.Script(testkit.JSON(` [{"id":"ag_0198aaaa"},{"id":"ag_foreign"}]`))
	if _, got := w.request("GET", "/v1/agents", "", "Plenum-Deployment", "reader"); got != `[{"id":"ag_0198aaaa"}]` {
		t.Errorf("a bare list: %s", got)
	}
	before := up.Count()
	if resp, got := w.post("/v1/agents", `{"handoffs":["0198aaaa-1111-7222-8333-444455556666"],"metadata":{"my_id":"1198aaaa-1111-7222-8333-444455556666"}}`, "Content-Type", "application/json", "Authorization", another); resp.StatusCode != http.StatusNotFound || up.Count() != before {
		t.Errorf("another's in a body: %d %s", resp.StatusCode, got)
	}
	up.Script(testkit.JSON(`{"id":"agent_011CZkYpogX7uDKUyvBTophP"}`))
	claude := []string{"Content-Type", "application/json", "Plenum-Deployment", "claude", "anthropic-version", "2023-06-01"}
	if resp, got := w.post("/v1/agents", `{"name":"agent-v2","model":"claude-x"}`, claude...); resp.StatusCode != 200 || up.Last().Path != "/v1/agents" || up.Last().Header.Get("X-Api-Key") == "" {
		t.Errorf("Claude's agents: %d %s", resp.StatusCode, got)
	}
	before = up.Count()
	if resp, got := w.post("/v1/sessions", `{"agent":"agent_011CZkYpogX7uDKUyvBTophP"}`, append(claude, "Authorization", another)...); resp.StatusCode != http.StatusNotFound || up.Count() != before {
		t.Errorf("another's agent: %d %s", resp.StatusCode, got)
	}
}

func TestWhatIsFilledInIsMeteredLikeChat(t *testing.T) {
	w, up := onceWorld(t)
	up.Script(testkit.JSON(`{"id":"f","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`))
	resp, got := w.post("/v1/fim/completions", `{"model":"plain","prompt":"def a(","suffix":"return b","random_seed":3}`)
	if resp.StatusCode != 200 || up.Last().Path != "/v1/fim/completions" || string(up.Last().Body) != `{"model":"up","prompt":"def a(","suffix":"return b","random_seed":3}` || !strings.Contains(got, `"content":"b"`) {
		t.Errorf("%d %s; sent %s", resp.StatusCode, got, up.Last().Body)
	}
	if rec := w.records.nth(t, 0); !rec.Priced || rec.Usage.Input != 10 || rec.Usage.Output != 5 {
		t.Errorf("metered %+v", rec)
	}
	up.Script(testkit.SSE(`{"id":"f","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":"b"},"finish_reason":null}]}`,
		`{"id":"f","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`, "[DONE]"))
	if _, got := w.post("/v1/fim/completions", `{"model":"plain","prompt":"def a(","suffix":"return b","stream":true}`); !strings.Contains(got, `"content":"b"`) {
		t.Errorf("streamed: %s", got)
	}
	if rec := w.records.nth(t, 1); !rec.Priced || rec.Usage.Output != 5 {
		t.Errorf("metered %+v", rec)
	}
	// A host that does not know it is told the prompt alone, and the caller that the suffix is lost.
	up.Script(testkit.JSON(`{"id":"1","message":{"role":"assistant","content":[{"type":"text","text":"b"}]},"finish_reason":"COMPLETE"}`))
	resp, got = w.post("/v1/fim/completions", `{"model":"command","prompt":"def a(","suffix":"return b"}`)
	if resp.StatusCode != 200 || resp.Header.Get("Plenum-Lost") != "suffix" || !strings.Contains(got, `"object":"chat.completion"`) {
		t.Errorf("%d %s, lost %q", resp.StatusCode, got, resp.Header.Get("Plenum-Lost"))
	}
}
