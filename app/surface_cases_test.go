package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// streamOf is a stream in the dialect of a way's upstream, of its first n events and what follows.
func streamOf(way string, n int, then string) testkit.Answer {
	events := []string{"data: " + roleChunk + "\n\n", "data: " + chunk("hello") + "\n\n", "data: " + stopChunk + "\n\n", "data: " + usageChunk + "\n\n", "data: [DONE]\n\n"}
	if strings.HasSuffix(way, "to anthropic") {
		events = claudeEvents()
	}
	return testkit.Stream([]byte(strings.Join(events[:min(n, len(events))], "") + then))
}

// contentAt is how many events of a stream end with its first content.
func contentAt(way string) int {
	if strings.HasSuffix(way, "to anthropic") {
		return 3
	}
	return 2
}

func streaming(body string) string {
	return strings.Replace(body, `"messages"`, `"stream":true,"messages"`, 1)
}

// After the first content an error is said in the caller's dialect, once, and nothing says that all went
// well. Nothing of the answer is said twice.
func TestCase_B12_J4_AnErrorAfterContentIsSaidInTheCallersDialect(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			fault := "data: {\"error\":{\"message\":\"overloaded just now\",\"type\":\"server_error\",\"code\":null}}\n\n"
			if strings.HasSuffix(way.name, "to anthropic") {
				fault = testkit.Event("error", `{"type":"error","error":{"type":"overloaded_error","message":"overloaded just now"}}`)
			}
			up := testkit.NewUpstream(t, streamOf(way.name, contentAt(way.name), fault))
			w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
			_, got := w.post(way.path, streaming(way.body))
			mark := `data: {"error":`
			if strings.HasPrefix(way.name, "anthropic") {
				mark = "event: error\ndata: {\"type\":"
				if n := strings.Count(got, "event: message_start"); n != 1 {
					t.Errorf("message_start %d times", n)
				}
			}
			if strings.Count(got, mark) != 1 || strings.Count(got, "overloaded just now") != 1 || strings.Count(got, "hello") != 1 {
				t.Errorf("the caller heard %s", got)
			}
			if strings.Contains(got, "[DONE]") || strings.Contains(got, "message_stop") || strings.Contains(got, `"finish_reason":"`) || up.Count() != 1 {
				t.Errorf("%d calls, the caller heard %s", up.Count(), got)
			}
			if r := w.records.nth(t, 0); r.Outcome != "error" || r.Usage.Output == 0 || r.Cost == 0 {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

// With tools in the request text still arrives as it is said, not at the end.
func TestCase_A13_TextBesideToolsArrivesAtOnce(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			tools := `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],`
			if strings.HasPrefix(way.name, "anthropic") {
				tools = `"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],`
			}
			n := contentAt(way.name)
			up := testkit.NewUpstream(t, streamOf(way.name, 9, "").DelayAt(n, testkit.Forever))
			w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+way.path, strings.NewReader(strings.Replace(streaming(way.body), `"messages"`, tools+`"messages"`, 1)))
			req.Header.Set("Authorization", "Bearer "+worldKey)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				if strings.Contains(lines.Text(), "hello") {
					return
				}
			}
			t.Error("the text did not arrive while the upstream was at work")
		})
	}
}

// What was reported before a stream broke stays, also the tokens of the cache; only the rest is estimated.
func TestCase_D8_ABrokenStreamKeepsWhatWasReported(t *testing.T) {
	for _, way := range ways {
		if !strings.HasSuffix(way.name, "to anthropic") {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			answer := streamOf(way.name, 3, "")
			up := testkit.NewUpstream(t, answer.CutAt(len(answer.Body())))
			w := newWorld(t, Mechanisms{}, bothDialects, up.URL, up.URL)
			w.post(way.path, streaming(way.body))
			r := w.records.nth(t, 0)
			if r.Usage.Input != 10 || r.Usage.CacheRead != 1000 || r.Usage.Output == 0 || r.Cost == 0 || r.Outcome != "error" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

// A key in the query, however it is spelt, is in nothing that anybody reads, also when the call fails.
func TestCase_I1_AKeyInTheQueryIsInNoErrorAndNoLog(t *testing.T) {
	var log bytes.Buffer
	calls := newCallLog(&log, config.Log{Level: "debug", Format: "json"})
	w := newWorld(t, Mechanisms{Observers: []auditObserver{calls}}, bothDialects, "http://127.0.0.1:1", "http://127.0.0.1:1")
	n := 0
	for _, query := range []string{"key=" + worldKey, "KEY=" + worldKey, "k%65y=" + worldKey, "a=b;key=" + worldKey, "key=wrong-" + worldKey, "key=" + worldKey + "&key=other-" + worldKey} {
		for _, way := range ways {
			for _, path := range []string{way.path, way.path + "/nothing"} {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path+"?"+query, strings.NewReader(way.body))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				var text bytes.Buffer
				_, _ = text.ReadFrom(resp.Body)
				resp.Body.Close()
				if resp.StatusCode < 400 || strings.Contains(text.String()+fmt.Sprint(resp.Header), worldKey) {
					t.Errorf("%s?%s: %d %v %s", path, query, resp.StatusCode, resp.Header, text.String())
				}
				if r := fmt.Sprintf("%+v", w.records.nth(t, n)); strings.Contains(r, worldKey) {
					t.Errorf("the record: %s", r)
				}
				n++
			}
		}
	}
	calls.flush()
	if strings.Contains(log.String(), worldKey) || strings.Count(log.String(), `"call"`) != n {
		t.Errorf("the log has %d lines of %d calls: %s", strings.Count(log.String(), `"call"`), n, log.String())
	}
}

// The betas that a target takes are declared, and only those reach it; those left out are named.
func TestCase_F9_OnlyTheBetasThatATargetTakesReachIt(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(`{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`))
	yaml := strings.Replace(bothDialects, "[{connection: b, upstream_model: up, ", "[{connection: b, upstream_model: up, traits: {betas: [good-2025]}, ", 1)
	w := newWorld(t, Mechanisms{}, yaml, up.URL, up.URL)
	resp, _ := w.post("/v1/messages", ways[3].body, "Anthropic-Beta", "good-2025, bad-2026", "Anthropic-Version", "2023-06-01")
	if got := up.Last().Header.Get("Anthropic-Beta"); got != "good-2025" {
		t.Errorf("the upstream got %q", got)
	}
	if lost := resp.Header.Get("Plenum-Changed") + resp.Header.Get("Plenum-Lost"); !strings.Contains(lost, "bad-2026") {
		t.Errorf("it is not said: %v", resp.Header)
	}
}

// The four policies for a parameter that the target refuses, as the configuration names them.
func TestCase_F10_TheParameterPolicyOfADeployment(t *testing.T) {
	for policy, want := range map[string]struct {
		status int
		sent   bool
		said   bool
	}{"strict": {400, false, false}, "report": {200, false, true}, "drop": {200, false, false}, "pass": {200, true, false}} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
			up := testkit.NewUpstream(t, testkit.JSON(whole))
			yaml := strings.Replace(oneTarget, "upstream_model: up,", "upstream_model: up, traits: {refuses: [temperature]},", 1)
			yaml = strings.Replace(yaml, "- name: m", "- name: m\n    parameters: "+policy, 1)
			w := newWorld(t, Mechanisms{}, yaml, up.URL)
			resp, got := w.post(path, strings.Replace(askClaude, "{", `{"temperature":0.5,`, 1))
			said := strings.Contains(resp.Header.Get("Plenum-Changed"), "temperature")
			if resp.StatusCode != want.status || said != want.said || policy == "strict" && !strings.Contains(got, "temperature") {
				t.Errorf("%s at %s: %d %v %s", policy, path, resp.StatusCode, resp.Header, got)
			}
			if sent := up.Count() > 0 && bytes.Contains(up.Last().Body, []byte(`"temperature"`)); sent != want.sent {
				t.Errorf("%s at %s: sent %v", policy, path, sent)
			}
		}
	}
}

// A place that sends us elsewhere is not followed: the credential is for it alone.
func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, way := range ways {
			thief := testkit.NewUpstream(t, testkit.JSON(whole))
			up := testkit.NewUpstream(t, testkit.Redirect(status, thief.URL+"/v1/chat/completions"))
			w := newWorld(t, Mechanisms{}, "retry: {attempts: 1}\n"+bothDialects, up.URL, up.URL)
			resp, got := w.post(way.path, way.body)
			if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Location") != "" || strings.Contains(got, thief.URL) || thief.Count() != 0 {
				t.Errorf("%d, %s: %d %v %s, %d calls to the other host", status, way.name, resp.StatusCode, resp.Header, got, thief.Count())
			}
		}
	}
}
