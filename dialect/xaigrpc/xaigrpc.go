// Package xaigrpc speaks xAI's gRPC API, as the official xai-sdk does: chat, at once, streamed or later, answers that
// are kept, images and the list of models.
//
// A codec of this dialect reads and writes protobuf messages; the heads that gRPC puts before them, its
// status and its trailers are the gateway's. Messages are walked field by field, as other dialects walk
// JSON: what llm has no word for is kept as it stood, base64 of the whole field, in llm.Extra and
// llm.Opaque, tagged with [Name].
package xaigrpc

import (
	"net/http"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Name is the name of the dialect.
const Name = "xaigrpc"

// The paths of the calls that answer a conversation.
const (
	PathWhole  = "/xai_api.Chat/GetCompletion"
	PathStream = "/xai_api.Chat/GetCompletionChunk"
)

// Dialect returns the dialect. Every call returns a new one.
func Dialect() *dialect.Dialect {
	d := &dialect.Dialect{
		Name:  Name,
		Title: "xAI gRPC",
		Routes: append([]dialect.Route{
			route(llm.OpGenerate, PathWhole, &codec{}),
			route(llm.OpGenerate, PathStream, &codec{stream: true}),
		}, slices.Concat(keptRoutes(), []dialect.Route{keyRoute()}, elsewhereRoutes(), modelRoutes())...),
		Headers: namespace(),
		Streams: dialect.GRPC,
		Speaks:  func(_ string, h http.Header) bool { return isGRPC(h) },
	}
	d.Routes = append(d.Routes, embedRoute(), route(llm.OpImage, PathImage, &drawn{draw: newDraw(), home: d}))
	return d
}

// Host returns the dialect as upstreams speak it: images are made and changed by one call.
func Host() *dialect.Dialect {
	d, images := Dialect(), newDraw()
	d.Routes = append(d.Routes, route(llm.OpImageEdit, PathImage, &images))
	return d
}

func route(op llm.Op, path string, c dialect.Codec) dialect.Route {
	return dialect.Route{
		Op: op, Method: http.MethodPost, Pattern: path, Codec: c,
		Match: func(r *http.Request) bool { return isGRPC(r.Header) },
	}
}

func isGRPC(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return media == dialect.GRPC || media == dialect.GRPC+"+proto"
}

// namespace lists the headers that belong to the dialect: its metadata.
func namespace() dialect.Namespace {
	return dialect.Namespace{
		Prefixes: []string{"x-ratelimit-", "x-grok-"},
		Names:    []string{"x-request-id", "retry-after", "retry-after-ms", "grpc-retry-pushback-ms", "x-zero-data-retention"},
	}
}

// codec speaks a conversation's answer, whole or streamed: these are two calls with one request.
type codec struct{ stream bool }

var _ dialect.Codec = (*codec)(nil)

// headers returns what is said to the upstream of the caller's metadata.
func headers(in http.Header) http.Header {
	h := make(http.Header, 4)
	for k, v := range in {
		if strings.HasPrefix(strings.ToLower(k), "x-grok-") {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	h["Content-Type"] = []string{dialect.GRPC}
	h["Te"] = []string{"trailers"}
	return h
}
