package anthropic

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
)

// lifecycleRoutes are those of what the vendor keeps for its callers and nobody translates. Files are kept by
// Plenum, unless the caller names the deployment whose vendor shall have them.
func lifecycleRoutes() []dialect.Route {
	c := dialect.Lifecycle{Errors: (&codec{}).EncodeError, Beside: "/messages"}
	ours := func(r *http.Request) bool { return r.Header.Get("anthropic-version") != "" }
	named := func(r *http.Request) bool { return r.Header.Get("plenum-deployment") != "" }
	out := dialect.Always(dialect.LifecycleRoutes("/anthropic/v1", named, c, "files"))
	out = append(out, dialect.Always(dialect.LifecycleRoutes("/v1", func(r *http.Request) bool { return ours(r) && named(r) }, c, "files"))...)
	return append(out, dialect.LifecycleRoutes("/v1", ours, c, "agents", "deployment_runs", "deployments", "dreams", "environments",
		"memory_stores", "sessions", "skills", "tunnels", "user_profiles", "vaults")...)
}
