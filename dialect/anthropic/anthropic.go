// Package anthropic speaks the Anthropic Messages API, in both directions: POST /v1/messages, streamed
// and not, and its count_tokens.
//
// What the API knows and llm does not (server tools, containers, context management, tools and deltas
// that are newer than this code) travels in llm.Extra and llm.Opaque, tagged with [Name]: it survives
// within the dialect, and is named as a loss where a call crosses to another.
package anthropic

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "anthropic"

// version is the version of the API that requests are said in where the caller named none.
const version = "2023-06-01"

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	names := naming()
	generate, count := &codec{op: llm.OpGenerate, names: names}, &codec{op: llm.OpCountTokens, names: names}
	d := &dialect.Dialect{
		Name:  Name,
		Title: "Anthropic Messages",
		Routes: append([]dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/v1/messages", Codec: generate},
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/anthropic/v1/messages", Codec: generate},
			{Op: llm.OpCountTokens, Method: http.MethodPost, Pattern: "/v1/messages/count_tokens", Codec: count},
			{Op: llm.OpCountTokens, Method: http.MethodPost, Pattern: "/anthropic/v1/messages/count_tokens", Codec: count},
		}, slices.Concat(modelRoutes(), lifecycleRoutes(), ownRoutes())...),
		Headers: namespace(),
		Allow:   allow,
		Names:   names,
		Speaks:  speaks,
	}
	d.Routes = append(d.Routes, vertexRoutes(d)...)
	return d
}

func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"anthropic-"},
		Names:    []string{"request-id", "retry-after", "retry-after-ms", "x-should-retry"},
		Deny:     []string{"anthropic-organization-id", "anthropic-workspace-id"},
	}
}

// speaks knows a caller by its path, or by a header that its SDK always sends.
func speaks(path string, h http.Header) bool {
	return strings.HasPrefix(path, "/anthropic/") || strings.HasPrefix(path, "/v1/messages") ||
		strings.Contains(path, "/publishers/anthropic/") || h.Get("anthropic-version") != ""
}

// codec speaks one operation of the dialect. The two share nearly everything: a count is asked for
// with the request that it is the count of.
type codec struct {
	op    llm.Op
	names *dialect.Naming
	docs  sync.Pool // of *wire.Doc, for reading what is only metered
}

var _ dialect.Codec = (*codec)(nil)

// Shapes implements dialect.Limited: the vendor has schemas, and no mode of any JSON object.
func (c *codec) Shapes() dialect.Shapes { return dialect.Shapes{Schema: true, Tools: true} }
