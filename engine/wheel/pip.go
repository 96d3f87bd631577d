package wheel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/engine/process"
)

const (
	attempts  = 3                      // of a fetch that breaks off after it began
	lookEvery = 150 * time.Millisecond // at how much pip has written
	pipGrace  = 2 * time.Second        // for pip to end when asked
)

// PipError says that pip could not fetch a wheel.
type PipError struct {
	Requirement string
	Output      string // the end of what pip wrote
	Err         error
}

// Error names the requirement and quotes pip.
func (e *PipError) Error() string {
	return fmt.Sprintf("pip could not fetch %s: %s", e.Requirement, e.Reason())
}

// Unwrap returns how pip ended.
func (e *PipError) Unwrap() error { return e.Err }

// Reason returns pip's last line, behind the last of its complaints about the network: that is often
// the cause of which the last line is only the consequence.
func (e *PipError) Reason() string {
	lines := strings.Split(e.Output, "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if last == "" {
		return e.Err.Error()
	}
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, "WARNING: Retrying") && line != last {
			return strings.TrimSpace(line) + "; " + last
		}
	}
	return last
}

// fetch has pip download the wheel into the scratch directory, and returns the file's path. A download
// that breaks off once it has begun is tried again; one that never begins is not: pip has tried by
// itself, and the user waits for an answer.
func (s Store) fetch(ctx context.Context, w Wheel, report Report) (string, error) {
	var err error
	for range attempts {
		var began bool
		began, err = s.download(ctx, w, report)
		if err == nil {
			return s.downloaded(w)
		}
		if !began || ctx.Err() != nil {
			break
		}
	}
	return "", err
}

// download runs pip once, and reports whether any byte of the wheel arrived.
func (s Store) download(ctx context.Context, w Wheel, report Report) (began bool, err error) {
	temp, err := s.prepare(w)
	if err != nil {
		return false, err
	}
	p, err := process.Start(process.Command{
		Path: s.Python, Dir: s.scratch(), Env: pipEnv(temp), Guard: true,
		Args: []string{
			"-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
			"--disable-pip-version-check", "--progress-bar", "off",
			"--require-hashes", "--requirement", "requirement.txt", "--dest", s.dest(),
		},
	})
	if err != nil {
		return false, err
	}
	for {
		err := wait(ctx, p, lookEvery)
		done := written(s.scratch())
		began = began || done > 0
		switch {
		case err == nil:
			report(Fetching, w.Size, w.Size)
			return began, nil
		case !errors.Is(err, context.DeadlineExceeded):
			return began, &PipError{Requirement: w.Requirement(), Output: p.Tail(), Err: err}
		case ctx.Err() != nil:
			stop(p)
			return began, fmt.Errorf("fetching %s: %w", w.Requirement(), ctx.Err())
		}
		report(Fetching, min(done, w.Size), w.Size)
	}
}

// prepare makes the scratch directory anew, with pip's requirement file, and returns the directory for
// pip's temporary files. The file holds the hash: pip then passes over other builds of the release.
func (s Store) prepare(w Wheel) (temp string, err error) {
	temp = filepath.Join(s.scratch(), "temp")
	if err := os.RemoveAll(s.scratch()); err != nil {
		return "", err
	}
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return "", err
	}
	line := fmt.Sprintf("%s --hash=sha256:%s\n", w.Requirement(), w.SHA256)
	return temp, os.WriteFile(filepath.Join(s.scratch(), "requirement.txt"), []byte(line), 0o644)
}

func (s Store) dest() string { return filepath.Join(s.scratch(), "dest") }

// downloaded returns the one wheel that pip left behind, whatever it called it.
func (s Store) downloaded(w Wheel) (string, error) {
	found, err := filepath.Glob(filepath.Join(s.dest(), "*.whl"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("pip left %d wheels for %s, want one", len(found), w.Requirement())
	}
	return found[0], nil
}

// pipEnv is the user's environment, so that the user's index, proxy and certificates hold, with the few
// settings that this one use of pip needs otherwise. A pip that does not know one passes over it.
func pipEnv(temp string) []string {
	env := append(os.Environ(), "TMPDIR="+temp, "PIP_REQUIRE_VIRTUALENV=0", "PYTHONUTF8=1")
	if os.Getenv("PIP_RESUME_RETRIES") == "" {
		env = append(env, "PIP_RESUME_RETRIES=5")
	}
	return env
}

// wait waits a while for p to end. The error is context.DeadlineExceeded when it has not.
func wait(ctx context.Context, p *process.Process, d time.Duration) error {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	return p.Wait(short)
}

func stop(p *process.Process) {
	ctx, cancel := context.WithTimeout(context.Background(), pipGrace)
	defer cancel()
	p.Stop(ctx)
}

// written returns the size of the largest wheel under dir: pip writes it to a temporary place first and
// copies it then, and what it writes is the one thing that every version of pip can be watched by.
func written(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".whl" {
			return nil // files come and go while pip works
		}
		if info, err := entry.Info(); err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	return size
}
