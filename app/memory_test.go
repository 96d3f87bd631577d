package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// heap watches how much memory the process has in use while something happens.
type heap struct {
	before uint64
	peak   atomic.Uint64
	stop   func()
}

// watchHeap begins to look. Garbage is collected early meanwhile, so that what is seen is what is held.
func watchHeap(t *testing.T) *heap {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes much memory")
	}
	percent := debug.SetGCPercent(10)
	runtime.GC()
	h := &heap{before: heapInUse()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			h.peak.Store(max(h.peak.Load(), heapInUse()))
			time.Sleep(5 * time.Millisecond)
		}
	}()
	h.stop = func() { cancel(); <-done; debug.SetGCPercent(percent) }
	t.Cleanup(h.stop)
	return h
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// grew fails the test if more than so many bytes were in use at any time.
func (h *heap) grew(t *testing.T, most uint64) {
	t.Helper()
	h.stop()
	grown := h.peak.Load() - min(h.peak.Load(), h.before)
	t.Logf("the heap grew by %d MiB at most", grown>>20)
	if grown > most {
		t.Errorf("the heap grew by %d MiB, want at most %d", grown>>20, most>>20)
	}
}

// endless is a body that is made as it is read.
type endless struct {
	head string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= int64(n)
	return n, nil
}

// upload sends a body of a length, or chunked with -1.
func (w *world) upload(ctx context.Context, path string, body io.Reader, length int64) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, io.NopCloser(body))
	if err != nil {
		return 0, "", err
	}
	req.ContentLength = length
	req.Header.Set("Authorization", "Bearer "+worldKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestABodyOf100MBIsRefusedAndNotHeld(t *testing.T) {
	const size = 100 << 20
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, "max_body: 8MiB\n"+oneTarget, up.URL)
	h := watchHeap(t)
	for path, mark := range map[string]string{"/v1/chat/completions": `"type":"invalid_request_error"`, "/v1/messages": `"type":"error"`} {
		for how, length := range map[string]int64{"chunked": -1, "with its length": size} {
			head := `{"model":"m","messages":[{"role":"user","content":"`
			status, got, err := w.upload(t.Context(), path, &endless{head, size - int64(len(head))}, length)
			if err != nil {
				t.Errorf("%s %s: the caller does not hear why: %v", path, how, err)
				continue
			}
			if status != http.StatusRequestEntityTooLarge || !strings.Contains(got, "8MiB (max_body)") || !strings.Contains(got, mark) {
				t.Errorf("%s %s: %d %s", path, how, status, got)
			}
		}
	}
	h.grew(t, 6*8<<20) // the body, what it grew out of, and what is kept for the next
	if up.Count() != 0 {
		t.Errorf("%d calls reached the upstream", up.Count())
	}
}

// Two hundred callers at once with bodies that are not too large, each by itself: there is room for so
// many, and the others are told to come again.
func TestManyLargeBodiesAtOnceStayWithinTheBound(t *testing.T) {
	const callers, body, bound = 200, 9 << 20 / 10, 16 << 20
	up := testkit.NewUpstream(t, testkit.JSON(whole).DelayHeaders(300*time.Millisecond))
	w := newWorld(t, Mechanisms{}, "max_body: 1MiB\nmax_in_flight: 16MiB\n"+oneTarget, up.URL)
	h := watchHeap(t)
	var good, full, other atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			path := []string{"/v1/chat/completions", "/v1/messages"}[i%2]
			length := []int64{-1, body}[i/2%2]
			head, tail := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"`, `"}]}`
			in := io.MultiReader(&endless{head, body - int64(len(head)+len(tail))}, strings.NewReader(tail))
			status, got, err := w.upload(t.Context(), path, in, length)
			switch {
			case status == http.StatusOK && err == nil:
				good.Add(1)
			case status == http.StatusServiceUnavailable && strings.Contains(got, "max_in_flight is 16MiB"), status == 529 && strings.Contains(got, "max_in_flight is 16MiB"):
				full.Add(1)
			default:
				other.Add(1)
				t.Errorf("%s: %d %.200s %v", path, status, got, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d were answered, %d were told to come again", good.Load(), full.Load())
	// The callers and the upstream, which keeps what it was sent, live in this process too, and the collector
	// lets garbage grow to as much as is in use. All bodies at once would be several times that.
	h.grew(t, 2*(3*bound+uint64(good.Load())*body*2))
	if good.Load() == 0 || full.Load() == 0 {
		t.Errorf("%d were answered and %d refused, want some of each", good.Load(), full.Load())
	}
	if status, got, err := w.upload(t.Context(), "/v1/chat/completions", strings.NewReader(askWhole), int64(len(askWhole))); status != http.StatusOK {
		t.Errorf("the room was not given back: %d %s %v", status, got, err)
	}
}

// flood is an upstream that answers with as much as is taken.
func flood(t *testing.T, contentType string, encoded bool, head, piece string, size int64) (url string, sent *atomic.Int64) {
	t.Helper()
	sent = &atomic.Int64{}
	var packed []byte
	if encoded {
		packed = gzipOf(t, head, piece, int(size)/len(piece))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		if encoded {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
			return
		}
		_, _ = io.WriteString(w, head)
		for sent.Load() < size && r.Context().Err() == nil {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
			sent.Add(int64(len(piece)))
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, sent
}

func TestAnUpstreamThatAnswersTooMuchIsCutOff(t *testing.T) {
	text := strings.Repeat("x", 64<<10)
	frames := strings.Repeat("data: "+chunk(strings.Repeat("x", 1000))+"\n\n", 64)
	for name, c := range map[string]struct {
		stream      bool // as the caller wants it
		contentType string
		encoded     bool
		head, piece string
		says        string
	}{
		"1 GB unstreamed":                 {false, "application/json", false, `{"id":"`, text, "larger than 8MiB (max_answer)"},
		"1 GB for a stream":               {true, "application/json", false, `{"id":"`, text, "larger than 8MiB (max_answer)"},
		"a line without end":              {true, "text/event-stream", false, "data: ", text, "larger than 1MiB (max_event)"},
		"a stream without end, gathered":  {false, "text/event-stream", false, "data: " + roleChunk + "\n\n", frames, "larger than 8MiB (max_answer)"},
		"a gzip bomb":                     {false, "application/json", true, `{"id":"`, text, "larger than 8MiB (max_answer)"},
		"a gzip bomb of one event":        {true, "text/event-stream", true, "data: ", text, "larger than 1MiB (max_event)"},
		"a gzip bomb of events, gathered": {false, "text/event-stream", true, "data: " + roleChunk + "\n\n", frames, "larger than 8MiB (max_answer)"},
	} {
		t.Run(name, func(t *testing.T) {
			url, sent := flood(t, c.contentType, c.encoded, c.head, c.piece, 1<<30)
			yaml := strings.Replace(oneTarget, "attempts: 2", "attempts: 1", 1)
			w := newWorld(t, Mechanisms{}, "max_answer: 8MiB\nmax_event: 1MiB\n"+yaml, url)
			h := watchHeap(t)
			for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
				resp, got := w.post(path, fmt.Sprintf(`{"model":"m","max_tokens":9,"stream":%t,"messages":[{"role":"user","content":"x"}]}`, c.stream))
				if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, c.says) {
					t.Errorf("%s: %d %.300s", path, resp.StatusCode, got)
				}
			}
			h.grew(t, 8*8<<20) // of a gigabyte; garbage of the tests before counts too
			if !c.encoded && sent.Load() > 200<<20 {
				t.Errorf("the upstream could send %d MiB", sent.Load()>>20)
			}
		})
	}
}

func TestALargeAnswerThatClaimsItsLengthIsNotEvenRead(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole).ClaimLength(1<<30))
	w := newWorld(t, Mechanisms{}, "max_answer: 8MiB\n"+strings.Replace(oneTarget, "attempts: 2", "attempts: 1", 1), up.URL)
	if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, "larger than 8MiB (max_answer)") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// Many large answers side by side find the same room as requests do.
func TestManyLargeAnswersAtOnceStayWithinTheBound(t *testing.T) {
	answer := strings.Replace(whole, `"hi"`, `"`+strings.Repeat("x", 2<<20)+`"`, 1)
	up := testkit.NewUpstream(t, testkit.JSON(answer).Drip(64<<10, 2*time.Millisecond))
	w := newWorld(t, Mechanisms{}, "max_body: 1MiB\nmax_in_flight: 8MiB\n"+strings.Replace(oneTarget, "attempts: 2", "attempts: 1", 1), up.URL)
	var good, full atomic.Int64
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			switch resp, got := w.post("/v1/chat/completions", askWhole); {
			case resp.StatusCode == http.StatusOK && got == answer:
				good.Add(1)
			case resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(got, "no room for this answer (max_in_flight is 8MiB)"):
				full.Add(1)
			default:
				t.Errorf("%d %.300s", resp.StatusCode, got)
			}
		})
	}
	wg.Wait()
	t.Logf("%d were answered, %d were told to come again", good.Load(), full.Load())
	if full.Load() == 0 {
		t.Error("none was refused")
	}
	if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != http.StatusOK {
		t.Errorf("the room was not given back: %d %.300s", resp.StatusCode, got)
	}
}

// A huge answer that comes drop by drop ends where the total time does.
func TestAnAnswerThatDripsForEverIsCalledOff(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole+strings.Repeat(" ", 64<<20)).Drip(64, 20*time.Millisecond))
	yaml := strings.Replace(oneTarget, `base_url: "%s/v1"}`, `base_url: "%s/v1", timeouts: {total: 500ms}}`, 1)
	w := newWorld(t, Mechanisms{}, strings.Replace(yaml, "attempts: 2", "attempts: 1", 1), up.URL)
	start := time.Now()
	resp, got := w.post("/v1/chat/completions", askWhole)
	if resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(got, "total") || time.Since(start) > 5*time.Second {
		t.Errorf("%d after %v: %s", resp.StatusCode, time.Since(start), got)
	}
}

// A caller that stops reading holds the upstream up, not the memory, and is cut off in time.
func TestACallerThatStopsReadingHoldsTheUpstreamUp(t *testing.T) {
	frames := strings.Repeat("data: "+chunk(strings.Repeat("x", 1000))+"\n\n", 64)
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		t.Run(path, func(t *testing.T) {
			url, sent := flood(t, "text/event-stream", false, "data: "+roleChunk+"\n\n", frames, 1<<30)
			w := newWorld(t, Mechanisms{}, "timeouts: {write_idle: 1s}\n"+oneTarget, url)
			h := watchHeap(t)
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			body := `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, worldKey, len(body), body)
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			head := make([]byte, 4096)
			if n, err := conn.Read(head); err != nil || !bytes.HasPrefix(head[:n], []byte("HTTP/1.1 200 OK")) {
				t.Fatalf("%q %v", head[:n], err)
			}
			began := time.Now()
			r := w.records.nth(t, 0)
			if d := time.Since(began); d > 10*time.Second || r.Outcome != plenum.OutcomeCanceled || r.Usage.Output == 0 {
				t.Errorf("it ended after %v: %+v", d, r)
			}
			h.grew(t, 16<<20)
			if sent.Load() > 64<<20 {
				t.Errorf("the upstream could send %d MiB", sent.Load()>>20)
			}
		})
	}
}
