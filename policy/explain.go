package policy

import (
	"iter"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Explanation is a decision with what every rule says of the request, and what would change it.
type Explanation struct {
	Decision *Decision
	Verdicts []Verdict
	// Changes are what would turn the decision round, each by itself: "resource.region were \"eu\"". Where no single
	// thing does, they are pairs. What is tried are the values that the policies themselves name.
	Changes []string
}

// Verdict is what one rule says of a request.
type Verdict struct {
	Rule    *Rule
	Applies bool
	// Why is the first part of the rule that does not hold, as it is written; the error of one that could not be
	// evaluated.
	Why string
}

// Explain decides a request and says why.
func (s *Set) Explain(r *Request) *Explanation {
	if s == nil {
		return &Explanation{Decision: &Decision{Allowed: true}}
	}
	f := s.suppose(r).facts()
	e := &Explanation{Decision: s.decide(f)}
	for _, rule := range s.rules {
		e.Verdicts = append(e.Verdicts, verdict(rule, f))
	}
	e.Changes = s.changes(r, e.Decision.Allowed)
	return e
}

// verdict evaluates one rule by itself.
func verdict(r *Rule, f *facts) Verdict {
	v := Verdict{Rule: r}
	_, diag := cedar.Authorize(alone{r.compiled}, f, f.request)
	switch {
	case len(diag.Errors) > 0:
		v.Why = diag.Errors[0].Message
	case len(diag.Reasons) > 0:
		v.Applies = true
	default:
		v.Why = missing(r, f)
	}
	return v
}

// alone is a set of one statement.
type alone struct{ p *cedar.Policy }

// All returns the statement.
func (a alone) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) { yield("", a.p) }
}

// missing returns the first part of a statement that does not hold.
func missing(r *Rule, f *facts) string {
	for _, p := range parts(scope(r)) {
		part := cedar.NewPolicyFromAST((*cedarAST)(p.policy))
		if ok, _ := cedar.Authorize(alone{part}, f, f.request); ok {
			continue
		}
		return p.said(part)
	}
	return ""
}

// part is a piece of a statement, as a statement that permits where the piece holds.
type part struct {
	policy *ast.Policy
	line   string // what its line begins with, where it is one of the head
}

// said returns the piece as it is written.
func (p *part) said(one *cedar.Policy) string {
	text := string(one.MarshalCedar())
	if p.line == "" {
		_, body, _ := strings.Cut(text, "\n")
		for !strings.HasPrefix(body, "when") && !strings.HasPrefix(body, "unless") {
			var more bool
			if _, body, more = strings.Cut(body, "\n"); !more {
				return text
			}
		}
		return strings.Join(strings.Fields(strings.TrimSuffix(strings.TrimSpace(body), ";")), " ")
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		if strings.HasPrefix(line, p.line+" ") {
			return line
		}
	}
	return text
}

// parts takes a statement apart: what it asks of principal, action and resource, and its conditions.
func parts(p *ast.Policy) []part {
	all := ast.ScopeTypeAll{}
	empty := func() *ast.Policy {
		return &ast.Policy{Effect: ast.EffectPermit, Principal: all, Action: all, Resource: all}
	}
	var out []part
	for _, line := range [...]string{"principal", "action", "resource"} {
		one := empty()
		switch line {
		case "principal":
			one.Principal = p.Principal
		case "action":
			one.Action = p.Action
		default:
			one.Resource = p.Resource
		}
		out = append(out, part{one, line})
	}
	for _, c := range p.Conditions {
		bodies := []ast.IsNode{c.Body}
		if c.Condition == ast.ConditionWhen {
			bodies = conjuncts(c.Body)
		}
		for _, b := range bodies {
			one := empty()
			one.Conditions = []ast.ConditionType{{Condition: c.Condition, Body: b}}
			out = append(out, part{one, ""})
		}
	}
	return out
}

// conjuncts returns what must hold for "a && b && c" to hold: each by itself, but that one which asks whether there is
// a thing at all stays before the others.
func conjuncts(n ast.IsNode) []ast.IsNode {
	and, ok := n.(ast.NodeTypeAnd)
	if !ok {
		return []ast.IsNode{n}
	}
	return append(conjuncts(and.Left), conjuncts(and.Right)...)
}
