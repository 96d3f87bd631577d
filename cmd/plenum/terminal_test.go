//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// terminal is a pseudo-terminal with a program on it, and what the program has written.
type terminal struct {
	t    *testing.T
	host *os.File
	cmd  *exec.Cmd

	mu  sync.Mutex
	out bytes.Buffer
}

// onTerminal runs the program on a terminal of its own.
func onTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		testkit.Lacks(t, fmt.Sprintf("there are no pseudo-terminals here: %v", err))
	}
	if err := unix.IoctlSetPointerInt(int(host.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(host.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	if err := unix.IoctlSetWinsize(int(guest.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	// Ctrl-C makes a terminal forget what it has not shown yet, which can be the program's answer to it.
	mode, err := unix.IoctlGetTermios(int(guest.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Lflag |= unix.NOFLSH
	if err := unix.IoctlSetTermios(int(guest.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, host: host, cmd: exec.Command("plenum", args...)}
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = guest, guest, guest
	term.cmd.Env = append(os.Environ(), append([]string{"TERM=xterm-256color", "HOME=" + t.TempDir()}, env...)...)
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(term, host) }()
	t.Cleanup(func() { _ = term.cmd.Process.Kill(); _ = host.Close() })
	return term
}

// Write takes what the program writes.
func (term *terminal) Write(b []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.out.Write(b)
}

// shows waits until the program has written a text, and forgets all up to it.
func (term *terminal) shows(text string) {
	term.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		term.mu.Lock()
		i := bytes.Index(term.out.Bytes(), []byte(text))
		if i >= 0 {
			term.out.Next(i + len(text))
		}
		term.mu.Unlock()
		if i >= 0 {
			return
		}
	}
	term.mu.Lock()
	defer term.mu.Unlock()
	term.t.Fatalf("the terminal never showed %q; it shows %q", text, term.out.String())
}

func (term *terminal) types(keys string) {
	term.t.Helper()
	if _, err := term.host.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// ends waits until the program has ended, as it should.
func (term *terminal) ends() {
	term.t.Helper()
	late := time.AfterFunc(patience, func() { _ = term.cmd.Process.Kill() })
	defer late.Stop()
	if err := term.cmd.Wait(); err != nil {
		term.mu.Lock()
		defer term.mu.Unlock()
		term.t.Errorf("it ended with %v; the terminal shows %q", err, term.out.String())
	}
}

// patience is for a machine that has much else to do.
const patience = time.Minute

// slowPlenum answers every call with a stream that only ends when the caller goes away, but for the one
// that asks for it.
func slowPlenum(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"data":[{"id":"slow"}]}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Plenum-Request-Id", "req_1")
		_, _ = io.WriteString(w, `data: {"choices":[{"delta":{"content":"Once upon a time"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		if !strings.Contains(string(body), "short") {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `data: {"choices":[{"delta":{"content":" it ended"},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestChatOnATerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the program")
	}
	term := onTerminal(t, []string{"PLENUM_KEY=a-key", "PLENUM_URL=" + slowPlenum(t).URL, "NO_PROXY=127.0.0.1"}, "chat")
	term.shows("Talking to slow.")

	// Ctrl-C ends the answer and not the chat.
	term.types("Tell me a story\r")
	term.shows("Once upon a time")
	term.types("\x03")
	term.shows("Stopped.")

	// Several lines, what was asked before, and what was typed while it answered.
	term.types("a short\x1b\rone\r")
	term.shows("> a short")
	term.shows("  one")
	term.shows("it ended")
	term.types("\x1b[A")
	term.shows("one")
	term.types("\r")
	term.shows("it ended")
	term.types("/cost\r/model\r")
	term.shows("3 answers")
	term.shows("* slow")

	// Ctrl-D ends the chat.
	term.types("\x04")
	term.ends()
}

// Nobody waits for a program: whatever is typed while it answers, and in the moment in which it goes from
// the one to the other, means what it says.
func TestChatOnATerminalWithEverythingTypedAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the program")
	}
	term := onTerminal(t, []string{"PLENUM_KEY=a-key", "PLENUM_URL=" + slowPlenum(t).URL, "NO_PROXY=127.0.0.1"}, "chat")
	term.shows("Talking to slow.")
	term.types("a long one\r")
	term.shows("Once upon a time")
	term.types("a short one\r/cost\r\x1b[200~two\rlines, short\x1b[201~\r/cost\r\x03")
	term.shows("Stopped.")
	term.shows("2 answers")
	term.shows("> two\r\n  lines, short")
	term.shows("3 answers")
	term.types("\x04")
	term.ends()
}

func TestUpOnATerminalIsStoppedByCtrlC(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the program")
	}
	term := onTerminal(t, nil, "up", "--engine", "none", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir())
	term.shows("URL   http://127.0.0.1:")
	term.shows("plenum_sk_")
	term.shows("Ctrl-C stops.")
	term.types("\x03")
	term.shows("Stopping.")
	term.ends()
}
