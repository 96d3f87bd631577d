package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
)

type cedarAST = cedarast.Policy

// change is something that could be otherwise, and how it is made so.
type change struct {
	said string
	make func(*supposition)
}

// supposition is a request in the words of the schema, with all its circumstances, that can be made another.
type supposition struct {
	who, what  *saying
	action     types.EntityUID
	conditions types.RecordMap
}

func (s *Set) suppose(r *Request) *supposition {
	return &supposition{principal(r.Who), s.resource(r), uid("Action", string(r.Action)), circumstances(r, &reads{everything})}
}

// facts makes facts of it.
func (f *supposition) facts() *facts {
	return &facts{f.who.entity(), f.what.entity(), cedar.Request{
		Principal: f.who.uid, Action: f.action, Resource: f.what.uid, Context: types.NewRecord(f.conditions),
	}}
}

// mostChanges bounds how many ways out are told, mostPairs how many pairs are tried.
const (
	mostChanges = 8
	mostPairs   = 4000
)

// changes returns what would turn a decision round.
func (s *Set) changes(r *Request, allowed bool) []string {
	all := s.candidates(s.suppose(r))
	turns := func(cs ...*change) bool {
		f := s.suppose(r)
		for _, c := range cs {
			c.make(f)
		}
		return s.decide(f.facts()).Allowed != allowed
	}
	var out []string
	for i := range all {
		if turns(&all[i]) {
			out = append(out, all[i].said)
		}
	}
	out = joinHours(out)
	if len(out) > 0 || allowed {
		return out[:min(len(out), mostChanges)]
	}
	tried := 0
	for i := range all {
		for j := i + 1; j < len(all) && tried < mostPairs; j++ {
			tried++
			if turns(&all[i], &all[j]) {
				out = append(out, all[i].said+" and "+all[j].said)
			}
		}
	}
	out = joinHours(out)
	return out[:min(len(out), mostChanges)]
}

// candidates are the changes that are tried: to the values that policies name, to none of them, and to other times.
func (s *Set) candidates(now *supposition) []change {
	var out []change
	for _, e := range s.words.entities {
		out = append(out, belongs(e)...)
	}
	all := maps.Clone(s.words.values)
	for at := range s.words.likes {
		all[at] = s.words.values[at]
	}
	places := slices.SortedFunc(maps.Keys(all), func(a, b place) int {
		return cmp.Or(cmp.Compare(b.of, a.of), cmp.Compare(a.name, b.name)) // resource, principal, context
	})
	for _, at := range places {
		out = append(out, alike(at, s.words.likes[at])...)
		out = append(out, otherwise(at, all[at], len(s.words.likes[at]) > 0, now)...)
	}
	return append(out, s.circumstances()...)
}

// belongs changes what a caller or an offer belongs to.
func belongs(e types.EntityUID) []change {
	switch e.Type {
	case "Project", "Member":
		return []change{{"principal were in " + e.String(), func(f *supposition) { f.who.in = instead(f.who.in, e) }}}
	case "Group":
		return []change{{"principal were in " + e.String(), func(f *supposition) { f.who.in = append(f.who.in, e) }}}
	case "Key":
		return []change{{"principal were " + e.String(), func(f *supposition) { f.who.uid = e }}}
	case "Offer":
		return []change{{"resource were " + e.String(), func(f *supposition) { f.what.uid = e }}}
	case "Publisher", "Model", "Provider", "Connection", "Deployment":
		other := e
		other.ID = "another"
		return []change{
			{"resource were in " + e.String(), func(f *supposition) { f.what.in = instead(f.what.in, e) }},
			{"resource were in another " + string(e.Type) + " than " + strconv.Quote(string(e.ID)), func(f *supposition) {
				if slices.Contains(f.what.in, e) {
					f.what.in = instead(f.what.in, other)
				}
			}},
		}
	}
	return nil
}

// instead puts an entity in the place of those of its type.
func instead(list []types.EntityUID, e types.EntityUID) []types.EntityUID {
	out := []types.EntityUID{e}
	for _, x := range list {
		if x.Type != e.Type {
			out = append(out, x)
		}
	}
	return out
}

// otherwise changes an attribute to the values that policies compare it with, and to none of them.
func otherwise(at place, values []types.Value, texts bool, now *supposition) []change {
	name := at.String()
	var out []change
	for _, v := range values {
		if _, set := now.of(at.of)[at.name].(types.Set); set {
			out = append(out, member(at, name, v)...)
			continue
		}
		if at.of == "context" && (at.name == "hour" || at.name == "weekday") {
			continue // all of these are tried
		}
		_, text := v.(types.String)
		texts = texts || text
		out = append(out, change{name + " were " + quoted(v), func(f *supposition) { f.of(at.of)[at.name] = v }})
		for _, near := range beside(v) {
			out = append(out, change{name + " were " + quoted(near), func(f *supposition) { f.of(at.of)[at.name] = near }})
		}
	}
	if known := closed(at); texts && (known == nil || at.of == "context") {
		out = append(out, change{name + " were something else", func(f *supposition) { f.of(at.of)[at.name] = types.String("\x00") }})
	} else if texts {
		for _, w := range known {
			out = append(out, change{name + " were " + strconv.Quote(w), func(f *supposition) { f.of(at.of)[at.name] = types.String(w) }})
		}
	}
	return out
}

// alike changes an attribute to texts that fit patterns.
func alike(at place, patterns []types.Pattern) []change {
	var out []change
	for _, p := range patterns {
		said := string(p.MarshalCedar())
		text := types.String(strings.ReplaceAll(strings.Trim(said, `"`), "*", ""))
		out = append(out, change{at.String() + " were like " + said, func(f *supposition) { f.of(at.of)[at.name] = text }})
	}
	return out
}

// String says an attribute as policies do.
func (p place) String() string { return string(p.of) + "." + string(p.name) }

// quoted is a value as policies say it.
func quoted(v types.Value) string { return string(v.MarshalCedar()) }

// member puts a value into a set, and takes it out.
func member(at place, name string, v types.Value) []change {
	set := func(f *supposition) types.Set {
		s, _ := f.of(at.of)[at.name].(types.Set)
		return s
	}
	return []change{
		{name + " had " + quoted(v), func(f *supposition) { f.of(at.of)[at.name] = types.NewSet(append(set(f).Slice(), v)...) }},
		{name + " had no " + quoted(v), func(f *supposition) {
			var rest []types.Value
			for x := range set(f).All() {
				if !x.Equal(v) {
					rest = append(rest, x)
				}
			}
			f.of(at.of)[at.name] = types.NewSet(rest...)
		}},
	}
}

// beside returns the numbers next to one: a bound may or may not include it.
func beside(v types.Value) []types.Value {
	switch v := v.(type) {
	case types.Long:
		return []types.Value{v - 1, v + 1}
	case types.Decimal:
		d, err := types.ParseDecimal(v.String())
		var less, more types.Decimal
		if err == nil {
			less, more = step(d, -1), step(d, 1)
		}
		return []types.Value{less, more}
	}
	return nil
}

// step adds ten-thousandths to a decimal.
func step(d types.Decimal, n int64) types.Decimal {
	out, err := types.NewDecimalFromFloat(d.Float() + float64(n)/10000)
	if err != nil {
		return d
	}
	return out
}

// of returns the attributes of principal, resource or context.
func (f *supposition) of(what types.String) types.RecordMap {
	switch what {
	case "principal":
		return f.who.is
	case "resource":
		return f.what.is
	}
	return f.conditions
}

// circumstances are other times and ways of a call, where policies read them.
func (s *Set) circumstances() []change {
	var out []change
	set := func(name types.String, v types.Value) {
		out = append(out, change{"context." + string(name) + " were " + quoted(v), func(f *supposition) { f.conditions[name] = v }})
	}
	if s.reads.has(readsStream) {
		set("stream", types.True)
		set("stream", types.False)
	}
	if s.reads.has(readsWeekday) {
		for _, day := range closed(place{"context", "weekday"}) {
			set("weekday", types.String(day))
		}
	}
	if s.reads.has(readsHour) {
		for h := range 24 {
			set("hour", types.Long(h))
		}
	}
	return out
}

// joinHours says hours that follow each other in one, where what is said before them is the same.
func joinHours(list []string) []string {
	const mark = "context.hour were "
	var out []string
	before, first, last := "", -1, -1
	end := func() {
		switch {
		case first < 0:
		case first == last:
			out = append(out, before+mark+strconv.Itoa(first))
		default:
			out = append(out, fmt.Sprintf("%s%s%d to %d", before, mark, first, last))
		}
		first, last = -1, -1
	}
	for _, s := range list {
		head, hour, ok := strings.Cut(s, mark)
		h, err := strconv.Atoi(hour)
		if !ok || err != nil {
			end()
			out = append(out, s)
			continue
		}
		if first < 0 || h != last+1 || head != before {
			end()
			before, first = head, h
		}
		last = h
	}
	end()
	return out
}
