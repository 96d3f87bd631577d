package batch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// How work is shared out, and how often it is looked for.
const (
	atOnce     = 4 // batches
	linesAt    = 8 // lines of one batch
	lookEvery  = 5 * time.Second
	lease      = 30 * time.Second
	renewEvery = 5 * time.Second
	grace      = 10 * time.Second // for lines under way when the node stops
	mostTries  = 6                // of a line that an upstream has no room for
)

// errStop is why a run that is to go on elsewhere or later stops.
var errStop = errors.New("this node works on the batch no longer")

// Run runs batches until ctx ends.
func (e *Engine) Run(ctx context.Context, runner gateway.Runner) error {
	var g errgroup.Group
	defer func() { _ = g.Wait() }()
	g.SetLimit(atOnce)
	first := true
	for ctx.Err() == nil {
		for _, id := range e.todo(ctx) {
			if r := e.take(ctx, id, first && e.Alone); r != nil {
				r.runner = runner
				if !g.TryGo(func() error { e.work(ctx, r); return nil }) {
					e.release(ctx, r)
				}
			}
		}
		first = false
		wait, stop := context.WithTimeout(ctx, lookEvery)
		select {
		case <-e.wake:
		case <-wait.Done():
		}
		stop()
	}
	return ctx.Err()
}

// todo returns the batches with work left that this node does not run.
func (e *Engine) todo(ctx context.Context) []string {
	found, err := e.store.Objects(ctx, store.ObjectFilter{Kind: Kind, Status: open, OldestFirst: true})
	if err != nil && ctx.Err() == nil {
		e.log.Error("looking for batches", "err", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for i := range found {
		if e.running[found[i].ID] == nil {
			ids = append(ids, found[i].ID)
		}
	}
	return ids
}

// run is the work on one batch.
type run struct {
	engine  *Engine
	runner  gateway.Runner
	batch   *Batch
	dialect *dialect.Dialect
	route   *dialect.Route
	stopped atomic.Bool // cancelled: no further line is begun
	calls   context.Context
}

// take makes a batch this node's, unless another has it.
func (e *Engine) take(ctx context.Context, id string, force bool) *run {
	r := &run{engine: e}
	_, err := e.store.UpdateObject(ctx, id, func(o *store.Object) (err error) {
		if o.Status != open || o.Holder != "" && o.Holder != e.node && o.HeldUntil > e.now() && !force {
			return errStop
		}
		o.Holder, o.HeldUntil = e.node, e.now()+lease.Milliseconds()
		r.batch, err = batchOf(o)
		return err
	})
	if err != nil {
		if !errors.Is(err, errStop) && ctx.Err() == nil {
			e.log.Error("taking a batch", "id", id, "err", err)
		}
		return nil
	}
	r.stopped.Store(r.batch.Status == cancelling)
	r.dialect, r.route = route(e.dialects, r.batch.Endpoint)
	e.mu.Lock()
	e.running[id] = r
	e.mu.Unlock()
	return r
}

// release lets go of a batch.
func (e *Engine) release(ctx context.Context, r *run) {
	_, err := e.store.UpdateObject(context.WithoutCancel(ctx), r.batch.ID, func(o *store.Object) error {
		if o.Holder == e.node {
			o.Holder, o.HeldUntil = "", 0
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.log.Error("letting go of a batch", "id", r.batch.ID, "err", err)
	}
	e.mu.Lock()
	delete(e.running, r.batch.ID)
	e.mu.Unlock()
}

// work runs a batch to its end, or until the node stops or loses it.
func (e *Engine) work(ctx context.Context, r *run) {
	defer e.release(ctx, r)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Lines under way may go on for a moment when the node stops: they are paid for.
	calls, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	r.calls = calls
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, end)
		context.AfterFunc(calls, func() { t.Stop() })
	})
	defer stop()
	var g sync.WaitGroup
	g.Go(func() { r.renew(ctx, cancel) })
	err := r.do(ctx)
	if errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
		err = r.giveUp(ctx)
	}
	cancel(errStop)
	g.Wait()
	if err != nil && ctx.Err() == nil || err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errStop) {
		e.log.Error("a batch stopped, and is taken up again", "id", r.batch.ID, "err", err)
	}
}

// renew keeps the batch this node's, and notices when it was cancelled elsewhere.
func (r *run) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	e := r.engine
	for e.clock.Sleep(ctx, renewEvery) == nil {
		_, err := e.store.UpdateObject(ctx, r.batch.ID, func(o *store.Object) error {
			if o.Holder != e.node {
				return errStop
			}
			o.HeldUntil = e.now() + lease.Milliseconds()
			b, err := batchOf(o)
			if err == nil && b.Status == cancelling {
				r.stopped.Store(true)
			}
			return err
		})
		if errors.Is(err, errStop) || errors.Is(err, store.ErrNotFound) {
			cancel(errStop)
			return
		}
	}
}

// do takes a batch from where it is to its end.
func (r *run) do(ctx context.Context) error {
	if r.batch.Status == validating {
		if err := r.validate(ctx); err != nil || r.batch.Status.over() {
			return err
		}
	}
	if r.batch.Status != finalizing {
		if err := r.lines(ctx); err != nil {
			return err
		}
	}
	return r.finalize(ctx)
}

// giveUp ends a batch whose input was deleted: it must not be taken up again and again.
func (r *run) giveUp(ctx context.Context) error {
	return r.set(ctx, func(b *Batch) {
		b.Status, b.Ended = failed, r.engine.now()
		b.Faults = []fault{{Code: "input_file_not_found", Message: "the input file was deleted while the batch ran", Param: "input_file_id"}}
	})
}

// set changes the batch, and its copy here.
func (r *run) set(ctx context.Context, f func(*Batch)) error {
	b, err := r.engine.change(ctx, r.batch.ID, func(b *Batch) error { f(b); return nil })
	if err == nil {
		r.batch = b
	}
	return err
}

// validate counts the lines. A bad line is no reason not to run the others; an input without lines is.
func (r *run) validate(ctx context.Context) error {
	total, why := 0, (*fault)(nil)
	in, err := r.engine.input(ctx, r.batch)
	switch {
	case errors.Is(err, store.ErrNotFound):
		why = &fault{Code: "input_file_not_found", Message: "the input file is not there any more", Param: "input_file_id"}
	case err != nil:
		return err
	default:
		defer in.Close()
		for _, err := range lines(in, &r.batch.job) {
			if errors.Is(err, errTooMany) {
				why = &fault{Code: "too_many_lines", Message: errTooMany.Error(), Param: "input_file_id"}
			} else if err != nil {
				return err
			}
			total++
		}
		if total == 0 {
			why = &fault{Code: "empty_file", Message: "the input file has no line", Param: "input_file_id"}
		}
	}
	return r.set(ctx, func(b *Batch) {
		now := r.engine.now()
		b.Total, b.Started = total, now
		switch {
		case why != nil:
			b.Status, b.Ended, b.Faults, b.Total = failed, now, []fault{*why}, 0
		case b.Status == validating:
			b.Status = inProgress
		}
	})
}

// known returns which lines were begun. Nobody works on the batch but this run, so that one which is said to
// be running was so when a node died: nobody knows whether it was sent.
func (r *run) known(ctx context.Context) (map[int]bool, error) {
	known := map[int]bool{}
	for from := 0; ; {
		page, err := r.engine.store.Lines(ctx, r.batch.ID, from, 100)
		if err != nil || len(page) == 0 {
			return known, err
		}
		for i := range page {
			known[page[i].N] = page[i].State != store.LineRunning
		}
		from = page[len(page)-1].N + 1
	}
}

// lines runs the lines that were not run yet.
func (r *run) lines(ctx context.Context) error {
	known, err := r.known(ctx)
	if err != nil {
		return err
	}
	in, err := r.engine.input(ctx, r.batch)
	if err != nil {
		return fmt.Errorf("opening the input: %w", err)
	}
	defer in.Close()
	g, going := errgroup.WithContext(ctx)
	g.SetLimit(linesAt)
	for l, err := range lines(in, &r.batch.job) {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if going.Err() != nil {
			break
		}
		ended, begun := known[l.n]
		switch {
		case ended:
		case begun:
			err = r.end(ctx, l, interrupted(l))
		case r.done():
		case l.bad != nil:
			err = r.end(ctx, l, &result{name: l.name, err: &lineError{"invalid_line", fmt.Sprintf("line %d: %v", l.n+1, l.bad)}})
		default:
			g.Go(func() error { return r.one(going, l) })
		}
		if err != nil {
			return errors.Join(err, g.Wait())
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// The codes of lines that were not answered.
const (
	codeInterrupted = "line_interrupted"
	codeExpired     = "batch_expired"
	codeCancelled   = "batch_cancelled"
)

// interrupted says of a line that nobody knows how it went.
func interrupted(l line) *result {
	return &result{name: l.name, err: &lineError{codeInterrupted, "the gateway stopped while this line was under way; the model may have been asked, and billed, so it was not asked again"}}
}

// done reports whether no further line is to be begun.
func (r *run) done() bool { return r.stopped.Load() || r.engine.now() >= r.batch.Expires }

// one runs a line until it is answered.
func (r *run) one(ctx context.Context, l line) error {
	for try := 1; ; try++ {
		if r.done() || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := r.engine.store.BeginLine(ctx, r.batch.ID, l.n)
		if errors.Is(err, store.ErrExists) {
			return nil // another node has it
		}
		if err != nil {
			return err
		}
		c, err := r.call(l)
		if err != nil {
			return r.end(ctx, l, &result{name: l.name, err: &lineError{"invalid_line", err.Error()}})
		}
		reply, fault := gateway.Answer(r.calls, r.runner, c)
		sent := c.Trail.Attempts() > 0
		switch {
		case fault != nil && !sent && r.calls.Err() != nil:
			return r.engine.store.ReleaseLine(context.WithoutCancel(ctx), r.batch.ID, l.n)
		case fault != nil && r.calls.Err() != nil:
			return r.end(ctx, l, interrupted(l))
		case fault != nil && patient(fault, sent, try):
			if err := r.engine.store.ReleaseLine(ctx, r.batch.ID, l.n); err != nil {
				return err
			}
			if err := r.pause(ctx, fault, try); err != nil {
				return err
			}
			continue
		}
		return r.end(ctx, l, &result{name: l.name, call: c.ID, status: reply.Status, body: reply.Body})
	}
}

// call makes the call of a line.
func (r *run) call(l line) (*gateway.Call, error) {
	if r.route == nil {
		return nil, fmt.Errorf("nothing answers at %s any more", r.batch.Endpoint)
	}
	c, err := gateway.NewCall(r.batch.ID, r.batch.Caller, r.dialect, r.route.Op, r.batch.Endpoint, l.body)
	if err == nil {
		c.Codec = r.route.Codec
	}
	return c, err
}

// patient reports whether a line waits for its turn: a limit of ours that holds now and not in a minute, or an
// upstream that has no room, which costs nothing.
func patient(err error, sent bool, try int) bool {
	if !llm.IsKind(err, llm.RateLimited) && !llm.IsKind(err, llm.Overloaded) {
		return false
	}
	return !sent || try < mostTries
}

// pause waits as long as the refusal asks for, and longer each time where it asks for nothing.
func (r *run) pause(ctx context.Context, err error, try int) error {
	d := llm.AsError(err).Retry
	if d <= 0 {
		d = time.Second << min(try-1, 6)
	}
	for d = min(d, time.Minute); d > 0 && !r.done(); d -= time.Second {
		if err := r.engine.clock.Sleep(ctx, min(d, time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// end notes what a line came to, though the node may be stopping: it was paid for.
func (r *run) end(ctx context.Context, l line, res *result) error {
	state := store.LineFailed
	if res.good() {
		state = store.LineDone
	}
	text, err := res.say("batch_req_"+strings.ToLower(rand.Text()), r.batch.anthropic())
	if err != nil {
		return err
	}
	return r.engine.store.EndLine(context.WithoutCancel(ctx), r.batch.ID, store.Line{N: l.n, State: state, Result: text})
}
