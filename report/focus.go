package report

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// FocusVersion is the version of the FinOps Open Cost and Usage Specification that WriteFocus keeps to.
const FocusVersion = "1.2"

// FocusColumns are the columns of a file in the FOCUS format: all that are mandatory, and of the others those of which
// Plenum knows something. Unit prices are not among them: a row sums calls of different tiers and hours.
func FocusColumns() []string {
	return []string{
		"BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
		"ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
		"ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
		"PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName",
		"ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory",
		"SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags", "x_CostIsPriced", "x_Organization",
	}
}

// focusBy is what the rows of the file are of, beside a day or an hour and a class of usage.
func focusBy() []string {
	return []string{organization, "project", "deployment", "provider", "connection", "upstream", "model", "publisher", "region", "tags"}
}

// WriteFocus writes what was used as a file in the FOCUS format: a table in text, or JSON with an object for each row. It
// has as many rows as there are. Its costs are those of Plenum's price table: what a vendor's invoice says is theirs to say.
func WriteFocus(ctx context.Context, w io.Writer, s store.Rollups, q Query, asJSON bool, now time.Time) error {
	if q.Per == "" {
		q.Per = PerDay
	}
	if q.Per != PerDay && q.Per != PerHour {
		return mistake("a row of FOCUS is of a day or an hour, and not of a %s", q.Per)
	}
	q.By, q.Measures, q.Top, q.Zone = focusBy(), []string{Tokens, Costs, Attempts, Unpriced}, 0, time.UTC
	q.Sort, q.unsorted = Tokens, true
	var f focusFile = &focusCSV{csv.NewWriter(w)}
	if asJSON {
		f = &focusJSON{jsonList{w: bufio.NewWriterSize(w, 1<<16)}}
	}
	return stream(ctx, s, q, now, &focusSink{per: q.Per, to: f})
}

// focusFile takes rows.
type focusFile interface {
	begin() error
	row([]string) error
	end() error
}

// focusSink makes rows of lines as they come.
type focusSink struct {
	per string
	to  focusFile
}

func (f *focusSink) begin(*Report) error { return f.to.begin() }

func (f *focusSink) line(l *Line) error {
	for _, row := range focusRows(l, f.per) {
		if err := f.to.row(row); err != nil {
			return err
		}
	}
	return nil
}

func (f *focusSink) end(*Line) error { return f.to.end() }

type focusCSV struct{ w *csv.Writer }

func (f *focusCSV) begin() error { return f.w.Write(FocusColumns()) }

func (f *focusCSV) row(row []string) error { return f.w.Write(row) }

func (f *focusCSV) end() error {
	f.w.Flush()
	return f.w.Error()
}

// focusJSON writes rows as objects: what is empty in a table is null, and numbers are as exact as there.
type focusJSON struct{ jsonList }

func (f *focusJSON) begin() error {
	_, err := f.w.WriteString("[")
	return err
}

func (f *focusJSON) row(row []string) error {
	out := map[string]any{}
	for i, name := range FocusColumns() {
		v := row[i]
		switch name {
		case "BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "ConsumedQuantity", "PricingQuantity":
			out[name] = json.Number(v)
		case "Tags", "x_CostIsPriced":
			out[name] = json.RawMessage(v)
		default:
			out[name] = v
		}
		if v == "" {
			out[name] = nil
		}
	}
	return f.add(out)
}

func (f *focusJSON) end() error {
	_, _ = f.w.WriteString("]\n")
	return f.w.Flush()
}

// charge is one row: what a line has of one class of usage.
type charge struct {
	class    string
	quantity int64
	unit     string
	per      int64 // how many units the price is of
	cost     plenum.Micros
}

// focusRows returns the rows of a line: one for each class, and one for the cost whose class is not known.
func focusRows(l *Line, per string) (out [][]string) {
	left := int64(l.cost)
	var charges []charge
	parts := map[llm.Class]int64{}
	for class, n := range plenum.Tokens(l.costs).Classes() {
		parts[class] = n
		left -= n
	}
	for class, n := range l.Tokens.Classes() {
		if n != 0 || parts[class] != 0 {
			unit, size := focusUnit(class)
			charges = append(charges, charge{string(class), n, unit, size, plenum.Micros(parts[class])})
		}
	}
	if left != 0 {
		charges = append(charges, charge{Unsplit, l.Attempts, "Requests", 1, plenum.Micros(left)})
	}
	for i := range charges {
		out = append(out, focusRow(l, &charges[i], per))
	}
	return out
}

// focusUnit returns what a class is counted in, and of how many of them vendors' price lists say a price.
func focusUnit(c llm.Class) (string, int64) {
	//exhaustive:enforce
	switch c {
	case llm.ClassInput, llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassCacheWrite1h, llm.ClassInputAudio, llm.ClassInputImage,
		llm.ClassOutput, llm.ClassReasoning, llm.ClassOutputAudio, llm.ClassOutputImage:
		return "Tokens", 1_000_000
	case llm.ClassSearch:
		return "Requests", 1000
	case llm.ClassImage:
		return "Images", 1
	case llm.ClassCharacter:
		return "Characters", 1_000_000
	case llm.ClassSecond:
		return "Seconds", 1
	}
	return "Units", 1
}

func focusRow(l *Line, c *charge, per string) []string {
	layout, length := time.DateOnly, 24*time.Hour
	if per == PerHour {
		layout, length = time.RFC3339, time.Hour
	}
	begin, _ := time.Parse(layout, l.Period)
	begin = begin.UTC()
	month := time.Date(begin.Year(), begin.Month(), 1, 0, 0, 0, 0, time.UTC)
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05Z") }
	or := func(v, none string) string {
		if v == "" {
			return none
		}
		return v
	}
	pricing, quantity := c.unit, strconv.FormatInt(c.quantity, 10)
	if c.per > 1 {
		pricing, quantity = fmt.Sprintf("%d %s", c.per, c.unit), decimal(c.quantity, c.per)
	}
	provider := or(l.By["provider"], plenum.Product)
	model := or(l.By["model"], or(l.By["upstream"], "(none)"))
	sku := or(l.By["provider"], "-") + "/" + or(l.By["upstream"], "-")
	cost := c.cost.String()
	return []string{
		cost, plenum.Product, "Plenum", "USD", at(month.AddDate(0, 1, 0)), at(month),
		"Usage", "", strings.ReplaceAll(c.class, "_", " ") + " of " + model + " at " + provider, "Usage-Based", at(begin.Add(length)), at(begin),
		strconv.FormatInt(c.quantity, 10), c.unit, cost, cost, provider, cost,
		"Standard", quantity, pricing, provider, or(l.By["publisher"], provider), l.By["region"], l.By["region"],
		l.By["deployment"], l.By["deployment"], resourceType(l.By["deployment"]), "AI and Machine Learning", model, "Generative AI",
		sku, c.class, sku + "/" + c.class, l.By["project"], l.By["project"], tagsJSON(l.By["tags"]), strconv.FormatBool(l.Unpriced == 0), l.By[organization],
	}
}

func resourceType(deployment string) string {
	if deployment == "" {
		return ""
	}
	return "Deployment"
}

// decimal says n / per, of which per is a power of ten, exactly.
func decimal(n, per int64) string {
	digits := len(strconv.FormatInt(per, 10)) - 1
	s := fmt.Sprintf("%d.%0*d", n/per, digits, n%per)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// tagsJSON says tags as a JSON object.
func tagsJSON(tags string) string {
	if tags == "" {
		return "{}"
	}
	all := map[string]string{}
	for one := range strings.SplitSeq(tags, ",") {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	b, _ := json.Marshal(all)
	return string(b)
}
