package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

// codec stands for one that works: a provider never calls it.
type codec struct{ dialect.Codec }

// fake returns a dialect with a name and the operations of both.
func fake(name string) func() *dialect.Dialect {
	return func() *dialect.Dialect {
		return &dialect.Dialect{Name: name, Title: name, Routes: []dialect.Route{
			{Op: llm.OpGenerate, Codec: codec{}},
			{Op: llm.OpCountTokens, Codec: codec{}},
		}}
	}
}

// spec returns a place with something of everything.
func spec() provider.Spec {
	return provider.Spec{
		Name: "some-place", Title: "Some Place", BaseURL: "https://api.some.example/v1", Env: []string{"SOME_KEY"},
		Dialect: fake("openai"), Vendor: true, KeyAnywhere: true, Header: http.Header{"X-Static": {"yes"}},
		Options: []provider.Option{{
			Field:  provider.Field{Name: "organization", Title: "Organization", Help: "Who pays."},
			Header: "Some-Organization",
		}},
		Also: []provider.Face{{
			Dialect: fake("anthropic"), BaseURL: "https://api.some.example/anthropic", CountsTokens: true, KeyHeader: "X-Api-Key",
		}},
	}
}

func TestCompat(t *testing.T) { providertest.Run(t, provider.Compat(spec())) }

func settings(baseURL string, options map[string]string) provider.Settings {
	return provider.Settings{
		Connection: "test", BaseURL: baseURL, Options: options,
		Credentials: map[string]plenum.Secret{"api_key": plenum.NewSecret("k")},
	}
}

func planOf(t *testing.T, s provider.Spec, in provider.Settings, op llm.Op) *provider.Plan {
	t.Helper()
	p, err := provider.Compat(s).New(in)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan("m", op, false)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestBaseURLs(t *testing.T) {
	openai := spec()
	versionless := spec()
	versionless.BaseURL = "https://api.some.example"
	anthropic := provider.Spec{Name: "a", Title: "A", BaseURL: "https://api.a.example", Dialect: fake("anthropic"), CountsTokens: true}
	for _, test := range []struct {
		name string
		spec provider.Spec
		base string
		want string
	}{
		{"the kind's own", openai, "https://api.some.example/v1", "https://api.some.example/v1/chat/completions"},
		{"none", openai, "", "https://api.some.example/v1/chat/completions"},
		{"a slash at its end", openai, "https://api.some.example/v1/", "https://api.some.example/v1/chat/completions"},
		{"a bare host", openai, "https://proxy.example", "https://proxy.example/v1/chat/completions"},
		{"a bare host with a slash", openai, "https://proxy.example/", "https://proxy.example/v1/chat/completions"},
		{"a port", openai, "http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"},
		{"a path without a version", openai, "https://proxy.example/openai", "https://proxy.example/openai/chat/completions"},
		{"a path that begins as a call does", openai, "https://proxy.example/chat", "https://proxy.example/chat/chat/completions"},
		{"another version", openai, "https://proxy.example/api/v4", "https://proxy.example/api/v4/chat/completions"},
		{"a whole call", openai, "https://proxy.example/x/v1/chat/completions", "https://proxy.example/x/v1/chat/completions"},
		{"a query", openai, "https://proxy.example/v1/?a=1&b=2", "https://proxy.example/v1/chat/completions?a=1&b=2"},
		{"an escaped path", openai, "https://proxy.example/a%2Fb/v1", "https://proxy.example/a%2Fb/v1/chat/completions"},
		{"braces", openai, "https://proxy.example/{model}/v1", "https://proxy.example/%7Bmodel%7D/v1/chat/completions"},
		{"an IPv6 host", openai, "http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"},
		{"a place without a version", versionless, "https://proxy.example", "https://proxy.example/chat/completions"},
		{"anthropic", anthropic, "https://api.a.example", "https://api.a.example/v1/messages"},
		{"anthropic with a version", anthropic, "https://proxy.example/v1", "https://proxy.example/v1/messages"},
		{"anthropic below a path", anthropic, "https://proxy.example/anthropic/", "https://proxy.example/anthropic/v1/messages"},
		{"anthropic below a path with a version", anthropic, "https://proxy.example/anthropic/v1", "https://proxy.example/anthropic/v1/messages"},
		{"a whole call of anthropic", anthropic, "https://proxy.example/v1/messages", "https://proxy.example/v1/messages"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := planOf(t, test.spec, settings(test.base, nil), llm.OpGenerate).URL; got != test.want {
				t.Errorf("base_url %q: got %s, want %s", test.base, got, test.want)
			}
		})
	}
	if got, want := planOf(t, anthropic, settings("https://x.example/v1/messages", nil), llm.OpCountTokens).URL,
		"https://x.example/v1/messages/count_tokens"; got != want {
		t.Errorf("counting: got %s, want %s", got, want)
	}
}

func TestFaces(t *testing.T) {
	s := spec()
	in := settings("https://api.some.example/v1/", map[string]string{"dialect": "anthropic"})
	plan := planOf(t, s, in, llm.OpCountTokens)
	if want := "https://api.some.example/anthropic/v1/messages/count_tokens"; plan.URL != want {
		t.Errorf("got %s, want %s", plan.URL, want)
	}
	if plan.Vendor {
		t.Error("a place is the vendor of its own dialect alone")
	}
	if !planOf(t, s, settings("https://proxy.example/v1", nil), llm.OpGenerate).Vendor {
		t.Error("a proxy of the vendor's is not taken for the vendor")
	}
	in.BaseURL = "https://proxy.example"
	if got, want := planOf(t, s, in, llm.OpGenerate).URL, "https://proxy.example/anthropic/v1/messages"; got != want {
		t.Errorf("a bare host: got %s, want %s", got, want)
	}
	in.Options["dialect"] = "gemini"
	if _, err := provider.Compat(s).New(in); err == nil || !strings.Contains(err.Error(), `"gemini"`) {
		t.Errorf("a dialect that it does not speak: %v", err)
	}
}

func TestPlansAreShared(t *testing.T) {
	p, err := provider.Compat(spec()).New(settings("", nil))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := p.Plan("a", llm.OpGenerate, true)
	second, _ := p.Plan("b", llm.OpGenerate, true)
	if first == nil || first != second {
		t.Errorf("two plans for one operation: %p %p", first, second)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Plan("a", llm.OpGenerate, true) }); n != 0 {
		t.Errorf("a plan costs %v allocations", n)
	}
	if _, err := p.Plan("a", llm.OpCountTokens, false); !llm.IsKind(err, llm.NotFound) {
		t.Errorf("counting in a dialect without it: %v", err)
	}
}

func TestModelInPath(t *testing.T) {
	s := spec()
	s.Paths = map[llm.Op]string{llm.OpGenerate: "/deployments/{model}/chat?version=1"}
	in := settings("https://x.example/base?tenant=7", nil)
	p, err := provider.Compat(s).New(in)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan("a/b?c", llm.OpGenerate, false)
	if want := "https://x.example/base/deployments/a%2Fb%3Fc/chat?tenant=7&version=1"; err != nil || plan.URL != want {
		t.Errorf("got %+v %v, want %s", plan, err, want)
	}
	for _, name := range []string{"", ".", ".."} {
		if _, err := p.Plan(name, llm.OpGenerate, false); !llm.IsKind(err, llm.NotFound) {
			t.Errorf("the model %q: %v", name, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	optional := spec()
	optional.KeyOptional = true
	for _, test := range []struct {
		name string
		edit func(*provider.Settings)
		want http.Header
	}{
		{"a key", func(*provider.Settings) {}, http.Header{"Authorization": {"Bearer k"}}},
		{
			"a named header", func(s *provider.Settings) { s.Options = map[string]string{"auth_header": "x-my-key"} },
			http.Header{"X-My-Key": {"k"}},
		},
		{
			"another dialect", func(s *provider.Settings) { s.Options = map[string]string{"dialect": "anthropic"} },
			http.Header{"X-Api-Key": {"k"}},
		},
		{
			"an option", func(s *provider.Settings) { s.Options = map[string]string{"organization": "us"} },
			http.Header{"Authorization": {"Bearer k"}, "Some-Organization": {"us"}},
		},
		{"no key", func(s *provider.Settings) { s.Credentials = nil }, http.Header{}},
		{
			"headers of the connection", func(s *provider.Settings) {
				s.Header = http.Header{"authorization": {"Basic eDp5"}, "X-Team": {"a", "b"}}
			},
			http.Header{"Authorization": {"Basic eDp5"}, "X-Team": {"a", "b"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := settings("", nil)
			test.edit(&in)
			p, err := provider.Compat(optional).New(in)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{}
			if err := p.Sign(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
	bad := settings("", map[string]string{"auth_header": "x y: z"})
	if _, err := provider.Compat(optional).New(bad); err == nil || !strings.Contains(err.Error(), "auth_header") {
		t.Errorf("a header that is none: %v", err)
	}
}

// A kind that is put together wrongly says so when it is first used.
func TestBadSpecs(t *testing.T) {
	for name, edit := range map[string]func(*provider.Spec){
		"a dialect without usual paths": func(s *provider.Spec) { s.Dialect = fake("gemini") },
		"an operation that the dialect does not have": func(s *provider.Spec) {
			s.Paths = map[llm.Op]string{llm.OpModels: "/models"}
		},
	} {
		s := spec()
		edit(&s)
		if _, err := provider.Compat(s).New(settings("", nil)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
