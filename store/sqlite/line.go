package sqlite

import (
	"context"
	"fmt"

	"github.com/plenum-foundry/plenum/store"
)

// BeginLine notes that a line is about to be sent.
func (d *DB) BeginLine(ctx context.Context, batch string, n int) error {
	_, err := d.write.ExecContext(ctx, "INSERT INTO lines (batch, n, state, result) VALUES (?, ?, ?, x'')", batch, n, store.LineRunning)
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
	_, err := d.write.ExecContext(ctx, `INSERT INTO lines (batch, n, state, result) VALUES (?, ?, ?, ?)
		ON CONFLICT (batch, n) DO UPDATE SET state = excluded.state, result = excluded.result`, batch, l.N, l.State, some(l.Result))
	if err != nil {
		return fmt.Errorf("ending line %d of %s: %w", l.N, batch, err)
	}
	return nil
}

// ReleaseLine forgets that a line was begun.
func (d *DB) ReleaseLine(ctx context.Context, batch string, n int) error {
	if _, err := d.write.ExecContext(ctx, "DELETE FROM lines WHERE batch = ? AND n = ? AND state = ?", batch, n, store.LineRunning); err != nil {
		return fmt.Errorf("releasing line %d of %s: %w", n, batch, err)
	}
	return nil
}

// Lines returns lines in order.
func (d *DB) Lines(ctx context.Context, batch string, from, limit int) ([]store.Line, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT n, state, result FROM lines WHERE batch = ? AND n >= ? ORDER BY n LIMIT ?", batch, from, limit)
	ls, err := collect(rows, err, scanLine)
	if err != nil {
		return nil, fmt.Errorf("reading the lines of %s: %w", batch, err)
	}
	return ls, nil
}

// CountLines returns how many lines there are in each state.
func (d *DB) CountLines(ctx context.Context, batch string) (map[store.LineState]int, error) {
	type count struct {
		state store.LineState
		n     int
	}
	rows, err := d.read.QueryContext(ctx, "SELECT state, COUNT(*) FROM lines WHERE batch = ? GROUP BY state", batch)
	counts, err := collect(rows, err, func(r row) (count, error) {
		var c count
		err := r.Scan(&c.state, &c.n)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("counting the lines of %s: %w", batch, err)
	}
	out := map[store.LineState]int{}
	for _, c := range counts {
		out[c.state] = c.n
	}
	return out, nil
}

// DropLines forgets the lines of a batch.
func (d *DB) DropLines(ctx context.Context, batch string) error {
	if _, err := d.write.ExecContext(ctx, "DELETE FROM lines WHERE batch = ?", batch); err != nil {
		return fmt.Errorf("dropping the lines of %s: %w", batch, err)
	}
	return nil
}

// scanLine reads a line.
func scanLine(r row) (store.Line, error) {
	var l store.Line
	err := r.Scan(&l.N, &l.State, &l.Result)
	return l, err
}
