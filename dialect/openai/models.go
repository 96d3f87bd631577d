package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// models speaks the list of models (GET /v1/models).
type models struct {
	dialect.Listing
	errors  codec
	mistral bool // as Mistral's SDK wants each: with what it can do
}

var _ dialect.Codec = (*models)(nil)

// modelRoutes are those of the list of models. The bare path is shared with other dialects, and is this
// one's unless the caller says that it speaks another.
func modelRoutes() []dialect.Route {
	m, mistral, sdk := &models{}, &models{mistral: true}, agent("mistral-client-")
	ours := func(r *http.Request) bool { return r.Header.Get("anthropic-version") == "" && !dialect.GoogleKey(r) }
	return []dialect.Route{
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models", Match: sdk, Always: true, Codec: mistral},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models/{model...}", Match: sdk, Always: true, Codec: mistral},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models", Match: ours, Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/v1/models/{model...}", Match: ours, Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/models", Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/openai/models", Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/openai/v1/models", Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/openai/v1/models/{model...}", Codec: m},
	}
}

// EncodeError implements dialect.Server.
func (m *models) EncodeError(err error) dialect.Reply { return m.errors.EncodeError(err) }

// EncodeResponse says the list, or the one model that was asked for.
func (m *models) EncodeResponse(p llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	list, alone := dialect.Listed(p, r)
	var w jsonw.Writer
	if alone {
		m.write(&w, list[0], meta.Now)
	} else {
		w.Open('{')
		w.KeyStr("object", "list")
		w.KeyOpen("data", '[')
		for _, x := range list {
			m.write(&w, x, meta.Now)
		}
		w.Close(']')
		w.Close('}')
	}
	return dialect.JSONReply(w.Buf), nil, nil
}

func (m *models) write(w *jsonw.Writer, x llm.Model, now int64) {
	created := x.Created
	if created == 0 {
		created = now
	}
	w.Open('{')
	w.KeyStr("id", x.ID)
	w.KeyStr("object", "model")
	w.KeyInt("created", created)
	w.KeyStr("owned_by", x.Owner)
	if m.mistral {
		w.KeyStr("type", "base")
		w.KeyRaw("capabilities", `{"completion_chat":true,"function_calling":true}`)
	}
	w.Close('}')
}
