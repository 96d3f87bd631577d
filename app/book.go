package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/ledger"
)

// longestWindow is more than any window counts but the one that never ends.
const longestWindow = 11 * 366 * 24 * time.Hour

// booksPrefix tells what Plenum keeps for budgets in a server apart from what others keep there.
const booksPrefix = "budgets"

// lost takes note of a call that a stopped process left open, so that the book is told of it, and settles it.
func (n *Node) lost(b ledger.Begin) plenum.Record {
	r := ledger.Lost(b)
	if len(r.Charges) > 0 {
		n.losses = append(n.losses, r)
	}
	return r
}

// openBook opens the book that budgets are kept in, with all that is on record as spent. Calls that a process left in
// its journal, and those that it left open, are put on record first.
func (n *Node) openBook(ctx context.Context, f *config.File) error {
	if err := n.ledger.Drain(ctx, n.store); err != nil {
		return fmt.Errorf("putting on record what was spent: %w", err)
	}
	if f.Valkey.Empty() {
		return n.openMemory(ctx)
	}
	return n.openShared(ctx, f)
}

// openShared opens a book that nodes share. What a process before this one could not tell it, or held of it for itself, it is told
// before anything is taken.
func (n *Node) openShared(ctx context.Context, f *config.File) error {
	away := &f.ValkeyAway
	b, err := valkey.Open(ctx, f.Valkey.Reveal(), booksPrefix, away.Lease, n.spent)
	if err != nil {
		return err
	}
	b.Patience, b.Told = away.Patience, n.bookAway
	n.book, n.shared = b, b
	if err := b.Journal(ctx, filepath.Join(n.dir, untold)); err != nil {
		return err
	}
	for i := range n.losses {
		if err := b.Lost(ctx, n.losses[i].ID, n.losses[i].Charges); err != nil {
			return err
		}
	}
	if err := b.Forget(ctx, budget.SharePrefix(n.name())); err != nil {
		return err
	}
	if away.Mode == "share" {
		n.shares = budget.NewShares(b, away.Share, away.Lasts, n.name())
		n.book = n.shares
	}
	return nil
}

// untold is the file of what was spent and the Valkey server could not be told.
const untold = "untold.jsonl"

// bookAway has the log say that the server of the budgets is away, or back.
func (n *Node) bookAway(err error) {
	switch {
	case err == nil:
		n.log.Info("the Valkey server is back, and knows what was spent")
	case n.file.ValkeyAway.Mode == "share":
		n.log.Error("the Valkey server is away: calls go on with this node's shares of the budgets and limits", "error", err)
	default:
		n.log.Error("the Valkey server is away: calls that budgets and limits hold for are refused", "error", err)
	}
}

// share keeps the node's shares of the budgets at what they should be, until ctx ends.
func (n *Node) share(ctx context.Context) error {
	for {
		if err := clock.Real.Sleep(ctx, shareEvery); err != nil {
			return err
		}
		n.shares.Adjust(ctx, clock.Real.Now())
	}
}

// shareEvery is how often that is.
const shareEvery = time.Second

func (n *Node) openMemory(ctx context.Context) error {
	charges, err := n.spent(ctx)
	if err != nil {
		return err
	}
	n.book = budget.NewMemory()
	return n.book.Restore(ctx, charges)
}

// spent returns what is on record as spent.
func (n *Node) spent(ctx context.Context) ([]plenum.Charge, error) {
	return n.store.Charges(ctx, time.Now().Add(-longestWindow).UnixMilli())
}
