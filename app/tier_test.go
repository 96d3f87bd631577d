package app

import (
	"fmt"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const tierDeployments = `
connections:
  - {name: o, provider: openai, base_url: "%[1]s/v1", credentials: {api_key: k}}
  - {name: own, provider: openai-compatible, base_url: "%[1]s/v1"}
  - {name: anthropic, provider: anthropic, base_url: "%[1]s", credentials: {api_key: k}}
deployments:
  - {name: gpt, targets: [{connection: o, upstream_model: gpt-5.4}]}
  - {name: dalle, targets: [{connection: o, upstream_model: dall-e-3}]}
  - name: mine
    targets:
      - connection: own
        upstream_model: up
        price:
          input_usd_per_million: 2
          output_usd_per_million: 10
          priority: {input_usd_per_million: 4, output_usd_per_million: 20}
          long_prompts: {above: 1000, price: {input_usd_per_million: 3, output_usd_per_million: 15}}
          hours: {from: "00:00", to: "00:00", price: {input_usd_per_million: 1, output_usd_per_million: 1}}
  - name: claude
    targets: [{connection: anthropic, upstream_model: up, price: {input_usd_per_million: 2, output_usd_per_million: 10, priority: {input_usd_per_million: 4, output_usd_per_million: 20}}}]
`

// tierAnswer is OpenAI's answer at a tier: 100 tokens read, 10 written.
func tierAnswer(r *testkit.Request, tier string) testkit.Answer {
	const usage = `"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}`
	switch {
	case strings.Contains(r.Path, "/responses") && strings.Contains(string(r.Body), `"stream":true`):
		resp := `{"id":"r","object":"response","created_at":1,"model":"up","status":"completed","service_tier":"` + tier + `","output":[],"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}}`
		return sse(`{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1,"model":"up","status":"in_progress","service_tier":"auto","output":[]}}`,
			`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"m","role":"assistant","status":"in_progress","content":[]}}`,
			`{"type":"response.output_text.delta","sequence_number":2,"item_id":"m","output_index":0,"content_index":0,"delta":"Hi"}`,
			`{"type":"response.completed","sequence_number":3,"response":`+resp+`}`)
	case strings.Contains(r.Path, "/responses"):
		return testkit.JSON(`{"id":"r","object":"response","created_at":1,"model":"up","status":"completed","service_tier":"` + tier + `","output":[{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]}],"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}}`)
	case strings.HasSuffix(r.Path, "/messages"):
		return testkit.JSON(message(`"input_tokens":100,"output_tokens":10,"service_tier":"` + tier + `"`))
	case strings.Contains(string(r.Body), `"stream":true`):
		const head = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","service_tier":"%s",`
		piece := func(rest string) string { return fmt.Sprintf(head, tier) + rest + "}" }
		return testkit.SSE(piece(`"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]`),
			piece(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`), piece(`"choices":[],`+usage), "[DONE]")
	}
	return testkit.JSON(`{"id":"c","object":"chat.completion","created":1,"model":"up","service_tier":"` + tier + `","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` + usage + `}`)
}

// TestCase_D10_TheTierThatServedIsTheTierThatIsPaid asks at each tier, through every way that an answer may take: as
// bytes and by way of the hub, streamed and not.
func TestCase_D10_TheTierThatServedIsTheTierThatIsPaid(t *testing.T) {
	up := testkit.NewUpstream(t)
	tier := ""
	up.Handle(func(r *testkit.Request) testkit.Answer { return tierAnswer(r, tier) })
	w := newWorld(t, Mechanisms{}, tierDeployments, up.URL)
	gpt := map[string]plenum.Micros{"default": 250 + 150, "priority": 500 + 300, "flex": 125 + 75, "scale": 250 + 150}
	n := 0
	ask := func(path, model string, stream bool, want plenum.Micros) {
		t.Helper()
		body := fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":50,"messages":[{"role":"user","content":"x"}],"input":"x"}`, model, stream)
		resp, got := w.post(path, body, "anthropic-version", "2023-06-01")
		if r := w.records.nth(t, n); resp.StatusCode != 200 || r.Cost != want {
			t.Errorf("%s %s at tier %s, streamed %v: %d, cost %v, want %v\n%s", path, model, tier, stream, resp.StatusCode, r.Cost, want, got)
		}
		n++
	}
	for name, want := range gpt {
		tier = name
		for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/messages"} {
			ask(path, "gpt", false, want)
			ask(path, "gpt", true, want)
		}
	}
	tier = "priority"
	ask("/v1/messages", "claude", false, 400+200)
	ask("/v1/chat/completions", "claude", false, 400+200)
	ask("/v1/chat/completions", "mine", false, 400+200)
	tier = "default"
	ask("/v1/chat/completions", "mine", true, 200+100) // hours that begin when they end are none
}

func TestCase_D10_ImagesCostByQualityAndSize(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(*testkit.Request) testkit.Answer {
		return testkit.JSON(`{"created":1,"data":[{"url":"https://x"}]}`)
	})
	w := newWorld(t, Mechanisms{}, tierDeployments, up.URL)
	for i, x := range []struct {
		more string
		want plenum.Micros
	}{{"", 40_000}, {`,"quality":"hd"`, 80_000}, {`,"size":"1792x1024"`, 80_000}, {`,"quality":"hd","size":"1024x1792"`, 120_000}} {
		resp, got := w.post("/v1/images/generations", `{"model":"dalle","prompt":"a cat"`+x.more+`}`)
		if r := w.records.nth(t, i); resp.StatusCode != 200 || r.Cost != x.want {
			t.Errorf("%s: %d %s: cost %v, want %v", x.more, resp.StatusCode, got, r.Cost, x.want)
		}
	}
}
