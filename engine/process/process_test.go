//go:build unix

package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the children: role names what it does, and lock a file that it keeps locked as
// long as it lives, so that a test sees its end even where nobody reaps it.
const (
	roleEnv = "PLENUM_TEST_ROLE"
	lockEnv = "PLENUM_TEST_LOCK"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	os.Exit(play(role))
}

func play(role string) int {
	if guarded, ok := strings.CutPrefix(role, "parent of "); ok {
		return playParent(guarded)
	}
	hold(os.Getenv(lockEnv))
	switch role {
	case "watcher":
		fmt.Println("up")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "deaf":
		fmt.Println("up")
		time.Sleep(time.Minute)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
		time.Sleep(time.Minute)
	case "gentle":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("up")
		<-stop
		time.Sleep(300 * time.Millisecond)
		fmt.Fprintln(os.Stderr, "bye")
		return 7
	case "echo":
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Print("got ", line)
	case "fail":
		fmt.Fprintln(os.Stderr, "no such model")
		return 3
	}
	return 0
}

// playParent starts a child and waits to be killed.
func playParent(child string) int {
	role, isGuarded := strings.CutPrefix(child, "guarded ")
	_, err := Start(Command{Path: os.Args[0], Env: []string{roleEnv + "=" + role, lockEnv + "=" + os.Getenv(lockEnv)}, Guard: isGuarded, Stdout: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	time.Sleep(time.Minute)
	return 0
}

func hold(path string) {
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

// held reports whether a living process keeps path locked.
func held(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

func waitReleased(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); held(t, path); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the child is still alive")
		}
	}
}

// lineWriter hands the first line to a channel.
type lineWriter struct {
	buf  bytes.Buffer
	line chan string
}

func newLineWriter() *lineWriter { return &lineWriter{line: make(chan string, 1)} }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf.Write(p)
	if line, _, ok := strings.Cut(w.buf.String(), "\n"); ok {
		select {
		case w.line <- line:
		default:
		}
	}
	return len(p), nil
}

func (w *lineWriter) wait(t *testing.T) string {
	t.Helper()
	select {
	case line := <-w.line:
		return line
	case <-time.After(20 * time.Second):
		t.Fatal("the child said nothing")
		return ""
	}
}

// start runs the test binary in a role and waits until it says that it is up.
func start(t *testing.T, role string, c Command) (*Process, string) {
	t.Helper()
	lock, out := filepath.Join(t.TempDir(), "lock"), newLineWriter()
	c.Path, c.Env, c.Stdout = os.Args[0], []string{roleEnv + "=" + role, lockEnv + "=" + lock, "PATH="}, out
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	out.wait(t)
	return p, lock
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestChildDiesWithAKilledParent(t *testing.T) {
	for _, child := range []string{"watcher", "guarded deaf", "guarded stubborn", "guarded watcher"} {
		t.Run(child, func(t *testing.T) { killParentOf(t, child) })
	}
}

// killParentOf starts a parent that starts a child, and kills the parent as kill -9 does.
func killParentOf(t *testing.T, child string) {
	lock := filepath.Join(t.TempDir(), "lock")
	parent := exec.Command(os.Args[0])
	parent.Env = []string{roleEnv + "=parent of " + child, lockEnv + "=" + lock}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		t.Fatalf("the parent said %q", line)
	}
	if !held(t, lock) {
		t.Fatal("the child does not run")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitReleased(t, lock)
}

func TestPipeAloneEndsTheChild(t *testing.T) {
	for _, c := range []struct {
		role  string
		guard bool
	}{{"watcher", false}, {"deaf", true}, {"stubborn", true}} {
		t.Run(c.role, func(t *testing.T) {
			p, lock := start(t, c.role, Command{Guard: c.guard})
			if err := p.stdin.Close(); err != nil { // what the kernel does when we die
				t.Fatal(err)
			}
			waitReleased(t, lock)
			if err := p.Wait(within(t, 10*time.Second)); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("not reaped")
			}
		})
	}
}

func TestStopIsGentleFirst(t *testing.T) {
	for _, guard := range []bool{false, true} {
		t.Run(fmt.Sprint("guard=", guard), func(t *testing.T) {
			p, lock := start(t, "gentle", Command{Guard: guard})
			p.Stop(within(t, 20*time.Second))
			if held(t, lock) {
				t.Error("alive after Stop")
			}
			if got := Status(p.Wait(t.Context())); got != 7 {
				t.Errorf("status %d, want the child's own 7", got)
			}
			if got := p.Tail(); got != "bye" {
				t.Errorf("tail %q: the child was not let finish", got)
			}
		})
	}
}

func TestStopKillsTheStubborn(t *testing.T) {
	for _, guard := range []bool{false, true} {
		t.Run(fmt.Sprint("guard=", guard), func(t *testing.T) {
			p, lock := start(t, "stubborn", Command{Guard: guard})
			p.Stop(within(t, 200*time.Millisecond))
			waitReleased(t, lock)
			if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is still in the table: %v", p.PID(), err)
			}
			p.Stop(t.Context()) // a second time is no harm
		})
	}
}

func TestInputAndTail(t *testing.T) {
	p, err := Start(Command{Path: os.Args[0], Env: []string{roleEnv + "=echo"}, Input: []byte("settings\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := p.Tail(); got != "got settings" {
		t.Errorf("tail %q", got)
	}
}

func TestFailureIsToldByStatusAndTail(t *testing.T) {
	p, err := Start(Command{Path: os.Args[0], Env: []string{roleEnv + "=fail"}})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Wait(within(t, 10*time.Second))
	if Status(err) != 3 || p.Tail() != "no such model" {
		t.Errorf("status %d, tail %q", Status(err), p.Tail())
	}
}

func TestMissingProgramIsAnError(t *testing.T) {
	_, err := Start(Command{Path: filepath.Join(t.TempDir(), "nothing")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	p, _ := start(t, "watcher", Command{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTailKeepsTheLastWholeLines(t *testing.T) {
	tl := newTail(100)
	for i := range 1000 {
		fmt.Fprintf(tl, "line %d\n", i)
	}
	lines := strings.Split(tl.String(), "\n")
	if len(lines) > 12 || lines[len(lines)-1] != "line 999" {
		t.Fatalf("kept %q", lines)
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(lines[0], "line ")); err != nil || n < 900 {
		t.Errorf("the first kept line is %q", lines[0])
	}
}
