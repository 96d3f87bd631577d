package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Watcher follows a configuration's file and publishes every good change of it.
type Watcher struct {
	Path string
	Env  Env
	// Build compiles what was read, with Compile.
	Build func(*File) (*Snapshot, error)
	// Current is where snapshots are published and failures noted.
	Current *Current
	// Interval is how often the file is looked at; 0 is a second. A change is taken when the file has
	// stayed the same for one interval more, for an editor may write it in pieces.
	Interval time.Duration
	// Trigger makes the watcher look at once, as on SIGHUP. Nil never does.
	Trigger <-chan os.Signal
	// Notify is told of every attempt to take a change over. Nil tells nobody.
	Notify func(Reload)

	seen   []stamp  // the files as they were when last read
	digest [32]byte // of what was last read, good or bad
	failed bool     // that the last attempt to read failed before there was a digest
}

// Reload is one attempt to take a change over.
type Reload struct {
	Old, New *Snapshot // New is nil where the attempt failed
	Err      error
}

// stamp is what a file's state is known by without reading it.
type stamp struct {
	path  string
	size  int64
	mtime time.Time
	info  os.FileInfo // to tell a file from another that was renamed into its place
}

// same reports whether two stamps are of the same, unchanged file.
func (s stamp) same(o stamp) bool {
	if s.path != o.path || s.size != o.size || !s.mtime.Equal(o.mtime) || (s.info == nil) != (o.info == nil) {
		return false
	}
	return s.info == nil || os.SameFile(s.info, o.info)
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{path: path}
	}
	return stamp{path: path, size: info.Size(), mtime: info.ModTime(), info: info}
}

// Load reads the file for the first time and publishes it.
func (w *Watcher) Load() (*Snapshot, error) {
	f, err := w.read()
	if err != nil {
		return nil, err
	}
	s, err := w.Build(f) // which tells the problems of the text too
	if err != nil {
		return nil, err
	}
	w.Current.Store(s)
	return s, nil
}

// Run follows the file until ctx ends. It returns ctx's error; a bad file never ends it.
func (w *Watcher) Run(ctx context.Context) error {
	interval := w.Interval
	if interval <= 0 {
		interval = time.Second
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last []stamp // the change that is waiting to settle
	for {
		forced := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.Trigger:
			forced = true
		case <-tick.C:
		}
		now := w.stamps()
		switch {
		case forced, !same(now, w.seen) && same(now, last):
			w.reload(forced)
			last = nil
		default:
			last = now
		}
	}
}

// stamps looks at the file and at every file that it took values from.
func (w *Watcher) stamps() []stamp {
	out := []stamp{stampOf(w.Path)}
	for _, s := range w.seen[min(1, len(w.seen)):] {
		out = append(out, stampOf(s.path))
	}
	return out
}

func same(a, b []stamp) bool { return slices.EqualFunc(a, b, stamp.same) }

// reload takes a change over, or notes why not. A text that was tried before is not tried again,
// unless someone asks for it.
func (w *Watcher) reload(forced bool) {
	before, failed := w.digest, w.failed
	f, err := w.read()
	if errors.Is(err, errMoving) || !forced && w.digest == before && w.failed == failed {
		return
	}
	r := Reload{Old: w.Current.Load(), Err: err}
	if err == nil {
		r.New, r.Err = w.Build(f)
	}
	if r.Err != nil {
		r.New = nil
		w.Current.Fail(r.Err)
	} else {
		w.Current.Store(r.New)
	}
	if w.Notify != nil {
		w.Notify(r)
	}
}

// errMoving says that the file changed while it was read; it will be looked at again.
var errMoving = errors.New("changed while it was being read")

// read reads and parses the file whole, and makes sure that neither it nor what it takes values from
// changed meanwhile: half of a file must never be published.
func (w *Watcher) read() (*File, error) {
	before := stampOf(w.Path)
	data, err := w.Env.readFile(w.Path)
	if err != nil {
		w.seen, w.digest, w.failed = []stamp{before}, [32]byte{}, true
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the configuration %s is gone", w.Path)
		}
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	started := time.Now()
	f, _ := Parse(w.Path, data, w.Env) // Compile tells its problems, with its own
	seen := []stamp{before}
	for _, path := range f.Sources() {
		s := stampOf(path)
		if s.mtime.After(started) {
			return nil, fmt.Errorf("%s %w", path, errMoving)
		}
		seen = append(seen, s)
	}
	if !before.same(stampOf(w.Path)) || before.info != nil && before.size != int64(len(data)) {
		return nil, fmt.Errorf("%s %w", w.Path, errMoving)
	}
	w.seen, w.digest, w.failed = seen, f.source.digest, false
	return f, nil
}
