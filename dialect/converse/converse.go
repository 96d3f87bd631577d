// Package converse speaks the Converse API of Amazon Bedrock, in both directions: POST
// /model/{modelId}/converse, /converse-stream, whose answers are AWS event streams, and /count-tokens.
//
// The model is named in the path and not in the body. What the API knows and llm does not (guardrails,
// prompt variables, traces, metrics, tools of the vendor's own) travels in llm.Extra and llm.Opaque, tagged
// with [Name]: it survives within the dialect, and is named as a loss where a call crosses to another.
package converse

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "converse"

// claude is the name of the dialect whose signatures of reasoning Claude's on Bedrock are.
const claude = "anthropic"

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	names := naming()
	return &dialect.Dialect{
		Name:    Name,
		Title:   "Amazon Bedrock Converse",
		Routes:  routes(names),
		Names:   names,
		Headers: namespace(),
		Streams: dialect.EventStream,
		Speaks: func(path string, _ http.Header) bool {
			return strings.HasPrefix(path, "/model/") || strings.HasPrefix(path, "/bedrock/")
		},
	}
}

// routes lists the operations, each also under the whole name of a model (an ARN) whose slashes nobody
// escaped, and below the vendor's name.
func routes(names *dialect.Naming) []dialect.Route {
	var out []dialect.Route
	for _, model := range [...]string{"/model/{modelId}", "/model/{modelId}/{more}", "/model/{modelId}/{more}/{most}", "/bedrock/model/{modelId}"} {
		for _, o := range [...]struct {
			name string
			c    *codec
		}{
			{"converse", &codec{op: llm.OpGenerate, names: names}},
			{"converse-stream", &codec{op: llm.OpGenerate, names: names, stream: true}},
			{"count-tokens", &codec{op: llm.OpCountTokens, names: names}},
		} {
			r := dialect.Route{Op: o.c.op, Method: http.MethodPost, Pattern: model + "/" + o.name, Codec: o.c}
			if strings.Contains(model, "{more}") {
				r.Match = arn
			}
			out = append(out, r)
		}
	}
	return out
}

func arn(r *http.Request) bool { return strings.Contains(r.URL.Path, "/model/arn:") }

func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"x-amzn-bedrock-"},
		Names:    []string{"x-amzn-requestid", "x-amzn-errortype", "retry-after"},
	}
}

// codec speaks one operation of the dialect. Whether an answer is wanted as a stream is said by the path.
type codec struct {
	op     llm.Op
	names  *dialect.Naming
	stream bool
}

var _ dialect.Codec = (*codec)(nil)

// model returns the name that a path gives a model.
func model(in dialect.Inbound) string {
	name := in.Vars["modelId"]
	for _, more := range [...]string{"more", "most"} {
		if v := in.Vars[more]; v != "" {
			name += "/" + v
		}
	}
	return name
}

// Shapes implements dialect.Limited: there are schemas, and no mode of any JSON object.
func (c *codec) Shapes() dialect.Shapes { return dialect.Shapes{Schema: true, Tools: true} }
