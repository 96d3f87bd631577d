// Package anthropic reaches Anthropic, which speaks the dialect of that name.
package anthropic

import (
	"net/http"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Anthropic.
var Kind = provider.Compat(provider.Spec{
	Name:         "anthropic",
	Title:        "Anthropic",
	BaseURL:      "https://api.anthropic.com",
	Env:          []string{"ANTHROPIC_API_KEY"},
	Dialect:      anthropic.Dialect,
	CountsTokens: true,
	Vendor:       true,
	KeyHeader:    "X-Api-Key",
	Header:       http.Header{"Anthropic-Version": {"2023-06-01"}},
	Traits:       plenum.Traits{SchemaRefuses: anthropic.SchemaRefuses()},
})
