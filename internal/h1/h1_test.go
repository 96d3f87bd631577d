package h1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTransport(t *testing.T) *Transport {
	t.Helper()
	tr := New(new(net.Dialer).DialContext)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func post(t *testing.T, tr *Transport, url string, parts ...[]byte) (*http.Response, error) {
	t.Helper()
	return postWith(t.Context(), tr, url, parts...)
}

func postWith(ctx context.Context, tr *Transport, url string, parts ...[]byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, err
	}
	b := NewBody(nil, parts...)
	defer b.Close()
	b.Set(r)
	return tr.RoundTrip(r)
}

func read(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// echo answers with what it was sent, and counts connections.
func echo(t *testing.T) (url string, conns *atomic.Int64) {
	t.Helper()
	conns = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Said", r.Header.Get("X-Say"))
		if r.URL.Query().Get("chunked") != "" {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(b)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, conns
}

// raw is a server that is told what to do with each connection.
func raw(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); serve(n, c, bufio.NewReader(c)) })
		}
	})
	return "http://" + l.Addr().String()
}

func request(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

func TestBodiesOfEverySizeArriveAndTheConnectionIsKept(t *testing.T) {
	url, conns := echo(t)
	tr := newTransport(t)
	for _, n := range []int{0, 1, joinUpTo - 1, joinUpTo, joinUpTo + 1, asideFrom - 1, asideFrom, 3 << 20} {
		for _, path := range []string{"/", "/?chunked=1"} {
			want := strings.Repeat("0123456789", n/10+1)[:n]
			resp, err := post(t, tr, url+path, []byte(want[:n/3]), []byte(want[n/3:]))
			if got := read(t, resp, err); got != want {
				t.Fatalf("%d bytes: %d came back", n, len(got))
			}
			tr.awaitIdle(t)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections were made for one request after the other", n)
	}
}

// awaitIdle waits until a connection may be used again.
func (tr *Transport) awaitIdle(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		tr.mu.Lock()
		n := 0
		for _, cs := range tr.idle {
			n += len(cs)
		}
		tr.mu.Unlock()
		if n > 0 {
			return
		}
	}
	t.Fatal("no connection is kept")
}

func TestManyAtOnceGetTheirOwnAnswers(t *testing.T) {
	url, _ := echo(t)
	tr := newTransport(t)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for k := range 30 {
				want := strings.Repeat(fmt.Sprintf("%d.%d ", i, k), 1+(i*k*997)%30_000)
				resp, err := post(t, tr, url, []byte(want))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != want {
					t.Errorf("%d.%d: %d bytes of %d, %v", i, k, len(got), len(want), err)
				}
			}
		})
	}
	all.Wait()
}

func TestAConnectionClosedWhileIdleIsReplaced(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if request(r) == nil {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := newTransport(t)
	for range 5 {
		resp, err := post(t, tr, url, []byte("x"))
		if got := read(t, resp, err); got != "ok" {
			t.Fatal(got)
		}
		time.Sleep(5 * time.Millisecond) // the server closes
	}
}

func TestWhatComesUnaskedIsNotTakenForAnAnswer(t *testing.T) {
	late := make(chan struct{}, 3)
	url := raw(t, func(n int, c net.Conn, r *bufio.Reader) {
		for request(r) == nil {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n)
			time.Sleep(time.Millisecond)
			fmt.Fprint(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate")
			late <- struct{}{}
		}
	})
	tr := newTransport(t)
	for i := range 3 {
		resp, err := post(t, tr, url, []byte("x"))
		if got := read(t, resp, err); got != fmt.Sprint(i+1) {
			t.Fatalf("answer %d: %q", i, got)
		}
		<-late
		time.Sleep(20 * time.Millisecond) // to arrive
	}
}

func TestAnAnswerThatComesBeforeTheBodyWasReadIsHeard(t *testing.T) {
	for _, size := range []int{100, 64 << 10, 8 << 20} {
		url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			_, _ = r.ReadString('\n')
			fmt.Fprint(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
			time.Sleep(100 * time.Millisecond)
		})
		resp, err := post(t, newTransport(t), url, make([]byte, size))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: status %d", size, resp.StatusCode)
		}
		resp.Body.Close()
	}
}

func TestLargeBodiesBothWaysAtOnce(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", req.ContentLength)
		_, _ = io.Copy(c, req.Body)
	})
	want := bytes.Repeat([]byte("abcdefgh"), 2<<20)
	resp, err := post(t, newTransport(t), url, want)
	if got := read(t, resp, err); got != string(want) {
		t.Errorf("%d bytes of %d came back", len(got), len(want))
	}
}

func TestInterimAnswersAreSkipped(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for request(r) == nil {
			fmt.Fprint(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := newTransport(t)
	for range 2 {
		resp, err := post(t, tr, url, []byte("x"))
		if got := read(t, resp, err); got != "ok" || resp.StatusCode != 200 {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
	}
}

func TestBrokenAnswersAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":          "",
		"half a head":      "HTTP/1.1 200 OK\r\nContent-",
		"not HTTP":         "hello\r\n\r\n",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"half a chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
		"no last chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"a chunk of what":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhalf\r\n",
		"a head too large": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 2000) + "\r\n",
		"interim for ever": strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				_ = request(r)
				fmt.Fprint(c, answer)
			})
			resp, err := post(t, newTransport(t), url, []byte("x"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil || errors.Is(err, io.EOF) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnAnswerUntilTheEndOfTheConnection(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_ = request(r)
		fmt.Fprint(c, "HTTP/1.0 200 OK\r\n\r\nall of it")
	})
	tr := newTransport(t)
	for range 2 {
		resp, err := post(t, tr, url, []byte("x"))
		if got := read(t, resp, err); got != "all of it" {
			t.Error(got)
		}
	}
}

func TestACallThatIsCalledOffClosesItsConnection(t *testing.T) {
	why := errors.New("called off")
	for name, answer := range map[string]string{
		"before the head": "",
		"in the body":     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan time.Time, 1)
			url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				_ = request(r)
				fmt.Fprint(c, answer)
				_, _ = r.ReadByte()
				gone <- time.Now()
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			var at time.Time
			time.AfterFunc(50*time.Millisecond, func() { at = time.Now(); cancel(why) })
			resp, err := postWith(ctx, newTransport(t), url, []byte("x"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if !errors.Is(err, why) {
				t.Errorf("error %v", err)
			}
			select {
			case seen := <-gone:
				t.Logf("seen after %v", seen.Sub(at))
			case <-time.After(5 * time.Second):
				t.Error("the server did not see it")
			}
		})
	}
}

func TestALargeBodyIsLetGoWhenNobodyReadsItAnyMore(t *testing.T) {
	stuck := make(chan struct{})
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		<-stuck
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	b := NewBody(func() { close(done) }, make([]byte, 64<<20))
	b.Set(r)
	time.AfterFunc(30*time.Millisecond, cancel)
	if resp, err := newTransport(t).RoundTrip(r); err == nil {
		resp.Body.Close()
		t.Error("it was answered")
	}
	select {
	case <-done:
		t.Error("the body was let go while its owner had it")
	default:
	}
	b.Close()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("the body was never let go")
	}
	close(stuck)
}

func TestHeadersThatBreakOutAreRefused(t *testing.T) {
	url, conns := echo(t)
	for _, h := range []http.Header{
		{"X-Say": {"a\r\nX-Evil: b"}}, {"X-Say": {"a\x00"}}, {"X Say": {"a"}}, {"X-Say:": {"a"}}, {"": {"a"}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = h
		b := NewBody(nil, []byte("x"))
		b.Set(r)
		if resp, err := newTransport(t).RoundTrip(r); err == nil {
			resp.Body.Close()
			t.Errorf("%q was sent", h)
		}
	}
	if n := conns.Load(); n > 5 {
		t.Errorf("%d connections for requests that were never sent", n)
	}
}

func TestHeadersOfTheConnectionAreOurs(t *testing.T) {
	url, _ := echo(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Say": {"hello"}, "Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"}, "Host": {"elsewhere"}}
	b := NewBody(nil, []byte("body"))
	defer b.Close()
	b.Set(r)
	resp, err := newTransport(t).RoundTrip(r)
	if got := read(t, resp, err); got != "body" || resp.Header.Get("X-Said") != "hello" {
		t.Errorf("%q, %v", got, resp.Header)
	}
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	url, _ := echo(t)
	tr := newTransport(t)
	tr.idleFor = 20 * time.Millisecond
	resp, err := post(t, tr, url, []byte("x"))
	read(t, resp, err)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		tr.mu.Lock()
		left := len(tr.idle)
		tr.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the connection is still kept")
		}
	}
}

func TestOtherTransportsCanSendTheBody(t *testing.T) {
	url, _ := echo(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	let := new(atomic.Int64)
	b := NewBody(func() { let.Add(1) }, []byte("one "), nil, []byte("two"))
	b.Set(r)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(r)
	if got := read(t, resp, err); got != "one two" {
		t.Error(got)
	}
	again, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(again); string(got) != "one two" {
		t.Errorf("again: %q", got)
	}
	again.Close()
	b.Close()
	b.Close()
	for end := time.Now().Add(5 * time.Second); let.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if let.Load() != 1 {
		t.Errorf("let go %d times", let.Load())
	}
	if _, err := r.GetBody(); err == nil {
		t.Error("a body that was let go can be had again")
	}
}

func TestTakes(t *testing.T) {
	for url, want := range map[string]bool{"http://h/": true, "https://h/": false, "http://u:p@h/": false} {
		r, _ := http.NewRequest(http.MethodPost, url, nil)
		NewBody(nil, []byte("x")).Set(r)
		if Takes(r) != want {
			t.Errorf("Takes(%s) is %v", url, !want)
		}
		r, _ = http.NewRequest(http.MethodPost, url, strings.NewReader("x"))
		if Takes(r) {
			t.Errorf("Takes(%s) with another body", url)
		}
	}
}
