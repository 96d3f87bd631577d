package desk

import (
	"strconv"
	"testing"
)

func TestNightlyRunsLeaveRoomForWhatIsSubmitted(t *testing.T) {
	var q turns
	taken := 0
	for i := range 100 {
		if q.take("night/"+strconv.Itoa(i), true) {
			taken++
		}
	}
	if taken != mostRuns-forOthers {
		t.Errorf("%d nightly runs go on at once", taken)
	}
	if !q.take("new", false) || q.take("new", false) {
		t.Error("what is submitted is not tried at once, or twice")
	}
	for i := range 100 {
		if q.take("more/"+strconv.Itoa(i), false) {
			taken++
		}
	}
	if taken+1 != mostRuns {
		t.Errorf("%d runs go on at once", taken+1)
	}
	q.giveBack("night/0")
	if q.take("night/50", false) != true || q.take("night/51", true) {
		t.Error("a place that was given back is not one place")
	}
	for i := range 4 {
		q.giveBack("night/" + strconv.Itoa(i)) // some of them twice
	}
	if !q.take("night/60", true) {
		t.Error("there is no place for a nightly run")
	}
}
