package policy

import (
	"fmt"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// agreed leaves the targets whose terms the caller's project has accepted, and refuses the call where none is left.
func agreed(c *gateway.Call) error {
	if !slices.ContainsFunc(c.Candidates, func(t plenum.Target) bool { return open(c, &t) }) {
		return nil
	}
	first := ""
	c.Candidates = slices.DeleteFunc(c.Candidates, func(t plenum.Target) bool {
		if !open(c, &t) {
			return false
		}
		if first == "" {
			first = t.Offer.Terms
		}
		c.Trail.Note("terms: not to " + t.Offer.ID + ": " + t.Offer.Terms + " are not accepted")
		return true
	})
	if len(c.Candidates) > 0 {
		return nil
	}
	return notAgreed(c, first)
}

// open reports whether a target has terms that are still to be accepted.
func open(c *gateway.Call, t *plenum.Target) bool {
	return t.Offer.Terms != "" && !c.Config.Accepted(c.Caller.Project, t.Offer.Terms)
}

func notAgreed(c *gateway.Call, terms string) error {
	what := "this"
	if c.Deployment != nil {
		what = fmt.Sprintf("%q", c.Deployment.Name)
	}
	where := ""
	if t, ok := c.Config.Terms(terms); ok && t.URL != "" {
		where = " (" + t.URL + ")"
	}
	return &llm.Error{
		Kind: llm.Forbidden, Op: "policy", Code: "terms_not_accepted",
		Message: fmt.Sprintf("the project %q must accept the terms %q%s before it uses %s; a developer of the project does that with: plenum terms accept %s --project %s",
			c.Caller.Project, terms, where, what, terms, c.Caller.Project),
	}
}
