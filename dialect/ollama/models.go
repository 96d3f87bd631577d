package ollama

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// apiVersion is the version of Ollama whose API is spoken here. Clients look at it to know what there is.
const apiVersion = "0.13.0"

// listing speaks one of the lists that clients look at. They are about models, of which Plenum knows its
// deployments; what is about files on a disk is empty.
type listing struct {
	dialect.Listing
	errors codec
	write  func(w *jsonw.Writer, list []llm.Model, now int64)
	body   bool // the model is named in the body
}

var _ dialect.Codec = (*listing)(nil)

func listRoutes() []dialect.Route {
	route := func(method, pattern string, l *listing) dialect.Route {
		l.errors = codec{name: Name}
		return dialect.Route{Op: llm.OpModels, Method: method, Pattern: pattern, Codec: l}
	}
	return []dialect.Route{
		route(http.MethodGet, "/api/tags", &listing{write: writeTags}),
		route(http.MethodPost, "/api/show", &listing{write: writeShow, body: true}),
		route(http.MethodGet, "/api/ps", &listing{write: writeRunning}),
		route(http.MethodGet, "/api/version", &listing{write: writeVersion}),
	}
}

// Peek reads the model of a request that names one.
func (l *listing) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	if !l.body {
		return l.Listing.Peek(in, b)
	}
	model := named(in.Body)
	if model == "" {
		return dialect.Head{}, l.errors.invalid(wire.Bad("model", "the name of a model"))
	}
	return dialect.Head{Model: model}, nil
}

// DecodeRequest returns a *llm.ListModels.
func (l *listing) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	if !l.body {
		return &llm.ListModels{}, nil
	}
	return &llm.ListModels{ID: named(in.Body)}, nil
}

// named returns the model that a body names, by the newer or the older key.
func named(body []byte) string {
	v := wire.Whole(body)
	if s := v.Get("model").Text(); s != "" {
		return s
	}
	return v.Get("name").Text()
}

// EncodeError implements dialect.Server.
func (l *listing) EncodeError(err error) dialect.Reply { return l.errors.EncodeError(err) }

// EncodeResponse says the list.
func (l *listing) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	var w jsonw.Writer
	list, _ := dialect.Listed(p, r)
	w.Open('{')
	l.write(&w, list, m.Now)
	w.Close('}')
	return dialect.JSONReply(w.Buf), nil, nil
}

func writeTags(w *jsonw.Writer, list []llm.Model, now int64) {
	w.KeyOpen("models", '[')
	for _, m := range list {
		w.Open('{')
		w.KeyStr("name", m.ID)
		w.KeyStr("model", m.ID)
		w.KeyStr("modified_at", modified(m, now))
		w.KeyInt("size", 0)
		// Clients tell versions of a model apart by its digest, and show the first letters of it.
		sum := sha256.Sum256([]byte(m.ID))
		w.KeyStr("digest", hex.EncodeToString(sum[:]))
		writeDetails(w, m)
		w.Close('}')
	}
	w.Close(']')
}

// writeRunning says that no model is held in memory here.
func writeRunning(w *jsonw.Writer, _ []llm.Model, _ int64) {
	w.KeyOpen("models", '[')
	w.Close(']')
}

func writeVersion(w *jsonw.Writer, _ []llm.Model, _ int64) { w.KeyStr("version", apiVersion) }

func writeShow(w *jsonw.Writer, list []llm.Model, now int64) {
	var m llm.Model
	if len(list) > 0 {
		m = list[0]
	}
	for _, key := range [...]string{"modelfile", "parameters", "template"} {
		w.KeyStr(key, "")
	}
	writeDetails(w, m)
	w.KeyOpen("model_info", '{')
	w.KeyStr("general.architecture", "plenum")
	w.KeyStr("general.basename", m.ID)
	w.Close('}')
	w.KeyOpen("capabilities", '[')
	w.Str("completion")
	w.Str("tools")
	w.Close(']')
	w.KeyStr("modified_at", modified(m, now))
}

func writeDetails(w *jsonw.Writer, m llm.Model) {
	w.KeyOpen("details", '{')
	w.KeyStr("parent_model", "")
	w.KeyStr("format", "")
	w.KeyStr("family", m.Owner)
	w.KeyOpen("families", '[')
	if m.Owner != "" {
		w.Str(m.Owner)
	}
	w.Close(']')
	w.KeyStr("parameter_size", "")
	w.KeyStr("quantization_level", "")
	w.Close('}')
}

func modified(m llm.Model, now int64) string {
	created := m.Created
	if created == 0 {
		created = now
	}
	return time.Unix(created, 0).UTC().Format(time.RFC3339)
}
