package config

import plenum "github.com/plenum-foundry/plenum"

// SCIM is what members have that a directory keeps.
type SCIM struct {
	Roles []GroupRole `conf:"roles" doc:"What members of the directory's groups may do with the management API, beside what is declared of themselves. An owner cannot be made so."`
}

// ServiceAccount is a program, as it is declared.
type ServiceAccount struct {
	Name         string   `conf:"name" required:"yes" doc:"What keys, tokens and records call it by: letters, digits and . _ : / -, at most 256. No member has it."`
	Title        string   `conf:"title" doc:"What it is for, for people."`
	Organization string   `conf:"organization" doc:"The organization that it belongs to, whose admins keep it: its roles hold within it alone."`
	Roles        []Grant  `conf:"roles" doc:"What it may do with the management API."`
	Groups       []string `conf:"groups" doc:"The groups that it and its keys belong to, for policies."`
	Disabled     bool     `conf:"disabled" default:"false" doc:"Whether it is shut out for now: its roles count for nothing, and its keys and tokens are refused."`
}

// groupRoles checks and compiles what groups may do.
func (c *compiler) groupRoles(roles []GroupRole, path string) []plenum.GroupRole {
	var out []plenum.GroupRole
	for i, r := range roles {
		g := Grant{Role: r.Role, Organization: r.Organization, Project: r.Project, Publisher: r.Publisher}
		c.grant(g, index(path, i))
		out = append(out, plenum.GroupRole{Group: r.Group, Grant: g.grant()})
	}
	return out
}

// directory compiles what a directory's groups give. Whoever may change members could make himself an owner, if groups
// made owners.
func (c *compiler) directory() []plenum.GroupRole {
	for i, r := range c.file.SCIM.Roles {
		if r.Role == string(plenum.RoleOwner) {
			c.fail(index("scim.roles", i)+".role", "cannot be owner: an owner is declared among members")
		}
	}
	return c.groupRoles(c.file.SCIM.Roles, "scim.roles")
}

// serviceAccounts checks and compiles programs. They are members whom nobody signs in as.
func (c *compiler) serviceAccounts() {
	for i := range c.file.ServiceAccounts {
		a, path := &c.file.ServiceAccounts[i], index("service_accounts", i)
		c.named(a.Name, path, c.snap.members[a.Name] != nil, "member or service account")
		c.belongs(a.Organization, a.Roles, false, path)
		out := &plenum.Member{Name: a.Name, Title: a.Title, Organization: a.Organization, Groups: a.Groups, Disabled: a.Disabled, Service: true, Declared: c.origin(path)}
		out.Grants = c.grants(a.Roles, path+".roles")
		c.snap.members[a.Name] = out
	}
}
