// Package responses speaks OpenAI's Responses API, in both directions: POST /v1/responses, streamed with
// its full life cycle of events and not, and the count of input tokens at /v1/responses/input_tokens, and, where
// the vendor has it, compaction at /v1/responses/compact.
//
// An answer there is a list of items: messages, calls, reasoning, and what the vendor ran by itself. Items
// of the assistant that follow each other are one message here, its blocks in their order; a note on the
// first block of each message item tells where it begins and what it was called. What llm has no word for
// (the vendor's own tools, references to what it keeps) travels in llm.Extra and llm.Opaque, tagged with
// [Name].
//
// Reasoning that another vendor signed or sealed, and what it attached to calls, travels in the
// encrypted_content of a reasoning item, in an envelope that only this package opens: a client that sends
// the items back as they were brings it home.
package responses

import (
	"net/http"
	"strings"
	"sync"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "responses"

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	names := naming()
	generate, count, compact := &codec{op: llm.OpGenerate, names: names}, &codec{op: llm.OpCountTokens, names: names}, &codec{op: llm.OpCompact, names: names}
	d := &dialect.Dialect{Name: Name, Title: "OpenAI Responses", Headers: namespace(), Allow: platform.Allow, Names: names, Speaks: speaks}
	roots := [...]string{
		"/v1/responses", "/openai/v1/responses", "/openai/responses", "/responses",
		"/openai/openai/responses", // of Azure's clients, whose base URL ends in the vendor's name
	}
	for _, root := range roots {
		d.Routes = append(d.Routes,
			dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: root, Codec: generate},
			dialect.Route{Op: llm.OpCountTokens, Method: http.MethodPost, Pattern: root + "/input_tokens", Codec: count},
			dialect.Route{Op: llm.OpCompact, Method: http.MethodPost, Pattern: root + "/compact", Codec: compact},
			socketRoute(root),
		)
	}
	for _, root := range roots {
		d.Routes = append(d.Routes, keptRoutes(root)...)
	}
	return d
}

// namespace lists the headers that belong to the dialect, which are those of OpenAI's API as a whole.
func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"openai-", "x-ratelimit-"},
		Names: []string{
			"x-request-id", "x-client-request-id", "retry-after", "retry-after-ms", "x-should-retry",
			"apim-request-id", "azureml-model-session",
		},
		Deny: []string{"openai-organization", "openai-project"},
	}
}

// speaks knows a caller by its path.
func speaks(path string, _ http.Header) bool {
	return strings.HasSuffix(path, "/responses") || strings.Contains(path, "/v1/responses/")
}

// codec speaks one operation of the dialect. A count is asked for with the request that it is the count of.
type codec struct {
	op    llm.Op
	names *dialect.Naming
	docs  sync.Pool // of *wire.Doc, for reading what is only metered
}

var (
	_ dialect.Codec     = (*codec)(nil)
	_ dialect.Dependent = (*codec)(nil)
)

// headers returns what is said to the upstream of the caller's headers: those that tell the vendor
// something about the request.
func headers(in http.Header) http.Header {
	h := make(http.Header, 4)
	ns := namespace()
	for k, v := range in {
		low := strings.ToLower(k)
		if (strings.HasPrefix(low, "openai-") || low == "x-client-request-id") && ns.Holds(k) {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	h["Content-Type"] = []string{"application/json"}
	return h
}
