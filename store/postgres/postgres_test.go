//go:build unix

package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/storetest"
)

// server returns the address of a PostgreSQL: the one of PLENUM_TEST_POSTGRES, or one that is started
// from the programs on this machine and stopped with the test.
func server(t *testing.T) string {
	t.Helper()
	if address := os.Getenv("PLENUM_TEST_POSTGRES"); address != "" {
		return address
	}
	bin := programs()
	if bin == "" {
		testkit.Lacks(t, "no PostgreSQL here: install the package postgresql, or set PLENUM_TEST_POSTGRES to an address")
	}
	return start(t, bin)
}

// database makes an empty database of its own for a test and returns its address.
func database(t *testing.T, server string) string {
	t.Helper()
	name := "plenum_" + strings.ToLower(rand.Text()[:12])
	admin(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// admin runs a statement on the server.
func admin(t *testing.T, server, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

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
	at := server(t)
	t.Run("conformance", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Open {
			address := database(t, at)
			return func(t *testing.T) store.Store { return open(t, address) }
		})
	})
	t.Run("nodes that start at once agree", func(t *testing.T) { startAtOnce(t, database(t, at)) })
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
