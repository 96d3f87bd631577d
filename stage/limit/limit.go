// Package limit is the stage that counts a call once against what its deployment allows: calls and
// tokens in a minute, and calls at the same time. It counts on this node alone.
package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
)

// New returns the stage. Its counters outlive configuration snapshots: they belong to names.
func New(ck clock.Clock) gateway.Stage {
	m := &meters{clock: ck, byName: map[string]*meter{}}
	return gateway.Stage{Name: "limit", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			l := c.Deployment.Limits
			if l.RequestsPerMinute == 0 && l.TokensPerMinute == 0 && l.Concurrent == 0 {
				return next(ctx, c, out)
			}
			mt := m.of(c.Deployment.Name)
			if err := mt.enter(ck.Now(), limits{l.RequestsPerMinute, l.TokensPerMinute, l.Concurrent}); err != nil {
				return err
			}
			defer func() {
				u := c.Trail.Snapshot().Usage
				mt.leave(u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h + u.Output + u.Reasoning)
			}()
			return next(ctx, c, out)
		}
	}}
}

type limits struct{ requests, tokens, concurrent int }

type meters struct {
	clock  clock.Clock
	mu     sync.Mutex
	byName map[string]*meter
}

func (m *meters) of(name string) *meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	mt := m.byName[name]
	if mt == nil {
		mt = &meter{}
		m.byName[name] = mt
	}
	return mt
}

// meter holds two buckets that fill continuously up to a minute's allowance. What is taken is a
// request before the call and its tokens after it, since nobody knows them before; the bucket of
// tokens may go below zero and then holds calls off until it has filled again.
type meter struct {
	mu       sync.Mutex
	seen     time.Time
	requests float64
	tokens   float64
	running  int
}

// enter takes a call in, or refuses it and takes nothing.
func (m *meter) enter(now time.Time, l limits) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(now, l)
	switch {
	case l.concurrent > 0 && m.running >= l.concurrent:
		return refuse(fmt.Sprintf("%d calls at the same time", l.concurrent), time.Second)
	case l.requests > 0 && m.requests < 1:
		return refuse(fmt.Sprintf("%d requests per minute", l.requests), wait(1-m.requests, l.requests))
	case l.tokens > 0 && m.tokens <= 0:
		return refuse(fmt.Sprintf("%d tokens per minute", l.tokens), wait(1-m.tokens, l.tokens))
	}
	m.requests--
	m.running++
	return nil
}

func (m *meter) fill(now time.Time, l limits) {
	if m.seen.IsZero() {
		m.requests, m.tokens = float64(l.requests), float64(l.tokens)
	} else {
		minutes := max(0, now.Sub(m.seen).Minutes())
		m.requests = min(float64(l.requests), m.requests+minutes*float64(l.requests))
		m.tokens = min(float64(l.tokens), m.tokens+minutes*float64(l.tokens))
	}
	m.seen = now
}

func (m *meter) leave(tokens int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	m.tokens -= float64(tokens)
}

func wait(missing float64, perMinute int) time.Duration {
	return time.Duration(missing / float64(perMinute) * float64(time.Minute))
}

func refuse(what string, retry time.Duration) error {
	return &llm.Error{
		Kind: llm.RateLimited, Op: "limit", Code: "rate_limit_exceeded", Retry: retry,
		Message: fmt.Sprintf("this deployment allows %s; try again in %s", what, max(time.Second, (retry+time.Second-1).Truncate(time.Second))),
	}
}
