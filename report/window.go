package report

import (
	"fmt"
	"sort"
	"time"
)

// The lengths of periods.
const (
	PerHour  = "hour"
	PerDay   = "day"
	PerWeek  = "week"
	PerMonth = "month"
)

// usualDays is how far a report goes back where nothing is said.
const usualDays = 30

// window is the time of a report in whole hours since 1970, and the periods that it is divided into.
//
// Sums are by the hour of UTC. Where a zone is off by half an hour, a period begins with the hour in which it begins.
type window struct {
	zone     *time.Location
	from, to int64
	begins   []int64 // of each period; the first is from
	labels   []string
}

func windowOf(q *Query, now time.Time) (window, error) {
	w := window{zone: q.Zone}
	end := q.To
	if end.IsZero() {
		end = now
	}
	begin := q.From
	if begin.IsZero() {
		begin = end.AddDate(0, 0, -usualDays)
	}
	w.from, w.to = begin.Unix()/3600, (end.Unix()+3599)/3600
	if w.from < 0 || w.from >= w.to {
		return w, mistake("the time ends before it begins")
	}
	return w, w.divide(q.Per, begin)
}

// mostPeriods bounds how many periods a report has.
const mostPeriods = 10_000

// divide divides the time into periods.
func (w *window) divide(per string, begin time.Time) error {
	if per == "" {
		w.begins, w.labels = []int64{w.from}, []string{""}
		return nil
	}
	at, label, err := first(per, begin.In(w.zone))
	if err != nil {
		return err
	}
	for at.Unix()/3600 < w.to {
		if len(w.begins) >= mostPeriods {
			return mistake("that would be more than %d periods", mostPeriods)
		}
		start, last := max(at.Unix()/3600, w.from), len(w.begins)-1
		if last < 0 || start > w.begins[last] {
			w.begins, w.labels = append(w.begins, start), append(w.labels, label(at))
		} else { // of the period before it less than an hour is asked for
			w.labels[last] = label(at)
		}
		at = next(per, at)
	}
	return nil
}

// first returns the beginning of the period that a time is in, and how such a period is called.
func first(per string, t time.Time) (time.Time, func(time.Time) string, error) {
	y, m, d := t.Date()
	format := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.Format(layout) }
	}
	switch per {
	case PerHour:
		return t.Truncate(time.Hour), format(time.RFC3339), nil
	case PerDay:
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location()), format(time.DateOnly), nil
	case PerWeek:
		back := (int(t.Weekday()) + 6) % 7 // it begins on Monday
		return time.Date(y, m, d-back, 0, 0, 0, 0, t.Location()), func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}, nil
	case PerMonth:
		return time.Date(y, m, 1, 0, 0, 0, 0, t.Location()), format("2006-01"), nil
	}
	return t, nil, mistake("a period is hour, day, week or month, and not %q", per)
}

func next(per string, t time.Time) time.Time {
	y, m, d := t.Date()
	switch per {
	case PerDay:
		d++
	case PerWeek:
		d += 7
	case PerMonth:
		m++
	default:
		return t.Add(time.Hour)
	}
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// period returns the period that a slot is in.
func (w *window) period(slot int64) int {
	return sort.Search(len(w.begins), func(i int) bool { return w.begins[i] > slot }) - 1
}

// at says an hour in the zone.
func (w *window) at(hour int64) string {
	return time.Unix(hour*3600, 0).In(w.zone).Format(time.RFC3339)
}
