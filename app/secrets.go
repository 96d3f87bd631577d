package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
)

// clientSecrets makes secrets: what a caller hands to a browser so that it can open a realtime session.
type clientSecrets struct{ pepper *identity.Pepper }

// Handlers returns the handlers of the operations.
func (s clientSecrets) Handlers() map[llm.Op]gateway.Handler {
	return map[llm.Op]gateway.Handler{llm.OpClientSecret: s.create}
}

// The bounds of a client secret.
const (
	leastSecret   = 10
	usualSecret   = 600
	olderSecret   = 60 // by POST /v1/realtime/sessions
	mostSecret    = 7200
	largestOpener = 8 << 10
)

// create makes a secret for a session with a deployment.
func (s clientSecrets) create(_ context.Context, c *gateway.Call, out gateway.Out) error {
	if err := c.Load(); err != nil {
		return err
	}
	var q struct {
		After *struct {
			Seconds int64 `json:"seconds"`
		} `json:"expires_after"`
		Session map[string]json.RawMessage `json:"session"`
	}
	var model string
	if err := json.Unmarshal(c.In.Body, &q); err != nil {
		return badSecret("", "the body is not a JSON object with session")
	}
	older := strings.HasSuffix(c.In.Path, "/sessions")
	if older && json.Unmarshal(c.In.Body, &q.Session) != nil {
		return badSecret("", "the body is not a JSON object")
	}
	seconds := int64(usualSecret)
	if older {
		seconds, q.After = olderSecret, nil
	}
	if q.After != nil {
		seconds = q.After.Seconds
	}
	_ = json.Unmarshal(q.Session["model"], &model)
	if settings, err := json.Marshal(q.Session); err == nil {
		if heard, only := dialect.SettingsTranscriber(settings); only {
			model = heard // such a session has no other model
		}
	}
	_, known := c.Config.Deployment(model)
	switch {
	case seconds < leastSecret || seconds > mostSecret:
		return badSecret("expires_after", fmt.Sprintf("expires_after.seconds is between %d and %d", leastSecret, mostSecret))
	case model == "":
		return badSecret("session.model", "session.model is missing: name a deployment (in audio.input.transcription.model where the type is transcription)")
	case !known:
		return &llm.Error{Kind: llm.NotFound, Op: "secrets", Param: "session.model", Code: "model_not_found", Message: fmt.Sprintf("there is no deployment %q here; GET /v1/models lists those that there are", model)}
	}
	opening := map[string]json.RawMessage{}
	for k, v := range q.Session {
		if k != "model" { // it is fixed by the secret
			opening[k] = v
		}
	}
	e := identity.Ephemeral{KeyID: c.Caller.KeyID, Member: c.Caller.Member, Model: model, Expires: time.Now().Unix() + seconds}
	var err error
	if e.Opening, err = json.Marshal(opening); err != nil {
		return err
	}
	if len(e.Opening) > largestOpener {
		return badSecret("session", fmt.Sprintf("the session's settings are larger than %d bytes; send them by session.update", largestOpener))
	}
	secret, err := s.pepper.Seal(e)
	if err != nil {
		return err
	}
	made := map[string]any{"value": secret.Reveal(), "expires_at": e.Expires, "session": q.Session}
	if older {
		made = map[string]any{}
		for k, v := range q.Session {
			made[k] = v
		}
		made["object"], made["client_secret"] = "realtime.session", map[string]any{"value": secret.Reveal(), "expires_at": e.Expires}
	}
	body, err := json.Marshal(made)
	if err != nil {
		return err
	}
	return gateway.SendJSON(c, out, http.StatusOK, body)
}

func badSecret(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Op: "secrets", Param: param, Message: message}
}
