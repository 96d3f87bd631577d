package matrix

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/llm"
)

// side is a dialect as callers and vendors of it use it.
type side struct {
	name, title string
	place       string // the connection to a vendor that speaks it; %s is the vendor's address
	path        func(model string, stream bool) string
	grpc        bool
	namesModel  bool // answers say which model they are of
	sealed      bool // what a model thought comes sealed and not signed
}

func at(path string) func(string, bool) string {
	return func(string, bool) string { return path }
}

// sides are the dialects of the matrix, those of them that this build has.
func sides() []side {
	list := []side{
		{name: "openai", namesModel: true, title: "Chat Completions", place: `provider: openai-compatible, base_url: "%s/v1"`, path: at("/v1/chat/completions")},
		{name: "responses", namesModel: true, title: "Responses", place: `provider: openai-compatible, dialect: responses, base_url: "%s/v1"`, path: at("/v1/responses"), sealed: true},
		{name: "anthropic", namesModel: true, title: "Messages", place: `provider: anthropic-compatible, base_url: "%s"`, path: at("/v1/messages")},
		{name: "gemini", namesModel: true, title: "Gemini", place: `provider: gemini, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`, path: func(model string, stream bool) string {
			if stream {
				return "/v1beta/models/" + url.PathEscape(model) + ":streamGenerateContent?alt=sse"
			}
			return "/v1beta/models/" + url.PathEscape(model) + ":generateContent"
		}},
		{name: "converse", title: "Converse", place: `provider: bedrock, dialect: converse, base_url: "%s", region: us-east-1, credentials: {api_key: a-key-of-the-tests}`, path: func(model string, stream bool) string {
			if stream {
				return "/model/" + url.PathEscape(model) + "/converse-stream"
			}
			return "/model/" + url.PathEscape(model) + "/converse"
		}},
		{name: "cohere", title: "Cohere", place: `provider: cohere, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`, path: at("/v2/chat")},
		{name: "ollama", namesModel: true, title: "Ollama", place: `provider: ollama, dialect: ollama, base_url: "%s"`, path: at("/api/chat")},
		{name: "xaigrpc", namesModel: true, title: "xAI gRPC", place: `provider: xai, dialect: xaigrpc, base_url: "%s", credentials: {api_key: a-key-of-the-tests}`, grpc: true, sealed: true, path: func(_ string, stream bool) string {
			if stream {
				return xaigrpc.PathStream
			}
			return xaigrpc.PathWhole
		}},
	}
	return slices.DeleteFunc(list, func(s side) bool { return s.dialect() == nil })
}

func (s side) dialect() *dialect.Dialect {
	for _, d := range all.Dialects() {
		if d.Name == s.name {
			return d
		}
	}
	return nil
}

// route finds the codec that answers at a path, and what the path says.
func (s side) route(path string) (dialect.Codec, map[string]string) {
	for _, r := range s.dialect().Routes {
		if vars, ok := matches(r.Pattern, path); ok && r.Op == llm.OpGenerate && r.Method == http.MethodPost {
			return r.Codec, vars
		}
	}
	return nil, nil
}

// matches reports whether an escaped path is of a pattern: literal segments, and {name} for any one.
func matches(pattern, path string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		name, rest, ok := strings.Cut(strings.TrimPrefix(w, "{"), "}")
		if !strings.HasPrefix(w, "{") || !ok {
			if w != got[i] {
				return nil, false
			}
			continue
		}
		value, fits := strings.CutSuffix(got[i], rest)
		if !fits {
			return nil, false
		}
		vars[strings.TrimSuffix(name, "...")], _ = url.PathUnescape(value)
	}
	return vars, true
}
