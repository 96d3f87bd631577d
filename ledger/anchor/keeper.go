package anchor

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/ledger"
)

// Ledger is what is anchored.
type Ledger interface {
	Head() ledger.Head
	Audit(a ledger.Audit) error
}

// Place is an anchor with its schedule.
type Place struct {
	Name   string
	Kind   string
	Every  time.Duration
	Anchor Anchor

	due time.Time
}

// patience bounds one visit to a place.
const patience = time.Minute

// Keeper anchors the head of one node's ledger, at each place as often as it says. What came of it is an entry of the
// audit, with the receipt.
type Keeper struct {
	Ledger Ledger
	Places []Place
	Clock  clock.Clock
	Log    *slog.Logger

	done ledger.Head // the head after the last round: while it stays so, there is nothing new
}

// Run anchors until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for len(k.Places) > 0 {
		k.Round(ctx)
		if err := k.Clock.Sleep(ctx, k.wait()); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// wait returns how long nothing is due.
func (k *Keeper) wait() time.Duration {
	next := k.Places[0].due
	for i := range k.Places {
		if d := k.Places[i].due; d.Before(next) {
			next = d
		}
	}
	return max(next.Sub(k.Clock.Now()), time.Second)
}

// Round puts the head at the places where that is due.
func (k *Keeper) Round(ctx context.Context) {
	head, now := k.Ledger.Head(), k.Clock.Now()
	fresh := head.Seq != 0 && head != k.done
	for i := range k.Places {
		p := &k.Places[i]
		if now.Before(p.due) {
			continue
		}
		if fresh {
			k.visit(ctx, p, Anchored{Head: head, Time: now.UnixMicro(), Kind: p.Kind})
		}
		p.due = now.Add(p.Every)
	}
	if fresh {
		k.done = k.Ledger.Head()
	}
}

// visit puts a head at one place and writes down what came of it.
func (k *Keeper) visit(ctx context.Context, p *Place, a Anchored) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.Anchor.Put(ctx, &a)
	entry := ledger.Audit{Actor: "plenum", Action: ledger.ActionAnchor, Noun: "ledger", Name: p.Name, Decision: ledger.Allowed}
	if err != nil {
		entry.Decision, entry.Reason = ledger.Failed, err.Error()
		k.Log.Error("the ledger's head could not be anchored", "anchor", p.Name, "err", err)
	} else if entry.After, err = json.Marshal(&a); err != nil {
		entry.Decision, entry.Reason = ledger.Failed, err.Error()
	}
	if err := k.Ledger.Audit(entry); err != nil {
		k.Log.Error("an anchor could not be written down", "anchor", p.Name, "err", err)
	}
}
