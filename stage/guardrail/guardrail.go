// Package guardrail is the stage that screens what goes to a model and what comes back. Without a
// Guard, the mechanism behind it, everything passes.
package guardrail

import (
	"context"

	"github.com/plenum-foundry/plenum/gateway"
)

// Guard screens calls.
type Guard interface {
	// Screen looks at the request and returns the Out through which the answer must go to out, or an
	// *llm.Error of kind Blocked. It may edit the request through c.Edits, and asks for the whole
	// meaning of the answer by c.Understand. A nil Out with no error means that it does not care.
	Screen(ctx context.Context, c *gateway.Call, out gateway.Out) (Screen, error)
}

// Screen is an Out that may hold chunks back. Close is called once when the answer is over, with the
// error that ended it; it lets go what it still holds, or says why not.
type Screen interface {
	gateway.Out
	Close(error) error
}

// New returns the stage. A nil Guard lets everything pass, but what a deployment wants screened and nobody could read.
func New(g Guard) gateway.Stage {
	return gateway.Stage{Name: "guardrail", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if g != nil || c.Deployment.Guardrail != "" {
				if err := c.Screened(); err != nil {
					return err
				}
			}
			if g == nil {
				return next(ctx, c, out)
			}
			screen, err := g.Screen(ctx, c, &repeats{next: out})
			if err != nil {
				return err
			}
			if screen == nil {
				return next(ctx, c, out)
			}
			return screen.Close(next(ctx, c, screen))
		}
	}}
}
