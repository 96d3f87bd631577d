package app

import (
	"context"
	"fmt"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/config"
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
	b, err := valkey.Open(ctx, f.Valkey.Reveal(), booksPrefix, valkey.Lease, n.spent)
	if err != nil {
		return err
	}
	n.book, n.shared = b, b
	for i := range n.losses {
		if err := b.Lost(ctx, n.losses[i].ID, n.losses[i].Charges); err != nil {
			return err
		}
	}
	return nil
}

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
