package anthropic

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// ownRoutes are those of what Plenum keeps for its callers: files, and the message batches that it runs. The
// bare path of files is shared with other dialects.
func ownRoutes() []dialect.Route {
	files := dialect.OwnRoutes{Errors: (&codec{}).EncodeError, Match: func(r *http.Request) bool { return r.Header.Get("anthropic-version") != "" }}
	files.Files("/v1/files")
	rest := dialect.OwnRoutes{Errors: files.Errors}
	rest.Files("/anthropic/v1/files")
	for _, path := range [...]string{"/v1/messages/batches", "/anthropic/v1/messages/batches"} {
		rest.Batches(path)
		rest.Add(llm.OpBatchResults, http.MethodGet, path+"/{id}/results")
		rest.Add(llm.OpBatchDelete, http.MethodDelete, path+"/{id}")
	}
	return append(files.All(), rest.All()...)
}
