package policy

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go/types"
)

// places is how many decisions are remembered. Callers choose some of what a decision is remembered by, so it must
// not grow: a new decision takes the place of an older one with the same hash.
const places = 16384

// cache remembers decisions, and what was decided on. It has no lock, and what it has not is made anew.
type cache struct {
	seed maphash.Seed
	slot []atomic.Pointer[remembered]
}

// key is all that a decision depends on within one set and one configuration.
type key struct {
	action, who, member, deployment, offer, op, dialect, source string
	price                                                       bool // whether one is known: an offer has none for some operations
	stream                                                      bool
	hour, weekday                                               int8
	day                                                         int64 // since 1970, in UTC: prices and the parts of a model's life change with it
}

// remembered is a decision, or what is said of who or what it is about.
type remembered struct {
	key      key
	decision *Decision
	entity   types.Entity
}

// Fresh returns the set with nothing remembered: for another configuration, in which the same names may stand for
// other keys and offers. It is to be called once for each.
func (s *Set) Fresh() *Set {
	if s == nil {
		return nil
	}
	fresh := *s
	fresh.cache = cache{seed: maphash.MakeSeed(), slot: make([]atomic.Pointer[remembered], places)}
	return &fresh
}

// whatOf returns what is remembered of what a request is about by.
func whatOf(r *Request) key {
	if r.Offer == nil {
		return key{action: "kept", who: r.Who.KeyID, op: string(r.Op)} // in the project, which a key has one of
	}
	return key{action: "offer", deployment: r.Deployment.Name, offer: r.Offer.ID, price: r.Offer.Price.Known, day: day(r)}
}

// key returns what the decision on a request is remembered by; false where it must not be, since policies read the
// time to the second.
func (s *Set) key(r *Request) (k key, fits bool) {
	if s.cache.slot == nil || s.reads.has(readsTime) {
		return k, false
	}
	k = key{action: string(r.Action), who: r.Who.KeyID, member: r.Who.Member, op: string(r.Op)}
	if r.Offer != nil {
		k.deployment, k.offer, k.price = r.Deployment.Name, r.Offer.ID, r.Offer.Price.Known
		k.day = day(r)
	}
	if s.reads.has(readsDialect) {
		k.dialect = r.Dialect
	}
	if s.reads.has(readsStream) {
		k.stream = r.Stream
	}
	if s.reads.has(readsSource) {
		k.source = r.Source
	}
	if s.reads.has(readsHour | readsWeekday) {
		at := r.Time.UTC()
		k.hour, k.weekday = int8(at.Hour()), int8(at.Weekday()) //nolint:gosec // they are at most 23
	}
	return k, true
}

// day is the day of a request.
func day(r *Request) int64 { return r.Time.Unix() / (24 * 60 * 60) }

func (c *cache) at(k *key) *atomic.Pointer[remembered] {
	return &c.slot[maphash.Comparable(c.seed, *k)%places]
}

func (c *cache) get(k *key) (r remembered, ok bool) {
	if c.slot == nil {
		return r, false
	}
	if p := c.at(k).Load(); p != nil && p.key == *k {
		return *p, true
	}
	return r, false
}

func (c *cache) put(r remembered) {
	if c.slot != nil {
		c.at(&r.key).Store(&r)
	}
}
