// Package valkey keeps a budget.Book in a Valkey or Redis server, so that several nodes spend of the same accounts.
//
// Each step of the book is one script, which the server runs as one. A hold has a lease, which its node renews while the
// hold is there: what a node held that has died comes back when the lease has run out.
package valkey

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
)

//go:embed take.lua
var takeScript string

//go:embed settle.lua
var settleScript string

//go:embed restore.lua
var restoreScript string

//go:embed beat.lua
var beatScript string

// The default of how long a hold is there without being renewed, and how long a settled one is known for one.
const (
	Lease      = 30 * time.Second
	remembered = 10 * time.Minute
)

// Past tells what is on record as spent, for a server that has lost what it knew.
type Past func(ctx context.Context) ([]plenum.Charge, error)

// Book is a budget.Book in a server.
type Book struct {
	// Patience is how long one step waits for the server before that counts as away.
	Patience time.Duration
	// Told, where set, is told that the server is away, and why, and with nil that it is back.
	Told func(err error)

	client valkey.Client
	prefix string
	lease  time.Duration
	past   Past
	told   bool // the server was told what is on record, when the book was opened

	take, settle, restore, beat *valkey.Lua

	away atomic.Bool
	done chan struct{} // closed by Close
	once sync.Once

	made   atomic.Int64 // when the server was told that the book is whole
	losses atomic.Int64 // how often that was not what it was before
	ahead  atomic.Int64 // of this node's clock: the server's, in ms, at least; 0: not known

	mu      sync.Mutex
	holds   map[string]*hold
	late    []*settlement
	journal *os.File // where late is written down, too
}

// settlement is what the server is to be told of a hold that has ended.
type settlement struct {
	Keys  []string `json:"keys"`
	Args  []string `json:"args"`
	holds int
}

var _ budget.Book = (*Book)(nil)

// hold is what this node has taken and not settled.
type hold struct {
	parts []part
	rests bool // nothing of it is held, so that it has no lease and is nothing to the server
	kept  bool // its lease is renewed by who has taken it
}

// part is what a hold has of an account. Spent is what the server has put down as spent already.
type part struct {
	account string
	slot    int64
	spent   int64
	spends  bool
}

// Open connects to a server. Books of one prefix share their accounts. The past is asked for at once, and again whenever the
// server has lost what it knew.
func Open(ctx context.Context, address, prefix string, lease time.Duration, past Past) (*Book, error) {
	opt, err := valkey.ParseURL(address)
	if err != nil {
		return nil, errors.New("the address of the Valkey server is not one: say redis://user:password@host:6379/0") // the address may hold a password
	}
	opt.DisableCache = true
	if opt.ConnWriteTimeout == 0 {
		opt.ConnWriteTimeout = 2 * Patience // a connection on which nothing comes is made anew
	}
	client, err := valkey.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("reaching the Valkey server: %w", err)
	}
	b := &Book{
		Patience: Patience, client: client, prefix: "plenum:{" + prefix + "}:", lease: lease, past: past, holds: map[string]*hold{}, done: make(chan struct{}),
		beat: valkey.NewLuaScript(beatScript), take: valkey.NewLuaScript(takeScript), settle: valkey.NewLuaScript(settleScript), restore: valkey.NewLuaScript(restoreScript),
	}
	if b.told, err = b.recall(ctx); err == nil {
		err = b.here(ctx, "")
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return b, nil
}

// Lost charges what calls spent that a node had open when it died: their charges are on record, and the server does not know
// of them unless it was told the whole record just now.
func (b *Book) Lost(ctx context.Context, call string, charges []plenum.Charge) error {
	if b.told {
		return nil
	}
	open := slices.DeleteFunc(slices.Clone(charges), func(c plenum.Charge) bool { return budget.Counted(c.Account) })
	if err := b.end(ctx, b.charged("lost/"+call, remembered, open)); err != nil {
		return fmt.Errorf("telling the Valkey server of lost calls: %w", err)
	}
	return nil
}

// settlement begins what the server is told of holds that end.
func (b *Book) settlement(ids ...string) *settlement {
	e := &settlement{Keys: []string{b.leases(), b.whole()}, Args: []string{b.holdKey(""), b.tombKey(""), millis(remembered), number(len(ids))}}
	e.Args = append(e.Args, ids...)
	return e
}

// add has the next hold of a settlement end, with what was spent of its parts.
func (e *settlement) add(b *Book, parts []part, amounts []int64) {
	e.holds++
	for i := range parts {
		e.Keys = append(e.Keys, b.account(parts[i].account))
		e.Args = append(e.Args, number(e.holds), number(parts[i].slot), number(amounts[i]-parts[i].spent))
	}
}

// Close gives up the connection. What is held stays so until its lease runs out.
func (b *Book) Close() {
	b.once.Do(func() {
		close(b.done)
		b.client.Close()
		if b.journal != nil {
			_ = b.journal.Close()
		}
	})
}

// Run renews the leases of what is held, and tells the server what it could not be told before, until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	tick := time.NewTicker(b.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			if b.away.Load() {
				continue // look does it
			}
			b.renew(ctx, now)
			b.catchUp(ctx)
		}
	}
}

// renew puts off the end of all leases. Where it fails there is time for two more tries.
func (b *Book) renew(ctx context.Context, now time.Time) {
	b.mu.Lock()
	ids := make([]string, 0, len(b.holds))
	for id, h := range b.holds {
		if !h.kept {
			ids = append(ids, id)
		}
	}
	b.mu.Unlock()
	_ = b.here(ctx, "") // where it fails, it is tried again
	until := float64(now.Add(b.lease).UnixMilli())
	for len(ids) > 0 {
		n := min(len(ids), 500)
		cmd := b.client.B().Zadd().Key(b.leases()).Xx().ScoreMember()
		for _, id := range ids[:n] {
			cmd = cmd.ScoreMember(until, id)
		}
		_ = b.client.Do(ctx, cmd.Build()).Error()
		ids = ids[n:]
	}
}

func (b *Book) leases() string           { return b.prefix + "leases" }
func (b *Book) whole() string            { return b.prefix + "whole" }
func (b *Book) holdKey(id string) string { return b.prefix + "hold:" + id }
func (b *Book) tombKey(id string) string { return b.prefix + "settled:" + id }
func (b *Book) account(id string) string { return b.prefix + "account:" + id }
func number[T int | int64](n T) string   { return strconv.FormatInt(int64(n), 10) }
func millis(d time.Duration) string      { return number(d.Milliseconds()) }
func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func span(w plenum.Window, slot int64, now time.Time) int64 { return slot - w.First(now) }

// Take implements budget.Book.
func (b *Book) Take(ctx context.Context, id string, lines []budget.Line, now time.Time) (*budget.Refusal, error) {
	return b.takeFor(ctx, id, lines, now, b.lease)
}

// takeFor takes for a lease.
func (b *Book) takeFor(ctx context.Context, id string, lines []budget.Line, now time.Time, lease time.Duration) (*budget.Refusal, error) {
	keys := make([]string, 0, 2+len(lines))
	keys = append(keys, b.leases(), b.whole())
	args := make([]string, 0, 6+9*len(lines))
	args = append(args, number(now.UnixMilli()), millis(lease), b.holdKey(""), b.tombKey(""), millis(b.lease), "0")
	for i := range lines {
		l := &lines[i]
		if l.Amount < 0 {
			return nil, fmt.Errorf("taking %d of account %s", l.Amount, l.Account.ID)
		}
		w := l.Account.Window
		slot := w.Slot(now)
		expiry := time.Duration(0)
		if s := w.Span(); s > 0 {
			expiry = 2*s + remembered
		}
		keys = append(keys, b.account(l.Account.ID))
		args = append(args, number(l.Account.Bound), number(slot), number(span(w, slot, now)), number(w.Far(now)), millis(expiry), number(l.Amount),
			flag(l.Grows), flag(l.Account.Spends()), at(l, id))
	}
	for range 3 {
		args[5] = b.wanted()
		m, err := b.run(ctx, b.take, keys, args)
		if err != nil {
			return nil, b.untaken(ctx, id, lines, err)
		}
		got, err := m.ToArray()
		if err != nil || len(got) == 0 {
			return nil, fmt.Errorf("reading what was taken: %w", err)
		}
		b.heard(got)
		switch word, _ := got[0].ToString(); word {
		case "late": // by the server's clock, which is known now
			continue
		case "ok":
			return nil, b.took(id, lines, got[1:])
		case "settled":
			return nil, fmt.Errorf("taking of hold %s, which is settled", id)
		case "no":
			return refusal(lines, got[1:])
		}
		if _, err := b.recall(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", budget.ErrAway, err)
		}
	}
	return nil, fmt.Errorf("%w: it loses what it knows, or its clock jumps", budget.ErrAway)
}

// untaken returns why nothing was taken. A server that did not answer may have done it, or do it yet: it is told later that what
// this node does not know of has ended.
func (b *Book) untaken(ctx context.Context, id string, lines []budget.Line, err error) error {
	if errors.Is(err, budget.ErrAway) {
		return fmt.Errorf("taking of the accounts: %w", err)
	}
	ids := []string{id}
	for i := range lines {
		if at := at(&lines[i], id); !slices.Contains(ids, at) {
			ids = append(ids, at)
		}
	}
	ids = slices.DeleteFunc(ids, b.Has)
	if len(ids) > 0 {
		b.mu.Lock()
		b.late = append(b.late, b.settlement(ids...)) // not written down: the lease does it, too
		b.mu.Unlock()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("taking of the accounts: %w", err)
	}
	return fmt.Errorf("taking of the accounts: %w: %w", budget.ErrAway, err)
}

// at returns which hold a line belongs to.
func at(l *budget.Line, hold string) string {
	if l.Hold != "" {
		return l.Hold
	}
	return hold
}

// took notes what this node has taken.
func (b *Book) took(id string, lines []budget.Line, said []valkey.ValkeyMessage) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range lines {
		l := &lines[i]
		n, err := numbers(said[4*i:])
		if err != nil {
			return fmt.Errorf("reading what was taken: %w", err)
		}
		h := b.holds[at(l, id)]
		if h == nil {
			h = &hold{rests: true}
			b.holds[at(l, id)] = h
		}
		h.add(l, n[0])
		l.Balance = budget.Balance{Spent: n[1], Held: n[2], Resets: l.Account.Window.Ends(n[3])}
	}
	return nil
}

// numbers reads the four numbers that a line is answered with.
func numbers(said []valkey.ValkeyMessage) (n [4]int64, err error) {
	if len(said) < len(n) {
		return n, errors.New("the server said too little")
	}
	for i := range n {
		if n[i], err = said[i].AsInt64(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (h *hold) add(l *budget.Line, slot int64) {
	h.rests = h.rests && l.Account.Spends()
	for i := range h.parts {
		if p := &h.parts[i]; p.account == l.Account.ID {
			if p.spends {
				p.spent += l.Amount
			}
			return
		}
	}
	p := part{account: l.Account.ID, slot: slot, spends: l.Account.Spends()}
	if p.spends {
		p.spent = l.Amount
	}
	h.parts = append(h.parts, p)
}

// refusal reads which line was refused, and of what state of its account.
func refusal(lines []budget.Line, said []valkey.ValkeyMessage) (*budget.Refusal, error) {
	n, err := numbers(said)
	if err != nil {
		return nil, fmt.Errorf("reading why the accounts refused: %w", err)
	}
	l := &lines[n[0]]
	return &budget.Refusal{Account: l.Account, Asked: l.Amount, Balance: budget.Balance{
		Spent: n[1], Held: n[2], Resets: l.Account.Window.Ends(n[3]),
	}}, nil
}

// Settle implements budget.Book. A hold of which all was spent when it was taken, and is to stay so, is nothing to the server.
func (b *Book) Settle(ctx context.Context, id string, amounts []int64, also ...string) ([]plenum.Charge, error) {
	b.mu.Lock()
	var holds []*hold
	var ids []string
	spent := map[*hold][]int64{}
	for i, id := range append([]string{id}, also...) {
		h := b.holds[id]
		if h == nil {
			continue
		}
		delete(b.holds, id)
		holds, ids, spent[h] = append(holds, h), append(ids, id), h.spent(amounts, i > 0)
	}
	b.mu.Unlock()
	e := b.settlement(ids...)
	var charges []plenum.Charge
	idle := true
	for _, h := range holds {
		e.add(b, h.parts, spent[h])
		for i, p := range h.parts {
			idle = idle && h.rests && spent[h][i] == p.spent
			if n := spent[h][i]; n > 0 {
				charges = append(charges, plenum.Charge{Account: p.account, Slot: p.slot, Amount: n})
			}
		}
	}
	if idle {
		return charges, nil
	}
	// What the server cannot be told now is charged all the same; Run tells it later.
	if err := b.end(ctx, e); err != nil {
		b.later(e)
		return charges, fmt.Errorf("settling with the accounts: %w", err)
	}
	return charges, nil
}

// spent returns what was spent of each part: what is said, or for a hold that ends with another what was put down when it
// was taken.
func (h *hold) spent(amounts []int64, also bool) []int64 {
	out := make([]int64, len(h.parts))
	for i := range h.parts {
		switch {
		case also:
			out[i] = h.parts[i].spent
		case i < len(amounts):
			out[i] = max(0, amounts[i])
		}
	}
	return out
}

// Balances implements budget.Book.
func (b *Book) Balances(ctx context.Context, accounts []budget.Account, now time.Time) ([]budget.Balance, error) {
	out := make([]budget.Balance, len(accounts))
	ask := make(valkey.Commands, len(accounts))
	for i := range accounts {
		ask[i] = b.client.B().Hgetall().Key(b.account(accounts[i].ID)).Build()
	}
	if b.away.Load() {
		return nil, fmt.Errorf("reading the accounts: %w", budget.ErrAway)
	}
	ctx, cancel := context.WithTimeout(ctx, b.Patience)
	defer cancel()
	for i, said := range b.client.DoMulti(ctx, ask...) {
		all, err := said.AsIntMap()
		if err != nil {
			return nil, fmt.Errorf("reading the accounts: %w", err)
		}
		out[i] = balance(accounts[i].Window, all, now)
	}
	return out, nil
}

func balance(w plenum.Window, all map[string]int64, now time.Time) budget.Balance {
	slot := w.Slot(now)
	width := span(w, slot, now)
	if latest := all["latest:"+number(width)]; latest < w.Far(now) || w.Far(now) == 0 {
		slot = max(slot, latest)
	}
	oldest, ends := int64(-1), max(slot, now.UnixMilli())
	b := budget.Balance{Held: all["held"]}
	for name, n := range all {
		s, err := strconv.ParseInt(name, 10, 64)
		if err != nil || s < slot-width || s > ends {
			continue
		}
		b.Spent += n
		if n > 0 && (oldest < 0 || s < oldest) {
			oldest = s
		}
	}
	if oldest < 0 {
		oldest = slot
	}
	b.Resets = w.Ends(oldest)
	return b
}

// Parts implements budget.Book. It looks through all that the server has: it is for people who ask, not for calls.
func (b *Book) Parts(ctx context.Context, prefix string, most int) ([]string, error) {
	var out []string
	match := b.account(strings.NewReplacer("*", "\\*", "?", "\\?", "[", "\\[", "]", "\\]", "\\", "\\\\").Replace(prefix)) + "*"
	for cursor := uint64(0); ; {
		page, err := b.client.Do(ctx, b.client.B().Scan().Cursor(cursor).Match(match).Count(1000).Build()).AsScanEntry()
		if err != nil {
			return nil, fmt.Errorf("looking for accounts: %w", err)
		}
		for _, key := range page.Elements {
			out = append(out, strings.TrimPrefix(key, b.account("")))
		}
		if cursor = page.Cursor; cursor == 0 {
			break
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), most)], nil
}

// Restore implements budget.Book.
func (b *Book) Restore(ctx context.Context, charges []plenum.Charge) error {
	byAccount := map[string][]string{}
	for _, c := range charges {
		byAccount[c.Account] = append(byAccount[c.Account], number(c.Slot), number(c.Amount))
	}
	for id, args := range byAccount {
		if err := b.restore.Exec(ctx, b.client, []string{b.account(id)}, args).Error(); err != nil {
			return fmt.Errorf("telling the Valkey server what was spent: %w", err)
		}
	}
	return nil
}

// recall tells the server what is on record, unless it has been told, and marks that it knows.
func (b *Book) recall(ctx context.Context) (told bool, err error) {
	n, err := b.client.Do(ctx, b.client.B().Exists().Key(b.whole()).Build()).AsInt64()
	if err != nil {
		return false, fmt.Errorf("reaching the Valkey server: %w", err)
	}
	if n == 1 {
		return false, nil
	}
	if b.past != nil {
		charges, err := b.past(ctx)
		if err != nil {
			return false, err
		}
		if err := b.Restore(ctx, charges); err != nil {
			return false, err
		}
	}
	if err := b.here(ctx, "1"); err != nil {
		return false, fmt.Errorf("reaching the Valkey server: %w", err)
	}
	return true, nil
}
