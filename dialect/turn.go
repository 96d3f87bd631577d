package dialect

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// SaidIn reports whether a block was said in the named dialect, and so can be said there again as it was.
func SaidIn(name string, b llm.Block) bool {
	switch b := b.(type) {
	case llm.Text:
		return b.Extra.Dialect == name
	case llm.Media:
		return b.Extra.Dialect == name
	case llm.Thought:
		return b.Extra.Dialect == name
	case llm.ToolUse:
		return b.Extra.Dialect == name
	case llm.ToolDone:
		return b.Extra.Dialect == name
	case llm.Opaque:
		return b.Dialect == name
	}
	return false
}

// TrimEnd takes the space off the end of blocks, as some vendors want it of a prefilled answer, and reports whether
// there was any.
func TrimEnd(blocks []llm.Block) bool {
	if len(blocks) == 0 {
		return false
	}
	t, ok := blocks[len(blocks)-1].(llm.Text)
	cut := strings.TrimRight(t.Text, " \t\r\n")
	if !ok || cut == t.Text || cut == "" {
		return false
	}
	t.Text = cut
	blocks[len(blocks)-1] = t
	return true
}

// Unsigned reports whether blocks, those of the turn being answered, have a call of a tool that no thinking precedes.
func Unsigned(blocks []llm.Block) bool {
	for i, b := range blocks {
		switch b.(type) {
		case llm.Thought:
			if i == 0 {
				return false
			}
		case llm.ToolUse:
			return true
		}
	}
	return false
}

// CalledTools returns the tools with those that the blocks call besides, for vendors that refuse calls of what they do
// not know.
func CalledTools(tools []llm.Tool, blocks []llm.Block) []llm.Tool {
	for _, b := range blocks {
		u, ok := b.(llm.ToolUse)
		if ok && !slices.ContainsFunc(tools, func(t llm.Tool) bool { return t.Name == u.Name }) {
			tools = append(tools, llm.Tool{Kind: llm.ToolFunction, Name: u.Name, Schema: ObjectSchema("")})
		}
	}
	return tools
}

// AllowedTools returns those of the tools, whose names fit, that a choice allows. For dialects that have no such choice:
// it is said by leaving out the others.
func AllowedTools(l *Losses, tools []llm.Tool, allowed []string, most int) []llm.Tool {
	var keep []llm.Tool
	for _, t := range tools {
		if slices.ContainsFunc(allowed, func(name string) bool { return t.Name == ToolNames{}.Fit(name, most) }) {
			keep = append(keep, t)
		}
	}
	l.Add("tool_choice.allowed_tools", "said by leaving out the other tools")
	return keep
}
