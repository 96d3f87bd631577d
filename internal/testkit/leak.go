package testkit

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakGrace is how long goroutines may take to end after a test.
const leakGrace = 5 * time.Second

// LeakCheck fails the test if goroutines that began after this call are still there when everything that
// is cleaned up after it is. Call it first, and not in tests that run in parallel with others.
func LeakCheck(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		if left := leaked(before, leakGrace); len(left) > 0 {
			t.Errorf("%d goroutines were left behind:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

// leaked waits until no goroutine is left that was not there before, and returns those that stay.
func leaked(before map[string]string, grace time.Duration) []string {
	deadline := time.Now().Add(grace)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
		var left []string
		for id, stack := range goroutines() {
			if _, old := before[id]; !old && !harmless(stack) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// harmless goroutines live as long as the process.
func harmless(stack string) bool {
	return strings.Contains(stack, "os/signal.loop") || strings.Contains(stack, "testing.(*T).Run(") ||
		strings.Contains(stack, "testkit.goroutines(")
}

// goroutines returns the stacks of all goroutines by their ids.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	for _, stack := range strings.Split(string(buf), "\n\n") {
		head, _, _ := strings.Cut(stack, " [") // "goroutine 7 [running]:"
		all[head] = stack
	}
	return all
}
