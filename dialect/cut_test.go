package dialect_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
)

func TestATextInPartsIsRewritten(t *testing.T) {
	for _, c := range []struct {
		cuts []dialect.Cut
		want []string
	}{
		{[]dialect.Cut{{Start: 1, End: 2, New: "-"}}, []string{"a-c", "def"}},
		{[]dialect.Cut{{Start: 2, End: 4, New: "-"}}, []string{"ab-", "ef"}},
		{[]dialect.Cut{{Start: 3, End: 4, New: "-"}}, []string{"abc", "-ef"}}, // right behind the first part
		{[]dialect.Cut{{Start: 3, End: 3, New: "-"}}, []string{"abc-", "def"}},
		{[]dialect.Cut{{Start: 0, End: 1, New: "1"}, {Start: 5, End: 6, New: "6"}}, []string{"1bc", "de6"}},
		{[]dialect.Cut{{Start: 0, End: 6}}, []string{"", ""}},
	} {
		got, err := dialect.Rewrite([]string{"abc", "def"}, c.cuts)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%v: %v %s", c.cuts, err, d)
		}
	}
	for _, c := range [][]dialect.Cut{{{Start: -1, End: 1}}, {{Start: 2, End: 1}}, {{Start: 0, End: 7}}, {{Start: 0, End: 3}, {Start: 2, End: 4}}} {
		if got, err := dialect.Rewrite([]string{"abc", "def"}, c); err == nil {
			t.Errorf("%v: %q", c, got)
		}
	}
}

// Log probabilities are a second copy of the text.
func TestWhatIsRedactedIsNotSpelledByItsLogProbabilities(t *testing.T) {
	spelled := llm.Logprobs{Content: []llm.Logprob{{Token: "secret"}}}
	edits := []dialect.TextEdit{{Choice: 0, Index: 0, Start: 0, End: 6, New: "[gone]"}}
	r, err := dialect.RedactAnswer(&llm.Response{Choices: []llm.Choice{
		{Index: 0, Blocks: []llm.Block{llm.Text{Text: "secret"}}, Logprobs: &spelled},
		{Index: 1, Blocks: []llm.Block{llm.Text{Text: "other"}}, Logprobs: &spelled},
	}}, edits)
	if err != nil || r.Choices[0].Logprobs != nil || r.Choices[1].Logprobs == nil {
		t.Errorf("got %v %+v", err, r)
	}
	events, err := dialect.RedactEvents([]llm.Event{
		llm.LogprobsDelta{Logprobs: spelled}, llm.TextDelta{Text: "secret"}, llm.LogprobsDelta{Choice: 1, Logprobs: spelled},
	}, edits)
	want := []llm.Event{llm.TextDelta{Text: "[gone]"}, llm.LogprobsDelta{Choice: 1, Logprobs: spelled}}
	if d := cmp.Diff(want, events); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	chat := ollama.Dialect().Codec(llm.OpGenerate)
	body := []byte(`{"model":"m","message":{"role":"assistant","content":"secret"},"logprobs":[{"token":"secret","logprob":-1}],"done":true,"done_reason":"stop"}`)
	res, err := chat.DecodeResponse(dialect.Reply{Status: 200, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := chat.Redact(dialect.Chunk{Body: body, Result: res}, edits)
	if err != nil || strings.Contains(string(ch.Body), "secret") || !strings.Contains(string(ch.Body), "[gone]") {
		t.Errorf("%v %s", err, ch.Body)
	}
}

func TestARedactionIsNamedAndKeepsTheCallersHeaders(t *testing.T) {
	shape := dialect.Shape{Edits: []dialect.Edit{dialect.Redact{End: 6, New: "[gone]"}}}
	for name, c := range map[string]struct {
		codec  dialect.Codec
		body   string
		header string
	}{
		"responses":   {responses.Dialect().Codec(llm.OpGenerate), `{"model":"m","input":"secret"}`, "Openai-Beta"},
		"completions": {openai.Completions().Codec(llm.OpGenerate), `{"model":"m","prompt":"secret"}`, "Openai-Beta"},
		"cohere":      {cohere.Dialect().Codec(llm.OpGenerate), `{"model":"m","messages":[{"role":"user","content":"secret"}]}`, "X-Client-Name"},
	} {
		out, err := c.codec.EditRequest(dialect.Inbound{Header: http.Header{c.header: {"x"}}, Body: []byte(c.body)}, dialect.Head{}, shape)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff([]string{dialect.Redacted}, out.Changed); d != "" || out.Header.Get(c.header) != "x" {
			t.Errorf("%s: %s %v", name, d, out.Header)
		}
	}
}

func TestARefusedParameterThatAsksForNothingGoesWithoutAWord(t *testing.T) {
	for _, policy := range []plenum.ParamPolicy{plenum.ParamStrict, plenum.ParamDrop, ""} {
		s := dialect.Shape{Offer: &plenum.Offer{Traits: plenum.Traits{Refuses: []string{"a", "x.b"}}}, Params: policy}
		body, changed, err := dialect.WithoutRefused("x", []byte(`{"a":null,"c":1}`), s)
		if string(body) != `{"c":1}` || changed != nil || err != nil {
			t.Errorf("%q: %s %v %v", policy, body, changed, err)
		}
	}
}
