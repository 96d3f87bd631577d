package all_test

import (
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

func kinds() map[string]provider.Kind {
	out := map[string]provider.Kind{}
	for _, k := range all.Providers() {
		out[k.Name] = k
	}
	return out
}

// A kind's fixture bears its name, so that the folders tell which kinds there must be.
func TestEveryKindIsRegisteredOnce(t *testing.T) {
	fixtures, err := filepath.Glob("../provider/*/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, f := range fixtures {
		want = append(want, strings.TrimSuffix(filepath.Base(f), ".txtar"))
	}
	for _, k := range all.Providers() {
		got = append(got, k.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds with a fixture, and those in Providers (-fixtures +registered):\n%s", diff)
	}
}

func TestDialectsAreThoseThatProvidersSpeak(t *testing.T) {
	known := map[string]bool{}
	for _, d := range all.Dialects() {
		if known[d.Name] {
			t.Errorf("the dialect %s is registered twice", d.Name)
		}
		known[d.Name] = true
	}
	for _, k := range all.Providers() {
		for _, name := range k.Dialects {
			if !known[name] {
				t.Errorf("%s speaks %s, which is not registered", k.Name, name)
			}
		}
	}
}

// Two kinds that took their keys from one variable would both become connections of its owner's.
func TestEnvironmentVariablesBelongToOneKind(t *testing.T) {
	owner := map[string]string{}
	for _, k := range all.Providers() {
		for _, f := range k.Fields {
			for _, name := range f.Env {
				if was, ok := owner[name]; ok && f.Secret {
					t.Errorf("%s is the key of %s and of %s", name, was, k.Name)
				}
				owner[name] = k.Name
			}
		}
	}
}

func TestEngineNames(t *testing.T) {
	var names []string
	for _, e := range all.Engines() {
		if e.New == nil || e.Title == "" || slices.Contains(names, e.Name) {
			t.Errorf("the engine %q is not whole, or there twice", e.Name)
		}
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		t.Error("there is no engine")
	}
}

// TestRecordedAddresses expects that calls go where recorded ones went.
func TestRecordedAddresses(t *testing.T) {
	kinds, seen := kinds(), map[string]int{}
	for _, x := range testkit.Corpus(t) {
		k, ok := kinds[x.Vendor]
		if op := x.Op(); !ok || x.Request.URL == "" || op != "chat.completions" && op != "messages" {
			continue
		}
		u, err := url.Parse(x.Request.URL)
		if err != nil {
			t.Fatalf("%s: %v", x.Name(), err)
		}
		in, model := connection(k, u)
		p, err := k.New(in)
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		plan, err := p.Plan(model, llm.OpGenerate, x.Stream())
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		// The query that Anthropic's SDKs add to beta calls says what a header says as well.
		if want := strings.TrimSuffix(x.Request.URL, "?beta=true"); plan.URL != want || plan.Method != x.Request.Method {
			t.Errorf("%s: got %s %s, want %s %s", x.Name(), plan.Method, plan.URL, x.Request.Method, want)
		}
		seen[k.Name]++
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%-12s %d", name, seen[name])
	}
	if len(seen) == 0 {
		t.Error("no recorded call was tried")
	}
}

// connection returns the settings, and the model, with which a recorded address must come out: the
// kind's own address, where the recording is not of another that the vendor has.
func connection(k provider.Kind, u *url.URL) (in provider.Settings, model string) {
	in = provider.Settings{
		Connection: "recorded", BaseURL: k.BaseURL, Header: http.Header{}, Options: map[string]string{},
		Credentials: map[string]plenum.Secret{"api_key": plenum.NewSecret("k")},
	}
	own, err := url.Parse(k.BaseURL)
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/chat/completions"), "/v1/messages")
	if err == nil && own.Host == u.Host && own.Path == path {
		return in, "model"
	}
	in.BaseURL = u.Scheme + "://" + u.Host + path
	if k.Name == "azure" {
		in.Options["api_version"] = u.Query().Get("api-version")
		if resource, deployment, ok := strings.Cut(path, "/openai/deployments/"); ok {
			in.BaseURL, model = u.Scheme+"://"+u.Host+resource, deployment
		}
	}
	return in, model
}
