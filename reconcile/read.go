package reconcile

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Vendors are those whose files are read. A file in the FOCUS format is read whoever made it.
func Vendors() []string { return []string{"openai", "anthropic", "aws", "azure", "google"} }

// Read reads a vendor's file: OpenAI's costs (JSON of /v1/organization/costs, or CSV), Anthropic's cost report (JSON of
// /v1/organizations/cost_report, grouped by description), AWS's Cost and Usage Report 2.0, Azure's cost details and
// Google's billing export as CSV, or FOCUS. What is not of models is left out. What is not billed in US dollars is
// converted: by the rate that is given for its currency (how many dollars one of it is), or else by what the row itself
// says; where neither is, that is an error.
func Read(vendor string, text []byte, rates map[string]float64) ([]Line, error) {
	text = bytes.TrimPrefix(bytes.TrimSpace(text), []byte("\xef\xbb\xbf"))
	if len(text) == 0 {
		return nil, errors.New("the file is empty")
	}
	if text[0] == '{' || text[0] == '[' {
		switch vendor {
		case "openai":
			return openAIJSON(text, rates)
		case "anthropic":
			return anthropicJSON(text, rates)
		}
		return nil, fmt.Errorf("JSON of %s is not read; export CSV", vendor)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the table: %w", err)
	}
	t := table{head: map[string]int{}, rows: rows[1:], rates: rates}
	for i, name := range rows[0] {
		t.head[strings.ToLower(strings.TrimSpace(name))] = i
	}
	of := map[string]func(*row) (Line, bool, error){"openai": openAIRow, "aws": awsRow, "azure": azureRow, "google": googleRow}[vendor]
	if t.has("billedcost", "chargeperiodstart") {
		of = focusRow
	}
	if of == nil {
		return nil, fmt.Errorf("a table of %s is not read, unless it is in the FOCUS format", vendor)
	}
	return t.read(of)
}

type table struct {
	head  map[string]int
	rows  [][]string
	rates map[string]float64
}

// rateOf returns how many US dollars one of a currency is.
func rateOf(currency string, rates map[string]float64) (float64, error) {
	currency = strings.ToUpper(strings.TrimSpace(currency))
	if currency == "" || currency == "USD" {
		return 1, nil
	}
	if rate := rates[currency]; rate > 0 {
		return rate, nil
	}
	return 0, fmt.Errorf("it is billed in %s; say how many US dollars one is: --rate %s=1.08, for example", currency, currency)
}

// dollars returns what a row costs in US dollars. A rate that is given goes before what the row says of itself: in dollars
// (Azure), or how many of its currency a dollar is (Google).
func (r *row) dollars(cost []string) (float64, error) {
	currency := strings.ToUpper(r.text("currency", "amount_currency", "billingcurrency", "billingcurrencycode", "line_item_currency_code", "lineitem/currencycode"))
	amount, err := r.number(cost...)
	if err != nil {
		return 0, fmt.Errorf("the cost: %w", err)
	}
	if r.t.rates[currency] == 0 && currency != "" && currency != "USD" {
		if r.text("costinusd") != "" {
			amount, err = r.number("costinusd")
			return amount, err
		}
		if perDollar, err := r.number("currency_conversion_rate"); err == nil && perDollar > 0 {
			return amount / perDollar, nil
		}
	}
	rate, err := rateOf(currency, r.t.rates)
	return amount * rate, err
}

func (t *table) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { _, ok := t.head[n]; return !ok })
}

// row is a row whose columns are found by their names.
type row struct {
	t *table
	v []string
}

// text returns the first of some columns that is there and not empty.
func (r *row) text(names ...string) string {
	for _, n := range names {
		if i, ok := r.t.head[n]; ok && r.v[i] != "" {
			return r.v[i]
		}
	}
	return ""
}

func (r *row) number(names ...string) (float64, error) {
	v := r.text(names...)
	if v == "" {
		return 0, nil
	}
	return strconv.ParseFloat(v, 64)
}

func (t *table) read(of func(*row) (Line, bool, error)) ([]Line, error) {
	var out []Line
	for i, v := range t.rows {
		l, ok, err := of(&row{t, v})
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+2, err)
		}
		if ok {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no row about models in it; is it the file of this vendor?")
	}
	return out, nil
}

// line makes a line of what a row says.
func line(r *row, day, model, class string, cost, quantity []string, scale float64) (Line, bool, error) {
	l := Line{Day: day, Model: model, Class: class}
	var err error
	if l.Day, err = dayOf(day); err != nil {
		return l, false, err
	}
	if l.Cost, err = r.dollars(cost); err != nil {
		return l, false, err
	}
	if l.Quantity, err = r.number(quantity...); err != nil {
		return l, false, fmt.Errorf("the quantity: %w", err)
	}
	l.Cost *= 1e6
	l.Quantity *= scale
	return l, true, nil
}

// dayOf returns the day of a time as vendors write it.
func dayOf(v string) (string, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly, "01/02/2006", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC().Format(time.DateOnly), nil
		}
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Unix(n, 0).UTC().Format(time.DateOnly), nil
	}
	return "", fmt.Errorf("%q is not a day", v)
}

// classOf finds the class that words are about.
func classOf(words string) string {
	w := strings.ReplaceAll(strings.ToLower(words), "uncached", "")
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(w, p) })
	}
	switch {
	case has("search"):
		return Search
	case has("audio"):
		return Audio
	case has("image"):
		return Image
	case has("cache") && has("write", "creation", "storage"):
		return CacheWrite
	case has("cache", "cchd", "cached"):
		return CacheRead
	case has("output", "outp", "opt", "completion"):
		return Output
	case has("input", "inp", "prompt"):
		return Input
	}
	return Other
}

// errUngrouped is said of costs that do not tell what they are of.
var errUngrouped = errors.New("its costs are not divided by line item: ask for them grouped by line_item")

// openAIJSON reads pages of costs, grouped by line_item: "gpt-4o-2024-08-06, input".
func openAIJSON(text []byte, rates map[string]float64) ([]Line, error) {
	var page struct {
		Data []struct {
			StartTime int64 `json:"start_time"`
			Results   []struct {
				Amount struct {
					Value    json.Number
					Currency string
				}
				LineItem     string `json:"line_item"`
				Quantity     *float64
				QuantityUnit string `json:"quantity_unit"`
			}
		}
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, fmt.Errorf("reading the costs: %w", err)
	}
	var out []Line
	for _, b := range page.Data {
		for _, r := range b.Results {
			amount, err := r.Amount.Value.Float64()
			if err != nil {
				return nil, fmt.Errorf("the amount of %q: %w", r.LineItem, err)
			}
			rate, err := rateOf(r.Amount.Currency, rates)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", r.LineItem, err)
			}
			if r.LineItem == "" {
				return nil, errUngrouped
			}
			model, class := lineItem(r.LineItem)
			l := Line{Day: time.Unix(b.StartTime, 0).UTC().Format(time.DateOnly), Model: model, Class: class, Cost: amount * rate * 1e6}
			if r.Quantity != nil {
				l.Quantity = *r.Quantity
			}
			if r.QuantityUnit == "1000_tokens" {
				l.Quantity *= 1000
			}
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there are no costs in it")
	}
	return out, nil
}

func lineItem(item string) (model, class string) {
	model, class, ok := strings.Cut(item, ",")
	if !ok {
		return model, All
	}
	return model, classOf(class)
}

func openAIRow(r *row) (Line, bool, error) {
	model, class := lineItem(r.text("line_item", "line item", "name"))
	if model == "" {
		if n, err := r.number("amount_value", "amount"); err == nil && n != 0 {
			return Line{}, false, errUngrouped
		}
		return Line{}, false, nil // a day of which there is nothing
	}
	return line(r, r.text("start_time_iso", "start_time", "date"), model, class, []string{"amount_value", "amount", "cost", "cost_in_major"}, []string{"quantity"}, 1)
}

// anthropicJSON reads a cost report. Its amounts are in cents.
func anthropicJSON(text []byte, rates map[string]float64) ([]Line, error) {
	var page struct {
		Data []struct {
			StartingAt string `json:"starting_at"`
			Results    []struct {
				Amount      json.Number
				Currency    string
				Description string
				Model       string
				TokenType   string `json:"token_type"`
				CostType    string `json:"cost_type"`
			}
		}
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, fmt.Errorf("reading the cost report: %w", err)
	}
	var out []Line
	for _, b := range page.Data {
		day, err := dayOf(b.StartingAt)
		if err != nil {
			return nil, err
		}
		for _, r := range b.Results {
			cents, err := r.Amount.Float64()
			if err != nil {
				return nil, fmt.Errorf("the amount of %q: %w", r.Description, err)
			}
			rate, err := rateOf(r.Currency, rates)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", r.Description, err)
			}
			words := r.TokenType
			if words == "" {
				words = r.CostType + " " + r.Description
			}
			model := r.Model
			if model == "" {
				model = r.Description
			}
			out = append(out, Line{Day: day, Model: model, Class: classOf(words), Cost: cents * rate * 1e4})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there are no costs in it")
	}
	return out, nil
}

// awsRow reads a row of a Cost and Usage Report: the usage type is REGION-MODEL-input-tokens and the like.
func awsRow(r *row) (Line, bool, error) {
	product := strings.ToLower(r.text("line_item_product_code", "lineitem/productcode") + r.text("product_servicecode", "product/servicename"))
	usage := r.text("line_item_usage_type", "lineitem/usagetype")
	if !strings.Contains(product, "bedrock") || !strings.Contains(r.text("line_item_line_item_type", "lineitem/lineitemtype"), "Usage") {
		return Line{}, false, nil
	}
	_, rest, _ := strings.Cut(usage, "-")
	model := rest
	for _, end := range []string{"-mantle-", "-input", "-output", "-cache"} {
		if i := strings.Index(strings.ToLower(model), end); i > 0 {
			model = model[:i]
		}
	}
	scale := 1.0
	switch unit := strings.ToLower(r.text("pricing_unit", "pricing/unit")); {
	case strings.Contains(unit, "1k"):
		scale = 1000
	case strings.Contains(unit, "1m") || strings.Contains(unit, "million"):
		scale = 1e6
	}
	return line(r, r.text("line_item_usage_start_date", "lineitem/usagestartdate"), model, classOf(rest),
		[]string{"line_item_unblended_cost", "lineitem/unblendedcost"}, []string{"line_item_usage_amount", "lineitem/usageamount"}, scale)
}

// azureRow reads a row of the cost details: the meter is "gpt 4o 0806 Inp glbl Tokens" and the like.
func azureRow(r *row) (Line, bool, error) {
	meter := r.text("metername")
	if !strings.Contains(strings.ToLower(meter), "token") {
		return Line{}, false, nil
	}
	model := strings.ToLower(meter)
	for _, word := range []string{" cached", " cchd", " inp", " outp", " opt", " input", " output"} {
		if i := strings.Index(model, word); i > 0 {
			model = model[:i]
		}
	}
	scale := 1.0
	switch unit := strings.ToUpper(r.text("unitofmeasure")); {
	case strings.HasPrefix(unit, "1K"), strings.HasPrefix(unit, "1000 "):
		scale = 1000
	case strings.HasPrefix(unit, "1M"), strings.HasPrefix(unit, "1000000"):
		scale = 1e6
	}
	return line(r, r.text("date", "usagedatetime"), model, classOf(meter), []string{"costinbillingcurrency", "cost", "pretaxcost"}, []string{"quantity"}, scale)
}

// googleRow reads a row of the detailed billing export, made flat: the SKU is "Gemini 2.5 Flash Text Input - Predictions".
func googleRow(r *row) (Line, bool, error) {
	sku := r.text("sku.description", "sku_description", "sku description")
	class := classOf(sku)
	if class == Other {
		return Line{}, false, nil
	}
	model := strings.ToLower(sku)
	for _, word := range []string{" text", " input", " output", " cached", " cache", " image", " audio", " thinking", " ga "} {
		if i := strings.Index(model, word); i > 0 {
			model = model[:i]
		}
	}
	return line(r, r.text("usage_start_time", "usage start date", "usage_start_date"), model, class, []string{"cost", "cost ($)"}, []string{"usage.amount", "usage_amount", "usage amount"}, 1)
}

// focusRow reads a row in the FOCUS format. The meter tells the class, the SKU or the service the model.
func focusRow(r *row) (Line, bool, error) {
	meter := r.text("skumeter", "chargedescription")
	if r.text("chargecategory") != "Usage" || r.text("servicecategory") != "AI and Machine Learning" {
		return Line{}, false, nil
	}
	model := r.text("skuid")
	if !strings.Contains(model, "/") {
		model = r.text("servicename", "resourcename")
	}
	return line(r, r.text("chargeperiodstart"), model, classOf(strings.ReplaceAll(meter, "reasoning", "output")), []string{"billedcost"}, []string{"consumedquantity"}, 1)
}
