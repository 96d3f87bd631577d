package app

import (
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const effortTargets = `
connections:
  - {name: oa, provider: openai-compatible, base_url: "%[1]s/v1"}
  - {name: an, provider: anthropic, base_url: "%[1]s", credentials: {api_key: k}}
  - {name: ge, provider: gemini, base_url: "%[1]s", credentials: {api_key: k}}
  - {name: br, provider: bedrock, base_url: "%[1]s", credentials: {api_key: k}}
deployments:
  - {name: openai, targets: [{connection: oa, upstream_model: up}]}
  - {name: claude-4-5, targets: [{connection: an, upstream_model: claude-sonnet-4-5}]}
  - {name: claude-4-8, targets: [{connection: an, upstream_model: claude-opus-4-8}]}
  - {name: bedrock-4-5, targets: [{connection: br, upstream_model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}]}
  - {name: bedrock-4-8, targets: [{connection: br, upstream_model: global.anthropic.claude-opus-4-8}]}
  - {name: gemini-2.5-flash, targets: [{connection: ge, upstream_model: gemini-2.5-flash}]}
  - {name: gemini-2.5-pro, targets: [{connection: ge, upstream_model: gemini-2.5-pro}]}
  - {name: gemini-3, targets: [{connection: ge, upstream_model: gemini-3-flash-preview}]}
  - {name: gemini-3-pro, targets: [{connection: ge, upstream_model: gemini-3.1-pro-preview}]}
`

// TestCase_C9_HowHardToThinkIsSaidInTheHostsWords holds the table of docs/offers.md.
func TestCase_C9_HowHardToThinkIsSaidInTheHostsWords(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer { return spoken("x", r) })
	w := newWorld(t, Mechanisms{}, effortTargets, up.URL)
	const (
		budget  = "thinking.budget_tokens"
		fields  = "additionalModelRequestFields."
		word    = "output_config.effort"
		tokens  = "generationConfig.thinkingConfig.thinkingBudget"
		level   = "generationConfig.thinkingConfig.thinkingLevel"
		thought = "thinking.type"
	)
	tests := []struct{ model, asked, at, want string }{
		{"openai", "none", "reasoning_effort", "none"},
		{"openai", "xhigh", "reasoning_effort", "xhigh"},
		{"claude-4-5", "none", thought, "disabled"},
		{"claude-4-5", "minimal", budget, "1024"},
		{"claude-4-5", "low", budget, "2048"},
		{"claude-4-5", "medium", budget, "8192"},
		{"claude-4-5", "high", budget, "24576"},
		{"claude-4-5", "xhigh", budget, "32000"},
		{"claude-4-8", "minimal", word, "low"},
		{"claude-4-8", "low", word, "low"},
		{"claude-4-8", "high", word, "high"},
		{"claude-4-8", "xhigh", word, "xhigh"},
		{"claude-4-8", "medium", thought, "adaptive"},
		{"claude-4-8", "high", budget, ""},
		{"bedrock-4-5", "low", fields + budget, "2048"},
		{"bedrock-4-5", "high", fields + budget, "24576"},
		{"bedrock-4-8", "high", fields + thought, "adaptive"},
		{"bedrock-4-8", "high", fields + budget, ""},
		{"gemini-2.5-flash", "none", tokens, "0"},
		{"gemini-2.5-flash", "minimal", tokens, "512"},
		{"gemini-2.5-flash", "low", tokens, "1024"},
		{"gemini-2.5-flash", "medium", tokens, "8192"},
		{"gemini-2.5-flash", "high", tokens, "24576"},
		{"gemini-2.5-flash", "xhigh", tokens, "24576"},
		{"gemini-2.5-pro", "none", tokens, "128"},
		{"gemini-3", "none", level, "MINIMAL"},
		{"gemini-3", "minimal", level, "MINIMAL"},
		{"gemini-3", "medium", level, "MEDIUM"},
		{"gemini-3", "xhigh", level, "HIGH"},
		{"gemini-3-pro", "minimal", level, "LOW"},
		{"gemini-3-pro", "none", level, "LOW"},
		{"gemini-3-pro", "high", level, "HIGH"},
	}
	for _, tt := range tests {
		w.post("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"reasoning_effort":%q,"max_tokens":60000,"messages":[{"role":"user","content":"x"}]}`, tt.model, tt.asked))
		if got := gjson.GetBytes(up.Last().Body, tt.at).String(); got != tt.want {
			t.Errorf("%s, effort %s: %s is %q, not %q: %s", tt.model, tt.asked, tt.at, got, tt.want, up.Last().Body)
		}
	}
	for _, tt := range []struct {
		model        string
		asked        int
		at, want     string
		alsoNotAsked string
	}{
		{"openai", 2000, "reasoning_effort", "low", "thinking"},
		{"openai", 4096, "reasoning_effort", "medium", "thinking"},
		{"openai", 20000, "reasoning_effort", "high", "thinking"},
		{"gemini-2.5-flash", 3000, tokens, "3000", level},
		{"gemini-2.5-flash", 50000, tokens, "24576", level},
		{"gemini-2.5-pro", 50000, tokens, "32768", level},
	} {
		w.post("/v1/messages", fmt.Sprintf(`{"model":%q,"thinking":{"type":"enabled","budget_tokens":%d},"max_tokens":60000,"messages":[{"role":"user","content":"x"}]}`, tt.model, tt.asked), "anthropic-version", "2023-06-01")
		last := up.Last().Body
		if got := gjson.GetBytes(last, tt.at).String(); got != tt.want || gjson.GetBytes(last, tt.alsoNotAsked).Exists() {
			t.Errorf("%s, %d tokens: %s is %q, not %q: %s", tt.model, tt.asked, tt.at, got, tt.want, last)
		}
	}
}
