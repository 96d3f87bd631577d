package kill

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

const (
	key    = "a-key-of-the-kill-test-0123"
	rounds = 8
	load   = 24 // callers at once
)

const role = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`

func chunk(i int) string {
	return fmt.Sprintf(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"word %d "},"finish_reason":null}]}`, i)
}

// A Plenum that is killed in the middle of its work has, when it is started again, a record of every
// call of which its caller has heard anything at all.
func TestKillLosesNoCallThatACallerHasHeardOf(t *testing.T) {
	bin := build(t)
	dir := t.TempDir()
	stream := []string{role}
	for i := range 30 {
		stream = append(stream, chunk(i))
	}
	stream = append(stream,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":60,"total_tokens":70}}`, "[DONE]")
	up := testkit.NewUpstream(t, testkit.SSE(stream...).Delay(2*time.Millisecond))
	up.KeepLast(10)
	conf := filepath.Join(dir, "plenum.yaml")
	addr := freeAddress(t)
	yaml := fmt.Sprintf("listen: %s\ndata_dir: %s\nconnections:\n  - {name: a, provider: openai-compatible, base_url: %q}\ndeployments:\n  - name: m\n    targets: [{connection: a, upstream_model: up}]\nkeys:\n  - {name: dev, secret: %s}\n",
		addr, filepath.Join(dir, "data"), up.URL+"/v1", key)
	if err := os.WriteFile(conf, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	heard := map[string]bool{} // ids of calls of which a byte was read, and whether the answer was whole
	for round := range rounds {
		cmd := start(t, bin, conf, addr)
		for id, all := range callUntil(t, addr, time.Duration(150+37*round)*time.Millisecond, func() { kill(cmd) }) {
			heard[id] = all
		}
	}
	// One start more settles what the last kill left open, and ships it to the store as it stops.
	cmd := start(t, bin, conf, addr)
	time.Sleep(500 * time.Millisecond)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	check(t, filepath.Join(dir, "data", store.DatabaseName), heard)
}

func check(t *testing.T, path string, heard map[string]bool) {
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	whole, lost, missing := 0, 0, 0
	for id, all := range heard {
		r, err := db.Call(t.Context(), id)
		switch {
		case err != nil:
			missing++
			t.Errorf("call %s, of which a byte was heard: %v", id, err)
		case r.Outcome == plenum.OutcomeLost:
			lost++
			if all {
				t.Errorf("call %s was answered whole and is settled as lost", id)
			}
		default:
			whole++
		}
	}
	if len(heard) < rounds*load/2 || lost == 0 {
		t.Errorf("the test proves little: %d calls were heard of, %d were cut off", len(heard), lost)
	}
	t.Logf("%d kills; %d calls of which a byte was heard: %d with their end on record, %d settled as lost, %d missing", rounds, len(heard), whole, lost, missing)
}

// callUntil makes calls side by side until some were answered whole and then the time is over, calls stop, and
// returns the ids of those of which anything was heard.
func callUntil(t *testing.T, addr string, d time.Duration, stop func()) map[string]bool {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: load}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var once sync.Once
	answered := make(chan struct{})
	heard := map[string]bool{}
	var wg sync.WaitGroup
	for range load {
		wg.Go(func() {
			for ctx.Err() == nil {
				id, all := call(ctx, client, addr)
				if id == "" {
					return
				}
				mu.Lock()
				heard[id] = all
				if all {
					once.Do(func() { close(answered) })
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-answered:
	case <-time.After(time.Minute):
		t.Error("not one call was answered in a minute")
	}
	time.Sleep(d) // it varies, so that the kill meets calls at different points
	stop()
	cancel()
	wg.Wait()
	return heard
}

// call makes one call and returns its id if a byte of its answer was read, and whether it was whole.
func call(ctx context.Context, client *http.Client, addr string) (id string, whole bool) {
	body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"Tell me a long story."}]}`
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", false
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	if _, err := r.ReadByte(); err != nil {
		return "", false
	}
	text, err := io.ReadAll(r)
	return resp.Header.Get("Plenum-Request-Id"), err == nil && strings.Contains(string(text), "[DONE]")
}

func build(t *testing.T) string {
	bin := filepath.Join(t.TempDir(), "plenum")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/plenum-foundry/plenum/cmd/plenum")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

func start(t *testing.T, bin, conf, addr string) *exec.Cmd {
	var log strings.Builder
	cmd := exec.Command(bin, "serve", "--config", conf)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	for range 2400 {
		if resp, err := http.Get("http://" + addr + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return cmd
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	kill(cmd)
	t.Fatalf("it did not start:\n%s", log.String())
	return nil
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
