//go:build unix

package wheel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// fakePython puts a program on a PATH of its own that prints what is said.
func fakePython(t *testing.T, dir, name, prints string) {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' '%s'\n", prints)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func atLeast310(p Python) error {
	if p.Version[1] < 10 {
		return fmt.Errorf("version 3.%d, want 3.10 or newer", p.Version[1])
	}
	return nil
}

func TestInspectKnowsTheRealOne(t *testing.T) {
	py, err := Inspect(t.Context(), testkit.Program(t, "python3"))
	if err != nil {
		t.Fatal(err)
	}
	if py.Version[0] != 3 || py.Name == "" || py.System == "" || py.Machine == "" {
		t.Errorf("got %+v", py)
	}
}

func TestFindPythonTakesTheFirstThatSuits(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	fakePython(t, dir, "python3", `{"Version":[3,9,2],"Name":"cpython"}`)
	fakePython(t, dir, "python3.12", `{"Version":[3,12,1],"Name":"cpython","Pip":"24.0"}`)
	fakePython(t, dir, "python3.14", `broken`)
	fakePython(t, dir, "python3.13", `{"Version":[3,9,9],"Name":"cpython"}`)
	py, err := FindPython(t.Context(), atLeast310)
	if err != nil {
		t.Fatal(err)
	}
	if py.Path != filepath.Join(dir, "python3.12") || py.Pip != "24.0" {
		t.Errorf("got %+v", py)
	}
}

func TestFindPythonSaysWhyNot(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := FindPython(t.Context(), atLeast310)
	if err == nil || err.Error() != "no python3 on the PATH" {
		t.Errorf("got %v", err)
	}
	fakePython(t, dir, "python3", `{"Version":[3,9,2],"Name":"cpython"}`)
	_, err = FindPython(t.Context(), atLeast310)
	if err == nil || !strings.Contains(err.Error(), "version 3.9, want 3.10 or newer") {
		t.Errorf("got %v", err)
	}
}

func TestInspectTellsAFailureInItsLastLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "python3")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho first >&2\necho 'cannot load libc' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Inspect(t.Context(), path)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.HasSuffix(err.Error(), "cannot load libc") {
		t.Errorf("got %v", err)
	}
}
