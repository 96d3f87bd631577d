package dialect

import (
	"errors"
	"net/http"

	"github.com/plenum-foundry/plenum/llm"
)

// Own is the codec of operations that Plenum answers out of what it keeps for its callers: files, batches.
// The answer is made where the thing is kept; the dialect says the errors.
type Own struct {
	Local
	What   llm.Op
	Errors func(error) Reply
	// Words is whose words the operation is spoken of in, where a dialect's callers have several: "mistral".
	Words string
}

var _ Codec = Own{}

// Peek reads nothing: the body may be large, and is read as it comes.
func (Own) Peek(Inbound, Bounds) (Head, error) { return Head{}, nil }

// DecodeRequest returns a *llm.OnOwn.
func (o Own) DecodeRequest(Inbound) (llm.Payload, error) { return &llm.OnOwn{What: o.What}, nil }

// EncodeResponse refuses: the answer is there as bytes already.
func (Own) EncodeResponse(llm.Payload, llm.Result, Meta) (Reply, []Loss, error) {
	return Reply{}, nil, &llm.Error{Kind: llm.Internal, Op: "dialect.Own", Message: "internal error", Err: errors.New("an answer without bytes")}
}

// EncodeError implements Server.
func (o Own) EncodeError(err error) Reply { return o.Errors(err) }

// NewEncoder returns nil: the answer is there as bytes already.
func (Own) NewEncoder(llm.Payload, Meta) Encoder { return nil }

// OwnRoutes are the routes of operations that Plenum answers itself, in the words of one dialect.
type OwnRoutes struct {
	Errors func(error) Reply
	Match  func(*http.Request) bool
	Words  string
	routes []Route
}

// Add adds a route.
func (o *OwnRoutes) Add(op llm.Op, method, pattern string) {
	o.routes = append(o.routes, Route{Op: op, Method: method, Pattern: pattern, Match: o.Match, Codec: Own{What: op, Errors: o.Errors, Words: o.Words}})
}

// Files adds the operations on files under a path.
func (o *OwnRoutes) Files(path string) {
	o.Add(llm.OpFileCreate, http.MethodPost, path)
	o.Add(llm.OpFileList, http.MethodGet, path)
	o.Add(llm.OpFileGet, http.MethodGet, path+"/{id}")
	o.Add(llm.OpFileContent, http.MethodGet, path+"/{id}/content")
	o.Add(llm.OpFileDelete, http.MethodDelete, path+"/{id}")
}

// Batches adds the operations on batches under a path.
func (o *OwnRoutes) Batches(path string) {
	o.Add(llm.OpBatchCreate, http.MethodPost, path)
	o.Add(llm.OpBatchList, http.MethodGet, path)
	o.Add(llm.OpBatchGet, http.MethodGet, path+"/{id}")
	o.Add(llm.OpBatchCancel, http.MethodPost, path+"/{id}/cancel")
}

// All returns the routes.
func (o *OwnRoutes) All() []Route { return o.routes }
