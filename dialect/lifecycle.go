package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// Lifecycle is the codec of operations on what an upstream keeps (vector stores, fine-tunes): it reads nothing
// but the model, if one is named, and the bytes pass.
type Lifecycle struct {
	Local
	Errors func(error) Reply
	// Resource is what the route is about: "vector_stores". The variable "id" of the route names one.
	Resource string
	// Beside is the path of the dialect's answers (OpGenerate) below the same base as these: "/chat/completions".
	Beside string
	// Under is where the resource is below that base: "/vector_stores".
	Under string
	// Made is the member of an answer that names what was made; "" is "id".
	Made string
	// Once says that a model answers and that nothing is made: the model that the request names is a deployment, and is
	// said to the upstream as it is called there.
	Once bool
	// Verb is said after a model's name in place of that of the dialect's answers, for what a model makes that is
	// kept: the variable "model" of the route is a deployment. Under is "" then.
	Verb string
	// ID returns the id by which a thing is known, of how the path names it: "files/abc" of "abc:download". Nil: as it is.
	ID func(segment string) string
	// Named returns the id that a text in a JSON body names, or "". Nil: what has the form of an id.
	Named func(text string) string
	// Told returns the ids of what an answer tells that was made, with what they are. Nil: see Made.
	Told func(body []byte) map[string]string
	// List is the member of an answer that lists what there is; "" is "data".
	List string
	// Rename puts the model as the upstream at an address calls it into a body. Nil: see Once.
	Rename func(body []byte, address string) ([]byte, error)
	// Upload says that bodies are files, or what is said of one before it comes.
	Upload *Upload
}

// Upload is how a file is sent in pieces: the answer to the first call names, in a header, an address for the rest,
// which names the upload in its query.
type Upload struct{ Header, Query string }

// Session returns the id of the upload that a query goes on with, or "". What the vendor calls it opens it to whoever
// knows it, so that it is kept as a sum.
func (u *Upload) Session(query url.Values) string {
	name := query.Get(u.Query)
	if name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(name))
	return "uploads/" + hex.EncodeToString(sum[:])
}

var _ Codec = Lifecycle{}

// Peek reads the model that a JSON body names, if it does, or the path.
func (l Lifecycle) Peek(in Inbound, _ Bounds) (Head, error) {
	if l.Verb != "" || l.Upload != nil {
		return Head{Model: strings.TrimPrefix(in.Vars["model"], "models/")}, nil
	}
	media, _, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	if err == nil && media == "multipart/form-data" {
		f, err := form.Parse(in.Body, in.Header.Get("Content-Type"))
		if err != nil {
			return Head{}, &llm.Error{Kind: llm.Invalid, Op: "dialect.Lifecycle", Message: "the form cannot be read: send multipart/form-data as its boundary says", Err: err}
		}
		model, _ := f.Value("model")
		return Head{Model: model}, nil
	}
	if len(in.Body) == 0 || err != nil || media != "application/json" {
		return Head{}, nil
	}
	var b struct {
		Model any `json:"model"`
	}
	if err := json.Unmarshal(in.Body, &b); err != nil {
		return Head{}, &llm.Error{Kind: llm.Invalid, Op: "dialect.Lifecycle", Message: "the body is not a JSON object", Err: err}
	}
	model, _ := b.Model.(string)
	if l.Rename != nil {
		if at := strings.LastIndex(model, "models/"); at >= 0 {
			model = model[at+len("models/"):]
		}
	}
	return Head{Model: model}, nil
}

// Body returns the body of a request with the model as the upstream at an address calls it, where a model answers; else
// as it is.
func (l Lifecycle) Body(in Inbound, model, address string) ([]byte, error) {
	if l.Rename != nil && len(in.Body) > 0 && l.Upload == nil {
		return l.Rename(in.Body, address)
	}
	if !l.Once || model == "" || len(in.Body) == 0 {
		return in.Body, nil
	}
	if media := in.Header.Get("Content-Type"); strings.HasPrefix(strings.ToLower(media), "multipart/") {
		f, err := form.Parse(in.Body, media)
		if err != nil {
			return nil, err
		}
		if said, ok := f.Value("model"); !ok || said == model {
			return in.Body, nil
		}
		return f.Apply(bufs.Get(len(in.Body)+len(model)+256), form.Edit{Set: map[string]string{"model": model}}), nil
	}
	var found [1]splice.Member
	if _, err := splice.Scan(in.Body, splice.MaxDepth, []string{"model"}, found[:]); err != nil {
		return nil, err
	}
	if at := found[0].Value; at.Found() && !at.Equal(in.Body, model) {
		ed := splice.NewEdit(in.Body)
		ed.SetString(at, model)
		return ed.Bytes()
	}
	return in.Body, nil
}

// DecodeRequest returns a *llm.Lifecycle.
func (Lifecycle) DecodeRequest(Inbound) (llm.Payload, error) { return &llm.Lifecycle{}, nil }

// EncodeResponse refuses: such an answer is never said in other words.
func (Lifecycle) EncodeResponse(llm.Payload, llm.Result, Meta) (Reply, []Loss, error) {
	return Reply{}, nil, &llm.Error{Kind: llm.Internal, Op: "dialect.Lifecycle", Message: "internal error", Err: errors.New("an answer without bytes")}
}

// EncodeError implements Server.
func (l Lifecycle) EncodeError(err error) Reply { return l.Errors(err) }

// NewEncoder returns nil: such an answer is never said in other words.
func (Lifecycle) NewEncoder(llm.Payload, Meta) Encoder { return nil }

// LifecycleRoutes returns the routes of resources: one is made and listed at its path, and whatever is below the
// id of one passes as well. Base is what stands before the path: "/v1".
func LifecycleRoutes(base string, match func(*http.Request) bool, codec Lifecycle, resources ...string) []Route {
	var out []Route
	add := func(c Lifecycle, pattern string, methods ...string) {
		for _, m := range methods {
			out = append(out, Route{Op: llm.OpLifecycle, Method: m, Pattern: pattern, Match: match, Codec: c})
		}
	}
	for _, r := range resources {
		c := codec
		c.Resource, c.Under = r, "/"+r
		add(c, base+c.Under, http.MethodPost, http.MethodGet)
		all := []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodPatch, http.MethodPut}
		add(c, base+c.Under+"/{id}", all...)
		add(c, base+c.Under+"/{id}/{rest...}", all...)
	}
	return slices.Clip(out)
}

// OnceRoutes returns the routes of operations that a model answers and of which nothing is kept, each at its path below
// the base.
func OnceRoutes(base string, match func(*http.Request) bool, codec Lifecycle, paths ...string) []Route {
	var out []Route
	for _, p := range paths {
		c := codec
		c.Resource, c.Under, c.Once = p, "/"+p, true
		out = append(out, Route{Op: llm.OpLifecycle, Method: http.MethodPost, Pattern: base + c.Under, Match: match, Codec: c})
	}
	return out
}

// Always returns the routes with a Match that holds everywhere.
func Always(routes []Route) []Route {
	for i := range routes {
		routes[i].Always = true
	}
	return routes
}
