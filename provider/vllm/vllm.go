// Package vllm reaches a vLLM server, which speaks the OpenAI dialect, Anthropic's, and legacy completions.
package vllm

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is vLLM. A key is needed only where the server was started with one.
var Kind = provider.Compat(provider.Spec{
	Name:        "vllm",
	Title:       "vLLM",
	BaseURL:     "http://127.0.0.1:8000/v1",
	Local:       true,
	Env:         []string{"VLLM_API_KEY"},
	KeyOptional: true,
	Dialect:     openai.Dialect,
	Serves:      []llm.Op{llm.OpEmbed, llm.OpRerank, llm.OpTranscribe, llm.OpTranslate},
	Traits:      plenum.Traits{NoDeveloper: true, NoState: true, ReasoningField: "reasoning"},
	Also: []provider.Face{
		{
			Dialect: responses.Dialect,
			BaseURL: "http://127.0.0.1:8000/v1",
		},
		{
			Dialect:      anthropic.Dialect,
			BaseURL:      "http://127.0.0.1:8000",
			CountsTokens: true,
		},
		{
			Dialect: openai.Completions,
			BaseURL: "http://127.0.0.1:8000/v1",
			Paths:   map[llm.Op]string{llm.OpGenerate: "/completions"},
		},
	},
})
