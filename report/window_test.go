package report

import (
	"slices"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/store"
)

// TestATimeThatBeginsWithTheLastHourOfADay is of a zone where that hour is the first one of the next day.
func TestATimeThatBeginsWithTheLastHourOfADay(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata") // a day begins at 18:30 UTC, and here at 18:00
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 11, 1, 18, 10, 0, 0, time.UTC)
	w, err := windowOf(&Query{Zone: kolkata, Per: PerDay, From: from, To: from.Add(30 * time.Hour)}, from)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"2026-11-02", "2026-11-03"}; !slices.Equal(w.labels, want) || w.period(w.from) != 0 || w.period(w.from+24) != 1 {
		t.Errorf("the days are %v, beginning with the hours %v", w.labels, w.begins)
	}
}

func TestHowLongCallsTook(t *testing.T) {
	var took [store.Buckets]int64
	if got := quantile(took, 95); got != 0 {
		t.Errorf("of no calls it is %d", got)
	}
	took[1], took[3] = 90, 10 // 50 to 100 ms, 200 to 400 ms
	if p50, p95 := quantile(took, 50), quantile(took, 95); p50 != 77 || p95 != 300 {
		t.Errorf("half take %d ms and 95 of 100 %d ms", p50, p95)
	}
}
