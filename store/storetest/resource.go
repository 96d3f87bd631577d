package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/store"
)

func resources(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if rs, n, err := s.Resources(ctx); err != nil || len(rs) != 0 || n != 0 {
		t.Errorf("an empty store has resources %v at revision %d, %v", rs, n, err)
	}
	n, err := s.ChangeResources(ctx, 0, "ann", 100, []store.ResourceChange{
		{Kind: "projects", Name: "b", Spec: []byte(`{"b":1}`)}, {Kind: "projects", Name: "B", Spec: []byte(`{}`)}, {Kind: "budgets", Name: "b", Spec: []byte(`{"x":"é"}`)},
	})
	if err != nil || n != 1 {
		t.Fatalf("the first change: revision %d, %v", n, err)
	}
	n, err = s.ChangeResources(ctx, 1, "bob", 200, []store.ResourceChange{
		{Kind: "projects", Name: "b", Spec: []byte(`{"b":2}`)}, {Kind: "projects", Name: "B"}, {Kind: "projects", Name: "not there"},
	})
	if err != nil || n != 2 {
		t.Fatalf("the second change: revision %d, %v", n, err)
	}
	want := []store.Resource{
		{Kind: "budgets", Name: "b", Spec: []byte(`{"x":"é"}`), Version: 1, Created: 100, Changed: 100, By: "ann"},
		{Kind: "projects", Name: "b", Spec: []byte(`{"b":2}`), Version: 2, Created: 100, Changed: 200, By: "bob"},
	}
	got, n, err := s.Resources(ctx)
	if diff := cmp.Diff(want, got); err != nil || n != 2 || diff != "" {
		t.Errorf("revision %d, %v (-want +got):\n%s", n, err, diff)
	}
	if _, err := s.ChangeResources(ctx, 1, "eve", 300, []store.ResourceChange{{Kind: "projects", Name: "b"}}); !errors.Is(err, store.ErrMoved) {
		t.Errorf("a change of what was: %v, want ErrMoved", err)
	}
	if n, err := s.Revision(ctx); err != nil || n != 2 {
		t.Errorf("the revision is %d, %v; want 2", n, err)
	}
}

// resourcesAtOnce lets several change at the same time: each set is kept as a whole, after another.
func resourcesAtOnce(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				n, err := s.Revision(ctx)
				if err == nil {
					name := fmt.Sprint("of ", i)
					_, err = s.ChangeResources(ctx, n, name, 1, []store.ResourceChange{{Kind: "a", Name: name, Spec: []byte("{}")}, {Kind: "b", Name: name, Spec: []byte("{}")}})
				}
				if errors.Is(err, store.ErrMoved) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	rs, n, err := s.Resources(ctx)
	if err != nil || n != 8 || len(rs) != 16 {
		t.Errorf("after 8 sets of 2 there are %d resources at revision %d, %v", len(rs), n, err)
	}
}
