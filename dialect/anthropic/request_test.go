package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/llm"
)

// cross says a request of another dialect, and returns its body and what was lost.
func cross(t testing.TB, r *llm.Request, s dialect.Shape) (body map[string]any, out dialect.Outbound, lost []string) {
	t.Helper()
	out, losses, err := messages().EncodeRequest(r, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Body, &body); err != nil {
		t.Fatalf("%v: %s", err, out.Body)
	}
	for _, l := range losses {
		lost = append(lost, l.String())
	}
	return body, out, lost
}

func js(t testing.TB, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return v
}

func wantMember(t testing.TB, body map[string]any, key, want string) {
	t.Helper()
	if want == "" {
		if got, ok := body[key]; ok {
			t.Errorf("%s is %v, want none", key, got)
		}
		return
	}
	if d := cmp.Diff(js(t, want), body[key]); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", key, d)
	}
}

func user(text string) llm.Message {
	return llm.Message{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: text}}}
}

func function(name, schema string) llm.Tool {
	return llm.Tool{Kind: llm.ToolFunction, Name: name, Schema: schema}
}

func TestCrossedConversation(t *testing.T) {
	r := &llm.Request{
		Model: "d", MaxOut: llm.Some(50), Stream: true,
		Messages: []llm.Message{
			{Role: llm.System, Plain: true, Blocks: []llm.Block{llm.Text{Text: "be brief"}}},
			{Role: llm.Developer, Plain: true, Blocks: []llm.Block{llm.Text{Text: "be kind"}}},
			user("weather?"),
			{Role: llm.Assistant, Blocks: []llm.Block{
				llm.Text{Text: "Looking."},
				llm.ToolUse{Kind: llm.ToolFunction, ID: "functions.get:0", Name: "get", Args: `{"c":"Bern"}`},
				llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "now", Args: ""},
			}},
			{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "functions.get:0", Plain: true, Blocks: []llm.Block{llm.Text{Text: "sun"}}}}},
			{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "b", Plain: true, Blocks: []llm.Block{llm.Text{Text: "12:00"}}}}},
			user("and?"),
			{Role: llm.System, Plain: true, Blocks: []llm.Block{llm.Text{Text: "switch to French"}}},
		},
		Tools: []llm.Tool{function("get", `{"properties":null}`), function("now", "")},
	}
	body, out, lost := cross(t, r, dialect.Shape{Offer: &plenum.Offer{Upstream: "claude-x"}})
	id := dialect.ToolNames{}.Fit("functions.get:0", 64)
	wantMember(t, body, "model", `"claude-x"`)
	wantMember(t, body, "max_tokens", `50`)
	wantMember(t, body, "stream", `true`)
	wantMember(t, body, "system", `[{"type":"text","text":"be brief"},{"type":"text","text":"be kind"}]`)
	wantMember(t, body, "messages", `[
		{"role":"user","content":"weather?"},
		{"role":"assistant","content":[{"type":"text","text":"Looking."},
			{"type":"tool_use","id":"`+id+`","name":"get","input":{"c":"Bern"}},
			{"type":"tool_use","id":"b","name":"now","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"`+id+`","content":"sun"},
			{"type":"tool_result","tool_use_id":"b","content":"12:00"},{"type":"text","text":"and?"},{"type":"text","text":"switch to French"}]}]`)
	wantMember(t, body, "tools", `[{"name":"get","input_schema":{"properties":{},"type":"object"}},
		{"name":"now","input_schema":{"type":"object","properties":{}}}]`)
	want := []string{"messages[7].role (a system message in mid-conversation is said as the user's)"}
	if d := cmp.Diff(want, lost); d != "" {
		t.Errorf("losses differ:\n%s", d)
	}
	if got := out.Header.Get("Anthropic-Version"); got != "2023-06-01" {
		t.Errorf("version %q", got)
	}
}

func TestCase_F8_FieldAndSystemMessagesBothStay(t *testing.T) {
	in := `{"model":"m","max_tokens":5,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}],
		"messages":[{"role":"user","content":"x"},{"role":"system","content":"b"},{"role":"user","content":[{"type":"mid_conv_system","content":[]}]}]}`
	p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	out, lost, err := messages().EncodeRequest(p, dialect.Shape{})
	if err != nil || len(lost) > 0 {
		t.Fatal(err, lost)
	}
	sameJSON(t, []byte(in), out.Body)
}

func TestCase_A9_EmptyArgumentsAreAnObject(t *testing.T) {
	for args, want := range map[string]string{"": "{}", "  ": "{}", `[1]`: "{}", `{"a":`: "{}", `{"a":1}`: `{"a":1}`} {
		r := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: args}}}}}
		body, _, lost := cross(t, r, dialect.Shape{})
		wantMember(t, body, "messages", `[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":`+want+`}]}]`)
		if named := len(lost) > 0; named != (strings.TrimSpace(args) != "" && want == "{}") {
			t.Errorf("arguments %q: losses %v", args, lost)
		}
	}
}

func TestCase_A10_MissingIDsAreFilledInPairs(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{
		user("x"),
		{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Name: "f", Args: "{}"}, llm.ToolUse{Name: "g", Args: "{}"}}},
		{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{Blocks: []llm.Block{llm.Text{Text: "1"}}}}},
		{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{Blocks: []llm.Block{llm.Text{Text: "2"}}}}},
	}}
	body, _, _ := cross(t, r, dialect.Shape{})
	msgs := body["messages"].([]any)
	calls := msgs[1].(map[string]any)["content"].([]any)
	results := msgs[2].(map[string]any)["content"].([]any)
	for i := range calls {
		a, b := calls[i].(map[string]any)["id"], results[i].(map[string]any)["tool_use_id"]
		if a == "" || a != b {
			t.Errorf("call %v is answered as %v", a, b)
		}
	}
}

func TestCase_A14_ImagesInToolResultsStay(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "a", Blocks: []llm.Block{
		llm.Text{Text: "see"}, llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AAAA"}, llm.Media{Kind: llm.Audio, Data: "BBBB"},
	}}}}}}
	body, _, lost := cross(t, r, dialect.Shape{})
	wantMember(t, body, "messages", `[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[
		{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}]`)
	if d := cmp.Diff([]string{"messages[0].content[0].content[2] (audio is not read by this vendor)"}, lost); d != "" {
		t.Error(d)
	}
}

func TestCase_A15_ToolChoice(t *testing.T) {
	tools := []llm.Tool{function("f", ""), function("g.h", "")}
	fitted := dialect.ToolNames{}.Fit("g.h", 64)
	for name, c := range map[string]struct {
		choose   llm.ToolChoice
		parallel llm.Opt[bool]
		tools    []llm.Tool
		want     string
		lost     int
	}{
		"unset":               {tools: tools},
		"auto":                {choose: llm.ToolChoice{Mode: llm.ChooseAuto}, tools: tools, want: `{"type":"auto"}`},
		"none":                {choose: llm.ToolChoice{Mode: llm.ChooseNone}, tools: tools, want: `{"type":"none"}`},
		"required":            {choose: llm.ToolChoice{Mode: llm.ChooseAny}, tools: tools, want: `{"type":"any"}`},
		"one":                 {choose: llm.ToolChoice{Mode: llm.ChooseTool, Name: "g.h"}, tools: tools, want: `{"type":"tool","name":"` + fitted + `"}`},
		"not parallel":        {parallel: llm.Some(false), tools: tools, want: `{"type":"auto","disable_parallel_tool_use":true}`},
		"parallel":            {parallel: llm.Some(true), tools: tools},
		"orphaned":            {choose: llm.ToolChoice{Mode: llm.ChooseAny}, lost: 1},
		"orphaned none":       {choose: llm.ToolChoice{Mode: llm.ChooseNone}},
		"foreign":             {choose: llm.ToolChoice{Opaque: llm.Opaque{Dialect: "openai", Type: "mcp", Raw: "{}"}}, tools: tools, lost: 1},
		"required, no second": {choose: llm.ToolChoice{Mode: llm.ChooseAny}, parallel: llm.Some(false), tools: tools, want: `{"type":"any","disable_parallel_tool_use":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := &llm.Request{Model: "m", Messages: []llm.Message{user("x")}, Tools: c.tools, Choose: c.choose, Parallel: c.parallel}
			body, _, lost := cross(t, r, dialect.Shape{})
			wantMember(t, body, "tool_choice", c.want)
			if len(lost) != c.lost {
				t.Errorf("losses %v", lost)
			}
		})
	}
}

func TestCase_A15_AllowedToolsLeaveTheOthersOut(t *testing.T) {
	r := &llm.Request{
		Model: "m", Messages: []llm.Message{user("x")}, Tools: []llm.Tool{function("f", ""), function("g", "")},
		Choose: llm.ToolChoice{Mode: llm.ChooseAny, Allowed: []string{"g"}},
	}
	body, _, lost := cross(t, r, dialect.Shape{})
	wantMember(t, body, "tools", `[{"name":"g","input_schema":{"type":"object","properties":{}}}]`)
	wantMember(t, body, "tool_choice", `{"type":"any"}`)
	if len(lost) != 1 {
		t.Errorf("losses %v", lost)
	}
}

func signed(text string) llm.Thought {
	return llm.Thought{Text: text, Signature: "sig", Origin: "anthropic"}
}

func toolTurn(first ...llm.Block) []llm.Message {
	return []llm.Message{
		user("x"),
		{Role: llm.Assistant, Blocks: append(first, llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: "{}"})},
		{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "a", Plain: true, Blocks: []llm.Block{llm.Text{Text: "1"}}}}},
	}
}

func TestCase_C1_SignedThinkingComesBackBeforeTheTool(t *testing.T) {
	r := &llm.Request{
		Model: "m", MaxOut: llm.Some(20000), Thinking: &llm.Thinking{Effort: "low"}, Tools: []llm.Tool{function("f", "")},
		Messages: toolTurn(signed("hm"), llm.Thought{Sealed: "blob", Origin: "anthropic"}),
	}
	body, _, lost := cross(t, r, dialect.Shape{})
	content := body["messages"].([]any)[1].(map[string]any)["content"].([]any)
	want := js(t, `[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"blob"},{"type":"tool_use","id":"a","name":"f","input":{}}]`)
	if d := cmp.Diff(want, any(content)); d != "" {
		t.Error(d)
	}
	wantMember(t, body, "thinking", `{"type":"enabled","budget_tokens":2048}`)
	if len(lost) != 0 {
		t.Errorf("losses %v", lost)
	}
}

func TestCase_C1_UnsignedToolTurnTurnsThinkingOff(t *testing.T) {
	r := &llm.Request{
		Model: "m", MaxOut: llm.Some(20000), Thinking: &llm.Thinking{Effort: "high"}, Tools: []llm.Tool{function("f", "")},
		Messages: toolTurn(),
	}
	body, _, lost := cross(t, r, dialect.Shape{})
	wantMember(t, body, "thinking", "")
	if d := cmp.Diff([]string{"reasoning_effort (the history has no signed thinking for a tool turn)"}, lost); d != "" {
		t.Error(d)
	}
}

func TestCase_C2_SignatureOnlyBlockIsSentBack(t *testing.T) {
	own := llm.Thought{Signature: "sig", Origin: "anthropic"}
	body, _, lost := cross(t, &llm.Request{Model: "m", Messages: toolTurn(own, llm.Thought{})}, dialect.Shape{})
	content := body["messages"].([]any)[1].(map[string]any)["content"].([]any)
	if d := cmp.Diff(js(t, `{"type":"thinking","thinking":"","signature":"sig"}`), content[0]); d != "" || len(content) != 2 || len(lost) > 0 {
		t.Errorf("%d blocks, losses %v\n%s", len(content), lost, d)
	}
}

func TestCase_C5_ForeignReasoningIsLeftOutAndNamed(t *testing.T) {
	body, _, lost := cross(t, &llm.Request{Model: "m", Messages: toolTurn(llm.Thought{Text: "x", Signature: "s", Origin: "openai"}, llm.Thought{Text: "plain"})}, dialect.Shape{})
	content := body["messages"].([]any)[1].(map[string]any)["content"].([]any)
	if len(content) != 1 || len(lost) != 2 {
		t.Errorf("%d blocks, losses %v", len(content), lost)
	}
}

func TestCase_C9_EffortAndBudget(t *testing.T) {
	plain := &plenum.Offer{}
	effort := &plenum.Offer{Traits: plenum.Traits{Effort: true}}
	for name, c := range map[string]struct {
		think    llm.Thinking
		maxOut   llm.Opt[int]
		offer    *plenum.Offer
		thinking string
		config   string
		lost     int
	}{
		"none":             {llm.Thinking{Effort: "none"}, llm.Some(9000), plain, `{"type":"disabled"}`, "", 0},
		"minimal":          {llm.Thinking{Effort: "minimal"}, llm.Some(9000), plain, `{"type":"enabled","budget_tokens":1024}`, "", 0},
		"medium":           {llm.Thinking{Effort: "medium"}, llm.Some(9000), plain, `{"type":"enabled","budget_tokens":8192}`, "", 0},
		"high, limited":    {llm.Thinking{Effort: "high"}, llm.Some(9000), plain, `{"type":"enabled","budget_tokens":4500}`, "", 1},
		"no room":          {llm.Thinking{Effort: "low"}, llm.Some(1500), plain, "", "", 1},
		"cap raised":       {llm.Thinking{Effort: "high"}, llm.Opt[int]{}, plain, `{"type":"enabled","budget_tokens":24576}`, "", 0},
		"in words":         {llm.Thinking{Effort: "high"}, llm.Some(900), effort, `{"type":"adaptive"}`, `{"effort":"high"}`, 0},
		"minimal in words": {llm.Thinking{Effort: "minimal"}, llm.Some(900), effort, `{"type":"adaptive"}`, `{"effort":"low"}`, 1},
		"most in words":    {llm.Thinking{Effort: "xhigh"}, llm.Some(900), effort, `{"type":"adaptive"}`, `{"effort":"xhigh"}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &llm.Request{Model: "m", Messages: []llm.Message{user("x")}, Thinking: &c.think, MaxOut: c.maxOut}
			body, _, lost := cross(t, r, dialect.Shape{Offer: c.offer})
			wantMember(t, body, "thinking", c.thinking)
			wantMember(t, body, "output_config", c.config)
			if len(lost) != c.lost {
				t.Errorf("losses %v", lost)
			}
			if th, ok := body["thinking"].(map[string]any); ok && th["budget_tokens"] != nil {
				if th["budget_tokens"].(float64) >= body["max_tokens"].(float64) {
					t.Errorf("budget %v, max_tokens %v", th["budget_tokens"], body["max_tokens"])
				}
			}
		})
	}
}

func TestCase_C9_WhatThinkingRefusesIsLeftOut(t *testing.T) {
	r := &llm.Request{
		Model: "m", Messages: []llm.Message{user("x")}, MaxOut: llm.Some(9000), Thinking: &llm.Thinking{Effort: "low"},
		Temperature: llm.Some(0.2), TopP: llm.Some(0.5), TopK: llm.Some(5),
		Tools: []llm.Tool{function("f", "")}, Choose: llm.ToolChoice{Mode: llm.ChooseTool, Name: "f"},
	}
	body, _, lost := cross(t, r, dialect.Shape{})
	wantMember(t, body, "temperature", "")
	wantMember(t, body, "top_p", "")
	wantMember(t, body, "top_k", "")
	wantMember(t, body, "tool_choice", `{"type":"auto"}`)
	if len(lost) != 4 {
		t.Errorf("losses %v", lost)
	}
}

func TestParametersAcross(t *testing.T) {
	r := &llm.Request{
		Model: "m", Messages: []llm.Message{user("x")},
		Temperature: llm.Some(1.7), TopP: llm.Some(0.5), Stop: []string{"END", "\n"},
		N: llm.Some(3), Seed: llm.Some[int64](1), FrequencyPenalty: llm.Some(0.5), PresencePenalty: llm.Some(0.0),
		Logprobs: llm.Some(true), TopLogprobs: llm.Some(2), User: "u1", Tier: "flex", CacheKey: "k",
		Metadata: []llm.Field{{Key: "a", Raw: `"b"`}},
		Output:   llm.Format{Kind: llm.FormatSchema, Name: "answer", Schema: `{"type":"object"}`, Strict: llm.Some(true)},
		Extra:    llm.Extra{Dialect: "openai", Fields: []llm.Field{{Key: "logit_bias", Raw: "{}"}, {Key: "store", Raw: "null"}}},
	}
	body, out, lost := cross(t, r, dialect.Shape{Offer: &plenum.Offer{MaxOutput: 1000}})
	wantMember(t, body, "temperature", "1")
	wantMember(t, body, "top_p", "0.5")
	wantMember(t, body, "stop_sequences", `["END"]`)
	wantMember(t, body, "metadata", `{"user_id":"u1"}`)
	wantMember(t, body, "output_config", `{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}`)
	wantMember(t, body, "max_tokens", "1000")
	want := []string{
		"temperature (1 is the most here)", "stop[1] (only space)", "service_tier (flex is not a tier here)",
		"frequency_penalty", "seed", "logprobs", "top_logprobs", "metadata", "prompt_cache_key", "n (one answer is given)", "logit_bias",
	}
	if d := cmp.Diff(want, lost); d != "" {
		t.Errorf("losses differ:\n%s", d)
	}
	if d := cmp.Diff([]string{"max_tokens 1000 set", "the objects of response_format allow no other members"}, out.Changed); d != "" {
		t.Error(d)
	}
}

func TestMediaAcross(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{
		llm.Media{Kind: llm.Image, URL: "https://x/y.png", Detail: "high"},
		llm.Media{Kind: llm.File, MIME: "application/pdf", Data: "JVBE", Name: "a.pdf"},
		llm.Media{Kind: llm.File, MIME: "text/plain", Data: "aGk=", Name: "a.txt"},
		llm.Media{Kind: llm.File, MIME: "application/zip", Data: "UEs="},
		llm.Media{Kind: llm.Image, FileID: "file-1"},
		llm.Opaque{Dialect: "openai", Type: "sparkle", Raw: "{}"},
	}}}}
	body, _, lost := cross(t, r, dialect.Shape{})
	wantMember(t, body, "messages", `[{"role":"user","content":[
		{"type":"image","source":{"type":"url","url":"https://x/y.png"}},
		{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"},
		{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"},"title":"a.txt"}]}]`)
	want := []string{
		"messages[0].content[0].detail", "messages[0].content[3] (a document of type application/zip)",
		"messages[0].content[4] (a file kept by another vendor)", "messages[0].content[5] (sparkle belongs to another dialect)",
	}
	if d := cmp.Diff(want, lost); d != "" {
		t.Errorf("losses differ:\n%s", d)
	}
}

func TestCase_F12_KeyOrderAndCase(t *testing.T) {
	schema := `{"zeta":1,"alpha":{"b":1,"a":2},"type":"object"}`
	in := `{"model":"m","max_tokens":1,"Messages":[1],"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":` + schema + `}]}`
	p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	r := p.(*llm.Request)
	if r.Tools[0].Schema != schema {
		t.Errorf("schema %s", r.Tools[0].Schema)
	}
	if raw, ok := r.Extra.Get("Messages"); !ok || raw != "[1]" {
		t.Errorf("Messages is not messages: %v", r.Extra)
	}
}

func TestCase_F13_UnknownFieldsSurvive(t *testing.T) {
	in := `{"model":"m","max_tokens":1,"thread":{"id":"t"},"container":null,"mcp_servers":[{"url":"u"}],"speed":"fast",
		"system":[],"stop_sequences":[],"tools":[],"metadata":{"user_id":"u","team":"x"},"service_tier":"auto",
		"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"b":1,"a":2}},"task_budget":{"total":5}},
		"thinking":{"type":"adaptive","display":"omitted","binding":1},
		"tool_choice":{"type":"sparkle","x":1},"cache_control":{"type":"ephemeral"},
		"messages":[{"role":"user","id":"m1","content":[
			{"type":"text","text":"a","sparkle":1,"cache_control":{"type":"ephemeral","ttl":"1h","scope":"x"}},
			{"type":"tool_addition","tool":{"x":1}},
			{"type":"image","source":{"type":"url","url":"u","region":"eu"}},
			{"type":"image","source":{"type":"file","file_id":"f"}},
			{"type":"document","source":{"type":"content","content":[{"type":"text","text":"c"}]},"title":null,"context":"k","citations":{"enabled":true}},
			{"type":"document","source":{"type":"content","content":"plain"},"citations":{"enabled":false,"x":1}},
			{"type":"document","source":{"type":"hologram","data":"d"}},
			{"type":"search_result","content":[],"source":"s","title":"t"},
			{"type":"tool_result","tool_use_id":"t","is_error":true,"content":[{"type":"tool_reference","tool_name":"x"}]},
			{"type":"tool_result","tool_use_id":"t"},{"type":"tool_result","tool_use_id":"t","content":""},
			{"type":"tool_result","tool_use_id":"t","content":[]}]},
		{"role":"assistant","content":[{"type":"text","text":"x","citations":[{"type":"char_location","cited_text":"q","document_index":0,"document_title":null,"start_char_index":1,"end_char_index":2},{"type":"new_location"}]},
			{"type":"text","text":"","citations":null},
			{"type":"thinking","thinking":"t"},{"type":"thinking","thinking":"","signature":"s"},
			{"type":"tool_use","id":"i","name":"n","input":{"z":1,"a":[1.50]},"caller":{"type":"direct"}},
			{"type":"mcp_tool_use","id":"i","name":"n","input":{},"server_name":"s"}]}]}`
	p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	out, lost, err := messages().EncodeRequest(p, dialect.Shape{})
	if err != nil || len(lost) > 0 || len(out.Changed) > 0 {
		t.Fatal(err, lost, out.Changed)
	}
	sameJSON(t, []byte(in), out.Body)
}

func TestOldOutputFormatStaysWhereItWas(t *testing.T) {
	in := `{"model":"m","max_tokens":1,"messages":[],"output_format":{"type":"json_schema","schema":{}},"output_config":{"effort":"low"}}`
	p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := messages().EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(in), out.Body)
}

func TestWrongRequestsNameTheParameter(t *testing.T) {
	for body, param := range map[string]string{
		`{"model":1,"messages":[]}`:    "model",
		`{"messages":[]}`:              "model",
		`{"model":"m"}`:                "messages",
		`{"model":"m","messages":{}}`:  "messages",
		`{"model":"m","messages":[1]}`: "messages[0]",
		`{"model":"m","messages":[{"role":"robot","content":"x"}]}`:                                                     "messages[0].role",
		`{"model":"m","messages":[{"role":"user"}]}`:                                                                    "messages[0].content",
		`{"model":"m","messages":[{"role":"user","content":7}]}`:                                                        "messages[0].content",
		`{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}`:                                           "messages[0].content[0].type",
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":{}}]}]}`:                              "messages[0].content[0].text",
		`{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[3]}]}]}`: "messages[0].content[0].content[0]",
		`{"model":"m","messages":[],"temperature":"hot"}`:                                                               "temperature",
		`{"model":"m","messages":[],"max_tokens":1.5}`:                                                                  "max_tokens",
		`{"model":"m","messages":[],"stop_sequences":"x"}`:                                                              "stop_sequences",
		`{"model":"m","messages":[],"tools":[{"name":5}]}`:                                                              "tools[0].name",
		`{"model":"m","messages":[],"tool_choice":{"type":"tool"}}`:                                                     "tool_choice.name",
		`{"model":"m","messages":[],"metadata":{"user_id":5}}`:                                                          "metadata.user_id",
		`{"model":"m","messages":[],"stream":"yes"}`:                                                                    "stream",
	} {
		_, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		e := llm.AsError(err)
		if e == nil || e.Kind != llm.Invalid || e.Param != param || !strings.HasPrefix(e.Message, param+" must be ") {
			t.Errorf("%s: got %v, want a fault of %s", body, err, param)
		}
	}
	for _, body := range []string{``, `[]`, `{"model":"m","messages":[}`, `{"model":"m","messages":[]} x`, "\xff", `null`} {
		if _, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(body)}); !llm.IsKind(err, llm.Invalid) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

func TestCountTokensBothWays(t *testing.T) {
	c := anthropic.Dialect().Codec(llm.OpCountTokens)
	in := `{"model":"m","system":"s","messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{}}],"thinking":{"type":"enabled","budget_tokens":2000},"tool_choice":{"type":"auto"}}`
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := c.EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(in), out.Body)
	res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(`{"input_tokens":12,"context_management":{"x":1}}`)})
	if err != nil || res.(*llm.TokenCount).Input != 12 {
		t.Fatal(res, err)
	}
	reply, lost, err := c.EncodeResponse(p, res, dialect.Meta{})
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	sameJSON(t, []byte(`{"input_tokens":12,"context_management":{"x":1}}`), reply.Body)
	if _, err := c.DecodeResponse(dialect.Reply{Body: []byte(`{}`)}); !llm.IsKind(err, llm.BadUpstream) {
		t.Errorf("got %v", err)
	}
	if _, _, err := c.EncodeRequest(&llm.Request{}, dialect.Shape{}); !llm.IsKind(err, llm.Internal) {
		t.Errorf("got %v", err)
	}
	cross, _, err := c.EncodeRequest(&llm.CountTokens{Request: &llm.Request{Model: "m", Messages: []llm.Message{user("x")}, MaxOut: llm.Some(5)}}, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`), cross.Body)
}

func TestAnEmptySystemPromptStaysOne(t *testing.T) {
	in := dialect.Inbound{Body: []byte(`{"model":"m","max_tokens":1,"system":"","messages":[{"role":"user","content":"x"}]}`)}
	p, err := messages().DecodeRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := messages().EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	sameJSON(t, in.Body, out.Body)
}
