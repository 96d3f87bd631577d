package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Upstream is an HTTP server on the loopback interface that stands in for a vendor. It gives its answers
// in order, one a call, and the last one ever after; or it asks a function. It remembers every request.
// It is safe for concurrent use.
type Upstream struct {
	URL string // "http://127.0.0.1:port"

	srv    *http.Server
	calls  sync.WaitGroup // serving included
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	script   []Answer
	next     int
	handler  func(*Request) Answer
	requests []*Request
	count    int
	keep     int
	changed  chan struct{} // closed and made anew when anything above or in a request changes
}

// NewUpstream starts an upstream that stops with the test.
func NewUpstream(t testing.TB, script ...Answer) *Upstream {
	t.Helper()
	u, err := Start(script...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// Start starts an upstream outside of a test. Close stops it.
func Start(script ...Answer) (*Upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting an upstream: %w", err)
	}
	u := &Upstream{
		URL: "http://" + l.Addr().String(), script: script, keep: -1,
		closed: make(chan struct{}), changed: make(chan struct{}),
	}
	u.srv = &http.Server{Handler: http.HandlerFunc(u.serve), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	u.calls.Go(func() { _ = u.srv.Serve(l) })
	return u, nil
}

// Close breaks off the calls that are running and waits for them to end.
func (u *Upstream) Close() {
	u.once.Do(func() {
		u.change(func() { close(u.closed) })
		_ = u.srv.Close()
	})
	u.calls.Wait()
}

// enter counts a call in, unless the upstream is closed.
func (u *Upstream) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.isClosed() {
		return false
	}
	u.calls.Add(1)
	return true
}

func (u *Upstream) isClosed() bool {
	select {
	case <-u.closed:
		return true
	default:
		return false
	}
}

// Script sets the answers from the next call on, and unsets the handler.
func (u *Upstream) Script(script ...Answer) {
	u.change(func() { u.script, u.next, u.handler = script, 0, nil })
}

// Handle asks f for every answer from the next call on, in place of the script. It may be called on
// several goroutines at once.
func (u *Upstream) Handle(f func(*Request) Answer) { u.change(func() { u.handler = f }) }

// KeepLast makes the upstream remember only the last n requests: for long runs.
func (u *Upstream) KeepLast(n int) { u.change(func() { u.keep = n; u.forget() }) }

func (u *Upstream) forget() {
	if extra := len(u.requests) - u.keep; u.keep >= 0 && extra > 0 {
		u.requests = slices.Delete(u.requests, 0, extra)
	}
}

// Requests returns the requests that were read so far, oldest first.
func (u *Upstream) Requests() []*Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// Count returns how many calls arrived so far.
func (u *Upstream) Count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.count
}

// Last returns the last request, or nil.
func (u *Upstream) Last() *Request {
	if rs := u.Requests(); len(rs) > 0 {
		return rs[len(rs)-1]
	}
	return nil
}

// WaitRequests waits until n requests are remembered, and returns them.
func (u *Upstream) WaitRequests(ctx context.Context, n int) ([]*Request, error) {
	var got []*Request
	err := u.wait(ctx, func() bool { got = slices.Clone(u.requests); return len(got) >= n })
	if err != nil {
		return got, fmt.Errorf("waiting for request %d, have %d: %w", n, len(got), err)
	}
	return got, nil
}

// WaitCancelled waits until a caller has gone away before its answer was whole, and returns that request
// and the time when the upstream saw it.
func (u *Upstream) WaitCancelled(ctx context.Context) (*Request, time.Time, error) {
	var hit *Request
	err := u.wait(ctx, func() bool {
		i := slices.IndexFunc(u.requests, func(r *Request) bool { return !r.cancelled.IsZero() })
		if i >= 0 {
			hit = u.requests[i]
		}
		return i >= 0
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("waiting for a cancelled request: %w", err)
	}
	at, _ := hit.Cancelled()
	return hit, at, nil
}

// WaitIdle waits until no call is being answered.
func (u *Upstream) WaitIdle(ctx context.Context) error {
	return u.wait(ctx, func() bool {
		return !slices.ContainsFunc(u.requests, func(r *Request) bool { return r.ended.IsZero() })
	})
}

// wait returns when cond, which is asked under the lock, holds.
func (u *Upstream) wait(ctx context.Context, cond func() bool) error {
	for {
		u.mu.Lock()
		ok, changed := cond(), u.changed
		u.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (u *Upstream) change(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
	close(u.changed)
	u.changed = make(chan struct{})
}

// Request is a call that reached the upstream. Its fields do not change any more.
type Request struct {
	N             int // the first call is 0
	Method        string
	Path          string // escaped as it came
	RawQuery      string
	Host          string
	Proto         string
	RemoteAddr    string
	ContentLength int64 // -1 where the body came in chunks
	Header        http.Header
	Body          []byte // the bytes as they came, compressed or not
	BodyErr       error  // what reading the body ended with, if not well
	At            time.Time

	u         *Upstream
	cancelled time.Time
	ended     time.Time
	sent      int64
}

// Cancelled returns when the upstream saw the caller go away before the answer was whole, if it did.
func (r *Request) Cancelled() (time.Time, bool) {
	r.u.mu.Lock()
	defer r.u.mu.Unlock()
	return r.cancelled, !r.cancelled.IsZero()
}

// Ended returns when the upstream was done with the call, if it is.
func (r *Request) Ended() (time.Time, bool) {
	r.u.mu.Lock()
	defer r.u.mu.Unlock()
	return r.ended, !r.ended.IsZero()
}

// Sent returns how many bytes of the answer's body were written, as encoded.
func (r *Request) Sent() int64 {
	r.u.mu.Lock()
	defer r.u.mu.Unlock()
	return r.sent
}

// WaitEnded waits until the upstream is done with the call.
func (r *Request) WaitEnded(ctx context.Context) error {
	return r.u.wait(ctx, func() bool { return !r.ended.IsZero() })
}

func (u *Upstream) serve(w http.ResponseWriter, hr *http.Request) {
	if !u.enter() {
		panic(http.ErrAbortHandler)
	}
	defer u.calls.Done()
	r, answer, scripted := u.arrive(hr)
	if scripted && answer.early {
		u.answerEarly(w, hr, r, answer)
		return
	}
	u.read(hr, r)
	if !scripted {
		answer = u.ask(r)
	}
	u.deliver(w, hr, r, answer)
}

// arrive takes the next answer of the script, where that and not a handler gives it.
func (u *Upstream) arrive(hr *http.Request) (r *Request, a Answer, scripted bool) {
	r = &Request{
		Method: hr.Method, Path: hr.URL.EscapedPath(), RawQuery: hr.URL.RawQuery, Host: hr.Host, Proto: hr.Proto,
		RemoteAddr: hr.RemoteAddr, ContentLength: hr.ContentLength, Header: hr.Header.Clone(), At: time.Now(), u: u,
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r.N = u.count
	u.count++
	if u.handler != nil {
		return r, a, false
	}
	if len(u.script) == 0 {
		return r, Text(http.StatusInternalServerError, "text/plain", "nothing is scripted"), true
	}
	a = u.script[min(u.next, len(u.script)-1)]
	u.next++
	return r, a, true
}

func (u *Upstream) ask(r *Request) Answer {
	u.mu.Lock()
	f := u.handler
	u.mu.Unlock()
	if f == nil {
		return Text(http.StatusInternalServerError, "text/plain", "the handler is gone")
	}
	return f(r)
}

// answerEarly answers before it reads the body, then reads that.
func (u *Upstream) answerEarly(w http.ResponseWriter, hr *http.Request, r *Request, a Answer) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	defer u.read(hr, r)
	u.deliver(w, hr, r, a)
}

// read reads the body and only then remembers the request: what others see does not change any more.
func (u *Upstream) read(hr *http.Request, r *Request) {
	r.Body, r.BodyErr = io.ReadAll(hr.Body)
	u.change(func() { u.requests = append(u.requests, r); u.forget() })
}

// deliver answers a call and notes how that ended.
func (u *Upstream) deliver(w http.ResponseWriter, hr *http.Request, r *Request, a Answer) {
	ctx, cancel := context.WithCancelCause(hr.Context())
	defer cancel(nil)
	watch := context.AfterFunc(ctx, func() { u.noteCancelled(r) })
	d := &delivery{Answer: a, ctx: ctx, u: u, r: r, gone: func() { cancel(errGone) }, unwatch: watch}
	err := d.write(w)
	watch()
	if err != nil {
		u.noteCancelled(r)
	}
	u.change(func() { r.ended = time.Now() })
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

var (
	errGone   = errors.New("the caller is gone")
	errClosed = errors.New("the upstream is closed")
)

func (u *Upstream) noteCancelled(r *Request) {
	u.change(func() {
		if r.cancelled.IsZero() && r.ended.IsZero() && !u.isClosed() {
			r.cancelled = time.Now()
		}
	})
}

// RefusedURL returns the URL of a port on which nobody listens: connecting is refused.
func RefusedURL(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
