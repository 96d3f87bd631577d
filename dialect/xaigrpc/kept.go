package xaigrpc

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// The paths of the calls for answers that are made later, or kept.
const (
	pathDefer    = "/xai_api.Chat/StartDeferredCompletion"
	pathDeferred = "/xai_api.Chat/GetDeferredCompletion"
	pathStored   = "/xai_api.Chat/GetStoredCompletion"
	pathDrop     = "/xai_api.Chat/DeleteStoredCompletion"
)

// keptRoutes are the calls for answers that are made later, or kept.
func keptRoutes() []dialect.Route {
	return []dialect.Route{
		route(llm.OpGenerate, pathDefer, &deferred{&codec{}}),
		route(llm.OpKept, pathDeferred, &kept{&codec{}}),
		route(llm.OpKept, pathStored, &kept{&codec{}}),
		route(llm.OpKept, pathDrop, &kept{&codec{}}),
	}
}

// The numbers of DeferredStatus.
const (
	deferredDone    = 1
	deferredPending = 3
	deferredFailed  = 4
)

// The numbers of fields of an answer that is made later: of GetDeferredCompletionResponse, and of what is kept here
// of one that has failed.
const (
	deferredAnswer = 1
	deferredStatus = 2
	failedWith     = 1000
	failedKind     = 1001
)

// deferred asks for an answer that is made later.
type deferred struct{ *codec }

var (
	_ dialect.Keeper = (*codec)(nil)
	_ dialect.Keeper = (*deferred)(nil)
	_ dialect.Keeper = (*kept)(nil)
)

// Refers implements dialect.Keeper. Such an answer is kept whether it is to be stored or not, for it is asked for.
func (d *deferred) Refers(in dialect.Inbound, h dialect.Head) (dialect.Reference, error) {
	r, err := d.codec.Refers(in, h)
	r.Background, r.Later, r.Unstored = true, true, false
	return r, err
}

// kept speaks of answers that are kept.
type kept struct{ *codec }

// Peek implements dialect.Server: there is no model in such a request.
func (*kept) Peek(dialect.Inbound, dialect.Bounds) (dialect.Head, error) { return dialect.Head{}, nil }

// DecodeRequest refuses: nothing of such a request is for a model.
func (*kept) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	return nil, &llm.Error{Kind: llm.NotFound, Op: "dialect/xaigrpc", Message: "there is no answer at " + in.Path}
}

// Refers implements dialect.Keeper.
func (c *codec) Refers(in dialect.Inbound, _ dialect.Head) (dialect.Reference, error) {
	r := dialect.Reference{Unstored: true}
	err := fields(in.Body, func(f field) (err error) {
		switch f.tag {
		case 22<<3 | chars:
			r.Previous, err = f.text()
			return under(err, "previous_response_id")
		case 23<<3 | varint:
			r.Unstored = f.val == 0
		}
		return nil
	})
	if err != nil {
		return r, invalid(err)
	}
	return r, nil
}

// Recall implements dialect.Keeper.
func (c *codec) Recall(in dialect.Inbound, _ dialect.Head, r dialect.Recalled) ([]byte, error) {
	out := message{make([]byte, 0, len(in.Body)+64)}
	for _, it := range r.Before {
		out.whole(1, unsaid(it.JSON))
	}
	err := fields(in.Body, func(f field) error {
		if f.num != 22 && (f.num != 23 || !r.Unstored) {
			out.b = append(out.b, f.raw...)
		}
		return nil
	})
	if err != nil {
		return nil, invalid(err)
	}
	return out.b, nil
}

// Items implements dialect.Keeper: an item is a Message, in base64.
func (c *codec) Items(body []byte, callID string) ([]dialect.Item, error) {
	var out []dialect.Item
	err := fields(body, func(f field) error {
		if f.tag == 1<<3|chars {
			out = append(out, dialect.Item{ID: "msg_" + callID + "_in" + strconv.Itoa(len(out)), JSON: said(f.data)})
		}
		return nil
	})
	if err != nil {
		return nil, invalid(err)
	}
	return out, nil
}

// Sums implements dialect.Keeper: no piece of a stream has the whole answer.
func (c *codec) Sums(string) bool { return false }

// Said implements dialect.Keeper.
func (c *codec) Said(answer []byte) (dialect.Said, bool) {
	s := dialect.Said{Status: dialect.StateCompleted, Answer: answer}
	var outputs []output
	err := fields(answer, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			s.ID = string(f.data)
		case 2<<3 | chars:
			var o output
			outputs = append(outputs, o)
			return wholeShape().read(f.data, &outputs[len(outputs)-1])
		}
		return nil
	})
	if err != nil || s.ID == "" || len(outputs) == 0 {
		return dialect.Said{}, false
	}
	for i := range outputs {
		o := &outputs[i]
		if o.finish == reasonLength {
			s.Status = dialect.StateIncomplete
		}
		if o.index != outputs[0].index && !outputs[0].hosted() {
			continue // another choice: what is gone on from is the first
		}
		s.Items = append(s.Items, dialect.Item{ID: "msg_" + s.ID + "_" + strconv.Itoa(i), JSON: said(o.asMessage())})
	}
	return s, true
}

// asMessage returns what was said as a Message of a request.
func (o *output) asMessage() []byte {
	var m message
	if o.content != "" {
		m.sub(1, func(m *message) { m.text(1, o.content) })
	}
	m.int(2, max(o.role, roleAssistant))
	for _, call := range o.calls {
		m.whole(4, call)
	}
	m.text(5, o.thought)
	m.text(6, o.encrypted)
	return m.b
}

// State implements dialect.Keeper.
func (c *codec) State(_ llm.Payload, _ dialect.Meta, status string, failure error) []byte {
	var m message
	switch status {
	case dialect.StateQueued, dialect.StateInProgress:
		m.num(deferredStatus, deferredPending)
	default:
		m.num(deferredStatus, deferredFailed)
		e := llm.AsError(failure)
		if failure == nil {
			e = &llm.Error{Kind: llm.Canceled, Message: "it was cancelled"}
		}
		m.text(failedWith, e.Message)
		m.text(failedKind, string(e.Kind))
	}
	return m.b
}

// Asks implements dialect.Keeper.
func (c *codec) Asks(in dialect.Inbound) (dialect.Asking, error) {
	a := dialect.Asking{Ask: dialect.AskAnswer, From: -1, Item: in.Path}
	if in.Path == pathDrop {
		a.Ask = dialect.AskDelete
	}
	param := "response_id"
	if in.Path == pathDeferred {
		param = "request_id"
	}
	err := fields(in.Body, func(f field) (err error) {
		if f.tag == 1<<3|chars {
			a.ID, err = f.text()
		}
		return under(err, param)
	})
	if err == nil && a.ID == "" {
		err = fault(param, "is missing")
	}
	if err != nil {
		return a, invalid(err)
	}
	return a, nil
}

// Show implements dialect.Keeper.
func (c *codec) Show(a dialect.Asking, status string, answer []byte) ([]byte, error) {
	var m message
	switch {
	case a.Ask == dialect.AskQueued:
		m.text(1, a.ID)
	case status == dialect.StateQueued || status == dialect.StateInProgress:
		if a.Item != pathDeferred {
			return nil, &llm.Error{Kind: llm.Invalid, Op: "dialect/xaigrpc", Param: "response_id", Message: "this answer is still being made; ask for it with GetDeferredCompletion"}
		}
		m.num(deferredStatus, deferredPending)
	case status == dialect.StateFailed || status == dialect.StateCancelled:
		return nil, failureIn(answer)
	case a.Item == pathDeferred:
		m.whole(deferredAnswer, answer)
		m.num(deferredStatus, deferredDone)
	default:
		return answer, nil
	}
	return m.b, nil
}

// failureIn returns why an answer that was made later has failed. It is told as the error that the call would have
// had: FAILED, which has no room for it, the SDKs take for a status that they do not know.
func failureIn(answer []byte) error {
	e := &llm.Error{Kind: llm.Unavailable, Op: "dialect/xaigrpc", Message: "the gateway was stopped before this answer was made; ask again"}
	_ = fields(answer, func(f field) error {
		switch f.tag {
		case failedWith<<3 | chars:
			e.Message = string(f.data)
		case failedKind<<3 | chars:
			e.Kind = llm.Kind(f.data)
		}
		return nil
	})
	return e
}

// Tell implements dialect.Keeper.
func (c *codec) Tell(a dialect.Asking, _ dialect.Told) []byte {
	var m message
	m.text(1, a.ID)
	return m.b
}

// answerID returns the id that an answer goes by: one that Plenum keeps has an id of its own.
func answerID(id string, meta dialect.Meta) string {
	switch {
	case meta.Kept != nil:
		return "resp_" + meta.CallID
	case id != "":
		return id
	}
	return meta.CallID
}

// Depends implements dialect.Dependent: what a request refers to must be with the upstream that keeps it.
func (c *codec) Depends(p llm.Payload) error {
	r := dialect.RequestOf(p)
	if r == nil || r.Extra.Dialect != Name {
		return nil
	}
	if _, ok := r.Extra.Get("previous_response_id"); !ok {
		return nil
	}
	return &llm.Error{
		Kind: llm.NotFound, Op: "dialect/xaigrpc", Param: "previous_response_id", Code: "previous_response_not_found",
		Message: "the answer that this goes on from cannot be found: the model that this call goes to keeps none for Plenum, and Plenum keeps none; send the whole conversation",
	}
}

// elsewhereRoutes are the calls that xAI has and Plenum serves otherwise, or not: they say so.
func elsewhereRoutes() []dialect.Route {
	var out []dialect.Route
	for path, instead := range elsewhere() {
		if strings.HasSuffix(path, "/") {
			path += "{method}"
		}
		out = append(out, route(llm.OpKept, path, &unserved{&codec{}, instead}))
	}
	return out
}

// elsewhere says what to use in the place of a call, or of all calls of a service.
func elsewhere() map[string]string {
	return map[string]string{
		"/xai_api.Chat/CompactContext": "a conversation is made shorter over REST: POST /v1/responses/compact, on models whose host has it",
		"/xai_api.BatchMgmt/":          "batches run here over REST: POST /v1/batches, on any model",
		"/xai_api.Files/":              "files are kept here over REST: POST /v1/files",
		"/xai_api.Video/":              "videos are not made here; ask xAI itself",
		"/xai_api.Documents/":          "collections are searched by a model, with the tool collections_search",
		"/collections.Collections/":    "collections are kept by xAI; ask its management API itself",
		"/prod_mc_billing.UISvc/":      "what was spent is told by Plenum's own management API",
		"/xai_api.Sample/":             "text is completed here over REST: POST /v1/completions",
		"/xai_api.Tokenize/":           "tokens are counted here over REST, without their ids: POST /v1/messages/count_tokens, /v1/responses/input_tokens or /v1beta/models/{model}:countTokens",
	}
}

// unserved refuses calls, and says what to use in their place.
type unserved struct {
	*codec
	instead string
}

var _ dialect.Refuser = (*unserved)(nil)

// Peek implements dialect.Server.
func (*unserved) Peek(dialect.Inbound, dialect.Bounds) (dialect.Head, error) {
	return dialect.Head{}, nil
}

// Refuse implements dialect.Refuser.
func (u *unserved) Refuse(in dialect.Inbound) error {
	return &llm.Error{Kind: llm.Unsupported, Op: "dialect/xaigrpc", Message: in.Path + " is not served by gRPC: " + u.instead}
}
