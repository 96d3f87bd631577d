// Package sides tells how callers and vendors use each dialect that Plenum translates between: by which path,
// with which connection, in which framing. Whatever tries every dialect against every other takes it from here.
package sides

import (
	"bytes"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
)

// Side is a dialect as callers and vendors of it use it.
type Side struct {
	Name, Title string
	Place       string // the connection to a vendor that speaks it; %s is the vendor's address
	GRPC        bool
	NamesModel  bool // answers say which model they are of
	Sealed      bool // what a model thought comes sealed and not signed
	// whole and stream are the paths of calls; {model} is where the model's name stands, if it does.
	whole, stream string
	dialect       *dialect.Dialect
}

// All returns the dialects, those of them that this build has.
func All() []Side {
	list := []Side{
		{
			Name: "openai", Title: "Chat Completions", NamesModel: true, whole: "/v1/chat/completions",
			Place: `provider: openai-compatible, base_url: "%s/v1"`,
		},
		{
			Name: "responses", Title: "Responses", NamesModel: true, Sealed: true, whole: "/v1/responses",
			Place: `provider: openai-compatible, dialect: responses, base_url: "%s/v1"`,
		},
		{
			Name: "anthropic", Title: "Messages", NamesModel: true, whole: "/v1/messages",
			Place: `provider: anthropic-compatible, base_url: "%s"`,
		},
		{
			Name: "gemini", Title: "Gemini", NamesModel: true, whole: "/v1beta/models/{model}:generateContent", stream: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
			Place: `provider: gemini, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`,
		},
		{
			Name: "converse", Title: "Converse", whole: "/model/{model}/converse", stream: "/model/{model}/converse-stream",
			Place: `provider: bedrock, dialect: converse, base_url: "%s", region: us-east-1, credentials: {api_key: a-key-of-the-tests}`,
		},
		{
			Name: "cohere", Title: "Cohere", whole: "/v2/chat",
			Place: `provider: cohere, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`,
		},
		{
			Name: "ollama", Title: "Ollama", NamesModel: true, whole: "/api/chat",
			Place: `provider: ollama, dialect: ollama, base_url: "%s"`,
		},
		{
			Name: "xaigrpc", Title: "xAI gRPC", NamesModel: true, Sealed: true, GRPC: true, whole: xaigrpc.PathWhole, stream: xaigrpc.PathStream,
			Place: `provider: xai, dialect: xaigrpc, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`,
		},
	}
	return known(list)
}

// known returns those of a list that this build has.
func known(list []Side) []Side {
	for _, d := range all.Dialects() {
		for i := range list {
			if d.Name == list[i].Name {
				list[i].dialect = d
			}
		}
	}
	return slices.DeleteFunc(list, func(s Side) bool { return s.dialect == nil })
}

// Dialect returns the dialect itself.
func (s Side) Dialect() *dialect.Dialect { return s.dialect }

// Path returns where a model is called, with the query that asks for a stream where one does.
func (s Side) Path(model string, stream bool) string {
	path := s.whole
	if stream && s.stream != "" {
		path = s.stream
	}
	return strings.Replace(path, "{model}", url.PathEscape(model), 1)
}

// Codec returns the codec that answers where a model is called, and what the path says.
func (s Side) Codec(model string, stream bool) (dialect.Codec, map[string]string) {
	return s.Route(s.Path(model, stream))
}

// Route returns the codec that answers at an escaped path, and what the path says; nil where none does.
func (s Side) Route(path string) (dialect.Codec, map[string]string) {
	path, _, _ = strings.Cut(path, "?")
	return dialecttest.Route(s.Dialect(), path)
}

// Media returns the media type of a stream.
func (s Side) Media() string {
	if media := s.Dialect().Streams; media != "" {
		return media
	}
	return "text/event-stream"
}

// Frames cuts a stream into frames.
func (s Side) Frames(wire []byte) iter.Seq2[dialect.Frame, error] {
	src := bytes.NewReader(wire)
	switch s.Dialect().Streams {
	case dialect.NDJSON:
		return frame.NewLines(src, 0).All()
	case dialect.EventStream:
		return frame.NewEventStream(src, 0).All()
	case dialect.GRPC:
		return frame.NewMessages(src, 0, "").All()
	}
	return frame.NewReader(src, 0).All()
}

// Beside returns the dialects that vendors have beside those of [All], which nothing is translated to that is not in
// them already.
func Beside() []Side {
	list := []Side{
		{Name: "ollama-generate", Title: "Ollama's generate", whole: "/api/generate"},
		{Name: "completions", Title: "Completions", whole: "/v1/completions"},
		{Name: "cohere-v1", Title: "Cohere v1", whole: "/cohere/v1/chat"},
		{Name: "cohere-generate", Title: "Cohere generate", whole: "/cohere/v1/generate"},
	}
	return known(list)
}
