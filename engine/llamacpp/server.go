package llamacpp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/process"
)

// server wraps a process.
func (e *Engine) server(p *process.Process, port int) *server {
	return &server{process: p, port: port, endpoint: engine.Endpoint{
		BaseURL:  fmt.Sprintf("http://127.0.0.1:%d/v1", port),
		Key:      e.key,
		Models:   []engine.Model{{ID: modelID, Context: e.opts.Context}},
		Parallel: e.opts.Parallel,
	}}
}

// server is llama.cpp's server running.
type server struct {
	process  *process.Process
	port     int
	endpoint engine.Endpoint
}

var _ engine.Server = (*server)(nil)

// Endpoint returns where and how the server is called.
func (s *server) Endpoint() engine.Endpoint { return s.endpoint }

// Health returns nil when the server has loaded its model.
func (s *server) Health(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/health", s.port), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // never through a proxy
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server says it is not ready: %s", res.Status)
	}
	return nil
}

// Wait blocks until the server has ended, and says how.
func (s *server) Wait(ctx context.Context) error {
	err := s.process.Wait(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return told("llama.cpp ended", err, s.process)
}

// Stop ends the server.
func (s *server) Stop(ctx context.Context) error {
	s.process.Stop(ctx)
	return nil
}
