package ledger

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// run runs the ledger until the test ends; the function returned stops it and waits.
func run(t *testing.T, l *Ledger, s Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx, s) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

func TestRunShipsAfterItsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir(), Options{Linger: time.Second})
		var m memory
		stop := run(t, l, &m)
		call(t, l, "a")
		call(t, l, "b")
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if n := len(m.ids(t)); n != 0 {
			t.Errorf("%d entries were shipped before the time", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b"}, m.ids(t)); diff != "" {
			t.Errorf("stored calls (-want +got):\n%s", diff)
		}
		stop()
	})
}

func TestRunShipsWhatAnEarlierProcessLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, dir, Options{})
		call(t, l, "a")
		_ = l.Close()
		l = open(t, dir, Options{})
		var m memory
		stop := run(t, l, &m)
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a"}, m.ids(t)); diff != "" {
			t.Errorf("stored calls (-want +got):\n%s", diff)
		}
		stop()
	})
}

// counting counts the tries.
type counting struct {
	memory
	tries []time.Time
}

func (c *counting) Append(ctx context.Context, e []Entry) error {
	c.mu.Lock()
	c.tries = append(c.tries, time.Now())
	c.mu.Unlock()
	return c.memory.Append(ctx, e)
}

func TestRunTriesEverLessOftenAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir(), Options{})
		c := counting{memory: memory{fail: errors.New("down")}}
		stop := run(t, l, &c)
		call(t, l, "a")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(c.tries); n < 10 || n > 40 {
			t.Errorf("%d tries in ten minutes", n)
		}
		if n := len(c.tries); c.tries[n-1].Sub(c.tries[n-2]) != maxBackoff {
			t.Errorf("the last wait was %v, want %v", c.tries[n-1].Sub(c.tries[n-2]), maxBackoff)
		}
		c.heal()
		call(t, l, "b")
		time.Sleep(maxBackoff + time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b"}, c.ids(t)); diff != "" {
			t.Errorf("stored calls (-want +got):\n%s", diff)
		}
		stop()
	})
}

func TestRunSyncsAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir(), Options{Sync: SyncInterval, SyncEvery: time.Minute})
		stop := run(t, l, &memory{})
		call(t, l, "a")
		if !l.isDirty() {
			t.Error("the journal is not dirty after a write")
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if l.isDirty() {
			t.Error("the journal is dirty after the interval")
		}
		stop()
	})
}
