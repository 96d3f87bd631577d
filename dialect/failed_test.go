package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func TestAFailedResultSaysThatItFailed(t *testing.T) {
	text := func(s string) llm.Block { return llm.Text{Text: s} }
	for _, tt := range []struct{ in, want []llm.Block }{
		{nil, []llm.Block{text("Error: the tool failed.")}},
		{[]llm.Block{text("42")}, []llm.Block{text("Error: 42")}},
		{[]llm.Block{text("ENOENT: file not found")}, []llm.Block{text("ENOENT: file not found")}},
		{[]llm.Block{llm.Media{Kind: llm.Image}, text("x")}, []llm.Block{llm.Media{Kind: llm.Image}, text("Error: x")}},
	} {
		was := len(tt.in)
		if d := cmp.Diff(tt.want, dialect.Failed(tt.in)); d != "" || len(tt.in) != was {
			t.Error(d)
		}
	}
	in := []llm.Block{text("42")}
	if dialect.Failed(in); cmp.Diff(in[0], text("42")) != "" {
		t.Error("the blocks themselves were changed")
	}
}
