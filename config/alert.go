package config

import (
	"net/url"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
)

// Alert tells somebody by webhook that a budget or a limit is used up to a part of it.
type Alert struct {
	Name    string        `conf:"name" required:"yes" doc:"What it is called in what is sent."`
	Of      []string      `conf:"of" doc:"The budgets and limits that it is for, by name; left out it is every budget."`
	At      []int         `conf:"at" doc:"At how many percent of the amount something is sent, once for each window; left out it is 50, 80 and 100. A call that is refused when 90 and more are used counts as 100; of calls at the same time, any that is refused."`
	URL     plenum.Secret `conf:"url" required:"yes" doc:"Where it is sent to, by POST. It is kept like a secret, for many services have one in it."`
	Secret  plenum.Secret `conf:"secret" required:"yes" doc:"What it is signed with, at least 16 characters: the key itself, or whsec_ and the key in base64."`
	Network string        `conf:"network" default:"auto" enum:"auto public private any" doc:"What url may reach, as for connections."`
}

// alerts checks the alerts and gives them to the bounds that they are for.
func (c *compiler) alerts(bounds []Bound) {
	seen := map[string]bool{}
	for i := range c.file.Alerts {
		a, path := c.file.Alerts[i], index("alerts", i)
		if seen[a.Name] {
			c.fail(path+".name", "%q is the name of another alert as well", clip(a.Name))
		}
		seen[a.Name] = true
		u, err := url.Parse(a.URL.Reveal())
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			c.fail(path+".url", "must be an address that begins with https:// or http://")
			continue
		}
		if len(a.Secret.Reveal()) < shortestSecret {
			c.fail(path+".secret", "is shorter than %d characters", shortestSecret)
		}
		if a.Network == "auto" {
			a.Network = string(outbound.Public)
			if c.origin(path) != "" && outbound.Named(u.Hostname()) {
				a.Network = string(outbound.Private)
			}
		}
		c.thresholds(&a, path)
		c.snap.Alerts = append(c.snap.Alerts, &a)
		c.alertOf(&a, path, bounds)
	}
}

func (c *compiler) thresholds(a *Alert, path string) {
	if len(a.At) == 0 {
		a.At = []int{50, 80, 100}
	}
	for i, at := range a.At {
		if at < 1 || at > 1000 {
			c.fail(index(path+".at", i), "%d is no percentage from 1 to 1000", at)
		}
	}
}

// alertOf gives an alert to the bounds that it is for.
func (c *compiler) alertOf(a *Alert, path string, bounds []Bound) {
	found := map[string]bool{}
	for i := range bounds {
		b := &bounds[i]
		if len(a.Of) == 0 && b.Counts == Money || slices.Contains(a.Of, b.Name) {
			b.Alerts = append(b.Alerts, a)
			found[b.Name] = true
		}
	}
	for i, name := range a.Of {
		if !found[name] {
			var names []string
			for j := range bounds {
				names = append(names, bounds[j].Name)
			}
			c.fail(index(path+".of", i), "there is no budget and no limit %q%s", clip(name), suggest(name, names))
		}
	}
}
