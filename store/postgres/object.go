package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

const objectColumns = "id, kind, project, key, member, deployment, label, status, size, created_ms, expires_ms, holder, held_ms, body"

// CreateObject keeps a new object.
func (d *DB) CreateObject(ctx context.Context, o store.Object) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO objects ("+objectColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
		o.ID, o.Kind, o.Project, o.KeyID, o.Member, o.Deployment, o.Label, o.Status, o.Size, o.Created, o.Expires, o.Holder, o.HeldUntil, some(o.Body))
	if isTaken(err) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("keeping %s %s: %w", o.Kind, o.ID, err)
	}
	return nil
}

// some returns bytes that are not NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Object returns one object.
func (d *DB) Object(ctx context.Context, id string) (store.Object, error) {
	o, err := scanObject(d.pool.QueryRow(ctx, "SELECT "+objectColumns+" FROM objects WHERE id = $1", clean(id)))
	if err != nil {
		return o, fmt.Errorf("finding %s: %w", id, found(err))
	}
	return o, nil
}

// Objects returns the chosen objects.
func (d *DB) Objects(ctx context.Context, f store.ObjectFilter) ([]store.Object, error) {
	where, args := chosen(&f)
	order, than := "DESC", "<"
	if f.OldestFirst {
		order, than = "ASC", ">"
	}
	if f.After != "" {
		args = append(args, f.AfterCreated, clean(f.After))
		where = append(where, fmt.Sprintf("(created_ms, id) %s ($%d, $%d)", than, len(args)-1, len(args)))
	}
	query := "SELECT " + objectColumns + " FROM objects"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += fmt.Sprintf(" ORDER BY created_ms %s, id %s LIMIT %d", order, order, f.Max())
	rows, err := d.pool.Query(ctx, query, args...)
	os, err := collect(rows, err, scanObject)
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return os, nil
}

// chosen returns the conditions of a filter, but for its page.
func chosen(f *store.ObjectFilter) (where []string, args []any) {
	is := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, c := range [...]struct{ column, value string }{{"kind", f.Kind}, {"project", f.Project}, {"label", f.Label}, {"status", f.Status}} {
		if c.value != "" {
			is(c.column+" = $%d", clean(c.value))
		}
	}
	if f.ExpiredBy > 0 {
		is("expires_ms > 0 AND expires_ms <= $%d", f.ExpiredBy)
	}
	if len(f.IDs) > 0 {
		ids := make([]string, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = clean(id)
		}
		is("id = ANY ($%d)", ids)
	}
	return where, args
}

// UpdateObject changes an object.
func (d *DB) UpdateObject(ctx context.Context, id string, change func(*store.Object) error) (store.Object, error) {
	var o store.Object
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) (err error) {
		o, err = scanObject(tx.QueryRow(ctx, "SELECT "+objectColumns+" FROM objects WHERE id = $1 FOR UPDATE", clean(id)))
		if err != nil {
			return found(err)
		}
		if err := change(&o); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE objects SET project = $1, key = $2, member = $3, deployment = $4, label = $5, status = $6,
			size = $7, created_ms = $8, expires_ms = $9, holder = $10, held_ms = $11, body = $12 WHERE id = $13`,
			o.Project, o.KeyID, o.Member, o.Deployment, o.Label, o.Status, o.Size, o.Created, o.Expires, o.Holder, o.HeldUntil, some(o.Body), clean(id))
		return err
	})
	if err != nil {
		return o, fmt.Errorf("changing %s: %w", id, err)
	}
	return o, nil
}

// DeleteObject forgets an object with what belongs to it.
func (d *DB) DeleteObject(ctx context.Context, id string) error {
	id = clean(id)
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM objects WHERE id = $1", id)
		if err == nil && tag.RowsAffected() == 0 {
			err = store.ErrNotFound
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM lines WHERE batch = $1", id)
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM contents WHERE id = $1", id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return nil
}

// ObjectsSize returns how much the contents of a project measure.
func (d *DB) ObjectsSize(ctx context.Context, project string) (int64, error) {
	var n int64
	err := d.pool.QueryRow(ctx, "SELECT COALESCE(SUM(size), 0)::BIGINT FROM objects WHERE project = $1", project).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("measuring the objects of %s: %w", project, err)
	}
	return n, nil
}

// scanObject reads an object.
func scanObject(r pgx.Row) (store.Object, error) {
	var o store.Object
	err := r.Scan(&o.ID, &o.Kind, &o.Project, &o.KeyID, &o.Member, &o.Deployment, &o.Label, &o.Status, &o.Size, &o.Created,
		&o.Expires, &o.Holder, &o.HeldUntil, &o.Body)
	return o, err
}
