package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// maxDepth bounds calls that make calls: a judge that judges itself must come to an end.
const maxDepth = 8

// runner is the Runner of a node.
type runner struct {
	current  *config.Current
	pipeline Handler
}

// NewRunner returns a Runner that sends calls through the pipeline.
func NewRunner(current *config.Current, pipeline Handler) Runner {
	return &runner{current, pipeline}
}

// Run runs one call. It must name its caller and the call or job that it is made for.
func (r *runner) Run(ctx context.Context, c *Call, out Out) error {
	if c.Parent == "" || c.Caller.KeyID == "" {
		return &llm.Error{Kind: llm.Internal, Op: "runner", Message: "a call without a caller", Err: fmt.Errorf("parent %q, key %q", c.Parent, c.Caller.KeyID)}
	}
	if c.Depth > maxDepth {
		return &llm.Error{Kind: llm.Invalid, Op: "runner", Message: "calls that make calls are nested too deep"}
	}
	if c.Config == nil {
		c.Config = r.current.Load()
	}
	rec := &c.Trail.Record
	rec.Parent, rec.Op, rec.Dialect, rec.Path = c.Parent, c.Op, c.Dialect.Name, c.In.Path
	rec.Config, rec.BytesIn = c.Config.Version, int64(len(c.In.Body))
	return r.pipeline(ctx, c, out)
}

// NewCall makes a call that another call or a job makes, with a body in a dialect.
func NewCall(parent string, caller plenum.Principal, d *dialect.Dialect, op llm.Op, path string, body []byte) (*Call, error) {
	codec := d.Codec(op)
	if codec == nil {
		return nil, fmt.Errorf("the %s dialect has no %s", d.Name, op)
	}
	now := time.Now()
	id := newID(now)
	return &Call{
		ID: id, Op: op, Dialect: d, Codec: codec, Caller: caller, Parent: parent, Depth: 1, Trail: NewTrail(id, now), req: &intake{},
		In: dialect.Inbound{Method: http.MethodPost, Path: path, Header: http.Header{}, Body: body},
	}, nil
}
