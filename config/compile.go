package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Options are what compiling needs to know from elsewhere.
type Options struct {
	// Kinds are the providers that there are.
	Kinds []Kind
	// Offer returns what the catalog knows of a model at a provider: Model, Context, MaxOutput, Traits
	// and Price. The model's name in the catalog is given where the deployment says it, for places
	// where people choose the ids. Nil knows nothing.
	Offer func(provider, upstream, model string) (plenum.Offer, bool)
	// Probed returns what was found out of an offer by asking it. It comes before what the catalog says and
	// behind what is declared. Nil knows nothing.
	Probed func(offer string) plenum.Capabilities
	// MAC returns what a key's secret is looked up by.
	MAC func(plenum.Secret) [32]byte
	// Connect makes what calls need of a connection; an error is told with the connection's place. Nil
	// makes nothing.
	Connect func(*Connection) (any, error)
	// Redact makes what takes out of what is kept, or says what is wrong with how that is declared. Nil makes nothing.
	Redact func(*Content) (any, error)
	// Policies makes what calls need of the policies, and tells what is wrong with them. Nil makes nothing.
	Policies func([]Policy) (any, []PolicyFault)
	// Keys are those kept in the store.
	Keys []plenum.Key
	// Sequence is how many snapshots came before.
	Sequence uint64
}

// PolicyFault is what is wrong with a policy, by its number in the list.
type PolicyFault struct {
	Policy  int
	Message string // with its place within the policy
}

// Kind is what is to be known of a kind of provider.
type Kind struct {
	Name    string
	BaseURL string // where it is if the connection does not say; "" where it must
	Fields  []Field
	Traits  plenum.Traits
}

// Field is a setting or a credential of a Kind.
type Field struct {
	Name     string
	Secret   bool
	Required bool
	Unless   []string // settings or credentials in whose presence it is not required
	Env      []string // environment variables in which the vendor's own tools look for it
	Default  string
}

// Compile checks what the parts of a file say of each other and returns what it means. Its error is
// Problems, with those of Parse among them.
func Compile(f *File, o Options) (*Snapshot, error) {
	c := &compiler{file: f, opt: o, kinds: map[string]*Kind{}, snap: &Snapshot{
		Version:     fmt.Sprintf("%d-%x", o.Sequence, f.source.digest[:4]),
		Declared:    f,
		connections: map[string]*Connected{},
		exact:       map[string]*plenum.Deployment{},
		keys:        map[[32]byte]*plenum.Key{},
	}}
	for i := range o.Kinds {
		c.kinds[o.Kinds[i].Name] = &o.Kinds[i]
	}
	c.snap.offer = c.describe
	c.server()
	c.organizations()
	c.projects()
	c.members()
	c.serviceAccounts()
	c.issuers()
	c.desk()
	c.providers()
	c.connections()
	c.deployments()
	bounds := c.bounds()
	c.alerts(bounds)
	c.policies()
	c.content()
	c.keys()
	c.snap.Bounds = newBounds(bounds)
	if err := c.all().asError(); err != nil {
		return nil, err
	}
	return c.snap, nil
}

// all returns the problems of the text, and of what it says those that do not merely follow from them.
func (c *compiler) all() Problems {
	out := slices.Clone(c.file.source.problems)
	for _, p := range c.problems {
		follows := func(q Problem) bool {
			return strings.HasPrefix(p.Path, q.Path) || strings.HasPrefix(q.Path, p.Path)
		}
		if !slices.ContainsFunc(c.file.source.problems, follows) {
			out = append(out, p)
		}
	}
	return out
}

// compiler turns a file into a snapshot and collects every problem on the way.
type compiler struct {
	file     *File
	opt      Options
	kinds    map[string]*Kind
	snap     *Snapshot
	problems Problems
}

func (c *compiler) fail(path, format string, args ...any) {
	c.problems.add(&c.file.source, path, format, args...)
}

// origin returns the file that declares what stands at a path; "" where it is kept elsewhere.
func (c *compiler) origin(path string) string {
	if _, _, ok := c.file.source.keptAt(path); ok {
		return ""
	}
	return c.file.source.name
}

// at joins a list's name, an item's number and a member into a path.
func at(list string, i int, member string) string {
	p := index(list, i)
	if member != "" {
		p += "." + member
	}
	return p
}

func (c *compiler) deployments() {
	taken := map[string]string{} // names and aliases, and the paths that took them
	for i := range c.file.Deployments {
		c.deployment(&c.file.Deployments[i], index("deployments", i), taken)
	}
	for i := range c.file.Deployments {
		c.aliases(i, taken)
	}
	rank(c.snap.patterns)
}

// deployment checks and compiles one deployment, and takes its name.
func (c *compiler) deployment(d *Deployment, path string, taken map[string]string) {
	if fault := nameFault(d.Name, false); fault != "" {
		c.fail(path+".name", "%q %s", clip(d.Name), fault)
	} else if other, ok := taken[d.Name]; ok {
		c.fail(path+".name", "%q is the name of %s as well", d.Name, other)
	}
	taken[d.Name] = path
	out := &plenum.Deployment{
		Name: d.Name, Aliases: d.Aliases, Model: d.Model, Strategy: plenum.Strategy(d.Strategy),
		Parameters: plenum.ParamPolicy(d.Parameters), RefuseLoss: d.Lossy == "refuse",
		Structured: plenum.Structured(d.Structured),
		Lifecycle:  d.Lifecycle == "allow", Opaque: d.Opaque == "allow",
		UnknownIDs: d.UnknownIDs == "allow", SharedIDs: d.SharedIDs,
		Guardrail: d.Guardrail, Declared: c.origin(path),
		Retry: plenum.Retry(c.file.Retry), Keep: d.Keep,
	}
	if d.Retry != nil {
		out.Retry = plenum.Retry(*d.Retry)
	}
	c.targets(d, out, path)
	c.snap.Deployments = append(c.snap.Deployments, out)
	if len(out.Targets) == 0 || follows(out) {
		return
	}
	if out.Model == "" {
		out.Model = out.Targets[0].Offer.Model
	}
	c.snap.exact[d.Name] = out
	c.snap.names = append(c.snap.names, d.Name)
}

// aliases takes the aliases of the i-th deployment, when every name has been taken: a name always wins
// over an alias, wherever it stands.
func (c *compiler) aliases(i int, taken map[string]string) {
	d, compiled := &c.file.Deployments[i], c.snap.Deployments[i]
	stars := 0
	for j, alias := range d.Aliases {
		path := index(at("deployments", i, "aliases"), j)
		if fault := nameFault(alias, true); fault != "" {
			c.fail(path, "%q %s", clip(alias), fault)
			continue
		}
		if other, ok := taken[alias]; ok {
			c.fail(path, "%q is taken by %s", alias, other)
			continue
		}
		taken[alias] = path
		stars += c.alias(alias, compiled, path)
	}
	if follows(compiled) && stars == 0 {
		c.fail(at("deployments", i, ""), "a target's upstream_model has *, so there must be an alias with * that says what it stands for")
	}
}

// alias enters one alias and returns how many * it has.
func (c *compiler) alias(alias string, d *plenum.Deployment, path string) int {
	n := strings.Count(alias, "*")
	switch {
	case follows(d) && n != 1:
		c.fail(path, "%q must have one *, for a target's upstream_model has * and stands for what this one matches", alias)
	case n > 0:
		c.snap.patterns = append(c.snap.patterns, newPattern(alias, d))
	case len(d.Targets) > 0:
		c.snap.exact[alias] = d
		c.snap.names = append(c.snap.names, alias)
	}
	return n
}

func (c *compiler) targets(d *Deployment, out *plenum.Deployment, path string) {
	if len(d.Targets) == 0 {
		c.fail(path, "targets is empty: there must be at least one")
	}
	weight, seen := 0, map[string]int{}
	for j := range d.Targets {
		t, here := &d.Targets[j], index(path+".targets", j)
		target, ok := c.target(t, d, here)
		if !ok {
			continue
		}
		if first, twice := seen[target.Offer.ID]; twice {
			c.fail(here, "is the same offer as targets[%d]", first)
		}
		seen[target.Offer.ID] = j
		weight += t.Weight
		out.Targets = append(out.Targets, target)
	}
	if weight == 0 && len(out.Targets) > 0 && len(out.Targets) == len(d.Targets) {
		c.fail(path+".targets", "all weights are 0, so that no target could be chosen")
	}
	slices.SortStableFunc(out.Targets, func(a, b plenum.Target) int { return a.Priority - b.Priority })
}

// target compiles one target; false if its connection does not exist.
func (c *compiler) target(t *Target, d *Deployment, path string) (plenum.Target, bool) {
	conn, ok := c.snap.connections[t.Connection]
	if !ok && c.file.source.spoiled("connections") {
		return plenum.Target{}, false
	}
	if !ok {
		c.fail(path+".connection", "there is no connection %q%s", clip(t.Connection), suggest(t.Connection, c.connectionNames()))
		return plenum.Target{}, false
	}
	o := plenum.Offer{
		Connection: conn.Name, Provider: conn.Provider, Model: d.Model, Upstream: t.Upstream, Region: conn.Region,
	}
	if o.Upstream == "" {
		o.Upstream = d.Name
	}
	if t.Region != "" {
		o.Region = t.Region
	}
	if len(o.Upstream) > longestName || strings.ContainsFunc(o.Upstream, isControl) {
		c.fail(path+".upstream_model", "is longer than 256 characters or holds control characters")
		return plenum.Target{}, false
	}
	o.ID = o.Connection + "/" + o.Upstream
	o.Terms, o.License = cmp.Or(t.Terms, conn.Terms), t.License
	c.knownTerms(t.Terms, path)
	o.Context, o.MaxOutput = t.Context, t.MaxOutput
	t.Traits.over(&o.Traits)
	if t.Price != nil && t.Price.Hours != nil {
		for name, at := range map[string]string{"from": t.Price.Hours.From, "to": t.Price.Hours.To} {
			if _, err := minuteOf(at); err != nil {
				c.fail(path+".price.hours."+name, "%q is not a time of the day such as 16:30", clip(at))
				return plenum.Target{}, false
			}
		}
	}
	t.Price.over(&o.Price)
	if !strings.Contains(o.Upstream, "*") {
		c.describe(&o)
	}
	return plenum.Target{Offer: o, Weight: t.Weight, Priority: t.Priority}, true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (c *compiler) connectionNames() []string {
	var out []string
	for i := range c.file.Connections {
		out = append(out, c.file.Connections[i].Name)
	}
	return out
}

// describe completes an offer: what is declared stays, then what was probed, then the catalog speaks, then the
// provider.
func (c *compiler) describe(o *plenum.Offer) {
	if c.opt.Probed != nil {
		o.Traits.Capabilities = mergeCapabilities(c.opt.Probed(o.ID), o.Traits.Capabilities)
	}
	if c.opt.Offer != nil {
		if known, ok := c.opt.Offer(o.Provider, o.Upstream, o.Model); ok {
			complete(o, &known)
		}
	}
	if k, ok := c.kinds[o.Provider]; ok {
		o.Traits = mergeTraits(k.Traits, o.Traits)
	}
}

// complete fills what an offer leaves open from what the catalog knows.
func complete(o, known *plenum.Offer) {
	if o.Model == "" {
		o.Model = known.Model
	}
	if o.Context == 0 {
		o.Context = known.Context
	}
	if o.MaxOutput == 0 {
		o.MaxOutput = known.MaxOutput
	}
	if !o.Price.Known {
		o.Price = known.Price
	}
	o.Traits = mergeTraits(known.Traits, o.Traits)
}
