//go:build unix

package operate

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// chunks returns a streamed answer of n words.
func chunks(n int) []string {
	out := []string{`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`}
	for range n {
		out = append(out, `{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`)
	}
	return append(out,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":4,"total_tokens":16}}`, "[DONE]")
}

// rolling restarts three nodes on one PostgreSQL and one Valkey, one after the other, behind a balancer.
func rolling(t *testing.T, bin string) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	up.KeepLast(1)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.SSE(chunks(20)...).Delay(10 * time.Millisecond) })
	database := testkit.Postgres(t).Database()
	more := fmt.Sprintf("valkey: %q\ndrain_delay: 2s\ndrain: 60s\nbudgets:\n  - {name: all, amount_usd: 1000}\n", testkit.Valkey(t))
	var nodes []*site
	b := &balancer{}
	for range 3 {
		s := newSite(t, bin, up, database, more)
		s.start(t)
		nodes, b.nodes = append(nodes, s), append(b.nodes, &backend{addr: s.addr})
	}
	b.run(t)
	c := b.load(t, 6, 3)
	for _, s := range nodes {
		c.wait(t, 20)
		began := time.Now()
		s.stop(t)
		t.Logf("a node stopped in %v", time.Since(began))
		c.wait(t, 20) // the others do it
		s.start(t)
		until(t, func() bool { return b.ready() == len(nodes) }, func() string { return "a node does not come back" })
	}
	c.wait(t, 20)
	c.stop()
	if len(c.errs) > 0 {
		t.Errorf("%d calls failed, the first with %s", len(c.errs), c.errs[0])
	}
	for i, s := range nodes {
		if b.nodes[i].taken.Load() == 0 {
			t.Errorf("node %d had nothing to do", i)
		}
		s.stop(t)
	}
	calls := nodes[0].prove(t)
	for _, id := range c.answered() {
		if r, ok := calls[id]; !ok || r.Outcome != plenum.OutcomeOK {
			t.Errorf("call %s is on record as %q", id, r.Outcome)
		}
	}
	if len(calls) != len(c.answered()) {
		t.Errorf("%d calls were answered and %d are on record", len(c.answered()), len(calls))
	}
	t.Logf("three restarts, %d calls and streams, %d failed", len(c.answered()), len(c.errs))
}

// backend is a node as a balancer sees it.
type backend struct {
	addr  string
	ok    atomic.Bool
	rest  atomic.Bool // it is given nothing, ready or not
	taken atomic.Int64
}

// balancer passes connections on to nodes that say that they are ready, and knows nothing of HTTP but that.
type balancer struct {
	nodes []*backend
	addr  string
	turn  atomic.Int64
}

// run runs it until the test ends.
func (b *balancer) run(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); _ = l.Close(); wg.Wait() })
	for _, n := range b.nodes {
		wg.Go(func() { n.watch(ctx) })
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { b.pass(ctx, c) })
		}
	})
	until(t, func() bool { return b.ready() == len(b.nodes) }, func() string { return "the balancer sees no nodes" })
}

func (b *balancer) ready() (n int) {
	for _, x := range b.nodes {
		if x.ok.Load() && !x.rest.Load() {
			n++
		}
	}
	return n
}

// watch asks a node whether it is ready, again and again.
func (x *backend) watch(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+x.addr+"/readyz", nil)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		x.ok.Store(err == nil && resp.StatusCode == http.StatusOK)
		if err == nil {
			_ = resp.Body.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// pass passes one connection on.
func (b *balancer) pass(ctx context.Context, c net.Conn) {
	defer c.Close()
	var d net.Dialer
	for range len(b.nodes) {
		n := b.nodes[int(b.turn.Add(1))%len(b.nodes)]
		if !n.ok.Load() || n.rest.Load() {
			continue
		}
		to, err := d.DialContext(ctx, "tcp", n.addr)
		if err != nil {
			continue
		}
		n.taken.Add(1)
		done := make(chan struct{})
		go func() {
			_, _ = io.Copy(to, c)
			_ = to.Close()
			close(done)
		}()
		_, _ = io.Copy(c, to)
		_ = c.Close()
		<-done
		return
	}
}

// load makes calls and streams side by side, some of the callers on connections that they keep.
func (b *balancer) load(t *testing.T, n, kept int) *callers {
	ctx, cancel := context.WithCancel(t.Context())
	c := &callers{}
	var wg sync.WaitGroup
	c.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(c.stop)
	for i := range n {
		wg.Go(func() {
			tr := &http.Transport{DisableKeepAlives: i >= kept}
			defer tr.CloseIdleConnections()
			for k := i / 2; ctx.Err() == nil; k++ {
				c.note(once(context.WithoutCancel(ctx), &http.Client{Transport: tr}, b.addr, k%2 == 0))
			}
		})
	}
	return c
}

// once makes a call, and returns its id or what was wrong with it.
func once(ctx context.Context, client *http.Client, addr string, stream bool) (id, fault string) {
	body := ask
	if stream {
		body = strings.Replace(ask, `{"model"`, `{"stream":true,"model"`, 1)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+callerKey)
	resp, err := client.Do(req)
	if err != nil {
		return "", err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	// Under a budget a whole answer is streamed from the upstream and put together.
	whole := strings.Count(string(b), "word ") == 20 && strings.Contains(string(b), "[DONE]") == stream
	if err != nil || resp.StatusCode != http.StatusOK || !whole {
		return "", fmt.Sprintf("%d %v %s", resp.StatusCode, err, b)
	}
	return resp.Header.Get("Plenum-Request-Id"), ""
}
