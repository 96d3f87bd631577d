// Package route is the stage that tries targets until one answers. The answer is committed by its first
// content: until then any failure, also one within a stream whose status was 200, moves on unseen; from
// then on never, so that no caller hears anything twice.
package route

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/structured"
)

// The first wait before the same target is asked again; it doubles each time.
const firstWait = 250 * time.Millisecond

// The defaults of configuration's retry, for a call without one.
const (
	defaultAttempts = 3
	defaultMaxWait  = 10 * time.Second
)

// New returns the stage.
func New(ck clock.Clock) gateway.Stage {
	return gateway.Stage{Name: "route", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			return newRun(c, out, ck).do(ctx, next)
		}
	}}
}

// run is the state of one call's attempts.
type run struct {
	call    *gateway.Call
	out     gateway.Out
	clock   clock.Clock
	tries   int // attempts left
	maxWait time.Duration
	targets []*candidate
	retry   time.Duration // the shortest wait that an upstream asked for
}

// candidate is a target and how it has fared in this call.
type candidate struct {
	target plenum.Target
	failed int
	out    bool      // asking it again is useless
	ready  time.Time // not before
	// job gets its answer in shape; nil where nothing is to be done for that. Planned says that it is known.
	job     *structured.Job
	same    bool // it is spoken to in the caller's dialect
	planned bool
	told    bool // the model was told what is wrong with its answer, and is to be asked again
}

func newRun(c *gateway.Call, out gateway.Out, ck clock.Clock) *run {
	r := &run{call: c, out: out, clock: ck, tries: defaultAttempts, maxWait: defaultMaxWait}
	if f := c.Config.Declared; f != nil {
		if f.Retry.Attempts > 0 {
			r.tries = f.Retry.Attempts
		}
		r.maxWait = f.Retry.MaxWait
	}
	if c.Deployment.Retry.Attempts > 0 {
		r.tries = c.Deployment.Retry.Attempts
	}
	for _, t := range c.Candidates {
		r.targets = append(r.targets, &candidate{target: t})
	}
	return r
}

func (r *run) do(ctx context.Context, next gateway.Handler) error {
	var last error
	for n := 1; n <= r.tries; n++ {
		cand := r.pick()
		if cand == nil {
			break
		}
		if err := r.wait(ctx, cand); err != nil {
			if last == nil || ctx.Err() != nil {
				return err
			}
			break
		}
		gate := &gate{out: r.out, trail: r.call.Trail}
		err := r.attempt(ctx, next, n, cand, gate)
		if err == nil || gate.open || ctx.Err() != nil {
			return err
		}
		last = err
		r.judge(cand, err)
	}
	return r.final(last)
}

// attempt makes one attempt and writes it down.
func (r *run) attempt(ctx context.Context, next gateway.Handler, n int, cand *candidate, g *gate) error {
	o := &cand.target.Offer
	try := &gateway.Try{Target: cand.target, Record: plenum.Attempt{
		N: n, Target: o.ID, Provider: o.Provider, Upstream: o.Upstream, Model: o.Model, Region: o.Region, Start: r.clock.Now().UnixMicro(),
	}}
	g.try = try
	err := r.send(ctx, next, r.call.Attempt(try), cand, g)
	if err == nil {
		err = g.end()
	}
	try.Record.End = r.clock.Now().UnixMicro()
	if err != nil {
		e := llm.AsError(err)
		try.Record.ErrorKind, try.Record.Error = e.Kind, e.Error()
	}
	r.call.Trail.Attempted(try)
	return err
}

// send makes an attempt's call and has its answer said: as it comes, or once it is known to have the shape that
// the caller asks for.
func (r *run) send(ctx context.Context, next gateway.Handler, a *gateway.Call, cand *candidate, g *gate) error {
	cand.told = false
	if !cand.planned {
		var err error
		if cand.job, cand.same, err = shaped(r.call, &cand.target.Offer); err != nil {
			return err
		}
		cand.planned = true
	}
	j, o := cand.job, &cand.target.Offer
	if j == nil {
		return next(ctx, a, unleaked(a, o, g))
	}
	shape(a, j, cand.same)
	if !j.Holds() {
		if j.Checks() {
			return next(ctx, a, unleaked(a, o, &check{next: g, trail: r.call.Trail, job: j}))
		}
		return next(ctx, a, unleaked(a, o, g))
	}
	w := &whole{}
	if err := next(ctx, a, unleaked(a, o, w)); err != nil {
		return err
	}
	err := w.say(j, g)
	var m *structured.Mismatch
	if errors.As(err, &m) {
		cand.told = j.Again(w.response(), m)
	}
	return err
}

// pick returns the target to try next: one whose model was told what is wrong with its answer; one that has not failed yet, in order; else the one that may be
// asked again soonest.
func (r *run) pick() *candidate {
	var best *candidate
	for _, c := range r.targets {
		if c.told {
			return c
		}
	}
	for _, c := range r.targets {
		if c.out {
			continue
		}
		if c.failed == 0 {
			return c
		}
		if best == nil || c.ready.Before(best.ready) {
			best = c
		}
	}
	return best
}

// wait waits until the target may be asked, if that is not too long. It holds nothing meanwhile.
func (r *run) wait(ctx context.Context, c *candidate) error {
	d := c.ready.Sub(r.clock.Now())
	if c.failed == 0 || d <= 0 {
		return nil
	}
	if d > r.maxWait {
		return errTooLong
	}
	if err := r.clock.Sleep(ctx, d); err != nil {
		return &llm.Error{Kind: llm.Canceled, Op: "route", Message: "the caller went away", Err: err}
	}
	return nil
}

var errTooLong = errors.New("the upstream asks for a longer wait than retry.max_wait")

// judge decides from a failure what becomes of the target, and of the others.
func (r *run) judge(c *candidate, err error) {
	if c.told {
		return // it is asked again at once
	}
	e := llm.AsError(err)
	what := llm.Of(e.Kind)
	again := what.Again && e.Counts == ""
	if u := e.Upstream; u != nil {
		again = (again || u.DoRetry) && !u.NoRetry
	}
	c.failed++
	c.out = !again
	if !again && !what.Fallback && !e.Elsewhere {
		for _, t := range r.targets {
			t.out = true
		}
		return
	}
	wait := backoff(c.failed)
	if e.Retry > 0 {
		wait = e.Retry
		if r.retry == 0 || e.Retry < r.retry {
			r.retry = e.Retry
		}
	}
	c.ready = r.clock.Now().Add(wait)
}

// backoff doubles with each failure, with full jitter so that callers who failed together do not come
// back together.
func backoff(failed int) time.Duration {
	d := firstWait << min(failed-1, 6)
	return d/2 + rand.N(d/2+1)
}

// final returns the last failure. If any upstream said when to come back the caller learns the soonest.
func (r *run) final(last error) error {
	if last == nil {
		return &llm.Error{Kind: llm.Unavailable, Op: "route", Message: "this deployment has no target that can answer"}
	}
	var e *llm.Error
	if errors.As(last, &e) && r.retry > 0 && (e.Retry == 0 || r.retry < e.Retry) {
		c := *e
		c.Retry = r.retry
		return &c
	}
	return last
}
