package dialect_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func TestToolNamesLeaveAGoodNameAlone(t *testing.T) {
	n := dialect.NewToolNames(&llm.Request{Tools: []llm.Tool{{Name: "get_weather-2"}}})
	if got := n.Fit("get_weather-2", 64); got != "get_weather-2" {
		t.Errorf("Fit changed a good name to %q", got)
	}
	if got := n.Back("get_weather-2"); got != "get_weather-2" {
		t.Errorf("Back changed a good name to %q", got)
	}
	long := strings.Repeat("a", 100)
	if got := n.Fit(long, 128); got != long {
		t.Errorf("Fit(128) changed a name of 100 letters to %q", got)
	}
}

func TestCase_F7_ToolNamesComeBack(t *testing.T) {
	good := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	names := []string{
		"files.read", "files/read", "wetter_für_köln", "名前", " ",
		strings.Repeat("long", 40) + "1", strings.Repeat("long", 40) + "2",
	}
	var r llm.Request
	for _, name := range names {
		r.Tools = append(r.Tools, llm.Tool{Name: name})
	}
	n := dialect.NewToolNames(&r)
	seen := map[string]string{}
	for _, name := range names {
		sent := n.Fit(name, 64)
		if !good.MatchString(sent) {
			t.Errorf("Fit(%q) = %q, which vendors refuse", name, sent)
		}
		if was, dup := seen[sent]; dup {
			t.Errorf("%q and %q are both sent as %q", was, name, sent)
		}
		seen[sent] = name
		if back := n.Back(sent); back != name {
			t.Errorf("Back(%q) = %q, want %q", sent, back, name)
		}
	}
}

func TestCase_F7_ToolOfTheHistoryAloneComesBack(t *testing.T) {
	n := dialect.NewToolNames(&llm.Request{Messages: []llm.Message{
		{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Name: "a.b"}}},
	}})
	if got := n.Back(n.Fit("a.b", 64)); got != "a.b" {
		t.Errorf("got %q", got)
	}
}

func TestToolNamesOfNothing(t *testing.T) {
	n := dialect.NewToolNames(nil)
	if n.Fit("", 64) != "" || n.Back("x") != "x" {
		t.Error("the zero ToolNames changes names")
	}
}
