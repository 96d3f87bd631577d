// Package groq reaches Groq, which speaks the OpenAI dialect.
package groq

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Groq.
var Kind = provider.Compat(provider.Spec{
	Name:    "groq",
	Title:   "Groq",
	BaseURL: "https://api.groq.com/openai/v1",
	Env:     []string{"GROQ_API_KEY"},
	Dialect: openai.Dialect,
	Paths: map[llm.Op]string{
		llm.OpGenerate: "/chat/completions", llm.OpEmbed: "/embeddings", llm.OpRerank: "/reranking",
		llm.OpSpeak: "/audio/speech", llm.OpTranscribe: "/audio/transcriptions", llm.OpTranslate: "/audio/translations",
	},
	Also: []provider.Face{{
		Beside:  true,
		BaseURL: "https://api.groq.com/openai/v1",
		Dialect: responses.Dialect,
	}},
	Traits: plenum.Traits{
		ReasoningField: "reasoning",
		NoState:        true,
		Refuses:        []string{"logprobs", "top_logprobs", "logit_bias"},
	},
})
