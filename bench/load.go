package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is what is asked of a target, and what the answer must be.
type load struct {
	form   *form
	answer *answer
	want   []byte // the whole answer, for number 0
	path   string
	tongue tongue // of the caller
	cross  bool   // the answer came in the other tongue and is compared by what it says
	flight int
}

// tally is what came of it.
type tally struct {
	Requests int64
	Chunks   int64
	Wrong    int64
	why      atomic.Pointer[string]
	took     []time.Duration
	mu       sync.Mutex
}

// blame keeps the first wrong answer, for the report.
func (t *tally) blame(format string, args ...any) {
	atomic.AddInt64(&t.Wrong, 1)
	s := fmt.Sprintf(format, args...)
	t.why.CompareAndSwap(nil, &s)
}

// numbers gives each request of a run a number of its own.
var numbers atomic.Int64

// client asks over one connection, HTTP/1.1 by hand.
type client struct {
	addr string
	l    *load
	t    *tally
	conn net.Conn
	r    *bufio.Reader
	out  []byte
	in   []byte
	want []byte
}

// closed keeps l.flight requests in flight for a time. What has begun by then is finished.
func closed(ctx context.Context, addr string, l *load, d time.Duration) *tally {
	t := &tally{}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for range l.flight {
		wg.Go(func() {
			c := &client{addr: addr, l: l, t: t}
			defer c.close()
			for time.Now().Before(end) && ctx.Err() == nil {
				c.once()
			}
		})
	}
	wg.Wait()
	return t
}

// open asks at a fixed rate, whatever the answers do, and times each from the moment it was due.
func open(ctx context.Context, addr string, l *load, perSecond int, d time.Duration) *tally {
	t := &tally{}
	due := make(chan time.Time, 4096)
	var wg sync.WaitGroup
	for range l.flight {
		wg.Go(func() {
			c := &client{addr: addr, l: l, t: t}
			defer c.close()
			c.once() // opens the connection; not timed
			for at := range due {
				c.once()
				took := time.Since(at)
				t.mu.Lock()
				t.took = append(t.took, took)
				t.mu.Unlock()
			}
		})
	}
	step := time.Second / time.Duration(perSecond)
	next := time.Now().Add(200 * time.Millisecond)
	for end := next.Add(d); next.Before(end) && ctx.Err() == nil; next = next.Add(step) {
		time.Sleep(time.Until(next))
		due <- next
	}
	close(due)
	wg.Wait()
	return t
}

// quantile returns the q-th of the sorted times.
func (t *tally) quantile(q float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	slices.Sort(t.took)
	return t.took[min(len(t.took)-1, int(q*float64(len(t.took))))]
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// answerWithin is how long an answer may take; the longest is paced.
const answerWithin = 30 * time.Second

func (c *client) once() {
	id := int(numbers.Add(1))
	atomic.AddInt64(&c.t.Requests, 1)
	if err := c.exchange(id); err != nil {
		c.t.blame("%v", err)
		c.close()
	}
}

func dial(addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(context.Background(), "tcp", addr)
}

func (c *client) exchange(id int) error {
	if c.conn == nil {
		conn, err := dial(c.addr)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			return err
		}
		c.conn, c.r = conn, bufio.NewReaderSize(conn, 64<<10)
	}
	_ = c.conn.SetDeadline(time.Now().Add(answerWithin))
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Anthropic-Version: 2023-06-01\r\nAccept: application/json\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n", c.l.path, c.addr, benchKey, len(c.l.form.body))
	c.out = c.l.form.fill(c.out, id)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the status: %w", err)
	}
	length, chunked, err := readHead(c.r)
	if err != nil {
		return fmt.Errorf("reading the head: %w", err)
	}
	if c.in, err = readBody(c.r, c.in[:0], length, chunked); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		return fmt.Errorf("%s: %.300s", strings.TrimSpace(line), c.in)
	}
	atomic.AddInt64(&c.t.Chunks, int64(len(c.l.answer.frames)))
	return c.compare(id)
}

// compare checks the answer: byte for byte, or by what it says where it crossed.
func (c *client) compare(id int) error {
	got := c.in
	if c.l.cross {
		c.want = append(c.want[:0], c.l.answer.text...)
		got = said(c.l.tongue, got)
	} else {
		c.want = append(c.want[:0], c.l.want...)
	}
	number := fmt.Sprintf("%0*d", idDigits, id)
	if i := bytes.Index(c.want, []byte(idWord)); i >= 0 {
		copy(c.want[i+len(idWord):], number)
	}
	if !bytes.Equal(got, c.want) {
		return fmt.Errorf("answer %s differs: got %.200q, want %.200q", number, got, c.want)
	}
	return nil
}
