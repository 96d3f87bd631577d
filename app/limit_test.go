package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// left waits until nothing is held of a limit, and returns what was counted.
func (p *purseful) counted(id string, w plenum.Window) int64 {
	p.t.Helper()
	w.Zone = time.UTC
	a := books.Account{ID: id, Window: w}
	var b []books.Balance
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		if b, err = p.book.Balances(context.Background(), []books.Account{a}, time.Now()); err != nil {
			p.t.Fatal(err)
		}
		if b[0].Held == 0 {
			return b[0].Spent
		}
	}
	p.t.Fatalf("%d are held of %s for ever", b[0].Held, id)
	return 0
}

func perDay() plenum.Window { return plenum.Window{Period: plenum.PerDay} }

func TestCase_E1_OfManyCallsAtOnceAsManyPassAsTheLimitsAllow(t *testing.T) {
	p := withBudgets(t, `limits:
  - {name: all, counts: requests, amount: 10, window: day}
  - {name: each, per: key, counts: requests, amount: 25, window: 1h}
budgets: [{name: lab, amount_usd: 100}]`)
	var wg sync.WaitGroup
	var ok, refused atomic.Int64
	for range 200 {
		wg.Go(func() {
			switch resp, got := p.post("/v1/chat/completions", asks(10, 10, false)); {
			case resp.StatusCode == http.StatusOK:
				ok.Add(1)
			case resp.StatusCode == http.StatusTooManyRequests && strings.Contains(got, `limit \"all\"`):
				refused.Add(1)
			default:
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		})
	}
	wg.Wait()
	if n := p.up.Count(); n != 10 || ok.Load() != 10 || refused.Load() != 190 {
		t.Errorf("%d calls reached the upstream, %d were answered, %d refused", n, ok.Load(), refused.Load())
	}
	key := p.records.nth(t, 0).KeyID
	if n := p.counted("[requests]each["+key+"]", plenum.Window{Rolling: time.Hour}); n != 10 {
		t.Errorf("of the key %d were counted: what was refused counts nowhere", n)
	}
	if spent := p.balance("lab", 1e8); spent != p.recorded() {
		t.Errorf("$%s was spent, $%s is on record", spent, p.recorded())
	}
}

// atOnce is an upstream that holds its answers until as many wait as the test says, and tells how many ever waited.
type atOnce struct {
	now, most atomic.Int64
	open      chan struct{}
}

func (a *atOnce) answer(r *testkit.Request) testkit.Answer {
	n := a.now.Add(1)
	defer a.now.Add(-1)
	for m := a.most.Load(); n > m && !a.most.CompareAndSwap(m, n); m = a.most.Load() {
	}
	select {
	case <-a.open:
	case <-time.After(30 * time.Second):
	}
	return scribe(r)
}

func TestCase_E1_NoMoreCallsAreUnderWayThanTheLimitAllows(t *testing.T) {
	p := withBudgets(t, "limits: [{name: few, counts: concurrent, amount: 3}]\nbudgets: [{name: lab, amount_usd: 100}]")
	up := &atOnce{open: make(chan struct{})}
	p.up.Handle(up.answer)
	var wg sync.WaitGroup
	var refused atomic.Int64
	for range 60 {
		wg.Go(func() {
			resp, got := p.post("/v1/chat/completions", asks(10, 10, false))
			if resp.StatusCode == http.StatusTooManyRequests && strings.Contains(got, "3 calls at the same time") && resp.Header.Get("Retry-After") != "" {
				if refused.Add(1) == 57 {
					close(up.open)
				}
			} else if resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		})
	}
	wg.Wait()
	if up.most.Load() != 3 || refused.Load() != 57 {
		t.Errorf("%d calls were under way at once, %d were refused", up.most.Load(), refused.Load())
	}
	p.counted("[concurrent]few", plenum.Window{Period: plenum.InTotal})
}

func TestCase_E2_TokensThatAreReadAndWrittenAtOnceAreAllCounted(t *testing.T) {
	p := withBudgets(t, `limits:
  - {name: all, counts: tokens, amount: 10000000, window: day}
  - {name: in, counts: input_tokens, amount: 10000000, window: day}
  - {name: out, counts: output_tokens, amount: 10000000, window: day, kind: soft}`)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { p.post("/v1/chat/completions", asks(100, 32000, i%2 == 0)) })
	}
	wg.Wait()
	in, out, all := p.counted("[input_tokens]in", perDay()), p.counted("[output_tokens]out", perDay()), p.counted("[tokens]all", perDay())
	var wantIn, wantOut int64
	for i := range 100 {
		u := p.records.nth(t, i).Usage
		wantIn, wantOut = wantIn+u.Input, wantOut+u.Output
	}
	if in != wantIn || out != wantOut || all != in+out || out != 100*100 {
		t.Errorf("%d read, %d written, %d in all; on record are %d and %d", in, out, all, wantIn, wantOut)
	}
}

func TestAHardLimitOfTokensIsNeverPassedAndNearlyAllOfItIsUsed(t *testing.T) {
	p := withBudgets(t, "limits: [{name: lab, counts: tokens, amount: 200000, window: day}]")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for n := 0; ; n++ {
				resp, got := p.post("/v1/chat/completions", asks(200+(i*37+n*101)%400, 32000, i%2 == 0))
				if resp.StatusCode != http.StatusOK || strings.Contains(got, `"error"`) {
					return
				}
			}
		})
	}
	wg.Wait()
	if n := p.counted("[tokens]lab", perDay()); n > 200_000 || n < 180_000 {
		t.Errorf("%d tokens of 200000 were used", n)
	}
}

func TestCase_E3_AnAbortStormLeavesNoPlaceTaken(t *testing.T) {
	p := withBudgets(t, "limits: [{name: few, counts: concurrent, amount: 5}, {name: tokens, counts: tokens, amount: 100000000, window: day}]\nbudgets: [{name: lab, amount_usd: 50}]")
	p.up.Handle(func(r *testkit.Request) testkit.Answer { return scribe(r).Delay(5 * time.Millisecond) })
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+i)*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(asks(2000, 32000, i%2 == 0)))
			req.Header.Set("Authorization", "Bearer "+worldKey)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	p.counted("[concurrent]few", plenum.Window{Period: plenum.InTotal})
	p.counted("[tokens]tokens", perDay())
	// A body that is no JSON, and one that the codec cannot read, leave nothing either.
	p.post("/v1/chat/completions", `{"model":"m","messages":`)
	p.post("/v1/chat/completions", `{"model":"m","messages":7}`)
	p.counted("[concurrent]few", plenum.Window{Period: plenum.InTotal})
	if resp, got := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

func TestCase_E4_ACallThatIsRefusedTakesNothing(t *testing.T) {
	p := withBudgets(t, "limits: [{name: often, counts: requests, amount: 2, window: day}, {name: few, counts: concurrent, amount: 1}]")
	up := &atOnce{open: make(chan struct{})}
	p.up.Handle(up.answer)
	first := make(chan int, 1)
	go func() {
		resp, _ := p.post("/v1/chat/completions", asks(10, 10, false))
		first <- resp.StatusCode
	}()
	if _, err := p.up.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if resp, got := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("two calls at the same time: %d %s", resp.StatusCode, got)
		}
	}
	close(up.open)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
	if resp, got := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusOK {
		t.Errorf("what was refused has eaten the requests: %d %s", resp.StatusCode, got)
	}
	if resp, _ := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusTooManyRequests {
		t.Error("a third request in a day")
	}
	if r := p.records.nth(t, 0); r.Outcome != plenum.OutcomeRefused {
		t.Errorf("a refusal is on record as %q", r.Outcome)
	}
}

func TestCase_E5_ALimitHoldsOnEveryDoor(t *testing.T) {
	p := withBudgets(t, "limits: [{name: none, counts: requests, amount: 1, window: day}]")
	p.post("/v1/chat/completions", asks(10, 100, false))
	before := p.up.Count()
	for door, body := range map[string]string{
		"/v1/chat/completions":              asks(10, 100, false),
		"/openai/v1/chat/completions":       asks(10, 100, true),
		"/v1/responses":                     `{"model":"m","input":"x","max_output_tokens":100}`,
		"/v1/messages":                      `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"x"}]}`,
		"/v1/messages/count_tokens":         `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/v1beta/models/m:generateContent":  `{"contents":[{"parts":[{"text":"x"}]}]}`,
		"/model/m/converse":                 `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`,
		"/v2/chat":                          `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/api/chat":                         `{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		"/v1/completions":                   `{"model":"m","prompt":"x"}`,
		"/v1/embeddings":                    `{"model":"m","input":"x"}`,
		"/v1/images/generations":            `{"model":"m","prompt":"x"}`,
		"/models/chat/completions":          `{"model":"free","messages":[{"role":"user","content":"x"}]}`,
		"/openai/deployments/m/completions": `{"prompt":"x"}`,
	} {
		resp, got := p.post(door, body)
		if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(got, "none") || !strings.Contains(got, "0 are left") {
			t.Errorf("%s: %d %s", door, resp.StatusCode, got)
		}
		if resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: nothing says when it may be tried again: %v", door, resp.Header)
		}
	}
	if n := p.up.Count() - before; n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

func TestCase_E7_NobodyIsRefusedByALimitThatIsNotHis(t *testing.T) {
	p := withBudgets(t, `limits:
  - {name: others, counts: requests, scope: {project: elsewhere}, amount: 0}
  - {name: key, counts: concurrent, scope: {project: default, key: prod}, amount: 0}
  - {name: model, counts: tokens, scope: {deployment: free}, amount: 0}
  - {name: outer, counts: requests, scope: {publisher: xai}, amount: 9}
  - {name: inner, counts: requests, within: outer, amount: 0}`)
	if resp, got := p.post("/v1/chat/completions", asks(10, 100, false)); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

func TestCase_E9_WhatFailedIsARequestAndNoTokens(t *testing.T) {
	p := withBudgets(t, "limits: [{name: often, counts: requests, amount: 9, window: day}, {name: tokens, counts: tokens, amount: 100000, window: day}]")
	p.up.Script(testkit.OpenAIError(http.StatusBadRequest, "invalid_request_error", "no"))
	if resp, _ := p.post("/v1/chat/completions", asks(10, 10, false)); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d", resp.StatusCode)
	}
	if n, of := p.counted("[requests]often", perDay()), p.counted("[tokens]tokens", perDay()); n != 1 || of != 0 {
		t.Errorf("%d requests and %d tokens were counted", n, of)
	}
}

func TestACallIsOneRequestHoweverManyAttemptsItMakes(t *testing.T) {
	p := withBudgets(t, "limits: [{name: often, counts: requests, amount: 9, window: day}, {name: few, counts: concurrent, amount: 1}]")
	p.up.Script(testkit.OpenAIError(http.StatusInternalServerError, "server_error", "oops"), testkit.JSON(`{"id":"x","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`))
	resp, got := p.post("/v1/chat/completions", asks(10, 10, false))
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Plenum-Attempts") != "2" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, got)
	}
	if n := p.counted("[requests]often", perDay()); n != 1 || resp.Header.Get("X-Ratelimit-Remaining-Requests") != "8" {
		t.Errorf("%d requests were counted, and the caller told that %q are left", n, resp.Header.Get("X-Ratelimit-Remaining-Requests"))
	}
	charges := p.records.nth(t, 0).Charges
	if len(charges) != 1 || charges[0].Account != "[requests]often" || charges[0].Amount != 1 {
		t.Errorf("on record is %+v", charges)
	}
}

func TestCase_E10_ALimitThatIsChangedKeepsWhatWasCounted(t *testing.T) {
	p := withBudgets(t, "limits: [{name: often, counts: requests, amount: 3, window: day}]")
	declare := func(limit string) {
		p.current.Store(p.compile(fmt.Sprintf(budgetDeployments+"limits: ["+limit+"]", p.up.URL)))
	}
	status := func() int {
		resp, _ := p.post("/v1/chat/completions", asks(10, 10, false))
		return resp.StatusCode
	}
	got := []int{status(), status()}
	declare("{name: often, counts: requests, amount: 1, window: day}")
	got = append(got, status())
	declare("{name: often, counts: requests, amount: 3, window: day}")
	got = append(got, status(), status())
	if fmt.Sprint(got) != "[200 200 429 200 429]" {
		t.Errorf("got %v", got)
	}
}

func TestCase_E11_ACallUnderWayKeepsNobodyFromTheLimits(t *testing.T) {
	p := withBudgets(t, "limits: [{name: few, counts: concurrent, amount: 2}, {name: tokens, counts: tokens, amount: 10000000}]")
	up := &atOnce{open: make(chan struct{})}
	p.up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "hang") {
			return up.answer(r)
		}
		return scribe(r)
	})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.post("/v1/chat/completions", strings.Replace(asks(10, 100, false), "write", "hang", 1))
	}()
	if _, err := p.up.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if resp, got := p.post("/v1/chat/completions", asks(10, 100, true)); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	}
	close(up.open)
	<-gone
}

func TestAnswersSayWhatLimitsLeave(t *testing.T) {
	p := withBudgets(t, `limits:
  - {name: often, counts: requests, amount: 3, window: 1h}
  - {name: more often, counts: requests, amount: 90, window: day}
  - {name: read, counts: input_tokens, amount: 100000, window: 1h, kind: soft}
  - {name: both, counts: tokens, amount: 400000, window: 1h, kind: soft}`)
	anthropic := `{"model":"m","max_tokens":10,"user":"5","messages":[{"role":"user","content":"x"}]}`
	resp, _ := p.post("/v1/chat/completions", asks(5, 10, true))
	h := resp.Header
	if h.Get("X-Ratelimit-Limit-Requests") != "3" || h.Get("X-Ratelimit-Remaining-Requests") != "2" {
		t.Errorf("requests: %v", h)
	}
	if reset, err := time.ParseDuration(h.Get("X-Ratelimit-Reset-Requests")); err != nil || reset <= 50*time.Minute || reset > time.Hour {
		t.Errorf("they come back in %q", h.Get("X-Ratelimit-Reset-Requests"))
	}
	if left, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining-Tokens")); err != nil || left < 90_000 || left >= 100_000 || h.Get("X-Ratelimit-Limit-Tokens") != "100000" {
		t.Errorf("tokens: %v", h)
	}
	resp, _ = p.post("/v1/messages", anthropic)
	h = resp.Header
	if h.Get("Anthropic-Ratelimit-Requests-Limit") != "3" || h.Get("Anthropic-Ratelimit-Requests-Remaining") != "1" ||
		h.Get("Anthropic-Ratelimit-Input-Tokens-Limit") != "100000" || h.Get("Anthropic-Ratelimit-Tokens-Limit") != "400000" {
		t.Errorf("%v", h)
	}
	if at, err := time.Parse(time.RFC3339, h.Get("Anthropic-Ratelimit-Requests-Reset")); err != nil || time.Until(at) > time.Hour || time.Until(at) < 50*time.Minute {
		t.Errorf("they come back at %q", h.Get("Anthropic-Ratelimit-Requests-Reset"))
	}
	p.post("/v1/chat/completions", asks(5, 10, false))

	resp, got := p.post("/v1/chat/completions", asks(5, 10, false))
	if resp.StatusCode != 429 || !strings.Contains(got, `"type":"requests"`) || !strings.Contains(got, `"code":"rate_limit_exceeded"`) || !strings.Contains(got, `limit \"often\" allows 3 requests in 1h0m0s, and 0 are left`) {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	if h := resp.Header; h.Get("X-Ratelimit-Remaining-Requests") != "0" || h.Get("Retry-After") == "" || h.Get("X-Should-Retry") != "false" {
		t.Errorf("%v", h)
	}
	resp, got = p.post("/v1/messages", anthropic)
	if h := resp.Header; resp.StatusCode != 429 || !strings.Contains(got, "rate_limit_error") || h.Get("Anthropic-Ratelimit-Requests-Remaining") != "0" || h.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", resp.StatusCode, h, got)
	}
	if resp, got := p.post("/model/m/converse", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`); resp.StatusCode != 429 || resp.Header.Get("X-Amzn-Errortype") != "ThrottlingException" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, got)
	}
}

func TestATokenLimitThatIsTooSmallForACallSaysSo(t *testing.T) {
	p := withBudgets(t, "limits: [{name: tiny, counts: tokens, amount: 50}]")
	resp, got := p.post("/v1/chat/completions", asks(10, 100, true))
	if resp.StatusCode != 429 || !strings.Contains(got, `"type":"tokens"`) || !strings.Contains(got, "It would not fit at any time") || resp.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, got)
	}
	if p.up.Count() != 0 {
		t.Error("the upstream was asked")
	}
}

func TestThreeNodesShareTheCallsAtTheSameTime(t *testing.T) {
	address, prefix := testkit.Valkey(t), rand.Text()
	up := testkit.NewUpstream(t)
	held := &atOnce{open: make(chan struct{})}
	up.Handle(held.answer)
	var nodes []*purseful
	for range 3 {
		book, err := valkey.Open(t.Context(), address, prefix, 10*time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(book.Close)
		nodes = append(nodes, withBook(t, "limits: [{name: few, counts: concurrent, amount: 4}, {name: often, counts: requests, amount: 5, window: day}]\nbudgets: [{name: lab, amount_usd: 9}]", up, book))
	}
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range 45 {
		wg.Go(func() {
			if resp, got := nodes[i%3].post("/v1/chat/completions", asks(10, 10, i%2 == 0)); resp.StatusCode == http.StatusTooManyRequests {
				if refused.Add(1) == 41 {
					close(held.open)
				}
			} else if resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		})
	}
	wg.Wait()
	if held.most.Load() != 4 || refused.Load() != 41 {
		t.Errorf("%d calls were under way at once, %d were refused", held.most.Load(), refused.Load())
	}
	for i, n := range nodes {
		n.counted("[concurrent]few", plenum.Window{Period: plenum.InTotal})
		if got := n.counted("[requests]often", perDay()); got != 4 {
			t.Errorf("node %d counts %d requests", i, got)
		}
	}
	var last []int
	for i := range 2 {
		resp, _ := nodes[i].post("/v1/chat/completions", asks(10, 10, false))
		last = append(last, resp.StatusCode)
	}
	if fmt.Sprint(last) != "[200 429]" {
		t.Errorf("a fifth and a sixth request got %v", last)
	}
}

func TestASoftBudgetEstimatesFromWhatCameAndCorrectsItself(t *testing.T) {
	p := withBudgets(t, "budgets: [{name: lab, amount_usd: 1000, kind: soft}]\nlimits: [{name: tokens, counts: output_tokens, amount: 10000000, window: day, kind: soft}]")
	up := &atOnce{open: make(chan struct{})}
	holding := func(hang bool) {
		p.up.Handle(func(r *testkit.Request) testkit.Answer {
			if hang {
				return up.answer(r)
			}
			return scribe(r)
		})
	}
	holding(false)
	held := func() (money, tokens int64) { // what a call that begins now holds
		holding(true)
		up.open = make(chan struct{})
		done, before := make(chan struct{}), p.up.Count()
		go func() {
			defer close(done)
			p.post("/v1/chat/completions", asks(1, 10, false))
		}()
		if _, err := p.up.WaitRequests(t.Context(), before+1); err != nil {
			t.Fatal(err)
		}
		b, err := p.book.Balances(t.Context(), []books.Account{
			{ID: "lab", Window: plenum.Window{Period: plenum.PerMonth, Zone: time.UTC}},
			{ID: "[output_tokens]tokens", Window: plenum.Window{Period: plenum.PerDay, Zone: time.UTC}},
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		close(up.open)
		<-done
		holding(false)
		return b[0].Held, b[1].Held
	}
	for range 30 {
		p.post("/v1/chat/completions", asks(1000, 32000, false))
	}
	dear, many := held()
	if dear < 9_000 || dear > 11_000 || many < 900 || many > 1100 {
		t.Errorf("after calls of 1000 tokens and $0.01, $%s and %d tokens are held", plenum.Micros(dear), many)
	}
	for range 60 {
		p.post("/v1/chat/completions", asks(10, 32000, false))
	}
	if cheap, few := held(); cheap > dear/10 || few > many/10 {
		t.Errorf("after calls of 10 tokens still $%s and %d tokens are held", plenum.Micros(cheap), few)
	}
	if spent := p.balance("lab", 1e9); spent != p.recorded() {
		t.Errorf("$%s was spent, $%s is on record", spent, p.recorded())
	}
}
