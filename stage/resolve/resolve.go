// Package resolve is the stage that turns the name in `model` into a deployment and its targets, best
// first. Who asks for the list of names is answered here.
package resolve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/router"
)

// May says why a caller may not use a deployment.
type May func(*gateway.Call, *plenum.Deployment) error

// New returns the stage. Owners knows who owns what upstreams keep; without one no call on such things passes. May says
// why a caller may not use a deployment, which is then neither listed nor suggested; nil is that everyone may use everything.
func New(owners Owners, seal Sealer, may May) gateway.Stage {
	since := time.Now().Unix() // what a list of models says of each: nobody knows when a name was made, and it must not change
	return gateway.Stage{Name: "resolve", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if c.Op.Own() {
				return next(ctx, c, out)
			}
			if c.Op == llm.OpLifecycle {
				return passLifecycle(ctx, &lifecycle{owners: owners, seal: seal, may: may, call: c}, out, next)
			}
			if err := c.Load(); err != nil {
				return err
			}
			if c.Op == llm.OpModels {
				return models(c, out, since, may)
			}
			r := &c.Trail.Record
			r.Asked, r.Stream = clip(c.Head.Model), c.Head.Stream
			d, ok := c.Config.Deployment(c.Head.Model)
			if !ok {
				return unknown(c, may)
			}
			c.Deployment = d
			r.Deployment = d.Name
			c.Candidates = order(d)
			if c.Pin != nil {
				c.Candidates = []plenum.Target{*c.Pin}
			}
			if err := fit(c); err != nil {
				return err
			}
			return next(ctx, c, out)
		}
	}}
}

// fit leaves the targets that can serve the call. The request is read for that only where it makes a
// difference.
func fit(c *gateway.Call) error {
	if c.Op != llm.OpGenerate || !router.Differ(c.Candidates) {
		return nil
	}
	p, err := c.Payload()
	if err != nil {
		return err
	}
	r, ok := p.(*llm.Request)
	if !ok {
		return nil
	}
	fit, passed := serve(c, router.Needs(r))
	for _, why := range passed {
		c.Trail.Note("passed over: " + why)
	}
	if len(fit) == 0 {
		return &llm.Error{
			Kind: llm.Invalid, Op: "resolve", Code: "no_target_can",
			Message: "no target of this deployment can serve this request: " + strings.Join(passed, "; "),
		}
	}
	c.Candidates = fit
	return nil
}

// serve leaves the targets that can serve a call. Those that can but for its shape, which Plenum gets otherwise,
// come behind those that hold to it themselves.
func serve(c *gateway.Call, needs []router.Capability) (fit []plenum.Target, passed []string) {
	fit, passed = router.Fit(c.Candidates, needs)
	made := c.Deployment.Structured != plenum.StructuredRefuse && c.Deployment.Structured != plenum.StructuredNative
	if !made || c.Bare || !slices.Contains(needs, router.Schema) {
		return fit, passed
	}
	rest := slices.DeleteFunc(slices.Clone(needs), func(n router.Capability) bool { return n == router.Schema })
	all, passed := router.Fit(c.Candidates, rest)
	for _, t := range all {
		if t.Offer.Traits.Capabilities.Schema == plenum.No {
			fit = append(fit, t)
		}
	}
	return fit, passed
}

func unknown(c *gateway.Call, may May) error { return noDeployment(c, may, c.Head.Model, "model") }

func noDeployment(c *gateway.Call, may May, name, param string) error {
	msg := fmt.Sprintf("there is no deployment %q here", clip(name))
	near := slices.DeleteFunc(c.Config.Nearest(name, 3), func(n string) bool {
		d, ok := c.Config.Deployment(n)
		return may != nil && (!ok || may(c, d) != nil)
	})
	if len(near) > 0 {
		msg += "; did you mean " + strings.Join(near, ", ") + "?"
	} else {
		msg += "; GET /v1/models lists those that there are"
	}
	return &llm.Error{Kind: llm.NotFound, Op: "resolve", Param: param, Code: "model_not_found", Message: msg}
}

func clip(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// order returns the targets in the order in which they are to be tried: by priority, and among equals
// as declared or, where the strategy is weighted, by lot.
func order(d *plenum.Deployment) []plenum.Target {
	ts := slices.Clone(d.Targets)
	if d.Strategy == plenum.Weighted {
		draw(ts)
	}
	slices.SortStableFunc(ts, func(a, b plenum.Target) int { return a.Priority - b.Priority })
	return slices.DeleteFunc(ts, func(t plenum.Target) bool { return t.Weight == 0 && len(d.Targets) > 1 })
}

// draw shuffles targets so that the chance of coming first is in proportion to weight.
func draw(ts []plenum.Target) {
	for i := range ts {
		total := 0
		for _, t := range ts[i:] {
			total += t.Weight
		}
		if total == 0 {
			return
		}
		n := rand.IntN(total)
		for j := i; j < len(ts); j++ {
			if n -= ts[j].Weight; n < 0 {
				ts[i], ts[j] = ts[j], ts[i]
				break
			}
		}
	}
}

// models answers with the deployments that the caller may call by name, patterns left out, or with the one
// that was asked for.
func models(c *gateway.Call, out gateway.Out, since int64, may May) error {
	list := &llm.ModelList{}
	if c.Head.Model != "" {
		d, ok := c.Config.Deployment(c.Head.Model)
		if !ok {
			return unknown(c, may)
		}
		if may != nil {
			if err := may(c, d); err != nil {
				return err
			}
		}
		list.Models = append(list.Models, entry(d, c.Head.Model, since))
	} else {
		for _, d := range c.Config.Callable() {
			if may != nil && may(c, d) != nil {
				continue
			}
			list.Models = append(list.Models, entry(d, d.Name, since))
		}
	}
	if err := out.Begin(gateway.Head{Status: http.StatusOK}); err != nil {
		return err
	}
	return out.Chunk(dialect.Chunk{Result: list})
}

func entry(d *plenum.Deployment, name string, since int64) llm.Model {
	m := llm.Model{ID: name, Owner: plenum.Product, Created: since}
	if owner, _, ok := strings.Cut(d.Model, "/"); ok {
		m.Owner = owner
	}
	return m
}
