package openai

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// Azure's Model Inference API is chat completions at an address of its own. Its bodies are the same; what it
// has besides is a header that says what is done with members the API does not describe, and a look at the
// model behind an address.

// extraParameters is that header: error, drop or pass-through. It is for the host to heed.
const extraParameters = "extra-parameters"

// info speaks the look at the model (GET /info).
type info struct{ models }

var _ dialect.Codec = (*info)(nil)

func infoRoutes() []dialect.Route {
	c := &info{}
	return []dialect.Route{
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/models/info", Codec: c},
		{Op: llm.OpModels, Method: http.MethodGet, Pattern: "/info", Codec: c},
	}
}

// EncodeResponse says which model is here, where there is only one.
func (c *info) EncodeResponse(_ llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	var m llm.Model
	if list, ok := r.(*llm.ModelList); ok && len(list.Models) == 1 {
		m = list.Models[0]
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("model_name", m.ID)
	w.KeyStr("model_type", "chat-completion")
	w.KeyStr("model_provider_name", m.Owner)
	w.Close('}')
	return dialect.JSONReply(w.Buf), nil, nil
}
