// Package ollama reaches an Ollama server, which speaks the OpenAI dialect, and Anthropic's as well.
package ollama

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Ollama. On the owner's machine it needs no key; its cloud, at https://ollama.com/v1, does.
var Kind = provider.Compat(provider.Spec{
	Name:        "ollama",
	Title:       "Ollama",
	BaseURL:     "http://127.0.0.1:11434/v1",
	Local:       true,
	Env:         []string{"OLLAMA_API_KEY"},
	KeyOptional: true,
	Dialect:     openai.Dialect,
	Traits:      plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true, ReasoningField: "reasoning"},
	Also: []provider.Face{{
		Dialect: anthropic.Dialect,
		BaseURL: "http://127.0.0.1:11434",
	}},
})
