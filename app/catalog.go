package app

import (
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

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/catalog"
)

func catalogCommand() *cobra.Command {
	cmd := verb("catalog", "Search what is known of models, compare them, and import tables of prices",
		catalogListCommand(), catalogShowCommand(), catalogCompareCommand(), catalogConflictsCommand(), catalogImportCommand(), catalogImportsCommand(), catalogForgetCommand())
	cmd.Long = "Search what a running Plenum knows of models, whoever makes and serves them: versions, offers, prices, limits, licences and\n" +
		"lifecycles, each with its sources. PLENUM_ADMIN_KEY opens its management API."
	return cmd
}

// choice is which models are meant, as flags and as the management API has it.
type choice struct{ values map[string]*string }

func (c *choice) flags(cmd *cobra.Command) {
	c.values = map[string]*string{}
	for _, f := range []struct{ flag, param, usage string }{
		{"publisher", "publisher", "of a `publisher`, such as xai"},
		{"host", "host", "offered at a `kind` of provider, such as azure"},
		{"task", "task", "for a `task`: chat, embedding, rerank, moderation, image, speech, transcription or realtime"},
		{"modality", "modality", "that read or write a `modality`: text, image, audio, video or pdf"},
		{"capability", "capability", "that have a `capability`: tools, schema, thinking, search and so on"},
		{"license", "license", "whose weights have a `licence`, such as Apache-2.0"},
		{"lifecycle", "lifecycle", "in a `stage` of their life: preview, ga, legacy, deprecated, retired or unknown"},
		{"open", "open", "whose weights can be had: true or false"},
		{"min-context", "min_context", "with at least so many `tokens` of context"},
		{"max-input-price", "max_input_price", "for at most so many `dollars` for a million tokens read"},
		{"max-output-price", "max_output_price", "for at most so many `dollars` for a million tokens written"},
		{"on", "on", "prices and lifecycles of a `day`, such as 2026-03-09; today if left out"},
	} {
		c.values[f.param] = cmd.Flags().String(f.flag, "", "only those "+f.usage)
	}
}

// query returns what is asked for, with words to search for.
func (c *choice) query(words []string) url.Values {
	q := url.Values{}
	for param, v := range c.values {
		if *v != "" {
			q.Set(param, *v)
		}
	}
	if len(words) > 0 {
		q.Set("q", strings.Join(words, " "))
	}
	return q
}

func catalogListCommand() *cobra.Command {
	var r remote
	var o output
	var c choice
	cmd := &cobra.Command{
		Use:     "list [WORD...]",
		Short:   "Search the models that the catalog knows",
		Example: "  plenum catalog list grok\n  plenum catalog list --modality image --max-input-price 1\n  plenum catalog list --host bedrock --lifecycle ga --min-context 200000",
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			all := []catalog.Found{}
			if err := eachItem(cmd.Context(), &r, "/catalog/models", c.query(args), func(f catalog.Found) { all = append(all, f) }); err != nil {
				return err
			}
			rows := make([][]string, len(all))
			for i := range all {
				f := &all[i]
				rows[i] = []string{f.ID, orDash(string(f.Stage)), orDash(strings.Join(f.Tasks, ",")), knownNumber(f.Context), perMillion(f.InputPrice), perMillion(f.OutputPrice), orDash(f.License), orDash(strings.Join(f.Hosts, ","))}
			}
			return o.show(cmd.OutOrStdout(), all, []string{"MODEL", "LIFECYCLE", "TASK", "CONTEXT", "IN $/M", "OUT $/M", "LICENCE", "HOSTS"}, rows, "The catalog knows no such models.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	c.flags(cmd)
	return cmd
}

// knownNumber is a number that is known; a dash for 0.
func knownNumber(n int) string {
	if n == 0 {
		return dash
	}
	return strconv.Itoa(n)
}

// perMillion is a rate in dollars.
func perMillion(r *catalog.Rate) string {
	if r == nil {
		return dash
	}
	b, _ := r.MarshalJSON() // it cannot fail
	return string(b)
}

// modelCard asks for all that is known of a model.
func (r *remote) modelCard(cmd *cobra.Command, name, on string) (*admin.ModelCard, []byte, error) {
	q := url.Values{}
	if on != "" {
		q.Set("on", on)
	}
	b, err := r.send(cmd.Context(), http.MethodGet, "/catalog/models/"+url.PathEscape(name), q, nil)
	if err != nil {
		return nil, nil, err
	}
	var card admin.ModelCard
	if err := json.Unmarshal(b, &card); err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return &card, b, nil
}

func catalogShowCommand() *cobra.Command {
	var r remote
	var o output
	var on string
	cmd := &cobra.Command{
		Use:     "show MODEL",
		Short:   "Show a model: versions, offers with their prices side by side, history, lifecycle, sources",
		Example: "  plenum catalog show xai/grok-4.3\n  plenum catalog show anthropic/claude-sonnet-5 --on 2026-08-01",
		Args:    one("MODEL"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			card, b, err := r.modelCard(cmd, args[0], on)
			if err != nil {
				return err
			}
			if o.format == "json" {
				_, err := cmd.OutOrStdout().Write(b)
				return err
			}
			return showModel(cmd.OutOrStdout(), card)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringVar(&on, "on", "", "prices and lifecycle of a `day`, such as 2026-03-09; today if left out")
	return cmd
}

// showModel tells all that is known of a model to a person.
func showModel(w io.Writer, c *admin.ModelCard) error {
	if err := table(w, nil, modelRows(c)); err != nil {
		return err
	}
	if len(c.Versions) > 0 {
		rows := make([][]string, len(c.Versions))
		for i, v := range c.Versions {
			rows[i] = []string{v.ID, orDash(v.Released), lifeLine(v.Life, "")}
		}
		fmt.Fprintln(w, "\nVersions")
		if err := table(w, []string{"VERSION", "RELEASED", "LIFECYCLE"}, rows); err != nil {
			return err
		}
	}
	return showOffers(w, c.Offers)
}

func modelRows(c *admin.ModelCard) [][]string {
	var rows [][]string
	line := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	line("Model", c.ID+" ("+c.Title+")")
	line("Publisher", strings.TrimSpace(c.Publisher.Title+" "+bracket(c.Publisher.URL)))
	line("Released", c.Released)
	line("Knows until", c.Knowledge)
	line("Lifecycle", lifeLine(c.Life, c.Stage))
	line("Licence", c.License)
	line("Terms", c.Publisher.Terms)
	line("Reads", strings.Join(c.Reads, ", "))
	line("Writes", strings.Join(c.Writes, ", "))
	line("Limits", limits(c.Context, c.Output))
	line("Can", strings.Join(c.Can, ", "))
	line("Cannot", strings.Join(c.Cannot, ", "))
	line("Sources", sources(c.Sources))
	return rows
}

func limits(context, output int) string {
	var parts []string
	if context > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens of context", context))
	}
	if output > 0 {
		parts = append(parts, fmt.Sprintf("%d of output", output))
	}
	return strings.Join(parts, ", ")
}

// lifeLine tells a lifecycle in a line.
func lifeLine(l *catalog.Lifecycle, stage catalog.Stage) string {
	if l == nil {
		return orDash(string(stage))
	}
	if stage == "" {
		stage = l.At(time.Now().UTC().Format(time.DateOnly))
	}
	parts := []string{string(stage)}
	for _, x := range [][2]string{{"available ", l.Available}, {"deprecated ", l.Deprecated}, {"retires ", l.Retires}, {"use ", l.Replacement}} {
		if x[1] != "" {
			parts = append(parts, x[0]+x[1])
		}
	}
	out := strings.Join(parts, ", ")
	if s := sources(l.Sources); s != "" {
		out += " (" + s + ")"
	}
	return out
}

// sources names where facts are from.
func sources(list []catalog.Source) string {
	var parts []string
	for _, s := range list {
		if name := s.Name + " " + s.Date; !slices.Contains(parts, name) {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, ", ")
}

// showOffers puts the offers of a model side by side, with the prices that held before, and what hosts do with data.
func showOffers(w io.Writer, offers []admin.Offered) error {
	if len(offers) == 0 {
		_, err := fmt.Fprintln(w, "\nNobody is known to offer it.")
		return err
	}
	var rows, past, data [][]string
	for i := range offers {
		o := &offers[i]
		row := []string{o.Host, o.ID, string(o.Stage), knownNumber(o.Context), knownNumber(o.Output)}
		rows = append(rows, append(row, append(priceRow(o.InForce), orDash(sources(o.Sources)))...))
		if len(o.Past) > 0 || o.Price != nil && o.Price.Since != "" {
			for _, p := range append([]catalog.Price{*o.Price}, o.Past...) {
				past = append(past, []string{o.Host, o.ID, orDash(p.Since), orDash(p.Until), perMillion(p.Input), perMillion(p.Output), orDash(sources(p.Sources))})
			}
		}
		if o.Data != nil && !slices.ContainsFunc(data, func(r []string) bool { return r[0] == o.Host }) {
			data = append(data, []string{o.Host, orDash(o.Data.Training), orDash(o.Data.Retention), orDash(strings.Join(o.Data.Regions, ",")), sources(o.Data.Sources)})
		}
	}
	fmt.Fprintln(w, "\nOffers, in dollars for a million tokens")
	if err := table(w, []string{"HOST", "ID", "LIFECYCLE", "CONTEXT", "OUTPUT", "IN", "CACHED", "OUT", "BATCH IN/OUT", "LONG", "SOURCES"}, rows); err != nil {
		return err
	}
	if len(past) > 0 {
		fmt.Fprintln(w, "\nHistory of prices")
		if err := table(w, []string{"HOST", "ID", "SINCE", "UNTIL", "IN", "OUT", "SOURCES"}, past); err != nil {
			return err
		}
	}
	if len(data) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nWhat hosts do with what they are told")
	return table(w, []string{"HOST", "TRAINING", "RETENTION", "REGIONS", "SOURCES"}, data)
}

// priceRow is a price in some cells.
func priceRow(p *catalog.Price) []string {
	if p == nil {
		return []string{"?", "?", "?", dash, dash}
	}
	batch, long := dash, dash
	if p.Batch != nil {
		batch = perMillion(p.Batch.Input) + "/" + perMillion(p.Batch.Output)
	}
	if p.Over != nil {
		long = fmt.Sprintf("over %d: %s/%s", p.Over.Above, perMillion(p.Over.Input), perMillion(p.Over.Output))
	}
	return []string{perMillion(p.Input), perMillion(p.CacheRead), perMillion(p.Output), batch, long}
}

func catalogCompareCommand() *cobra.Command {
	var r remote
	var on string
	cmd := &cobra.Command{
		Use:     "compare MODEL MODEL...",
		Short:   "Put models side by side",
		Example: "  plenum catalog compare xai/grok-4.3 openai/gpt-5.4 anthropic/claude-sonnet-5",
		Args:    cobra.MinimumNArgs(2),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			var cards []*admin.ModelCard
			for _, name := range args {
				card, _, err := r.modelCard(cmd, name, on)
				if err != nil {
					return err
				}
				cards = append(cards, card)
			}
			return compare(cmd.OutOrStdout(), cards)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&on, "on", "", "prices and lifecycles of a `day`, such as 2026-03-09; today if left out")
	return cmd
}

// compare writes a table with a column for each model.
func compare(w io.Writer, cards []*admin.ModelCard) error {
	head := []string{""}
	for _, c := range cards {
		head = append(head, c.ID)
	}
	var rows [][]string
	add := func(name string, of func(*admin.ModelCard) string) {
		row := []string{name}
		for _, c := range cards {
			row = append(row, orDash(of(c)))
		}
		rows = append(rows, row)
	}
	add("lifecycle", func(c *admin.ModelCard) string { return string(c.Stage) })
	add("released", func(c *admin.ModelCard) string { return c.Released })
	add("licence", func(c *admin.ModelCard) string { return c.License })
	add("context", func(c *admin.ModelCard) string { return knownNumber(c.Context) })
	add("output", func(c *admin.ModelCard) string { return knownNumber(c.Output) })
	add("reads", func(c *admin.ModelCard) string { return strings.Join(c.Reads, ",") })
	add("writes", func(c *admin.ModelCard) string { return strings.Join(c.Writes, ",") })
	for _, can := range capabilitiesOf(cards) {
		add(can, func(c *admin.ModelCard) string {
			switch {
			case slices.Contains(c.Can, can):
				return "yes"
			case slices.Contains(c.Cannot, can):
				return "no"
			}
			return ""
		})
	}
	for _, host := range hostsOf(cards) {
		add("$/M at "+host, func(c *admin.ModelCard) string { return cheapest(c, host) })
	}
	return table(w, head, rows)
}

// capabilitiesOf returns those that one of the models is known to have or not to have, sorted.
func capabilitiesOf(cards []*admin.ModelCard) []string {
	var out []string
	for _, c := range cards {
		out = append(append(out, c.Can...), c.Cannot...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// hostsOf returns the hosts of any of the models, sorted.
func hostsOf(cards []*admin.ModelCard) []string {
	var out []string
	for _, c := range cards {
		for i := range c.Offers {
			out = append(out, c.Offers[i].Host)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cheapest is the lowest price of a model at a host, read and written.
func cheapest(c *admin.ModelCard, host string) string {
	var best *catalog.Price
	offered := false
	for i := range c.Offers {
		o := &c.Offers[i]
		if o.Host != host {
			continue
		}
		offered = true
		if p := o.InForce; p != nil && p.Input != nil && (best == nil || *p.Input < *best.Input) {
			best = p
		}
	}
	switch {
	case best != nil:
		return perMillion(best.Input) + " / " + perMillion(best.Output)
	case offered:
		return "?"
	}
	return ""
}

func catalogConflictsCommand() *cobra.Command {
	var r remote
	var o output
	var c choice
	stale := -1
	cmd := &cobra.Command{
		Use:   "conflicts [WORD...]",
		Short: "List prices on which sources disagree, or that are old, with the one that is applied and why",
		Long: "List prices on which sources disagree beyond rounding, or whose sources are old. Which one is applied: what the configuration\n" +
			"declares of a target, then the publisher's own card, then the newest import, then what the program brings.",
		Example: "  plenum catalog conflicts --publisher xai\n  plenum catalog conflicts --stale-days 30",
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			q := c.query(args)
			if stale >= 0 {
				q.Set("stale_days", strconv.Itoa(stale))
			}
			all := []catalog.Conflict{}
			var rows [][]string
			err := eachItem(cmd.Context(), &r, "/catalog/conflicts", q, func(x catalog.Conflict) {
				all = append(all, x)
				for i := range x.Claims {
					rows = append(rows, claimRow(&x, &x.Claims[i]))
				}
			})
			if err != nil {
				return err
			}
			return o.show(cmd.OutOrStdout(), all, []string{"HOST", "ID", "IN $/M", "OUT $/M", "SAID BY", "APPLIED", "WHY"}, rows, "No source contradicts another, and none is old.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	c.flags(cmd)
	cmd.Flags().IntVar(&stale, "stale-days", -1, "from how many `days` on sources are old; price_age of the configuration if left out, 0 is never")
	return cmd
}

func claimRow(x *catalog.Conflict, c *catalog.Claim) []string {
	applied := dash
	if c.Applied {
		applied = "applied"
	}
	if c.Stale {
		applied = strings.TrimPrefix(applied+", stale", dash+", ")
	}
	return []string{x.Host, x.ID, perMillion(c.Price.Input), perMillion(c.Price.Output), string(c.Rank) + ": " + sources(c.Sources), applied, c.Why}
}

func catalogImportCommand() *cobra.Command {
	var r remote
	var o output
	var date string
	var dry, skip bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import models.dev's api.json, LiteLLM's table of prices, or offers in Plenum's own form",
		Long: "Import a table of models and prices into a running Plenum: models.dev's api.json, LiteLLM's\n" +
			"model_prices_and_context_window.json, or {\"source\": {...}, \"offers\": [...]}. Which it is shows in its shape. - reads standard\n" +
			"input. Prices count from the date of the table on, on every node, before those that the program brings; what they replace\n" +
			"stays as their history. Nothing is imported where an entry is wrong, unless --skip-bad leaves it out.",
		Example: "  plenum catalog import model_prices_and_context_window.json --dry-run\n  curl -s https://models.dev/api.json | plenum catalog import - --date 2026-11-22",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			text, err := readFile(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			q := url.Values{"dry_run": {strconv.FormatBool(dry)}, "skip_bad": {strconv.FormatBool(skip)}}
			if date != "" {
				q.Set("date", date)
			}
			b, err := r.send(cmd.Context(), http.MethodPost, "/catalog/imports", q, text)
			if err != nil {
				return err
			}
			var did admin.Importing
			if err := json.Unmarshal(b, &did); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if o.format == "json" {
				_, err := cmd.OutOrStdout().Write(b)
				return err
			}
			return showImport(cmd.OutOrStdout(), &did)
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringVar(&date, "date", "", "as of which `day` the table is; today if left out")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&skip, "skip-bad", false, "leave entries that are wrong out, and import the rest")
	return cmd
}

// showImport tells what an import does.
func showImport(w io.Writer, d *admin.Importing) error {
	for _, list := range []struct {
		sign   string
		faults []admin.Fault
	}{{"left out", d.Left}, {"unclear", d.Notes}} {
		for _, f := range list.faults {
			fmt.Fprintf(w, "%s: %s: %s\n", list.sign, f.Item, strings.TrimSpace(f.Path+" "+f.Detail))
		}
	}
	rows := make([][]string, len(d.Changed))
	for i, c := range d.Changed {
		rows[i] = []string{"~", c.Host, c.ID, bothOf(c.Before) + " -> " + bothOf(c.After)}
	}
	if err := table(w, nil, rows); err != nil {
		return err
	}
	done := "Nothing was changed."
	if d.Applied {
		done = "They count from now on."
	}
	_, err := fmt.Fprintf(w, "%s of %s: %d offers, %d of them new, %d prices that differ; %d entries are about others. %s\n",
		d.Source.Name, d.Source.Date, d.Offers, d.New, len(d.Changed), d.Skipped, done)
	return err
}

// bothOf is a price as it is compared.
func bothOf(p *catalog.Price) string {
	if p == nil {
		return "not known"
	}
	return perMillion(p.Input) + "/" + perMillion(p.Output)
}

func catalogImportsCommand() *cobra.Command {
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:   "imports",
		Short: "List the tables that were imported",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			all := []admin.Imported{}
			var rows [][]string
			err := eachItem(cmd.Context(), &r, "/catalog/imports", nil, func(i admin.Imported) {
				all = append(all, i)
				rows = append(rows, []string{i.Source.Name, i.Source.Date, strconv.Itoa(i.Offers), when(i.Imported), orDash(i.By)})
			})
			if err != nil {
				return err
			}
			return o.show(cmd.OutOrStdout(), all, []string{"SOURCE", "DATE", "OFFERS", "IMPORTED", "BY"}, rows, "Nothing was imported.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	return cmd
}

func catalogForgetCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "forget SOURCE",
		Short: "Take an imported table away: what the program brings counts again",
		Args:  one("SOURCE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return errors.New("which source? `plenum catalog imports` lists them")
			}
			if _, err := r.send(cmd.Context(), http.MethodDelete, "/catalog/imports/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "What %s says counts no more.\n", args[0])
			return err
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	r.flags(cmd)
	return cmd
}
