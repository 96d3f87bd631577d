package store

import (
	"context"
	"encoding/json"
	"fmt"

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
	// RotateKey gives a key another secret: its prefix, MAC and end become those of k, and what it had stays good until
	// k.Overlap, in Unix milliseconds. It returns ErrMoved where k.Before is not its MAC any more, or it was revoked,
	// and ErrNotFound where there is no such key.
	RotateKey(ctx context.Context, k plenum.Key) error
	// KeysRevision returns a number that is another one after every change of a key.
	KeysRevision(ctx context.Context) (int64, error)
	// UseKeys notes when keys were last used, in Unix milliseconds: keys of the store, declared ones and tokens'
	// alike. What is older than what is noted changes nothing.
	UseKeys(ctx context.Context, used map[string]int64) error
	// KeyUses returns when keys were last used, by their ids.
	KeyUses(ctx context.Context) (map[string]int64, error)
}

// ScopeText returns a scope as it is kept: "" where there is none.
func ScopeText(s *plenum.Scope) string {
	if s.Empty() {
		return ""
	}
	b, _ := json.Marshal(s) // of texts, numbers and addresses: it cannot fail
	return string(b)
}

// ReadScope reads it again.
func ReadScope(text string) (*plenum.Scope, error) {
	if text == "" {
		return nil, nil
	}
	s := new(plenum.Scope)
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("reading the scope of a key: %w", err)
	}
	return s, nil
}
