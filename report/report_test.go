package report_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/report"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// keep has records stored through a ledger.
func keep(t *testing.T, rs []plenum.Record) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), store.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := ledger.Open(filepath.Join(t.TempDir(), "journal"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range rs {
		if err := l.End(&rs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Drain(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	days, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range days {
		if i%3 == 0 {
			continue // some are packed, some not: what a report says is the same
		}
		if done, err := s.Pack(t.Context(), d.Slot); err != nil || !done {
			t.Fatal(done, err)
		}
	}
	return s
}

// offer is where calls of the tests went.
type offer struct{ target, provider, upstream, model, region string }

func offers() []offer {
	return []offer{
		{"oai/gpt-4o", "openai", "gpt-4o", "openai/gpt-4o", ""},
		{"az/our-gpt", "azure", "our-gpt", "openai/gpt-4o", "eastus"},
		{"claude/sonnet", "anthropic", "sonnet", "anthropic/claude-sonnet-4-5", ""},
		{"bed/sonnet", "bedrock", "sonnet", "anthropic/claude-sonnet-4-5", "eu-central-1"},
		{"home/qwen", "ollama", "qwen", "", ""},
	}
}

// attempt is a try at an offer, with what it cost.
func attempt(o offer, n int, tokens plenum.Tokens) plenum.Attempt {
	p := plenum.Price{Known: true, Input: 2_500_000, Output: 10_000_000, CacheRead: 300_000}
	u := plenum.Attempt{N: n, Target: o.target, Provider: o.provider, Upstream: o.upstream, Model: o.model, Region: o.region, Usage: tokens, Priced: true}
	use := usageOf(tokens)
	u.Cost, u.Costs = p.Cost(use), p.Split(use)
	return u
}

// now is when the tests ask.
func now() time.Time { return time.Date(2026, 11, 23, 16, 20, 0, 0, time.UTC) }

// someCalls are calls of the 70 days before now.
func someCalls(n int) []plenum.Record {
	r := rand.New(rand.NewPCG(5, 6))
	list := make([]plenum.Record, n)
	for i := range list {
		begin := now().Add(-time.Duration(r.Int64N(int64(70 * 24 * time.Hour))))
		c := plenum.Record{
			ID: fmt.Sprintf("c%05d", i), Start: begin.UnixMicro(), Op: "generate", Dialect: []string{"openai", "anthropic"}[r.IntN(2)],
			Project: fmt.Sprint("p", r.IntN(4)), KeyID: fmt.Sprint("k", r.IntN(9)), Deployment: fmt.Sprint("d", r.IntN(3)), Outcome: plenum.OutcomeOK,
		}
		c.End = c.Start + r.Int64N(3e6)
		if r.IntN(3) > 0 {
			c.Member, c.Tags = fmt.Sprint("m", r.IntN(5)), fmt.Sprintf("env=prod,team=t%d", r.IntN(3))
		}
		tokens := func() plenum.Tokens {
			return plenum.Tokens{Input: r.Int64N(5000), CacheRead: r.Int64N(900), Output: r.Int64N(700)}
		}
		switch r.IntN(10) {
		case 0:
			c.Outcome = plenum.OutcomeRefused
		case 1:
			c.Outcome = plenum.OutcomeLost
			c.Usage, c.Cost = tokens(), plenum.Micros(r.Int64N(999))
		case 2:
			c.Add(attempt(offers()[r.IntN(5)], 1, tokens()))
			fallthrough
		default:
			a := attempt(offers()[r.IntN(5)], len(c.Attempts)+1, tokens())
			a.Won = true
			c.Add(a)
			c.Target = a.Target
		}
		list[i] = c
	}
	return list
}

// simple sums records the plain way: it is what the reports must equal.
func simple(rs []plenum.Record, from, to time.Time, group func(r *plenum.Record, a *plenum.Attempt) (string, bool)) map[string]plenum.Micros {
	out := map[string]plenum.Micros{}
	for i := range rs {
		r := &rs[i]
		if r.Start < from.UnixMicro() || r.Start >= to.UnixMicro() {
			continue
		}
		left := r.Cost
		for n := range r.Attempts {
			a := &r.Attempts[n]
			left -= a.Cost
			if g, ok := group(r, a); ok {
				out[g] += a.Cost
			}
		}
		if left != 0 {
			if g, ok := group(r, &plenum.Attempt{}); ok {
				out[g] += left
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, c plenum.Micros) bool { return c == 0 })
	return out
}

func day(t *testing.T, zone *time.Location, text string) time.Time {
	t.Helper()
	d, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAReportIsTheSumOfItsCalls(t *testing.T) {
	calls := someCalls(4000)
	s := keep(t, calls)
	berlin, err := time.LoadLocation("Europe/Berlin") // its summer ends on 25 October
	if err != nil {
		t.Fatal(err)
	}
	publisher := func(a *plenum.Attempt) string {
		p, _, _ := strings.Cut(a.Model, "/")
		return p
	}
	for name, x := range map[string]struct {
		q     report.Query
		group func(r *plenum.Record, a *plenum.Attempt) (string, bool)
	}{
		"by project and model": {
			report.Query{By: []string{"project", "model"}, From: day(t, time.UTC, "2026-09-20"), To: day(t, time.UTC, "2026-11-20")},
			func(r *plenum.Record, a *plenum.Attempt) (string, bool) { return r.Project + " " + a.Model, true },
		},
		"by vendor and host of a tag, until now": {
			report.Query{By: []string{"vendor", "host"}, From: day(t, time.UTC, "2026-10-03"), Filter: map[string][]string{"tag:team": {"t1"}}},
			func(r *plenum.Record, a *plenum.Attempt) (string, bool) {
				return publisher(a) + " " + a.Provider, strings.Contains(r.Tags, "team=t1")
			},
		},
		"by day in Berlin": {
			report.Query{By: []string{"connection"}, Per: report.PerDay, Zone: berlin, From: day(t, berlin, "2026-10-20"), To: day(t, berlin, "2026-11-02")},
			func(r *plenum.Record, a *plenum.Attempt) (string, bool) {
				c, _, _ := strings.Cut(a.Target, "/")
				return time.UnixMicro(r.Start).In(berlin).Format(time.DateOnly) + " " + c, true
			},
		},
		"by week, of some keys": {
			report.Query{By: []string{"key"}, Per: report.PerWeek, From: day(t, time.UTC, "2026-10-01"), Filter: map[string][]string{"key": {"k1", "k2"}, "project": {"p3"}}},
			func(r *plenum.Record, _ *plenum.Attempt) (string, bool) {
				y, w := time.UnixMicro(r.Start).UTC().ISOWeek()
				return fmt.Sprintf("%d-W%02d %s", y, w, r.KeyID), (r.KeyID == "k1" || r.KeyID == "k2") && r.Project == "p3"
			},
		},
		"by month": {
			report.Query{By: []string{"region"}, Per: report.PerMonth, From: day(t, time.UTC, "2026-01-01")},
			func(r *plenum.Record, a *plenum.Attempt) (string, bool) {
				return time.UnixMicro(r.Start).UTC().Format("2006-01") + " " + a.Region, true
			},
		},
		"by hour": {
			report.Query{By: []string{"dialect"}, Per: report.PerHour, From: day(t, time.UTC, "2026-11-01"), To: day(t, time.UTC, "2026-11-03")},
			func(r *plenum.Record, _ *plenum.Attempt) (string, bool) {
				return time.UnixMicro(r.Start).UTC().Format("2006-01-02T15:00:00Z") + " " + r.Dialect, true
			},
		},
	} {
		q := x.q
		q.Measures = []string{report.Cost}
		r, err := report.Run(t.Context(), s, q, now())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := map[string]plenum.Micros{}
		var sum plenum.Micros
		for _, l := range r.Lines {
			var parts []string
			if q.Per != "" {
				parts = append(parts, l.Period)
			}
			for _, by := range q.By {
				parts = append(parts, l.By[by])
			}
			cost := micros(t, l.CostUSD)
			got[strings.Join(parts, " ")] += cost
			sum += cost
		}
		maps.DeleteFunc(got, func(_ string, c plenum.Micros) bool { return c == 0 })
		to := q.To
		if to.IsZero() {
			to = now()
		}
		want := simple(calls, q.From, to, x.group)
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if total := micros(t, r.Total.CostUSD); total != sum {
			t.Errorf("%s: the total is %v, the lines make %v", name, total, sum)
		}
	}
}

func micros(t *testing.T, usd string) plenum.Micros {
	t.Helper()
	m, err := plenum.ParseMicros(usd)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheTopAndTheRestMakeTheTotal(t *testing.T) {
	s := keep(t, someCalls(1500))
	q := report.Query{By: []string{"key", "deployment"}, Per: report.PerWeek, From: now().AddDate(0, 0, -60), Measures: report.Measures()}
	all, err := report.Run(t.Context(), s, q, now())
	if err != nil {
		t.Fatal(err)
	}
	q.Top = 3
	top, err := report.Run(t.Context(), s, q, now())
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmp.Options{cmp.FilterPath(func(p cmp.Path) bool { return strings.HasPrefix(p.Last().String(), ".cost") }, cmp.Ignore())}
	if diff := cmp.Diff(all.Total, top.Total, ignore); diff != "" {
		t.Errorf("the totals differ:\n%s", diff)
	}
	groups := map[string]bool{}
	for _, r := range []*report.Report{all, top} {
		var calls, attempts, refused int64
		var cost, parts plenum.Micros
		for _, l := range r.Lines {
			calls, attempts, refused, cost = calls+l.Calls, attempts+l.Attempts, refused+l.Refused, cost+micros(t, l.CostUSD)
			for _, usd := range l.CostsUSD {
				parts += micros(t, usd)
			}
			if r == top && !l.Rest {
				groups[l.By["key"]+l.By["deployment"]] = true
			}
		}
		if calls != r.Total.Calls || attempts != r.Total.Attempts || refused != r.Total.Refused || cost != micros(t, r.Total.CostUSD) || parts != cost {
			t.Errorf("the lines make %d calls, %d attempts, %d refused, %v and %v USD; the total is %+v", calls, attempts, refused, cost, parts, r.Total)
		}
	}
	if len(groups) != 3 || top.Total.Refused == 0 || top.Total.P95MS < top.Total.P50MS || top.Total.P50MS < 800 || top.Total.P50MS > 2200 {
		t.Errorf("%d groups are shown; the total is %+v", len(groups), top.Total)
	}
}

func TestATableInText(t *testing.T) {
	rs := someCalls(300)
	for i := range rs {
		rs[i].Tags = "team=-1+cmd"
	}
	var b bytes.Buffer
	q := report.Query{By: []string{"tag:team", "project"}, Per: report.PerMonth, Measures: report.Measures(), Top: 2}
	if err := report.WriteCSV(t.Context(), &b, keep(t, rs), q, now()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cost := slices.Index(rows[0], "cost_usd")
	var sum plenum.Micros
	for _, row := range rows[1 : len(rows)-1] {
		sum += micros(t, row[cost])
		if row[1] != "'-1+cmd" && row[1] != "(rest)" {
			t.Errorf("a spreadsheet would take %q for a formula", row[1])
		}
	}
	last := rows[len(rows)-1]
	if want := []string{"", "(total)", ""}; !slices.Equal(last[:3], want) || micros(t, last[cost]) != sum || sum == 0 {
		t.Errorf("the last row is %v, the others make %v", last, sum)
	}
}

func TestMistakesAreTold(t *testing.T) {
	s := keep(t, nil)
	for want, q := range map[string]report.Query{
		"usage is not summed by":        {By: []string{"colour"}},
		"usage is not summed by \"tag:": {Filter: map[string][]string{"tag:": {"x"}}},
		"there is no measure":           {Measures: []string{"joy"}},
		"a period is":                   {Per: "fortnight"},
		"ends before it begins":         {From: now(), To: now().AddDate(0, 0, -1)},
		"more than 10000 periods":       {Per: report.PerHour, From: now().AddDate(-3, 0, 0)},
		"not among the measures":        {Measures: []string{report.Calls}, Sort: report.Cost},
		"are sorted by":                 {Sort: "name"},
		"top is":                        {Top: -1},
	} {
		if _, err := report.Run(t.Context(), s, q, now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	r, err := report.Run(t.Context(), s, report.Query{}, now())
	if err != nil || len(r.Lines) != 0 || r.Total.Calls != 0 || r.Total.CostUSD != "0.000000" {
		t.Errorf("of nothing the report is %+v, %v", r, err)
	}
}

func usageOf(t plenum.Tokens) llm.Usage {
	return llm.Usage{Input: t.Input, CacheRead: t.CacheRead, Output: t.Output}
}
