package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// AddSums adds sums of calls that have no records here, such as those of another place.
func (d *DB) AddSums(ctx context.Context, t *store.Tally) error {
	if err := d.transact(ctx, func(tx *sql.Tx) error { return addRolled(ctx, tx, t) }); err != nil {
		return fmt.Errorf("storing sums: %w", err)
	}
	return nil
}

// rolledTogether is how many sums one statement adds.
const rolledTogether = 25

// addRolled adds to the rollups.
func addRolled(ctx context.Context, tx *sql.Tx, tally *store.Tally) error {
	if err := limitTags(ctx, tx, tally); err != nil {
		return err
	}
	rolled, mixes, open := tally.Rolled()
	if err := addMixes(ctx, tx, mixes); err != nil {
		return err
	}
	for _, o := range open {
		if _, err := tx.ExecContext(ctx, "INSERT INTO rollup_open (span, slot, n) VALUES (?, ?, 1) ON CONFLICT (span, slot) DO UPDATE SET n = n + 1", o.Span, o.Slot); err != nil {
			return err
		}
	}
	return insertRolled(ctx, tx, rolled)
}

func insertRolled(ctx context.Context, tx *sql.Tx, rolled []store.Rolled) error {
	columns, values := store.RolledColumns(rolled)
	if len(columns) == 0 {
		return nil
	}
	many, err := tx.PrepareContext(ctx, rolledSQL(columns, rolledTogether))
	if err != nil {
		return err
	}
	defer many.Close()
	for ; len(rolled) >= rolledTogether; rolled, values = rolled[rolledTogether:], values[rolledTogether:] {
		if _, err := many.ExecContext(ctx, rolledValues(rolled[:rolledTogether], values)...); err != nil {
			return err
		}
	}
	if len(rolled) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, rolledSQL(columns, len(rolled)), rolledValues(rolled, values)...)
	return err
}

// rolledSQL returns the statement that adds n sums of some columns.
func rolledSQL(columns []string, n int) string {
	sets := make([]string, 0, len(columns))
	for _, c := range columns {
		sets = append(sets, c+" = "+c+" + excluded."+c)
	}
	return "INSERT INTO rollups (grain, slot, mix, " + strings.Join(columns, ", ") + ") VALUES " + marks(n, 3+len(columns)) +
		" ON CONFLICT (grain, slot, mix) DO UPDATE SET " + strings.Join(sets, ", ")
}

func rolledValues(rolled []store.Rolled, values [][]int64) []any {
	all := make([]any, 0, len(rolled)*(3+len(values[0])))
	for i := range rolled {
		all = append(all, rolled[i].Grain, rolled[i].Slot, rolled[i].Mix)
		for _, v := range values[i] {
			all = append(all, v)
		}
	}
	return all
}

// addMixes adds the mixes that are not there yet.
func addMixes(ctx context.Context, tx *sql.Tx, mixes map[int64]store.Mix) error {
	stmt, err := tx.PrepareContext(ctx, "INSERT OR IGNORE INTO mixes (id, "+store.MixColumns+") VALUES "+marks(1, 13))
	if err != nil {
		return err
	}
	defer stmt.Close()
	for id, m := range mixes {
		args := []any{id}
		for _, f := range m.Fields() {
			args = append(args, *f)
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// limitTags counts sets of tags beyond the most that a project may have among the others.
func limitTags(ctx context.Context, tx *sql.Tx, tally *store.Tally) error {
	for project, sets := range tally.TagSets() {
		rows, err := tx.QueryContext(ctx, "SELECT tags FROM tag_sets WHERE project = ?", project)
		known, err := collect(rows, err, scanText)
		if err != nil {
			return err
		}
		fresh, beyond := store.NewTagSets(known, sets)
		for _, s := range fresh {
			if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO tag_sets (project, tags) VALUES (?, ?)", project, s); err != nil {
				return err
			}
		}
		tally.Untag(project, beyond)
	}
	return nil
}

func scanText(r row) (s string, err error) { return s, r.Scan(&s) }

func scanInt(r row) (n int64, err error) { return n, r.Scan(&n) }

// Mixes hands every mix to a function.
func (d *DB) Mixes(ctx context.Context, columns []string, do func(id int64, m *store.Mix) error) error {
	var m store.Mix
	names, fields, err := m.Some(columns)
	if err != nil {
		return err
	}
	rows, err := d.read.QueryContext(ctx, "SELECT id, "+strings.Join(names, ", ")+" FROM mixes")
	if err != nil {
		return fmt.Errorf("reading what usage is summed by: %w", err)
	}
	defer rows.Close()
	var id int64
	into := []any{&id}
	for _, f := range fields {
		into = append(into, f)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading what usage is summed by: %w", err)
		}
		if err := do(id, &m); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Rollup hands sums to a function.
func (d *DB) Rollup(ctx context.Context, q store.RollupQuery, do func(slot, mix int64, values []int64) error) error {
	if err := q.Check(); err != nil {
		return err
	}
	text := "SELECT slot, mix, " + strings.Join(q.Columns, ", ") + " FROM rollups WHERE grain = ? AND slot >= ? AND slot < ?"
	args := []any{q.Grain(), q.From, q.To}
	if q.Mixes != nil {
		ids, err := json.Marshal(q.Mixes)
		if err != nil {
			return err
		}
		text += " AND mix IN (SELECT value FROM json_each(?))"
		args = append(args, string(ids))
	}
	rows, err := d.read.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("reading sums: %w", err)
	}
	defer rows.Close()
	return eachSum(rows, len(q.Columns), do)
}

// Lag returns the hours that another release has summed in part.
func (d *DB) Lag(ctx context.Context) ([]int64, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT hour FROM (SELECT hour, SUM(calls) AS n FROM usage GROUP BY hour)
		LEFT JOIN (SELECT slot, SUM(calls) AS m FROM rollups WHERE grain = 1 GROUP BY slot) ON slot = hour
		WHERE n > COALESCE(m, 0) ORDER BY hour`)
	hours, err := collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("comparing sums: %w", err)
	}
	return hours, nil
}

// Hours returns the hours of which there are records.
func (d *DB) Hours(ctx context.Context) ([]int64, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT DISTINCT start_us / 3600000000 FROM records WHERE counted = 1 ORDER BY 1")
	hours, err := collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("listing the hours of the records: %w", err)
	}
	return hours, nil
}

// Rebuild sums the records of an hour anew.
func (d *DB) Rebuild(ctx context.Context, hour int64) (done bool, err error) {
	err = d.transact(ctx, func(tx *sql.Tx) error {
		var tally store.Tally
		if done, err = tallyOf(ctx, tx, hour, &tally); err != nil || !done {
			return err
		}
		if err := lessHour(ctx, tx, hour, &tally); err != nil {
			return err
		}
		return addRolled(ctx, tx, &tally)
	})
	if err != nil {
		return false, fmt.Errorf("summing the records of an hour: %w", err)
	}
	return done, nil
}

// tallyOf counts the records of an hour. It is false where fewer are there than once were counted.
func tallyOf(ctx context.Context, tx *sql.Tx, hour int64, tally *store.Tally) (bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT body FROM records WHERE counted = 1 AND start_us >= ? AND start_us < ?", hour*3600e6, (hour+1)*3600e6)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var calls int64
	for rows.Next() {
		var e ledger.Entry
		if err := rows.Scan(&e.Body); err != nil {
			return false, err
		}
		r := store.RowOf(&e)
		tally.Add(&r)
		calls++
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	var counted int64
	err = tx.QueryRowContext(ctx, "SELECT COALESCE(SUM(calls), 0) FROM usage WHERE hour = ?", hour).Scan(&counted)
	return calls >= counted, err
}

// lessHour takes what an hour is summed up to now out of what is counted.
func lessHour(ctx context.Context, tx *sql.Tx, hour int64, tally *store.Tally) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+store.MixColumns+", "+store.ShareColumns+
		" FROM rollups JOIN mixes ON id = mix WHERE grain = 0 AND slot = ?", hour)
	if err != nil {
		return err
	}
	defer rows.Close()
	var m store.Mix
	var s store.Share
	var into []any
	for _, f := range m.Fields() {
		into = append(into, f)
	}
	into = append(into, s.Pointers()...)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		tally.Less(hour, &m, &s)
	}
	return rows.Err()
}
