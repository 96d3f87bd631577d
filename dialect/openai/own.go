package openai

import (
	"net/http"
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// ownRoutes are those of what Plenum keeps for its callers: files, and the batches that it runs. The bare
// paths are shared with other dialects.
func ownRoutes() []dialect.Route {
	bare := dialect.OwnRoutes{Errors: (&codec{}).EncodeError, Match: func(r *http.Request) bool { return r.Header.Get("anthropic-version") == "" && !dialect.GoogleKey(r) }}
	bare.Files("/v1/files")
	bare.Batches("/v1/batches")
	whole := dialect.OwnRoutes{Errors: bare.Errors}
	whole.Files("/openai/v1/files")
	whole.Batches("/openai/v1/batches")
	whole.Files("/openai/files")
	whole.Batches("/openai/batches")
	// Mistral's clients speak of batches in words of their own.
	jobs := dialect.OwnRoutes{Errors: bare.Errors, Words: "mistral"}
	for _, path := range [...]string{"/v1/batch/jobs", "/openai/v1/batch/jobs"} {
		jobs.Batches(path)
		jobs.Add(llm.OpBatchDelete, http.MethodDelete, path+"/{id}")
	}
	return slices.Concat(bare.All(), whole.All(), jobs.All())
}
