package frame

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxCodings bounds how many encodings may be stacked, and maxZstdWindow the memory that a zstd frame
// may ask for (RFC 9659 bids every HTTP sender to stay below it).
const (
	maxCodings    = 4
	maxZstdWindow = 8 << 20
)

// EncodingError says that a Content-Encoding cannot be undone.
type EncodingError struct{ Encoding string }

func (e *EncodingError) Error() string {
	return fmt.Sprintf("content encoding %q is not supported", e.Encoding)
}

// Decompress undoes a Content-Encoding: gzip, deflate, zstd, identity, and any stack of up to four of
// them. What the sender flushed is delivered at once, and nothing is read before the first Read. When
// more than limit bytes come out of it Read returns a *TooLargeError; 0 sets no limit.
//
// Close frees the decoders and closes src where it can be closed; it must not run beside a Read.
func Decompress(src io.Reader, encoding string, limit int64) (io.ReadCloser, error) {
	body := &decompressed{r: src}
	if c, ok := src.(io.Closer); ok {
		body.closers = append(body.closers, c.Close)
	}
	openers, err := openers(encoding)
	if err != nil {
		return nil, err
	}
	for i := len(openers) - 1; i >= 0; i-- {
		l := &lazy{src: body.r, open: openers[i]}
		body.r = bound(l, limit, i > 0)
		body.closers = append(body.closers, l.close)
	}
	if len(openers) == 0 {
		body.r = bound(src, limit, false)
	}
	return body, nil
}

// openers returns what opens the decoders, in the order in which the encodings were applied.
func openers(encoding string) ([]func(io.Reader) (io.Reader, error), error) {
	codings := strings.Split(encoding, ",")
	if len(codings) > maxCodings {
		return nil, &EncodingError{encoding}
	}
	var list []func(io.Reader) (io.Reader, error)
	for _, c := range codings {
		open, err := opener(strings.ToLower(strings.TrimSpace(c)))
		if err != nil {
			return nil, err
		}
		if open != nil {
			list = append(list, open)
		}
	}
	return list, nil
}

// bound limits what comes out of a decoder. What is still encoded may be a little longer than what it
// holds, and a stack of decoders must not toil over an endless inner stream that holds nothing.
func bound(src io.Reader, limit int64, inner bool) io.Reader {
	if limit <= 0 {
		return src
	}
	if inner {
		limit += limit/8 + 64<<10
	}
	return &limited{src: src, left: limit, max: limit}
}

// opener returns what opens a decoder, or nil for the identity.
func opener(coding string) (func(io.Reader) (io.Reader, error), error) {
	switch coding {
	case "", "identity":
		return nil, nil
	case "gzip", "x-gzip":
		return openGzip, nil
	case "deflate":
		return openDeflate, nil
	case "zstd":
		return openZstd, nil
	}
	return nil, &EncodingError{coding}
}

func openGzip(src io.Reader) (io.Reader, error) { return gzip.NewReader(src) }

// openDeflate reads zlib's format, as the standard says, or bare deflate, as some servers do.
func openDeflate(src io.Reader) (io.Reader, error) {
	b := bufio.NewReader(src)
	head, err := b.Peek(2)
	if len(head) < 2 {
		return nil, err
	}
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// openZstd decodes on the reading goroutine, so that a block is delivered when it has been read.
func openZstd(src io.Reader) (io.Reader, error) {
	return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
}

// lazy opens its decoder at the first Read: a decoder wants a header, which may not have arrived when
// the answer's own header must go on.
type lazy struct {
	src  io.Reader
	open func(io.Reader) (io.Reader, error)
	dec  io.Reader
	err  error
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.dec == nil {
		l.dec, l.err = l.open(l.src)
		if l.err != nil {
			return 0, l.err
		}
	}
	return l.dec.Read(p)
}

func (l *lazy) close() error {
	if l.err == nil {
		l.err = errors.New("read after close")
	}
	if d, ok := l.dec.(*zstd.Decoder); ok {
		d.Close()
	}
	return nil
}

// limited fails when more than max bytes come out of src.
type limited struct {
	src       io.Reader
	left, max int64
}

func (l *limited) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if l.left < 0 {
		return 0, &TooLargeError{What: "decompressed body", Max: l.max}
	}
	// One byte more than is left tells a body that ends at the limit from one that goes on.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.src.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n - 1, &TooLargeError{What: "decompressed body", Max: l.max}
	}
	return n, err
}

type decompressed struct {
	r       io.Reader
	closers []func() error
}

func (d *decompressed) Read(p []byte) (int, error) { return d.r.Read(p) }

// Buffered returns how many bytes are known to be there, at least, without waiting.
func (d *decompressed) Buffered() int {
	if b, ok := d.r.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

func (d *decompressed) Close() error {
	var err error
	for i := len(d.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closers[i]())
	}
	d.closers = nil
	return err
}
