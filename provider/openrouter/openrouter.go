// Package openrouter reaches OpenRouter, which speaks the OpenAI dialect, and Anthropic's as well.
package openrouter

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is OpenRouter.
var Kind = provider.Compat(provider.Spec{
	Name:    "openrouter",
	Title:   "OpenRouter",
	BaseURL: "https://openrouter.ai/api/v1",
	Env:     []string{"OPENROUTER_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed, llm.OpRerank, llm.OpSpeak, llm.OpTranscribe},
	Traits:  plenum.Traits{ReasoningField: "reasoning", NoState: true},
	Also: []provider.Face{{
		Beside:  true,
		BaseURL: "https://openrouter.ai/api/v1",
		Dialect: responses.Dialect,
	}, {
		Dialect: anthropic.Dialect,
		BaseURL: "https://openrouter.ai/api",
	}},
})
