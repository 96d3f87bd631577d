package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

const (
	recordColumns = "node, seq, chain, links, id, start_us, project, key, deployment, outcome, counted, body, kind"
	usageColumns  = "hour, project, key, deployment, " + store.SumColumns
)

// together is how many rows one statement inserts: the work per statement costs more than per row.
const together = 50

// Append keeps entries.
func (d *DB) Append(ctx context.Context, entries []ledger.Entry) error {
	rows := make([]store.Row, len(entries))
	for i := range entries {
		rows[i] = store.RowOf(&entries[i])
	}
	err := d.transact(ctx, func(tx *sql.Tx) error { return insertNew(ctx, tx, rows) })
	if isTaken(err) {
		err = d.transact(ctx, func(tx *sql.Tx) error { return insertKnown(ctx, tx, rows) })
	}
	if err != nil {
		return fmt.Errorf("storing records: %w", err)
	}
	return nil
}

// insertNew inserts rows on the assumption that all are new, which nearly always holds. Where it does
// not, the error says so and nothing is kept.
func insertNew(ctx context.Context, tx *sql.Tx, rows []store.Row) error {
	var tally store.Tally
	for i := range rows {
		tally.Add(&rows[i])
	}
	many, err := tx.PrepareContext(ctx, insertSQL(together))
	if err != nil {
		return err
	}
	defer many.Close()
	for ; len(rows) >= together; rows = rows[together:] {
		if _, err := many.ExecContext(ctx, values(rows[:together], true)...); err != nil {
			return err
		}
	}
	for i := range rows {
		if err := insert(ctx, tx, &rows[i], true); err != nil {
			return err
		}
	}
	return addUp(ctx, tx, &tally)
}

// insertKnown inserts rows of which some are there already.
func insertKnown(ctx context.Context, tx *sql.Tx, rows []store.Row) error {
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
func insertOne(ctx context.Context, tx *sql.Tx, r *store.Row, tally *store.Tally) error {
	known, err := hasRecord(ctx, tx, r)
	if err != nil || known {
		return err
	}
	n, other, err := countedRecord(ctx, tx, r.ID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	counts := !r.Audit() && (err != nil || other.Lost() && !r.Lost())
	if counts && err == nil {
		if _, err := tx.ExecContext(ctx, "UPDATE records SET counted = 0 WHERE n = ?", n); err != nil {
			return err
		}
		tally.Remove(&other)
	}
	if counts || r.Audit() {
		tally.Add(r)
	}
	return insert(ctx, tx, r, counts)
}

// hasRecord reports whether an entry is there.
func hasRecord(ctx context.Context, tx *sql.Tx, r *store.Row) (known bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM records WHERE node = ? AND seq = ? AND chain = ?)",
		r.Node, int64(r.Seq), r.Chain).Scan(&known)
	return known, err
}

// countedRecord returns the record of a call that is in the usage.
func countedRecord(ctx context.Context, tx *sql.Tx, id string) (n int64, r store.Row, err error) {
	var e ledger.Entry
	err = tx.QueryRowContext(ctx, "SELECT n, body FROM records WHERE id = ? AND counted = 1", id).Scan(&n, &e.Body)
	return n, store.RowOf(&e), err
}

// insert inserts a row.
func insert(ctx context.Context, tx *sql.Tx, r *store.Row, counted bool) error {
	_, err := tx.ExecContext(ctx, insertSQL(1), values([]store.Row{*r}, counted)...)
	return err
}

// insertSQL returns the statement that inserts n rows.
func insertSQL(n int) string {
	return "INSERT OR FAIL INTO records (" + recordColumns + ") VALUES " + marks(n, 13)
}

// values returns the values of rows.
func values(rows []store.Row, counted bool) []any {
	all := make([]any, 0, 13*len(rows))
	for i := range rows {
		r := &rows[i]
		all = append(all, r.Node, int64(r.Seq), r.Chain, r.Links, r.ID, r.Start, r.Project, r.KeyID,
			r.Deployment, string(r.Outcome), counted && !r.Audit(), r.Body, r.Kind)
	}
	return all
}

// marks returns the placeholders of n rows.
func marks(n, columns int) string {
	one := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return one + strings.Repeat(", "+one, n-1)
}

// addUp adds to all sums.
func addUp(ctx context.Context, tx *sql.Tx, tally *store.Tally) error {
	if err := addUsage(ctx, tx, tally); err != nil {
		return err
	}
	if err := addRolled(ctx, tx, tally); err != nil {
		return err
	}
	for _, c := range tally.Charges() {
		_, err := tx.ExecContext(ctx, `INSERT INTO charges (account, slot, amount) VALUES (?, ?, ?)
			ON CONFLICT (account, slot) DO UPDATE SET amount = amount + excluded.amount`, c.Account, c.Slot, c.Amount)
		if err != nil {
			return err
		}
	}
	return nil
}

// addUsage adds to the usage.
func addUsage(ctx context.Context, tx *sql.Tx, tally *store.Tally) error {
	var sets []string
	for c := range strings.SplitSeq(store.SumColumns, ", ") {
		sets = append(sets, c+" = "+c+" + excluded."+c)
	}
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO usage ("+usageColumns+") VALUES "+marks(1, strings.Count(usageColumns, ",")+1)+ //nolint:sqlclosecheck // it is closed below
		" ON CONFLICT (hour, project, key, deployment) DO UPDATE SET "+strings.Join(sets, ", "))
	if err != nil {
		return err
	}
	defer stmt.Close()
	for b, s := range tally.All() {
		args := append([]any{b.Hour, b.Project, b.KeyID, b.Deployment}, s.Values()...)
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// Call returns the record of a call.
func (d *DB) Call(ctx context.Context, id string) (plenum.Record, error) {
	r, err := scanRecord(d.read.QueryRowContext(ctx, "SELECT body FROM records WHERE id = ? AND counted = 1", id))
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
	rows, err := d.read.QueryContext(ctx, `SELECT body FROM records
		WHERE counted = 1 AND start_us >= ?1 AND start_us < ?2
		AND (?3 = '' OR project = ?3) AND (?4 = '' OR key = ?4) AND (?5 = '' OR deployment = ?5)
		AND (?7 = '' OR start_us <= ?6 AND (start_us, id) < (?6, ?7))
		ORDER BY start_us DESC, id DESC LIMIT ?8`,
		f.From, to, f.Project, f.KeyID, f.Deployment, f.Before, f.BeforeID, f.Max())
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
	rows, err := d.read.QueryContext(ctx, `SELECT body FROM records
		WHERE kind = 'audit' AND start_us >= ?1 AND start_us < ?2
		AND (?3 = '' OR project = ?3) AND (?4 = '' OR key = ?4) AND (?5 = '' OR deployment = ?5) AND (?6 = '' OR outcome = ?6) AND (?10 = '' OR json_extract(body, '$.organization') = ?10)
		AND (?8 = '' OR start_us <= ?7 AND (start_us, id) < (?7, ?8))
		ORDER BY start_us DESC, id DESC LIMIT ?9`,
		f.From, to, f.Project, f.Actor, f.Noun, string(f.Decision), f.Before, f.BeforeID, f.Max(), f.Organization)
	audits, err := collect(rows, err, scanAudit)
	if err != nil {
		return nil, fmt.Errorf("listing the audit: %w", err)
	}
	return audits, nil
}

// scanAudit reads an entry of the audit.
func scanAudit(r row) (a ledger.Audit, err error) {
	var body []byte
	if err := r.Scan(&body); err != nil {
		return a, err
	}
	return a, json.Unmarshal(body, &a)
}

// scanRecord reads a record.
func scanRecord(r row) (plenum.Record, error) {
	var rec plenum.Record
	var body []byte
	if err := r.Scan(&body); err != nil {
		return rec, err
	}
	return rec, json.Unmarshal(body, &rec)
}

// Usage returns sums.
func (d *DB) Usage(ctx context.Context, q store.UsageQuery) ([]store.Usage, error) {
	name, err := nameColumn(q.By)
	if err != nil {
		return nil, err
	}
	var sums []string
	for c := range strings.SplitSeq(store.SumColumns, ", ") {
		sums = append(sums, "SUM("+c+")")
	}
	from, to := q.Hours()
	rows, err := d.read.QueryContext(ctx, "SELECT "+name+" AS name, "+strings.Join(sums, ", ")+` FROM usage
		WHERE hour >= ? AND hour < ?
		AND (?3 = '' OR project = ?3) AND (?4 = '' OR key = ?4) AND (?5 = '' OR deployment = ?5)
		GROUP BY name ORDER BY name`, from, to, q.Project, q.KeyID, q.Deployment)
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
func scanUsage(r row) (store.Usage, error) {
	var u store.Usage
	err := r.Scan(append([]any{&u.Name}, u.Pointers()...)...)
	return u, err
}

// Charges returns what was spent of accounts.
func (d *DB) Charges(ctx context.Context, since int64) ([]plenum.Charge, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT account, slot, amount FROM charges WHERE slot >= ? OR slot = 0 ORDER BY account, slot", since)
	charges, err := collect(rows, err, scanCharge)
	if err != nil {
		return nil, fmt.Errorf("reading what was spent: %w", err)
	}
	return charges, nil
}

// scanCharge reads a charge.
func scanCharge(r row) (c plenum.Charge, err error) {
	return c, r.Scan(&c.Account, &c.Slot, &c.Amount)
}

// Entries returns what the ledger sent.
func (d *DB) Entries(ctx context.Context, after ledger.Entry, limit int) ([]ledger.Entry, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT node, seq, chain, links, body, kind FROM records
		WHERE (node, seq, chain) > (?, ?, ?) ORDER BY node, seq, chain LIMIT ?`,
		after.Node, int64(after.Seq), after.Chain[:], limit)
	entries, err := collect(rows, err, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("reading the records' chain: %w", err)
	}
	return entries, nil
}

// scanEntry reads an entry.
func scanEntry(r row) (ledger.Entry, error) {
	var e store.Row
	err := r.Scan(&e.Node, &e.Seq, &e.Chain, &e.Links, &e.Body, &e.Kind)
	return e.Entry(), err
}
