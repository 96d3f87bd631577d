package anthropic_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// The results of one turn's calls may come in a message each, of the user's: the vendor wants them in one.
func TestResultsThatComeOneByOneAreSaidTogether(t *testing.T) {
	call := func(id string) llm.Block { return llm.ToolUse{ID: id, Name: "f", Args: "{}", Kind: llm.ToolFunction} }
	done := func(id string) llm.Message {
		return llm.Message{Role: llm.User, Blocks: []llm.Block{llm.ToolDone{ID: id, Blocks: []llm.Block{llm.Text{Text: "r"}}}}}
	}
	r := &llm.Request{Model: "m", MaxOut: llm.Some(9), Messages: []llm.Message{
		{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "x"}}},
		{Role: llm.Assistant, Blocks: []llm.Block{call("a"), call("b")}},
		done("a"), done("b"),
	}}
	out, _, err := messages().EncodeRequest(r, dialect.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := messages().DecodeRequest(dialect.Inbound{Body: out.Body})
	if err != nil {
		t.Fatal(err)
	}
	got := p.(*llm.Request).Messages
	if len(got) != 3 || len(got[2].Blocks) != 2 {
		t.Errorf("%s", out.Body)
	}
}
