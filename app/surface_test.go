package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// bothDialects has an upstream of each dialect behind a name of its own.
const bothDialects = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1", credentials: {api_key: sk-ours-and-nobodys}}
  - {name: b, provider: anthropic, base_url: "%s", credentials: {api_key: sk-ours-and-nobodys}}
deployments:
  - name: gpt
    retry: {attempts: 2, max_wait: 1s}
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: claude
    retry: {attempts: 2, max_wait: 1s}
    targets: [{connection: b, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
`

// claudeEvents are the events of a stream of messages that says hello.
func claudeEvents() []string {
	return []string{
		testkit.Event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":1000,"output_tokens":1}}}`),
		testkit.Event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		testkit.Event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`),
		testkit.Event("content_block_stop", `{"type":"content_block_stop","index":0}`),
		testkit.Event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`),
		testkit.Event("message_stop", `{"type":"message_stop"}`),
	}
}

// ways are the ways of a call from a caller's dialect to an upstream's.
var ways = []struct{ name, path, body string }{
	{"openai to openai", "/v1/chat/completions", strings.Replace(askWhole, `"m"`, `"gpt"`, 1)},
	{"openai to anthropic", "/v1/chat/completions", strings.Replace(askWhole, `"m"`, `"claude"`, 1)},
	{"anthropic to openai", "/v1/messages", strings.Replace(askClaude, `"m"`, `"gpt"`, 1)},
	{"anthropic to anthropic", "/v1/messages", strings.Replace(askClaude, `"m"`, `"claude"`, 1)},
}

func TestAnAnswerThatIsNoneDoesNotPassAsOne(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "cut": `{"id":"c1","object":"chat.com`, "null": "null", "a list": `[{"id":"c1"}]`, "a string": `"fine"`,
		"an error":                    `{"error":{"message":"no good","type":"server_error","param":null,"code":null}}`,
		"an error of the other shape": `{"type":"error","error":{"type":"api_error","message":"no good"}}`,
	} {
		for _, way := range ways {
			t.Run(name+" "+way.name, func(t *testing.T) {
				up := testkit.NewUpstream(t, testkit.JSON(body))
				w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
				resp, got := w.post(way.path, way.body)
				if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, `"message"`) {
					t.Errorf("%d %s", resp.StatusCode, got)
				}
				r := w.records.nth(t, 0)
				if len(r.Attempts) != 2 || r.Cost != 0 || r.Outcome != "error" {
					t.Errorf("record %+v", r)
				}
			})
		}
	}
}

// TestCase_B10_AWholeAnswerThatSaysNothingIsNone has an upstream of each dialect answer with status 200, with usage and
// without an answer. The next target answers. What says why there is no answer is one.
func TestCase_B10_AWholeAnswerThatSaysNothingIsNone(t *testing.T) {
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7}`
	for name, up := range map[string]struct{ settings, none, blocked string }{
		"openai": {
			`provider: openai-compatible, base_url: "%s/v1", credentials: {api_key: k}`,
			`{"id":"c","object":"chat.completion","created":1,"model":"up","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}],` + usage + `}`,
			`{"id":"c","object":"chat.completion","created":1,"model":"up","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":true,"severity":"high"}}}],` + usage + `}`,
		},
		"anthropic": {
			`provider: anthropic, base_url: "%s", credentials: {api_key: k}`,
			`{"id":"m","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":0}}`,
			`{"id":"m","type":"message","role":"assistant","model":"up","content":[],"stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":0}}`,
		},
		"responses": {
			`provider: openai-compatible, dialect: responses, base_url: "%s/v1", credentials: {api_key: k}`,
			`{"id":"r","object":"response","created_at":1,"status":"completed","model":"up","output":[],"usage":{"input_tokens":7,"output_tokens":0,"total_tokens":7}}`,
			`{"id":"r","object":"response","created_at":1,"status":"incomplete","incomplete_details":{"reason":"content_filter"},"model":"up","output":[],"usage":{"input_tokens":7,"output_tokens":0,"total_tokens":7}}`,
		},
		"gemini": {
			`provider: gemini, base_url: "%s", credentials: {api_key: k}`,
			`{"promptFeedback":{},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"up"}`,
			`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"up"}`,
		},
		"converse": {
			`provider: bedrock, base_url: "%s", region: us-east-1, credentials: {api_key: k}`,
			`{"output":{"message":{"role":"assistant","content":[]}},"usage":{"inputTokens":7,"outputTokens":0,"totalTokens":7},"metrics":{"latencyMs":1}}`,
			`{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"guardrail_intervened","usage":{"inputTokens":7,"outputTokens":0,"totalTokens":7},"metrics":{"latencyMs":1}}`,
		},
		"cohere": {
			`provider: cohere, base_url: "%s", credentials: {api_key: k}`,
			`{"id":"1","message":{"role":"assistant","content":[]},"usage":{"tokens":{"input_tokens":7,"output_tokens":0}}}`,
			`{"id":"1","message":{"role":"assistant","content":[]},"finish_reason":"ERROR_TOXIC","usage":{"tokens":{"input_tokens":7,"output_tokens":0}}}`,
		},
		"ollama": {
			`provider: ollama, dialect: ollama, base_url: "%s"`,
			`{"model":"up","message":{"role":"assistant","content":""},"done":false,"prompt_eval_count":7}`,
			`{"model":"up","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":1}`,
		},
	} {
		for client := range doors() {
			t.Run(client+" on "+name, func(t *testing.T) {
				silent, good := testkit.NewUpstream(t, testkit.JSON(up.none)), testkit.NewUpstream(t, testkit.JSON(whole))
				yaml := "connections:\n  - {name: a, " + up.settings + "}\n" + `  - {name: b, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    retry: {attempts: 2, max_wait: 1s}
    targets: [{connection: a, upstream_model: up}, {connection: b, upstream_model: up}]
`
				w := newWorld(t, Mechanisms{}, yaml, silent.URL, good.URL)
				r := askPerson(false)
				r.Output = llm.Format{}
				if a := w.ask(t, client, r); a.status != 200 || !strings.Contains(a.text, "hi") || good.Count() != 1 {
					t.Errorf("%d after %d requests: %s", a.status, good.Count(), a.text)
				}
				silent.Script(testkit.JSON(up.blocked))
				if a := w.ask(t, client, r); a.status != 200 || good.Count() != 1 {
					t.Errorf("what says why it is empty: %d after %d requests: %s", a.status, good.Count(), a.text)
				}
			})
		}
	}
}

func TestCase_I2_AnUpstreamThatRepeatsOurCredentialIsNotHeard(t *testing.T) {
	const ours = "sk-ours-and-nobodys"
	fault := `{"error":{"message":"bad header Bearer ` + ours + `","type":"server_error","param":null,"code":null}}`
	for name, answer := range map[string]testkit.Answer{
		"openai 400":    testkit.OpenAIError(http.StatusBadRequest, "invalid_request_error", "bad header Bearer "+ours),
		"anthropic 400": testkit.AnthropicError(http.StatusBadRequest, "invalid_request_error", "bad header x-api-key: "+ours),
		"401":           testkit.OpenAIError(http.StatusUnauthorized, "invalid_request_error", "bad key "+ours),
		"a page":        testkit.Text(http.StatusBadGateway, "text/html", "<html><b>"+ours+"</b></html>"),
		"a page of 200": testkit.Text(http.StatusOK, "text/html", "<html><b>"+ours+"</b></html>"),
		"in 200":        testkit.JSON(fault),
		"stream":        testkit.SSE(fault),
		"later":         testkit.SSE(roleChunk, chunk("hello"), fault),
	} {
		for _, way := range ways {
			t.Run(name+" "+way.name, func(t *testing.T) {
				up := testkit.NewUpstream(t, answer)
				w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
				body := way.body
				if name == "stream" || name == "later" {
					body = strings.Replace(body, `"messages"`, `"stream":true,"messages"`, 1)
				}
				if _, got := w.post(way.path, body); strings.Contains(got, ours) {
					t.Errorf("the caller heard %s", got)
				}
				r := w.records.nth(t, 0)
				for _, a := range r.Attempts {
					if strings.Contains(r.Error+a.Error, ours) {
						t.Errorf("the record says %s; %s", r.Error, a.Error)
					}
				}
			})
		}
	}
}

func TestAnAnswerThatIsTooLargeIsRefusedAndNotAskedForAgain(t *testing.T) {
	large := strings.Replace(whole, "hi", strings.Repeat("hi", 20_000), 1)
	for name, answer := range map[string]testkit.Answer{
		"plain": testkit.JSON(large), "of unknown length": testkit.JSON(large).SplitEvery(1000), "compressed": testkit.JSON(large).Gzip(),
	} {
		t.Run(name, func(t *testing.T) {
			up := testkit.NewUpstream(t, answer)
			w := newWorld(t, Mechanisms{}, "max_answer: 32KiB\n"+oneTarget, up.URL)
			resp, got := w.post("/v1/chat/completions", askWhole)
			if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, "max_answer") || up.Count() != 1 {
				t.Errorf("after %d requests: %d %.300s", up.Count(), resp.StatusCode, got)
			}
		})
	}
}

func TestCase_E9_AnErrorAnswerCostsNothingWhateverItsStatus(t *testing.T) {
	for _, status := range []int{400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529} {
		for _, way := range ways {
			up := testkit.NewUpstream(t, testkit.OpenAIError(status, "some_error", "no"))
			w := newWorld(t, Mechanisms{}, "retry: {attempts: 1}\n"+bothDialects, up.URL, up.URL)
			if resp, _ := w.post(way.path, way.body); resp.Header.Get("Plenum-Cost-Usd") != "0.000000" {
				t.Errorf("%s: %d cost %s", way.name, status, resp.Header.Get("Plenum-Cost-Usd"))
			}
			if r := w.records.nth(t, 0); r.Cost != 0 || r.Usage.Input != 0 {
				t.Errorf("%s: %d is recorded with %+v", way.name, status, r)
			}
		}
	}
}

func TestRefusalsSayWhatWouldDo(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	for _, c := range []struct {
		method, path, key string
		status            int
		header, want      string
	}{
		{"GET", "/v1/chat/completions", worldKey, 405, "Allow", "POST"},
		{"OPTIONS", "/v1/messages", worldKey, 405, "Allow", "POST"},
		{"POST", "/v1/models", worldKey, 405, "Allow", "GET"},
		{"HEAD", "/v1/models", worldKey, 200, "Content-Type", "application/json"},
		{"HEAD", "/v1/models/m", worldKey, 200, "Content-Type", "application/json"},
		{"GET", "/v1/models", "another-key-of-somebody", 401, "Www-Authenticate", "Bearer"},
		{"POST", "/v1/messages", "", 401, "Www-Authenticate", "Bearer"},
		{"GET", "/v1/nothing", worldKey, 404, "Allow", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if c.key != "" {
			req.Header.Set("X-Api-Key", c.key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || resp.Header.Get(c.header) != c.want {
			t.Errorf("%s %s: %d with %s: %q", c.method, c.path, resp.StatusCode, c.header, resp.Header.Get(c.header))
		}
	}
}

// What is given again is the same to the byte, costs nothing and says whose answer it is, whatever the
// dialects and streamed or not.
func TestAnIdempotencyKeyIsAnsweredAgainOnEveryWay(t *testing.T) {
	claude := `{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`
	claudeStream := testkit.Stream([]byte(strings.Join(claudeEvents(), "")))
	for _, way := range ways {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %v", way.name, stream), func(t *testing.T) {
				answers := map[bool]testkit.Answer{false: testkit.JSON(whole), true: goodStream().SplitEvery(20)}
				if strings.HasSuffix(way.name, "to anthropic") {
					answers = map[bool]testkit.Answer{false: testkit.JSON(claude), true: claudeStream.SplitEvery(20)}
				}
				up := testkit.NewUpstream(t, answers[stream])
				w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
				body := way.body
				if stream {
					body = strings.Replace(body, `"messages"`, `"stream":true,"messages"`, 1)
				}
				first, said := w.post(way.path, body, "Idempotency-Key", "k")
				if way.name == "openai to anthropic" && !stream {
					time.Sleep(1100 * time.Millisecond) // another second, and the same answer
				}
				second, again := w.post(way.path, body, "Idempotency-Key", "k")
				if first.StatusCode != 200 || !strings.Contains(said, "hello") && !strings.Contains(said, "hi") || said != again {
					t.Errorf("%d\n%s\nand then %d\n%s", first.StatusCode, said, second.StatusCode, again)
				}
				if up.Count() != 1 {
					t.Errorf("%d calls reached the upstream", up.Count())
				}
				for name, want := range map[string]string{"Idempotent-Replayed": "true", "Plenum-Cache": "replay", "Plenum-Target": first.Header.Get("Plenum-Target"), "Plenum-Deployment": first.Header.Get("Plenum-Deployment")} {
					if got := second.Header.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if cost := second.Header.Get("Plenum-Cost-Usd") + second.Trailer.Get("Plenum-Cost-Usd"); cost != "0.000000" {
					t.Errorf("it cost %q", cost)
				}
				if r := w.records.nth(t, 1); r.Cost != 0 || r.Usage.Output != 0 || r.Outcome != "ok" || r.Stream != stream {
					t.Errorf("the record says %+v", r)
				}
			})
		}
	}
}

// A stream that is too large to keep, or that broke, is asked for again.
func TestAStreamThatIsNotKeptIsAskedForAgain(t *testing.T) {
	large := testkit.SSE(roleChunk, chunk(strings.Repeat("x", 1<<20)), stopChunk, usageChunk, "[DONE]")
	for name, answer := range map[string]testkit.Answer{"large": large, "cut": goodStream().CutAt(len(roleChunk) + len(chunk("hello")) + 30)} {
		up := testkit.NewUpstream(t, answer, goodStream())
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		w.post("/v1/chat/completions", ask, "Idempotency-Key", "k")
		if resp, got := w.post("/v1/chat/completions", ask, "Idempotency-Key", "k"); up.Count() != 2 || said(got) != "hello" || resp.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: after %d calls %v %s", name, up.Count(), resp.Header, got)
		}
	}
}

// What the store keeps of a call has its length and its size, though it is written before the last byte.
func TestTheRecordOfACallHasItsTimesAndSizes(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), `"stream":true`) {
			return goodStream()
		}
		return testkit.JSON(whole)
	})
	s := serveNode(t, t.TempDir(), "admin_key: the-key-of-the-admin\n"+fmt.Sprintf(withKey, up.URL))
	for _, body := range []string{askWhole, ask} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", worldKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		var r plenum.Record
		for range 100 {
			status, text := s.ask(t, http.MethodGet, "/admin/v1/calls/"+resp.Header.Get("Plenum-Request-Id"), "", "Authorization", "Bearer the-key-of-the-admin")
			if status == http.StatusOK {
				if err := json.Unmarshal([]byte(text), &r); err != nil {
					t.Fatal(err)
				}
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if r.BytesIn != int64(len(body)) || r.BytesOut == 0 || len(r.Attempts) != 1 || r.Attempts[0].End < r.Attempts[0].Start || r.End < r.Start {
			t.Errorf("%s: %+v", body, r)
		}
	}
}

func TestAListOfModelsSaysTheSameEachTime(t *testing.T) {
	w := newWorld(t, Mechanisms{}, oneTarget, "http://127.0.0.1:1")
	list := func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/models", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", worldKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := list()
	time.Sleep(1100 * time.Millisecond)
	if second := list(); first != second || !strings.Contains(first, `"id":"m"`) {
		t.Errorf("first %s then %s", first, second)
	}
}
