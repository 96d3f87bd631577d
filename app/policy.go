package app

import (
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/policy"
)

// policies compiles those of a configuration that are in force, and checks the others. Keys come and go more often than
// policies: those that are the same as before are not compiled again.
func (c *compiler) policies(list []config.Policy) (any, []config.PolicyFault) {
	if len(list) > 0 && slices.Equal(list, c.judged) {
		return handle(c.judges), nil
	}
	var enabled []policy.Source
	var at []int // where in the list they stand
	var out []config.PolicyFault
	for i, p := range list {
		src := policy.Source{Name: p.Name, Text: p.Cedar}
		if p.Enabled {
			enabled, at = append(enabled, src), append(at, i)
			continue
		}
		for _, f := range policy.Check(src) {
			out = append(out, config.PolicyFault{Policy: i, Message: f.Error()})
		}
	}
	s, faults := policy.Compile(enabled, c.lifecycle)
	for _, f := range faults {
		out = append(out, config.PolicyFault{Policy: at[f.Policy], Message: f.Error()})
	}
	if len(out) == 0 {
		c.judged, c.judges = slices.Clone(list), s
	}
	return handle(s), out
}

// handle is what a snapshot keeps of policies: nothing where there are none. Each remembers its own decisions.
func handle(s *policy.Set) any {
	if s == nil {
		return nil
	}
	return s.Fresh()
}

// lifecycle returns in which part of its life the model of an offer is, as the catalog and its names say.
func (c *compiler) lifecycle(o *plenum.Offer) string {
	known, ok := c.catalog.Offer(o.Provider, o.Upstream)
	_, model := c.catalog.Model(o.Model)
	switch {
	case ok && known.Retired:
		return "deprecated"
	case early(o.Upstream) || early(o.Model) || early(known.Model):
		return "preview"
	case ok || model:
		return "ga"
	}
	return "unknown"
}

// early reports whether a model's name says that it is not meant for production yet.
func early(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"preview", "beta", "alpha", "exp", "experimental", "nightly"}, w)
	})
}
