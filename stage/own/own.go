// Package own is the stage that answers the operations on what callers own: files, batches. No model is asked
// for these, so that nothing behind this stage runs. What a batch asks of models goes through the whole
// pipeline line by line.
package own

import (
	"context"
	"fmt"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// New returns the stage, with the handler of each operation.
func New(handlers map[llm.Op]gateway.Handler) gateway.Stage {
	return gateway.Stage{Name: "own", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if !c.Op.Own() {
				return next(ctx, c, out)
			}
			h := handlers[c.Op]
			if h == nil {
				return &llm.Error{Kind: llm.NotFound, Op: "own", Message: fmt.Sprintf("%s is not answered here, since this gateway keeps nothing for its callers: whoever runs it must give it a store (data_dir or database)", c.Op)}
			}
			return h(ctx, c, out)
		}
	}}
}
