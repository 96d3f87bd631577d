package config

import (
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Spender is what the scope of a budget is compared with: who makes a call, and where one attempt of it goes.
type Spender struct {
	Project, Member, Key, KeyID            string
	Provider, Publisher, Model, Deployment string
}

// SpenderOf returns who spends in a call by a deployment and an offer.
func SpenderOf(p *plenum.Principal, d *plenum.Deployment, o *plenum.Offer) Spender {
	s := Spender{
		Project: p.Project, Member: p.Member, Key: p.KeyName, KeyID: p.KeyID,
		Provider: o.Provider, Model: o.Model, Deployment: d.Name,
	}
	if s.Model == "" {
		s.Model = d.Model
	}
	s.Publisher, _, _ = strings.Cut(s.Model, "/")
	return s
}

// Budgets finds the budgets that hold for a call without looking at the others, so that no call becomes slower by
// how many there are.
type Budgets struct {
	// of holds the budgets whose scope asks for a value of some field, by that; a scope that asks for several is
	// found by the narrowest, one that asks for nothing under "".
	of map[asked][]*Budget
}

// asked is what a scope asks for: a field and its value.
type asked struct{ field, value string }

func newBudgets(list []Budget) Budgets {
	b := Budgets{of: make(map[asked][]*Budget, len(list))}
	for i := range list {
		f := list[i].Scope.narrowest()
		b.of[f] = append(b.of[f], &list[i])
	}
	return b
}

// For adds to dst the budgets that hold for a spender.
func (b *Budgets) For(dst []*Budget, s *Spender) []*Budget {
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

func (b *Budgets) among(dst []*Budget, f asked, s *Spender) []*Budget {
	for _, x := range b.of[f] {
		if x.Scope.holds(s) {
			dst = append(dst, x)
		}
	}
	return dst
}

// fields returns what a scope can ask for, the narrowest first.
func (s *Spender) fields() [7]asked {
	return [...]asked{
		{"key", s.Key},
		{"member", s.Member},
		{"project", s.Project},
		{"deployment", s.Deployment},
		{"model", s.Model},
		{"publisher", s.Publisher},
		{"provider", s.Provider},
	}
}

// narrowest returns what a scope asks for, or the first of several; nothing where it asks for nothing.
func (s *Scope) narrowest() asked {
	as := Spender{
		Key: s.Key, Member: s.Member, Project: s.Project, Deployment: s.Deployment,
		Model: s.Model, Publisher: s.Publisher, Provider: s.Provider,
	}
	for _, f := range as.fields() {
		if f.value != "" {
			return f
		}
	}
	return asked{}
}

func (s *Scope) holds(o *Spender) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(s.Project, o.Project) && is(s.Member, o.Member) && is(s.Key, o.Key) && is(s.Provider, o.Provider) &&
		is(s.Publisher, o.Publisher) && is(s.Model, o.Model) && is(s.Deployment, o.Deployment)
}

// Account returns what a spender's part of the budget is kept under. Where each has the amount for itself, those of
// whom nothing is known (a key without a member) share one part.
func (b *Budget) Account(s *Spender) string {
	if b.Per == "" {
		return b.Name
	}
	return b.Name + "[" + s.value(b.Per) + "]"
}

func (s *Spender) value(field string) string {
	switch field {
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
