// Package compatible reaches any place that speaks a dialect that Plenum knows, at the address that the
// connection says. It is for places without a kind of their own.
package compatible

import (
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// OpenAI is any place that speaks the OpenAI dialect, or legacy completions.
var OpenAI = provider.Compat(provider.Spec{
	Name:    "openai-compatible",
	Title:   "OpenAI-compatible",
	Dialect: openai.Dialect,
	Serves: []llm.Op{
		llm.OpEmbed, llm.OpRerank, llm.OpModerate, llm.OpImage, llm.OpImageEdit,
		llm.OpImageVary, llm.OpSpeak, llm.OpTranscribe, llm.OpTranslate,
	},
	KeyOptional: true,
	KeyAnywhere: true,
	Also: []provider.Face{
		{Dialect: openai.Completions, Paths: map[llm.Op]string{llm.OpGenerate: "/completions"}},
		{Dialect: responses.Dialect, CountsTokens: true},
	},
})

// Anthropic is any place that speaks the Anthropic dialect, token counts included.
var Anthropic = provider.Compat(provider.Spec{
	Name:         "anthropic-compatible",
	Title:        "Anthropic-compatible",
	Dialect:      anthropic.Dialect,
	CountsTokens: true,
	KeyOptional:  true,
	KeyAnywhere:  true,
	KeyHeader:    "X-Api-Key",
})
