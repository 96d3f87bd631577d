package token_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plenum-foundry/plenum/internal/token"
)

// counting fetches tokens that are called by number and live for a time.
func counting(life, takes time.Duration, n *atomic.Int64) token.Fetch {
	return func(context.Context) (token.Token, error) {
		time.Sleep(takes)
		return token.Token{Value: fmt.Sprint("token-", n.Add(1)), Expires: time.Now().Add(life)}, nil
	}
}

func get(t *testing.T, s *token.Source) string {
	t.Helper()
	v, err := s.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestATokenIsFetchedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := token.New(counting(time.Hour, time.Second, &n), nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v := get(t, s); v != "token-1" {
					t.Errorf("got %s", v)
				}
			})
		}
		wg.Wait()
		if n.Load() != 1 {
			t.Errorf("fetched %d times", n.Load())
		}
	})
}

// Nobody waits for the second token: it is fetched beside the calls, before the first one expires.
func TestATokenIsRefreshedAheadOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := token.New(counting(time.Hour, 2*time.Second, &n), nil)
		get(t, s)
		time.Sleep(50 * time.Minute)
		if v := get(t, s); v != "token-1" || n.Load() != 1 {
			t.Errorf("too early: %s %d", v, n.Load())
		}
		time.Sleep(7 * time.Minute)
		began := time.Now()
		if v := get(t, s); v != "token-1" || time.Since(began) > 0 {
			t.Errorf("waited %s for %s", time.Since(began), v)
		}
		time.Sleep(3 * time.Second)
		if v := get(t, s); v != "token-2" {
			t.Errorf("got %s", v)
		}
	})
}

// While a token is still good a fetch that fails is no error; the next call tries again.
func TestAFailureAheadOfTimeIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		fails := errors.New("the token endpoint is down")
		s := token.New(func(context.Context) (token.Token, error) {
			if i := n.Add(1); i != 2 && i < 4 || i > 5 {
				return token.Token{Value: fmt.Sprint("token-", i), Expires: time.Now().Add(time.Hour)}, nil
			}
			return token.Token{}, fails
		}, nil)
		get(t, s)
		time.Sleep(58 * time.Minute)
		for range 5 {
			if v := get(t, s); v != "token-1" {
				t.Errorf("got %s", v)
			}
			synctest.Wait()
		}
		if n.Load() != 2 {
			t.Errorf("tried %d times at once", n.Load())
		}
		time.Sleep(2 * time.Second)
		get(t, s)
		synctest.Wait()
		if v := get(t, s); v != "token-3" {
			t.Errorf("got %s", v)
		}
		time.Sleep(2 * time.Hour) // and now there is none that is good
		if _, err := s.Get(t.Context()); !errors.Is(err, fails) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Get(t.Context()); !errors.Is(err, fails) || n.Load() != 4 {
			t.Errorf("tried %d times at once: %v", n.Load(), err)
		}
	})
}

// Who does not wait any longer leaves; those who stay get the token.
func TestACallerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		s := token.New(counting(time.Hour, 5*time.Second, &n), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if v := get(t, s); v != "token-1" {
			t.Errorf("got %s", v)
		}
	})
}

// A fetch that hangs ends by itself.
func TestAFetchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := token.New(func(ctx context.Context) (token.Token, error) {
			<-ctx.Done()
			return token.Token{}, ctx.Err()
		}, nil)
		began := time.Now()
		if _, err := s.Get(t.Context()); err == nil || time.Since(began) > time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestATokenWithoutAnEndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := token.New(func(context.Context) (token.Token, error) { n++; return token.Token{Value: "x"}, nil }, nil)
		get(t, s)
		time.Sleep(1000 * time.Hour)
		if get(t, s); n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := token.New(func(context.Context) (token.Token, error) {
		return token.Token{Value: "x", Expires: time.Now().Add(time.Hour)}, nil
	}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
