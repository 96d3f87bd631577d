package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

// Resources returns all resources and their revision.
func (d *DB) Resources(ctx context.Context) (rs []store.Resource, n int64, err error) {
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly} // one for both
	err = pgx.BeginTxFunc(ctx, d.pool, moment, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT n FROM revision").Scan(&n); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT kind, name, spec, version, created_ms, changed_ms, changed_by FROM resources
			ORDER BY kind COLLATE "C", name COLLATE "C"`)
		rs, err = collect(rows, err, scanResource)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing resources: %w", err)
	}
	return rs, n, nil
}

// Revision returns the revision of the resources.
func (d *DB) Revision(ctx context.Context) (int64, error) {
	var n int64
	if err := d.pool.QueryRow(ctx, "SELECT n FROM revision").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the revision: %w", err)
	}
	return n, nil
}

// ChangeResources makes all changes or none.
func (d *DB) ChangeResources(ctx context.Context, at int64, by string, now int64, changes []store.ResourceChange) (int64, error) {
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE revision SET n = n + 1 WHERE n = $1", at)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return store.ErrMoved
		}
		for _, c := range changes {
			if c.Spec == nil {
				_, err = tx.Exec(ctx, "DELETE FROM resources WHERE kind = $1 AND name = $2", clean(c.Kind), clean(c.Name))
			} else {
				_, err = tx.Exec(ctx, `INSERT INTO resources (kind, name, spec, version, created_ms, changed_ms, changed_by)
					VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (kind, name) DO UPDATE SET spec = excluded.spec, version = excluded.version,
					changed_ms = excluded.changed_ms, changed_by = excluded.changed_by`, clean(c.Kind), clean(c.Name), c.Spec, at+1, now, clean(by))
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
func scanResource(r pgx.Row) (store.Resource, error) {
	var o store.Resource
	err := r.Scan(&o.Kind, &o.Name, &o.Spec, &o.Version, &o.Created, &o.Changed, &o.By)
	return o, err
}
