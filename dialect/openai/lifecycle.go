package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// lifecycleRoutes are those of what a vendor keeps for its callers and nobody translates. Files are kept by
// Plenum, unless the caller names the deployment whose vendor shall have them.
func lifecycleRoutes() []dialect.Route {
	c := dialect.Lifecycle{Errors: (&codec{}).EncodeError, Beside: "/chat/completions"}
	resources := []string{
		"assistants", "audio/voice_consents", "audio/voices", "chatkit/sessions", "chatkit/threads", "containers", "evals", "fine_tuning/jobs",
		"skills", "threads", "uploads", "vector_stores", "videos",
	}
	var out []dialect.Route
	for _, base := range [...]string{"/v1", "/openai/v1"} {
		ours := func(r *http.Request) bool {
			return r.Header.Get("anthropic-version") == "" && (base != "/v1" || !dialect.GoogleKey(r))
		}
		named := func(r *http.Request) bool { return ours(r) && r.Header.Get("plenum-deployment") != "" }
		out = append(out, kindred(base, ours, c)...)
		out = append(out, dialect.Always(dialect.LifecycleRoutes(base, named, c, "files"))...)
		out = append(out, dialect.LifecycleRoutes(base, ours, c, resources...)...)
		out = append(out, dialect.OnceRoutes(base, ours, c, "fine_tuning/alpha/graders/run", "fine_tuning/alpha/graders/validate", "content_provenance_checks")...)
	}
	return out
}

// kindred are the routes of what vendors of kindred APIs have beside OpenAI's: Mistral and xAI. Mistral's
// conversations stand at the path of OpenAI's, and are told by the name that its SDK gives itself.
func kindred(base string, ours func(*http.Request) bool, c dialect.Lifecycle) []dialect.Route {
	out := dialect.OnceRoutes(base, ours, c, mistralOnce()...)
	out = append(out, dialect.OnceRoutes(base, ours, c, "tts", "stt", "documents/search")...)
	video := c
	video.Resource, video.Made = "videos", "request_id"
	for _, path := range [...]string{"/videos/generations", "/videos/edits", "/videos/extensions"} {
		video.Under = path
		out = append(out, dialect.Route{Op: llm.OpLifecycle, Method: http.MethodPost, Pattern: base + path, Match: ours, Codec: video})
	}
	voices := c
	voices.Made = "voice_id"
	out = append(out, dialect.LifecycleRoutes(base, ours, voices, "custom-voices")...)
	pages := c
	pages.Resource, pages.Under = "agents", "/agents/pages"
	out = append(out, dialect.Route{Op: llm.OpLifecycle, Method: http.MethodGet, Pattern: base + "/agents/pages", Match: ours, Codec: pages})
	out = append(out, dialect.LifecycleRoutes(base, ours, c, "agents", "libraries")...)
	talk := c
	talk.Made = "conversation_id"
	sdk := agent("mistral-client-")
	mistral := func(r *http.Request) bool { return ours(r) && sdk(r) }
	return append(out, dialect.Always(dialect.LifecycleRoutes(base, mistral, talk, "conversations"))...)
}

func mistralOnce() []string {
	return []string{"ocr", "classifications", "chat/classifications", "chat/moderations", "agents/completions"}
}
