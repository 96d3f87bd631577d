package config

import (
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/near"
)

// Snapshot is a compiled configuration. It never changes; a call keeps the one that it began with.
type Snapshot struct {
	// Version tells snapshots apart in records: how many came before it, and a hash of its text.
	Version string
	// Declared is what was written, with its defaults. It must not be changed.
	Declared *File
	// Deployments are all deployments, in the order of the file.
	Deployments []*plenum.Deployment
	// Bounds are all budgets and limits.
	Bounds Bounds
	// Alerts are all alerts, with what they leave out filled in.
	Alerts []*Alert
	// Redactor is what Options.Redact returned for projects that say nothing themselves; nil where nothing is taken out.
	Redactor any
	// Policies is what Options.Policies returned. This package never looks at it.
	Policies any

	organizations map[string]*plenum.Organization
	projects      map[string]*plenum.Project
	keepings      map[string]*keeping // by project
	members       map[string]*plenum.Member
	providers     map[string]*plenum.IdentityProvider
	issuers       map[string]*plenum.Issuer // by what their tokens have in iss
	publishers    map[string]*Publisher
	terms         map[string]*UseTerms
	accepted      map[[2]string]bool // a project, and the name of terms
	connections   map[string]*Connected
	exact         map[string]*plenum.Deployment
	names         []string // what exact holds, in the order of the file
	patterns      []pattern
	keys          map[[32]byte]*plenum.Key
	byID          sync.Once
	ids           map[string]*plenum.Key // filled by byID
	offer         func(*plenum.Offer)
	bound         memo
}

// Connected is a connection with what the program made of it.
type Connected struct {
	Connection
	// Handle is what Options.Connect returned: the program keeps its provider here, so that a call
	// uses the one of its own snapshot. This package never looks at it.
	Handle any
}

// Connection returns the connection of a name.
func (s *Snapshot) Connection(name string) (*Connected, bool) {
	c, ok := s.connections[name]
	return c, ok
}

// Same reports whether nothing about a connection differs, so that what was built for the one (its
// open connections above all) can serve the other.
func (c *Connection) Same(o *Connection) bool { return reflect.DeepEqual(c, o) }

// Key returns the key whose secret has this MAC. Whether it is still good is for the caller to judge.
func (s *Snapshot) Key(mac [32]byte) (*plenum.Key, bool) {
	k, ok := s.keys[mac]
	return k, ok
}

// KeyByID returns the key of an id, or the account of an issuer that has it: for work that goes on after the request that began it. Whether it is still
// good is for the caller to judge.
func (s *Snapshot) KeyByID(id string) (*plenum.Key, bool) {
	s.byID.Do(func() {
		s.ids = make(map[string]*plenum.Key, len(s.keys))
		for _, k := range s.keys {
			s.ids[k.ID] = k
		}
		for _, is := range s.issuers {
			for i := range is.Accounts {
				s.ids[is.Accounts[i].Key.ID] = &is.Accounts[i].Key
			}
		}
	})
	k, ok := s.ids[id]
	return k, ok
}

// Deployment returns what a name in `model` stands for: the deployment of exactly that name or alias,
// or else the one whose pattern fits best. The * in a target's model is filled in.
func (s *Snapshot) Deployment(name string) (*plenum.Deployment, bool) {
	if d, ok := s.exact[name]; ok {
		return d, true
	}
	if len(name) > longestName {
		return nil, false
	}
	for i := range s.patterns {
		p := &s.patterns[i]
		if run, ok := p.match(name); ok {
			return s.bind(p.deployment, name, run), true
		}
	}
	return nil, false
}

// bind returns the deployment with what * matched in place of * in its targets' models. It remembers
// the answer, within bounds.
func (s *Snapshot) bind(d *plenum.Deployment, name, run string) *plenum.Deployment {
	if !follows(d) {
		return d
	}
	if b, ok := s.bound.get(name); ok {
		return b
	}
	b := *d
	b.Targets = append([]plenum.Target(nil), d.Targets...)
	for i := range b.Targets {
		o := &b.Targets[i].Offer
		if strings.Contains(o.Upstream, "*") {
			o.Upstream = strings.ReplaceAll(o.Upstream, "*", run)
			o.ID = o.Connection + "/" + o.Upstream
			s.offer(o)
		}
	}
	if b.Model == "" {
		b.Model = b.Targets[0].Offer.Model
	}
	return s.bound.put(name, &b)
}

// follows reports whether a target of the deployment takes its model from the name that was asked.
func follows(d *plenum.Deployment) bool {
	for i := range d.Targets {
		if strings.Contains(d.Targets[i].Offer.Upstream, "*") {
			return true
		}
	}
	return false
}

// Callable returns the deployments that can be called by their own name, in the order of the file:
// all but those that take their model from the name that was asked.
func (s *Snapshot) Callable() []*plenum.Deployment {
	out := make([]*plenum.Deployment, 0, len(s.Deployments))
	for _, d := range s.Deployments {
		if !follows(d) {
			out = append(out, d)
		}
	}
	return out
}

// Nearest returns up to n names that someone who asked for an unknown one may have meant.
func (s *Snapshot) Nearest(name string, n int) []string { return near.Names(name, s.names, n) }

// NeedsRestart names the fields in which the two differ and that only a restart takes over.
func (s *Snapshot) NeedsRestart(next *Snapshot) []string {
	return differ(reflect.ValueOf(s.Declared).Elem(), reflect.ValueOf(next.Declared).Elem(), "")
}

func differ(a, b reflect.Value, path string) []string {
	var out []string
	for _, f := range fieldsOf(a.Type()) {
		av, bv := a.Field(f.index), b.Field(f.index)
		here := join(path, f.name)
		switch {
		case f.restart && !reflect.DeepEqual(av.Interface(), bv.Interface()):
			out = append(out, here)
		case !f.restart && isStruct(f.typ):
			out = append(out, differ(av, bv, here)...)
		}
	}
	return out
}

// memo remembers bound deployments by the name that was asked. Callers choose the names, so it stops
// growing rather than keep them all.
type memo struct {
	m sync.Map
	n atomic.Int32
}

const mostBound = 4096

func (m *memo) get(name string) (*plenum.Deployment, bool) {
	d, ok := m.m.Load(name)
	if !ok {
		return nil, false
	}
	return d.(*plenum.Deployment), true
}

func (m *memo) put(name string, d *plenum.Deployment) *plenum.Deployment {
	if m.n.Load() >= mostBound {
		return d
	}
	kept, loaded := m.m.LoadOrStore(strings.Clone(name), d)
	if !loaded {
		m.n.Add(1)
	}
	return kept.(*plenum.Deployment)
}

// Current holds the snapshot that new calls begin under, and why the newest text is not it.
type Current struct {
	snapshot atomic.Pointer[Snapshot]
	failure  atomic.Pointer[error]
}

// Load returns the snapshot; nil before the first.
func (c *Current) Load() *Snapshot { return c.snapshot.Load() }

// Store publishes a snapshot and forgets the last failure.
func (c *Current) Store(s *Snapshot) {
	c.snapshot.Store(s)
	c.failure.Store(nil)
}

// Fail notes why a newer text was not taken; the snapshot stays.
func (c *Current) Fail(err error) { c.failure.Store(&err) }

// Err returns why the newest text was not taken, or nil if the snapshot is what it says.
func (c *Current) Err() error {
	if p := c.failure.Load(); p != nil {
		return *p
	}
	return nil
}
