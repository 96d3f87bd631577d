package budget

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// hold is what one attempt holds of all the budgets and limits that it counts for.
type hold struct {
	accounts *Accounts
	call     *gateway.Call
	ctx      context.Context
	id       string
	lines    []books.Line    // with the amounts that are taken next
	of       []*config.Bound // by line
	taken    []int64         // by line
	once     []books.Line    // what the call counts once, taken with the first
	onceOf   []*config.Bound
	strict   bool   // some line is hard
	bound    *bound // where strict
	opened   bool   // something was taken
	covered  int64  // tokens of answer that are paid for by what is held
	seen     int64  // bytes of answer that came
	whole    bool   // the upstream streams for a caller who wants the answer whole
	begun    bool   // something of the answer has gone on
	over     bool   // settled
	cut      string // why the answer was ended before its end
}

// note has the call's record tell what is held for it.
func (h *hold) note() {
	now := h.accounts.clock.Now()
	var held plenum.Micros
	var of []plenum.Charge
	add := func(l *books.Line, b *config.Bound, n int64) {
		if !b.Brief {
			of = append(of, plenum.Charge{Account: l.Account.ID, Slot: l.Account.Window.Slot(now), Amount: n})
		}
	}
	for i := range h.lines {
		if h.lines[i].Account.Unit == books.Money && !h.of[i].Soft {
			held = max(held, plenum.Micros(h.taken[i]))
		}
		add(&h.lines[i], h.of[i], h.taken[i])
	}
	for i := range h.once {
		add(&h.once[i], h.onceOf[i], 1)
	}
	h.call.Trail.Hold(held, of)
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
		return h.take(ctx, b.most)
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
	r, err := h.try(ctx, b.most)
	if r == nil || err != nil {
		return err
	}
	n, ok := h.fits(r)
	n /= b.choices
	if !ok || n < 16 {
		return h.take(ctx, min(b.most, slice)) // waits, and says why not
	}
	h.call.Edits = append(h.call.Edits, dialect.Cap{N: int(n), Why: h.leaves(r)})
	return h.take(ctx, n*b.choices)
}

// fits returns how many tokens of answer there is room for in an account that has refused; false where not one, or where that is not
// what it counts.
func (h *hold) fits(r *books.Refusal) (int64, bool) {
	left, b := r.Balance.Left(r.Account.Bound), h.bound
	switch r.Account.Unit {
	case books.Money:
		return b.fits(plenum.Micros(left), b.most)
	case books.Tokens:
		return min(left-b.in, b.most), left > b.in
	case books.Output:
		return min(left, b.most), left > 0
	case books.Requests, books.Input, books.Calls:
	}
	return 0, false
}

// openSliced takes what is read and a first slice of the answer; the rest is taken as it comes. An answer that is wanted
// whole is streamed from the upstream where holding the most that it may cost would keep others out.
func (h *hold) openSliced(ctx context.Context) error {
	b := h.bound
	if !h.call.Head.Stream {
		if b.most > 0 && h.isLittle(b.most) {
			h.covered = b.most
			return h.take(ctx, b.most)
		}
		if err := h.stream(); err != nil {
			return err
		}
	}
	// What such answers grow to is held at once, where that is little: answers that wait for each other to end
	// do not end.
	h.covered = h.next(h.accounts.usual(h.call).text)
	return h.take(ctx, h.covered)
}

// modest is what part of a budget one answer may hold at its worst without being streamed for it.
const modest = 1000

// isLittle reports whether so many tokens of answer are little of every account.
func (h *hold) isLittle(tokens int64) bool {
	for i := range h.lines {
		if !h.of[i].Soft && h.want(i, tokens) > h.lines[i].Account.Bound/modest {
			return false
		}
	}
	return true
}

// affords returns how many tokens of answer a part of the smallest account pays for.
func (h *hold) affords(part int64) int64 {
	least := int64(slice)
	rate := int64(h.bound.price.Rate(h.bound.wrote))
	for i := range h.lines {
		n := h.lines[i].Account.Bound / part
		switch h.lines[i].Account.Unit {
		case books.Money:
			if rate > 0 {
				least = min(least, n*1e6/rate)
			}
		case books.Tokens, books.Output:
			least = min(least, n)
		case books.Requests, books.Input, books.Calls:
		}
	}
	return least
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

// want returns how much of a line is to be held for an answer of so many tokens.
func (h *hold) want(i int, tokens int64) int64 {
	unit := h.lines[i].Account.Unit
	if h.of[i].Soft {
		if h.opened {
			return h.taken[i]
		}
		u := h.accounts.usual(h.call)
		return max(1, amount(unit, u.cost, u.read, u.wrote))
	}
	b := h.bound
	cost := b.cost(tokens)
	if b.wrote == "" || h.call.Op != llm.OpGenerate {
		cost = max(1, cost) // what cannot be priced passes only while something is left
	}
	return amount(unit, cost, b.in, b.out+tokens)
}

// amount returns what of a cost and of tokens an account counts.
func amount(u books.Unit, cost plenum.Micros, read, wrote int64) int64 {
	switch u {
	case books.Money:
		return int64(cost)
	case books.Tokens:
		return read + wrote
	case books.Input:
		return read
	case books.Output:
		return wrote
	case books.Requests, books.Calls:
	}
	return 0
}

// try takes more, so that an answer of so many tokens is paid for, or returns which account refused.
func (h *hold) try(ctx context.Context, tokens int64) (*books.Refusal, error) {
	more := false
	for i := range h.lines {
		l := &h.lines[i]
		l.Amount = max(0, h.want(i, tokens)-h.taken[i])
		l.Grows = !h.of[i].Soft && !h.opened && h.covered != 0 && h.covered != h.bound.most && l.Account.Unit != books.Input
		more = more || l.Amount > 0
	}
	if h.opened && !more {
		return nil, nil
	}
	lines := h.lines
	if !h.opened {
		lines = slices.Concat(h.once, h.lines)
	}
	r, err := h.accounts.book.Take(ctx, h.id, lines, h.accounts.clock.Now())
	switch {
	case err != nil:
		err = &llm.Error{Kind: llm.Overloaded, Op: "budget", Code: "budget_unknown", Retry: time.Second, Message: "what is left of the budgets and limits cannot be told at the moment; try again", Err: err}
	case r == nil:
		for i := range h.lines {
			h.taken[i] += h.lines[i].Amount
		}
		if !h.opened {
			h.allow(lines)
		}
		h.opened = true
	}
	return r, err
}

// allow has the answer say what the limits leave.
func (h *hold) allow(lines []books.Line) {
	var as []plenum.Allowance
	if h.call.Try.Record.N > 1 { // what was counted once is told by the first
		as = slices.DeleteFunc(slices.Clone(h.call.Trail.Allowances()), func(a plenum.Allowance) bool { return a.Counts != string(books.Requests) })
	}
	for i := range lines {
		if a, ok := allowance(&lines[i].Account, lines[i].Balance); ok {
			as = append(as, a)
		}
	}
	if len(as) > 0 {
		h.call.Trail.Allow(as)
	}
}

// allowance returns what a limit leaves to a caller; false where nobody has words for it.
func allowance(a *books.Account, b books.Balance) (plenum.Allowance, bool) {
	switch a.Unit {
	case books.Requests, books.Tokens, books.Input, books.Output:
		return plenum.Allowance{Counts: string(a.Unit), Limit: a.Bound, Left: b.Left(a.Bound), Resets: b.Resets}, true
	case books.Money, books.Calls:
	}
	return plenum.Allowance{}, false
}

// take takes more, and waits where others hold what they may not spend.
func (h *hold) take(ctx context.Context, tokens int64) error {
	patience := h.accounts.Patience
	if h.opened { // those that wait for each other to end must not all give up at once
		patience = patience/20 + rand.N(patience)
	}
	until, wait := h.accounts.clock.Now().Add(patience), 5*time.Millisecond
	for {
		r, err := h.try(ctx, tokens)
		if r == nil || err != nil {
			return err
		}
		if !h.mayCome(r) || !h.accounts.clock.Now().Before(until) {
			return h.refused(r)
		}
		if err := h.accounts.clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 200*time.Millisecond)
	}
}

// mayCome reports whether what was refused is there once others have given back what they hold and do not spend.
func (h *hold) mayCome(r *books.Refusal) bool {
	if r.Account.Unit == books.Calls {
		return false // others end when they end
	}
	mine := int64(0)
	for i := range h.lines {
		if h.lines[i].Account.ID == r.Account.ID {
			mine = h.taken[i]
		}
	}
	return r.Balance.Held-mine > 0 && r.Asked <= r.Account.Bound-r.Balance.Spent-mine
}

// Extend implements Hold.
func (h *hold) Extend(ctx context.Context, c *gateway.Call, ch dialect.Chunk) error {
	if ended(ch) {
		h.settle(c, true)
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
	h.accounts.learn(c, usual{text: h.seen})
	if err := h.take(ctx, next); err != nil {
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
func (h *hold) Settle(c *gateway.Call) { h.settle(c, false) }

// settle ends the hold, and with it what the call counts once where its answer has ended.
func (h *hold) settle(c *gateway.Call, ended bool) {
	if h.over {
		return
	}
	h.over = true
	rec := &c.Try.Record
	was := usual{cost: rec.Cost, text: h.seen}
	was.read, was.wrote = tokens(&rec.Usage)
	amounts := make([]int64, len(h.lines))
	for i := range amounts {
		amounts[i] = amount(h.lines[i].Account.Unit, was.cost, was.read, was.wrote)
	}
	var also []string
	var kept func(string) bool
	if c.Try.Sent || ended {
		also, kept = h.accounts.tolls.asked(c.ID, ended)
	}
	charges, err := h.accounts.book.Settle(context.WithoutCancel(h.ctx), h.id, amounts, also...)
	if err != nil {
		c.Trail.Note("the budgets could not be told what was spent: " + err.Error())
	}
	brief := map[string]bool{}
	for i := range h.lines {
		brief[h.lines[i].Account.ID] = h.of[i].Brief
		h.accounts.touch(h.of[i], h.lines[i].Account.ID, false)
	}
	for i := range h.once {
		h.accounts.touch(h.onceOf[i], h.once[i].Account.ID, false)
	}
	rec.Charges = slices.DeleteFunc(charges, func(x plenum.Charge) bool { return brief[x.Account] || kept != nil && !kept(x.Account) })
	h.accounts.learn(c, was)
}

// tokens returns how many were read and written.
func tokens(t *plenum.Tokens) (read, wrote int64) {
	return t.Input + t.CacheRead + t.CacheWrite5m + t.CacheWrite1h + t.InputAudio + t.InputImage,
		t.Output + t.Reasoning + t.OutputAudio + t.OutputImage
}
