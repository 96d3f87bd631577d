package valkey

import (
	"context"
	"time"
)

// Renew renews the leases as Run does at a moment.
func (b *Book) Renew(ctx context.Context, now time.Time) { b.renew(ctx, now) }

// CatchUp tells the server what it could not be told, as Run does.
func (b *Book) CatchUp(ctx context.Context) bool { return b.catchUp(ctx) }
