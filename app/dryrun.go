package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/store"
)

func dryRunCommand(parts Parts) *cobra.Command {
	c := court{parts: parts}
	p := bench{parts: parts}
	var o output
	var which chosen
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Say which calls on record would have been refused",
		Long: "Take the calls of the last week, and say which of them the policies would have refused, and which would have\n" +
			"gone to another target. Nothing is called and nothing changes. --policies takes a draft in the place of the\n" +
			"policies that are declared. With --config it is the policies of that file, whether a Plenum serves it or not;\n" +
			"without, those in force.",
		Example: "  plenum policy test --config plenum.yaml\n" +
			"  plenum policy test --config plenum.yaml --policies draft.cedar --since 30d --project web",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			drafts, err := c.drafts()
			if err != nil {
				return err
			}
			t, err := which.trial(drafts, time.Now())
			if err != nil {
				return err
			}
			if p.config != "" {
				c.place = p.place
				return c.with(cmd.Context(), func() error {
					out, err := c.retry(cmd.Context(), t)
					if err != nil {
						return err
					}
					return o.showRetrial(cmd.OutOrStdout(), out, which.since)
				})
			}
			return p.with(cmd, func(ctx context.Context) error {
				var out admin.Retrial
				if err := p.post(ctx, "/policies:test", t, &out); err != nil {
					return err
				}
				return o.showRetrial(cmd.OutOrStdout(), &out, which.since)
			})
		}),
	}
	p.flags(cmd)
	c.flags(cmd)
	o.flags(cmd)
	which.flags(cmd, "7d")
	return cmd
}

// trial is what the management API is asked for.
func (c *chosen) trial(drafts []admin.Draft, now time.Time) (*admin.Trial, error) {
	us, err := c.from(now)
	if err != nil {
		return nil, err
	}
	from := time.UnixMicro(us).UTC()
	return &admin.Trial{Project: c.project, Key: c.key, Deployment: c.deployment, From: &from, Drafts: drafts}, nil
}

// retry judges calls on record by the policies of now.
func (c *court) retry(ctx context.Context, asked *admin.Trial) (*admin.Retrial, error) {
	if c.store == nil {
		return nil, errNoData(c.snapshot.Declared.DataDir)
	}
	t := &trial{court: c, out: admin.Retrial{Groups: []admin.Refused{}}, groups: map[admin.Refused]int{}, decided: map[string]bool{}}
	if c.set == nil {
		return &t.out, nil
	}
	t.out.Policies = c.set.Version()
	f := store.Filter{Project: asked.Project, KeyID: asked.Key, Deployment: asked.Deployment}
	if asked.From != nil {
		f.From = asked.From.UnixMicro()
	}
	if asked.To != nil {
		f.To = asked.To.UnixMicro()
	}
	if err := store.Each(ctx, c.store, f, func(r *plenum.Record) bool { t.judge(r); return true }); err != nil {
		return nil, err
	}
	return t.end(), nil
}

// trial judges calls one by one.
type trial struct {
	court   *court
	out     admin.Retrial
	groups  map[admin.Refused]int // where they stand in out.Groups
	decided map[string]bool
}

func (t *trial) judge(r *plenum.Record) {
	if r.Op == llm.OpModels || r.Op == "" || r.KeyID == "" {
		return
	}
	if r.Outcome == plenum.OutcomeRefused {
		t.out.Before++
		return
	}
	asked, known := t.court.recorded(r)
	if len(asked) == 0 {
		return
	}
	t.out.Calls++
	if !known {
		t.out.Gone++
	}
	var first, moved *policy.Decision
	allowed := false
	for i := range asked {
		d := t.court.set.Decide(&asked[i])
		for _, by := range d.By {
			t.decided[by.Name] = true
		}
		switch {
		case d.Allowed:
			allowed = true
		case asked[i].Offer != nil && asked[i].Offer.ID == r.Target:
			moved = d
		}
		if !d.Allowed && first == nil {
			first = d
		}
	}
	switch {
	case !allowed:
		t.out.Refused++
		t.note(r, &asked[0], first, "refused")
	case moved != nil:
		t.out.Moved++
		t.note(r, &asked[0], moved, "moved")
	}
}

// note counts a call with those like it.
func (t *trial) note(r *plenum.Record, asked *policy.Request, d *policy.Decision, what string) {
	g := admin.Refused{Rule: "(none permits)", What: what, Deployment: r.Deployment, Key: cmp.Or(asked.Who.KeyName, r.KeyID), Project: r.Project}
	if rule := d.Rule(); rule != nil {
		g.Rule = rule.Name
	}
	if asked.Offer == nil {
		g.Deployment = policy.Kind(r.Op)
	}
	at, ok := t.groups[g]
	if !ok {
		at = len(t.out.Groups)
		t.groups[g] = at
		g.Last = r.ID
		t.out.Groups = append(t.out.Groups, g)
	}
	t.out.Groups[at].Calls++
	t.out.Groups[at].Cost += int64(r.Cost)
}

// end returns what came of it all.
func (t *trial) end() *admin.Retrial {
	out := &t.out
	slices.SortFunc(out.Groups, func(a, b admin.Refused) int {
		return cmp.Or(cmp.Compare(b.What, a.What), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Rule+a.Deployment+a.Key, b.Rule+b.Deployment+b.Key))
	})
	for _, r := range t.court.set.Rules() {
		if !t.decided[r.Name] {
			out.Idle = append(out.Idle, r.Name)
		}
	}
	return out
}

func (o *output) showRetrial(w io.Writer, out *admin.Retrial, since string) error {
	if o.format == "json" {
		return o.show(w, out, nil, nil, "")
	}
	if out.Policies == "" {
		_, err := fmt.Fprintln(w, "There are no policies in force: nothing would be refused.")
		return err
	}
	fmt.Fprintf(w, "Of %d calls%s the policies @%s would refuse %d, and send %d elsewhere. %d were refused anyway.\n",
		out.Calls, ofLast(since), out.Policies, out.Refused, out.Moved, out.Before)
	if out.Gone > 0 {
		fmt.Fprintf(w, "The deployments of %d are not declared any more: these are judged by what is on record.\n", out.Gone)
	}
	if len(out.Groups) > 0 {
		rows := make([][]string, 0, len(out.Groups))
		for i := range out.Groups {
			g := &out.Groups[i]
			rows = append(rows, []string{g.What, g.Rule, orDash(g.Deployment), g.Key, g.Project, count(int64(g.Calls)), g.USD().String(), g.Last})
		}
		fmt.Fprintln(w)
		if err := o.show(w, nil, []string{"WOULD BE", "BY", "DEPLOYMENT", "KEY", "PROJECT", "CALLS", "USD", "LAST CALL"}, rows, ""); err != nil {
			return err
		}
	}
	if len(out.Idle) > 0 {
		fmt.Fprintf(w, "\nThese rules decided on none of them: %s.\n", strings.Join(out.Idle, ", "))
	}
	return nil
}

func ofLast(since string) string {
	if since == "" {
		return ""
	}
	return " of the last " + since
}

// recorded returns the requests of a call that is on record: one for each target that it might go to now. It is false
// where its deployment is not there any more, so that only the targets on record are known.
func (c *court) recorded(r *plenum.Record) ([]policy.Request, bool) {
	who := c.snapshot.Caller(plenum.Principal{KeyID: r.KeyID, Project: r.Project})
	base := policy.Request{
		Action: policy.Use, Who: &who, Op: r.Op, Dialect: r.Dialect, Stream: r.Stream, Source: r.Remote, Time: time.UnixMicro(r.Start),
	}
	if r.Op.Own() {
		base.Action = policy.Own
		return []policy.Request{base}, true
	}
	for _, name := range [...]string{r.Asked, r.Deployment} {
		if d, ok := c.snapshot.Deployment(name); ok && d.Name == r.Deployment {
			return toEach(base, d), true
		}
	}
	return toEach(base, c.past(r)), false
}

// past is a deployment as a call's attempts tell of it.
func (c *court) past(r *plenum.Record) *plenum.Deployment {
	d := &plenum.Deployment{Name: r.Deployment}
	for _, a := range r.Attempts {
		o := plenum.Offer{ID: a.Target, Provider: a.Provider, Upstream: a.Upstream}
		o.Connection = strings.TrimSuffix(strings.TrimSuffix(a.Target, a.Upstream), "/")
		if conn, ok := c.snapshot.Connection(o.Connection); ok {
			o.Region = conn.Region
		}
		if known, ok := c.compiler.facts().Describe(a.Provider, a.Upstream, ""); ok {
			o.Model, o.Context, o.Price, o.Traits = known.Model, known.Context, known.Price, known.Traits
		}
		if !slices.ContainsFunc(d.Targets, func(t plenum.Target) bool { return t.Offer.ID == o.ID }) {
			d.Targets = append(d.Targets, plenum.Target{Offer: o})
		}
	}
	return d
}
