package plenum

// IdentityProvider signs people in: an OpenID Connect provider.
type IdentityProvider struct {
	Name     string
	Title    string // what people call it
	Issuer   string // its address, to the letter
	ClientID string
	Secret   Secret // empty for a public client, which has proof by PKCE alone
	Scopes   []string
	Member   string   // the claim that names the member
	Groups   string   // the claim that lists groups
	Domains  []string // what stands behind the @ of members' names; empty is anything
	Roles    []GroupRole
	CA       string // file of the certificates to trust instead of the system's
	Declared string // the file that declares it; "" where it is kept in the store
}

// GroupRole is what the members of a group may do.
type GroupRole struct {
	Group string // "*" is everybody whom the provider signs in
	Grant Grant
}

// Grants returns what somebody in certain groups may do.
func (p *IdentityProvider) Grants(groups []string) []Grant { return Granted(p.Roles, groups) }

// Granted returns what roles of groups give somebody in certain groups.
func Granted(roles []GroupRole, groups []string) []Grant {
	in := map[string]bool{"*": true}
	for _, g := range groups {
		in[g] = true
	}
	var out []Grant
	seen := map[Grant]bool{}
	for _, r := range roles {
		if in[r.Group] && !seen[r.Grant] {
			seen[r.Grant] = true
			out = append(out, r.Grant)
		}
	}
	return out
}
