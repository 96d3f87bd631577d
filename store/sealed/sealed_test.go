package sealed_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sealed"
	"github.com/plenum-foundry/plenum/store/sqlite"
	"github.com/plenum-foundry/plenum/store/storetest"
	"github.com/plenum-foundry/plenum/vault"
)

func vaultOf(t *testing.T, digits ...string) *vault.Vault {
	t.Helper()
	var ms []vault.Master
	for _, d := range digits {
		m, err := vault.NewMaster(plenum.NewSecret(string(bytes.Repeat([]byte(d), 64))))
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
	return vault.New(ms...)
}

func opened(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Open {
		path := filepath.Join(t.TempDir(), "plenum.db")
		return func(t *testing.T) store.Store { return sealed.New(opened(t, path), vaultOf(t, "a")) }
	})
}

func TestContentIsSealedAndSealedAnew(t *testing.T) {
	inner := opened(t, filepath.Join(t.TempDir(), "plenum.db"))
	if err := inner.CreateObject(t.Context(), store.Object{ID: "old", Kind: "k", Body: []byte("said before")}); err != nil {
		t.Fatal(err)
	}
	s := sealed.New(inner, vaultOf(t, "a"))
	if err := s.CreateObject(t.Context(), store.Object{ID: "new", Kind: "k", Created: 1, Body: []byte("said now")}); err != nil {
		t.Fatal(err)
	}
	if o, err := inner.Object(t.Context(), "new"); err != nil || bytes.Contains(o.Body, []byte("said")) {
		t.Errorf("it is kept as %q, %v", o.Body, err)
	}
	rotated := sealed.New(inner, vaultOf(t, "b", "a"))
	for _, want := range []int{2, 0} {
		if n, err := rotated.Reseal(t.Context()); err != nil || n != want {
			t.Errorf("%d are sealed anew, %v; want %d", n, err, want)
		}
	}
	alone := sealed.New(inner, vaultOf(t, "b"))
	for id, want := range map[string]string{"old": "said before", "new": "said now"} {
		if o, err := alone.Object(t.Context(), id); err != nil || string(o.Body) != want {
			t.Errorf("%s is %q, %v", id, o.Body, err)
		}
	}
}

func TestContentsAreSealedOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	inner := opened(t, filepath.Join(dir, "plenum.db"))
	for _, id := range []string{"before", "after"} {
		if err := inner.CreateObject(t.Context(), store.Object{ID: id, Kind: "file"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inner.PutContent(t.Context(), "before", strings.NewReader("what was said")); err != nil {
		t.Fatal(err)
	}
	s := sealed.New(inner, vaultOf(t, "a"))
	if n, err := s.PutContent(t.Context(), "after", strings.NewReader("what was said")); err != nil || n != 13 {
		t.Fatalf("%d, %v", n, err)
	}
	read(t, s, "before", "after")
	rotated := sealed.New(inner, vaultOf(t, "b", "a"))
	for _, want := range []int{2, 0} {
		if n, err := rotated.Reseal(t.Context()); err != nil || n != want {
			t.Errorf("%d are sealed anew, %v; want %d", n, err, want)
		}
	}
	read(t, sealed.New(inner, vaultOf(t, "b")), "before", "after")
	files := 0
	for _, e := range must(os.ReadDir(filepath.Join(dir, store.ContentName))) {
		b := must(os.ReadFile(filepath.Join(dir, store.ContentName, e.Name())))
		if files++; bytes.Contains(b, []byte("said")) {
			t.Errorf("on the disk there is %q", b)
		}
	}
	if files != 2 {
		t.Errorf("%d files", files)
	}
}

func read(t *testing.T, s store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		r, err := s.Content(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "what was said" {
			t.Errorf("%s is %q, %v", id, b, err)
		}
		_ = r.Close()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestATranscriptIsSealedForItsCallAndSealedAnew(t *testing.T) {
	inner := opened(t, filepath.Join(t.TempDir(), "plenum.db"))
	s := sealed.New(inner, vaultOf(t, "a"))
	said := []byte("what was asked and answered")
	kept := []store.Transcript{{Call: "one", Start: 1, Body: said}, {Call: "two", Start: 2, Body: said}}
	if err := s.PutTranscripts(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	one, err := inner.Transcript(t.Context(), "one")
	if err != nil || bytes.Contains(one.Body, []byte("asked")) {
		t.Fatalf("it is kept as %q, %v", one.Body, err)
	}
	two, err := inner.Transcript(t.Context(), "two")
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.ReplaceTranscript(t.Context(), "two", two.Body, one.Body); err != nil {
		t.Fatal(err)
	}
	if x, err := s.Transcript(t.Context(), "two"); err == nil {
		t.Errorf("what was sealed for another call was opened: %q", x.Body)
	}
	if _, err := inner.DeleteTranscripts(t.Context(), store.TranscriptFilter{Call: "two"}); err != nil {
		t.Fatal(err)
	}
	both := sealed.New(inner, vaultOf(t, "b", "a"))
	for _, want := range []int{1, 0} {
		if n, err := both.Reseal(t.Context()); err != nil || n != want {
			t.Fatalf("sealed anew: %d, %v; want %d", n, err, want)
		}
	}
	if x, err := sealed.New(inner, vaultOf(t, "b")).Transcript(t.Context(), "one"); err != nil || !bytes.Equal(x.Body, said) {
		t.Errorf("under the new key alone: %q, %v", x.Body, err)
	}
}
