package valkey_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/budgettest"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// open returns a book that runs until the test ends.
func open(t *testing.T, address, prefix string, lease time.Duration, past valkey.Past) *valkey.Book {
	t.Helper()
	b, err := valkey.Open(t.Context(), address, prefix, lease, past)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestConformance(t *testing.T) {
	address := testkit.Valkey(t)
	budgettest.Run(t, func(t *testing.T) budget.Book {
		return open(t, address, rand.Text(), valkey.Lease, nil)
	})
}

func lab(bound int64) budget.Account {
	return budget.Account{ID: "lab", Unit: budget.Money, Bound: bound, Window: plenum.Window{Period: plenum.PerMonth}}
}

func TestNodesSpendOfTheSameAccounts(t *testing.T) {
	address, prefix := testkit.Valkey(t), rand.Text()
	var nodes []*valkey.Book
	for range 3 {
		nodes = append(nodes, open(t, address, prefix, valkey.Lease, nil))
	}
	var wg sync.WaitGroup
	var passed atomic.Int64
	for i := range 300 {
		wg.Go(func() {
			hold := fmt.Sprint(i)
			r, err := nodes[i%3].Take(t.Context(), hold, []budget.Line{{Account: lab(100_000), Amount: 1000}}, time.Now())
			if err != nil {
				t.Error(err)
			}
			if r == nil && err == nil {
				passed.Add(1)
				if _, err := nodes[i%3].Settle(t.Context(), hold, []int64{1000}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, b := range nodes {
		got, err := b.Balances(t.Context(), []budget.Account{lab(100_000)}, time.Now())
		if err != nil || got[0].Spent != 100_000 || got[0].Held != 0 || passed.Load() != 100 {
			t.Errorf("node %d: %+v, %v; %d passed", i, got, err, passed.Load())
		}
	}
}

func TestWhatANodeHeldThatDiedComesBackWithItsLease(t *testing.T) {
	address, prefix, now := testkit.Valkey(t), rand.Text(), time.Now()
	dead, alive := open(t, address, prefix, time.Minute, nil), open(t, address, prefix, time.Minute, nil)
	line := []budget.Line{{Account: lab(100), Amount: 80}}
	if r, err := dead.Take(t.Context(), "d", line, now); r != nil || err != nil {
		t.Fatal(r, err)
	}
	if r, err := alive.Take(t.Context(), "a", line, now.Add(59*time.Second)); r == nil || err != nil {
		t.Fatalf("before the lease has run out: %+v, %v", r, err)
	}
	if r, err := alive.Take(t.Context(), "a", line, now.Add(61*time.Second)); r != nil || err != nil {
		t.Fatalf("after it: %+v, %v", r, err)
	}
	// It was not dead but slow: what it spent counts.
	if c, err := dead.Settle(t.Context(), "d", []int64{15}); err != nil || len(c) != 1 {
		t.Fatal(c, err)
	}
	got, err := alive.Balances(t.Context(), []budget.Account{lab(100)}, now)
	if err != nil || got[0].Spent != 15 || got[0].Held != 80 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestALeaseThatIsRenewedHolds(t *testing.T) {
	address, prefix, now := testkit.Valkey(t), rand.Text(), time.Now()
	b, other := open(t, address, prefix, time.Minute, nil), open(t, address, prefix, time.Minute, nil)
	line := []budget.Line{{Account: lab(100), Amount: 80}}
	if r, err := b.Take(t.Context(), "a", line, now); r != nil || err != nil {
		t.Fatal(r, err)
	}
	b.Renew(t.Context(), now.Add(50*time.Second))
	for after, held := range map[time.Duration]bool{70 * time.Second: true, 109 * time.Second: true} {
		if r, err := other.Take(t.Context(), "x", line, now.Add(after)); (r != nil) != held || err != nil {
			t.Errorf("after %s: %+v, %v", after, r, err)
		}
	}
	if r, err := other.Take(t.Context(), "x", line, now.Add(111*time.Second)); r != nil || err != nil {
		t.Errorf("when it had run out: %+v, %v", r, err)
	}
}

func TestWhatCouldNotBeSettledIsSettledLater(t *testing.T) {
	address, prefix := testkit.Valkey(t), rand.Text()
	b := open(t, address, prefix, time.Minute, nil)
	if r, err := b.Take(t.Context(), "a", []budget.Line{{Account: lab(100), Amount: 80}}, time.Now()); r != nil || err != nil {
		t.Fatal(r, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := b.Settle(gone, "a", []int64{30}); err == nil || len(c) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	b.CatchUp(t.Context())
	b.CatchUp(t.Context())
	got, err := b.Balances(t.Context(), []budget.Account{lab(100)}, time.Now())
	if err != nil || got[0].Spent != 30 || got[0].Held != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAServerThatLostWhatItKnewIsToldAgain(t *testing.T) {
	address, prefix := testkit.Valkey(t), rand.Text()
	slot := lab(100).Window.Slot(time.Now())
	asked := 0
	past := func(context.Context) ([]plenum.Charge, error) {
		asked++
		return []plenum.Charge{{Account: "lab", Slot: slot, Amount: 90}}, nil
	}
	b := open(t, address, prefix, valkey.Lease, past)
	second := open(t, address, prefix, valkey.Lease, past)
	wipe(t, address)
	for i, book := range []*valkey.Book{b, second} {
		if r, err := book.Take(t.Context(), fmt.Sprint("h", i), []budget.Line{{Account: lab(100), Amount: 20}}, time.Now()); r == nil || err != nil || r.Balance.Spent != 90 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if asked != 2 {
		t.Errorf("the past was asked for %d times", asked)
	}
}

// wipe empties the server, as one does that was started anew.
func wipe(t *testing.T, address string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "redis-cli", "-s", strings.TrimPrefix(address, "unix://"), "FLUSHALL").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestThePlacesOfANodeThatDiedComeBackWithItsLease has a node take all places among the calls at the same time, and never give
// them back, beside one that goes on.
func TestThePlacesOfANodeThatDiedComeBackWithItsLease(t *testing.T) {
	address, prefix, now := testkit.Valkey(t), rand.Text(), time.Now()
	dead, alive := open(t, address, prefix, time.Minute, nil), open(t, address, prefix, time.Minute, nil)
	few := budget.Account{ID: "[concurrent]few", Unit: budget.Calls, Bound: 2, Window: plenum.Window{Period: plenum.InTotal}}
	often := budget.Account{ID: "[requests]often", Unit: budget.Requests, Bound: 5, Window: plenum.Window{Period: plenum.PerDay}}
	take := func(b *valkey.Book, call string, now time.Time) bool {
		t.Helper()
		r, err := b.Take(t.Context(), call+"/1", []budget.Line{{Account: few, Amount: 1, Hold: call}, {Account: often, Amount: 1, Hold: call}, {Account: lab(100), Amount: 10}}, now)
		if err != nil {
			t.Fatal(err)
		}
		return r == nil
	}
	if !take(dead, "x", now) || !take(dead, "y", now) || take(alive, "z", now) {
		t.Fatal("two places are not two")
	}
	dead.Close()
	if take(alive, "z", now.Add(59*time.Second)) {
		t.Error("a place came back before the lease had run out")
	}
	later := now.Add(61 * time.Second)
	if !take(alive, "z", later) || !take(alive, "w", later) || take(alive, "v", later) {
		t.Error("after the lease there are not two places")
	}
	alive.Renew(t.Context(), later)
	got, err := alive.Balances(t.Context(), []budget.Account{few, often, lab(100)}, later)
	if err != nil || got[0].Held != 2 || got[1].Spent != 4 || got[2].Held != 20 {
		t.Errorf("%+v, %v: two calls are under way, four were begun", got, err)
	}
}
