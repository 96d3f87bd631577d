package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

const geminiTargets = `
connections:
  - {name: oa, provider: openai-compatible, base_url: "%s/v1"}
  - {name: an, provider: anthropic-compatible, base_url: "%s"}
  - {name: go, provider: gemini, base_url: "%s", credentials: {api_key: a-secret-of-the-tests}}
deployments:
  - {name: oa, retry: {attempts: 1}, targets: [{connection: oa, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: an, retry: {attempts: 1}, targets: [{connection: an, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
  - {name: go, retry: {attempts: 1}, targets: [{connection: go, upstream_model: gemini-3-pro-preview, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
`

const (
	geminiAsk = `{"system_instruction":{"parts":[{"text":"Be brief."}]},"contents":[
		{"role":"user","parts":[{"text":"The weather in Paris?"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},
		{"role":"model","parts":[{"functionCall":{"name":"weather","args":{"city":"Lyon"}},"thoughtSignature":"c2ln"}]},
		{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"degrees":20}}}]}],
		"tools":[{"functionDeclarations":[{"name":"weather","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}}}}]}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}},"generationConfig":{"maxOutputTokens":50}}`
	geminiCall = `{"candidates":[{"content":{"parts":[{"text":"I look."},{"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"c2lnbmF0dXJl"}],"role":"model"},"finishReason":"STOP","index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}`
)

// geminiStream is an answer in pieces, with a signature and without an id for the call.
var geminiStream = []string{
	`{"candidates":[{"content":{"parts":[{"text":"I "}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}`,
	`{"candidates":[{"content":{"parts":[{"text":"look."}],"role":"model"},"index":0}],"modelVersion":"gemini-3-pro-preview","responseId":"r1"}`,
	`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"c2lnbmF0dXJl"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}`,
}

func geminiCodec() dialect.Codec { return gemini.Dialect().Codec(llm.OpGenerate) }

func checkGemini(t *testing.T, r *llm.Response) {
	t.Helper()
	var text, calls string
	for _, b := range r.Choices[0].Blocks {
		switch b := b.(type) {
		case llm.Text:
			text += b.Text
		case llm.ToolUse:
			calls += b.Name + b.Args
		}
	}
	if text != "I look." || calls != `weather{"city":"Paris"}` || r.Choices[0].Stop.Reason != llm.StopTool {
		t.Errorf("got %q, %q, %+v", text, calls, r.Choices[0].Stop)
	}
	if u := r.Usage; u.Input != 6 || u.CacheRead != 4 || u.Output+u.Reasoning != 5 {
		t.Errorf("usage %+v", u)
	}
}

// A client of Gemini on upstreams of OpenAI's, Anthropic's and its own dialect: text, image, tools, a forced
// tool, usage; whole, as events and as one list.
func TestGeminiClientsReachEveryVendor(t *testing.T) {
	oa := testkit.NewUpstream(t, testkit.JSON(chatCall), testkit.SSE(chatStream...), testkit.SSE(chatStream...))
	an := testkit.NewUpstream(t, testkit.JSON(messagesCall), messagesStream(), messagesStream())
	own := testkit.NewUpstream(t, testkit.JSON(geminiCall), testkit.SSE(geminiStream...), testkit.SSE(geminiStream...))
	w := newWorld(t, Mechanisms{}, geminiTargets, oa.URL, an.URL, own.URL)
	for name, up := range map[string]*testkit.Upstream{"oa": oa, "an": an, "go": own} {
		resp, body := w.post("/v1beta/models/"+name+":generateContent", geminiAsk)
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", name, resp.StatusCode, body)
		}
		res, err := geminiCodec().DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		checkGemini(t, res.(*llm.Response))

		resp, body = w.post("/v1beta/models/"+name+":streamGenerateContent?alt=sse", geminiAsk)
		if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(ct, "text/event-stream") {
			t.Fatalf("%s: %d %s %s", name, resp.StatusCode, ct, body)
		}
		got := dialecttest.Decode(geminiCodec(), dialecttest.Frames([]byte(body)), dialect.Want{})
		if got.Fault() != nil {
			t.Fatalf("%s: %v\n%s", name, got.Fault(), body)
		}
		checkGemini(t, got.Fold())

		resp, body = w.post("/v1/projects/p/locations/l/publishers/google/models/"+name+":streamGenerateContent", geminiAsk)
		if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(ct, "application/json") || !json.Valid([]byte(body)) {
			t.Fatalf("%s: %d %s %s", name, resp.StatusCode, ct, body)
		}
		if res, err = geminiCodec().DecodeResponse(dialect.Reply{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		if checkGemini(t, res.(*llm.Response)); t.Failed() {
			t.Fatalf("%s: %s", name, body)
		}
		for _, r := range up.Requests() {
			for _, want := range []string{"Be brief.", "The weather in Paris?", "iVBORw0KGgo=", "Lyon", "degrees"} {
				if !bytes.Contains(r.Body, []byte(want)) {
					t.Errorf("%s: no %q in %s", name, want, r.Body)
				}
			}
		}
	}
	for i, want := range []string{":generateContent", ":streamGenerateContent?alt=sse", ":streamGenerateContent?alt=sse"} {
		r := own.Requests()[i]
		if at := r.Path + query(r.RawQuery); at != "/v1beta/models/gemini-3-pro-preview"+want || r.Header.Get("X-Goog-Api-Key") != "a-secret-of-the-tests" || string(r.Body) != geminiAsk {
			t.Errorf("sent %s %v %s", at, r.Header, r.Body)
		}
	}
}

func query(q string) string {
	if q == "" {
		return ""
	}
	return "?" + q
}

// Clients of chat completions and of Messages on Gemini: what its model signs comes home in the second turn,
// at the call that it belongs to, and under no id that Gemini did not give.
func TestCase_C3_ThoughtSignaturesComeHomeThroughOtherClients(t *testing.T) {
	for _, stream := range []bool{false, true} {
		up := testkit.NewUpstream(t)
		for range 2 {
			if stream {
				up.Script(testkit.SSE(geminiStream...), testkit.JSON(geminiCall))
			} else {
				up.Script(testkit.JSON(geminiCall), testkit.JSON(geminiCall))
			}
		}
		w := newWorld(t, Mechanisms{}, geminiTargets, up.URL, up.URL, up.URL)
		t.Run(fmt.Sprintf("chat completions, streamed %v", stream), func(t *testing.T) {
			said := turn(t, w, "openai", "/v1/chat/completions", stream,
				`{"model":"go","messages":[{"role":"user","content":"weather?"}]%s}`)
			w.post("/v1/chat/completions", `{"model":"go","messages":[{"role":"user","content":"weather?"},`+said+`,
				{"role":"tool","tool_call_id":"`+idIn(said)+`","content":"11 degrees"}]}`)
			home(t, up)
		})
		t.Run(fmt.Sprintf("messages, streamed %v", stream), func(t *testing.T) {
			said := turn(t, w, "anthropic", "/v1/messages", stream,
				`{"model":"go","max_tokens":99,"messages":[{"role":"user","content":"weather?"}]%s}`)
			w.post("/v1/messages", `{"model":"go","max_tokens":99,"messages":[{"role":"user","content":"weather?"},`+said+`,
				{"role":"user","content":[{"type":"tool_result","tool_use_id":"`+idIn(said)+`","content":"11 degrees"}]}]}`)
			home(t, up)
		})
	}
}

// turn asks in a dialect and returns the assistant's message, as a client sends it back.
func turn(t *testing.T, w *world, name, path string, stream bool, ask string) string {
	t.Helper()
	more := ""
	if stream {
		more = `,"stream":true`
	}
	_, body := w.post(path, fmt.Sprintf(ask, more))
	c := w.codec(t, name)
	var r *llm.Response
	if stream {
		got := dialecttest.Decode(c, dialecttest.Frames([]byte(body)), dialect.Want{})
		if got.Fault() != nil {
			t.Fatalf("%v\n%s", got.Fault(), body)
		}
		r = got.Fold()
	} else {
		res, err := c.DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		r = res.(*llm.Response)
	}
	out, _, err := c.EncodeResponse(nil, r, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Choices []struct{ Message json.RawMessage }
		Content json.RawMessage
	}
	switch err := json.Unmarshal(out.Body, &m); {
	case err != nil:
		t.Fatal(err)
	case len(m.Choices) > 0:
		return string(m.Choices[0].Message)
	}
	return `{"role":"assistant","content":` + string(m.Content) + `}`
}

// codec returns how a dialect's clients read and write.
func (w *world) codec(t *testing.T, name string) dialect.Codec {
	t.Helper()
	for _, d := range all.Dialects() {
		if d.Name == name {
			return d.Codec(llm.OpGenerate)
		}
	}
	t.Fatalf("no dialect %s", name)
	return nil
}

// idIn returns the id of the one call in a message.
func idIn(message string) string {
	_, rest, _ := strings.Cut(message, `"id":"call_gemini_`)
	id, _, _ := strings.Cut(rest, `"`)
	return "call_gemini_" + id
}

// home checks that the last request brought the signature back.
func home(t *testing.T, up *testkit.Upstream) {
	t.Helper()
	reqs := up.Requests()
	var body struct {
		Contents []struct {
			Role  string
			Parts []struct {
				FunctionCall     map[string]any
				FunctionResponse map[string]any
				ThoughtSignature string
			}
		}
	}
	last := reqs[len(reqs)-1].Body
	if err := json.Unmarshal(last, &body); err != nil || len(body.Contents) != 3 {
		t.Fatalf("%v %s", err, last)
	}
	model, result := body.Contents[1], body.Contents[2].Parts[0].FunctionResponse
	call := model.Parts[len(model.Parts)-1]
	if call.FunctionCall["name"] != "weather" || call.FunctionCall["id"] != nil || call.ThoughtSignature != "c2lnbmF0dXJl" {
		t.Errorf("the call came home as %+v", call)
	}
	if result["name"] != "weather" || fmt.Sprint(result["response"]) != "map[output:11 degrees]" || result["id"] != nil {
		t.Errorf("the result is %v", result)
	}
}

// A second turn on Gemini 3 of a history that another vendor's model made is not refused for a signature that
// is not there.
func TestCase_C3_CallsOfOtherModelsGetTheStandIn(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(geminiCall), testkit.JSON(geminiCall))
	w := newWorld(t, Mechanisms{}, geminiTargets, up.URL, up.URL, up.URL)
	resp, body := w.post("/v1/chat/completions", `{"model":"go","messages":[{"role":"user","content":"a"},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"b"}]}`)
	if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Plenum-Changed"), "thoughtSignature") {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	w.post("/v1beta/models/go:generateContent", `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`)
	for _, r := range up.Requests() {
		if !bytes.Contains(r.Body, []byte(`"thoughtSignature":"skip_thought_signature_validator"`)) {
			t.Errorf("sent %s", r.Body)
		}
	}
}

// Errors of other vendors and of ours, as Google's SDKs know them, and Google's as others' clients know them.
func TestGeminiErrors(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, geminiTargets, up.URL, up.URL, up.URL)
	const ask = `{"contents":[{"parts":[{"text":"hi"}]}]}`
	for status, want := range map[int]string{400: "INVALID_ARGUMENT", 401: "INTERNAL", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"} {
		up.Script(testkit.Text(status, "application/json", `{"error":{"message":"no good","type":"x"}}`),
			testkit.Text(status, "application/json", `{"error":{"message":"no good","type":"x"}}`))
		_, body := w.post("/v1beta/models/oa:generateContent", ask)
		if !strings.Contains(body, `"status":"`+want+`"`) || body[0] != '{' {
			t.Errorf("%d: %s", status, body)
		}
		_, body = w.post("/v1beta/models/oa:streamGenerateContent", ask)
		if !strings.Contains(body, `"status":"`+want+`"`) || body[0] != '[' || !json.Valid([]byte(body)) {
			t.Errorf("%d, as a list: %s", status, body)
		}
	}
	up.Script(testkit.Text(429, "application/json", `{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}`))
	resp, body := w.post("/v1/chat/completions", `{"model":"go","messages":[{"role":"user","content":"hi"}]}`)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" || !strings.Contains(body, "slow") {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	up.Script(testkit.Text(400, "application/json", `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`))
	resp, body = w.post("/v1beta/models/go:generateContent", ask)
	if resp.StatusCode != http.StatusBadGateway || strings.Contains(body, "not valid") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = w.post("/v1beta/models/nobody:generateContent", ask)
	if resp.StatusCode != 404 || !strings.Contains(body, `"NOT_FOUND"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = w.post("/v1beta/elsewhere", ask)
	if resp.StatusCode != 404 || !strings.Contains(body, `"NOT_FOUND"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// What Gemini refuses in a request never goes there twice, and a blocked prompt is an answer.
func TestGeminiBlocksAndCounts(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}`),
		testkit.JSON(`{"totalTokens":42}`))
	w := newWorld(t, Mechanisms{}, geminiTargets, up.URL, up.URL, up.URL)
	_, body := w.post("/v1/chat/completions", `{"model":"go","messages":[{"role":"user","content":"hi"}]}`)
	if !strings.Contains(body, `"finish_reason":"content_filter"`) {
		t.Errorf("blocked: %s", body)
	}
	_, body = w.post("/v1/messages/count_tokens", `{"model":"go","messages":[{"role":"user","content":"hi"}]}`)
	if !strings.Contains(body, `"input_tokens":42`) || !bytes.Contains(up.Requests()[1].Body, []byte(`"generateContentRequest":{"model":"models/gemini-3-pro-preview"`)) {
		t.Errorf("counted %s by %s", body, up.Requests()[1].Body)
	}
	_, body = w.post("/v1beta/models/oa:countTokens", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	if !strings.HasPrefix(body, `{"totalTokens":`) {
		t.Errorf("estimated %s", body)
	}
}
