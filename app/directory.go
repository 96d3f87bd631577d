package app

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/scim"
	"github.com/plenum-foundry/plenum/store"
)

// registry is a node as a directory sees it.
type registry struct{ foundry }

var _ scim.Foundry = registry{}

// Who returns who sends a request. A cookie does not do: a directory is no browser.
func (g registry) Who(r *http.Request, change bool) (string, error) {
	a, err := g.directory(r, change)
	return a.Name, err
}

func (g registry) directory(r *http.Request, change bool) (admin.Actor, error) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return admin.Actor{From: r.RemoteAddr}, scim.NewProblem(http.StatusUnauthorized, "send a key of the management API as Authorization: Bearer")
	}
	a, _, err := g.who(r)
	if err != nil {
		return a, told(err)
	}
	if !a.May(change, "members") {
		return a, scim.NewProblem(http.StatusForbidden, "the roles of this key do not let it keep members")
	}
	return a, nil
}

// told is a problem of the management API as a directory is told it.
func told(err error) error {
	var p *admin.Problem
	var ps config.Problems
	switch {
	case errors.As(err, &p):
		return scim.NewProblem(p.Status, p.Error())
	case errors.As(err, &ps):
		return scim.NewProblem(http.StatusConflict, ps.Error())
	}
	return err
}

// Declared returns the file that declares a member.
func (g registry) Declared(member string) string {
	f := g.current.Load().Declared
	for _, list := range [...]string{"members", "service_accounts"} {
		n, _ := config.NounOf(list)
		if slices.ContainsFunc(n.Declared(f), func(name string) bool { return strings.EqualFold(name, member) }) {
			return f.Name()
		}
	}
	return ""
}

// Keep keeps what a directory changes.
func (g registry) Keep(r *http.Request, all []store.Resource, at int64, changes []store.ResourceChange) error {
	a, err := g.directory(r, true)
	if err != nil {
		return err
	}
	return told(g.management.Keep(r.Context(), a, all, at, changes))
}

// Intend writes down what a directory is about to do.
func (g registry) Intend(e *scim.Event) error {
	entry := admin.Entry{
		Actor: admin.Actor{Name: e.Actor, From: e.From}, Action: e.Action, Noun: e.Noun, Name: e.Name, Config: g.current.Load().Version,
	}
	err := g.foundry.Intend(&entry)
	e.ID = entry.ID
	return err
}

// Audit writes down what a directory did.
func (g registry) Audit(e scim.Event) {
	_ = g.foundry.Audit(admin.Entry{ // what cannot be written down is in the log
		ID: e.ID, Actor: admin.Actor{Name: e.Actor, From: e.From}, Action: e.Action, Noun: e.Noun, Name: e.Name, Status: e.Status, Reason: e.Reason,
		Config: g.current.Load().Version, Before: e.Before, After: e.After,
	})
}

// newDirectory returns what answers directories.
func (n *Node) newDirectory() *scim.Server {
	return scim.New(registry{foundry{n}}, n.store, clock.Real, n.log)
}
