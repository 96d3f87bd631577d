package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

const keyColumns = "id, name, project, member, prefix, mac, created_ms, expires_ms, revoked_ms, admin, scope, before_mac, overlap_ms"

// CreateKey keeps a new key.
func (d *DB) CreateKey(ctx context.Context, k plenum.Key) error {
	_, err := d.write.ExecContext(ctx, "INSERT INTO keys ("+keyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		k.ID, k.Name, k.Project, k.Member, k.Prefix, k.MAC, k.Created, k.Expires, k.Revoked, k.Admin, store.ScopeText(k.Scope), k.Before, k.Overlap)
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

// RotateKey gives a key another secret.
func (d *DB) RotateKey(ctx context.Context, k plenum.Key) error {
	res, err := d.write.ExecContext(ctx,
		"UPDATE keys SET prefix = ?, mac = ?, before_mac = ?, overlap_ms = ?, expires_ms = ? WHERE id = ? AND mac = ? AND revoked_ms = 0",
		k.Prefix, k.MAC, k.Before, k.Overlap, k.Expires, k.ID, k.Before)
	switch {
	case isTaken(err):
		err = store.ErrExists
	case err == nil && errors.Is(touched(res), store.ErrNotFound):
		if _, err = d.Key(ctx, k.ID); err == nil {
			err = store.ErrMoved
		}
	}
	if err != nil {
		return fmt.Errorf("rotating key %s: %w", k.ID, err)
	}
	return nil
}

// KeysRevision returns a number that changes with the keys.
func (d *DB) KeysRevision(ctx context.Context) (n int64, err error) {
	if err := d.read.QueryRowContext(ctx, "SELECT keys FROM revision").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the revision of the keys: %w", err)
	}
	return n, nil
}

// UseKeys notes when keys were last used.
func (d *DB) UseKeys(ctx context.Context, used map[string]int64) error {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) {
			_, err := tx.ExecContext(ctx, `INSERT INTO key_uses (key, used_ms) VALUES (?, ?)
				ON CONFLICT (key) DO UPDATE SET used_ms = MAX(used_ms, excluded.used_ms)`, id, used[id])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting the use of keys: %w", err)
	}
	return nil
}

// KeyUses returns when keys were last used.
func (d *DB) KeyUses(ctx context.Context) (map[string]int64, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT key, used_ms FROM key_uses")
	out := map[string]int64{}
	_, err = collect(rows, err, func(r row) (id string, err error) {
		var at int64
		err = r.Scan(&id, &at)
		out[id] = at
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the uses of keys: %w", err)
	}
	return out, nil
}

// row is a row that can be scanned.
type row interface{ Scan(to ...any) error }

// scanKey reads a key.
func scanKey(r row) (plenum.Key, error) {
	var k plenum.Key
	var scope string
	err := r.Scan(&k.ID, &k.Name, &k.Project, &k.Member, &k.Prefix, &k.MAC, &k.Created, &k.Expires, &k.Revoked, &k.Admin, &scope, &k.Before, &k.Overlap)
	if err == nil {
		k.Scope, err = store.ReadScope(scope)
	}
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
