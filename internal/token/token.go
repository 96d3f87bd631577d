// Package token keeps an access token at hand that expires. It is fetched anew before it does, beside the
// calls that use it, so that only the first one waits.
package token

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Token is an access token and when it expires; never, where Expires is zero.
type Token struct {
	Value   string
	Expires time.Time
}

// Fetch gets a new token.
type Fetch func(context.Context) (Token, error)

const (
	// ahead is how long before a token expires a new one is fetched. It is less than the five minutes for
	// which metadata servers go on giving out the old one.
	ahead = 225 * time.Second
	// least is how long a token must still be good for a request to be sent with it.
	least = 10 * time.Second
	// patience bounds a fetch.
	patience = 30 * time.Second
	// pause is how long after a fetch that failed the next one begins.
	pause = time.Second
)

// Source keeps a token. It is safe for concurrent use.
type Source struct {
	fetch Fetch
	now   func() time.Time
	held  atomic.Pointer[held]

	mu     sync.Mutex
	flight *flight   // a fetch that is under way
	failed error     // of the last fetch
	retry  time.Time // when a fetch may follow one that failed
}

// held is a token with the times at which something must be done about it.
type held struct {
	value         string
	refresh, dead time.Time // zero is never
}

// flight is a fetch that is under way. It ends by itself, after patience at the latest: it belongs to all
// who wait for it and is called off by none of them.
type flight struct {
	done chan struct{}
	err  error
}

// New returns a Source that holds no token yet. now is the clock; nil is the real one.
func New(fetch Fetch, now func() time.Time) *Source {
	if now == nil {
		now = time.Now
	}
	return &Source{fetch: fetch, now: now}
}

// Get returns a token that is good for a request. It waits only where there is none.
func (s *Source) Get(ctx context.Context) (string, error) {
	now := s.now()
	h := s.held.Load()
	if h != nil && before(now, h.refresh) {
		return h.value, nil
	}
	f, err := s.begin(now)
	if h != nil && before(now, h.dead) {
		return h.value, nil // the new one is on its way, or the next call tries again
	}
	if err != nil {
		return "", err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if f.err != nil {
		return "", f.err
	}
	return s.held.Load().value, nil
}

func before(now, at time.Time) bool { return at.IsZero() || now.Before(at) }

// begin returns the fetch that is under way, and begins one where there is none. It returns an error where
// the last one failed a moment ago.
func (s *Source) begin(now time.Time) (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight, nil
	}
	if s.failed != nil && now.Before(s.retry) {
		return nil, s.failed
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go s.run(f)
	return f, nil
}

func (s *Source) run(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t, err := s.fetch(ctx)
	now := s.now()
	if err == nil {
		s.held.Store(keep(t, now))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.failed, s.retry = nil, err, now.Add(pause)
	f.err = err
	close(f.done)
}

// keep returns a token with its times. One that is short-lived is fetched anew after four fifths of its life.
func keep(t Token, now time.Time) *held {
	h := &held{value: t.Value}
	if t.Expires.IsZero() {
		return h
	}
	life := t.Expires.Sub(now)
	h.refresh, h.dead = t.Expires.Add(-min(ahead, life/5)), t.Expires.Add(-min(least, life/10))
	return h
}
