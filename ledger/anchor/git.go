package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Git is a git repository: each head is a line in a file of the node's name, and a commit. The program git makes it,
// with the configuration of the user that Plenum runs as.
type Git struct {
	Dir  string // the work tree; it is made where there is none
	Push string // the remote to push to; "" pushes nowhere
}

// Put commits a head, and pushes it where that is wanted.
func (g Git) Put(ctx context.Context, a *Anchored) error {
	if err := g.prepare(ctx); err != nil {
		return err
	}
	name := a.Node + ".jsonl"
	if err := (File{filepath.Join(g.Dir, name)}).Put(ctx, a); err != nil {
		return err
	}
	if err := g.run(ctx, "add", "--", name); err != nil {
		return err
	}
	message := fmt.Sprintf("node %s at %d: %s", a.Node, a.Seq, a.Chain)
	if err := g.run(ctx, "-c", "user.name=plenum", "-c", "user.email=plenum@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", message, "--", name); err != nil {
		return err
	}
	if g.Push == "" {
		return nil
	}
	return g.run(ctx, "push", "--quiet", "--", g.Push, "HEAD")
}

// prepare makes the repository where there is none.
func (g Git) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(g.Dir, ".git")); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(g.Dir, 0o700); err != nil {
		return err
	}
	return g.run(ctx, "init", "--quiet")
}

// run runs git in the work tree. It never asks anybody for a password.
func (g Git) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = g.Dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	said, _, _ := strings.Cut(string(bytes.TrimSpace(out)), "\n")
	return fmt.Errorf("git %s: %w: %s", verb(args), err, said)
}

// verb returns which command of git arguments name.
func verb(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
			continue
		}
		return args[i]
	}
	return ""
}
