package testkit

import (
	"strings"
	"testing"
	"time"
)

func TestLeakedSeesWhatStays(t *testing.T) {
	before := goroutines()
	stop, slow := make(chan struct{}), make(chan struct{})
	go func() { <-stop }()
	go func() { time.Sleep(50 * time.Millisecond); close(slow) }()
	left := leaked(before, 300*time.Millisecond)
	if len(left) != 1 || !strings.Contains(left[0], "TestLeakedSeesWhatStays") {
		t.Errorf("left are %q", left)
	}
	<-slow
	close(stop)
	if left := leaked(before, leakGrace); len(left) != 0 {
		t.Errorf("left are %q", left)
	}
}

// recorder stands in for a test that fails.
type recorder struct {
	testing.TB
	cleanup func()
	failed  bool
}

func (r *recorder) Cleanup(f func())      { r.cleanup = f }
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Helper()               {}

func TestLeakCheckPassesWhereNothingIsLeft(t *testing.T) {
	r := &recorder{TB: t}
	LeakCheck(r)
	done := make(chan struct{})
	go close(done)
	<-done
	r.cleanup()
	if r.failed {
		t.Error("it failed")
	}
}
