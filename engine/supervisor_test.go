package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeEngine is an engine without a program: each start takes the next of its lives.
type fakeEngine struct {
	installed  bool
	probeErr   error
	installErr error
	lives      []life
	started    []time.Duration // when, since the first call
	began      time.Time
	stops      int
}

// life is how one start goes.
type life struct {
	startErr error
	lasts    time.Duration // until the server ends by itself; 0 is for ever
	sick     func(age time.Duration) bool
}

func (*fakeEngine) Name() string { return "fake" }

func (e *fakeEngine) Probe(context.Context) (Presence, error) {
	e.began = time.Now()
	return Presence{Installed: e.installed, Detail: "nothing here yet"}, e.probeErr
}

func (e *fakeEngine) Install(_ context.Context, report func(Progress)) error {
	for done := range int64(3) {
		time.Sleep(time.Second)
		report(Progress{Doing: "fetching fake 1.0", Done: done + 1, Total: 3})
	}
	return e.installErr
}

func (e *fakeEngine) Start(ctx context.Context) (Server, error) {
	e.started = append(e.started, time.Since(e.began))
	next := life{}
	if len(e.lives) > 0 {
		next, e.lives = e.lives[0], e.lives[1:]
	}
	if next.startErr != nil {
		return nil, next.startErr
	}
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	return &fakeServer{engine: e, life: next, began: time.Now(), stopped: make(chan struct{})}, nil
}

type fakeServer struct {
	engine  *fakeEngine
	life    life
	began   time.Time
	stopped chan struct{}
}

func (s *fakeServer) Endpoint() Endpoint {
	return Endpoint{BaseURL: fmt.Sprintf("http://127.0.0.1:1/start%d/v1", len(s.engine.started))}
}

func (s *fakeServer) Health(context.Context) error {
	if s.life.sick != nil && s.life.sick(time.Since(s.began)) {
		return errors.New("no answer")
	}
	return nil
}

func (s *fakeServer) Wait(ctx context.Context) error {
	var end <-chan time.Time
	if s.life.lasts > 0 {
		end = time.After(s.life.lasts - time.Since(s.began))
	}
	select {
	case <-end:
		return errors.New("exit status 139: out of luck")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *fakeServer) Stop(context.Context) error {
	s.engine.stops++
	close(s.stopped)
	return nil
}

// supervise runs a supervisor in a bubble for so long, and returns its states and what Run returned.
func supervise(t *testing.T, e *fakeEngine, d time.Duration) (states []State, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	s := &Supervisor{Engine: e, OnState: func(st State) { states = append(states, st) }}
	err = s.Run(ctx)
	if diff := cmp.Diff(states[len(states)-1].Phase, s.State().Phase); diff != "" {
		t.Errorf("State and the last OnState differ: %s", diff)
	}
	return states, err
}

// phases lists the phases gone through, each once in a row.
func phases(states []State) (seen []Phase) {
	for _, st := range states {
		seen = append(seen, st.Phase)
	}
	return slices.Compact(seen)
}

func TestAnInstalledEngineIsStartedAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{installed: true}
		states, err := supervise(t, e, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Phase{Probing, Starting, Ready, Stopped}, phases(states)); diff != "" {
			t.Error(diff)
		}
		if states[2].Endpoint.BaseURL != "http://127.0.0.1:1/start1/v1" || states[3].Endpoint.BaseURL != "" {
			t.Errorf("endpoints: %+v", states)
		}
		if e.stops != 1 {
			t.Errorf("stopped %d times", e.stops)
		}
	})
}

func TestAMissingEngineIsInstalledWithProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states, err := supervise(t, &fakeEngine{}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Phase{Probing, Installing, Starting, Ready, Stopped}, phases(states)); diff != "" {
			t.Error(diff)
		}
		if got := states[4].Progress; got != (Progress{"fetching fake 1.0", 3, 3}) {
			t.Errorf("progress %+v", got)
		}
		if !states[4].Since.Equal(states[1].Since) {
			t.Errorf("each report of progress restarts the phase")
		}
	})
}

func TestAFailedInstallationIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := &Error{Message: "no network", Advice: []string{"install Ollama", "set OPENAI_API_KEY"}}
		states, err := supervise(t, &fakeEngine{installErr: want}, time.Hour)
		if !errors.Is(err, want) {
			t.Fatalf("got %v", err)
		}
		last := states[len(states)-1]
		if last.Phase != Failed || last.Message != "no network; to go on: install Ollama, or set OPENAI_API_KEY" {
			t.Errorf("got %+v", last)
		}
	})
}

func TestAFailedProbeIsToldAsSuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := supervise(t, &fakeEngine{probeErr: errors.New("disk gone")}, time.Hour)
		if err == nil || err.Error() != "looking for fake: disk gone" {
			t.Errorf("got %v", err)
		}
	})
}

func TestACrashIsFollowedByARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{installed: true, lives: []life{{lasts: 2 * time.Second}}}
		states, err := supervise(t, e, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Phase{Probing, Starting, Ready, Restarting, Starting, Ready, Stopped}, phases(states)); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(states[3].Message, "exit status 139: out of luck; starting again in ") {
			t.Errorf("message %q", states[3].Message)
		}
		if got := states[len(states)-1].Restarts; got != 1 {
			t.Errorf("%d restarts", got)
		}
	})
}

func TestFastFailuresAreSpacedOutAndThenGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := life{startErr: errors.New("no such model")}
		e := &fakeEngine{installed: true, lives: slices.Repeat([]life{fail}, 99)}
		_, err := supervise(t, e, 24*time.Hour)
		if err == nil || err.Error() != "fake failed 5 times in a row, the last time so: no such model" {
			t.Fatalf("got %v", err)
		}
		if len(e.started) != giveUp {
			t.Fatalf("started at %v", e.started)
		}
		for i := 1; i < giveUp; i++ {
			pause, want := e.started[i]-e.started[i-1], firstPause<<(i-1)
			if pause < want*3/4 || pause > want*5/4 {
				t.Errorf("pause %d is %v, want about %v", i, pause, want)
			}
		}
	})
}

func TestAFinalErrorIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{installed: true, lives: []life{{startErr: &Error{Message: "no libgomp", Final: true}}}}
		_, err := supervise(t, e, time.Hour)
		if err == nil || err.Error() != "no libgomp" || len(e.started) != 1 {
			t.Errorf("got %v after %d starts", err, len(e.started))
		}
	})
}

func TestLongLivesNeverAddUpToGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{installed: true, lives: slices.Repeat([]life{{lasts: fastLife + time.Second}}, 20)}
		states, err := supervise(t, e, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if got := states[len(states)-1].Restarts; got != 20 {
			t.Errorf("%d restarts", got)
		}
	})
}

func TestAHungServerIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(age time.Duration) bool { return age > time.Minute }
		e := &fakeEngine{installed: true, lives: []life{{sick: hangs}}}
		states, err := supervise(t, e, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.started) != 2 || !strings.HasPrefix(states[3].Message, "no sign of health in 3 looks: no answer") {
			t.Errorf("%d starts, %q", len(e.started), states[3].Message)
		}
	})
}

func TestAPassingAilmentIsNoReasonToRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passing := func(age time.Duration) bool { return age%time.Minute < 2*healthEvery }
		e := &fakeEngine{installed: true, lives: []life{{sick: passing}}}
		if _, err := supervise(t, e, time.Hour); err != nil || len(e.started) != 1 {
			t.Errorf("%d starts, %v", len(e.started), err)
		}
	})
}

func TestStoppingDuringAPauseIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := life{startErr: errors.New("no")}
		e := &fakeEngine{installed: true, lives: slices.Repeat([]life{fail}, 9)}
		states, err := supervise(t, e, time.Second)
		if err != nil || states[len(states)-1].Phase != Stopped || time.Since(e.began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(e.began))
		}
	})
}

func TestWaitReturnsTheEndpointOrWhyThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &Supervisor{Engine: &fakeEngine{}}
		if got := s.State().Phase; got != Idle {
			t.Errorf("phase %q before Run", got)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()

		short, cancelShort := context.WithTimeout(ctx, time.Second)
		defer cancelShort()
		if _, err := s.Wait(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "installing") {
			t.Errorf("got %v", err)
		}
		at, err := s.Wait(ctx)
		if err != nil || at.BaseURL != "http://127.0.0.1:1/start1/v1" {
			t.Errorf("got %+v, %v", at, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := s.Wait(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitReturnsTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Supervisor{Engine: &fakeEngine{installErr: errors.New("no network")}}
		go func() { _ = s.Run(t.Context()) }()
		if _, err := s.Wait(t.Context()); err == nil || err.Error() != "no network" {
			t.Errorf("got %v", err)
		}
	})
}
