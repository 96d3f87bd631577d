package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

// serving is a connection of a caller.
type serving struct {
	s      *Server
	nc     net.Conn
	remote string
	blank  *http.Request // what is the same of every request

	in       []byte // a buffer of the pool while something is read; what was read and not used is in[at:]
	at       int
	deadline time.Time // of reading, as it was set last; zero is none
	writeBy  time.Time // of writing
	state    atomic.Int32
	served   bool // a request has been answered
	readiness
	watch watch
}

// The states of a connection.
const (
	idle int32 = iota
	busy
	retired // closed between two requests
)

const (
	firstRead = 8 << 10
	largeHead = 64 << 10 // what is longer is not plain
)

func newServing(s *Server, nc net.Conn) (*serving, bool) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, false
	}
	c := &serving{s: s, nc: nc, remote: nc.RemoteAddr().String()}
	c.blank = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: c.remote}
	c.readiness.init(raw)
	c.watch.init(c)
	return c, true
}

// retire marks an idle connection as one that serves no more. A busy one closes after its answer.
func (c *serving) retire() bool { return c.state.CompareAndSwap(idle, retired) }

// serve answers one request after the other.
func (c *serving) serve() {
	defer c.s.leave(c)
	for {
		head, err := c.head()
		if err != nil {
			break
		}
		a, plain := asked{}, false
		if head > 0 {
			a, plain = parseHead(string(c.in[c.at : c.at+head]))
		}
		if !plain {
			c.giveAway()
			return
		}
		c.at += head
		if !c.answer(&a) {
			break
		}
		c.served = true
		if !c.state.CompareAndSwap(busy, idle) || c.s.closing.Load() {
			break
		}
	}
	bufs.Put(c.in)
	c.in = nil
	_ = c.nc.Close()
}

var errRetired = errors.New("the server closes")

// head waits for the next request and returns the length of its head; 0 if it is none that is answered here.
func (c *serving) head() (int, error) {
	if c.at == len(c.in) {
		if err := c.rest(); err != nil {
			return 0, err
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	if !c.state.CompareAndSwap(idle, busy) {
		return 0, errRetired
	}
	for searched := 0; ; {
		b := c.in[c.at:]
		if b[0] < 'A' || b[0] > 'Z' {
			return 0, nil
		}
		if n := headEnd(b, searched); n > 0 {
			return n, nil
		}
		if len(b) >= largeHead || bareEnd(b, searched) {
			return 0, nil
		}
		if searched == 0 {
			c.within(c.s.std.ReadHeaderTimeout)
		}
		searched = len(b)
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// rest waits, without a buffer, until something comes.
func (c *serving) rest() error {
	bufs.Put(c.in)
	c.in, c.at = nil, 0
	wait := c.s.std.IdleTimeout
	if !c.served {
		wait = c.s.std.ReadHeaderTimeout
	}
	c.within(wait)
	return c.readiness.await()
}

// within sets the time in which the next bytes must come. One that is nearly the same stays.
func (c *serving) within(d time.Duration) {
	if d <= 0 {
		c.until(time.Time{})
		return
	}
	end := time.Now().Add(d)
	if off := end.Sub(c.deadline); off >= 0 && off < d/16 {
		return
	}
	c.until(end)
}

func (c *serving) until(t time.Time) {
	if !t.Equal(c.deadline) {
		c.deadline = t
		_ = c.nc.SetReadDeadline(t)
	}
}

// fill reads on.
func (c *serving) fill() error {
	switch {
	case c.in == nil:
		c.in = bufs.Get(firstRead)
	case c.at > 0:
		c.in = c.in[:copy(c.in, c.in[c.at:])]
		c.at = 0
	case len(c.in) == cap(c.in):
		c.in = bufs.Grow(c.in, len(c.in))
	}
	n, err := c.nc.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// giveAway hands the connection to net/http.
func (c *serving) giveAway() {
	c.until(time.Time{})
	early := append([]byte(nil), c.in[c.at:]...)
	bufs.Put(c.in)
	c.in = nil
	c.s.rest.give(&resumed{Conn: c.nc, early: early})
}

// answer has one request answered. It reports whether the connection is good for another.
func (c *serving) answer(a *asked) (again bool) {
	ctx, cancel := context.WithCancel(c.s.base)
	defer cancel()
	r := c.blank.WithContext(ctx)
	r.Method, r.URL, r.RequestURI, r.Header, r.Host = a.method, a.url, a.target, a.header, a.host
	r.Body, r.ContentLength, r.Close = http.NoBody, a.length, a.last
	body := &received{c: c, left: a.length}
	if a.length > 0 {
		r.Body = body
	}
	w := &writer{c: c, body: body, left: -1, last: a.last}
	c.watch.begin(cancel)
	if a.length == 0 {
		c.watch.arm()
	}
	ok := c.handle(w, r)
	c.watch.end()
	return body.finish(w.finish(ok))
}

// handle runs the handler. A panic in it closes the connection and nothing else.
func (c *serving) handle(w *writer, r *http.Request) (ok bool) {
	defer func() {
		p := recover()
		if p == nil || p == http.ErrAbortHandler { //nolint:errorlint // it is a value to panic with
			return
		}
		if log := c.s.std.ErrorLog; log != nil {
			log.Printf("h1: panic serving %s: %v\n%s", c.remote, p, debug.Stack())
		}
	}()
	c.s.std.Handler.ServeHTTP(w, r)
	return true
}

// received is the body of a request.
type received struct {
	c     *serving
	mu    sync.Mutex
	left  int64
	limit time.Time // of reading, as the handler wants it
	over  bool
	err   error
}

// Read reads on.
func (b *received) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return 0, http.ErrBodyReadAfterClose
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.some(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.c.watch.arm()
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
		b.c.watch.gone()
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		b.c.watch.gone()
	}
	b.err = err
	return n, err
}

func (b *received) some(p []byte) (int, error) {
	c := b.c
	if have := c.in[c.at:]; len(have) > 0 {
		n := copy(p, have)
		c.at += n
		return n, nil
	}
	c.until(b.limit)
	return c.nc.Read(p)
}

// Close gives up the rest.
func (b *received) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return nil
}

// finish deals with what nobody has read. It reports whether the next request can follow.
func (b *received) finish(again bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	switch {
	case b.left == 0:
		return again
	case !again || b.err != nil || b.left > skipUpTo || !b.skip():
		b.c.linger()
		return false
	}
	return true
}

const (
	skipUpTo   = 256 << 10 // of a body that nobody read, so that the connection can be used again
	skipWithin = 5 * time.Second
)

func (b *received) skip() bool {
	c := b.c
	c.until(time.Now().Add(skipWithin))
	for b.left > 0 {
		if c.at == len(c.in) {
			if err := c.fill(); err != nil {
				return false
			}
		}
		n := min(int64(len(c.in)-c.at), b.left)
		c.at += int(n)
		b.left -= n
	}
	return true
}

// lingerFor is how long a connection stays on which the caller may still be sending: closed at once it would
// be reset, and the answer might never be read.
const lingerFor = 500 * time.Millisecond

func (c *serving) linger() {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok && cw.CloseWrite() == nil {
		time.Sleep(lingerFor)
	}
}
