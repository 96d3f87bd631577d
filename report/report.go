// Package report answers what was used and what it cost: by any mix of project, member, key, model, host and tag, over
// time, from the sums that the store keeps. Money is added up in whole micro-dollars, so that the lines of a report,
// with the rest that is not shown, make its total exactly.
//
// From the same sums it makes a file in the FOCUS format, says on whom the spending depends, and, from the records
// themselves, what would happen if a vendor went away.
package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/store"
)

// Query is what is asked. By, Per and Measures may be empty.
type Query struct {
	By       []string // dimensions: see Dimensions
	Per      string   // hour, day, week or month
	Zone     *time.Location
	From, To time.Time // To is not included; a zero one is now
	Filter   map[string][]string
	Measures []string // see Measures
	Sort     string   // the measure that is largest first: cost, calls, errors or tokens
	// OrganizationOf says which organization a project belongs to, for the dimension of that name; nil is none.
	OrganizationOf func(project string) string
	Top            int // how many lines of a period are shown, the others being one; 0 is all

	unsorted bool // the lines of a period stand in any order
	hold     int  // how many numbers are held until all are read; 0 is mostKept
}

// Report is the answer. The total is that of the lines.
type Report struct {
	From     string   `json:"from"` // whole hours
	To       string   `json:"to"`
	Zone     string   `json:"zone"`
	By       []string `json:"by"`
	Per      string   `json:"per,omitempty"`
	Measures []string `json:"measures"`
	Lines    []Line   `json:"data"`
	Total    Line     `json:"total"`
}

// MistakeError says what is wrong with a query.
type MistakeError struct{ What string }

// Error says it.
func (e *MistakeError) Error() string { return e.What }

func mistake(format string, args ...any) error { return &MistakeError{fmt.Sprintf(format, args...)} }

// mostLines bounds a report that is had at once. Written as a file it has no end: see WriteCSV and WriteJSON.
const mostLines = 100_000

// Run answers a query at once.
func Run(ctx context.Context, s store.Rollups, q Query, now time.Time) (*Report, error) {
	var c collector
	if err := stream(ctx, s, q, now, &c); err != nil {
		return nil, err
	}
	return c.report, nil
}

// sink takes a report as it is made: first what was asked, then the lines, then the total.
type sink interface {
	begin(*Report) error
	line(*Line) error
	end(total *Line) error
}

// collector keeps the report.
type collector struct{ report *Report }

func (c *collector) begin(r *Report) error {
	c.report = r
	c.report.Lines = []Line{}
	return nil
}

func (c *collector) line(l *Line) error {
	if len(c.report.Lines) >= mostLines {
		return mistake("that would be more than %d lines; ask for less at once, or for the top ones", mostLines)
	}
	c.report.Lines = append(c.report.Lines, *l)
	return nil
}

func (c *collector) end(total *Line) error {
	c.report.Total = *total
	return nil
}

// stream answers a query line by line, period by period. What it holds are the sums of the groups of a period or a day,
// whichever is longer, and not the lines.
func stream(ctx context.Context, s store.Rollups, q Query, now time.Time, to sink) error {
	r, err := prepare(&q, now)
	if err != nil {
		return err
	}
	if r.days, err = s.Days(ctx); err != nil {
		return err
	}
	if err := r.group(ctx, s); err != nil {
		return err
	}
	if err := to.begin(r.head()); err != nil {
		return err
	}
	total := make([]int64, len(r.columns))
	emit := func(period int, c *cells) error { return r.emit(period, c, total, to) }
	switch few, err := r.keepFew(ctx, s); {
	case err != nil:
		return err
	case few != nil:
		for _, k := range few {
			if err := emit(k.period, k.cells); err != nil {
				return err
			}
		}
	default:
		if err := r.read(ctx, s, emit); err != nil {
			return err
		}
	}
	all := r.line(total)
	return to.end(&all)
}

// run is a query that is being answered.
type run struct {
	q       *Query
	by      []dimension
	where   []condition
	columns []string
	coarse  bool
	window  window
	days    []store.DaySums

	groups  [][]string // the values of By
	groupOf map[int64]int32
	mixes   []int64 // nil is all
	rank    []int   // of each group: what stands before what
}

func prepare(q *Query, now time.Time) (*run, error) {
	r := &run{q: q, coarse: true, groupOf: map[int64]int32{}}
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	if len(q.Measures) == 0 {
		q.Measures = []string{Calls, Errors, Tokens, Cost}
	}
	for _, name := range q.By {
		d, err := q.dimension(name)
		if err != nil {
			return nil, err
		}
		r.by = append(r.by, d)
		r.coarse = r.coarse && d.coarse
	}
	for name, values := range q.Filter {
		d, err := q.dimension(name)
		if err != nil {
			return nil, err
		}
		r.where = append(r.where, condition{d, values})
		r.coarse = r.coarse && d.coarse
	}
	var err error
	if r.columns, err = columnsOf(q); err != nil {
		return nil, err
	}
	r.window, err = windowOf(q, now)
	return r, err
}

// needs returns what must be known of a mix to tell its group: of many mixes there is much to read.
func (r *run) needs() []string {
	var out []string
	for _, d := range r.by {
		out = append(out, d.needs...)
	}
	for _, c := range r.where {
		out = append(out, c.needs...)
	}
	if len(out) == 0 {
		return []string{"project"} // something must be read
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// group finds out to which group each mix belongs.
func (r *run) group(ctx context.Context, s store.Rollups) error {
	known := map[string]int32{}
	values := make([]string, len(r.by))
	err := s.Mixes(ctx, r.needs(), func(id int64, m *store.Mix) error {
		for i := range r.where {
			if !r.where[i].holds(m) {
				return nil
			}
		}
		if len(r.where) > 0 {
			r.mixes = append(r.mixes, id)
		}
		for i := range r.by {
			values[i] = r.by[i].of(m)
		}
		key := strings.Join(values, "\x00")
		g, ok := known[key]
		if !ok {
			g = int32(len(r.groups))
			known[key] = g
			r.groups = append(r.groups, slices.Clone(values))
		}
		r.groupOf[id] = g
		return nil
	})
	if len(r.where) > 0 && r.mixes == nil {
		r.mixes = []int64{}
	}
	return err
}

// head is the report without its lines.
func (r *run) head() *Report {
	return &Report{
		From: r.window.at(r.window.from), To: r.window.at(r.window.to), Zone: r.q.Zone.String(), By: append([]string{}, r.q.By...), Per: r.q.Per,
		Measures: r.q.Measures,
	}
}

// kept is a period that is held until all are read.
type kept struct {
	period int
	cells  *cells
}

// mostKept bounds the sums that are held until all are read, by how many numbers they are: that is 32 MB.
const mostKept = 4 << 20

// errMany says that there are more sums than are held.
var errMany = errors.New("there are more sums than are held at once")

// keepFew reads all, and ranks the groups by what they make over the whole time. If that is more than is held at once, it
// ranks them alone, and returns nothing: then the periods are read again, one after the other.
func (r *run) keepFew(ctx context.Context, s store.Rollups) ([]kept, error) {
	if r.q.unsorted {
		r.rank = make([]int, len(r.groups))
		return nil, nil
	}
	few, numbers := []kept{}, 0
	sums := make([]int64, len(r.groups))
	err := r.read(ctx, s, func(period int, c *cells) error {
		if numbers += len(c.values); numbers > cmp.Or(r.q.hold, mostKept) && r.q.Per != "" {
			return errMany
		}
		few = append(few, kept{period, c})
		c.addTo(sums, r.sorted())
		return nil
	})
	if errors.Is(err, errMany) {
		few, err = nil, r.rankAhead(ctx, s, sums)
	}
	r.rank = r.ranked(sums)
	return few, err
}

// rankAhead adds up what the groups make over the whole time.
func (r *run) rankAhead(ctx context.Context, s store.Rollups, sums []int64) error {
	ahead := *r
	ahead.columns = nil
	var of []int
	for _, i := range r.sorted() {
		of = append(of, len(of))
		ahead.columns = append(ahead.columns, r.columns[i])
	}
	ahead.window.begins, ahead.window.labels = []int64{r.window.from}, []string{""}
	clear(sums)
	return ahead.read(ctx, s, func(_ int, c *cells) error {
		c.addTo(sums, of)
		return nil
	})
}

// ranked orders the groups by their sums, the largest first.
func (r *run) ranked(sums []int64) []int {
	order := make([]int, len(r.groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(sums[b], sums[a]), slices.Compare(r.groups[a], r.groups[b]))
	})
	rank := make([]int, len(order))
	for i, g := range order {
		rank[g] = i
	}
	return rank
}

// emit tells the lines of a period.
func (r *run) emit(period int, c *cells, total []int64, to sink) error {
	var shown []int32
	rest, more := make([]int64, len(r.columns)), false
	for _, g := range c.used {
		sum := c.sum(g)
		if !slices.ContainsFunc(sum, func(v int64) bool { return v != 0 }) {
			continue
		}
		addTo(total, sum)
		if r.q.Top > 0 && r.rank[g] >= r.q.Top {
			addTo(rest, sum)
			more = true
			continue
		}
		shown = append(shown, g)
	}
	slices.SortFunc(shown, func(a, b int32) int { return cmp.Compare(r.rank[a], r.rank[b]) })
	for _, g := range shown {
		l := r.line(c.sum(g))
		l.Period = r.window.labels[period]
		for n, name := range r.q.By {
			l.By[name] = r.groups[g][n]
		}
		if err := to.line(&l); err != nil {
			return err
		}
	}
	if !more {
		return nil
	}
	l := r.line(rest)
	l.Period, l.Rest = r.window.labels[period], true
	return to.line(&l)
}

func addTo(sum, more []int64) {
	for i, v := range more {
		sum[i] += v
	}
}
