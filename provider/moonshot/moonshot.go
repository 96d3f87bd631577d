// Package moonshot reaches Moonshot AI, which speaks the OpenAI dialect, and Anthropic's at another address.
package moonshot

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Moonshot AI.
var Kind = provider.Compat(provider.Spec{
	Name:    "moonshot",
	Title:   "Moonshot AI",
	BaseURL: "https://api.moonshot.ai/v1",
	Env:     []string{"MOONSHOT_API_KEY"},
	Dialect: openai.Dialect,
	Traits:  plenum.Traits{NoDeveloper: true, Unsigned: true},
	Also: []provider.Face{{
		Dialect: anthropic.Dialect,
		BaseURL: "https://api.moonshot.ai/anthropic",
	}},
})
