package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
)

// ownRoutes are those of what Plenum keeps for its callers: files, and the batches that it runs. The bare
// paths are shared with other dialects.
func ownRoutes() []dialect.Route {
	bare := dialect.OwnRoutes{Errors: (&codec{}).EncodeError, Match: func(r *http.Request) bool { return r.Header.Get("anthropic-version") == "" }}
	bare.Files("/v1/files")
	bare.Batches("/v1/batches")
	whole := dialect.OwnRoutes{Errors: bare.Errors}
	whole.Files("/openai/v1/files")
	whole.Batches("/openai/v1/batches")
	whole.Files("/openai/files")
	whole.Batches("/openai/batches")
	return append(bare.All(), whole.All()...)
}
