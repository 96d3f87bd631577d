// Package cache is the stage that answers a call from an earlier answer. Without a Store, the
// mechanism behind it, every call goes on.
package cache

import (
	"context"

	"github.com/plenum-foundry/plenum/gateway"
)

// Store keeps answers.
type Store interface {
	// Answer pushes a kept answer through out and reports true; or reports false and returns the Out
	// through which a fresh answer must go to be kept.
	Answer(ctx context.Context, c *gateway.Call, out gateway.Out) (fresh gateway.Out, hit bool, err error)
}

// New returns the stage. A nil Store keeps nothing.
func New(s Store) gateway.Stage {
	return gateway.Stage{Name: "cache", Wrap: func(next gateway.Handler) gateway.Handler {
		if s == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			fresh, hit, err := s.Answer(ctx, c, out)
			if hit || err != nil {
				return err
			}
			return next(ctx, c, fresh)
		}
	}}
}
