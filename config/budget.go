package config

import (
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Spender is what the scope of a budget is compared with: who makes a call, and where one attempt of it goes.
type Spender struct {
	Organization, Project, Member, Key, KeyID string
	Provider, Publisher, Model, Deployment    string
}

// Spender returns who spends in a call by a deployment and an offer.
func (c *Snapshot) Spender(p *plenum.Principal, d *plenum.Deployment, o *plenum.Offer) Spender {
	s := Spender{
		Organization: c.OrganizationOf(p.Project), Project: p.Project, Member: p.Member, Key: p.KeyName, KeyID: p.KeyID,
		Provider: o.Provider, Model: o.Model, Deployment: d.Name,
	}
	if s.Model == "" {
		s.Model = d.Model
	}
	s.Publisher, _, _ = strings.Cut(s.Model, "/")
	return s
}

// Bound is a budget or a limit as calls are held to it.
type Bound struct {
	Name    string // for people: budget "lab"
	Account string // what its sum is kept under, without the part that is somebody's own
	Counts  string // usd_micros, requests, tokens, input_tokens, output_tokens, concurrent
	Scope   Scope
	Per     string
	Amount  int64
	Window  plenum.Window
	Soft    bool
	// Brief says that what is spent counts for so short a time that it is not put on record.
	Brief bool
	// Alerts are told when it is used up to a part.
	Alerts []*Alert
}

// Money is what a budget counts.
const Money = "usd_micros"

// Kind returns which of the two it is: budget or limit.
func (b *Bound) Kind() string {
	if b.Counts == Money {
		return "budget"
	}
	return "limit"
}

// brief is how short a window is whose sums do not outlive the process that counts them.
const brief = time.Hour

// Bounds finds the budgets and limits that hold for a call without looking at the others, so that no call becomes slower
// by how many there are.
type Bounds struct {
	// All are those that there are, in the order of the file: budgets, limits, and the limits of deployments.
	All []Bound
	// of holds those whose scope asks for a value of some field, by that; a scope that asks for several is
	// found by the narrowest, one that asks for nothing under "".
	of map[asked][]*Bound
}

// asked is what a scope asks for: a field and its value.
type asked struct{ field, value string }

func newBounds(list []Bound) Bounds {
	b := Bounds{All: list, of: make(map[asked][]*Bound, len(list))}
	for i := range list {
		x := &list[i]
		span := x.Window.Span()
		x.Brief = x.Counts == "concurrent" || x.Counts != Money && span > 0 && span < brief
		f := x.Scope.narrowest()
		b.of[f] = append(b.of[f], x)
	}
	return b
}

// For adds to dst the budgets and limits that hold for a spender.
func (b *Bounds) For(dst []*Bound, s *Spender) []*Bound {
	if len(b.of) == 0 {
		return dst
	}
	dst = b.among(dst, asked{}, s)
	for _, f := range s.fields() {
		if f.value != "" {
			dst = b.among(dst, f, s)
		}
	}
	return dst
}

func (b *Bounds) among(dst []*Bound, f asked, s *Spender) []*Bound {
	for _, x := range b.of[f] {
		if x.Scope.holds(s) {
			dst = append(dst, x)
		}
	}
	return dst
}

// fields returns what a scope can ask for, the narrowest first.
func (s *Spender) fields() [8]asked {
	return [...]asked{
		{"key", s.Key},
		{"member", s.Member},
		{"project", s.Project},
		{"organization", s.Organization},
		{"deployment", s.Deployment},
		{"model", s.Model},
		{"publisher", s.Publisher},
		{"provider", s.Provider},
	}
}

// narrowest returns what a scope asks for, or the first of several; nothing where it asks for nothing.
func (s *Scope) narrowest() asked {
	for _, f := range s.fields() {
		if f.value != "" {
			return f
		}
	}
	return asked{}
}

// fields returns what the scope asks for, field by field.
func (s *Scope) fields() [8]asked {
	as := Spender{
		Key: s.Key, Member: s.Member, Project: s.Project, Organization: s.Organization, Deployment: s.Deployment,
		Model: s.Model, Publisher: s.Publisher, Provider: s.Provider,
	}
	return as.fields()
}

func (s *Scope) holds(o *Spender) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(s.Organization, o.Organization) && is(s.Project, o.Project) && is(s.Member, o.Member) && is(s.Key, o.Key) && is(s.Provider, o.Provider) &&
		is(s.Publisher, o.Publisher) && is(s.Model, o.Model) && is(s.Deployment, o.Deployment)
}

// Of returns what a spender's part of the bound is kept under. Where each has the amount for itself, those of
// whom nothing is known (a key without a member) share one part.
func (b *Bound) Of(s *Spender) string {
	if b.Per == "" {
		return b.Account
	}
	return b.Account + "[" + s.value(b.Per) + "]"
}

// PartOf returns whose part of the bound is kept under an id; false where the id is not of this bound.
func (b *Bound) PartOf(account string) (string, bool) {
	rest, ok := strings.CutPrefix(account, b.Account)
	if !ok {
		return "", false
	}
	if b.Per == "" {
		return "", rest == ""
	}
	rest, open := strings.CutPrefix(rest, "[")
	rest, closed := strings.CutSuffix(rest, "]")
	return rest, open && closed
}

func (s *Spender) value(field string) string {
	switch field {
	case "organization":
		return s.Organization
	case "project":
		return s.Project
	case "member":
		return s.Member
	case "key":
		return s.KeyID
	case "provider":
		return s.Provider
	case "publisher":
		return s.Publisher
	case "model":
		return s.Model
	}
	return s.Deployment
}
