// Package alert tells people by webhook when a budget or a limit is used up to a part of it.
//
// What is to be told is kept in the store before it is sent: once for each window and threshold, whichever node sees it first. A node that sends one
// holds it for a while, so that no other sends it too, and tries again later where nobody took it.
package alert

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/store"
)

// Kind is what alerts are kept as.
const Kind = "alert"

// The states of an alert.
const (
	pending = "pending"
	done    = "done"
	givenUp = "given up"
)

// Event is what is told.
type Event struct {
	ID        string     `json:"id"`   // the same whenever it is sent
	Type      string     `json:"type"` // threshold_reached
	Alert     string     `json:"alert"`
	Kind      string     `json:"kind"` // budget or limit
	Name      string     `json:"name"`
	Per       string     `json:"per,omitempty"`
	Part      string     `json:"part,omitempty"` // whose part it is
	Counts    string     `json:"counts"`
	Threshold int        `json:"threshold"` // percent
	Exhausted bool       `json:"exhausted"` // a call was refused
	Spent     int64      `json:"spent"`
	Held      int64      `json:"held"`
	Left      int64      `json:"left"`
	Amount    int64      `json:"amount"`
	Window    string     `json:"window"`
	Resets    *time.Time `json:"resets,omitempty"`
	Time      time.Time  `json:"time"`
}

// Store is where alerts are kept.
type Store interface{ store.Objects }

// Watch sees to alerts.
type Watch struct {
	// Every is how often it looks.
	Every time.Duration

	node    string
	book    budget.Book
	store   Store
	current func() *config.Snapshot
	clock   clock.Clock
	log     *slog.Logger

	mu      sync.Mutex
	touched map[string]touch // by account
	told    map[string]bool  // what is in the store
}

// touch is that an account was counted on.
type touch struct {
	bound   *config.Bound
	refused bool
}

// New returns a watch. The node's name tells it from others.
func New(node string, b budget.Book, s Store, current func() *config.Snapshot, ck clock.Clock, log *slog.Logger) *Watch {
	return &Watch{
		Every: 2 * time.Second, node: node, book: b, store: s, current: current, clock: ck, log: log,
		touched: map[string]touch{}, told: map[string]bool{},
	}
}

// Touch notes that a call was counted on an account of a bound, or was refused there. It is called on the way of calls,
// and only where the bound has alerts.
func (w *Watch) Touch(b *config.Bound, account string, refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched[account] = touch{b, refused || w.touched[account].refused}
}

// Run looks and tells until ctx ends. What a node before this one saw and could not tell is told too.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if err := w.Once(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("alerts of budgets could not be seen to; they are tried again", "err", err)
			}
		}
	}
}

// Once looks at what was touched since the last time, and tells what is due.
func (w *Watch) Once(ctx context.Context) error {
	s := w.current()
	if s == nil || len(s.Alerts) == 0 {
		return nil
	}
	w.mu.Lock()
	touched := w.touched
	w.touched = map[string]touch{}
	w.mu.Unlock()
	if err := w.look(ctx, touched); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for account, t := range touched { // it is looked at again
			w.touched[account] = touch{t.bound, t.refused || w.touched[account].refused}
		}
		return err
	}
	return w.tell(ctx, s)
}

// look raises the alerts of accounts that have reached a threshold.
func (w *Watch) look(ctx context.Context, touched map[string]touch) error {
	var accounts []budget.Account
	for id, t := range touched {
		accounts = append(accounts, budget.Account{ID: id, Unit: budget.Unit(t.bound.Counts), Bound: t.bound.Amount, Window: t.bound.Window})
	}
	if len(accounts) == 0 {
		return nil
	}
	now := w.clock.Now()
	got, err := w.book.Balances(ctx, accounts, now)
	if err != nil {
		return err
	}
	for i, b := range got {
		t := touched[accounts[i].ID]
		for _, a := range t.bound.Alerts {
			for _, at := range a.At {
				if err := w.consider(ctx, a, &accounts[i], t, b, at, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// consider raises one alert if its threshold is reached, once for the window.
func (w *Watch) consider(ctx context.Context, a *config.Alert, account *budget.Account, t touch, b budget.Balance, at int, now time.Time) error {
	percent := 100.0
	switch {
	case account.Unit != budget.Calls:
		percent = 100 * float64(b.Spent) / float64(max(1, account.Bound))
	case !t.refused: // those that were under way have ended meanwhile
		return nil
	}
	if t.refused && percent >= nearly {
		percent = max(100, percent)
	}
	if percent < float64(at) {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", a.Name, account.ID, since(account.Window, now), at))
	id := "alert_" + hex.EncodeToString(sum[:12])
	w.mu.Lock()
	known := w.told[id]
	w.mu.Unlock()
	if known {
		return nil
	}
	part, _ := t.bound.PartOf(account.ID)
	e := Event{
		ID: id, Type: "threshold_reached", Alert: a.Name, Kind: t.bound.Kind(), Name: t.bound.Name, Per: t.bound.Per, Part: part, Counts: t.bound.Counts,
		Threshold: at, Exhausted: t.refused, Spent: b.Spent, Held: b.Held, Left: b.Left(account.Bound), Amount: account.Bound,
		Window: account.Window.String(), Time: now.UTC(),
	}
	if !b.Resets.IsZero() {
		resets := b.Resets.UTC()
		e.Resets = &resets
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing an alert: %w", err)
	}
	o := store.Object{ID: id, Kind: Kind, Label: a.Name, Status: pending, Created: now.UnixMilli(), Expires: forgotten(account.Window, now), Body: body}
	if err := w.store.CreateObject(ctx, o); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.told) > mostTold {
		clear(w.told)
	}
	w.told[id] = true
	return nil
}

// nearly is from how many percent on a refusal counts as all: what is left is too little for any call.
const nearly = 90

// mostTold bounds what is remembered of what is in the store anyway.
const mostTold = 100_000

// since returns where the window of a moment begins, in Unix milliseconds. One that rolls has none; for once, it is cut into
// windows of its length.
func since(w plenum.Window, now time.Time) int64 {
	if w.Period == "" {
		return now.Truncate(w.Rolling).UnixMilli()
	}
	return w.Slot(now)
}

// forgotten returns when an alert need not be known any more: long after its window; 0 is never.
func forgotten(w plenum.Window, now time.Time) int64 {
	if w.Period == plenum.InTotal {
		return 0
	}
	return now.Add(w.Span() + 7*24*time.Hour).UnixMilli()
}

// The pace of an alert that nobody took: it is tried again after a while that doubles, for some days.
const (
	firstWait = 5 * time.Second
	longWait  = time.Hour
	mostTries = 60
	patience  = 10 * time.Second // for one try
	page      = 500
)

// tell sends what is due, and forgets what is long over.
func (w *Watch) tell(ctx context.Context, s *config.Snapshot) error {
	now := w.clock.Now()
	due, err := w.store.Objects(ctx, store.ObjectFilter{Kind: Kind, Status: pending, OldestFirst: true, Limit: page})
	if err != nil {
		return err
	}
	for i := range due {
		if due[i].HeldUntil > now.UnixMilli() {
			continue
		}
		if err := w.send(ctx, s, due[i].ID); err != nil {
			return err
		}
	}
	over, err := w.store.Objects(ctx, store.ObjectFilter{Kind: Kind, ExpiredBy: now.UnixMilli(), Limit: page})
	if err != nil {
		return err
	}
	for i := range over {
		if err := w.store.DeleteObject(ctx, over[i].ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// errTaken says that another node is at it.
var errTaken = errors.New("another node sends it")

// send sends one alert, if no other node does.
func (w *Watch) send(ctx context.Context, s *config.Snapshot, id string) error {
	now := w.clock.Now()
	o, err := w.store.UpdateObject(ctx, id, func(o *store.Object) error {
		if o.Status != pending || o.HeldUntil > now.UnixMilli() {
			return errTaken
		}
		o.Holder, o.HeldUntil = w.node, now.Add(3*patience).UnixMilli()
		o.Size++ // how often it was tried
		return nil
	})
	if errors.Is(err, errTaken) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	failed := errors.New("its alert is not declared any more")
	gone := true
	if i := slices.IndexFunc(s.Alerts, func(a *config.Alert) bool { return a.Name == o.Label }); i >= 0 {
		gone, failed = false, post(ctx, s.Alerts[i], id, o.Body, now)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err = w.store.UpdateObject(ctx, id, func(o *store.Object) error {
		switch {
		case failed == nil:
			o.Status = done
		case gone || o.Size >= mostTries:
			o.Status = givenUp
		default:
			o.HeldUntil = w.clock.Now().Add(min(longWait, firstWait<<min(o.Size-1, 20))).UnixMilli()
		}
		return nil
	})
	if failed != nil {
		w.log.Warn("an alert was not taken", "alert", o.Label, "id", id, "tries", o.Size, "err", failed)
	}
	return err
}

// post sends an event, signed.
func post(ctx context.Context, a *config.Alert, id string, body []byte, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := request(ctx, a, id, body, now)
	if err != nil {
		return err
	}
	client := outbound.Network(cmp.Or(a.Network, string(outbound.Public))).Client(patience)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("reaching the receiver: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the receiver answers with status %d", resp.StatusCode)
	}
	return nil
}
