package alert_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/alert"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// receiver is who is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int // of its answers; 200 if 0
	tries  int
	events []alert.Event
	wrong  []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	h := q.Header
	if want := alert.Sign(plenum.NewSecret(secret), h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), body); h.Get("Webhook-Signature") != want {
		r.wrong = append(r.wrong, h.Get("Webhook-Signature"))
	}
	if r.status != 0 {
		w.WriteHeader(r.status)
		return
	}
	var e alert.Event
	if err := json.Unmarshal(body, &e); err != nil || e.ID != h.Get("Webhook-Id") {
		r.wrong = append(r.wrong, string(body))
	}
	r.events = append(r.events, e)
}

// told returns what was told, in order: the name, the part and the threshold.
func (r *receiver) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		out = append(out, fmt.Sprintf("%s%s %d", e.Name, e.Part, e.Threshold))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// hand is a clock that is moved by hand.
type hand struct {
	clock.Clock
	mu  sync.Mutex
	now time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// place is a store and a book that nodes share.
type place struct {
	t     *testing.T
	store store.Store
	book  budget.Book
	snap  *config.Snapshot
	clock *hand
}

func newPlace(t *testing.T, yaml string) *place {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte(yaml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Compile(f, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &place{t, db, budget.NewMemory(), s, &hand{Clock: clock.Real, now: time.Date(2026, 7, 15, 10, 0, 0, 0, time.UTC)}}
}

func (p *place) node(name string) *alert.Watch {
	return alert.New(name, p.book, p.store, func() *config.Snapshot { return p.snap }, p.clock, slog.New(slog.DiscardHandler))
}

// spend spends of the budget or limit of a name, as a call of a key does, and has nodes notice.
func (p *place) spend(name, key string, amount int64, nodes ...*alert.Watch) {
	p.t.Helper()
	for i := range p.snap.Bounds.All {
		b := &p.snap.Bounds.All[i]
		if b.Name != name {
			continue
		}
		id := b.Of(&config.Spender{Key: key, KeyID: key})
		hold := rand.Text()
		a := budget.Account{ID: id, Unit: budget.Unit(b.Counts), Bound: b.Amount, Window: b.Window}
		if r, err := p.book.Take(p.t.Context(), hold, []budget.Line{{Account: a, Amount: amount}}, p.clock.Now()); err != nil || r != nil {
			p.t.Fatal(r, err)
		}
		if _, err := p.book.Settle(p.t.Context(), hold, []int64{amount}); err != nil {
			p.t.Fatal(err)
		}
		for _, n := range nodes {
			n.Touch(b, id, false)
		}
	}
	p.see(nodes...)
}

func (p *place) see(nodes ...*alert.Watch) {
	p.t.Helper()
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Once(context.WithoutCancel(p.t.Context())); err != nil {
				p.t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestThresholdsAreToldOnceForEachWindowBySeveralNodes(t *testing.T) {
	r := newReceiver(t)
	p := newPlace(t, `
budgets: [{name: lab, amount_usd: 100, window: day}, {name: each, per: key, amount_usd: 10, window: day}, {name: quiet, amount_usd: 1}]
limits: [{name: often, counts: requests, amount: 4, window: day}]
alerts:
  - {name: ops, url: "`+r.URL+`/hook", secret: "`+secret+`", of: [lab, each]}
  - {name: half, url: "`+r.URL+`/hook", secret: "`+secret+`", of: [often], at: [50]}
`)
	nodes := []*alert.Watch{p.node("a"), p.node("b"), p.node("c")}
	p.spend("lab", "", 49_999_999, nodes...)
	if got := r.told(); got != "" {
		t.Errorf("below the first threshold %s was told", got)
	}
	p.spend("lab", "", 1, nodes...)
	p.spend("each", "k1", 8_000_000, nodes...)
	p.spend("each", "k2", 1_000_000, nodes...)
	p.spend("often", "", 1, nodes...)
	p.spend("often", "", 2, nodes...)
	p.spend("often", "", 1, nodes...)
	p.spend("quiet", "", 1_000_000, nodes...)
	want := "eachk1 50, eachk1 80, lab 50, often 50"
	if got := r.told(); got != want {
		t.Errorf("told was %q, want %q", got, want)
	}
	p.spend("lab", "", 50_000_000, nodes...)
	want = "eachk1 50, eachk1 80, lab 100, lab 50, lab 80, often 50"
	if got := r.told(); got != want {
		t.Errorf("told was %q, want %q", got, want)
	}
	// The next day begins anew, also for a node that has just started.
	p.clock.Advance(24 * time.Hour)
	nodes = append(nodes, p.node("d"))
	p.spend("lab", "", 60_000_000, nodes...)
	p.spend("lab", "", 1, nodes...)
	want = "eachk1 50, eachk1 80, lab 100, lab 50, lab 50, lab 80, often 50"
	if got := r.told(); got != want {
		t.Errorf("told was %q, want %q", got, want)
	}
	if len(r.wrong) > 0 {
		t.Errorf("wrongly signed, or not what it says: %q", r.wrong)
	}
	e := r.events[len(r.events)-1]
	if e.Alert != "ops" || e.Kind != "budget" || e.Counts != "usd_micros" || e.Spent != 60_000_000 || e.Amount != 100_000_000 || e.Left != 40_000_000 || e.Resets == nil || e.Exhausted {
		t.Errorf("%+v", e)
	}
}

func TestAnAlertThatIsNotTakenIsSentAgainLater(t *testing.T) {
	r := newReceiver(t)
	p := newPlace(t, "budgets: [{name: lab, amount_usd: 100}]\nalerts: [{name: ops, url: \""+r.URL+"\", secret: \""+secret+"\", at: [50]}]")
	r.answers(http.StatusServiceUnavailable)
	a, b := p.node("a"), p.node("b")
	p.spend("lab", "", 60_000_000, a, b)
	p.see(a, b)
	if r.tries != 1 {
		t.Errorf("it was tried %d times at once", r.tries)
	}
	for i := range 4 {
		p.clock.Advance(time.Duration(5<<i)*time.Second - 2*time.Second)
		p.see(a, b)
		if r.tries != i+1 {
			t.Fatalf("it was tried %d times too early", r.tries)
		}
		p.clock.Advance(3 * time.Second)
		p.see(a, b)
		if r.tries != i+2 {
			t.Fatalf("it was tried %d times, want %d", r.tries, i+2)
		}
	}
	// A node that starts when the others are gone sends what is left.
	r.answers(0)
	p.clock.Advance(time.Hour)
	p.see(p.node("c"))
	p.see(p.node("c"), a, b)
	if got := r.told(); got != "lab 50" {
		t.Errorf("told was %q", got)
	}
}

func TestARefusalNearTheEndCountsAsAll(t *testing.T) {
	r := newReceiver(t)
	p := newPlace(t, "budgets: [{name: lab, amount_usd: 100}]\nalerts: [{name: ops, url: \""+r.URL+"\", secret: \""+secret+"\", at: [100]}]")
	n, lab := p.node("a"), &p.snap.Bounds.All[0]
	n.Touch(lab, "lab", true) // by a call that would cost more than all
	p.see(n)
	if got := r.told(); got != "" {
		t.Errorf("nothing is spent, and %q was told", got)
	}
	p.spend("lab", "", 97_000_000, n)
	n.Touch(lab, "lab", true)
	p.see(n)
	if got := r.told(); got != "lab 100" || !r.events[0].Exhausted {
		t.Errorf("told was %q", got)
	}
}

func TestCase_I9_AnAlertDoesNotReachWhatItsNetworkHasNot(t *testing.T) {
	r := newReceiver(t)
	p := newPlace(t, "budgets: [{name: lab, amount_usd: 100}]\nalerts: [{name: ops, network: public, url: \""+r.URL+"\", secret: \""+secret+"\", at: [50]}]")
	n := p.node("a")
	p.spend("lab", "", 60_000_000, n)
	left, err := p.store.Objects(t.Context(), store.ObjectFilter{Kind: alert.Kind})
	if err != nil || len(left) != 1 || left[0].Status != "pending" || r.tries != 0 {
		t.Errorf("%+v, %v; it was reached %d times", left, err, r.tries)
	}
}
