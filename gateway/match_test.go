package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func testDialects() []*dialect.Dialect {
	anthropic := func(r *http.Request) bool { return r.Header.Get("anthropic-version") != "" }
	a := &dialect.Dialect{Name: "alpha", Routes: []dialect.Route{
		{Op: llm.OpGenerate, Method: "POST", Pattern: "/v1/chat"},
		{Op: llm.OpModels, Method: "GET", Pattern: "/v1/models", Match: func(r *http.Request) bool { return !anthropic(r) }},
		{Op: llm.OpGenerate, Method: "POST", Pattern: "/deployments/{deployment...}/chat"},
		{Op: llm.OpEmbed, Method: "POST", Pattern: "/deployments/{deployment...}/embed/chat"},
		{Op: llm.OpGenerate, Method: "POST", Pattern: "/alpha/deployments/{deployment...}/chat"},
	}}
	b := &dialect.Dialect{Name: "beta", Routes: []dialect.Route{
		{Op: llm.OpGenerate, Method: "POST", Pattern: "/v1/messages"},
		{Op: llm.OpModels, Method: "GET", Pattern: "/v1/models", Match: anthropic},
		{Op: llm.OpModels, Method: "GET", Pattern: "/v1/models/{model...}", Match: anthropic},
	}, Speaks: func(path string, h http.Header) bool { return h.Get("anthropic-version") != "" }}
	return []*dialect.Dialect{a, b}
}

func TestMatcher(t *testing.T) {
	m := newMatcher(testDialects())
	tests := []struct {
		method, path, header string
		dialect              string
		op                   llm.Op
		vars                 map[string]string
		allow                []string
	}{
		{method: "POST", path: "/v1/chat", dialect: "alpha", op: llm.OpGenerate},
		{method: "POST", path: "//v1//chat/", dialect: "alpha", op: llm.OpGenerate},
		{method: "POST", path: "/alpha/v1/chat", dialect: "alpha", op: llm.OpGenerate},
		{method: "GET", path: "/v1/chat", dialect: "alpha", allow: []string{"POST"}},
		{method: "GET", path: "/v1/models", dialect: "alpha", op: llm.OpModels},
		{method: "GET", path: "/v1/models", header: "2023-06-01", dialect: "beta", op: llm.OpModels},
		{method: "GET", path: "/beta/v1/models", dialect: "beta", op: llm.OpModels},
		{method: "GET", path: "/beta/v1/models/meta/llama%2F3:x", dialect: "beta", op: llm.OpModels, vars: map[string]string{"model": "meta/llama/3:x"}},
		{method: "POST", path: "/deployments/a%2Fb/chat", dialect: "alpha", op: llm.OpGenerate, vars: map[string]string{"deployment": "a/b"}},
		{method: "POST", path: "/deployments/a/b/c/chat", dialect: "alpha", op: llm.OpGenerate, vars: map[string]string{"deployment": "a/b/c"}},
		{method: "POST", path: "/deployments/a/b/embed/chat", dialect: "alpha", op: llm.OpEmbed, vars: map[string]string{"deployment": "a/b"}},
		{method: "POST", path: "/alpha/alpha/deployments/a/chat", dialect: "alpha", op: llm.OpGenerate, vars: map[string]string{"deployment": "a"}},
		{method: "POST", path: "/deployments/a/b", dialect: "alpha"},
		{method: "POST", path: "/deployments//chat", dialect: "alpha"},
		{method: "POST", path: "/beta/nothing", dialect: "beta"},
		{method: "POST", path: "/nothing", dialect: "alpha"},
		{method: "POST", path: "/nothing", header: "2023-06-01", dialect: "beta"},
		{method: "POST", path: "/v1/../v1/chat", dialect: "alpha"},
	}
	for _, tt := range tests {
		t.Run(tt.method+tt.path+tt.header, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			if tt.header != "" {
				r.Header.Set("anthropic-version", tt.header)
			}
			f := m.find(r)
			var op llm.Op
			if f.route != nil {
				op = f.route.Op
			}
			if f.dialect.Name != tt.dialect || op != tt.op {
				t.Errorf("found %s %q, want %s %q", f.dialect.Name, op, tt.dialect, tt.op)
			}
			if len(f.vars) > 0 || len(tt.vars) > 0 {
				if d := cmp.Diff(tt.vars, f.vars); d != "" {
					t.Error(d)
				}
			}
			if f.route == nil {
				if d := cmp.Diff(tt.allow, f.allow); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// The route is found by the request's path alone: what the Host header says plays no part in it.
func TestCase_I4_HostPlaysNoPartInRouting(t *testing.T) {
	m := newMatcher(testDialects())
	r := httptest.NewRequest("POST", "/nothing", nil)
	r.Host = "localhost:4000/v1/chat#@attacker.example"
	if f := m.find(r); f.route != nil {
		t.Errorf("a host led to the route %s", f.route.Pattern)
	}
}

func TestHeaderValuesCannotBreakOut(t *testing.T) {
	if got := headerValue("a\r\nSet-Cookie: x\u00e9\x00"); got != "a??Set-Cookie: x??" {
		t.Errorf("got %q", got)
	}
	if got := list(nil); got != "" {
		t.Errorf("got %q", got)
	}
}
