// Package budgettest holds every Book to the same behaviour.
package budgettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
)

// moment is when most of the tests happen: on a Wednesday.
func moment() time.Time { return time.Date(2026, 7, 15, 10, 30, 0, 0, time.UTC) }

// Run tests a kind of book. open returns an empty one.
func Run(t *testing.T, open func(t *testing.T) budget.Book) {
	for name, test := range map[string]func(*testing.T, budget.Book){
		"a hold is all or nothing":                                   allOrNothing,
		"a settled hold is spent once":                               settledOnce,
		"a hold grows and what is left of it comes back":             grows,
		"more than was held is spent all the same":                   overrun,
		"a settled hold cannot be taken of":                          takenLate,
		"a window begins anew":                                       anew,
		"a window that rolls lets go bit by bit":                     rolls,
		"what was held before midnight is of the day before":         midnight,
		"a clock that is set back opens no window anew":              setBack,
		"a day is as long as it is in its zone":                      zoned,
		"a clock that is set back over midnight opens no day anew":   backOverMidnight,
		"what was charged before is on record":                       restored,
		"a thousand charges of a thousandth make one":                thousand,
		"at most ten of two hundred pass a bound of ten":             tenOfTwoHundred,
		"whatever is done at once, no bound is passed":               neverOver,
		"calls at the same time are held and never spent":            concurrent,
		"a bound that is lowered below what is spent refuses":        lowered,
		"a refusal says which account and how much it has left":      refusal,
		"a window that is made another one keeps what still counts":  changed,
		"an account of which nothing is known is empty":              empty,
		"a line of nothing passes where nothing is left":             nothing,
		"two lines of one account in one hold are held to one bound": twice,
		"what grows leaves room for what is held to grow":            room,
		"requests are spent when they are taken":                     requests,
		"requests that were not made come back":                      unmade,
		"what a call and its attempt take is taken in one step":      apart,
		"a call that has ended gives back its place":                 places,
		"what is taken tells what is left":                           balances,
		"a clock that jumps ahead and back opens no window anew":     jumps,
		"a clock that was far ahead closes no window for long":       farAhead,
		"the parts of an account are known":                          parts,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func account(id string, bound int64, w plenum.Window) budget.Account {
	return budget.Account{ID: id, Unit: budget.Money, Bound: bound, Window: w}
}

func month() plenum.Window { return plenum.Window{Period: plenum.PerMonth} }

func take(t *testing.T, b budget.Book, hold string, now time.Time, lines ...budget.Line) *budget.Refusal {
	t.Helper()
	r, err := b.Take(context.Background(), hold, lines, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, b budget.Book, hold string, now time.Time, lines ...budget.Line) {
	t.Helper()
	if r := take(t, b, hold, now, lines...); r != nil {
		t.Fatalf("%s: refused: %+v", hold, r)
	}
}

func settle(t *testing.T, b budget.Book, hold string, amounts ...int64) []plenum.Charge {
	t.Helper()
	c, err := b.Settle(context.Background(), hold, amounts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holds fails unless an account has spent and held so much.
func holds(t *testing.T, b budget.Book, a budget.Account, now time.Time, spent, held int64) {
	t.Helper()
	got, err := b.Balances(context.Background(), []budget.Account{a}, now)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Spent != spent || got[0].Held != held {
		t.Errorf("%s: spent %d and held %d, want %d and %d", a.ID, got[0].Spent, got[0].Held, spent, held)
	}
}

func allOrNothing(t *testing.T, b budget.Book) {
	wide, narrow := account("wide", 100, month()), account("narrow", 10, month())
	if r := take(t, b, "h", moment(), budget.Line{Account: wide, Amount: 11}, budget.Line{Account: narrow, Amount: 11}); r == nil || r.Account.ID != "narrow" {
		t.Fatalf("got %+v", r)
	}
	holds(t, b, wide, moment(), 0, 0)
	must(t, b, "h", moment(), budget.Line{Account: wide, Amount: 10}, budget.Line{Account: narrow, Amount: 10})
	holds(t, b, wide, moment(), 0, 10)
	holds(t, b, narrow, moment(), 0, 10)
}

func settledOnce(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 60})
	want := []plenum.Charge{{Account: "a", Slot: month().Slot(moment()), Amount: 25}}
	if diff := cmp.Diff(want, settle(t, b, "h", 25)); diff != "" {
		t.Error(diff)
	}
	if got := settle(t, b, "h", 25); len(got) != 0 {
		t.Errorf("the second time %+v was charged", got)
	}
	if got := settle(t, b, "never", 25); len(got) != 0 {
		t.Errorf("%+v was charged for a hold that never was", got)
	}
	holds(t, b, a, moment(), 25, 0)
}

func grows(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 40})
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 40})
	if r := take(t, b, "h", moment(), budget.Line{Account: a, Amount: 21}); r == nil {
		t.Error("more than the bound was held")
	}
	holds(t, b, a, moment(), 0, 80)
	settle(t, b, "h", 50)
	holds(t, b, a, moment(), 50, 0)
}

func overrun(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 90})
	settle(t, b, "h", 130)
	holds(t, b, a, moment(), 130, 0)
	if r := take(t, b, "i", moment(), budget.Line{Account: a, Amount: 1}); r == nil || r.Balance.Left(a.Bound) != 0 {
		t.Errorf("got %+v", r)
	}
}

func takenLate(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 1})
	settle(t, b, "h", 1)
	if _, err := b.Take(context.Background(), "h", []budget.Line{{Account: a, Amount: 1}}, moment()); err == nil {
		t.Error("a settled hold was taken of")
	}
	holds(t, b, a, moment(), 1, 0)
}

func anew(t *testing.T, b budget.Book) {
	a := account("a", 100, plenum.Window{Period: plenum.PerDay})
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 100})
	settle(t, b, "h", 100)
	r := take(t, b, "i", moment(), budget.Line{Account: a, Amount: 1})
	if r == nil || !r.Balance.Resets.Equal(time.Date(2026, 7, 16, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", r)
	}
	must(t, b, "i", moment().Add(14*time.Hour), budget.Line{Account: a, Amount: 100})
}

func rolls(t *testing.T, b budget.Book) {
	a := account("a", 100, plenum.Window{Rolling: time.Hour})
	for i := range 2 {
		hold := fmt.Sprint(i)
		must(t, b, hold, moment().Add(time.Duration(i)*30*time.Minute), budget.Line{Account: a, Amount: 50})
		settle(t, b, hold, 50)
	}
	if r := take(t, b, "x", moment().Add(59*time.Minute), budget.Line{Account: a, Amount: 1}); r == nil {
		t.Error("what was spent 59 minutes ago counts no more")
	} else if want := moment().Add(time.Hour); !r.Balance.Resets.Equal(want) {
		t.Errorf("it resets at %s, want %s", r.Balance.Resets, want)
	}
	holds(t, b, a, moment().Add(61*time.Minute), 50, 0)
	must(t, b, "x", moment().Add(61*time.Minute), budget.Line{Account: a, Amount: 50})
	holds(t, b, a, moment().Add(3*time.Hour), 0, 50)
}

func midnight(t *testing.T, b budget.Book) {
	a := account("a", 100, plenum.Window{Period: plenum.PerDay})
	late := time.Date(2026, 7, 15, 23, 59, 59, 0, time.UTC)
	must(t, b, "h", late, budget.Line{Account: a, Amount: 40})
	next := late.Add(2 * time.Second)
	must(t, b, "i", next, budget.Line{Account: a, Amount: 60})
	if c := settle(t, b, "h", 40); len(c) != 1 || c[0].Slot != a.Window.Slot(late) {
		t.Errorf("charged %+v", c)
	}
	holds(t, b, a, next, 0, 60)
}

func setBack(t *testing.T, b budget.Book) {
	a := account("a", 100, plenum.Window{Period: plenum.PerDay})
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 100})
	settle(t, b, "h", 100)
	if r := take(t, b, "i", moment().Add(-48*time.Hour), budget.Line{Account: a, Amount: 1}); r == nil {
		t.Error("two days before there was money")
	}
}

// zoned has the days of Berlin on which the clocks are put forward and back, of 23 hours and of 25, and the day before and after.
func zoned(t *testing.T, b budget.Book) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name        string
		month, day  int
		hours       int
		dayHasBegun time.Time
	}{
		{"forward", 3, 29, 23, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)},
		{"back", 10, 25, 25, time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC)},
	} {
		a := account(x.name, 100, plenum.Window{Period: plenum.PerDay, Zone: berlin})
		begin := x.dayHasBegun
		end := begin.Add(time.Duration(x.hours) * time.Hour)
		spend := func(hold string, at time.Time, n int64, want bool) {
			t.Helper()
			r := take(t, b, x.name+hold, at, budget.Line{Account: a, Amount: n})
			if (r == nil) != want {
				t.Errorf("%s: %d at %s: %+v", x.name, n, at.In(berlin), r)
			}
			if r == nil {
				settle(t, b, x.name+hold, n)
			} else if want := end; n == 1 && !r.Balance.Resets.Equal(want) {
				t.Errorf("%s: it resets at %s, want %s", x.name, r.Balance.Resets.In(berlin), want.In(berlin))
			}
		}
		spend("before", begin.Add(-time.Millisecond), 100, true)
		spend("first", begin, 60, true)
		spend("noon", begin.Add(12*time.Hour), 40, true)
		for hour := 12; hour < x.hours; hour++ {
			spend("within", begin.Add(time.Duration(hour)*time.Hour), 1, false)
		}
		spend("last", end.Add(-time.Millisecond), 1, false)
		spend("next", end, 100, true)
		if end.In(berlin).Hour() != 0 || end.In(berlin).Day() != x.day+1 || int(end.In(berlin).Month()) != x.month {
			t.Errorf("%s ends at %s", x.name, end.In(berlin))
		}
	}
}

// backOverMidnight has a clock jump back by a second to an hour just after a day has begun, while a call is under way.
func backOverMidnight(t *testing.T, b budget.Book) {
	a := account("a", 100, plenum.Window{Period: plenum.PerDay})
	begin := time.Date(2026, 7, 15, 0, 0, 0, 0, time.UTC)
	must(t, b, "before", begin.Add(-time.Minute), budget.Line{Account: a, Amount: 100})
	must(t, b, "under way", begin.Add(time.Second), budget.Line{Account: a, Amount: 0})
	settle(t, b, "before", 100)
	must(t, b, "first", begin.Add(time.Second), budget.Line{Account: a, Amount: 70})
	for i, back := range []time.Duration{2 * time.Second, time.Minute, time.Hour} {
		at := begin.Add(time.Second - back)
		if r := take(t, b, fmt.Sprint("back", i), at, budget.Line{Account: a, Amount: 31}); r == nil {
			t.Errorf("%s after it was set back there was more than is left of the day that has begun", back)
		}
	}
	must(t, b, "under way", begin.Add(-time.Minute), budget.Line{Account: a, Amount: 30})
	for _, x := range []struct {
		hold string
		n    int64
	}{{"first", 70}, {"under way", 30}} {
		if c := settle(t, b, x.hold, x.n); len(c) != 1 || c[0].Slot != begin.UnixMilli() {
			t.Errorf("%s: charged %+v, want the day that began at %d", x.hold, c, begin.UnixMilli())
		}
	}
	holds(t, b, a, begin.Add(time.Hour), 100, 0)
	if r := take(t, b, "late", begin.Add(23*time.Hour), budget.Line{Account: a, Amount: 1}); r == nil {
		t.Error("the day was opened anew")
	}
}

func restored(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	if err := b.Restore(context.Background(), []plenum.Charge{{Account: "a", Slot: month().Slot(moment()), Amount: 99}, {Account: "a", Slot: month().Slot(moment().AddDate(0, -1, 0)), Amount: 7}}); err != nil {
		t.Fatal(err)
	}
	holds(t, b, a, moment(), 99, 0)
	if r := take(t, b, "h", moment(), budget.Line{Account: a, Amount: 2}); r == nil {
		t.Error("what was spent before does not count")
	}
}

func thousand(t *testing.T, b budget.Book) {
	a, each := account("a", 1_000_000, month()), int64(1000)
	var wg sync.WaitGroup
	var passed atomic.Int64
	for i := range 1100 {
		wg.Go(func() {
			hold := fmt.Sprint(i)
			if r, err := b.Take(context.Background(), hold, []budget.Line{{Account: a, Amount: each}}, moment()); err == nil && r == nil {
				passed.Add(1)
				_, _ = b.Settle(context.Background(), hold, []int64{each})
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1000 {
		t.Errorf("%d passed", passed.Load())
	}
	holds(t, b, a, moment(), 1_000_000, 0)
}

func tenOfTwoHundred(t *testing.T, b budget.Book) {
	a := account("a", 10, month())
	var wg sync.WaitGroup
	var passed atomic.Int64
	for i := range 200 {
		wg.Go(func() {
			if r, err := b.Take(context.Background(), fmt.Sprint(i), []budget.Line{{Account: a, Amount: 1}}, moment()); err == nil && r == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 10 {
		t.Errorf("%d passed", passed.Load())
	}
	holds(t, b, a, moment(), 0, 10)
}

// neverOver has many take, grow and settle at random of accounts within each other.
func neverOver(t *testing.T, b budget.Book) {
	org, bounds := account("org", 5000, month()), []int64{900, 1700, 3100}
	var wg sync.WaitGroup
	var spent [4]atomic.Int64
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 60 {
				k := r.IntN(3)
				mine := account(fmt.Sprint("team", k), bounds[k], month())
				hold, held := fmt.Sprint(w, "-", i), int64(0)
				for range 1 + r.IntN(3) {
					n := r.Int64N(40)
					got, err := b.Take(context.Background(), hold, []budget.Line{{Account: mine, Amount: n}, {Account: org, Amount: n}}, moment())
					if err != nil {
						t.Error(err)
						return
					}
					if got != nil {
						break
					}
					held += n
				}
				use := int64(0)
				if held > 0 {
					use = r.Int64N(held + 1)
				}
				if _, err := b.Settle(context.Background(), hold, []int64{use, use}); err != nil {
					t.Error(err)
				}
				spent[k].Add(use)
				spent[3].Add(use)
			}
		})
	}
	wg.Wait()
	for k, bound := range bounds {
		holds(t, b, account(fmt.Sprint("team", k), bound, month()), moment(), spent[k].Load(), 0)
		if spent[k].Load() > bound {
			t.Errorf("team %d spent %d of %d", k, spent[k].Load(), bound)
		}
	}
	holds(t, b, org, moment(), spent[3].Load(), 0)
	if spent[3].Load() > org.Bound {
		t.Errorf("%d was spent of %d", spent[3].Load(), org.Bound)
	}
}

func concurrent(t *testing.T, b budget.Book) {
	a := budget.Account{ID: "a", Unit: budget.Calls, Bound: 2, Window: plenum.Window{Period: plenum.InTotal}}
	for _, hold := range []string{"x", "y"} {
		must(t, b, hold, moment(), budget.Line{Account: a, Amount: 1})
	}
	if r := take(t, b, "z", moment(), budget.Line{Account: a, Amount: 1}); r == nil {
		t.Error("a third call was let in")
	}
	settle(t, b, "x", 0)
	must(t, b, "z", moment(), budget.Line{Account: a, Amount: 1})
	holds(t, b, a, moment(), 0, 2)
}

func lowered(t *testing.T, b budget.Book) {
	must(t, b, "h", moment(), budget.Line{Account: account("a", 100, month()), Amount: 80})
	settle(t, b, "h", 80)
	if r := take(t, b, "i", moment(), budget.Line{Account: account("a", 50, month()), Amount: 1}); r == nil || r.Balance.Left(50) != 0 {
		t.Errorf("got %+v", r)
	}
}

func refusal(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 30})
	must(t, b, "i", moment(), budget.Line{Account: a, Amount: 20})
	settle(t, b, "i", 20)
	want := &budget.Refusal{Account: a, Asked: 51, Balance: budget.Balance{Spent: 20, Held: 30, Resets: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}}
	if diff := cmp.Diff(want, take(t, b, "j", moment(), budget.Line{Account: a, Amount: 51})); diff != "" {
		t.Error(diff)
	}
}

func changed(t *testing.T, b budget.Book) {
	day := account("a", 100, plenum.Window{Period: plenum.PerDay})
	must(t, b, "h", moment(), budget.Line{Account: day, Amount: 70})
	settle(t, b, "h", 70)
	holds(t, b, account("a", 100, month()), moment(), 70, 0)
	holds(t, b, account("a", 100, plenum.Window{Rolling: 24 * time.Hour}), moment(), 70, 0)
}

func empty(t *testing.T, b budget.Book) {
	holds(t, b, account("a", 100, plenum.Window{Period: plenum.InTotal}), moment(), 0, 0)
}

func nothing(t *testing.T, b budget.Book) {
	a := account("a", 10, month())
	must(t, b, "h", moment(), budget.Line{Account: a, Amount: 10})
	must(t, b, "i", moment(), budget.Line{Account: a})
}

func twice(t *testing.T, b budget.Book) {
	a := account("a", 10, month())
	if r := take(t, b, "h", moment(), budget.Line{Account: a, Amount: 6}, budget.Line{Account: a, Amount: 6}); r == nil {
		t.Error("twice six of ten were held")
	}
	holds(t, b, a, moment(), 0, 0)
}

func room(t *testing.T, b budget.Book) {
	a := account("a", 100, month())
	must(t, b, "alone", moment(), budget.Line{Account: a, Amount: 90, Grows: true})
	settle(t, b, "alone", 10)
	must(t, b, "x", moment(), budget.Line{Account: a, Amount: 30, Grows: true})
	if r := take(t, b, "y", moment(), budget.Line{Account: a, Amount: 16, Grows: true}); r == nil {
		t.Error("46 were held of 90, and there is no room for as much")
	}
	must(t, b, "y", moment(), budget.Line{Account: a, Amount: 15, Grows: true})
	must(t, b, "x", moment(), budget.Line{Account: a, Amount: 30})
	must(t, b, "y", moment(), budget.Line{Account: a, Amount: 15})
}

func rpm(id string, bound int64) budget.Account {
	return budget.Account{ID: id, Unit: budget.Requests, Bound: bound, Window: plenum.Window{Rolling: time.Minute}}
}

func requests(t *testing.T, b budget.Book) {
	a := rpm("[requests]a", 2)
	must(t, b, "x", moment(), budget.Line{Account: a, Amount: 1})
	must(t, b, "y", moment(), budget.Line{Account: a, Amount: 1})
	r := take(t, b, "z", moment().Add(30*time.Second), budget.Line{Account: a, Amount: 1})
	if r == nil || r.Balance.Spent != 2 || r.Balance.Held != 0 || !r.Balance.Resets.Equal(moment().Add(time.Minute)) {
		t.Fatalf("got %+v", r)
	}
	// Both answers still come: what counts is when they were asked for.
	must(t, b, "z", moment().Add(61*time.Second), budget.Line{Account: a, Amount: 1})
	if got := settle(t, b, "x", 1); len(got) != 1 || got[0].Amount != 1 || got[0].Slot != a.Window.Slot(moment()) {
		t.Errorf("charged %+v", got)
	}
	holds(t, b, a, moment().Add(61*time.Second), 1, 0)
}

func unmade(t *testing.T, b budget.Book) {
	a := rpm("[requests]a", 1)
	must(t, b, "x", moment(), budget.Line{Account: a, Amount: 1})
	if got := settle(t, b, "x", 0); len(got) != 0 {
		t.Errorf("charged %+v", got)
	}
	holds(t, b, a, moment(), 0, 0)
	must(t, b, "y", moment(), budget.Line{Account: a, Amount: 1})
}

func slots(id string, bound int64) budget.Account {
	return budget.Account{ID: id, Unit: budget.Calls, Bound: bound, Window: plenum.Window{Period: plenum.InTotal}}
}

func apart(t *testing.T, b budget.Book) {
	money, calls, often := account("money", 100, month()), slots("[concurrent]c", 1), rpm("[requests]r", 1)
	lines := []budget.Line{{Account: calls, Amount: 1, Hold: "call"}, {Account: often, Amount: 1, Hold: "call"}, {Account: money, Amount: 101}}
	if r := take(t, b, "call/1", moment(), lines...); r == nil || r.Account.ID != "money" {
		t.Fatalf("got %+v", r)
	}
	holds(t, b, calls, moment(), 0, 0)
	holds(t, b, often, moment(), 0, 0)
	lines[2].Amount = 60
	must(t, b, "call/1", moment(), lines...)
	settle(t, b, "call/1", 10)
	holds(t, b, calls, moment(), 0, 1) // the call goes on
	must(t, b, "call/2", moment(), budget.Line{Account: money, Amount: 90})
	if r := take(t, b, "other/1", moment(), budget.Line{Account: calls, Amount: 1, Hold: "other"}); r == nil {
		t.Error("two calls at the same time")
	}
	settle(t, b, "call/2", 20)
	settle(t, b, "call", 0, 1)
	holds(t, b, calls, moment(), 0, 0)
	holds(t, b, often, moment(), 1, 0)
	holds(t, b, money, moment(), 30, 0)
}

func places(t *testing.T, b budget.Book) {
	money, calls, often := account("money", 100, month()), slots("[concurrent]c", 1), rpm("[requests]r", 9)
	must(t, b, "call/1", moment(), budget.Line{Account: calls, Amount: 1, Hold: "call"}, budget.Line{Account: often, Amount: 1, Hold: "call"}, budget.Line{Account: money, Amount: 60})
	got, err := b.Settle(context.Background(), "call/1", []int64{10}, "call")
	if err != nil {
		t.Fatal(err)
	}
	want := []plenum.Charge{
		{Account: "money", Slot: month().Slot(moment()), Amount: 10}, {Account: "[requests]r", Slot: often.Window.Slot(moment()), Amount: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := settle(t, b, "call", 0, 1); len(got) != 0 {
		t.Errorf("the second time %+v was charged", got)
	}
	holds(t, b, calls, moment(), 0, 0)
	holds(t, b, often, moment(), 1, 0)
	if _, err := b.Take(context.Background(), "call/2", []budget.Line{{Account: calls, Amount: 1, Hold: "call"}}, moment()); err == nil {
		t.Error("a settled hold was taken of")
	}
}

func balances(t *testing.T, b budget.Book) {
	money, often := account("money", 100, month()), rpm("[requests]r", 9)
	must(t, b, "before", moment(), budget.Line{Account: money, Amount: 5}, budget.Line{Account: often, Amount: 1, Hold: "first"})
	lines := []budget.Line{{Account: money, Amount: 60}, {Account: often, Amount: 1, Hold: "call"}}
	must(t, b, "x", moment(), lines...)
	got := []budget.Balance{lines[0].Balance, lines[1].Balance}
	want := []budget.Balance{
		{Held: 65, Resets: month().Ends(month().Slot(moment()))},
		{Spent: 2, Resets: moment().Add(time.Minute)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// jumps sets the clock two windows ahead for one call, and back.
func jumps(t *testing.T, b budget.Book) {
	for name, w := range map[string]plenum.Window{
		"day": {Period: plenum.PerDay}, "month": month(), "rolling": {Rolling: 24 * time.Hour},
	} {
		a := account(name, 100, w)
		must(t, b, name+"1", moment(), budget.Line{Account: a, Amount: 90})
		settle(t, b, name+"1", 90)
		ahead := moment().AddDate(0, 3, 0)
		must(t, b, name+"2", ahead, budget.Line{Account: a, Amount: 5})
		settle(t, b, name+"2", 5)
		if r := take(t, b, name+"3", moment().Add(time.Minute), budget.Line{Account: a, Amount: 11}); r == nil {
			t.Errorf("%s: what was spent before the clock jumped is forgotten", name)
		}
		holds(t, b, a, moment().Add(time.Minute), 90, 0)
		holds(t, b, a, ahead, 5, 0)
	}
}

// farAhead spends all of a window by a clock that is a year ahead.
func farAhead(t *testing.T, b budget.Book) {
	for name, w := range map[string]plenum.Window{"minute": {Period: plenum.PerMinute}, "rolling": {Rolling: time.Minute}} {
		a := budget.Account{ID: "[requests]" + name, Unit: budget.Requests, Bound: 3, Window: w}
		for i := range 3 {
			must(t, b, fmt.Sprint(name, i), moment().AddDate(1, 0, 0), budget.Line{Account: a, Amount: 1})
		}
		if r := take(t, b, name+"x", moment(), budget.Line{Account: a, Amount: 1}); r == nil {
			t.Errorf("%s: a clock that is set back opened the window anew", name)
		}
		must(t, b, name+"y", moment().Add(2*time.Minute), budget.Line{Account: a, Amount: 1})
	}
}

func parts(t *testing.T, b budget.Book) {
	for _, id := range []string{"each[x]", "each[y]", "each", "other[z]", "eac*[q]"} {
		must(t, b, id, moment(), budget.Line{Account: account(id, 9, month()), Amount: 1})
	}
	got, err := b.Parts(context.Background(), "each[", 10)
	if diff := cmp.Diff([]string{"each[x]", "each[y]"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err := b.Parts(context.Background(), "eac*[", 10); len(got) != 1 || err != nil {
		t.Errorf("%v %v", got, err)
	}
	if got, err := b.Parts(context.Background(), "each", 2); len(got) != 2 || err != nil {
		t.Errorf("%v %v", got, err)
	}
}
