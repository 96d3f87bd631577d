package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/store"
)

// tables holds imported tables: one of each name, replaced only by who knows what is there, and a version that every
// change raises.
func tables(t *testing.T, open Open) {
	ctx := context.Background()
	s := open(t)
	defer s.Close()
	if all, err := s.Tables(ctx); err != nil || len(all) != 0 {
		t.Fatalf("before the first: %v, %v", all, err)
	}
	version := func() int64 {
		t.Helper()
		n, err := s.TablesVersion(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	put := func(at int64, name, date, body string, want error) {
		t.Helper()
		x := store.Table{Name: name, Date: date, Imported: 5, By: "ann", Offers: 2}
		if body != "" {
			x.Body = []byte(body)
		}
		if err := s.PutTable(ctx, at, x); !errors.Is(err, want) {
			t.Fatalf("putting %s at %d: %v", name, at, err)
		}
	}
	if version() != 0 {
		t.Error("there is a version before the first")
	}
	put(0, "b", "2026-01-01", "one", nil)
	put(0, "a", "2026-01-02", "two", nil)
	put(0, "b", "2026-01-03", "again", store.ErrMoved)
	put(1, "b", "2026-01-03", "three", nil)
	put(1, "b", "2026-01-04", "late", store.ErrMoved)
	got, err := s.Tables(ctx)
	want := []store.Table{
		{Name: "a", Date: "2026-01-02", Version: 2, Imported: 5, By: "ann", Offers: 2, Body: []byte("two")},
		{Name: "b", Date: "2026-01-03", Version: 3, Imported: 5, By: "ann", Offers: 2, Body: []byte("three")},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	put(3, "b", "2026-01-03", "", nil)
	if got, err := s.Tables(ctx); err != nil || len(got) != 1 || version() != 4 {
		t.Errorf("after one was taken away: %v, %v, version %d", got, err, version())
	}
	put(0, "b", "2026-01-05", "new", nil)
	if version() != 5 {
		t.Errorf("the version is %d", version())
	}
}
