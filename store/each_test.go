package store_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// past are records as a store gives them, the latest first.
type past struct {
	store.Records
	list  []plenum.Record
	pages int
}

func (p *past) Calls(_ context.Context, f store.Filter) ([]plenum.Record, error) {
	p.pages++
	slices.SortFunc(p.list, func(a, b plenum.Record) int { return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.ID, a.ID)) })
	var out []plenum.Record
	for _, r := range p.list {
		before := f.BeforeID == "" || r.Start < f.Before || r.Start == f.Before && r.ID < f.BeforeID
		if len(out) < f.Max() && before && r.Start >= f.From {
			out = append(out, r)
		}
	}
	return out, nil
}

func TestEachCallComesOnce(t *testing.T) {
	const calls = 2500
	for name, alike := range map[string]int64{"seven at each moment": 7, "all at one moment": calls} {
		p := &past{}
		for i := range int64(calls) {
			p.list = append(p.list, plenum.Record{ID: fmt.Sprint(i), Start: 10_000 - i/alike})
		}
		seen := map[string]int{}
		if err := store.Each(t.Context(), p, store.Filter{}, func(r *plenum.Record) bool { seen[r.ID]++; return true }); err != nil {
			t.Fatal(err)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s: call %s comes %d times", name, id, n)
			}
		}
		if len(seen) != calls || p.pages != 3 {
			t.Errorf("%s: there were %d calls in %d pages", name, len(seen), p.pages)
		}
	}
	n := 0
	p := &past{list: make([]plenum.Record, 5)}
	if err := store.Each(t.Context(), p, store.Filter{}, func(*plenum.Record) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped at 3 it had %d, %v", n, err)
	}
}
