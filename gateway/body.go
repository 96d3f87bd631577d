package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// inflight bounds the memory that bodies hold at one time, over all calls: a thousand callers with a
// body of the largest size each must not bring the node down.
type inflight struct{ used atomic.Int64 }

func (f *inflight) take(n, limit int64) bool {
	if f.used.Add(n) > limit && limit > 0 {
		f.used.Add(-n)
		return false
	}
	return true
}

func (f *inflight) give(n int64) { f.used.Add(-n) }

// holding is what the bodies of one call hold of the room. The nil holding counts nothing.
type holding struct {
	room  *inflight
	limit int64
	held  atomic.Int64
}

func (h *holding) grow(n int) bool {
	if h == nil {
		return true
	}
	if !h.room.take(int64(n), h.limit) {
		return false
	}
	h.held.Add(int64(n))
	return true
}

func (h *holding) shrink(n int) {
	if h != nil {
		h.held.Add(-int64(n))
		h.room.give(int64(n))
	}
}

// release gives the room back when the call has ended.
func (h *holding) release() { h.room.give(h.held.Swap(0)) }

var errNoRoom = errors.New("no room for another body")

// firstPiece is what a body is given before any of it has come: who claims a large one and sends nothing
// takes no room from others.
const firstPiece = 1<<20 - bytes.MinRead

// collect reads all into a buffer from get, taking room as it grows. The size is what the body is said to
// have, or below 0. What is not needed any more goes to put.
func (h *holding) collect(in io.Reader, size int64, get func(int) []byte, put func([]byte)) (body []byte, err error) {
	var buf []byte
	defer func() {
		if err != nil {
			h.shrink(cap(buf))
			put(buf)
		}
	}()
	whole := int(max(size, 0)) + bytes.MinRead
	for room := min(whole, firstPiece+bytes.MinRead); ; room = 2 * cap(buf) {
		if cap(buf) < whole {
			room = min(room, whole)
		}
		bigger := get(room)
		if !h.grow(cap(bigger)) {
			put(bigger)
			return nil, errNoRoom
		}
		bigger = append(bigger, buf...)
		h.shrink(cap(buf))
		put(buf)
		buf = bigger
		for len(buf) < cap(buf) {
			n, err := in.Read(buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			if err == io.EOF {
				return buf, nil
			}
			if err != nil {
				return nil, err
			}
		}
	}
}

// bodyReader reads one request's body within the bounds of the configuration.
type bodyReader struct {
	w    http.ResponseWriter
	r    *http.Request
	conf *config.File
	hold *holding
	kept *lease // the buffer that the body is in
}

// lease is a buffer with those who read it. When the last has gone it serves another call.
type lease struct {
	buf     []byte
	readers atomic.Int32
	shared  atomic.Bool // texts that were decoded have their bytes here, and nobody knows who holds them
}

func newLease(buf []byte) *lease {
	l := &lease{buf: buf}
	l.readers.Store(1)
	return l
}

func (l *lease) hold() {
	if l != nil {
		l.readers.Add(1)
	}
}

func (l *lease) drop() {
	if l != nil && l.readers.Add(-1) == 0 && !l.shared.Load() {
		bufs.Put(l.buf)
		l.buf = nil
	}
}

// read returns the whole body, decompressed.
func (b *bodyReader) read() ([]byte, error) {
	limit := int64(b.conf.MaxBody)
	rc := http.NewResponseController(b.w)
	src := &patientReader{r: b.r.Body, rc: rc, wait: b.conf.Timeouts.ReadBody}
	if b.r.ContentLength > limit {
		b.refuse(src, limit)
		return nil, tooLarge("max_body", limit)
	}
	var in io.Reader = &boundedReader{r: src, left: limit, limit: limit, name: "max_body"}
	if enc := b.r.Header.Get("Content-Encoding"); enc != "" {
		d, err := frame.Decompress(in, enc, int64(b.conf.MaxDecompressed))
		if err != nil {
			return nil, &llm.Error{Kind: llm.Unsupported, Op: "edge", Message: fmt.Sprintf("content-encoding %q is not read here; send gzip, deflate, zstd or none", clip([]byte(enc), 40)), Err: err}
		}
		defer d.Close()
		in = d
	}
	body, err := b.hold.collect(in, b.r.ContentLength, bufs.Get, bufs.Put)
	if err != nil {
		err = b.explain(err)
		if llm.IsKind(err, llm.Overloaded) || llm.IsKind(err, llm.TooLarge) {
			b.refuse(src, limit)
		}
		// What was not read would be waited for before the answer goes out: close instead.
		b.w.Header().Set("Connection", "close")
		return nil, err
	}
	b.kept = newLease(body)
	// The server goes on reading the connection to notice when the caller goes away: a deadline left
	// on it would look like that.
	_ = rc.SetReadDeadline(time.Time{})
	return body, nil
}

// release gives the room back when the call has ended, and the buffer if nothing reads it any more.
func (b *bodyReader) release() {
	b.hold.release()
	b.kept.drop()
	b.kept = nil
}

// hearingTime is how long a caller whose body is refused may go on sending it.
const hearingTime = 10 * time.Second

// refuse reads on for a while and keeps nothing: many clients only listen when they have said all, and one
// whose connection is closed while it sends never hears why.
func (b *bodyReader) refuse(src *patientReader, limit int64) {
	b.w.Header().Set("Connection", "close")
	_ = src.rc.SetReadDeadline(time.Now().Add(hearingTime))
	_, _ = io.CopyN(io.Discard, src.r, limit)
}

func (b *bodyReader) explain(err error) error {
	var e *llm.Error
	var big *frame.TooLargeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.As(err, &big):
		return tooLarge("max_decompressed", int64(b.conf.MaxDecompressed))
	case errors.Is(err, errNoRoom):
		return full("request", b.conf)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &llm.Error{Kind: llm.SlowCaller, Op: "edge", Message: "the request's body did not arrive in time", Err: err}
	case b.r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) && b.r.Header.Get("Content-Encoding") == "":
		return &llm.Error{Kind: llm.Canceled, Op: "edge", Message: "the caller went away while sending", Err: err}
	case b.r.Header.Get("Content-Encoding") == "":
		return &llm.Error{Kind: llm.Invalid, Op: "edge", Message: "the request's body cannot be read: its chunks are not as HTTP wants them", Err: err}
	default:
		return &llm.Error{Kind: llm.Invalid, Op: "edge", Message: "the request's body cannot be read: it is not what its content-encoding says, or was cut off", Err: err}
	}
}

// full says that there is no room for a body, though it may not be too large.
func full(what string, conf *config.File) error {
	return &llm.Error{
		Kind: llm.Overloaded, Op: "edge", Retry: time.Second,
		Message: fmt.Sprintf("the calls in flight leave no room for this %s (max_in_flight is %s); try again shortly", what, conf.MaxInFlight),
	}
}

func tooLarge(name string, limit int64) error {
	return &llm.Error{
		Kind: llm.TooLarge, Op: "edge",
		Message: fmt.Sprintf("the request's body is larger than %s (%s); send less or have the limit raised", config.Size(limit), name),
	}
}

// patientReader allows each piece of the body so long and no longer.
type patientReader struct {
	r    io.Reader
	rc   *http.ResponseController
	wait time.Duration
}

func (p *patientReader) Read(b []byte) (int, error) {
	if p.wait > 0 {
		_ = p.rc.SetReadDeadline(time.Now().Add(p.wait))
	}
	return p.r.Read(b)
}

// boundedReader fails, rather than ends, past its limit.
type boundedReader struct {
	r     io.Reader
	left  int64
	limit int64
	name  string
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, tooLarge(b.name, b.limit)
	}
	return n, err
}
