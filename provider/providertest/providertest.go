// Package providertest holds every kind of provider to the same rules. The test of a kind is one line:
//
//	func TestKind(t *testing.T) { providertest.Run(t, groq.Kind) }
//
// Beside the rules it reads testdata/NAME.txtar, which says what requests the kind must send; see
// docs/adding-a-provider.md.
package providertest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// model is the id that plans are asked for where it does not matter.
const model = "some-model"

// Run tests a kind.
func Run(t *testing.T, k provider.Kind) {
	t.Helper()
	t.Run("description", func(t *testing.T) { description(t, k) })
	t.Run("missing fields", func(t *testing.T) { missing(t, k) })
	t.Run("wrong fields", func(t *testing.T) { wrong(t, k) })
	t.Run("wrong addresses", func(t *testing.T) { wrongAddresses(t, k) })
	t.Run("addresses", func(t *testing.T) { addresses(t, k) })
	t.Run("plain http", func(t *testing.T) { plainHTTP(t, k) })
	t.Run("plans", func(t *testing.T) { plans(t, k) })
	t.Run("awkward models", func(t *testing.T) { awkwardModels(t, k) })
	t.Run("secrets", func(t *testing.T) { secrets(t, k) })
	t.Run("together", func(t *testing.T) { together(t, k) })
	t.Run("fixture", func(t *testing.T) { fixture(t, k) })
}

// canary is the value of a secret field.
func canary(name string) string { return "canary-" + name + "-7d1f9c" }

// settings returns a connection with a value in every secret and every required field.
func settings(k provider.Kind) provider.Settings {
	in := provider.Settings{
		Connection: "test", BaseURL: k.BaseURL,
		Credentials: map[string]plenum.Secret{}, Options: map[string]string{}, Header: http.Header{},
	}
	for _, f := range k.Fields {
		switch {
		case f.Secret:
			in.Credentials[f.Name] = plenum.NewSecret(canary(f.Name))
		case f.Name == "base_url" && in.BaseURL == "":
			in.BaseURL = "https://place.example/v1"
		case f.Name != "base_url" && f.Required:
			in.Options[f.Name] = "example"
		}
	}
	return in
}

func open(t *testing.T, k provider.Kind, in provider.Settings) provider.Provider {
	t.Helper()
	p, err := k.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func address(t *testing.T, k provider.Kind, in provider.Settings) string {
	t.Helper()
	plan, err := open(t, k, in).Plan(model, llm.OpGenerate, false)
	if err != nil {
		t.Fatal(err)
	}
	return plan.URL
}

func description(t *testing.T, k provider.Kind) {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString(k.Name) {
		t.Errorf("the name %q is not of small letters, digits and single hyphens", k.Name)
	}
	if k.Title == "" || k.New == nil || len(k.Dialects) == 0 {
		t.Errorf("Title, New or Dialects is missing")
	}
	if f := k.Traits.MaxTokensField; f != "" && f != "max_tokens" && f != "max_completion_tokens" {
		t.Errorf("there is no field %q for the cap on output", f)
	}
	if r := slices.Sorted(slices.Values(k.Traits.Refuses)); len(slices.Compact(r)) != len(k.Traits.Refuses) {
		t.Errorf("a parameter is refused twice: %q", k.Traits.Refuses)
	}
	seen := map[string]bool{}
	for _, f := range k.Fields {
		field(t, f)
		if seen[f.Name] {
			t.Errorf("there are two fields %s", f.Name)
		}
		seen[f.Name] = true
	}
	if !seen["base_url"] {
		t.Errorf("there is no field base_url")
	}
}

func field(t *testing.T, f provider.Field) {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`).MatchString(f.Name) {
		t.Errorf("the field's name %q is not of small letters, digits and single underscores", f.Name)
	}
	if f.Title == "" || !strings.HasSuffix(f.Help, ".") {
		t.Errorf("the field %s needs a title, and a sentence of help", f.Name)
	}
	if f.Secret && f.Default != "" {
		t.Errorf("the secret field %s has a default", f.Name)
	}
	for _, name := range f.Env {
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(name) {
			t.Errorf("%q is not the name of an environment variable", name)
		}
	}
}

// missing expects that an absent field is named, with the environment variables it could come from.
func missing(t *testing.T, k provider.Kind) {
	for _, f := range k.Fields {
		in := settings(k)
		name := f.Name
		switch {
		case f.Secret:
			delete(in.Credentials, f.Name)
			name = "credentials." + f.Name
		case f.Name == "base_url":
			in.BaseURL = ""
		default:
			delete(in.Options, f.Name)
		}
		_, err := k.New(in)
		if !f.Required || f.Default != "" {
			if err != nil {
				t.Errorf("without %s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("without %s: no error", name)
			continue
		}
		for _, want := range append([]string{name}, f.Env...) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("without %s the error does not say %s: %v", name, want, err)
			}
		}
	}
}

func wrong(t *testing.T, k provider.Kind) {
	in := settings(k)
	in.Options["no_such_setting"] = "x"
	if _, err := k.New(in); err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("an unknown setting: %v", err)
	}
	in = settings(k)
	in.Credentials["no_such_credential"] = plenum.NewSecret("x")
	if _, err := k.New(in); err == nil || !strings.Contains(err.Error(), "no_such_credential") {
		t.Errorf("an unknown credential: %v", err)
	}
	for name := range settings(k).Credentials {
		for _, bad := range []string{"hunter2\nX-Other: 1", " hunter2", "hunter2\r"} {
			in := settings(k)
			in.Credentials[name] = plenum.NewSecret(bad)
			_, err := k.New(in)
			if err == nil || !strings.Contains(err.Error(), "credentials."+name) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("credentials.%s %q: %v", name, bad, err)
			}
		}
	}
}

func wrongAddresses(t *testing.T, k provider.Kind) {
	for _, bad := range []string{
		"ftp://hunter2.example/v1", "hunter2.example/v1", "/v1/hunter2", "https://", "https:///hunter2", "http://[::1/hunter2",
		"https://user:hunter2@place.example/v1", "https://hunter2@place.example/v1", "https://place.example/v1#hunter2",
	} {
		in := settings(k)
		in.BaseURL = bad
		_, err := k.New(in)
		if err == nil || !strings.Contains(err.Error(), "base_url") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("base_url %s: %v", bad, err)
		}
	}
}

// addresses expects that an owner's own address is used as documented.
func addresses(t *testing.T, k provider.Kind) {
	in := settings(k)
	plain := address(t, k, in)
	u, err := url.Parse(plain)
	if err != nil || !u.IsAbs() || u.Host == "" {
		t.Fatalf("%q is not an absolute address", plain)
	}
	in.BaseURL += "//"
	if got := address(t, k, in); got != plain {
		t.Errorf("a slash at the end of base_url changes the address:\n%s\n%s", plain, got)
	}
	in.BaseURL = "https://proxy.example:8443/team%2Fa/b/"
	if got := address(t, k, in); !strings.HasPrefix(got, "https://proxy.example:8443/team%2Fa/b/") {
		t.Errorf("the path of base_url is lost: %s", got)
	}
	in.BaseURL = "https://proxy.example/a?tenant=7"
	if v, err := url.Parse(address(t, k, in)); err != nil || v.Query().Get("tenant") != "7" {
		t.Errorf("the query of base_url is lost: %v %v", v, err)
	}
	if k.BaseURL == "" {
		return
	}
	in.BaseURL = "https://proxy.example"
	if got, want := address(t, k, in), "https://proxy.example"+u.RequestURI(); got != want {
		t.Errorf("base_url without a path: got %s, want %s", got, want)
	}
	in.BaseURL = plain
	if got := address(t, k, in); got != plain {
		t.Errorf("base_url with the path of a call: got %s, want %s", got, plain)
	}
}

// plainHTTP expects a warning where the key would cross the open network in clear text, and only there.
func plainHTTP(t *testing.T, k provider.Kind) {
	for at, warn := range map[string]bool{
		"http://place.example/v1": true, "http://8.8.8.8/v1": true, "http://[2001:4860:4860::8888]:80/v1": true,
		"https://place.example/v1": false, "http://localhost:8000/v1": false, "http://127.0.0.1:8000/v1": false,
		"http://[::1]:8000/v1": false, "http://10.1.2.3/v1": false, "http://vllm:8000/v1": false,
		"http://models.team.svc.cluster.local/v1": false,
	} {
		in := settings(k)
		in.BaseURL = at
		p := open(t, k, in)
		w, ok := p.(provider.Warner)
		if !ok {
			t.Fatal("the provider does not implement provider.Warner")
		}
		if got := len(w.Warnings()) > 0; got != warn {
			t.Errorf("%s: warnings %q", at, w.Warnings())
		}
	}
}

func plans(t *testing.T, k provider.Kind) {
	p := open(t, k, settings(k))
	for _, op := range []llm.Op{llm.OpGenerate, llm.OpCountTokens, llm.OpModels, "no-such-operation"} {
		for _, stream := range []bool{false, true} {
			plan, err := p.Plan(model, op, stream)
			if llm.IsKind(err, llm.NotFound) && op != llm.OpGenerate {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", op, err)
			}
			if plan.Dialect == nil || plan.Codec == nil || plan.Method == "" || plan.Framing == "" {
				t.Errorf("%s: the plan is not whole: %+v", op, plan)
			}
			if u, err := url.Parse(plan.URL); err != nil || !u.IsAbs() || u.User != nil || u.Fragment != "" || strings.Contains(u.Path, "//") {
				t.Errorf("%s: %q is not an address to call: %v", op, plan.URL, err)
			}
			if !slices.Contains(k.Dialects, plan.Dialect.Name) {
				t.Errorf("%s: the dialect %s is not among %q", op, plan.Dialect.Name, k.Dialects)
			}
		}
	}
	for _, name := range k.Dialects[1:] {
		in := settings(k)
		in.Options["dialect"] = name
		plan, err := open(t, k, in).Plan(model, llm.OpGenerate, true)
		if err != nil || plan.Dialect.Name != name {
			t.Errorf("the dialect %s: %+v %v", name, plan, err)
		}
	}
}

// awkwardModels expects that no id of a model reaches beyond its own place in an address.
func awkwardModels(t *testing.T, k provider.Kind) {
	p := open(t, k, settings(k))
	plain, err := p.Plan(model, llm.OpGenerate, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../../admin", "m?x=1", "m#f", "global.claude-v1:0", "m%2e", "a b", "\x00\n", "{model}"} {
		plan, err := p.Plan(name, llm.OpGenerate, false)
		if llm.IsKind(err, llm.NotFound) {
			continue
		}
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		want := strings.ReplaceAll(plain.URL, model, url.PathEscape(name))
		if plan.URL != want {
			t.Errorf("%q: got %s, want %s", name, plan.URL, want)
		}
		if _, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// together expects that calls may share a provider. The race detector looks on.
func together(t *testing.T, k provider.Kind) {
	p := open(t, k, settings(k))
	want := signed(t, p)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := signed(t, p)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the same call twice (-first +second):\n%s", diff)
			}
			got.Add("Authorization", "spoilt by its owner")
		})
	}
	wg.Wait()
}

// signed returns the headers that a call is sent with.
func signed(t *testing.T, p provider.Provider) http.Header {
	plan, err := p.Plan(model, llm.OpGenerate, true)
	if err != nil {
		t.Error(err)
		return nil
	}
	return request(t, p, plan).Header
}

// request builds a request as the gateway does.
func request(t *testing.T, p provider.Provider, plan *provider.Plan) *http.Request {
	body := `{"model":"some-model"}`
	r, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	for name, v := range plan.Header {
		r.Header[name] = slices.Clone(v)
	}
	if err := p.Sign(t.Context(), r, []byte(body)); err != nil {
		t.Error(err)
	}
	return r
}
