package desk

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	plenum "github.com/plenum-foundry/plenum"
)

// Verdict is what a check came to.
type Verdict string

// The verdicts. One that is noted or skipped keeps nobody from being listed.
const (
	Passed  Verdict = "passed"
	Failed  Verdict = "failed"
	Noted   Verdict = "noted"
	Skipped Verdict = "skipped"
)

// Check is one thing of a card that was tried.
type Check struct {
	Name    string  `json:"name"`
	Claims  string  `json:"claims"`         // what the card says of it
	Sent    string  `json:"sent,omitempty"` // the request that was sent last, without headers; clipped
	Came    string  `json:"came,omitempty"` // what it was answered with
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Millis  int64   `json:"took_ms"`
}

// Run is the report of a conformance run.
type Run struct {
	ID      string        `json:"id"`
	Card    string        `json:"card"`
	Why     string        `json:"why"` // submission, schedule or request
	Started time.Time     `json:"started"`
	Millis  int64         `json:"took_ms"`
	Cost    plenum.Micros `json:"-"`
	CostUSD string        `json:"cost_usd"` // what the vendor's own price makes of the calls
	Passed  bool          `json:"passed"`
	Checks  []Check       `json:"checks"`
}

// Failed returns the names of the checks that failed.
func (r *Run) Failed() []string {
	var out []string
	for i := range r.Checks {
		if r.Checks[i].Verdict == Failed {
			out = append(out, r.Checks[i].Name)
		}
	}
	return out
}

// atOnce is how many checks run side by side: a slow vendor is to be done within the time too.
const atOnce = 4

// conform tries a card's model. It never fails: what goes wrong is in the report.
func (d *Desk) conform(ctx context.Context, s *Submission, network string) *Run {
	desk := d.foundry.Snapshot().Declared.Desk
	began := d.clock.Now()
	r := &Run{Card: s.ID(), Started: began.UTC().Truncate(time.Millisecond)}
	ctx, cancel := context.WithTimeout(ctx, desk.MaxTime)
	defer cancel()
	t := &trial{desk: d, card: s, network: network, most: desk.MaxCost}
	todo := t.checks()
	r.Checks = make([]Check, len(todo))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, c := range todo {
		g.Go(func() error {
			r.Checks[i] = t.try(gctx, c)
			return nil
		})
	}
	_ = g.Wait() // no check returns an error
	r.Cost = plenum.Micros(t.spent.Load())
	r.CostUSD, r.Millis = r.Cost.String(), d.clock.Now().Sub(began).Milliseconds()
	r.Passed = len(r.Failed()) == 0
	return r
}

// try runs one check.
func (t *trial) try(ctx context.Context, c check) Check {
	out := Check{Name: c.name, Claims: c.claims, Verdict: Failed}
	if plenum.Micros(t.spent.Load()) > t.most {
		out.Reason = "the run has cost more than desk.max_cost_usd allows, so that this was not tried"
		return out
	}
	began := t.desk.clock.Now()
	m, err := t.model(c.change)
	if err != nil {
		out.Reason = err.Error()
		return out
	}
	defer m.close()
	out.Verdict, out.Reason = c.run(ctx, m)
	if ctx.Err() != nil && out.Verdict != Passed {
		out.Verdict, out.Reason = Failed, "there was no answer within the time of the run, desk.max_time"
	}
	out.Sent, out.Came = m.heard.last(m.secrets)
	out.Millis = t.desk.clock.Now().Sub(began).Milliseconds()
	return out
}
