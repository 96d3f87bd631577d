package openai_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*llm.Request)
}

// requests are bodies with every member that the dialect has, and odd ways of saying them.
func requests() []string {
	user := `{"role":"user","content":"hi"}`
	with := func(members string) string { return `{"model":"m","messages":[` + user + `],` + members + `}` }
	say := func(messages string) string { return `{"model":"m","messages":[` + messages + `]}` }
	return []string{
		with(`"temperature":0,"top_p":0.1,"top_k":3,"frequency_penalty":-2,"presence_penalty":0.5,"seed":-7,"n":2,"logprobs":true,"top_logprobs":3`),
		with(`"max_tokens":1`), with(`"max_completion_tokens":1`), with(`"max_completion_tokens":1,"max_tokens":2`), with(`"max_tokens":null`),
		with(`"stop":null`), with(`"stop":[]`), with(`"stream":true`), with(`"stream":false`), with(`"stream":null`),
		with(`"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`), with(`"stream_options":{}`), with(`"stream_options":null`), with(`"stream_options":{"include_usage":false}`),
		with(`"metadata":{"b":"1","a":"2"}`), with(`"metadata":{}`), with(`"metadata":null`),
		with(`"service_tier":"flex","user":"u","prompt_cache_key":"k","prompt_cache_retention":"24h","safety_identifier":"s","store":true`),
		with(`"user":"","service_tier":null`),
		with(`"reasoning_effort":"high"`), with(`"reasoning_effort":null`), with(`"reasoning":{"effort":"low","exclude":true}`), with(`"reasoning":{"max_tokens":5}`), with(`"reasoning":{"enabled":false}`), with(`"reasoning":{}`),
		with(`"thinking":{"type":"enabled","budget_tokens":10}`), with(`"thinking":{"type":"disabled","x":1},"reasoning_effort":"low"`), with(`"thinking":true`),
		with(`"response_format":{"type":"text"}`), with(`"response_format":{"type":"json_object"}`), with(`"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","strict":true,"schema":{"b":1,"a":2},"x":1}}`),
		with(`"response_format":{"type":"grammar","grammar":"g"}`), with(`"response_format":null`), with(`"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":null}}`),
		with(`"tools":[]`), with(`"tools":[{"type":"function","function":{"name":"f"}}]`), with(`"tools":[{"type":"function","function":{"name":"f","description":"","parameters":null,"strict":false,"x":1},"y":2}]`),
		with(`"tools":[{"type":"custom","custom":{"name":"c","format":{"type":"text"}}},{"type":"web_search","filters":{}}]`), with(`"tools":[{"function":{"name":"f","parameters":{}}}]`),
		with(`"tool_choice":"auto"`), with(`"tool_choice":"none"`), with(`"tool_choice":"required"`), with(`"tool_choice":"any"`), with(`"tool_choice":"validated"`), with(`"tool_choice":null`),
		with(`"tool_choice":{"type":"function","function":{"name":"f"}}`), with(`"tool_choice":{"function":{"name":"f"}}`), with(`"tool_choice":{"type":"custom","custom":{"name":"c"}}`), with(`"tool_choice":{"type":"function","function":{"name":"f"},"x":1}`),
		with(`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}`), with(`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"custom","custom":{"name":"c"}}]}}`),
		with(`"parallel_tool_calls":false`), with(`"parallel_tool_calls":true`), with(`"functions":[{"name":"f"}],"function_call":{"name":"f"}`), with(`"modalities":["text","audio"],"audio":{"voice":"v","format":"wav"}`),
		with(`"seed":123456789012345678901234567890`), with(`"logit_bias":{"1":-100},"prediction":{"type":"content","content":"x"},"web_search_options":{},"verbosity":"low"`),
		say(`{"role":"system","content":"a","name":"n"},{"role":"developer","content":[{"type":"text","text":"a"}]}`),
		say(`{"role":"user","content":""},{"role":"user","content":[]},{"role":"user"},{"role":"user","content":null,"name":""}`),
		say(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h","x":1}},{"type":"text","text":"","y":null}]}`),
		say(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low","x":1}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"image_url","image_url":"https://x"}]}`),
		say(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg/>"}},{"type":"image_url","image_url":{"url":"data:image/png;charset=x;base64,AA=="},"cache_control":{"type":"ephemeral"}}]}`),
		say(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}},{"type":"input_audio","input_audio":"AA=="},{"type":"video_url","video_url":{"url":"u"}}]}`),
		say(`{"role":"user","content":[{"type":"file","file":{"file_id":"f"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}},{"type":"file","file":{"file_data":"AA=="}},{"type":"file","file":{"file_data":"https://x","x":1}}]}`),
		say(`{"role":"assistant","content":"a","refusal":null,"audio":{"id":"x"},"annotations":[],"function_call":null}`),
		say(`{"role":"assistant","content":null,"refusal":"no"},{"role":"assistant","content":[{"type":"refusal","refusal":"no"},{"type":"text","text":"t"}]}`),
		say(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"b\":1, \"a\":2}"}},{"id":"b","type":"custom","custom":{"name":"c","input":"free"}}]}`),
		say(`{"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":""},"index":0,"extra_content":{"google":{"thought_signature":"s"}}},{"index":5,"type":"function","function":{"name":"f","arguments":{"a":1}}}]}`),
		say(`{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f"}},{"id":null,"type":null,"function":{"name":"","arguments":null,"x":1}},{"type":"mcp","x":1}]}`),
		say(`{"role":"assistant","content":"a","tool_calls":[]},{"role":"assistant","content":"a","tool_calls":null,"reasoning_content":null,"reasoning":""}`),
		say(`{"role":"assistant","content":"a","reasoning_content":"r","reasoning":"r"},{"role":"assistant","content":"a","reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"r","signature":null,"format":"anthropic-claude-v1","index":0,"id":null}]}`),
		say(`{"role":"assistant","content":"a","reasoning":"other","reasoning_details":[{"type":"reasoning.summary","summary":"r","format":"openai-responses-v1","id":"rs","index":0},{"type":"reasoning.encrypted","data":"d","format":"x","index":0},{"type":"reasoning.text","signature":"s"}]}`),
		say(`{"role":"assistant","content":"a","reasoning_details":[]},{"role":"assistant","content":"a","reasoning_details":"x","reasoning_content":7}`),
		say(`{"role":"assistant","prefix":true,"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}],"closed":true},{"type":"thinking","thinking":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"signature":"s"},{"type":"text","text":"c"}]}`),
		say(`{"role":"tool","tool_call_id":"a","content":"r","name":"f"},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"r"},{"type":"image_url","image_url":{"url":"u"}}],"x":1},{"role":"tool","tool_call_id":"a","content":null}`),
		say(`{"role":"function","name":"f","content":"r"},{"role":"tool","content":""}`),
		say(`{"role":"user","content":"a","tool_calls":[],"reasoning_content":"x","refusal":"y","tool_call_id":"z"}`),
		say(``),
	}
}

func TestRequestsAreSaidAgain(t *testing.T) {
	for _, body := range requests() {
		out, losses, err := chat().EncodeRequest(decode(t, body), dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: %v %v", body, losses, err)
		}
		if d := dialecttest.SameJSON([]byte(body), out.Body); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
}

func TestRequestsThatAreWrong(t *testing.T) {
	for body, param := range map[string]string{
		`{"messages":[]}`:                                                                            "model",
		`{"model":"m"}`:                                                                              "messages",
		`{"model":7,"messages":[]}`:                                                                  "model",
		`{"model":"m","messages":{}}`:                                                                "messages",
		`{"model":"m","messages":[7]}`:                                                               "messages[0]",
		`{"model":"m","messages":[{"content":"x"}]}`:                                                 "messages[0].role",
		`{"model":"m","messages":[{"role":"robot","content":"x"}]}`:                                  "messages[0].role",
		`{"model":"m","messages":[{"role":"user","content":7}]}`:                                     "messages[0].content",
		`{"model":"m","messages":[{"role":"user","content":["x"]}]}`:                                 "messages[0].content[0]",
		`{"model":"m","messages":[{"role":"user","content":[{}]}]}`:                                  "messages[0].content[0].type",
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}`:            "messages[0].content[0].text",
		`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`: "messages[0].content[0].image_url.url",
		`{"model":"m","messages":[{"role":"assistant","tool_calls":{}}]}`:                            "messages[0].tool_calls",
		`{"model":"m","messages":[{"role":"assistant","tool_calls":[7]}]}`:                           "messages[0].tool_calls[0]",
		`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":7}]}]}`:                    "messages[0].tool_calls[0].id",
		`{"model":"m","messages":[{"role":"tool","tool_call_id":7}]}`:                                "messages[0].tool_call_id",
		`{"model":"m","messages":[],"temperature":"hot"}`:                                            "temperature",
		`{"model":"m","messages":[],"max_tokens":1.5}`:                                               "max_tokens",
		`{"model":"m","messages":[],"stream":"yes"}`:                                                 "stream",
		`{"model":"m","messages":[],"stream_options":true}`:                                          "stream_options",
		`{"model":"m","messages":[],"stop":7}`:                                                       "stop",
		`{"model":"m","messages":[],"stop":[7]}`:                                                     "stop[0]",
		`{"model":"m","messages":[],"tools":{}}`:                                                     "tools",
		`{"model":"m","messages":[],"tools":[{"type":"function"}]}`:                                  "tools[0].function.name",
		`{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":7}}]}`:            "tools[0].function.name",
		`{"model":"m","messages":[],"tool_choice":7}`:                                                "tool_choice",
		`{"model":"m","messages":[],"tool_choice":{"type":"function","function":{}}}`:                "tool_choice.function.name",
		`{"model":"m","messages":[],"response_format":"json"}`:                                       "response_format",
		`{"model":"m","messages":[],"reasoning_effort":7}`:                                           "reasoning_effort",
		`{"model":"m","messages":[],"seed":"x"}`:                                                     "seed",
		`{"model":"m","messages":[],"user":{}}`:                                                      "user",
		`{"model":"m","messages":[`:                                                                  "",
		"{\"model\":\"m\",\"messages\":[],\"x\":\"\n\"}":                                             "",
		`[]`: "",
	} {
		_, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != param || e.Message == "" {
			t.Errorf("%s: %v, param %q", body, err, e.Param)
		}
	}
}

func TestCase_F18_MutationsNeverPanic(t *testing.T) {
	var seeds [][]byte
	for _, body := range requests() {
		seeds = append(seeds, []byte(body))
	}
	dialecttest.Mutations(t, chat(), seeds, 10_000)
}

func TestCase_F18_MutatedAnswersNeverPanic(t *testing.T) {
	whole := answerWith(`{"prompt_tokens":2000,"completion_tokens":300,"prompt_tokens_details":{"cached_tokens":1}}`)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		body := dialecttest.Mutate(rng, whole)
		_ = chat().Gist(body)
		_ = chat().DecodeError(dialect.Reply{Status: 400, Body: body})
		res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			continue
		}
		if out, _, err := chat().EncodeResponse(nil, res, dialect.Meta{}); err != nil || !json.Valid(out.Body) {
			t.Fatalf("%s became %s, %v", body, out.Body, err)
		}
	}
}

// foreign encodes a request that was said in no dialect of ours.
func foreign(t *testing.T, r *llm.Request, traits plenum.Traits) (*llm.Request, string, []string) {
	t.Helper()
	r.Model = "m"
	out, losses, err := chat().EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "m", Traits: traits}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range losses {
		names = append(names, l.What)
	}
	return decode(t, string(out.Body)), string(out.Body), names
}

func TestCase_A14_ImagesInToolResultsAreNotDropped(t *testing.T) {
	r := &llm.Request{Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "look"}}},
		{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "shot", Args: "{}"}}},
		{Role: llm.User, Blocks: []llm.Block{
			llm.ToolDone{ID: "a", Blocks: []llm.Block{llm.Media{Kind: llm.Image, MIME: "image/png", Data: "AA=="}}},
			llm.Text{Text: "and?"},
			llm.Opaque{Dialect: "anthropic", Type: "search_result", Raw: "{}"},
		}},
	}}
	_, body, lost := foreign(t, r, plenum.Traits{})
	want := `{"model":"m","messages":[{"role":"user","content":"look"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"shot","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"a","content":"The result follows in the next message of the user."},` +
		`{"role":"user","content":[{"type":"text","text":"What the tool call a returned:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"and?"}]}]}`
	if d := cmp.Diff(want, body); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"messages[2].content[0].content[0]", "messages[2].content[2]"}, lost); d != "" {
		t.Error(d)
	}
}

func TestCase_A15_ToolChoiceIsNeverDropped(t *testing.T) {
	tools := []llm.Tool{{Kind: llm.ToolFunction, Name: "f"}, {Kind: llm.ToolFunction, Name: "g"}}
	hosted := []llm.Tool{{Kind: llm.ToolHosted, Opaque: llm.Opaque{Dialect: "anthropic", Type: "web_search_20250305", Raw: "{}"}}}
	for _, tt := range []struct {
		tools    []llm.Tool
		choose   llm.ToolChoice
		parallel llm.Opt[bool]
		want     string
		lost     []string
	}{
		{tools, llm.ToolChoice{Mode: llm.ChooseNone}, llm.Opt[bool]{}, `"tool_choice":"none"}`, nil},
		{tools, llm.ToolChoice{Mode: llm.ChooseAuto}, llm.Some(false), `"tool_choice":"auto","parallel_tool_calls":false}`, nil},
		{tools, llm.ToolChoice{Mode: llm.ChooseAny}, llm.Some(true), `"tool_choice":"required"}`, nil},
		{tools, llm.ToolChoice{Mode: llm.ChooseTool, Name: "g"}, llm.Opt[bool]{}, `"tool_choice":{"type":"function","function":{"name":"g"}}}`, nil},
		{tools, llm.ToolChoice{Mode: llm.ChooseAuto, Allowed: []string{"f"}}, llm.Some(false), `"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}},"parallel_tool_calls":false}`, nil},
		{hosted, llm.ToolChoice{Mode: llm.ChooseAny}, llm.Some(false), `"messages":[]}`, []string{"tools[0]", "tool_choice"}},
		{append(hosted, tools...), llm.ToolChoice{Mode: llm.ChooseTool, Name: "web_search"}, llm.Opt[bool]{}, `}]}`, []string{"tools[0]", "tool_choice"}},
		{tools, llm.ToolChoice{Opaque: llm.Opaque{Dialect: "anthropic", Type: "x", Raw: "{}"}}, llm.Opt[bool]{}, `}]}`, []string{"tool_choice"}},
	} {
		_, body, lost := foreign(t, &llm.Request{Tools: tt.tools, Choose: tt.choose, Parallel: tt.parallel}, plenum.Traits{})
		if !strings.HasSuffix(body, tt.want) {
			t.Errorf("%+v: got %s", tt.choose, body)
		}
		if d := cmp.Diff(tt.lost, lost); d != "" {
			t.Errorf("%+v: %s", tt.choose, d)
		}
	}
}

func TestCase_F8_SystemPromptsAreAllSaid(t *testing.T) {
	r := &llm.Request{Messages: []llm.Message{
		{Role: llm.System, Place: "field", Blocks: []llm.Block{llm.Text{Text: "one", Cache: &llm.CacheMark{}}, llm.Text{Text: "two", Cache: &llm.CacheMark{}}}},
		{Role: llm.System, Blocks: []llm.Block{llm.Text{Text: "three"}}},
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "four"}, llm.Thought{Text: "no"}}},
		{Role: llm.Developer, Blocks: []llm.Block{llm.Text{Text: "five"}}},
	}}
	_, body, lost := foreign(t, r, plenum.Traits{NoDeveloper: true})
	want := `{"model":"m","messages":[{"role":"system","content":"one\n\ntwo"},{"role":"system","content":"three"},{"role":"user","content":"four"},{"role":"system","content":"five"}]}`
	if d := cmp.Diff(want, body); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"cache_control", "messages[1].content[1]"}, lost); d != "" {
		t.Error(d)
	}
}

func TestCase_F3_SchemasWithoutPropertiesAreMended(t *testing.T) {
	r := &llm.Request{Tools: []llm.Tool{
		{Kind: llm.ToolFunction, Name: "a"},
		{Kind: llm.ToolFunction, Name: "b", Schema: `{"type":"object","properties":null}`},
		{Kind: llm.ToolFunction, Name: "c", Schema: `{"properties":{"properties":null}}`},
	}}
	got, _, _ := foreign(t, r, plenum.Traits{})
	var schemas []string
	for _, tool := range got.Tools {
		schemas = append(schemas, tool.Schema)
	}
	want := []string{`{"type":"object","properties":{}}`, `{"type":"object","properties":{}}`, `{"type":"object","properties":{"properties":null}}`}
	if d := cmp.Diff(want, schemas); d != "" {
		t.Error(d)
	}
}

func TestParametersOfAnotherDialect(t *testing.T) {
	r := &llm.Request{
		TopK: llm.Some(5), MaxOut: llm.Some(100), Stop: []string{"a", "b", "c", "d", "e"}, Tier: "standard_only", User: "u",
		Thinking: &llm.Thinking{Mode: llm.ThinkOn, Budget: llm.Some(5000)},
		Output:   llm.Format{Kind: llm.FormatSchema, Schema: `{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}`},
		Extra:    llm.Extra{Dialect: "anthropic", Fields: []llm.Field{{Key: "container", Raw: `"x"`}, {Key: "noted", Raw: ""}}},
	}
	_, body, lost := foreign(t, r, plenum.Traits{MaxTokensField: "max_tokens"})
	want := `{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false},"strict":true}},` +
		`"max_tokens":100,"stop":["a","b","c","d"],"reasoning_effort":"medium","service_tier":"default","user":"u"}`
	if d := cmp.Diff(want, body); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"container", "top_k", "stop_sequences[4]", "thinking.budget_tokens"}, lost); d != "" {
		t.Error(d)
	}
	// A schema that leaves something open is not one that hosts take as strict.
	open := llm.Format{Kind: llm.FormatSchema, Schema: `{"type":"object","properties":{"a":{},"b":{}},"required":["a"],"additionalProperties":false}`}
	_, body, lost = foreign(t, &llm.Request{Output: open}, plenum.Traits{})
	if strings.Contains(body, "strict") || len(lost) != 1 {
		t.Errorf("got %s, lost %v", body, lost)
	}
	// Thinking that a model does not know, or that is off, is not asked for.
	_, body, lost = foreign(t, &llm.Request{Thinking: &llm.Thinking{Mode: llm.ThinkAdaptive}}, plenum.Traits{Capabilities: plenum.Capabilities{Thinking: plenum.No}})
	if strings.Contains(body, "reasoning") || len(lost) != 1 {
		t.Errorf("got %s, lost %v", body, lost)
	}
	_, body, lost = foreign(t, &llm.Request{Thinking: &llm.Thinking{Mode: llm.ThinkOff}}, plenum.Traits{})
	if strings.Contains(body, "reasoning") || len(lost) != 0 {
		t.Errorf("got %s, lost %v", body, lost)
	}
}

func TestReasoningGoesBackToHostsThatTakeIt(t *testing.T) {
	history := func() *llm.Request {
		return &llm.Request{Messages: []llm.Message{{Role: llm.Assistant, Blocks: []llm.Block{llm.Thought{Text: "hm"}, llm.Text{Text: "so"}}}}}
	}
	_, body, lost := foreign(t, history(), plenum.Traits{})
	if strings.Contains(body, "hm") || len(lost) != 1 {
		t.Errorf("got %s, lost %v", body, lost)
	}
	_, body, lost = foreign(t, history(), plenum.Traits{Unsigned: true, ReasoningField: "reasoning"})
	if !strings.Contains(body, `{"role":"assistant","reasoning":"hm","content":"so"}`) || len(lost) != 0 {
		t.Errorf("got %s, lost %v", body, lost)
	}
}

func TestDocumentsOfAnotherDialect(t *testing.T) {
	user := func(b llm.Block) *llm.Request {
		return &llm.Request{Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{b}}}}
	}
	for _, tt := range []struct {
		in   llm.Media
		want string // in the body
		lost []string
	}{
		{llm.Media{Kind: llm.Document, MIME: "application/pdf", Data: "AA=="}, `{"type":"file","file":{"filename":"document","file_data":"data:application/pdf;base64,AA=="}}`, nil},
		{llm.Media{Kind: llm.Document, Text: "words", Name: "title", Context: "c", Cite: llm.Some(true)}, `"content":"title\nc\n\nwords"`, []string{"messages[0].content[0].citations", "messages[0].content[0]"}},
		{llm.Media{Kind: llm.Document, MIME: "text/plain", Data: "d29yZHM="}, `"content":"words"`, []string{"messages[0].content[0]"}},
		{llm.Media{Kind: llm.Document, Blocks: []llm.Block{llm.Text{Text: "words"}}}, `"content":"words"`, []string{"messages[0].content[0]"}},
		{llm.Media{Kind: llm.Document, URL: "https://x"}, `"messages":[]`, []string{"messages[0].content[0]"}},
		{llm.Media{Kind: llm.Image, FileID: "f"}, `"messages":[]`, []string{"messages[0].content[0]"}},
		{llm.Media{Kind: llm.Image, URL: "https://x"}, `{"type":"image_url","image_url":{"url":"https://x"}}`, nil},
		{llm.Media{Kind: llm.Video, URL: "https://x"}, `"messages":[]`, []string{"messages[0].content[0]"}},
	} {
		_, body, lost := foreign(t, user(tt.in), plenum.Traits{})
		if !strings.Contains(body, tt.want) {
			t.Errorf("%+v: %s", tt.in, body)
		}
		if d := cmp.Diff(tt.lost, lost); d != "" {
			t.Errorf("%+v: %s", tt.in, d)
		}
	}
}
