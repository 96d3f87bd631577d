package policy

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	rules "github.com/plenum-foundry/plenum/policy"
)

// Cedar decides by the policies of the configuration that a call began under.
type Cedar struct{ Clock clock.Clock }

var (
	_ OwnDecider = Cedar{}
	_ Lister     = Cedar{}
	_ Sleeper    = Cedar{}
)

// set returns the policies; nil where there are none.
func set(c *gateway.Call) *rules.Set {
	if c.Config == nil {
		return nil
	}
	s, _ := c.Config.Policies.(*rules.Set)
	return s
}

// Asleep reports that there are no policies.
func (Cedar) Asleep(c *gateway.Call) bool { return set(c) == nil }

// Allow decides on a target.
func (d Cedar) Allow(c *gateway.Call, t *plenum.Target) error {
	r := d.request(c)
	r.Deployment, r.Offer = c.Deployment, &t.Offer
	who := c.Config.Caller(c.Caller)
	r.Who = &who
	decision := set(c).Decide(&r)
	if decision.Allowed {
		c.Trail.Record.Policy = decision.Note
	}
	return refusal(decision)
}

// AllowOwn decides on what a caller owns.
func (d Cedar) AllowOwn(c *gateway.Call) error {
	r := d.request(c)
	who := c.Config.Caller(c.Caller)
	r.Action, r.Who = rules.Own, &who
	decision := set(c).Decide(&r)
	c.Trail.Record.Policy = decision.Note
	return refusal(decision)
}

// AllowList decides whether there is a way in which a caller may use a target.
func (d Cedar) AllowList(c *gateway.Call, dep *plenum.Deployment, t *plenum.Target) error {
	r := d.request(c)
	who := c.Config.Caller(c.Caller)
	r.Deployment, r.Offer, r.Who = dep, &t.Offer, &who
	return refusal(set(c).Ever(&r))
}

// request is what policies read of a call's circumstances.
func (d Cedar) request(c *gateway.Call) rules.Request {
	return rules.Request{
		Action: rules.Use, Op: c.Op, Dialect: c.Dialect.Name, Stream: c.Head.Stream,
		Source: c.Trail.Record.Remote, Time: d.Clock.Now(),
	}
}

func refusal(d *rules.Decision) error {
	if d.Allowed {
		return nil
	}
	r := &Refusal{Note: d.Note}
	if d.Broken != "" {
		r.Note += ", for it could not be evaluated: " + d.Broken
	}
	if rule := d.Rule(); rule != nil {
		r.Rule, r.Message = rule.Name, rule.Message
	}
	return r
}
