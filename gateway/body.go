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

// inflight bounds the memory that request bodies hold at one time, over all calls: a thousand callers
// with a body of the largest size each must not bring the node down.
type inflight struct{ used atomic.Int64 }

// inflightFactor is how many bodies of the largest size there is room for.
const inflightFactor = 16

func (f *inflight) take(n, limit int64) bool {
	if f.used.Add(n) > limit {
		f.used.Add(-n)
		return false
	}
	return true
}

func (f *inflight) give(n int64) { f.used.Add(-n) }

// bodyReader reads one request's body within the bounds of the configuration.
type bodyReader struct {
	w    http.ResponseWriter
	r    *http.Request
	conf *config.File
	room *inflight
	held int64
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
	if b.r.ContentLength > limit {
		b.w.Header().Set("Connection", "close")
		return nil, tooLarge("max_body", limit)
	}
	rc := http.NewResponseController(b.w)
	src := &patientReader{r: b.r.Body, rc: rc, wait: b.conf.Timeouts.ReadBody}
	var in io.Reader = &boundedReader{r: src, left: limit, limit: limit, name: "max_body"}
	if enc := b.r.Header.Get("Content-Encoding"); enc != "" {
		d, err := frame.Decompress(in, enc, int64(b.conf.MaxDecompressed))
		if err != nil {
			return nil, &llm.Error{Kind: llm.Unsupported, Op: "edge", Message: fmt.Sprintf("content-encoding %q is not read here; send gzip, deflate, zstd or none", clip([]byte(enc), 40)), Err: err}
		}
		defer d.Close()
		in = d
	}
	body, err := b.collect(in)
	if err != nil {
		// What was not read would be waited for before the answer goes out: close instead.
		b.w.Header().Set("Connection", "close")
		return nil, b.explain(err)
	}
	// The server goes on reading the connection to notice when the caller goes away: a deadline left
	// on it would look like that.
	_ = rc.SetReadDeadline(time.Time{})
	return body, nil
}

// collect reads all, taking room as the body grows.
func (b *bodyReader) collect(in io.Reader) ([]byte, error) {
	room := inflightFactor * int64(b.conf.MaxBody)
	size := max(b.r.ContentLength, 0)
	if !b.grow(size+bytes.MinRead, room) {
		return nil, errNoRoom
	}
	buf := bufs.Get(int(size) + bytes.MinRead)
	defer func() { b.kept = newLease(buf) }()
	for {
		if len(buf) == cap(buf) {
			if !b.grow(int64(cap(buf)), room) {
				return nil, errNoRoom
			}
			buf = bufs.Grow(buf, cap(buf))
		}
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

func (b *bodyReader) grow(n, limit int64) bool {
	if !b.room.take(n, limit) {
		return false
	}
	b.held += n
	return true
}

// release gives the room back when the call has ended, and the buffer if nothing reads it any more.
func (b *bodyReader) release() {
	b.room.give(b.held)
	b.held = 0
	b.kept.drop()
	b.kept = nil
}

var errNoRoom = errors.New("no room for another request body")

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
		return &llm.Error{Kind: llm.Overloaded, Op: "edge", Message: "too many large requests at once; try again shortly", Retry: time.Second}
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
