package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// circumstance is something that changes from call to call.
type circumstance uint8

// The circumstances.
const (
	readsOperation circumstance = 1 << iota
	readsDialect
	readsStream
	readsTime
	readsHour
	readsWeekday
	readsSource
)

// everything is all of them.
const everything = readsSource<<1 - 1

// reads are the circumstances that some policy reads. A decision depends on no other.
type reads struct{ all circumstance }

func (r *reads) has(c circumstance) bool { return r.all&c != 0 }

// circumstanceOf returns the circumstance of a name in the context; all of them for one that is not known.
func circumstanceOf(name types.String) circumstance {
	switch name {
	case "operation":
		return readsOperation
	case "dialect":
		return readsDialect
	case "stream":
		return readsStream
	case "time":
		return readsTime
	case "hour":
		return readsHour
	case "weekday":
		return readsWeekday
	case "source":
		return readsSource
	}
	return everything
}

// of adds what a statement reads. A context that is used as a whole is read in all its parts.
func (r *reads) of(p *cedar.Policy) {
	inspect(p, func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeTypeAccess:
			if isContext(n.Arg) {
				r.all |= circumstanceOf(n.Value)
				return false
			}
		case ast.NodeTypeHas:
			if isContext(n.Arg) {
				r.all |= circumstanceOf(n.Value)
				return false
			}
		case ast.NodeTypeVariable:
			if isContext(n) {
				r.all = everything
			}
		}
		return true
	})
}

func isContext(n ast.IsNode) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == "context"
}

// inspect walks through all conditions of a statement.
func inspect(p *cedar.Policy, visit func(ast.IsNode) bool) {
	for _, c := range (*ast.Policy)(p.AST()).Conditions {
		ast.Inspect(ast.NewNode(c.Body), visit)
	}
}

// words are the values that statements name: what to try when it is asked what would change a decision.
type words struct {
	values   map[place][]types.Value // by the attribute that they are compared with
	likes    map[place][]types.Pattern
	entities []types.EntityUID
}

// place is an attribute of principal, resource or context.
type place struct{ of, name types.String }

// of adds the values of a statement.
func (w *words) of(p *cedar.Policy) {
	if w.values == nil {
		w.values, w.likes = map[place][]types.Value{}, map[place][]types.Pattern{}
	}
	head := (*ast.Policy)(p.AST())
	w.scope(head.Principal)
	w.scope(head.Resource)
	inspect(p, func(n ast.IsNode) bool {
		w.node(n)
		return true
	})
}

func (w *words) scope(n any) {
	switch n := n.(type) {
	case ast.ScopeTypeEq:
		w.entity(n.Entity)
	case ast.ScopeTypeIn:
		w.entity(n.Entity)
	case ast.ScopeTypeIsIn:
		w.entity(n.Entity)
	}
}

func (w *words) entity(e types.EntityUID) {
	if !slices.Contains(w.entities, e) {
		w.entities = append(w.entities, e)
	}
}

// node adds the values that a comparison names beside an attribute.
func (w *words) node(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeValue:
		if e, ok := n.Value.(types.EntityUID); ok {
			w.entity(e)
		}
	case ast.NodeTypeEquals:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeNotEquals:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeLessThan:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeLessThanOrEqual:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeGreaterThan:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeGreaterThanOrEqual:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeContains:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeContainsAll:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeContainsAny:
		w.pair(n.Left, n.Right)
	case ast.NodeTypeLike:
		w.like(n)
	case ast.NodeTypeExtensionCall:
		if len(n.Args) == 2 {
			w.pair(n.Args[0], n.Args[1])
		}
	}
}

func (w *words) pair(a, b ast.IsNode) {
	at, ok := attribute(a)
	other := b
	if !ok {
		if at, ok = attribute(b); !ok {
			return
		}
		other = a
	}
	for _, v := range literals(other) {
		w.value(at, v)
	}
}

func (w *words) value(at place, v types.Value) {
	same := func(o types.Value) bool { return o.Equal(v) }
	if !slices.ContainsFunc(w.values[at], same) {
		w.values[at] = append(w.values[at], v)
	}
}

// like adds a pattern.
func (w *words) like(n ast.NodeTypeLike) {
	if at, ok := attribute(n.Arg); ok {
		w.likes[at] = append(w.likes[at], n.Value)
	}
}

// attribute returns which attribute of principal, resource or context a node is.
func attribute(n ast.IsNode) (place, bool) {
	a, ok := n.(ast.NodeTypeAccess)
	if !ok {
		return place{}, false
	}
	v, ok := a.Arg.(ast.NodeTypeVariable)
	return place{of: v.Name, name: a.Value}, ok
}

// literals returns the values that a node says: itself, or those in a set.
func literals(n ast.IsNode) []types.Value {
	switch n := n.(type) {
	case ast.NodeValue:
		if s, ok := n.Value.(types.Set); ok {
			return s.Slice()
		}
		return []types.Value{n.Value}
	case ast.NodeTypeSet:
		var out []types.Value
		for _, e := range n.Elements {
			out = append(out, literals(e)...)
		}
		return out
	case ast.NodeTypeExtensionCall:
		if v, ok := extension(n); ok {
			return []types.Value{v}
		}
	}
	return nil
}

// extension returns the value of a call such as decimal("3.0").
func extension(n ast.NodeTypeExtensionCall) (types.Value, bool) {
	if len(n.Args) != 1 {
		return nil, false
	}
	said, ok := n.Args[0].(ast.NodeValue)
	if !ok {
		return nil, false
	}
	text, ok := said.Value.(types.String)
	if !ok {
		return nil, false
	}
	switch n.Name {
	case "decimal":
		v, err := types.ParseDecimal(string(text))
		return v, err == nil
	case "ip":
		v, err := types.ParseIPAddr(string(text))
		return v, err == nil
	case "datetime":
		v, err := types.ParseDatetime(string(text))
		return v, err == nil
	}
	return nil, false
}
