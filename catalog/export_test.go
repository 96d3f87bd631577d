package catalog

import (
	"iter"
	"strings"
)

// All yields every entry of a provider, for tests.
func All(c *Catalog, kind string) iter.Seq2[string, Facts] {
	return func(yield func(string, Facts) bool) {
		p, ok := c.provider(kind)
		if !ok {
			return
		}
		for i := range p.file.Offers {
			if o := &p.file.Offers[i]; !yield(o.ID, p.facts(o)) {
				return
			}
		}
	}
}

// AlsoOf returns the other ids of an offer.
func AlsoOf(c *Catalog, kind, id string) []string {
	p, _ := c.provider(kind)
	return p.byID[strings.ToLower(id)].Also
}
