package llamacpp

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/process"
)

//go:embed launch.py
var launcher string

// settings are the launcher's first line of input.
type settings struct {
	Site     string `json:"site"`
	Model    string `json:"model"`
	Alias    string `json:"alias"`
	Port     int    `json:"port"`
	Key      string `json:"key"`
	Context  int    `json:"context"`
	Parallel int    `json:"parallel"`
	Threads  int    `json:"threads"`
	CacheMiB int    `json:"cache_mib"`
}

// startLauncher starts the wheel's server in an interpreter that sees the wheel's files and nothing else
// that is installed on the machine.
func (e *Engine) startLauncher(ctx context.Context, s setup) (engine.Server, error) {
	script, err := writeLauncher(s.store.Dir)
	if err != nil {
		return nil, fmt.Errorf("writing the launcher: %w", err)
	}
	input, err := json.Marshal(settings{
		Site: s.store.Path(s.server), Model: s.model(), Alias: modelID, Port: e.lastPort(), Key: e.key.Reveal(),
		Context: e.opts.Context, Parallel: e.opts.Parallel, Threads: e.opts.Threads, CacheMiB: cacheMiB,
	})
	if err != nil {
		return nil, err
	}
	says := newFirstLine()
	p, err := process.Start(process.Command{
		Path: s.python, Args: []string{"-I", "-S", "-B", script}, Env: environment(os.Environ()), Dir: s.store.Dir,
		Input: append(input, '\n'), Stdout: says,
	})
	if err != nil {
		return nil, err
	}
	port, err := announced(ctx, p, says)
	if err != nil {
		return nil, e.failed(ctx, p, err)
	}
	return e.await(ctx, e.server(p, port))
}

// announced returns the port that the launcher says it listens on.
func announced(ctx context.Context, p *process.Process, says *firstLine) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Wait(ctx) }()
	defer func() { cancel(); <-ended }()
	select {
	case line := <-says.line:
		return portOf(line)
	case err := <-ended:
		ended <- err // for the deferred receive
		return 0, orEnded(err)
	}
}

// portOf reads the launcher's line.
func portOf(line string) (int, error) {
	var said struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		return 0, fmt.Errorf("reading where the server listens: %w", err)
	}
	u, err := url.Parse(said.URL)
	if err != nil {
		return 0, fmt.Errorf("reading where the server listens: %w", err)
	}
	return strconv.Atoi(u.Port())
}

// writeLauncher puts the launcher beside the wheels' files, unless it is there already.
func writeLauncher(dir string) (string, error) {
	path := filepath.Join(dir, "llamacpp-launch.py")
	if there, err := os.ReadFile(path); err == nil && string(there) == launcher {
		return path, nil
	}
	temp, err := os.CreateTemp(dir, "launch-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(launcher)
	if err := errors.Join(err, temp.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(temp.Name(), path)
}

// firstLine is a writer that hands on the first line written to it and drops the rest.
type firstLine struct {
	mu   sync.Mutex
	buf  []byte
	done bool
	line chan string // holds one
}

func newFirstLine() *firstLine { return &firstLine{line: make(chan string, 1)} }

// Write never fails.
func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return len(p), nil
	}
	f.buf = append(f.buf, p...)
	if line, _, ok := bytes.Cut(f.buf, []byte("\n")); ok {
		f.done = true
		f.line <- string(line)
		f.buf = nil
	}
	return len(p), nil
}
