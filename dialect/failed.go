package dialect

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// Failed returns the blocks of a tool's result that failed, as they are said where a result has no member for that: its
// text says it, so that the model does not take the failure for a result. A text that speaks of an error stays as it is.
func Failed(blocks []llm.Block) []llm.Block {
	const why = "Error: "
	for i, b := range blocks {
		t, ok := b.(llm.Text)
		if !ok {
			continue
		}
		if tells(t.Text) {
			return blocks
		}
		out := slices.Clone(blocks)
		t.Text = why + t.Text
		out[i] = t
		return out
	}
	return append([]llm.Block{llm.Text{Text: why + "the tool failed."}}, blocks...)
}

// tells reports whether a text says near its beginning that something went wrong.
func tells(text string) bool {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	text = strings.ToLower(text)
	for _, word := range []string{"error", "fail", "exception", "cannot", "not found", "denied"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// FailedInText is why a dialect without a member for it loses that a tool failed.
const FailedInText = "said in the result's text"
