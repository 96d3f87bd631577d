// Package mistral reaches Mistral AI, which speaks the OpenAI dialect.
package mistral

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Mistral AI. Its API answers every field that it does not know with an error, so that what
// OpenAI's has beyond it is listed here.
var Kind = provider.Compat(provider.Spec{
	Name:    "mistral",
	Title:   "Mistral AI",
	BaseURL: "https://api.mistral.ai/v1",
	Env:     []string{"MISTRAL_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed, llm.OpModerate, llm.OpSpeak, llm.OpTranscribe},
	Also: []provider.Face{{
		Dialect: openai.FIM,
		BaseURL: "https://api.mistral.ai/v1",
		Paths:   map[llm.Op]string{llm.OpGenerate: "/fim/completions"},
		Beside:  true,
	}},
	Traits: plenum.Traits{
		MaxTokensField: "max_tokens",
		NoDeveloper:    true,
		NoStreamUsage:  true, // it ends every stream with usage unasked
		Refuses: []string{
			"stream_options", "seed", "user", "store", "logprobs", "top_logprobs", "logit_bias", "service_tier",
			"modalities", "audio", "verbosity", "safety_identifier", "web_search_options", "functions", "function_call",
		},
	},
})
