// Package policy decides who may use which model, by policies that an owner writes in Cedar
// (https://docs.cedarpolicy.com): permit and forbid statements over who calls, what is asked for and in which
// circumstances. A forbid wins over every permit, and what nothing permits is refused.
//
// Compile reads the policies and holds them to the schema, so that a misspelt attribute is told when it is written
// and not when it fails to forbid. The Set that it returns answers Requests with Decisions, remembers those whose
// circumstances no policy reads, and explains them.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	plenum "github.com/plenum-foundry/plenum"
)

// Source is a policy as it is written: statements in Cedar under one name.
type Source struct{ Name, Text string }

// Fault is what is wrong with a policy, and where in its text.
type Fault struct {
	Policy       int // its number in the list
	Line, Column int // from 1; 0 where it is of the policy as a whole
	Message      string
}

// Error returns the fault as "line 3, column 8 of the policy: what is wrong".
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.Message
	}
	return fmt.Sprintf("line %d, column %d of the policy: %s", f.Line, f.Column, f.Message)
}

// Rule is one statement of a policy.
type Rule struct {
	Name    string // that of its policy, with "#2" or its @id where the policy has several
	Policy  string
	Forbid  bool
	Line    int    // where it begins in the text of the policy
	Message string // its @message: what a caller is told whom it refuses
	Text    string // as it is written

	compiled *cedar.Policy
}

// word is what the rule does.
func (r *Rule) word() string {
	if r.Forbid {
		return "forbid"
	}
	return "permit"
}

// Set is the policies in force. Whoever compiles a configuration makes one; it never changes, and may be used by
// several goroutines at once. A nil Set allows everything.
type Set struct {
	rules   []*Rule
	version string
	reads   reads
	words   words
	known   func(*plenum.Offer, time.Time) Known
	cache   cache
}

// Known is what is known of an offer besides what is declared of it.
type Known struct {
	Lifecycle string // "preview", "ga", "legacy", "deprecated", "retired"; "" where nobody knows
	License   string // of the model's weights; "" where nobody knows
}

// Compile reads policies. Known returns what the catalog knows of an offer's model at a time; nil knows nothing. The Set is nil where there are no statements, and where there are faults.
func Compile(list []Source, known func(*plenum.Offer, time.Time) Known) (*Set, []Fault) {
	if len(list) == 0 {
		return nil, nil
	}
	s := &Set{known: known}
	v, err := validator()
	if err != nil {
		return nil, []Fault{{Message: err.Error()}}
	}
	var faults []Fault
	sum := sha256.New()
	for i, src := range list {
		fmt.Fprintf(sum, "%d %s %d %s", len(src.Name), src.Name, len(src.Text), src.Text)
		rules, wrong := read(src, v)
		for _, f := range wrong {
			f.Policy = i
			faults = append(faults, f)
		}
		s.rules = append(s.rules, rules...)
	}
	permits := func(r *Rule) bool { return !r.Forbid }
	if len(faults) == 0 && len(s.rules) > 0 && !slices.ContainsFunc(s.rules, permits) {
		faults = append(faults, Fault{Message: "no policy permits anything, so that every call would be refused: add permit (principal, action, resource); to one, and forbid what is not to be"})
	}
	if len(faults) > 0 || len(s.rules) == 0 {
		return nil, faults
	}
	s.version = hex.EncodeToString(sum.Sum(nil)[:4])
	for _, r := range s.rules {
		s.reads.of(r.compiled)
		s.words.of(r.compiled)
	}
	return s, nil
}

// Check returns what is wrong with a policy by itself, which is not in force.
func Check(src Source) []Fault {
	v, err := validator()
	if err != nil {
		return []Fault{{Message: err.Error()}}
	}
	_, faults := read(src, v)
	return faults
}

// Version is a hash of the policies: it tells one set from another in records.
func (s *Set) Version() string { return s.version }

// Rules returns the statements in the order in which they are written. They must not be changed.
func (s *Set) Rules() []*Rule {
	if s == nil {
		return nil
	}
	return s.rules
}

// All returns the statements for Cedar's authorizer, in order.
func (s *Set) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, r := range s.rules {
			if !yield(number(i), r.compiled) {
				return
			}
		}
	}
}

var _ cedar.PolicyIterator = (*Set)(nil)

// number is a rule's id for the authorizer: its place. Small ones cost nothing to make.
func number(i int) cedar.PolicyID { return cedar.PolicyID(strconv.Itoa(i)) }

// rule returns the rule of an id.
func (s *Set) rule(id cedar.PolicyID) *Rule {
	i, err := strconv.Atoi(string(id))
	if err != nil || i < 0 || i >= len(s.rules) {
		return nil
	}
	return s.rules[i]
}

// Decision is what was decided, and by which rules.
type Decision struct {
	Allowed bool
	// By are the rules that decided: those that forbid, else those that permit. None where nothing permits.
	By []*Rule
	// Broken says that a rule which forbids could not be evaluated: it then counts as if it applied. Cedar leaves
	// such rules out, which would open what they were written to close.
	Broken string
	// Note is the decision in a few words for the record of a call: "eu-only@1f2e3d4c forbids".
	Note string
}

// Rule returns the first rule that decided, or nil.
func (d *Decision) Rule() *Rule {
	if len(d.By) == 0 {
		return nil
	}
	return d.By[0]
}

// decide asks the authorizer.
func (s *Set) decide(f *facts) *Decision {
	ok, diag := cedar.Authorize(s, f, f.request)
	d := &Decision{Allowed: bool(ok)}
	for _, e := range diag.Errors {
		if r := s.rule(e.PolicyID); r != nil && r.Forbid {
			d.Allowed, d.Broken = false, e.Message
			d.By = append(d.By, r)
		}
	}
	for _, why := range diag.Reasons {
		if r := s.rule(why.PolicyID); r != nil && r.Forbid != d.Allowed {
			d.By = append(d.By, r)
		}
	}
	switch r := d.Rule(); {
	case r == nil:
		d.Note = "no policy permits (@" + s.version + ")"
	default:
		d.Note = r.Name + "@" + s.version + " " + r.word() + "s"
	}
	return d
}

// scope is what the head of a statement asks for.
func scope(r *Rule) *ast.Policy { return (*ast.Policy)(r.compiled.AST()) }

// asText is a Cedar string.
func asText(s string) types.String { return types.String(s) }
