package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// safeOf makes the safe of a configuration on a data directory.
func safeOf(t *testing.T, dir, key string, before ...string) safe {
	t.Helper()
	p, err := identity.LoadOrCreatePepper(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := config.New()
	f.MasterKey = plenum.NewSecret(key)
	for i, b := range before {
		path := filepath.Join(t.TempDir(), string(rune('a'+i)))
		if err := os.WriteFile(path, []byte(b+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f.MasterKeysOld = append(f.MasterKeysOld, path)
	}
	s, err := openSafe(f, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMasterKeyIsRotated(t *testing.T) {
	dir := t.TempDir()
	old, fresh := strings.Repeat("a", 64), strings.Repeat("b", 64)
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, store.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first := safeOf(t, dir, "") // the pepper's
	byPepper, err := first.pepper.SealText("sk-before-there-were-master-keys")
	if err != nil {
		t.Fatal(err)
	}
	byOld, err := safeOf(t, dir, old).vault.SealText("sk-under-the-old-one")
	if err != nil {
		t.Fatal(err)
	}
	spec := `{"name":"a","provider":"openai-compatible","credentials":{"api_key":"` + byPepper + `","other":"` + byOld + `"},"base_url":"https://example.com"}`
	if _, err := s.ChangeResources(t.Context(), 0, "ann", 1, []store.ResourceChange{{Kind: "connections", Name: "a", Spec: []byte(spec)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateObject(t.Context(), store.Object{ID: "o", Kind: "answer", Body: []byte("said")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := rotate(t.Context(), s, safeOf(t, dir, fresh)); err == nil || !strings.Contains(err.Error(), "master_keys_before") {
		t.Errorf("without the old key: %v", err)
	}
	items, objects, err := rotate(t.Context(), s, safeOf(t, dir, fresh, old))
	if err != nil || items != 1 || objects != 1 {
		t.Fatalf("%d, %d, %v", items, objects, err)
	}
	alone := safeOf(t, dir, fresh)
	rs, _, err := s.Resources(t.Context())
	if err != nil || bytes.Contains(rs[0].Spec, []byte("sk-")) {
		t.Fatalf("%s, %v", rs[0].Spec, err)
	}
	var got []string
	if _, err := config.Secrets("connections", rs[0].Spec, func(_, v string) (string, error) {
		plain, err := alone.open(v)
		got = append(got, plain)
		return plain, err
	}); err != nil || len(got) != 2 {
		t.Errorf("under the new key alone: %v, %v", got, err)
	}
	if rs[0].By != "plenum rotate master-key" {
		t.Errorf("it was changed by %q", rs[0].By)
	}
}
