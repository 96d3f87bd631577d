package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// summed returns the calls that are summed in all hours.
func summed(t *testing.T, db *sqlite.DB) (n int64) {
	t.Helper()
	q := store.RollupQuery{To: 1 << 40, Columns: []string{"calls"}}
	if err := db.Rollup(t.Context(), q, func(_, _ int64, v []int64) error { n += v[0]; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSumsOutliveTheirRecords takes records away, as keeping them for some time only does, and sums, as a release
// before this one leaves them out.
func TestSumsOutliveTheirRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.DatabaseName)
	db := open(t, path)
	l, err := ledger.Open(filepath.Join(t.TempDir(), "journal"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const hour = int64(3600e6)
	for i, id := range []string{"a", "b", "c", "d"} {
		if err := l.End(&plenum.Record{ID: id, Start: int64(i/2) * hour, End: int64(i/2)*hour + 5, Outcome: plenum.OutcomeOK, Cost: 3, Priced: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Drain(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	exec := func(text string) {
		t.Helper()
		if _, err := other.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}

	exec("DELETE FROM records WHERE id = 'a'")
	if done, err := db.Rebuild(t.Context(), 0); err != nil || done {
		t.Errorf("an hour whose records are gone in part is made anew: %v, %v", done, err)
	}
	if n := summed(t, db); n != 4 {
		t.Errorf("%d calls are summed, want 4", n)
	}
	exec("DELETE FROM rollups")
	if lag, err := db.Lag(t.Context()); err != nil || len(lag) != 2 {
		t.Errorf("the hours %v lag behind, %v", lag, err)
	}
	if done, err := db.Rebuild(t.Context(), 1); err != nil || !done {
		t.Errorf("an hour that was never summed: %v, %v", done, err)
	}
	if n := summed(t, db); n != 2 {
		t.Errorf("%d calls are summed, want 2", n)
	}
}
