//go:build unix

package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/storetest"
)

// open opens a store that is closed with the test.
func open(t *testing.T, address string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), plenum.NewSecret(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOnAServer(t *testing.T) {
	at := testkit.Postgres(t)
	t.Run("conformance", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Open {
			address := at.Database()
			return func(t *testing.T) store.Store { return open(t, address) }
		})
	})
	t.Run("nodes that start at once agree", func(t *testing.T) { startAtOnce(t, at.Database()) })
}

func startAtOnce(t *testing.T, address string) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			db, err := postgres.Open(t.Context(), plenum.NewSecret(address))
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := db.CreateKey(t.Context(), plenum.Key{ID: fmt.Sprint(i), MAC: []byte{byte(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ks, err := open(t, address).Keys(t.Context()); err != nil || len(ks) != 4 {
		t.Errorf("there are %d keys, %v; want 4", len(ks), err)
	}
}

func TestNoErrorShowsThePassword(t *testing.T) {
	for _, address := range []string{
		"postgres://plenum:hunter2@127.0.0.1:1/plenum?connect_timeout=1",
		"postgres://plenum:hunter2@127.0.0.1:port/plenum",
		"postgres://plenum:hunt%zzer2@127.0.0.1/plenum",
		"host=127.0.0.1 port=1 password=hunter2 sslmode=nonsense",
		"hunter2",
	} {
		_, err := postgres.Open(t.Context(), plenum.NewSecret(address))
		if err == nil || strings.Contains(err.Error(), "hunt") {
			t.Errorf("the error is %v", err)
		}
	}
}
