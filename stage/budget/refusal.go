package budget

import (
	"fmt"
	"strconv"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
)

// refused says which budget or limit has too little left.
func (h *hold) refused(r *books.Refusal) error {
	now := h.accounts.clock.Now()
	if b := h.boundOf(&r.Account); b != nil {
		h.accounts.touch(b, r.Account.ID, r.Account.Unit == books.Calls || r.Account.Bound-r.Balance.Spent < r.Asked)
	}
	if r.Account.Unit == books.Money {
		return h.unpaid(r, now)
	}
	if a, ok := allowance(&r.Account, r.Balance); ok {
		h.call.Trail.Allow([]plenum.Allowance{a})
	}
	e := &llm.Error{Kind: llm.RateLimited, Op: "limit", Code: "rate_limit_exceeded", Counts: string(r.Account.Unit)}
	most, left := r.Account.Bound, r.Balance.Left(r.Account.Bound)
	name := fmt.Sprintf("limit %q", h.nameOf(&r.Account))
	switch {
	case r.Account.Unit == books.Calls:
		e.Retry = time.Second
		e.Message = fmt.Sprintf("%s allows %d calls at the same time, and as many are under way. Try again when one of them has ended", name, most)
		return e
	case r.Account.Unit == books.Requests:
		e.Message = fmt.Sprintf("%s allows %d requests%s, and %d are left", name, most, windowed(r.Account.Window), left)
	default:
		e.Message = fmt.Sprintf("%s allows %d %s%s, of which %d are left, and this call may take %d more", name, most, words(r.Account.Unit), windowed(r.Account.Window), left, r.Asked)
	}
	switch at := r.Balance.Resets; {
	case r.Asked > most:
		e.Message += ". It would not fit at any time: ask for less (a shorter prompt, a lower max_tokens), or have the limit raised"
		e.Upstream = &llm.Upstream{NoRetry: true}
	case r.Balance.Held > 0 && most-r.Balance.Spent >= r.Asked: // those under way will not take all that they hold
		e.Retry = 2 * time.Second
		e.Message += fmt.Sprintf(" (%d are held by calls under way). Try again when some of them have ended", r.Balance.Held)
	case !at.IsZero():
		e.Retry = max(time.Millisecond, at.Sub(now))
		if e.Message += ". It has more from " + at.UTC().Format("2006-01-02 15:04:05 MST"); e.Retry > longWait {
			e.Upstream = &llm.Upstream{NoRetry: true}
		} else {
			e.Message += fmt.Sprintf(": try again in %d s", (e.Retry+time.Second-1)/time.Second)
		}
	}
	return e
}

// longWait is how long a wait is for which no client should come back by itself.
const longWait = 5 * time.Minute

// unpaid says which budget has too little left.
func (h *hold) unpaid(r *books.Refusal, now time.Time) error {
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

// leaves says what is left of an account that has refused.
func (h *hold) leaves(r *books.Refusal) string {
	left := r.Balance.Left(r.Account.Bound)
	if r.Account.Unit == books.Money {
		return fmt.Sprintf("budget %q has $%s left", r.Account.ID, plenum.Micros(left))
	}
	return fmt.Sprintf("limit %q has %d %s left", h.nameOf(&r.Account), left, words(r.Account.Unit))
}

// boundOf returns the budget or limit that an account is of.
func (h *hold) boundOf(a *books.Account) *config.Bound {
	find := func(lines []books.Line, of []*config.Bound) *config.Bound {
		for i := range lines {
			if lines[i].Account.ID == a.ID {
				return of[i]
			}
		}
		return nil
	}
	if b := find(h.lines, h.of); b != nil {
		return b
	}
	return find(h.once, h.onceOf)
}

// nameOf returns what people call it.
func (h *hold) nameOf(a *books.Account) string {
	if b := h.boundOf(a); b != nil {
		return b.Name
	}
	return a.ID
}

// words says what a limit counts.
func words(u books.Unit) string {
	switch u {
	case books.Input:
		return "tokens of input"
	case books.Output:
		return "tokens of output"
	case books.Requests, books.Tokens, books.Money, books.Calls:
	}
	return string(u)
}

// windowed says for what time.
func windowed(w plenum.Window) string {
	switch {
	case w.Period == plenum.InTotal:
		return " in total"
	case w.Period != "":
		return " in a " + string(w.Period)
	case w.Rolling%(24*time.Hour) == 0:
		return " in " + strconv.Itoa(int(w.Rolling/(24*time.Hour))) + " days"
	}
	return " in " + w.Rolling.String()
}
