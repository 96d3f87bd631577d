// Package vertex reaches the models of Google's Vertex AI. Each publisher's are spoken to in a language and
// at an address of its own, all below /v1/projects/PROJECT/locations/LOCATION:
//
//	publishers/google/models/MODEL:generateContent Gemini, in its own dialect
//	publishers/google/models/MODEL:predict         Google's models of vectors and of images
//	publishers/anthropic/models/MODEL:rawPredict   Claude, in Anthropic's dialect
//	publishers/mistralai/models/MODEL:rawPredict   Mistral, in OpenAI's; ai21 likewise
//	endpoints/openapi/chat/completions             everyone else's (Grok, Llama, DeepSeek, Qwen, gpt-oss),
//	                                               in OpenAI's; the model is PUBLISHER/MODEL
//
// Which it is the upstream model's id tells. Requests carry an access token, which is fetched with the
// credentials that every Google tool finds (Application Default Credentials): a key of a service account, a
// federation with the identities of another cloud, or those of the machine.
package vertex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/token"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Kind is Vertex AI.
var Kind = kind()

const defaultLocation = "global"

func kind() provider.Kind {
	k := provider.Kind{
		Name: "vertex", Title: "Google Vertex AI", Fields: fields(), Dialects: []string{openai.Name, anthropic.Name, gemini.Name},
	}
	k.New = func(in provider.Settings) (provider.Provider, error) { return open(k.Fields, in) }
	return k
}

func fields() []provider.Field {
	return []provider.Field{
		{
			Name: "project", Title: "Project", Required: true, Unless: []string{"credentials_json", "credentials_file"},
			Env:  []string{"GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"},
			Help: "The id of the Google Cloud project; left out it is that of the service account's key.",
		},
		{
			Name: "location", Title: "Location", Env: []string{"GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION"}, Default: defaultLocation,
			Help: "A region such as us-east5, or us, eu or global.",
		},
		{
			Name: "dialect", Title: "Dialect",
			Help: "The dialect to call every model in: openai, at the compatible endpoint, anthropic or gemini. Left out it is that of the model's publisher.",
		},
		{
			Name: "base_url", Title: "Base URL",
			Help: "The address of an endpoint of your own (Private Service Connect, a proxy); left out it is the location's.",
		},
		{
			Name: "credentials_json", Title: "Credentials", Secret: true, Env: []string{"GOOGLE_CREDENTIALS"},
			Help: "The JSON of a service account's key or of a workload identity federation; left out, credentials are found as every Google tool finds them.",
		},
		{
			Name: "credentials_file", Title: "Credentials file",
			Help: "The path of a file that holds them. Where neither is given, GOOGLE_APPLICATION_CREDENTIALS can name one.",
		},
		{Name: "access_token", Title: "Access token", Secret: true, Help: "A token as it is to be sent, which nobody renews."},
	}
}

// open makes the provider of a connection.
func open(fields []provider.Field, in provider.Settings) (provider.Provider, error) {
	keys, err := credentials(&in)
	if err != nil {
		return nil, err
	}
	if err := provider.Check(fields, in); err != nil {
		return nil, err
	}
	project, location := in.Options["project"], firstOf(in.Options["location"], defaultLocation)
	if project == "" {
		return nil, errors.New("project is missing, and the credentials do not name it; " +
			`it can be taken from the environment: "${env:GOOGLE_CLOUD_PROJECT}" or "${env:ANTHROPIC_VERTEX_PROJECT_ID}"`)
	}
	for name, v := range map[string]string{"project": project, "location": location} {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]*$`).MatchString(v) {
			return nil, fmt.Errorf("%s: %q is not the name of one", name, v)
		}
	}
	p := &place{}
	at := address{host(location), "/v1/projects/" + project + "/locations/" + location}
	switch name := in.Options["dialect"]; name {
	case "", openai.Name, anthropic.Name, gemini.Name:
		p.only = name
	default:
		return nil, fmt.Errorf("dialect: Vertex AI does not speak %q", name)
	}
	if err := p.open(in, at); err != nil {
		return nil, err
	}
	if in.Credentials["access_token"].Empty() {
		source := token.New(keys, nil)
		p.token = source.Get
	}
	return p, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// host returns the address of a location.
func host(location string) string {
	switch location {
	case "global":
		return "https://aiplatform.googleapis.com"
	case "us", "eu":
		return "https://aiplatform." + location + ".rep.googleapis.com"
	}
	return "https://" + location + "-aiplatform.googleapis.com"
}

// address is where the models of a project are.
type address struct{ host, path string }

// place is a connection to Vertex AI: a provider for each address and language.
type place struct {
	chat    provider.Provider
	claude  provider.Provider
	gemini  provider.Provider
	predict provider.Provider            // Google's models of vectors and images that are told to predict
	depict  provider.Provider            // Gemini's models that make images
	others  map[string]provider.Provider // by publisher
	only    string                       // the dialect that the connection chose
	token   func(context.Context) (string, error)
}

var (
	_ provider.Provider = (*place)(nil)
	_ provider.Polyglot = (*place)(nil)
	_ provider.Warner   = (*place)(nil)
)

// predicting are the publishers, besides Anthropic, whose models take a chat completion as it is at an
// address of their own, and not at the compatible endpoint.
func predicting() []string { return []string{"mistralai", "ai21"} }

func (p *place) open(in provider.Settings, at address) (err error) {
	plain := provider.Settings{
		Connection: in.Connection, BaseURL: firstOf(in.BaseURL, at.host), Header: in.Header,
		Credentials: map[string]plenum.Secret{}, Options: map[string]string{},
	}
	if t := in.Credentials["access_token"]; !t.Empty() {
		plain.Credentials["api_key"] = t
	}
	openDoor := func(s provider.Spec) provider.Provider {
		door, fault := provider.Compat(s).New(plain)
		err = errors.Join(err, fault)
		return door
	}
	p.chat = openDoor(at.spec(openai.Dialect, map[llm.Op]string{llm.OpGenerate: "/endpoints/openapi/chat/completions"}, ""))
	p.claude = openDoor(at.spec(anthropic.Vertex().Dialect, map[llm.Op]string{
		llm.OpGenerate:    "/publishers/anthropic/models/{model}:rawPredict",
		llm.OpCountTokens: "/publishers/anthropic/models/count-tokens:rawPredict",
	}, "/publishers/anthropic/models/{model}:streamRawPredict"))
	p.gemini = openDoor(at.spec(gemini.Vertex, map[llm.Op]string{
		llm.OpGenerate:    "/publishers/google/models/{model}:generateContent",
		llm.OpCountTokens: "/publishers/google/models/{model}:countTokens",
		llm.OpEmbed:       "/publishers/google/models/{model}:embedContent",
	}, "/publishers/google/models/{model}:streamGenerateContent?alt=sse"))
	p.predict = openDoor(at.spec(gemini.Predict, map[llm.Op]string{
		llm.OpEmbed:     "/publishers/google/models/{model}:predict",
		llm.OpImage:     "/publishers/google/models/{model}:predict",
		llm.OpImageEdit: "/publishers/google/models/{model}:predict",
	}, ""))
	p.depict = openDoor(at.spec(gemini.Depict, map[llm.Op]string{
		llm.OpImage:     "/publishers/google/models/{model}:generateContent",
		llm.OpImageEdit: "/publishers/google/models/{model}:generateContent",
	}, ""))
	p.others = map[string]provider.Provider{}
	for _, publisher := range predicting() {
		models := "/publishers/" + publisher + "/models/{model}"
		p.others[publisher] = openDoor(at.spec(openai.Dialect, map[llm.Op]string{llm.OpGenerate: models + ":rawPredict"}, models+":streamRawPredict"))
	}
	return err
}

// spec describes a place whose answers in pieces may have a path of their own.
func (a address) spec(d func() *dialect.Dialect, paths map[llm.Op]string, stream string) provider.Spec {
	for op, path := range paths {
		paths[op] = a.path + path
	}
	s := provider.Spec{Name: "vertex", Title: "Google Vertex AI", BaseURL: a.host, Dialect: d, Paths: paths, KeyOptional: true}
	if stream != "" {
		s.StreamPaths = map[llm.Op]string{llm.OpGenerate: a.path + stream}
	}
	return s
}

// Plan implements provider.Provider.
func (p *place) Plan(model string, op llm.Op, stream bool) (*provider.Plan, error) {
	return p.PlanIn("", model, op, stream)
}

// PlanIn implements provider.Polyglot. Gemini is spoken to in its own dialect, but for callers of OpenAI's
// where its id is the one that the compatible endpoint wants: there their bytes pass.
func (p *place) PlanIn(caller, model string, op llm.Op, stream bool) (*provider.Plan, error) {
	publisher, name := split(model)
	switch p.only {
	case anthropic.Name:
		return p.claude.Plan(name, op, stream)
	case gemini.Name:
		return p.google(name, op, stream)
	case openai.Name:
		return p.chat.Plan(model, op, stream)
	}
	switch publisher {
	case "anthropic":
		return p.claude.Plan(name, op, stream)
	case "google":
		if caller == openai.Name && strings.HasPrefix(model, "google/") && op == llm.OpGenerate {
			return p.chat.Plan(model, op, stream)
		}
		return p.google(name, op, stream)
	}
	if d, ok := p.others[publisher]; ok {
		return d.Plan(name, op, stream)
	}
	return p.chat.Plan(model, op, stream)
}

// google plans for Google's own models.
func (p *place) google(name string, op llm.Op, stream bool) (*provider.Plan, error) {
	image := op == llm.OpImage || op == llm.OpImageEdit
	switch {
	case op == llm.OpEmbed && !gemini.EmbedsContent(name), image && gemini.Draws(name):
		return p.predict.Plan(name, op, stream)
	case image:
		return p.depict.Plan(name, op, stream)
	}
	return p.gemini.Plan(name, op, stream)
}

// split returns the publisher of a model and its name there. Ids come as vendors and tools write them: bare,
// behind the publisher, or as the whole name of the resource.
func split(model string) (publisher, name string) {
	if _, rest, ok := strings.Cut(model, "publishers/"); ok {
		if publisher, name, ok = strings.Cut(rest, "/models/"); ok {
			return publisher, name
		}
	}
	for _, p := range append(predicting(), "anthropic", "google") {
		if name, ok := strings.CutPrefix(model, p+"/"); ok {
			return p, name
		}
	}
	for prefix, p := range map[string]string{
		"claude-": "anthropic", "gemini-": "google", "imagen-": "google", "text-embedding-": "google",
		"text-multilingual-embedding-": "google", "multimodalembedding": "google", "mistral-": "mistralai", "ministral-": "mistralai", "codestral-": "mistralai", "jamba-": "ai21",
	} {
		if strings.HasPrefix(model, prefix) {
			return p, model
		}
	}
	return "", model
}

// Sign implements provider.Provider.
func (p *place) Sign(ctx context.Context, r *http.Request, body []byte) error {
	if err := p.chat.Sign(ctx, r, body); err != nil || p.token == nil {
		return err
	}
	t, err := p.token(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+t)
	return nil
}

// Warnings implements provider.Warner.
func (p *place) Warnings() []string {
	if w, ok := p.chat.(provider.Warner); ok {
		return w.Warnings()
	}
	return nil
}
