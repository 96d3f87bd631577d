package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/budget"
	"github.com/plenum-foundry/plenum/stage/guardrail"
)

// world is an edge with a pipeline of chosen mechanisms, in front of upstreams that are scripted.
type world struct {
	t       *testing.T
	url     string
	current *config.Current
	handler gateway.Handler
	records *recordBook
	compile func(yaml string) *config.Snapshot
	// compileWith compiles with more declared keys, as lines of YAML.
	compileWith func(yaml, keys string) *config.Snapshot
}

const worldKey = "a-key-of-the-tests-0123456789"

// recordBook keeps the records of calls.
type recordBook struct {
	mu   sync.Mutex
	list []plenum.Record
}

func (b *recordBook) Observe(r *plenum.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, *r)
}

// last waits for the record number n and returns it.
func (b *recordBook) nth(t *testing.T, n int) plenum.Record {
	t.Helper()
	for range 500 {
		b.mu.Lock()
		if len(b.list) > n {
			r := b.list[n]
			b.mu.Unlock()
			return r
		}
		b.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there is no record %d", n)
	return plenum.Record{}
}

// builtIn is the catalog of all tests: it does not change, and to read it for each world takes much of their time.
var builtIn = sync.OnceValue(catalog.New)

// newWorld builds a world from deployments in YAML; %s stands for the URL of each upstream in turn.
func newWorld(t *testing.T, m Mechanisms, yaml string, urls ...any) *world {
	t.Helper()
	pepper, err := identity.NewPepper([]byte(strings.Repeat("p", 32)))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, current: &config.Current{}, records: &recordBook{}}
	comp := newCompiler(all.Providers(), builtIn(), pepper.MAC)
	w.compileWith = func(yaml, keys string) *config.Snapshot {
		f, err := config.Parse("test.yaml", []byte(yaml+"\nkeys:\n  - {name: dev, secret: "+worldKey+"}\n"+keys), config.Env{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := comp.compile(f, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.compile = func(yaml string) *config.Snapshot { return w.compileWith(yaml, "") }
	w.current.Store(w.compile(fmt.Sprintf(yaml, urls...)))
	m.Pepper, m.Observers = pepper, append(m.Observers, w.records)
	w.handler = Pipeline(m)
	edge := gateway.NewEdge(all.Dialects(), w.current, w.handler, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(edge)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// post sends a body and returns the whole answer.
func (w *world) post(path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+worldKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("reading the answer after %q: %v", text, err)
	}
	return resp, string(text)
}

const oneTarget = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    retry: {attempts: 2, max_wait: 1s}
    targets:
      - {connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
`

const twoTargets = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
  - {name: b, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    targets:
      - {connection: a, upstream_model: up-a, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
      - {connection: b, upstream_model: up-b, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
`

const ask = `{"model":"m","stream":true,"messages":[{"role":"user","content":"Tell me."}]}`

// chunk is a chunk of a streamed chat completion that adds text.
func chunk(text string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`
}

const (
	roleChunk  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`
	stopChunk  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	usageChunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
)

// said returns what the text of an OpenAI stream is.
func said(stream string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(stream, "\n") {
		_, rest, ok := strings.Cut(line, `"content":"`)
		if text, _, end := strings.Cut(rest, `"`); ok && end {
			b.WriteString(text)
		}
	}
	return b.String()
}

// censor is a hard guardrail: it holds whole chunks back until what they say cannot be the beginning of
// a banned phrase, and redacts the phrase wherever the cuts between chunks fall.
type censor struct{ banned string }

func (g *censor) Screen(_ context.Context, c *gateway.Call, out gateway.Out) (guardrail.Screen, error) {
	c.Understand = true
	return &screen{banned: g.banned, out: out, call: c}, nil
}

type screen struct {
	banned string
	out    gateway.Out
	call   *gateway.Call
	codec  dialect.Codec
	held   []heldChunk
	text   string // of the chunks held
}

type heldChunk struct {
	chunk      dialect.Chunk
	start, end int // of its text within the text held
	choice, ix int
	edits      []dialect.TextEdit
}

func (s *screen) Begin(h gateway.Head) error {
	s.codec = h.Codec
	return s.out.Begin(h)
}

func (s *screen) Chunk(ch dialect.Chunk) error {
	h := heldChunk{chunk: ch, start: len(s.text)}
	h.chunk.Frame = ch.Frame.Clone()
	h.chunk.Events = append([]llm.Event(nil), ch.Events...)
	for _, ev := range ch.Events {
		if d, ok := ev.(llm.TextDelta); ok {
			s.text += d.Text
			h.choice, h.ix = d.Choice, d.Index
		}
	}
	h.end = len(s.text)
	s.held = append(s.held, h)
	s.mark()
	return s.release(len(s.text) - len(s.banned) + 1)
}

// mark notes the edits that replace a banned phrase: its first chunk says [redacted], the others nothing.
func (s *screen) mark() {
	at := strings.Index(s.text, s.banned)
	if at < 0 {
		return
	}
	end := at + len(s.banned)
	say := "[redacted]"
	for i := range s.held {
		h := &s.held[i]
		from, to := max(at, h.start), min(end, h.end)
		if from >= to {
			continue
		}
		h.edits = append(h.edits, dialect.TextEdit{Choice: h.choice, Index: h.ix, Start: from - h.start, End: to - h.start, New: say})
		say = ""
	}
	s.text = s.text[:at] + strings.Repeat("\x00", len(s.banned)) + s.text[end:]
	s.call.Trail.Record.Guardrail = "censor"
	s.call.Trail.Change("answer redacted by guardrail censor")
}

// release lets the chunks go whose text ends before a place.
func (s *screen) release(until int) error {
	for len(s.held) > 0 && s.held[0].end <= until {
		h := s.held[0]
		s.held = s.held[1:]
		if len(h.edits) > 0 {
			var err error
			if h.chunk, err = s.codec.Redact(h.chunk, h.edits); err != nil {
				return err
			}
		}
		if err := s.out.Chunk(h.chunk); err != nil {
			return err
		}
	}
	return nil
}

func (s *screen) Close(err error) error {
	if err != nil {
		return err
	}
	return s.release(len(s.text))
}

func TestAGuardrailHoldsBackAndRedactsAPhraseThatIsSplitOverChunks(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("The sec"), chunk("ret "), chunk("plan is"), chunk(" out."), stopChunk, usageChunk, "[DONE]"))
	w := newWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, oneTarget, up.URL)
	_, got := w.post("/v1/chat/completions", ask)
	if text := said(got); text != "The [redacted] is out." {
		t.Errorf("the caller heard %q", text)
	}
	if strings.Contains(got, "plan") || strings.Contains(got, "sec") {
		t.Errorf("a part of the phrase got through: %s", got)
	}
	// What was not redacted passed as it was.
	if !strings.Contains(got, "data: "+chunk(" out.")+"\n\n") {
		t.Errorf("an untouched chunk was changed: %s", got)
	}
	if r := w.records.nth(t, 0); r.Guardrail != "censor" || r.Usage.Output != 5 {
		t.Errorf("the record says %+v", r)
	}
}

func TestAGuardrailRedactsAcrossDialectsToo(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("The sec"), chunk("ret plan"), chunk(" is out."), stopChunk, usageChunk, "[DONE]"))
	w := newWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, oneTarget, up.URL)
	_, got := w.post("/v1/messages", `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Tell me."}]}`)
	if strings.Contains(got, "secret") || strings.Contains(got, "plan") || !strings.Contains(got, "[redacted]") {
		t.Errorf("the phrase got through: %s", got)
	}
}

// purse is a hard budget in bytes of answer: it reserves a first slice for each attempt, extends it
// while the answer streams, and ends the answer when nothing is left.
type purse struct {
	mu       sync.Mutex
	left     int
	reserved int
	holds    int // attempts that were let in
	settled  int
}

const slice = 8

func (p *purse) take(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < n {
		return false
	}
	p.left -= n
	p.reserved += n
	return true
}

func (p *purse) Reserve(_ context.Context, c *gateway.Call) (budget.Hold, error) {
	if err := c.Budgeted(); err != nil {
		return nil, err
	}
	if !p.take(slice) {
		return nil, &llm.Error{Kind: llm.Quota, Op: "budget", Message: "the budget test is used up"}
	}
	p.mu.Lock()
	p.holds++
	p.mu.Unlock()
	return &purseHold{purse: p, room: slice}, nil
}

type purseHold struct {
	purse      *purse
	room, used int
}

func (h *purseHold) Extend(_ context.Context, _ *gateway.Call, ch dialect.Chunk) error {
	h.used += ch.Text
	for h.used > h.room {
		if !h.purse.take(slice) {
			return &llm.Error{Kind: llm.Quota, Op: "budget", Message: "the budget test is used up"}
		}
		h.room += slice
	}
	return nil
}

func (h *purseHold) Settle(*gateway.Call) {
	h.purse.mu.Lock()
	defer h.purse.mu.Unlock()
	h.purse.settled++
	h.purse.reserved -= h.room
	h.purse.left += h.room - min(h.used, h.room)
}

func TestABudgetReservesPerAttemptAndExtendsWhileStreaming(t *testing.T) {
	up := testkit.NewUpstream(t,
		testkit.OpenAIError(500, "server_error", "broken"),
		testkit.SSE(roleChunk, chunk("0123456789"), chunk("0123456789"), stopChunk, usageChunk, "[DONE]"))
	p := &purse{left: 100}
	w := newWorld(t, Mechanisms{Budgets: p}, oneTarget, up.URL)
	if _, got := w.post("/v1/chat/completions", ask); said(got) != "01234567890123456789" {
		t.Errorf("the caller heard %q", got)
	}
	if p.holds != 2 || p.settled != 2 || p.reserved != 0 || p.left != 80 {
		t.Errorf("two attempts and 20 bytes leave %+v", p)
	}
}

func TestABudgetThatIsUsedUpEndsTheAnswerInTheDialect(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("0123456789"), chunk("0123456789"), stopChunk, usageChunk, "[DONE]"))
	p := &purse{left: 16}
	w := newWorld(t, Mechanisms{Budgets: p}, oneTarget, up.URL)
	_, got := w.post("/v1/chat/completions", ask)
	if said(got) != "0123456789" || !strings.Contains(got, `"error"`) || !strings.Contains(got, "used up") || strings.Contains(got, "[DONE]") {
		t.Errorf("the caller heard %q", got)
	}
	if p.settled != 1 || p.reserved != 0 {
		t.Errorf("a reservation was left over: %+v", p)
	}
}

// hedge asks two targets at once; the first that says something wins, the other is called off.
func hedge() *gateway.Stage {
	return &gateway.Stage{Name: "route", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			race := &race{out: out, trail: c.Trail}
			var wg sync.WaitGroup
			errs := make([]error, len(c.Candidates))
			for i, target := range c.Candidates {
				actx, cancel := context.WithCancel(ctx)
				defer cancel()
				try := &gateway.Try{Target: target, Record: plenum.Attempt{N: i + 1, Target: target.Offer.ID}}
				runner := &racer{race: race, try: try, cancel: cancel}
				race.racers = append(race.racers, runner)
				wg.Go(func() {
					errs[i] = next(actx, c.Attempt(try), runner)
					c.Trail.Attempted(try)
				})
			}
			wg.Wait()
			for i, r := range race.racers {
				if race.winner == r {
					return errs[i]
				}
			}
			return errs[0]
		}
	}}
}

type race struct {
	mu     sync.Mutex
	out    gateway.Out
	trail  *gateway.Trail
	racers []*racer
	winner *racer
}

type racer struct {
	race   *race
	try    *gateway.Try
	cancel context.CancelFunc
	head   gateway.Head
}

func (r *racer) Begin(h gateway.Head) error {
	r.head = h
	return nil
}

func (r *racer) Chunk(ch dialect.Chunk) error {
	r.race.mu.Lock()
	defer r.race.mu.Unlock()
	if r.race.winner == nil {
		r.race.winner = r
		r.race.trail.Answered(r.try)
		for _, other := range r.race.racers {
			if other != r {
				other.cancel()
			}
		}
		if err := r.race.out.Begin(r.head); err != nil {
			return err
		}
	}
	if r.race.winner != r {
		return context.Canceled
	}
	return r.race.out.Chunk(ch)
}

func TestAHedgedPairHasOneWinnerAndBothAreMetered(t *testing.T) {
	slow := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("slow"), stopChunk, usageChunk, "[DONE]").DelayHeaders(5*time.Second))
	fast := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("fast"), stopChunk, usageChunk, "[DONE]").DelayFirst(20*time.Millisecond))
	w := newWorld(t, Mechanisms{Route: hedge()}, twoTargets, slow.URL, fast.URL)
	start := time.Now()
	_, got := w.post("/v1/chat/completions", ask)
	if said(got) != "fast" {
		t.Errorf("the caller heard %q", got)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("the slow target held the call up: %v", d)
	}
	r := w.records.nth(t, 0)
	if len(r.Attempts) != 2 || r.Target != "b/up-b" {
		t.Fatalf("the record says %+v", r)
	}
	for _, a := range r.Attempts {
		if a.Target == "a/up-a" && (!a.Estimated || a.Usage.Input == 0 || a.Won) {
			t.Errorf("the loser was sent a prompt and is billed by estimate: %+v", a)
		}
	}
}

// carryOn continues an answer that broke off on the next target: it shows that one what was said and
// lets the rest follow, as one message.
func carryOn() *gateway.Stage {
	return &gateway.Stage{Name: "route", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			c.Understand = true
			k := &keeper{out: out, trail: c.Trail}
			var err error
			for i, target := range c.Candidates {
				k.try = &gateway.Try{Target: target, Record: plenum.Attempt{N: i + 1, Target: target.Offer.ID}}
				a := c.Attempt(k.try)
				if i > 0 {
					a.Rewrite(withPrefill(c, k.said.String()))
				}
				err = next(ctx, a, k)
				c.Trail.Attempted(k.try)
				if err == nil {
					return nil
				}
			}
			return err
		}
	}}
}

func withPrefill(c *gateway.Call, said string) llm.Payload {
	p, _ := c.Payload()
	r := *p.(*llm.Request)
	r.Messages = append(r.Messages[:len(r.Messages):len(r.Messages)], llm.Message{Role: llm.Assistant, Plain: true, Blocks: []llm.Block{llm.Text{Text: said}}})
	return &r
}

// keeper passes the first answer on as it comes, and of every later one only what continues it.
type keeper struct {
	out   gateway.Out
	trail *gateway.Trail
	try   *gateway.Try
	said  strings.Builder
	begun bool
	more  bool
}

func (k *keeper) Begin(h gateway.Head) error {
	if !k.begun {
		k.trail.Answered(k.try)
	}
	h.Continues, k.more = k.begun, k.begun
	k.begun = true
	return k.out.Begin(h)
}

func (k *keeper) Chunk(ch dialect.Chunk) error {
	var kept []llm.Event
	for _, ev := range ch.Events {
		switch e := ev.(type) {
		case llm.TextDelta:
			k.said.WriteString(e.Text)
		case llm.Start:
			if k.more {
				continue
			}
		case llm.BlockStart:
			if _, text := e.Block.(llm.Text); k.more && text && e.Index == 0 {
				continue
			}
		}
		kept = append(kept, ev)
	}
	ch.Events = kept
	return k.out.Chunk(ch)
}

func TestAContinuationOnAnotherTargetIsOneMessage(t *testing.T) {
	first := testkit.SSE(roleChunk, chunk("one "), chunk("two "))
	for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
		t.Run(path, func(t *testing.T) {
			a := testkit.NewUpstream(t, first.CutAt(len(first.Body())))
			b := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("three "), chunk("four"), stopChunk, usageChunk, "[DONE]"))
			w := newWorld(t, Mechanisms{Route: carryOn()}, twoTargets, a.URL, b.URL)
			_, got := w.post(path, `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Count."}]}`)
			text := said(got)
			if path == "/v1/messages" {
				text = strings.Join(textDeltas(got), "")
				if n := strings.Count(got, "event: message_start"); n != 1 {
					t.Errorf("%d times message_start in %s", n, got)
				}
			}
			if text != "one two three four" {
				t.Errorf("the caller heard %q in %s", text, got)
			}
			if body := string(b.Requests()[0].Body); !strings.Contains(body, "one two ") {
				t.Errorf("the second target was not shown what was said: %s", body)
			}
			if r := w.records.nth(t, 0); len(r.Attempts) != 2 || r.Attempts[0].Usage.Output == 0 || r.Attempts[1].Usage.Output != 5 {
				t.Errorf("each attempt is billed once: %+v", r.Attempts)
			}
		})
	}
}

// textDeltas returns the texts of an Anthropic stream.
func textDeltas(stream string) []string {
	var out []string
	for line := range strings.SplitSeq(stream, "\n") {
		if _, rest, ok := strings.Cut(line, `"text_delta","text":"`); ok {
			text, _, _ := strings.Cut(rest, `"`)
			out = append(out, text)
		}
	}
	return out
}

// sheet collects an answer that no HTTP caller waits for.
type sheet struct {
	body   string
	result llm.Result
}

func (s *sheet) Begin(gateway.Head) error { return nil }

func (s *sheet) Chunk(ch dialect.Chunk) error {
	s.body += string(ch.Body)
	if ch.Result != nil {
		s.result = ch.Result
	}
	return nil
}

func TestARunnerSendsABatchLineThroughTheWholeChain(t *testing.T) {
	answer := `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	up := testkit.NewUpstream(t, testkit.JSON(answer))
	p := &purse{left: 8}
	w := newWorld(t, Mechanisms{Budgets: p}, oneTarget, up.URL)
	run := gateway.NewRunner(w.current, w.handler)
	line := func() (*sheet, error) {
		c, err := gateway.NewCall("batch_1", plenum.Principal{KeyID: "declared:dev", Project: "p"}, all.Dialects()[0], llm.OpGenerate,
			"/v1/chat/completions", []byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		s := &sheet{}
		return s, run.Run(t.Context(), c, s)
	}
	s, err := line()
	if err != nil || s.body != answer {
		t.Fatalf("got %q, %v", s.body, err)
	}
	r := w.records.nth(t, 0)
	if r.Parent != "batch_1" || r.KeyID != "declared:dev" || r.Cost != 60 || !r.Priced {
		t.Errorf("the line is audited and priced: %+v", r)
	}
	// The budget, one stage of the chain, holds for it as for any other call.
	if _, err := line(); !llm.IsKind(err, llm.Quota) {
		t.Errorf("a line over the budget got %v", err)
	}
	// And nobody gets in without a caller.
	c, _ := gateway.NewCall("batch_1", plenum.Principal{}, all.Dialects()[0], llm.OpGenerate, "/v1/chat/completions", []byte(`{"model":"m"}`))
	if err := run.Run(t.Context(), c, s); !llm.IsKind(err, llm.Internal) {
		t.Errorf("a line without a caller got %v", err)
	}
}
