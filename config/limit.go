package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// bounds checks the budgets and the limits, and returns what calls are held to.
func (c *compiler) bounds() []Bound {
	var budgets, limits []bounded
	for i := range c.file.Budgets {
		b, path := &c.file.Budgets[i], index("budgets", i)
		budgets = append(budgets, bounded{path: path, within: b.Within, Bound: Bound{
			Name: b.Name, Account: b.Name, Counts: Money, Scope: b.Scope, Per: b.Per, Amount: int64(b.Amount),
			Window: c.window(&b.Window, b.Zone, path), Soft: b.Kind == "soft",
		}})
	}
	for i := range c.file.Limits {
		l, path := &c.file.Limits[i], index("limits", i)
		limits = append(limits, bounded{path: path, within: l.Within, Bound: Bound{
			Name: l.Name, Account: "[" + l.Counts + "]" + l.Name, Counts: l.Counts, Scope: l.Scope, Per: l.Per, Amount: int64(l.Amount),
			Window: c.limit(l, path), Soft: l.Kind == "soft",
		}})
	}
	c.bounded("budget", budgets)
	c.bounded("limit", limits)
	var out []Bound
	for _, b := range slices.Concat(budgets, limits) {
		out = append(out, b.Bound)
	}
	for i := range c.file.Deployments {
		out = append(out, limitsOf(&c.file.Deployments[i])...)
	}
	return out
}

// limit checks what concerns limits alone, and returns the window that one is for.
func (c *compiler) limit(l *Limit, path string) plenum.Window {
	exact := map[string]string{"requests": "requests", "concurrent": "calls at the same time"}[l.Counts]
	if l.Kind == "soft" && exact != "" {
		c.fail(path+".kind", "%s are counted, not estimated: only a limit of tokens can be soft", exact)
	}
	w := c.window(&l.Window, l.Zone, path)
	if l.Counts != "concurrent" {
		return w
	}
	if l.Window.Rolling != time.Minute {
		c.fail(path+".window", "calls at the same time have no window: leave it out")
	}
	return plenum.Window{Period: plenum.InTotal, Zone: time.UTC}
}

// window completes a window with its zone.
func (c *compiler) window(w *plenum.Window, name, path string) plenum.Window {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		c.fail(path+".zone", "%q is no time zone; say one as Europe/Berlin or America/New_York, or UTC", clip(name))
	}
	w.Zone = zone
	return *w
}

// limitsOf returns the limits that a deployment has of its own.
func limitsOf(d *Deployment) []Bound {
	var out []Bound
	minute := plenum.Window{Rolling: time.Minute, Zone: time.UTC}
	for _, l := range []struct {
		counts string
		amount int
		window plenum.Window
	}{
		{"requests", d.Limits.RequestsPerMinute, minute},
		{"tokens", d.Limits.TokensPerMinute, minute},
		{"concurrent", d.Limits.Concurrent, plenum.Window{Period: plenum.InTotal, Zone: time.UTC}},
	} {
		if l.amount > 0 {
			out = append(out, Bound{
				Name: "deployment " + d.Name, Account: "[" + l.counts + "][deployment]" + d.Name, Counts: l.counts, Scope: Scope{Deployment: d.Name},
				Amount: int64(l.amount), Window: l.window, Soft: l.counts == "tokens",
			})
		}
	}
	return out
}

// bounded is a budget or a limit while it is checked.
type bounded struct {
	Bound
	path, within string
	done         bool // its scope is that of what it is within as well
}

// bounded checks what budgets, or limits, say of each other and of what they hold for, and has each that is within another
// count only what that one counts.
func (c *compiler) bounded(what string, list []bounded) {
	byName := map[string]*bounded{}
	for i := range list {
		b := &list[i]
		if byName[b.Name] != nil {
			c.fail(b.path+".name", "%q is the name of another %s as well", clip(b.Name), what)
		}
		byName[b.Name] = b
		if strings.ContainsAny(b.Name, "[]") {
			c.fail(b.path+".name", "%q has a bracket in it, which is kept for the parts of a %s", clip(b.Name), what)
		}
		if d := b.Scope.Deployment; d != "" && !slices.Contains(c.deploymentNames(), d) {
			c.fail(b.path+".scope.deployment", "there is no deployment %q%s", clip(d), suggest(d, c.deploymentNames()))
		}
		c.organization(b.Scope.Organization, b.path+".scope.organization")
		c.ofOrganization(&b.Scope, b.path+".scope.organization")
		if p := b.Scope.Provider; p != "" && c.kinds[p] == nil {
			c.fail(b.path+".scope.provider", "there is no provider %q%s", clip(p), suggest(p, slices.Sorted(maps.Keys(c.kinds))))
		}
	}
	for i := range list {
		c.within(what, &list[i], byName, nil)
	}
}

// within narrows the scope of a budget or limit to that of the one that it is a part of. The trail is of those that are a part of it.
func (c *compiler) within(what string, b *bounded, byName map[string]*bounded, trail []string) {
	if b.within == "" || b.done {
		return
	}
	if at := slices.Index(trail, b.Name); at >= 0 {
		c.fail(b.path+".within", "goes in a circle: %s is within %s", strings.Join(trail[at:], " is within "), b.Name)
		return
	}
	outer := byName[b.within]
	if outer == nil {
		c.fail(b.path+".within", "there is no %s %q%s", what, clip(b.within), suggest(b.within, slices.Sorted(maps.Keys(byName))))
		return
	}
	c.within(what, outer, byName, append(trail, b.Name))
	scope, field := b.Scope.and(&outer.Scope)
	switch {
	case field != "":
		c.fail(b.path+".scope."+field, "counts no call: %s %q, which it is within, is of the %s %q", what, clip(outer.Name), field, clip(outer.Scope.field(field)))
	case outer.Counts == b.Counts && outer.Per == "" && b.Per == "" && sameWindow(outer.Window, b.Window) && b.Amount > outer.Amount:
		c.fail(b.path, "can never be used up: its amount is more than that of %q, which it is within", clip(outer.Name))
	}
	c.ofOrganization(&scope, b.path+".within")
	b.Scope, b.done = scope, true
}

// ofOrganization fails where a scope asks for a project that is not of the organization that it asks for.
func (c *compiler) ofOrganization(s *Scope, path string) {
	if s.Organization == "" || s.Project == "" {
		return
	}
	if of := c.snap.OrganizationOf(s.Project); of != s.Organization {
		c.fail(path, "counts no call: the project %q is not of the organization %q", clip(s.Project), clip(s.Organization))
	}
}

func sameWindow(a, b plenum.Window) bool {
	return a.Period == b.Period && a.Rolling == b.Rolling && a.Zone.String() == b.Zone.String()
}

// and returns the scope of what fits both, or the field in which nothing can.
func (s Scope) and(o *Scope) (both Scope, never string) {
	for _, f := range []struct {
		name    string
		a, b, t *string
	}{
		{"organization", &s.Organization, &o.Organization, &both.Organization},
		{"project", &s.Project, &o.Project, &both.Project},
		{"member", &s.Member, &o.Member, &both.Member},
		{"key", &s.Key, &o.Key, &both.Key},
		{"provider", &s.Provider, &o.Provider, &both.Provider},
		{"publisher", &s.Publisher, &o.Publisher, &both.Publisher},
		{"model", &s.Model, &o.Model, &both.Model},
		{"deployment", &s.Deployment, &o.Deployment, &both.Deployment},
	} {
		*f.t = cmp.Or(*f.a, *f.b)
		if *f.a != "" && *f.b != "" && *f.a != *f.b {
			never = f.name
		}
	}
	return both, never
}

// field returns what a scope asks for in a field.
func (s *Scope) field(name string) string {
	for _, f := range s.fields() {
		if f.field == name {
			return f.value
		}
	}
	return ""
}
