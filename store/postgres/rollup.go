package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// AddSums adds sums of calls that have no records here, such as those of another place.
func (d *DB) AddSums(ctx context.Context, t *store.Tally) error {
	if err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return addRolled(ctx, tx, t) }); err != nil {
		return fmt.Errorf("storing sums: %w", err)
	}
	return nil
}

// addRolled adds to the rollups, in the tally's order.
func addRolled(ctx context.Context, tx pgx.Tx, tally *store.Tally) error {
	if err := limitTags(ctx, tx, tally); err != nil {
		return err
	}
	rolled, mixes, open := tally.Rolled()
	columns, values := store.RolledColumns(rolled)
	if len(columns) == 0 {
		return nil
	}
	if err := addMixes(ctx, tx, mixes); err != nil {
		return err
	}
	if err := reopen(ctx, tx, open); err != nil {
		return err
	}
	names := append([]string{"grain", "slot", "mix"}, columns...)
	arrays := make([][]int64, len(names))
	for i := range rolled {
		r := &rolled[i]
		for c, v := range append([]int64{int64(r.Grain), r.Slot, r.Mix}, values[i]...) {
			arrays[c] = append(arrays[c], v)
		}
	}
	var marks, sets []string
	args := make([]any, len(names))
	for i, c := range names {
		args[i] = arrays[i]
		marks = append(marks, fmt.Sprintf("$%d::bigint[]", i+1))
		if i > 2 {
			sets = append(sets, c+" = rollups."+c+" + excluded."+c)
		}
	}
	list := strings.Join(names, ", ")
	_, err := tx.Exec(ctx, "INSERT INTO rollups ("+list+") SELECT "+list+" FROM unnest("+strings.Join(marks, ", ")+") AS r ("+list+
		") ON CONFLICT (grain, slot, mix) DO UPDATE SET "+strings.Join(sets, ", "), args...)
	return err
}

// reopen marks days and months as not summed up. Until the transaction ends nobody else adds to them or sums them up.
func reopen(ctx context.Context, tx pgx.Tx, open []store.OpenSpan) error {
	for _, o := range open {
		_, err := tx.Exec(ctx, "INSERT INTO rollup_open (span, slot, n) VALUES ($1, $2, 1) ON CONFLICT (span, slot) DO UPDATE SET n = rollup_open.n + 1", int16(o.Span), o.Slot)
		if err != nil {
			return err
		}
	}
	return nil
}

// addMixes adds the mixes that are not there yet, in order: nodes that add the same ones wait for each other.
func addMixes(ctx context.Context, tx pgx.Tx, mixes map[int64]store.Mix) error {
	names := strings.Split("id, "+store.MixColumns, ", ")
	ids := make([]int64, 0, len(mixes))
	texts := make([][]string, len(names)-1)
	for id, m := range mixes {
		ids = append(ids, id)
		for i, f := range m.Fields() {
			texts[i] = append(texts[i], *f)
		}
	}
	args, arrays := []any{ids}, []string{"$1::bigint[]"}
	for i := range texts {
		args = append(args, texts[i])
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+2))
	}
	list := strings.Join(names, ", ")
	_, err := tx.Exec(ctx, "INSERT INTO mixes ("+list+") SELECT "+list+" FROM unnest("+strings.Join(arrays, ", ")+") AS r ("+list+
		") WHERE NOT EXISTS (SELECT 1 FROM mixes m WHERE m.id = r.id) ORDER BY id ON CONFLICT DO NOTHING", args...)
	return err
}

// limitTags counts sets of tags beyond the most that a project may have among the others.
func limitTags(ctx context.Context, tx pgx.Tx, tally *store.Tally) error {
	for project, sets := range tally.TagSets() {
		rows, err := tx.Query(ctx, "SELECT tags FROM tag_sets WHERE project = $1", project)
		known, err := collect(rows, err, scanText)
		if err != nil {
			return err
		}
		fresh, beyond := store.NewTagSets(known, sets)
		if len(fresh) > 0 {
			_, err := tx.Exec(ctx, "INSERT INTO tag_sets (project, tags) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", project, fresh)
			if err != nil {
				return err
			}
		}
		tally.Untag(project, beyond)
	}
	return nil
}

func scanText(r pgx.Row) (s string, err error) { return s, r.Scan(&s) }

func scanInt(r pgx.Row) (n int64, err error) { return n, r.Scan(&n) }

// Mixes hands every mix to a function.
func (d *DB) Mixes(ctx context.Context, columns []string, do func(id int64, m *store.Mix) error) error {
	var m store.Mix
	names, fields, err := m.Some(columns)
	if err != nil {
		return err
	}
	rows, err := d.pool.Query(ctx, "SELECT id, "+strings.Join(names, ", ")+" FROM mixes")
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
	text := "SELECT slot, mix, " + strings.Join(q.Columns, ", ") + " FROM rollups WHERE grain = $1 AND slot >= $2 AND slot < $3"
	args := []any{q.Grain(), q.From, q.To}
	if q.Mixes != nil {
		text += " AND mix = ANY($4::bigint[])"
		args = append(args, q.Mixes)
	}
	rows, err := d.pool.Query(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("reading sums: %w", err)
	}
	defer rows.Close()
	return eachSum(rows, len(q.Columns), do)
}

// Lag returns the hours that another release has summed in part.
func (d *DB) Lag(ctx context.Context) ([]int64, error) {
	rows, err := d.pool.Query(ctx, `SELECT hour FROM (SELECT hour, SUM(calls) AS n FROM usage GROUP BY hour) AS u
		LEFT JOIN (SELECT slot, SUM(calls) AS m FROM rollups WHERE grain = 1 GROUP BY slot) AS r ON slot = hour
		WHERE n > COALESCE(m, 0) ORDER BY hour`)
	hours, err := collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("comparing sums: %w", err)
	}
	return hours, nil
}

// Hours returns the hours of which there are records.
func (d *DB) Hours(ctx context.Context) ([]int64, error) {
	rows, err := d.pool.Query(ctx, "SELECT DISTINCT start_us / 3600000000 FROM records WHERE counted ORDER BY 1")
	hours, err := collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("listing the hours of the records: %w", err)
	}
	return hours, nil
}

// Rebuild sums the records of an hour anew. Nodes that add to its day wait meanwhile: what they have committed is read
// here, and what they have not comes on top.
func (d *DB) Rebuild(ctx context.Context, hour int64) (done bool, err error) {
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if err := reopen(ctx, tx, []store.OpenSpan{{Span: store.Day, Slot: store.Day.Slot(hour)}, {Span: store.Month, Slot: store.Month.Slot(hour)}}); err != nil {
			return err
		}
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
func tallyOf(ctx context.Context, tx pgx.Tx, hour int64, tally *store.Tally) (bool, error) {
	const us = 3_600_000_000
	rows, err := tx.Query(ctx, "SELECT body FROM records WHERE counted AND start_us >= $1 AND start_us < $2", hour*us, (hour+1)*us)
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
		r := rowOf(&e)
		tally.Add(&r)
		calls++
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	var counted int64
	err = tx.QueryRow(ctx, "SELECT COALESCE(SUM(calls), 0)::bigint FROM usage WHERE hour = $1", hour).Scan(&counted)
	return calls >= counted, err
}

// lessHour takes what an hour is summed up to now out of what is counted.
func lessHour(ctx context.Context, tx pgx.Tx, hour int64, tally *store.Tally) error {
	rows, err := tx.Query(ctx, "SELECT "+store.MixColumns+", "+store.ShareColumns+
		" FROM rollups JOIN mixes ON id = mix WHERE grain = 0 AND slot = $1", hour)
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
