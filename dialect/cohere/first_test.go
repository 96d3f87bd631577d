package cohere_test

import (
	"encoding/json"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

func decodeV1(t *testing.T, body string) *llm.Request {
	t.Helper()
	p, err := chatV1().DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*llm.Request)
}

func TestFirstResultsMeetTheirCalls(t *testing.T) {
	r := decodeV1(t, string(read(t, "testdata/v1/tools.request.json")))
	calls, results := r.Messages[1].Blocks[1:], r.Messages[2].Blocks
	for i, b := range results {
		if b.(llm.ToolDone).ID != calls[i].(llm.ToolUse).ID {
			t.Errorf("%+v answers %+v", b, calls[i])
		}
	}
	// Without a turn that calls, one is made, behind what the user says.
	r = decodeV1(t, string(read(t, "testdata/v1/single.request.json")))
	n := len(r.Messages)
	call, done := r.Messages[n-2].Blocks[0].(llm.ToolUse), r.Messages[n-1].Blocks[0].(llm.ToolDone)
	if r.Messages[n-3].Role != llm.User || call.ID != done.ID || call.Name != "a" || call.Args != `{"n":2}` {
		t.Errorf("%+v", r.Messages)
	}
}

func TestFirstTypesAreSchemas(t *testing.T) {
	deep := strings.Repeat("List[", 100000) + strings.Repeat("]", 100000)
	for typ, want := range map[string]string{
		"str": `{"type":"string"}`, "int": `{"type":"integer"}`, "float": `{"type":"number"}`, "bool": `{"type":"boolean"}`,
		"dict": `{"type":"object"}`, "List[int]": `{"type":"array","items":{"type":"integer"}}`, "Optional[str]": `{"type":"string"}`,
		"complex": `{"title":"complex"}`, "list": `{"type":"array","items":{}}`,
	} {
		r := decodeV1(t, `{"model":"m","message":"x","tools":[{"name":"f","description":"","parameter_definitions":{"p":{"type":"`+typ+`"}}}]}`)
		if got := r.Tools[0].Schema; got != `{"type":"object","properties":{"p":`+want+`}}` {
			t.Errorf("%s: %s", typ, got)
		}
	}
	decodeV1(t, `{"model":"m","message":"x","tools":[{"name":"f","description":"","parameter_definitions":{"p":{"type":"`+deep+`"}}}]}`)
}

// The same members have other words in the other version.
func TestVersionsAreKin(t *testing.T) {
	r := decodeV1(t, `{"model":"m","message":"x","safety_mode":"STRICT","citation_quality":"fast","prompt_truncation":"AUTO"}`)
	out, losses := encode(t, r)
	dialecttest.Has(t, out, `"safety_mode":"STRICT"`, `"citation_options":{"mode":"FAST"}`)
	if len(losses) != 1 || losses[0].What != "prompt_truncation" {
		t.Errorf("lost: %v", losses)
	}
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","messages":[{"role":"user","content":"x"}],"safety_mode":"NONE","citation_options":{"mode":"OFF"},"priority":3}`)})
	if err != nil {
		t.Fatal(err)
	}
	back, losses, err := chatV1().EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(back.Body), `"message":"x"`, `"safety_mode":"NONE"`, `"citation_quality":"OFF"`)
	if len(losses) != 1 || losses[0].What != "priority" {
		t.Errorf("lost: %v", losses)
	}
}

// The answer stands three times in a stream of this version: in parts, at the end, and in the history there.
func TestFirstRedactionHoldsAtTheEnd(t *testing.T) {
	e := chatV1().NewEncoder(nil, dialect.Meta{CallID: "c"})
	var out []byte
	for ch, err := range chatV1().DecodeStream(dialecttest.Frames(read(t, "testdata/v1/stream.answer.json")), dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range ch.Events {
			if d, ok := ev.(llm.TextDelta); ok && strings.Contains(d.Text, "Ada") {
				ch, err = chatV1().Redact(ch, []dialect.TextEdit{{Index: d.Index, Start: 0, End: 3, New: "***"}})
				if err != nil || !ch.Resay {
					t.Fatal(err, ch.Resay)
				}
				break
			}
		}
		for _, ev := range ch.Events {
			frames, err := e.Encode(ev)
			if err != nil {
				t.Fatal(err)
			}
			out = dialecttest.Append(out, frames)
		}
	}
	for line := range strings.Lines(string(out)) {
		var ev struct {
			Kind     string `json:"event_type"`
			Text     string `json:"text"`
			Response struct {
				Text    string                     `json:"text"`
				History []struct{ Message string } `json:"chat_history"`
			} `json:"response"`
		}
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(ev.Text+ev.Response.Text, "Ada") || ev.Kind == "stream-end" && (ev.Response.Text != "*** wrote it." || ev.Response.History[1].Message != "*** wrote it.") {
			t.Errorf("said: %s", line)
		}
	}
	whole := dialect.Chunk{Body: read(t, "testdata/v1/cited.answer.json")}
	res, err := chatV1().DecodeResponse(dialect.Reply{Body: whole.Body})
	if err != nil {
		t.Fatal(err)
	}
	whole.Result = res
	whole, err = chatV1().Redact(whole, []dialect.TextEdit{{Start: 0, End: 3, New: "***"}})
	if err != nil || strings.Contains(string(whole.Body), "Ada wrote") && !strings.Contains(string(whole.Body), `"text":"*** wrote it."`) {
		t.Errorf("%v %s", err, whole.Body)
	}
	dialecttest.HasNot(t, string(whole.Body), `"message":"Ada wrote it."`)
}

func TestGenerateIsContinuedByAnyModel(t *testing.T) {
	c := cohere.Generate().Codec(llm.OpGenerate)
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","prompt":"Say","num_generations":2,"return_likelihoods":"NONE","stream":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	res := &llm.Response{ID: "i", Choices: []llm.Choice{
		{Blocks: []llm.Block{llm.Text{Text: "one"}}, Stop: llm.Stop{Reason: llm.StopEnd}},
		{Index: 1, Blocks: []llm.Block{llm.Thought{Text: "hm"}, llm.Text{Text: "two"}}, Stop: llm.Stop{Reason: llm.StopLength}},
	}}
	reply, losses, err := c.EncodeResponse(p, res, dialect.Meta{})
	if err != nil || len(losses) != 1 || losses[0].Why != "reasoning" {
		t.Fatal(err, losses)
	}
	dialecttest.Has(t, string(reply.Body), `{"id":"i-0","text":"one","index":0,"finish_reason":"COMPLETE"}`, `{"id":"i-1","text":"two","index":1,"finish_reason":"MAX_TOKENS"}`, `"prompt":"Say"`)
	e := c.NewEncoder(p, dialect.Meta{})
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	out, err := dialecttest.Encode(e, events, nil)
	if err != nil || strings.Count(string(out), "\n") != 3 {
		t.Fatal(err, string(out))
	}
	dialecttest.Has(t, string(out), `"text":"two","index":1`, `"event_type":"stream-end","finish_reason":"COMPLETE","response":{"id":"i"`)
}

func TestFirstSaysWhatFails(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"x"}`: "model",
		`{"model":"m"}`:   "message",
		`{"model":"m","message":"x","chat_history":[{"role":"robot","message":"x"}]}`: "chat_history[0].role",
		`{"model":"m","message":"x","tool_results":[{"outputs":[]}]}`:                 "tool_results[0].call.name",
	} {
		_, err := chatV1().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || !strings.Contains(e.Param+e.Message, want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	e := chatV1().NewEncoder(nil, dialect.Meta{CallID: "c"})
	out, err := dialecttest.Encode(e, []llm.Event{llm.Start{ID: "1"}, llm.TextDelta{Text: "half"}}, &llm.Error{Kind: llm.UpstreamFault, Message: "it broke"})
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.Has(t, string(out), `"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR","error":"it broke","response":{"text":"half"`)
}
