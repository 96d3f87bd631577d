package sqlite_test

import (
	"path/filepath"
	"testing"

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
