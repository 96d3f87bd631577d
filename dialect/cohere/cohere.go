// Package cohere speaks the API of Cohere, version 2, in both directions: POST /v2/chat, streamed and not,
// and the operations beside it, each in a file of its own: embeddings.
//
// What the API knows and llm does not (safety modes, priorities, citation options) travels in llm.Extra,
// tagged with [Name]. Documents that stand beside the conversation become a message of their own, which
// every dialect can say; see [placeDocuments].
package cohere

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "cohere"

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	return &dialect.Dialect{
		Name:  Name,
		Title: "Cohere chat",
		Routes: append([]dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/v2/chat", Codec: &codec{}},
		}, operationRoutes()...),
		Headers: namespace(),
		Speaks:  speaks,
	}
}

func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"x-trial-endpoint-call-", "x-endpoint-monthly-call-"},
		Names:    []string{"x-client-name", "retry-after", "x-debug-trace-id"},
	}
}

// speaks knows a caller by its path, or by the name that the official SDKs give themselves.
func speaks(path string, h http.Header) bool {
	return strings.HasPrefix(path, "/v2/") || strings.HasPrefix(h.Get("X-Fern-Sdk-Name"), "cohere")
}

// codec speaks chat.
type codec struct{}

var _ dialect.Codec = (*codec)(nil)

const op = "dialect/cohere"
