package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/budgettest"
)

// link is a node's way to a book in memory that stands for the server. It can be cut.
type link struct {
	budget.Book
	mu     sync.Mutex
	cut    bool
	holds  map[string]bool
	late   []func()
	losses int64
}

func newLink(b budget.Book) *link { return &link{Book: b, holds: map[string]bool{}} }

func (l *link) Away() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

func (l *link) Has(hold string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holds[hold]
}

func (l *link) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.late)
}

func (l *link) Losses() int64 { return l.losses }

// set cuts the link or mends it, and has what is late told.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for !cut && len(l.late) > 0 {
		l.late[0]()
		l.late = l.late[1:]
	}
}

func (l *link) Take(ctx context.Context, hold string, lines []budget.Line, now time.Time) (*budget.Refusal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, fmt.Errorf("taking: %w", budget.ErrAway)
	}
	r, err := l.Book.Take(ctx, hold, lines, now)
	if r == nil && err == nil {
		l.holds[hold] = true
		for i := range lines {
			if lines[i].Hold != "" {
				l.holds[lines[i].Hold] = true
			}
		}
	}
	return r, err
}

func (l *link) Keep(ctx context.Context, hold string, lines []budget.Line, now time.Time, _ time.Duration) (*budget.Refusal, error) {
	return l.Take(ctx, hold, lines, now)
}

func (l *link) Settle(ctx context.Context, hold string, amounts []int64, also ...string) (charges []plenum.Charge, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.holds, hold)
	for _, id := range also {
		delete(l.holds, id)
	}
	do := func() { charges, err = l.Book.Settle(ctx, hold, amounts, also...) }
	if l.cut {
		l.late = append(l.late, do)
		return nil, budget.ErrAway // charges are left out: the tests below settle such holds only where they count the book
	}
	do()
	return charges, err
}

func (l *link) Tell(ctx context.Context, id string, charges []plenum.Charge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do := func() {
		for i, c := range charges { // a hold of nothing, that is overspent by what was spent
			hold := fmt.Sprint("told/", id, "/", i)
			line := budget.Line{Account: budget.Account{ID: c.Account, Window: plenum.Window{Period: plenum.PerMonth}}}
			_, _ = l.Book.Take(ctx, hold, []budget.Line{line}, time.UnixMilli(c.Slot))
			_, _ = l.Book.Settle(ctx, hold, []int64{c.Amount})
		}
	}
	if l.cut {
		l.late = append(l.late, do)
		return
	}
	do()
}

func noon() time.Time { return time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC) }

func purse(bound int64) budget.Account {
	return budget.Account{ID: "lab", Unit: budget.Money, Bound: bound, Window: plenum.Window{Period: plenum.PerMonth}}
}

func TestConformanceWithShares(t *testing.T) {
	budgettest.Run(t, func(*testing.T) budget.Book {
		return budget.NewShares(newLink(budget.NewMemory()), 10, time.Hour, "a")
	})
}

func line(a budget.Account, n int64) []budget.Line { return []budget.Line{{Account: a, Amount: n}} }

func TestANodeSpendsItsShareWhileTheServerIsAway(t *testing.T) {
	ctx, now, a := t.Context(), noon(), purse(1000)
	book := budget.NewMemory()
	l := newLink(book)
	s := budget.NewShares(l, 10, time.Hour, "a")
	spend := func(hold string, n int64) error {
		t.Helper()
		r, err := s.Take(ctx, hold, line(a, n), now)
		if err == nil && r != nil {
			t.Fatalf("%s: %+v", hold, r)
		}
		if err == nil {
			_, _ = s.Settle(ctx, hold, []int64{n})
		}
		return err
	}
	if err := spend("1", 100); err != nil {
		t.Fatal(err)
	}
	s.Adjust(ctx, now)
	if b, _ := book.Balances(ctx, []budget.Account{a}, now); b[0].Held != 90 {
		t.Fatalf("%+v: a tenth of the 900 that are left is to be held", b[0])
	}
	l.set(true)
	if err := spend("2", 60); err != nil {
		t.Fatal(err)
	}
	if err := spend("3", 31); !errors.Is(err, budget.ErrAway) {
		t.Errorf("more than the share was spent: %v", err)
	}
	if err := spend("4", 30); err != nil {
		t.Error(err)
	}
	l.set(false)
	s.Adjust(ctx, now)
	if b, _ := book.Balances(ctx, []budget.Account{a}, now); b[0].Spent != 190 || b[0].Held != 0 {
		t.Errorf("%+v: what was spent is to be told, and the share given back", b[0])
	}
	now = now.Add(time.Second)
	if err := spend("5", 10); err != nil {
		t.Error(err)
	}
	s.Adjust(ctx, now)
	if b, _ := book.Balances(ctx, []budget.Account{a}, now); b[0].Spent != 200 || b[0].Held != 80 {
		t.Errorf("%+v", b[0])
	}
	l.set(true)
	if now = now.Add(61 * time.Minute); !errors.Is(spend("6", 1), budget.ErrAway) {
		t.Error("a share was spent of after its time")
	}
}

func TestACallUnderWayGrowsOfTheShare(t *testing.T) {
	ctx, now, a := t.Context(), noon(), purse(1000)
	book := budget.NewMemory()
	l := newLink(book)
	s := budget.NewShares(l, 10, time.Hour, "a")
	take := func(hold string, n int64) error {
		_, err := s.Take(ctx, hold, line(a, n), now)
		return err
	}
	if err := take("h", 100); err != nil {
		t.Fatal(err)
	}
	s.Adjust(ctx, now)
	l.set(true)
	if err := errors.Join(take("h", 50), take("local", 30)); err != nil {
		t.Fatal(err)
	}
	l.set(false)
	if err := errors.Join(take("h", 20), take("local", 40)); err != nil { // the share has 10 left: the server has the rest
		t.Fatal(err)
	}
	if _, err := s.Settle(ctx, "h", []int64{130}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Settle(ctx, "local", []int64{65}); err != nil {
		t.Fatal(err)
	}
	s.Adjust(ctx, now)
	if b, _ := book.Balances(ctx, []budget.Account{a}, now); b[0].Spent != 195 || b[0].Held != 0 {
		t.Errorf("%+v, want 195 spent and nothing held", b[0])
	}
}

// TestTheAccountOfALimitIsHeldToItsShare has requests, which are spent when they are taken, and calls at the same time, which are never.
func TestTheAccountOfALimitIsHeldToItsShare(t *testing.T) {
	ctx, now := t.Context(), noon()
	often := budget.Account{ID: "[requests]often", Unit: budget.Requests, Bound: 40, Window: plenum.Window{Period: plenum.PerMonth}}
	few := budget.Account{ID: "[concurrent]few", Unit: budget.Calls, Bound: 20, Window: plenum.Window{Period: plenum.InTotal}}
	book := budget.NewMemory()
	l := newLink(book)
	s := budget.NewShares(l, 10, time.Hour, "a")
	take := func(call string) error {
		r, err := s.Take(ctx, call+"/1", []budget.Line{{Account: often, Amount: 1, Hold: call}, {Account: few, Amount: 1, Hold: call}}, now)
		if err == nil && r != nil {
			t.Fatalf("%+v", r)
		}
		return err
	}
	end := func(call string) { _, _ = s.Settle(ctx, call+"/1", nil, call) }
	if err := take("a"); err != nil {
		t.Fatal(err)
	}
	end("a")
	s.Adjust(ctx, now)
	l.set(true)
	if err := take("b"); err != nil { // a tenth of 20 places is 2, of 39 requests 3
		t.Fatal(err)
	}
	end("b")
	for _, call := range []string{"c", "d"} {
		if err := take(call); err != nil {
			t.Fatal(err)
		}
		end(call)
	}
	if err := take("e"); !errors.Is(err, budget.ErrAway) {
		t.Errorf("a fourth request was let through: %v", err)
	}
	l.set(false)
	s.Adjust(ctx, now)
	if b, _ := book.Balances(ctx, []budget.Account{often, few}, now); b[0].Spent != 4 || b[0].Held != 0 || b[1].Held != 0 {
		t.Errorf("%+v: four requests were made, and none is under way", b)
	}
}

// TestNodesThatAreCutOffOverspendNothing has three nodes whose links are cut and mended at random, each by itself, while they take, grow
// and settle.
func TestNodesThatAreCutOffOverspendNothing(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		ctx, now, a := t.Context(), noon(), purse(2000)
		book := budget.NewMemory()
		var links []*link
		var nodes []*budget.Shares
		for i := range 3 {
			links = append(links, newLink(book))
			nodes = append(nodes, budget.NewShares(links[i], 5+20*i, time.Hour, fmt.Sprint(i)))
		}
		type held struct {
			node int
			id   string
			n    int64
		}
		var open []held
		truth, served := int64(0), 0
		settle := func(i int) {
			h := open[i]
			open = slices.Delete(open, i, i+1)
			n := rnd.Int64N(h.n + 1)
			truth += n
			_, _ = nodes[h.node].Settle(ctx, h.id, []int64{n})
		}
		for i := range 1500 {
			now = now.Add(time.Duration(rnd.IntN(400)) * time.Millisecond)
			node := rnd.IntN(3)
			switch rnd.IntN(8) {
			case 0:
				links[node].set(rnd.IntN(2) == 0)
			case 1:
				nodes[node].Adjust(ctx, now)
			case 2, 3, 4:
				n := rnd.Int64N(20) + 1
				id := fmt.Sprint("h", i)
				if r, err := nodes[node].Take(ctx, id, line(a, n), now); r == nil && err == nil {
					open = append(open, held{node, id, n})
					if links[node].Away() {
						served++
					}
				}
			case 5:
				if len(open) > 0 {
					h := &open[rnd.IntN(len(open))]
					n := rnd.Int64N(20) + 1
					if r, err := nodes[h.node].Take(ctx, h.id, line(a, n), now); r == nil && err == nil {
						h.n += n
					}
				}
			default:
				if len(open) > 0 {
					settle(rnd.IntN(len(open)))
				}
			}
		}
		for len(open) > 0 {
			settle(0)
		}
		for i := range nodes {
			links[i].set(false)
		}
		for range 3 {
			now = now.Add(2 * time.Minute)
			for i := range nodes {
				nodes[i].Adjust(ctx, now)
			}
		}
		b, _ := book.Balances(ctx, []budget.Account{a}, now)
		if truth > 2000 || b[0].Spent != truth || b[0].Held != 0 || truth < 1800 || served == 0 {
			t.Fatalf("seed %d: %d were spent of 2000, %d of them known, %d still held, %d calls on shares", seed, truth, b[0].Spent, b[0].Held, served)
		}
	}
}
