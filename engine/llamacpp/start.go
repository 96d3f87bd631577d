package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/process"
)

const (
	startTime = 5 * time.Minute // most for the server to load
	lookEvery = 50 * time.Millisecond
	stopGrace = 5 * time.Second // for a server that failed to start
	probeTime = 10 * time.Second
	cacheMiB  = 256 // of earlier prompts; llama.cpp's own default is 8 GiB

	cannotRun = 78 // the launcher's status when another start cannot help
)

// Start starts the server and returns when it answers. The files must be in place; see Probe.
func (e *Engine) Start(ctx context.Context) (engine.Server, error) {
	s, err := e.setup(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("the server did not answer within %v", startTime))
	defer cancel()
	if s.program != "" {
		return e.startProgram(ctx, s)
	}
	return e.startLauncher(ctx, s)
}

// startProgram starts the user's llama-server. It does not watch its standard input, so that it gets a
// guard; and it does not tell its port, so that we choose one.
func (e *Engine) startProgram(ctx context.Context, s setup) (engine.Server, error) {
	port, err := freePort(ctx, e.lastPort())
	if err != nil {
		return nil, fmt.Errorf("choosing a port: %w", err)
	}
	p, err := process.Start(process.Command{
		Path: s.program, Guard: true, Dir: s.store.Dir,
		Args: []string{
			"--model", s.model(), "--alias", modelID, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
			"--ctx-size", strconv.Itoa(e.opts.Context * e.opts.Parallel), "--parallel", strconv.Itoa(e.opts.Parallel),
			"--threads", strconv.Itoa(e.opts.Threads),
		},
		// In the environment is what not every version knows, and what the list of processes must not show.
		Env: append(environment(os.Environ()), "LLAMA_API_KEY="+e.key.Reveal(), "LLAMA_ARG_JINJA=1",
			"LLAMA_ARG_CACHE_RAM="+strconv.Itoa(cacheMiB)),
	})
	if err != nil {
		return nil, err
	}
	return e.await(ctx, e.server(p, port))
}

// await returns the server once it answers, and keeps its port.
func (e *Engine) await(ctx context.Context, s *server) (engine.Server, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for s.Health(ctx) != nil {
		short, cancel := context.WithTimeout(ctx, lookEvery)
		err := s.process.Wait(short)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return nil, e.failed(ctx, s.process, err)
		}
	}
	e.keepPort(s.port)
	return s, nil
}

// failed stops a server that did not start, and says why it did not.
func (e *Engine) failed(ctx context.Context, p *process.Process, err error) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	p.Stop(grace)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if process.Status(err) == cannotRun {
		return &engine.Error{
			Message: "the packaged llama.cpp server cannot run here: " + p.Tail(),
			Advice:  []string{"install the library that it names (on Debian and Ubuntu: apt install libgomp1)", adviseServer, adviseOllama, adviseVendor},
			Final:   true, Err: err,
		}
	}
	return told("starting llama.cpp", err, p)
}

// told adds to err what was done and the last that the server wrote.
func told(doing string, err error, p *process.Process) error {
	err = orEnded(err)
	if last := lastLines(p.Tail(), 3); last != "" {
		return fmt.Errorf("%s: %w: %s", doing, err, last)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// orEnded returns err, or one that says that the server ended well but unasked.
func orEnded(err error) error {
	if err == nil {
		return errors.New("it ended with status 0")
	}
	return err
}

// lastLines returns the last n lines of s on one.
func lastLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}
