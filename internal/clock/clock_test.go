package clock_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plenum-foundry/plenum/internal/clock"
)

var _ clock.Clock = clock.Real

func TestSleepTakesExactlyItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := clock.Real.Now()
		if err := clock.Real.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if d := clock.Real.Now().Sub(start); d != time.Hour {
			t.Errorf("slept %v", d)
		}
	})
}

func TestSleepEndsWithTheContext(t *testing.T) {
	gone := errors.New("client gone")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := clock.Real.AfterFunc(time.Second, func() { cancel(gone) })
		defer stop.Stop()
		start := clock.Real.Now()
		if err := clock.Real.Sleep(ctx, time.Hour); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		if d := clock.Real.Now().Sub(start); d != time.Second {
			t.Errorf("slept %v", d)
		}
		if err := clock.Real.Sleep(ctx, 0); !errors.Is(err, gone) {
			t.Errorf("on a done context: %v", err)
		}
	})
}

func TestSleepOfNothingReturns(t *testing.T) {
	if err := clock.Real.Sleep(t.Context(), -1); err != nil {
		t.Error(err)
	}
}

func TestAfterFuncCanBeStoppedAndPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		stopped := clock.Real.AfterFunc(time.Second, func() { calls.Add(100) })
		late := clock.Real.AfterFunc(time.Second, func() { calls.Add(1) })
		if !stopped.Stop() || !late.Reset(time.Minute) {
			t.Error("they had run")
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := calls.Load(); n != 0 {
			t.Errorf("%d calls after 59 s", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls after a minute", n)
		}
	})
}
