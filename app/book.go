package app

import (
	"context"
	"fmt"
	"time"

	books "github.com/plenum-foundry/plenum/budget"
)

// longestWindow is more than any window counts but the one that never ends.
const longestWindow = 11 * 366 * 24 * time.Hour

// openBook opens the book that budgets are kept in, with all that is on record as spent. Calls that a process left in
// its journal, and those that it left open, are put on record first.
func (n *Node) openBook(ctx context.Context) error {
	if err := n.ledger.Drain(ctx, n.store); err != nil {
		return fmt.Errorf("putting on record what was spent: %w", err)
	}
	charges, err := n.store.Charges(ctx, time.Now().Add(-longestWindow).UnixMilli())
	if err != nil {
		return err
	}
	n.book = books.NewMemory()
	return n.book.Restore(ctx, charges)
}
