// Package policy is the stage that removes the targets that this caller may not use. Without a Decider,
// the mechanism behind it, every target is allowed.
package policy

import (
	"context"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Decider says what a caller may use.
type Decider interface {
	// Allow returns nil if the call may go to the target, and else why not.
	Allow(c *gateway.Call, t *plenum.Target) error
}

// OwnDecider is a Decider that decides on what callers own as well: files, batches. Such calls have no target.
type OwnDecider interface {
	Decider
	// AllowOwn returns nil if the caller may do what the call asks, and else why not.
	AllowOwn(c *gateway.Call) error
}

// New returns the stage. A nil Decider allows everything.
func New(d Decider) gateway.Stage {
	return gateway.Stage{Name: "policy", Wrap: func(next gateway.Handler) gateway.Handler {
		if d == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if c.Op.Own() {
				if own, ok := d.(OwnDecider); ok {
					if err := own.AllowOwn(c); err != nil {
						return &llm.Error{Kind: llm.Forbidden, Op: "policy", Message: "no policy allows this key to do this; use another key, or ask whoever manages the policies", Err: err}
					}
				}
				return next(ctx, c, out)
			}
			var why error
			c.Candidates = slices.DeleteFunc(c.Candidates, func(t plenum.Target) bool {
				err := d.Allow(c, &t)
				if err != nil {
					why = err
				}
				return err != nil
			})
			if len(c.Candidates) == 0 {
				return &llm.Error{Kind: llm.Forbidden, Op: "policy", Message: "no policy allows this key to use this deployment; use another (GET /v1/models), or ask whoever manages the policies", Err: why}
			}
			return next(ctx, c, out)
		}
	}}
}
