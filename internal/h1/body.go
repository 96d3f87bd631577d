package h1

import (
	"io"
	"net/http"
	"sync/atomic"
)

// Body is what a request carries, as pieces in memory that stay as they are until it is closed. It is
// also a body for [net/http.Transport].
type Body struct {
	parts  [][]byte
	size   int64
	at     int // the part that is read next, and how far into it
	off    int
	closed atomic.Bool
	done   func()
}

// NewBody returns a body of pieces that are sent one after the other.
func NewBody(parts ...[]byte) *Body {
	b := &Body{parts: parts}
	for _, p := range parts {
		b.size += int64(len(p))
	}
	return b
}

// Size returns the length in bytes.
func (b *Body) Size() int64 { return b.size }

// OnClose sets what is called once when nothing reads the pieces any more.
func (b *Body) OnClose(f func()) { b.done = f }

// Again returns the same bytes as another body: [net/http.Request.GetBody].
func (b *Body) Again() (io.ReadCloser, error) { return NewBody(b.parts...), nil }

// Read reads on.
func (b *Body) Read(p []byte) (int, error) {
	for b.at < len(b.parts) {
		n := copy(p, b.parts[b.at][b.off:])
		b.off += n
		if b.off == len(b.parts[b.at]) {
			b.at, b.off = b.at+1, 0
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// WriteTo writes the rest, a piece at a time.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for ; b.at < len(b.parts); b.at, b.off = b.at+1, 0 {
		n, err := w.Write(b.parts[b.at][b.off:])
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Close says that the body is not read any more.
func (b *Body) Close() error {
	if b.closed.CompareAndSwap(false, true) && b.done != nil {
		b.done()
	}
	return nil
}

// Set makes a request carry the body.
func (b *Body) Set(r *http.Request) {
	r.Body, r.ContentLength, r.GetBody = b, b.size, b.Again
}
