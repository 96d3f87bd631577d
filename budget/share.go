package budget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Server is a book that several nodes share and that may be out of reach: its methods then fail with ErrAway.
type Server interface {
	Book
	// Away reports whether it could not be reached when it was last asked.
	Away() bool
	// Has reports whether this node has taken of a hold and not settled it.
	Has(hold string) bool
	// Losses returns how often it was seen to have lost what it knew, holds among it.
	Losses() int64
	// Keep takes as Take does, for a lease that nothing but calling it again renews.
	Keep(ctx context.Context, hold string, lines []Line, now time.Time, lease time.Duration) (*Refusal, error)
	// Tell puts down what was spent of no hold, once for each id, now or when it can.
	Tell(ctx context.Context, id string, charges []plenum.Charge)
	// Pending returns how much it could not be told yet.
	Pending() int
}

// Shares is a Book of a node that goes on for a while when the server of its book is away. While it is there, the node keeps a share of
// what is left of each account that it uses: a hold like any other, so that nobody else can take it. While the server is
// away the node spends of its shares and of nothing else. So the nodes together spend no more than there is, however many they are and
// whichever of them are cut off, unless one is cut off for longer than a share lasts twice.
type Shares struct {
	server Server
	part   int64         // of a hundred
	lasts  time.Duration // how long a share may be spent of after the server was last heard
	prefix string        // of the ids of the holds that shares are

	locals  atomic.Int64 // how many holds are local
	telling atomic.Int64 // how many are being told

	mu      sync.Mutex
	shares  map[string]*share
	local   *Memory // what was taken and spent of the shares
	dirty   bool    // something was
	open    map[string]*localHold
	counter int64
	losses  int64 // of the server, when shares were last adjusted
}

// share is what this node has of one account for itself.
type share struct {
	account Account // as it was last used
	hold    string  // in the server; "": none
	amount  int64
	renewed time.Time
	left    int64 // of the account, when it was last taken of, less what others hold
	used    time.Time
	fresh   bool // used since shares were last adjusted
	tight   bool // the account has refused since
}

// localHold is a hold, or what was added to one, of this node's shares.
type localHold struct {
	accounts []string
	amounts  []int64 // by account
	mixed    bool    // the server has the hold, too
}

func (h *localHold) add(l *Line) {
	if i := slices.Index(h.accounts, l.Account.ID); i >= 0 {
		h.amounts[i] += l.Amount
		return
	}
	h.accounts, h.amounts = append(h.accounts, l.Account.ID), append(h.amounts, l.Amount)
}

// idle is after how long without use an account's share is given back.
const idle = time.Minute

var _ Book = (*Shares)(nil)

// NewShares returns a book whose shares are so many hundredths of what is left. The node's name is part of the ids of its holds; ending
// those of a process before that had the same name is the caller's business.
func NewShares(server Server, part int, lasts time.Duration, node string) *Shares {
	return &Shares{
		server: server, part: int64(part), lasts: lasts, prefix: SharePrefix(node), shares: map[string]*share{},
		local: NewMemory(), open: map[string]*localHold{},
	}
}

// SharePrefix is how the ids of a node's shares begin.
func SharePrefix(node string) string { return "share/" + node + "/" }

// Take implements Book.
func (s *Shares) Take(ctx context.Context, id string, lines []Line, now time.Time) (*Refusal, error) {
	if s.server.Away() {
		return s.takeLocal(id, lines, now)
	}
	if s.isLocal(id) {
		if r, err := s.takeLocal(id, lines, now); !errors.Is(err, ErrAway) {
			return r, err
		}
		defer s.mix(id)
	}
	r, err := s.server.Take(ctx, id, lines, now)
	switch {
	case err == nil:
		s.note(lines, r, now)
	case errors.Is(err, ErrAway) && ctx.Err() == nil:
		return s.takeLocal(id, lines, now)
	}
	return r, err
}

// isLocal reports whether something of a hold is of the shares.
func (s *Shares) isLocal(id string) bool {
	if s.locals.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[id] != nil
}

// mix notes that the server has a local hold, too, if it does.
func (s *Shares) mix(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.open[id]; h != nil {
		h.mixed = s.server.Has(id)
	}
}

// note remembers which accounts are used, and what is left of them.
func (s *Shares) note(lines []Line, r *Refusal, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r != nil {
		if sh := s.shares[r.Account.ID]; sh != nil {
			sh.tight, sh.fresh, sh.used = true, true, now
		}
		return
	}
	for i := range lines {
		l := &lines[i]
		sh := s.shares[l.Account.ID]
		if sh == nil {
			sh = &share{}
			s.shares[l.Account.ID] = sh
		}
		sh.account, sh.left, sh.used, sh.fresh = l.Account, l.Balance.Left(l.Account.Bound), now, true
	}
}

// of returns what may be spent of an account while the server is away, all in all.
func (s *Shares) of(a *Account, now time.Time) int64 {
	sh := s.shares[a.ID]
	if sh == nil || sh.amount == 0 || now.Sub(sh.renewed) > s.lasts || sh.account.Window != a.Window {
		return 0
	}
	return min(sh.amount, a.Bound)
}

// takeLocal takes of the shares.
func (s *Shares) takeLocal(id string, lines []Line, now time.Time) (*Refusal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := make([]Line, len(lines))
	for i := range lines {
		mine[i] = lines[i]
		mine[i].Account.Bound = s.of(&lines[i].Account, now)
	}
	r, err := s.local.Take(context.Background(), id, mine, now)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return s.refused(lines, r)
	}
	s.dirty = true
	for i := range lines {
		l := &lines[i]
		l.Balance = mine[i].Balance
		l.Balance.Spent += l.Account.Bound - mine[i].Account.Bound
		s.opened(l.at(id)).add(l)
	}
	return nil, nil
}

// refused says that a share is used up: as a refusal where others of this node hold what they may not spend, for that is worth
// waiting for, and else as what it is: nobody knows what is left.
func (s *Shares) refused(lines []Line, r *Refusal) (*Refusal, error) {
	bound := r.Account.Bound
	for i := range lines {
		if lines[i].Account.ID == r.Account.ID {
			r.Account = lines[i].Account
		}
	}
	if r.Balance.Held > 0 && r.Asked <= bound-r.Balance.Spent {
		r.Balance.Spent += r.Account.Bound - bound
		return r, nil
	}
	return nil, fmt.Errorf("%w, and of its share of %s this node has %d left, of %d that are asked for", ErrAway, r.Account.ID, r.Balance.Left(bound), r.Asked)
}

// opened returns the local part of a hold, which is made where it is not there.
func (s *Shares) opened(id string) *localHold {
	h := s.open[id]
	if h == nil {
		h = &localHold{mixed: s.server.Has(id)}
		s.open[id] = h
		s.locals.Add(1)
	}
	return h
}

// Settle implements Book.
func (s *Shares) Settle(ctx context.Context, id string, amounts []int64, also ...string) ([]plenum.Charge, error) {
	if s.locals.Load() == 0 {
		return s.server.Settle(ctx, id, amounts, also...)
	}
	charges, whole := s.settleLocal(ctx, id, amounts, false)
	var rest []string
	for _, a := range also {
		more, done := s.settleLocal(ctx, a, nil, true)
		if charges = append(charges, more...); !done {
			rest = append(rest, a)
		}
	}
	if whole {
		if len(rest) == 0 {
			return charges, nil
		}
		id, amounts = "", nil
	}
	more, err := s.server.Settle(ctx, id, amounts, rest...)
	return append(charges, more...), err
}

// settleLocal ends what is local of a hold, alone or with another, and reports whether that was all of it. What was added to a hold of the
// server is charged there as a part of that; here it counts as used.
func (s *Shares) settleLocal(ctx context.Context, id string, amounts []int64, also bool) (charges []plenum.Charge, whole bool) {
	s.mu.Lock()
	h := s.open[id]
	if h == nil {
		s.mu.Unlock()
		return nil, false
	}
	delete(s.open, id)
	s.locals.Add(-1)
	switch {
	case h.mixed:
		_, _ = s.local.Settle(ctx, id, h.within(amounts))
	case also:
		charges, _ = s.local.Settle(ctx, "", nil, id)
	default:
		charges, _ = s.local.Settle(ctx, id, amounts)
	}
	s.telling.Add(1)
	s.mu.Unlock()
	defer s.telling.Add(-1)
	if len(charges) > 0 {
		s.server.Tell(ctx, id, charges)
	}
	return charges, !h.mixed
}

// within returns what was spent, but of each line no more than was taken here.
func (h *localHold) within(amounts []int64) []int64 {
	out := make([]int64, len(amounts))
	for i, n := range amounts {
		if i < len(h.amounts) {
			out[i] = min(n, h.amounts[i])
		}
	}
	return out
}

// Balances implements Book.
func (s *Shares) Balances(ctx context.Context, accounts []Account, now time.Time) ([]Balance, error) {
	return s.server.Balances(ctx, accounts, now)
}

// Parts implements Book.
func (s *Shares) Parts(ctx context.Context, prefix string, most int) ([]string, error) {
	return s.server.Parts(ctx, prefix, most)
}

// Restore implements Book.
func (s *Shares) Restore(ctx context.Context, charges []plenum.Charge) error {
	return s.server.Restore(ctx, charges)
}

// Adjust brings the shares to what they should be of what is left now. It is called about once a second.
func (s *Shares) Adjust(ctx context.Context, now time.Time) {
	if s.server.Away() {
		return
	}
	for _, step := range s.steps(now) {
		if s.server.Away() {
			return
		}
		s.adjust(ctx, step, now)
	}
}

// Close gives back the shares that nothing was spent of that is not told. The others come back when the node starts again, or in
// their time.
func (s *Shares) Close(ctx context.Context) {
	s.mu.Lock()
	var give []string
	for _, sh := range s.shares {
		if sh.hold != "" && (!s.dirty || len(s.open) == 0 && s.telling.Load() == 0 && s.server.Pending() == 0) {
			give = append(give, sh.hold)
			sh.hold, sh.amount = "", 0
		}
	}
	s.mu.Unlock()
	for _, hold := range give {
		if ctx.Err() == nil && !s.server.Away() {
			_, _ = s.server.Settle(ctx, hold, nil)
		}
	}
}

// step is what is to be done about one share.
type step struct {
	account Account
	give    string // a hold that is given back
	hold    string // the one that is taken of or renewed
	more    int64
}

// steps returns what is to be done. Shares that were spent of are given back whole, when all that was spent of them is told and nothing of
// them is held any more; what is left of the accounts then is not known, so that new ones are taken with the next use.
func (s *Shares) steps(now time.Time) (out []step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	settled := s.dirty && len(s.open) == 0 && s.telling.Load() == 0 && s.server.Pending() == 0
	if settled {
		s.local, s.dirty = NewMemory(), false
	}
	losses := s.server.Losses()
	lost := losses != s.losses
	s.losses = losses
	for id, sh := range s.shares {
		st := s.step(sh, settled, now)
		switch {
		case lost && s.dirty: // what is spent of is taken anew
			st = step{account: sh.account, more: sh.amount}
			sh.hold, sh.amount = "", 0
		case lost:
			st.give, sh.hold, sh.amount = sh.hold, "", 0
			st.hold, st.more = "", 0
		}
		if st.more > 0 && st.hold == "" {
			s.counter++
			st.hold = s.prefix + strconv.FormatInt(now.UnixNano(), 36) + "." + strconv.FormatInt(s.counter, 36)
		}
		if sh.hold == "" && st.hold == "" && now.Sub(sh.used) > idle && !s.dirty {
			delete(s.shares, id)
		}
		sh.fresh, sh.tight = false, false
		if st.give != "" || st.hold != "" {
			out = append(out, st)
		}
	}
	return out
}

// step returns what is to be done about one share, the hold of a new one left out.
func (s *Shares) step(sh *share, settled bool, now time.Time) step {
	st := step{account: sh.account}
	want := (sh.left + sh.amount) * s.part / 100
	old := now.Sub(sh.used) > idle
	switch {
	case s.dirty:
		st.hold = sh.hold // only renewed
	case settled || old || sh.tight:
		st.give = sh.hold
		sh.hold, sh.amount = "", 0
	case sh.fresh && want < sh.amount*3/4:
		st.give, st.more = sh.hold, want
		sh.hold, sh.amount = "", 0
	case sh.fresh && want > sh.amount*5/4:
		st.hold, st.more = sh.hold, want-sh.amount
	case sh.hold != "" && now.Sub(sh.renewed) > s.lasts/8:
		st.hold = sh.hold
	}
	return st
}

// adjust does one step. A share counts once the server has said so.
func (s *Shares) adjust(ctx context.Context, st step, now time.Time) {
	if st.give != "" {
		_, _ = s.server.Settle(ctx, st.give, nil) // where it fails, it is told later
	}
	if st.hold == "" {
		return
	}
	l := Line{Account: st.account, Amount: st.more}
	l.Account.Unit = Calls // held, whatever the account counts: a request that is spent would come back by itself
	r, err := s.server.Keep(ctx, st.hold, []Line{l}, now, 2*s.lasts)
	if r != nil || err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.shares[st.account.ID]; sh != nil && (sh.hold == st.hold || sh.hold == "") {
		sh.hold, sh.amount, sh.renewed = st.hold, sh.amount+st.more, now
		sh.left -= st.more
	}
}
