package app

import (
	"cmp"
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/policy"
)

// policies compiles those of a configuration that are in force, and checks the others. Keys come and go more often than
// policies: those that are the same as before are not compiled again.
func (c *compiler) policies(list []config.Policy) (any, []config.PolicyFault) {
	if len(list) > 0 && c.judgedBy == c.catalog && slices.Equal(list, c.judged) {
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
	s, faults := policy.Compile(enabled, knowing{c.catalog}.knows)
	for _, f := range faults {
		out = append(out, config.PolicyFault{Policy: at[f.Policy], Message: f.Error()})
	}
	if len(out) == 0 {
		c.judged, c.judgedBy, c.judges = slices.Clone(list), c.catalog, s
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

// knowing is what policies are told of offers by a catalog. A snapshot keeps the one that it was compiled with.
type knowing struct{ catalog *catalog.Catalog }

// lifecycle returns in which part of its life the model of an offer is on a day, as the catalog knows it: nothing is guessed
// from what a model is called.
func (k knowing) lifecycle(o *plenum.Offer, day string) string {
	if known, ok := k.catalog.Offer(o.Provider, o.Upstream); ok {
		return string(known.Life.At(day))
	}
	m, ok := k.catalog.Model(o.Model)
	switch stage := m.Life.At(day); {
	case stage != "":
		return string(stage)
	case ok:
		return string(catalog.GA)
	}
	return "unknown"
}

// knows returns what policies can read of an offer besides what is declared of it.
func (k knowing) knows(o *plenum.Offer, at time.Time) policy.Known {
	m, _ := k.catalog.Model(o.Model)
	return policy.Known{Lifecycle: k.lifecycle(o, at.UTC().Format(time.DateOnly)), License: cmp.Or(o.License, m.License)}
}
