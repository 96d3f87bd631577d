package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// chunks makes a stream of deltas of the first choice.
func chunks(deltas ...string) string {
	var b strings.Builder
	for _, d := range deltas {
		b.WriteString(`data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}` + "\n\n")
	}
	return b.String() + `data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
}

// short tells an answer's first choice in a line.
func short(r *llm.Response) string {
	var out []string
	for _, b := range r.Choices[0].Blocks {
		switch b := b.(type) {
		case llm.Text:
			out = append(out, "text:"+b.Text)
		case llm.Thought:
			out = append(out, "thought:"+b.Text)
		case llm.Refusal:
			out = append(out, "refusal:"+b.Text)
		case llm.ToolUse:
			out = append(out, b.Name+"("+b.Args+")")
		case llm.Opaque:
			out = append(out, "opaque:"+b.Type)
		}
	}
	return strings.Join(append(out, string(r.Choices[0].Stop.Reason)), " ")
}

// What hosts say that OpenAI does not: the meaning must be the same.
func TestStreamsOfHosts(t *testing.T) {
	const frame = `data: {"id":"a","model":"m","choices":[%]}` + "\n\n"
	one := func(choice string) string { return strings.Replace(frame, "%", choice, 1) }
	for name, tt := range map[string]struct{ stream, want string }{
		"Ollama: calls whole, one delta":             {chunks(`{"role":"assistant","content":"","tool_calls":[{"id":"c1","index":0,"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","index":0,"type":"function","function":{"name":"f","arguments":"{\"a\":2}"}}]}`), `f({"a":1}) f({"a":2}) tool`},
		"calls without index and id, one delta":      {chunks(`{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}]}`), `f({}) f({}) tool`},
		"calls without index and id, several deltas": {chunks(`{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}}]}`, `{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":2}"}}]}`), `f({"a":1}) f({"a":2}) tool`},
		"Gemini: every call has index 0":             {chunks(`{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}]}`, `{"tool_calls":[{"index":0,"id":"","function":{"name":"g","arguments":"{}"}}]}`), `f({}) g({}) tool`},
		"pieces without index":                       {chunks(`{"tool_calls":[{"id":"c1","function":{"name":"f","arguments":""}}]}`, `{"tool_calls":[{"function":{"arguments":"{\"a\""}}]}`, `{"tool_calls":[{"function":{"arguments":":1}"}}]}`), `f({"a":1}) tool`},
		"the name again in every piece":              {chunks(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]}`, `{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":":1}"}}]}`), `f({"a":1}) tool`},
		"vLLM: a new id for every piece":             {chunks(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":""}}]}`, `{"tool_calls":[{"index":0,"id":"c2","function":{"arguments":"{}"}}]}`), `f({}) tool`},
		"interleaved pieces":                         {chunks(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{"}},{"index":1,"id":"c2","function":{"name":"g","arguments":"{"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"}"}},{"index":1,"function":{"arguments":"}"}}]}`), `f({}) g({}) tool`},
		"interleaved by id, without index":           {chunks(`{"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{"}}]}`, `{"tool_calls":[{"id":"c2","function":{"name":"g","arguments":"{"}}]}`, `{"tool_calls":[{"id":"c1","function":{"arguments":"}"}}]}`, `{"tool_calls":[{"id":"c2","function":{"arguments":"}"}}]}`), `f({}) g({}) tool`},
		"arguments as an object":                     {chunks(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":{"a":1}}}]}`), `f({"a":1}) tool`},
		"one id for two calls":                       {chunks(`{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}`, `{"tool_calls":[{"index":0,"id":"c","function":{"name":"g","arguments":"{}"}}]}`), `f({}) g({}) tool`},
		"no id at all, a late name":                  {chunks(`{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}`, `{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}`), `f({}) tool`},
		"nulls everywhere":                           {chunks(`{"role":"assistant","content":null,"refusal":null,"tool_calls":null,"function_call":null,"reasoning_content":null,"audio":null}`, `null`, `{"content":"a"}`), `text:a end`},
		"vLLM: reasoning":                            {chunks(`{"reasoning":"hm"}`, `{"content":"a"}`), `thought:hm text:a end`},
		"both reasoning fields":                      {chunks(`{"reasoning":"hm","reasoning_content":"hm"}`, `{"content":"a"}`), `thought:hm text:a end`},
		"Mistral: lists of parts":                    {chunks(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"}]}]}`, `{"content":[{"type":"thinking","thinking":[{"type":"text","text":"m"}]}]}`, `{"content":[{"type":"text","text":"a"}]}`, `{"content":"b"}`), `thought:hm text:ab end`},
		"the whole message":                          {one(`{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}`) + "data: [DONE]\n\n", `text:a end`},
		"Perplexity: the message so far in each":     {one(`{"index":0,"message":{"content":"a"},"delta":{"content":"a"}}`) + one(`{"index":0,"message":{"content":"ab"},"delta":{"content":"b"}}`) + one(`{"index":0,"message":{"content":"ab"},"delta":{},"finish_reason":"stop"}`), `text:ab end`},
		"OpenRouter: comments":                       {": OPENROUTER PROCESSING\n\n" + one(`{"delta":{"content":"a"}}`) + ": OPENROUTER PROCESSING\n\n" + one(`{"delta":{"content":""},"finish_reason":"stop","native_finish_reason":"end_turn"}`), `text:a end`},
		"CRLF, no space, no DONE":                    {"data:" + `{"id":"a","choices":[{"index":0,"delta":{"content":"a"}}]}` + "\r\n\r\ndata:" + `{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"eos"}]}` + "\r\n\r\n", `text:a end`},
		"an empty finish_reason":                     {one(`{"index":0,"delta":{"content":"a"},"finish_reason":""}`) + one(`{"index":0,"delta":{"content":"b"},"finish_reason":"length"}`), `text:ab length`},
		"Azure: the prompt's filter first":           {`data: {"id":"","model":"","object":"","choices":[],"created":0,"prompt_filter_results":[{"prompt_index":0}]}` + "\n\n" + one(`{"index":0,"delta":{"role":"assistant","content":"a"},"content_filter_results":{}}`) + one(`{"index":0,"delta":{},"finish_reason":"stop","content_filter_results":{"hate":{"filtered":false}}}`), `text:a end`},
		"words of others for a call":                 {one(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}`) + one(`{"index":0,"delta":{},"finish_reason":"tool_use"}`), `f({}) tool`},
		"a call after stop":                          {chunks(`{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}`), `f({}) tool`},
	} {
		s := dialecttest.Decode(chat(), dialecttest.Frames([]byte(tt.stream)), dialect.Want{})
		if s.Fault() != nil {
			t.Errorf("%s: %v", name, s.Fault())
			continue
		}
		if bad := dialecttest.Grammar(s.Events, false); bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
		got := s.Fold()
		if short(got) != tt.want {
			t.Errorf("%s: %s, want %s", name, short(got), tt.want)
		}
		ids := map[string]bool{}
		for _, b := range got.Choices[0].Blocks {
			if u, ok := b.(llm.ToolUse); ok {
				if u.ID == "" || ids[u.ID] {
					t.Errorf("%s: id %q empty or given twice", name, u.ID)
				}
				ids[u.ID] = true
			}
		}
	}
}

func TestUsageOfHostsInStreams(t *testing.T) {
	const text = `data: {"id":"a","choices":[{"index":0,"delta":{"content":"a"}}]}` + "\n\n"
	const done = "data: [DONE]\n\n"
	end := func(choice, more string) string {
		return `data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"` + choice + `}]` + more + "}\n\n" + done
	}
	for name, tt := range map[string]struct {
		stream  string
		in, out int64
	}{
		"Moonshot: in the choice":         {text + end(`,"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}`, ""), 5, 7},
		"Groq: in x_groq":                 {text + end("", `,"x_groq":{"id":"r","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`), 5, 7},
		"in every event, adding up":       {strings.Replace(text, `]}`, `],"usage":{"prompt_tokens":5,"completion_tokens":1}}`, 1) + end("", `,"usage":{"prompt_tokens":5,"completion_tokens":7}`), 5, 7},
		"an empty one last":               {text + strings.Replace(end("", `,"usage":{"prompt_tokens":5,"completion_tokens":7}`), done, `data: {"id":"a","choices":[],"usage":{}}`+"\n\n"+done, 1), 5, 7},
		"without choices, after the end":  {text + strings.Replace(end("", ""), done, `data: {"id":"a","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`+"\n\n"+done, 1), 5, 7},
		"choices left out":                {text + strings.Replace(end("", ""), done, `data: {"id":"a","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`+"\n\n"+done, 1), 5, 7},
		"DeepSeek: hits and misses":       {text + end("", `,"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_cache_hit_tokens":2,"prompt_cache_miss_tokens":3}`), 5, 7},
		"xAI: reasoning counted apart":    {text + end("", `,"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":4}}`), 5, 7},
		"more cached than there are":      {text + end("", `,"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":9}}`), 5, 7},
		"numbers with a fraction of zero": {text + end("", `,"usage":{"prompt_tokens":5.0,"completion_tokens":7.0}`), 5, 7},
	} {
		for _, want := range []dialect.Want{{}, {Meter: true}} {
			s := dialecttest.Decode(chat(), dialecttest.Frames([]byte(tt.stream)), want)
			if s.Err != nil {
				t.Errorf("%s: %v", name, s.Err)
				continue
			}
			if u := s.Fold().Usage; u.In() != tt.in || u.Out() != tt.out {
				t.Errorf("%s (%+v): %d and %d, want %d and %d", name, want, u.In(), u.Out(), tt.in, tt.out)
			}
		}
	}
}

func TestErrorsWithStatus200(t *testing.T) {
	for _, body := range []string{
		`{"object":"error","message":"no such thing","type":"NotFoundError","code":404}`,
		`{"error":{"message":"no such thing"}}`,
		`{"error":"no such thing"}`,
		`{"id":"a","choices":null,"base_resp":{"status_code":1004,"status_msg":"no such thing"}}`,
		`{"detail":"no such thing"}`,
		`{"message":"no such thing","code":"x"}`,
	} {
		_, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
		if err == nil || !strings.Contains(llm.AsError(err).Message, "no such thing") {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, stream := range []string{
		`data: {"object":"error","message":"no such thing","code":400}` + "\n\n",
		chunks(`{"content":"a"}`)[:100] + "\n\n",
		`data: {"id":"a","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"no such thing"}}` + "\n\n",
	} {
		s := dialecttest.Decode(chat(), dialecttest.Frames([]byte(stream)), dialect.Want{})
		if s.Fault() == nil {
			t.Errorf("%s: no error", stream)
		}
	}
}

func TestMarksBesideTheContent(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"system","content":"s","cache_control":{"type":"ephemeral"}},{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r","cache_control":{"type":"ephemeral","ttl":"1h"}}],"safety_identifier":"who","store":false,"modalities":["text"],"logit_bias":{}}`
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	r := p.(*llm.Request)
	text, done := r.Messages[0].Blocks[0].(llm.Text), r.Messages[3].Blocks[0].(llm.ToolDone)
	if text.Cache == nil || done.Cache == nil || done.Cache.TTL != "1h" || r.User != "who" {
		t.Errorf("marks %v and %v, user %q", text.Cache, done.Cache, r.User)
	}
	out, _, err := chat().EncodeRequest(p, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	if d := dialecttest.SameJSON([]byte(body), out.Body); d != "" {
		t.Error(d)
	}
	var l dialect.Losses
	l.AddExtra("", r.Extra)
	if d := cmp.Diff([]dialect.Loss(nil), l.List()); d != "" {
		t.Error(d)
	}
}
