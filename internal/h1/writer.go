package h1

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

// writer is the [net/http.ResponseWriter] of one answer. It keeps what is written until it must go out: a
// whole answer is one system call, and so is an event that is flushed.
type writer struct {
	c      *serving
	body   *received
	header http.Header
	status int

	out      []byte // head, and body as it stands on the wire, not written yet
	held     []byte // the first of a body whose length is not known yet
	begun    bool   // the head is in out, or has gone
	chunked  bool
	bare     bool  // the status has no body
	left     int64 // of the length that was promised; negative if none was
	last     bool  // the connection closes after this
	trailers []trailer
	limit    time.Time // of writing
	err      error
	over     bool
}

// trailer is a header that was announced to come behind the body. One that is known when the status is said
// stands in the head as well, as with net/http.
type trailer struct {
	name  string
	known bool
}

const (
	holdUpTo  = 4 << 10  // of a body whose length is not known, so that it may yet be
	writeFrom = 32 << 10 // what is gathered is written
)

// Header returns the headers of the answer.
func (w *writer) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header, 12)
	}
	return w.header
}

// WriteHeader says the status.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 || w.over {
		return
	}
	if status >= 100 && status < 200 {
		w.out = w.appendHead(w.out, status, false)
		_ = w.flush()
		return
	}
	w.status = status
	h := w.Header()
	w.bare = status == http.StatusNoContent || status == http.StatusNotModified
	if v := h["Content-Length"]; len(v) == 1 {
		if n, err := strconv.ParseUint(v[0], 10, 62); err == nil {
			w.left = int64(n)
		} else {
			delete(h, "Content-Length")
		}
	}
	for _, list := range h["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			w.trailers = append(w.trailers, trailer{name, h[name] != nil})
		}
	}
	if v := h["Connection"]; len(v) > 0 && strings.EqualFold(v[0], "close") {
		w.last = true
	}
}

// begin puts the head into out. From then on it is settled how the body is sent.
func (w *writer) begin() {
	w.begun = true
	// What the handler has not read of a long body will not be read: the connection ends here.
	w.last = w.last || w.body.left > skipUpTo || w.body.err != nil || w.c.s.closing.Load() || w.c.s.leaving.Load()
	w.chunked = !w.bare && w.left < 0
	if w.out == nil {
		w.out = bufs.Get(holdUpTo)
	}
	w.out = w.appendHead(w.out, w.status, true)
	if len(w.held) > 0 {
		w.appendBody(w.held)
		bufs.Put(w.held)
		w.held = nil
	}
}

// appendHead writes the status line and the headers of RFC 9112.
func (w *writer) appendHead(b []byte, status int, final bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	for name, values := range w.header {
		if w.kept(name, final) {
			for _, v := range values {
				b = appendHeader(b, name, v)
			}
		}
	}
	if final {
		if w.header["Date"] == nil {
			b = appendHeader(b, "Date", w.c.s.now())
		}
		if w.chunked {
			b = append(b, "Transfer-Encoding: chunked\r\n"...)
		}
		if w.last {
			b = append(b, "Connection: close\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// kept reports whether a header stands in the head.
func (w *writer) kept(name string, final bool) bool {
	switch name {
	case "Connection", "Transfer-Encoding":
		return false // the connection's affair
	case "Content-Length":
		return final && !w.bare
	case "Trailer":
		return w.chunked
	}
	for _, t := range w.trailers {
		if t.name == name {
			return t.known
		}
	}
	return !strings.HasPrefix(name, http.TrailerPrefix)
}

// appendHeader writes one header. What would break out of its line becomes a space.
func appendHeader(b []byte, name, value string) []byte {
	if !token(name) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	at := len(b)
	b = append(b, value...)
	for i := at; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' || b[i] == 0 {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// Write says a piece of the body.
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.over:
		return 0, net.ErrClosed
	case w.err != nil:
		return 0, w.err
	case len(p) == 0:
		return 0, nil
	case w.bare:
		return 0, http.ErrBodyNotAllowed
	case w.left >= 0 && int64(len(p)) > w.left:
		return 0, http.ErrContentLength
	}
	w.sniff(p)
	if !w.begun {
		if w.left < 0 && len(w.held)+len(p) <= holdUpTo {
			w.held = append(bufs.Grow(w.held, len(p)), p...)
			return len(p), nil
		}
		w.begin()
	}
	if !w.chunked {
		w.left -= int64(len(p))
	}
	if !w.chunked && len(w.out)+len(p) > writeFrom {
		return len(p), w.writeBoth(p)
	}
	w.appendBody(p)
	if len(w.out) >= writeFrom {
		return len(p), w.flush()
	}
	return len(p), nil
}

// sniff says what a body seems to be if the handler did not.
func (w *writer) sniff(p []byte) {
	if w.begun || w.header["Content-Type"] != nil || w.header["Content-Encoding"] != nil {
		return
	}
	w.Header()["Content-Type"] = []string{http.DetectContentType(p)}
}

// appendBody puts a piece of the body into out as it stands on the wire.
func (w *writer) appendBody(p []byte) {
	if !w.chunked {
		w.out = append(bufs.Grow(w.out, len(p)), p...)
		return
	}
	b := bufs.Grow(w.out, len(p)+20)
	b = strconv.AppendInt(b, int64(len(p)), 16)
	b = append(b, "\r\n"...)
	b = append(b, p...)
	w.out = append(b, "\r\n"...)
}

// flush writes what was gathered.
func (w *writer) flush() error {
	if w.err != nil || len(w.out) == 0 {
		return w.err
	}
	w.allow()
	_, w.err = w.c.nc.Write(w.out)
	w.written()
	return w.err
}

// writeBoth writes what was gathered, and a piece after it that is too large to be copied.
func (w *writer) writeBoth(p []byte) error {
	w.allow()
	both := net.Buffers{w.out, p}
	_, w.err = both.WriteTo(w.c.nc)
	w.written()
	return w.err
}

func (w *writer) written() {
	w.out = w.out[:0]
	if w.err != nil {
		w.c.watch.gone()
	}
}

// allow gives the caller the time to take what is written now.
func (w *writer) allow() {
	if !w.limit.Equal(w.c.writeBy) {
		w.c.writeBy = w.limit
		_ = w.c.nc.SetWriteDeadline(w.limit)
	}
}

// FlushError writes what the handler has said so far.
func (w *writer) FlushError() error {
	if w.over {
		return net.ErrClosed
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun {
		w.begin()
	}
	return w.flush()
}

// Flush writes what the handler has said so far.
func (w *writer) Flush() { _ = w.FlushError() }

// SetReadDeadline bounds the reading of the request's body.
func (w *writer) SetReadDeadline(t time.Time) error {
	w.body.limit = t
	return nil
}

// SetWriteDeadline bounds the writing of the answer.
func (w *writer) SetWriteDeadline(t time.Time) error {
	w.limit = t
	return nil
}

// EnableFullDuplex is how it always is: an answer may begin while the request is still being read.
func (w *writer) EnableFullDuplex() error { return nil }

// finish ends the answer. It reports whether the connection can be used again.
func (w *writer) finish(ok bool) bool {
	defer w.free()
	if !ok {
		return false
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun {
		if w.left < 0 && !w.bare && len(w.trailers) == 0 { // all of the body is known: it has a length
			w.left = 0
			w.Header()["Content-Length"] = []string{strconv.Itoa(len(w.held))}
		}
		w.begin()
	}
	if w.chunked {
		w.out = append(w.out, "0\r\n"...)
		w.appendTrailers()
		w.out = append(w.out, "\r\n"...)
	}
	short := w.left > 0 && !w.bare // the handler wrote less than it has promised
	return w.flush() == nil && !short && !w.last
}

func (w *writer) appendTrailers() {
	for _, t := range w.trailers {
		for _, v := range w.header[t.name] {
			w.out = appendHeader(w.out, t.name, v)
		}
	}
	for name, values := range w.header {
		if name, is := strings.CutPrefix(name, http.TrailerPrefix); is {
			for _, v := range values {
				w.out = appendHeader(w.out, name, v)
			}
		}
	}
}

func (w *writer) free() {
	bufs.Put(w.out)
	bufs.Put(w.held)
	w.out, w.held, w.over = nil, nil, true
}
