// Package azure reaches the models of an Azure OpenAI or Azure AI Foundry resource. A resource has
// several doors to the same models:
//
//	/openai/v1                                 the v1 API: any model, no date in the address
//	/openai/deployments/NAME?api-version=DATE  the classic API of Azure OpenAI
//	/models?api-version=DATE                   the Model Inference API of Foundry
//	/anthropic                                 Claude, in Anthropic's dialect
//
// The upstream model is the name of a deployment of the resource in each of them. Where the connection chose no
// dialect, deployments whose names begin with claude- are reached at Claude's door.
//
// A request carries the resource's key, or an access token of Microsoft Entra ID.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Azure.
var Kind = kind()

// modelInference is the version of the Model Inference API that is asked for where the connection does
// not say.
const modelInference = "2024-05-01-preview"

func kind() provider.Kind {
	k := provider.Compat(spec())
	for i := range k.Fields {
		switch f := &k.Fields[i]; f.Name {
		case "api_key":
			f.Unless = []string{"auth"}
			f.Help = "The key for Azure AI Foundry; not needed where auth says how else to authenticate."
		case "base_url":
			f.Env = []string{"AZURE_OPENAI_ENDPOINT"}
			f.Help = "The resource's address, such as https://NAME.openai.azure.com or https://NAME.services.ai.azure.com; " +
				"with /models at its end it is the Model Inference API."
		}
	}
	k.Fields = append(k.Fields, entraFields()...)
	k.New = func(in provider.Settings) (provider.Provider, error) {
		if err := provider.Check(k.Fields, in); err != nil {
			return nil, err
		}
		return open(in, nil)
	}
	return k
}

// schemaRefuses returns the words of JSON Schema that Azure documents as refused in structured output.
func schemaRefuses() []string {
	return []string{
		"minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf", "patternProperties",
		"unevaluatedProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedItems", "contains",
		"minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
	}
}

// spec describes the v1 API, and Claude's beside it.
func spec() provider.Spec {
	return provider.Spec{
		Name:      "azure",
		Title:     "Azure AI Foundry",
		Env:       []string{"AZURE_OPENAI_API_KEY", "AZURE_API_KEY"},
		Dialect:   openai.Dialect,
		Paths:     paths("/openai/v1", ""),
		KeyHeader: "Api-Key",
		Traits:    plenum.Traits{SchemaRefuses: schemaRefuses()},
		Options: []provider.Option{{Field: provider.Field{
			Name: "api_version", Title: "API version", Env: []string{"OPENAI_API_VERSION"},
			Help: "A date, such as 2024-10-21, for the classic API; left out it is the v1 API.",
		}}},
		Also: []provider.Face{{
			Beside:    true,
			Dialect:   responses.Dialect,
			Paths:     map[llm.Op]string{llm.OpGenerate: "/openai/v1/responses", llm.OpCompact: "/openai/v1/responses/compact"},
			KeyHeader: "Api-Key",
		}, {
			Dialect: anthropic.Dialect,
			Paths: map[llm.Op]string{
				llm.OpGenerate:    "/anthropic/v1/messages",
				llm.OpCountTokens: "/anthropic/v1/messages/count_tokens",
			},
			KeyHeader: "Api-Key",
		}},
	}
}

// open makes the provider of a connection whose settings have been checked. client is the way to Entra ID.
func open(in provider.Settings, client *http.Client) (provider.Provider, error) {
	tokens, err := entraTokens(in, client)
	if err != nil {
		return nil, err
	}
	inner := in
	inner.Options, inner.Credentials = map[string]string{}, map[string]plenum.Secret{}
	for _, name := range [...]string{"dialect", "api_version"} {
		if v := in.Options[name]; v != "" {
			inner.Options[name] = v
		}
	}
	if tokens == nil {
		inner.Credentials["api_key"] = in.Credentials["api_key"]
	}
	p := &place{}
	if p.door, err = openDoor(inner); err != nil {
		return nil, err
	}
	name := in.Options["dialect"]
	if name == "" {
		inner.Options["dialect"] = anthropic.Name
		if p.claude, err = openDoor(inner); err != nil {
			return nil, err
		}
	}
	if tokens != nil {
		p.token = tokens(scopeOf(name)).Get
		p.foundry = tokens(foundryScope).Get
	}
	return p, nil
}

// place is a connection to a resource.
type place struct {
	door   provider.Provider
	claude provider.Provider // nil where the connection chose a dialect
	// The access tokens, at the doors and at Claude's; nil where a key is sent.
	token, foundry func(context.Context) (string, error)
}

var (
	_ provider.Provider = (*place)(nil)
	_ provider.Polyglot = (*place)(nil)
	_ provider.Warner   = (*place)(nil)
)

// Plan implements provider.Provider. Deployments that are called like Claude are found at its door alone.
func (p *place) Plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.PlanIn("", model, op, stream)
}

// PlanIn implements provider.Polyglot.
func (p *place) PlanIn(dialect, model string, op llm.Op, stream bool) (*provider.Plan, error) {
	if p.claude != nil && strings.HasPrefix(model, "claude-") {
		return p.claude.Plan(model, op, stream)
	}
	return provider.PlanFor(p.door, dialect, model, op, stream)
}

// Sign implements provider.Provider.
func (p *place) Sign(ctx context.Context, r *http.Request, body []byte) error {
	if err := p.door.Sign(ctx, r, body); err != nil {
		return err
	}
	if key := r.Header.Get("Api-Key"); key != "" && strings.Contains(r.URL.Path, "/anthropic/") {
		r.Header.Set("X-Api-Key", key) // Claude's door wants this one; the other is from before
	}
	if p.token == nil {
		return nil
	}
	get := p.token
	if strings.Contains(r.URL.Path, "/anthropic/") {
		get = p.foundry
	}
	t, err := get(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+t)
	return nil
}

// Warnings implements provider.Warner.
func (p *place) Warnings() []string {
	if w, ok := p.door.(provider.Warner); ok {
		return w.Warnings()
	}
	return nil
}

// openDoor makes the provider of the door that settings name.
func openDoor(in provider.Settings) (provider.Provider, error) {
	base, err := provider.ParseBaseURL(in.BaseURL)
	if err != nil {
		return nil, err
	}
	path, inference := resource(base)
	if strings.Contains(path, "/deployments/") {
		return nil, errors.New("base_url must be the resource's address, without /openai/deployments: the deployment is the target's upstream_model")
	}
	s := spec()
	s.KeyOptional = true // whether there must be one was checked
	version := in.Options["api_version"]
	switch {
	case in.Options["dialect"] == anthropic.Name:
	case in.Options["dialect"] == responses.Name && version != "" && version != "v1":
		s.Also[0].Paths = map[llm.Op]string{llm.OpGenerate: "/openai/responses?api-version=" + url.QueryEscape(version)}
	case in.Options["dialect"] == responses.Name:
	case inference:
		s.Also[0].Beside = false
		if version == "" {
			version = modelInference
		}
		path += "/models"
		query := "?api-version=" + url.QueryEscape(version)
		s.Paths = map[llm.Op]string{llm.OpGenerate: "/chat/completions" + query, llm.OpEmbed: "/embeddings" + query, llm.OpImage: "/images/generations" + query}
	case version == "" || version == "v1":
	case version == "preview" || version == "latest":
		s.Also[0].Paths = map[llm.Op]string{llm.OpGenerate: "/openai/v1/responses?api-version=" + version}
		s.Paths = paths("/openai/v1", "?api-version="+version)
	case dated(version):
		s.Also[0].Beside = false
		s.Paths = paths("/openai/deployments/{model}", "?api-version="+version)
	default:
		return nil, fmt.Errorf("api_version: %q is not a date such as 2024-10-21 or 2025-03-01-preview, nor v1, preview or latest", version)
	}
	in.BaseURL = base.Scheme + "://" + base.Host + path
	if base.RawQuery != "" {
		in.BaseURL += "?" + base.RawQuery
	}
	return provider.Compat(s).New(in)
}

// resource returns the path of the resource itself, escaped, whichever of its doors an address names,
// and whether that is the Model Inference API's.
func resource(base *url.URL) (path string, inference bool) {
	path = strings.TrimRight(base.EscapedPath(), "/")
	if at, ok := strings.CutSuffix(strings.TrimSuffix(path, "/chat/completions"), "/models"); ok {
		return at, true
	}
	for _, door := range [...]string{"/openai/v1/chat/completions", "/openai/v1/responses", "/openai/v1", "/openai", "/anthropic/v1/messages", "/anthropic/v1", "/anthropic"} {
		if at, ok := strings.CutSuffix(path, door); ok {
			return at, false
		}
	}
	return path, false
}

// dated reports whether a version is a date, perhaps of a preview.
func dated(version string) bool {
	_, err := time.Parse(time.DateOnly, strings.TrimSuffix(version, "-preview"))
	return err == nil
}

// paths returns the paths of the operations of Azure OpenAI below a door, with a query.
func paths(door, query string) map[llm.Op]string {
	return map[llm.Op]string{
		llm.OpGenerate:   door + "/chat/completions" + query,
		llm.OpEmbed:      door + "/embeddings" + query,
		llm.OpImage:      door + "/images/generations" + query,
		llm.OpImageEdit:  door + "/images/edits" + query,
		llm.OpSpeak:      door + "/audio/speech" + query,
		llm.OpTranscribe: door + "/audio/transcriptions" + query,
		llm.OpTranslate:  door + "/audio/translations" + query,
	}
}
