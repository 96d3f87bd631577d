package reconcile

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ours are the figures of a day: a million tokens read, 200,000 of a cache and 100,000 written.
func ours(model string, input, cacheRead, cacheWrite, output float64) []Line {
	return []Line{
		{"2026-11-01", model, Input, 1e6, input * 1e6},
		{"2026-11-01", model, CacheRead, 2e5, cacheRead * 1e6},
		{"2026-11-01", model, CacheWrite, 1e5, cacheWrite * 1e6},
		{"2026-11-01", model, Output, 1e5, output * 1e6},
	}
}

func sample(t *testing.T, vendor, name string) []Line {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Read(vendor, text, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return lines
}

func TestVendorsFilesAreMatchedWithinHalfAPercent(t *testing.T) {
	for name, x := range map[string]struct {
		vendor  string
		ours    []Line
		matched int
	}{
		"openai-costs.json":          {"openai", ours("gpt-4o", 2.5, 0.25, 0, 1), 3},
		"openai-costs.csv":           {"openai", ours("gpt-4o-2024-08-06", 2.5, 0.25, 0, 1), 3},
		"anthropic-cost-report.json": {"anthropic", ours("claude-sonnet-4-5", 3, 0.06, 0.375, 1.5), 4},
		"aws-cur.csv":                {"aws", ours("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 3, 0.06, 0.375, 1.5), 4},
		"azure-cost.csv":             {"azure", ours("gpt-4o", 2.5, 0.25, 0, 1), 3},
		"google-billing.csv":         {"google", ours("gemini-2.5-flash", 0.3, 0, 0, 0.25), 2},
		"focus.csv":                  {"anthropic", ours("gpt-4o", 2.5, 0.25, 0, 1), 3},
	} {
		got := Match(x.ours, sample(t, x.vendor, name), 0.005)
		if !got.Matches || got.Counts[Matched] != x.matched || len(got.Lines) != x.matched || got.Rate < -0.005 || got.Rate > 0.005 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatDoesNotMatchIsExplained(t *testing.T) {
	day := func(d, model, class string, n, usd float64) Line {
		return Line{"2026-11-" + d, model, class, n, usd * 1e6}
	}
	got := Match([]Line{
		day("01", "a-1", Input, 1000, 3), day("01", "b-2", Input, 1000, 1), day("02", "b-2", Input, 1000, 3),
		day("01", "c-3", Input, 1000, 1), day("01", "d-4", Input, 1000, 2), day("01", "e-5", Input, 1000, 2), day("01", "f-6", Output, 5, 0.00001),
	}, []Line{
		day("01", "a-1", Input, 1000, 2), day("01", "b-2", Input, 2000, 2), day("02", "b-2", Input, 500, 2),
		day("01", "c-3", Input, 5000, 4), day("01", "d-4", Input, 500, 1), day("01", "g-7", Input, 5, 1),
	}, 0.005)
	reasons := map[string]string{}
	for _, l := range got.Lines {
		why, _, _ := strings.Cut(l.Reason, ":")
		reasons[l.Day[8:]+" "+l.Model] = string(l.Status) + ", " + why
	}
	want := map[string]string{
		"01 a-1": "differs, price table", "01 b-2": "differs, time zone", "02 b-2": "differs, time zone",
		"01 c-3": "differs, usage that did not pass through Plenum, or a higher price", "01 d-4": "differs, the vendor billed less",
		"01 e-5": "only ours, the vendor did not bill it, bills it on another day or under another name, or it is not in this file",
		"01 f-6": "only ours, the vendor did not bill it, bills it on another day or under another name, or it is not in this file",
		"01 g-7": "only theirs, usage that did not pass through Plenum, or under a name that Plenum does not know",
	}
	if diff := cmp.Diff(want, reasons); diff != "" || got.Matches {
		t.Errorf("(-want +got):\n%s", diff)
	}
	whole := Match(ours("gpt-4o", 1, 1, 1, 1), []Line{{"2026-11-01", "gpt-4o", All, 0, 4e6}}, 0.005)
	if !whole.Matches || len(whole.Lines) != 1 {
		t.Errorf("a file without classes: %+v", whole)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for text, vendor := range map[string]string{
		"": "openai", "{}": "openai", "[": "anthropic", `{"data":[]}`: "aws", "a,b\n1,2\n": "aws", "a,b\n1\n": "aws", "x\n1\n": "nobody",
		"start_time,line_item,amount_value\nnever,\"m, input\",1\n": "openai", "start_time,line_item,amount_value\n1,\"m, input\",much\n": "openai",
		`{"data":[{"starting_at":"x","results":[]}]}`: "anthropic",
	} {
		if lines, err := Read(vendor, []byte(text), nil); err == nil {
			t.Errorf("%q of %s is read as %v", text, vendor, lines)
		}
	}
}

// TestOtherCurrencies has the same invoice in euros: with a rate that is said, with what its rows say, and with neither.
func TestOtherCurrencies(t *testing.T) {
	euros := map[string]float64{"EUR": 1.25}
	for _, x := range []struct {
		what, vendor, text string
		rates              map[string]float64
		usd                float64 // 0 is an error
	}{
		{"OpenAI, said", "openai", "start_time,amount_value,amount_currency,line_item\n1793491200,2,eur,\"gpt-4o, input\"\n", euros, 2.5},
		{"OpenAI, not said", "openai", "start_time,amount_value,amount_currency,line_item\n1793491200,2,eur,\"gpt-4o, input\"\n", nil, 0},
		{"OpenAI as JSON", "openai", `{"data":[{"start_time":1793491200,"results":[{"amount":{"value":"2","currency":"eur"},"line_item":"gpt-4o, input","quantity":8,"quantity_unit":"1000_tokens"}]}]}`, euros, 2.5},
		{"OpenAI as JSON, not said", "openai", `{"data":[{"start_time":1793491200,"results":[{"amount":{"value":2,"currency":"eur"},"line_item":"gpt-4o, input"}]}]}`, map[string]float64{"GBP": 2}, 0},
		{"Anthropic, not said", "anthropic", `{"data":[{"starting_at":"2026-11-01T00:00:00Z","results":[{"amount":"200","currency":"EUR","model":"claude","token_type":"output_tokens"}]}]}`, nil, 0},
		{"Anthropic, said", "anthropic", `{"data":[{"starting_at":"2026-11-01T00:00:00Z","results":[{"amount":"200","currency":"EUR","model":"claude","token_type":"output_tokens"}]}]}`, euros, 2.5},
		{"Azure, by its row", "azure", "date,meterName,unitOfMeasure,quantity,costInBillingCurrency,billingCurrency,costInUsd\n11/01/2026,gpt 4o Inp glbl Tokens,1K,8,2,EUR,2.4\n", nil, 2.4},
		{"Azure, as said rather than by its row", "azure", "date,meterName,unitOfMeasure,quantity,costInBillingCurrency,billingCurrency,costInUsd\n11/01/2026,gpt 4o Inp glbl Tokens,1K,8,2,EUR,2.4\n", euros, 2.5},
		{"Azure, not said", "azure", "date,meterName,unitOfMeasure,quantity,costInBillingCurrency,billingCurrencyCode\n11/01/2026,gpt 4o Inp glbl Tokens,1K,8,2,EUR\n", nil, 0},
		{"Google, by its row", "google", "service.description,sku.description,usage_start_time,usage.amount,cost,currency,currency_conversion_rate\nVertex AI,Gemini 2.5 Flash Text Input - Predictions,2026-11-01 00:00:00 UTC,8,2,EUR,0.8\n", nil, 2.5},
		{"AWS, said", "aws", "line_item_line_item_type,line_item_usage_start_date,line_item_product_code,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost,line_item_currency_code\nUsage,2026-11-01T00:00:00.000Z,AmazonBedrock,EUC1-Claude4.5Sonnet-input-tokens,8,2,EUR\n", euros, 2.5},
		{"FOCUS, not said", "any", "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ServiceCategory,SkuId,SkuMeter\n2,EUR,Usage,2026-11-01T00:00:00Z,AI and Machine Learning,openai/gpt-4o,input\n", nil, 0},
		{"FOCUS, said", "any", "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ServiceCategory,SkuId,SkuMeter\n2,EUR,Usage,2026-11-01T00:00:00Z,AI and Machine Learning,openai/gpt-4o,input\n", euros, 2.5},
	} {
		lines, err := Read(x.vendor, []byte(x.text), x.rates)
		switch {
		case x.usd == 0 && (err == nil || !strings.Contains(err.Error(), "--rate EUR=")):
			t.Errorf("%s: %v, %v", x.what, lines, err)
		case x.usd != 0 && (err != nil || len(lines) != 1 || math.Abs(lines[0].Cost-x.usd*1e6) > 1e-6):
			t.Errorf("%s: %v, %v", x.what, lines, err)
		}
	}
}

func TestCostsThatAreNotDividedByLineItem(t *testing.T) {
	empty := "start_time,amount_value,amount_currency,line_item\n1759968000,,,\n1793491200,2,usd,\"gpt-4o, input\"\n"
	if lines, err := Read("openai", []byte(empty), nil); err != nil || len(lines) != 1 {
		t.Errorf("a day without costs: %v, %v", lines, err)
	}
	for _, text := range []string{
		"start_time,amount_value,amount_currency,line_item\n1793491200,2,usd,\n",
		`{"data":[{"start_time":1793491200,"results":[{"amount":{"value":2,"currency":"usd"},"line_item":null}]}]}`,
	} {
		if _, err := Read("openai", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "grouped by line_item") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
