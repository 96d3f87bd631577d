package store

import (
	"context"
	"fmt"

	"github.com/plenum-foundry/plenum/ledger"
)

// Place is a place in the chain of a node.
type Place struct {
	Node string
	Seq  uint64
}

// Proof is what Verify found.
type Proof struct {
	Entries int
	Heads   map[string]ledger.Sum // the last chain of each node: what to keep where nobody can rewrite it
	Changed []Place               // entries that are not what was written
	Gaps    []Place               // entries before which something is missing or was put in
}

// Verify proves that the records in a store are those that the nodes wrote, unchanged and complete.
func Verify(ctx context.Context, r Records) (Proof, error) {
	const page = 1000
	p := Proof{Heads: map[string]ledger.Sum{}}
	var after ledger.Entry
	for {
		entries, err := r.Entries(ctx, after, page)
		if err != nil {
			return p, fmt.Errorf("verifying the records: %w", err)
		}
		for i := range entries {
			p.add(&entries[i])
		}
		if len(entries) < page {
			return p, nil
		}
		after = entries[len(entries)-1]
	}
}

// add checks an entry.
func (p *Proof) add(e *ledger.Entry) {
	p.Entries++
	if !e.Verify() {
		p.Changed = append(p.Changed, Place{e.Node, e.Seq})
	}
	if head, ok := p.Heads[e.Node]; ok && head != e.Prior {
		p.Gaps = append(p.Gaps, Place{e.Node, e.Seq})
	}
	p.Heads[e.Node] = e.Chain
}
