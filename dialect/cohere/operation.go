package cohere

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// operation is what the operations besides chat share: a JSON body, one whole answer, and the errors of chat.
type operation struct {
	dialect.Single
	errors codec
}

func newOperation() operation {
	return operation{Single: dialect.Single{Where: op, Headers: headers}}
}

// EncodeError implements dialect.Server.
func (o *operation) EncodeError(err error) dialect.Reply { return o.errors.EncodeError(err) }

// DecodeError implements dialect.Client.
func (o *operation) DecodeError(r dialect.Reply) *llm.Error { return o.errors.DecodeError(r) }

// operationRoutes are those of the operations besides chat.
func operationRoutes() []dialect.Route {
	return slices.Concat(embedRoutes(), rerankRoutes(), onceRoutes(), modelRoutes())
}

// onceRoutes are those of what a model of the vendor does and nobody translates.
func onceRoutes() []dialect.Route {
	c := dialect.Lifecycle{Errors: (&codec{}).EncodeError, Beside: "/v2/chat"}
	return dialect.OnceRoutes("/cohere", nil, c, "v1/tokenize", "v1/detokenize", "v1/classify", "v1/summarize", "v2/audio/transcriptions")
}
