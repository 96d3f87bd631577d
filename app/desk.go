package app

import (
	"net/http"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/desk"
	"github.com/plenum-foundry/plenum/gateway"
)

// stall is the node as its vendor desk sees it.
type stall struct{ foundry }

var _ desk.Foundry = stall{}

// Desk is the vendor desk.
func (n foundry) Desk() *desk.Desk { return n.desk }

// Kinds are the providers that there are.
func (n foundry) Kinds() []config.Kind { return n.compiler.known }

// Connect makes a connection that is in no snapshot.
func (n foundry) Connect(c *config.Connection) (*gateway.Connection, error) {
	return n.compiler.open(c)
}

// Intend writes down that the desk is about to do something.
func (n stall) Intend(a *desk.Act) error {
	e := admin.Entry{Actor: admin.Actor{Name: a.Who}, Action: a.Action, Noun: "cards", Name: a.Card, Config: n.Snapshot().Version}
	err := n.foundry.Intend(&e)
	a.ID = e.ID
	return err
}

// Acted writes down what the desk did. What cannot be written down is in the log, and that it was begun is in the ledger.
func (n stall) Acted(a desk.Act) {
	status := http.StatusOK
	if a.Failed {
		status = http.StatusInternalServerError
	}
	_ = n.Audit(admin.Entry{
		ID: a.ID, Actor: admin.Actor{Name: a.Who}, Action: a.Action, Noun: "cards", Name: a.Card, Status: status,
		Reason: a.Reason, Config: n.Snapshot().Version, Before: a.Before, After: a.After,
	})
}
