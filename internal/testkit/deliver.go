package testkit

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// delivery is one answer on its way.
type delivery struct {
	Answer
	ctx  context.Context
	u    *Upstream
	r    *Request
	wire wire
	size func() int

	gone    func()      // tells that the caller went away
	unwatch func() bool // ends the watch for that
}

// wire takes the encoded body.
type wire interface {
	io.Writer
	Flush() error
}

// errCut ends a delivery where it was to be cut.
var errCut = errors.New("cut")

// write gives the answer. An error means that the caller did not get the whole of it, and not because
// that was asked for.
func (d *delivery) write(w http.ResponseWriter) error {
	if err := d.sleep(d.beforeHeaders); err != nil {
		return err
	}
	if d.cutAt < 0 && d.length < 0 {
		return d.writeHTTP(w)
	}
	conn, err := d.hijack(w)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = d.writeBody()
	d.unwatch() // from here on it is we who close
	if errors.Is(err, errCut) {
		if tcp, ok := conn.(*net.TCPConn); ok && d.reset {
			_ = tcp.SetLinger(0)
		}
		return nil
	}
	return err
}

// sleep returns an error when the caller goes away or the upstream is closed.
func (d *delivery) sleep(t time.Duration) error {
	if t <= 0 {
		return nil
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-d.ctx.Done():
		return errGone
	case <-d.u.closed:
		return errClosed
	}
}

// writeHTTP lets net/http write the answer.
func (d *delivery) writeHTTP(w http.ResponseWriter) error {
	h := w.Header()
	for k, v := range d.header {
		h[k] = v
	}
	if len(d.encodings) > 0 {
		h.Set("Content-Encoding", strings.Join(d.encodings, ", "))
	}
	if !d.streamed && len(d.encodings) == 0 {
		h.Set("Content-Length", strconv.Itoa(len(d.Body())))
	}
	w.WriteHeader(d.status)
	d.wire = &httpWire{w, http.NewResponseController(w), d.streamed || d.early}
	return d.writeBody()
}

type httpWire struct {
	io.Writer
	ctl   *http.ResponseController
	flush bool
}

func (w *httpWire) Flush() error {
	if !w.flush {
		return nil
	}
	return w.ctl.Flush()
}

// hijack takes the connection over, to write what net/http would not.
func (d *delivery) hijack(w http.ResponseWriter) (net.Conn, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	// net/http no longer watches for the caller to go away. The goroutine ends with the connection.
	d.u.calls.Go(func() {
		_, _ = io.Copy(io.Discard, rw.Reader)
		d.gone()
	})
	raw := &rawWire{w: bufio.NewWriter(conn), chunked: d.length < 0, left: d.cutAt}
	fmt.Fprintf(raw.w, "HTTP/1.1 %d %s\r\n", d.status, http.StatusText(d.status))
	_ = d.header.Write(raw.w)
	if len(d.encodings) > 0 {
		fmt.Fprintf(raw.w, "Content-Encoding: %s\r\n", strings.Join(d.encodings, ", "))
	}
	if raw.chunked {
		fmt.Fprint(raw.w, "Transfer-Encoding: chunked\r\n\r\n")
	} else {
		fmt.Fprintf(raw.w, "Content-Length: %d\r\n\r\n", d.length)
	}
	d.wire = raw
	return conn, nil
}

// rawWire writes a body to a connection, in chunks or not, and stops in the middle of it.
type rawWire struct {
	w       *bufio.Writer
	chunked bool
	left    int // before the cut; below 0 there is none
}

func (w *rawWire) Flush() error { return w.w.Flush() }

func (w *rawWire) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.chunked {
		fmt.Fprintf(w.w, "%x\r\n", len(p))
	}
	if w.left >= 0 && len(p) >= w.left {
		n, _ := w.w.Write(p[:w.left])
		w.left = 0
		return n, errors.Join(errCut, w.w.Flush())
	}
	if w.left > 0 {
		w.left -= len(p)
	}
	n, err := w.w.Write(p)
	if w.chunked {
		fmt.Fprint(w.w, "\r\n")
	}
	return n, err
}

// finish ends a body that was not cut.
func (w *rawWire) finish() error {
	if w.chunked {
		fmt.Fprint(w.w, "0\r\n\r\n")
	}
	return w.w.Flush()
}

// writeBody writes the pieces through the encoders to the wire.
func (d *delivery) writeBody() error {
	if d.split != nil {
		d.size = d.split()
	}
	if err := d.flush(); err != nil {
		return err
	}
	out, err := d.encoder()
	if err != nil {
		return err
	}
	for i, p := range d.pieces {
		if i > 0 && d.before[i] == 0 {
			err = d.sleep(d.between)
		} else {
			err = d.sleep(d.before[i])
		}
		if err != nil {
			return err
		}
		if err := out.piece(p); err != nil {
			return err
		}
	}
	if err := d.sleep(d.before[len(d.pieces)]); err != nil {
		return err
	}
	if err := out.close(); err != nil {
		return err
	}
	if raw, ok := d.wire.(*rawWire); ok {
		return raw.finish()
	}
	return nil
}

// flush sends the headers of a streamed answer before its first piece.
func (d *delivery) flush() error {
	if err := d.wire.Flush(); err != nil {
		return errGone
	}
	return nil
}

// Write splits what comes out of the encoders.
func (d *delivery) Write(p []byte) (int, error) {
	if d.size == nil {
		return len(p), d.send(p)
	}
	for rest := p; len(rest) > 0; {
		n := min(d.size(), len(rest))
		if err := d.send(rest[:n]); err != nil {
			return 0, err
		}
		if err := errors.Join(d.flush(), d.sleep(d.splitDelay)); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (d *delivery) send(p []byte) error {
	n, err := d.wire.Write(p)
	d.u.mu.Lock()
	d.r.sent += int64(n)
	d.u.mu.Unlock()
	return err
}

// encoders is a stack of compressors above a delivery, first applied first.
type encoders struct {
	d     *delivery
	stack []compressor
}

type compressor interface {
	io.WriteCloser
	Flush() error
}

func (d *delivery) encoder() (*encoders, error) {
	e := &encoders{d: d, stack: make([]compressor, len(d.encodings))}
	var below io.Writer = d
	for i := len(d.encodings) - 1; i >= 0; i-- {
		c, err := newCompressor(d.encodings[i], below)
		if err != nil {
			return nil, err
		}
		e.stack[i], below = c, c
	}
	return e, nil
}

func newCompressor(encoding string, w io.Writer) (compressor, error) {
	switch encoding {
	case "gzip":
		return gzip.NewWriter(w), nil
	case "deflate":
		return zlib.NewWriter(w), nil
	case "zstd":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("no encoding %q", encoding)
}

func (e *encoders) piece(p []byte) error {
	var top io.Writer = e.d
	if len(e.stack) > 0 {
		top = e.stack[0]
	}
	if _, err := top.Write(p); err != nil {
		return err
	}
	for _, c := range e.stack {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	return e.d.flush()
}

func (e *encoders) close() error {
	for _, c := range e.stack {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return e.d.flush()
}
