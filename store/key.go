package store

import (
	"context"

	"github.com/plenum-foundry/plenum"
)

// Keys are the callers' keys that are kept in the store. Declared keys, whose Declared is not empty, are
// in their files alone.
type Keys interface {
	// CreateKey keeps a new key. It returns ErrExists where the id or the MAC is taken.
	CreateKey(ctx context.Context, k plenum.Key) error
	// Key returns one key, or ErrNotFound.
	Key(ctx context.Context, id string) (plenum.Key, error)
	// Keys returns all keys, revoked ones too, oldest first.
	Keys(ctx context.Context) ([]plenum.Key, error)
	// RevokeKey ends a key at a time in Unix milliseconds, or returns ErrNotFound. A key that was
	// revoked before stays as it is.
	RevokeKey(ctx context.Context, id string, at int64) error
}
