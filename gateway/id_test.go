package gateway

import (
	"regexp"
	"testing"
	"time"
)

func TestIDsSortAsTheirTimesDoAndDiffer(t *testing.T) {
	shape := regexp.MustCompile(`^req_[0-9A-HJKMNP-TV-Z]{26}$`)
	now := time.UnixMilli(1<<31 - 50)
	last, seen := "", map[string]bool{}
	for i := range 2000 {
		id := newID(now.Add(time.Duration(i) * time.Millisecond))
		if !shape.MatchString(id) {
			t.Fatalf("id %q", id)
		}
		if id <= last {
			t.Fatalf("%q comes after %q", id, last)
		}
		last, seen[newID(now)] = id, true
	}
	if len(seen) != 2000 {
		t.Errorf("%d ids of the same time are the same", 2000-len(seen))
	}
}

// Every place of the chance must vary, or fewer calls in a millisecond would be told apart.
func TestEveryDigitOfChanceVaries(t *testing.T) {
	var values [30]map[byte]bool
	now := time.Now()
	for range 3000 {
		id := newID(now)
		for i := 14; i < len(id); i++ {
			if values[i] == nil {
				values[i] = map[byte]bool{}
			}
			values[i][id[i]] = true
		}
	}
	for i := 14; i < 30; i++ {
		if len(values[i]) != 32 {
			t.Errorf("place %d takes %d values", i, len(values[i]))
		}
	}
}
