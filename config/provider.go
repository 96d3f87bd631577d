package config

import (
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// IdentityProvider signs people in, as it is declared.
type IdentityProvider struct {
	Name         string        `conf:"name" required:"yes" doc:"What it is called in addresses and records."`
	Title        string        `conf:"title" doc:"What people call it: it stands on the button."`
	Issuer       string        `conf:"issuer" required:"yes" doc:"Its address, to the letter as its discovery document has it: https://login.example.com."`
	ClientID     string        `conf:"client_id" required:"yes" doc:"What Plenum is called there. Its redirect address is /sign-in/NAME/callback of Plenum."`
	ClientSecret plenum.Secret `conf:"client_secret" doc:"The client's secret there; left out for a public client."`
	Scopes       []string      `conf:"scopes" doc:"What is asked for; left out openid, email and profile."`
	MemberClaim  string        `conf:"member_claim" default:"email" doc:"The claim that names the member. An email counts only if the provider says that it is verified; where it does not say (Entra ID), take preferred_username, oid or sub."`
	GroupsClaim  string        `conf:"groups_claim" default:"groups" doc:"The claim that lists the groups of the member."`
	Domains      []string      `conf:"domains" doc:"The domains that members' names may end in, such as example.com; left out any."`
	Roles        []GroupRole   `conf:"roles" doc:"What members of its groups may do with the management API. Who has no role by it, and is no member that is declared, cannot sign in."`
	CA           string        `conf:"ca" doc:"File with the certificates, in PEM, to trust instead of the system's when it is asked."`
}

// GroupRole is what the members of a provider's group may do.
type GroupRole struct {
	Group        string `conf:"group" required:"yes" doc:"The group, as the provider calls it; * is everybody whom it signs in."`
	Role         string `conf:"role" required:"yes" enum:"owner admin developer auditor publisher billing reader" doc:"The role, as members have them."`
	Organization string `conf:"organization" doc:"Only within this organization: in its projects, and over them. Left out it is everywhere."`
	Project      string `conf:"project" doc:"Only within this project; left out it is everywhere."`
	Publisher    string `conf:"publisher" doc:"Only for this publisher's models; left out it is for all."`
}

// providers checks and compiles those who sign people in.
func (c *compiler) providers() {
	c.snap.providers = make(map[string]*plenum.IdentityProvider, len(c.file.IdentityProviders))
	for i := range c.file.IdentityProviders {
		p, path := &c.file.IdentityProviders[i], index("identity_providers", i)
		c.named(p.Name, path, c.snap.providers[p.Name] != nil, "identity provider")
		if strings.ContainsAny(p.Name, "/:") {
			c.fail(path+".name", "stands in addresses and has no / and no :")
		}
		c.address(p.Issuer, path+".issuer")
		out := &plenum.IdentityProvider{
			Name: p.Name, Title: p.Title, Issuer: p.Issuer, ClientID: p.ClientID, Secret: p.ClientSecret, Scopes: p.Scopes,
			Member: p.MemberClaim, Groups: p.GroupsClaim, Domains: p.Domains, CA: p.CA, Declared: c.origin(path),
		}
		if out.Title == "" {
			out.Title = p.Name
		}
		if len(out.Scopes) == 0 {
			out.Scopes = []string{"openid", "email", "profile"}
		}
		if !slices.Contains(out.Scopes, "openid") {
			c.fail(path+".scopes", "must have openid among them: without it the provider does not say who signs in")
		}
		for j, d := range p.Domains {
			if d == "" || strings.ContainsAny(d, "@ /") {
				c.fail(index(path+".domains", j), "is a domain such as example.com")
			}
		}
		out.Roles = c.groupRoles(p.Roles, path+".roles")
		c.snap.providers[p.Name] = out
	}
}

// IdentityProviders returns those who sign people in, by name.
func (s *Snapshot) IdentityProviders() []*plenum.IdentityProvider {
	out := make([]*plenum.IdentityProvider, 0, len(s.providers))
	for _, p := range s.providers {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *plenum.IdentityProvider) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// IdentityProvider returns the one of a name.
func (s *Snapshot) IdentityProvider(name string) (*plenum.IdentityProvider, bool) {
	p, ok := s.providers[name]
	return p, ok
}
