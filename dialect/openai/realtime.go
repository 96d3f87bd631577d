package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// realtimeRoutes are those of sessions over a WebSocket.
func realtimeRoutes() []dialect.Route {
	c := dialect.Realtime{What: llm.OpRealtime, Errors: (&codec{}).EncodeError, Beside: "/chat/completions", Under: "/realtime", Names: realtimeNaming()}
	var out []dialect.Route
	for _, p := range [...]string{"/v1/realtime", "/openai/v1/realtime", "/openai/realtime"} {
		secret := dialect.Own{What: llm.OpClientSecret, Errors: c.Errors}
		out = append(out, dialect.Route{Op: llm.OpClientSecret, Method: http.MethodPost, Pattern: p + "/client_secrets", Codec: secret})
		// The older way: the settings are the body, and the secret stands in what comes back.
		out = append(out, dialect.Route{Op: llm.OpClientSecret, Method: http.MethodPost, Pattern: p + "/sessions", Codec: secret})
		out = append(out, dialect.Route{Op: llm.OpRealtime, Method: http.MethodGet, Pattern: p, Codec: c})
	}
	return out
}
