package ollama

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/engine"
)

// fakeOllama answers as an Ollama with the given list of models does.
func fakeOllama(t *testing.T, tags string) (*Engine, *httptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"version":"0.12.3"}`))
	})
	mux.HandleFunc("GET /api/tags", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(tags)) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return New(Options{Address: strings.TrimPrefix(srv.URL, "http://")}), srv
}

const twoModels = `{"models":[
	{"name":"llama3.2:1b","model":"llama3.2:1b","size":1321098329,"details":{"family":"llama","quantization_level":"Q8_0"}},
	{"name":"qwen3:0.6b","model":"qwen3:0.6b","size":522653767,"details":{"family":"qwen3"}}]}`

func TestProbeFindsARunningOllama(t *testing.T) {
	e, srv := fakeOllama(t, twoModels)
	got, err := e.Probe(t.Context())
	want := engine.Presence{Installed: true, Version: "0.12.3", Detail: srv.URL + " with llama3.2:1b, qwen3:0.6b"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestProbeOfNothingIsQuickAndNoError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, address := time.Now(), l.Addr().String()
	if got, err := New(Options{Address: address}).Probe(t.Context()); err != nil || got.Installed { // accepts, and is silent
		t.Errorf("%+v, %v", got, err)
	}
	_ = l.Close()
	if got, err := New(Options{Address: address}).Probe(t.Context()); err != nil || got.Installed { // refuses
		t.Errorf("%+v, %v", got, err)
	}
	if took := time.Since(began); took > 2*probeTime {
		t.Errorf("took %v", took)
	}
}

func TestProbeTellsAnOllamaWithoutModels(t *testing.T) {
	e, _ := fakeOllama(t, `{"models":[]}`)
	got, err := e.Probe(t.Context())
	if err != nil || got.Installed || got.Version != "0.12.3" || !strings.Contains(got.Detail, "ollama pull") {
		t.Errorf("%+v, %v", got, err)
	}
	var e2 *engine.Error
	if err := e.Install(t.Context(), nil); !errors.As(err, &e2) || !e2.Final {
		t.Errorf("got %v", err)
	}
}

func TestAnotherServerOnThePortIsNotOllama(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer srv.Close()
	got, err := New(Options{Address: strings.TrimPrefix(srv.URL, "http://")}).Probe(t.Context())
	if err != nil || got.Installed || !strings.Contains(got.Detail, "is not Ollama") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSupervisorOffersItsEndpoint(t *testing.T) {
	e, srv := fakeOllama(t, twoModels)
	ctx, cancel := context.WithCancel(t.Context())
	s := &engine.Supervisor{Engine: e}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	got, err := s.Wait(ctx)
	want := engine.Endpoint{BaseURL: srv.URL + "/v1", Models: []engine.Model{{ID: "llama3.2:1b"}, {ID: "qwen3:0.6b"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(plenum.Secret{})); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if found, _ := e.Probe(t.Context()); !found.Installed {
		t.Error("stopping has touched the user's Ollama")
	}
}

func TestTheDefaultAddress(t *testing.T) {
	if got := New(Options{}).base; got != "http://127.0.0.1:11434" {
		t.Errorf("got %q", got)
	}
}
