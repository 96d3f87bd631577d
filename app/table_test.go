package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/llm"
)

func TestSpansAreReadInDaysAndWeeksToo(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 30 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute,
		"d": -1, "": -1, "soon": -1, "-3d": -1, "-3h": -1, "1.5d": -1, "99999999999d": -1,
	} {
		got, err := parseSpan(text)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q became %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestExpiries(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]int64{
		"": 0, "1d": now.Add(24 * time.Hour).UnixMilli(), "2027-01-31": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC).UnixMilli(),
		"2026-11-22": -1, "0h": -1, "tomorrow": -1,
	} {
		got, err := parseExpiry(text, now)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q became %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestUsageIsSummedAndSaysWhatIsNotInIt(t *testing.T) {
	var out strings.Builder
	o := &output{format: "table"}
	err := o.showUsage(&out, "key", []admin.Usage{
		{Name: "key_a", Calls: 2, Errors: 1, CostUSD: "1.500000", Usage: plenum.Tokens{Input: 10, CacheRead: 5, Output: 7, Reasoning: 3}},
		{Name: "", Calls: 3, Unpriced: 1, Estimated: 2, CostUSD: "0.000001"},
	}, map[string]string{"key_a": "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	want := `KEY             CALLS  ERRORS  IN  CACHED  OUT  USD
key_a (laptop)  2      1       15  5       10   1.500000
-               3      0       0   0       0    0.000001
all             5      1       15  5       10   1.500001

The price of 1 of these calls is not known, and not in the sum: give it in the configuration (targets: price).

The usage of 2 of these calls is estimated: the upstream did not report it.
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("usage (-want +got):\n%s", d)
	}
}

func TestACallIsDescribed(t *testing.T) {
	var out strings.Builder
	err := describe(&out, &plenum.Record{
		ID: "req_1", Start: 1e15, End: 1e15 + 1500000, FirstByte: 250000, Outcome: plenum.OutcomeError, ErrorKind: llm.Timeout, Status: 504,
		Method: "POST", Path: "/v1/messages", Dialect: "anthropic", Remote: "10.0.0.1", KeyID: "key_a", Project: "default", Asked: "m", Deployment: "m",
		Usage: plenum.Tokens{Input: 3, CacheWrite5m: 2}, Stream: true, Lost: []string{"top_k"}, Notes: []string{"one", "two"},
		Attempts: []plenum.Attempt{{N: 1, Target: "a/b", Start: 1e15, End: 1e15 + 1e6, Status: 200, ErrorKind: llm.Timeout, Error: "fell silent", RequestID: "up-1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Took             1.5s", "First content    250ms after it began", "Outcome          error, status 504, timeout, streamed",
		"Request          POST /v1/messages (anthropic)", "Key              key_a (default)", "Tokens           3 input, 2 cache write 5m",
		"Cost             not known: nobody told the price", "Lost on the way  top_k", "Note             one", "Note             two",
		"1  a/b     200     1s            0.000000  timeout: fell silent  up-1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}

func TestBytesForPeople(t *testing.T) {
	for n, want := range map[int64]string{12: "12 bytes", 1500: "1.5 KB", 2_500_000: "2.5 MB", 79_400_000_000: "79.4 GB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
