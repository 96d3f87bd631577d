package llm_test

import (
	"fmt"

	"github.com/plenum-foundry/plenum/llm"
)

// An answer told as a stream of events and gathered again is the same answer.
func Example() {
	whole := &llm.Response{
		ID: "r1", Model: "m",
		Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "Apples fall."}}, Stop: llm.Stop{Reason: llm.StopEnd}}},
		Usage:   llm.Usage{Input: 9, Output: 4},
	}
	gathered := llm.NewFolder()
	for ev := range llm.Replay(whole) {
		if d, ok := ev.(llm.TextDelta); ok {
			fmt.Println("said:", d.Text)
		}
		gathered.Add(ev)
	}
	again := gathered.Response()
	fmt.Println("gathered:", again.Choices[0].Blocks[0].(llm.Text).Text, again.Usage.In(), again.Usage.Out())
	// Output:
	// said: Apples fall.
	// gathered: Apples fall. 9 4
}
