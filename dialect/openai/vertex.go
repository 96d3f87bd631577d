package openai

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// vertexRoutes lists the addresses at which Google's Vertex AI speaks the dialect: its own endpoint for many
// vendors' models, and those of publishers whose models take chat completions as they are. The body names
// the model in each.
func vertexRoutes(chat dialect.Codec) []dialect.Route {
	var out []dialect.Route
	for _, version := range [...]string{"/v1", "/v1beta1", ""} {
		place := version + "/projects/{project}/locations/{location}"
		for pattern, match := range map[string]func(*http.Request) bool{
			place + "/endpoints/openapi/chat/completions": nil, place + "/publishers/{publisher}/models/{model...}": predicts,
		} {
			out = append(out, dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: pattern, Match: match, Codec: chat})
		}
	}
	return out
}

// predicts reports whether a publisher's model is asked for a chat completion: all but those of the two that
// have dialects of their own.
func predicts(r *http.Request) bool {
	path := r.URL.Path
	if strings.Contains(path, "/publishers/anthropic/") || strings.Contains(path, "/publishers/google/") {
		return false
	}
	return strings.HasSuffix(path, ":rawPredict") || strings.HasSuffix(path, ":streamRawPredict")
}
