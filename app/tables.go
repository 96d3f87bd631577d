package app

import (
	"context"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/catalog"
)

// loadTables takes over the tables of models and prices that were imported. It reports whether that is news. One that
// cannot be read, perhaps of a later release, is left out and told.
func (n *Node) loadTables(ctx context.Context) (bool, error) {
	at, err := n.store.TablesVersion(ctx)
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	same := at == n.tablesAt
	n.mu.Unlock()
	if same {
		return false, nil
	}
	tables, err := n.store.Tables(ctx)
	if err != nil {
		return false, err
	}
	layers := make([]*catalog.Layer, 0, len(tables))
	for i := range tables {
		l, err := admin.LayerOf(&tables[i])
		if err != nil {
			n.log.Error("a table of models that was imported is left out", "source", tables[i].Name, "err", err)
			continue
		}
		layers = append(layers, l)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tablesAt = at
	n.compiler.learn(n.catalog.With(layers...))
	return true, nil
}
