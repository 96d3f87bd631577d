package platform_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/llm"
)

func TestAChoiceIsAmongTheToolsThatCanBeSaid(t *testing.T) {
	tools := []llm.Tool{{Name: "f"}, {Name: dialect.ToolNames{}.Fit("odd name", platform.MostName)}}
	for name, c := range map[string]struct {
		choice llm.ToolChoice
		tools  []llm.Tool
		want   llm.ToolChoice
		lost   string
	}{
		"one":               {llm.ToolChoice{Mode: llm.ChooseTool, Name: "odd name"}, tools, llm.ToolChoice{Mode: llm.ChooseTool, Name: tools[1].Name}, ""},
		"some":              {llm.ToolChoice{Mode: llm.ChooseAuto, Allowed: []string{"f"}}, tools, llm.ToolChoice{Mode: llm.ChooseAuto, Allowed: []string{"f"}}, ""},
		"one that was lost": {llm.ToolChoice{Mode: llm.ChooseTool, Name: "web_search"}, tools, llm.ToolChoice{}, "tool_choice (the tool chosen cannot be said)"},
		"none are left":     {llm.ToolChoice{Mode: llm.ChooseAny}, nil, llm.ToolChoice{}, "tool_choice (there are no tools)"},
		"another's":         {llm.ToolChoice{Opaque: llm.Opaque{Type: "mcp", Raw: "{}"}}, tools, llm.ToolChoice{}, "tool_choice (mcp belongs to another dialect)"},
	} {
		var l dialect.Losses
		got := platform.FitChoice(&l, c.choice, c.tools)
		lost := ""
		for _, x := range l.List() {
			lost += x.String()
		}
		if d := cmp.Diff(c.want, got); d != "" || lost != c.lost {
			t.Errorf("%s: %s %q", name, d, lost)
		}
	}
}

func TestHowHardToThinkIsAWord(t *testing.T) {
	for want, think := range map[string]llm.Thinking{
		"":       {Mode: llm.ThinkOff, Effort: "high"},
		"xhigh":  {Effort: "max"},
		"medium": {Mode: llm.ThinkOn},
		"low":    {Mode: llm.ThinkOn, Budget: llm.Some(1024)},
		"high":   {Budget: llm.Some(30000)},
	} {
		if got := platform.FitEffort(&dialect.Losses{}, &think, "x"); got != want {
			t.Errorf("%+v: %q, want %q", think, got, want)
		}
	}
}

func TestALongNameOfAnEndUserIsNarrowed(t *testing.T) {
	if got := platform.FitUser("a b"); got != "a b" {
		t.Errorf("got %q", got)
	}
	if got := platform.FitUser(strings.Repeat("é", 64)); len(got) > platform.MostName {
		t.Errorf("got %q", got)
	}
}
