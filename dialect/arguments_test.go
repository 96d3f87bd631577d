package dialect_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func TestArgumentsAreWholeWhenTheirValueIs(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, " ": false, "{": false, `{"a":"}`: false, `{"a":"\"}`: false, "12": false, "tr": false,
		"{}": true, ` {"a":[1,{"b":"]"}]} `: true, `"x"`: true, `[]`: true,
	} {
		var whole, bytewise dialect.ArgsScan
		whole.Feed(text)
		for i := range len(text) {
			bytewise.Feed(text[i : i+1])
		}
		if whole.Done() != want || bytewise != whole {
			t.Errorf("%q: %+v, %+v", text, whole, bytewise)
		}
	}
}

func TestArgumentsBecomeAnObject(t *testing.T) {
	for _, c := range []struct {
		use  llm.ToolUse
		want string
		lost int
	}{
		{llm.ToolUse{Args: " "}, "{}", 0},
		{llm.ToolUse{Args: `{"a":1}`}, `{"a":1}`, 0},
		{llm.ToolUse{Args: `[1]`}, "{}", 1},
		{llm.ToolUse{Args: `{"a":`}, "{}", 1},
		{llm.ToolUse{Kind: llm.ToolCustom, Args: `say "x"`}, `{"input":"say \"x\""}`, 1},
	} {
		var l dialect.Losses
		if got := dialect.FitArgs(&l, c.use, "p"); got.Args != c.want || len(l.List()) != c.lost {
			t.Errorf("%q: %q %v", c.use.Args, got.Args, l.List())
		}
	}
}
