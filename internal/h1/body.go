package h1

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// Body is what a request carries, as pieces in memory that stay as they are until all who read them have
// closed. It is also a body for [net/http.Transport].
type Body struct {
	*pieces
	at     int // the piece that is read next, and how far into it
	off    int
	closed atomic.Bool
}

// pieces are shared by all bodies that were made of one.
type pieces struct {
	parts   [][]byte
	size    int64
	readers atomic.Int32
	done    func()
}

// NewBody returns a body of pieces that are sent one after the other. Done, if there is one, is called
// once, when this body and all made of it were closed: nothing reads the pieces after that.
func NewBody(done func(), parts ...[]byte) *Body {
	p := &pieces{parts: parts, done: done}
	p.readers.Store(1)
	for _, b := range parts {
		p.size += int64(len(b))
	}
	return &Body{pieces: p}
}

// Set makes a request carry the same bytes. The body itself remains with the caller, to be closed when
// the request is over and will not be sent again.
func (b *Body) Set(r *http.Request) {
	r.Body, _ = b.again()
	r.ContentLength, r.GetBody = b.size, b.again
}

var errGone = errors.New("the request's body is gone")

// again returns another body of the same bytes: [net/http.Request.GetBody].
func (b *Body) again() (io.ReadCloser, error) {
	for {
		n := b.readers.Load()
		if n == 0 {
			return nil, errGone
		}
		if b.readers.CompareAndSwap(n, n+1) {
			return &Body{pieces: b.pieces}, nil
		}
	}
}

// Read reads on.
func (b *Body) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
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

// Close says that this body is not read any more.
func (b *Body) Close() error {
	if b.closed.CompareAndSwap(false, true) && b.readers.Add(-1) == 0 && b.done != nil {
		b.done()
	}
	return nil
}
