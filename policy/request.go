package policy

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Action is what somebody wants to do.
type Action string

// The actions.
const (
	Use    Action = "use"    // send a call to an offer
	Deploy Action = "deploy" // make a deployment of an offer
	Own    Action = "own"    // keep something here, or reach what is kept
)

// Request asks whether a caller may do something.
type Request struct {
	Action Action
	Who    *plenum.Principal
	// Deployment and Offer are what a call is sent to; nil for Own.
	Deployment *plenum.Deployment
	Offer      *plenum.Offer
	// The circumstances.
	Op      llm.Op
	Dialect string
	Stream  bool
	Source  string // address; "" where the call comes from nowhere
	Time    time.Time
}

// Decide answers a request. A nil Set allows everything.
func (s *Set) Decide(r *Request) *Decision {
	if s == nil {
		return &Decision{Allowed: true}
	}
	k, fits := s.key(r)
	if fits {
		if known, ok := s.cache.get(&k); ok {
			return known.decision
		}
	}
	d := s.decide(s.facts(r))
	if fits {
		s.cache.put(remembered{key: k, decision: d})
	}
	return d
}

// Ever returns the decision on the way of using an offer that is the first allowed, of all operations, streamed or not;
// where none is, that on the request as it is.
func (s *Set) Ever(r *Request) *Decision {
	first := *r
	first.Op = llm.ModelOperations()[0]
	d := s.Decide(&first)
	if d.Allowed || s == nil || !s.reads.has(readsOperation|readsStream) {
		return d
	}
	for _, op := range llm.ModelOperations() {
		for _, stream := range [...]bool{false, true} {
			way := *r
			way.Op, way.Stream = op, stream
			if d := s.Decide(&way); d.Allowed {
				return d
			}
		}
	}
	return d
}

// facts are a request as policies see it.
type facts struct {
	who, what types.Entity
	request   cedar.Request
}

// Get returns an entity by its id, for Cedar.
func (f *facts) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case f.who.UID:
		return f.who, true
	case f.what.UID:
		return f.what, true
	}
	return types.Entity{}, false
}

var _ types.EntityGetter = (*facts)(nil)

// facts says a request in the words of the schema, with those circumstances that are read. Who and what it is about is
// remembered.
func (s *Set) facts(r *Request) *facts {
	f := &facts{
		who:  s.entity(key{action: "who", who: r.Who.KeyID, member: r.Who.Member}, func() *saying { return principal(r.Who) }),
		what: s.entity(whatOf(r), func() *saying { return s.resource(r) }),
	}
	f.request = cedar.Request{Principal: f.who.UID, Action: uid("Action", string(r.Action)), Resource: f.what.UID}
	if m := circumstances(r, &s.reads); len(m) > 0 {
		f.request.Context = types.NewRecord(m)
	}
	return f
}

// entity returns what is remembered by a key, or makes it.
func (s *Set) entity(k key, say func() *saying) types.Entity {
	if known, ok := s.cache.get(&k); ok {
		return known.entity
	}
	e := say().entity()
	s.cache.put(remembered{key: k, entity: e})
	return e
}

// saying is what is said of an entity, before it is one.
type saying struct {
	uid types.EntityUID
	in  []types.EntityUID
	is  types.RecordMap
}

func (w *saying) entity() types.Entity {
	return types.Entity{UID: w.uid, Parents: types.NewEntityUIDSet(w.in...), Attributes: types.NewRecord(w.is)}
}

func (s *Set) resource(r *Request) *saying {
	if r.Action == Own {
		return kept(r)
	}
	return offer(r, s.knows(r.Offer, r.Time))
}

func (s *Set) knows(o *plenum.Offer, at time.Time) Known {
	var k Known
	if s.known != nil {
		k = s.known(o, at)
	}
	k.Lifecycle = cmp.Or(k.Lifecycle, "unknown")
	return k
}

func uid(kind types.EntityType, id string) types.EntityUID {
	return types.NewEntityUID(kind, asText(id))
}

// within adds what an entity belongs to, where there is such a thing.
func within(list []types.EntityUID, kind types.EntityType, id string) []types.EntityUID {
	if id == "" {
		return list
	}
	return append(list, uid(kind, id))
}

func principal(p *plenum.Principal) *saying {
	w := &saying{uid: uid("Key", p.KeyID)}
	w.in = within(within(within(nil, "Project", p.Project), "Organization", p.Organization), "Member", p.Member)
	groups := make([]types.Value, 0, len(p.Groups))
	for _, g := range p.Groups {
		w.in = within(w.in, "Group", g)
		groups = append(groups, asText(g))
	}
	w.is = types.RecordMap{
		"name": asText(p.KeyName), "project": asText(p.Project), "organization": asText(p.Organization), "member": asText(p.Member), "groups": types.NewSet(groups...),
	}
	return w
}

func kept(r *Request) *saying {
	kind := Kind(r.Op)
	return &saying{uid: uid("Kept", kind), in: within(within(nil, "Project", r.Who.Project), "Organization", r.Who.Organization), is: types.RecordMap{"kind": asText(kind)}}
}

// Kind returns what an operation on what callers own is about: "file", "batch", "answer", "session", "secret" or "key".
func Kind(op llm.Op) string {
	switch op {
	case llm.OpKept:
		return "answer"
	case llm.OpSession:
		return "session"
	case llm.OpClientSecret:
		return "secret"
	}
	kind, _, _ := strings.Cut(string(op), ".")
	return kind
}

func offer(r *Request, known Known) *saying {
	o, d := r.Offer, r.Deployment
	model := o.Model
	if model == "" {
		model = d.Model
	}
	publisher, _, named := strings.Cut(model, "/")
	if !named {
		publisher = ""
	}
	w := &saying{uid: uid("Offer", o.ID)}
	for _, in := range [...]struct {
		kind types.EntityType
		id   string
	}{{"Publisher", publisher}, {"Model", model}, {"Provider", o.Provider}, {"Connection", o.Connection}, {"Deployment", d.Name}} {
		w.in = within(w.in, in.kind, in.id)
	}
	w.is = types.RecordMap{
		"publisher": asText(publisher), "model": asText(model), "provider": asText(o.Provider), "connection": asText(o.Connection),
		"deployment": asText(d.Name), "upstream": asText(o.Upstream), "region": asText(o.Region), "lifecycle": asText(known.Lifecycle), "license": asText(known.License),
		"guardrail": asText(d.Guardrail), "capabilities": capabilities(&o.Traits.Capabilities),
	}
	if o.Context > 0 {
		w.is["context"] = types.Long(o.Context)
	}
	if o.Price.Known {
		p := o.Price.On(r.Time)
		w.is["price_in"], w.is["price_out"] = dollars(p.Input), dollars(p.Output)
	}
	return w
}

// capabilities are those that an offer is known to have.
func capabilities(c *plenum.Capabilities) types.Set {
	var have []types.Value
	for _, x := range [...]struct {
		name string
		has  plenum.Tri
	}{
		{"tools", c.Tools},
		{"images", c.Images},
		{"documents", c.Documents},
		{"audio", c.Audio},
		{"schema", c.Schema},
		{"thinking", c.Thinking},
		{"streaming", c.Streaming},
		{"logprobs", c.Logprobs},
	} {
		if x.has == plenum.Yes {
			have = append(have, asText(x.name))
		}
	}
	return types.NewSet(have...)
}

// dollars is a rate as policies see it, in dollars for a million tokens. Cedar's decimals have four digits after the
// point; what is less is rounded up, so that no price looks like none.
func dollars(r plenum.Rate) types.Decimal {
	const digits = 100                                       // a rate's micro-dollars in a decimal's smallest part
	d, _ := types.NewDecimal(int64((r+digits-1)/digits), -4) // it fits: it is a part of an int64
	return d
}

// circumstances are what policies read of the circumstances: to say what nobody reads would cost something on each call.
func circumstances(r *Request, reads *reads) types.RecordMap {
	m := types.RecordMap{}
	put := func(w circumstance, name types.String, v func() types.Value) {
		if reads.has(w) {
			m[name] = v()
		}
	}
	at := r.Time.UTC()
	put(readsOperation, "operation", func() types.Value { return asText(string(r.Op)) })
	put(readsDialect, "dialect", func() types.Value { return asText(r.Dialect) })
	put(readsStream, "stream", func() types.Value { return types.Boolean(r.Stream) })
	put(readsTime, "time", func() types.Value { return types.NewDatetime(at) })
	put(readsHour, "hour", func() types.Value { return types.Long(at.Hour()) })
	put(readsWeekday, "weekday", func() types.Value { return asText(weekday(at)) })
	if a, ok := address(r.Source); ok {
		put(readsSource, "source", func() types.Value { return a })
	}
	return m
}

func weekday(t time.Time) string { return strings.ToLower(t.Weekday().String()) }

// address reads where a call comes from.
func address(s string) (types.IPAddr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return types.IPAddr{}, false
	}
	a = a.Unmap().WithZone("")
	return types.IPAddr(netip.PrefixFrom(a, a.BitLen())), true
}
