package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/store"
)

func getCommand(parts Parts) *cobra.Command {
	return verb("get", "List calls, usage, keys or what is declared", append([]*cobra.Command{getCallsCommand(parts), getUsageCommand(parts), getKeysCommand(parts), getAuditCommand(), getSessionsCommand()}, nounCommands(getNounCommand)...)...)
}

func describeCommand(parts Parts) *cobra.Command {
	return verb("describe", "Show all that is known of a call, or what is declared of something", append([]*cobra.Command{describeCallCommand(parts)}, nounCommands(describeNounCommand)...)...)
}

// chosen is which calls are meant.
type chosen struct {
	project    string
	key        string
	deployment string
	since      string
}

func (c *chosen) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&c.project, "project", "", "only those of a `project`")
	cmd.Flags().StringVar(&c.key, "key", "", "only those made with a key, by its `id`")
	cmd.Flags().StringVar(&c.deployment, "deployment", "", "only those of a `deployment`")
	cmd.Flags().StringVar(&c.since, "since", since, "only those of the last `time`, such as 1h, 30d, 4w; all if empty")
}

// from is where the time that is meant begins, in Unix microseconds; 0 is the beginning.
func (c *chosen) from(now time.Time) (int64, error) {
	if c.since == "" {
		return 0, nil
	}
	span, err := parseSpan(c.since)
	if err != nil {
		return 0, fmt.Errorf("--since: %w", err)
	}
	return now.Add(-span).UnixMicro(), nil
}

// query is what the management API is asked for.
func (c *chosen) query(from int64) url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"project": c.project, "key": c.key, "deployment": c.deployment} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if from != 0 {
		q.Set("from", time.UnixMicro(from).UTC().Format(time.RFC3339Nano))
	}
	return q
}

func getCallsCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var o output
	var c chosen
	var limit int
	cmd := &cobra.Command{
		Use:     "calls",
		Aliases: []string{"call"},
		Short:   "List the latest calls",
		Long:    "List the latest calls, the latest first. A call is here within a second of its end.",
		Example: "  plenum get calls\n  plenum get calls --deployment grok --since 1h --limit 20",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			from, err := c.from(time.Now())
			if err != nil {
				return err
			}
			q := c.query(from)
			return p.with(cmd, func(ctx context.Context) error {
				var calls []plenum.Record
				for limit > len(calls) {
					q.Set("limit", strconv.Itoa(min(limit-len(calls), 1000)))
					var page struct {
						Data []plenum.Record
						Next string
					}
					if err := p.get(ctx, "/calls", q, &page); err != nil {
						return err
					}
					calls = append(calls, page.Data...)
					if page.Next == "" {
						break
					}
					q.Set("after", page.Next)
				}
				return o.showCalls(cmd.OutOrStdout(), calls)
			})
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	c.flags(cmd, "")
	cmd.Flags().IntVar(&limit, "limit", 20, "the most calls to list")
	return cmd
}

func (o *output) showCalls(w io.Writer, calls []plenum.Record) error {
	rows := make([][]string, len(calls))
	for i := range calls {
		r := &calls[i]
		rows[i] = []string{
			when(time.UnixMicro(r.Start)), r.ID, string(r.Outcome), count(int64(r.Status)), orDash(r.Deployment), orDash(r.Target),
			count(read(r.Usage)), count(written(r.Usage)), cost(r), took(r),
		}
	}
	if calls == nil {
		calls = []plenum.Record{}
	}
	return o.show(w, calls, []string{"BEGAN", "ID", "OUTCOME", "STATUS", "DEPLOYMENT", "TARGET", "IN", "OUT", "USD", "TOOK"}, rows, "There are no such calls.")
}

// read is the number of tokens that were read, whatever their class.
func read(t plenum.Tokens) int64 {
	return t.Input + t.CacheRead + t.CacheWrite5m + t.CacheWrite1h + t.InputAudio + t.InputImage
}

// written is the number of tokens that were written.
func written(t plenum.Tokens) int64 {
	return t.Output + t.Reasoning + t.OutputAudio + t.OutputImage
}

// unknownCost stands for a cost of which nobody told the price.
const unknownCost = "?"

func cost(r *plenum.Record) string {
	if !r.Priced && read(r.Usage)+written(r.Usage) > 0 {
		return unknownCost
	}
	return r.Cost.String()
}

func took(r *plenum.Record) string {
	if r.End == 0 {
		return dash
	}
	return (time.Duration(r.End-r.Start) * time.Microsecond).Round(time.Millisecond).String()
}

func getUsageCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var o output
	var c chosen
	by := string(store.ByDeployment)
	cmd := &cobra.Command{
		Use:     "usage",
		Short:   "Sum up what was used, and what it cost",
		Long:    "Sum up what was used, and what it cost. Usage is kept by the hour (UTC): a time is widened to whole hours.",
		Example: "  plenum get usage\n  plenum get usage --by key --since 7d\n  plenum get usage --by project --since '' --output json",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			from, err := c.from(time.Now())
			if err != nil {
				return err
			}
			switch store.By(by) {
			case store.ByDeployment, store.ByKey, store.ByProject:
			default:
				return fmt.Errorf("usage is not summed by %q; use deployment, key or project", by)
			}
			q := c.query(from)
			q.Set("by", by)
			return p.with(cmd, func(ctx context.Context) error { return o.usage(ctx, cmd.OutOrStdout(), &p.remote, q) })
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	c.flags(cmd, "30d")
	cmd.Flags().StringVar(&by, "by", by, "deployment, key or project")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"deployment", "key", "project"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *output) usage(ctx context.Context, w io.Writer, r *remote, q url.Values) error {
	var all struct{ Data []admin.Usage }
	by := q.Get("by")
	if err := r.get(ctx, "/usage", q, &all); err != nil {
		return err
	}
	names := map[string]string{}
	if store.By(by) == store.ByKey {
		keys, err := r.keys(ctx)
		if err != nil {
			return err
		}
		for i := range keys {
			names[keys[i].ID] = keys[i].Name
		}
	}
	return o.showUsage(w, by, all.Data, names)
}

func (o *output) showUsage(w io.Writer, by string, sums []admin.Usage, names map[string]string) error {
	var rows [][]string
	var all store.Sum
	for i := range sums {
		u := &sums[i]
		cost, err := plenum.ParseMicros(u.CostUSD)
		if err != nil {
			return err
		}
		name := orDash(u.Name)
		if n := names[u.Name]; n != "" {
			name += " (" + n + ")"
		}
		one := store.Sum{Calls: u.Calls, Errors: u.Errors, Unpriced: u.Unpriced, Estimated: u.Estimated, Tokens: u.Usage, Cost: cost}
		rows = append(rows, usageRow(name, &one))
		all.Calls, all.Errors, all.Unpriced, all.Estimated = all.Calls+u.Calls, all.Errors+u.Errors, all.Unpriced+u.Unpriced, all.Estimated+u.Estimated
		all.Cost, all.Tokens = all.Cost+cost, all.Tokens.Add(u.Usage)
	}
	if len(rows) > 1 {
		rows = append(rows, usageRow("all", &all))
	}
	err := o.show(w, sums, []string{strings.ToUpper(by), "CALLS", "ERRORS", "IN", "CACHED", "OUT", "USD"}, rows, "Nothing was used.")
	if err != nil || o.format == "json" {
		return err
	}
	return footnotes(w, &all)
}

func usageRow(name string, u *store.Sum) []string {
	cached := u.Tokens.CacheRead
	return []string{name, count(u.Calls), count(u.Errors), count(read(u.Tokens)), count(cached), count(written(u.Tokens)), u.Cost.String()}
}

// footnotes says what the sums do not have in them.
func footnotes(w io.Writer, all *store.Sum) error {
	var err error
	if all.Unpriced > 0 {
		_, err = fmt.Fprintf(w, "\nThe price of %d of these calls is not known, and not in the sum: give it in the configuration (targets: price).\n", all.Unpriced)
	}
	if all.Estimated > 0 && err == nil {
		_, err = fmt.Fprintf(w, "\nThe usage of %d of these calls is estimated: the upstream did not report it.\n", all.Estimated)
	}
	return err
}

func describeCallCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var o output
	cmd := &cobra.Command{
		Use:               "call ID",
		Short:             "Show all that is known of a call",
		Long:              "Show all that is known of a call, by the id that its answer had in plenum-request-id. What was said is not kept.",
		Example:           "  plenum describe call req_IWOVCBMYMZ2ROYDEBGFGPZAFCX",
		Args:              one("ID"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			return p.with(cmd, func(ctx context.Context) error {
				var r plenum.Record
				if err := p.get(ctx, "/calls/"+url.PathEscape(args[0]), nil, &r); err != nil {
					return err
				}
				if o.format == "json" {
					return o.show(cmd.OutOrStdout(), r, nil, nil, "")
				}
				return describe(cmd.OutOrStdout(), &r)
			})
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	return cmd
}

// describe tells a record to a person.
func describe(w io.Writer, r *plenum.Record) error {
	var rows [][]string
	line := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	line("Call", r.ID)
	line("Made by", r.Parent)
	line("Began", when(time.UnixMicro(r.Start)))
	line("Took", took(r))
	if r.FirstByte > 0 {
		line("First content", (time.Duration(r.FirstByte)*time.Microsecond).Round(time.Millisecond).String()+" after it began")
	}
	line("Outcome", outcome(r))
	line("Error", r.Error)
	line("Request", strings.TrimSpace(r.Method+" "+r.Path+" "+bracket(r.Dialect)))
	line("From", strings.TrimSpace(r.Remote+" "+bracket(r.UserAgent)))
	line("Key", strings.TrimSpace(r.KeyID+" "+bracket(r.Project)))
	line("Member", r.Member)
	line("Tags", r.Tags)
	line("Model asked for", r.Asked)
	line("Deployment", r.Deployment)
	line("Target", r.Target)
	line("Configuration", r.Config)
	line("Stopped by", r.Stop)
	line("Tokens", tokens(r.Usage))
	line("Cost", costLine(r))
	line("Bytes", fmt.Sprintf("%d in, %d out", r.BytesIn, r.BytesOut))
	line("Lost on the way", strings.Join(r.Lost, ", "))
	line("Changed", strings.Join(r.Changed, ", "))
	line("Policy", r.Policy)
	line("Guardrail", r.Guardrail)
	line("Cache", r.Cache)
	for _, n := range r.Notes {
		line("Note", n)
	}
	if err := table(w, nil, rows); err != nil {
		return err
	}
	return attempts(w, r.Attempts)
}

func bracket(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func outcome(r *plenum.Record) string {
	s := fmt.Sprintf("%s, status %d", r.Outcome, r.Status)
	if r.ErrorKind != "" {
		s += ", " + string(r.ErrorKind)
	}
	if r.Stream {
		s += ", streamed"
	}
	return s
}

// tokens lists the classes of which something was used.
func tokens(t plenum.Tokens) string {
	var parts []string
	for class, n := range t.Classes() {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(class), "_", " ")))
		}
	}
	return strings.Join(parts, ", ")
}

func costLine(r *plenum.Record) string {
	c := cost(r)
	switch {
	case c == unknownCost:
		return "not known: nobody told the price"
	case r.Estimated:
		return c + " USD, estimated"
	default:
		return c + " USD"
	}
}

func attempts(w io.Writer, as []plenum.Attempt) error {
	if len(as) == 0 {
		return nil
	}
	rows := make([][]string, len(as))
	for i, a := range as {
		said := string(a.ErrorKind)
		if a.Error != "" {
			said += ": " + a.Error
		}
		won := ""
		if a.Won {
			won = "answered"
		}
		rows[i] = []string{
			count(int64(a.N)), a.Target, count(int64(a.Status)), (time.Duration(a.End-a.Start) * time.Microsecond).Round(time.Millisecond).String(),
			tokens(a.Usage), a.Cost.String(), strings.TrimSpace(won + " " + said), a.RequestID,
		}
	}
	fmt.Fprintln(w, "\nAttempts")
	return table(w, []string{"N", "TARGET", "STATUS", "TOOK", "TOKENS", "USD", "RESULT", "UPSTREAM'S ID"}, rows)
}
