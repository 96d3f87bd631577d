package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/plenum-foundry/plenum/store"
)

// Tables returns the tables that were imported.
func (d *DB) Tables(ctx context.Context) ([]store.Table, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT name, dated, version, imported_ms, imported_by, offers, body FROM catalog_tables
		WHERE body IS NOT NULL ORDER BY name`)
	ts, err := collect(rows, err, scanTable)
	if err != nil {
		return nil, fmt.Errorf("listing imported tables: %w", err)
	}
	return ts, nil
}

// TablesVersion returns the newest version of all.
func (d *DB) TablesVersion(ctx context.Context) (int64, error) {
	var n int64
	if err := d.read.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM catalog_tables").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the version of imported tables: %w", err)
	}
	return n, nil
}

// PutTable keeps a table, or takes it away.
func (d *DB) PutTable(ctx context.Context, at int64, t store.Table) error {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		var is int64
		err := tx.QueryRowContext(ctx, "SELECT version FROM catalog_tables WHERE name = ? AND body IS NOT NULL", t.Name).Scan(&is)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if is != at {
			return store.ErrMoved
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO catalog_tables (name, dated, version, imported_ms, imported_by, offers, body)
			VALUES (?, ?, (SELECT coalesce(max(version), 0) + 1 FROM catalog_tables), ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET dated = excluded.dated, version = excluded.version, imported_ms = excluded.imported_ms,
			imported_by = excluded.imported_by, offers = excluded.offers, body = excluded.body`,
			t.Name, t.Date, t.Imported, t.By, t.Offers, t.Body)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the table %s: %w", t.Name, err)
	}
	return nil
}

// scanTable reads a table.
func scanTable(r row) (store.Table, error) {
	var t store.Table
	err := r.Scan(&t.Name, &t.Date, &t.Version, &t.Imported, &t.By, &t.Offers, &t.Body)
	return t, err
}
