package testkit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// client makes calls on connections of its own and leaves bodies compressed.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func post(t *testing.T, url, body string) (*http.Response, string, error) {
	t.Helper()
	res, err := client(t).Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

func mustPost(t *testing.T, url, body string) (*http.Response, string) {
	t.Helper()
	res, got, err := post(t, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return res, got
}

func TestUpstreamAnswersInOrderAndRemembers(t *testing.T) {
	testkit.LeakCheck(t)
	up := testkit.NewUpstream(t, testkit.OpenAIError(429, "rate_limit", "slow").RetryAfter(1500*time.Millisecond), testkit.JSON(`{"ok":1}`))
	var got []string
	for range 3 {
		res, body := mustPost(t, up.URL+"/v1/a%2Fb?x=1", `{"n":1}`)
		got = append(got, res.Status+" "+res.Header.Get("Retry-After")+" "+res.Header.Get("retry-after-ms")+" "+body)
	}
	want := []string{
		`429 Too Many Requests 2 1500 {"error":{"code":null,"message":"slow","param":null,"type":"rate_limit"}}`,
		`200 OK   {"ok":1}`, `200 OK   {"ok":1}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r := up.Last()
	if r.N != 2 || r.Method != "POST" || r.Path != "/v1/a%2Fb" || r.RawQuery != "x=1" || string(r.Body) != `{"n":1}` ||
		r.Header.Get("Content-Type") != "application/json" || r.ContentLength != 7 || up.Count() != 3 {
		t.Errorf("got %+v", r)
	}
	if err := r.WaitEnded(t.Context()); err != nil {
		t.Error(err)
	}
	if _, gone := r.Cancelled(); gone || r.Sent() != 8 {
		t.Errorf("cancelled %v, sent %d", gone, r.Sent())
	}
}

func TestUpstreamAsksAHandler(t *testing.T) {
	up := testkit.NewUpstream(t)
	if res, _ := mustPost(t, up.URL, ""); res.StatusCode != 500 {
		t.Errorf("without a script: %s", res.Status)
	}
	up.Handle(func(r *testkit.Request) testkit.Answer { return testkit.JSON(string(bytes.ToUpper(r.Body))) })
	if _, body := mustPost(t, up.URL, "abc"); body != "ABC" {
		t.Errorf("got %q", body)
	}
	up.Script(testkit.Overloaded())
	if res, _ := mustPost(t, up.URL, ""); res.StatusCode != 529 {
		t.Errorf("after Script: %s", res.Status)
	}
}

func TestUpstreamForgets(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON("{}"))
	up.KeepLast(2)
	for range 5 {
		mustPost(t, up.URL, "")
	}
	if rs := up.Requests(); len(rs) != 2 || rs[1].N != 4 || up.Count() != 5 {
		t.Errorf("%d remembered of %d", len(rs), up.Count())
	}
}

func TestStreamsComeInPieces(t *testing.T) {
	up := testkit.NewUpstream(t)
	want := "data: one\n\nevent: two\ndata: 2\n\n: ping\n\ndata: \xc3\xa9\n\n"
	whole := testkit.SSE("one", testkit.Event("two", "2"), ": ping\n\n", "\xc3\xa9")
	for name, tt := range map[string]struct {
		answer testkit.Answer
		reads  int // at least
	}{
		"whole":     {whole, 1},
		"recorded":  {testkit.Stream([]byte(want)), 1},
		"burst":     {whole.Burst(), 1},
		"paced":     {whole.Delay(10 * time.Millisecond), 4},
		"bytewise":  {whole.Drip(1, time.Millisecond), 30},
		"random":    {whole.SplitRandom(7, 5), 1},
		"then":      {testkit.SSE("one").Then("event: two\nda", "ta: 2\n\n: ping\n\ndata: \xc3", "\xa9\n\n"), 1},
		"delays":    {whole.DelayFirst(5*time.Millisecond).DelayAt(2, 5*time.Millisecond).DelayAt(4, 5*time.Millisecond), 2},
		"headers":   {whole.DelayHeaders(5 * time.Millisecond), 1},
		"untouched": {whole, 1}, // the variants above changed copies
	} {
		up.Script(tt.answer)
		res, err := client(t).Post(up.URL, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		reads, buf := 0, make([]byte, 4096)
		for err == nil {
			var n int
			n, err = res.Body.Read(buf)
			got = append(got, buf[:n]...)
			reads++
		}
		res.Body.Close()
		if err != io.EOF || string(got) != want || reads < tt.reads || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %q in %d reads, %v", name, got, reads, err)
		}
	}
}

func TestHeadersComeBeforeAStallAndPiecesBeforeTheNext(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE("a", "b").DelayAt(1, testkit.Forever))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "POST", up.URL, nil)
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	f, err := frame.NewReader(res.Body, 0).Next()
	if err != nil || string(f.Data) != "a" {
		t.Fatalf("got %q, %v", f.Data, err)
	}
	before := time.Now()
	cancel()
	r, at, err := up.WaitCancelled(t.Context())
	if err != nil || r.N != 0 || at.Before(before) || at.Sub(before) > 5*time.Second {
		t.Errorf("%v after the cancel, %v", at.Sub(before), err)
	}
	if err := up.WaitIdle(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCancelIsSeenBeforeTheHeaders(t *testing.T) {
	for name, answer := range map[string]testkit.Answer{
		"net/http": testkit.Hang(), "raw": testkit.SSE("a", "b").DelayAt(1, testkit.Forever).CutAt(1000),
	} {
		up := testkit.NewUpstream(t, answer)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = up.WaitRequests(ctx, 1)
			cancel()
		}()
		req, _ := http.NewRequestWithContext(ctx, "POST", up.URL, strings.NewReader("{}"))
		if res, err := client(t).Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if _, _, err := up.WaitCancelled(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaitsEndWithTheirContext(t *testing.T) {
	up := testkit.NewUpstream(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := up.WaitRequests(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, _, err := up.WaitCancelled(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCutsEndTheBodyInTheMiddle(t *testing.T) {
	up := testkit.NewUpstream(t)
	events := testkit.SSE("one", "two", "three")
	whole := events.Body()
	for k := range len(whole) + 1 {
		up.Script(events.CutAt(k))
		_, got, err := post(t, up.URL, "")
		if !errors.Is(err, io.ErrUnexpectedEOF) || got != string(whole[:k]) {
			t.Errorf("cut at %d: %q, %v", k, got, err)
		}
	}
	up.Script(events.CutAt(1000))
	if _, got := mustPost(t, up.URL, ""); got != string(whole) {
		t.Errorf("a cut behind the end: %q", got)
	}
	up.Script(testkit.JSON(`{"a":1}`).CutAt(3).ClaimLength(7))
	if _, got, err := post(t, up.URL, ""); !errors.Is(err, io.ErrUnexpectedEOF) || got != `{"a` {
		t.Errorf("unstreamed: %q, %v", got, err)
	}
	up.Script(events.Gzip().CutAt(15))
	if _, got, err := post(t, up.URL, ""); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 15 {
		t.Errorf("compressed: %d bytes, %v", len(got), err)
	}
	up.Script(events.Zstd().CutAt(15))
	if _, got, err := post(t, up.URL, ""); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 15 {
		t.Errorf("compressed: %d bytes, %v", len(got), err)
	}
	for _, r := range up.Requests() {
		if _, gone := r.Cancelled(); gone {
			t.Errorf("call %d counts as cancelled", r.N)
		}
	}
}

func TestResetsAreResets(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE("one", "two").DelayAt(1, 50*time.Millisecond).ResetAt(15))
	_, got, err := post(t, up.URL, "")
	if !errors.Is(err, syscall.ECONNRESET) || !strings.HasPrefix(string(testkit.SSE("one", "two").Body()), got) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestClaimedLengthsAreWrong(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE("one", "two").ClaimLength(11), testkit.SSE("one").ClaimLength(100))
	res, got, err := post(t, up.URL, "")
	if err != nil || got != "data: one\n\n" || res.ContentLength != 11 {
		t.Errorf("short: %q, %v", got, err)
	}
	if _, got, err := post(t, up.URL, ""); !errors.Is(err, io.ErrUnexpectedEOF) || got != "data: one\n\n" {
		t.Errorf("long: %q, %v", got, err)
	}
}

func TestCompressedStreamsAreFlushedByEvent(t *testing.T) {
	up := testkit.NewUpstream(t)
	events := testkit.SSE("one", "two")
	for _, encodings := range [][]string{{"gzip"}, {"zstd"}, {"deflate"}, {"gzip", "zstd"}} {
		up.Script(events.Encoded(encodings...).DelayAt(1, testkit.Forever), events.Encoded(encodings...), testkit.JSON("{}").Encoded(encodings...))
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", up.URL, nil)
		res, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := frame.Decompress(res.Body, res.Header.Get("Content-Encoding"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := frame.NewReader(plain, 0).Next(); err != nil || string(f.Data) != "one" {
			t.Errorf("%v: got %q, %v", encodings, f.Data, err)
		}
		cancel()
		plain.Close()
		for _, want := range []string{string(events.Body()), "{}"} {
			res, packed := mustPost(t, up.URL, "")
			plain, err := frame.Decompress(strings.NewReader(packed), res.Header.Get("Content-Encoding"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(plain); err != nil || string(got) != want || packed == want {
				t.Errorf("%v: got %q, %v", encodings, got, err)
			}
		}
	}
}

func TestEarlyAnswersComeBeforeTheBody(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE("early", "end").DelayAt(1, 200*time.Millisecond).Early())
	pr, pw := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", up.URL, pr)
	res, err := client(t).Do(req) // the body has not begun
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := frame.NewReader(res.Body, 0)
	if f, err := events.Next(); err != nil || string(f.Data) != "early" {
		t.Errorf("got %q, %v", f.Data, err)
	}
	_, _ = io.WriteString(pw, "late")
	pw.Close()
	if f, err := events.Next(); err != nil || string(f.Data) != "end" {
		t.Errorf("got %q, %v", f.Data, err)
	}
	rs, err := up.WaitRequests(t.Context(), 1)
	if err != nil || string(rs[0].Body) != "late" || rs[0].BodyErr != nil {
		t.Errorf("got %+v, %v", rs, err)
	}
}

func TestOddAnswers(t *testing.T) {
	up := testkit.NewUpstream(t,
		testkit.Garbage(1, 100), testkit.Garbage(1, 100), testkit.SSE(testkit.HugeEvent(1<<20)),
		testkit.Text(200, "text/html", "<html>"), testkit.AnthropicError(400, "invalid_request_error", "no").WithStatus(418))
	_, a := mustPost(t, up.URL, "")
	_, b := mustPost(t, up.URL, "")
	_, huge := mustPost(t, up.URL, "")
	html, _ := mustPost(t, up.URL, "")
	res, body := mustPost(t, up.URL, "")
	if len(a) != 100 || a != b || len(huge) < 1<<20 || html.Header.Get("Content-Type") != "text/html" || res.StatusCode != 418 ||
		body != `{"error":{"message":"no","type":"invalid_request_error"},"request_id":"req_testkit","type":"error"}` {
		t.Errorf("%d %d %s %s %s", len(a), len(huge), html.Header, res.Status, body)
	}
	up.Script(testkit.Redirect(307, "http://127.0.0.1:1/"))
	c := client(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	moved, err := c.Get(up.URL)
	if err != nil || moved.StatusCode != 307 || moved.Header.Get("Location") != "http://127.0.0.1:1/" {
		t.Errorf("got %v, %v", moved, err)
	}
	moved.Body.Close()
}

func TestRefusedURLRefuses(t *testing.T) {
	if _, _, err := post(t, testkit.RefusedURL(t), ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestCloseBreaksOffCalls(t *testing.T) {
	testkit.LeakCheck(t)
	up, err := testkit.Start(testkit.Hang())
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, _, err := post(t, up.URL, "{}")
		failed <- err
	}()
	rs, err := up.WaitRequests(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	up.Close()
	up.Close()
	if err := <-failed; err == nil {
		t.Error("the call went well")
	}
	if _, gone := rs[0].Cancelled(); gone {
		t.Error("counts as cancelled by the caller")
	}
}
