package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const lifecycleDeployments = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: plain
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: account
    lifecycle: allow
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
`

// vendor answers as one that keeps vector stores and files.
func vendor(t *testing.T) *testkit.Upstream {
	up := testkit.NewUpstream(t)
	n := 0
	up.Handle(func(r *testkit.Request) testkit.Answer {
		path, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/v1"), "?")
		switch {
		case strings.HasSuffix(path, "/content"):
			return testkit.Text(200, "text/html", "<b>bytes</b>")
		case r.Method == http.MethodGet && strings.Count(path, "/") == 1:
			return testkit.JSON(`{"object":"list","data":[{"id":"vs_1aaaaaa","name":"x"},{"id":"vs_2aaaaaa"},{"id":"vs_foreign9"}],"first_id":"vs_1aaaaaa","last_id":"vs_foreign9","has_more":false}`)
		case path == "/threads/runs":
			return testkit.JSON(`{"id":"run_1aaaaaa","thread_id":"thread_1aaaaaa"}`)
		case r.Method == http.MethodPost && strings.Count(path, "/") == 1:
			n++
			return testkit.JSON(fmt.Sprintf(`{"id":"%s_%daaaaaa", "z":1.0}`, map[string]string{"/vector_stores": "vs", "/files": "file", "/videos": "video"}[path], n))
		case strings.HasSuffix(path, "/fail"):
			return testkit.OpenAIError(500, "server_error", "no")
		}
		return testkit.JSON(`{"ok":true, "id":"` + path + `"}`)
	})
	return up
}

func lifecycleWorld(t *testing.T) (*world, *testkit.Upstream) {
	t.Helper()
	up := vendor(t)
	db := openDB(t, t.TempDir()+"/plenum.db")
	w := newWorld(t, Mechanisms{Owners: owners{db}}, lifecycleDeployments, up.URL)
	w.withKeys(fmt.Sprintf(lifecycleDeployments, up.URL))
	return w, up
}

func TestWhatAnUpstreamKeepsPassesAsItIs(t *testing.T) {
	w, up := lifecycleWorld(t)
	resp, got := w.post("/v1/vector_stores?x=1", `{"name": "a",  "n":1.50}`, "OpenAI-Beta", "assistants=v2", "Content-Type", "application/json", "X-Mine", "1")
	if resp.StatusCode != 200 || got != `{"id":"vs_1aaaaaa", "z":1.0}` || resp.Header.Get("Plenum-Deployment") != "account" {
		t.Fatalf("%d %s %v", resp.StatusCode, got, resp.Header)
	}
	r := up.Last()
	if string(r.Body) != `{"name": "a",  "n":1.50}` || r.Header.Get("Openai-Beta") != "assistants=v2" || r.Header.Get("X-Mine") != "" || r.Header.Get("Authorization") == "Bearer "+worldKey {
		t.Errorf("the upstream got %s with %v", r.Body, r.Header)
	}
	rec := w.records.nth(t, 0)
	if rec.Op != "lifecycle" || rec.Deployment != "account" || rec.Priced || len(rec.Attempts) != 1 || rec.KeyID != "declared:dev" {
		t.Errorf("the record is %+v", rec)
	}
	if _, got = w.do("GET", "/openai/v1/vector_stores/vs_1aaaaaa/files?limit=3"); !strings.Contains(got, "/vector_stores/vs_1aaaaaa/files") {
		t.Errorf("what is below it: %s", got)
	}
	if _, got = w.do("GET", "/v1/vector_stores"); strings.Contains(got, "vs_2") || strings.Contains(got, "foreign") || !strings.Contains(got, `{"id":"vs_1aaaaaa","name":"x"}`) {
		t.Errorf("the list is %s", got)
	}
	resp, got = w.do("GET", "/v1/vector_stores/vs_1aaaaaa/content")
	if got != "<b>bytes</b>" || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("a content is %q with %v", got, resp.Header)
	}
	if resp, _ = w.do("DELETE", "/v1/vector_stores/vs_1aaaaaa"); resp.StatusCode != 200 {
		t.Errorf("deleting: %d", resp.StatusCode)
	}
	if resp, _ = w.do("GET", "/v1/vector_stores/vs_1aaaaaa"); resp.StatusCode != 404 {
		t.Errorf("after it was deleted: %d", resp.StatusCode)
	}
}

func TestCase_I10_WhatAnUpstreamKeepsForAnotherProjectIsNotThere(t *testing.T) {
	w, up := lifecycleWorld(t)
	w.post("/v1/vector_stores", `{}`, "Content-Type", "application/json")
	ct, body := form("purpose", "x", "file", "content of vs_1aaaaaa")
	_, got := w.post("/v1/files", body, "Content-Type", ct, "Plenum-Deployment", "account", "Authorization", another)
	if got != `{"id":"file_2aaaaaa", "z":1.0}` {
		t.Fatalf("a file at the upstream: %s", got)
	}
	before := up.Count()
	for name, probe := range map[string][3]string{
		"reading":              {"GET", "/v1/vector_stores/vs_1aaaaaa", ""},
		"below it":             {"POST", "/v1/vector_stores/vs_1aaaaaa/files", `{}`},
		"deleting":             {"DELETE", "/v1/vector_stores/vs_1aaaaaa", ""},
		"one nobody made here": {"GET", "/v1/vector_stores/vs_foreign9", ""},
		"in a body":            {"POST", "/v1/assistants", `{"tools":[{"type":"file_search"}],"tool_resources":{"file_search":{"vector_store_ids":["vs_1aaaaaa"]}}}`},
		"as a member's name":   {"POST", "/v1/assistants", `{"metadata":{"vs_1aaaaaa":"x"}}`},
		"escaped in a body":    {"POST", "/v1/assistants", `{"x":"vs\u005f1aaaaaa"}`},
	} {
		ct := "application/json"
		if resp, got := w.request(probe[0], probe[1], probe[2], "Authorization", another, "Content-Type", ct); resp.StatusCode != 404 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	ct, body = form("file_id", "vs_1aaaaaa")
	if resp, got := w.post("/v1/videos", body, "Content-Type", ct, "Authorization", another); resp.StatusCode != 404 {
		t.Errorf("in a form: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.post("/v1/videos", "vs_1aaaaaa", "Content-Type", "text/plain", "Authorization", another); resp.StatusCode != 415 {
		t.Errorf("in a body of another kind: %d %s", resp.StatusCode, got)
	}
	w.post("/v1/videos", `{}`, "Content-Type", "application/json", "Authorization", another)
	for _, path := range []string{"/v1/videos/video_3aaaaaa/../../vector_stores/vs_1aaaaaa", "/v1/videos/video_3aaaaaa/%2e%2e/x", "/v1/videos/video_3aaaaaa/x%3Fy", "/v1/videos/.."} {
		if resp, got := w.request("GET", path, "", "Authorization", another); resp.StatusCode != 404 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
	if n := up.Count(); n != before+1 {
		t.Errorf("%d of these reached the upstream", n-before-1)
	}
}

func TestLifecycleCallsPassOnlyWhereADeploymentLetsThem(t *testing.T) {
	w, up := lifecycleWorld(t)
	if resp, got := w.post("/v1/vector_stores", `{}`, "Content-Type", "application/json", "Plenum-Deployment", "plain"); resp.StatusCode != 403 || !strings.Contains(got, "lifecycle: allow") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	w.current.Store(w.compile(fmt.Sprintf(oneTarget, up.URL)))
	if resp, got := w.post("/v1/vector_stores", `{}`, "Content-Type", "application/json"); resp.StatusCode != 403 {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if up.Count() != 0 {
		t.Error("the upstream was asked")
	}
}

func TestAThreadMadeWithARunIsItsCallers(t *testing.T) {
	w, _ := lifecycleWorld(t)
	if resp, got := w.post("/v1/threads/runs", `{}`, "Content-Type", "application/json"); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if resp, _ := w.do("GET", "/v1/threads/thread_1aaaaaa/runs/run_1aaaaaa"); resp.StatusCode != 200 {
		t.Errorf("the owner: %d", resp.StatusCode)
	}
	if resp, _ := w.do("GET", "/v1/threads/thread_1aaaaaa", "Authorization", another); resp.StatusCode != 404 {
		t.Errorf("another: %d", resp.StatusCode)
	}
}

func TestALifecycleCallThatMayHaveActedIsNotSentAgain(t *testing.T) {
	w, up := lifecycleWorld(t)
	w.post("/v1/vector_stores", `{}`, "Content-Type", "application/json")
	if resp, got := w.request("POST", "/v1/vector_stores/vs_1aaaaaa/fail", `{}`, "Content-Type", "application/json"); resp.StatusCode != 500 || !strings.Contains(got, `"no"`) {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if n := up.Count(); n != 2 {
		t.Errorf("the upstream was asked %d times", n)
	}
}
