package trial

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/llm"
)

// recordings are a dozen and more exchanges that together use what the three dialects have.
var recordings = []struct {
	file   string
	decode func(*object) *llm.Response
	ask    func(*object) *llm.Request
}{
	{"azure/fantasy__testazureresponseswithsummarythinking-azure-gpt-5-mini-thinking.json", responses, askResponses},
	{"deepseek/pydantic-ai__test_deepseek_responses-test_deepseek_responses_replay_own_reasoning_history.json", responses, askResponses},
	{"openai/mirascope__output-test_refusal-openai_gpt_4o_responses-sync.json", responses, askResponses},
	{"openai/openinference__agent-framework-test_processor-test_multiple_tools.json", responses, askResponses},
	{"openai/openllmetry__openai-agents-test_openai_agents-test_agent_with_web_search_tool_spans.json", responses, askResponses},
	{"openai/pydantic-ai__test_openai_responses-test_openai_responses_thinking_with_code_execution_tool.json", responses, askResponses},
	{"google/ruby_llm__chat_function_calling_gemini_gemini-2_5-flash_can_use_parallel_tool_calls.json", gemini, askGemini},
	{"google/ruby_llm__chat_citations_with_gemini_gemini-2_5-flash_returns_grounding_citations_when_search_is_enabled.json", gemini, askGemini},
	{"google/pydantic-ai__turns-test_multimodal_tool_return_matrix-tool_return_content-uploaded_file-audio-google_gemini3.json", gemini, askGemini},
	{"vertex/pydantic-ai__test_google-test_google_vertex_logprobs_structure.json", gemini, askGemini},
	{"vertex/ruby_llm__g_thought_signatures_vertexai_gemini-3_1-pro-preview_includes_thought_signatures_for_tool_calls.json", gemini, askGemini},
	{"bedrock/pydantic-ai__test_bedrock-test_bedrock_model_thinking_part_redacted.json", converse, askConverse},
	{"bedrock/pydantic-ai__test_bedrock-test_bedrock_cache_write_and_read.json", converse, askConverse},
	{"bedrock/openllmetry__bedrock-traces-test_guardrails-test_guardrail_converse.json", converse, askConverse},
	{"bedrock/pydantic-ai__turns-test_multimodal_tool_return_matrix-tool_return_content-uploaded_file-image-bedrock_claude.json", converse, askConverse},
	{"bedrock/ruby_llm__ded_thinking_bedrock_claude-haiku-4-5_preserves_thinking_signatures_between_turns_when_provided.json", converse, askConverse},
}

// Every member of every body must end up in a word of the vocabulary, in an Extra or in an Opaque; and
// an answer must be the fold of its stream.
func TestRecordingsOfOtherDialectsFitTheVocabulary(t *testing.T) {
	dir := corpus(t)
	exchanges := 0
	for _, rec := range recordings {
		t.Run(filepath.Base(rec.file), func(t *testing.T) {
			for _, x := range exchangesOf(t, filepath.Join(dir, rec.file)) {
				if x.status != 200 {
					continue
				}
				var lost []string
				if x.request != nil {
					lost = append(lost, checkRequest(t, rec.ask, x.request)...)
				}
				if x.response != nil {
					lost = append(lost, checkResponse(t, rec.decode, x.response)...)
				}
				if len(lost) > 0 {
					t.Errorf("no place for %s", strings.Join(lost, ", "))
				}
				exchanges++
			}
		})
	}
	if exchanges < 12 {
		t.Errorf("only %d exchanges were decoded", exchanges)
	}
	t.Logf("%d exchanges decoded", exchanges)
}

func checkRequest(t *testing.T, ask func(*object) *llm.Request, body []byte) []string {
	o := parse(t, body)
	r := ask(o)
	if len(r.Messages) == 0 {
		t.Error("the request has no messages")
	}
	return o.unread("request")
}

func checkResponse(t *testing.T, decode func(*object) *llm.Response, body []byte) []string {
	o := parse(t, body)
	r := decode(o)
	if len(r.Choices) == 0 || len(r.Choices[0].Blocks) == 0 && r.Choices[0].Stop.Reason == llm.StopUnset {
		t.Errorf("the response is empty: %+v", r)
	}
	if r.Usage.In() == 0 {
		t.Error("the response has no usage")
	}
	again, err := llm.Collect(llm.Replay(r))
	if err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(r, again); d != "" {
		t.Errorf("the answer is not the fold of its stream:\n%s", d)
	}
	return o.unread("response")
}

type exchange struct {
	status            int
	request, response []byte
}

func exchangesOf(t *testing.T, path string) []exchange {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type side struct {
		Status   int             `json:"status"`
		Body     string          `json:"body"`
		BodyJSON json.RawMessage `json:"body_json"`
	}
	var f struct {
		Interactions []struct {
			Endpoint          string `json:"endpoint"`
			Request, Response side
		} `json:"interactions"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	var out []exchange
	for _, i := range f.Interactions {
		switch i.Endpoint {
		case "responses", "generateContent", "converse":
			out = append(out, exchange{i.Response.Status, whole(i.Request.Body, i.Request.BodyJSON), whole(i.Response.Body, i.Response.BodyJSON)})
		}
	}
	return out
}

func whole(text string, parsed json.RawMessage) []byte {
	switch {
	case len(parsed) > 0 && parsed[0] == '{':
		return parsed
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return []byte(text)
	}
	return nil
}

func corpus(t *testing.T) string {
	dir := os.Getenv("PLENUM_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the corpus of recordings is not here: set PLENUM_CORPUS to its folder to run this test")
	}
	return dir
}

// object is a JSON object that remembers which of its members were read.
type object struct {
	m    map[string]any
	read map[string]bool
	kids map[string][]*object
}

func parse(t *testing.T, b []byte) *object {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return wrap(m)
}

func wrap(m map[string]any) *object {
	return &object{m: m, read: map[string]bool{}, kids: map[string][]*object{}}
}

func (o *object) has(k string) bool { _, ok := o.m[k]; return ok }

func (o *object) str(k string) string {
	o.read[k] = true
	s, _ := o.m[k].(string)
	return s
}

func (o *object) num(k string) int64 {
	o.read[k] = true
	n, _ := o.m[k].(json.Number)
	i, err := n.Int64()
	if err != nil {
		f, _ := n.Float64()
		i = int64(f)
	}
	return i
}

func (o *object) float(k string) llm.Opt[float64] {
	o.read[k] = true
	n, ok := o.m[k].(json.Number)
	f, _ := n.Float64()
	return llm.Opt[float64]{V: f, Set: ok}
}

func (o *object) flag(k string) llm.Opt[bool] {
	o.read[k] = true
	b, ok := o.m[k].(bool)
	return llm.Opt[bool]{V: b, Set: ok}
}

func (o *object) raw(k string) string {
	o.read[k] = true
	if !o.has(k) {
		return ""
	}
	b, _ := json.Marshal(o.m[k])
	return string(b)
}

// obj returns a member that is an object; an empty one where it is not there.
func (o *object) obj(k string) *object {
	m, _ := o.m[k].(map[string]any)
	c := wrap(m)
	o.read[k] = true
	o.kids[k] = append(o.kids[k], c)
	return c
}

func (o *object) list(k string) []*object {
	o.read[k] = true
	items, _ := o.m[k].([]any)
	var out []*object
	for _, v := range items {
		m, _ := v.(map[string]any)
		out = append(out, wrap(m))
	}
	o.kids[k] = out
	return out
}

// rest takes every member that nobody has read into an Extra: a word is missing here, not the value.
func (o *object) rest(dialect string) llm.Extra {
	var e llm.Extra
	for _, k := range o.keys() {
		if !o.read[k] {
			e.Add(dialect, k, o.raw(k))
		}
	}
	return e
}

// opaque takes the object as it stands.
func (o *object) opaque(dialect, kind string) llm.Opaque {
	for k := range o.m {
		o.read[k] = true
	}
	b, _ := json.Marshal(o.m)
	return llm.Opaque{Dialect: dialect, Type: kind, Raw: string(b)}
}

func (o *object) keys() []string {
	var ks []string
	for k := range o.m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

func (o *object) unread(path string) []string {
	var out []string
	for _, k := range o.keys() {
		if !o.read[k] {
			out = append(out, path+"."+k)
		}
		for _, c := range o.kids[k] {
			out = append(out, c.unread(path+"."+k)...)
		}
	}
	return out
}
