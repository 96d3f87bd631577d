package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/store"
)

const objectColumns = "id, kind, project, key, member, deployment, label, status, size, created_ms, expires_ms, holder, held_ms, body"

// CreateObject keeps a new object.
func (d *DB) CreateObject(ctx context.Context, o store.Object) error {
	_, err := d.write.ExecContext(ctx, "INSERT INTO objects ("+objectColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
	o, err := scanObject(d.read.QueryRowContext(ctx, "SELECT "+objectColumns+" FROM objects WHERE id = ?", id))
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
		where = append(where, "(created_ms, id) "+than+" (?, ?)")
		args = append(args, f.AfterCreated, f.After)
	}
	query := "SELECT " + objectColumns + " FROM objects"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY created_ms " + order + ", id " + order + " LIMIT ?"
	rows, err := d.read.QueryContext(ctx, query, append(args, f.Max())...)
	os, err := collect(rows, err, scanObject)
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return os, nil
}

// chosen returns the conditions of a filter, but for its page.
func chosen(f *store.ObjectFilter) (where []string, args []any) {
	for _, c := range [...]struct{ column, value string }{{"kind", f.Kind}, {"project", f.Project}, {"label", f.Label}, {"status", f.Status}} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	if f.ExpiredBy > 0 {
		where, args = append(where, "expires_ms > 0 AND expires_ms <= ?"), append(args, f.ExpiredBy)
	}
	if len(f.IDs) > 0 {
		where = append(where, "id IN (?"+strings.Repeat(", ?", len(f.IDs)-1)+")")
		for _, id := range f.IDs {
			args = append(args, id)
		}
	}
	return where, args
}

// UpdateObject changes an object.
func (d *DB) UpdateObject(ctx context.Context, id string, change func(*store.Object) error) (store.Object, error) {
	var o store.Object
	err := d.transact(ctx, func(tx *sql.Tx) (err error) {
		o, err = scanObject(tx.QueryRowContext(ctx, "SELECT "+objectColumns+" FROM objects WHERE id = ?", id))
		if err != nil {
			return found(err)
		}
		if err := change(&o); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE objects SET project = ?, key = ?, member = ?, deployment = ?, label = ?, status = ?,
			size = ?, created_ms = ?, expires_ms = ?, holder = ?, held_ms = ?, body = ? WHERE id = ?`,
			o.Project, o.KeyID, o.Member, o.Deployment, o.Label, o.Status, o.Size, o.Created, o.Expires, o.Holder, o.HeldUntil, some(o.Body), id)
		return err
	})
	if err != nil {
		return o, fmt.Errorf("changing %s: %w", id, err)
	}
	return o, nil
}

// DeleteObject forgets an object with what belongs to it.
func (d *DB) DeleteObject(ctx context.Context, id string) error {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM objects WHERE id = ?", id)
		if err == nil {
			err = touched(res)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM lines WHERE batch = ?", id)
		}
		return err
	})
	if err == nil {
		err = d.dropContent(id)
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return nil
}

// ObjectsSize returns how much the contents of a project measure.
func (d *DB) ObjectsSize(ctx context.Context, project string) (int64, error) {
	var n sql.NullInt64
	err := d.read.QueryRowContext(ctx, "SELECT SUM(size) FROM objects WHERE project = ?", project).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("measuring the objects of %s: %w", project, err)
	}
	return n.Int64, nil
}

// scanObject reads an object.
func scanObject(r row) (store.Object, error) {
	var o store.Object
	err := r.Scan(&o.ID, &o.Kind, &o.Project, &o.KeyID, &o.Member, &o.Deployment, &o.Label, &o.Status, &o.Size, &o.Created,
		&o.Expires, &o.Holder, &o.HeldUntil, &o.Body)
	return o, err
}
