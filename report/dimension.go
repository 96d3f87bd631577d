package report

import (
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// tagPrefix begins the name of a dimension that is the value of one tag.
const tagPrefix = "tag:"

// organization is the dimension that is not on record: it is that of the project now, so that a project which moves takes along
// what it used.
const organization = "organization"

// dimension is what usage can be summed by.
type dimension struct {
	name   string
	coarse bool     // coarse sums tell it
	needs  []string // the columns of a mix that it is made of
	of     func(*store.Mix) string
}

// dimensions are all but the tags.
func dimensions() []dimension {
	return []dimension{
		{organization, true, []string{"project"}, func(*store.Mix) string { return "" }},
		{"project", true, []string{"project"}, func(m *store.Mix) string { return m.Project }},
		{"member", false, []string{"member"}, func(m *store.Mix) string { return m.Member }},
		{"key", false, []string{"key"}, func(m *store.Mix) string { return m.Key }},
		{"deployment", true, []string{"deployment"}, func(m *store.Mix) string { return m.Deployment }},
		{"model", true, []string{"model"}, func(m *store.Mix) string { return m.Model }},
		{"publisher", true, []string{"model"}, (*store.Mix).Publisher},
		{"provider", true, []string{"provider"}, func(m *store.Mix) string { return m.Provider }},
		{"connection", true, []string{"target", "upstream"}, (*store.Mix).Connection},
		{"target", true, []string{"target"}, func(m *store.Mix) string { return m.Target }},
		{"upstream", true, []string{"upstream"}, func(m *store.Mix) string { return m.Upstream }},
		{"region", true, []string{"region"}, func(m *store.Mix) string { return m.Region }},
		{"dialect", true, []string{"dialect"}, func(m *store.Mix) string { return m.Dialect }},
		{"operation", true, []string{"op"}, func(m *store.Mix) string { return m.Op }},
		{"tags", false, []string{"tags"}, func(m *store.Mix) string { return m.Tags }},
	}
}

// Dimensions are what usage can be summed and chosen by. Beside them there is tag:NAME for each tag.
func Dimensions() []string {
	var out []string
	for _, d := range dimensions() {
		out = append(out, d.name)
	}
	return out
}

func dimensionOf(name string) (dimension, error) {
	if tag, ok := strings.CutPrefix(name, tagPrefix); ok && tag != "" {
		return dimension{name, false, []string{"tags"}, func(m *store.Mix) string { return plenum.Tag(m.Tags, tag) }}, nil
	}
	switch name {
	case "host":
		name = "provider"
	case "vendor":
		name = "publisher"
	}
	all := dimensions()
	i := slices.IndexFunc(all, func(d dimension) bool { return d.name == name })
	if i < 0 {
		return dimension{}, mistake("usage is not summed by %q; there are %s, and tag:NAME", name, strings.Join(Dimensions(), ", "))
	}
	return all[i], nil
}

// dimension returns what usage is to be summed or chosen by.
func (q *Query) dimension(name string) (dimension, error) {
	d, err := dimensionOf(name)
	if d.name == organization && q.OrganizationOf != nil {
		d.of = func(m *store.Mix) string { return q.OrganizationOf(m.Project) }
	}
	return d, err
}

// condition chooses mixes.
type condition struct {
	dimension
	values []string
}

func (c *condition) holds(m *store.Mix) bool { return slices.Contains(c.values, c.of(m)) }
