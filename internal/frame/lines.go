package frame

import (
	"bytes"
	"errors"
	"io"
	"iter"
)

// Lines reads newline-delimited JSON: a frame is a line, its Data the line without its end. A blank
// line has no Data. It is not safe for concurrent use.
type Lines struct {
	w    window
	max  int
	seek int // no LF stands before here, counted from the window's start
}

// NewLines returns a reader of lines. A line of more than limit bytes is an error; 0 means DefaultMax.
func NewLines(src io.Reader, limit int) *Lines {
	if limit <= 0 {
		limit = DefaultMax
	}
	return &Lines{w: window{src: src}, max: limit}
}

// Next returns the next line, or io.EOF after the last; see [Reader.Next] for what else it returns.
func (l *Lines) Next() (Frame, error) {
	n := l.find()
	for n < 0 {
		if err := l.checkSize(len(l.w.bytes())); err != nil {
			return Frame{}, err
		}
		if l.w.err != nil {
			return l.atEnd()
		}
		l.w.fill()
		n = l.find()
	}
	if err := l.checkSize(n); err != nil {
		return Frame{}, err
	}
	f := l.take(n)
	f.More = l.find() >= 0
	return f, nil
}

// All returns the lines up to the end of the stream, or to the error that ended it. The frames it
// yields are good for one round of the loop.
func (l *Lines) All() iter.Seq2[Frame, error] { return all(l.Next) }

// Pending returns the bytes that were read and not delivered. They are good until the next Next.
func (l *Lines) Pending() []byte { return l.w.bytes() }

// Release gives the reader's memory to others. Neither it nor a frame that it returned is of use after.
func (l *Lines) Release() { l.w.release() }

func (l *Lines) checkSize(n int) error {
	if n > l.max {
		return &TooLargeError{What: "line", Max: int64(l.max)}
	}
	return nil
}

// find returns the length of the next line with its end, or -1.
func (l *Lines) find() int {
	b := l.w.bytes()
	if i := bytes.IndexByte(b[l.seek:], '\n'); i >= 0 {
		l.seek += i
		return l.seek + 1
	}
	l.seek = len(b)
	return -1
}

func (l *Lines) atEnd() (Frame, error) {
	rest := l.w.bytes()
	if !errors.Is(l.w.err, io.EOF) || len(rest) == 0 {
		return Frame{}, l.w.err
	}
	f := l.take(len(rest))
	f.Partial = true
	return f, nil
}

func (l *Lines) take(n int) Frame {
	raw := l.w.bytes()[:n:n]
	l.w.start += n
	l.seek = 0
	data := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		data = nil
	}
	return Frame{Data: data, Raw: raw}
}

// all turns a Next into an iterator that ends at io.EOF.
func all(next func() (Frame, error)) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for {
			f, err := next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}
