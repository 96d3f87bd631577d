package budget

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
)

// Accounts holds calls to the budgets and limits that are declared.
type Accounts struct {
	// Patience is how long a call waits for what others hold and have not spent, before it is refused.
	Patience time.Duration
	// Touched, where set, is told of each account that a call was counted on, or refused by, whose bound has alerts.
	Touched func(b *config.Bound, account string, refused bool)

	book  books.Book
	clock clock.Clock
	tolls tolls

	mu     sync.Mutex
	recent map[string]usual // by offer
}

// usual is what attempts at an offer were like of late.
type usual struct {
	cost        plenum.Micros
	read, wrote int64 // tokens
	text        int64 // bytes of answer, of the longer ones
}

// firstGuess is how long an answer is taken to be, in bytes, while nothing is known.
const firstGuess = 2048

// NewAccounts returns budgets and limits that are kept in a book.
func NewAccounts(b books.Book, ck clock.Clock) *Accounts {
	return &Accounts{Patience: patience, book: b, clock: ck, recent: map[string]usual{}, tolls: tolls{of: map[string]*toll{}}}
}

// patience is how long callers are content to wait for a first word, and more than most answers take.
const patience = 20 * time.Second

// Reserve implements Budgets.
func (a *Accounts) Reserve(ctx context.Context, c *gateway.Call) (Hold, error) {
	who := c.Config.Spender(&c.Caller, c.Deployment, &c.Try.Target.Offer)
	bounds := c.Config.Bounds.For(nil, &who)
	if len(bounds) == 0 {
		return nil, nil
	}
	h := &hold{accounts: a, call: c, ctx: ctx, id: c.ID + "/" + strconv.Itoa(c.Try.Record.N)}
	if err := h.list(bounds, &who); err != nil {
		return nil, err
	}
	if len(h.lines) == 0 && len(h.once) == 0 {
		return nil, nil
	}
	if err := h.open(ctx); err != nil {
		return nil, err
	}
	a.tolls.opened(c.ID, h.once, h.onceOf)
	h.note()
	return h, nil
}

// list has the hold take of all accounts that the bounds mean.
func (h *hold) list(bounds []*config.Bound, who *config.Spender) error {
	c := h.call
	for _, b := range bounds {
		l := books.Line{Account: books.Account{ID: b.Of(who), Unit: books.Unit(b.Counts), Bound: b.Amount, Window: b.Window}}
		switch l.Account.Unit {
		case books.Requests, books.Calls:
			if l.Account.Unit == books.Calls && c.Op == llm.OpTurn || h.accounts.tolls.has(c.ID, l.Account.ID) {
				continue // the session is the call; an attempt before this one has taken it
			}
			l.Amount, l.Hold = 1, h.id+"/call"
			h.once, h.onceOf = append(h.once, l), append(h.onceOf, b)
			continue
		case books.Money:
			if costsNothing(c) {
				continue
			}
			if err := c.Budgeted(); err != nil {
				return err
			}
		case books.Tokens, books.Input, books.Output:
			if readsNothing(c) {
				continue
			}
		}
		h.lines, h.of = append(h.lines, l), append(h.of, b)
		h.strict = h.strict || !b.Soft
	}
	h.taken = make([]int64, len(h.lines))
	return nil
}

// costsNothing reports whether an attempt is never billed: what it does, or where.
func costsNothing(c *gateway.Call) bool {
	switch c.Op {
	case llm.OpCountTokens, llm.OpModels, llm.OpRealtime, llm.OpWarm:
		return true
	case llm.OpLifecycle:
		if m := c.In.Method; m == http.MethodGet || m == http.MethodHead || m == http.MethodDelete {
			return true
		}
	}
	p := &c.Try.Target.Offer.Price
	return p.Known && p.Dearest(1<<40).Free()
}

// readsNothing reports whether an attempt reads and writes no tokens, or nobody can tell how many.
func readsNothing(c *gateway.Call) bool {
	switch c.Op {
	case llm.OpCountTokens, llm.OpModels, llm.OpRealtime, llm.OpWarm, llm.OpLifecycle:
		return true
	}
	return false
}

// usual returns what attempts at the call's offer were like of late.
func (a *Accounts) usual(c *gateway.Call) usual {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, known := a.recent[c.Try.Target.Offer.ID]
	if !known {
		u.text = firstGuess
		u.read, u.wrote = int64(len(c.In.Body))/bytesPerToken, firstGuess/bytesPerToken
	}
	return u
}

// touch tells of an account.
func (a *Accounts) touch(b *config.Bound, account string, refused bool) {
	if a.Touched != nil && len(b.Alerts) > 0 {
		a.Touched(b, account, refused)
	}
}

// bytesPerToken is what a token has of text, more or less.
const bytesPerToken = 4

// learn moves what is usual toward what an attempt was, an eighth of the way; for the length at once if it was longer, or
// is longer already while it goes on (of which nothing else is said).
func (a *Accounts) learn(c *gateway.Call, was usual) {
	if was == (usual{}) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.recent[c.Try.Target.Offer.ID]
	if was.cost > 0 || was.read > 0 {
		if u.cost == 0 && u.read == 0 {
			u.cost, u.read, u.wrote = was.cost, was.read, was.wrote
		}
		u.cost += (was.cost - u.cost) / 8
		u.read += (was.read - u.read) / 8
		u.wrote += (was.wrote - u.wrote) / 8
		u.text += (was.text - u.text) / 8
	}
	u.text = max(was.text, u.text)
	a.recent[c.Try.Target.Offer.ID] = u
}
