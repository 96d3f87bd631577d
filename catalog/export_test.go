package catalog

import "iter"

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
