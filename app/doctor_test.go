package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// found returns what a section says of something, or fails.
func found(t *testing.T, s section, about string) finding {
	t.Helper()
	for _, f := range s.findings {
		if f.about == about {
			return f
		}
	}
	t.Fatalf("nothing is said of %q in %+v", about, s.findings)
	return finding{}
}

// healthy is a doctor who can look at connections of the real kinds.
func healthy() *doctor {
	return &doctor{parts: Parts{Providers: all.Providers()}, now: time.Now}
}

func snapshotOf(t *testing.T, yaml string) *config.Snapshot {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte(yaml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := understand(Parts{Providers: all.Providers()}, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connectionTo(t *testing.T, url string) *config.Snapshot {
	t.Helper()
	return snapshotOf(t, `
connections: [{name: a, provider: openai-compatible, base_url: "`+url+`", credentials: {api_key: sk-of-a-test}}]
deployments: [{name: m, targets: [{connection: a}]}]
`)
}

func TestAPlaceThatAnswersIsReachedWithoutItsCredential(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.Text(http.StatusNotFound, "text/plain", "nothing"))
	r := healthy().connections(t.Context(), connectionTo(t, up.URL+"/v1"))
	if f := found(t, r.section, "a"); f.verdict != good {
		t.Errorf("found %+v", f)
	}
	last := up.Last()
	if last.Path != "/" || strings.Contains(last.Header.Get("Authorization"), "sk-of-a-test") {
		t.Errorf("asked %s with %q", last.Path, last.Header.Get("Authorization"))
	}
}

func TestACredentialIsTriedOnlyWhenAsked(t *testing.T) {
	for status, want := range map[int]verdict{200: good, 401: bad, 403: bad, 404: note, 500: warn} {
		up := testkit.NewUpstream(t, testkit.JSON(`{"data":[]}`).WithStatus(status))
		d := healthy()
		d.probe = true
		f := found(t, d.connections(t.Context(), connectionTo(t, up.URL+"/v1")).section, "a")
		if f.verdict != want || strings.Contains(f.says+f.do, "sk-of-a-test") {
			t.Errorf("status %d: found %+v, want %s", status, f, want)
		}
		if last := up.Last(); last.Path != "/v1/models" || last.Header.Get("Authorization") != "Bearer sk-of-a-test" {
			t.Errorf("asked %s with %q", last.Path, last.Header.Get("Authorization"))
		}
	}
}

func TestAPlaceThatCannotBeReached(t *testing.T) {
	plain := testkit.NewUpstream(t, testkit.JSON(`{}`))
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	for url, want := range map[string]string{
		testkit.RefusedURL(t) + "/v1":                            "connection refused",
		strings.Replace(plain.URL, "http:", "https:", 1) + "/v1": "does not speak TLS",
		secure.URL + "/v1":                                       "certificate is not trusted",
	} {
		f := found(t, healthy().connections(t.Context(), connectionTo(t, url)).section, "a")
		if f.verdict != bad || !strings.Contains(f.says, want) || f.do == "" {
			t.Errorf("%s: found %+v, want %q", url, f, want)
		}
	}
}

func TestASlowPlaceDoesNotHoldTheDoctorUp(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if f := found(t, healthy().connections(ctx, connectionTo(t, up.URL+"/v1")).section, "a"); f.verdict != bad || !strings.Contains(f.says, "no answer in time") {
		t.Errorf("found %+v", f)
	}
}

func TestWhereTheListOfModelsIs(t *testing.T) {
	for generate, want := range map[string]string{
		"https://api.x.ai/v1/chat/completions":                                           "https://api.x.ai/v1/models",
		"https://api.anthropic.com/v1/messages":                                          "https://api.anthropic.com/v1/models",
		"https://r.openai.azure.com/openai/v1/chat/completions":                          "https://r.openai.azure.com/openai/v1/models",
		"https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1": "https://r.openai.azure.com/openai/models?api-version=1",
		"https://example.com/generate":                                                   "",
	} {
		if got, ok := modelsURL(generate); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t; want %q", generate, got, ok, want)
		}
	}
}

func TestTheClockIsHeldAgainstThatOfVendors(t *testing.T) {
	for name, c := range map[string]struct {
		now    time.Time
		clocks []time.Duration
		want   verdict
	}{
		"right":          {epoch().Add(time.Hour), []time.Duration{time.Second}, good},
		"nobody to ask":  {epoch().Add(time.Hour), nil, good},
		"behind":         {epoch().Add(time.Hour), []time.Duration{0, 10 * time.Minute}, warn},
		"ahead":          {epoch().Add(time.Hour), []time.Duration{-10 * time.Minute}, warn},
		"never been set": {time.Unix(0, 0), nil, bad},
	} {
		var s section
		(&doctor{now: func() time.Time { return c.now }}).clock(&s, c.clocks)
		if f := found(t, s, "clock"); f.verdict != c.want {
			t.Errorf("%s: found %+v, want %s", name, f, c.want)
		}
	}
}

func TestDamageToTheDataIsFound(t *testing.T) {
	dir := t.TempDir()
	f := config.New()
	f.DataDir = dir
	d := healthy()
	if err := os.WriteFile(filepath.Join(dir, "plenum.db"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pepper"), []byte("salt"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := d.data(t.Context(), f)
	for _, about := range []string{"store", "pepper"} {
		if got := found(t, s, about); got.verdict != bad || got.do == "" {
			t.Errorf("found %+v", got)
		}
	}
	f.DataDir = filepath.Join(dir, "plenum.db")
	if got := found(t, d.data(t.Context(), f), "directory"); got.verdict != bad {
		t.Errorf("of a file in the place of the directory: found %+v", got)
	}
}

func TestEnginesAreTold(t *testing.T) {
	d := &doctor{now: time.Now}
	d.parts.Engines = []engine.Kind{
		{Name: "here", Title: "Here", New: func(engine.Settings) engine.Engine { return &kit{here: true} }},
		{Name: "slow", Title: "Slow", New: func(engine.Settings) engine.Engine { return &kit{slow: true} }},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	s := d.machine(ctx, nil)
	if f := found(t, s, "Here"); f.verdict != good {
		t.Errorf("found %+v", f)
	}
	if f := found(t, s, "Slow"); f.verdict != note {
		t.Errorf("found %+v", f)
	}
}

func TestFindingsAreAligned(t *testing.T) {
	var out strings.Builder
	s := section{title: "Things"}
	s.add("a", good, "fine", "")
	s.add("longer", bad, "two\nlines", "do this\nand that")
	style{}.section(&out, &s)
	want := "Things\n  ok    a       fine\n  FAIL  longer  two\n                lines\n                -> do this\n                   and that\n\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
