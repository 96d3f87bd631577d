package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// line is a sum of a slot and a mix.
type line struct {
	Slot int64
	Mix  store.Mix
	store.Share
}

// lines returns the sums of a grain that are not zero.
func linesOf(t *testing.T, s store.Store, q store.RollupQuery) []line {
	t.Helper()
	q.Columns = strings.Split(store.ShareColumns, ", ")
	mixes := mixesOf(t, s)
	var out []line
	err := s.Rollup(t.Context(), q, func(slot, mix int64, values []int64) error {
		m, ok := mixes[mix]
		if !ok || q.Coarse && !m.Coarse() {
			t.Errorf("the mix %d is %+v", mix, m)
		}
		l := line{Slot: slot, Mix: m}
		for i, p := range l.Pointers() {
			*p.(*int64) = values[i] //nolint:forcetypeassert // all are
		}
		if l.Share != (store.Share{}) {
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mixesOf returns all mixes by their numbers.
func mixesOf(t *testing.T, s store.Store) map[int64]store.Mix {
	t.Helper()
	mixes := map[int64]store.Mix{}
	err := s.Mixes(t.Context(), nil, func(id int64, m *store.Mix) error {
		if m.ID() != id {
			t.Errorf("the mix %d is %+v", id, *m)
		}
		mixes[id] = *m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return mixes
}

// packed returns the sums of all days that are packed.
func packed(t *testing.T, s store.Store) (out []line) {
	t.Helper()
	mixes := mixesOf(t, s)
	days, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		if !d.Packed {
			continue
		}
		names := strings.Split(store.ShareColumns, ", ")
		p, err := s.Packed(t.Context(), d.Slot, names)
		if err != nil {
			t.Fatal(err)
		}
		begin := len(out)
		for h := range 24 {
			_, of := p.Hour(h)
			for _, m := range of {
				out = append(out, line{Slot: d.Slot + int64(h), Mix: mixes[p.Mixes[m]]})
			}
		}
		for c, name := range names {
			err := p.Column(name, 0, 24, func(i int, v int64) {
				*out[begin+i].Pointers()[c].(*int64) = v //nolint:forcetypeassert // all are
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// sameRolled checks that the sums, fine, coarse and packed, add up to those of the usage.
func sameRolled(t *testing.T, s store.Store, want store.Sum) {
	t.Helper()
	pack(t, s)
	all := store.RollupQuery{From: -1 << 40, To: 1 << 40}
	coarse := all
	coarse.Coarse = true
	either := all
	either.Columns = strings.Split(store.SumColumns, ", ")
	var mixed []line
	err := store.EachSum(t.Context(), s, either, func(slot, _ int64, values []int64) error {
		l := line{Slot: slot}
		for i, p := range l.Sum.Pointers() {
			*p.(*int64) = values[i] //nolint:forcetypeassert // all are
		}
		mixed = append(mixed, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string][]line{"fine": linesOf(t, s, all), "coarse": linesOf(t, s, coarse), "packed": packed(t, s), "mixed": mixed} {
		var got store.Sum
		for _, l := range lines {
			got = add(got, l.Sum)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the %s sums (-usage +rolled):\n%s", name, diff)
		}
	}
}

// pack packs all days that are not.
func pack(t *testing.T, s store.Store) {
	t.Helper()
	days, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range store.Unpacked(days, 1<<40) {
		if done, err := s.Pack(t.Context(), d); err != nil || !done {
			t.Fatalf("packing %d: %v, %v", d, done, err)
		}
		if done, err := s.Pack(t.Context(), d); err != nil || done {
			t.Fatalf("packing %d again: %v, %v", d, done, err)
		}
	}
}

// at returns the microseconds of a time in UTC.
func at(t *testing.T, when string) int64 {
	t.Helper()
	u, err := time.Parse("2006-01-02 15:04:05", when)
	if err != nil {
		t.Fatal(err)
	}
	return u.UnixMicro()
}

// retried is a call that was tried twice and paid for twice.
func retried(id string, start int64) plenum.Record {
	r := ok(id, start)
	r.End = start + 120_000
	r.Op, r.Dialect, r.Member, r.Tags = "generate", "openai", "ann", "team=search"
	r.Usage, r.Cost = plenum.Tokens{}, 0
	r.Add(plenum.Attempt{
		N: 1, Target: "east/gpt", Provider: "azure", Upstream: "gpt", Model: "openai/gpt-4o", Region: "eastus",
		Usage: plenum.Tokens{Input: 100}, Cost: 250, Costs: plenum.Costs{Input: 250}, Priced: true,
	})
	r.Add(plenum.Attempt{
		N: 2, Target: "vendor/gpt", Provider: "openai", Upstream: "gpt", Model: "openai/gpt-4o", Won: true,
		Usage: plenum.Tokens{Input: 100, Output: 10}, Cost: 350, Costs: plenum.Costs{Input: 250, Output: 100}, Priced: true,
	})
	return r
}

func rolled(t *testing.T, open Open) {
	s := open(t)
	refused := plenum.Record{ID: "no", Start: at(t, "2026-10-31 23:59:59"), Project: "p", KeyID: "k", Outcome: plenum.OutcomeRefused, ErrorKind: "budget"}
	refused.End = refused.Start + 500
	newJournal(t).end(s, retried("a", at(t, "2026-10-31 23:59:59")), retried("b", at(t, "2026-11-01 00:00:00")), refused)
	unpacked := at(t, "2026-11-01 00:00:00") / 3600e6
	if _, err := s.Packed(t.Context(), unpacked, []string{"calls"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a day that was never packed: %v", err)
	}
	pack(t, s)
	mix := store.Mix{Project: "p", Member: "ann", Key: "k", Deployment: "d", Op: "generate", Dialect: "openai", Model: "openai/gpt-4o", Tags: "team=search", Upstream: "gpt"}
	east, vendor := mix, mix
	east.Target, east.Provider, east.Region = "east/gpt", "azure", "eastus"
	vendor.Target, vendor.Provider = "vendor/gpt", "openai"
	first := store.Share{Sum: store.Sum{Cost: 250, Tokens: plenum.Tokens{Input: 100}}, Attempts: 1, Costs: plenum.Costs{Input: 250}}
	second := store.Share{Sum: store.Sum{Calls: 1, Cost: 350, Tokens: plenum.Tokens{Input: 100, Output: 10}}, Attempts: 1, Costs: plenum.Costs{Input: 250, Output: 100}}
	second.Took[2] = 1
	none := store.Share{Sum: store.Sum{Calls: 1}, Refused: 1}
	october, november := at(t, "2026-10-31 23:00:00")/3600e6, at(t, "2026-11-01 00:00:00")/3600e6
	coarse := func(m store.Mix) store.Mix {
		m.Member, m.Key, m.Tags = "", "", ""
		return m
	}
	byText := func(a, b line) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	want := []line{
		{october, coarse(east), first},
		{october, coarse(vendor), second},
		{october, store.Mix{Project: "p"}, none},
		{november, coarse(east), first},
		{november, coarse(vendor), second},
	}
	got := linesOf(t, s, store.RollupQuery{Coarse: true, To: 1 << 40})
	slices.SortFunc(want, byText)
	slices.SortFunc(got, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without who called (-want +got):\n%s", diff)
	}
	want = []line{{october, east, first}, {october, vendor, second}, {october, store.Mix{Project: "p", Key: "k"}, none}, {november, east, first}, {november, vendor, second}}
	got = packed(t, s)
	slices.SortFunc(want, byText)
	slices.SortFunc(got, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	got = linesOf(t, s, store.RollupQuery{From: november, To: november + 1, Mixes: []int64{vendor.ID(), 7}})
	if diff := cmp.Diff([]line{{november, vendor, second}}, got); diff != "" {
		t.Errorf("an hour of one mix (-want +got):\n%s", diff)
	}
	if err := s.Rollup(t.Context(), store.RollupQuery{Columns: []string{"calls; DROP TABLE rollups"}}, nil); err == nil {
		t.Error("there is a sum of what there is not")
	}
	total(t, s)
}

func rebuilt(t *testing.T, open Open) {
	s := open(t)
	newJournal(t).end(s, retried("a", at(t, "2026-10-31 23:59:59")), retried("b", at(t, "2026-11-01 00:00:00")), ok("c", at(t, "2026-11-01 00:30:00")))
	pack(t, s)
	before := packed(t, s)
	if lag, err := s.Lag(t.Context()); err != nil || len(lag) > 0 {
		t.Errorf("the hours %v lag behind, %v", lag, err)
	}
	hours, err := s.Hours(t.Context())
	if err != nil || len(hours) != 2 {
		t.Fatalf("there are records of %v, %v", hours, err)
	}
	for _, h := range hours {
		if done, err := s.Rebuild(t.Context(), h); err != nil || !done {
			t.Errorf("hour %d: %v, %v", h, done, err)
		}
	}
	pack(t, s)
	if diff := cmp.Diff(before, packed(t, s)); diff != "" {
		t.Errorf("made anew the sums differ (-before +after):\n%s", diff)
	}
	total(t, s)
}

// addedWhilePacked adds to a day between one packing and the next: what is packed never passes for all that there is.
func addedWhilePacked(t *testing.T, open Open) {
	s := open(t)
	j := newJournal(t)
	day := at(t, "2026-11-01 00:00:00")
	j.end(s, retried("a", day))
	done := make(chan error)
	stop := make(chan struct{})
	go func() {
		for {
			if _, err := s.Pack(t.Context(), day/3600e6); err != nil {
				done <- err
				return
			}
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	for i := range 30 {
		j.end(s, retried(fmt.Sprint("b", i), day+int64(i)*1800e6))
		days, err := s.Days(t.Context())
		if err != nil || len(days) != 1 {
			t.Fatal(days, err)
		}
		if !days[0].Packed {
			continue
		}
		var calls int64
		for _, l := range packed(t, s) {
			calls += l.Calls
		}
		if calls != int64(i+2) {
			t.Errorf("packed are %d calls of %d", calls, i+2)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	total(t, s)
}

func manyTags(t *testing.T, open Open) {
	s := open(t)
	j := newJournal(t)
	for range 2 {
		var rs []plenum.Record
		for range store.MostTagSets {
			r := ok(someID(), 1)
			r.Tags = "run=" + r.ID
			rs = append(rs, r)
		}
		j.end(s, rs...)
	}
	var other int64
	all := linesOf(t, s, store.RollupQuery{To: 1})
	for _, l := range all {
		if l.Mix.Tags == store.OtherTags {
			other += l.Calls
		}
	}
	if other != store.MostTagSets || len(all) != store.MostTagSets+1 {
		t.Errorf("%d calls count among the others, and there are %d sums", other, len(all))
	}
	total(t, s)
}
