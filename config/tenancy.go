package config

import (
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Project is what keys, calls and money belong to, as it is declared.
type Project struct {
	Name  string `conf:"name" required:"yes" doc:"What keys, budgets and records call it by: letters, digits and . _ : / -, at most 256."`
	Title string `conf:"title" doc:"What people call it."`
}

// Member is a person, as they are declared.
type Member struct {
	Name     string   `conf:"name" required:"yes" doc:"As their identity provider calls them, mostly an address of mail."`
	Title    string   `conf:"title" doc:"Their name, for people."`
	Roles    []Grant  `conf:"roles" doc:"What they may do with the management API."`
	Groups   []string `conf:"groups" doc:"The groups that they and their keys belong to, for policies."`
	Disabled bool     `conf:"disabled" default:"false" doc:"Whether they are shut out for now: their roles count for nothing, and keys that belong to them are refused."`
}

// Grant is a role and where it holds.
type Grant struct {
	Role      string `conf:"role" required:"yes" enum:"owner admin developer auditor publisher billing" doc:"owner may do everything; admin too, but for making owners; developer makes keys and sees what they are used for; auditor sees everything and changes nothing; publisher publishes models; billing sees what is spent and sets budgets."`
	Project   string `conf:"project" doc:"Only within this project; left out it is everywhere."`
	Publisher string `conf:"publisher" doc:"Only for this publisher's models; left out it is for all."`
}

// projects checks what is declared of projects.
func (c *compiler) projects() {
	c.snap.projects = make(map[string]*plenum.Project, len(c.file.Projects))
	for i := range c.file.Projects {
		p, path := &c.file.Projects[i], index("projects", i)
		c.named(p.Name, path, c.snap.projects[p.Name] != nil, "project")
		c.snap.projects[p.Name] = &plenum.Project{Name: p.Name, Title: p.Title, Declared: c.origin(path)}
	}
}

// named checks the name of an item.
func (c *compiler) named(name, path string, twice bool, one string) {
	if fault := nameFault(name, false); fault != "" {
		c.fail(path+".name", "%q %s", clip(name), fault)
	} else if twice {
		c.fail(path+".name", "%q is the name of another %s as well", name, one)
	}
}

// members checks what is declared of members.
func (c *compiler) members() {
	c.snap.members = make(map[string]*plenum.Member, len(c.file.Members))
	for i := range c.file.Members {
		m, path := &c.file.Members[i], index("members", i)
		switch {
		case m.Name == "" || len(m.Name) > longestName || strings.ContainsFunc(m.Name, isControl):
			c.fail(path+".name", "has 1 to %d bytes and no control characters", longestName)
		case c.snap.members[m.Name] != nil:
			c.fail(path+".name", "%q is the name of another member as well", clip(m.Name))
		}
		out := &plenum.Member{Name: m.Name, Title: m.Title, Groups: m.Groups, Disabled: m.Disabled, Declared: c.origin(path)}
		for j, g := range m.Roles {
			here := index(path+".roles", j)
			switch {
			case g.Project != "" && g.Publisher != "":
				c.fail(here, "names a project and a publisher; a role holds for one of them")
			case g.Role == string(plenum.RolePublisher) && g.Publisher == "":
				c.fail(here+".publisher", "is missing: whose models may they publish?")
			case g.Publisher != "" && g.Role != string(plenum.RolePublisher):
				c.fail(here+".publisher", "is for the role publisher alone")
			case g.Role == string(plenum.RoleOwner) && g.Project != "":
				c.fail(here+".project", "cannot be given: an owner owns all of it; use admin")
			}
			out.Grants = append(out.Grants, plenum.Grant{Role: plenum.Role(g.Role), Project: g.Project, Publisher: g.Publisher})
		}
		c.snap.members[m.Name] = out
	}
}

// Project returns the project of a name; false where none of that name is declared, which may be one all the same.
func (s *Snapshot) Project(name string) (*plenum.Project, bool) {
	p, ok := s.projects[name]
	return p, ok
}

// Member returns the member of a name.
func (s *Snapshot) Member(name string) (*plenum.Member, bool) {
	m, ok := s.members[name]
	return m, ok
}

// Caller returns who calls as the configuration knows them now: work that was begun long ago may remember it otherwise,
// and a credential may stand for several people. Groups are those of the key and of the member.
func (s *Snapshot) Caller(p plenum.Principal) plenum.Principal {
	if k, ok := s.KeyByID(p.KeyID); ok {
		member := p.Member
		if p = k.Principal(); p.Member == "" {
			p.Member = member
		}
	}
	m, ok := s.members[p.Member]
	switch {
	case !ok || len(m.Groups) == 0:
	case len(p.Groups) == 0:
		p.Groups = m.Groups
	default:
		p.Groups = slices.Concat(p.Groups, m.Groups)
	}
	return p
}
