// Package together reaches Together AI, which speaks the OpenAI dialect.
package together

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Together AI.
var Kind = provider.Compat(provider.Spec{
	Name:    "together",
	Title:   "Together AI",
	BaseURL: "https://api.together.ai/v1",
	Env:     []string{"TOGETHER_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed, llm.OpRerank, llm.OpImage, llm.OpSpeak, llm.OpTranscribe, llm.OpTranslate},
	Traits:  plenum.Traits{MaxTokensField: "max_tokens", NoDeveloper: true, ReasoningField: "reasoning"},
})
