//go:build unix

package app

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const (
	onePepper     = "pepper: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
	anotherPepper = "pepper: ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
	oneMaster     = "master_key: 10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
	anotherMaster = "master_key: 20112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
)

// within returns the configuration of a node on a database.
func within(address, rest string) string { return "database: \"" + address + "\"\n" + rest }

func TestAKeyRevokedOnOneNodeIsRefusedOnTheOther(t *testing.T) {
	address := testkit.Postgres(t).Database()
	a, b := serveNode(t, t.TempDir(), within(address, onePepper)), serveNode(t, t.TempDir(), within(address, onePepper))
	until := func(secret plenum.Secret, want int) time.Duration {
		t.Helper()
		began := time.Now()
		for {
			got, _ := b.ask(t, http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+secret.Reveal())
			if got == want {
				return time.Since(began)
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("the answer stays %d, want %d", got, want)
			}
			time.Sleep(time.Millisecond)
		}
	}
	var took []time.Duration
	for range 15 {
		secret, key, err := keepKey(t.Context(), a.store, a.pepper, plenum.Key{Name: "new", Project: "default"})
		if err != nil {
			t.Fatal(err)
		}
		until(secret, http.StatusOK)
		if err := a.store.RevokeKey(t.Context(), key.ID, time.Now().UnixMilli()); err != nil {
			t.Fatal(err)
		}
		took = append(took, until(secret, http.StatusUnauthorized))
	}
	slices.Sort(took)
	t.Logf("refused on the other node after %s (median), %s at most", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 10*time.Second {
		t.Errorf("the median is %s", took[len(took)/2])
	}
}

// tryNode opens a node and closes it again.
func tryNode(t *testing.T, dir, yaml string) error {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte("data_dir: "+dir+"\n"+yaml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), Parts{Dialects: all.Dialects(), Providers: all.Providers()}, f, slog.New(slog.DiscardHandler), io.Discard)
	if err != nil {
		return err
	}
	return n.Close()
}

func TestNodesOfOneStoreHaveTheSameSecrets(t *testing.T) {
	address := testkit.Postgres(t).Database()
	first := t.TempDir()
	if err := tryNode(t, first, within(address, "")); err != nil {
		t.Fatal(err)
	}
	pepper, err := os.ReadFile(filepath.Join(first, "pepper"))
	if err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(t.TempDir(), "older")
	if err := os.WriteFile(older, []byte(strings.TrimPrefix(oneMaster, "master_key: ")), 0o600); err != nil {
		t.Fatal(err)
	}
	same := "pepper: " + string(pepper)
	for _, c := range []struct{ name, yaml, refused string }{
		{"a pepper of its own", "", "is not the one that"},
		{"another that is declared", anotherPepper, "pepper in the configuration"},
		{"none that is one", "pepper: 0011\n", "a pepper has 32 bytes"},
		{"the same", same, ""},
		{"a first master key", same + oneMaster, ""},
		{"another master key", same + anotherMaster, "under the master key"},
		{"no master key", same, "under the master key"},
		{"another, and the one before", same + anotherMaster + "master_keys_before: [" + older + "]\n", ""},
		{"the one before again", same + oneMaster, "under the master key"},
	} {
		err := tryNode(t, t.TempDir(), within(address, c.yaml))
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refused != "" && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "(", ""), c.refused)):
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		case err != nil && (strings.Contains(err.Error(), "ff1122") || strings.Contains(err.Error(), "2011")):
			t.Errorf("%s: the error shows a secret: %v", c.name, err)
		}
	}
}

func TestWhoLostThePepperOfAnEmbeddedStoreMayBeginAnew(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if err := tryNode(t, dir, ""); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "pepper")); err != nil {
			t.Fatal(err)
		}
	}
}
