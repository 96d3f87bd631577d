package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

const (
	recordColumns = "node, seq, chain, links, id, start_us, project, key, deployment, outcome, counted, body, kind"
	usageColumns  = "hour, project, key, deployment, " + store.SumColumns
)

// Append keeps entries.
func (d *DB) Append(ctx context.Context, entries []ledger.Entry) error {
	rows := make([]store.Row, len(entries))
	for i := range entries {
		rows[i] = rowOf(&entries[i])
	}
	keep := func(insert func(context.Context, pgx.Tx, []store.Row) error) (err error) {
		for range mostTries {
			err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return insert(ctx, tx, rows) })
			if !isVictim(err) {
				return err
			}
		}
		return err
	}
	err := keep(insertNew)
	if isTaken(err) {
		err = keep(insertKnown)
	}
	if err != nil {
		return fmt.Errorf("storing records: %w", err)
	}
	return nil
}

// mostTries is how often a transaction is tried that the server ended so that others could go on.
const mostTries = 5

// rowOf makes the row of an entry, fit for PostgreSQL.
func rowOf(e *ledger.Entry) store.Row {
	r := store.RowOf(e)
	r.ID, r.Project, r.KeyID, r.Deployment = clean(r.ID), clean(r.Project), clean(r.KeyID), clean(r.Deployment)
	r.Outcome = plenum.Outcome(clean(string(r.Outcome)))
	return r
}

// insertNew inserts rows on the assumption that all are new, which nearly always holds. Where it does
// not, the error says so and nothing is kept.
func insertNew(ctx context.Context, tx pgx.Tx, rows []store.Row) error {
	var tally store.Tally
	for i := range rows {
		tally.Add(&rows[i])
	}
	if err := insert(ctx, tx, rows, true); err != nil {
		return err
	}
	return addUp(ctx, tx, &tally)
}

// insertKnown inserts rows of which some are there already.
func insertKnown(ctx context.Context, tx pgx.Tx, rows []store.Row) error {
	var tally store.Tally
	for i := range rows {
		if err := insertOne(ctx, tx, &rows[i], &tally); err != nil {
			return err
		}
	}
	return addUp(ctx, tx, &tally)
}

// insertOne inserts a row unless it is there, and counts it unless its call is counted. A record that
// tells how a call really ended takes the place of one that calls it lost.
func insertOne(ctx context.Context, tx pgx.Tx, r *store.Row, tally *store.Tally) error {
	known, err := hasRecord(ctx, tx, r)
	if err != nil || known {
		return err
	}
	n, other, err := countedRecord(ctx, tx, r.ID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	counts := !r.Audit() && (err != nil || other.Lost() && !r.Lost())
	if counts && err == nil {
		if _, err := tx.Exec(ctx, "UPDATE records SET counted = false WHERE n = $1", n); err != nil {
			return err
		}
		tally.Remove(&other)
	}
	if counts || r.Audit() {
		tally.Add(r)
	}
	return insert(ctx, tx, []store.Row{*r}, counts)
}

// hasRecord reports whether an entry is there.
func hasRecord(ctx context.Context, tx pgx.Tx, r *store.Row) (known bool, err error) {
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM records WHERE node = $1 AND seq = $2 AND chain = $3)",
		r.Node, int64(r.Seq), r.Chain).Scan(&known)
	return known, err
}

// countedRecord returns the record of a call that is in the usage. It stays as it is until the
// transaction ends.
func countedRecord(ctx context.Context, tx pgx.Tx, id string) (n int64, r store.Row, err error) {
	var e ledger.Entry
	err = tx.QueryRow(ctx, "SELECT n, body FROM records WHERE id = $1 AND counted FOR UPDATE", id).Scan(&n, &e.Body)
	return n, rowOf(&e), err
}

// insert inserts rows in one statement, an array for each column.
func insert(ctx context.Context, tx pgx.Tx, rows []store.Row, counted bool) error {
	var (
		node, id, project, key, deployment, outcome, body, kind []string
		seq, start                                              []int64
		chain, links                                            [][]byte
	)
	for i := range rows {
		r := &rows[i]
		node, seq, chain, links = append(node, r.Node), append(seq, int64(r.Seq)), append(chain, r.Chain), append(links, r.Links)
		id, start, project, key = append(id, r.ID), append(start, r.Start), append(project, r.Project), append(key, r.KeyID)
		deployment, outcome = append(deployment, r.Deployment), append(outcome, string(r.Outcome))
		body, kind = append(body, r.Body), append(kind, r.Kind)
	}
	_, err := tx.Exec(ctx, "INSERT INTO records ("+recordColumns+`)
		SELECT node, seq, chain, links, id, start_us, project, key, deployment, outcome, $11::boolean AND kind <> 'audit', body, kind
		FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::text[],
			$8::text[], $9::text[], $10::text[], $12::text[], $13::text[])
		AS r (node, seq, chain, links, id, start_us, project, key, deployment, outcome, body, kind)`,
		node, seq, chain, links, id, start, project, key, deployment, outcome, counted, body, kind)
	return err
}

// addUp adds to all sums, in the tally's order: nodes that add to the same sums at once wait for each
// other, and never in a circle.
func addUp(ctx context.Context, tx pgx.Tx, tally *store.Tally) error {
	var sets, marks []string
	for c := range strings.SplitSeq(store.SumColumns, ", ") {
		sets = append(sets, c+" = usage."+c+" + excluded."+c)
		marks = append(marks, fmt.Sprintf("$%d", len(marks)+5))
	}
	sql := "INSERT INTO usage (" + usageColumns + ") VALUES ($1, $2, $3, $4, " + strings.Join(marks, ", ") +
		") ON CONFLICT (hour, project, key, deployment) DO UPDATE SET " + strings.Join(sets, ", ")
	var batch pgx.Batch
	for b, s := range tally.All() {
		batch.Queue(sql, append([]any{b.Hour, b.Project, b.KeyID, b.Deployment}, s.Values()...)...)
	}
	for _, c := range tally.Charges() {
		batch.Queue(`INSERT INTO charges (account, slot, amount) VALUES ($1, $2, $3)
			ON CONFLICT (account, slot) DO UPDATE SET amount = charges.amount + excluded.amount`, clean(c.Account), c.Slot, c.Amount)
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	return addRolled(ctx, tx, tally)
}

// Call returns the record of a call.
func (d *DB) Call(ctx context.Context, id string) (plenum.Record, error) {
	r, err := scanRecord(d.pool.QueryRow(ctx, "SELECT body FROM records WHERE id = $1 AND counted", clean(id)))
	if err != nil {
		return r, fmt.Errorf("finding call %s: %w", id, found(err))
	}
	return r, nil
}

// Calls returns the latest records.
func (d *DB) Calls(ctx context.Context, f store.Filter) ([]plenum.Record, error) {
	to := f.To
	if to == 0 {
		to = math.MaxInt64
	}
	rows, err := d.pool.Query(ctx, `SELECT body FROM records
		WHERE counted AND start_us >= $1 AND start_us < $2
		AND ($3 = '' OR project = $3) AND ($4 = '' OR key = $4) AND ($5 = '' OR deployment = $5)
		AND ($7 = '' OR start_us <= $6 AND (start_us, id COLLATE "C") < ($6, $7))
		ORDER BY start_us DESC, id COLLATE "C" DESC LIMIT $8`,
		f.From, to, clean(f.Project), clean(f.KeyID), clean(f.Deployment), f.Before, clean(f.BeforeID), f.Max())
	records, err := collect(rows, err, scanRecord)
	if err != nil {
		return nil, fmt.Errorf("listing calls: %w", err)
	}
	return records, nil
}

// Audits returns the latest entries of the audit.
func (d *DB) Audits(ctx context.Context, f store.AuditFilter) ([]ledger.Audit, error) {
	to := f.To
	if to == 0 {
		to = math.MaxInt64
	}
	rows, err := d.pool.Query(ctx, `SELECT body FROM records
		WHERE kind = 'audit' AND start_us >= $1 AND start_us < $2
		AND ($3 = '' OR project = $3) AND ($4 = '' OR key = $4) AND ($5 = '' OR deployment = $5) AND ($6 = '' OR outcome = $6) AND ($10 = '' OR replace(body, '\u0000', '\u0020')::json ->> 'organization' = $10)
		AND ($8 = '' OR start_us <= $7 AND (start_us, id COLLATE "C") < ($7, $8))
		ORDER BY start_us DESC, id COLLATE "C" DESC LIMIT $9`,
		f.From, to, clean(f.Project), clean(f.Actor), clean(f.Noun), clean(string(f.Decision)), f.Before, clean(f.BeforeID), f.Max(), clean(f.Organization))
	audits, err := collect(rows, err, scanAudit)
	if err != nil {
		return nil, fmt.Errorf("listing the audit: %w", err)
	}
	return audits, nil
}

// scanAudit reads an entry of the audit.
func scanAudit(r pgx.Row) (a ledger.Audit, err error) {
	var body string
	if err := r.Scan(&body); err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(body), &a)
}

// scanRecord reads a record.
func scanRecord(r pgx.Row) (plenum.Record, error) {
	var rec plenum.Record
	var body string
	if err := r.Scan(&body); err != nil {
		return rec, err
	}
	return rec, json.Unmarshal([]byte(body), &rec)
}

// Usage returns sums.
func (d *DB) Usage(ctx context.Context, q store.UsageQuery) ([]store.Usage, error) {
	name, err := nameColumn(q.By)
	if err != nil {
		return nil, err
	}
	var sums []string
	for c := range strings.SplitSeq(store.SumColumns, ", ") {
		sums = append(sums, "SUM("+c+")::bigint")
	}
	from, to := q.Hours()
	rows, err := d.pool.Query(ctx, "SELECT "+name+", "+strings.Join(sums, ", ")+` FROM usage
		WHERE hour >= $1 AND hour < $2
		AND ($3 = '' OR project = $3) AND ($4 = '' OR key = $4) AND ($5 = '' OR deployment = $5)
		GROUP BY 1 ORDER BY 1`, from, to, clean(q.Project), clean(q.KeyID), clean(q.Deployment))
	usage, err := collect(rows, err, scanUsage)
	if err != nil {
		return nil, fmt.Errorf("summing usage: %w", err)
	}
	return usage, nil
}

// nameColumn returns the column that usage is summed by.
func nameColumn(by store.By) (string, error) {
	switch by {
	case store.ByNothing:
		return "''", nil
	case store.ByProject, store.ByKey, store.ByDeployment:
		return string(by), nil
	}
	return "", fmt.Errorf("usage cannot be summed by %q", string(by))
}

// scanUsage reads a sum.
func scanUsage(r pgx.Row) (store.Usage, error) {
	var u store.Usage
	err := r.Scan(append([]any{&u.Name}, u.Pointers()...)...)
	return u, err
}

// Charges returns what was spent of accounts.
func (d *DB) Charges(ctx context.Context, since int64) ([]plenum.Charge, error) {
	rows, err := d.pool.Query(ctx, "SELECT account, slot, amount FROM charges WHERE slot >= $1 OR slot = 0 ORDER BY account, slot", since)
	charges, err := collect(rows, err, scanCharge)
	if err != nil {
		return nil, fmt.Errorf("reading what was spent: %w", err)
	}
	return charges, nil
}

// scanCharge reads a charge.
func scanCharge(r pgx.Row) (c plenum.Charge, err error) {
	return c, r.Scan(&c.Account, &c.Slot, &c.Amount)
}

// Entries returns what the ledger sent.
func (d *DB) Entries(ctx context.Context, after ledger.Entry, limit int) ([]ledger.Entry, error) {
	rows, err := d.pool.Query(ctx, `SELECT node, seq, chain, links, body, kind FROM records
		WHERE (node, seq, chain) > ($1, $2, $3) ORDER BY node, seq, chain LIMIT $4`,
		after.Node, int64(after.Seq), after.Chain[:], limit)
	entries, err := collect(rows, err, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("reading the records' chain: %w", err)
	}
	return entries, nil
}

// scanEntry reads an entry.
func scanEntry(r pgx.Row) (ledger.Entry, error) {
	var e store.Row
	var seq int64
	err := r.Scan(&e.Node, &seq, &e.Chain, &e.Links, &e.Body, &e.Kind)
	e.Seq = uint64(seq)
	return e.Entry(), err
}
