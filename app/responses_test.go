package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

const responsesTargets = `
connections:
  - {name: oa, provider: openai-compatible, base_url: "%s/v1"}
  - {name: an, provider: anthropic-compatible, base_url: "%s"}
  - {name: rs, provider: openai, base_url: "%s/v1", credentials: {api_key: a-key}}
deployments:
  - {name: oa, retry: {attempts: 1}, targets: [{connection: oa, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: an, retry: {attempts: 1}, targets: [{connection: an, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: rs, retry: {attempts: 1}, targets: [{connection: rs, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
`

// responsesAsk is a request with text, an image, a call and its result; %m stands for the deployment.
const responsesAsk = `{"model":"%m","instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"The weather in Paris?"},
	{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]},
	{"type":"function_call","call_id":"t1","name":"weather","arguments":"{\"city\":\"Lyon\"}"},{"type":"function_call_output","call_id":"t1","output":"20 degrees"}],
	"max_output_tokens":50,"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{}},"strict":false}],"stream":%s}`

const responsesWhole = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"up","output":[
	{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[]}]},
	{"type":"function_call","id":"fc_1","call_id":"t2","name":"weather","arguments":"{\"city\":\"Paris\"}","status":"completed"}],
	"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}}`

func responsesAnswer(t *testing.T, body string, streamed bool) *llm.Response {
	t.Helper()
	c := responses.Dialect().Codec(llm.OpGenerate)
	if !streamed {
		res, err := c.DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		return dialecttest.Plain(res.(*llm.Response))
	}
	got := dialecttest.Decode(c, dialecttest.Frames([]byte(body)), dialect.Want{})
	if err := got.Fault(); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return dialecttest.Plain(got.Fold())
}

func checkResponses(t *testing.T, r *llm.Response) {
	t.Helper()
	b := r.Choices[0].Blocks
	if len(b) != 2 || b[0].(llm.Text).Text != "I look." || b[1].(llm.ToolUse).Name != "weather" || b[1].(llm.ToolUse).ID != "t2" ||
		b[1].(llm.ToolUse).Args != `{"city":"Paris"}` || r.Choices[0].Stop.Reason != llm.StopTool {
		t.Errorf("got %+v", r)
	}
	if u := r.Usage; u.Input != 6 || u.CacheRead != 4 || u.Output != 5 {
		t.Errorf("usage %+v", u)
	}
}

func askResponses(model, stream string) string {
	return strings.NewReplacer("%m", model, "%s", stream).Replace(responsesAsk)
}

// responsesStream is the stream of the same answer, as the vendor says it.
func responsesStream() testkit.Answer {
	ev := func(kind, rest string) string {
		return testkit.Event("response."+kind, `{"type":"response.`+kind+`",`+rest+`}`)
	}
	whole := strings.ReplaceAll(responsesWhole, "\n", "")
	return testkit.SSE(
		ev("created", `"sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"model":"up","status":"in_progress","output":[]}`),
		ev("output_item.added", `"output_index":0,"item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}`),
		ev("content_part.added", `"output_index":0,"item_id":"msg_1","content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`),
		ev("output_text.delta", `"output_index":0,"item_id":"msg_1","content_index":0,"delta":"I look."`),
		ev("output_item.done", `"output_index":0,"item":{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[]}]}`),
		ev("output_item.added", `"output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"t2","name":"weather","arguments":"","status":"in_progress"}`),
		ev("function_call_arguments.delta", `"output_index":1,"item_id":"fc_1","delta":"{\"city\":\"Paris\"}"`),
		ev("output_item.done", `"output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"t2","name":"weather","arguments":"{\"city\":\"Paris\"}","status":"completed"}`),
		ev("completed", `"response":`+whole),
	)
}

// A client of Responses on upstreams of every dialect: text, image, tools, usage, whole and streamed.
func TestResponsesClientsReachEveryVendor(t *testing.T) {
	oa, an, rs := testkit.NewUpstream(t, testkit.JSON(chatCall), testkit.SSE(chatStream...)),
		testkit.NewUpstream(t, testkit.JSON(messagesCall), messagesStream()), testkit.NewUpstream(t, testkit.JSON(responsesWhole), responsesStream())
	w := newWorld(t, Mechanisms{}, responsesTargets, oa.URL, an.URL, rs.URL)
	n := 0
	for _, x := range []struct {
		name string
		up   *testkit.Upstream
		path string
	}{{"oa", oa, "/v1/chat/completions"}, {"an", an, "/v1/messages"}, {"rs", rs, "/v1/responses"}} {
		for _, stream := range []string{"false", "true"} {
			resp, body := w.post("/v1/responses", askResponses(x.name, stream))
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", x.name, resp.StatusCode, body)
			}
			checkResponses(t, responsesAnswer(t, body, stream == "true"))
			if x.name != "rs" && !strings.Contains(body, `"store":false`) {
				t.Errorf("%s: it is not said that nothing is kept: %s", x.name, body)
			}
			if r := w.records.nth(t, n); r.Usage.Input != 6 || r.Usage.CacheRead != 4 || r.Usage.Output != 5 {
				t.Errorf("%s: the record says %+v", x.name, r.Usage)
			}
			n++
		}
		for _, r := range x.up.Requests() {
			if r.Path != x.path {
				t.Errorf("%s was called at %s", x.name, r.Path)
			}
			for _, want := range []string{"Be brief.", "The weather in Paris?", "iVBORw0KGgo=", "Lyon", "20 degrees", `"up"`} {
				if !strings.Contains(string(r.Body), want) {
					t.Errorf("%s: no %q in %s", x.name, want, r.Body)
				}
			}
		}
	}
}

// Clients of other dialects on an upstream that is called in Responses.
func TestOtherClientsReachResponses(t *testing.T) {
	rs := testkit.NewUpstream(t, testkit.JSON(responsesWhole), responsesStream(), testkit.JSON(responsesWhole), responsesStream())
	w := newWorld(t, Mechanisms{}, `
connections:
  - {name: rs, provider: openai-compatible, dialect: responses, base_url: "%s/v1"}
deployments:
  - {name: m, targets: [{connection: rs, upstream_model: up}]}
`, rs.URL)
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"The weather in Paris?"}],"tools":[{"type":"function","function":{"name":"weather"}}]`,
		"/v1/messages":         `{"model":"m","max_tokens":50,"system":"Be brief.","messages":[{"role":"user","content":"The weather in Paris?"}],"tools":[{"name":"weather","input_schema":{"type":"object"}}]`,
	} {
		_, whole := w.post(path, body+"}")
		_, streamed := w.post(path, body+`,"stream":true}`)
		for _, got := range []string{whole, streamed} {
			for _, want := range []string{"I look.", "weather", "t2", "Paris"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: no %q in %s", path, want, got)
				}
			}
		}
	}
	for _, r := range rs.Requests() {
		for _, want := range []string{"Be brief.", "The weather in Paris?", `"store":false`, `"strict":false`} {
			if r.Path != "/v1/responses" || !strings.Contains(string(r.Body), want) {
				t.Errorf("no %q in %s %s", want, r.Path, r.Body)
			}
		}
	}
}

func TestResponsesErrors(t *testing.T) {
	oa, an, rs := testkit.NewUpstream(t), testkit.NewUpstream(t), testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, responsesTargets, oa.URL, an.URL, rs.URL)
	check := func(resp *http.Response, body string, status int, words ...string) {
		t.Helper()
		var v struct {
			Error struct{ Message, Type string }
		}
		if err := json.Unmarshal([]byte(body), &v); err != nil || resp.StatusCode != status || v.Error.Message == "" || v.Error.Type == "" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		for _, word := range words {
			if !strings.Contains(body, word) {
				t.Errorf("no %q in %s", word, body)
			}
		}
	}
	an.Script(testkit.AnthropicError(400, "invalid_request_error", "too bad"), testkit.AnthropicError(401, "authentication_error", "bad key sk-1"),
		testkit.AnthropicError(429, "rate_limit_error", "slow down"))
	resp, body := w.post("/v1/responses", askResponses("an", "false"))
	check(resp, body, 400, "too bad")
	resp, body = w.post("/v1/responses", askResponses("an", "true"))
	check(resp, body, 502, "credential")
	if strings.Contains(body, "sk-1") {
		t.Errorf("the upstream's words about our key got through: %s", body)
	}
	resp, body = w.post("/v1/responses", askResponses("an", "false"))
	check(resp, body, 429, "rate_limit_exceeded")

	resp, body = w.post("/v1/responses", `{"model":"oa","input":"x","previous_response_id":"resp_7"}`)
	check(resp, body, 404, "previous_response_id", "resp_7", "send the whole conversation", "previous_response_not_found")
	if len(oa.Requests()) != 0 {
		t.Error("a request that depends on what is not there reached the upstream")
	}
	resp, body = w.post("/v1/responses/resp_7/cancel", ``)
	check(resp, body, 404, "not_found")
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/responses/resp_7", nil)
	req.Header.Set("Authorization", "Bearer "+worldKey)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != 404 {
		t.Errorf("GET answers %d", got.StatusCode)
	}

	// Within the dialect it is the upstream's to know.
	rs.Script(testkit.JSON(responsesWhole))
	resp, body = w.post("/v1/responses", `{"model":"rs","input":"x","previous_response_id":"resp_7","store":true}`)
	if resp.StatusCode != 200 || !strings.Contains(string(rs.Requests()[0].Body), `"previous_response_id":"resp_7","store":true`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestResponsesCountsTokens(t *testing.T) {
	oa, an, rs := testkit.NewUpstream(t), testkit.NewUpstream(t, testkit.JSON(`{"input_tokens":42}`)), testkit.NewUpstream(t, testkit.JSON(`{"object":"response.input_tokens","input_tokens":43}`))
	w := newWorld(t, Mechanisms{}, responsesTargets, oa.URL, an.URL, rs.URL)
	for name, want := range map[string]string{"an": `"input_tokens":42`, "rs": `"input_tokens":43`, "oa": `"object":"response.input_tokens"`} {
		resp, body := w.post("/v1/responses/input_tokens", `{"model":"`+name+`","input":"Tell me."}`)
		if resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}
