package converse_test

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/llm"
)

// Claude Code marks the text within the last result. The vendor knows no cache point there and refuses the
// whole request.
func TestAMarkWithinAResultStandsAfterIt(t *testing.T) {
	r := &llm.Request{Model: "m", Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "look"}}},
		{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "t1", Name: "look", Args: "{}"}}},
		{Role: llm.User, Blocks: []llm.Block{llm.ToolDone{ID: "t1", Blocks: []llm.Block{llm.Text{Text: "seen", Cache: &llm.CacheMark{}}}}}},
	}}
	out, losses, err := converse.Dialect().Codec(llm.OpGenerate).EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "anthropic.claude-x"}})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	if want := `"content":[{"text":"seen"}]}},{"cachePoint":{"type":"default"}}]`; !strings.Contains(string(out.Body), want) {
		t.Errorf("no %s in %s", want, out.Body)
	}
}
