//go:build unix

package operate

import (
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
	"sync"
	"syscall"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

const (
	callerKey  = "a-key-of-the-operators-test-1"
	adminKey   = "the-admin-key-of-the-operators"
	credential = "the-secret-of-a-vendor-that-nobody-reads"
	pepper     = "7e57ab1e7e57ab1e7e57ab1e7e57ab1e7e57ab1e7e57ab1e7e57ab1e7e57ab1e"
	masterKey  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	patience   = time.Minute
)

// TestOperate builds the program once, for all that is done with it.
func TestOperate(t *testing.T) {
	bin := build(t)
	t.Run("a drill: everything is lost and restored, embedded", func(t *testing.T) { drill(t, bin, nil) })
	t.Run("a drill: everything is lost and restored, PostgreSQL", func(t *testing.T) { drill(t, bin, testkit.Postgres(t)) })
	t.Run("every node is restarted in turn under load", func(t *testing.T) { rolling(t, bin) })
	t.Run("no file may grow", func(t *testing.T) { fullDisk(t, bin, fileLimit{}) })
	t.Run("a small disk is full", func(t *testing.T) { fullDisk(t, bin, smallDisk{}) })
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "plenum")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/plenum-foundry/plenum/cmd/plenum")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// site is a Plenum that a test runs, with its configuration and its data.
type site struct {
	bin, dir, data, conf string
	addr                 string
	database, more       string // of the configuration
	up                   *testkit.Upstream
	cmd                  *exec.Cmd
	log                  bytes.Buffer
}

// newSite writes the configuration of one, with deployment m.
func newSite(t *testing.T, bin string, up *testkit.Upstream, database, more string) *site {
	t.Helper()
	s := &site{bin: bin, dir: t.TempDir(), addr: freeAddress(t), database: database, more: more, up: up}
	s.conf, s.data = filepath.Join(s.dir, "plenum.yaml"), filepath.Join(s.dir, "data")
	s.configure(t)
	return s
}

func (s *site) configure(t *testing.T) {
	t.Helper()
	yaml := fmt.Sprintf(`listen: %s
data_dir: %s
admin_key: %s
master_key: %s
%sconnections:
  - {name: a, provider: openai-compatible, base_url: %q}
deployments:
  - name: m
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 10, output_usd_per_million: 20}}]
keys:
  - {name: dev, secret: %s}
`, s.addr, s.data, adminKey, masterKey, s.more, s.up.URL+"/v1", callerKey)
	if s.database != "" {
		yaml = fmt.Sprintf("database: %q\npepper: %s\n", s.database, pepper) + yaml
	}
	if err := os.WriteFile(s.conf, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts it, and waits until it is ready.
func (s *site) start(t *testing.T, attrs ...func(*exec.Cmd)) {
	t.Helper()
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), s.bin, "serve", "--config", s.conf)
	s.cmd.Stderr = &s.log
	for _, f := range attrs {
		f(s.cmd)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	s.waitReady(t, http.StatusOK)
}

// waitReady waits until /readyz answers with a status, and returns what it says.
func (s *site) waitReady(t *testing.T, status int) string {
	t.Helper()
	var said string
	until(t, func() bool {
		got, body, err := s.do(t, http.MethodGet, "/readyz", "", "")
		said = body
		return err == nil && got == status
	}, func() string { return fmt.Sprintf("readyz says %q; log:\n%s", said, s.log.String()) })
	return said
}

// until waits for a condition.
func until(t *testing.T, is func() bool, otherwise func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise())
		}
	}
}

// kill ends it as a power cut would.
func (s *site) kill() {
	if s.cmd != nil && s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// stop lets it drain and end.
func (s *site) stop(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, s.log.String())
	}
}

// do sends a request and returns what came back.
func (s *site) do(t *testing.T, method, path, key, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Api-Key", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// run runs a command of the program, and returns what it says.
func (s *site) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.bin, args...).CombinedOutput()
	return string(out), err
}

// must runs a command that must succeed.
func (s *site) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.run(t, args...)
	if err != nil {
		t.Fatalf("plenum %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// open opens the store of a site that does not run.
func (s *site) open(t *testing.T) store.Store {
	t.Helper()
	var db store.Store
	var err error
	if s.database != "" {
		db, err = postgres.Open(t.Context(), plenum.NewSecret(s.database))
	} else {
		db, err = sqlite.Open(t.Context(), filepath.Join(s.data, store.DatabaseName))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

const ask = `{"model":"m","messages":[{"role":"user","content":"What is gravity?"}]}`

const answer = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Things fall."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":4,"total_tokens":16}}`

// callers call side by side until they are stopped, and count the ids of calls that were answered.
type callers struct {
	mu   sync.Mutex
	ids  []string
	errs []string
	stop func()
}

func (s *site) load(t *testing.T, n int, key string) *callers {
	ctx, cancel := context.WithCancel(t.Context())
	c := &callers{}
	var wg sync.WaitGroup
	c.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(c.stop)
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, "http://"+s.addr+"/v1/chat/completions", strings.NewReader(ask))
				if err != nil {
					return
				}
				req.Header.Set("Authorization", "Bearer "+key)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					c.note("", err.Error())
					continue
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					c.note("", fmt.Sprintf("%d %v %s", resp.StatusCode, err, b))
					continue
				}
				c.note(resp.Header.Get("Plenum-Request-Id"), "")
			}
		})
	}
	return c
}

func (c *callers) note(id, err string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != "" {
		c.errs = append(c.errs, err)
		return
	}
	c.ids = append(c.ids, id)
}

// answered returns the calls answered so far.
func (c *callers) answered() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[:len(c.ids):len(c.ids)]
}

// wait waits for n more answers.
func (c *callers) wait(t *testing.T, n int) {
	t.Helper()
	n += len(c.answered())
	until(t, func() bool { return len(c.answered()) >= n }, func() string { return fmt.Sprintf("no answers: %q", c.errs) })
}

// prove proves the ledger of a site that does not run, and that its sums are those of its records. It returns the records by
// their id.
func (s *site) prove(t *testing.T) map[string]plenum.Record {
	t.Helper()
	if out, err := s.run(t, "ledger", "verify", "--config", s.conf); err != nil || !strings.Contains(out, "Nothing is wrong") {
		t.Errorf("the ledger: %v\n%s", err, out)
	}
	db := s.open(t)
	all := map[string]plenum.Record{}
	var cost plenum.Micros
	err := store.Each(t.Context(), db, store.Filter{}, func(r *plenum.Record) bool {
		all[r.ID] = *r
		cost += r.Cost
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	sums, err := db.Usage(t.Context(), store.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var calls int64
	var sum plenum.Micros
	for _, u := range sums {
		calls, sum = calls+u.Calls, sum+u.Cost
	}
	if calls != int64(len(all)) || sum != cost || cost == 0 {
		t.Errorf("the sums are of %d calls and %d micro-dollars, the records %d and %d", calls, sum, len(all), cost)
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// member returns a member of a JSON object.
func member(t *testing.T, body, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return fmt.Sprint(m[name])
}
