// Package ollama reaches an Ollama server, which speaks the OpenAI dialect, Anthropic's, and its own, that
// knows more of its options than the others.
package ollama

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// native is the address of a server as its own clients want it.
const native = "http://127.0.0.1:11434"

// Kind is Ollama. On the owner's machine it needs no key; its cloud, at https://ollama.com/v1, does.
var Kind = provider.Compat(provider.Spec{
	Name:        "ollama",
	Title:       "Ollama",
	BaseURL:     "http://127.0.0.1:11434/v1",
	Local:       true,
	Env:         []string{"OLLAMA_API_KEY"},
	KeyOptional: true,
	Dialect:     openai.Dialect,
	Serves:      []llm.Op{llm.OpEmbed},
	Traits:      plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true, ReasoningField: "reasoning"},
	Also: []provider.Face{
		{Dialect: anthropic.Dialect, BaseURL: native},
		{Dialect: ollama.Dialect, BaseURL: native, Paths: map[llm.Op]string{llm.OpGenerate: "/api/chat", llm.OpEmbed: "/api/embed"}},
		{Dialect: ollama.Generate, BaseURL: native, Paths: map[llm.Op]string{llm.OpGenerate: "/api/generate"}},
	},
})
