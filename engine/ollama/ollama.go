// Package ollama finds an Ollama that runs on this machine and offers what it serves. Plenum neither
// installs nor starts nor stops it: it is the user's.
package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/plenum-foundry/plenum/engine"
)

// Kind is Ollama in the list of engines.
var Kind = engine.Kind{
	Name:  "ollama",
	Title: "Ollama",
	New:   func(engine.Settings) engine.Engine { return New(Options{}) },
}

// Address is where Ollama listens unless it is told otherwise.
const Address = "127.0.0.1:11434"

const (
	probeTime = 2 * time.Second // an Ollama that is there answers at once
	maxAnswer = 4 << 20         // bytes of a list of models
)

// Options are what the engine can be told. The zero Options are useful.
type Options struct {
	Address string // host and port; "" is Address
}

// Engine is an Ollama that someone else runs.
type Engine struct{ base string }

var _ engine.Engine = (*Engine)(nil)

// New returns an engine.
func New(opts Options) *Engine {
	if opts.Address == "" {
		opts.Address = Address
	}
	return &Engine{base: "http://" + opts.Address}
}

// Name returns the engine's name for people.
func (e *Engine) Name() string { return "Ollama" }

// Probe asks the address for its version. That nothing answers is no error.
func (e *Engine) Probe(ctx context.Context) (engine.Presence, error) {
	version, err := e.version(ctx)
	if err != nil {
		return engine.Presence{Detail: err.Error()}, ctx.Err()
	}
	models, err := e.models(ctx)
	if err != nil {
		return engine.Presence{Version: version, Detail: err.Error()}, ctx.Err()
	}
	if len(models) == 0 {
		return engine.Presence{Version: version, Detail: "Ollama runs at " + e.base + " but has no model; `ollama pull` brings one"}, nil
	}
	return engine.Presence{Installed: true, Version: version, Detail: fmt.Sprintf("%s with %s", e.base, names(models))}, nil
}

// Install says what to do: an Ollama is the user's to install.
func (e *Engine) Install(ctx context.Context, _ func(engine.Progress)) error {
	found, err := e.Probe(ctx)
	if err != nil || found.Installed {
		return err
	}
	return &engine.Error{
		Message: "Ollama is not ready: " + found.Detail,
		Advice:  []string{"install Ollama, start it with `ollama serve`, and bring a model with `ollama pull`"},
		Final:   true,
	}
}

// Start attaches to the Ollama that runs.
func (e *Engine) Start(ctx context.Context) (engine.Server, error) {
	models, err := e.models(ctx)
	if err != nil {
		return nil, err
	}
	return &server{engine: e, endpoint: engine.Endpoint{BaseURL: e.base + "/v1", Models: models}}, nil
}

func (e *Engine) version(ctx context.Context) (string, error) {
	var answer struct {
		Version string `json:"version"`
	}
	if err := e.get(ctx, "/api/version", &answer); err != nil {
		return "", err
	}
	if answer.Version == "" {
		return "", fmt.Errorf("what answers at %s is not Ollama", e.base)
	}
	return answer.Version, nil
}

// models lists the models that the Ollama holds. How much context it gives each is its own setting,
// which it does not tell here.
func (e *Engine) models(ctx context.Context) ([]engine.Model, error) {
	var answer struct {
		Models []struct {
			Name string `json:"name"`
		} `json:"models"`
	}
	if err := e.get(ctx, "/api/tags", &answer); err != nil {
		return nil, err
	}
	models := make([]engine.Model, len(answer.Models))
	for i, m := range answer.Models {
		models[i] = engine.Model{ID: m.Name}
	}
	return models, nil
}

// get decodes the answer to a GET, within a short time.
func (e *Engine) get(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+path, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // never through a proxy
	res, err := client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("none runs at %s", e.base)
	}
	if err != nil {
		return fmt.Errorf("asking Ollama: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("asking Ollama for %s: %s", path, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("reading Ollama's answer to %s: %w", path, err)
	}
	return nil
}

// names lists models for people.
func names(models []engine.Model) string {
	ids := make([]string, len(models))
	for i, m := range models {
		ids[i] = m.ID
	}
	return strings.Join(ids, ", ")
}

// server is an Ollama that someone else runs.
type server struct {
	engine   *Engine
	endpoint engine.Endpoint
}

var _ engine.Server = (*server)(nil)

// Endpoint returns where the Ollama is called.
func (s *server) Endpoint() engine.Endpoint { return s.endpoint }

// Health returns nil when the Ollama answers.
func (s *server) Health(ctx context.Context) error {
	_, err := s.engine.version(ctx)
	return err
}

// Wait blocks until ctx ends: that an Ollama has gone is seen by its health alone.
func (s *server) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Stop leaves the Ollama as it is.
func (s *server) Stop(context.Context) error { return nil }
