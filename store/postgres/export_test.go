package postgres

import (
	"context"
	"io/fs"

	"github.com/plenum-foundry/plenum"
)

// Migrations are those that Open does.
var Migrations fs.FS = migrations

// MigrateFrom does the migrations in a folder to a store.
func MigrateFrom(ctx context.Context, address plenum.Secret, from fs.FS) error {
	pool, err := connect(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate(ctx, pool, from)
}
