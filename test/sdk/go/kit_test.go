// Package sdk_test runs the official Go SDKs, unmodified, against a running Plenum. It is a module of its
// own, so that the product does not depend on what it is tested with. test/sdk/run.sh runs it.
package sdk_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	greeting = "Grüße, 世界! 👋🏽 All is well."
	paris    = `{"city": "Paris", "unit": "celsius"}`
	lyon     = `{"city": "Lyon", "unit": "celsius"}`
	// A PNG of one pixel and a PDF of one empty page: real files, made for these tests.
	png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
	pdf = "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0Nv" +
		"dW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOSA5XT4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290" +
		"IDEgMCBSPj4KJSVFT0YK"
)

// weather is the schema of the arguments that the upstream fills in.
func weather() map[string]any {
	return map[string]any{
		"type": "object",
		"properties": map[string]any{
			"city": map[string]any{"type": "string"},
			"unit": map[string]any{"type": "string", "enum": []string{"celsius", "fahrenheit"}},
		},
		"required":             []string{"city", "unit"},
		"additionalProperties": false,
	}
}

func person() map[string]any {
	return map[string]any{
		"type": "object",
		"properties": map[string]any{
			"name": map[string]any{"type": "string"},
			"born": map[string]any{"type": "integer"},
			"tags": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		},
		"required":             []string{"name", "born", "tags"},
		"additionalProperties": false,
	}
}

// ada is what the upstream answers to person.
type ada struct {
	Name string
	Born int
	Tags []string
}

func (a ada) ok() bool { return a.Name == "Ada Lovelace" && a.Born == 1815 && len(a.Tags) == 2 }

func plenumURL(t *testing.T) string {
	t.Helper()
	u := os.Getenv("PLENUM_URL")
	if u == "" {
		t.Skip("PLENUM_URL is not set: test/sdk/run.sh starts what is tested")
	}
	return u
}

func key() string { return os.Getenv("PLENUM_KEY") }

// side is one upstream as a test sees it: how to call it, and what arrived there.
type side struct {
	t     *testing.T
	name  string
	short string
	mark  string
}

// both runs a test against each upstream and writes its outcome down.
func both(t *testing.T, sdk string, body func(t *testing.T, s *side)) {
	t.Helper()
	for name, short := range map[string]string{"openai": "oa", "anthropic": "an"} {
		t.Run(name, func(t *testing.T) {
			plenumURL(t)
			record(t, sdk, name)
			body(t, &side{t, name, short, strings.ToLower(rand.Text()[:8])})
		})
	}
}

func alone(t *testing.T, sdk string) {
	t.Helper()
	plenumURL(t)
	record(t, sdk, "plenum")
}

func record(t *testing.T, sdk, upstream string) {
	t.Cleanup(func() {
		path := os.Getenv("PLENUM_SDK_RESULTS")
		if path == "" {
			return
		}
		outcome := "passed"
		if t.Failed() {
			outcome = "failed"
		}
		row, _ := json.Marshal(map[string]string{"language": "go", "sdk": sdk, "upstream": upstream, "test": t.Name(), "outcome": outcome})
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		_, _ = f.Write(append(row, '\n'))
	})
}

// model is the name to call.
func (s *side) model(scenario string) string { return s.short + "/" + s.upstream(scenario) }

func (s *side) upstream(scenario string) string {
	if strings.Contains(scenario, ":") {
		return scenario + "-" + s.mark
	}
	return scenario + ":" + s.mark
}

type call struct {
	Refused     string
	AtMS        int64 `json:"at_ms"`
	CancelledMS int64 `json:"cancelled_ms"`
	Seen        struct {
		System []string
		Turns  []struct {
			Role  string
			Parts []part
		}
		Tools  []struct{ Schema json.RawMessage }
		Choice string
		Max    int
		Extra  map[string]json.RawMessage
	}
}

type part struct{ Type, Text, Media, Hash, URL, Name string }

func (s *side) calls(scenario, wait string) []call {
	s.t.Helper()
	q := url.Values{"model": {s.upstream(scenario)}, "wait": {wait}}
	resp, err := http.Get(os.Getenv("PLENUM_SDK_CONTROL") + "/calls?" + q.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var calls []call
	if err := json.NewDecoder(resp.Body).Decode(&calls); err != nil {
		s.t.Fatal(err)
	}
	return calls
}

// seen returns what the upstream understood of the last request.
func (s *side) seen(scenario string) call {
	s.t.Helper()
	calls := s.calls(scenario, "")
	if len(calls) == 0 {
		s.t.Fatal("nothing reached the upstream")
	}
	last := calls[len(calls)-1]
	if last.Refused != "" {
		s.t.Fatal(last.Refused)
	}
	return last
}

// cancelled checks that the upstream was told soon after the caller went away.
func (s *side) cancelled(scenario string, gone time.Time) {
	s.t.Helper()
	calls := s.calls(scenario, "cancelled")
	if len(calls) == 0 || calls[len(calls)-1].CancelledMS == 0 {
		s.t.Fatal("the upstream was never told that the caller went away")
	}
	if late := calls[len(calls)-1].CancelledMS - gone.UnixMilli(); late > 500 {
		s.t.Errorf("the upstream was told after %d ms", late)
	}
}

func ctx(t *testing.T) context.Context {
	c, stop := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(stop)
	return c
}

func digest(b64 string) string {
	raw, _ := base64.StdEncoding.DecodeString(b64)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// same compares JSON by meaning.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Errorf("%s: %q is not JSON", what, got)
		return
	}
	_ = json.Unmarshal([]byte(want), &w)
	gb, _ := json.Marshal(g)
	wb, _ := json.Marshal(w)
	if string(gb) != string(wb) {
		t.Errorf("%s: got %s, want %s", what, gb, wb)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
