// Package clock is where the time comes from. What waits or dates things takes a [Clock], so that it is
// plain in a signature that time matters and a test can stand in for it.
//
// Tests mostly need no stand-in: within a testing/synctest bubble [Real] runs on the bubble's clock, so
//
//	synctest.Test(t, func(t *testing.T) {
//		start := clock.Real.Now()
//		_ = clock.Real.Sleep(t.Context(), time.Hour) // returns at once: everyone in the bubble sleeps
//		// clock.Real.Now().Sub(start) is exactly an hour
//	})
//
// That holds for goroutines that talk through channels or net.Pipe; one that waits for a real socket is
// not asleep in the bubble's eyes.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits for it.
type Clock interface {
	Now() time.Time
	// Sleep returns nil after d, or the context's cause as soon as that is done.
	Sleep(ctx context.Context, d time.Duration) error
	// AfterFunc calls f on its own goroutine after d, unless stopped before.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that is still to come.
type Timer interface {
	// Stop prevents the call and reports whether it did.
	Stop() bool
	// Reset puts the call off until d from now and reports whether it was still to come.
	Reset(d time.Duration) bool
}

// Real is the computer's clock, or that of the synctest bubble it is used in.
const Real = system("system")

type system string

func (system) Now() time.Time { return time.Now() }

func (system) Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (system) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
