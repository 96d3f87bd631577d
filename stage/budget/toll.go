package budget

import (
	"context"
	"slices"
	"sync"

	plenum "github.com/plenum-foundry/plenum"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
)

// tolls are what calls count once, however many attempts they make: a request, and a place among the calls at the same
// time. An attempt takes it, in one step with the money, and it ends with the call.
type tolls struct {
	mu sync.Mutex
	of map[string]*toll // by call
}

// toll is what one call has taken.
type toll struct {
	holds []string
	parts map[string][]paid // by hold, in the order of its lines
	sent  bool              // the upstream was asked
}

// paid is what a toll has of one account.
type paid struct {
	account string
	calls   bool
	brief   bool
}

// has reports whether a call has taken of an account already.
func (t *tolls) has(call, account string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of[call]
	if p == nil {
		return false
	}
	for _, parts := range p.parts {
		if slices.ContainsFunc(parts, func(x paid) bool { return x.account == account }) {
			return true
		}
	}
	return false
}

// opened notes what a call has taken.
func (t *tolls) opened(call string, lines []books.Line, of []*config.Bound) {
	if len(lines) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of[call]
	if p == nil {
		p = &toll{parts: map[string][]paid{}}
		t.of[call] = p
	}
	hold := lines[0].Hold
	p.holds = append(p.holds, hold)
	for i := range lines {
		p.parts[hold] = append(p.parts[hold], paid{lines[i].Account.ID, lines[i].Account.Unit == books.Calls, of[i].Brief})
	}
}

// asked notes that the upstream was asked, and that the answer has ended where it has: then it returns the holds that end with it.
// Should another attempt follow all the same, it takes its place among the calls anew.
func (t *tolls) asked(call string, ended bool) (also []string, kept func(account string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of[call]
	if p == nil {
		return nil, nil
	}
	p.sent = true
	if !ended {
		return nil, nil
	}
	also, p.holds = p.holds, nil
	brief := p.brief()
	for hold, parts := range p.parts {
		p.parts[hold] = slices.DeleteFunc(parts, func(x paid) bool { return x.calls })
	}
	return also, func(account string) bool { return !brief[account] }
}

// brief returns the accounts of which nothing is put on record.
func (p *toll) brief() map[string]bool {
	out := map[string]bool{}
	for _, parts := range p.parts {
		for _, x := range parts {
			out[x.account] = x.brief
		}
	}
	return out
}

// Ended gives back what a call has taken that has ended, and was not given back with its answer. A call that was never
// sent has made no request.
func (a *Accounts) Ended(ctx context.Context, c *gateway.Call) {
	a.tolls.mu.Lock()
	p := a.tolls.of[c.ID]
	delete(a.tolls.of, c.ID)
	a.tolls.mu.Unlock()
	if p == nil {
		return
	}
	brief := p.brief()
	for _, hold := range p.holds {
		amounts := make([]int64, len(p.parts[hold]))
		for i, x := range p.parts[hold] {
			if p.sent && !x.calls {
				amounts[i] = 1
			}
		}
		charges, err := a.book.Settle(context.WithoutCancel(ctx), hold, amounts)
		if err != nil {
			c.Trail.Note("the limits could not be told that the call has ended: " + err.Error())
		}
		c.Trail.Charge(slices.DeleteFunc(charges, func(x plenum.Charge) bool { return brief[x.Account] }))
	}
}

// Any reports whether calls count anything once.
func (a *Accounts) Any(c *gateway.Call) bool { return len(c.Config.Bounds.All) > 0 }
