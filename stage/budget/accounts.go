package budget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
)

// Accounts holds calls to the budgets that are declared.
type Accounts struct {
	// Patience is how long a call waits for what others hold and have not spent, before it is refused.
	Patience time.Duration

	book  books.Book
	clock clock.Clock

	mu     sync.Mutex
	recent map[string]usual // by offer
}

// usual is what attempts at an offer were like of late.
type usual struct {
	cost plenum.Micros
	text int64 // bytes of answer, of the longer ones
}

// firstGuess is how long an answer is taken to be, in bytes, while nothing is known.
const firstGuess = 2048

// NewAccounts returns budgets that are kept in a book.
func NewAccounts(b books.Book, ck clock.Clock) *Accounts {
	return &Accounts{Patience: patience, book: b, clock: ck, recent: map[string]usual{}}
}

// patience is how long callers are content to wait for a first word, and more than most answers take.
const patience = 20 * time.Second

// Reserve implements Budgets.
func (a *Accounts) Reserve(ctx context.Context, c *gateway.Call) (Hold, error) {
	who := config.SpenderOf(&c.Caller, c.Deployment, &c.Try.Target.Offer)
	budgets := c.Config.Budgets.For(nil, &who)
	if len(budgets) == 0 || costsNothing(c) {
		return nil, nil
	}
	if err := c.Budgeted(); err != nil {
		return nil, err
	}
	h := &hold{accounts: a, call: c, ctx: ctx, id: c.ID + "/" + strconv.Itoa(c.Try.Record.N)}
	for _, b := range budgets {
		h.lines = append(h.lines, books.Line{Account: books.Account{
			ID: b.Account(&who), Unit: books.Money, Bound: int64(b.Amount), Window: b.Window,
		}})
		h.hard = append(h.hard, b.Kind != "soft")
		h.strict = h.strict || b.Kind != "soft"
	}
	if err := h.open(ctx); err != nil {
		return nil, err
	}
	h.note()
	return h, nil
}

// note has the call's record tell what is held for it.
func (h *hold) note() {
	now := h.accounts.clock.Now()
	of := make([]plenum.Charge, len(h.lines))
	for i := range h.lines {
		of[i] = plenum.Charge{Account: h.lines[i].Account.ID, Slot: h.lines[i].Account.Window.Slot(now), Amount: int64(h.held)}
	}
	h.call.Trail.Hold(h.held, of)
}

// costsNothing reports whether an attempt is never billed: what it does, or where.
func costsNothing(c *gateway.Call) bool {
	switch c.Op {
	case llm.OpCountTokens, llm.OpModels, llm.OpRealtime, llm.OpWarm:
		return true
	case llm.OpLifecycle: // nobody can tell; where it is let pass, it is held against nobody
		if c.Budgeted() == nil {
			return true
		}
	}
	p := &c.Try.Target.Offer.Price
	return p.Known && p.Dearest(1<<40).Free()
}

// hold is what one attempt holds of all the budgets that it counts for.
type hold struct {
	accounts *Accounts
	call     *gateway.Call
	ctx      context.Context
	id       string
	lines    []books.Line // with the amounts that are taken next
	hard     []bool       // by line
	strict   bool         // some line is hard
	bound    *bound       // where strict
	held     plenum.Micros
	covered  int64  // tokens of answer that are paid for by what is held
	seen     int64  // bytes of answer that came
	whole    bool   // the upstream streams for a caller who wants the answer whole
	begun    bool   // something of the answer has gone on
	over     bool   // settled
	cut      string // why the answer was ended before its end
}

// open takes what the attempt needs to begin.
func (h *hold) open(ctx context.Context) error {
	if !h.strict {
		return h.take(ctx, 0)
	}
	b, err := boundOf(h.call)
	if err != nil {
		return err
	}
	h.bound = b
	if b.wrote == "" || h.call.Op != llm.OpGenerate {
		return h.take(ctx, b.cost(b.most))
	}
	if b.blind {
		return h.openBlind(ctx)
	}
	return h.openSliced(ctx)
}

// openBlind takes all that the attempt may cost, for nobody sees how it grows; where that is too much, the answer is
// capped at what there is.
func (h *hold) openBlind(ctx context.Context) error {
	b := h.bound
	if b.most == 0 {
		return unbounded("its model reasons unseen, and how much it can write is not known", "Set a cap on the output (max_tokens), or have the target's max_output declared")
	}
	r, err := h.try(ctx, b.cost(b.most))
	if r == nil || err != nil {
		return err
	}
	n, ok := b.fits(plenum.Micros(r.Balance.Left(r.Account.Bound)), b.most)
	n /= b.choices
	if !ok || n < 16 {
		return h.take(ctx, b.cost(slice)) // waits, and says why not
	}
	h.call.Edits = append(h.call.Edits, dialect.Cap{N: int(n), Why: fmt.Sprintf("budget %q has $%s left", r.Account.ID, plenum.Micros(r.Balance.Left(r.Account.Bound)))})
	return h.take(ctx, b.cost(n*b.choices))
}

// openSliced takes what is read and a first slice of the answer; the rest is taken as it comes. An answer that is wanted
// whole is streamed from the upstream where holding the most that it may cost would keep others out.
func (h *hold) openSliced(ctx context.Context) error {
	b := h.bound
	if !h.call.Head.Stream {
		if few := h.smallest() / modest; b.most > 0 && b.cost(b.most) <= few {
			h.covered = b.most
			return h.take(ctx, b.cost(b.most))
		}
		if err := h.stream(); err != nil {
			return err
		}
	}
	// What such answers grow to is held at once, where that is little: answers that wait for each other to end
	// do not end.
	h.covered = h.next(h.accounts.usual(h.call).text)
	return h.take(ctx, b.cost(h.covered))
}

// affords returns how many tokens of answer a part of the smallest budget pays for.
func (h *hold) affords(part int64) int64 {
	rate := int64(h.bound.price.Rate(h.bound.wrote))
	if rate == 0 {
		return slice
	}
	return int64(h.smallest()) / part * 1e6 / rate
}

// modest is what part of a budget one answer may hold at its worst without being streamed for it.
const modest = 1000

// smallest returns the smallest bound.
func (h *hold) smallest() plenum.Micros {
	least := h.lines[0].Account.Bound
	for i := range h.lines {
		least = min(least, h.lines[i].Account.Bound)
	}
	return plenum.Micros(least)
}

// next returns how many tokens to pay for when so many bytes of answer have come.
func (h *hold) next(seen int64) int64 {
	n := seen + slack + min(slice, max(slack, h.affords(2000)))
	if most := h.bound.most; most > 0 {
		n = min(n, most)
	}
	return n
}

// stream asks the upstream for a stream, which the gateway folds for the caller.
func (h *hold) stream() error {
	p, err := h.call.Payload()
	if err != nil {
		return err
	}
	r := *p.(*llm.Request)
	r.Stream = true
	h.call.Rewrite(&r)
	h.call.Head.Stream, h.call.Understand = true, true
	h.whole = true
	return nil
}

// try takes more, so that so much is held, or returns which account refused.
func (h *hold) try(ctx context.Context, total plenum.Micros) (*books.Refusal, error) {
	more := int64(max(0, total-h.held))
	for i := range h.lines {
		h.lines[i].Amount, h.lines[i].Grows = more, h.held == 0 && h.covered != 0 && h.covered != h.bound.most
		if !h.hard[i] {
			h.lines[i].Amount = 0
			if h.held == 0 {
				h.lines[i].Amount = max(1, int64(h.accounts.usual(h.call).cost))
			}
		}
	}
	r, err := h.accounts.book.Take(ctx, h.id, h.lines, h.accounts.clock.Now())
	if r == nil && err == nil {
		h.held += plenum.Micros(more)
	}
	if err != nil {
		err = &llm.Error{Kind: llm.Overloaded, Op: "budget", Code: "budget_unknown", Retry: time.Second, Message: "what is left of the budgets cannot be told at the moment; try again", Err: err}
	}
	return r, err
}

// take takes more, and waits where others hold what they may not spend.
func (h *hold) take(ctx context.Context, total plenum.Micros) error {
	patience := h.accounts.Patience
	if h.held > 0 { // those that wait for each other to end must not all give up at once
		patience = patience/20 + rand.N(patience)
	}
	until, wait := h.accounts.clock.Now().Add(patience), 5*time.Millisecond
	for {
		r, err := h.try(ctx, total)
		if r == nil || err != nil {
			return err
		}
		if !h.mayCome(r) || !h.accounts.clock.Now().Before(until) {
			return refused(r, h.accounts.clock.Now())
		}
		if err := h.accounts.clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 200*time.Millisecond)
	}
}

// mayCome reports whether what was refused is there once others have given back what they hold and do not spend.
func (h *hold) mayCome(r *books.Refusal) bool {
	others := r.Balance.Held - int64(h.held)
	return others > 0 && r.Asked <= r.Account.Bound-r.Balance.Spent-int64(h.held)
}

// refused says which budget has too little left.
func refused(r *books.Refusal, now time.Time) error {
	left := plenum.Micros(r.Balance.Left(r.Account.Bound))
	e := &llm.Error{Kind: llm.Quota, Op: "budget", Code: "budget_exhausted", Upstream: &llm.Upstream{NoRetry: true}}
	e.Message = fmt.Sprintf("budget %q has $%s left of $%s, and this call may cost $%s more", r.Account.ID, left, plenum.Micros(r.Account.Bound), plenum.Micros(r.Asked))
	if held := plenum.Micros(r.Balance.Held); held > 0 {
		e.Message += fmt.Sprintf(" ($%s is held by calls under way)", held)
	}
	at := r.Balance.Resets
	switch {
	case r.Account.Bound-r.Balance.Spent >= r.Asked: // those under way will not spend all that they hold
		e.Retry, e.Upstream = 2*time.Second, nil
		e.Message += ". Try again when some of them have ended"
		return e
	case !at.IsZero():
		e.Message += ". It has more from " + at.UTC().Format("2006-01-02 15:04:05 MST")
		e.Retry = max(time.Second, at.Sub(now))
	}
	e.Message += ". Ask for less (a shorter prompt, a lower max_tokens), or have the budget raised"
	return e
}

// Extend implements Hold.
func (h *hold) Extend(ctx context.Context, c *gateway.Call, ch dialect.Chunk) error {
	if ended(ch) {
		h.Settle(c)
		return nil
	}
	if h.bound == nil || h.covered == 0 {
		return nil
	}
	h.seen += int64(ch.Text) + int64(len(ch.Events))
	if h.seen+slack <= h.covered || h.covered == h.bound.most {
		h.begun = h.begun || ch.Text > 0
		return nil
	}
	next := h.next(h.seen)
	h.accounts.learn(c, 0, h.seen)
	if err := h.take(ctx, h.bound.cost(next)); err != nil {
		if h.begun && h.whole {
			h.cut = "the answer was ended: " + llm.AsError(err).Message
		}
		return err
	}
	h.covered, h.begun = next, true
	return nil
}

// Cut implements Folding.
func (h *hold) Cut() (string, bool) { return h.cut, h.cut != "" }

// ended reports whether a chunk is the last of an answer: it is metered then.
func ended(ch dialect.Chunk) bool {
	if ch.Body != nil || ch.Result != nil {
		return true
	}
	for _, ev := range ch.Events {
		if _, ok := ev.(llm.End); ok {
			return true
		}
	}
	return false
}

// Settle implements Hold. It may be called again.
func (h *hold) Settle(c *gateway.Call) {
	if h.over {
		return
	}
	h.over = true
	cost := c.Try.Record.Cost
	amounts := make([]int64, len(h.lines))
	for i := range amounts {
		amounts[i] = int64(cost)
	}
	charges, err := h.accounts.book.Settle(context.WithoutCancel(h.ctx), h.id, amounts)
	if err != nil {
		c.Trail.Note("the budgets could not be told what was spent: " + err.Error())
	}
	c.Try.Record.Charges = charges
	h.accounts.learn(c, cost, h.seen)
}

// usual returns what attempts at the call's offer were like of late.
func (a *Accounts) usual(c *gateway.Call) usual {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, known := a.recent[c.Try.Target.Offer.ID]
	if !known {
		u.text = firstGuess
	}
	return u
}

// learn moves what is usual toward what an attempt was, an eighth of the way; for the length at once if it was longer, or
// is longer already while it goes on (without a cost).
func (a *Accounts) learn(c *gateway.Call, cost plenum.Micros, text int64) {
	if cost == 0 && text == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.recent[c.Try.Target.Offer.ID]
	if u.cost == 0 {
		u.cost = cost
	}
	if cost > 0 {
		u.cost += (cost - u.cost) / 8
		u.text += (text - u.text) / 8
	}
	u.text = max(text, u.text)
	a.recent[c.Try.Target.Offer.ID] = u
}
