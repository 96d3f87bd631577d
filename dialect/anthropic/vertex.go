package anthropic

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Vertex is Google's Vertex AI: the model and the verb in the address, the version in the body. Betas stay
// in their header; the host refuses a request that names one it does not know.
func Vertex() Host {
	return Host{Version: "vertex-2023-10-16", Stream: true, Betas: []string{
		"advanced-tool-use-*", "claude-code-*", "computer-use-*", "context-1m-*", "context-management-*", "dev-full-thinking-*",
		"effort-*", "fine-grained-tool-streaming-*", "interleaved-thinking-*", "output-128k-*", "search-results-*",
		"structured-outputs-*", "token-efficient-tools-*", "tool-search-tool-*", "web-search-*",
	}}
}

// The verbs of Vertex AI, after the model's name.
const (
	predict       = ":rawPredict"
	predictStream = ":streamRawPredict"
)

// vertexRoutes lists the addresses at which Vertex AI serves the vendor's models. The count of tokens is one
// of the models there, and names its own in the body. A model's name may hold slashes.
func vertexRoutes(d *dialect.Dialect) []dialect.Route {
	whole := &predictor{Codec: d.Codec(llm.OpGenerate), home: d}
	streamed := &predictor{Codec: whole.Codec, home: d, stream: true}
	count := &predictor{Codec: d.Codec(llm.OpCountTokens), home: d}
	var out []dialect.Route
	for _, version := range [...]string{"/v1", "/v1beta1", ""} {
		models := version + "/projects/{project}/locations/{location}/publishers/anthropic/models/"
		out = append(out,
			dialect.Route{Op: llm.OpCountTokens, Method: http.MethodPost, Pattern: models + "count-tokens" + predict, Codec: count},
			dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: models + "{model...}" + predict, Codec: whole},
			dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: models + "{model...}" + predictStream, Codec: streamed},
		)
	}
	return out
}

// predictor reads requests as Vertex AI wants them. What it reads goes on as the vendor wants it.
type predictor struct {
	dialect.Codec // of the operation, as the vendor wants it
	home          *dialect.Dialect
	stream        bool
}

var _ dialect.Carrier = (*predictor)(nil)

// Unpack implements dialect.Carrier. Where no model is in the path there is nothing said of streaming either.
func (p *predictor) Unpack(in dialect.Inbound, b dialect.Bounds) (dialect.Carried, error) {
	model := in.Vars["model"]
	in, err := FromHost(in, model, llm.Opt[bool]{V: p.stream, Set: model != ""}, b)
	return dialect.Carried{In: in, Dialect: p.home, Codec: p.Codec}, err
}

// Peek implements dialect.Server.
func (p *predictor) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	inner, err := p.Unpack(in, b)
	if err != nil {
		return dialect.Head{}, err
	}
	return p.Codec.Peek(inner.In, b)
}

// DecodeRequest implements dialect.Server.
func (p *predictor) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	inner, err := p.Unpack(in, dialect.Bounds{})
	if err != nil {
		return nil, err
	}
	return p.Codec.DecodeRequest(inner.In)
}
