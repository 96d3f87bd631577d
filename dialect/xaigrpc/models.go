package xaigrpc

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// models speaks the list of models, or asks for one of them by name.
type models struct {
	dialect.Local
	one   bool
	other bool // of models that answer otherwise than in words, of which Plenum lists none
}

var _ dialect.Codec = (*models)(nil)

func modelRoutes() []dialect.Route {
	const service = "/xai_api.Models/"
	return []dialect.Route{
		route(llm.OpModels, service+"ListLanguageModels", &models{}),
		route(llm.OpModels, service+"GetLanguageModel", &models{one: true}),
		route(llm.OpModels, service+"ListEmbeddingModels", &models{other: true}),
		route(llm.OpModels, service+"ListImageGenerationModels", &models{other: true}),
	}
}

// Peek implements dialect.Server.
func (m *models) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	name, err := m.name(in)
	return dialect.Head{Model: name}, err
}

// DecodeRequest implements dialect.Server.
func (m *models) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	name, err := m.name(in)
	return &llm.ListModels{ID: name}, err
}

func (m *models) name(in dialect.Inbound) (name string, err error) {
	if !m.one {
		return "", nil
	}
	err = fields(in.Body, func(f field) (err error) {
		if f.tag == 1<<3|chars {
			name, err = f.text()
		}
		return under(err, "name")
	})
	if err == nil && name == "" {
		err = fault("name", "is missing")
	}
	if err != nil {
		return "", invalid(err)
	}
	return name, nil
}

// NewEncoder implements dialect.Server: a list is never streamed.
func (m *models) NewEncoder(llm.Payload, dialect.Meta) dialect.Encoder { return nil }

// EncodeError implements dialect.Server.
func (m *models) EncodeError(err error) dialect.Reply { return encodeError(err) }

// EncodeResponse implements dialect.Server.
func (m *models) EncodeResponse(_ llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	list, _ := r.(*llm.ModelList)
	var out message
	switch {
	case list == nil || m.other:
	case m.one:
		if len(list.Models) > 0 {
			writeModel(&out, list.Models[0], meta.Now)
		}
	default:
		for _, x := range list.Models {
			out.sub(1, func(in *message) { writeModel(in, x, meta.Now) })
		}
	}
	return dialect.Reply{Status: http.StatusOK, Header: headersOut(), Body: out.b}, nil, nil
}

// writeModel writes a LanguageModel.
func writeModel(m *message, x llm.Model, now int64) {
	created := x.Created
	if created == 0 {
		created = now
	}
	m.text(1, x.ID)
	m.bytes(3, []byte{1}) // TEXT, packed
	m.bytes(4, []byte{1})
	m.sub(8, func(m *message) { m.int(1, created) })
}
