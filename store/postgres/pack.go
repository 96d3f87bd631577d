package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

// Days returns the days that there are sums of.
func (d *DB) Days(ctx context.Context) ([]store.DaySums, error) {
	rows, err := d.pool.Query(ctx, "SELECT day, added = packed FROM rollup_days ORDER BY day")
	days, err := collect(rows, err, func(r pgx.Row) (d store.DaySums, err error) { return d, r.Scan(&d.Slot, &d.Packed) })
	if err != nil {
		return nil, fmt.Errorf("listing the days of the sums: %w", err)
	}
	return days, nil
}

// Pack packs the sums of a day. A node that adds to it meanwhile waits for nothing but the writing, which is little.
func (d *DB) Pack(ctx context.Context, day int64) (done bool, err error) {
	columns, added, err := d.packOf(ctx, day)
	if err != nil || columns == nil {
		return false, packing(err)
	}
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE rollup_days SET packed = added WHERE day = $1 AND added = $2", day, added)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM packs WHERE day = $1", day); err != nil {
			return err
		}
		names, bodies := store.InOrder(columns)
		for i := range names {
			if _, err := tx.Exec(ctx, "INSERT INTO packs (day, col, body) VALUES ($1, $2, $3)", day, names[i], bodies[i]); err != nil {
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
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, d.pool, moment, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT added FROM rollup_days WHERE day = $1 AND added <> packed", day).Scan(&added)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT slot, mix, "+store.ShareColumns+" FROM rollups WHERE grain = 0 AND slot >= $1 AND slot < $2 ORDER BY slot, mix",
			day, store.Day.Next(day))
		if err != nil {
			return err
		}
		defer rows.Close()
		p := store.NewPacker(day)
		if err := eachSum(rows, store.ShareWidth, p.Add); err != nil {
			return err
		}
		columns = p.Columns()
		return nil
	})
	return columns, added, err
}

// eachSum hands rows of slot, mix and so many values to a function.
func eachSum(rows pgx.Rows, width int, do func(slot, mix int64, values []int64) error) error {
	var slot, mix int64
	values := make([]int64, width)
	into := []any{&slot, &mix}
	for i := range values {
		into = append(into, &values[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading sums: %w", err)
		}
		if err := do(slot, mix, values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Packed returns the pack of a day.
func (d *DB) Packed(ctx context.Context, day int64, columns []string) (*store.Pack, error) {
	rows, err := d.pool.Query(ctx, "SELECT col, body FROM packs WHERE day = $1 AND col = ANY($2::text[])", day, store.PackColumns(columns))
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
