// Package auth is the stage that says who is calling. Without a good key nothing further happens: the
// body has not been read, and no stage behind it runs.
package auth

import (
	"context"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
)

// New returns the stage, which looks keys up in the configuration snapshot that the call began under.
func New(p *identity.Pepper) gateway.Stage {
	return gateway.Stage{Name: "auth", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if c.Parent == "" {
				if c.CredErr != nil {
					return c.CredErr
				}
				who, err := identity.Authenticate(p, c.Config.Key, c.Cred, time.Now())
				if err != nil {
					return err
				}
				c.Caller = who
			}
			// A call that another call makes acts for the same caller, whom the Runner names.
			c.Trail.Record.KeyID, c.Trail.Record.Project = c.Caller.KeyID, c.Caller.Project
			return next(ctx, c, out)
		}
	}}
}
