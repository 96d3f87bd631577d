package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
)

// lifecycleRoutes are those of what a vendor keeps for its callers and nobody translates. Files are kept by
// Plenum, unless the caller names the deployment whose vendor shall have them.
func lifecycleRoutes() []dialect.Route {
	c := dialect.Lifecycle{Errors: (&codec{}).EncodeError, Beside: "/chat/completions"}
	resources := []string{
		"assistants", "containers", "evals", "fine_tuning/jobs", "skills", "threads", "uploads", "vector_stores", "videos",
	}
	var out []dialect.Route
	for _, base := range [...]string{"/v1", "/openai/v1"} {
		ours := func(r *http.Request) bool { return r.Header.Get("anthropic-version") == "" }
		named := func(r *http.Request) bool { return ours(r) && r.Header.Get("plenum-deployment") != "" }
		out = append(out, dialect.Always(dialect.LifecycleRoutes(base, named, c, "files"))...)
		out = append(out, dialect.LifecycleRoutes(base, ours, c, resources...)...)
	}
	return out
}
