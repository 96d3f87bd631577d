// Package ollama speaks Ollama's own API, in both directions: POST /api/chat and /api/generate, streamed
// as lines of JSON and whole, embeddings, and the lists that its clients look at (/api/tags, /api/show,
// /api/ps, /api/version).
//
// The two operations ask for the same thing in different words, and an answer in the words of one is of no
// use to a client of the other: each is a dialect, [Dialect] and [Generate]. What both share is tagged with
// [Name], so that keep_alive or options.num_ctx survive between them.
package ollama

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect of /api/chat, and GenerateName of that of /api/generate.
const (
	Name         = "ollama"
	GenerateName = "ollama-generate"
)

// Dialect returns the dialect of /api/chat. Every call returns a new one.
func Dialect() *dialect.Dialect {
	return &dialect.Dialect{
		Name:  Name,
		Title: "Ollama chat",
		Routes: append([]dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/api/chat", Codec: &codec{name: Name}},
		}, append(listRoutes(), embedRoute("/api/embed", false))...),
		Headers: namespace(),
		Streams: dialect.NDJSON,
		Speaks:  speaks,
	}
}

// Generate returns the dialect of /api/generate. Every call returns a new one.
func Generate() *dialect.Dialect {
	c := &codec{name: GenerateName, generate: true}
	return &dialect.Dialect{
		Name:  GenerateName,
		Title: "Ollama generate",
		Routes: []dialect.Route{
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/api/generate", Codec: c},
			{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/ollama/api/generate", Codec: c},
			embedRoute("/api/embeddings", true),
			embedRoute("/ollama/api/embeddings", true),
		},
		Headers: namespace(),
		Streams: dialect.NDJSON,
	}
}

func namespace() dialect.Namespace {
	return dialect.Namespace{Names: []string{"retry-after"}}
}

// speaks knows a caller by its path, or by the name that the official clients give themselves.
func speaks(path string, h http.Header) bool {
	agent := h.Get("User-Agent")
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(agent, "ollama-python/") || strings.HasPrefix(agent, "ollama-js/") ||
		strings.HasPrefix(agent, "ollama/")
}

// codec speaks one of the two operations.
type codec struct {
	name     string
	generate bool
}

var _ dialect.Codec = (*codec)(nil)

func (c *codec) op(what string) string { return "dialect/" + c.name + "." + what }
