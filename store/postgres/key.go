package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

const keyColumns = "id, name, project, member, prefix, mac, created_ms, expires_ms, revoked_ms, admin, scope, before_mac, overlap_ms"

// CreateKey keeps a new key.
func (d *DB) CreateKey(ctx context.Context, k plenum.Key) error {
	_, err := d.pool.Exec(ctx,
		"INSERT INTO keys ("+keyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
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
	k, err := scanKey(d.pool.QueryRow(ctx, "SELECT "+keyColumns+" FROM keys WHERE id = $1", id))
	if err != nil {
		return k, fmt.Errorf("finding key %s: %w", id, found(err))
	}
	return k, nil
}

// Keys returns all keys.
func (d *DB) Keys(ctx context.Context) ([]plenum.Key, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+keyColumns+" FROM keys ORDER BY created_ms, id")
	keys, err := collect(rows, err, scanKey)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key.
func (d *DB) RevokeKey(ctx context.Context, id string, at int64) error {
	tag, err := d.pool.Exec(ctx,
		"UPDATE keys SET revoked_ms = CASE revoked_ms WHEN 0 THEN $1 ELSE revoked_ms END WHERE id = $2", at, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("revoking key %s: %w", id, err)
	}
	return nil
}

// RotateKey gives a key another secret.
func (d *DB) RotateKey(ctx context.Context, k plenum.Key) error {
	tag, err := d.pool.Exec(ctx,
		"UPDATE keys SET prefix = $1, mac = $2, before_mac = $3, overlap_ms = $4, expires_ms = $5 WHERE id = $6 AND mac = $7 AND revoked_ms = 0",
		k.Prefix, k.MAC, k.Before, k.Overlap, k.Expires, k.ID, k.Before)
	switch {
	case isTaken(err):
		err = store.ErrExists
	case err == nil && tag.RowsAffected() == 0:
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
	if err := d.pool.QueryRow(ctx, "SELECT keys FROM revision").Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the revision of the keys: %w", err)
	}
	return n, nil
}

// UseKeys notes when keys were last used, in one order, so that no two nodes wait for each other.
func (d *DB) UseKeys(ctx context.Context, used map[string]int64) error {
	var b pgx.Batch
	for _, id := range slices.Sorted(maps.Keys(used)) {
		b.Queue(`INSERT INTO key_uses (key, used_ms) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET used_ms = GREATEST(key_uses.used_ms, excluded.used_ms)`, clean(id), used[id])
	}
	if b.Len() == 0 {
		return nil
	}
	if err := d.pool.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("noting the use of keys: %w", err)
	}
	return nil
}

// KeyUses returns when keys were last used.
func (d *DB) KeyUses(ctx context.Context) (map[string]int64, error) {
	rows, err := d.pool.Query(ctx, "SELECT key, used_ms FROM key_uses")
	out := map[string]int64{}
	_, err = collect(rows, err, func(r pgx.Row) (id string, err error) {
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

// scanKey reads a key.
func scanKey(r pgx.Row) (plenum.Key, error) {
	var k plenum.Key
	var scope string
	err := r.Scan(&k.ID, &k.Name, &k.Project, &k.Member, &k.Prefix, &k.MAC, &k.Created, &k.Expires, &k.Revoked, &k.Admin, &scope, &k.Before, &k.Overlap)
	if err == nil {
		k.Scope, err = store.ReadScope(scope)
	}
	return k, err
}

// collect scans all rows of a query's result.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.Row) (T, error)) ([]T, error) {
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
