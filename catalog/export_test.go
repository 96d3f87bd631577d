package catalog

import "iter"

// All yields every entry of a provider, for tests.
func All(c *Catalog, kind string) iter.Seq2[string, Facts] {
	return func(yield func(string, Facts) bool) {
		p, ok := c.provider(kind)
		if !ok {
			return
		}
		for n := range p.lines {
			o := p.kept(uint32(n))
			if !yield(o.ID, factsOf(o)) {
				return
			}
		}
	}
}

// AlsoOf returns the other ids of an offer.
func AlsoOf(c *Catalog, kind, id string) []string {
	p, _ := c.provider(kind)
	return p.byID(kind, id).Also
}
