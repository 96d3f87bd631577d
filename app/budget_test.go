package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/stage/budget"
)

// purseful is a world with budgets, in front of a vendor that writes as many tokens as it is told to.
type purseful struct {
	*world
	book books.Book
	up   *testkit.Upstream
}

// scribe answers as many tokens as the request's `user` says, each a word of four letters, and reports as many.
func scribe(r *testkit.Request) testkit.Answer {
	n := int(gjson.GetBytes(r.Body, "user").Int())
	if most := gjson.GetBytes(r.Body, "max_tokens"); most.Exists() {
		n = min(n, int(most.Int()))
	}
	in := len(r.Body) / 4
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, in, n, in+n)
	if !gjson.GetBytes(r.Body, "stream").Bool() {
		return testkit.JSON(fmt.Sprintf(`{"id":"x","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":%s}`,
			strings.Repeat("tok ", n), usage))
	}
	events := []string{roleChunk}
	for left := n; left > 0; left -= 50 {
		events = append(events, chunk(strings.Repeat("tok ", min(left, 50))))
	}
	return testkit.SSE(append(events, stopChunk, `{"id":"x","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":`+usage+`}`, "[DONE]")...)
}

const budgetDeployments = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    targets: [{connection: a, upstream_model: up, context: 200000, max_output: 32000, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: free
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 0, output_usd_per_million: 0}}]
`

func withBudgets(t *testing.T, budgets string) *purseful {
	t.Helper()
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	return withBook(t, budgets, up, books.NewMemory())
}

// withBook is a world whose budgets are kept in a book, such as one that others share.
func withBook(t *testing.T, budgets string, up *testkit.Upstream, book books.Book) *purseful {
	t.Helper()
	p := &purseful{book: book, up: up}
	accounts := budget.NewAccounts(book, clock.Real)
	accounts.Patience = time.Minute // a slow machine refuses nobody
	p.world = newWorld(t, Mechanisms{Budgets: accounts, Limits: accounts}, budgetDeployments+budgets, up.URL)
	return p
}

// asks returns a request for so many tokens.
func asks(tokens, most int, stream bool) string {
	return fmt.Sprintf(`{"model":"m","stream":%t,"max_tokens":%d,"user":"%d","messages":[{"role":"user","content":"write"}]}`, stream, most, tokens)
}

// balance waits until nothing is held of an account, and returns what was spent.
func (p *purseful) balance(id string, bound plenum.Micros) plenum.Micros {
	p.t.Helper()
	a := books.Account{ID: id, Bound: int64(bound), Window: plenum.Window{Period: plenum.PerMonth, Zone: time.UTC}}
	for range 3000 {
		b, err := p.book.Balances(context.Background(), []books.Account{a}, time.Now())
		if err != nil {
			p.t.Fatal(err)
		}
		if b[0].Held == 0 {
			return plenum.Micros(b[0].Spent)
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("something is held of %s for ever", id)
	return 0
}

// recorded returns what the records of all calls say was spent.
func (p *purseful) recorded() (sum plenum.Micros) {
	p.records.mu.Lock()
	defer p.records.mu.Unlock()
	for i := range p.records.list {
		sum += p.records.list[i].Cost
	}
	return sum
}

func TestCase_E1_OfManyCallsAtOnceOnlyThoseReachTheUpstreamThatTheBudgetPays(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.04}]") // a call of 300 tokens costs a bit more than $0.003
	var wg sync.WaitGroup
	var ok, refused atomic.Int64
	for range 200 {
		wg.Go(func() {
			resp, got := p.post("/v1/chat/completions", asks(300, 300, false))
			switch {
			case resp.StatusCode == http.StatusOK:
				ok.Add(1)
			case resp.StatusCode == http.StatusTooManyRequests && strings.Contains(got, "budget_exhausted"):
				refused.Add(1)
			default:
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		})
	}
	wg.Wait()
	spent := p.balance("lab", 40_000)
	if n := p.up.Count(); n > 13 || n < 10 || ok.Load()+refused.Load() != 200 {
		t.Errorf("%d calls reached the upstream, %d were answered and %d refused", n, ok.Load(), refused.Load())
	}
	if spent > 40_000 || spent != p.recorded() {
		t.Errorf("$%s was spent of $0.04, and $%s is on record", spent, p.recorded())
	}
}

func TestCase_E2_ChargesThatComeAtOnceAreAllCounted(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 100}, {name: each, per: key, amount_usd: 50}]")
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { p.post("/v1/chat/completions", asks(100, 100, true)) })
	}
	wg.Wait()
	key := p.records.nth(t, 0).KeyID
	if lab, each := p.balance("lab", 1e8), p.balance("each["+key+"]", 1e8); lab != p.recorded() || each != lab || lab < 200*1000 {
		t.Errorf("$%s and $%s were counted, $%s is on record", lab, each, p.recorded())
	}
}

// TestAHardBudgetIsNeverOverspentAndNearlyAllOfItIsSpent has a hundred agents ask for 32,000 tokens at most, again and
// again, and be answered with a few hundred.
func TestAHardBudgetIsNeverOverspentAndNearlyAllOfItIsSpent(t *testing.T) {
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("stream %t", stream), func(t *testing.T) {
			const bound = plenum.Micros(2_000_000)
			p := withBudgets(t, "budgets: [{name: lab, amount_usd: 2}]")
			var wg sync.WaitGroup
			var first sync.Once
			var at plenum.Micros
			for i := range 100 {
				wg.Go(func() {
					for n := 0; ; n++ {
						resp, got := p.post("/v1/chat/completions", asks(200+(i*37+n*101)%400, 32000, stream))
						if resp.StatusCode == http.StatusOK && !strings.Contains(got, `"error"`) {
							continue
						}
						first.Do(func() { at = p.recorded() })
						return
					}
				})
			}
			wg.Wait()
			spent := p.balance("lab", bound)
			if spent > bound || spent != p.recorded() {
				t.Errorf("$%s was spent of $%s, and $%s is on record", spent, bound, p.recorded())
			}
			if at < bound*95/100 {
				t.Errorf("somebody was refused when $%s was spent of $%s", at, bound)
			}
			t.Logf("$%s was spent when the first was refused, $%s in the end, by %d calls", at, spent, p.up.Count())
		})
	}
}

func TestCase_E3_AnAbortStormLeavesNothingHeld(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 50}]")
	p.up.Handle(func(r *testkit.Request) testkit.Answer { return scribe(r).Delay(5 * time.Millisecond) })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+i)*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(asks(2000, 32000, i%2 == 0)))
			req.Header.Set("Authorization", "Bearer "+worldKey)
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	if spent := p.balance("lab", 5e7); spent > 5e7 {
		t.Errorf("$%s was spent", spent)
	}
}

func TestCase_E5_ABudgetHoldsOnEveryDoor(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.000001}]")
	before := p.up.Count()
	for door, body := range map[string]string{
		"/v1/chat/completions":              asks(10, 100, false),
		"/openai/v1/chat/completions":       asks(10, 100, true),
		"/v1/responses":                     `{"model":"m","input":"x","max_output_tokens":100}`,
		"/v1/messages":                      `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"x"}]}`,
		"/v1beta/models/m:generateContent":  `{"contents":[{"parts":[{"text":"x"}]}]}`,
		"/model/m/converse":                 `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`,
		"/v2/chat":                          `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/api/chat":                         `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/v1/completions":                   `{"model":"m","prompt":"x"}`,
		"/v1/embeddings":                    `{"model":"m","input":"x"}`,
		"/models/chat/completions":          `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/openai/deployments/m/completions": `{"prompt":"x"}`,
	} {
		resp, got := p.post(door, body)
		if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(got, "budget") || !strings.Contains(got, "lab") {
			t.Errorf("%s: %d %s", door, resp.StatusCode, got)
		}
		if resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: nothing says when it may be tried again: %v", door, resp.Header)
		}
	}
	if n := p.up.Count() - before; n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
	if resp, got := p.post("/v1/chat/completions", strings.Replace(asks(10, 10, false), `"m"`, `"free"`, 1)); resp.StatusCode != 200 {
		t.Errorf("what costs nothing: %d %s", resp.StatusCode, got)
	}
}

func TestCase_E7_NobodyIsRefusedByABudgetThatIsNotHis(t *testing.T) {
	p := withBudgets(t, `budgets:
  - {name: others, scope: {project: elsewhere}, amount_usd: 0}
  - {name: key, scope: {project: default, key: prod}, amount_usd: 0}
  - {name: model, scope: {deployment: free}, amount_usd: 0}
  - {name: vendor, scope: {provider: xai}, amount_usd: 0}`)
	if resp, got := p.post("/v1/chat/completions", asks(10, 100, false)); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

func TestAnAnswerThatIsWantedWholeIsEndedAtItsLengthWhenTheMoneyRunsOut(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.05}]")
	resp, got := p.post("/v1/chat/completions", asks(20000, 32000, false))
	said := gjson.Get(got, "choices.0.message.content").String()
	if resp.StatusCode != 200 || gjson.Get(got, "choices.0.finish_reason").String() != "length" || len(said) < 2000 {
		t.Errorf("%d, %d bytes: %.300s", resp.StatusCode, len(said), got)
	}
	if why := resp.Header.Get("Plenum-Changed"); !strings.Contains(why, `budget "lab"`) {
		t.Errorf("the caller was told %q", why)
	}
	if spent := p.balance("lab", 50_000); spent > 50_000 || spent < 5_000 || spent != p.recorded() {
		t.Errorf("$%s was spent, $%s is on record", spent, p.recorded())
	}
}

func TestABudgetCapsAModelThatThinksUnseen(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.05}]")
	body := strings.Replace(asks(100, 32000, true), `"user"`, `"reasoning_effort":"high","user"`, 1)
	resp, got := p.post("/v1/chat/completions", body)
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	most := gjson.GetBytes(p.up.Requests()[0].Body, "max_tokens").Int()
	if most < 3000 || most > 5000 || !strings.Contains(resp.Header.Get("Plenum-Changed"), "output capped at") {
		t.Errorf("the answer was capped at %d, and the caller told %q", most, resp.Header.Get("Plenum-Changed"))
	}
}

func TestWhatHasNoBoundIsRefusedByAHardBudgetAndNotByASoftOne(t *testing.T) {
	hosted := `{"model":"m","max_output_tokens":100,"input":"x","tools":[{"type":"web_search"}]}`
	for kind, want := range map[string]int{"hard": 429, "soft": 200} {
		p := withBudgets(t, fmt.Sprintf("budgets: [{name: lab, amount_usd: 1, kind: %s}]", kind))
		if resp, got := p.post("/v1/responses", hosted); resp.StatusCode != want {
			t.Errorf("%s: %d %s", kind, resp.StatusCode, got)
		}
	}
}

func TestASoftBudgetRefusesOnceItIsSpent(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.01, kind: soft}]")
	var codes []int
	for range 5 {
		resp, _ := p.post("/v1/chat/completions", asks(400, 32000, false))
		codes = append(codes, resp.StatusCode)
	}
	if fmt.Sprint(codes) != "[200 200 429 429 429]" && fmt.Sprint(codes) != "[200 200 200 429 429]" {
		t.Errorf("got %v", codes)
	}
}

func TestThreeNodesSpendOfOneBudget(t *testing.T) {
	address, prefix := testkit.Valkey(t), rand.Text()
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	var nodes []*purseful
	for range 3 {
		book, err := valkey.Open(t.Context(), address, prefix, 10*time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(book.Close)
		nodes = append(nodes, withBook(t, "budgets: [{name: lab, amount_usd: 0.4}]", up, book))
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for n := 0; ; n++ {
				resp, got := nodes[(i+n)%3].post("/v1/chat/completions", asks(100+(i*37+n*101)%300, 32000, i%2 == 0))
				if resp.StatusCode != http.StatusOK || strings.Contains(got, `"error"`) {
					return
				}
			}
		})
	}
	wg.Wait()
	var recorded plenum.Micros
	for _, n := range nodes {
		recorded += n.recorded()
	}
	for i, n := range nodes {
		if spent := n.balance("lab", 400_000); spent != recorded || spent > 400_000 || spent < 360_000 {
			t.Errorf("node %d says that $%s was spent of $0.4, and $%s is on record", i, spent, recorded)
		}
	}
}

func TestACallIsRefusedWhileNobodyKnowsWhatIsLeft(t *testing.T) {
	book, err := valkey.Open(t.Context(), testkit.Valkey(t), rand.Text(), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	p := withBook(t, "budgets: [{name: lab, scope: {deployment: m}, amount_usd: 1}]", up, book)
	book.Close()
	if resp, got := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got, "budget_unknown") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if up.Count() != 0 {
		t.Error("the upstream was asked")
	}
}

func TestCase_E11_ACallUnderWayKeepsNobodyFromTheBudgets(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 1}, {name: each, per: key, amount_usd: 1}]")
	p.up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "hang") {
			return testkit.Hang()
		}
		return scribe(r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(strings.Replace(asks(10, 100, false), "write", "hang", 1)))
		req.Header.Set("Authorization", "Bearer "+worldKey)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := p.up.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if resp, got := p.post("/v1/chat/completions", asks(10, 100, false)); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	}
	cancel()
	<-gone
	p.balance("lab", 1e6)
}

// TestCase_E10_ABudgetThatIsChangedKeepsWhatWasSpent lowers a budget below what was spent, and raises it again.
func TestCase_E10_ABudgetThatIsChangedKeepsWhatWasSpent(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.02, window: day}]")
	ask := func() int {
		resp, _ := p.post("/v1/chat/completions", asks(500, 500, false))
		return resp.StatusCode
	}
	change := func(budgets string) {
		p.current.Store(p.compile(fmt.Sprintf(budgetDeployments+budgets, p.up.URL)))
	}
	var codes []int
	for range 2 {
		codes = append(codes, ask()) // half a cent each
	}
	for _, x := range []string{"amount_usd: 0.005, window: day", "amount_usd: 0.0125", "amount_usd: 0.0125, window: 40d", "amount_usd: 0.02"} {
		change("budgets: [{name: lab, " + x + "}]")
		codes = append(codes, ask())
	}
	if want := "[200 200 429 429 429 200]"; fmt.Sprint(codes) != want {
		t.Errorf("got %v, want %s", codes, want)
	}
}

func TestAHardBudgetHoldsWhateverTierTheVendorServes(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 0.1}]")
	p.current.Store(p.compile(fmt.Sprintf(strings.Replace(budgetDeployments, "output_usd_per_million: 10}", "output_usd_per_million: 10, priority: {input_usd_per_million: 2, output_usd_per_million: 20}}", 1)+
		"budgets: [{name: lab, amount_usd: 0.1}]", p.up.URL)))
	p.up.Handle(func(r *testkit.Request) testkit.Answer {
		body := strings.ReplaceAll(string(scribe(r).Body()), `"choices":`, `"service_tier":"priority","choices":`)
		if strings.HasPrefix(body, "{") {
			return testkit.JSON(body)
		}
		return testkit.Stream([]byte(body))
	})
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() { p.post("/v1/chat/completions", asks(300, 300, false)) })
	}
	wg.Wait()
	if spent := p.balance("lab", 100_000); spent > 100_000 || spent < 80_000 || spent != p.recorded() {
		t.Errorf("$%s was spent of $0.1, and $%s is on record", spent, p.recorded())
	}
}
