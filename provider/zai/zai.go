// Package zai reaches Z.ai, which speaks the OpenAI dialect, and Anthropic's at another address.
package zai

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Z.ai.
var Kind = provider.Compat(provider.Spec{
	Name:    "zai",
	Title:   "Z.ai",
	BaseURL: "https://api.z.ai/api/paas/v4",
	Env:     []string{"ZAI_API_KEY"},
	Dialect: openai.Dialect,
	Traits:  plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true, Unsigned: true},
	Also: []provider.Face{{
		Dialect: anthropic.Dialect,
		BaseURL: "https://api.z.ai/api/anthropic",
	}},
})
