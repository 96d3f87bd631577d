package surface

import (
	"fmt"
	"slices"
	"strings"
)

// The reasons for which an operation is not there.
const (
	account   = "the vendor's own account is its owner's to manage, with the vendor; Plenum has keys, budgets and records of its own"
	money     = "money, keys and members are the account owner's to see, with the vendor"
	retired   = "the vendor has retired it"
	hosting   = "machines and models that run there are the account owner's to order, with the vendor"
	tuning    = "training there is not passed on: its lists and answers name things in ways that ownership cannot be read from yet"
	listing   = "`GET /v1/models` lists what there is to call here, of every vendor"
	beside    = "sound would flow past Plenum, which could neither meter nor end it; use the WebSocket"
	ownStored = "answers kept by a vendor's `store` are not listed across callers; Plenum keeps Responses for their project"
	bucket    = "it reads and writes buckets with the gateway's own credentials, and whose a bucket is cannot be known"
	hostGuard = "a host's guardrails belong to who runs the account; a deployment's are set in its configuration"
	duplex    = "it needs a duplex HTTP/2 stream of sound; use a realtime session"
	platform  = "the vendor's platform beside models: it manages the account's work, not a caller's"
	notYet    = "not yet: nobody translates it, and its answers do not say what they make in a way that ownership could be noted"
	engine    = "models of an engine are installed by who runs it, not by callers"
)

// reasons are why operations of a vendor are not there, by how their paths begin; the first that fits holds.
func reasons() map[string][][2]string {
	return map[string][][2]string{
		"OpenAI": {
			{"/v1/models", account},
			{"/v1/organization", account},
			{"/v1/projects", account},
			{"/v1/fine_tuning/checkpoints", account},
			{"/v1/chat/completions", ownStored},
			{"/v1/realtime/calls", beside},
			{"/v1/realtime/translations", notYet},
			{"/v1/realtime/transcription_sessions", "`POST /v1/realtime/client_secrets` makes the secret, with a session of the type `transcription`"},
		},
		"Anthropic": {{"/v1/complete", retired}, {"/v1/organizations", account}},
		"Gemini API": {
			{"/v1beta/corpora", retired},
			{"/v1beta/tunedModels", retired},
			{"/v1beta/models/{modelsId}:generateText", retired},
			{"/v1beta/models/{modelsId}:generateMessage", retired},
			{"/v1beta/models/{modelsId}:embedText", retired},
			{"/v1beta/models/{modelsId}:batchEmbedText", retired},
			{"/v1beta/models/{modelsId}:countTextTokens", retired},
			{"/v1beta/models/{modelsId}:countMessageTokens", retired},
			{"/v1beta/models/{modelsId}:generateAnswer", retired},
			{"/v1beta/auth_tokens", "sessions of the Live API are not spoken here"},
			{"/v1beta/dynamic", retired},
			{"/v1beta/", notYet},
		},
		"Bedrock runtime": {
			{"/async-invoke", bucket},
			{"/guardrail", hostGuard},
			{"/model/{modelId}/invoke-with-bidirectional-stream", duplex},
		},
		"Azure OpenAI, classic": {{"/openai/", "it is at the v1 address: `/openai/v1/...`, which the same clients call without `api-version`"}},
		"Azure Model Inference": {{"/models/images/embeddings", "`/models/embeddings` takes texts; images are embedded through other dialects (`/v2/embed`)"}},
		"Mistral": {
			{"/v1/models", account},
			{"/v1/observability", platform},
			{"/v1/workflows", platform},
			{"/v1/connectors", platform},
			{"/v1/rag", platform},
			{"/v1/files/{file_id}/url", "a file is kept here and fetched with a key: `/v1/files/{id}/content`"},
			{"/v1/fine_tuning/models", account},
			{"/v1/", notYet},
		},
		"xAI": {
			{"/v1/api-key", money},
			{"/v1/language-models", listing},
			{"/v1/embedding-models", listing},
			{"/v1/image-generation-models", listing},
			{"/v1/video-generation-models", listing},
			{"/v1/batches", "batches run at `/v1/batches`, in OpenAI's words, and their results are files"},
			{"/v1/chat/deferred-completion", "deferred answers are had by gRPC, or in the background by `/v1/responses`"},
			{"/v1/tts/voices", "voices that the vendor has for everyone are in its documentation; one's own are at `/v1/custom-voices`"},
			{"/v1/", notYet},
		},
		"Cohere": {
			{"/v1/check-api-key", money},
			{"/v1/finetuning", tuning},
			{"/v1/datasets", tuning},
			{"/v1/embed-jobs", tuning},
			{"/v1/connectors", platform},
			{"/v1/models", listing},
			{"/v2/batches", "batches run at `/v1/batches`, on any model"},
		},
		"Ollama": {{"/api/", engine}},
		"Groq":   {{"/openai/v1/models", account}, {"/v1/fine_tunings", tuning}},
		"Together": {
			{"/v1/clusters", hosting},
			{"/v1/compute", hosting},
			{"/v1/deployments", hosting},
			{"/v1/endpoints", hosting},
			{"/v1/hardware", hosting},
			{"/v1/jobs", hosting},
			{"/v1/models", hosting},
			{"/v1/fine-tunes", tuning},
			{"/v1/finetune", tuning},
			{"/v1/rl", tuning},
			{"/v1/evaluation", platform},
			{"/v1/tci", platform},
			{"/v1/voices", listing},
			{"/v1/files", "`POST /v1/files` takes an upload"},
			{"/v1/queue", platform},
			{"/v1/audio/speech/websocket", beside},
			{"/v1/", notYet},
		},
		"OpenRouter": {
			{"/v1/images", "images are at `/v1/images/generations`"},
			{"/v1/presets", "a deployment is a preset: it binds a model, its limits and its guardrail"},
			{"/v1/embeddings/models", listing},
			{"/v1/model", listing},
			{"/v1/endpoints", listing},
			{"/v1/providers", listing},
			{"/v1/", money},
		},
		"Moonshot": {{"/v1/users", money}, {"/v1/tokenizers", "`/v1/messages/count_tokens` and `/v1/responses/input_tokens` count for every model"}, {"/v1/", notYet}},
	}
}

// reason returns why an operation is not there, or "".
func reason(title string, o operation) string {
	for _, r := range reasons()[title] {
		if strings.HasPrefix(o.path, r[0]) {
			return r[1]
		}
	}
	return ""
}

func heading(out *strings.Builder) {
	out.WriteString(`# What vendors offer, and what becomes of it here

Every operation that the vendors' own descriptions of their APIs list, as a client would call it with Plenum's address in place of the
vendor's. The page is made by the test in ` + "`test/surface`" + ` (` + "`make surface`" + `), which asks Plenum's door for each, never by hand; what is not here
must have a reason, or the test fails.

- **Spoken**: it is read, and answered by any model that can, whoever's it is; metered, priced, limited, screened.
- **Kept**: Plenum answers it by itself: files, batches, kept answers, lists of models, secrets of sessions.
- **Passed**: as it is, to a place that speaks the same, with a key, ownership, policy, limits and a record ([lifecycle.md](lifecycle.md)). It can be neither
  priced nor screened and must be allowed (` + "`lifecycle: allow`" + `).
- **Not here**: a 404 that says so.

What a place behind a deployment does not have is its own 404.
`)
}

// write says what became of a vendor's operations.
func write(out *strings.Builder, v *vendor, rows []row) {
	counts := map[string]int{}
	byReason := map[string][]row{}
	byHow := map[string][]row{}
	var order []string
	for _, r := range rows {
		counts[r.how]++
		if r.how != absent {
			byHow[r.how] = append(byHow[r.how], r)
			continue
		}
		if len(byReason[r.why]) == 0 {
			order = append(order, r.why)
		}
		byReason[r.why] = append(byReason[r.why], r)
	}
	fmt.Fprintf(out, "\n## %s\n\n", v.title)
	fmt.Fprintf(out, "%d operations: %d spoken, %d kept, %d passed, %d not here.", len(rows), counts[spoken], counts[ownThing], counts[passed], counts[absent])
	if v.under != "" {
		fmt.Fprintf(out, " The base URL ends in `%s`.", v.under)
	}
	out.WriteString("\n\n")
	for _, how := range [...]string{spoken, ownThing, passed} {
		if len(byHow[how]) > 0 {
			fmt.Fprintf(out, "- **%s**: %s\n", strings.ToUpper(how[:1])+how[1:], paths(byHow[how]))
		}
	}
	for _, why := range order {
		fmt.Fprintf(out, "- **Not here**, %s: %s\n", why, paths(byReason[why]))
	}
}

// paths names operations, those of a path together.
func paths(rows []row) string {
	var out []string
	for i := 0; i < len(rows); {
		methods, path := []string{}, rows[i].path
		for ; i < len(rows) && rows[i].path == path; i++ {
			methods = append(methods, rows[i].method)
		}
		slices.Sort(methods)
		out = append(out, "`"+strings.Join(methods, " ")+" "+path+"`")
	}
	return strings.Join(out, ", ")
}
