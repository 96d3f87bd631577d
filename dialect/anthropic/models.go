package anthropic

import (
	"net/http"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// models speaks the list of models (GET /v1/models).
type models struct {
	dialect.Listing
	errors codec
}

var _ dialect.Codec = (*models)(nil)

// modelRoutes are those of the list of models. The bare path is shared with other dialects.
func modelRoutes() []dialect.Route {
	m := &models{}
	ours := func(r *http.Request) bool { return r.Header.Get("anthropic-version") != "" }
	return []dialect.Route{
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models", Match: ours, Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models/{model...}", Match: ours, Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/anthropic/v1/models", Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/anthropic/v1/models/{model...}", Codec: m},
	}
}

// EncodeError implements dialect.Server.
func (m *models) EncodeError(err error) dialect.Reply { return m.errors.EncodeError(err) }

// EncodeResponse says the list, or the one model that was asked for.
func (m *models) EncodeResponse(p llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	list, alone := dialect.Listed(p, r)
	var w jsonw.Writer
	if alone {
		writeModel(&w, list[0], meta.Now)
	} else {
		writeModels(&w, list, meta.Now)
	}
	return dialect.JSONReply(w.Buf), nil, nil
}

func writeModels(w *jsonw.Writer, list []llm.Model, now int64) {
	w.Open('{')
	w.KeyOpen("data", '[')
	for _, m := range list {
		writeModel(w, m, now)
	}
	w.Close(']')
	w.KeyBool("has_more", false)
	if n := len(list); n > 0 {
		w.KeyStr("first_id", list[0].ID)
		w.KeyStr("last_id", list[n-1].ID)
	} else {
		w.KeyNull("first_id")
		w.KeyNull("last_id")
	}
	w.Close('}')
}

func writeModel(w *jsonw.Writer, m llm.Model, now int64) {
	created := m.Created
	if created == 0 {
		created = now
	}
	w.Open('{')
	w.KeyStr("type", "model")
	w.KeyStr("id", m.ID)
	w.KeyStr("display_name", m.ID)
	w.KeyStr("created_at", time.Unix(created, 0).UTC().Format(time.RFC3339))
	w.Close('}')
}
