// Package budget is the stage that reserves money for each attempt and settles it afterwards. Without
// Budgets, the mechanism behind it, it lets every attempt pass.
package budget

import (
	"context"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
)

// Budgets reserves money.
type Budgets interface {
	// Reserve holds what the attempt may cost, or refuses it with an *llm.Error of kind Quota. It may
	// lower the attempt's cap on output by adding to c.Edits.
	Reserve(ctx context.Context, c *gateway.Call) (Hold, error)
}

// Hold is money held for one attempt.
type Hold interface {
	// Extend is told of each chunk before the caller sees it, and reserves more where it must. An
	// error ends the answer.
	Extend(ctx context.Context, c *gateway.Call, ch dialect.Chunk) error
	// Settle is called exactly once, when the attempt is over and metered.
	Settle(c *gateway.Call)
}

// New returns the stage. A nil Budgets holds nothing.
func New(b Budgets) gateway.Stage {
	return gateway.Stage{Name: "budget", Wrap: func(next gateway.Handler) gateway.Handler {
		if b == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if err := c.Budgeted(); err != nil {
				return err
			}
			hold, err := b.Reserve(ctx, c)
			if err != nil {
				return err
			}
			defer hold.Settle(c)
			return next(ctx, c, &holdOut{out, ctx, c, hold})
		}
	}}
}

type holdOut struct {
	next gateway.Out
	ctx  context.Context
	call *gateway.Call
	hold Hold
}

func (o *holdOut) Begin(h gateway.Head) error { return o.next.Begin(h) }

func (o *holdOut) Chunk(ch dialect.Chunk) error {
	if err := o.hold.Extend(o.ctx, o.call, ch); err != nil {
		return err
	}
	return o.next.Chunk(ch)
}
