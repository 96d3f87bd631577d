package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// readHead reads the head of an answer. What is not plain is left to net/http, as it is with requests: an
// answer without a body or a length, another protocol, trailers.
func readHead(br *bufio.Reader, r *http.Request) (*http.Response, error) {
	n, err := awaitHead(br)
	if err != nil {
		return nil, err
	}
	if n > 0 && r.Method != http.MethodHead {
		b, _ := br.Peek(n)
		if resp, ok := plainAnswer(string(b), br); ok {
			_, _ = br.Discard(n)
			resp.Request = r
			return resp, nil
		}
	}
	return http.ReadResponse(br, r)
}

// awaitHead waits until all of a head has come, and returns its length; 0 if it is longer than the buffer.
func awaitHead(br *bufio.Reader) (int, error) {
	for searched := 0; ; {
		if _, err := br.Peek(searched + 1); err != nil {
			if errors.Is(err, bufio.ErrBufferFull) || searched > 0 {
				return 0, nil // net/http finds out what is wrong
			}
			return 0, err
		}
		b, _ := br.Peek(br.Buffered())
		if n := headEnd(b, searched); n > 0 {
			return n, nil
		}
		searched = len(b)
	}
}

// plainAnswer reads a head, its empty line included.
func plainAnswer(head string, br *bufio.Reader) (*http.Response, bool) {
	line, lines, _ := strings.Cut(head, "\r\n")
	status, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(status) < 4 || status[3] != ' ' {
		return nil, false
	}
	code, err := strconv.ParseUint(status[:3], 10, 10)
	if err != nil || code < 200 || code == http.StatusNoContent || code == http.StatusNotModified {
		return nil, false
	}
	h, ok := parseHeaders(strings.TrimSuffix(lines, "\r\n"))
	if !ok || h["Trailer"] != nil || h["Upgrade"] != nil {
		return nil, false
	}
	resp := &http.Response{
		Status: status, StatusCode: int(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: -1,
	}
	return resp, closes(resp) && framed(resp, br)
}

// closes reads what the connection is for.
func closes(resp *http.Response) bool {
	switch conn := resp.Header["Connection"]; {
	case len(conn) == 0:
	case len(conn) > 1:
		return false
	case strings.EqualFold(conn[0], "close"):
		resp.Close = true
	case !strings.EqualFold(conn[0], "keep-alive"):
		return false
	}
	delete(resp.Header, "Connection")
	return true
}

// framed gives the answer its body.
func framed(resp *http.Response, br *bufio.Reader) bool {
	length, coding := resp.Header["Content-Length"], resp.Header["Transfer-Encoding"]
	switch {
	case len(length) == 1 && len(coding) == 0:
		n, err := strconv.ParseUint(length[0], 10, 62)
		if err != nil {
			return false
		}
		resp.ContentLength = int64(n)
		resp.Body = http.NoBody
		if n > 0 {
			resp.Body = &sized{br: br, left: int64(n)}
		}
		return true
	case len(length) == 0 && len(coding) == 1 && coding[0] == "chunked":
		delete(resp.Header, "Transfer-Encoding")
		resp.TransferEncoding = coding
		resp.Body = &chunked{br: br}
		return true
	}
	return false
}

// sized is a body whose length is known.
type sized struct {
	br   *bufio.Reader
	left int64
}

// Read reads on.
func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.br.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case s.left == 0:
		err = io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close does nothing.
func (*sized) Close() error { return nil }

func (s *sized) ended() bool   { return s.left == 0 }
func (s *sized) buffered() int { return int(min(int64(s.br.Buffered()), s.left)) }

// chunked is a body in chunks (RFC 9112, section 7.1). Trailers, which were not announced, are read and
// forgotten.
type chunked struct {
	br    *bufio.Reader
	left  int64 // of the present chunk
	begun bool  // a chunk has been, whose line end is still to come
	err   error
}

var errChunk = errors.New("malformed chunked encoding")

// Read reads on: what has come, over the bounds of chunks, and it waits only while there is nothing.
func (c *chunked) Read(p []byte) (n int, err error) {
	for c.err == nil && n < len(p) {
		if c.left > 0 {
			if n > 0 && c.br.Buffered() == 0 {
				return n, nil
			}
			m, err := c.br.Read(p[n:min(int64(len(p)), int64(n)+c.left)])
			n, c.left, c.err = n+m, c.left-int64(m), unexpected(err)
			continue
		}
		if n > 0 && !c.nextIsHere() {
			return n, nil
		}
		c.err = c.next()
	}
	if n == 0 || errors.Is(c.err, io.EOF) {
		return n, c.err
	}
	return n, nil
}

// nextIsHere reports whether the head of the next chunk can be read without waiting.
func (c *chunked) nextIsHere() bool {
	b, _ := c.br.Peek(c.br.Buffered())
	if c.begun {
		b = b[min(2, len(b)):]
	}
	if len(b) > 0 && b[0] == '0' {
		return c.ended() // the last one ends with what follows it
	}
	return bytes.IndexByte(b, '\n') > 0
}

// next reads the head of the next chunk; after the last it returns [io.EOF].
func (c *chunked) next() error {
	if c.begun {
		if line, err := c.line(); err != nil || len(line) > 0 {
			return errors.Join(err, bad(len(line) > 0))
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(line, []byte(";"))
	c.left, err = hex(bytes.TrimRight(size, " \t"))
	if err != nil || c.left > 0 {
		c.begun = true
		return err
	}
	for {
		switch line, err = c.line(); {
		case err != nil:
			return err
		case len(line) == 0:
			return io.EOF
		}
		if _, ok := parseHeaders(string(line) + "\r\n"); !ok {
			return errChunk
		}
	}
}

func bad(is bool) error {
	if is {
		return errChunk
	}
	return nil
}

// line reads a line, which is good until the next is read.
func (c *chunked) line() ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errChunk
	case err != nil:
		return nil, unexpected(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return nil, errChunk
	}
	return line, nil
}

// hex reads the size of a chunk.
func hex(b []byte) (n int64, err error) {
	if len(b) == 0 || len(b) > 15 {
		return 0, errChunk
	}
	for _, c := range b {
		d := int64(c - '0')
		if l := c | 0x20; l >= 'a' && l <= 'f' {
			d = int64(l-'a') + 10
		} else if c < '0' || c > '9' {
			return 0, errChunk
		}
		n = n<<4 | d
	}
	return n, nil
}

// unexpected says of an end that comes too early that it does.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close does nothing.
func (*chunked) Close() error { return nil }

// ended reports whether nothing of the answer is to come but its end, which is here.
func (c *chunked) ended() bool {
	if c.err != nil || c.left > 0 {
		return c.left == 0
	}
	b, _ := c.br.Peek(min(c.br.Buffered(), len("\r\n0\r\n\r\n")))
	if c.begun {
		b = bytes.TrimPrefix(b, []byte("\r\n"))
	}
	return bytes.HasPrefix(b, []byte("0\r\n\r\n"))
}

func (c *chunked) buffered() int { return c.br.Buffered() }
