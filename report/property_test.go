package report_test

import (
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
	"github.com/plenum-foundry/plenum/report"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// figures are what a question is answered with.
type figures struct {
	Calls, Refused, Input int64
	Cost                  plenum.Micros
}

// zones are those that cut days as differently as there are: at whole hours, halves and quarters, with summer time that
// begins and ends within the time of the tests, by an hour and by half an hour.
func zones(t *testing.T) (out []*time.Location) {
	t.Helper()
	for _, name := range []string{"UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, z)
	}
	return out
}

// facet is a dimension as records tell it, the plain way.
func facet(name string, c *plenum.Record, a *plenum.Attempt) string {
	switch name {
	case "project":
		return c.Project
	case "member":
		return c.Member
	case "key":
		return c.KeyID
	case "deployment":
		return c.Deployment
	case "dialect":
		return c.Dialect
	case "model":
		return a.Model
	case "publisher":
		p, _, ok := strings.Cut(a.Model, "/")
		if !ok {
			return ""
		}
		return p
	case "provider":
		return a.Provider
	case "connection":
		p, _, _ := strings.Cut(a.Target, "/")
		return p
	case "region":
		return a.Region
	case "tags":
		return c.Tags
	case "tag:team":
		_, v, _ := strings.Cut(c.Tags, "team=")
		return v
	}
	return "?"
}

func facets() []string {
	return []string{"project", "member", "key", "deployment", "dialect", "model", "publisher", "provider", "connection", "region", "tags", "tag:team"}
}

// label is the period that an hour belongs to: the one in which it ends, for a period begins with the hour that it begins
// in.
func label(per string, zone *time.Location, hour int64) string {
	end := time.Unix(hour*3600+3599, 0).In(zone)
	switch per {
	case report.PerHour:
		return time.Unix(hour*3600, 0).In(zone).Format(time.RFC3339)
	case report.PerDay:
		return end.Format(time.DateOnly)
	case report.PerWeek:
		y, w := end.ISOWeek()
		return fmt.Sprintf("%d-W%02d", y, w)
	case report.PerMonth:
		return end.Format("2006-01")
	}
	return ""
}

// plainly answers a question from the records, one by one.
func plainly(calls []plenum.Record, q *report.Query, now time.Time) map[string]figures {
	out := map[string]figures{}
	to := q.To
	if to.IsZero() {
		to = now
	}
	for i := range calls {
		c := &calls[i]
		hour := c.Start / 3600e6
		if hour < q.From.Unix()/3600 || hour >= (to.Unix()+3599)/3600 {
			continue
		}
		count := func(a *plenum.Attempt, f figures) {
			for name, values := range q.Filter {
				if !slices.Contains(values, facet(name, c, a)) {
					return
				}
			}
			key := label(q.Per, q.Zone, hour)
			for _, by := range q.By {
				key += "|" + facet(by, c, a)
			}
			g := out[key]
			out[key] = figures{g.Calls + f.Calls, g.Refused + f.Refused, g.Input + f.Input, g.Cost + f.Cost}
		}
		own := figures{Calls: 1, Input: c.Usage.Input, Cost: c.Cost}
		if c.Outcome == plenum.OutcomeRefused {
			own.Refused = 1
		}
		ended := &plenum.Attempt{}
		for n := range c.Attempts {
			a := &c.Attempts[n]
			count(a, figures{Input: a.Usage.Input, Cost: a.Cost})
			own.Input, own.Cost = own.Input-a.Usage.Input, own.Cost-a.Cost
			if !ended.Won {
				ended = a
			}
		}
		count(ended, own)
	}
	maps.DeleteFunc(out, func(_ string, f figures) bool { return f == figures{} })
	return out
}

// someQuestion makes a question up.
func someQuestion(r *rand.Rand, zones []*time.Location, calls []plenum.Record) report.Query {
	q := report.Query{
		Zone: zones[r.IntN(len(zones))], Per: []string{"", report.PerHour, report.PerDay, report.PerWeek, report.PerMonth}[r.IntN(5)],
		From: now().Add(-time.Duration(r.Int64N(int64(36 * 24 * time.Hour)))).Truncate(time.Minute), Filter: map[string][]string{},
		Measures: []string{report.Calls, report.Refused, report.Tokens, report.Cost},
	}
	if r.IntN(2) == 0 {
		q.To = q.From.Add(time.Hour + time.Duration(r.Int64N(int64(30*24*time.Hour))))
	}
	all := facets()
	r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	q.By = slices.Clone(all[:r.IntN(4)])
	for _, name := range all[:r.IntN(3)] {
		for range 1 + r.IntN(2) {
			c := &calls[r.IntN(len(calls))]
			a := &plenum.Attempt{}
			if len(c.Attempts) > 0 {
				a = &c.Attempts[0]
			}
			q.Filter[name] = append(q.Filter[name], facet(name, c, a))
		}
	}
	return q
}

// answered is a report as figures.
func answered(t *testing.T, q *report.Query, r *report.Report) map[string]figures {
	t.Helper()
	out := map[string]figures{}
	for i := range r.Lines {
		l := &r.Lines[i]
		key := l.Period
		for _, by := range q.By {
			key += "|" + l.By[by]
		}
		if l.Rest {
			key = l.Period + "|(rest)"
		}
		if _, twice := out[key]; twice {
			t.Fatalf("%+v: there are two lines of %s", *q, key)
		}
		out[key] = figures{l.Calls, l.Refused, l.Tokens.Input, micros(t, l.CostUSD)}
	}
	maps.DeleteFunc(out, func(_ string, f figures) bool { return f == figures{} })
	return out
}

// TestAnyQuestionIsAnsweredAsTheRecordsSay asks questions made up by chance while records arrive, late ones and corrections
// among them, and days are packed, packed again or not yet.
func TestAnyQuestionIsAnsweredAsTheRecordsSay(t *testing.T) {
	const rounds, each = 3, 400
	calls := someCalls(rounds * each)
	for i := range calls { // in 32 days, in which summer ends where it does
		ago := (now().UnixMicro() - calls[i].Start) * 32 / 70
		took := calls[i].End - calls[i].Start
		calls[i].Start = now().UnixMicro() - ago
		calls[i].End = calls[i].Start + took
	}
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), store.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := ledger.Open(filepath.Join(t.TempDir(), "journal"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := rand.New(rand.NewPCG(7, 8))
	var there []plenum.Record
	zs := zones(t)
	for round := range rounds {
		fresh := calls[round*each : (round+1)*each]
		for i := range fresh {
			if err := l.End(&fresh[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range there { // what had been called lost is told as it was
			if c := &there[i]; c.Outcome == plenum.OutcomeLost && r.IntN(2) == 0 {
				c.Outcome, c.Usage, c.Cost = plenum.OutcomeOK, plenum.Tokens{}, 0
				a := attempt(offers()[r.IntN(5)], 1, plenum.Tokens{Input: r.Int64N(999)})
				a.Won = true
				c.Add(a)
				if err := l.End(c); err != nil {
					t.Fatal(err)
				}
			}
		}
		there = append(there, fresh...)
		if err := l.Drain(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		days, err := s.Days(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range days {
			if r.IntN(4) > 0 {
				if done, err := s.Pack(t.Context(), d.Slot); err != nil || done == d.Packed {
					t.Fatalf("%+v: %v, %v", d, done, err)
				}
			}
		}
		for range 10 {
			ask(t, s, there, someQuestion(r, zs, there), r.IntN(5))
		}
	}
}

// ask asks a question, also for the top lines alone, and compares.
func ask(t *testing.T, s store.Store, calls []plenum.Record, q report.Query, top int) {
	t.Helper()
	got, err := report.Run(t.Context(), s, q, now())
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	want := plainly(calls, &q, now())
	if diff := cmp.Diff(want, answered(t, &q, got)); diff != "" {
		t.Fatalf("%+v (-records +report):\n%s", q, diff)
	}
	q.Top = top
	if top%2 == 0 {
		q.Hold(10)
	}
	some, err := report.Run(t.Context(), s, q, now())
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	var sum figures
	for _, f := range answered(t, &q, some) {
		sum = figures{sum.Calls + f.Calls, sum.Refused + f.Refused, sum.Input + f.Input, sum.Cost + f.Cost}
	}
	total := figures{some.Total.Calls, some.Total.Refused, some.Total.Tokens.Input, micros(t, some.Total.CostUSD)}
	for _, f := range want {
		sum = figures{sum.Calls - f.Calls, sum.Refused - f.Refused, sum.Input - f.Input, sum.Cost - f.Cost}
		total = figures{total.Calls - f.Calls, total.Refused - f.Refused, total.Input - f.Input, total.Cost - f.Cost}
	}
	if (sum != figures{}) || (total != figures{}) {
		t.Fatalf("%+v: the top lines and the rest are off by %+v, the total by %+v", q, sum, total)
	}
}
