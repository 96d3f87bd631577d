package gateway

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
)

// Answer runs a call and returns what its caller would have been answered over HTTP, together with the error
// that it ended in, which the reply says in the caller's dialect.
func Answer(ctx context.Context, run Runner, c *Call) (dialect.Reply, error) {
	w := &sheet{header: http.Header{}}
	out := &edgeOut{w: w, rc: http.NewResponseController(w), c: c, writeIdle: time.Hour, gone: func() bool { return false }}
	err := run.Run(ctx, c, out)
	out.finish(err)
	return dialect.Reply{Status: w.status, Header: w.header, Body: w.body.Bytes()}, err
}

// sheet is an http.ResponseWriter in memory.
type sheet struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the head.
func (s *sheet) Header() http.Header { return s.header }

// WriteHeader notes the status.
func (s *sheet) WriteHeader(status int) { s.status = status }

// Write keeps a piece of the body.
func (s *sheet) Write(b []byte) (int, error) { return s.body.Write(b) }

// Flush does nothing: nobody waits.
func (s *sheet) Flush() {}
