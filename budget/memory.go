package budget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Memory is a Book of one node alone. What was spent before it was made is put into it by Restore; what was held
// by a process that died is held no more, since nobody can spend it.
type Memory struct {
	mu       sync.Mutex
	accounts map[string]*sum
	holds    map[string]*hold
	swept    time.Time
}

var _ Book = (*Memory)(nil)

// sum is what is kept of an account.
type sum struct {
	window plenum.Window
	held   int64
	latest int64           // the latest slot seen: a clock that is set back does not open a window anew
	slots  map[int64]int64 // what was spent, by slot
}

// hold is what is held of some accounts, each in the slot in which that began.
type hold struct {
	parts []part
	ended time.Time // settled; kept for a while so that a late Take is known for one
}

type part struct {
	account string
	slot    int64
	amount  int64
	spent   bool // the amount is in the slot already
}

// remembered is how long a settled hold is known for one. Nothing takes of a hold that long after its end.
const remembered = 10 * time.Minute

// NewMemory returns a book without accounts.
func NewMemory() *Memory {
	return &Memory{accounts: map[string]*sum{}, holds: map[string]*hold{}}
}

// Take implements Book.
func (m *Memory) Take(_ context.Context, id string, lines []Line, now time.Time) (*Refusal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	for i := range lines {
		if h := m.holds[lines[i].at(id)]; h != nil && !h.ended.IsZero() {
			return nil, fmt.Errorf("taking of hold %s, which is settled", lines[i].at(id))
		}
	}
	for i := range lines {
		if r, err := m.hold(&lines[i], now); r != nil || err != nil {
			for j := range lines[:i] {
				m.account(&lines[j].Account).take(&lines[j], -lines[j].Amount, now)
			}
			return r, err
		}
	}
	for i := range lines {
		l := &lines[i]
		m.holding(l.at(id)).add(l, m.account(&l.Account).slot(now))
	}
	return nil, nil
}

// holding returns a hold, which is made where it is not there.
func (m *Memory) holding(id string) *hold {
	h := m.holds[id]
	if h == nil {
		h = &hold{}
		m.holds[id] = h
	}
	return h
}

// hold adds to what is held of one account, unless that has too little left.
func (m *Memory) hold(l *Line, now time.Time) (*Refusal, error) {
	if l.Amount < 0 {
		return nil, fmt.Errorf("taking %d of account %s", l.Amount, l.Account.ID)
	}
	s := m.account(&l.Account)
	b := s.balance(now)
	left := max(0, l.Account.Bound-b.Spent-b.Held)
	if l.Amount > left || l.Grows && b.Held > 0 && 2*l.Amount+b.Held > left {
		return &Refusal{l.Account, l.Amount, b}, nil
	}
	s.take(l, l.Amount, now)
	if l.Balance = b; l.Account.Spends() {
		l.Balance.Spent += l.Amount
	} else {
		l.Balance.Held += l.Amount
	}
	return nil, nil
}

// take has an amount held or spent.
func (s *sum) take(l *Line, n int64, now time.Time) {
	if l.Account.Spends() {
		s.slots[s.slot(now)] += n
		return
	}
	s.held += n
}

func (h *hold) add(l *Line, slot int64) {
	for i := range h.parts {
		if h.parts[i].account == l.Account.ID {
			h.parts[i].amount += l.Amount
			return
		}
	}
	h.parts = append(h.parts, part{l.Account.ID, slot, l.Amount, l.Account.Spends()})
}

// Settle implements Book.
func (m *Memory) Settle(_ context.Context, id string, amounts []int64, also ...string) ([]plenum.Charge, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	charges := m.settle(nil, id, func(i int, _ *part) int64 {
		if i < len(amounts) {
			return max(0, amounts[i])
		}
		return 0
	})
	for _, id := range also {
		charges = m.settle(charges, id, func(_ int, p *part) int64 {
			if p.spent {
				return p.amount
			}
			return 0
		})
	}
	return charges, nil
}

// settle ends one hold, of each part of which so much was spent.
func (m *Memory) settle(charges []plenum.Charge, id string, spent func(i int, p *part) int64) []plenum.Charge {
	h := m.holds[id]
	if h == nil || !h.ended.IsZero() {
		return charges
	}
	for i := range h.parts {
		p := &h.parts[i]
		s, n := m.accounts[p.account], spent(i, p)
		more := n
		if p.spent {
			more -= p.amount
		} else {
			s.held -= p.amount
		}
		if more != 0 {
			s.slots[p.slot] += more
		}
		if n > 0 {
			charges = append(charges, plenum.Charge{Account: p.account, Slot: p.slot, Amount: n})
		}
	}
	h.parts, h.ended = nil, time.Now()
	return charges
}

// Balances implements Book.
func (m *Memory) Balances(_ context.Context, accounts []Account, now time.Time) ([]Balance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Balance, len(accounts))
	for i := range accounts {
		out[i] = m.account(&accounts[i]).balance(now)
	}
	return out, nil
}

// Parts implements Book.
func (m *Memory) Parts(_ context.Context, prefix string, most int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for id := range m.accounts {
		if strings.HasPrefix(id, prefix) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), most)], nil
}

// Restore implements Book. It is called before the accounts are used; their windows are told by who uses them.
func (m *Memory) Restore(_ context.Context, charges []plenum.Charge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range charges {
		s := m.accounts[c.Account]
		if s == nil {
			s = &sum{slots: map[int64]int64{}}
			m.accounts[c.Account] = s
		}
		s.slots[c.Slot] += c.Amount
	}
	return nil
}

func (m *Memory) account(a *Account) *sum {
	s := m.accounts[a.ID]
	if s == nil {
		s = &sum{slots: map[int64]int64{}}
		m.accounts[a.ID] = s
	}
	if s.window != a.Window {
		s.window, s.latest = a.Window, 0
	}
	return s
}

// slot returns the slot of a moment, and never an earlier one than before: a clock that is set back opens no window
// anew. Where it is so far back that it must have been wrong before, time goes on from what it says now, and what was spent of the
// time that has not come counts now as well as then.
func (s *sum) slot(now time.Time) int64 {
	slot := s.window.Slot(now)
	if far := s.window.Far(now); far > 0 && s.latest >= far {
		ahead := int64(0)
		for at, n := range s.slots {
			if at > now.UnixMilli() {
				ahead += n
			}
		}
		s.slots[slot] = max(s.slots[slot], ahead)
		s.latest = slot
	}
	s.latest = max(s.latest, slot)
	return s.latest
}

// mostSlots is how many slots of an account are kept: those that a window has, and some that count no more, should the clock
// be set back.
const mostSlots = plenum.WindowParts * 3 / 2

// balance adds up what counts, and forgets what does no more.
func (s *sum) balance(now time.Time) Balance {
	latest := s.slot(now)
	if latest > s.window.Slot(now) {
		now = time.UnixMilli(latest)
	}
	first, oldest, forget := s.window.First(now), int64(-1), len(s.slots) > mostSlots
	b := Balance{Held: s.held}
	for slot, n := range s.slots {
		if slot < first || slot > now.UnixMilli() {
			if forget && slot < first {
				delete(s.slots, slot)
			}
			continue
		}
		b.Spent += n
		if n > 0 && (oldest < 0 || slot < oldest) {
			oldest = slot
		}
	}
	if oldest < 0 {
		oldest = s.latest
	}
	b.Resets = s.window.Ends(oldest)
	return b
}

// sweep forgets holds that were settled long ago. It looks through them once a minute.
func (m *Memory) sweep(now time.Time) {
	if now.Sub(m.swept) < time.Minute && !now.Before(m.swept) {
		return
	}
	m.swept = now
	for id, h := range m.holds {
		if !h.ended.IsZero() && time.Since(h.ended) > remembered {
			delete(m.holds, id)
		}
	}
}
