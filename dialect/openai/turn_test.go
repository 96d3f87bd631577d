package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

func spoken(s string) llm.Block { return llm.Text{Text: s} }

func callOf(id string) llm.Block {
	return llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: "f", Args: "{}"}
}

func resultOf(id string) llm.Block {
	return llm.ToolDone{ID: id, Plain: true, Blocks: []llm.Block{spoken("of " + id)}}
}

// Agents of a dialect that joins neighbouring messages of a role split turns as they like. Hosts of this
// one want every result right behind the calls.
func TestTurnsThatWereSplitAreJoinedAroundTheCalls(t *testing.T) {
	say := func(role llm.Role, blocks ...llm.Block) llm.Message { return llm.Message{Role: role, Blocks: blocks} }
	for name, tt := range map[string]struct {
		messages []llm.Message
		roles    string
		lost     []string
	}{
		"text behind a call in a message of its own": {
			messages: []llm.Message{say(llm.User, spoken("a")), say(llm.Assistant, callOf("1")), say(llm.Assistant, spoken("b")), say(llm.User, resultOf("1"))},
			roles:    "user assistant tool",
			lost:     []string{"messages[1].content"},
		},
		"two messages that call": {
			messages: []llm.Message{say(llm.Assistant, callOf("1")), say(llm.Assistant, callOf("2")), say(llm.User, resultOf("1")), say(llm.User, resultOf("2"))},
			roles:    "assistant tool tool",
		},
		"what the user says before a result": {
			messages: []llm.Message{say(llm.Assistant, callOf("1")), say(llm.User, spoken("a")), say(llm.User, resultOf("1"))},
			roles:    "assistant tool user",
			lost:     []string{"messages[2].content[0]"},
		},
		"messages without tools stay apart": {
			messages: []llm.Message{say(llm.User, spoken("a")), say(llm.User, spoken("b")), say(llm.Assistant, spoken("c")), say(llm.Assistant, spoken("d"))},
			roles:    "user user assistant assistant",
		},
	} {
		got, body, lost := foreign(t, &llm.Request{Messages: tt.messages}, plenum.Traits{})
		var roles []string
		for _, m := range got.Messages {
			roles = append(roles, string(m.Role))
		}
		if s := strings.Join(roles, " "); s != tt.roles {
			t.Errorf("%s: %s, want %s\n%s", name, s, tt.roles, body)
		}
		if d := cmp.Diff(tt.lost, lost); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestTheEndUserIsNamedShortly(t *testing.T) {
	for _, tt := range []struct{ user, want string }{
		{"someone@example.com", `"user":"someone@example.com"`},
		{`{"device":"` + strings.Repeat("0", 64) + `"}`, `"user":"__device___`},
	} {
		_, body, _ := foreign(t, &llm.Request{User: tt.user}, plenum.Traits{})
		if !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s", tt.user, body)
		}
	}
}
