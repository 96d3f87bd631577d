package plenum

import (
	"fmt"
	"math"
	"time"
)

// Window is the time that a bound is for: a period of the calendar, the time just past, or all of it.
type Window struct {
	Period  Period
	Zone    *time.Location // whose calendar; nil is UTC
	Rolling time.Duration  // where Period is ""
}

// Period is a period of the calendar.
type Period string

// The periods. A week begins on Monday.
const (
	PerMinute  Period = "minute"
	PerHour    Period = "hour"
	PerDay     Period = "day"
	PerWeek    Period = "week"
	PerMonth   Period = "month"
	PerQuarter Period = "quarter"
	PerYear    Period = "year"
	InTotal    Period = "total"
)

// WindowParts is how many slots a rolling window has: what is spent leaves it a part at a time.
const WindowParts = 60

// ParseWindow reads "month", "day" and the like, or a duration such as "24h" or "7d", which is a rolling window.
func ParseWindow(s string) (Window, error) {
	switch p := Period(s); p {
	case PerMinute, PerHour, PerDay, PerWeek, PerMonth, PerQuarter, PerYear, InTotal:
		return Window{Period: p}, nil
	}
	d, err := duration(s)
	if err != nil || d < WindowParts*time.Millisecond || d > 10*366*24*time.Hour {
		return Window{}, fmt.Errorf("%q is no window: say minute, hour, day, week, month, quarter, year or total, or a time such as 24h or 30d for a window that rolls", s)
	}
	return Window{Rolling: d}, nil
}

// duration reads Go's durations, and days.
func duration(s string) (time.Duration, error) {
	var days float64
	if n, err := fmt.Sscanf(s, "%gd", &days); n == 1 && err == nil && s[len(s)-1] == 'd' {
		return time.Duration(days * 24 * float64(time.Hour)), nil
	}
	return time.ParseDuration(s)
}

// String returns what ParseWindow reads.
func (w Window) String() string {
	if w.Period != "" {
		return string(w.Period)
	}
	return w.Rolling.String()
}

// Slot returns the slot of a moment: the time at which it begins, in Unix milliseconds. A period of the calendar has one
// slot, a window that rolls has many.
func (w Window) Slot(now time.Time) int64 {
	if w.Period == "" {
		part := w.part().Milliseconds()
		return now.UnixMilli() / part * part
	}
	return w.begin(now).UnixMilli()
}

// First returns the earliest slot that counts at a moment.
func (w Window) First(now time.Time) int64 {
	if w.Period != "" {
		return w.Slot(now)
	}
	return w.Slot(now) - (WindowParts-1)*w.part().Milliseconds()
}

// Ends returns when a slot stops counting; zero: never.
func (w Window) Ends(slot int64) time.Time {
	at := time.UnixMilli(slot).In(w.zone())
	if w.Period == "" {
		return at.Add(WindowParts * w.part())
	}
	y, m, d := at.Date()
	switch w.Period {
	case PerMinute:
		return at.Add(time.Minute)
	case PerHour:
		return at.Add(time.Hour)
	case PerDay:
		return time.Date(y, m, d+1, 0, 0, 0, 0, at.Location())
	case PerWeek:
		return time.Date(y, m, d+7, 0, 0, 0, 0, at.Location())
	case PerMonth:
		return time.Date(y, m+1, 1, 0, 0, 0, 0, at.Location())
	case PerQuarter:
		return time.Date(y, m+3, 1, 0, 0, 0, 0, at.Location())
	case PerYear:
		return time.Date(y+1, 1, 1, 0, 0, 0, 0, at.Location())
	case InTotal:
	}
	return time.Time{}
}

// Far is the first slot that is so far ahead of a moment that no two clocks differ by it: the clock that told it was wrong, or
// this one is. It is two windows ahead; zero: there is none.
func (w Window) Far(now time.Time) int64 {
	if w.Period == "" {
		return w.Slot(now) + 2*WindowParts*w.part().Milliseconds()
	}
	next := w.Ends(w.Slot(now))
	if next.IsZero() {
		return 0
	}
	return w.Ends(next.UnixMilli()).UnixMilli()
}

// Span is a length that no window of the kind exceeds, for whoever keeps slots no longer than they count; 0: for ever.
func (w Window) Span() time.Duration {
	if w.Period == "" {
		return w.Rolling + w.part()
	}
	switch w.Period {
	case PerMinute:
		return time.Minute
	case PerHour:
		return time.Hour
	case PerDay:
		return 26 * time.Hour
	case PerWeek:
		return 8 * 24 * time.Hour
	case PerMonth:
		return 32 * 24 * time.Hour
	case PerQuarter:
		return 93 * 24 * time.Hour
	case PerYear:
		return 367 * 24 * time.Hour
	case InTotal:
	}
	return 0
}

// part is the length of a slot of a window that rolls, rounded up: what was spent counts rather too long than too short.
func (w Window) part() time.Duration {
	return time.Duration(math.Ceil(float64(w.Rolling)/WindowParts/float64(time.Millisecond))) * time.Millisecond
}

func (w Window) zone() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

func (w Window) begin(now time.Time) time.Time {
	now = now.In(w.zone())
	y, m, d := now.Date()
	switch w.Period {
	case PerMinute:
		return now.Truncate(time.Minute)
	case PerHour:
		// Not by the wall clock: where the hour between two and three comes twice, it is two hours.
		return now.Add(-time.Duration(now.Minute())*time.Minute - time.Duration(now.Second())*time.Second - time.Duration(now.Nanosecond()))
	case PerDay:
		return time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	case PerWeek:
		return time.Date(y, m, d-(int(now.Weekday())+6)%7, 0, 0, 0, 0, now.Location())
	case PerMonth:
		return time.Date(y, m, 1, 0, 0, 0, 0, now.Location())
	case PerQuarter:
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, now.Location())
	case PerYear:
		return time.Date(y, 1, 1, 0, 0, 0, 0, now.Location())
	case InTotal:
	}
	return time.UnixMilli(0)
}
