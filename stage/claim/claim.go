// Package claim is the stage that sees to it that a request names only what its caller's project owns: of the files,
// vector stores, containers and the like that a vendor keeps. All callers of a deployment share one account there, so
// the vendor itself cannot tell. What a vendor makes while it answers (a container that a tool ran in) is noted here as
// the caller's.
package claim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Owners knows whose the things are that vendors keep.
type Owners interface {
	// Whose returns what is known of those ids of which anything is.
	Whose(ctx context.Context, ids []string) (map[string]Thing, error)
	// Note notes that a vendor made something for a caller. What is known already stays as it is.
	Note(ctx context.Context, who plenum.Principal, kind, id string, at Thing) error
}

// Thing is something with an id: whose it is, and at which connection's vendor; none where Plenum keeps it itself.
type Thing struct{ Project, Deployment, Connection string }

// New returns the stage. Without owners every request passes.
func New(o Owners) gateway.Stage {
	return gateway.Stage{Name: "claim", Wrap: func(next gateway.Handler) gateway.Handler {
		if o == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			names := &c.Head.Names
			if c.Op == llm.OpRealtime {
				c.Vet = func(ctx context.Context, n dialect.Names) error { return check(ctx, o, c, n.Things, nil) }
			}
			if len(names.Things) > 0 {
				if err := check(ctx, o, c, names.Things, &c.Candidates); err != nil {
					return err
				}
			}
			if names.By != nil && (names.Brings || len(names.Things) > 0) {
				out = &noting{Out: out, ctx: ctx, owners: o, call: c}
			}
			return next(ctx, c, out)
		}
	}}
}

// mostNamed bounds how many things a request names.
const mostNamed = 2000

// check refuses a request that names what is not its caller's, and leaves of the targets those where it is.
func check(ctx context.Context, o Owners, c *gateway.Call, things []dialect.Named, targets *[]plenum.Target) error {
	ids := make([]string, 0, min(len(things), mostNamed+1))
	for _, t := range things {
		if !shared(c.Deployment, t.ID) && !slices.Contains(ids, t.ID) && len(ids) <= mostNamed {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > mostNamed {
		return &llm.Error{Kind: llm.Invalid, Op: "claim", Message: fmt.Sprintf("a request names at most %d things", mostNamed)}
	}
	known, err := o.Whose(ctx, ids)
	if err != nil {
		return &llm.Error{Kind: llm.Overloaded, Op: "claim", Message: "who owns what this request names cannot be looked up at the moment; try again", Err: err}
	}
	at := ""
	for _, t := range things {
		thing, ok := known[t.ID]
		switch {
		case !ok && (c.Deployment.UnknownIDs || !slices.Contains(ids, t.ID)):
			continue
		case !ok || thing.Project != c.Caller.Project:
			return notThere(t)
		case thing.Connection == "":
			return &llm.Error{Kind: llm.NotFound, Op: "claim", Param: t.Param, Message: fmt.Sprintf("%q is kept here and not at the model's vendor: upload it with the header plenum-deployment", clip(t.ID))}
		case at != "" && thing.Connection != at:
			return &llm.Error{Kind: llm.Invalid, Op: "claim", Param: t.Param, Message: fmt.Sprintf("%q is at another vendor than the rest of what this request names; name things of one vendor in a request", clip(t.ID))}
		}
		at = thing.Connection
	}
	if at == "" || targets == nil {
		return nil
	}
	return reach(targets, at)
}

// reach leaves the targets at a connection: what is named is nowhere else.
func reach(targets *[]plenum.Target, connection string) error {
	left := make([]plenum.Target, 0, len(*targets))
	for _, t := range *targets {
		if t.Offer.Connection == connection {
			left = append(left, t)
		}
	}
	if len(left) == 0 {
		return &llm.Error{Kind: llm.NotFound, Op: "claim", Message: "what this request names is kept at another vendor than those of this deployment; use the deployment through which it was made"}
	}
	*targets = left
	return nil
}

// notThere says the same of what is another's and of what nobody knows.
func notThere(t dialect.Named) error {
	return &llm.Error{
		Kind: llm.NotFound, Op: "claim", Param: t.Param,
		Message: fmt.Sprintf("there is no %q at the vendor for this project (what was made there past the gateway must be allowed: shared_ids or unknown_ids of the deployment)", clip(t.ID)),
	}
}

// shared reports whether a deployment lets everyone name the id.
func shared(d *plenum.Deployment, id string) bool {
	return slices.ContainsFunc(d.SharedIDs, func(s string) bool {
		begin, open := strings.CutSuffix(s, "*")
		return s == id || open && strings.HasPrefix(id, begin)
	})
}

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// noting notes what an answer tells of.
type noting struct {
	gateway.Out
	ctx    context.Context //nolint:containedctx // it lives as long as the call
	owners Owners
	call   *gateway.Call
	same   bool
	noted  []string
}

// Begin looks whether the answer is said in the words of the request.
func (n *noting) Begin(h gateway.Head) error {
	n.same = h.Dialect == n.call.Dialect.Name
	return n.Out.Begin(h)
}

// Chunk notes what a piece of the answer tells of, before the caller knows of it.
func (n *noting) Chunk(ch dialect.Chunk) error {
	body := ch.Body
	if body == nil {
		body = ch.Frame.Data
	}
	if n.same && len(body) > 0 {
		for _, t := range n.call.Head.Names.By.Told(body) {
			n.note(t)
		}
	}
	return n.Out.Chunk(ch)
}

// note notes that a thing is the caller's. What the request has named itself is known, or allowed as it is; if it
// cannot be noted, the caller cannot come back to it, and the answer goes out all the same.
func (n *noting) note(t dialect.Named) {
	c := n.call
	isNamed := func(x dialect.Named) bool { return x.ID == t.ID }
	if slices.Contains(n.noted, t.ID) || slices.ContainsFunc(c.Head.Names.Things, isNamed) || len(n.noted) >= mostNamed {
		return
	}
	n.noted = append(n.noted, t.ID)
	at := Thing{Project: c.Caller.Project, Deployment: c.Deployment.Name, Connection: n.connection()}
	if err := n.owners.Note(n.ctx, c.Caller, t.Kind, t.ID, at); err != nil {
		c.Trail.Note("whose " + clip(t.ID) + " is could not be noted")
	}
}

// connection returns that of the target which answers.
func (n *noting) connection() string {
	target := n.call.Trail.Snapshot().Target
	for _, t := range n.call.Candidates {
		if t.Offer.ID == target {
			return t.Offer.Connection
		}
	}
	return ""
}
