package dialect

import (
	"math"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// PeekModel reads the name of the model, which there must be.
func PeekModel(op string, body []byte, at splice.Span) (string, error) {
	name, ok := at.String(body)
	if !ok || name == "" {
		return "", Invalid(op, wire.Bad("model", "the name of a model"))
	}
	return name, nil
}

// PeekStream reads whether a stream is wanted; or is what holds where the caller does not say.
func PeekStream(op string, body []byte, at splice.Span, or bool) (bool, error) {
	if !at.Found() || at.IsNull(body) {
		return or, nil
	}
	yes, ok := at.Bool(body)
	if !ok {
		return false, Invalid(op, wire.Bad("stream", "true or false"))
	}
	return yes, nil
}

// PeekCap reads the caller's cap on output, by the path that it stands at.
func PeekCap(op string, body []byte, at splice.Span, path string) (llm.Opt[int], error) {
	if !at.Found() || at.IsNull(body) {
		return llm.Opt[int]{}, nil
	}
	n, ok := at.Int(body)
	if !ok || n < 0 || n > math.MaxInt32 {
		return llm.Opt[int]{}, Invalid(op, wire.Bad(path, "a whole number"))
	}
	return llm.Some(int(n)), nil
}
