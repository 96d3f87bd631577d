package app

import (
	"fmt"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const costDeployments = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%[1]s/v1"}
  - {name: claude, provider: anthropic, base_url: "%[1]s", credentials: {api_key: k}}
deployments:
  - name: m
    targets:
      - connection: a
        upstream_model: up
        price: {input_usd_per_million: 2, output_usd_per_million: 10, cache_read_usd_per_million: 1, input_audio_usd_per_million: 40, reasoning_usd_per_million: 20,
          output_audio_usd_per_million: 80, output_image_usd_per_million: 30, second_usd_per_thousand: 0.1, search_usd_per_thousand: 2}
  - name: units
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 0, output_usd_per_million: 0, image_usd_per_thousand: 40, character_usd_per_million: 15}}]
  - name: sonnet
    targets: [{connection: claude, upstream_model: claude-sonnet-4-5}]
`

func message(usage string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{` + usage + `}}`
}

// TestCase_D10_EachUnitHasItsPrice has one call of each kind whose cost is known to the millionth.
func TestCase_D10_EachUnitHasItsPrice(t *testing.T) {
	chat := `{"model":"m","messages":[{"role":"user","content":"x"}]}`
	claude := `{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`
	usage := func(u string) string {
		return strings.Replace(plainAnswer, `"prompt_tokens":10,"completion_tokens":5,"total_tokens":15`, u, 1)
	}
	for name, x := range map[string]struct {
		path, body, answer string
		want               plenum.Micros
	}{
		"tokens of sound, of reasoning and of the cache": {
			"/v1/chat/completions", chat,
			usage(`"prompt_tokens":1000,"completion_tokens":600,"prompt_tokens_details":{"audio_tokens":100,"cached_tokens":400},"completion_tokens_details":{"audio_tokens":50,"reasoning_tokens":200}`),
			500*2 + 100*40 + 400*1 + 350*10 + 50*80 + 200*20,
		},
		"a short prompt":        {"/v1/messages", claude, message(`"input_tokens":200000,"output_tokens":100`), 200000*3 + 100*15},
		"a prompt over 200k":    {"/v1/messages", claude, message(`"input_tokens":200001,"output_tokens":100`), 200001*6 + 2250},
		"over 200k with caches": {"/v1/messages", claude, message(`"input_tokens":1,"cache_read_input_tokens":200000,"output_tokens":0`), 6 + 120000},
		"searches on the web":   {"/v1/messages", claude, message(`"input_tokens":10,"output_tokens":10,"server_tool_use":{"web_search_requests":3}`), 30 + 150 + 3*10000},
		"images": {
			"/v1/images/generations", `{"model":"units","prompt":"x","n":2}`, `{"created":1,"data":[{"b64_json":"AA=="},{"b64_json":"AA=="}]}`, 2 * 40000,
		},
		"speech":                     {"/v1/audio/speech", `{"model":"units","input":"hellö","voice":"v"}`, "sound", 5 * 15},
		"rankings at Groq's address": {"/openai/v1/reranking", `{"model":"m","query":"q","documents":["a"]}`, `{"results":[{"index":0,"relevance_score":1}],"meta":{"billed_units":{"search_units":2}}}`, 4000},
		"rankings":                   {"/v1/rerank", `{"model":"m","query":"q","documents":["a"]}`, `{"results":[{"index":0,"relevance_score":1}],"meta":{"billed_units":{"search_units":1}}}`, 2000},
	} {
		up := testkit.NewUpstream(t)
		up.Handle(func(r *testkit.Request) testkit.Answer {
			if strings.HasSuffix(r.Path, "/speech") {
				return testkit.Text(200, "audio/mpeg", x.answer)
			}
			return testkit.JSON(x.answer)
		})
		w := newWorld(t, Mechanisms{}, costDeployments, up.URL)
		resp, got := w.post(x.path, x.body, "Content-Type", "application/json", "anthropic-version", "2023-06-01")
		if r := w.records.nth(t, 0); resp.StatusCode != 200 || !r.Priced || r.Cost != x.want {
			t.Errorf("%s: %d %s\ncost %v, want %v; usage %+v", name, resp.StatusCode, got, r.Cost, x.want, r.Usage)
		}
	}
}

func TestCase_D10_SecondsOfSoundHaveTheirPrice(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(*testkit.Request) testkit.Answer {
		return testkit.JSON(`{"text":"hi","usage":{"type":"duration","seconds":120}}`)
	})
	w := newWorld(t, Mechanisms{}, costDeployments, up.URL)
	ct, body := form("model", "m", "file", "RIFF")
	if resp, got := w.post("/v1/audio/transcriptions", body, "Content-Type", ct); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if r := w.records.nth(t, 0); r.Cost != 120*100 || r.Usage.Seconds != 120 {
		t.Errorf("cost %v of %+v", r.Cost, r.Usage)
	}
}

// TestCase_D12_ACallThroughABridgeIsOneRowAndOneCharge calls in one dialect what is answered in another, streamed and not.
func TestCase_D12_ACallThroughABridgeIsOneRowAndOneCharge(t *testing.T) {
	for _, path := range []string{"/v1/chat/completions", "/v1/responses"} {
		for _, stream := range []bool{false, true} {
			up := testkit.NewUpstream(t)
			up.Handle(func(r *testkit.Request) testkit.Answer {
				if !strings.Contains(string(r.Body), `"stream":true`) {
					return testkit.JSON(message(`"input_tokens":100,"output_tokens":10`))
				}
				return testkit.SSE(
					testkit.Event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"usage":{"input_tokens":100,"output_tokens":1}}}`),
					testkit.Event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
					testkit.Event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`),
					testkit.Event("content_block_stop", `{"type":"content_block_stop","index":0}`),
					testkit.Event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":10}}`),
					testkit.Event("message_stop", `{"type":"message_stop"}`))
			})
			w := newWorld(t, Mechanisms{}, costDeployments, up.URL)
			body := fmt.Sprintf(`{"model":"sonnet","stream":%v,"messages":[{"role":"user","content":"x"}],"input":"x"}`, stream)
			if resp, got := w.post(path, body); resp.StatusCode != 200 {
				t.Fatalf("%s: %d %s", path, resp.StatusCode, got)
			}
			r := w.records.nth(t, 0)
			if r.Cost != 450 || len(r.Attempts) != 1 || r.Attempts[0].Cost != 450 || r.Usage.Input != 100 || r.Usage.Output != 10 {
				t.Errorf("%s, streamed %v: %v %+v", path, stream, r.Cost, r.Attempts)
			}
			if resp, _ := w.do("GET", "/v1/models"); resp.StatusCode != 200 { // the next record is that of the next call
				t.Fatal(resp.StatusCode)
			}
			if next := w.records.nth(t, 1); next.Op != "models" {
				t.Errorf("%s: a second row: %+v", path, next)
			}
		}
	}
}

func TestCase_D14_ARepeatedAnswerCostsNothingAndIsLogged(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(plainAnswer) })
	w := newWorld(t, Mechanisms{}, costDeployments, up.URL)
	for range 2 {
		if resp, got := w.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Idempotency-Key", "k"); resp.StatusCode != 200 || got != plainAnswer {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
	}
	first, again := w.records.nth(t, 0), w.records.nth(t, 1)
	if first.Cost != 10*2+5*10 || len(first.Attempts) != 1 {
		t.Errorf("the first: %+v", first)
	}
	if again.Cost != 0 || len(again.Attempts) != 0 || again.Usage != (plenum.Tokens{}) || again.Status != 200 || again.Outcome != plenum.OutcomeOK || again.KeyID == "" {
		t.Errorf("the repetition: %+v", again)
	}
	if up.Count() != 1 {
		t.Errorf("the upstream was asked %d times", up.Count())
	}
}
