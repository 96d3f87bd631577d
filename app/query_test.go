package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// The beta client of Anthropic's SDKs calls /v1/messages?beta=true: within a dialect that is a part of the
// request, and across dialects it means nothing.
func TestTheCallersQueryReachesAnUpstreamOfItsDialect(t *testing.T) {
	const azure = `
connections:
  - {name: a, provider: azure, base_url: "%s", api_version: "2024-10-21", credentials: {api_key: sk-ours-and-nobodys}}
deployments:
  - name: gpt
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
`
	const secret = "&key=" + worldKey + "&api_key=" + worldKey + "&%6Bey=" + worldKey
	claude, gpt := strings.Replace(askClaude, `"m"`, `"claude"`, 1), strings.Replace(askWhole, `"m"`, `"gpt"`, 1)
	for _, c := range []struct{ name, yaml, path, body, want string }{
		{"anthropic", bothDialects, "/v1/messages?beta=true&x=%2f+" + secret, claude, "beta=true&x=%2f+"},
		{"openai", bothDialects, "/v1/chat/completions?beta=true" + secret, gpt, "beta=true"},
		{"nothing but the key", bothDialects, "/v1/messages?key=" + worldKey, claude, ""},
		{"anthropic to openai", bothDialects, "/v1/messages?beta=true" + secret, strings.Replace(claude, "claude", "gpt", 1), ""},
		{"openai to anthropic", bothDialects, "/v1/chat/completions?beta=true" + secret, strings.Replace(gpt, "gpt", "claude", 1), ""},
		{"an address with a query of its own", azure, "/v1/chat/completions?api-version=2099-01-01&beta=true" + secret, gpt, "api-version=2024-10-21&beta=true"},
		{"an address with a query of its own, across", azure, "/v1/messages?api-version=2099-01-01&beta=true", strings.Replace(claude, "claude", "gpt", 1), "api-version=2024-10-21"},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := testkit.NewUpstream(t)
			up.Handle(func(r *testkit.Request) testkit.Answer {
				if strings.HasSuffix(r.Path, "/messages") {
					return testkit.JSON(`{"id":"m1","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`)
				}
				return testkit.JSON(whole)
			})
			urls := []any{up.URL, up.URL}
			w := newWorld(t, Mechanisms{}, c.yaml, urls[:strings.Count(c.yaml, "%s")]...)
			if resp, got := w.post(c.path, c.body); resp.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", resp.StatusCode, got)
			}
			if got := up.Last().RawQuery; got != c.want {
				t.Errorf("the upstream was called with %q, want %q", got, c.want)
			}
		})
	}
}
