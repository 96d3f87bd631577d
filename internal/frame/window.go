package frame

import (
	"errors"
	"io"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

const (
	firstBuf = 4 << 10   // a paced stream brings one small frame a read
	fullBuf  = 32 << 10  // what a read that filled the buffer is followed by: a burst
	keepBuf  = 256 << 10 // a buffer larger than this served one large frame and is let go after it
	maxEmpty = 100       // reads in a row that bring neither bytes nor an error
)

// window is the part of a stream that was read and not yet delivered.
type window struct {
	src        io.Reader
	buf        []byte
	start, end int
	full       bool  // the last read filled the buffer
	err        error // what the source ended with, once its bytes are in buf
}

func (w *window) bytes() []byte { return w.buf[w.start:w.end] }

// fill reads once. What was delivered before is overwritten; offsets from start stay true.
func (w *window) fill() {
	w.makeRoom()
	for range maxEmpty {
		n, err := w.src.Read(w.buf[w.end:])
		if n < 0 || n > len(w.buf)-w.end {
			w.err = errors.New("reader returned an impossible count")
			return
		}
		w.end += n
		w.full = w.end == len(w.buf)
		if err != nil {
			w.err = err
		}
		if n > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

func (w *window) makeRoom() {
	if w.start == w.end {
		w.start, w.end = 0, 0
		if len(w.buf) > keepBuf {
			w.release()
		}
	}
	switch {
	case w.buf == nil && w.waiting() >= firstBuf:
		w.buf = fresh(fullBuf)
	case w.buf == nil:
		w.buf = fresh(firstBuf)
	case w.full && len(w.buf) < fullBuf:
		w.resize(fullBuf)
	case w.end < len(w.buf):
	case w.end-w.start <= len(w.buf)/2:
		w.resize(len(w.buf))
	default:
		w.resize(2 * len(w.buf))
	}
	w.full = false
}

// waiting returns how much is known to have come already.
func (w *window) waiting() int {
	if b, ok := w.src.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

// resize moves the window to the front of a buffer of n bytes: this one where it has that size. Moving
// at most half of the buffer at a time keeps the whole linear.
func (w *window) resize(n int) {
	dst := w.buf
	if n != len(w.buf) {
		dst = fresh(n)
	}
	w.end = copy(dst, w.buf[w.start:w.end])
	if n != len(w.buf) {
		bufs.Put(w.buf)
	}
	w.start, w.buf = 0, dst
}

func fresh(n int) []byte { return bufs.Get(n)[:n] }

// release gives the buffer up. The frames read from it are no longer good.
func (w *window) release() {
	bufs.Put(w.buf)
	w.buf, w.start, w.end = nil, 0, 0
}
