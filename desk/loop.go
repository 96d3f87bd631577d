package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

const (
	// every is how often a node looks whether a card is to be tried.
	every = 500 * time.Millisecond
	// held is how long a node has a card for itself beyond the time of a run; should the node die, another takes it then.
	held = 30 * time.Second
	// keptRuns is how many reports of a card are shown, and kept for keptFor.
	keptRuns = 100
	keptFor  = 400 * 24 * time.Hour
	// patience is how long a node waits that can write nothing down.
	patience = 5 * time.Second
)

// nightly is why a card is tried that nobody asked for.
const nightly = "schedule"

// errHeld says that another node tries the card.
var errHeld = errors.New("another node has it")

// errUnrecorded says that what the desk does cannot be written down, so that it does nothing.
var errUnrecorded = errors.New("it cannot be written down")

// intend writes down that something is about to be done with a card.
func (d *Desk) intend(action, card string) (Act, error) {
	a := Act{Who: actor, Action: action, Card: card}
	if err := d.foundry.Intend(&a); err != nil {
		return a, fmt.Errorf("%w: %w", errUnrecorded, err)
	}
	return a, nil
}

// undone writes down that nothing came of what was begun.
func (d *Desk) undone(a Act, why string) {
	a.Failed, a.Reason = true, why
	d.foundry.Acted(a)
}

// Run tries cards that were submitted, and those that are listed at the time that desk.run_at says, until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	var runs sync.WaitGroup
	defer runs.Wait()
	var scheduled time.Time // never: what was due while no node ran is done at the start
	seen := ""
	for {
		if err := d.clock.Sleep(ctx, every); err != nil {
			return err
		}
		if at := d.foundry.Snapshot().Declared.Desk.Last(d.clock.Now()); at.After(scheduled) || d.clock.Now().Sub(scheduled) > time.Hour {
			scheduled = d.clock.Now()
			if err := errors.Join(d.schedule(ctx, at), d.closeMonth(ctx)); err != nil && ctx.Err() == nil {
				d.log.Error("looking which models are to be tried again", "err", err)
			}
		}
		if v := d.foundry.Snapshot().Version; v != seen {
			seen = v
			if err := d.orphans(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("unlisting models whose publisher is gone", "err", err)
				seen = "" // again, at the next look
			}
		}
		if err := d.dueNow(ctx, &runs); err != nil && ctx.Err() == nil {
			d.log.Error("trying models of the vendor desk", "err", err)
		}
	}
}

// orphans unlists the models of publishers that are declared no more.
func (d *Desk) orphans(ctx context.Context) error {
	cards, err := d.cards(ctx, "")
	if err != nil {
		return err
	}
	for _, k := range cards {
		if _, ok := d.foundry.Snapshot().Publisher(k.Card.Publisher); ok || k.State != Listed {
			continue
		}
		act, err := d.intend("unlist_card", k.ID)
		if err != nil {
			return err
		}
		next := *k
		next.State, next.Reason, next.Since = Unlisted, "its publisher is gone", nil
		err = d.update(ctx, k.ID, func(k *kept) error { k.State, k.Reason, k.Since = next.State, next.Reason, nil; return nil })
		if err := errors.Join(err, d.place(ctx, &k.Card)); err != nil {
			d.undone(act, err.Error())
			return err
		}
		d.acted(act, k, &next, nil)
	}
	return nil
}

// schedule asks for a run of each card that has had none since a time.
func (d *Desk) schedule(ctx context.Context, since time.Time) error {
	cards, err := d.cards(ctx, "")
	if err != nil {
		return err
	}
	for _, k := range cards {
		if !k.stale(since) {
			continue
		}
		err := d.update(ctx, k.ID, func(k *kept) error {
			if k.stale(since) {
				k.Running, k.Why = true, nightly
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stale reports whether a card that is listed, or was, has not been tried since a time.
func (k *kept) stale(since time.Time) bool {
	return (k.State == Listed || k.State == Unlisted) && !k.Running && k.RunAt != nil && k.RunAt.Before(since)
}

// dueNow begins to try the cards of which a run is wanted, as many as may be tried at once.
func (d *Desk) dueNow(ctx context.Context, runs *sync.WaitGroup) error {
	os, err := d.store.Objects(ctx, store.ObjectFilter{Kind: cardKind, Status: due, OldestFirst: true})
	if err != nil {
		return err
	}
	for i := range os {
		var k kept
		if err := json.Unmarshal(os[i].Body, &k); err != nil {
			return fmt.Errorf("reading %s: %w", os[i].ID, err)
		}
		held := os[i].Holder != d.node && os[i].HeldUntil > d.clock.Now().UnixMilli()
		if !held && d.turns.take(os[i].ID, k.Why == nightly) {
			runs.Go(func() { d.try(ctx, os[i].ID) })
		}
	}
	return nil
}

// try tries a card. Where nothing can be written down it is left alone for a while.
func (d *Desk) try(ctx context.Context, object string) {
	defer d.turns.giveBack(object)
	err := d.once(ctx, object)
	if err == nil || errors.Is(err, errHeld) || ctx.Err() != nil {
		return
	}
	d.log.Error("trying a model of the vendor desk", "card", object, "err", err)
	if errors.Is(err, errUnrecorded) {
		_ = d.clock.Sleep(ctx, patience) // the node stops: so does this
	}
}

// once takes a card, tries it and says what comes of it.
func (d *Desk) once(ctx context.Context, object string) error {
	k := new(kept)
	_, err := d.store.UpdateObject(ctx, object, func(o *store.Object) error {
		now := d.clock.Now()
		if o.Status != due || o.Holder != d.node && o.HeldUntil > now.UnixMilli() {
			return errHeld
		}
		o.Holder = d.node
		o.HeldUntil = now.Add(d.foundry.Snapshot().Declared.Desk.MaxTime + held).UnixMilli()
		return json.Unmarshal(o.Body, k)
	})
	if err != nil {
		return err
	}
	act, err := d.intend("run_card", k.ID)
	if err != nil { // perhaps another node can
		return errors.Join(err, d.release(object))
	}
	network := ""
	p, ok := d.foundry.Snapshot().Publisher(k.Card.Publisher)
	if ok {
		network = p.Network
	}
	r := d.conform(ctx, k.submission(), network)
	if ctx.Err() != nil { // the node stops: another one, or the next start, tries it again
		d.undone(act, "the node stops")
		return d.release(object)
	}
	r.Why = k.Why
	if !ok {
		r.Passed, r.Checks = false, []Check{{Name: "publisher", Claims: "it is of " + k.Card.Publisher, Verdict: Failed, Reason: "there is no such publisher here any more"}}
	}
	err = d.keepRun(ctx, r)
	if err == nil {
		err = d.conclude(ctx, k, r, act)
	}
	if err != nil {
		d.undone(act, err.Error())
	}
	return err
}

func (d *Desk) release(object string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := d.store.UpdateObject(ctx, object, func(o *store.Object) error {
		o.Holder, o.HeldUntil = "", 0
		return nil
	})
	return err
}

func (d *Desk) keepRun(ctx context.Context, r *Run) error {
	now := d.clock.Now()
	r.ID = fmt.Sprintf("run_%s_%d", r.Card, now.UnixMilli())
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.store.CreateObject(ctx, store.Object{
		ID: r.ID, Kind: runKind, Label: r.Card, Status: verdict(r.Passed), Created: now.UnixMilli(), Expires: now.Add(keptFor).UnixMilli(), Body: b,
	})
}

func verdict(passed bool) string {
	if passed {
		return string(Passed)
	}
	return string(Failed)
}

// conclude lists a card that held, and unlists one that has drifted for too long.
func (d *Desk) conclude(ctx context.Context, was *kept, r *Run, act Act) error {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	desk := d.foundry.Snapshot().Declared.Desk
	next := *was
	next.judge(r, &desk)
	var refused config.Problems
	if next.State != was.State || was.Renewed {
		cards, err := d.cards(ctx, was.Card.Publisher)
		if err != nil {
			return err
		}
		for i := range cards {
			if cards[i].ID != was.ID {
				continue
			}
			if cards[i].State != was.State { // it was withdrawn meanwhile
				d.undone(act, "the card has become "+string(cards[i].State)+" meanwhile")
				return d.stop(ctx, was.ID)
			}
			cards[i] = &next
		}
		err = d.placed(ctx, cards, was.Card.Name())
		if errors.As(err, &refused) {
			next.State, next.Reason = Refused, "it holds to its card, and cannot be declared: "+refused.Error()
		} else if err != nil {
			return err
		}
	}
	var lost bool
	err := d.update(ctx, was.ID, func(k *kept) error {
		if lost = k.State != was.State; lost {
			k.Running = false
			return nil
		}
		*k = next
		k.Running, k.Next, k.Renewed = false, nil, false
		return nil
	})
	if err != nil {
		return err
	}
	if lost {
		d.undone(act, "the card has changed meanwhile")
		return d.place(ctx, &was.Card)
	}
	d.acted(act, was, &next, r)
	return nil
}

func (d *Desk) stop(ctx context.Context, id string) error {
	return d.update(ctx, id, func(k *kept) error { k.Running = false; return nil })
}

// judge says what a run makes of a card.
func (k *kept) judge(r *Run, desk *config.Desk) {
	at := r.Started
	k.LastRun, k.RunAt, k.Drift = r.ID, &at, r.Failed()
	if k.Drift == nil {
		k.Drift = []string{}
	}
	if k.Renewed && r.Passed {
		k.Credentials = k.Next
	}
	switch {
	case r.Passed:
		k.Failures, k.Reason = 0, ""
		if k.State != Listed {
			k.State, k.Since = Listed, &at
		}
		return
	case k.Renewed: // those that it had stay
		return
	}
	k.Failures++
	k.Reason = "it is not as its card says: " + strings.Join(k.Drift, ", ")
	switch {
	case k.State == Submitted:
		k.State = Refused
	case k.State == Listed && desk.OnDrift == "unlist" && k.Failures >= desk.Failures:
		k.State, k.Since = Unlisted, nil
	}
}

// acted tells the audit what became of a card.
func (d *Desk) acted(a Act, was, is *kept, r *Run) {
	switch {
	case was.State == is.State:
	case is.State == Listed:
		a.Action = "list_card"
	case is.State == Unlisted:
		a.Action = "unlist_card"
	case is.State == Refused:
		a.Action = "refuse_card"
	}
	a.Reason, a.Before, a.After = is.Reason, brief(was, nil), brief(is, r)
	d.foundry.Acted(a)
}

// brief is a card's state for the audit.
func brief(k *kept, r *Run) []byte {
	out := map[string]any{"state": k.State, "failures": k.Failures}
	if r != nil {
		out["run"], out["passed"], out["failed"] = r.ID, r.Passed, r.Failed()
	}
	b, _ := json.Marshal(out) // of texts and numbers
	return b
}
