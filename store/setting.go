package store

import "context"

// Settings are the few values that a Plenum keeps about itself, such as the pepper of its keys' MACs.
type Settings interface {
	// Setting returns a value, or ErrNotFound.
	Setting(ctx context.Context, name string) ([]byte, error)
	// SetSetting keeps a value, in place of what was there.
	SetSetting(ctx context.Context, name string, value []byte) error
	// EnsureSetting keeps a value where there is none, and returns the one that is there then: of
	// several nodes that start at once, all get the same.
	EnsureSetting(ctx context.Context, name string, value []byte) ([]byte, error)
}
