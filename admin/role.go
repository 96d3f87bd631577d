package admin

import (
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
)

// Actor is who sends a request to the management API.
type Actor struct {
	Name     string // for the audit: "admin_key", "member:ann@example.com", "key:ci"
	Grants   []plenum.Grant
	From     string // the address that it came from
	ReadOnly bool   // whatever the grants say, nothing may be changed
	// Certificate is who its client is by the certificate that it showed; "" where it showed none.
	Certificate string
}

// verb is what is done to things of a kind.
type verb string

const (
	read  verb = "read"
	write verb = "write"
)

// anything stands for every kind of thing, but for reading transcripts: that is a role of its own.
const anything = "*"

// transcripts are what was asked and answered.
const transcripts = "transcripts"

// right lets a role do something to things of a kind.
type right struct {
	verb verb
	noun string
}

// rights says what each role may do. A role that is granted for an organization or a project has its rights within that alone.
func rights(r plenum.Role) []right {
	switch r {
	case plenum.RoleOwner:
		return []right{{read, anything}, {write, anything}}
	case plenum.RoleAdmin:
		return []right{{read, anything}, {write, anything}}
	case plenum.RoleAuditor:
		return []right{{read, anything}}
	case plenum.RoleBilling:
		return []right{{read, "projects"}, {read, "deployments"}, {read, "budgets"}, {write, "budgets"}, {read, "limits"}, {read, "usage"}, {read, "calls"}, {read, "models"}, {read, "statements"}}
	case plenum.RoleDeveloper:
		return []right{{read, "projects"}, {read, "deployments"}, {read, "budgets"}, {read, "limits"}, {read, "keys"}, {write, "keys"}, {read, "usage"}, {read, "calls"}, {read, "models"}, {read, "policies"}, {read, "terms"}, {read, "acceptances"}, {write, "acceptances"}}
	case plenum.RolePublisher:
		return []right{{read, "models"}, {read, "publishers"}, {read, "cards"}, {write, "cards"}, {read, "statements"}}
	case plenum.RoleReader:
		return []right{{read, transcripts}}
	}
	return nil
}

// reach is how far somebody's right goes: to everything, or to some organizations, projects and publishers.
type reach struct {
	all           bool
	organizations []string
	projects      []string // those of the organizations among them
	publishers    []string
}

// reach returns how far the actor may do something to things of a kind, as projects belong to organizations now; false where
// not at all.
func (a *Actor) reach(snap *config.Snapshot, v verb, noun string) (reach, bool) {
	var out reach
	for _, g := range a.Grants {
		if a.ReadOnly && v == write || !may(g.Role, v, noun) {
			continue
		}
		switch {
		case g.Organization != "":
			out.organizations = append(out.organizations, g.Organization)
			out.projects = append(out.projects, snap.ProjectsOf(g.Organization)...)
		case g.Project != "":
			out.projects = append(out.projects, g.Project)
		case g.Publisher != "":
			out.publishers = append(out.publishers, g.Publisher)
		default:
			out.all = true
		}
	}
	slices.Sort(out.projects)
	out.projects = slices.Compact(out.projects)
	return out, out.all || len(out.organizations) > 0 || len(out.projects) > 0 || len(out.publishers) > 0
}

// may reports whether a role may do something to things of a kind.
func may(r plenum.Role, v verb, noun string) bool {
	return slices.ContainsFunc(rights(r), func(r right) bool {
		return r.verb == v && (r.noun == noun || r.noun == anything && (v != read || noun != transcripts))
	})
}

// covers reports whether a project is within the reach.
func (r *reach) covers(project string) bool { return r.all || slices.Contains(r.projects, project) }

// governs reports whether an organization is within the reach.
func (r *reach) governs(organization string) bool {
	return r.all || organization != "" && slices.Contains(r.organizations, organization)
}

// sees reports whether what is of a project, or else of an organization, is within the reach.
func (r *reach) sees(organization, project string) bool {
	if project != "" {
		return r.covers(project)
	}
	return r.governs(organization)
}

// guarded reports whether a role is an owner's alone to give: who has it could else make themselves read or do what nobody meant.
func guarded(r plenum.Role) bool { return r == plenum.RoleOwner || r == plenum.RoleReader }

// owns reports whether the actor is an owner, who alone makes owners and readers.
func (a *Actor) owns() bool {
	return slices.ContainsFunc(a.Grants, func(g plenum.Grant) bool {
		return g.Role == plenum.RoleOwner && g.Project == "" && g.Organization == ""
	})
}
