// Package cerebras reaches Cerebras, which speaks the OpenAI dialect.
package cerebras

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Cerebras.
var Kind = provider.Compat(provider.Spec{
	Name:    "cerebras",
	Title:   "Cerebras",
	BaseURL: "https://api.cerebras.ai/v1",
	Env:     []string{"CEREBRAS_API_KEY"},
	Dialect: openai.Dialect,
	Traits: plenum.Traits{
		NoDeveloper:    true,
		ReasoningField: "reasoning",
		Refuses:        []string{"frequency_penalty", "presence_penalty", "logit_bias"},
	},
})
