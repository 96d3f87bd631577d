// Package xai reaches xAI, which speaks the OpenAI dialect.
package xai

import (
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is xAI. What its models refuse differs from one to the next and stands in the catalog.
var Kind = provider.Compat(provider.Spec{
	Name:    "xai",
	Title:   "xAI",
	BaseURL: "https://api.x.ai/v1",
	Env:     []string{"XAI_API_KEY"},
	Dialect: openai.Dialect,
})
