package app

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/scim"
	"github.com/plenum-foundry/plenum/signin"
)

// handler returns everything on the port: the paths of operations, and the inference door for all else.
func (n *Node) handler() http.Handler {
	metrics := n.metrics.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/healthz":
			n.healthz(w)
		case path == "/readyz":
			n.readyz(w)
		case path == "/metrics":
			n.admin(w, r, func() { metrics.ServeHTTP(w, r) })
		case path == admin.Prefix || strings.HasPrefix(path, admin.Prefix+"/"):
			n.management.ServeHTTP(w, r)
		case path == scim.Prefix || strings.HasPrefix(path, scim.Prefix+"/"):
			n.scim.ServeHTTP(w, r)
		case signin.Mine(path):
			n.signin.ServeHTTP(w, r)
		default:
			n.edge.ServeHTTP(w, r)
		}
	})
}

// healthz says that the process is alive.
func (n *Node) healthz(w http.ResponseWriter) { say(w, http.StatusOK, map[string]any{"status": "ok"}) }

// readyz says whether new calls should be sent here. A configuration that was refused does not make a
// node unready: it goes on with the one it has, and says so.
func (n *Node) readyz(w http.ResponseWriter) {
	status, body := http.StatusOK, map[string]any{"status": "ready"}
	switch s := n.current.Load(); {
	case n.draining.Load():
		status, body["status"] = http.StatusServiceUnavailable, "draining"
	case s == nil:
		status, body["status"] = http.StatusServiceUnavailable, "starting"
	default:
		body["config"] = s.Version
		if err := n.ledger.Check(); err != nil { // it answers no call, so that calls should go elsewhere
			status, body["status"], body["why"] = http.StatusServiceUnavailable, "unrecorded", "calls cannot be written down, and so are refused: "+err.Error()
		}
	}
	if err := n.current.Err(); err != nil {
		body["config_refused"] = err.Error()
	}
	say(w, status, body)
}

// admin lets a request pass that carries the admin key. Without one configured nobody passes.
func (n *Node) admin(w http.ResponseWriter, r *http.Request, pass func()) {
	key := n.current.Load().Declared.AdminKey
	if key.Empty() {
		say(w, http.StatusForbidden, problem("set admin_key in the configuration (or PLENUM_ADMIN_KEY for `plenum up`) to open this path"))
		return
	}
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(key.Reveal())) != 1 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		say(w, http.StatusUnauthorized, problem("send the admin key as Authorization: Bearer"))
		return
	}
	pass()
}

func problem(message string) map[string]any {
	return map[string]any{"error": map[string]any{"message": message}}
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
