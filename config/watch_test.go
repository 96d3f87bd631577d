package config_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/config"
)

// watched is a Watcher that runs over a file in a temporary directory.
type watched struct {
	t       *testing.T
	path    string
	current *config.Current
	reloads chan config.Reload
	signal  chan os.Signal
	version uint64
}

// one returns a configuration with one deployment.
func one(name string) string {
	return "connections: [{name: xai, provider: xai, credentials: {api_key: k}}]\n" +
		"deployments: [{name: " + name + ", targets: [{connection: xai, upstream_model: m}]}]\n"
}

func watch(t *testing.T, interval time.Duration) *watched {
	t.Helper()
	w := &watched{
		t: t, path: filepath.Join(t.TempDir(), "plenum.yaml"), current: &config.Current{},
		reloads: make(chan config.Reload, 16), signal: make(chan os.Signal, 1),
	}
	w.write(one("first"))
	watcher := &config.Watcher{
		Path: w.path, Current: w.current, Interval: interval, Trigger: w.signal,
		Notify: func(r config.Reload) { w.reloads <- r },
		Build: func(f *config.File) (*config.Snapshot, error) {
			o := options()
			w.version++
			o.Sequence = w.version
			return config.Compile(f, o)
		},
	}
	if _, err := watcher.Load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	return w
}

func (w *watched) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// replace does what editors do: it writes beside the file and renames over it. A file that is written in its place is
// seen empty for a moment, which on a busy machine may last for several looks.
func (w *watched) replace(text string) { replace(w.t, w.path, text) }

func replace(t *testing.T, path, text string) {
	t.Helper()
	beside := path + "~"
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, path); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) next() config.Reload {
	w.t.Helper()
	select {
	case r := <-w.reloads:
		return r
	case <-time.After(10 * time.Second):
		w.t.Fatal("no reload came")
		return config.Reload{}
	}
}

// quiet asserts that nothing is reloaded for a few intervals.
func (w *watched) quiet(d time.Duration) {
	w.t.Helper()
	select {
	case r := <-w.reloads:
		w.t.Errorf("a reload came: %v", r.Err)
	case <-time.After(d):
	}
}

func has(s *config.Snapshot, name string) bool {
	_, ok := s.Deployment(name)
	return ok
}

const tick = 10 * time.Millisecond

func TestCase_J10_ACallKeepsTheSnapshotItBeganWith(t *testing.T) {
	w := watch(t, tick)
	pinned := w.current.Load()
	w.replace(one("second"))
	if r := w.next(); r.Err != nil || r.Old != pinned || r.New != w.current.Load() {
		t.Fatalf("reload is %+v", r)
	}
	if now := w.current.Load(); has(now, "first") || !has(now, "second") {
		t.Error("the new snapshot is not what the file says")
	}
	if !has(pinned, "first") || has(pinned, "second") {
		t.Error("the pinned snapshot changed")
	}
	if pinned.Version == w.current.Load().Version {
		t.Error("both snapshots have the same version")
	}
}

func TestCase_J10_ABadFileChangesNothingAndSaysWhy(t *testing.T) {
	w := watch(t, tick)
	good := w.current.Load()
	w.replace(one("second") + "lisen: x\n")
	r := w.next()
	if r.Err == nil || !strings.Contains(r.Err.Error(), `plenum.yaml:3:1: lisen: unknown field; did you mean "listen"?`) {
		t.Errorf("error is %v", r.Err)
	}
	if w.current.Load() != good || w.current.Err() == nil {
		t.Error("a bad file must leave the snapshot and be remembered")
	}
	w.quiet(8 * tick) // it is told once, not with every look
	w.replace(one("first"))
	if r := w.next(); r.Err != nil || w.current.Err() != nil {
		t.Errorf("going back to the good text: %v, %v", r.Err, w.current.Err())
	}
}

func TestCase_J10_AFileWrittenInPiecesIsTakenWhole(t *testing.T) {
	w := watch(t, 700*time.Millisecond) // a busy machine may be slow to write on
	f, err := os.Create(w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := "connections: [{name: xai, provider: xai, credentials: {api_key: k}}]\ndeployments:\n"
	for i := range 20 {
		text += fmt.Sprintf("  - {name: d%d, targets: [{connection: xai, upstream_model: m}]}\n", i)
	}
	for _, line := range strings.SplitAfter(text, "\n") {
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if r := w.next(); r.Err != nil || !has(r.New, "d0") || !has(r.New, "d19") {
		t.Errorf("published a part: %v", r.Err)
	}
	w.quiet(200 * time.Millisecond)
}

func TestAMissingFileChangesNothing(t *testing.T) {
	w := watch(t, tick)
	good := w.current.Load()
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	if r := w.next(); r.Err == nil || !strings.Contains(r.Err.Error(), "is gone") {
		t.Errorf("error is %v", r.Err)
	}
	if w.current.Load() != good {
		t.Error("the snapshot changed")
	}
	w.quiet(8 * tick)
	w.replace(one("back"))
	if r := w.next(); r.Err != nil || !has(r.New, "back") {
		t.Errorf("after it came back: %v", r.Err)
	}
}

func TestTouchingTheFileReloadsNothing(t *testing.T) {
	w := watch(t, tick)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(w.path, later, later); err != nil {
		t.Fatal(err)
	}
	w.quiet(8 * tick)
}

func TestASignalReloadsAtOnce(t *testing.T) {
	w := watch(t, time.Hour)
	w.write(one("second"))
	w.signal <- syscall.SIGHUP
	if r := w.next(); r.Err != nil || !has(w.current.Load(), "second") {
		t.Errorf("reload: %v", r.Err)
	}
}

func TestASecretsFileIsFollowedToo(t *testing.T) {
	w := watch(t, tick)
	secret := filepath.Join(filepath.Dir(w.path), "key.txt")
	if err := os.WriteFile(secret, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.replace(strings.Replace(one("a"), "api_key: k", `api_key: "${file:key.txt}"`, 1))
	key := func(s *config.Snapshot) string {
		c, _ := s.Connection("xai")
		return c.Credentials["api_key"].Reveal()
	}
	if r := w.next(); r.Err != nil || key(r.New) != "old" {
		t.Fatalf("reload: %v", r.Err)
	}
	replace(t, secret, "rotated")
	if r := w.next(); r.Err != nil || key(r.New) != "rotated" {
		t.Errorf("reload: %v", r.Err)
	}
	if c, _ := w.current.Load().Connection("xai"); !c.Same(&c.Connection) {
		t.Error("a connection differs from itself")
	}
}

func TestALoadOfABadFileTellsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plenum.yaml")
	if err := os.WriteFile(path, []byte("lisen: x\nlisten: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := config.Watcher{Path: path, Current: &config.Current{}, Build: func(f *config.File) (*config.Snapshot, error) {
		return config.Compile(f, options())
	}}
	_, err := w.Load()
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 2 {
		t.Errorf("error is %v", err)
	}
}

func TestFieldsThatNeedARestartAreNamed(t *testing.T) {
	a := compile(t, "listen: 127.0.0.1:1\nmax_depth: 10\n", options())
	b := compile(t, "listen: 127.0.0.1:2\nmax_depth: 20\nledger: {fsync: true}\n", options())
	if got := a.NeedsRestart(b); len(got) != 2 || got[0] != "listen" || got[1] != "ledger.fsync" {
		t.Errorf("named: %v", got)
	}
	if got := a.NeedsRestart(a); len(got) != 0 {
		t.Errorf("named: %v", got)
	}
}
