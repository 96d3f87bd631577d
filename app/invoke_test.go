package app

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const claudeOnBedrock = "us.anthropic.claude-x"

const invokeAsk = `{"anthropic_version":"bedrock-2023-05-31","max_tokens":50,"messages":[{"role":"user","content":"The weather in Paris?"}],"tools":[{"name":"weather","input_schema":{"type":"object","properties":{}}}]}`

// invokeStream frames events of Anthropic's dialect as Bedrock does.
func invokeStream(events ...string) testkit.Answer {
	var wire []byte
	for _, e := range events {
		wire = frame.AppendEvent(wire, frame.Frame{Event: "chunk", Data: []byte(`{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(e)) + `","p":"abc"}`)})
	}
	return testkit.Text(http.StatusOK, dialect.EventStream, string(wire))
}

func invokeCall() []string {
	return []string{
		`{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t2","name":"weather","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Paris\"}"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}`,
		`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":6,"outputTokenCount":5,"invocationLatency":12,"firstByteLatency":3}}`,
	}
}

// invoked returns the events in the messages of a stream, and the exception that ended it.
func invoked(t *testing.T, wire string) (events []string, exception string) {
	t.Helper()
	for f, err := range frame.NewEventStream(strings.NewReader(wire), 0).All() {
		if err != nil {
			t.Fatalf("%v in %q", err, wire)
		}
		if f.Fault {
			return events, f.Event
		}
		var m struct{ Bytes []byte }
		if err := json.Unmarshal(f.Data, &m); err != nil {
			t.Fatal(err)
		}
		events = append(events, string(m.Bytes))
	}
	return events, ""
}

// A client of the Messages API on Claude on Bedrock: its bytes pass, but for what Bedrock wants elsewhere.
func TestMessagesClientsInvokeClaudeOnBedrock(t *testing.T) {
	br := testkit.NewUpstream(t, testkit.JSON(messagesCall).WithHeader("X-Amzn-Bedrock-Input-Token-Count", "6"), invokeStream(invokeCall()...))
	w := newWorld(t, Mechanisms{}, converseTargets, br.URL, br.URL, br.URL)
	const rest = `"max_tokens" : 50, "odd_one":[1, 2.50],"messages":[{"role":"user","content":"The weather\u00e9?"}]`

	resp, body := w.post("/v1/messages", `{"model":"`+claudeOnBedrock+`",`+rest+`}`, "Anthropic-Beta", "context-1m-2025-08-07,oauth-2025-04-20")
	if body != messagesCall || resp.StatusCode != 200 {
		t.Errorf("the bytes did not pass: %d %s", resp.StatusCode, body)
	}
	if c := resp.Header.Get("Plenum-Changed"); !strings.Contains(c, "where the host wants them") || !strings.Contains(c, "oauth-2025-04-20 removed") {
		t.Errorf("changed: %s", c)
	}
	r := br.Requests()[0]
	if r.Path != "/model/"+claudeOnBedrock+"/invoke" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/bedrock/") {
		t.Errorf("%s %v", r.Path, r.Header)
	}
	if got, want := string(r.Body), `{`+rest+`,"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"]}`; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	if h := r.Header; h.Get("Anthropic-Version")+h.Get("Anthropic-Beta") != "" {
		t.Errorf("headers that Bedrock does not read: %v", h)
	}

	resp, body = w.post("/v1/messages", `{"stream":true,"model":"`+claudeOnBedrock+`",`+rest+`}`)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%v", resp.Header)
	}
	var want strings.Builder
	for _, e := range invokeCall() {
		typ, _, _ := strings.Cut(strings.TrimPrefix(e, `{"type":"`), `"`)
		want.WriteString("event: " + typ + "\ndata: " + e + "\n\n")
	}
	if body != want.String() {
		t.Errorf("the bytes did not pass: %s", body)
	}
	r = br.Requests()[1]
	if r.Path != "/model/"+claudeOnBedrock+"/invoke-with-response-stream" || r.Header.Get("Accept") != dialect.EventStream || strings.Contains(string(r.Body), "stream") {
		t.Errorf("%s %v %s", r.Path, r.Header, r.Body)
	}
	for i := range 2 {
		if r := w.records.nth(t, i); r.Usage.Input != 6 || r.Usage.CacheRead != 4 || r.Usage.Output != 5 || r.Cost == 0 {
			t.Errorf("metered %+v", r.Usage)
		}
	}
}

// Errors of Bedrock reach a client of the Messages API in its words: as a status, before the first content
// of a stream too, and else as an event.
func TestCase_B12_ExceptionsOfBedrockReachMessagesClients(t *testing.T) {
	br := testkit.NewUpstream(t, testkit.Text(400, "application/json", `{"message":"max_tokens: Field required"}`).WithHeader("X-Amzn-Errortype", "ValidationException:http://x/"))
	w := newWorld(t, Mechanisms{}, converseTargets, br.URL, br.URL, br.URL)
	ask := `{"model":"` + claudeOnBedrock + `","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	resp, body := w.post("/v1/messages", ask)
	if resp.StatusCode != 400 || body != `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"}}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	throttled := frame.AppendEvent(nil, frame.Frame{Event: "throttlingException", Data: []byte(`{"message":"Too many requests"}`), Fault: true})
	br.Script(testkit.Text(200, dialect.EventStream, string(throttled)))
	resp, body = w.post("/v1/messages", ask)
	if resp.StatusCode != 429 || !strings.Contains(body, "Too many requests") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	br.Script(testkit.Text(200, dialect.EventStream, string(invokeStream(invokeCall()[:3]...).Body())+string(throttled)))
	_, body = w.post("/v1/messages", ask)
	if !strings.Contains(body, "I look.") || !strings.HasSuffix(body, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Too many requests\"}}\n\n") {
		t.Errorf("in the middle: %s", body)
	}
	// A client of Bedrock gets the exception as one.
	_, body = w.post("/model/"+claudeOnBedrock+"/invoke-with-response-stream", invokeAsk)
	if events, exception := invoked(t, body); len(events) != 3 || exception != "throttlingException" {
		t.Errorf("%q %s", events, exception)
	}
}

// A client of InvokeModel on Claude on Bedrock and at Anthropic itself: the bytes pass, in the shell.
func TestInvokeClientsOnClaude(t *testing.T) {
	br, an := testkit.NewUpstream(t), testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, converseTargets, an.URL, an.URL, br.URL)
	br.Script(testkit.JSON(messagesCall).WithHeader("X-Amzn-Bedrock-Output-Token-Count", "5"), invokeStream(invokeCall()...))
	an.Script(testkit.JSON(messagesCall), messagesStream())
	for model, up := range map[string]*testkit.Upstream{claudeOnBedrock: br, "an": an} {
		resp, body := w.post("/model/"+model+"/invoke", invokeAsk)
		if body != messagesCall || resp.StatusCode != 200 || resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %v %s", model, resp.StatusCode, resp.Header, body)
		}
		if h := resp.Header.Get("X-Amzn-Bedrock-Output-Token-Count"); up == br && h != "5" {
			t.Errorf("%v", resp.Header)
		}
		resp, body = w.post("/model/"+model+"/invoke-with-response-stream", invokeAsk)
		events, exception := invoked(t, body)
		if resp.Header.Get("Content-Type") != dialect.EventStream || len(events) != 9 || exception != "" {
			t.Errorf("%s: %v %q %s", model, resp.Header, events, exception)
		}
		for i, e := range invokeCall()[:8] {
			if i < len(events) && events[i] != e {
				t.Errorf("%s: got %s\nwant %s", model, events[i], e)
			}
		}
		for _, r := range up.Requests() {
			if !strings.Contains(string(r.Body), `"tools":[{"name":"weather","input_schema":{"type":"object","properties":{}}}]`) {
				t.Errorf("%s: sent %s", model, r.Body)
			}
			if up == br && string(r.Body) != invokeAsk[:1]+strings.TrimPrefix(invokeAsk[:len(invokeAsk)-1], `{"anthropic_version":"bedrock-2023-05-31",`)+`,"anthropic_version":"bedrock-2023-05-31"}` {
				t.Errorf("to Bedrock: %s", r.Body)
			}
			if up == an && (strings.Contains(string(r.Body), "anthropic_version") || !strings.Contains(string(r.Body), `"model":"up"`) || r.Header.Get("Anthropic-Version") == "") {
				t.Errorf("to Anthropic: %v %s", r.Header, r.Body)
			}
		}
	}
	if r := w.records.nth(t, 3); r.Dialect != "invoke" || r.Usage.Input != 6 || r.Usage.Output != 5 {
		t.Errorf("recorded %+v", r)
	}
}

// Clients of InvokeModel, each in the language of its model, on upstreams of other vendors.
func TestInvokeClientsReachOtherVendors(t *testing.T) {
	oa := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, converseTargets, oa.URL, oa.URL, oa.URL)
	for _, c := range []struct{ ask, whole, streamed string }{
		{invokeAsk, `{"type":"tool_use","id":"t2","name":"weather","input":{"city":"Paris"}}`, `"partial_json":"{\"city\":\"Paris\"}"`},
		{`{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"max_new_tokens":50}}`, `"stopReason":"tool_use"`, `{"messageStop":{"stopReason":"tool_use"}}`},
		{`{"messages":[{"role":"user","content":"hi"}],"max_tokens":50}`, `"finish_reason":"tool_calls"`, `"finish_reason":"tool_calls"`},
		{`{"prompt":"hi","max_gen_len":50}`, `{"generation":"I look.","prompt_token_count":10,"generation_token_count":5,"stop_reason":"stop"}`, `"generation":"look."`},
		{`{"inputText":"hi","textGenerationConfig":{"maxTokenCount":50}}`, `"outputText":"I look."`, `"completionReason":"FINISH"`},
		{`{"message":"hi","max_tokens":50}`, `"text":"I look."`, `"event_type":"stream-end","finish_reason":"COMPLETE"`},
	} {
		oa.Script(testkit.JSON(chatCall), testkit.SSE(chatStream...))
		resp, body := w.post("/model/oa/invoke", c.ask)
		if resp.StatusCode != 200 || !strings.Contains(body, c.whole) || !strings.Contains(body, "I look.") {
			t.Errorf("%s: %d %s", c.ask, resp.StatusCode, body)
		}
		resp, body = w.post("/model/oa/invoke-with-response-stream", c.ask)
		events, exception := invoked(t, body)
		all := strings.Join(events, "\n")
		if resp.StatusCode != 200 || exception != "" || !strings.Contains(all, c.streamed) || !strings.Contains(all, "I ") {
			t.Errorf("%s: %d %s %s", c.ask, resp.StatusCode, all, exception)
		}
		reqs := oa.Requests()
		for _, r := range reqs[len(reqs)-2:] {
			if !strings.Contains(string(r.Body), `"model":"up"`) || !strings.Contains(string(r.Body), `:50`) {
				t.Errorf("%s: sent %s", c.ask, r.Body)
			}
		}
	}
	resp, body := w.post("/model/oa/invoke", `{"what":1}`)
	if resp.StatusCode != 400 || resp.Header.Get("X-Amzn-Errortype") != "ValidationException" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	for status, want := range map[int]string{400: "ValidationException", 401: "InternalServerException", 429: "ThrottlingException"} {
		oa.Script(testkit.Text(status, "application/json", `{"error":{"message":"no good","type":"x"}}`))
		for _, verb := range []string{"invoke", "invoke-with-response-stream"} {
			resp, body := w.post("/model/oa/"+verb, invokeAsk)
			if got := resp.Header.Get("X-Amzn-Errortype"); got != want || !strings.HasPrefix(body, `{"message":`) {
				t.Errorf("%d: %s %s", status, got, body)
			}
		}
	}
	oa.Script(testkit.SSE(chunk("one "), `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`))
	_, body = w.post("/model/oa/invoke-with-response-stream", invokeAsk)
	if _, exception := invoked(t, body); exception != "throttlingException" {
		t.Errorf("in the middle: %s", exception)
	}
}

// Tokens of a body of InvokeModel are counted, by an upstream or by estimate.
func TestCountsOfInvokedBodies(t *testing.T) {
	an := testkit.NewUpstream(t, testkit.JSON(`{"input_tokens":42}`))
	w := newWorld(t, Mechanisms{}, converseTargets, an.URL, an.URL, an.URL)
	_, body := w.post("/model/oa/count-tokens", `{"input":{"invokeModel":{"body":"`+base64.StdEncoding.EncodeToString([]byte(invokeAsk))+`"}}}`)
	if !strings.HasPrefix(body, `{"inputTokens":`) {
		t.Errorf("counted %s", body)
	}
}

// What an answer consumed may stand in Bedrock's headers alone, whether its bytes pass or not.
func TestCase_D13_UsageInHeadersIsMetered(t *testing.T) {
	bare := strings.Replace(messagesCall, `,"usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":5}`, "", 1)
	if strings.Contains(bare, "usage") {
		t.Fatal(bare)
	}
	br := testkit.NewUpstream(t, testkit.JSON(bare).WithHeader("X-Amzn-Bedrock-Input-Token-Count", "6").WithHeader("X-Amzn-Bedrock-Output-Token-Count", "5"))
	w := newWorld(t, Mechanisms{}, strings.Replace(converseTargets, "region: eu-west-1,", "region: eu-west-1, invoke: claude,", 1), br.URL, br.URL, br.URL)
	const ask = `{"model":"` + claudeOnBedrock + `","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`
	for i, path := range []string{"/v1/messages", "/v1/chat/completions"} {
		if resp, body := w.post(path, ask); resp.StatusCode != 200 || i == 0 && body != bare {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if r := w.records.nth(t, i); r.Usage.Input != 6 || r.Usage.Output != 5 || r.Estimated {
			t.Errorf("%s: metered %+v", path, r.Usage)
		}
	}
}
