package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const (
	askWhole  = `{"model":"m","messages":[{"role":"user","content":"Tell me."}]}`
	askClaude = `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Tell me."}]}`
	whole     = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
)

func goodStream() testkit.Answer {
	return testkit.SSE(roleChunk, chunk("hello"), stopChunk, usageChunk, "[DONE]")
}

// Within a dialect both ways are the same bytes, but for the model and the usage that metering asks for.
func TestCase_F12_F13_BytesPassWithinADialect(t *testing.T) {
	body := `{ "model" : "m",` + "\n\t" + `"zeta":1.50, "messages":[{"content":"H\u00e9","role":"user","x_new":{"b":1,"a":[1e3]}}],"Messages":"not this one" }`
	answer := `{"id":"c1", "object":"chat.completion","new_field":{"z":1,"a":2.50},"created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"h\u0069"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	up := testkit.NewUpstream(t, testkit.JSON(answer).WithHeader("Openai-Processing-Ms", "7").WithHeader("Set-Cookie", "a=b"))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, got := w.post("/v1/chat/completions", body, "Openai-New-Header", "1", "Openai-Organization", "org", "Cookie", "c=d")
	if got != answer {
		t.Errorf("the caller got\n%s\nthe upstream said\n%s", got, answer)
	}
	want := strings.Replace(body, `"m"`, `"up"`, 1)
	req := up.Last()
	if string(req.Body) != want {
		t.Errorf("the upstream got\n%s\nwant\n%s", req.Body, want)
	}
	if req.Header.Get("Openai-New-Header") != "1" || req.Header.Get("Openai-Organization") != "" || req.Header.Get("Cookie") != "" {
		t.Errorf("the upstream got headers %v", req.Header)
	}
	if req.Header.Get("Authorization") != "" {
		t.Errorf("the caller's key went to the upstream")
	}
	if resp.Header.Get("Openai-Processing-Ms") != "7" || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("the caller got headers %v", resp.Header)
	}
	if resp.Header.Get("Plenum-Cost-Usd") != "0.000060" || resp.Header.Get("Plenum-Target") != "a/up" || resp.Header.Get("Plenum-Deployment") != "m" {
		t.Errorf("plenum headers: %v", resp.Header)
	}
}

func TestStreamBytesPassWithinADialect(t *testing.T) {
	stream := ": hello\n\nid: 7\ndata:" + roleChunk + "\r\n\r\ndata: " + chunk("a") + "\n\ndata: {\"new\":1,\"choices\":[]}\n\ndata: " + stopChunk + "\n\ndata: [DONE]\n\n"
	up := testkit.NewUpstream(t, testkit.Stream([]byte(stream)))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	_, got := w.post("/v1/chat/completions", ask)
	if got != stream {
		t.Errorf("the caller got\n%q\nthe upstream said\n%q", got, stream)
	}
}

func TestCase_D9_UsageIsAskedForMeteredAndStripped(t *testing.T) {
	up := testkit.NewUpstream(t, goodStream())
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, got := w.post("/v1/chat/completions", ask)
	if strings.Contains(got, `"usage"`) || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("the caller got %q", got)
	}
	if body := string(up.Last().Body); !strings.Contains(body, `"stream_options":{"include_usage":true}`) {
		t.Errorf("the upstream was not asked: %s", body)
	}
	if r := w.records.nth(t, 0); r.Usage.Input != 10 || r.Usage.Output != 5 || r.Cost != 60 || r.Estimated {
		t.Errorf("metered %+v", r)
	}
	if cost := resp.Trailer.Get("Plenum-Cost-Usd"); cost != "0.000060" {
		t.Errorf("the trailer says %q: %v", cost, resp.Trailer)
	}
	// Who asks for usage gets it.
	_, got = w.post("/v1/chat/completions", strings.Replace(ask, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1))
	if !strings.Contains(got, usageChunk) {
		t.Errorf("the caller who asked got %q", got)
	}
}

func TestCase_B4_CompressedStreamsArriveEventByEvent(t *testing.T) {
	for name, answer := range map[string]testkit.Answer{"gzip": goodStream().Gzip(), "zstd": goodStream().Zstd(), "stacked": goodStream().Encoded("gzip", "zstd")} {
		t.Run(name, func(t *testing.T) {
			up := testkit.NewUpstream(t, answer.SplitEvery(7))
			w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
			resp, got := w.post("/v1/chat/completions", ask)
			if said(got) != "hello" || resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("got %q with %v", got, resp.Header)
			}
			if r := w.records.nth(t, 0); r.Usage.Output != 5 {
				t.Errorf("metered %+v", r.Usage)
			}
		})
	}
}

func TestCase_B5_NoContentLengthOnAStream(t *testing.T) {
	up := testkit.NewUpstream(t, goodStream().WithHeader("Content-Length", fmt.Sprint(len(goodStream().Body()))))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, got := w.post("/v1/chat/completions", ask)
	if resp.ContentLength != -1 || said(got) != "hello" {
		t.Errorf("length %d, %q", resp.ContentLength, got)
	}
}

func TestCase_B12_ErrorInA200StreamIsRetriedBeforeContentAndSaidAfterIt(t *testing.T) {
	fault := `{"error":{"message":"overloaded just now","type":"server_error","code":null}}`
	t.Run("before", func(t *testing.T) {
		up := testkit.NewUpstream(t, testkit.SSE(roleChunk, fault), goodStream())
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		if _, got := w.post("/v1/chat/completions", ask); said(got) != "hello" || strings.Contains(got, "overloaded") {
			t.Errorf("the caller heard %q", got)
		}
		if r := w.records.nth(t, 0); len(r.Attempts) != 2 || r.Attempts[0].ErrorKind == "" {
			t.Errorf("attempts %+v", r.Attempts)
		}
	})
	for path, marks := range map[string][]string{
		"/v1/chat/completions": {"data: " + fault + "\n\n"},
		"/v1/messages":         {"event: error\n", `"type":"error"`, "overloaded just now"},
	} {
		t.Run("after"+path, func(t *testing.T) {
			up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("half"), fault), goodStream())
			w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
			_, got := w.post(path, `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`)
			for _, mark := range marks {
				if strings.Count(got, mark) != 1 {
					t.Errorf("%q stands %d times in %q", mark, strings.Count(got, mark), got)
				}
			}
			if strings.Contains(got, "[DONE]") || strings.Contains(got, "message_stop") || up.Count() != 1 {
				t.Errorf("%d calls, the caller heard %q", up.Count(), got)
			}
		})
	}
}

func TestCase_J1_J2_RetryAfterIsHonouredAndForwarded(t *testing.T) {
	limited := testkit.OpenAIError(429, "requests", "slow down")
	t.Run("honoured", func(t *testing.T) {
		up := testkit.NewUpstream(t, limited.RetryAfter(300*time.Millisecond), testkit.JSON(whole))
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		start := time.Now()
		if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
		if d := time.Since(start); d < 300*time.Millisecond {
			t.Errorf("asked again after %v", d)
		}
	})
	t.Run("forwarded", func(t *testing.T) {
		up := testkit.NewUpstream(t, limited.WithHeader("Retry-After", "60"))
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		resp, got := w.post("/v1/chat/completions", askWhole)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "60" || !strings.Contains(got, "slow down") || up.Count() != 1 {
			t.Errorf("%d calls: %d %v %s", up.Count(), resp.StatusCode, resp.Header, got)
		}
	})
	t.Run("the soonest of several", func(t *testing.T) {
		a := testkit.NewUpstream(t, limited.WithHeader("Retry-After", "120"))
		b := testkit.NewUpstream(t, limited.WithHeader("Retry-After", "60"))
		w := newWorld(t, Mechanisms{}, twoTargets, a.URL, b.URL)
		if resp, _ := w.post("/v1/messages", askClaude); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "60" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
	t.Run("x-should-retry false", func(t *testing.T) {
		up := testkit.NewUpstream(t, testkit.OpenAIError(500, "server_error", "no").WithHeader("X-Should-Retry", "false"))
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		if resp, _ := w.post("/v1/chat/completions", askWhole); resp.StatusCode != 500 || up.Count() != 1 {
			t.Errorf("%d after %d calls", resp.StatusCode, up.Count())
		}
	})
	t.Run("x-should-retry true", func(t *testing.T) {
		up := testkit.NewUpstream(t, testkit.OpenAIError(409, "conflict", "again").WithHeader("X-Should-Retry", "true"), testkit.JSON(whole))
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != 200 || up.Count() != 2 {
			t.Errorf("%d after %d calls: %s", resp.StatusCode, up.Count(), got)
		}
	})
}

func TestCase_J5_FailuresOfEveryKindMoveOnBeforeTheFirstContent(t *testing.T) {
	faults := map[string]testkit.Answer{
		"500": testkit.OpenAIError(500, "server_error", "x"), "529": testkit.Overloaded(), "401": testkit.OpenAIError(401, "auth", "bad key sk-secret"),
		"garbage": testkit.Garbage(1, 500), "html": testkit.Text(200, "text/html", "<html>hi</html>"), "empty stream": testkit.SSE(),
		"cut in the head": goodStream().CutAt(10), "reset": goodStream().ResetAt(0), "cut before content": goodStream().CutAt(len(roleChunk)),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			a := testkit.NewUpstream(t, fault)
			b := testkit.NewUpstream(t, goodStream())
			w := newWorld(t, Mechanisms{}, twoTargets, a.URL, b.URL)
			if _, got := w.post("/v1/chat/completions", ask); said(got) != "hello" || strings.Contains(got, "error") {
				t.Errorf("the caller heard %q", got)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		b := testkit.NewUpstream(t, goodStream())
		w := newWorld(t, Mechanisms{}, twoTargets, testkit.RefusedURL(t), b.URL)
		if _, got := w.post("/v1/chat/completions", ask); said(got) != "hello" {
			t.Errorf("the caller heard %q", got)
		}
		if r := w.records.nth(t, 0); r.Attempts[0].Cost != 0 {
			t.Errorf("an upstream that was never reached is billed: %+v", r.Attempts[0])
		}
	})
}

func TestCase_J4_NothingIsSaidTwiceAfterTheFirstContent(t *testing.T) {
	cut := testkit.SSE(roleChunk, chunk("half "))
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		a := testkit.NewUpstream(t, cut.CutAt(len(cut.Body())))
		b := testkit.NewUpstream(t, goodStream())
		w := newWorld(t, Mechanisms{}, twoTargets, a.URL, b.URL)
		_, got := w.post(path, `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`)
		if strings.Count(got, "half ") != 1 || strings.Contains(got, "hello") || !strings.Contains(got, `"error"`) || b.Count() != 0 {
			t.Errorf("%s: %q", path, got)
		}
		if strings.Count(got, "event: message_start") > 1 {
			t.Errorf("message_start twice: %q", got)
		}
	}
}

// A caller that goes away takes the upstream's call with it, streamed or not, before the first byte and
// after it, and what was used is metered.
func TestCase_J6_CancellationReachesTheUpstream(t *testing.T) {
	tests := map[string]struct {
		body   string
		answer testkit.Answer
		after  bool
	}{
		"streamed before the head":    {ask, goodStream().DelayHeaders(testkit.Forever), false},
		"streamed before a byte":      {ask, goodStream().DelayFirst(testkit.Forever), false},
		"streamed after content":      {ask, goodStream().DelayAt(2, testkit.Forever), true},
		"whole before the head":       {askWhole, testkit.JSON(whole).DelayHeaders(testkit.Forever), false},
		"whole in the middle":         {askWhole, testkit.JSON(whole).Drip(10, time.Second), false},
		"across dialects, a stream":   {strings.Replace(askClaude, "{", `{"stream":true,`, 1), goodStream().DelayAt(2, testkit.Forever), true},
		"across dialects, not a byte": {askClaude, testkit.JSON(whole).DelayHeaders(testkit.Forever), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			up := testkit.NewUpstream(t, tt.answer)
			w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
			path := "/v1/chat/completions"
			if strings.Contains(tt.body, "max_tokens") {
				path = "/v1/messages"
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "POST", w.url+path, strings.NewReader(tt.body))
			req.Header.Set("Authorization", "Bearer "+worldKey)
			done := make(chan error, 1)
			heard := make(chan struct{})
			go func() {
				resp, err := http.DefaultClient.Do(req)
				if err == nil {
					buf := make([]byte, 1)
					_, _ = io.ReadFull(resp.Body, buf)
					close(heard)
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				done <- err
			}()
			wctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			if _, err := up.WaitRequests(wctx, 1); err != nil {
				t.Fatal(err)
			}
			if tt.after {
				<-heard
			} else {
				time.Sleep(50 * time.Millisecond)
			}
			gone := time.Now()
			cancel()
			if err := <-done; err == nil {
				t.Fatal("the call ended by itself")
			}
			_, at, err := up.WaitCancelled(wctx)
			if err != nil {
				t.Fatal(err)
			}
			if d := at.Sub(gone); d > 100*time.Millisecond {
				t.Errorf("the upstream noticed after %v", d)
			}
			r := w.records.nth(t, 0)
			if r.Outcome != plenum.OutcomeCanceled || r.Usage.Input == 0 || !r.Estimated || r.Cost == 0 {
				t.Errorf("metered %+v", r)
			}
			if tt.after && r.Usage.Output == 0 {
				t.Errorf("what was said is not metered: %+v", r.Usage)
			}
		})
	}
}

func TestCase_E9_FailedCallsCostNothingAndBrokenStreamsCost(t *testing.T) {
	for _, status := range []int{400, 401, 429, 500} {
		up := testkit.NewUpstream(t, testkit.OpenAIError(status, "x", "y").WithHeader("Retry-After", "100"))
		w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
		w.post("/v1/chat/completions", askWhole)
		if r := w.records.nth(t, 0); r.Cost != 0 || r.Usage != (plenum.Tokens{}) {
			t.Errorf("%d costs %+v", status, r)
		}
	}
}

// Wherever a stream is cut, the call is metered exactly once, and what was read costs.
func TestCase_D8_AStreamCutAnywhereIsMetered(t *testing.T) {
	full := goodStream()
	body := full.Body()
	content := bytes.Index(body, []byte("hello"))
	for k := 0; k <= len(body); k += 13 {
		up := testkit.NewUpstream(t, full.CutAt(k))
		w := newWorld(t, Mechanisms{}, strings.Replace(oneTarget, "attempts: 2", "attempts: 1", 1), up.URL)
		_, got := w.post("/v1/chat/completions", ask)
		r := w.records.nth(t, 0)
		if len(r.Attempts) != 1 {
			t.Fatalf("cut at %d: %d attempts", k, len(r.Attempts))
		}
		if k > content+300 && (r.Usage.Input == 0 || r.Usage.Output == 0) {
			t.Errorf("cut at %d: metered %+v, the caller heard %q", k, r.Usage, got)
		}
		if k == len(body) && r.Cost != 60 {
			t.Errorf("a whole stream costs %v", r.Cost)
		}
	}
}

func TestCase_D11_EachAttemptThatConsumedIsBilledOnce(t *testing.T) {
	// The first target answers 200 and fails within the stream before any content, having said its usage.
	fault := testkit.SSE(usageChunk, `{"error":{"message":"x","type":"server_error"}}`)
	a := testkit.NewUpstream(t, fault)
	b := testkit.NewUpstream(t, goodStream())
	w := newWorld(t, Mechanisms{}, twoTargets, a.URL, b.URL)
	w.post("/v1/chat/completions", ask)
	r := w.records.nth(t, 0)
	if len(r.Attempts) != 2 || r.Attempts[0].Cost != 60 || r.Attempts[1].Cost != 60 || r.Cost != 120 {
		t.Errorf("%+v", r)
	}
}

func TestCase_I1_AKeyInTheQueryGoesNowhere(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/chat/completions?alt=x&key="+worldKey, strings.NewReader(askWhole))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	if r := fmt.Sprintf("%+v", w.records.nth(t, 0)); strings.Contains(r, worldKey) {
		t.Errorf("the record holds the key: %s", r)
	}
	if q := up.Last().RawQuery; strings.Contains(q, worldKey) {
		t.Errorf("the upstream got %q", q)
	}
}

func TestCase_I2_I3_I7_NoKeyNoService(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	for _, bad := range []string{"", "wrong-key-0123456789", "' OR '1'='1", strings.Repeat("x", 9000)} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/models"} {
			method := "POST"
			if path == "/v1/models" {
				method = "GET"
			}
			req, _ := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(askWhole))
			if bad != "" {
				req.Header.Set("Authorization", "Bearer "+bad)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 401 || bad != "" && bytes.Contains(text, []byte(bad)) {
				t.Errorf("%s with key %.20q: %d %s", path, bad, resp.StatusCode, text)
			}
		}
	}
	if up.Count() != 0 {
		t.Errorf("%d calls reached the upstream", up.Count())
	}
}

func TestCase_I2_AnUpstreamsWordsAboutOurCredentialStayHere(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.OpenAIError(401, "invalid_request_error", "Incorrect API key provided: sk-ours-1234"))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, got := w.post("/v1/chat/completions", askWhole)
	if resp.StatusCode != 502 || strings.Contains(got, "sk-ours") || !strings.Contains(got, "credential") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if r := w.records.nth(t, 0); !strings.Contains(r.Error, "Incorrect API key") {
		t.Errorf("the operator is not told: %q", r.Error)
	}
}

func TestCase_I8_HeadersThatArePlenumsOwnAreDroppedAtTheDoor(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, _ := w.post("/v1/chat/completions", askWhole, "Plenum-Target", "evil", "Plenum-Cost-Usd", "0")
	if up.Last().Header.Get("Plenum-Target") != "" || resp.Header.Get("Plenum-Target") != "a/up" {
		t.Errorf("upstream %v, caller %v", up.Last().Header, resp.Header)
	}
}

func TestCase_F16_SlashesAndColonsAreJustPartsOfAName(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	yaml := strings.Replace(oneTarget, "name: m", `name: "meta-llama/Llama-3.1-8B:free"`, 1)
	yaml = strings.Replace(yaml, "upstream_model: up", `upstream_model: "global.anthropic/x-v1:0"`, 1)
	w := newWorld(t, Mechanisms{}, yaml, up.URL)
	resp, got := w.post("/v1/chat/completions", strings.Replace(askWhole, `"m"`, `"meta-llama/Llama-3.1-8B:free"`, 1))
	if resp.StatusCode != 200 || !bytes.Contains(up.Last().Body, []byte(`"global.anthropic/x-v1:0"`)) {
		t.Errorf("%d %s: %s", resp.StatusCode, got, up.Last().Body)
	}
}

// Ten thousand broken requests, and each gets an answer that is not a fault of ours.
func TestCase_F18_BrokenBodiesNeverPanic(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	seeds := []string{askWhole, askClaude, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"x"}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`}
	parts := []string{"null", "1e999", `"`, "{", "}", "[", "]", ",", ":", `"\ud800"`, "-", "tru", "\x00", "9999999999999999999", `{"":[]}`, "[[[[", `"role":5`}
	rng := rand.New(rand.NewPCG(1, 2))
	n := 10_000
	if testing.Short() {
		n = 500
	}
	var wg sync.WaitGroup
	next := make(chan [2]string)
	for range 4 {
		wg.Go(func() {
			for x := range next {
				resp, got := w.post(x[0], x[1])
				if resp.StatusCode != 200 && (resp.StatusCode < 400 || resp.StatusCode >= 500) || resp.StatusCode != 200 && !strings.Contains(got, `"error"`) {
					t.Errorf("%d %s for %s", resp.StatusCode, got, x[1])
				}
			}
		})
	}
	for range n {
		b := seeds[rng.IntN(len(seeds))]
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(b))
			to := min(len(b), at+rng.IntN(12))
			b = b[:at] + parts[rng.IntN(len(parts))] + b[to:]
		}
		path := "/v1/chat/completions"
		if rng.IntN(2) == 0 {
			path = "/v1/messages"
		}
		next <- [2]string{path, b}
	}
	close(next)
	wg.Wait()
}

func TestBadInputGetsAClearErrorInTheCallersDialect(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, "max_body: 1MiB\nmax_decompressed: 2MiB\ntimeouts: {read_body: 300ms}\n"+oneTarget, up.URL)
	bomb := string(gzipOf(t, "", strings.Repeat(" ", 64<<10), 1024))
	tests := []struct {
		name, body string
		header     []string
		status     int
		says       string
	}{
		{"malformed", `{"model":"m","messages":[}`, nil, 400, "JSON"},
		{"not an object", `[1]`, nil, 400, ""},
		{"wrong type", `{"model":5,"messages":[]}`, nil, 400, "model"},
		{"no model", `{"messages":[]}`, nil, 400, "model"},
		{"unknown model", strings.Replace(askWhole, `"m"`, `"n"`, 1), nil, 404, "m"},
		{"too large", `{"model":"m","x":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413, "max_body"},
		{"too deep", `{"model":"m","messages":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, nil, 400, "deep"},
		{"gzip bomb", bomb, []string{"Content-Encoding", "gzip"}, 413, "max_decompressed"},
		{"not gzip", askWhole, []string{"Content-Encoding", "gzip"}, 400, "encoding"},
		{"unknown encoding", askWhole, []string{"Content-Encoding", "snappy"}, 415, "snappy"},
	}
	for _, tt := range tests {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
			resp, got := w.post(path, tt.body, tt.header...)
			anthropic := strings.Contains(got, `"type":"error"`)
			if resp.StatusCode != tt.status || !strings.Contains(got, tt.says) || anthropic != (path == "/v1/messages") {
				t.Errorf("%s at %s: %d %.300s", tt.name, path, resp.StatusCode, got)
			}
		}
	}
	if up.Count() != 0 {
		t.Errorf("%d calls reached the upstream", up.Count())
	}
}

func TestASlowCallerIsNotWaitedForForEver(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, "timeouts: {read_body: 200ms}\n"+oneTarget, up.URL)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{\"model\"", worldKey)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, _ := io.ReadAll(conn)
	if !bytes.Contains(text, []byte("408 Request Timeout")) || !bytes.Contains(text, []byte("in time")) {
		t.Errorf("got %q", text)
	}
}

func TestASlowUpstreamIsCalledOff(t *testing.T) {
	slow := strings.Replace(oneTarget, `base_url: "%s/v1"}`, `base_url: "%s/v1", timeouts: {first_byte: 200ms, idle: 200ms}}`, 1)
	slow = strings.Replace(slow, "attempts: 2", "attempts: 1", 1)
	t.Run("before content", func(t *testing.T) {
		up := testkit.NewUpstream(t, goodStream().DelayHeaders(testkit.Forever))
		w := newWorld(t, Mechanisms{}, slow, up.URL)
		if resp, got := w.post("/v1/chat/completions", ask); resp.StatusCode != 504 || !strings.Contains(got, "first_byte") {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	})
	t.Run("after content", func(t *testing.T) {
		up := testkit.NewUpstream(t, goodStream().DelayAt(2, testkit.Forever))
		w := newWorld(t, Mechanisms{}, slow, up.URL)
		if _, got := w.post("/v1/chat/completions", ask); said(got) != "hello" || !strings.Contains(got, "idle") {
			t.Errorf("%s", got)
		}
	})
}

func TestCase_J10_CallsInFlightFinishOnTheSnapshotTheyBeganWith(t *testing.T) {
	a := testkit.NewUpstream(t, goodStream().DelayAt(2, 300*time.Millisecond))
	b := testkit.NewUpstream(t, goodStream())
	w := newWorld(t, Mechanisms{}, oneTarget, a.URL)
	old := w.current.Load().Version
	done := make(chan string)
	go func() {
		_, got := w.post("/v1/chat/completions", ask)
		done <- got
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := a.WaitRequests(ctx, 1); err != nil {
		t.Fatal(err)
	}
	w.current.Store(w.compile(fmt.Sprintf(oneTarget, b.URL)))
	if _, got := w.post("/v1/chat/completions", ask); said(got) != "hello" || b.Count() != 1 {
		t.Errorf("the new snapshot is not in force: %q", got)
	}
	if got := <-done; said(got) != "hello" || strings.Contains(got, "error") {
		t.Errorf("the call in flight was disturbed: %q", got)
	}
	if r := w.records.nth(t, 1); r.Config != old {
		t.Errorf("the call ran under %s, began under %s", r.Config, old)
	}
}

// Many calls side by side, a third of which go away in the middle: nobody hears another's words, every
// call is recorded, and nothing is left over.
func TestCase_L1_L2_L3_L4_CallsNeverMix(t *testing.T) {
	testkit.LeakCheck(t)
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		_, rest, _ := strings.Cut(string(r.Body), `"canary-`)
		word, _, _ := strings.Cut(rest, `"`)
		var events []string
		for range 20 {
			events = append(events, chunk("canary-"+word+" "))
		}
		return testkit.SSE(append(append([]string{roleChunk}, events...), stopChunk, usageChunk, "[DONE]")...).SplitRandom(1, 300)
	})
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	const callers, rounds = 16, 15
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range rounds {
				w.canary(fmt.Sprintf("%d-%d-", i, j), (i+j)%3 == 0, (i+j)%2 == 0)
			}
		})
	}
	wg.Wait()
	http.DefaultClient.CloseIdleConnections()
	w.records.nth(t, callers*rounds-1)
}

func (w *world) canary(word string, leave, claude bool) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	path := "/v1/chat/completions"
	if claude {
		path = "/v1/messages"
	}
	body := `{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"canary-` + word + `"}]}`
	req, _ := http.NewRequestWithContext(ctx, "POST", w.url+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+worldKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if leave {
		_, _ = io.ReadFull(resp.Body, make([]byte, 200))
		return
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
	}
	if n, all := strings.Count(string(text), "canary-"+word+" "), strings.Count(string(text), "canary-"); n != 20 || all != 20 {
		w.t.Errorf("%s heard its own word %d times of %d", word, n, all)
	}
}

func TestIdempotencyKeyGivesTheSameAnswerAgain(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.OpenAIError(500, "server_error", "x").WithHeader("X-Should-Retry", "false"), testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	if resp, _ := w.post("/v1/chat/completions", askWhole, "Idempotency-Key", "k1"); resp.StatusCode != 500 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	for i := range 2 { // a failure is not kept, an answer is
		resp, got := w.post("/v1/chat/completions", askWhole, "Idempotency-Key", "k1")
		if resp.StatusCode != 200 || got != whole || (resp.Header.Get("Idempotent-Replayed") == "true") != (i == 1) {
			t.Errorf("call %d: %d %v %s", i, resp.StatusCode, resp.Header, got)
		}
	}
	if resp, got := w.post("/v1/chat/completions", strings.Replace(askWhole, "Tell", "Show", 1), "Idempotency-Key", "k1"); resp.StatusCode != 409 {
		t.Errorf("another request under the same key: %d %s", resp.StatusCode, got)
	}
	if up.Count() != 2 {
		t.Errorf("%d calls reached the upstream", up.Count())
	}
	if r := w.records.nth(t, 2); r.Cost != 0 {
		t.Errorf("an answer given again costs %v", r.Cost)
	}
}

func TestADeploymentMayRefuseLossyCalls(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	body := strings.Replace(askClaude, "{", `{"top_k":5,`, 1)
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	if resp, got := w.post("/v1/messages", body); resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Plenum-Lost"), "top_k") {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, got)
	}
	w = newWorld(t, Mechanisms{}, strings.Replace(oneTarget, "- name: m", "- name: m\n    lossy: refuse", 1), up.URL)
	if resp, got := w.post("/v1/messages", body); resp.StatusCode != 400 || !strings.Contains(got, "top_k") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

func TestCountingTokensIsEstimatedWhereTheUpstreamCannot(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, oneTarget, up.URL)
	resp, got := w.post("/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":"How many tokens is this?"}]}`)
	if resp.StatusCode != 200 || !strings.Contains(got, `"input_tokens":`) || !strings.Contains(resp.Header.Get("Plenum-Changed"), "estimated") || up.Count() != 0 {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, got)
	}
}

func TestLimitsOfADeployment(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, Mechanisms{}, strings.Replace(oneTarget, "- name: m", "- name: m\n    limits: {requests_per_minute: 2}", 1), up.URL)
	for i, want := range []int{200, 200, 429, 429} {
		resp, got := w.post("/v1/chat/completions", askWhole)
		if resp.StatusCode != want || want == 429 && resp.Header.Get("Retry-After") == "" {
			t.Errorf("call %d: %d %v %s", i, resp.StatusCode, resp.Header, got)
		}
	}
}

func TestModelsAreListedInTheCallersDialect(t *testing.T) {
	w := newWorld(t, Mechanisms{}, oneTarget, "http://127.0.0.1:1")
	for path, want := range map[string]string{
		"/v1/models": `"object":"list"`, "/v1/models/m": `"object":"model"`, "/anthropic/v1/models": `"has_more":false`, "/v1/models/nope": "model_not_found",
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+path, nil)
		req.Header.Set("x-api-key", worldKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// What is billed and what is forwarded are one usage: the cached tokens are in both.
func TestCase_D7_BilledAndForwardedUsageAreOne(t *testing.T) {
	usage := `"usage":{"prompt_tokens":2000,"completion_tokens":5,"total_tokens":2005,"prompt_tokens_details":{"cached_tokens":1792}}`
	answer := strings.Replace(whole, `"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, usage, 1)
	up := testkit.NewUpstream(t, testkit.JSON(answer))
	w := newWorld(t, Mechanisms{}, strings.Replace(oneTarget, "output_usd", "cache_read_usd_per_million: 0.1, output_usd", 1), up.URL)
	if _, got := w.post("/v1/chat/completions", askWhole); !strings.Contains(got, usage) {
		t.Errorf("forwarded: %s", got)
	}
	// 208 at 1 dollar, 1792 at 10 cents, 5 at 10 dollars for a million: 208 + 179.2 + 50 micro-dollars.
	if r := w.records.nth(t, 0); r.Usage.Input != 208 || r.Usage.CacheRead != 1792 || r.Cost != 437 {
		t.Errorf("billed: %+v, %v", r.Usage, r.Cost)
	}
	if _, got := w.post("/v1/messages", askClaude); !strings.Contains(got, `"input_tokens":208`) || !strings.Contains(got, `"cache_read_input_tokens":1792`) {
		t.Errorf("forwarded across dialects: %s", got)
	}
}

// A target whose credential has run into a limit is not asked again while another can answer.
func TestCase_J3_AnExhaustedCredentialIsNotKept(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if r.Header.Get("Authorization") == "Bearer first-credential" {
			return testkit.OpenAIError(429, "requests", "slow down").RetryAfter(time.Second)
		}
		return testkit.JSON(whole)
	})
	yaml := strings.Replace(twoTargets, `base_url: "%s/v1"}`, `base_url: "%s/v1", credentials: {api_key: first-credential}}`, 1)
	yaml = strings.Replace(yaml, `base_url: "%s/v1"}`, `base_url: "%s/v1", credentials: {api_key: second-credential}}`, 1)
	w := newWorld(t, Mechanisms{}, yaml, up.URL, up.URL)
	start := time.Now()
	if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != 200 || up.Count() != 2 {
		t.Errorf("%d after %d calls: %s", resp.StatusCode, up.Count(), got)
	}
	if d := time.Since(start); d > 900*time.Millisecond {
		t.Errorf("the wait of the first credential held the call up: %v", d)
	}
}
