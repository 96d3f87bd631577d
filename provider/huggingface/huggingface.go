// Package huggingface reaches the models that Hugging Face routes to its partners, in the OpenAI dialect.
package huggingface

import (
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Hugging Face. What is refused is up to the partner that a call ends at.
var Kind = provider.Compat(provider.Spec{
	Name:    "huggingface",
	Title:   "Hugging Face",
	BaseURL: "https://router.huggingface.co/v1",
	Env:     []string{"HF_TOKEN"},
	Dialect: openai.Dialect,
})
