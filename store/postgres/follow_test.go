//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
)

// follower counts what a store says.
type follower struct {
	changes atomic.Int64
	hears   atomic.Bool
}

func follow(t *testing.T, db *postgres.DB) *follower {
	f := &follower{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { db.Follow(ctx, func() { f.changes.Add(1) }, f.hears.Store) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return f
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("in vain: %s", what)
}

func TestChangesAreSaid(t *testing.T) {
	server := testkit.OwnPostgres(t)
	address := server.Database()
	a, b := open(t, address), open(t, address)
	f := follow(t, a)
	until(t, "it hears", f.hears.Load)
	ctx := t.Context()
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"a key", func() error { return b.CreateKey(ctx, plenum.Key{ID: "k", MAC: []byte{1}}) }},
		{"a program's change", func() error { server.SQL(address, "UPDATE keys SET name = 'other'"); return nil }},
		{"a setting", func() error { return b.SetSetting(ctx, "s", []byte("v")) }},
		{"a table", func() error { return b.PutTable(ctx, 0, store.Table{Name: "t", Body: []byte("{}")}) }},
		{"a resource", func() error {
			_, err := b.ChangeResources(ctx, 0, "me", 1, []store.ResourceChange{{Kind: "k", Name: "n", Spec: []byte("{}")}})
			return err
		}},
	} {
		before := f.changes.Load()
		if err := c.change(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		until(t, c.what+" is said", func() bool { return f.changes.Load() > before })
	}

	server.Stop()
	until(t, "it does not hear any more", func() bool { return !f.hears.Load() })
	before := f.changes.Load()
	server.Start()
	until(t, "it hears again, and says that it may have missed something", func() bool { return f.hears.Load() && f.changes.Load() > before })
}

// TestAPoolerThatDoesNotDeliver has a proxy between that takes LISTEN and swallows what is said, as poolers do that give
// connections out by the transaction.
func TestAPoolerThatDoesNotDeliver(t *testing.T) {
	server := testkit.OwnPostgres(t)
	u, err := url.Parse(server.Database())
	if err != nil {
		t.Fatal(err)
	}
	behind := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var swallowed atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go pool(c, behind, &swallowed)
		}
	}()
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	db := open(t, u.String())
	f := follow(t, db)
	until(t, "the echo is swallowed", func() bool { return swallowed.Load() > 0 })
	until(t, "it says that something may have been missed", func() bool { return f.changes.Load() >= 2 })
	if f.hears.Load() {
		t.Error("it relies on what it does not hear")
	}
	if err := db.CreateKey(t.Context(), plenum.Key{ID: "k", MAC: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if n, err := db.KeysRevision(t.Context()); err != nil || n == 0 {
		t.Errorf("asking says %d, %v", n, err)
	}
}

// pool passes a connection on, but for notifications.
func pool(c net.Conn, to string, swallowed *atomic.Int64) {
	defer c.Close()
	s, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer s.Close()
	go func() { _, _ = io.Copy(s, c); s.Close() }()
	r := bufio.NewReader(s)
	for {
		head, err := r.Peek(5)
		if err != nil {
			return
		}
		whole := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r, whole); err != nil {
			return
		}
		if strings.HasPrefix(string(whole), "A") {
			swallowed.Add(1)
			continue
		}
		if _, err := c.Write(whole); err != nil {
			return
		}
	}
}
