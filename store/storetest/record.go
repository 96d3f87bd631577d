package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

func records(t *testing.T, open Open) {
	s := open(t)
	want := ok("a", 1795377600123456)
	want.Attempts = []plenum.Attempt{{N: 1, Target: "xai/grok", Error: "é \"x\"\n", Usage: plenum.Tokens{Reasoning: 3}}}
	want.Lost, want.Notes = []string{"seed"}, []string{"a", "b"}
	newJournal(t).end(s, want)
	got, err := s.Call(t.Context(), "a")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("record: %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.Call(t.Context(), "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a call that is not there: %v, want ErrNotFound", err)
	}
	if err := s.Append(t.Context(), nil); err != nil {
		t.Errorf("storing nothing: %v", err)
	}
}

// ids returns the ids of calls.
func ids(t *testing.T, s store.Store, f store.Filter) (all []string) {
	t.Helper()
	rs, err := s.Calls(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		all = append(all, rs[i].ID)
	}
	return all
}

func listing(t *testing.T, open Open) {
	s := open(t)
	var rs []plenum.Record
	for i := range 150 {
		r := ok(fmt.Sprint(i), int64(1000+i))
		r.Project, r.KeyID, r.Deployment = fmt.Sprint("p", i%2), fmt.Sprint("k", i%3), fmt.Sprint("d", i%5)
		rs = append(rs, r)
	}
	newJournal(t).end(s, rs...)
	if got := ids(t, s, store.Filter{}); len(got) != 100 || got[0] != "149" || got[99] != "50" {
		t.Errorf("without a limit: %d calls, %v", len(got), got)
	}
	for _, c := range []struct {
		f    store.Filter
		want []string
	}{
		{store.Filter{Limit: 2}, []string{"149", "148"}},
		{store.Filter{From: 1003, To: 1006}, []string{"5", "4", "3"}},
		{store.Filter{Project: "p1", Limit: 2}, []string{"149", "147"}},
		{store.Filter{Project: "p1", KeyID: "k2", Limit: 2}, []string{"149", "143"}},
		{store.Filter{Project: "p1", KeyID: "k2", Deployment: "d3", To: 1140}, []string{"113", "83", "53", "23"}},
		{store.Filter{Project: "none"}, nil},
		{store.Filter{Before: 1003, BeforeID: "3", Limit: 2}, []string{"2", "1"}},
		{store.Filter{Before: 1003, BeforeID: "4", Limit: 2}, []string{"3", "2"}},
	} {
		if diff := cmp.Diff(c.want, ids(t, s, c.f)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.f, diff)
		}
	}
}

func usage(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if us, err := s.Usage(ctx, store.UsageQuery{}); err != nil || len(us) != 0 {
		t.Errorf("an empty store has usage %v, %v", us, err)
	}
	full := plenum.Tokens{
		Input: 1, CacheRead: 2, CacheWrite5m: 3, CacheWrite1h: 4, InputAudio: 5, InputImage: 6,
		Output: 7, Reasoning: 8, OutputAudio: 9, OutputImage: 10, Searches: 11,
		Images: 12, Characters: 13, Seconds: 14,
	}
	a, b, c, d := ok("a", 1), ok("b", 2), ok("c", 3), ok("d", 4)
	a.Usage, a.Cost, a.Project = full, math.MaxInt64/4, "É"
	b.Outcome, b.Priced, b.Cost, b.KeyID = plenum.OutcomeError, false, 0, "k2"
	c.Outcome, c.Estimated, c.Deployment = plenum.OutcomeLost, true, "d2"
	d.Outcome, d.Priced, d.Usage, d.Cost = plenum.OutcomeRefused, false, plenum.Tokens{}, 0
	newJournal(t).end(s, a, b, c, d)

	io := plenum.Tokens{Input: 10, Output: 5}
	sumA := store.Sum{Calls: 1, Cost: math.MaxInt64 / 4, Tokens: full}
	sumB := store.Sum{Calls: 1, Errors: 1, Unpriced: 1, Tokens: io}
	sumC := store.Sum{Calls: 1, Errors: 1, Estimated: 1, Cost: 7, Tokens: io}
	sumD := store.Sum{Calls: 1}
	for _, c := range []struct {
		q    store.UsageQuery
		want []store.Usage
	}{
		{store.UsageQuery{}, []store.Usage{{Sum: add(sumA, sumB, sumC, sumD)}}},
		{store.UsageQuery{By: store.ByProject}, []store.Usage{{Name: "p", Sum: add(sumB, sumC, sumD)}, {Name: "É", Sum: sumA}}},
		{store.UsageQuery{By: store.ByKey}, []store.Usage{{Name: "k", Sum: add(sumA, sumC, sumD)}, {Name: "k2", Sum: sumB}}},
		{store.UsageQuery{By: store.ByDeployment}, []store.Usage{{Name: "d", Sum: add(sumA, sumB, sumD)}, {Name: "d2", Sum: sumC}}},
		{store.UsageQuery{By: store.ByKey, Project: "p", Deployment: "d"}, []store.Usage{{Name: "k", Sum: sumD}, {Name: "k2", Sum: sumB}}},
		{store.UsageQuery{KeyID: "k2"}, []store.Usage{{Sum: sumB}}},
	} {
		got, err := s.Usage(ctx, c.q)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v (-want +got):\n%s", c.q, err, diff)
		}
	}
	if _, err := s.Usage(ctx, store.UsageQuery{By: "outcome; DROP TABLE usage"}); err == nil {
		t.Error("usage is summed by anything")
	}
}

// add adds sums.
func add(sums ...store.Sum) store.Sum {
	var all store.Sum
	to := all.Pointers()
	for _, s := range sums {
		for i, v := range s.Values() {
			*to[i].(*int64) += v.(int64)
		}
	}
	return all
}

func hours(t *testing.T, open Open) {
	s := open(t)
	const hour = int64(3600e6)
	newJournal(t).end(s, ok("a", 10*hour), ok("b", 11*hour-1), ok("c", 11*hour), ok("d", 12*hour))
	for _, c := range []struct {
		from, to, calls int64
	}{
		{0, 0, 4}, {10 * hour, 11 * hour, 2}, {11 * hour, 0, 2}, {0, 12 * hour, 3}, {10*hour + 5, 11*hour + 5, 3},
	} {
		us, err := s.Usage(t.Context(), store.UsageQuery{From: c.from, To: c.to})
		if err != nil || us[0].Calls != c.calls {
			t.Errorf("from %d to %d: %v, %v; want %d calls", c.from, c.to, us, err, c.calls)
		}
	}
}

func again(t *testing.T, open Open) {
	s := open(t)
	var c caught
	j := newJournal(t)
	for i := range 50 {
		j.end(&c, ok(fmt.Sprint(i), int64(i)))
	}
	mustAppend(t, s, c[:30])
	mustAppend(t, s, c[:30])
	mustAppend(t, s, c[25:])
	if got := total(t, s); got.Calls != 50 || got.Cost != 350 {
		t.Errorf("the usage is %+v, want 50 calls", got)
	}
	if got := ids(t, s, store.Filter{}); len(got) != 50 {
		t.Errorf("%d calls are listed, want 50", len(got))
	}
}

func once(t *testing.T, open Open) {
	s := open(t)
	first, second := ok("x", 1), ok("x", 1)
	second.Cost = 1000
	j := newJournal(t)
	j.end(s, first, second) // in one batch
	j.end(s, second)
	if got := total(t, s); got.Calls != 1 || got.Cost != 7 {
		t.Errorf("the usage is %+v, want that of the first record alone", got)
	}
	if got := ids(t, s, store.Filter{}); len(got) != 1 {
		t.Errorf("the call is listed %d times", len(got))
	}
	if p, err := store.Verify(t.Context(), s); err != nil || p.Entries != 3 || len(p.Gaps)+len(p.Changed) > 0 {
		t.Errorf("the proof is %+v, %v; want 3 entries", p, err)
	}
}

func lostThenReal(t *testing.T, open Open) {
	lost := ledger.Lost(ledger.Begin{ID: "x", Start: 1, Project: "p", KeyID: "k"})
	for name, order := range map[string][2]plenum.Record{
		"lost first": {lost, ok("x", 1)}, "lost last": {ok("x", 1), lost},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			id := someID()
			for _, r := range order {
				r.ID, r.Project = id, id
				newJournal(t).end(s, r)
			}
			if r, err := s.Call(t.Context(), id); err != nil || r.Outcome != plenum.OutcomeOK {
				t.Errorf("the call's outcome is %q, %v; want ok", r.Outcome, err)
			}
			us, err := s.Usage(t.Context(), store.UsageQuery{Project: id})
			want := store.Sum{Calls: 1, Cost: 7, Tokens: plenum.Tokens{Input: 10, Output: 5}}
			if err != nil || len(us) != 1 || us[0].Sum != want {
				t.Errorf("the usage is %+v, %v; want %+v", us, err, want)
			}
		})
	}
}

func diverged(t *testing.T, open Open) {
	s := open(t)
	var a, b caught
	newJournal(t).end(&a, ok("a1", 1), ok("a2", 2))
	newJournal(t).end(&b, ok("b1", 3), ok("b2", 4))
	for i := range b {
		b[i].Node = a[0].Node // a copied machine, under the same name
	}
	mustAppend(t, s, a)
	mustAppend(t, s, b)
	if got := total(t, s); got.Calls != 4 {
		t.Errorf("%d calls are counted, want all 4", got.Calls)
	}
	if p, err := store.Verify(t.Context(), s); err != nil || len(p.Gaps) == 0 {
		t.Errorf("the proof is %+v, %v; want it to show that there are two chains", p, err)
	}
}

func strange(t *testing.T, open Open) {
	s := open(t)
	r := ok("nul \x00 quote ' emoji 😀", 1)
	r.Project, r.KeyID, r.Deployment, r.Error = "a\x00b", "' OR 1=1 --", "\u2028<é>", "\x00\x01"
	newJournal(t).end(s, r)
	if got := total(t, s); got.Calls != 1 {
		t.Errorf("the usage is %+v", got)
	}
	rs, err := s.Calls(t.Context(), store.Filter{})
	if err != nil || len(rs) != 1 {
		t.Fatalf("calls: %v, %v", rs, err)
	}
	if diff := cmp.Diff(r, rs[0]); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func writers(t *testing.T, open Open) {
	s := open(t)
	const nodes, batches, each = 4, 10, 25
	var wg sync.WaitGroup
	for n := range nodes {
		j := newJournal(t)
		wg.Go(func() {
			for b := range batches {
				var rs []plenum.Record
				for i := range each {
					r := ok(fmt.Sprintf("%d-%d-%d", n, b, i), int64(i))
					r.KeyID = fmt.Sprint("k", (i*(n+1))%each) // the same sums, in another order
					rs = append(rs, r)
				}
				j.end(s, rs...)
			}
		})
		wg.Go(func() {
			for range batches {
				if _, err := s.Usage(t.Context(), store.UsageQuery{By: store.ByKey}); err != nil {
					t.Error(err)
				}
				if err := s.CreateKey(t.Context(), key(someID(), 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	const calls = nodes * batches * each
	if got := total(t, s); got.Calls != calls || got.Cost != 7*calls {
		t.Errorf("the usage is %+v, want %d calls", got, calls)
	}
	if ks, err := s.Keys(t.Context()); err != nil || len(ks) != nodes*batches {
		t.Errorf("there are %d keys, %v", len(ks), err)
	}
}

func chain(t *testing.T, open Open) {
	s := open(t)
	const calls = 1100 // more than a page
	for range 2 {
		j := newJournal(t)
		var rs []plenum.Record
		for range calls {
			rs = append(rs, ok(someID(), 1))
		}
		j.end(s, rs...)
	}
	p, err := store.Verify(t.Context(), s)
	if err != nil || p.Entries != 2*calls || len(p.Heads) != 2 || len(p.Changed)+len(p.Gaps) > 0 {
		t.Errorf("the proof is %+v, %v", p, err)
	}
}

func cancelled(t *testing.T, open Open) {
	s := open(t)
	var c caught
	newJournal(t).end(&c, ok("a", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, c); err == nil {
		t.Error("storing under a cancelled context returned no error")
	}
	mustAppend(t, s, c)
	if got := total(t, s); got.Calls != 1 {
		t.Errorf("the usage is %+v, want 1 call", got)
	}
}

func charges(t *testing.T, open Open) {
	s := open(t)
	spend := func(id string, cs ...plenum.Charge) plenum.Record {
		r := ok(id, 1795377600123456)
		r.Charges = cs
		return r
	}
	j := newJournal(t)
	lost := spend("c", plenum.Charge{Account: "lab", Slot: 1000, Amount: 500})
	lost.Outcome = plenum.OutcomeLost
	j.end(s,
		spend("a", plenum.Charge{Account: "lab", Slot: 1000, Amount: 5}, plenum.Charge{Account: "é[x]", Amount: 1}),
		spend("b", plenum.Charge{Account: "lab", Slot: 1000, Amount: 7}, plenum.Charge{Account: "lab", Slot: 900, Amount: 100}),
		lost)
	// A call that was called lost and has ended after all counts as it ended.
	newJournal(t).end(s, spend("c", plenum.Charge{Account: "lab", Slot: 1000, Amount: 9}))
	want := []plenum.Charge{{Account: "lab", Slot: 1000, Amount: 21}, {Account: "é[x]", Amount: 1}}
	got, err := s.Charges(t.Context(), 1000)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
