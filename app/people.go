package app

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/signin"
)

// hall is a node as people sign in to it.
type hall struct{ foundry }

var _ signin.Foundry = hall{}

// Enrol makes somebody a member as their provider has them now. Members that somebody declared stay as they are: these
// have what their groups have for as long as they are signed in.
func (h hall) Enrol(ctx context.Context, m signin.Member) error {
	if known, ok := h.current.Load().Member(m.Name); ok && (known.Directory || known.Provider != m.Provider) {
		return nil
	}
	if n, _ := config.NounOf("members"); slices.Contains(n.Declared(h.current.Load().Declared), m.Name) {
		return nil
	}
	roles := make([]any, len(m.Grants))
	for i, g := range m.Grants {
		role := map[string]any{"role": string(g.Role)}
		for name, v := range map[string]string{"project": g.Project, "publisher": g.Publisher} {
			if v != "" {
				role[name] = v
			}
		}
		roles[i] = role
	}
	groups := make([]any, 0, len(m.Groups))
	for _, g := range slices.Sorted(slices.Values(m.Groups)) {
		groups = append(groups, g)
	}
	by := admin.Actor{Name: "identity_provider:" + m.Provider}
	return h.management.Declare(ctx, by, "members", m.Name, func(was json.RawMessage) (json.RawMessage, error) {
		had, has := map[string]any{}, map[string]any{}
		if was != nil {
			if err := json.Unmarshal(was, &had); err != nil {
				return nil, err
			}
		}
		maps.Copy(has, had) // what else is said of them stays
		for name, v := range map[string]any{"name": m.Name, "title": m.Title, "identity_provider": m.Provider, "roles": roles, "groups": groups} {
			if list, ok := v.([]any); v == "" || ok && len(list) == 0 {
				delete(has, name)
			} else {
				has[name] = v
			}
		}
		if reflect.DeepEqual(had, has) {
			return was, nil
		}
		return json.Marshal(has)
	})
}

// Intend writes down that somebody is about to sign in.
func (h hall) Intend(e *signin.Event) error {
	entry := admin.Entry{
		Actor: admin.Actor{Name: e.Actor, From: e.From}, Action: e.Action, Noun: "sessions", Name: e.Name, Config: h.current.Load().Version,
	}
	err := h.foundry.Intend(&entry)
	e.ID = entry.ID
	return err
}

// Audit writes down who signed in and out.
func (h hall) Audit(e signin.Event) {
	entry := admin.Entry{
		ID: e.ID, Actor: admin.Actor{Name: e.Actor, From: e.From}, Action: e.Action, Noun: "sessions", Name: e.Name, Status: e.Status, Reason: e.Reason,
		Config: h.current.Load().Version,
	}
	if e.After != nil {
		entry.After, _ = json.Marshal(e.After) // of texts and lists of them: it cannot fail
	}
	_ = h.foundry.Audit(entry) // what cannot be written down is in the log
}

// signedIn returns who sends a request, if a session of theirs says so.
func (n foundry) signedIn(r *http.Request, actor admin.Actor) (admin.Actor, bool, error) {
	v, shown, err := n.signin.Who(r)
	if !shown {
		return actor, false, nil
	}
	if err != nil {
		return actor, true, unauthorized(err.Error())
	}
	actor.Name, actor.Grants = "member:"+v.Member, signin.Grants(&v, n.current.Load())
	return actor, true, nil
}

// Sessions returns who is signed in.
func (n foundry) Sessions(ctx context.Context, member string) ([]admin.Session, error) {
	all, err := n.signin.Sessions().All(ctx, member)
	if err != nil {
		return nil, err
	}
	out := make([]admin.Session, 0, len(all))
	for i := range all {
		v := &all[i]
		out = append(out, admin.Session{
			ID: v.ID, Member: v.Member, Provider: v.Provider, Way: v.Way, From: v.From, Agent: v.Agent,
			Created: time.UnixMilli(v.Created).UTC(), Expires: time.UnixMilli(v.Expires).UTC(),
		})
	}
	return out, nil
}

// EndSession signs somebody out.
func (n foundry) EndSession(ctx context.Context, id string) error {
	return n.signin.Sessions().End(ctx, id)
}

// newSignIn returns the sign-in of a node.
func (n *Node) newSignIn() *signin.Server {
	sessions := signin.NewSessions(n.store, clock.Real, func(s plenum.Secret) [32]byte { return n.pepper.MAC(s) })
	return signin.New(hall{foundry{n}}, sessions, clock.Real, n.log)
}
