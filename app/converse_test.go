package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

const converseTargets = `
connections:
  - {name: oa, provider: openai-compatible, base_url: "%s/v1"}
  - {name: an, provider: anthropic-compatible, base_url: "%s"}
  - {name: br, provider: bedrock, base_url: "%s", region: eu-west-1, credentials: {access_key_id: AKIDEXAMPLE, secret_access_key: a-secret-of-the-tests}}
deployments:
  - {name: oa, retry: {attempts: 1}, targets: [{connection: oa, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: an, retry: {attempts: 1}, targets: [{connection: an, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: us.anthropic.claude-x, retry: {attempts: 1}, targets: [{connection: br, upstream_model: us.anthropic.claude-x, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: us.amazon.nova-x, retry: {attempts: 1}, targets: [{connection: br, upstream_model: us.amazon.nova-x, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
`

const (
	converseAsk = `{"messages":[{"role":"user","content":[{"text":"The weather in Paris?"},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}]},
		{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"weather","input":{"city":"Lyon"}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"json":{"degrees":20}}]}}]}],
		"system":[{"text":"Be brief."}],"inferenceConfig":{"maxTokens":50},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`
	chatCall     = `{"id":"c","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"I look.","tool_calls":[{"id":"t2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}}`
	messagesCall = `{"id":"m","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"t2","name":"weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":5}}`
)

var chatStream = []string{
	chunk("I "), chunk("look."),
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}}`,
	"[DONE]",
}

// converseAnswer is a streamed answer as a caller reads it.
func converseAnswer(t *testing.T, wire string) *llm.Response {
	t.Helper()
	got := dialecttest.Decode(converse.Dialect().Codec(llm.OpGenerate), dialecttest.Frames([]byte(wire)), dialect.Want{})
	if err := got.Fault(); err != nil {
		t.Fatalf("%v\n%q", err, wire)
	}
	return got.Fold()
}

func checkConverse(t *testing.T, r *llm.Response) {
	t.Helper()
	r = dialecttest.Plain(r)
	b := r.Choices[0].Blocks
	if len(b) != 2 || b[0].(llm.Text).Text != "I look." || b[1].(llm.ToolUse).Name != "weather" || b[1].(llm.ToolUse).ID != "t2" ||
		b[1].(llm.ToolUse).Args != `{"city":"Paris"}` || r.Choices[0].Stop.Reason != llm.StopTool {
		t.Errorf("got %+v", r)
	}
	if u := r.Usage; u.Input != 6 || u.CacheRead != 4 || u.Output != 5 {
		t.Errorf("usage %+v", u)
	}
}

func messagesStream() testkit.Answer {
	return testkit.SSE(
		testkit.Event("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1}}}`),
		testkit.Event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		testkit.Event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}`),
		testkit.Event("content_block_stop", `{"type":"content_block_stop","index":0}`),
		testkit.Event("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t2","name":"weather","input":{}}}`),
		testkit.Event("content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Paris\"}"}}`),
		testkit.Event("content_block_stop", `{"type":"content_block_stop","index":1}`),
		testkit.Event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}`),
		testkit.Event("message_stop", `{"type":"message_stop"}`),
	)
}

// A client of Converse on upstreams of OpenAI's and Anthropic's dialects: text, image, tools, usage, whole
// and streamed.
func TestConverseClientsReachOtherVendors(t *testing.T) {
	oa, an, br := testkit.NewUpstream(t, testkit.JSON(chatCall), testkit.SSE(chatStream...)),
		testkit.NewUpstream(t, testkit.JSON(messagesCall), messagesStream()), testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, converseTargets, oa.URL, an.URL, br.URL)
	for name, up := range map[string]*testkit.Upstream{"oa": oa, "an": an} {
		resp, body := w.post("/model/"+name+"/converse", converseAsk)
		if resp.StatusCode != 200 || resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Fatalf("%s: %d %s", name, resp.StatusCode, body)
		}
		res, err := converse.Dialect().Codec(llm.OpGenerate).DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		checkConverse(t, res.(*llm.Response))

		resp, body = w.post("/model/"+name+"/converse-stream", converseAsk)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != dialect.EventStream {
			t.Fatalf("%s: %d %v %q", name, resp.StatusCode, resp.Header, body)
		}
		checkConverse(t, converseAnswer(t, body))
		for _, r := range up.Requests() {
			for _, want := range []string{"Be brief.", "The weather in Paris?", "iVBORw0KGgo=", "Lyon", "degrees"} {
				if !bytes.Contains(r.Body, []byte(want)) {
					t.Errorf("%s: no %q in %s", name, want, r.Body)
				}
			}
		}
		up.Script(testkit.JSON(`{"input_tokens":42}`))
		_, body = w.post("/model/"+name+"/count-tokens", `{"input":{"converse":`+converseAsk+`}}`)
		if !strings.HasPrefix(body, `{"inputTokens":`) {
			t.Errorf("%s: counted %s", name, body)
		}
	}
}

// Errors of other vendors and of ours, as the AWS SDKs know them.
func TestConverseErrors(t *testing.T) {
	oa, br := testkit.NewUpstream(t), testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, converseTargets, oa.URL, oa.URL, br.URL)
	for status, want := range map[int]string{
		400: "ValidationException", 401: "InternalServerException", 404: "ResourceNotFoundException", 429: "ThrottlingException", 500: "InternalServerException",
	} {
		oa.Script(testkit.Text(status, "application/json", `{"error":{"message":"no good","type":"x"}}`))
		for _, path := range []string{"converse", "converse-stream"} {
			resp, body := w.post("/model/oa/"+path, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
			var m struct{ Message string }
			if got := resp.Header.Get("X-Amzn-Errortype"); got != want || json.Unmarshal([]byte(body), &m) != nil || m.Message == "" {
				t.Errorf("%d: %s %d %s", status, got, resp.StatusCode, body)
			}
		}
	}
	resp, body := w.post("/model/nobody/converse", `{"messages":[]}`)
	if resp.StatusCode != 404 || resp.Header.Get("X-Amzn-Errortype") != "ResourceNotFoundException" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = w.post("/model/oa/converse", `{"messages":[{"role":"user","content":"hi"}]}`)
	if resp.StatusCode != 400 || !strings.Contains(body, "messages[0].content") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = w.post("/model/oa/converse", `{}`, "Authorization", "AWS4-HMAC-SHA256 Credential="+worldKey+"/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00")
	if resp.StatusCode != 401 || resp.Header.Get("X-Amzn-Errortype") != "IncompleteSignatureException" || strings.Contains(body, worldKey) {
		t.Errorf("half of a signature, with a key for its id: %d %s", resp.StatusCode, body)
	}
}

// An error in the middle of a stream is an exception, and nothing follows it.
func TestCase_B12_AnErrorInAStreamReachesConverseClients(t *testing.T) {
	oa := testkit.NewUpstream(t, testkit.SSE(chunk("one "), `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`))
	w := newWorld(t, Mechanisms{}, converseTargets, oa.URL, oa.URL, oa.URL)
	_, body := w.post("/model/oa/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
	var kinds []string
	for f, err := range frame.NewEventStream(strings.NewReader(body), 0).All() {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, f.Event)
	}
	if got := strings.Join(kinds, " "); got != "messageStart contentBlockDelta throttlingException" {
		t.Errorf("got %s", got)
	}
}

// bedrockStream frames events of Converse as Bedrock does.
func bedrockStream(events ...string) testkit.Answer {
	var wire []byte
	for _, e := range events {
		name, data, _ := strings.Cut(e, " ")
		wire = frame.AppendEvent(wire, frame.Frame{Event: name, Data: []byte(data), Fault: strings.HasSuffix(name, "Exception")})
	}
	return testkit.Text(http.StatusOK, dialect.EventStream, string(wire))
}

const bedrockCall = `{"metrics":{"latencyMs":7},"output":{"message":{"role":"assistant","content":[{"text":"I look."},{"toolUse":{"toolUseId":"t2","name":"weather","input":{"city":"Paris"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":6,"cacheReadInputTokens":4,"outputTokens":5,"totalTokens":15}}`

func bedrockCallStream() testkit.Answer {
	return bedrockStream(`messageStart {"role":"assistant","p":"abc"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"I look."},"p":"ab"}`, `contentBlockStop {"contentBlockIndex":0}`,
		`contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t2","name":"weather"}}}`, `contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"city\":\"Paris\"}"}}}`, `contentBlockStop {"contentBlockIndex":1}`,
		`messageStop {"stopReason":"tool_use"}`, `metadata {"metrics":{"latencyMs":7},"usage":{"inputTokens":6,"cacheReadInputTokens":4,"outputTokens":5,"totalTokens":15}}`)
}

// Clients of Converse, Messages and chat completions on Bedrock, signed.
func TestBedrockUpstreams(t *testing.T) {
	br := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, converseTargets, br.URL, br.URL, br.URL)
	const model = "us.anthropic.claude-x"

	br.Script(testkit.JSON(bedrockCall), bedrockCallStream())
	if _, body := w.post("/model/"+model+"/converse", converseAsk); body != bedrockCall {
		t.Errorf("the bytes did not pass: %s", body)
	}
	_, body := w.post("/bedrock/model/"+model+"/converse-stream", converseAsk)
	checkConverse(t, converseAnswer(t, body))
	if !strings.Contains(body, `"p":"abc"`) {
		t.Errorf("the bytes did not pass: %q", body)
	}
	for i, r := range br.Requests() {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/bedrock/") {
			t.Errorf("not signed: %v", r.Header)
		}
		if string(r.Body) != converseAsk {
			t.Errorf("request %d was changed: %s", i, r.Body)
		}
	}
	if r := w.records.nth(t, 1); r.Usage.Input+r.Usage.CacheRead != 10 || r.Usage.Output != 5 {
		t.Errorf("metered %+v", r.Usage)
	}

	br.Script(testkit.JSON(bedrockCall), bedrockCallStream(), testkit.JSON(bedrockCall), bedrockCallStream())
	ask := `{"model":"us.amazon.nova-x","max_tokens":50,"messages":[{"role":"user","content":"The weather?"}],"tools":[{"type":"function","name":"weather","function":{"name":"weather","parameters":{}},"input_schema":{"type":"object"}}]`
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		_, body := w.post(path, ask+"}")
		if !strings.Contains(body, "I look.") || !strings.Contains(body, "Paris") {
			t.Errorf("%s: %s", path, body)
		}
		_, body = w.post(path, ask+`,"stream":true}`)
		if !strings.Contains(body, "I look.") || !strings.Contains(body, "Paris") || !strings.Contains(body, "tool_") {
			t.Errorf("%s: %s", path, body)
		}
	}

	br.Script(bedrockStream(`throttlingException {"message":"Too many requests"}`))
	resp, body := w.post("/v1/chat/completions", ask+`,"stream":true}`)
	if resp.StatusCode != 429 || !strings.Contains(body, "Too many requests") {
		t.Errorf("before the first content an exception is an error: %d %s", resp.StatusCode, body)
	}
	br.Script(testkit.Text(400, "application/json", `{"message":"Malformed input request"}`))
	resp, body = w.post("/model/"+model+"/converse", converseAsk)
	if resp.StatusCode != 400 || body != `{"message":"Malformed input request"}` || resp.Header.Get("X-Amzn-Errortype") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
