package h1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serveOn starts a server and returns its address.
func serveOn(t *testing.T, std *http.Server) (string, *Server) {
	t.Helper()
	if std.ErrorLog == nil {
		std.ErrorLog = log.New(io.Discard, "", 0)
	}
	s := NewServer(std)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return l.Addr().String(), s
}

func dialTo(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// say sends bytes and returns all that comes until the server closes the connection.
func say(t *testing.T, addr, raw string) string {
	t.Helper()
	c := dialTo(t, addr)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

// mirror answers with what it has understood of a request, in the way that the request asks for.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	said := fmt.Sprintf("%s %s path=%q query=%q host=%q length=%d error=%v x=%q body=%q", r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, r.ContentLength, err, r.Header["X-Test"], body)
	switch r.URL.Path {
	case "/length":
		w.Header().Set("Content-Length", fmt.Sprint(len(said)))
	case "/chunks":
		w.Header().Set("Trailer", "X-Late")
		w.WriteHeader(http.StatusAccepted)
		for piece := range strings.SplitSeq(said, " ") {
			fmt.Fprint(w, piece)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Late", "yes")
		return
	case "/late": // a stream so short that all of it could have been held back
		w.Header().Set("Trailer", "X-Late, X-Early")
		w.Header().Set("X-Early", "known")
		fmt.Fprint(w, said)
		w.Header().Set("X-Late", "yes")
		return
	case "/large":
		said = strings.Repeat(said, 2000)
	case "/nothing":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/bye":
		w.Header().Set("Connection", "close")
	case "/evil":
		w.Header().Set("X-Evil", "a\r\nX-Injected: b")
	}
	fmt.Fprint(w, said)
}

// answersOf reads all answers of a connection.
func answersOf(t *testing.T, raw, sent string) []string {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(raw))
	var all []string
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: strings.Fields(sent + " x")[0]})
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%v in %q", err, raw)
			}
			return all
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Header.Del("Date")
		all = append(all, fmt.Sprintln(resp.Status, resp.Header, resp.Trailer, string(b), err, resp.Close))
	}
}

// What the server answers is what net/http answers, whatever it is asked.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	std := func() *http.Server {
		return &http.Server{Handler: http.HandlerFunc(mirror), ReadHeaderTimeout: time.Second, IdleTimeout: 200 * time.Millisecond, ErrorLog: log.New(io.Discard, "", 0)}
	}
	ours, _ := serveOn(t, std())
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	theirs := std()
	go func() { _ = theirs.Serve(l) }()
	t.Cleanup(func() { theirs.Close() })
	const h = " HTTP/1.1\r\nHost: example\r\n"
	for name, raw := range map[string]string{
		"get":                  "GET /" + h + "\r\n",
		"post":                 "POST /length?a=b&c" + h + "Content-Length: 4\r\nX-Test: one\r\nx-test:  two \r\n\r\nbody",
		"chunked answer":       "POST /chunks" + h + "Content-Length: 4\r\n\r\nbody",
		"short with trailers":  "GET /late" + h + "\r\n",
		"large":                "GET /large" + h + "\r\n",
		"no content":           "DELETE /nothing" + h + "\r\n",
		"two behind another":   "POST /" + h + "Content-Length: 3\r\n\r\noneGET /length" + h + "\r\n",
		"close asked":          "GET /" + h + "Connection: close\r\n\r\nGET /" + h + "\r\n",
		"close said":           "GET /bye" + h + "\r\nGET /" + h + "\r\n",
		"keep alive":           "GET /" + h + "Connection: keep-alive\r\n\r\n",
		"head":                 "HEAD /length" + h + "\r\n",
		"escaped":              "GET /a%2Fb/%C3%A9?x=%20#y" + h + "\r\n",
		"bad escape":           "GET /a%zz" + h + "\r\n",
		"two slashes":          "GET //a//b" + h + "\r\n",
		"empty query":          "GET /a?" + h + "\r\n",
		"absolute":             "GET http://other/a" + h + "\r\n",
		"star":                 "OPTIONS *" + h + "\r\n",
		"old":                  "GET / HTTP/1.0\r\n\r\n",
		"old and kept":         "GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: x\r\n\r\n",
		"future":               "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
		"no host":              "GET / HTTP/1.1\r\n\r\n",
		"two hosts":            "GET /" + h + "Host: other\r\n\r\n",
		"bad host":             "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"empty host":           "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"chunks":               "POST /" + h + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"chunks and length":    "POST /" + h + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"chunks after another": "GET /" + h + "\r\nPOST /" + h + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nGET /" + h + "\r\n",
		"strange coding":       "POST /" + h + "Transfer-Encoding: gzip\r\n\r\n",
		"two lengths":          "POST /" + h + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nbody",
		"same length twice":    "POST /" + h + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
		"signed length":        "POST /" + h + "Content-Length: +4\r\n\r\nbody",
		"negative length":      "POST /" + h + "Content-Length: -4\r\n\r\nbody",
		"list of lengths":      "POST /" + h + "Content-Length: 4, 4\r\n\r\nbody",
		"huge length":          "POST /" + h + "Content-Length: 99999999999999999999\r\n\r\nbody",
		"continue":             "POST /" + h + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
		"folded":               "GET /" + h + "X-Test: a\r\n b\r\n\r\n",
		"space before colon":   "GET /" + h + "X-Test : a\r\n\r\n",
		"bare newline":         "GET / HTTP/1.1\nHost: x\n\n",
		"nul":                  "GET /" + h + "X-Test: a\x00b\r\n\r\n",
		"bare return":          "GET /" + h + "X-Test: a\rb\r\n\r\n",
		"no colon":             "GET /" + h + "nonsense\r\n\r\n",
		"strange method":       "BREW /" + h + "\r\n",
		"bad method":           "GE(T /" + h + "\r\n",
		"small letters":        "get /" + h + "\r\n",
		"leading newline":      "\r\nGET /" + h + "\r\n",
		"three spaces":         "GET  / " + h + "\r\n",
		"nonsense":             "\x16\x03\x01nonsense\r\n\r\n",
		"many headers":         "GET /" + h + strings.Repeat("X-Test: a\r\n", 200) + "\r\n",
		"a long head":          "GET /" + h + "X-Test: " + strings.Repeat("a", 100_000) + "\r\n\r\n",
		"too long a head":      "GET /" + h + "X-Test: " + strings.Repeat("a", 3<<20) + "\r\n\r\n",
		"evil answer":          "GET /evil" + h + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := answersOf(t, say(t, l.Addr().String(), raw), raw), answersOf(t, say(t, ours, raw), raw)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("net/http (-) and we (+):\n%s", diff)
			}
			if len(want) == 0 {
				t.Error("nobody answered: the case shows nothing")
			}
		})
	}
}

// FuzzHead holds what is taken as plain against what net/http reads in the same bytes.
func FuzzHead(f *testing.F) {
	f.Add([]byte("POST /v1/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX: y\r\n\r\n"))
	f.Add([]byte("GET /a%20b HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\nx-y: \t z \r\nX-Y: 2\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := headEnd(b, 0)
		if n < 0 {
			return
		}
		a, plain := parseHead(string(b[:n]))
		if !plain {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("taken, but net/http says %v: %q", err, b[:n])
		}
		type view struct {
			Method, URI, Path, Raw, Query, Host string
			Length                              int64
			Header                              http.Header
		}
		want := view{r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.ContentLength, r.Header}
		got := view{a.method, a.target, a.url.Path, a.url.RawPath, a.url.RawQuery, a.host, a.length, a.header}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("net/http (-) and we (+) of %q:\n%s", b[:n], diff)
		}
	})
}

// FuzzAnswer holds how an answer is read against how net/http reads it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), 7)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n"), 3)
	f.Add([]byte("HTTP/1.1 500 \r\nConnection: close\r\nX: y\r\n\r\nrest"), 100)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		r := &http.Request{Method: http.MethodPost}
		want, werr := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), r)
		got, gerr := readHead(bufio.NewReader(bytes.NewReader(b)), r)
		if (werr == nil) != (gerr == nil) {
			t.Fatalf("net/http says %v, we %v", werr, gerr)
		}
		if werr != nil {
			return
		}
		defer want.Body.Close()
		defer got.Body.Close()
		w, werr := io.ReadAll(want.Body)
		g, gerr := io.ReadAll(pieces1{got.Body, 1 + (size&0x7fffffff)%64})
		if werr != nil && gerr != nil {
			return
		}
		if !bytes.Equal(w, g) || (werr == nil) != (gerr == nil) {
			// net/http bounds what chunks may cost above their content.
			if werr != nil && strings.Contains(werr.Error(), "excess") {
				return
			}
			t.Errorf("net/http read %q and %v, we %q and %v", w, werr, g, gerr)
		}
		got.Header.Del("Connection")
		want.Header.Del("Connection")
		if diff := cmp.Diff(want.Header, got.Header); diff != "" || want.StatusCode != got.StatusCode || want.Close != got.Close {
			t.Errorf("status %d and %d, close %v and %v; net/http (-) and we (+):\n%s", want.StatusCode, got.StatusCode, want.Close, got.Close, diff)
		}
	})
}

type pieces1 struct {
	r io.Reader
	n int
}

func (p pieces1) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// A caller who goes away is noticed within 100 ms, whatever was going on.
func TestTheCallerGoesAway(t *testing.T) {
	entered, gone := make(chan struct{}, 1), make(chan time.Time, 1)
	addr, _ := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			_, _ = w.Write([]byte("data: 1\n\n"))
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.ReadAll(r.Body)
		entered <- struct{}{}
		<-r.Context().Done()
		gone <- time.Now()
	})})
	for _, path := range []string{"/", "/begun"} {
		for _, wait := range []time.Duration{0, 5 * time.Millisecond, 60 * time.Millisecond} {
			// On a busy machine one try may be late for reasons of its own.
			soonest := time.Hour
			for range 5 {
				c := dialTo(t, addr)
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", path)
				<-entered
				time.Sleep(wait)
				left := time.Now()
				c.Close()
				select {
				case at := <-gone:
					soonest = min(soonest, at.Sub(left))
				case <-time.After(20 * time.Second):
					t.Fatalf("%s: never noticed", path)
				}
				if soonest < 100*time.Millisecond {
					break
				}
			}
			if soonest > 100*time.Millisecond {
				t.Errorf("%s: noticed after %v", path, soonest)
			}
		}
	}
}

// A request that is sent behind another does not look like a caller who has gone, and is answered.
func TestPipelined(t *testing.T) {
	addr, _ := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			t.Error("the caller is taken to be gone")
		case <-time.After(80 * time.Millisecond):
		}
		fmt.Fprint(w, r.URL.Path)
	}), IdleTimeout: 100 * time.Millisecond})
	c := dialTo(t, addr)
	fmt.Fprint(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	time.Sleep(40 * time.Millisecond) // the watch has begun
	fmt.Fprint(c, "GET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil || strings.Count(string(b), "200 OK") != 3 {
		t.Errorf("%v, %q", err, b)
	}
}

// A body that nobody reads is read over if it is small, and closes the connection if it is not; the answer
// arrives in either case.
func TestABodyThatNobodyReads(t *testing.T) {
	addr, _ := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no") }), IdleTimeout: time.Second})
	for size, kept := range map[int]bool{1000: true, 200_000: true, 5_000_000: false} {
		c := dialTo(t, addr)
		go func() {
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = c.Write(make([]byte, size))
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		}()
		b, _ := io.ReadAll(c)
		want := 1
		if kept {
			want = 2
		}
		if n := strings.Count(string(b), "200 OK"); n != want {
			t.Errorf("%d bytes: %d answers, want %d: %q", size, n, want, b)
		}
	}
}

func TestTimeouts(t *testing.T) {
	addr, _ := serveOn(t, &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }),
		ReadHeaderTimeout: 100 * time.Millisecond, IdleTimeout: 150 * time.Millisecond,
	})
	for name, raw := range map[string]string{"silent": "", "half a head": "GET / HT", "idle": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "half behind one": "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"} {
		began := time.Now()
		b := say(t, addr, raw)
		if d := time.Since(began); d < 80*time.Millisecond || d > 5*time.Second {
			t.Errorf("%s: closed after %v", name, d)
		}
		if answered := strings.Contains(b, "200 OK"); answered != strings.Contains(raw, "\r\n\r\n") {
			t.Errorf("%s: %q", name, b)
		}
	}
	// A head that drips in does not push its own end away.
	c := dialTo(t, addr)
	began := time.Now()
	for i := 0; i < 100; i++ {
		if _, err := c.Write([]byte("GET /aaaaaaaaaaaaa"[min(i, 17) : min(i, 17)+1])); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if d := time.Since(began); d > 900*time.Millisecond {
		t.Errorf("a head that drips was heard for %v", d)
	}
}

func TestDeadlinesOfTheHandler(t *testing.T) {
	addr, _ := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("the body came after all")
		}
		_ = rc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		var err error
		for i := 0; i < 1000 && err == nil; i++ {
			_, err = w.Write(make([]byte, 1<<20))
		}
		if err == nil {
			t.Error("a caller who reads nothing has taken it all")
		}
	})})
	c := dialTo(t, addr)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
	time.Sleep(400 * time.Millisecond)
	_, _ = io.Copy(io.Discard, c)
}

func TestShutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	addr, s := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		fmt.Fprint(w, "done")
	}), IdleTimeout: time.Minute})
	quiet := dialTo(t, addr)
	plain, chunks := dialTo(t, addr), dialTo(t, addr)
	fmt.Fprint(plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprint(chunks, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	<-entered
	<-entered
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if b, err := io.ReadAll(quiet); err != nil || len(b) != 0 {
		t.Errorf("the idle connection: %v, %q", err, b)
	}
	close(release)
	for _, c := range []net.Conn{plain, chunks} {
		// Whether net/http knows of the shutdown already is its own affair.
		b, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(b), "done") || c == plain && !strings.Contains(string(b), "Connection: close") {
			t.Errorf("the call in flight: %v, %q", err, b)
		}
	}
	wg.Wait()
	if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("the port is still open")
	}
}

func TestShutdownGivesUp(t *testing.T) {
	entered := make(chan struct{}, 1)
	addr, s := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
	})})
	c := dialTo(t, addr)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	_ = s.Close()
	if b, _ := io.ReadAll(c); strings.Contains(string(b), "done") {
		t.Errorf("it went on: %q", b)
	}
}

// A panic ends its own connection and nothing else, and a writer that outlives its call reaches nobody.
func TestPanicsAndStragglers(t *testing.T) {
	var kept http.ResponseWriter
	var logged bytes.Buffer
	addr, _ := serveOn(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			fmt.Fprint(w, "half")
			panic("on purpose")
		case "/keep":
			kept = w
		default:
			if _, err := kept.Write([]byte("stolen")); err == nil {
				t.Error("a writer went on after its call")
			}
		}
		fmt.Fprint(w, "ok")
	}), IdleTimeout: 100 * time.Millisecond, ErrorLog: log.New(&logged, "", 0)})
	if b := say(t, addr, "GET /panic HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"); b != "" {
		t.Errorf("after a panic: %q", b)
	}
	b := say(t, addr, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if strings.Contains(b, "stolen") || strings.Count(b, "200 OK") != 2 {
		t.Errorf("%q", b)
	}
	if !strings.Contains(logged.String(), "on purpose") {
		t.Errorf("the log says %q", logged.String())
	}
}

// Upgrades and HTTP/2 without TLS are net/http's, on the same port.
func TestOtherProtocols(t *testing.T) {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	addr, _ := serveOn(t, &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, r.Proto)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
		_ = rw.Flush()
	})})
	if b := say(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); !strings.HasSuffix(b, "hello") {
		t.Errorf("upgraded: %q", b)
	}
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &only}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if got := read(t, resp, err); got != "HTTP/2.0" {
		t.Errorf("answered over %q", got)
	}
}

// What has come of a body is read without waiting for more, wherever the upstream pauses.
func TestAPauseHoldsNothingBack(t *testing.T) {
	const head, body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
	for cut := range len(body) {
		pr, pw := io.Pipe()
		go func() { _, _ = io.WriteString(pw, head+body[:cut]) }()
		resp, err := readHead(bufio.NewReader(pr), &http.Request{Method: http.MethodPost})
		if err != nil {
			t.Fatal(err)
		}
		want := "abc"[:max(0, min(3, cut-3))] + "defg"[:max(0, min(4, cut-15))]
		got := make(chan string)
		go func() {
			var all []byte
			for b := make([]byte, 64); len(all) < len(want); {
				n, err := resp.Body.Read(b)
				if err != nil {
					break
				}
				all = append(all, b[:n]...)
			}
			got <- string(all)
		}()
		select {
		case s := <-got:
			if s != want {
				t.Errorf("cut at %d: %q, want %q", cut, s, want)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("cut at %d: waits for more than %q", cut, want)
		}
		pw.Close()
		resp.Body.Close()
	}
}
