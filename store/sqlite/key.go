package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

const keyColumns = "id, name, project, member, prefix, mac, created_ms, expires_ms, revoked_ms, admin"

// CreateKey keeps a new key.
func (d *DB) CreateKey(ctx context.Context, k plenum.Key) error {
	_, err := d.write.ExecContext(ctx, "INSERT INTO keys ("+keyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		k.ID, k.Name, k.Project, k.Member, k.Prefix, k.MAC, k.Created, k.Expires, k.Revoked, k.Admin)
	if isTaken(err) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("creating key %s: %w", k.ID, err)
	}
	return nil
}

// Key returns one key.
func (d *DB) Key(ctx context.Context, id string) (plenum.Key, error) {
	k, err := scanKey(d.read.QueryRowContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE id = ?", id))
	if err != nil {
		return k, fmt.Errorf("finding key %s: %w", id, found(err))
	}
	return k, nil
}

// Keys returns all keys.
func (d *DB) Keys(ctx context.Context) ([]plenum.Key, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT "+keyColumns+" FROM keys ORDER BY created_ms, id")
	keys, err := collect(rows, err, scanKey)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key.
func (d *DB) RevokeKey(ctx context.Context, id string, at int64) error {
	res, err := d.write.ExecContext(ctx,
		"UPDATE keys SET revoked_ms = CASE revoked_ms WHEN 0 THEN ? ELSE revoked_ms END WHERE id = ?", at, id)
	if err == nil {
		err = touched(res)
	}
	if err != nil {
		return fmt.Errorf("revoking key %s: %w", id, err)
	}
	return nil
}

// row is a row that can be scanned.
type row interface{ Scan(to ...any) error }

// scanKey reads a key.
func scanKey(r row) (plenum.Key, error) {
	var k plenum.Key
	err := r.Scan(&k.ID, &k.Name, &k.Project, &k.Member, &k.Prefix, &k.MAC, &k.Created, &k.Expires, &k.Revoked, &k.Admin)
	return k, err
}

// collect scans all rows of a query's result.
func collect[T any](rows *sql.Rows, err error, scan func(row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// touched returns ErrNotFound where a statement changed nothing.
func touched(res sql.Result) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}
