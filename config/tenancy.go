package config

import (
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Project is what keys, calls and money belong to, as it is declared.
type Project struct {
	Name         string `conf:"name" required:"yes" doc:"What keys, budgets and records call it by: letters, digits and . _ : / -, at most 256."`
	Title        string `conf:"title" doc:"What people call it."`
	Organization string `conf:"organization" doc:"The organization that it belongs to; left out it belongs to none."`

	Content ProjectContent `conf:"content" doc:"What is kept of what its callers and models say, within what content at the top allows."`
}

// ProjectContent is what a project says of what is kept of it. It can narrow what the owner's block allows, and never widen it.
type ProjectContent struct {
	Keep      plenum.Tri    `conf:"keep" doc:"Whether anything is kept: false forbids it, whatever a deployment says; true asks for it where content.opt_in leaves that to projects, and no more than content allows. Left out, content says."`
	Retention time.Duration `conf:"retention" min:"1m" doc:"How long at the most; content.retention bounds it. Of what is kept already it changes nothing until it is used again."`
	Redact    []string      `conf:"redact" doc:"What is taken out beside what content.redact takes out: keys, cards, iban, email, phone."`
	Patterns  []Redaction   `conf:"redact_patterns" doc:"What else is taken out."`
	Calls     bool          `conf:"calls" default:"false" doc:"Keep what is asked and answered in all calls of the project, where content.calls allows it; who has the role reader reads it."`
}

// Member is a person, as they are declared.
type Member struct {
	Name         string   `conf:"name" required:"yes" doc:"As their identity provider calls them, mostly an address of mail."`
	Title        string   `conf:"title" doc:"Their name, for people."`
	Organization string   `conf:"organization" doc:"The organization that they belong to, whose admins keep them: their roles hold within it alone. Left out, those keep them whose role holds everywhere."`
	Roles        []Grant  `conf:"roles" doc:"What they may do with the management API."`
	Groups       []string `conf:"groups" doc:"The groups that they and their keys belong to, for policies."`
	Provider     string   `conf:"identity_provider" doc:"The identity provider that signs them in, and alone may; their roles and groups are then what it said last. Left out, any may that names them."`
	Directory    bool     `conf:"directory" default:"false" doc:"Whether a directory keeps them by SCIM, which sets this: they then have the roles of their groups in scim.roles beside their own, and sign-ins change nothing of them."`
	Disabled     bool     `conf:"disabled" default:"false" doc:"Whether they are shut out for now: their roles count for nothing, and keys that belong to them are refused."`
}

// Grant is a role and where it holds.
type Grant struct {
	Role         string `conf:"role" required:"yes" enum:"owner admin developer auditor publisher billing reader" doc:"owner may do everything; admin too, but for making owners and readers; developer makes keys and sees what they are used for; auditor sees everything and changes nothing; publisher publishes models; billing sees what is spent and sets budgets; reader reads transcripts, which no other role does."`
	Organization string `conf:"organization" doc:"Only within this organization: in its projects, and over them. Left out it is everywhere."`
	Project      string `conf:"project" doc:"Only within this project; left out it is everywhere."`
	Publisher    string `conf:"publisher" doc:"Only for this publisher's models; left out it is for all."`
}

// projects checks what is declared of projects.
func (c *compiler) projects() {
	c.snap.projects = make(map[string]*plenum.Project, len(c.file.Projects))
	for i := range c.file.Projects {
		p, path := &c.file.Projects[i], index("projects", i)
		c.named(p.Name, path, c.snap.projects[p.Name] != nil, "project")
		c.organization(p.Organization, path+".organization")
		c.snap.projects[p.Name] = &plenum.Project{Name: p.Name, Title: p.Title, Organization: p.Organization, Declared: c.origin(path)}
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
	fromGroups := c.directory()
	for i := range c.file.Members {
		m, path := &c.file.Members[i], index("members", i)
		switch {
		case m.Name == "" || len(m.Name) > longestName || strings.ContainsFunc(m.Name, isControl):
			c.fail(path+".name", "has 1 to %d bytes and no control characters", longestName)
		case c.snap.members[m.Name] != nil:
			c.fail(path+".name", "%q is the name of another member as well", clip(m.Name))
		}
		c.belongs(m.Organization, m.Roles, m.Directory, path)
		out := &plenum.Member{Name: m.Name, Title: m.Title, Organization: m.Organization, Groups: m.Groups, Provider: m.Provider, Disabled: m.Disabled, Declared: c.origin(path)}
		out.Grants = c.grants(m.Roles, path+".roles")
		if out.Directory = m.Directory; m.Directory {
			out.Grants = append(out.Grants, plenum.Granted(fromGroups, m.Groups)...)
		}
		c.snap.members[m.Name] = out
	}
}

// grants checks and compiles roles.
func (c *compiler) grants(roles []Grant, path string) []plenum.Grant {
	var out []plenum.Grant
	for i, g := range roles {
		c.grant(g, index(path, i))
		out = append(out, g.grant())
	}
	return out
}

// grant is the role as the rest of the program has it.
func (g *Grant) grant() plenum.Grant {
	return plenum.Grant{Role: plenum.Role(g.Role), Organization: g.Organization, Project: g.Project, Publisher: g.Publisher}
}

// grant checks a role and where it holds.
func (c *compiler) grant(g Grant, path string) {
	c.organization(g.Organization, path+".organization")
	switch {
	case g.Project != "" && g.Publisher != "" || g.Organization != "" && (g.Project != "" || g.Publisher != ""):
		c.fail(path, "names more than one of organization, project and publisher; a role holds for one of them")
	case g.Role == string(plenum.RolePublisher) && g.Publisher == "":
		c.fail(path+".publisher", "is missing: whose models may they publish?")
	case g.Publisher != "" && g.Role != string(plenum.RolePublisher):
		c.fail(path+".publisher", "is for the role publisher alone")
	case g.Role == string(plenum.RoleOwner) && g.Organization != "":
		c.fail(path+".organization", "cannot be given: an owner owns all of it; use admin")
	case g.Role == string(plenum.RoleOwner) && g.Project != "":
		c.fail(path+".project", "cannot be given: an owner owns all of it; use admin")
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
	p.Organization = s.OrganizationOf(p.Project)
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
