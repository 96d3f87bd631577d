// Package process runs the programs that Plenum supervises so that none of them outlives it: not after
// a clean stop, and not after Plenum itself was killed without a chance to say goodbye.
//
// Two mechanisms share that promise. Every child gets, as its standard input, a pipe whose other end
// only this process holds; the kernel closes it however this process dies, and the child (or a small
// shell beside it, see Command.Guard) leaves when it reads the end. On Linux the kernel is asked to
// kill the child besides.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// Command says what to run and how.
type Command struct {
	Path string
	Args []string // without the program's own name
	Env  []string // the whole environment; nil inherits ours
	Dir  string

	// Input is written to the child's standard input, which then stays open until this process ends.
	Input []byte
	// Guard is for programs that do not watch their standard input: a shell runs them, watches it in
	// their place, and kills them when it ends.
	Guard bool
	// Stdout receives what the child prints; nil adds it to the tail, where standard error always goes.
	Stdout io.Writer
}

// Process is a running child.
type Process struct {
	pid   int
	tail  *tail
	stdin *os.File      // our end of the pipe: open as long as the child may live
	done  chan struct{} // closed when the child has been reaped
	err   error         // why it ended; read only after done
}

// outputDelay bounds the wait for output of a child's own children, once the child itself is gone.
const outputDelay = 2 * time.Second

// guard is the shell that watches standard input for a program that does not: it kills the whole
// process group when the pipe ends. It lets SIGTERM pass to the program and waits for it, so that a
// clean stop stays clean. It uses nothing but what is built into every shell: the PATH may be bare.
const guard = `trap : TERM
exec 3<&0
"$@" </dev/null 3<&- & child=$!
(trap '' TERM; while read -r _; do :; done <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
exit $code`

// Start runs the command. The caller stops it with Stop, or sees it end with Wait.
func Start(c Command) (*Process, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe to %s: %w", c.Path, err)
	}
	p := &Process{tail: newTail(tailSize), stdin: write, done: make(chan struct{})}
	cmd := p.command(c)
	cmd.Stdin = read

	started := make(chan error, 1)
	go p.run(cmd, started)
	err = <-started
	_ = read.Close()
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("starting %s: %w", c.Path, err)
	}
	if _, err := write.Write(c.Input); err != nil {
		p.kill()
		<-p.done
		return nil, fmt.Errorf("writing to %s: %w (%s)", c.Path, err, p.Tail())
	}
	return p, nil
}

// command builds the exec.Cmd.
func (p *Process) command(c Command) *exec.Cmd {
	cmd := exec.Command(c.Path, c.Args...)
	if c.Guard && guarded {
		cmd = exec.Command("/bin/sh", append([]string{"-c", guard, "sh", c.Path}, c.Args...)...)
	}
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.WaitDelay = outputDelay
	cmd.Stderr, cmd.Stdout = p.tail, c.Stdout
	if c.Stdout == nil {
		cmd.Stdout = p.tail
	}
	isolate(cmd)
	return cmd
}

// run starts the child and reaps it, all on one thread: the kernel kills the child when the thread that
// started it ends, so that thread must last as long as the child.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	p.err = cmd.Wait()
	p.kill() // whoever is left of the group
	_ = p.stdin.Close()
	close(p.done)
}

// kill ends the whole process group at once.
func (p *Process) kill() { _ = signalGroup(p.pid, true) }

// PID returns the process id of the child.
func (p *Process) PID() int { return p.pid }

// Tail returns the last lines that the child wrote.
func (p *Process) Tail() string { return p.tail.String() }

// Wait blocks until the child has ended or ctx has. It returns nil for a child that ended with
// status 0, the *exec.ExitError of one that did not, and ctx's error when that came first.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop asks the child and its group to end, and kills them when ctx ends before they have. It returns
// when the child has been reaped; how the child took it is no error.
func (p *Process) Stop(ctx context.Context) {
	if p.ended() {
		return
	}
	_ = signalGroup(p.pid, false)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		<-p.done
	}
}

// ended reports whether the child has been reaped.
func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Status returns the exit status that Wait's error carries: 0 for nil, -1 where a signal ended the
// child or the error is of another kind.
func Status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}
