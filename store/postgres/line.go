package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

// BeginLine notes that a line is about to be sent.
func (d *DB) BeginLine(ctx context.Context, batch string, n int) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO lines (batch, n, state, result) VALUES ($1, $2, $3, '')", batch, n, string(store.LineRunning))
	if isTaken(err) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("beginning line %d of %s: %w", n, batch, err)
	}
	return nil
}

// EndLine notes how a line ended.
func (d *DB) EndLine(ctx context.Context, batch string, l store.Line) error {
	_, err := d.pool.Exec(ctx, `INSERT INTO lines (batch, n, state, result) VALUES ($1, $2, $3, $4)
		ON CONFLICT (batch, n) DO UPDATE SET state = excluded.state, result = excluded.result`, batch, l.N, string(l.State), some(l.Result))
	if err != nil {
		return fmt.Errorf("ending line %d of %s: %w", l.N, batch, err)
	}
	return nil
}

// ReleaseLine forgets that a line was begun.
func (d *DB) ReleaseLine(ctx context.Context, batch string, n int) error {
	if _, err := d.pool.Exec(ctx, "DELETE FROM lines WHERE batch = $1 AND n = $2 AND state = $3", batch, n, string(store.LineRunning)); err != nil {
		return fmt.Errorf("releasing line %d of %s: %w", n, batch, err)
	}
	return nil
}

// Lines returns lines in order.
func (d *DB) Lines(ctx context.Context, batch string, from, limit int) ([]store.Line, error) {
	rows, err := d.pool.Query(ctx, "SELECT n, state, result FROM lines WHERE batch = $1 AND n >= $2 ORDER BY n LIMIT $3", batch, from, limit)
	ls, err := collect(rows, err, scanLine)
	if err != nil {
		return nil, fmt.Errorf("reading the lines of %s: %w", batch, err)
	}
	return ls, nil
}

// CountLines returns how many lines there are in each state.
func (d *DB) CountLines(ctx context.Context, batch string) (map[store.LineState]int, error) {
	type count struct {
		state string
		n     int
	}
	rows, err := d.pool.Query(ctx, "SELECT state, COUNT(*) FROM lines WHERE batch = $1 GROUP BY state", batch)
	counts, err := collect(rows, err, func(r pgx.Row) (count, error) {
		var c count
		err := r.Scan(&c.state, &c.n)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("counting the lines of %s: %w", batch, err)
	}
	out := map[store.LineState]int{}
	for _, c := range counts {
		out[store.LineState(c.state)] = c.n
	}
	return out, nil
}

// DropLines forgets the lines of a batch.
func (d *DB) DropLines(ctx context.Context, batch string) error {
	if _, err := d.pool.Exec(ctx, "DELETE FROM lines WHERE batch = $1", batch); err != nil {
		return fmt.Errorf("dropping the lines of %s: %w", batch, err)
	}
	return nil
}

// scanLine reads a line.
func scanLine(r pgx.Row) (store.Line, error) {
	var l store.Line
	err := r.Scan(&l.N, (*string)(&l.State), &l.Result)
	return l, err
}
