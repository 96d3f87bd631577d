package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// record is one request that arrived, as the tests see it.
type record struct {
	Path        string              `json:"path"`
	Query       string              `json:"query"`
	Header      map[string][]string `json:"headers"`
	Raw         string              `json:"raw"`
	Seen        *request            `json:"seen"`
	Refused     string              `json:"refused,omitempty"`
	AtMS        int64               `json:"at_ms"`        // since the first request for the same model
	CancelledMS int64               `json:"cancelled_ms"` // Unix milliseconds; 0 is not
	Done        bool                `json:"done"`
}

// journal remembers what arrived, by model.
type journal struct {
	mu      sync.Mutex
	changed *sync.Cond
	calls   map[string][]*record
	first   map[string]time.Time
}

func newJournal() *journal {
	j := &journal{calls: map[string][]*record{}, first: map[string]time.Time{}}
	j.changed = sync.NewCond(&j.mu)
	return j
}

// add writes a request down and returns how many of the same model there were before.
func (j *journal) add(model string, r *record) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if _, ok := j.first[model]; !ok {
		j.first[model] = now
	}
	r.AtMS = now.Sub(j.first[model]).Milliseconds()
	j.calls[model] = append(j.calls[model], r)
	j.changed.Broadcast()
	return len(j.calls[model]) - 1
}

func (j *journal) update(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
	j.changed.Broadcast()
}

// patience is how long a question waits for what it asks for.
const patience = 5 * time.Second

// ServeHTTP answers GET /calls?model=NAME[&wait=cancelled|arrived] with what arrived for a model.
func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	model, wait := q.Get("model"), q.Get("wait")
	late := time.AfterFunc(patience, func() { j.update(func() {}) })
	defer late.Stop()
	end := time.Now().Add(patience)
	j.mu.Lock()
	defer j.mu.Unlock()
	for !settled(j.calls[model], wait) && time.Now().Before(end) {
		j.changed.Wait()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(append([]*record{}, j.calls[model]...))
}

func settled(calls []*record, wait string) bool {
	switch wait {
	case "":
		return true
	case "arrived":
		return len(calls) > 0
	}
	for _, c := range calls {
		if c.CancelledMS != 0 {
			return true
		}
	}
	return false
}
