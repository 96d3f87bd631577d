package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const messageDeployments = `
connections:
  - {name: up, provider: openai-compatible, base_url: "%s/v1"}
  - {name: dead, provider: openai-compatible, base_url: "http://127.0.0.1:9/v1"}
deployments:
  - name: m
    retry: {attempts: 1}
    targets: [{connection: up, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - {name: dead, retry: {attempts: 1}, targets: [{connection: dead, upstream_model: up}]}
  - {name: one, limits: {requests_per_minute: 1}, targets: [{connection: up, upstream_model: up}]}
  - {name: strict, parameters: strict, targets: [{connection: up, upstream_model: up, traits: {refuses: [temperature]}}]}
  - {name: whole, lossy: refuse, targets: [{connection: up, upstream_model: up}]}
  - {name: account, lifecycle: allow, targets: [{connection: up, upstream_model: up}]}
`

// What a caller is refused with says what is wrong and what to do, whoever's words he speaks.
func TestARefusalSaysWhatToDo(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{Owners: owners{openDB(t, t.TempDir()+"/plenum.db")}}, messageDeployments, up.URL)
	w.withKeys(fmt.Sprintf(messageDeployments, up.URL))
	const chat, claude, gemini = "/v1/chat/completions", "/v1/messages", "/v1beta/models/%s:generateContent"
	bodies := map[string]string{
		chat:   `{"model":"%s","temperature":0.5,"messages":[{"role":"user","content":"x"}]}`,
		claude: `{"model":"%s","temperature":0.5,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`,
		gemini: `{"generationConfig":{"temperature":0.5},"contents":[{"role":"user","parts":[{"text":"x"}]}]}`,
	}
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.Text(200, "text/html", "<html>no</html>") })
	for name, x := range map[string]struct {
		model string
		head  []string
		says  []string
	}{
		"unknown":     {"mm", nil, []string{`no deployment`, "did you mean m"}},
		"unlike any":  {"wholly-different", nil, []string{`no deployment`, "GET /v1/models lists"}},
		"no key":      {"m", []string{"Authorization", ""}, []string{"there is no key", "send one"}},
		"wrong key":   {"m", []string{"Authorization", "Bearer pk-nobody-0123456789"}, []string{"is not known here", "whoever runs this one makes keys"}},
		"unreachable": {"dead", nil, []string{"cannot be reached", "try again", "plenum doctor"}},
		"no JSON":     {"m", nil, []string{"text/html", "plenum doctor"}},
		"a parameter": {"strict", nil, []string{"temperature", "leave it out"}},
	} {
		for path, body := range bodies {
			url := path
			if path == gemini {
				url = fmt.Sprintf(path, x.model)
			} else {
				body = fmt.Sprintf(body, x.model)
			}
			_, got := w.post(url, body, append([]string{"anthropic-version", map[bool]string{true: "2023-06-01"}[path == claude]}, x.head...)...)
			for _, part := range x.says {
				if !strings.Contains(got, part) {
					t.Errorf("%s at %s says %s, and not %q", name, url, got, part)
				}
			}
		}
	}
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(`{}`) })
	for path, x := range map[string]struct {
		head []string
		says string
	}{
		"/v1/vector_stores/vs_1aaaaaa/search": {nil, "belongs to another project"},
		"/v1/vector_stores":                   {[]string{"Plenum-Deployment", "acount"}, "did you mean account"},
		"/v1/ocr":                             {[]string{"Content-Type", "text/plain"}, "send application/json"},
		"/v1/skills":                          {[]string{"Plenum-Deployment", "account", "anthropic-version", "2023-06-01"}, "name another deployment"},
		"/v1/batches":                         {nil, "must give it a store"},
		"/v1/nothing":                         {nil, "check the base URL"},
	} {
		if resp, got := w.post(path, `{}`, append([]string{"Content-Type", "application/json"}, x.head...)...); resp.StatusCode < 400 || !strings.Contains(got, x.says) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
	w.post(chat, fmt.Sprintf(bodies[chat], "one"))
	if resp, got := w.post(chat, fmt.Sprintf(bodies[chat], "one")); resp.StatusCode != 429 || !strings.Contains(got, "try again in ") {
		t.Errorf("a limit: %d %s", resp.StatusCode, got)
	}
}
