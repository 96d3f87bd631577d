package gemini

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// listing speaks the list of models as the Gemini API does.
type listing struct {
	dialect.Listing
	vertex bool
}

var _ dialect.Codec = listing{}

func listRoutes() []dialect.Route {
	var out []dialect.Route
	add := func(path string, match func(*http.Request) bool, l listing) {
		for _, p := range [...]string{path, path + "/{model...}"} {
			out = append(out, dialect.Route{Op: llm.OpModels, Method: http.MethodGet, Pattern: p, Match: match, Codec: l})
		}
	}
	add("/v1beta/models", nil, listing{})
	add("/v1alpha/models", nil, listing{})
	add("/v1/models", dialect.GoogleKey, listing{})
	for _, v := range [...]string{"/v1beta1", "/v1", "/vertex/v1beta1", "/vertex/v1"} {
		add(v+"/publishers/google/models", nil, listing{vertex: true})
	}
	return out
}

// EncodeError implements dialect.Server.
func (listing) EncodeError(err error) dialect.Reply { return encodeError(err) }

// EncodeResponse says the list, or the one model that was asked for.
func (l listing) EncodeResponse(p llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	list, alone := dialect.Listed(p, r)
	var w jsonw.Writer
	if alone {
		l.model(&w, list[0])
		return dialect.JSONReply(w.Buf), nil, nil
	}
	w.Open('{')
	if l.vertex {
		w.KeyOpen("publisherModels", '[')
	} else {
		w.KeyOpen("models", '[')
	}
	for _, m := range list {
		l.model(&w, m)
	}
	w.Close(']')
	w.Close('}')
	return dialect.JSONReply(w.Buf), nil, nil
}

func (l listing) model(w *jsonw.Writer, m llm.Model) {
	w.Open('{')
	if l.vertex {
		w.KeyStr("name", "publishers/google/models/"+m.ID)
		w.KeyStr("versionId", "default")
		w.Close('}')
		return
	}
	w.KeyStr("name", "models/"+m.ID)
	w.KeyStr("version", "001")
	w.KeyStr("displayName", m.ID)
	if m.Owner != "" {
		w.KeyStr("description", m.ID+" of "+m.Owner)
	}
	w.KeyOpen("supportedGenerationMethods", '[')
	w.Str("generateContent")
	w.Str("countTokens")
	w.Close(']')
	w.Close('}')
}
