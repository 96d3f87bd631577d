// Package openai speaks the Chat Completions API, in both directions: POST /v1/chat/completions, streamed
// and not, as OpenAI documents it and as the many hosts that took it up really say it; and the operations
// that stand beside it in the same API, each in a file of its own: embeddings.
//
// Hosts add members of their own everywhere. What llm has no word for travels in llm.Extra and
// llm.Opaque, tagged with [Name]: it survives within the dialect, and is named as a loss where a call
// crosses to another.
package openai

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "openai"

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	chat := &codec{names: naming()}
	post := func(pattern string) dialect.Route {
		return dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: pattern, Codec: chat}
	}
	return &dialect.Dialect{
		Name:  Name,
		Title: "OpenAI Chat Completions",
		// The first of an operation is the one that upstreams are asked with: kin's come after it, and before the
		// paths that they share.
		Routes: slices.Concat([]dialect.Route{
			post("/openai/v1/chat/completions"),
			post("/openai/deployments/{" + deploymentVar + "...}/chat/completions"),
			post("/models/chat/completions"),
		}, kinRoutes(chat.names), []dialect.Route{
			post("/v1/chat/completions"),
			post("/chat/completions"), // clients whose base URL is given without /v1
		}, operationRoutes(), modelRoutes(), infoRoutes(), lifecycleRoutes(), realtimeRoutes(), ownRoutes(), vertexRoutes(chat)),
		Headers: namespace(),
		Allow:   platform.Allow,
		Names:   chat.names,
		Speaks:  speaks,
	}
}

// deploymentVar is the part of Azure's classic path that names the model.
const deploymentVar = "deployment"

// namespace lists the headers that belong to the dialect. What names our account with the vendor never
// passes, in either direction.
func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"openai-", "x-ratelimit-"},
		Names: []string{
			"x-request-id", "x-client-request-id", "retry-after", "retry-after-ms", "x-should-retry",
			"apim-request-id", "azureml-model-session", extraParameters,
		},
		Deny: []string{"openai-organization", "openai-project"},
	}
}

// speaks knows a caller by its path, or by headers that its SDK sends.
func speaks(path string, h http.Header) bool {
	return strings.HasPrefix(path, "/openai/") || strings.HasSuffix(path, "/chat/completions") ||
		h.Get("openai-beta") != "" || h.Get("openai-organization") != "" || h.Get("openai-project") != ""
}

// codec speaks chat completions.
type codec struct {
	names *dialect.Naming
	docs  sync.Pool // of *wire.Doc, for reading what is only metered
}

var _ dialect.Codec = (*codec)(nil)

// headers returns what is said to the upstream of the caller's headers: those that tell the vendor
// something about the request. Telemetry of SDKs (x-stainless-*) is about the caller and stays here.
func headers(in http.Header) http.Header {
	h := make(http.Header, 4)
	ns := namespace()
	for k, v := range in {
		if !foldPrefix(k, "openai-") && !strings.EqualFold(k, "x-client-request-id") && !strings.EqualFold(k, extraParameters) || !ns.Holds(k) {
			continue
		}
		h[http.CanonicalHeaderKey(k)] = v
	}
	h["Content-Type"] = []string{"application/json"}
	return h
}

func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
