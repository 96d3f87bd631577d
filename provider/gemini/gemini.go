// Package gemini reaches Google's Gemini API, which speaks the dialect of that name, and OpenAI's beside.
package gemini

import (
	"errors"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
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
			Serves:  []llm.Op{llm.OpEmbed, llm.OpImage},
		}},
	})
	open := k.New
	k.New = func(in provider.Settings) (provider.Provider, error) {
		p, err := open(in)
		if err != nil {
			return nil, err
		}
		if d := in.Options["dialect"]; d != "" && d != gemini.Name {
			return place{Provider: p}, nil
		}
		return withImages(p, in)
	}
	return k
}

// withImages adds the models of images, which are asked in two ways.
func withImages(p provider.Provider, in provider.Settings) (provider.Provider, error) {
	out := place{Provider: p}
	in.Options = nil
	var err error
	door := func(d func() *dialect.Dialect, path string) provider.Provider {
		one, fault := provider.Compat(provider.Spec{
			Name: "gemini", Title: "Google Gemini", BaseURL: "https://generativelanguage.googleapis.com", Vendor: true,
			Dialect: d, KeyHeader: "X-Goog-Api-Key", Paths: map[llm.Op]string{llm.OpImage: path, llm.OpImageEdit: path},
		}).New(in)
		err = errors.Join(err, fault)
		return one
	}
	out.predict = door(gemini.Predict, "/v1beta/models/{model}:predict")
	out.depict = door(gemini.Depict, "/v1beta/models/{model}:generateContent")
	return out, err
}

// place takes models also by their whole names, as the API lists them: models/gemini-2.5-flash.
type place struct {
	provider.Provider
	predict, depict provider.Provider // images, by Imagen and by Gemini; nil in another dialect
}

var (
	_ provider.Polyglot = place{}
	_ provider.Warner   = place{}
)

// Plan implements provider.Provider.
func (p place) Plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.named(p.door(model, op).Plan(short(model), op, stream))(model)
}

// PlanIn implements provider.Polyglot.
func (p place) PlanIn(dialect, model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.named(provider.PlanFor(p.door(model, op), dialect, short(model), op, stream))(model)
}

// door returns how a model is asked for an operation.
func (p place) door(model string, op llm.Op) provider.Provider {
	switch {
	case p.predict == nil || op != llm.OpImage && op != llm.OpImageEdit:
		return p.Provider
	case gemini.Draws(model):
		return p.predict
	}
	return p.depict
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
