// Package nvidia reaches NVIDIA's hosted models, which speak the OpenAI dialect.
package nvidia

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is NVIDIA.
var Kind = provider.Compat(provider.Spec{
	Name:    "nvidia",
	Title:   "NVIDIA",
	BaseURL: "https://integrate.api.nvidia.com/v1",
	Env:     []string{"NVIDIA_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed},
	Traits:  plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true},
})
