// Package policy is the stage that removes the targets that this caller may not use. Who may use what is said in
// Cedar; see package policy at the top, which decides. Without a Decider every target is allowed.
package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Decider says what a caller may use.
type Decider interface {
	// Allow returns nil if the call may go to the target, and else why not: a Refusal, where the caller may know.
	Allow(c *gateway.Call, t *plenum.Target) error
}

// OwnDecider is a Decider that decides on what callers own as well: files, batches. Such calls have no target.
type OwnDecider interface {
	Decider
	// AllowOwn returns nil if the caller may do what the call asks, and else why not.
	AllowOwn(c *gateway.Call) error
}

// Lister is a Decider that knows which targets a caller may use in some way, whatever way the call at hand is.
type Lister interface {
	Decider
	// AllowList returns nil if the caller may use the target of a deployment in any way.
	AllowList(c *gateway.Call, d *plenum.Deployment, t *plenum.Target) error
}

// Sleeper is a Decider that for some calls has nothing to decide.
type Sleeper interface {
	Decider
	// Asleep reports that everything is allowed.
	Asleep(c *gateway.Call) bool
}

// Refusal is why a target is not allowed, in words that the caller may hear.
type Refusal struct {
	Rule    string // the rule that decided; "" where none permits
	Message string // what whoever wrote the rule says to those whom it refuses
	Note    string // the decision, for the record
}

// Error returns it for the operator.
func (r *Refusal) Error() string { return r.Note }

// New returns the stage. What the caller's key is not good for is refused before anything is decided; a nil Decider
// allows everything else.
func New(d Decider) gateway.Stage {
	return gateway.Stage{Name: "policy", Wrap: func(next gateway.Handler) gateway.Handler {
		sleeper, _ := d.(Sleeper)
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if err := within(c, c.Deployment); err != nil {
				return err
			}
			if err := agreed(c); err != nil {
				return err
			}
			if d == nil || sleeper != nil && sleeper.Asleep(c) {
				return next(ctx, c, out)
			}
			if err := decide(d, c); err != nil {
				return err
			}
			return next(ctx, c, out)
		}
	}}
}

// within refuses what is beyond the scope of the caller's key.
func within(c *gateway.Call, dep *plenum.Deployment) error {
	s := c.Caller.Scope
	if s == nil {
		return nil
	}
	e := &llm.Error{Kind: llm.Forbidden, Op: "policy", Code: "key_scope"}
	switch {
	case !always(c.Op) && !s.Operation(string(c.Op)):
		e.Message = "this key is not good for the operation " + string(c.Op) + ", but for " + strings.Join(s.Operations, ", ")
	case dep != nil && !s.Deployment(dep.Name):
		e.Message = fmt.Sprintf("this key is not good for %q, but for %s", dep.Name, strings.Join(s.Deployments, ", "))
	default:
		return nil
	}
	e.Message += "; use another key, or have its scope changed"
	return e
}

// always reports whether a key of any scope is good for an operation: those that tell it what it is good for, and the
// sessions that calls are made in.
func always(op llm.Op) bool { return op == llm.OpModels || op == llm.OpKeyInfo || op == llm.OpSession }

// decide refuses the call, or leaves the targets that are allowed.
func decide(d Decider, c *gateway.Call) error {
	if c.Op.Own() {
		own, ok := d.(OwnDecider)
		if !ok {
			return nil
		}
		if err := own.AllowOwn(c); err != nil {
			c.Trail.Record.Policy = err.Error()
			return refused(c, []error{err})
		}
		return nil
	}
	var why []error
	c.Candidates = slices.DeleteFunc(c.Candidates, func(t plenum.Target) bool {
		err := d.Allow(c, &t)
		if err != nil {
			why = append(why, err)
			c.Trail.Note("policy: not to " + t.Offer.ID + ": " + err.Error())
		}
		return err != nil
	})
	if len(c.Candidates) > 0 || len(why) == 0 {
		return nil
	}
	c.Trail.Record.Policy = why[0].Error()
	return refused(c, why)
}

// refused is the error of a call of which nothing is allowed. It names the rules that decided.
func refused(c *gateway.Call, why []error) error {
	var rules, messages []string
	for _, err := range why {
		var r *Refusal
		if !errors.As(err, &r) {
			continue
		}
		if name := fmt.Sprintf("%q", r.Rule); r.Rule != "" && !slices.Contains(rules, name) {
			rules = append(rules, name)
		}
		if r.Message != "" && !slices.Contains(messages, r.Message) {
			messages = append(messages, r.Message)
		}
	}
	e := &llm.Error{Kind: llm.Forbidden, Op: "policy", Code: "policy_denied", Err: errors.Join(why...)}
	what, instead := "do this", "use another key, or ask whoever manages the policies"
	if c.Deployment != nil {
		what, instead = fmt.Sprintf("use %q", c.Deployment.Name), "use another (GET /v1/models), or ask whoever manages the policies"
	}
	switch {
	case len(messages) > 0:
		instead = strings.Join(messages, "; ")
	case len(rules) == 0 && c.Op != llm.OpModels:
		e.Message = "no policy allows this key to " + what + "; " + instead
		return e
	}
	by := "no policy allows"
	if len(rules) == 1 {
		by = "the policy " + rules[0] + " does not allow"
	} else if len(rules) > 1 {
		by = "the policies " + strings.Join(rules, ", ") + " do not allow"
	}
	e.Message = by + " this key to " + what + ": " + instead
	return e
}

// Lists returns what tells a list of models which deployments a caller may see: those of which he may use a target.
func Lists(d Decider) func(c *gateway.Call, dep *plenum.Deployment) error {
	return func(c *gateway.Call, dep *plenum.Deployment) error {
		if err := within(c, dep); err != nil || d == nil {
			return err
		}
		if s, ok := d.(Sleeper); ok && s.Asleep(c) {
			return nil
		}
		var why []error
		for i := range dep.Targets {
			err := lists(d, c, dep, &dep.Targets[i])
			if err == nil {
				return nil
			}
			why = append(why, err)
		}
		if len(why) == 0 {
			return nil
		}
		named := *c
		named.Deployment = dep
		return refused(&named, why)
	}
}

func lists(d Decider, c *gateway.Call, dep *plenum.Deployment, t *plenum.Target) error {
	if l, ok := d.(Lister); ok {
		return l.AllowList(c, dep, t)
	}
	return d.Allow(c, t)
}
