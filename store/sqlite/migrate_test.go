//go:build unix

package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/store/sqlite"
	"github.com/plenum-foundry/plenum/store/storetest"
	driversqlite "modernc.org/sqlite"
)

// dieIn names the store that this program, run again by its own test, is to be killed over, and dieAt where.
const dieIn, dieAt = "PLENUM_TEST_DIE_IN", "PLENUM_TEST_DIE_AT"

// TestAMigrationThatIsKilledHasDoneNothing kills a process with SIGKILL in each migration, and opens the store after that.
func TestAMigrationThatIsKilledHasDoneNothing(t *testing.T) {
	if path := os.Getenv(dieIn); path != "" {
		driversqlite.MustRegisterScalarFunction("die", 0, func(*driversqlite.FunctionContext, []driver.Value) (driver.Value, error) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		})
		for _, h := range storetest.CutOff(t, sqlite.Migrations, "SELECT die()") {
			if h.Name == os.Getenv(dieAt) {
				t.Fatalf("it lives: %v", sqlite.MigrateFrom(t.Context(), path, h.Cut))
			}
		}
		t.Fatal("there is no such place")
	}
	want := tables(t, opened(t, filepath.Join(t.TempDir(), "whole.db")))
	for _, h := range storetest.CutOff(t, sqlite.Migrations, "SELECT die()") {
		path := filepath.Join(t.TempDir(), "store.db")
		if h.Whole != nil {
			if err := sqlite.MigrateFrom(t.Context(), path, h.Whole); err != nil {
				t.Fatal(h.Name, err)
			}
		}
		before := tables(t, path)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAMigrationThatIsKilledHasDoneNothing$")
		cmd.Env = append(os.Environ(), dieIn+"="+path, dieAt+"="+h.Name)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it was not killed: %v\n%s", h.Name, err, out)
		}
		if diff := cmp.Diff(before, tables(t, path)); diff != "" {
			t.Errorf("%s: the tables are changed by half (-before +after):\n%s", h.Name, diff)
		}
		if diff := cmp.Diff(want, tables(t, opened(t, path))); diff != "" {
			t.Errorf("%s: after the next start (-want +got):\n%s", h.Name, diff)
		}
	}
}

// opened opens a store and closes it, so that its tables are up to date.
func opened(t *testing.T, path string) string {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// tables returns all that a store is made of.
func tables(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s, "goose_db_version") && !strings.Contains(s, "sqlite_sequence") { // what the migrations are counted in
			out = append(out, s)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
