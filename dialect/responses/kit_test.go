package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// everything is a request with an item of every kind, and every parameter.
const everything = `{"model":"m","instructions":"Be brief.","input":[
	{"role":"user","content":"Hello."},
	{"type":"message","role":"developer","content":[{"type":"input_text","text":"Mind the tone."}]},
	{"role":"user","content":[{"type":"input_text","text":"See:"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"},
		{"type":"input_image","image_url":"https://x.example/a.png"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},
		{"type":"input_file","file_id":"file_1"},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"input_video","x":1}]},
	{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"One."},{"type":"summary_text","text":"Two."}],"encrypted_content":"sealed"},
	{"type":"message","id":"msg_1","status":"completed","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I look.","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"No."}]},
	{"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"{\"city\":\"Paris\"}","status":"completed","namespace":"ns"},
	{"type":"function_call_output","call_id":"call_1","output":"20 degrees"},
	{"type":"custom_tool_call","id":"ctc_1","call_id":"call_2","name":"sql","input":"select 1"},
	{"type":"custom_tool_call_output","call_id":"call_2","output":[{"type":"input_text","text":"1"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]},
	{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
	{"type":"file_search_call","id":"fs_1","status":"completed","queries":["q"],"results":null},
	{"type":"code_interpreter_call","id":"ci_1","container_id":"c","code":"1","status":"completed","outputs":null},
	{"type":"image_generation_call","id":"ig_1","status":"completed","result":"iVBORw0KGgo="},
	{"type":"mcp_list_tools","id":"ml_1","server_label":"s","tools":[]},
	{"type":"mcp_call","id":"mc_1","server_label":"s","name":"n","arguments":"{}","output":"o"},
	{"type":"mcp_approval_request","id":"mr_1","server_label":"s","name":"n","arguments":"{}"},
	{"type":"mcp_approval_response","approval_request_id":"mr_1","approve":true},
	{"type":"computer_call","id":"cu_1","call_id":"call_3","action":{"type":"screenshot"},"pending_safety_checks":[],"status":"completed"},
	{"type":"computer_call_output","call_id":"call_3","output":{"type":"computer_screenshot","image_url":"https://x.example/s.png"}},
	{"type":"local_shell_call","id":"ls_1","call_id":"call_4","action":{"type":"exec","command":["ls"],"env":{}},"status":"completed"},
	{"type":"local_shell_call_output","id":"lo_1","output":"a"},
	{"type":"shell_call","call_id":"call_5","action":{"commands":["ls"]}},
	{"type":"shell_call_output","call_id":"call_5","output":[]},
	{"type":"apply_patch_call","call_id":"call_6","status":"completed","operation":{"type":"delete_file","path":"a"}},
	{"type":"apply_patch_call_output","call_id":"call_6","status":"completed"},
	{"type":"compaction","id":"cmp_1","encrypted_content":"e"},
	{"type":"item_reference","id":"msg_0"},
	{"id":"msg_00"},
	{"type":"hologram_call","id":"h_1","depth":3},
	{"role":"assistant","content":"Plain."},
	{"type":"message","role":"assistant","id":"msg_2","content":[]},
	{"role":"user","content":"And now?"}],
	"tools":[{"type":"function","name":"weather","description":"The weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":false},
		{"type":"custom","name":"sql","description":"SQL.","format":{"type":"text"}},{"type":"custom","name":"lark","format":{"type":"grammar","syntax":"lark","definition":"x"}},
		{"type":"web_search"},{"type":"mcp","server_label":"s","server_url":"https://x.example"},{"type":"namespace","name":"n","tools":[]}],
	"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"weather"}]},
	"text":{"format":{"type":"json_schema","name":"a","schema":{"type":"object"},"strict":true},"verbosity":"medium"},
	"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"],"truncation":"auto","metadata":{"k":"v"},
	"max_output_tokens":100,"parallel_tool_calls":false,"service_tier":"flex","prompt_cache_key":"k","safety_identifier":"u","store":true,
	"previous_response_id":"resp_0","temperature":0.5,"top_p":0.9,"top_logprobs":2,"max_tool_calls":3,"stream":true,"future":{"a":[1]}}`

// answerWith is an answer whose output is this.
func answerWith(output string) string {
	return `{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"up","output":` + output +
		`,"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}}`
}

// ev is an event; rest is its type without "response.", the quote that ends that, and its members.
func ev(rest string) string {
	kind, _, _ := strings.Cut(rest, `"`)
	return "event: response." + kind + "\ndata: {\"type\":\"response." + rest + "}\n\n"
}

func stream(events ...string) string { return strings.Join(events, "") }

const (
	created = `created","response":{"id":"resp_1","object":"response","created_at":1,"model":"up","status":"in_progress","output":[]}`
	usage   = `"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}`
)

// done is the event that ends an answer whose output is this.
func done(output string) string {
	return ev(`completed","response":{"id":"resp_1","status":"completed","output":` + output + `,` + usage + `}`)
}

func read(t *testing.T, s string) *llm.Response {
	t.Helper()
	got := dialecttest.Decode(codec(), dialecttest.Frames([]byte(s)), dialect.Want{})
	if err := got.Fault(); err != nil {
		t.Fatal(err)
	}
	if s := dialecttest.Grammar(got.Events, false); s != "" {
		t.Error(s)
	}
	return got.Fold()
}

func request(t *testing.T, body string) *llm.Request {
	t.Helper()
	p, err := codec().DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*llm.Request)
}

// say speaks events and checks the life cycle of what is said.
func say(t *testing.T, p llm.Payload, events ...llm.Event) (string, map[string]any) {
	t.Helper()
	e := codec().NewEncoder(p, dialect.Meta{CallID: "call", Now: 7})
	out, err := dialecttest.Encode(e, events, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), checkLife(t, string(out))
}

// checkLife checks what every stream must keep to, and returns the answer of its last event.
func checkLife(t *testing.T, out string) map[string]any {
	t.Helper()
	var last map[string]any
	open, items := map[float64]bool{}, []any{}
	for i, frame := range strings.Split(strings.TrimSpace(out), "\n\n") {
		name, data, ok := strings.Cut(frame, "\ndata: ")
		if !ok {
			continue // a comment
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if "event: "+v["type"].(string) != name {
			t.Errorf("%s holds a %v", name, v["type"])
		}
		if n, ok := v["sequence_number"].(float64); !ok || int(n) != i {
			t.Errorf("%s is number %v, not %d", name, v["sequence_number"], i)
		}
		at, _ := v["output_index"].(float64)
		switch kind := v["type"].(string); {
		case kind == "response.output_item.added":
			if int(at) != len(open)+len(items) || open[at] {
				t.Errorf("an item is added at %v, after %d", at, len(open)+len(items))
			}
			open[at] = true
		case kind == "response.output_item.done":
			if !open[at] {
				t.Errorf("an item is done that is not open: %v", at)
			}
			delete(open, at)
			items = append(items, v["item"])
		case v["output_index"] != nil && !open[at]:
			t.Errorf("%s outside of its item", kind)
		}
		last = v
	}
	if len(open) > 0 {
		t.Errorf("items left open: %v", open)
	}
	r, _ := last["response"].(map[string]any)
	if r == nil {
		t.Fatalf("the last event has no response: %v", last)
	}
	if got := r["output"].([]any); len(got) != len(items) {
		t.Errorf("the answer repeats %d items of %d", len(got), len(items))
	}
	return r
}

func offer() *plenum.Offer { return &plenum.Offer{Upstream: "up"} }

func sprint(v any) string { b, _ := json.Marshal(v); return string(b) }

// field returns a member of an object as it stands.
func field(body []byte, key string) string {
	var v map[string]json.RawMessage
	_ = json.Unmarshal(body, &v)
	return string(v[key])
}

// message returns the message of a chat completion.
func message(body []byte) string {
	var v struct {
		Choices []struct{ Message json.RawMessage }
	}
	_ = json.Unmarshal(body, &v)
	return string(v.Choices[0].Message)
}
