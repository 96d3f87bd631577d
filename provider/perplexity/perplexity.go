// Package perplexity reaches Perplexity, which speaks the OpenAI dialect.
package perplexity

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Perplexity. Its address has no version.
var Kind = provider.Compat(provider.Spec{
	Name:    "perplexity",
	Title:   "Perplexity",
	BaseURL: "https://api.perplexity.ai",
	Env:     []string{"PERPLEXITY_API_KEY", "PPLX_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed},
	Traits:  plenum.Traits{MaxTokensField: "max_tokens"},
})
