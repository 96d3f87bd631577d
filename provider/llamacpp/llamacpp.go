// Package llamacpp reaches a llama.cpp server, which speaks the OpenAI dialect, and Anthropic's as well.
package llamacpp

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is llama.cpp. A key is needed only where the server was started with one.
var Kind = provider.Compat(provider.Spec{
	Name:        "llamacpp",
	Title:       "llama.cpp",
	BaseURL:     "http://127.0.0.1:8080/v1",
	Local:       true,
	Env:         []string{"LLAMA_API_KEY"},
	KeyOptional: true,
	Dialect:     openai.Dialect,
	Serves:      []llm.Op{llm.OpEmbed, llm.OpRerank},
	// Servers of before 2026 pass over max_completion_tokens in silence, and all know max_tokens.
	Traits: plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true},
	Also: []provider.Face{{
		Dialect:      anthropic.Dialect,
		BaseURL:      "http://127.0.0.1:8080",
		CountsTokens: true,
	}},
})
