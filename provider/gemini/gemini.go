// Package gemini reaches Google's Gemini API, which speaks the dialect of that name, and OpenAI's beside.
package gemini

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is the Gemini API.
var Kind = kind()

func kind() provider.Kind {
	k := provider.Compat(provider.Spec{
		Name:    "gemini",
		Title:   "Google Gemini",
		BaseURL: "https://generativelanguage.googleapis.com",
		Env:     []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"},
		Dialect: gemini.Dialect,
		Paths: map[llm.Op]string{
			llm.OpGenerate:    "/v1beta/models/{model}:generateContent",
			llm.OpCountTokens: "/v1beta/models/{model}:countTokens",
			llm.OpEmbed:       "/v1beta/models/{model}:batchEmbedContents",
		},
		StreamPaths: map[llm.Op]string{llm.OpGenerate: "/v1beta/models/{model}:streamGenerateContent?alt=sse"},
		Vendor:      true,
		KeyHeader:   "X-Goog-Api-Key",
		Also: []provider.Face{{
			BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai",
			Dialect: openai.Dialect,
			Serves:  []llm.Op{llm.OpEmbed},
		}},
	})
	open := k.New
	k.New = func(in provider.Settings) (provider.Provider, error) {
		p, err := open(in)
		if err != nil {
			return nil, err
		}
		return place{p}, nil
	}
	return k
}

// place takes models also by their whole names, as the API lists them: models/gemini-2.5-flash.
type place struct{ provider.Provider }

var (
	_ provider.Polyglot = place{}
	_ provider.Warner   = place{}
)

// Plan implements provider.Provider.
func (p place) Plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.named(p.Provider.Plan(short(model), op, stream))(model)
}

// PlanIn implements provider.Polyglot.
func (p place) PlanIn(dialect, model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.named(provider.PlanFor(p.Provider, dialect, short(model), op, stream))(model)
}

// Warnings implements provider.Warner.
func (p place) Warnings() []string {
	if w, ok := p.Provider.(provider.Warner); ok {
		return w.Warnings()
	}
	return nil
}

const (
	models = "models/"
	tuned  = "tunedModels/"
)

// short returns the last part of a model's whole name.
func short(model string) string {
	return strings.TrimPrefix(strings.TrimPrefix(model, models), tuned)
}

// named puts a tuned model at its own address.
func (place) named(plan *provider.Plan, err error) func(model string) (*provider.Plan, error) {
	return func(model string) (*provider.Plan, error) {
		if err != nil || !strings.HasPrefix(model, tuned) {
			return plan, err
		}
		out := *plan
		out.URL = strings.Replace(plan.URL, "/"+models, "/"+tuned, 1)
		return &out, nil
	}
}
