// Package h1 is a client for HTTP/1.1 over plain TCP that does all its work on the goroutine of its
// caller: it writes the request in one system call and reads the answer where it is wanted.
//
// [net/http.Transport] runs two goroutines for each connection and hands every request and every answer
// from one to the other, which on a busy gateway costs more than all that the gateway does itself. What is
// hard about HTTP/1.1, the reading of heads, chunks and trailers, is left to [net/http.ReadResponse].
// Everything but plain HTTP (TLS, HTTP/2, proxies) is left to net/http.Transport.
package h1

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Transport sends requests to http:// addresses. The zero value is not usable; see [New].
type Transport struct {
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	idleFor  time.Duration
	maxIdle  int
	mu       sync.Mutex
	idle     map[string][]*conn // by address, the one used last is at the end
	sweeping bool

	// readers are buffers to read answers with. Idle connections have none, so they can be large: events
	// that arrive together are then seen together.
	readers sync.Pool
}

// The defaults of a Transport.
const (
	defaultIdleFor = 90 * time.Second
	defaultMaxIdle = 512 // for each address
	bufferSize     = 32 << 10
	maxHead        = 1 << 20 // of an answer: status line and headers
	maxInterim     = 5       // answers of status 1xx before the one that counts
)

// New returns a transport whose connections are made by dial.
func New(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Transport {
	return &Transport{dial: dial, idleFor: defaultIdleFor, maxIdle: defaultMaxIdle, idle: map[string][]*conn{}}
}

var _ http.RoundTripper = (*Transport)(nil)

// Takes reports whether a request is one that this package can send: plain HTTP, with a [Body] or none.
func Takes(r *http.Request) bool {
	_, ok := r.Body.(*Body)
	return (ok || r.Body == nil) && r.URL.Scheme == "http" && r.URL.User == nil && r.Header.Get("Upgrade") == ""
}

// RoundTrip sends a request and reads the head of its answer. A connection that turns out to have been
// closed while it was idle is replaced, as long as nothing was sent on it. The body is closed when
// nothing reads it any more, which can be after RoundTrip has returned.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := r.Body.(*Body)
	if !ok {
		body = NewBody(nil)
	}
	addr := address(r)
	for {
		c, err := t.take(r.Context(), addr)
		if err != nil {
			_ = body.Close()
			return nil, err
		}
		x := newExchange(r.Context(), c, body)
		resp, err := x.do(r)
		if err == nil || !x.unsent() {
			x.release()
			return resp, err
		}
	}
}

// reader returns a buffered reader of the connection.
func (t *Transport) reader(c *conn) *bufio.Reader {
	br, ok := t.readers.Get().(*bufio.Reader)
	if !ok {
		return bufio.NewReaderSize(c, bufferSize)
	}
	br.Reset(c)
	return br
}

// CloseIdleConnections closes the connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	idle := t.idle
	t.idle = map[string][]*conn{}
	t.mu.Unlock()
	for _, cs := range idle {
		for _, c := range cs {
			_ = c.nc.Close()
		}
	}
}

func address(r *http.Request) string {
	if r.URL.Port() != "" {
		return r.URL.Host
	}
	return net.JoinHostPort(r.URL.Hostname(), "80")
}

// take returns a connection: the one that was used last, or a new one.
func (t *Transport) take(ctx context.Context, addr string) (*conn, error) {
	for {
		c := t.pop(addr)
		if c == nil {
			break
		}
		if c.alive() {
			return c, nil
		}
		_ = c.nc.Close()
	}
	nc, err := t.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{t: t, addr: addr, nc: nc}, nil
}

func (t *Transport) pop(addr string) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	cs := t.idle[addr]
	if len(cs) == 0 {
		return nil
	}
	c := cs[len(cs)-1]
	cs[len(cs)-1] = nil
	t.idle[addr] = cs[:len(cs)-1]
	return c
}

// put keeps a connection for the next request.
func (t *Transport) put(c *conn) {
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	cs := t.idle[c.addr]
	if len(cs) >= t.maxIdle {
		_ = c.nc.Close()
		return
	}
	t.idle[c.addr] = append(cs, c)
	if !t.sweeping {
		t.sweeping = true
		time.AfterFunc(t.idleFor/2, t.sweep)
	}
}

// sweep closes what has been idle for too long, and comes again while anything is left.
func (t *Transport) sweep() {
	old := time.Now().Add(-t.idleFor)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweeping = false
	for addr, cs := range t.idle {
		n := 0
		for n < len(cs) && cs[n].since.Before(old) {
			_ = cs[n].nc.Close()
			n++
		}
		if n == len(cs) {
			delete(t.idle, addr)
			continue
		}
		t.idle[addr] = append(cs[:0:0], cs[n:]...)
		t.sweeping = true
	}
	if t.sweeping {
		time.AfterFunc(t.idleFor/2, t.sweep)
	}
}

// conn is one connection. It belongs to one request at a time.
type conn struct {
	t     *Transport
	addr  string
	nc    net.Conn
	br    *bufio.Reader // of a conn in use
	head  []byte        // the buffer that heads are written from
	left  int64         // what may still be read of a head; negative while a body is read
	heard bool          // a byte of the present answer has come
	used  bool          // it has served a request before
	since time.Time
	readiness
}

var errHeadTooLarge = errors.New("the answer's head is too large")

// Read reads from the network, within the bound on heads while one is read.
func (c *conn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errHeadTooLarge
	}
	if c.left > 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.nc.Read(p)
	c.heard = c.heard || n > 0
	if c.left > 0 {
		c.left -= int64(n)
	}
	return n, err
}
