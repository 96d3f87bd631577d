//go:build unix

package valkey_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it did not come to this in 30 s: %s", what)
		}
	}
}

// ways are those in which a server goes away and comes back.
func ways() map[string]func(*testkit.ValkeyServer) (away, back func()) {
	return map[string]func(*testkit.ValkeyServer) (away, back func()){
		"stopped": func(s *testkit.ValkeyServer) (away, back func()) { return s.Pause, s.Resume },
		"killed":  func(s *testkit.ValkeyServer) (away, back func()) { return s.Kill, s.Restart },
	}
}

func TestAServerThatIsAwayKeepsNoCallWaiting(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.OwnValkey(t)
			away, back := way(s)
			b := open(t, s.Address, rand.Text(), valkey.Lease, nil)
			b.Patience = 100 * time.Millisecond
			var said atomic.Int64
			b.Told = func(err error) {
				if err != nil {
					said.Store(1)
				} else {
					said.Store(2)
				}
			}
			take := func(hold string) error {
				r, err := b.Take(t.Context(), hold, []budget.Line{{Account: lab(100), Amount: 10}}, time.Now())
				if r != nil {
					t.Errorf("%s: %+v", hold, r)
				}
				return err
			}
			// The first steps of a server that is new may take longer than that: what is meant here begins when it has answered.
			until(t, "it answers", func() bool { return take("before") == nil })
			away()
			if err := take("meanwhile"); !errors.Is(err, budget.ErrAway) {
				t.Errorf("while it is away: %v", err)
			}
			if c, err := b.Settle(t.Context(), "before", []int64{7}); err == nil || len(c) != 1 || c[0].Amount != 7 {
				t.Errorf("settled while it is away: %+v, %v", c, err)
			}
			if !b.Away() || said.Load() != 1 || b.Pending() == 0 {
				t.Error("nobody was told that it is away")
			}
			began := time.Now()
			for i := range 1000 {
				if err := take(fmt.Sprint("at once", i)); !errors.Is(err, budget.ErrAway) {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("1000 calls waited %s for a server that is known to be away", took)
			}
			back()
			until(t, "it is back", func() bool { return !b.Away() && said.Load() == 2 })
			until(t, "it takes", func() bool { return take("after") == nil })
			// A step that was sent before it stopped is done when it goes on: that was told to have ended, too.
			until(t, "what is held and spent is as it should be", func() bool {
				got, err := b.Balances(t.Context(), []budget.Account{lab(100)}, time.Now())
				return err == nil && got[0].Spent == 7 && got[0].Held == 10 && b.Pending() == 0
			})
		})
	}
}

// TestNodesGoOnWithTheirSharesAndOverspendNothing has three nodes spend at once while their server goes away and comes back.
func TestNodesGoOnWithTheirSharesAndOverspendNothing(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.OwnValkey(t)
			away, back := way(s)
			prefix := rand.Text()
			var links []*valkey.Book
			var nodes []*budget.Shares
			for i := range 3 {
				b := open(t, s.Address, prefix, valkey.Lease, nil)
				b.Patience = 300 * time.Millisecond
				links, nodes = append(links, b), append(nodes, budget.NewShares(b, 10, time.Hour, fmt.Sprint(i)))
			}
			account := lab(1_000_000)
			var truth, onShares atomic.Int64
			spend := func(node int, id string, most int64) bool {
				began := time.Now()
				r, err := nodes[node].Take(t.Context(), id, []budget.Line{{Account: account, Amount: most}}, time.Now())
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("a call waited %s", took)
				}
				if r != nil || err != nil {
					return false
				}
				if links[node].Away() {
					onShares.Add(1)
				}
				n := most * 3 / 4
				truth.Add(n)
				_, _ = nodes[node].Settle(t.Context(), id, []int64{n})
				return true
			}
			for i := range nodes {
				until(t, "a node has its share", func() bool {
					spend(i, "first"+rand.Text(), 1000)
					nodes[i].Adjust(t.Context(), time.Now())
					got, err := links[i].Balances(t.Context(), []budget.Account{account}, time.Now())
					return err == nil && got[0].Held >= int64(i+1)*70_000
				})
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for w := range 12 {
				wg.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						if !spend(w%3, fmt.Sprint(w, "/", i), 1000) {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			away()
			until(t, "every node has spent its share", func() bool {
				return onShares.Load() > 150 && links[0].Away() && links[1].Away() && links[2].Away()
			})
			spent := truth.Load()
			back()
			until(t, "calls go on with what is left", func() bool {
				for i := range nodes {
					nodes[i].Adjust(t.Context(), time.Now())
				}
				return truth.Load() > spent+100_000
			})
			until(t, "all is spent", func() bool {
				for i := range nodes {
					nodes[i].Adjust(t.Context(), time.Now())
				}
				return truth.Load() > 950_000
			})
			close(stop)
			wg.Wait()
			until(t, "all is told", func() bool {
				for i := range nodes {
					nodes[i].Adjust(t.Context(), time.Now().Add(2*time.Minute)) // nothing was used of late
				}
				got, err := links[0].Balances(t.Context(), []budget.Account{account}, time.Now())
				return err == nil && got[0].Held == 0 && links[0].Pending()+links[1].Pending()+links[2].Pending() == 0
			})
			got, err := links[0].Balances(t.Context(), []budget.Account{account}, time.Now())
			if err != nil || got[0].Spent != truth.Load() || truth.Load() > 1_000_000 {
				t.Errorf("%d were spent of 1000000, and the book says %+v, %v", truth.Load(), got, err)
			}
			t.Logf("%d were spent of 1000000; %d calls while the server was away", truth.Load(), onShares.Load())
		})
	}
}

// TestASettlementMakesNoServerForgetThePast has a call end after the server was started with nothing, before another is begun.
func TestASettlementMakesNoServerForgetThePast(t *testing.T) {
	s := testkit.OwnValkey(t)
	slot := lab(100).Window.Slot(time.Now())
	past := func(context.Context) ([]plenum.Charge, error) {
		return []plenum.Charge{{Account: "lab", Slot: slot, Amount: 60}}, nil
	}
	b := open(t, s.Address, rand.Text(), valkey.Lease, past)
	until(t, "it takes", func() bool {
		r, err := b.Take(t.Context(), "h", []budget.Line{{Account: lab(100), Amount: 20}}, time.Now())
		return r == nil && err == nil
	})
	s.Kill()
	s.Start()
	if c, err := b.Settle(t.Context(), "h", []int64{15}); err == nil || len(c) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	until(t, "the server knows all", func() bool {
		b.CatchUp(t.Context())
		got, err := b.Balances(t.Context(), []budget.Account{lab(100)}, time.Now())
		return err == nil && got[0].Spent == 75
	})
	if b.Losses() != 0 {
		b.Renew(t.Context(), time.Now())
	}
	until(t, "the loss is seen", func() bool { b.Renew(t.Context(), time.Now()); return b.Losses() == 1 })
}

// TestWhatAProcessCouldNotTellTheNextOneTells has a node die while the server is away.
func TestWhatAProcessCouldNotTellTheNextOneTells(t *testing.T) {
	s, prefix, path := testkit.OwnValkey(t), rand.Text(), filepath.Join(t.TempDir(), "untold")
	first := open(t, s.Address, prefix, valkey.Lease, nil)
	if err := first.Journal(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if r, err := first.Take(t.Context(), "h", []budget.Line{{Account: lab(100), Amount: 50}}, time.Now()); r != nil || err != nil {
		t.Fatal(r, err)
	}
	s.Kill()
	_, _ = first.Settle(t.Context(), "h", []int64{30})
	first.Tell(t.Context(), "share", []plenum.Charge{{Account: "lab", Slot: lab(1).Window.Slot(time.Now()), Amount: 5}})
	first.Close()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"keys":["half a li`); err != nil { // the disk was full
		t.Fatal(err)
	}
	_ = f.Close()
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Restart()
	var next *valkey.Book
	for range 2 { // the second time the file is there as if the process had died before it could be cleared
		next = open(t, s.Address, prefix, valkey.Lease, nil)
		until(t, "it reads the journal", func() bool { return next.Journal(t.Context(), path) == nil })
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := next.Balances(t.Context(), []budget.Account{lab(100)}, time.Now())
	if err != nil || got[0].Spent != 35 || got[0].Held != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestNobodyIsTakenForDeadBecauseTheServerWasAway has the server stop for longer than a lease.
func TestNobodyIsTakenForDeadBecauseTheServerWasAway(t *testing.T) {
	s, prefix := testkit.OwnValkey(t), rand.Text()
	const lease = time.Second
	holder, other := open(t, s.Address, prefix, lease, nil), open(t, s.Address, prefix, lease, nil)
	all := []budget.Line{{Account: lab(100), Amount: 100}}
	if r, err := holder.Take(t.Context(), "mine", all, time.Now()); r != nil || err != nil {
		t.Fatal(r, err)
	}
	s.Pause()
	time.Sleep(2 * lease) // the time of the server has to go by
	s.Resume()
	if r, err := other.Take(t.Context(), "theirs", all, time.Now()); r == nil || err != nil {
		t.Errorf("what a living node holds was given to another: %+v, %v", r, err)
	}
	until(t, "it comes back when the holder does not", func() bool {
		r, err := other.Take(t.Context(), "theirs", all, time.Now())
		return r == nil && err == nil
	})
}

func TestAHoldThatIsKeptHasALeaseOfItsOwn(t *testing.T) {
	address, prefix, now := testkit.Valkey(t), rand.Text(), time.Now()
	b, other := open(t, address, prefix, time.Minute, nil), open(t, address, prefix, time.Minute, nil)
	line := []budget.Line{{Account: lab(100), Amount: 60}}
	if r, err := b.Keep(t.Context(), "share/b/1", line, now, time.Hour); r != nil || err != nil {
		t.Fatal(r, err)
	}
	b.Renew(t.Context(), now)
	if r, err := other.Take(t.Context(), "x", line, now.Add(50*time.Minute)); r == nil || err != nil {
		t.Errorf("its lease ended as that of a call: %+v, %v", r, err)
	}
	if err := other.Forget(t.Context(), "share/b/"); err != nil {
		t.Fatal(err)
	}
	if r, err := other.Take(t.Context(), "y", line, now); r != nil || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}
