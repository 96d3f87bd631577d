package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	stopGrace     = 10 * time.Second // for a server to end when asked
	healthEvery   = 10 * time.Second
	healthTimeout = 10 * time.Second
	healthMisses  = 3 // in a row, before a server counts as hung

	firstPause = 500 * time.Millisecond // before the first restart; doubles from there
	longPause  = 30 * time.Second       // and no more
	fastLife   = 30 * time.Second       // a server that lived less has failed fast
	giveUp     = 5                      // fast failures in a row are enough
)

// ErrStopped is returned by Wait when the supervisor has stopped without a failure.
var ErrStopped = errors.New("the engine has been stopped")

// Supervisor keeps one engine alive: it installs what is missing, starts the server, watches it, starts
// it again when it fails, and stops it in the end. Set the fields, then call Run once.
type Supervisor struct {
	Engine Engine
	// OnState is told each change, in order, by the goroutine of Run. It may be nil.
	OnState func(State)

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced at each change; nil until someone waits
}

// State returns how the engine stands.
func (s *Supervisor) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current()
}

// current is the state, with the name of its zero value. The caller holds mu.
func (s *Supervisor) current() State {
	if s.state.Phase == "" {
		return State{Phase: Idle}
	}
	return s.state
}

// Wait blocks until the engine is ready and returns its endpoint, or the reason why it never will be:
// the failure that the supervisor gave up on, ErrStopped, or the end of ctx.
func (s *Supervisor) Wait(ctx context.Context) (Endpoint, error) {
	for {
		state, changed := s.watch()
		switch state.Phase {
		case Ready:
			return state.Endpoint, nil
		case Failed:
			return Endpoint{}, state.Err
		case Stopped:
			return Endpoint{}, ErrStopped
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Endpoint{}, fmt.Errorf("waiting for %s (%s): %w", s.Engine.Name(), state.Phase, ctx.Err())
		}
	}
}

// watch returns the state, and a channel that is closed when it changes.
func (s *Supervisor) watch() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.current(), s.changed
}

// publish makes next the state.
func (s *Supervisor) publish(next State) {
	s.mu.Lock()
	next.Since, next.Restarts = time.Now(), max(next.Restarts, s.state.Restarts)
	if next.Phase == s.state.Phase {
		next.Since = s.state.Since
	}
	s.state = next
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	s.mu.Unlock()
	if s.OnState != nil {
		s.OnState(next)
	}
}

// Run keeps the engine alive until ctx ends, and returns nil then. It returns an error when it gives
// up: the installation failed, nothing can help, or the server failed fast too often in a row.
func (s *Supervisor) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		s.publish(State{Phase: Stopped, Message: s.Engine.Name() + " has been stopped"})
		return nil
	}
	s.publish(State{Phase: Failed, Message: err.Error(), Err: err})
	return err
}

func (s *Supervisor) run(ctx context.Context) error {
	if err := s.install(ctx); err != nil {
		return err
	}
	for fails, restarts := 0, 0; ; restarts++ {
		lived, err := s.serve(ctx, restarts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fails++
		if lived >= fastLife {
			fails = 1
		}
		if final(err) {
			return err
		}
		if fails >= giveUp {
			return fmt.Errorf("%s failed %d times in a row, the last time so: %w", s.Engine.Name(), fails, err)
		}
		pause := pauseAfter(fails)
		s.publish(State{
			Phase: Restarting, Err: err, Restarts: restarts,
			Message: fmt.Sprintf("%v; starting again in %v", err, pause.Round(100*time.Millisecond)),
		})
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// install brings what is missing.
func (s *Supervisor) install(ctx context.Context) error {
	s.publish(State{Phase: Probing, Message: "looking for " + s.Engine.Name()})
	found, err := s.Engine.Probe(ctx)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", s.Engine.Name(), err)
	}
	if found.Installed {
		return nil
	}
	s.publish(State{Phase: Installing, Message: found.Detail})
	return s.Engine.Install(ctx, func(p Progress) {
		s.publish(State{Phase: Installing, Message: p.Doing, Progress: p})
	})
}

// serve starts the server once and stays with it until it ends or ctx does. It returns how long the
// server was ready, and why it no longer is.
func (s *Supervisor) serve(ctx context.Context, restarts int) (time.Duration, error) {
	s.publish(State{Phase: Starting, Message: "starting " + s.Engine.Name(), Restarts: restarts})
	server, err := s.Engine.Start(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	endpoint := server.Endpoint()
	s.publish(State{
		Phase: Ready, Endpoint: endpoint, Restarts: restarts,
		Message: fmt.Sprintf("%s answers at %s", s.Engine.Name(), endpoint.BaseURL),
	})
	err = attend(ctx, server)

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	return time.Since(began), errors.Join(err, server.Stop(grace))
}

// attend returns when the server has ended, hangs, or ctx ends.
func attend(ctx context.Context, server Server) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Wait(ctx) }()
	defer func() { cancel(); <-ended }()

	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for misses := 0; ; {
		select {
		case err := <-ended:
			ended <- err // for the deferred receive
			return orEnded(err)
		case <-tick.C:
		}
		if err := checkHealth(ctx, server); err == nil {
			misses = 0
		} else if misses++; misses >= healthMisses {
			return fmt.Errorf("no sign of health in %d looks: %w", misses, err)
		}
	}
}

// orEnded returns err, or one that says that the server ended for no reason it gave.
func orEnded(err error) error {
	if err == nil {
		return errors.New("the server ended by itself")
	}
	return err
}

func checkHealth(ctx context.Context, server Server) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return server.Health(ctx)
}

// final reports whether another start cannot help.
func final(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Final
}

// pauseAfter is the pause after n fast failures in a row: it doubles, up to a bound, and is spread by a
// quarter each way so that several nodes do not start in step.
func pauseAfter(n int) time.Duration {
	pause := min(firstPause<<(n-1), longPause)
	return time.Duration(float64(pause) * (0.75 + rand.Float64()/2))
}

// sleep waits for d, or for ctx's end, which it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
