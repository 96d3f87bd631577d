// Package fireworks reaches Fireworks AI, which speaks the OpenAI dialect, and Anthropic's as well.
package fireworks

import (
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Fireworks AI.
var Kind = provider.Compat(provider.Spec{
	Name:    "fireworks",
	Title:   "Fireworks AI",
	BaseURL: "https://api.fireworks.ai/inference/v1",
	Env:     []string{"FIREWORKS_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed, llm.OpRerank},
	Also: []provider.Face{{
		Dialect: anthropic.Dialect,
		BaseURL: "https://api.fireworks.ai/inference",
	}},
})
