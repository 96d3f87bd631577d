//go:build unix

package h1

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// canWatch says that a caller who goes away is noticed without reading.
const canWatch = true

// watchAfter is how long a call runs before anybody looks whether its caller is still there: most calls that
// are answered from nearby have ended by then, and need no one.
const watchAfter = 25 * time.Millisecond

// watch notices when the caller of the present call goes away.
type watch struct {
	c     *serving
	timer *time.Timer
	peek  func(fd uintptr) bool

	mu      sync.Mutex
	cancel  func()
	armed   bool
	looking bool          // the goroutine runs
	ended   chan struct{} // it has ended
	over    bool
	closed  bool // what the last look has found
}

func (w *watch) init(c *serving) {
	w.c, w.ended, w.peek = c, make(chan struct{}, 1), w.closedNow
}

// begin is told of a new call, and what calls it off.
func (w *watch) begin(cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel, w.over, w.armed = cancel, false, false
}

// arm begins to watch, soon: all of the request has been read, so that what comes now is the end, or the next
// request.
func (w *watch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed || w.over || w.c.at < len(w.c.in) {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchAfter, w.look)
		return
	}
	w.timer.Reset(watchAfter)
}

// look waits for the caller's end, until the call's.
func (w *watch) look() {
	w.mu.Lock()
	if w.over || !w.armed || w.looking {
		w.mu.Unlock()
		return
	}
	w.looking = true
	_ = w.c.nc.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	err := w.c.raw.Read(w.peek)
	if w.closed || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		w.gone()
	}
	w.ended <- struct{}{}
}

// closedNow looks without waiting. It is asked again when there is something new.
func (w *watch) closedNow(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false
	case err != nil || n == 0:
		w.closed = true
	}
	return true // else there is a request behind this one, and no more to be seen
}

// gone calls the call off.
func (w *watch) gone() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.cancel()
	}
}

// end ends the watch, with the call.
func (w *watch) end() {
	w.mu.Lock()
	w.over = true
	looking := w.looking
	if w.armed && !looking {
		w.timer.Stop()
	}
	w.mu.Unlock()
	if !looking {
		return
	}
	_ = w.c.nc.SetReadDeadline(time.Unix(1, 0))
	<-w.ended
	w.mu.Lock()
	w.looking = false
	w.mu.Unlock()
	_ = w.c.nc.SetReadDeadline(time.Time{})
	w.c.deadline = time.Time{}
}

// readiness waits until there is something to read.
type readiness struct {
	raw    syscall.RawConn
	look   func(fd uintptr) bool
	looked bool
}

func (r *readiness) init(raw syscall.RawConn) { r.raw, r.look = raw, r.readable }

// ready makes the readiness of a connection that may be of any kind. Of some it cannot be asked.
func (r *readiness) ready(nc net.Conn) error {
	s, ok := nc.(syscall.Conn)
	if r.raw != nil || !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err == nil {
		r.init(raw)
	}
	return err
}

// await waits before a buffer is taken to read into: most calls to a model wait long for the first byte, and
// thousands of connections may be idle at a time. It costs what a read that comes too early does: one look.
func (r *readiness) await() error {
	if r.raw == nil {
		return nil
	}
	r.looked = false
	return r.raw.Read(r.look)
}

// readable reports whether there is something to read, an end and an error included: which of them, reading
// will tell. It is asked again only when there is.
func (r *readiness) readable(fd uintptr) bool {
	if r.looked {
		return true
	}
	r.looked = true
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return n != 0 || err != nil
}
