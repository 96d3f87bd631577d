package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/report"
	"github.com/plenum-foundry/plenum/store"
)

// asked is what a report is asked, as flags.
type asked struct {
	by, measures       []string
	per, sort          string
	top                int
	since, until, zone string
	where              []string
}

func (a *asked) timeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.since, "since", "30d", "from when: a `time` ago such as 7d, a day such as 2027-01-31, or a time such as 2027-01-31T15:04:05Z")
	cmd.Flags().StringVar(&a.until, "until", "", "until when, which is not included: the same kinds of `time`; now if left out")
}

func (a *asked) whereFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.where, "where", nil, "only what has this, as `NAME=VALUE`, such as project=web or tag:team=search; may be given several times")
}

func (a *asked) sumFlags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&a.by, "by", []string{"project", "model"}, "what it is summed by, with `commas` between; see plenum report --help")
	cmd.Flags().StringVar(&a.per, "per", "", "divide the time into `periods`: hour, day, week or month")
	cmd.Flags().StringVar(&a.zone, "zone", "", "the time `zone` of periods and days, such as Europe/Berlin; UTC if left out")
	cmd.Flags().StringSliceVar(&a.measures, "measures", nil, "what is told, with `commas` between: "+strings.Join(report.Measures(), ", "))
	cmd.Flags().StringVar(&a.sort, "sort", "", "the `measure` that is largest first: cost, calls, errors or tokens")
	cmd.Flags().IntVar(&a.top, "top", 0, "show so many lines of a period, and the others as one; 0 is all")
	for name, words := range map[string][]string{
		"by": report.Dimensions(), "measures": report.Measures(), "sort": {report.Cost, report.Calls, report.Errors, report.Tokens},
		"per": {report.PerHour, report.PerDay, report.PerWeek, report.PerMonth},
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

// values are the parameters of the request.
func (a *asked) values(now time.Time) (url.Values, error) {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("by", strings.Join(a.by, ","))
	set("measures", strings.Join(a.measures, ","))
	set("per", a.per)
	set("sort", a.sort)
	set("zone", a.zone)
	if a.top > 0 {
		v.Set("top", strconv.Itoa(a.top))
	}
	for name, text := range map[string]string{"from": a.since, "to": a.until} {
		when, err := whenSaid(text, now)
		if err != nil {
			return nil, err
		}
		set(name, when)
	}
	for _, w := range a.where {
		name, value, ok := strings.Cut(w, "=")
		if tag, is := strings.CutPrefix(name, "tag:"); is {
			name, value = "tag", tag+"="+value
		}
		if !ok {
			return nil, &usageError{"--where is NAME=VALUE, such as project=web"}
		}
		if v.Has(name) {
			value = v.Get(name) + "," + value
		}
		v.Set(name, value)
	}
	return v, nil
}

// whenSaid says a time as the management API takes it: a day or a moment as it stands, a length of time as a moment.
func whenSaid(text string, now time.Time) (string, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if _, err := time.Parse(layout, text); err == nil || text == "" {
			return text, nil
		}
	}
	span, err := parseSpan(text)
	if err != nil {
		return "", fmt.Errorf("%q is neither a time such as 2027-01-31 nor a length of time such as 7d", text)
	}
	return now.Add(-span).UTC().Format(time.RFC3339), nil
}

func reportCommand() *cobra.Command {
	var r remote
	var a asked
	var format string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Report what was used and what it cost, by any mix of what calls have to do with",
		Long: "Report what a running Plenum was used for and what that cost, by any mix of " + strings.Join(report.Dimensions(), ", ") + "\n" +
			"and tag:NAME, over time. The lines, with the rest that is not shown, make the total to the micro-dollar.\n" +
			"Usage is summed by the hour: a time is widened to whole hours.",
		Example: "  plenum report --by project,model --since 2026-11-01\n" +
			"  plenum report --by tag:team --per month --zone Europe/Berlin --since 365d -o csv > teams.csv\n" +
			"  plenum report --by key --where project=web --top 10 --measures calls,cost,latency",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error { return a.report(cmd, &r, format) }),
	}
	r.flags(cmd)
	a.sumFlags(cmd)
	a.timeFlags(cmd)
	a.whereFlag(cmd)
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table, csv or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "csv", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(concentrationCommand(), focusCommand(), rebuildCommand())
	return cmd
}

func (a *asked) report(cmd *cobra.Command, r *remote, format string) error {
	q, err := a.values(time.Now())
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"table", "csv", "json"}, format) {
		return fmt.Errorf("there is no output %q; use table, csv or json", format)
	}
	if format == "csv" {
		q.Set("format", format)
	}
	if format != "table" {
		return r.copy(cmd.Context(), cmd.OutOrStdout(), "/reports/usage", q)
	}
	b, err := r.send(cmd.Context(), http.MethodGet, "/reports/usage", q, nil)
	if err != nil {
		return err
	}
	var rep report.Report
	if err := json.Unmarshal(b, &rep); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return showReport(cmd.OutOrStdout(), &rep)
}

// showReport shows a report to people: tokens as those read and those written.
func showReport(w io.Writer, r *report.Report) error {
	if len(r.Lines) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was used in that time.")
		return err
	}
	var head []string
	if r.Per != "" {
		head = append(head, strings.ToUpper(r.Per))
	}
	for _, by := range r.By {
		head = append(head, strings.ToUpper(by))
	}
	words := map[string][]string{
		report.Tokens: {"IN", "OUT"}, report.Cost: {"USD"}, report.Costs: {"USD", "OF WHICH"}, report.Latency: {"P50", "P95"},
	}
	for _, m := range r.Measures {
		if ws, ok := words[m]; ok {
			head = append(head, ws...)
			continue
		}
		head = append(head, strings.ToUpper(m))
	}
	rows := make([][]string, 0, len(r.Lines)+1)
	for i := range r.Lines {
		rows = append(rows, reportRow(r, &r.Lines[i], "(rest)"))
	}
	r.Total.Rest = true
	if len(r.By) > 0 || r.Per != "" {
		rows = append(rows, reportRow(r, &r.Total, "(total)"))
	}
	return table(w, head, rows)
}

// reportRow is a line as a row; where it is of no group, all says what of.
func reportRow(r *report.Report, l *report.Line, all string) []string {
	var row []string
	if r.Per != "" {
		row = append(row, orDash(l.Period))
	}
	for i, by := range r.By {
		switch {
		case l.Rest && i == 0:
			row = append(row, all)
		default:
			row = append(row, orDash(l.By[by]))
		}
	}
	for _, m := range r.Measures {
		row = append(row, figures(l, m)...)
	}
	return row
}

func figures(l *report.Line, measure string) []string {
	switch measure {
	case report.Tokens:
		return []string{count(read(*l.Tokens)), count(written(*l.Tokens))}
	case report.Cost:
		return []string{l.CostUSD}
	case report.Costs:
		var parts []string
		for name, usd := range l.CostsUSD {
			parts = append(parts, name+" "+usd)
		}
		slices.Sort(parts)
		return []string{l.CostUSD, orDash(strings.Join(parts, ", "))}
	case report.Latency:
		ms := func(n int64) string { return (time.Duration(n) * time.Millisecond).String() }
		return []string{ms(l.P50MS), ms(l.P95MS)}
	}
	return []string{count(l.Count(measure))}
}

func concentrationCommand() *cobra.Command {
	var r remote
	var a asked
	var o output
	cmd := &cobra.Command{
		Use:   "concentration",
		Short: "Say on which vendors, hosts and models the spending depends",
		Long: "Say which shares of the spending, the tokens and the calls vendors, hosts and models have, and how concentrated that\n" +
			"is: by the Herfindahl-Hirschman index, from nearly 0 for many alike to 10,000 for one alone.",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			q, err := a.values(time.Now())
			if err != nil {
				return err
			}
			b, err := r.send(cmd.Context(), http.MethodGet, "/reports/concentration", q, nil)
			if err != nil {
				return err
			}
			var c report.Concentration
			if err := json.Unmarshal(b, &c); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			return o.showConcentration(cmd.OutOrStdout(), &c)
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	a.timeFlags(cmd)
	a.whereFlag(cmd)
	return cmd
}

func (o *output) showConcentration(w io.Writer, c *report.Concentration) error {
	if o.format == "json" {
		return o.show(w, c, nil, nil, "")
	}
	percent := func(s float64) string { return strconv.FormatFloat(100*s, 'f', 1, 64) + " %" }
	for i := range c.Of {
		d := &c.Of[i]
		var rows [][]string
		for _, p := range d.Parts {
			rows = append(rows, []string{orDash(p.Name), p.CostUSD, percent(p.CostShare), count(p.Tokens), percent(p.TokensShare), count(p.Calls), percent(p.CallsShare)})
		}
		rows = append(rows, []string{"(index)", "", strconv.Itoa(d.CostIndex), "", strconv.Itoa(d.TokensIndex), "", strconv.Itoa(d.CallsIndex)})
		if err := o.show(w, nil, []string{strings.ToUpper(d.By), "USD", "", "TOKENS", "", "CALLS", ""}, rows, ""); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if l := c.Largest; l != nil {
		fmt.Fprintf(w, "The largest single dependence: %s %s has %s of %s.\n", l.By, l.Name, percent(l.Share), map[string]string{
			report.Cost: "the spending", report.Tokens: "the tokens", report.Calls: "the calls",
		}[l.Measure])
	}
	return nil
}

func focusCommand() *cobra.Command {
	var r remote
	var a asked
	var format string
	cmd := &cobra.Command{
		Use:   "focus",
		Short: "Write what was used in the FOCUS cost format",
		Long: "Write what was used as a file in the FOCUS format (FinOps Open Cost and Usage Specification) " + report.FocusVersion + ", a row for each\n" +
			"day, project, deployment, offer, set of tags and class of usage. Costs are by Plenum's price table.",
		Example: "  plenum report focus --since 2026-11-01 --until 2026-12-01 > november.csv",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			q, err := a.values(time.Now())
			if err != nil {
				return err
			}
			if format != "csv" && format != "json" {
				return fmt.Errorf("there is no output %q; use csv or json", format)
			}
			q.Set("format", format)
			return r.copy(cmd.Context(), cmd.OutOrStdout(), "/reports/focus", q)
		}),
	}
	r.flags(cmd)
	a.timeFlags(cmd)
	a.whereFlag(cmd)
	cmd.Flags().StringVar(&a.per, "per", "", "what a row is `of`: day or hour; a day if left out")
	cmd.Flags().StringVarP(&format, "output", "o", "csv", "csv or json: then each row is an object")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"csv", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func rebuildCommand() *cobra.Command {
	var p place
	var all bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the sums that reports are made from anew, from the records",
		Long: "Make the sums that reports are made from anew, hour by hour, from the records: those that lag behind, or all. Hours whose\n" +
			"records are gone keep their sums. A Plenum may be running meanwhile. It does this by itself when it starts, for the\n" +
			"hours that lag behind: after an upgrade from a release without such sums, for example.",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd, func(ctx context.Context, _ *config.File, s store.Store) error {
				list := s.Lag
				if all {
					list = s.Hours
				}
				made, kept, err := rebuild(ctx, s, list)
				if err == nil {
					err = packSums(ctx, s, time.Now())
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d hours were summed anew, and %d kept: their records are gone.\n", made, kept)
				return err
			})
		}),
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all hours of which there are records")
	return cmd
}

// rebuild sums hours anew.
func rebuild(ctx context.Context, s store.Rollups, list func(context.Context) ([]int64, error)) (made, kept int, err error) {
	hours, err := list(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, h := range hours {
		done, err := s.Rebuild(ctx, h)
		switch {
		case err != nil:
			return made, kept, err
		case done:
			made++
		default:
			kept++
		}
	}
	return made, kept, nil
}

// The times of packing: how often it is looked for, and how long after its end a day is packed. Calls that began in it may
// still go on; those that end later have it packed again.
const (
	packEvery = 10 * time.Minute
	packAfter = 30 * time.Minute
)

// packSums packs the sums of the days that are over.
func packSums(ctx context.Context, s store.Rollups, now time.Time) error {
	days, err := s.Days(ctx)
	if err != nil {
		return err
	}
	for _, d := range store.Unpacked(days, now.Add(-packAfter).Unix()/3600) {
		if _, err := s.Pack(ctx, d); err != nil { // where somebody added to it meanwhile, there is a next time
			return err
		}
	}
	return nil
}

// keepSums sums what another release has kept without sums, and then what time brings.
func (n *Node) keepSums(ctx context.Context) error {
	made, _, err := rebuild(ctx, n.store, n.store.Lag)
	if made > 0 {
		n.log.Info("records of another release were summed for reports", "hours", made)
	}
	tick := time.NewTicker(packEvery)
	defer tick.Stop()
	for {
		if err == nil {
			err = packSums(ctx, n.store, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			n.log.Warn("the sums that reports are made from are not all made; it is tried again", "err", err)
		}
		err = nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func exitDrillCommand() *cobra.Command {
	var r remote
	var a asked
	var o output
	var vendor, host, project, deployment string
	limit := 0
	cmd := &cobra.Command{
		Use:   "exit-drill",
		Short: "Say what would have happened without a vendor or a host",
		Long: "Take the calls on record and the deployments and policies of now, and say which calls would have been served by which\n" +
			"other target if a vendor or a host had not been there, which not and why, and what it would have cost. Nothing is\n" +
			"called and nothing changes.",
		Example: "  plenum exit-drill --vendor openai --since 7d\n  plenum exit-drill --host azure --since 2026-11-01 -o json",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			q, err := a.values(time.Now())
			if err != nil {
				return err
			}
			for name, v := range map[string]string{"vendor": vendor, "host": host, "project": project, "deployment": deployment} {
				if v != "" {
					q.Set(name, v)
				}
			}
			if limit > 0 {
				q.Set("limit", strconv.Itoa(limit))
			}
			b, err := r.send(cmd.Context(), http.MethodGet, "/reports/exit-drill", q, nil)
			if err != nil {
				return err
			}
			var d report.Drill
			if err := json.Unmarshal(b, &d); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			return o.showDrill(cmd.OutOrStdout(), &d)
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	a.timeFlags(cmd)
	cmd.Flags().StringVar(&vendor, "vendor", "", "the `publisher` that goes away, with its models wherever they are served")
	cmd.Flags().StringVar(&host, "host", "", "the `provider` or connection that goes away, with all that it serves")
	cmd.Flags().StringVar(&project, "project", "", "only the calls of a `project`")
	cmd.Flags().StringVar(&deployment, "deployment", "", "only the calls of a `deployment`")
	cmd.Flags().IntVar(&limit, "limit", 0, "the most calls to look at, the latest first; 100000 if left out")
	cmd.MarkFlagsMutuallyExclusive("vendor", "host")
	return cmd
}

func (o *output) showDrill(w io.Writer, d *report.Drill) error {
	if o.format == "json" {
		return o.show(w, d, nil, nil, "")
	}
	if o.format != "table" {
		return errors.New("use table or json")
	}
	fmt.Fprintf(w, "Without %s, of %d calls %d would have moved, %d would not have been served, and %d are as they were.\n", d.Without, d.Calls, d.Moved, d.Stranded, d.Unaffected)
	if d.More {
		fmt.Fprintf(w, "There are more calls in that time; these are the latest. --limit looks at more.\n")
	}
	if d.Moved > 0 {
		fmt.Fprintf(w, "Those that move cost %s USD, and would have cost %s USD", d.CostUSD, d.InsteadUSD)
		if d.Unpriced > 0 {
			fmt.Fprintf(w, ", not counting %d whose price is not known", d.Unpriced)
		}
		fmt.Fprintln(w, ".")
	}
	var rows [][]string
	for _, x := range d.Ways {
		to := x.To
		if to == "" {
			to = "nowhere: " + x.Why
		}
		rows = append(rows, []string{orDash(x.Deployment), x.From, to, count(int64(x.Calls)), x.CostUSD, orDash(x.InsteadUSD), x.Last})
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		if err := o.show(w, nil, []string{"DEPLOYMENT", "FROM", "TO", "CALLS", "USD", "INSTEAD", "LAST CALL"}, rows, ""); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "\nRecords do not tell")
	for _, u := range d.Unknown {
		fmt.Fprintf(w, "- %s\n", u)
	}
	return nil
}
