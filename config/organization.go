package config

import (
	"maps"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
)

// Organization is what projects and people belong to, as it is declared.
type Organization struct {
	Name  string `conf:"name" required:"yes" doc:"What projects, roles, budgets and reports call it by: letters, digits and . _ : / -, at most 256."`
	Title string `conf:"title" doc:"What people call it."`
}

// organizations checks what is declared of organizations.
func (c *compiler) organizations() {
	c.snap.organizations = make(map[string]*plenum.Organization, len(c.file.Organizations))
	for i := range c.file.Organizations {
		o, path := &c.file.Organizations[i], index("organizations", i)
		c.named(o.Name, path, c.snap.organizations[o.Name] != nil, "organization")
		c.snap.organizations[o.Name] = &plenum.Organization{Name: o.Name, Title: o.Title, Declared: c.origin(path)}
	}
}

// organization checks the name of an organization that something belongs to or holds in.
func (c *compiler) organization(name, path string) {
	if name == "" || c.snap.organizations[name] != nil {
		return
	}
	known := slices.Sorted(maps.Keys(c.snap.organizations))
	c.fail(path, "there is no organization %q%s", clip(name), suggest(name, known))
}

// belongs checks that a member of an organization, or a program of one, has roles within it alone. Whoever may change the members of
// an organization can so give away no more than is theirs.
func (c *compiler) belongs(organization string, roles []Grant, directory bool, path string) {
	c.organization(organization, path+".organization")
	if organization == "" {
		return
	}
	if directory {
		c.fail(path+".organization", "cannot be given to a member whom a directory keeps: it gives roles by scim.roles")
	}
	for i, g := range roles {
		if g.Organization != organization && (g.Project == "" || c.snap.OrganizationOf(g.Project) != organization) {
			c.fail(index(path+".roles", i), "holds outside the organization %q, which the member belongs to; name it, or a project of it", clip(organization))
		}
	}
}

// Organization returns the organization of a name.
func (s *Snapshot) Organization(name string) (*plenum.Organization, bool) {
	o, ok := s.organizations[name]
	return o, ok
}

// OrganizationOf returns the organization that a project belongs to; "" where it belongs to none.
func (s *Snapshot) OrganizationOf(project string) string {
	if p, ok := s.projects[project]; ok {
		return p.Organization
	}
	return ""
}

// ProjectsOf returns the projects of an organization, by name.
func (s *Snapshot) ProjectsOf(organization string) []string {
	var out []string
	for _, p := range s.projects {
		if p.Organization == organization && organization != "" {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}
