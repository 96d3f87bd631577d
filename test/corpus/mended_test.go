package corpus

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// This file holds the faults that recorded traffic showed, each without the recording.

// both says blocks as an answer in a dialect, whole and streamed, and reads them there.
func both(t *testing.T, name string, blocks ...llm.Block) (whole, streamed *llm.Response, losses []dialect.Loss) {
	t.Helper()
	r := &llm.Response{ID: "i", Model: "m", Choices: []llm.Choice{{Blocks: blocks, Stop: llm.Stop{Reason: llm.StopEnd}}}}
	c := crossing{x: &exchange{}, to: side(name), caller: &llm.Request{Model: "m"}}
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	whole, losses = c.tell(r)
	streamed, more := c.play(events)
	if whole == nil || streamed == nil || len(c.silent) > 0 {
		t.Fatalf("%s: %v", name, c.silent)
	}
	c.agree(whole, streamed, losses, more, 0)
	for _, s := range c.silent {
		t.Errorf("%s: %s", name, s)
	}
	return whole, streamed, losses
}

func TestArgumentsOnSeveralLinesStayOneLineOfAStream(t *testing.T) {
	_, streamed, _ := both(t, "ollama", llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "f", Args: "{\n  \"x\": \"two\\nlines\"\r\n}"})
	if got := dialecttest.Answered(streamed)["call[0]"]; got != `f {"x":"two\nlines"}` {
		t.Errorf("got %s", got)
	}
}

func TestRawReasoningOfResponsesIsReasoningInChatCompletions(t *testing.T) {
	whole, _, losses := both(t, "openai", llm.Thought{Text: "hm", Field: "content"}, llm.Text{Text: "so"})
	if m := dialecttest.Answered(whole); m["thought.text"] != "hm" || m["text"] != "so" || len(losses) > 0 {
		t.Errorf("%v %v", m, losses)
	}
}

func TestACitationWithoutATextIsKept(t *testing.T) {
	cited := llm.Text{Citations: []llm.Citation{{Kind: llm.CiteURL, URL: "https://a.example", Title: "A", Source: -1}}}
	whole, _, _ := both(t, "anthropic", llm.Text{Text: "so"}, cited)
	if m := dialecttest.Answered(whole); m["citations[0].url"] != "https://a.example" {
		t.Errorf("%v", m)
	}
}

func TestSealsOfSeveralThoughtsComeBackThroughXAI(t *testing.T) {
	one := llm.Thought{Sealed: "b25l", Item: "call_1", Origin: "gemini"}
	two := llm.Thought{Sealed: "dHdv", Item: "call_2", Origin: "gemini"}
	whole, streamed, _ := both(t, "xaigrpc", one, two, llm.Text{Text: "so"})
	for what, r := range map[string]*llm.Response{"whole": whole, "streamed": streamed} {
		var items []string
		for _, b := range r.Choices[0].Blocks {
			if th, ok := b.(llm.Thought); ok {
				items = append(items, th.Item+" "+th.Sealed)
			}
		}
		if got := strings.Join(items, ", "); got != "call_1 b25l, call_2 dHdv" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// A dialect with one place for both gives back in one block what was thought, and the signature of the call.
func TestASignatureBesideAThoughtFindsItsCall(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "q"}}},
		{Role: llm.Assistant, Blocks: []llm.Block{
			llm.Thought{Text: "hm", Sealed: "c2ln", Item: "call_1", Origin: "gemini"},
			llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "f", Args: "{}"},
		}},
		{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "call_1", Name: "f", Blocks: []llm.Block{llm.Text{Text: "r"}}}}},
	}}
	c, _ := side("gemini").Codec(model, false)
	out, _, err := c.EncodeRequest(r, shape())
	if err != nil || !strings.Contains(string(out.Body), `"thoughtSignature":"c2ln"`) {
		t.Errorf("%v %s", err, out.Body)
	}
}

func TestWhatHasNoWordIsNamed(t *testing.T) {
	signed := llm.Text{Text: "so", Signature: "c2ln", Origin: "gemini"}
	for _, name := range []string{"openai", "anthropic", "converse", "cohere", "ollama", "xaigrpc"} {
		_, _, losses := both(t, name, signed)
		if !strings.Contains(strings.Join(kinds(losses), " "), "signature") {
			t.Errorf("%s: the signature of a text is lost in silence: %v", name, losses)
		}
	}
	document := llm.Media{Kind: llm.Document, Text: "words", Name: "a.txt"}
	image := llm.Media{Kind: llm.Image}
	for _, name := range []string{"openai", "responses", "gemini", "xaigrpc"} {
		c, _ := side(name).Codec(model, false)
		for _, b := range []llm.Block{document, image} {
			_, losses, err := c.EncodeRequest(&llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "q"}, b}}}}, shape())
			if err != nil || len(losses) == 0 || losses[0].What != "messages[0].content[1]" {
				t.Errorf("%s: %v %v", name, losses, err)
			}
		}
	}
}

func TestUsageWithoutAWordIsNamed(t *testing.T) {
	r := &llm.Response{ID: "i", Model: "m", Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "so"}}, Stop: llm.Stop{Reason: llm.StopEnd}}}}
	r.Usage = llm.Usage{Input: 1, InputImage: 2, InputAudio: 3, Output: 4, OutputAudio: 5, Searches: 6, Reported: llm.InSide | llm.OutSide}
	for _, to := range sides.All() {
		c := crossing{x: &exchange{}, to: to, caller: &llm.Request{Model: "m"}}
		heard, losses := c.tell(r)
		c.compare(to.Name, dialecttest.Answered(r), dialecttest.Answered(heard), losses)
		for _, s := range c.silent {
			t.Error(s)
		}
	}
}
