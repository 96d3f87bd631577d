// Package limit is the stage that ends what a call counts once, for all its attempts: a request, and its place among the
// calls at the same time. Attempts take it, in one step with what they may cost, since what limits hold depends on
// where an attempt goes; see package stage/budget.
package limit

import (
	"context"

	"github.com/plenum-foundry/plenum/gateway"
)

// Limits are what calls count once.
type Limits interface {
	// Any reports whether the call may count anything.
	Any(c *gateway.Call) bool
	// Ended is called when a call has ended, however it did.
	Ended(ctx context.Context, c *gateway.Call)
}

// New returns the stage. Nil Limits count nothing.
func New(l Limits) gateway.Stage {
	return gateway.Stage{Name: "limit", Wrap: func(next gateway.Handler) gateway.Handler {
		if l == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if !l.Any(c) {
				return next(ctx, c, out)
			}
			defer l.Ended(ctx, c)
			return next(ctx, c, out)
		}
	}}
}
