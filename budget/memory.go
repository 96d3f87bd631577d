package budget

import (
	"context"
	"fmt"
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
	h := m.holds[id]
	if h != nil && !h.ended.IsZero() {
		return nil, fmt.Errorf("taking of hold %s, which is settled", id)
	}
	for i := range lines {
		if r, err := m.hold(&lines[i], now); r != nil || err != nil {
			for j := range lines[:i] {
				m.account(&lines[j].Account).held -= lines[j].Amount
			}
			return r, err
		}
	}
	if h == nil {
		h = &hold{parts: make([]part, 0, len(lines))}
		m.holds[id] = h
	}
	for i := range lines {
		h.add(&lines[i], m.account(&lines[i].Account).slot(now))
	}
	return nil, nil
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
	s.held += l.Amount
	return nil, nil
}

func (h *hold) add(l *Line, slot int64) {
	for i := range h.parts {
		if h.parts[i].account == l.Account.ID {
			h.parts[i].amount += l.Amount
			return
		}
	}
	h.parts = append(h.parts, part{l.Account.ID, slot, l.Amount})
}

// Settle implements Book.
func (m *Memory) Settle(_ context.Context, id string, amounts []int64) ([]plenum.Charge, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.holds[id]
	if h == nil || !h.ended.IsZero() {
		return nil, nil
	}
	var charges []plenum.Charge
	for i := range h.parts {
		p := &h.parts[i]
		s := m.accounts[p.account]
		s.held -= p.amount
		if i < len(amounts) && amounts[i] > 0 {
			s.slots[p.slot] += amounts[i]
			charges = append(charges, plenum.Charge{Account: p.account, Slot: p.slot, Amount: amounts[i]})
		}
	}
	h.parts, h.ended = nil, time.Now()
	return charges, nil
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

// slot returns the slot of a moment, and never an earlier one than before.
func (s *sum) slot(now time.Time) int64 {
	s.latest = max(s.latest, s.window.Slot(now))
	return s.latest
}

// balance adds up what counts, and forgets what does no more.
func (s *sum) balance(now time.Time) Balance {
	if latest := s.slot(now); latest > s.window.Slot(now) {
		now = time.UnixMilli(latest)
	}
	first, oldest := s.window.First(now), int64(-1)
	b := Balance{Held: s.held}
	for slot, n := range s.slots {
		if slot < first {
			delete(s.slots, slot)
			continue
		}
		b.Spent += n
		if oldest < 0 || slot < oldest {
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
