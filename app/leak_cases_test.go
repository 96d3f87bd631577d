package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// A server that reads calls out of a model's text may say a call as text and as a call. What it says of either
// goes out once, in every dialect, and the call is a call.
func TestCase_A12_ACallThatLeakedIntoTheTextIsSaidOnceAsEither(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(nativeYAML, "openai-compatible", "/v1"), up.URL)
	const call = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_9","type":"function","function":{"name":"weather","arguments":"{\"town\":\"Paris\"}"}}]},"finish_reason":null}]}`
	up.Script(testkit.SSE(roleChunk, chunk("<tool_"), chunk("call>leaked</tool_call>"), call,
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, usageChunk, "[DONE]"))
	for client := range doors() {
		for _, stream := range []bool{false, true} {
			r := askPerson(stream)
			r.Output = llm.Format{}
			r.Tools = []llm.Tool{{Kind: llm.ToolFunction, Name: "weather", Schema: `{"type":"object","properties":{"town":{"type":"string"}}}`}}
			r.Stream = stream
			a := w.ask(t, client, r)
			if a.got == nil {
				t.Fatalf("%s: %d %s", client, a.status, a.text)
			}
			text, calls := "", 0
			for _, b := range a.got.Choices[0].Blocks {
				switch b := b.(type) {
				case llm.Text:
					text += b.Text
				case llm.ToolUse:
					calls++
				}
			}
			if text != "<tool_call>leaked</tool_call>" || calls != 1 || a.got.Choices[0].Stop.Reason != llm.StopTool {
				t.Errorf("%s stream=%v: text %q, %d calls, ended by %q", client, stream, text, calls, a.got.Choices[0].Stop.Reason)
			}
			if n := strings.Count(a.text, "Paris"); client != "responses" && n != 1 {
				t.Errorf("%s stream=%v: the call is said %d times", client, stream, n)
			}
		}
	}
}

// TestCase_A12_ALeakedCallIsReadWhereTheTargetSaysSo has a target that is declared to leak calls. Every caller gets a
// call, whole and streamed, from an upstream that streams or does not, and is told.
func TestCase_A12_ALeakedCallIsReadWhereTheTargetSaysSo(t *testing.T) {
	up := testkit.NewUpstream(t)
	yaml := strings.Replace(fmt.Sprintf(nativeYAML, "openai-compatible", "/v1"), "upstream_model: up,", "upstream_model: up, traits: {leaked_calls: true},", 1)
	w := newWorld(t, Mechanisms{}, yaml, up.URL)
	const leaked = `Let me see.<tool_call>{\"name\":\"weather\",\"arguments\":{\"town\":\"Paris\"}}</tool_call>`
	n := 0
	for client := range doors() {
		for _, stream := range []bool{false, true} {
			for _, tools := range []bool{true, false} {
				up.Script(testkit.JSON(strings.Replace(whole, "hi", leaked, 1)))
				if stream {
					up.Script(testkit.SSE(roleChunk, chunk(leaked[:20]), chunk(leaked[20:]), stopChunk, usageChunk, "[DONE]"))
				}
				r := askPerson(stream)
				r.Output = llm.Format{}
				if tools {
					r.Tools = []llm.Tool{{Kind: llm.ToolFunction, Name: "weather", Schema: `{"type":"object","properties":{"town":{"type":"string"}}}`}}
				}
				a := w.ask(t, client, r)
				rec := w.records.nth(t, n)
				n++
				if a.got == nil {
					t.Fatalf("%s: %d %s", client, a.status, a.text)
				}
				text, calls := "", ""
				for _, b := range a.got.Choices[0].Blocks {
					switch b := b.(type) {
					case llm.Text:
						text += b.Text
					case llm.ToolUse:
						calls += b.Name + strings.ReplaceAll(b.Args, " ", "")
					}
				}
				if !tools {
					if calls != "" || text != strings.ReplaceAll(leaked, `\"`, `"`) || len(rec.Changed) != 0 {
						t.Errorf("%s stream=%v without tools: %q, %q", client, stream, text, calls)
					}
					continue
				}
				if text != "Let me see." || calls != `weather{"town":"Paris"}` || a.got.Choices[0].Stop.Reason != llm.StopTool {
					t.Errorf("%s stream=%v: %q, %q, ended by %q", client, stream, text, calls, a.got.Choices[0].Stop.Reason)
				}
				if !strings.Contains(fmt.Sprint(rec.Changed), "read out of the text") || rec.Usage.Output != 5 {
					t.Errorf("%s stream=%v: changed %q, usage %+v", client, stream, rec.Changed, rec.Usage)
				}
			}
		}
	}
}

// Responses says the text in deltas and again, whole, in four events. Dialects without such events say it once, and
// each delta as one.
func TestCase_B11_ATextThatIsRepeatedWhenDoneIsSaidOnce(t *testing.T) {
	const item = `{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"one two","annotations":[]}]}`
	up := testkit.NewUpstream(t, sse(
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"up","output":[]}}`,
		`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}}`,
		`{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}`,
		`{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"one "}`,
		`{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"two"}`,
		`{"type":"response.output_text.done","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"text":"one two"}`,
		`{"type":"response.content_part.done","sequence_number":6,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"one two","annotations":[]}}`,
		`{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":`+item+`}`,
		`{"type":"response.completed","sequence_number":8,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"up","output":[`+item+`],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`))
	w := newWorld(t, Mechanisms{}, strings.Replace(fmt.Sprintf(nativeYAML, "openai", "/v1"), "provider: openai,", "provider: openai, dialect: responses,", 1), up.URL)
	for client := range doors() {
		r := askPerson(true)
		r.Output = llm.Format{}
		a := w.ask(t, client, r)
		a.says(t, "one two", llm.StopEnd)
		if client == "responses" {
			continue // there it is repeated, as it has to be
		}
		if ones, twos := strings.Count(a.text, "one "), strings.Count(a.text, "two"); ones != 1 || twos != 1 || strings.Contains(a.text, "one two") {
			t.Errorf("%s: %d and %d times: %s", client, ones, twos, a.text)
		}
	}
}
