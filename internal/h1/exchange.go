package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer on a connection.
type exchange struct {
	ctx     context.Context
	conn    *conn
	body    *Body
	stop    func() bool // ends the watch over the caller's context; false if that has struck already
	used    bool        // the connection has served a request before
	sent    int64       // bytes, once the writing is over
	writing chan error  // where a large body is written beside the reading; nil otherwise
	failed  bool        // the request could not be written whole
	closing bool        // the upstream closes the connection after this
	done    atomic.Bool
}

// asideFrom is the size from which a body is written beside the reading of the answer: what the buffers
// of the system do not take at once would wait for an upstream that may be waiting for us.
const asideFrom = 128 << 10

// joinUpTo is the size up to which head and body go out from one buffer.
const joinUpTo = 16 << 10

// earlyAnswer is how long an answer is waited for when the request could not be written.
const earlyAnswer = 500 * time.Millisecond

func newExchange(ctx context.Context, c *conn, b *Body) *exchange {
	x := &exchange{ctx: ctx, conn: c, body: b, used: c.used}
	x.stop = context.AfterFunc(ctx, func() { _ = c.nc.Close() })
	return x
}

// do sends the request and reads the answer's head.
func (x *exchange) do(r *http.Request) (*http.Response, error) {
	werr := x.send(r)
	if x.sent < 0 {
		x.finish(false)
		return nil, werr
	}
	if werr != nil {
		// The upstream may have answered without reading all, and closed: its word says more than the error.
		x.failed = true
		_ = x.conn.nc.SetReadDeadline(time.Now().Add(earlyAnswer))
	}
	resp, err := x.receive(r)
	if err == nil {
		return resp, nil
	}
	heard := x.conn.heard
	x.finish(false)
	switch {
	case x.ctx.Err() != nil:
		return nil, context.Cause(x.ctx)
	case werr != nil && !heard:
		return nil, werr
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// unsent reports whether nothing of the request has gone out because the connection had been closed.
func (x *exchange) unsent() bool {
	return x.used && x.sent == 0 && !x.conn.heard && x.ctx.Err() == nil
}

// release lets go of the body, unless it is still being written.
func (x *exchange) release() {
	if x.writing == nil {
		_ = x.body.Close()
	}
}

// send writes the request.
func (x *exchange) send(r *http.Request) error {
	c := x.conn
	head, err := appendHead(c.head[:0], r, x.body.size)
	if err != nil {
		x.sent = -1 // another connection would not help
		return err
	}
	c.left, c.heard = maxHead, false
	if x.body.size <= joinUpTo {
		for _, p := range x.body.parts {
			head = append(head, p...)
		}
		c.head = head
		n, err := c.nc.Write(head)
		x.sent = int64(n)
		return err
	}
	c.head = head
	bufs := append(net.Buffers{head}, x.body.parts...)
	if x.body.size < asideFrom {
		x.sent, err = bufs.WriteTo(c.nc)
		return err
	}
	x.writing = make(chan error, 1)
	go func() {
		_, err := bufs.WriteTo(c.nc)
		_ = x.body.Close()
		x.writing <- err
	}()
	x.sent = 1 // as far as anyone can know now
	return nil
}

// receive reads the head of the answer.
func (x *exchange) receive(r *http.Request) (*http.Response, error) {
	if err := x.conn.ready(x.conn.nc); err != nil {
		return nil, err
	}
	if err := x.conn.await(); err != nil {
		return nil, err
	}
	x.conn.br = x.conn.t.reader(x.conn)
	for range maxInterim + 1 {
		resp, err := readHead(x.conn.br, r)
		if err != nil {
			return nil, err
		}
		if interim(resp.StatusCode) {
			continue
		}
		x.conn.left = -1
		x.closing = resp.Close
		if resp.Body == http.NoBody {
			x.finish(true)
			return resp, nil
		}
		resp.Body = &answer{x: x, body: resp.Body}
		return resp, nil
	}
	return nil, errors.New("the upstream sends one interim answer after the other")
}

func interim(status int) bool {
	return status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
}

// finish ends the exchange, once. The connection is kept if all of the answer has been read.
func (x *exchange) finish(whole bool) {
	if !x.done.CompareAndSwap(false, true) {
		return
	}
	c := x.conn
	keep := x.stop() && whole && !x.failed && !x.closing && c.br.Buffered() == 0
	if whole && c.br != nil {
		// Else the answer may be being read while it is given up: the buffer is not to be had again.
		c.br.Reset(nil)
		c.t.readers.Put(c.br)
		c.br = nil
	}
	switch {
	case !keep:
		_ = c.nc.Close() // which also ends the writing of a large body
	case x.writing != nil:
		go x.keepWhenWritten()
	default:
		c.keep()
	}
}

// writtenWithin is how long after the answer's end the last of a large body may still be on its way: an
// upstream that answers without having read it all may never read on.
const writtenWithin = time.Second

func (x *exchange) keepWhenWritten() {
	t := time.NewTimer(writtenWithin)
	defer t.Stop()
	select {
	case err := <-x.writing:
		if err == nil {
			x.conn.keep()
			return
		}
	case <-t.C:
	}
	_ = x.conn.nc.Close()
}

// keep makes the connection ready for the next request.
func (c *conn) keep() {
	c.used = true
	if cap(c.head) > 2*joinUpTo {
		c.head = nil
	}
	c.t.put(c)
}

// answer is the body of an answer. It gives the connection back at its end.
type answer struct {
	x    *exchange
	body io.ReadCloser
	err  error
}

func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.body.Read(p)
	if err != nil {
		whole := errors.Is(err, io.EOF)
		a.x.finish(whole)
		if cause := context.Cause(a.x.ctx); cause != nil && !whole {
			err = cause
		}
		a.err = err
	}
	return n, err
}

// Close gives up the rest of the answer, and the connection with it.
func (a *answer) Close() error {
	if a.err == nil {
		a.err = http.ErrBodyReadAfterClose
	}
	a.x.finish(false)
	return nil
}

// framing is what the bodies of this package know of themselves.
type framing interface {
	ended() bool
	buffered() int
}

// Ended reports whether the rest of the answer can be read without waiting, and is nothing but its end.
func (a *answer) Ended() bool {
	f, ok := a.body.(framing)
	return ok && a.err == nil && f.ended() || errors.Is(a.err, io.EOF)
}

// Buffered returns how many bytes have come at least that can be read without waiting.
func (a *answer) Buffered() int {
	if f, ok := a.body.(framing); ok && a.err == nil {
		return f.buffered()
	}
	return 0
}
