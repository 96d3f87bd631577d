package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/plenum-foundry/plenum/store"
)

// Resources returns all resources and their revision.
func (d *DB) Resources(ctx context.Context) ([]store.Resource, int64, error) {
	tx, err := d.read.BeginTx(ctx, nil) // one moment for both
	if err != nil {
		return nil, 0, fmt.Errorf("listing resources: %w", err)
	}
	defer tx.Rollback()
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT n FROM revision").Scan(&n); err != nil {
		return nil, 0, fmt.Errorf("reading the revision: %w", err)
	}
	rows, err := tx.QueryContext(ctx, "SELECT kind, name, spec, version, created_ms, changed_ms, changed_by FROM resources ORDER BY kind, name")
	rs, err := collect(rows, err, scanResource)
	if err != nil {
		return nil, 0, fmt.Errorf("listing resources: %w", err)
	}
	return rs, n, nil
}

// Revision returns the revision of the resources.
func (d *DB) Revision(ctx context.Context) (int64, error) {
	var n int64
	if err := d.read.QueryRowContext(ctx, "SELECT n FROM revision").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the revision: %w", err)
	}
	return n, nil
}

// ChangeResources makes all changes or none.
func (d *DB) ChangeResources(ctx context.Context, at int64, by string, now int64, changes []store.ResourceChange) (int64, error) {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE revision SET n = n + 1 WHERE n = ?", at)
		if err != nil {
			return err
		}
		if errors.Is(touched(res), store.ErrNotFound) {
			return store.ErrMoved
		}
		for _, c := range changes {
			if c.Spec == nil {
				_, err = tx.ExecContext(ctx, "DELETE FROM resources WHERE kind = ? AND name = ?", c.Kind, c.Name)
			} else {
				_, err = tx.ExecContext(ctx, `INSERT INTO resources (kind, name, spec, version, created_ms, changed_ms, changed_by)
					VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET spec = excluded.spec, version = excluded.version,
					changed_ms = excluded.changed_ms, changed_by = excluded.changed_by`, c.Kind, c.Name, c.Spec, at+1, now, now, by)
			}
			if err != nil {
				return fmt.Errorf("%s %s: %w", c.Kind, c.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("changing resources: %w", err)
	}
	return at + 1, nil
}

// scanResource reads a resource.
func scanResource(r row) (store.Resource, error) {
	var o store.Resource
	err := r.Scan(&o.Kind, &o.Name, &o.Spec, &o.Version, &o.Created, &o.Changed, &o.By)
	return o, err
}
