package desk

import "sync"

const (
	// mostRuns is how many models a node tries at the same time.
	mostRuns = 8
	// forOthers is how many of these are not for the nightly runs, so that a model that is submitted meanwhile is tried at once.
	forOthers = 4
)

// turns says which cards a node tries now.
type turns struct {
	mu      sync.Mutex
	now     map[string]bool // whether it is a nightly run
	nightly int
}

// take reports whether a card may be tried now; it is, until it is given back.
func (t *turns) take(card string, nightly bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, has := t.now[card]; has || len(t.now) >= mostRuns || nightly && t.nightly >= mostRuns-forOthers {
		return false
	}
	if t.now == nil {
		t.now = map[string]bool{}
	}
	t.now[card] = nightly
	if nightly {
		t.nightly++
	}
	return true
}

func (t *turns) giveBack(card string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[card] {
		t.nightly--
	}
	delete(t.now, card)
}
