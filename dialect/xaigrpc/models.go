package xaigrpc

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// models speaks the list of models, or asks for one of them by name.
type models struct {
	dialect.Local
	one bool
	// created is the number of the field in which an entry tells its time, where the model answers otherwise than in
	// words: Plenum lists none as such, for it does not tell its deployments by what they make.
	created int
}

var _ dialect.Codec = (*models)(nil)

func modelRoutes() []dialect.Route {
	const service = "/xai_api.Models/"
	return []dialect.Route{
		route(llm.OpModels, service+"ListLanguageModels", &models{}),
		route(llm.OpModels, service+"GetLanguageModel", &models{one: true}),
		route(llm.OpModels, service+"ListEmbeddingModels", &models{created: 7}),
		route(llm.OpModels, service+"GetEmbeddingModel", &models{one: true, created: 7}),
		route(llm.OpModels, service+"ListImageGenerationModels", &models{created: 8}),
		route(llm.OpModels, service+"GetImageGenerationModel", &models{one: true, created: 8}),
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
	case list == nil || !m.one && m.created != 0:
	case m.one:
		if len(list.Models) > 0 {
			m.write(&out, list.Models[0], meta.Now)
		}
	default:
		for _, x := range list.Models {
			out.sub(1, func(in *message) { m.write(in, x, meta.Now) })
		}
	}
	return dialect.Reply{Status: http.StatusOK, Header: headersOut(), Body: out.b}, nil, nil
}

// write writes an entry: a LanguageModel, an EmbeddingModel or an ImageGenerationModel. What one of the latter reads and
// makes is not known, and not said.
func (m *models) write(out *message, x llm.Model, now int64) {
	created, at := x.Created, m.created
	if created == 0 {
		created = now
	}
	out.text(1, x.ID)
	if at == 0 {
		out.bytes(3, []byte{1}) // TEXT, packed
		out.bytes(4, []byte{1})
		at = 8
	}
	out.sub(at, func(t *message) { t.int(1, created) })
}
