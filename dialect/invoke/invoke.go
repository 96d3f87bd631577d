// Package invoke speaks InvokeModel of Amazon Bedrock: POST /model/{modelId}/invoke and
// /invoke-with-response-stream, whose bodies are the languages of the models' own vendors.
//
// It is a shell, not a language. As a server it tells by the body which language a request is in, and hands
// it on as a call of that: a body with anthropic_version is Anthropic's, one with schemaVersion is Converse
// as Nova has it, one with messages is a chat completion. The few that nothing else here speaks (prompts of
// Llama, Mistral, DeepSeek and older Claude, Titan's text, Cohere's chat) it reads itself. As a client it reaches Claude: [Claude] is
// Anthropic's dialect in Bedrock's shell, so that the bytes of a Messages client pass.
//
// Streams are AWS event streams whose messages hold the events of the language, each in base64.
package invoke

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "invoke"

const op = "dialect/invoke"

// Dialect returns the dialect. Every call returns a new one. It must stand before Converse in a list of
// dialects: counting tokens is asked for at one address, for either.
func Dialect() *dialect.Dialect {
	return &dialect.Dialect{
		Name:    Name,
		Title:   "Amazon Bedrock InvokeModel",
		Routes:  routes(),
		Headers: namespace(),
		Streams: dialect.EventStream,
	}
}

// routes lists the operations, each also under the whole name of a model (an ARN) whose slashes nobody
// escaped, and below the vendor's name.
func routes() []dialect.Route {
	l := newLanguages()
	var out []dialect.Route
	for _, model := range [...]string{"/model/{modelId}", "/model/{modelId}/{more}", "/model/{modelId}/{more}/{most}", "/bedrock/model/{modelId}"} {
		for _, o := range [...]struct {
			name string
			c    *codec
		}{
			{"invoke", &codec{languages: l}},
			{"invoke-with-response-stream", &codec{languages: l, stream: true}},
			{"count-tokens", &codec{languages: l, count: true}},
		} {
			r := dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: model + "/" + o.name, Codec: o.c}
			if o.c.count {
				r.Op = llm.OpCountTokens
			}
			arn := strings.Contains(model, "{more}")
			r.Match = func(r *http.Request) bool { return generates(r, arn) }
			out = append(out, r)
		}
	}
	return out
}

// generates reports whether a request is for a model that answers in words: models whose names say that
// they embed or rank are invoked at the same address.
func generates(r *http.Request, arn bool) bool {
	path := strings.ToLower(r.URL.Path)
	return !strings.Contains(path, "embed") && !strings.Contains(path, "rerank") && (!arn || strings.Contains(path, "/model/arn:"))
}

func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"x-amzn-bedrock-"},
		Names:    []string{"x-amzn-requestid", "x-amzn-errortype", "retry-after"},
	}
}

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

// codec is the shell as callers meet it. A call leaves it with Unpack: what it answers itself are errors
// from before that.
type codec struct {
	dialect.Local
	languages *languages
	stream    bool
	count     bool
}

var (
	_ dialect.Codec   = (*codec)(nil)
	_ dialect.Carrier = (*codec)(nil)
)

// Unpack implements dialect.Carrier.
func (c *codec) Unpack(in dialect.Inbound, b dialect.Bounds) (dialect.Carried, error) {
	if c.count {
		return c.unpackCount(in, b)
	}
	return c.languages.unpack(in, c.stream, b)
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	inner, err := c.Unpack(in, b)
	if err != nil {
		return dialect.Head{}, err
	}
	return inner.Codec.Peek(inner.In, b)
}

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	inner, err := c.Unpack(in, dialect.Bounds{})
	if err != nil {
		return nil, err
	}
	return inner.Codec.DecodeRequest(inner.In)
}

// EncodeResponse implements dialect.Server: in the language of Claude, which most callers of the shell speak.
func (c *codec) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	if c.count {
		return c.languages.counts.EncodeResponse(p, r, m)
	}
	return c.languages.claude.codec.EncodeResponse(p, r, m)
}

// NewEncoder implements dialect.Server, as EncodeResponse does.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	return c.languages.claude.codec.NewEncoder(p, m)
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply { return c.languages.aws.EncodeError(err) }

// served is a language as callers of the shell are answered in it: its own answers, and AWS's errors.
type served struct {
	dialect.Codec
	aws dialect.Codec
}

// EncodeError implements dialect.Server.
func (s *served) EncodeError(err error) dialect.Reply { return s.aws.EncodeError(err) }

// EncodeResponse implements dialect.Server.
func (s *served) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	reply, losses, err := s.Codec.EncodeResponse(p, r, m)
	if res, ok := r.(*llm.Response); ok && err == nil {
		reply.Header = counted(reply.Header, res.Usage)
	}
	return reply, losses, err
}

// NewEncoder implements dialect.Server.
func (s *served) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	return &encoder{Encoder: s.Codec.NewEncoder(p, m), meta: m}
}

// counted adds the headers in which the vendor says what an answer consumed.
func counted(h http.Header, u llm.Usage) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Set(inputHeader, itoa(u.Input+u.InputAudio+u.InputImage))
	h.Set(outputHeader, itoa(u.Out()))
	return h
}

// The headers in which the vendor says what an answer consumed.
const (
	inputHeader  = "X-Amzn-Bedrock-Input-Token-Count"
	outputHeader = "X-Amzn-Bedrock-Output-Token-Count"
)

// Shapes implements dialect.Limited with what is carried.
func (s *served) Shapes() dialect.Shapes { return dialect.ShapesOf(s.Codec) }
