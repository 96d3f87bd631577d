// Package openai reaches OpenAI, which speaks the dialect of that name, and legacy completions.
package openai

import (
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is OpenAI. What its models refuse differs from one to the next and stands in the catalog.
var Kind = provider.Compat(provider.Spec{
	Name:    "openai",
	Title:   "OpenAI",
	BaseURL: "https://api.openai.com/v1",
	Env:     []string{"OPENAI_API_KEY"},
	Dialect: openai.Dialect,
	Serves: []llm.Op{
		llm.OpEmbed, llm.OpModerate, llm.OpImage, llm.OpImageEdit, llm.OpImageVary,
		llm.OpSpeak, llm.OpTranscribe, llm.OpTranslate,
	},
	Vendor: true,
	Also: []provider.Face{{
		Beside:       true,
		BaseURL:      "https://api.openai.com/v1",
		Dialect:      responses.Dialect,
		CountsTokens: true,
		Serves:       []llm.Op{llm.OpCompact},
	}, {
		Dialect: openai.Completions,
		BaseURL: "https://api.openai.com/v1",
		Paths:   map[llm.Op]string{llm.OpGenerate: "/completions"},
	}},
	Options: []provider.Option{
		{Header: "OpenAI-Organization", Field: provider.Field{
			Name: "organization", Title: "Organization", Env: []string{"OPENAI_ORG_ID"},
			Help: "The organization that pays, for a key that belongs to several.",
		}},
		{Header: "OpenAI-Project", Field: provider.Field{
			Name: "project", Title: "Project", Env: []string{"OPENAI_PROJECT_ID"},
			Help: "The project that calls are counted to, for a key that belongs to several.",
		}},
	},
})
