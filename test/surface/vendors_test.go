package surface

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/plenum-foundry/plenum/test/specs"
)

// vendor is a description of an API, and how its clients come to Plenum's door.
type vendor struct {
	title, file string
	// base is what stands before the paths of the description; under, what a client's base URL adds to it where it
	// may be told to go below a dialect's own name, "" where it need not.
	base, under string
	header      map[string]string
	// skip leaves out paths that are another vendor's surface within the description.
	skip func(path string) bool
}

func vendors() []vendor {
	return []vendor{
		{title: "OpenAI", file: "openai/openapi.json", base: "/v1"},
		{title: "Anthropic", file: "anthropic/openapi.yml", header: map[string]string{"anthropic-version": "2023-06-01"}},
		{title: "Gemini API", file: "google/generativelanguage-v1beta-discovery.json", header: map[string]string{"x-goog-api-key": "k"}},
		{title: "Bedrock runtime", file: "aws/bedrock-runtime-service-2.json"},
		{title: "Azure OpenAI v1", file: "azure/openai-v1.json", base: "/openai/v1"},
		{title: "Azure OpenAI, classic", file: "azure/openai-2025-03-01-preview.json", base: "/openai"},
		{title: "Azure Model Inference", file: "azure/model-inference-2025-05-15-preview.json", base: "/models"},
		{title: "Mistral", file: "mistral/openapi.yaml", header: map[string]string{"User-Agent": "mistral-client-python/2"}},
		{title: "xAI", file: "xai/rest-openapi-community.yaml", base: "/v1"},
		{title: "Cohere", file: "cohere/openapi.yaml", under: "/cohere", header: map[string]string{"X-Fern-SDK-Name": "cohere"}},
		{title: "Ollama", file: "ollama/openapi.yaml"},
		{title: "Groq", file: "groq/openapi.yaml"},
		{title: "Together", file: "together/openapi.yaml", base: "/v1"},
		{title: "OpenRouter", file: "openrouter/openapi.yaml", base: "/v1"},
		{title: "Moonshot", file: "moonshot/openapi.yaml"},
	}
}

// operation is one method of one path.
type operation struct{ method, path string }

// descriptions returns the directory of the descriptions, and skips the test where there are none.
func descriptions(t *testing.T) string {
	t.Helper()
	return filepath.Dir(specs.Folder(t, "openai"))
}

// operations reads a description: OpenAPI, Google's or Amazon's.
func (v *vendor) operations(t *testing.T, dir string) []operation {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, v.file))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]any `json:"paths" yaml:"paths"`
		Resources  map[string]resource       `json:"resources" yaml:"resources"`
		Operations map[string]struct {
			HTTP struct{ Method, RequestURI string } `json:"http"`
		} `json:"operations" yaml:"-"`
	}
	if json.Valid(raw) {
		err = json.Unmarshal(raw, &doc)
	} else {
		err = yaml.Unmarshal(raw, &doc)
	}
	if err != nil {
		t.Fatalf("%s: %v", v.file, err)
	}
	all := map[operation]bool{}
	for path, methods := range doc.Paths {
		path, _, _ = strings.Cut(path, "?")
		path, _, _ = strings.Cut(path, "#")
		for m := range methods {
			if m = strings.ToUpper(m); slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, m) {
				all[operation{m, v.base + strings.TrimSuffix(path, "/")}] = true
			}
		}
	}
	for _, o := range doc.Operations {
		all[operation{o.HTTP.Method, o.HTTP.RequestURI}] = true
	}
	for _, r := range doc.Resources {
		r.walk(all)
	}
	if len(all) == 0 {
		t.Fatalf("%s lists no operation", v.file)
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b operation) int {
		return strings.Compare(a.path+" "+a.method, b.path+" "+b.method)
	})
}

// resource is a part of a description of Google's.
type resource struct {
	Methods map[string]struct {
		HTTPMethod string `json:"httpMethod"`
		FlatPath   string `json:"flatPath"`
		Path       string `json:"path"`
	} `json:"methods"`
	Resources map[string]resource `json:"resources"`
}

func (r resource) walk(all map[operation]bool) {
	for _, m := range r.Methods {
		path := m.FlatPath
		if path == "" {
			path = m.Path
		}
		all[operation{m.HTTPMethod, "/" + path}] = true
	}
	for _, x := range r.Resources {
		x.walk(all)
	}
}
