package anthropic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// foreignAnswer is an answer of another dialect with everything in it that this one cannot say.
func foreignAnswer() *llm.Response {
	other := llm.Extra{Dialect: "openai", Fields: []llm.Field{{Key: "x", Raw: "1"}, {Key: "nothing", Raw: "null"}}}
	return &llm.Response{
		ID: "c", Model: "gpt", Extra: other,
		Choices: []llm.Choice{
			{
				Blocks: []llm.Block{
					llm.Thought{Text: "hm", Signature: "s", Origin: "openai"},
					llm.Thought{Sealed: "z", Origin: "openai"},
					llm.Text{Text: "say", Extra: other, Citations: []llm.Citation{{Kind: llm.CiteURL, URL: "https://x", Title: "X"}, {Kind: llm.CiteChar}}},
					llm.Text{},
					llm.Media{Kind: llm.Audio, Data: "AA"},
					llm.Opaque{Dialect: "openai", Type: "sparkle", Raw: "{}"},
					llm.Refusal{Text: "no"},
				},
				Stop: llm.Stop{Reason: llm.StopEnd}, Logprobs: &llm.Logprobs{}, Extra: other, Message: other,
			},
			{Index: 1},
		},
	}
}

func TestAnswerAcrossNamesWhatIsLost(t *testing.T) {
	enclosed := [2]string{dialect.Enclose(foreignAnswer().Choices[0].Blocks[0].(llm.Thought)), dialect.Enclose(foreignAnswer().Choices[0].Blocks[1].(llm.Thought))}
	reply, lost, err := messages().EncodeResponse(nil, foreignAnswer(), dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(`{"id":"c","type":"message","role":"assistant","model":"gpt","stop_reason":"refusal","stop_sequence":null,"content":[
		{"type":"thinking","thinking":"hm","signature":"`+enclosed[0]+`"},{"type":"redacted_thinking","data":"`+enclosed[1]+`"},
		{"type":"text","text":"say","citations":[{"type":"web_search_result_location","cited_text":"","url":"https://x","title":"X","encrypted_index":""}]},
		{"type":"text","text":"no"}],
		"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}`), reply.Body)
	want := []string{
		"choices[1] (one answer is given here)",
		"content[2].x", "content[2].annotations[1]", "content[4] (audio in an answer)", "content[5] (sparkle belongs to another dialect)",
		"choices[0].x", "choices[0].message.x", "choices[0].logprobs", "x",
	}
	var got []string
	for _, l := range lost {
		got = append(got, l.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("losses differ:\n%s", d)
	}
}

func TestStreamAcrossNamesWhatIsLost(t *testing.T) {
	var evs []llm.Event
	for ev := range llm.Replay(foreignAnswer()) {
		evs = append(evs, ev)
	}
	evs = append(evs[:1:1], append([]llm.Event{
		llm.OpaqueEvent{Opaque: llm.Opaque{Dialect: "openai", Type: "spark"}},
		llm.OpaqueDelta{Index: 2, Opaque: llm.Opaque{Dialect: "openai", Type: "glow"}},
		llm.MediaDelta{Index: 4, Data: "BB"},
	}, evs[1:]...)...)
	enc := messages().NewEncoder(nil, dialect.Meta{})
	got := tell(t, encode(t, enc, evs))
	hm, sealed := foreignAnswer().Choices[0].Blocks[0].(llm.Thought), foreignAnswer().Choices[0].Blocks[1].(llm.Thought)
	wantBlocks(t, got, "thinking hm"+dialect.Enclose(hm), "redacted_thinking "+dialect.Enclose(sealed), "text say", "text no")
	if got.stop != "refusal" {
		t.Errorf("stop %v", got.stop)
	}
	names := map[string]bool{}
	for _, l := range enc.Losses() {
		names[l.What] = true
	}
	for _, want := range []string{
		"spark", "content[2]", "choices[0].message.audio", "content[2].x", "content[2].annotations",
		"content[4]", "content[5]", "choices[0].x", "choices[0].message.x", "choices[0].logprobs", "choices[1]", "x",
	} {
		if !names[want] {
			t.Errorf("%s was lost in silence; named were %v", want, enc.Losses())
		}
	}
}

func TestStopReasonsBothWays(t *testing.T) {
	for word, reason := range map[string]llm.StopReason{
		"end_turn": llm.StopEnd, "max_tokens": llm.StopLength, "stop_sequence": llm.StopSequence, "pause_turn": llm.StopPause,
		"refusal": llm.StopRefusal, "model_context_window_exceeded": llm.StopContext, "compaction": llm.StopOther, "brand_new": llm.StopOther,
	} {
		body := []byte(`{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"` + word + `","stop_sequence":null,"stop_details":{"type":"refusal"},"usage":{"input_tokens":1}}`)
		if word == "stop_sequence" {
			body = []byte(`{"id":"i","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{}}`)
		}
		res, err := messages().DecodeResponse(dialect.Reply{Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.(*llm.Response).Choices[0].Stop.Reason; got != reason {
			t.Errorf("%s is read as %s", word, got)
		}
		reply, _, err := messages().EncodeResponse(nil, res, dialect.Meta{})
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, body, reply.Body)
	}
	for reason, word := range map[llm.StopReason]string{llm.StopFilter: "refusal", llm.StopError: "end_turn", llm.StopOther: "end_turn"} {
		got, _ := speak(t, start, stopped(reason), llm.End{})
		if got.stop != word {
			t.Errorf("%s is said as %v", reason, got.stop)
		}
	}
}

func TestCitationsOfEveryKind(t *testing.T) {
	body := []byte(`{"id":"i","type":"message","role":"assistant","model":"m","stop_reason":"end_turn","stop_sequence":null,"usage":{},"content":[{"type":"text","text":"x","citations":[
		{"type":"char_location","cited_text":"q","document_index":1,"document_title":"T","start_char_index":2,"end_char_index":3,"file_id":null},
		{"type":"page_location","cited_text":"q","document_index":1,"document_title":"T","start_page_number":2,"end_page_number":3},
		{"type":"content_block_location","cited_text":"q","document_index":1,"document_title":"T","start_block_index":2,"end_block_index":3},
		{"type":"search_result_location","cited_text":"q","search_result_index":1,"title":"T","source":"u","start_block_index":2,"end_block_index":3},
		{"type":"web_search_result_location","cited_text":"q","title":"T","url":"u","encrypted_index":"e"},
		{"type":"moon_location","cited_text":"q"}]}]}`)
	res, err := messages().DecodeResponse(dialect.Reply{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	cites := res.(*llm.Response).Choices[0].Blocks[0].(llm.Text).Citations
	want := []llm.Citation{
		{Kind: llm.CiteChar, Quote: "q", Title: "T", Source: 1, Start: 2, End: 3},
		{Kind: llm.CitePage, Quote: "q", Title: "T", Source: 1, Start: 2, End: 3},
		{Kind: llm.CiteBlock, Quote: "q", Title: "T", Source: 1, Start: 2, End: 3},
		{Kind: llm.CiteSearch, Quote: "q", Title: "T", URL: "u", Source: 1, Start: 2, End: 3},
		{Kind: llm.CiteURL, Quote: "q", Title: "T", URL: "u", Source: -1},
		{Quote: "q", Source: -1},
	}
	for i := range cites {
		if cites[i].Opaque.Raw == "" {
			t.Errorf("citation %d is not kept", i)
		}
		cites[i].Opaque = llm.Opaque{}
	}
	if d := cmp.Diff(want, cites); d != "" {
		t.Error(d)
	}
	res, _ = messages().DecodeResponse(dialect.Reply{Body: body})
	reply, _, _ := messages().EncodeResponse(nil, res, dialect.Meta{})
	sameJSON(t, body, reply.Body)
}

func TestOddBlocksOfAnAnswerAreKept(t *testing.T) {
	body := []byte(`{"id":"i","type":"message","role":"assistant","model":"m","stop_reason":null,"stop_sequence":null,"usage":{},"container":{"id":"c"},"content":[{"text":"no type"},{"type":"text","text":5},7,{"type":"sparkle"}]}`)
	res, err := messages().DecodeResponse(dialect.Reply{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	reply, lost, err := messages().EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(lost) > 0 {
		t.Fatal(err, lost)
	}
	sameJSON(t, body, reply.Body)
}
