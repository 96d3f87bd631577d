package plenum_test

import (
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

func TestCase_E10_WindowsBeginAndEndByTheCalendarOfTheirZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// The day on which the clocks go forward in Berlin has 23 hours.
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		window     string
		begin, end string
	}{
		{"minute", "2026-03-29T14:00:00+02:00", "2026-03-29T14:01:00+02:00"},
		{"hour", "2026-03-29T14:00:00+02:00", "2026-03-29T15:00:00+02:00"},
		{"day", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
		{"week", "2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
		{"month", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"},
		{"quarter", "2026-01-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"},
		{"year", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"},
	} {
		w, err := plenum.ParseWindow(x.window)
		if err != nil {
			t.Fatal(err)
		}
		w.Zone = berlin
		slot := w.Slot(now)
		if got := time.UnixMilli(slot).In(berlin).Format(time.RFC3339); got != x.begin {
			t.Errorf("%s begins %s, want %s", x.window, got, x.begin)
		}
		if got := w.Ends(slot).Format(time.RFC3339); got != x.end {
			t.Errorf("%s ends %s, want %s", x.window, got, x.end)
		}
		if d := w.Ends(slot).Sub(time.UnixMilli(slot)); d > w.Span() {
			t.Errorf("%s is %s long, more than %s", x.window, d, w.Span())
		}
	}
}

func TestWindowsThatCannotBeAreRefused(t *testing.T) {
	for _, s := range []string{"", "fortnight", "-1h", "0s", "1", "d", "1e9d", "NaNd"} {
		if w, err := plenum.ParseWindow(s); err == nil {
			t.Errorf("%q is %v", s, w)
		}
	}
	for s, want := range map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "1m": time.Minute} {
		if w, err := plenum.ParseWindow(s); err != nil || w.Rolling != want {
			t.Errorf("%q is %v, %v", s, w, err)
		}
	}
}
