package cohere

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// models speaks the list of models (GET /v1/models), under /cohere: the bare path is other dialects'.
type models struct {
	dialect.Listing
	errors codec
}

var _ dialect.Codec = (*models)(nil)

func modelRoutes() []dialect.Route {
	m := &models{}
	return []dialect.Route{
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/cohere/v1/models", Codec: m},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/cohere/v1/models/{model...}", Codec: m},
	}
}

// EncodeError implements dialect.Server.
func (m *models) EncodeError(err error) dialect.Reply { return m.errors.EncodeError(err) }

// EncodeResponse says the list, or the one model that was asked for.
func (m *models) EncodeResponse(p llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	list, alone := dialect.Listed(p, r)
	var w jsonw.Writer
	if alone {
		appendModel(&w, list[0])
		return dialect.JSONReply(w.Buf), nil, nil
	}
	w.Open('{')
	w.KeyOpen("models", '[')
	for _, x := range list {
		appendModel(&w, x)
	}
	w.Close(']')
	w.Close('}')
	return dialect.JSONReply(w.Buf), nil, nil
}

func appendModel(w *jsonw.Writer, m llm.Model) {
	w.Open('{')
	w.KeyStr("name", m.ID)
	w.KeyBool("is_deprecated", false)
	w.KeyRaw("endpoints", `["chat"]`)
	w.KeyBool("finetuned", false)
	w.Close('}')
}
