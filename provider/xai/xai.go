// Package xai reaches xAI, which speaks the OpenAI dialect over REST and its own by gRPC.
package xai

import (
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is xAI. What its models refuse differs from one to the next and stands in the catalog.
var Kind = provider.Compat(provider.Spec{
	Name:    "xai",
	Title:   "xAI",
	BaseURL: "https://api.x.ai/v1",
	Env:     []string{"XAI_API_KEY"},
	Dialect: openai.Dialect,
	Serves:  []llm.Op{llm.OpEmbed, llm.OpImage, llm.OpImageEdit},
	Also: []provider.Face{{
		Beside:  true,
		BaseURL: "https://api.x.ai/v1",
		Dialect: responses.Dialect,
	}, {
		BaseURL:     "https://api.x.ai",
		Dialect:     xaigrpc.Host,
		Paths:       map[llm.Op]string{llm.OpGenerate: xaigrpc.PathWhole, llm.OpEmbed: xaigrpc.PathEmbed, llm.OpImage: xaigrpc.PathImage, llm.OpImageEdit: xaigrpc.PathImage},
		StreamPaths: map[llm.Op]string{llm.OpGenerate: xaigrpc.PathStream},
	}},
})
