package dialect

import (
	"errors"
	"iter"
	"net/http"

	"github.com/plenum-foundry/plenum/llm"
)

// Local is the half of a codec that faces upstreams, for operations that Plenum answers itself: it
// reaches none.
type Local struct{}

// errLocal is what a call of Local's methods ends with; only a fault of ours leads there.
var errLocal = errors.New("this operation is answered here and has no upstream")

func localError() *llm.Error {
	return &llm.Error{Kind: llm.Internal, Op: "dialect.Local", Message: "internal error", Err: errLocal}
}

// EncodeRequest refuses.
func (Local) EncodeRequest(llm.Payload, Shape) (Outbound, []Loss, error) {
	return Outbound{}, nil, localError()
}

// EditRequest refuses.
func (Local) EditRequest(Inbound, Head, Shape) (Outbound, error) { return Outbound{}, localError() }

// DecodeResponse refuses.
func (Local) DecodeResponse(Reply) (llm.Result, error) { return nil, localError() }

// Gist returns nothing.
func (Local) Gist([]byte) Gist { return Gist{} }

// DecodeStream yields an error.
func (Local) DecodeStream(iter.Seq2[Frame, error], Want) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) { yield(Chunk{}, localError()) }
}

// DecodeError returns an error of ours.
func (Local) DecodeError(Reply) *llm.Error { return localError() }

// Redact refuses.
func (Local) Redact(Chunk, []TextEdit) (Chunk, error) { return Chunk{}, localError() }

// Listing reads a request for the list of models, or for one of them: there is no body, and the route's
// variable "model" names the one.
type Listing struct{ Local }

// Peek reads nothing.
func (Listing) Peek(in Inbound, _ Bounds) (Head, error) { return Head{Model: in.Vars["model"]}, nil }

// DecodeRequest returns a *llm.ListModels.
func (Listing) DecodeRequest(in Inbound) (llm.Payload, error) {
	return &llm.ListModels{ID: in.Vars["model"]}, nil
}

// NewEncoder returns nil: a list is never streamed.
func (Listing) NewEncoder(llm.Payload, Meta) Encoder { return nil }

// Listed returns the models that a list is to say, and whether it is one alone that was asked for and found.
func Listed(p llm.Payload, r llm.Result) (models []llm.Model, alone bool) {
	list, _ := r.(*llm.ModelList)
	if list == nil {
		return nil, false
	}
	one, _ := p.(*llm.ListModels)
	return list.Models, one != nil && one.ID != "" && len(list.Models) == 1
}

// GoogleKey reports whether a caller sends its key as Google's SDKs do. Several dialects list models at the
// same path, and this tells whose caller it is.
func GoogleKey(r *http.Request) bool {
	return r.Header.Get("X-Goog-Api-Key") != "" || r.URL.Query().Has("key")
}
