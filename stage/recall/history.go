package recall

import (
	"context"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
)

// History is the mechanism behind what was said before and is kept.
type History interface {
	// Open has a call say by itself what it only refers to. It returns the Out through which the answer
	// must go to out, so that it is kept, and what must be called once with the error that the call ended
	// in; or out itself and nil, where nothing is to be kept. Where it has answered the call it returns no Out.
	Open(ctx context.Context, c *gateway.Call, out gateway.Out) (gateway.Out, func(error) error, error)
}

// refer wraps a handler in the history. Without one nothing is kept.
func refer(h History, next gateway.Handler) gateway.Handler {
	if h == nil {
		return next
	}
	return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
		if _, ok := c.Codec.(dialect.Keeper); !ok || c.Op.Own() {
			return next(ctx, c, out)
		}
		through, end, err := h.Open(ctx, c, out)
		if err != nil || through == nil {
			return err
		}
		err = next(ctx, c, through)
		if end != nil {
			err = end(err)
		}
		return err
	}
}
