package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/reconcile"
	"github.com/plenum-foundry/plenum/report"
)

// usualTolerance is by how many percent of the vendor's figure a line may differ.
const usualTolerance = 0.5

func reconcileCommand() *cobra.Command {
	var r remote
	var o output
	var vendor, providers string
	var said []string
	tolerance := usualTolerance
	cmd := &cobra.Command{
		Use:   "reconcile --vendor VENDOR FILE",
		Short: "Lay a vendor's invoice beside what is on record, line by line",
		Long: "Read what a vendor says that it billed, and lay it beside what a running Plenum has on record of the same days, by day,\n" +
			"model and class of usage: what matches, what differs and most likely why, what only one of the two knows. The exit\n" +
			"status is 1 where a line does not match. Vendors: " + strings.Join(reconcile.Vendors(), ", ") + "; files in the FOCUS format of any.",
		Example: "  plenum reconcile --vendor openai costs.json\n  plenum reconcile --vendor aws --tolerance 1 -o json cur.csv\n  plenum reconcile --vendor azure --rate EUR=1.08 costs.csv",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			if providers == "" {
				providers = providersOf(vendor)
			}
			if providers == "" {
				return &usageError{"--vendor is one of " + strings.Join(reconcile.Vendors(), ", ")}
			}
			text, err := readFile(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			rates, err := ratesOf(said)
			if err != nil {
				return err
			}
			theirs, err := reconcile.Read(vendor, text, rates)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			ours, err := ourLines(cmd, &r, theirs, providers)
			if err != nil {
				return err
			}
			found := reconcile.Match(ours, theirs, tolerance/100)
			if err := o.showReconciled(cmd.OutOrStdout(), &found); err != nil {
				return err
			}
			if !found.Matches {
				return errors.New("not every line matches")
			}
			return nil
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringVar(&vendor, "vendor", "", "whose `file` it is: "+strings.Join(reconcile.Vendors(), ", "))
	cmd.Flags().StringVar(&providers, "provider", "", "the `providers` whose usage it bills, with commas between; the vendor's own if left out")
	cmd.Flags().Float64Var(&tolerance, "tolerance", tolerance, "by how many `percent` a line may differ")
	cmd.Flags().StringArrayVar(&said, "rate", nil, "how many US dollars one of a currency is, as `CURRENCY=DOLLARS`, such as EUR=1.08; may be given several times")
	_ = cmd.RegisterFlagCompletionFunc("vendor", cobra.FixedCompletions(reconcile.Vendors(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// ratesOf reads how many US dollars currencies are.
func ratesOf(said []string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, one := range said {
		currency, text, _ := strings.Cut(one, "=")
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || len(currency) != 3 || !(rate > 0) || math.IsInf(rate, 1) {
			return nil, &usageError{"--rate is CURRENCY=DOLLARS, such as EUR=1.08, and not " + strconv.Quote(one)}
		}
		out[strings.ToUpper(currency)] = rate
	}
	return out, nil
}

// providersOf returns the providers whose usage a vendor bills.
func providersOf(vendor string) string {
	return map[string]string{"openai": "openai", "anthropic": "anthropic", "aws": "bedrock", "azure": "azure", "google": "gemini,vertex"}[vendor]
}

// ourLines asks for what is on record of the days of a vendor's lines.
func ourLines(cmd *cobra.Command, r *remote, theirs []reconcile.Line, providers string) ([]reconcile.Line, error) {
	first, last := theirs[0].Day, theirs[0].Day
	for i := range theirs {
		first, last = min(first, theirs[i].Day), max(last, theirs[i].Day)
	}
	end, err := time.Parse(time.DateOnly, last)
	if err != nil {
		return nil, err
	}
	q := url.Values{
		"by": {"upstream"}, "per": {"day"}, "measures": {"tokens,costs"}, "sort": {"tokens"},
		"from": {first}, "to": {end.AddDate(0, 0, 1).Format(time.DateOnly)}, "provider": {providers},
	}
	b, err := r.send(cmd.Context(), http.MethodGet, "/reports/usage", q, nil)
	if err != nil {
		return nil, err
	}
	var rep report.Report
	if err := json.Unmarshal(b, &rep); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	var out []reconcile.Line
	for i := range rep.Lines {
		l := &rep.Lines[i]
		for class, n := range l.Tokens.Classes() {
			out = append(out, reconcile.Line{Day: l.Period, Model: l.By["upstream"], Class: billedAs(class), Quantity: float64(n)})
		}
		for class, usd := range l.CostsUSD {
			cost, err := plenum.ParseMicros(usd)
			if err != nil {
				return nil, fmt.Errorf("reading the answer: %w", err)
			}
			out = append(out, reconcile.Line{Day: l.Period, Model: l.By["upstream"], Class: billedAs(llm.Class(class)), Cost: float64(cost)})
		}
	}
	return out, nil
}

// billedAs returns the class that vendors bill a class as.
func billedAs(c llm.Class) string {
	switch c {
	case llm.ClassInput:
		return reconcile.Input
	case llm.ClassCacheRead:
		return reconcile.CacheRead
	case llm.ClassCacheWrite5m, llm.ClassCacheWrite1h:
		return reconcile.CacheWrite
	case llm.ClassOutput, llm.ClassReasoning:
		return reconcile.Output
	case llm.ClassInputAudio, llm.ClassOutputAudio:
		return reconcile.Audio
	case llm.ClassInputImage, llm.ClassOutputImage, llm.ClassImage:
		return reconcile.Image
	case llm.ClassSearch:
		return reconcile.Search
	case llm.ClassCharacter, llm.ClassSecond:
	}
	return reconcile.Other
}

func (o *output) showReconciled(w io.Writer, found *reconcile.Outcome) error {
	if o.format == "json" {
		return o.show(w, found, nil, nil, "")
	}
	percent := func(r float64) string { return strconv.FormatFloat(100*r, 'f', 2, 64) + " %" }
	rows := make([][]string, 0, len(found.Lines))
	for _, l := range found.Lines {
		rows = append(rows, []string{
			l.Day, l.Model, l.Class, string(l.Status), plenum.Micros(l.Ours).String(), plenum.Micros(l.Theirs).String(), percent(l.DifferenceRate), orDash(l.Reason),
		})
	}
	if err := o.show(w, nil, []string{"DAY", "MODEL", "CLASS", "", "OURS", "THEIRS", "DIFFERENCE", "LIKELY"}, rows, "There is nothing to compare."); err != nil {
		return err
	}
	var counts []string
	for _, s := range []reconcile.Status{reconcile.Matched, reconcile.Differs, reconcile.OnlyTheirs, reconcile.OnlyOurs} {
		if found.Counts[s] > 0 || s == reconcile.Matched {
			counts = append(counts, fmt.Sprintf("%d %s", found.Counts[s], s))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s. Ours %s USD, theirs %s USD: %s.\n", strings.Join(slices.Compact(counts), ", "), plenum.Micros(found.Ours), plenum.Micros(found.Theirs), percent(found.Rate))
	return err
}
