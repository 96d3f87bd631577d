package limit

import (
	"testing"
	"time"
)

func TestCase_E4_ACallThatIsRefusedTakesNothing(t *testing.T) {
	var m meter
	now, l := time.Now(), limits{requests: 2, tokens: 1000, concurrent: 1}
	if err := m.enter(now, l); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := m.enter(now, l); err == nil {
			t.Fatal("two calls at the same time")
		}
	}
	m.leave(10)
	if err := m.enter(now, l); err != nil {
		t.Errorf("what was refused has eaten the requests: %v", err)
	}
	m.leave(10)
	if err := m.enter(now, l); err == nil {
		t.Error("a third request in a minute")
	}
}
