package frame

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"
)

// Reader reads server-sent events as the WHATWG standard says, in every line ending and mix of them, cut
// anywhere. It is not safe for concurrent use.
type Reader struct {
	w     window
	max   int
	ev    event
	begun bool // the first line, which may open with a byte order mark, is behind us
	// loneCR says that the last line ended in a CR at the end of what was read: a LF that comes next
	// belongs to it.
	loneCR  bool
	name    string            // the last event type: mostly the next one too
	names   map[string]string // the others
	joined  [2][]byte         // data of several lines; two, as the next frame is looked at ahead
	current int               // index in joined of the event being read
}

// event is the state of the event being read. Offsets count from the window's start.
type event struct {
	pos, seek int // where the line being read starts, and how far no line end was found
	lf        int // no LF stands between seek and here
	whole     bool
	some      bool // a line that is not blank was read
	name      string
	id, data  part
	lines     int // data lines
	retry     time.Duration
}

type part struct {
	from, to int
	set      bool
}

// NewReader returns a reader of server-sent events. An event of more than limit bytes is an error;
// 0 means DefaultMax.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultMax
	}
	return &Reader{w: window{src: src}, max: limit}
}

// Next returns the next frame, or io.EOF after the last. Any other error is what the source ended with,
// or a *TooLargeError, and it is returned ever after: an event that it cut is not delivered, its bytes
// are what [Reader.Pending] returns.
func (r *Reader) Next() (Frame, error) {
	for !r.ev.whole && !r.advance() {
		if err := r.checkSize(len(r.w.bytes())); err != nil {
			return Frame{}, err
		}
		if r.w.err != nil {
			return r.atEnd()
		}
		r.w.fill()
	}
	if err := r.checkSize(r.ev.pos); err != nil {
		return Frame{}, err
	}
	f := r.take(r.ev.pos)
	f.More = r.advance()
	return f, nil
}

// All returns the frames up to the end of the stream, or to the error that ended it. The frames it
// yields are good for one round of the loop.
func (r *Reader) All() iter.Seq2[Frame, error] { return all(r.Next) }

// Pending returns the bytes that were read and not delivered. They are good until the next Next.
func (r *Reader) Pending() []byte { return r.w.bytes() }

// Release gives the reader's memory to others. Neither it nor a frame that it returned is of use after.
func (r *Reader) Release() { r.w.release() }

func (r *Reader) checkSize(n int) error {
	if n > r.max {
		return &TooLargeError{What: "event", Max: int64(r.max)}
	}
	return nil
}

// atEnd delivers what stands after the last blank line, if the stream ended well.
func (r *Reader) atEnd() (Frame, error) {
	rest := r.w.bytes()
	if !errors.Is(r.w.err, io.EOF) || len(rest) == 0 {
		return Frame{}, r.w.err
	}
	if r.ev.pos < len(rest) {
		r.line(rest, r.ev.pos, len(rest))
	}
	partial := r.ev.some
	f := r.take(len(rest))
	f.Partial = partial
	return f, nil
}

// advance reads lines up to the blank one that ends the event, as far as they have arrived.
func (r *Reader) advance() bool {
	b := r.w.bytes()
	for {
		end, next := r.lineEnd(b)
		if next < 0 {
			return false
		}
		blank := r.line(b, r.ev.pos, end)
		r.ev.pos, r.ev.seek = next, next
		if blank {
			r.ev.whole = true
			return true
		}
	}
}

// lineEnd finds where the line at pos ends and where the next one starts; next is -1 where the end has
// not arrived.
func (r *Reader) lineEnd(b []byte) (end, next int) {
	e := &r.ev
	if r.loneCR && e.seek < len(b) {
		r.loneCR = false
		if b[e.seek] == '\n' {
			e.pos++
			e.seek++
		}
	}
	e.lf = max(e.lf, e.seek)
	if e.lf >= len(b) || b[e.lf] != '\n' {
		if i := bytes.IndexByte(b[e.lf:], '\n'); i >= 0 {
			e.lf += i
		} else {
			e.lf = len(b)
		}
	}
	if i := bytes.IndexByte(b[e.seek:e.lf], '\r'); i >= 0 {
		end = e.seek + i
		if end+1 == e.lf && e.lf < len(b) {
			return end, end + 2
		}
		r.loneCR = end+1 == len(b)
		return end, end + 1
	}
	if e.lf < len(b) {
		return e.lf, e.lf + 1
	}
	e.seek = len(b)
	return 0, -1
}

// line reads the line b[from:to] into the event and reports whether it is blank.
func (r *Reader) line(b []byte, from, to int) bool {
	if !r.begun {
		r.begun = true
		if bytes.HasPrefix(b[from:to], []byte("\xef\xbb\xbf")) {
			from += 3
		}
	}
	if from == to {
		return true
	}
	r.ev.some = true
	line := b[from:to]
	if len(line) >= 5 && string(line[:5]) == "data:" {
		r.addData(b, skipSpace(b, from+5, to), to)
		return false
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		r.field(b, line, to, to)
	} else if colon > 0 {
		r.field(b, line[:colon], skipSpace(b, from+colon+1, to), to)
	}
	return false
}

func skipSpace(b []byte, from, to int) int {
	if from < to && b[from] == ' ' {
		return from + 1
	}
	return from
}

// field takes a field with the value b[from:to]. Unknown ones mean nothing, as the standard says.
func (r *Reader) field(b, name []byte, from, to int) {
	switch string(name) {
	case "data":
		r.addData(b, from, to)
	case "event":
		r.ev.name = r.intern(b[from:to])
	case "id":
		if bytes.IndexByte(b[from:to], 0) < 0 {
			r.ev.id = part{from, to, true}
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(b[from:to]), 10, 40); err == nil {
			r.ev.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

func (r *Reader) addData(b []byte, from, to int) {
	e := &r.ev
	e.lines++
	if e.lines == 1 {
		e.data = part{from, to, true}
		return
	}
	j := &r.joined[r.current]
	if e.lines == 2 {
		*j = append((*j)[:0], b[e.data.from:e.data.to]...)
	}
	*j = append(append(*j, '\n'), b[from:to]...)
}

// take delivers the event, which is n bytes long, and starts on the next.
func (r *Reader) take(n int) Frame {
	b, e := r.w.bytes(), &r.ev
	f := Frame{Event: e.name, ID: cut(b, e.id), Data: cut(b, e.data), Raw: b[:n:n], Retry: e.retry}
	if e.lines > 1 {
		f.Data = r.joined[r.current]
		r.current = 1 - r.current
		if cap(r.joined[r.current]) > keepBuf {
			r.joined[r.current] = nil
		}
	}
	r.w.start += n
	r.ev = event{lf: max(e.lf-n, 0)}
	return f
}

func cut(b []byte, p part) []byte {
	if !p.set {
		return nil
	}
	return b[p.from:p.to:p.to]
}

// intern returns the event type as a string, without allocating for one that was seen before.
func (r *Reader) intern(b []byte) string {
	if string(b) == r.name {
		return r.name
	}
	s, ok := r.names[string(b)]
	if !ok {
		s = string(b)
		if r.names == nil {
			r.names = make(map[string]string, 8)
		}
		if len(r.names) < 64 && len(s) <= 128 {
			r.names[s] = s
		}
	}
	r.name = s
	return s
}
