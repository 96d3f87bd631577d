package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plenum-foundry/plenum/store"
)

// Days returns the days that there are sums of.
func (d *DB) Days(ctx context.Context) ([]store.DaySums, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT day, added = packed FROM rollup_days ORDER BY day")
	days, err := collect(rows, err, func(r row) (d store.DaySums, err error) { return d, r.Scan(&d.Slot, &d.Packed) })
	if err != nil {
		return nil, fmt.Errorf("listing the days of the sums: %w", err)
	}
	return days, nil
}

// Pack packs the sums of a day. They are read beside whoever writes, and what is written is little.
func (d *DB) Pack(ctx context.Context, day int64) (done bool, err error) {
	columns, added, err := d.packOf(ctx, day)
	if err != nil || columns == nil {
		return false, packing(err)
	}
	err = d.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE rollup_days SET packed = added WHERE day = ? AND added = ?", day, added)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM packs WHERE day = ?", day); err != nil {
			return err
		}
		names, bodies := store.InOrder(columns)
		for i := range names {
			if _, err := tx.ExecContext(ctx, "INSERT INTO packs (day, col, body) VALUES (?, ?, ?)", day, names[i], bodies[i]); err != nil {
				return err
			}
		}
		done = true
		return nil
	})
	return done && err == nil, packing(err)
}

func packing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("packing the sums of a day: %w", err)
}

// packOf makes the pack of a day as it was when it had been added to so often; nil where there are no sums of that day.
func (d *DB) packOf(ctx context.Context, day int64) (columns map[string][]byte, added int64, err error) {
	tx, err := d.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // sees one moment
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	err = tx.QueryRowContext(ctx, "SELECT added FROM rollup_days WHERE day = ? AND added <> packed", day).Scan(&added)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT slot, mix, "+store.ShareColumns+" FROM rollups WHERE grain = 0 AND slot >= ? AND slot < ? ORDER BY slot, mix",
		day, store.Day.Next(day))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	p := store.NewPacker(day)
	if err := eachSum(rows, store.ShareWidth, p.Add); err != nil {
		return nil, 0, err
	}
	return p.Columns(), added, nil
}

// eachSum hands rows of slot, mix and so many values to a function. Taking the values as they come, rather than having
// them converted, takes half the time.
func eachSum(rows *sql.Rows, width int, do func(slot, mix int64, values []int64) error) error {
	came, into, values := make([]any, 2+width), make([]any, 2+width), make([]int64, 2+width)
	for i := range came {
		into[i] = &came[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading sums: %w", err)
		}
		for i, v := range came {
			n, ok := v.(int64)
			if !ok {
				return fmt.Errorf("reading sums: a sum is %T", v)
			}
			values[i] = n
		}
		if err := do(values[0], values[1], values[2:]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Packed returns the pack of a day.
func (d *DB) Packed(ctx context.Context, day int64, columns []string) (*store.Pack, error) {
	names, err := json.Marshal(store.PackColumns(columns))
	if err != nil {
		return nil, err
	}
	rows, err := d.read.QueryContext(ctx, "SELECT col, body FROM packs WHERE day = ? AND col IN (SELECT value FROM json_each(?))", day, string(names))
	if err != nil {
		return nil, fmt.Errorf("reading packed sums: %w", err)
	}
	defer rows.Close()
	found := map[string][]byte{}
	for rows.Next() {
		var name string
		var body []byte
		if err := rows.Scan(&name, &body); err != nil {
			return nil, fmt.Errorf("reading packed sums: %w", err)
		}
		found[name] = body
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading packed sums: %w", err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the packed sums of a day: %w", store.ErrNotFound)
	}
	return store.OpenPack(found)
}
