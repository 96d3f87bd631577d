package sqlite

import (
	"context"
	"errors"
	"io/fs"
)

// Migrations are those that Open does.
var Migrations fs.FS = migrations

// MigrateFrom does the migrations in a folder to a store, which it makes where there is none.
func MigrateFrom(ctx context.Context, path string, from fs.FS) error {
	if err := create(path); err != nil {
		return err
	}
	db, err := pool(path, 1, "_txlock=immediate", "_pragma=synchronous(full)", "_pragma=foreign_keys(on)")
	if err != nil {
		return err
	}
	return errors.Join(migrate(ctx, db, from), db.Close())
}
