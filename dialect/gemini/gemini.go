// Package gemini speaks Google's Gemini API, in both directions: generateContent, streamGenerateContent
// and countTokens, at the addresses of the Gemini API and at those of Vertex AI.
//
// The model is named in the path and not in the body. Members of requests may be named in either of the
// two ways that protobuf's JSON has (functionCall, function_call); how they were named is remembered, and
// said again within the dialect. What the API knows and llm does not (safety settings and ratings, grounding,
// tools that Google runs) travels in llm.Extra and llm.Opaque, tagged with [Name]: it survives within the
// dialect, and is named as a loss where a call crosses to another.
package gemini

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "gemini"

// Dialect returns the dialect as the Gemini API speaks it. Every call returns a new one.
func Dialect() *dialect.Dialect { return build(false) }

// Vertex returns the dialect as Vertex AI speaks it. Requests and answers are the same; tokens are counted
// with another request.
func Vertex() *dialect.Dialect { return build(true) }

func build(vertex bool) *dialect.Dialect {
	names := naming()
	d := &dialect.Dialect{
		Name:    Name,
		Title:   "Google Gemini",
		Names:   names,
		Headers: namespace(),
		Speaks: func(path string, h http.Header) bool {
			return strings.HasPrefix(path, "/v1beta/") || strings.HasPrefix(path, "/v1alpha/") || strings.HasPrefix(path, "/vertex/") ||
				strings.Contains(path, "/publishers/google/") || h.Get("X-Goog-Api-Key") != ""
		},
	}
	d.Routes = slices.Concat(routes(vertex, names), embedRoutes(vertex, names), predictRoutes(d, names), lifecycleRoutes(), listRoutes())
	return d
}

// routes lists the operations at the addresses of both APIs. A model's name may hold slashes.
func routes(vertex bool, names *dialect.Naming) []dialect.Route {
	var paths []string
	for _, v := range [...]string{"/v1beta", "/v1", "/v1alpha"} {
		paths = append(paths, v+"/models/{model...}", v+"/tunedModels/{model...}")
	}
	paths = append(paths, vertexPaths()...)
	// Older clients take a name with a slash for one of another kind of model, and say it whole.
	paths = append(paths, "/v1beta/{model...}")
	var out []dialect.Route
	for _, path := range paths {
		for _, c := range [...]*codec{
			{op: llm.OpGenerate, names: names, vertex: vertex},
			{op: llm.OpGenerate, names: names, vertex: vertex, stream: true},
			{op: llm.OpCountTokens, names: names, vertex: vertex},
		} {
			out = append(out, dialect.Route{Op: c.op, Method: http.MethodPost, Pattern: path + ":" + c.verb(), Codec: c})
		}
	}
	return out
}

// vertexPaths are where Vertex AI has its models.
func vertexPaths() []string {
	var paths []string
	for _, v := range [...]string{"/v1", "/v1beta1", "/vertex/v1", "/vertex/v1beta1"} {
		paths = append(paths,
			v+"/projects/{project}/locations/{location}/publishers/{publisher}/models/{model...}",
			v+"/projects/{project}/locations/{location}/endpoints/{model}",
			v+"/publishers/{publisher}/models/{model...}")
	}
	return paths
}

func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"x-goog-", "x-gemini-"},
		Names:    []string{"server-timing", "x-server-timeout", "x-vertex-ai-llm-request-type", "retry-after"},
		Deny: []string{
			"x-goog-api-key", "x-goog-user-project", "x-goog-iam-authority-selector", "x-goog-iam-authorization-token",
			"x-goog-authenticated-user-email", "x-goog-authenticated-user-id", "x-goog-request-params", "x-goog-request-reason",
		},
	}
}

// codec speaks one operation of the dialect. Whether an answer is wanted as a stream is said by the path.
type codec struct {
	op     llm.Op
	names  *dialect.Naming
	stream bool
	vertex bool
}

var _ dialect.Codec = (*codec)(nil)

func (c *codec) verb() string {
	switch {
	case c.op == llm.OpCountTokens:
		return "countTokens"
	case c.stream:
		return "streamGenerateContent"
	}
	return "generateContent"
}

// media returns the media type of the stream that a request asks for: events where the query says so, else
// one JSON list.
func (c *codec) media(in dialect.Inbound) string {
	if !c.stream {
		return ""
	}
	q, _ := url.ParseQuery(in.RawQuery) // what can be read of it counts
	for _, key := range [...]string{"alt", "$alt"} {
		if word, _, _ := strings.Cut(q.Get(key), ";"); word == "sse" {
			return ""
		}
	}
	return dialect.JSONList
}
