package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
	"github.com/plenum-foundry/plenum/store/storetest"
)

// open opens a store that is closed with the test.
func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Open {
		path := filepath.Join(t.TempDir(), "data", store.DatabaseName)
		return func(t *testing.T) store.Store { return open(t, path) }
	})
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", store.DatabaseName)
	db := open(t, path)
	if err := db.SetSetting(t.Context(), "x", []byte("y")); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(filepath.Dir(path)); st.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", st.Mode())
	}
	files, _ := filepath.Glob(path + "*")
	if len(files) < 3 { // itself, its log and the copy at least
		t.Errorf("there are %v", files)
	}
	for _, f := range files {
		if st, _ := os.Stat(f); st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, st.Mode())
		}
	}
}

func TestAPathMayHaveAnyName(t *testing.T) {
	for _, name := range []string{"a b", "a?b=c&d", "a%20b", "a#b", "é"} {
		path := filepath.Join(t.TempDir(), name, store.DatabaseName)
		_ = open(t, path)
		if st, err := os.Stat(path); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestBackupMakesNoStoreWhereThereIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := sqlite.Backup(t.Context(), filepath.Join(dir, "a"), filepath.Join(dir, "b")); err == nil {
		t.Error("copying nothing returned no error")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v behind", left)
	}
}

func TestAChangedRecordIsFound(t *testing.T) {
	d := openData(t, filepath.Join(t.TempDir(), "data"))
	for _, id := range []string{"a", "b", "c", "d"} {
		if err := d.call(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.l.Drain(t.Context(), d.db); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Join(d.dir, store.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, change := range []string{
		`UPDATE records SET body = replace(body, '"cost_micros":1', '"cost_micros":0') WHERE id = 'b'`,
		`DELETE FROM records WHERE id = 'c'`,
	} {
		if _, err := raw.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	p, err := store.Verify(t.Context(), d.db)
	if err != nil || len(p.Changed) != 1 || len(p.Gaps) != 1 || p.Entries != 3 {
		t.Errorf("the proof is %+v, %v; want one changed and one missing", p, err)
	}
}

// BenchmarkAppend is what the ledger's way to the store costs each call.
func BenchmarkAppend(b *testing.B) {
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), store.DatabaseName))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l, err := ledger.Open(b.TempDir(), ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	use := plenum.Tokens{Input: 1204, CacheRead: 1024, Output: 311}
	r := plenum.Record{
		Op: "generate", Dialect: "anthropic", Method: "POST", Path: "/v1/messages", KeyID: "key_01JD3Z",
		Project: "search", Asked: "grok", Deployment: "grok", Outcome: plenum.OutcomeOK, Usage: use, Priced: true,
		Attempts: []plenum.Attempt{{N: 1, Target: "xai/grok-4.7", RequestID: "req_011CUabcdefgh", Usage: use}},
	}
	for i := range b.N {
		r.ID, r.Start = fmt.Sprintf("call_%026d", i), 1795377600123456+int64(i)
		if err := l.End(&r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := l.Drain(b.Context(), db); err != nil {
		b.Fatal(err)
	}
}
