package matrix

import (
	"testing"

	"github.com/plenum-foundry/plenum/llm"
)

// What the matrix would not see if it were lost, it would not show to be kept.
func TestWhatIsLostIsSeen(t *testing.T) {
	said := asked(&llm.Request{
		Messages: []llm.Message{user(text("one"), llm.Media{Kind: llm.Image, Data: pixel})}, Tools: tools(), Temperature: llm.Some(0.5),
		Choose: llm.ToolChoice{Mode: llm.ChooseTool, Name: "time"},
	})
	got := asked(&llm.Request{Messages: []llm.Message{user(text("one"))}, Tools: tools()[:1], Temperature: llm.Some(0.7)})
	if n := len(missing(said, got, nil)); n != 4 {
		t.Errorf("of four losses %d are seen: %v", n, missing(said, got, nil))
	}
	if left := missing(said, got, []string{"messages[0].content[1].image", "tools[1]", "temperature", "tool_choice"}); len(left) > 0 {
		t.Errorf("named, and yet silent: %v", left)
	}
	if left := missing(said, got, []string{"seed"}); len(left) != 4 {
		t.Errorf("a loss of something else excuses %v", left)
	}
	r := response()
	whole := answered(r)
	r.Choices[0].Blocks = nil
	r.Choices[0].Stop.Reason = llm.StopLength
	r.Usage.Output = 0
	if n := len(missing(whole, answered(r), nil)); n != 3 {
		t.Errorf("of three losses of an answer %d are seen: %v", n, missing(whole, answered(r), nil))
	}
}
