package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/report"
)

// rule is what the specification says of a column, by its version 1.2.
type rule struct {
	mandatory bool
	nullable  bool
	kind      string // text, decimal, time, json, or the values that are allowed, with | between
}

// focusRules are the rules of the columns that Plenum writes, and of all that are mandatory.
func focusRules() map[string]rule {
	text, cost, when := rule{true, false, "text"}, rule{true, false, "decimal"}, rule{true, false, "time"}
	some := rule{false, true, "text"}
	return map[string]rule{
		"BilledCost": cost, "ContractedCost": cost, "EffectiveCost": cost, "ListCost": cost,
		"BillingAccountId": text, "BillingAccountName": {true, true, "text"}, "BillingCurrency": {true, false, "USD"},
		"BillingPeriodStart": when, "BillingPeriodEnd": when, "ChargePeriodStart": when, "ChargePeriodEnd": when,
		"ChargeCategory": {true, false, "Usage|Purchase|Tax|Credit|Adjustment"}, "ChargeClass": {true, true, "Correction"},
		"ChargeDescription": {true, true, "text"}, "ChargeFrequency": {false, false, "One-Time|Recurring|Usage-Based"},
		"InvoiceIssuerName": text, "ProviderName": text, "PublisherName": text,
		"PricingQuantity": {true, true, "decimal"}, "PricingUnit": {true, true, "text"}, "PricingCategory": {false, true, "Standard|Dynamic|Committed|Other"},
		"ConsumedQuantity": {false, true, "decimal"}, "ConsumedUnit": some,
		"ServiceCategory": {true, false, "AI and Machine Learning"}, "ServiceName": text, "ServiceSubcategory": {false, false, "Generative AI"},
		"RegionId": some, "RegionName": some, "ResourceId": some, "ResourceName": some, "ResourceType": some,
		"SkuId": some, "SkuMeter": some, "SkuPriceId": some, "SubAccountId": some, "SubAccountName": some, "Tags": {false, true, "json"},
	}
}

// fits reports whether a value is of a kind.
func fits(kind, v string) bool {
	switch kind {
	case "text":
		return v == strings.TrimSpace(v)
	case "decimal":
		return regexp.MustCompile(`^-?\d+(\.\d+)?$`).MatchString(v)
	case "time":
		_, err := time.Parse("2006-01-02T15:04:05Z", v)
		return err == nil
	case "json":
		var object map[string]string
		return json.Unmarshal([]byte(v), &object) == nil
	}
	return slices.Contains(strings.Split(kind, "|"), v)
}

func TestAFileInTheFOCUSFormat(t *testing.T) {
	calls := someCalls(2500)
	var want plenum.Micros
	from, to := day(t, time.UTC, "2026-10-25"), day(t, time.UTC, "2026-11-20")
	for _, c := range calls {
		if c.Start >= from.UnixMicro() && c.Start < to.UnixMicro() {
			want += c.Cost
		}
	}
	s := keep(t, calls)
	for _, per := range []string{"", report.PerHour} {
		var b bytes.Buffer
		if err := report.WriteFocus(t.Context(), &b, s, report.Query{From: from, To: to, Per: per}, false, now()); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		rules := focusRules()
		for name, r := range rules {
			if r.mandatory && !slices.Contains(rows[0], name) {
				t.Errorf("the mandatory column %s is missing", name)
			}
		}
		var sum plenum.Micros
		for _, row := range rows[1:] {
			v := map[string]string{}
			for i, name := range rows[0] {
				v[name] = row[i]
				r, known := rules[name]
				switch {
				case !known && !strings.HasPrefix(name, "x_"):
					t.Fatalf("there is no column %s", name)
				case !known, row[i] == "" && r.nullable:
				case row[i] == "" || !fits(r.kind, row[i]):
					t.Fatalf("%s is %q", name, row[i])
				}
			}
			checkFocus(t, v)
			sum += micros(t, v["BilledCost"])
		}
		if sum != want || len(rows) < 500 {
			t.Errorf("%d rows make %v USD, the calls %v", len(rows), sum, want)
		}
	}
	if err := report.WriteFocus(t.Context(), &bytes.Buffer{}, s, report.Query{Per: report.PerWeek}, false, now()); err == nil {
		t.Error("a row of FOCUS is of a week")
	}
}

// checkFocus checks the rules that bind columns of a row to each other.
func checkFocus(t *testing.T, v map[string]string) {
	t.Helper()
	together := [][2]string{{"ConsumedQuantity", "ConsumedUnit"}, {"PricingQuantity", "PricingUnit"}, {"RegionId", "RegionName"}, {"SkuId", "SkuMeter"}}
	for _, p := range together {
		if (v[p[0]] == "") != (v[p[1]] == "") {
			t.Fatalf("%s is %q, and %s %q", p[0], v[p[0]], p[1], v[p[1]])
		}
	}
	for _, needed := range []string{"PricingQuantity", "ConsumedQuantity", "SkuId", "SkuPriceId", "PricingCategory"} { // of usage
		if v[needed] == "" {
			t.Fatalf("%s is null in %v", needed, v)
		}
	}
	if v["BillingPeriodStart"] > v["ChargePeriodStart"] || v["ChargePeriodEnd"] > v["BillingPeriodEnd"] || v["ChargePeriodStart"] >= v["ChargePeriodEnd"] {
		t.Fatalf("the charge is of %s to %s, the period %s to %s", v["ChargePeriodStart"], v["ChargePeriodEnd"], v["BillingPeriodStart"], v["BillingPeriodEnd"])
	}
}

// TestFOCUSAsJSON has the same rows as the table.
func TestFOCUSAsJSON(t *testing.T) {
	s := keep(t, someCalls(400))
	var table, list bytes.Buffer
	for to, asJSON := range map[*bytes.Buffer]bool{&table: false, &list: true} {
		if err := report.WriteFocus(t.Context(), to, s, report.Query{}, asJSON, now()); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(list.Bytes(), &objects); err != nil || len(objects) != len(rows)-1 || len(objects) < 100 {
		t.Fatalf("%d objects for %d rows, %v", len(objects), len(rows)-1, err)
	}
	for i, o := range objects {
		for c, name := range rows[0] {
			text := rows[i+1][c]
			got := string(o[name])
			if name == "Tags" {
				var b bytes.Buffer
				_ = json.Compact(&b, []byte(text))
				text = b.String()
			}
			if quoted, _ := json.Marshal(text); got != text && got != string(quoted) && !(text == "" && got == "null") {
				t.Fatalf("%s is %s, and in the table %q", name, got, text)
			}
		}
	}
}
