package report

import (
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// The measures of a report.
const (
	Calls     = "calls"
	Errors    = "errors"
	Refused   = "refused"
	Attempts  = "attempts"
	Unpriced  = "unpriced"
	Estimated = "estimated"
	Tokens    = "tokens" // by class
	Cost      = "cost"
	Costs     = "costs" // by class
	Latency   = "latency"
)

// Measures are all that a report can tell.
func Measures() []string {
	return []string{Calls, Errors, Refused, Attempts, Unpriced, Estimated, Tokens, Cost, Costs, Latency}
}

// Line is a line of a report. What was not asked for is left out.
type Line struct {
	Period    string            `json:"period,omitempty"`
	By        map[string]string `json:"by,omitempty"`
	Rest      bool              `json:"rest,omitempty"` // all that is not among the top
	Calls     int64             `json:"calls,omitempty"`
	Errors    int64             `json:"errors,omitempty"`
	Refused   int64             `json:"refused,omitempty"`
	Attempts  int64             `json:"attempts,omitempty"`
	Unpriced  int64             `json:"unpriced,omitempty"`
	Estimated int64             `json:"estimated,omitempty"`
	Tokens    *plenum.Tokens    `json:"tokens,omitempty"`
	CostUSD   string            `json:"cost_usd,omitempty"`
	CostsUSD  map[string]string `json:"costs_usd,omitempty"` // by class; "unsplit" is what is not known by class
	P50MS     int64             `json:"p50_ms,omitempty"`
	P95MS     int64             `json:"p95_ms,omitempty"`

	cost  plenum.Micros
	costs plenum.Costs
}

// Unsplit is the part of a cost that is not known by class.
const Unsplit = "unsplit"

// columns are those of a measure.
func columns(measure string) []string {
	all := strings.Split(store.ShareColumns, ", ")
	at := func(name string) int { return slices.Index(all, name) }
	switch measure {
	case Calls, Errors, Refused, Attempts, Unpriced, Estimated:
		return []string{measure}
	case Cost:
		return []string{"cost_micros"}
	case Tokens:
		return all[at("input") : at("seconds")+1]
	case Costs:
		return append([]string{"cost_micros"}, all[at("c_input"):at("c_seconds")+1]...)
	case Latency:
		return all[at("t0"):]
	}
	return nil
}

// columnsOf returns the columns that a query needs.
func columnsOf(q *Query) ([]string, error) {
	var out []string
	for _, m := range q.Measures {
		cs := columns(m)
		if cs == nil {
			return nil, mistake("there is no measure %q; there are %s", m, strings.Join(Measures(), ", "))
		}
		for _, c := range cs {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	if q.Sort == "" {
		for _, m := range []string{Cost, Calls, Tokens, Errors, q.Measures[0]} {
			if slices.Contains(q.Measures, m) {
				q.Sort = m
				break
			}
		}
	}
	switch {
	case !slices.Contains([]string{Cost, Calls, Tokens, Errors}, q.Sort) && q.Sort != q.Measures[0]:
		return nil, mistake("lines are sorted by cost, calls, errors or tokens, and not by %q", q.Sort)
	case !slices.Contains(q.Measures, q.Sort):
		return nil, mistake("lines cannot be sorted by %q, which is not among the measures", q.Sort)
	case q.Top < 0:
		return nil, mistake("top is a number of lines")
	}
	return out, nil
}

// sorted returns the columns that make the measure which the lines are sorted by.
func (r *run) sorted() (out []int) {
	for _, c := range columns(r.q.Sort) {
		if i := slices.Index(r.columns, c); i >= 0 {
			out = append(out, i)
		}
	}
	if r.q.Sort == Costs {
		out = out[:1]
	}
	return out
}

// line makes a line of sums.
func (r *run) line(sum []int64) Line {
	var s store.Share
	all := strings.Split(store.ShareColumns, ", ")
	into := s.Pointers()
	for i, c := range r.columns {
		*into[slices.Index(all, c)].(*int64) = sum[i] //nolint:forcetypeassert // all are, or can be seen as such
	}
	l := Line{
		By: map[string]string{}, Calls: s.Calls, Errors: s.Errors, Refused: s.Refused, Attempts: s.Attempts,
		Unpriced: s.Unpriced, Estimated: s.Estimated, cost: s.Cost, costs: s.Costs,
	}
	for _, m := range r.q.Measures {
		switch m {
		case Tokens:
			l.Tokens = &s.Tokens
		case Cost:
			l.CostUSD = s.Cost.String()
		case Costs:
			l.CostUSD, l.CostsUSD = s.Cost.String(), costsOf(s.Cost, s.Costs)
		case Latency:
			l.P50MS, l.P95MS = quantile(s.Took, 50), quantile(s.Took, 95)
		}
	}
	return l
}

// costsOf returns the parts of a cost that are not zero.
func costsOf(total plenum.Micros, parts plenum.Costs) map[string]string {
	out := map[string]string{}
	left := int64(total)
	for class, n := range plenum.Tokens(parts).Classes() {
		if n != 0 {
			out[string(class)] = plenum.Micros(n).String()
			left -= n
		}
	}
	if left != 0 {
		out[Unsplit] = plenum.Micros(left).String()
	}
	return out
}

// quantile returns the milliseconds that so many of a hundred calls took less than. Within a bucket calls are taken to
// be spread evenly, so that it is right to within the bucket: a factor of two.
func quantile(took [store.Buckets]int64, percent int64) int64 {
	var all int64
	for _, n := range took {
		all += n
	}
	if all == 0 {
		return 0
	}
	before := int64(0)
	for i, n := range took {
		if (before+n)*100 >= all*percent && n > 0 {
			from, to := time.Duration(0), store.BucketEnd(i)
			if i > 0 {
				from = store.BucketEnd(i - 1)
			}
			within := float64(all*percent)/100 - float64(before)
			return (from + time.Duration(float64(to-from)*within/float64(n))).Milliseconds()
		}
		before += n
	}
	return store.BucketEnd(store.Buckets - 1).Milliseconds()
}
