package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
)

// site is a node that serves, on a data directory of its own.
type site struct {
	*Node
	url   string
	stop  context.CancelFunc
	ended chan error
}

// serveNode opens a node on a configuration in YAML and has it serve.
func serveNode(t *testing.T, dir, yaml string, loops ...func(context.Context) error) *site {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", dir, yaml, slog.New(slog.DiscardHandler), loops...)
}

// serveAt does so at an address, with a log. The node serves until the test ends, and that is over before its data
// directory is removed.
func serveAt(t *testing.T, listen, dir, yaml string, log *slog.Logger, loops ...func(context.Context) error) *site {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte("listen: "+listen+"\ndata_dir: "+dir+"\n"+yaml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), Parts{Dialects: all.Dialects(), Providers: all.Providers()}, f, log, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.rebuild(); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", f.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &site{Node: n, url: "http://" + l.Addr().String(), stop: cancel, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ended <- n.Serve(ctx, l, loops...)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second): // somebody still calls
		}
		n.Close()
	})
	return s
}

// end stops the node and returns how long that took.
func (s *site) end(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	s.stop()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	return time.Since(began)
}

// ask calls a path and returns status and body; -1 where there is no answer.
func (s *site) ask(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return -1, string(text)
	}
	return resp.StatusCode, string(text)
}

const withKey = `
keys: [{name: dev, secret: ` + worldKey + `}]
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]
`

func TestCase_I7_WithoutAnyKeyEverythingIsClosed(t *testing.T) {
	s := serveNode(t, t.TempDir(), "")
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 403, "/admin/v1/calls/req_1": 401, "/v1/models": 401, "/v1/chat/completions": 401, "/v1/messages": 401,
	} {
		method := http.MethodGet
		if strings.HasSuffix(path, "completions") || strings.HasSuffix(path, "messages") {
			method = http.MethodPost
		}
		for _, header := range [][]string{nil, {"Authorization", "Bearer "}, {"Authorization", "Bearer anything-at-all-01"}, {"X-Api-Key", "anything-at-all-01"}} {
			if got, body := s.ask(t, method, path, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, header...); got != want {
				t.Errorf("%s with %v: %d %s, want %d", path, header, got, body, want)
			}
		}
	}
}

func TestTheAdminKeyOpensWhatIsTheAdmins(t *testing.T) {
	s := serveNode(t, t.TempDir(), "admin_key: the-key-of-the-admin\n")
	for header, want := range map[string]int{"": 401, "Bearer wrong-key-of-somebody": 401, "Bearer the-key-of-the-admin": 200} {
		if got, body := s.ask(t, http.MethodGet, "/metrics", "", "Authorization", header); got != want {
			t.Errorf("%q: %d %s, want %d", header, got, body, want)
		}
	}
	if got, _ := s.ask(t, http.MethodGet, "/admin/v1/calls/req_NONE", "", "Authorization", "Bearer the-key-of-the-admin"); got != 404 {
		t.Errorf("a call that there is none of: %d", got)
	}
}

func TestCase_L3_AStopEndsInItsTimeWhateverIsUnderWay(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.Hang())
	dir := t.TempDir()
	s := serveNode(t, dir, "drain: 300ms\n"+strings.Replace(withKey, "%s", up.URL, 1), func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	const calls = 5
	done := make(chan int, calls)
	for range calls {
		go func() {
			status, _ := s.ask(t, http.MethodPost, "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+worldKey)
			done <- status
		}()
	}
	if _, err := up.WaitRequests(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	if took := s.end(t); took < 250*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %s, want the drain's time and little more", took)
	}
	for range calls {
		<-done
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestKeysOfTheStoreAreFollowed(t *testing.T) {
	s := serveNode(t, t.TempDir(), "")
	secret, key, err := keepKey(t.Context(), s.store, s.pepper, plenum.Key{Name: "new", Project: "default"})
	if err != nil {
		t.Fatal(err)
	}
	until := func(want int) {
		t.Helper()
		got := 0
		for range 500 {
			if got, _ = s.ask(t, http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+secret.Reveal()); got == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("the answer stays %d, want %d", got, want)
	}
	until(200)
	if err := s.store.RevokeKey(t.Context(), key.ID, time.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	until(401)
}

func TestTwoNodesDoNotShareADataDirectory(t *testing.T) {
	dir := t.TempDir()
	first := serveNode(t, dir, "")
	f := config.New()
	f.DataDir = dir
	_, err := Open(t.Context(), Parts{Dialects: all.Dialects()}, f, slog.New(slog.DiscardHandler), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "another Plenum is running on "+dir) {
		t.Errorf("the second node: %v", err)
	}
	first.end(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	serveNode(t, dir, "").end(t)
}

func TestARecordIsInTheStoreWhenTheNodeHasStopped(t *testing.T) {
	up := testkit.NewUpstream(t, goodStream())
	s := serveNode(t, t.TempDir(), strings.Replace(withKey, "%s", up.URL, 1))
	if got, body := s.ask(t, http.MethodPost, "/v1/chat/completions", ask, "Authorization", "Bearer "+worldKey); got != 200 {
		t.Fatalf("%d %s", got, body)
	}
	s.end(t)
	calls, err := s.store.Calls(t.Context(), store.Filter{})
	if err != nil || len(calls) != 1 || calls[0].Outcome != plenum.OutcomeOK {
		t.Errorf("the store has %+v, %v", calls, err)
	}
}

// fleeting is an engine whose server fails as soon as it has started.
type fleeting struct{ starts int }

func (e *fleeting) Name() string { return "an engine" }
func (e *fleeting) Probe(context.Context) (engine.Presence, error) {
	return engine.Presence{Installed: true}, nil
}
func (e *fleeting) Install(context.Context, func(engine.Progress)) error { return nil }
func (e *fleeting) Start(context.Context) (engine.Server, error) {
	e.starts++
	if e.starts > 1 {
		return nil, &engine.Error{Message: "it is broken", Final: true, Err: errors.New("x")}
	}
	return fleetingServer{}, nil
}

type fleetingServer struct{}

func (fleetingServer) Endpoint() engine.Endpoint {
	return engine.Endpoint{BaseURL: "http://127.0.0.1:1/v1", Models: []engine.Model{{ID: "tiny"}}}
}
func (fleetingServer) Health(context.Context) error { return nil }
func (fleetingServer) Wait(context.Context) error   { return errors.New("it fell over") }
func (fleetingServer) Stop(context.Context) error   { return nil }

func TestAnEngineThatIsGivenUpTakesItsModelsWithIt(t *testing.T) {
	var out strings.Builder
	s := serveNode(t, t.TempDir(), strings.Replace(withKey, "%s", "http://127.0.0.1:1", 1))
	g := &greeter{out: &out, url: s.url, self: "plenum"}
	if err := s.supervise(t.Context(), "llamacpp", &fleeting{}, g); err != nil {
		t.Fatal(err)
	}
	if names := s.callable(); len(names) != 1 || names[0] != "m" {
		t.Errorf("what can be called is %v, want only m", names)
	}
	for _, want := range []string{"Ready. Models: m, tiny", `"model": "tiny"`, "The local model is not available: it is broken"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in what is read:\n%s", want, out.String())
		}
	}
}
