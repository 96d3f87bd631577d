package openai

import (
	"net/http"
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// where is how errors of the operations besides chat name this package.
const where = "dialect/openai"

// operation is what the operations besides chat share: a JSON body, one whole answer, and the errors of chat
// completions.
type operation struct {
	dialect.Single
	errors codec
}

func newOperation() operation {
	return operation{Single: dialect.Single{Where: where, Var: deploymentVar, Headers: headers}}
}

// namingOperation is an operation whose requests may name what the vendor keeps.
func namingOperation() operation {
	return operation{Single: dialect.Single{Where: where, Var: deploymentVar, Headers: headers, Names: naming()}}
}

// EncodeError implements dialect.Server.
func (o *operation) EncodeError(err error) dialect.Reply { return o.errors.EncodeError(err) }

// DecodeError implements dialect.Client.
func (o *operation) DecodeError(r dialect.Reply) *llm.Error { return o.errors.DecodeError(r) }

// postRoutes mounts an operation wherever chat completions are mounted.
func postRoutes(op llm.Op, path string, c dialect.Codec) []dialect.Route {
	var out []dialect.Route
	for _, at := range [...]string{"/v1/", "/openai/v1/", "/openai/deployments/{" + deploymentVar + "...}/", "/", "/models/"} {
		out = append(out, dialect.Route{Op: op, Method: http.MethodPost, Pattern: at + path, Codec: c})
	}
	return out
}

// operationRoutes are those of the operations besides chat.
func operationRoutes() []dialect.Route {
	return slices.Concat(embedRoutes(), rerankRoutes(), speakRoutes(), transcribeRoutes(), drawRoutes(), moderateRoutes())
}
