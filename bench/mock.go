package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// mockRole is the argument that makes this program the upstream.
const mockRole = "mock"

// The pace of a paced stream, and how long a held answer is held.
const (
	pace = 20 * time.Millisecond
	hold = 100 * time.Millisecond
)

// mock is the upstream: HTTP/1.1 by hand, so that it takes as little of the machine as may be. It checks
// the body of every request and answers with its number.
type mock struct {
	answers map[string]*answer
	served  atomic.Int64
	bad     atomic.Int64
}

func newMock() *mock {
	m := &mock{answers: map[string]*answer{}}
	for _, t := range []tongue{openAI, anthropic} {
		for _, s := range styles() {
			m.answers[t.path()+" "+s.model] = t.answer(s)
		}
	}
	return m
}

// serveMock listens on a free port, tells it, and serves until standard input ends.
func serveMock() error {
	l, err := announce()
	if err != nil {
		return err
	}
	newMock().listen(l)
	return nil
}

// announce listens on a free port and tells it, until standard input ends.
func announce() (net.Listener, error) {
	l, err := loopback(context.Background())
	if err != nil {
		return nil, err
	}
	fmt.Println(l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	return l, nil
}

// loopback listens on a free port.
func loopback(ctx context.Context) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
}

func (m *mock) listen(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go m.serve(conn)
	}
}

func (m *mock) serve(conn net.Conn) {
	defer conn.Close()
	c := &mockConn{r: bufio.NewReaderSize(conn, 64<<10), w: bufio.NewWriterSize(conn, 64<<10)}
	for {
		if err := c.read(); err != nil {
			return
		}
		if c.path == "/stats" {
			m.stats(c)
		} else if err := m.answer(c); err != nil {
			return
		}
		if c.w.Flush() != nil {
			return
		}
	}
}

type mockConn struct {
	r    *bufio.Reader
	w    *bufio.Writer
	path string
	body []byte
	buf  []byte
}

// read reads one request.
func (c *mockConn) read() error {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	parts := bytes.Fields(line)
	if len(parts) < 2 {
		return errors.New("bad request line")
	}
	c.path = string(parts[1])
	length, chunked, err := readHead(c.r)
	if err != nil {
		return err
	}
	c.body, err = readBody(c.r, c.body[:0], length, chunked)
	return err
}

// readHead reads header fields and tells the length of the body.
func readHead(r *bufio.Reader) (length int, chunked bool, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.Contains(value, []byte("chunked"))
		}
	}
}

// readBody reads a body, and the trailer of one in chunks.
func readBody(r *bufio.Reader, dst []byte, length int, chunked bool) ([]byte, error) {
	if !chunked {
		return readN(r, dst, length)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return dst, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return dst, err
		}
		if n == 0 {
			_, _, err := readHead(r)
			return dst, err
		}
		if dst, err = readN(r, dst, int(n)); err != nil {
			return dst, err
		}
		if _, err := r.Discard(2); err != nil {
			return dst, err
		}
	}
}

func readN(r *bufio.Reader, dst []byte, n int) ([]byte, error) {
	at := len(dst)
	if cap(dst)-at < n {
		dst = append(make([]byte, 0, 2*(at+n)), dst...)
	}
	dst = dst[:at+n]
	_, err := io.ReadFull(r, dst[at:])
	return dst, err
}

func (m *mock) stats(c *mockConn) {
	b, _ := json.Marshal(map[string]int64{"served": m.served.Load(), "bad": m.bad.Load()})
	c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b))
}

func (m *mock) answer(c *mockConn) error {
	id, model, err := check(c.body)
	a := m.answers[c.path+" "+model]
	if err == nil && a == nil {
		err = fmt.Errorf("no answer to %s %s", c.path, model)
	}
	if err != nil {
		m.bad.Add(1)
		msg := fmt.Sprintf(`{"error":{"message":%q,"type":"invalid_request_error"}}`, err)
		c.say(fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(msg), msg))
		return nil
	}
	m.served.Add(1)
	if a.model == "held" {
		time.Sleep(hold)
	}
	if !a.stream {
		c.unary(a, id)
		return nil
	}
	return c.stream(a, id, bytes.Contains(c.body, []byte(`"include_usage":true`)))
}

// check reads the number of a request, and whether the prompt and the image are whole.
func check(body []byte) (id []byte, model string, err error) {
	_, rest, ok := bytes.Cut(body, []byte(`"model":"`))
	if !ok {
		return nil, "", errors.New("no model")
	}
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	_, rest, ok = bytes.Cut(body, []byte(openMark))
	if !ok {
		return nil, "", errors.New("no mark")
	}
	head, rest, _ := bytes.Cut(rest, []byte("]]"))
	text, _, ok := bytes.Cut(rest, []byte(closeMark))
	fields := strings.Fields(string(head))
	if !ok || len(fields) < 2 || fields[1] != fmt.Sprintf("sum=%08x", crc32.ChecksumIEEE(text)) {
		return nil, "", errors.New("the prompt is not what was sent")
	}
	if len(fields) > 2 && !whole(body, fields[2]) {
		return nil, "", errors.New("the image is not what was sent")
	}
	return []byte(strings.TrimPrefix(fields[0], "id=")), string(name), nil
}

func whole(body []byte, field string) bool {
	size, sum, _ := strings.Cut(strings.TrimPrefix(field, "image="), ",")
	n, _ := strconv.Atoi(size)
	at := bytes.Index(body, []byte(imageHead))
	return at >= 0 && at+n <= len(body) && sum == fmt.Sprintf("%08x", crc32.ChecksumIEEE(body[at:at+n]))
}

// The heads of answers, with what real vendors send besides.
const (
	unaryHead  = "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nX-Request-Id: req_0a1b2c3d4e5f\r\nRequest-Id: req_0a1b2c3d4e5f\r\n"
	streamHead = "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nX-Request-Id: req_0a1b2c3d4e5f\r\nRequest-Id: req_0a1b2c3d4e5f\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// say and put write. An error stays with the writer until Flush tells it.
func (c *mockConn) say(s string) { _, _ = c.w.WriteString(s) }
func (c *mockConn) put(b []byte) { _, _ = c.w.Write(b) }

func (c *mockConn) unary(a *answer, id []byte) {
	body := c.numbered(a.frames[0], id)
	c.say(unaryHead)
	c.say("Content-Length: ")
	c.say(strconv.Itoa(len(body)))
	c.say("\r\n\r\n")
	c.put(body)
}

// numbered returns a copy with the number of the request in its place.
func (c *mockConn) numbered(frame, id []byte) []byte {
	c.buf = append(c.buf[:0], frame...)
	if i := bytes.Index(c.buf, []byte(idWord)); i >= 0 {
		copy(c.buf[i+len(idWord):], id)
	}
	return c.buf
}

func (c *mockConn) stream(a *answer, id []byte, usage bool) error {
	c.say(streamHead)
	var tick *time.Ticker
	if a.paced {
		tick = time.NewTicker(pace)
		defer tick.Stop()
	}
	for _, f := range a.frames {
		if tick != nil {
			if err := c.w.Flush(); err != nil {
				return err
			}
			<-tick.C
		}
		c.chunk(c.numbered(f, id))
	}
	if usage && a.usage != nil {
		c.chunk(a.usage)
	}
	c.chunk(a.end)
	c.say("0\r\n\r\n")
	return nil
}

func (c *mockConn) chunk(b []byte) {
	c.say(strconv.FormatInt(int64(len(b)), 16))
	c.say("\r\n")
	c.put(b)
	c.say("\r\n")
}
