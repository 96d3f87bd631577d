package wheel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Python is an interpreter on this machine.
type Python struct {
	Path    string
	Version [3]int
	Name    string // of the implementation: "cpython", "pypy", ...
	Threads bool   // a free-threaded build, which loads no abi3 extension
	System  string // "linux", "darwin", ...
	Machine string // "x86_64", "arm64", ...
	Libc    string // "glibc", or "" for others
	Pip     string // pip's version; "" where there is none
}

// inspect prints what Python holds, in words that every Python 3 knows.
const inspect = `
import json, platform, sys, sysconfig
try:
    import pip
    pip = pip.__version__
except Exception:
    pip = ""
print(json.dumps({
    "Version": sys.version_info[:3],
    "Name": sys.implementation.name,
    "Threads": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "System": sys.platform,
    "Machine": platform.machine(),
    "Libc": platform.libc_ver()[0],
    "Pip": pip,
}))`

// inspectTime bounds the look at one interpreter.
const inspectTime = 20 * time.Second

// FindPython returns the first interpreter on the PATH that suits. When none does, the error says of
// each why not, in the words of suits.
func FindPython(ctx context.Context, suits func(Python) error) (Python, error) {
	var why []error
	for _, name := range []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		py, err := Inspect(ctx, path)
		if err == nil {
			err = suits(py)
		}
		if err == nil {
			return py, nil
		}
		why = append(why, fmt.Errorf("%s: %w", path, err))
	}
	if len(why) == 0 {
		return Python{}, errors.New("no python3 on the PATH")
	}
	return Python{}, errors.Join(why...)
}

// Inspect asks an interpreter what it is.
func Inspect(ctx context.Context, path string) (Python, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-c", inspect)
	cmd.Dir = string(filepath.Separator) // -c looks for modules in the current directory first; ours may hold a pip
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Python{}, fmt.Errorf("running it: %w", withStderr(err))
	}
	py := Python{Path: path}
	if err := json.Unmarshal(out, &py); err != nil {
		return Python{}, fmt.Errorf("reading what it is: %w", err)
	}
	return py, nil
}

// withStderr adds the last line that the program wrote.
func withStderr(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
	return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
}
