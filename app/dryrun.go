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
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/store"
)

func dryRunCommand(parts Parts) *cobra.Command {
	c := court{parts: parts}
	var o output
	var which chosen
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Say which calls on record would have been refused",
		Long: "Take the calls of the last week, and say which of them the policies would have refused, and which would have\n" +
			"gone to another target. Nothing is called and nothing changes. --policies takes a draft in the place of the\n" +
			"policies that are declared.",
		Example: "  plenum policy test --config plenum.yaml\n" +
			"  plenum policy test --config plenum.yaml --policies draft.cedar --since 30d --project web",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func() error { return c.dryRun(cmd.Context(), cmd.OutOrStdout(), &o, &which) })
		}),
	}
	c.flags(cmd)
	o.flags(cmd)
	which.flags(cmd, "7d")
	return cmd
}

// retrial is what came of judging calls anew.
type retrial struct {
	Policies string `json:"policies"` // their version
	Calls    int    `json:"calls"`
	Refused  int    `json:"refused"` // that went through, and would not now
	Moved    int    `json:"moved"`   // that would have gone to another target
	Before   int    `json:"refused_before"`
	// Gone are calls by deployments that are not declared any more; they are judged by what is on record of them.
	Gone   int        `json:"gone,omitempty"`
	Groups []*refused `json:"groups"`
	Idle   []string   `json:"idle,omitempty"` // rules that decided nothing
}

// refused are the calls that one rule would refuse to one key at one deployment.
type refused struct {
	Rule       string        `json:"rule"`
	What       string        `json:"what"`       // refused or moved
	Deployment string        `json:"deployment"` // or what callers keep
	Key        string        `json:"key"`
	Project    string        `json:"project"`
	Calls      int           `json:"calls"`
	Cost       plenum.Micros `json:"cost_micros"`
	Last       string        `json:"last_call"`
}

func (c *court) dryRun(ctx context.Context, w io.Writer, o *output, which *chosen) error {
	if c.set == nil {
		_, err := fmt.Fprintln(w, "There are no policies in force: nothing would be refused.")
		return err
	}
	if c.store == nil {
		return errNoData(c.snapshot.Declared.DataDir)
	}
	from, err := which.from(time.Now())
	if err != nil {
		return err
	}
	t := &trial{court: c, out: retrial{Policies: c.set.Version(), Groups: []*refused{}}, groups: map[refused]*refused{}, decided: map[string]bool{}}
	f := store.Filter{Project: which.project, KeyID: which.key, Deployment: which.deployment, From: from}
	if err := each(ctx, c.store, f, t.judge); err != nil {
		return err
	}
	return t.show(w, o, which.since)
}

// each hands the calls that a filter chooses to a function, the latest first, without holding them all.
func each(ctx context.Context, s store.Records, f store.Filter, do func(*plenum.Record)) error {
	f.Limit = 1000
	seen := map[string]bool{} // of the last moment of a page, which the next page begins with
	for {
		page, err := s.Calls(ctx, f)
		if err != nil {
			return fmt.Errorf("reading the calls: %w", err)
		}
		fresh := 0
		for i := range page {
			if !seen[page[i].ID] {
				fresh++
				do(&page[i])
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		last := page[len(page)-1].Start
		f.To = last + 1
		if fresh == 0 {
			f.To = last // more calls of one microsecond than a page holds: there is no other way on
		}
		clear(seen)
		for i := range page {
			if page[i].Start == last {
				seen[page[i].ID] = true
			}
		}
	}
}

// trial judges calls one by one.
type trial struct {
	court   *court
	out     retrial
	groups  map[refused]*refused
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
	g := refused{Rule: "(none permits)", What: what, Deployment: r.Deployment, Key: cmp.Or(asked.Who.KeyName, r.KeyID), Project: r.Project}
	if rule := d.Rule(); rule != nil {
		g.Rule = rule.Name
	}
	if asked.Offer == nil {
		g.Deployment = policy.Kind(r.Op)
	}
	all, ok := t.groups[g]
	if !ok {
		all = new(refused)
		*all = g
		all.Last = r.ID
		t.groups[g] = all
		t.out.Groups = append(t.out.Groups, all)
	}
	all.Calls++
	all.Cost += r.Cost
}

func (t *trial) show(w io.Writer, o *output, since string) error {
	out := &t.out
	slices.SortFunc(out.Groups, func(a, b *refused) int {
		return cmp.Or(cmp.Compare(b.What, a.What), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Rule+a.Deployment+a.Key, b.Rule+b.Deployment+b.Key))
	})
	for _, r := range t.court.set.Rules() {
		if !t.decided[r.Name] {
			out.Idle = append(out.Idle, r.Name)
		}
	}
	if o.format == "json" {
		return o.show(w, out, nil, nil, "")
	}
	fmt.Fprintf(w, "Of %d calls%s the policies @%s would refuse %d, and send %d elsewhere. %d were refused anyway.\n",
		out.Calls, ofLast(since), out.Policies, out.Refused, out.Moved, out.Before)
	if out.Gone > 0 {
		fmt.Fprintf(w, "The deployments of %d are not declared any more: these are judged by what is on record.\n", out.Gone)
	}
	if len(out.Groups) > 0 {
		rows := make([][]string, 0, len(out.Groups))
		for _, g := range out.Groups {
			rows = append(rows, []string{g.What, g.Rule, orDash(g.Deployment), g.Key, g.Project, count(int64(g.Calls)), g.Cost.String(), g.Last})
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
		if known, ok := c.compiler.catalog.Describe(a.Provider, a.Upstream, ""); ok {
			o.Model, o.Context, o.Price, o.Traits = known.Model, known.Context, known.Price, known.Traits
		}
		if !slices.ContainsFunc(d.Targets, func(t plenum.Target) bool { return t.Offer.ID == o.ID }) {
			d.Targets = append(d.Targets, plenum.Target{Offer: o})
		}
	}
	return d
}
