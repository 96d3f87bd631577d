// Package cohere reaches Cohere, which speaks a dialect of its own, and OpenAI's with less of what it can.
package cohere

import (
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Cohere.
var Kind = provider.Compat(provider.Spec{
	Name:    "cohere",
	Title:   "Cohere",
	BaseURL: "https://api.cohere.com",
	Env:     []string{"CO_API_KEY", "COHERE_API_KEY"},
	Dialect: cohere.Dialect,
	Paths:   map[llm.Op]string{llm.OpGenerate: "/v2/chat", llm.OpEmbed: "/v2/embed", llm.OpRerank: "/v2/rerank"},
	Vendor:  true,
	Also: []provider.Face{{
		Dialect: openai.Dialect,
		BaseURL: "https://api.cohere.ai/compatibility/v1",
		Serves:  []llm.Op{llm.OpEmbed},
	}, {
		Dialect: cohere.First,
		BaseURL: "https://api.cohere.com",
		Paths:   map[llm.Op]string{llm.OpGenerate: "/v1/chat"},
		Beside:  true,
	}},
})
