// Package deepseek reaches DeepSeek, which speaks the OpenAI dialect, and Anthropic's at another address.
package deepseek

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is DeepSeek.
var Kind = provider.Compat(provider.Spec{
	Name:    "deepseek",
	Title:   "DeepSeek",
	BaseURL: "https://api.deepseek.com",
	Env:     []string{"DEEPSEEK_API_KEY"},
	Dialect: openai.Dialect,
	Traits:  plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true, NoState: true, Unsigned: true},
	Also: []provider.Face{{
		Beside:  true,
		BaseURL: "https://api.deepseek.com",
		Dialect: responses.Dialect,
	}, {
		Dialect:   anthropic.Dialect,
		BaseURL:   "https://api.deepseek.com/anthropic",
		KeyHeader: "X-Api-Key",
	}},
})
