package dialect

import (
	"fmt"
	"iter"
	"net/http"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// Single is what codecs have in common whose requests are a JSON object that names the model at its top and
// whose answers come whole: those of embeddings, rerank and the like. They embed it.
type Single struct {
	Where string // for errors: "dialect/openai"
	// Vars names the variable of the route that names the model, where one does. It wins.
	Var string
	// Key is the member that names the model; "" is "model".
	Key string
	// Names says what requests name that the vendor keeps; nil is nothing.
	Names *Naming
	// Headers returns what is said to the upstream of a caller's headers; nil says nothing.
	Headers func(http.Header) http.Header
}

// singleSpans is where Peek found the model.
type singleSpans struct {
	object splice.Object
	model  splice.Member
	names  Names
}

func (s Single) key() string {
	if s.Key == "" {
		return "model"
	}
	return s.Key
}

func (s Single) scan(body []byte, depth int) (singleSpans, error) {
	var found [1]splice.Member
	o, names, err := s.Names.Scan(body, depth, []string{s.key()}, found[:])
	if err != nil {
		return singleSpans{}, NotJSON(s.Where, err)
	}
	return singleSpans{o, found[0], names}, nil
}

// Peek implements Server.
func (s Single) Peek(in Inbound, b Bounds) (Head, error) {
	at, err := s.scan(in.Body, b.MaxDepth)
	if err != nil {
		return Head{}, err
	}
	name, ok := at.model.Value.String(in.Body)
	if v := in.Vars[s.Var]; s.Var != "" && v != "" {
		name, ok = v, true
	}
	if !ok || name == "" {
		return Head{}, s.NoModel()
	}
	return Head{Model: name, Names: at.names, State: at}, nil
}

// NoModel is the error of a request that does not name its model.
func (s Single) NoModel() error {
	return &llm.Error{Kind: llm.Invalid, Op: s.Where, Param: s.key(), Message: s.key() + ": must be the name of a model"}
}

// EditRequest implements Client: the caller's bytes, with the upstream's model and without the parameters
// that the host refuses.
func (s Single) EditRequest(in Inbound, h Head, shape Shape) (Outbound, error) {
	at, ok := h.State.(singleSpans)
	if !ok {
		var err error
		if at, err = s.scan(in.Body, splice.MaxDepth); err != nil {
			return Outbound{}, err
		}
	}
	ed := splice.NewEdit(in.Body)
	switch name := shape.Upstream(""); {
	case name == "" || at.model.Found() && at.model.Value.Equal(in.Body, name):
	case at.model.Found():
		ed.SetString(at.model.Value, name)
	default:
		ed.Insert(at.object.Span, s.key(), splice.Quote(nil, name))
	}
	body, err := ed.Bytes()
	if err != nil {
		return Outbound{}, InternalFault(s.Where, err)
	}
	body, changed, err := WithoutRefused(s.Where, body, shape)
	out := Outbound{Body: body, Changed: changed}
	if s.Headers != nil {
		out.Header = s.Headers(in.Header)
	}
	return out, err
}

// NewEncoder returns nil: the answer is never streamed.
func (Single) NewEncoder(llm.Payload, Meta) Encoder { return nil }

// DecodeStream yields an error: the answer is never streamed.
func (s Single) DecodeStream(iter.Seq2[Frame, error], Want) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		yield(Chunk{}, BadUpstream(s.Where, nil, "the upstream answered with a stream that was not asked for"))
	}
}

// Redact returns the chunk: there is no text in such an answer.
func (Single) Redact(ch Chunk, edits []TextEdit) (Chunk, error) {
	if len(edits) > 0 {
		return ch, redactError("the answer has no text to be redacted")
	}
	return ch, nil
}

// Beyond is the error of a request that the target's API cannot carry at all, which another target may. Param
// is the place in the caller's words, or "".
func Beyond(where, param, msg string) error {
	return &llm.Error{Kind: llm.Invalid, Op: where, Param: param, Message: msg, Elsewhere: true}
}

// NotThis is the error of a payload that a codec was given and does not speak: a fault of ours.
func NotThis(where string, p any) error {
	return InternalFault(where, fmt.Errorf("a codec was given a %T", p))
}
