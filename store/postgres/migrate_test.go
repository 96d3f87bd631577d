package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/storetest"
)

// TestAMigrationThatIsCutOffHasDoneNothing has the server end the connection in each migration, and then starts two nodes at once.
func TestAMigrationThatIsCutOffHasDoneNothing(t *testing.T) {
	server := testkit.Postgres(t)
	whole := server.Database()
	upToDate(t, whole)
	want := tables(t, whole)
	for _, h := range storetest.CutOff(t, postgres.Migrations, "SELECT pg_terminate_backend(pg_backend_pid())") {
		address := server.Database()
		if h.Whole != nil {
			if err := postgres.MigrateFrom(t.Context(), plenum.NewSecret(address), h.Whole); err != nil {
				t.Fatal(h.Name, err)
			}
		}
		before := tables(t, address)
		if err := postgres.MigrateFrom(t.Context(), plenum.NewSecret(address), h.Cut); err == nil {
			t.Fatalf("%s: it was not cut off", h.Name)
		}
		if diff := cmp.Diff(before, tables(t, address)); diff != "" {
			t.Errorf("%s: the tables are changed by half (-before +after):\n%s", h.Name, diff)
		}
		var nodes sync.WaitGroup
		nodes.Go(func() { upToDate(t, address) })
		if strings.HasSuffix(h.Name, "at its end") { // nodes that wait for each other take a second
			nodes.Go(func() { upToDate(t, address) })
		}
		nodes.Wait()
		if diff := cmp.Diff(want, tables(t, address)); diff != "" {
			t.Errorf("%s: after the next start (-want +got):\n%s", h.Name, diff)
		}
	}
}

// upToDate opens a store and closes it, so that its tables are up to date.
func upToDate(t *testing.T, address string) {
	t.Helper()
	db, err := postgres.Open(t.Context(), plenum.NewSecret(address))
	if err != nil {
		t.Error(err)
		return
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// tables returns all that a store is made of.
func tables(t *testing.T, address string) []string {
	t.Helper()
	db, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	rows, err := db.Query(t.Context(), `
		SELECT 'column ' || concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name <> 'goose_db_version'
		UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'goose_db_version'
		UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
			WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'goose_db_version'
		UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}
