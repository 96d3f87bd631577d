package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

// Tables returns the tables that were imported.
func (d *DB) Tables(ctx context.Context) ([]store.Table, error) {
	rows, err := d.pool.Query(ctx, `SELECT name, dated, version, imported_ms, imported_by, offers, body FROM catalog_tables
		WHERE body IS NOT NULL ORDER BY name COLLATE "C"`)
	ts, err := collect(rows, err, scanTable)
	if err != nil {
		return nil, fmt.Errorf("listing imported tables: %w", err)
	}
	return ts, nil
}

// TablesVersion returns the newest version of all.
func (d *DB) TablesVersion(ctx context.Context) (int64, error) {
	var n int64
	if err := d.pool.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM catalog_tables").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the version of imported tables: %w", err)
	}
	return n, nil
}

// PutTable keeps a table, or takes it away.
func (d *DB) PutTable(ctx context.Context, at int64, t store.Table) error {
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE catalog_tables IN EXCLUSIVE MODE"); err != nil { // one version after the other
			return err
		}
		var is int64
		err := tx.QueryRow(ctx, "SELECT version FROM catalog_tables WHERE name = $1 AND body IS NOT NULL", clean(t.Name)).Scan(&is)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if is != at {
			return store.ErrMoved
		}
		_, err = tx.Exec(ctx, `INSERT INTO catalog_tables (name, dated, version, imported_ms, imported_by, offers, body)
			VALUES ($1, $2, (SELECT coalesce(max(version), 0) + 1 FROM catalog_tables), $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET dated = excluded.dated, version = excluded.version, imported_ms = excluded.imported_ms,
			imported_by = excluded.imported_by, offers = excluded.offers, body = excluded.body`,
			clean(t.Name), clean(t.Date), t.Imported, clean(t.By), t.Offers, t.Body)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the table %s: %w", t.Name, err)
	}
	return nil
}

// scanTable reads a table.
func scanTable(r pgx.Row) (store.Table, error) {
	var t store.Table
	err := r.Scan(&t.Name, &t.Date, &t.Version, &t.Imported, &t.By, &t.Offers, &t.Body)
	return t, err
}
