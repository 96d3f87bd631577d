package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

const clientTools = `"tools":[{"type":"shell","environment":{"type":"local"}},{"type":"local_shell"},{"type":"apply_patch"},` +
	`{"type":"tool_search","execution":"client","description":"Finds.","parameters":{"type":"object","properties":{"q":{"type":"string"}}}},` +
	`{"type":"namespace","name":"crm","description":"Customers.","tools":[{"type":"function","name":"find","parameters":{"type":"object","properties":{}},"strict":false},` +
	`{"type":"custom","name":"note"}]},{"type":"shell_like_of_tomorrow"}]`

// Tools that the client runs are functions for every model, and their calls are items of the vendor's again.
func TestToolsOfTheClientCrossAndComeBack(t *testing.T) {
	req := request(t, `{"model":"m","input":"Hi",`+clientTools+`,"tool_choice":{"type":"apply_patch"}}`)
	claude := anthropic.Dialect().Codec(llm.OpGenerate)
	out, losses, err := claude.EncodeRequest(req, dialect.Shape{Offer: offer()})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out.Body), `"name":"shell"`, `"commands"`, `"name":"local_shell"`, `"name":"apply_patch"`, `"update_file"`, `"name":"tool_search"`, `"Finds."`,
		`"name":"crm__find"`, `"name":"crm__note"`, `"tool_choice":{"type":"tool","name":"apply_patch"`)
	if got := words(losses); got != "tools[4].namespace.description; tools[6] (shell_like_of_tomorrow tool belongs to another dialect)" {
		t.Errorf("lost are %s", got)
	}
	use := func(id, name, args string) llm.Block {
		return llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: name, Args: args}
	}
	r := &llm.Response{Model: "up", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopTool}, Blocks: []llm.Block{
		use("a", "shell", `{"commands":["ls","pwd"],"timeout_ms":5}`), use("b", "local_shell", `{"command":["ls"],"working_directory":"/"}`),
		use("c", "apply_patch", `{"type":"delete_file","path":"x"}`), use("d", "tool_search", `{"q":"mail"}`),
		use("e", "crm__find", `{"who":"Ada"}`), use("f", "crm__note", `{"input":"hello"}`), use("g", "other", `{}`),
	}}}}
	want := []string{
		`"type":"shell_call","id":"sh_call_0","call_id":"a","status":"completed","action":{"commands":["ls","pwd"],"timeout_ms":5,"max_output_length":null},"environment":{"type":"local"}`,
		`"type":"local_shell_call","id":"lsh_call_1","call_id":"b","status":"completed","action":{"type":"exec","command":["ls"],"working_directory":"/","env":{}}`,
		`"type":"apply_patch_call","id":"apc_call_2","call_id":"c","status":"completed","operation":{"type":"delete_file","path":"x"}`,
		`"type":"tool_search_call","id":"tsc_call_3","call_id":"d","status":"completed","arguments":{"q":"mail"},"execution":"client"`,
		`"name":"find","arguments":"{\"who\":\"Ada\"}"`, `"name":"note","input":"hello"`, `"namespace":"crm"`, `"name":"other"`,
	}
	reply, losses, err := codec().EncodeResponse(req, r, dialect.Meta{CallID: "call"})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	dialecttest.Has(t, string(reply.Body), want...)
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	stream, last := say(t, req, events...)
	dialecttest.Has(t, stream, want...)
	dialecttest.HasNot(t, stream, `"delta":"{\"commands`)
	if a, b := sprint(last["output"]), field(reply.Body, "output"); dialecttest.SameJSON([]byte(a), []byte(b)) != "" {
		t.Errorf("streamed is %s\nwhole is %s", a, b)
	}
	// The next turn, with what came of the calls.
	items := strings.TrimSuffix(strings.TrimPrefix(field(reply.Body, "output"), "["), "]")
	next := `{"model":"m","input":[{"role":"user","content":"Hi"},` + items + `,
		{"type":"shell_call_output","call_id":"a","output":[{"stdout":"file","stderr":"","outcome":{"type":"exit","exit_code":0}}]},
		{"type":"local_shell_call_output","id":"b","output":"{\"stdout\":\"f\"}"},
		{"type":"apply_patch_call_output","call_id":"c","status":"failed","output":"no such file"},
		{"type":"tool_search_output","call_id":"d","execution":"client","status":"completed","tools":[{"type":"function","name":"mail","parameters":{"type":"object","properties":{}},"strict":false}]},
		{"type":"function_call_output","call_id":"e","output":"1"},{"type":"custom_tool_call_output","call_id":"f","output":"2"},{"type":"function_call_output","call_id":"g","output":"3"}],` + clientTools + `}`
	out, _, err = claude.EncodeRequest(request(t, next), dialect.Shape{Offer: offer()})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out.Body), `"id":"a","name":"shell","input":{"commands":["ls","pwd"]`, `"id":"e","name":"crm__find"`, `"id":"f","name":"crm__note","input":{"input":"hello"}`,
		`exit_code`, `no such file`, `"is_error":true`, `These tools can be called now: mail`, `"name":"mail"`)
	// And in the own dialect it is as it stood, also where it was read in between.
	home, _, err := codec().EncodeRequest(request(t, next), dialect.Shape{})
	if err != nil || dialecttest.SameJSON([]byte(next), home.Body) != "" {
		t.Errorf("%v: %s", err, home.Body)
	}
}

func words(list []dialect.Loss) string {
	var out []string
	for _, l := range list {
		out = append(out, l.String())
	}
	return strings.Join(out, "; ")
}

// What is no call of such a tool is named, and a call that was cut stays cut.
func TestACallOfAClientToolThatIsNone(t *testing.T) {
	req := request(t, `{"model":"m","input":"Hi",`+clientTools+`}`)
	r := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopLength}, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "shell", Args: `{"comm`}}}}}
	reply, losses, err := codec().EncodeResponse(req, r, dialect.Meta{CallID: "call"})
	if err != nil || !strings.Contains(words(losses), "arguments") {
		t.Fatal(losses, err)
	}
	var got struct{ Output []map[string]any }
	if err := json.Unmarshal(reply.Body, &got); err != nil || got.Output[0]["status"] != "incomplete" || got.Output[0]["type"] != "shell_call" {
		t.Errorf("%v: %s", err, reply.Body)
	}
	// A function of the same name is the caller's own: then the vendor's tool is named as lost.
	both := request(t, `{"model":"m","input":"Hi","tools":[{"type":"apply_patch"},{"type":"function","name":"apply_patch","parameters":{"type":"object","properties":{}},"strict":false}]}`)
	_, losses, err = anthropic.Dialect().Codec(llm.OpGenerate).EncodeRequest(both, dialect.Shape{Offer: offer()})
	if err != nil || !strings.Contains(words(losses), "apply_patch tool") {
		t.Errorf("%v %v", losses, err)
	}
	// Where the vendor runs the commands, nobody else can.
	hosted := request(t, `{"model":"m","input":"Hi","tools":[{"type":"shell","environment":{"type":"container_auto"}},{"type":"tool_search"}]}`)
	_, losses, err = anthropic.Dialect().Codec(llm.OpGenerate).EncodeRequest(hosted, dialect.Shape{Offer: offer()})
	if got := words(losses); err != nil || !strings.Contains(got, "shell tool") || !strings.Contains(got, "tool_search tool") {
		t.Errorf("%v %v", losses, err)
	}
}
