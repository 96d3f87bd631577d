// Package budget is the stage that reserves money for each attempt and settles it afterwards. [Accounts] holds calls to the
// budgets that a configuration declares. Without Budgets, the mechanism behind it, it lets every attempt pass.
package budget

import (
	"context"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Budgets reserves money.
type Budgets interface {
	// Reserve holds what the attempt may cost, or refuses it with an *llm.Error of kind Quota. It may
	// lower the attempt's cap on output by adding to c.Edits. Where no budget holds for the attempt it returns
	// neither a Hold nor an error; where one does, it asks c.Budgeted.
	Reserve(ctx context.Context, c *gateway.Call) (Hold, error)
}

// Hold is money held for one attempt.
type Hold interface {
	// Extend is told of each chunk before the caller sees it, and reserves more where it must. An
	// error ends the answer.
	Extend(ctx context.Context, c *gateway.Call, ch dialect.Chunk) error
	// Settle is called when the attempt is over and metered. It may be called again, and counts once.
	Settle(c *gateway.Call)
}

// Folding is a Hold whose attempt is streamed for a caller who wants the answer whole. Should the money run out on
// the way, the caller gets what was said until then, as an answer that was cut short.
type Folding interface {
	Hold
	// Cut returns why the answer is to be ended before its end, and whether that is to be said so. It is asked after
	// Extend has failed.
	Cut() (why string, cut bool)
}

// New returns the stage. A nil Budgets holds nothing.
func New(b Budgets) gateway.Stage {
	return gateway.Stage{Name: "budget", Wrap: func(next gateway.Handler) gateway.Handler {
		if b == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			hold, err := b.Reserve(ctx, c)
			if err != nil {
				return err
			}
			if hold == nil {
				return next(ctx, c, out)
			}
			defer hold.Settle(c)
			o := &holdOut{out, ctx, c, hold, false}
			err = next(ctx, c, o)
			if why, cut := o.cutShort(); cut {
				hold.Settle(c)
				c.Trail.Change(why)
				return out.Chunk(dialect.Chunk{Events: []llm.Event{llm.Finish{Stop: llm.Stop{Reason: llm.StopLength}}, llm.End{}}})
			}
			return err
		}
	}}
}

type holdOut struct {
	next   gateway.Out
	ctx    context.Context
	call   *gateway.Call
	hold   Hold
	failed bool // Extend has
}

func (o *holdOut) Begin(h gateway.Head) error { return o.next.Begin(h) }

func (o *holdOut) Chunk(ch dialect.Chunk) error {
	if err := o.hold.Extend(o.ctx, o.call, ch); err != nil {
		o.failed = true
		return err
	}
	return o.next.Chunk(ch)
}

// cutShort returns why the answer was ended before its end, where that is not an error.
func (o *holdOut) cutShort() (string, bool) {
	f, ok := o.hold.(Folding)
	if !ok || !o.failed {
		return "", false
	}
	return f.Cut()
}
