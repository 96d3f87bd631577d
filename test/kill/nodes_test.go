//go:build unix

package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
)

const (
	adminKey = "the-admin-key-of-the-kill-test"
	money    = 200_000 // micro-dollars
)

// nodesConfig has four bounds of four kinds hold for all calls. The lease is short, so that the test is.
const nodesConfig = `listen: %s
data_dir: %s
database: %q
valkey: %q
valkey_away: {mode: share, share: 10, patience: 1s, lease: 3s}
pepper: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
admin_key: ` + adminKey + `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    targets: [{connection: a, upstream_model: up, context: 200000, max_output: 4000, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: slow
    targets: [{connection: a, upstream_model: up, context: 200000, max_output: 4000, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
keys:
  - {name: dev, secret: ` + key + `}
budgets:
  - {name: lab, amount_usd: 0.2}
limits:
  - {name: often, counts: requests, amount: 5000, window: month}
  - {name: much, counts: tokens, amount: 50000000, window: month}
  - {name: atonce, counts: concurrent, amount: 60}
  - {name: slow, scope: {deployment: slow}, counts: concurrent, amount: 5} # so few that there is no share of them
`

// cluster is three nodes as processes, on one PostgreSQL and one Valkey.
type cluster struct {
	t      *testing.T
	bin    string
	addrs  []string
	confs  []string
	procs  []*exec.Cmd
	valkey *testkit.ValkeyServer
	store  *postgres.DB
	client *http.Client
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, bin: build(t), valkey: testkit.OwnValkey(t), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(c.client.CloseIdleConnections)
	database := testkit.Postgres(t).Database()
	up := testkit.NewUpstream(t)
	up.KeepLast(10)
	up.Handle(writes)
	for i := range 3 {
		addr, conf, data := freeAddress(t), filepath.Join(t.TempDir(), "plenum.yaml"), filepath.Join(t.TempDir(), fmt.Sprint("data", i))
		if err := os.WriteFile(conf, fmt.Appendf(nil, nodesConfig, addr, data, database, c.valkey.Address, up.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		c.addrs, c.confs = append(c.addrs, addr), append(c.confs, conf)
		c.procs = append(c.procs, start(t, c.bin, conf, addr))
	}
	db, err := postgres.Open(t.Context(), plenum.NewSecret(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c.store = db
	return c
}

// writes answers with as many tokens as the request's user says; one of more than a thousand hangs in the middle.
func writes(r *testkit.Request) testkit.Answer {
	n := int(gjson.GetBytes(r.Body, "user").Int())
	events := []string{role}
	for left := min(n, 1000); left > 0; left -= 50 {
		events = append(events, chunk(left))
	}
	usage := fmt.Sprintf(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":%d,"total_tokens":%d}}`, n, n+40)
	a := testkit.SSE(append(events, `{"id":"c","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, usage, "[DONE]")...)
	if n > 1000 {
		return a.DelayAt(4, testkit.Forever)
	}
	return a.Delay(2 * time.Millisecond)
}

// open begins a call and returns its answer.
func (c *cluster) open(ctx context.Context, node, tokens int) (*http.Response, error) {
	model := "m"
	if tokens > 1000 {
		model = "slow"
	}
	body := fmt.Sprintf(`{"model":%q,"stream":true,"max_tokens":%d,"user":"%d","messages":[{"role":"user","content":"Write."}]}`, model, max(tokens, 1000), tokens)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addrs[node]+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	return c.client.Do(req)
}

// call makes a call and returns the status of its answer; 0 where there was none.
func (c *cluster) call(node, tokens int) int {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	resp, err := c.open(ctx, node, tokens)
	if err != nil {
		if ctx.Err() != nil {
			c.t.Errorf("a call hung for a minute: %v", err)
		}
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && ctx.Err() != nil {
		c.t.Errorf("an answer hung for a minute: %v", err)
	}
	return resp.StatusCode
}

type balance struct {
	Account, Name     string
	Spent, Held, Left int64
}

// balances returns what a node says of each bound.
func (c *cluster) balances(node int) map[string]balance {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, "http://"+c.addrs[node]+"/admin/v1/balances", http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var page struct{ Data []balance }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&page) != nil {
		return nil
	}
	out := map[string]balance{}
	for _, b := range page.Data {
		out[b.Name] = b
	}
	return out
}

// charged returns what the records in the store say that was spent of each account, and how many calls there are.
func (c *cluster) charged() (sums map[string]int64, calls, lost int) {
	sums = map[string]int64{}
	add := func(list []plenum.Charge) {
		for _, x := range list {
			sums[x.Account] += x.Amount
		}
	}
	err := store.Each(c.t.Context(), c.store, store.Filter{}, func(r *plenum.Record) bool {
		calls++
		if r.Outcome == plenum.OutcomeLost {
			lost++
		}
		add(r.Charges)
		for i := range r.Attempts {
			add(r.Attempts[i].Charges)
		}
		return true
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return sums, calls, lost
}

// agree waits until nothing is held but shares, all nodes say the same, and the records say so, too.
func (c *cluster) agree(when string) (spent int64) {
	c.t.Helper()
	var all []map[string]balance
	var sums map[string]int64
	until(c.t, when+": the nodes and the records agree", func() bool {
		sums, _, _ = c.charged()
		all = nil
		for i := range c.addrs {
			b := c.balances(i)
			all = append(all, b)
			for _, name := range []string{"lab", "often", "much"} {
				if b == nil || b[name].Spent != sums[b[name].Account] {
					return false
				}
			}
			if b["atonce"].Spent != 0 {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("%+v; records %+v", all, sums) })
	return all[0]["lab"].Spent
}

func until(t *testing.T, what string, ok func() bool, state func() string) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 60*time.Second {
			t.Fatalf("it did not come to this in a minute: %s\n%s", what, state())
		}
	}
}

// load has callers call all nodes side by side until a number of calls were answered, or so many in a row were not.
func (c *cluster) load(callers, calls, refusals int) (answered, refused int64) {
	var ok, no atomic.Int64
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			for i := 0; ok.Load() < int64(calls) && no.Load() < int64(refusals); i++ {
				switch c.call((w+i)%3, 20+(w*37+i*101)%300) {
				case http.StatusOK:
					ok.Add(1)
				default:
					no.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return ok.Load(), no.Load()
}

// Three processes spend of the same money, requests, tokens and places. One is killed while it holds of all of them; their server stops while
// calls go on. Whatever happens, all say to the micro-dollar what the records say, and nothing is overspent.
func TestThreeNodesAgreeWhateverHappensToOneOrToTheirServer(t *testing.T) {
	c := newCluster(t)
	if ok, _ := c.load(9, 25, 1000); ok < 25 {
		t.Fatalf("%d calls were answered", ok)
	}
	spent := c.agree("after calls at all nodes")
	t.Logf("after the first calls $%s is spent, and all agree", plenum.Micros(spent))

	c.killOne()
	spent = c.agree("after one was killed and started again")
	t.Logf("after the kill $%s is spent, and all agree", plenum.Micros(spent))

	c.pauseServer()
	spent = c.agree("after the server was stopped")
	t.Logf("after the stop $%s is spent, and all agree", plenum.Micros(spent))

	c.load(9, 40, 1000)
	spent = c.agree("in the end")
	if spent > money || spent < money*70/100 {
		t.Errorf("$%s is spent of $%s", plenum.Micros(spent), plenum.Micros(money))
	}
	t.Logf("in the end $%s of $%s is spent, and all agree", plenum.Micros(spent), plenum.Micros(money))
}

// killOne kills a node in the middle of answers, and sees that what it held comes back, and that it is charged once for them.
func (c *cluster) killOne() {
	t := c.t
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const hanging = 4
	for range hanging {
		resp, err := c.open(ctx, 0, 2000)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		defer resp.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	before := c.balances(1)
	if before["slow"].Held != hanging || before["atonce"].Held < hanging || before["lab"].Held == 0 || before["much"].Held == 0 {
		t.Errorf("%d answers are under way, and this is held: %+v", hanging, before)
	}
	kill(c.procs[0])
	killed := time.Now()
	until(t, "the places of the killed node come back", func() bool {
		c.call(1, 20) // who takes finds that a lease has run out
		b := c.balances(1)
		return b != nil && b["slow"].Held == 0
	}, func() string { return fmt.Sprintf("%+v", c.balances(1)) })
	t.Logf("what the killed node held was there again after %s, with a lease of 3 s", time.Since(killed).Round(100*time.Millisecond))
	_, _, lost := c.charged()
	c.procs[0] = start(t, c.bin, c.confs[0], c.addrs[0])
	until(t, "its calls are on record", func() bool {
		_, _, now := c.charged()
		return now == lost+hanging
	}, func() string { _, calls, now := c.charged(); return fmt.Sprint(now, " of ", calls) })
}

// pauseServer stops Valkey while callers go on, and sees that none of them hangs, some are answered, and all are again when it goes on.
func (c *cluster) pauseServer() {
	t := c.t
	for i := range c.addrs { // each has used the accounts, so that it puts its share by
		until(t, "a node is answered", func() bool { return c.call(i, 20) == http.StatusOK }, func() string { return "" })
	}
	until(t, "the nodes have shares", func() bool { return c.balances(1)["lab"].Held > money/10 }, func() string { return fmt.Sprintf("%+v", c.balances(1)) })
	c.valkey.Pause()
	ok, no := c.load(9, 1000, 30)
	c.valkey.Resume()
	t.Logf("while Valkey was stopped %d calls were answered, then %d refused", ok, no)
	if ok == 0 {
		t.Errorf("while Valkey was stopped %d calls were answered", ok)
	}
	back := time.Now()
	for i := range c.addrs {
		until(t, "a node is answered after it went on", func() bool { return c.call(i, 20) == http.StatusOK }, func() string { return "" })
	}
	t.Logf("all nodes answered %s after it went on", time.Since(back).Round(time.Millisecond))
}
