package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// governed are the lists in which organizations keep their own: their projects, their people and programs, and what their
// projects may spend. What holds for a whole organization is for those to say whose role holds everywhere.
func governed(list string) bool {
	return slices.Contains([]string{"projects", "members", "service_accounts", "budgets", "limits"}, list)
}

// governs reports whether somebody with roles in organizations may change an item that is, or becomes, so.
func (s *Server) governs(in *reach, list string, spec []byte) bool {
	var of struct {
		Organization string
		Scope        struct{ Organization, Project string }
	}
	if json.Unmarshal(spec, &of) != nil {
		return false
	}
	switch list {
	case "budgets", "limits":
		organization := s.foundry.Snapshot().OrganizationOf(of.Scope.Project)
		return in.governs(organization)
	}
	return in.governs(of.Organization)
}

// mayTouch refuses a change, before anything is looked up, to those whose roles do not reach so far.
func (s *Server) mayTouch(q *request, n config.Noun, name string) error {
	switch {
	case q.reach.all:
		return nil
	case len(q.reach.organizations) == 0:
		return fail(http.StatusForbidden, "forbidden", "a role in a project alone does not let you change "+n.List)
	case !governed(n.List):
		return fail(http.StatusForbidden, "forbidden", "a role in an organization does not let you change "+n.List+", which are for all")
	}
	f := s.foundry.Snapshot().Declared
	i := slices.Index(n.Declared(f), name)
	if i < 0 {
		return nil
	}
	specs, err := n.Specs(f)
	if err == nil && !s.governs(&q.reach, n.List, specs[i]) {
		return hidden(q, n, name)
	}
	return err
}

// hidden answers for what somebody is not to know of: it is not there, but its name cannot be had.
func hidden(q *request, n config.Noun, name string) error {
	if q.Method == http.MethodPost || q.Method == http.MethodPut {
		return fail(http.StatusConflict, "taken", fmt.Sprintf("the name %q cannot be had for a %s; take another", name, n.One))
	}
	return none(n, name)
}

// theirs refuses somebody with roles in organizations alone what is not wholly theirs: before the change and after it.
func (s *Server) theirs(q *request, n config.Noun, was *store.Resource, change *store.ResourceChange) error {
	switch {
	case q.reach.all:
		return nil
	case was != nil && !s.governs(&q.reach, n.List, was.Spec):
		return hidden(q, n, change.Name)
	case change.Spec != nil && !s.governs(&q.reach, n.List, change.Spec):
		what := "organization"
		if n.List == "budgets" || n.List == "limits" {
			what = "scope.project"
		}
		return fail(http.StatusForbidden, "forbidden", fmt.Sprintf("your roles let you keep the %s of your organization alone: set %s to yours (%v)", n.List, what, q.reach.organizations))
	case n.List == "members" || n.List == "service_accounts":
		return ownGroups(was, change.Spec)
	case n.List != "projects":
		return nil
	case was == nil:
		return s.unused(q.Context(), n, change.Name)
	case change.Spec == nil:
		return s.idle(q.Context(), change.Name)
	}
	return nil
}

// ownGroups refuses that members get groups which are not their organization's own, whose names begin with that of it and a
// slash: policies may let the others do more.
func ownGroups(was *store.Resource, next []byte) error {
	type grouped struct {
		Organization string
		Groups       []string
	}
	var before, after grouped
	if was != nil {
		_ = json.Unmarshal(was.Spec, &before) // both were read before
	}
	_ = json.Unmarshal(next, &after)
	for i, g := range after.Groups {
		if !strings.HasPrefix(g, after.Organization+"/") && !slices.Contains(before.Groups, g) {
			return fail(http.StatusForbidden, "forbidden", fmt.Sprintf("groups[%d]: the group %q is not of your organization; its own begin with %q", i, g, after.Organization+"/"))
		}
	}
	return nil
}

// unused refuses a new project whose name has a past: who makes it would see what others did under that name.
func (s *Server) unused(ctx context.Context, n config.Noun, name string) error {
	taken := fail(http.StatusConflict, "taken", fmt.Sprintf("the name %q cannot be had for a %s: it was in use already; take another", name, n.One))
	if name == plenum.DefaultProject {
		return taken
	}
	keys, err := s.store.Keys(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(keys, func(k plenum.Key) bool { return k.Project == name }) || s.named(name) {
		return taken
	}
	calls, err := s.store.Calls(ctx, store.Filter{Project: name, Limit: 1})
	if err == nil && len(calls) > 0 {
		return taken
	}
	return err
}

// idle refuses to take a project away that is still called with: its calls would go on, and count for the organization no
// more.
func (s *Server) idle(ctx context.Context, name string) error {
	keys, err := s.store.Keys(ctx)
	if err != nil {
		return err
	}
	now := s.clock.Now().UnixMilli()
	good := func(k plenum.Key) bool {
		return k.Project == name && k.Revoked == 0 && (k.Expires == 0 || k.Expires > now)
	}
	if s.named(name) || slices.ContainsFunc(keys, good) {
		return fail(http.StatusConflict, "in_use", fmt.Sprintf("the project %q has keys or accounts that are good; revoke them first", name))
	}
	return nil
}

// named reports whether the configuration itself calls with a project: by keys or by accounts of issuers.
func (s *Server) named(project string) bool {
	f := s.foundry.Snapshot().Declared
	return slices.ContainsFunc(f.Keys, func(k config.Key) bool { return k.Project == project }) ||
		slices.ContainsFunc(f.Issuers, func(i config.Issuer) bool {
			return slices.ContainsFunc(i.Accounts, func(a config.Account) bool { return a.Project == project })
		})
}
