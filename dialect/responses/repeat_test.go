package responses_test

import (
	"encoding/json"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
)

// An answer of another dialect has every member that the published schemas require of one (OpenAI's own, and that
// of Open Responses, which is stricter), whole and at the end of a stream.
func TestAnAnswerHasAllThatTheSchemasRequire(t *testing.T) {
	required := []string{
		"id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id", "instructions",
		"output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p", "presence_penalty",
		"frequency_penalty", "top_logprobs", "temperature", "reasoning", "user", "usage", "max_output_tokens", "max_tool_calls",
		"store", "background", "service_tier", "metadata", "safety_identifier", "prompt_cache_key",
	}
	c := responses.Dialect().Codec(llm.OpGenerate)
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","input":"hi","max_tool_calls":3,"presence_penalty":0.5,"tools":[{"type":"function","name":"f"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	res := &llm.Response{ID: "c", Model: "x", Created: 5, Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "hi"}}, Stop: llm.Stop{Reason: llm.StopEnd}}}}
	meta := dialect.Meta{CallID: "1", Now: 7}
	whole, _, err := c.EncodeResponse(p, res, meta)
	if err != nil {
		t.Fatal(err)
	}
	check := func(raw []byte) {
		t.Helper()
		var got map[string]json.RawMessage
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range required {
			if _, ok := got[key]; !ok {
				t.Errorf("there is no %s in %s", key, raw)
			}
		}
		for key, want := range map[string]string{
			"completed_at": "7", "max_tool_calls": "3", "presence_penalty": "0.5", "service_tier": `"default"`, "user": "null",
			"tools": `[{"type":"function","name":"f","description":null,"parameters":null,"strict":null}]`,
		} {
			if string(got[key]) != want {
				t.Errorf("%s is %s, not %s", key, got[key], want)
			}
		}
	}
	check(whole.Body)
	enc := c.NewEncoder(p, meta)
	var last json.RawMessage
	for ev := range llm.Replay(res) {
		frames, err := enc.Encode(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			var e struct{ Response json.RawMessage }
			if err := json.Unmarshal(f.Data, &e); err != nil {
				t.Fatal(err)
			}
			if e.Response != nil {
				last = e.Response
			}
		}
	}
	check(last)
}
