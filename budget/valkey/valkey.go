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
	"strconv"
	"sync"
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

// The default of how long a hold is there without being renewed, and how long a settled one is known for one.
const (
	Lease      = 30 * time.Second
	remembered = 10 * time.Minute
)

// Past tells what is on record as spent, for a server that has lost what it knew.
type Past func(ctx context.Context) ([]plenum.Charge, error)

// Book is a budget.Book in a server.
type Book struct {
	client valkey.Client
	prefix string
	lease  time.Duration
	past   Past
	told   bool // the server was told what is on record, when the book was opened

	take, settle, restore *valkey.Lua

	mu    sync.Mutex
	holds map[string]*hold
	late  []settlement
}

// settlement is what the server is to be told of a hold that has ended.
type settlement struct{ keys, args []string }

var _ budget.Book = (*Book)(nil)

// hold is what this node has taken and not settled.
type hold struct {
	accounts []string
	slots    []int64
}

// Open connects to a server. Books of one prefix share their accounts. The past is asked for at once, and again whenever the
// server has lost what it knew.
func Open(ctx context.Context, address, prefix string, lease time.Duration, past Past) (*Book, error) {
	opt, err := valkey.ParseURL(address)
	if err != nil {
		return nil, errors.New("the address of the Valkey server is not one: say redis://user:password@host:6379/0") // the address may hold a password
	}
	opt.DisableCache = true
	client, err := valkey.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("reaching the Valkey server: %w", err)
	}
	b := &Book{
		client: client, prefix: "plenum:{" + prefix + "}:", lease: lease, past: past, holds: map[string]*hold{},
		take: valkey.NewLuaScript(takeScript), settle: valkey.NewLuaScript(settleScript), restore: valkey.NewLuaScript(restoreScript),
	}
	if b.told, err = b.recall(ctx); err != nil {
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
	hold := "lost/" + call
	keys, args := []string{b.leases(), b.holdKey(hold), b.tombKey(hold)}, []string{hold, millis(remembered)}
	for _, c := range charges {
		keys, args = append(keys, b.account(c.Account)), append(args, number(c.Slot), number(c.Amount))
	}
	if err := b.settle.Exec(ctx, b.client, keys, args).Error(); err != nil {
		return fmt.Errorf("telling the Valkey server of lost calls: %w", err)
	}
	return nil
}

// Close gives up the connection. What is held stays so until its lease runs out.
func (b *Book) Close() { b.client.Close() }

// Run renews the leases of what is held, and tells the server what it could not be told before, until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	tick := time.NewTicker(b.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			b.renew(ctx, now)
			b.catchUp(ctx)
		}
	}
}

// renew puts off the end of all leases. Where it fails there is time for two more tries.
func (b *Book) renew(ctx context.Context, now time.Time) {
	b.mu.Lock()
	ids := make([]string, 0, len(b.holds))
	for id := range b.holds {
		ids = append(ids, id)
	}
	b.mu.Unlock()
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
	keys := []string{b.leases(), b.holdKey(id), b.tombKey(id), b.whole()}
	args := []string{number(now.UnixMilli()), millis(b.lease), id, b.prefix + "hold:"}
	for i := range lines {
		l := &lines[i]
		if l.Amount < 0 {
			return nil, fmt.Errorf("taking %d of account %s", l.Amount, l.Account.ID)
		}
		w := l.Account.Window
		slot := w.Slot(now)
		expiry := time.Duration(0)
		if s := w.Span(); s > 0 {
			expiry = s + remembered
		}
		keys = append(keys, b.account(l.Account.ID))
		args = append(args, number(l.Account.Bound), number(slot), number(span(w, slot, now)), millis(expiry), number(l.Amount), flag(l.Grows))
	}
	for range 3 {
		got, err := b.take.Exec(ctx, b.client, keys, args).ToArray()
		if err != nil || len(got) == 0 {
			return nil, fmt.Errorf("taking of the accounts: %w", err)
		}
		switch word, _ := got[0].ToString(); word {
		case "ok":
			return nil, b.took(id, lines, got[1:])
		case "settled":
			return nil, fmt.Errorf("taking of hold %s, which is settled", id)
		case "no":
			return refusal(lines, got[1:])
		}
		if _, err := b.recall(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the Valkey server loses what it knows")
}

// took notes what this node has taken.
func (b *Book) took(id string, lines []budget.Line, slots []valkey.ValkeyMessage) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.holds[id]
	if h == nil {
		h = &hold{}
		b.holds[id] = h
	}
	for i := range lines {
		slot, err := slots[i].AsInt64()
		if err != nil {
			return fmt.Errorf("reading what was taken: %w", err)
		}
		h.add(lines[i].Account.ID, slot)
	}
	return nil
}

func (h *hold) add(account string, slot int64) {
	for _, a := range h.accounts {
		if a == account {
			return
		}
	}
	h.accounts, h.slots = append(h.accounts, account), append(h.slots, slot)
}

// refusal reads which line was refused, and of what state of its account.
func refusal(lines []budget.Line, said []valkey.ValkeyMessage) (*budget.Refusal, error) {
	var n [4]int64
	for i := range n {
		v, err := said[i].AsInt64()
		if err != nil {
			return nil, fmt.Errorf("reading why the accounts refused: %w", err)
		}
		n[i] = v
	}
	l := &lines[n[0]]
	return &budget.Refusal{Account: l.Account, Asked: l.Amount, Balance: budget.Balance{
		Spent: n[1], Held: n[2], Resets: l.Account.Window.Ends(n[3]),
	}}, nil
}

// Settle implements budget.Book.
func (b *Book) Settle(ctx context.Context, id string, amounts []int64) ([]plenum.Charge, error) {
	b.mu.Lock()
	h := b.holds[id]
	delete(b.holds, id)
	b.mu.Unlock()
	if h == nil {
		return nil, nil
	}
	keys := []string{b.leases(), b.holdKey(id), b.tombKey(id)}
	args := []string{id, millis(remembered)}
	var charges []plenum.Charge
	for i, a := range h.accounts {
		n := int64(0)
		if i < len(amounts) {
			n = max(0, amounts[i])
		}
		keys, args = append(keys, b.account(a)), append(args, number(h.slots[i]), number(n))
		if n > 0 {
			charges = append(charges, plenum.Charge{Account: a, Slot: h.slots[i], Amount: n})
		}
	}
	// What the server cannot be told now is charged all the same; Run tells it later.
	if err := b.settle.Exec(ctx, b.client, keys, args).Error(); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.late = append(b.late, settlement{keys, args})
		return charges, fmt.Errorf("settling with the accounts: %w", err)
	}
	return charges, nil
}

// catchUp tells the server what it could not be told before.
func (b *Book) catchUp(ctx context.Context) {
	b.mu.Lock()
	late := b.late
	b.late = nil
	b.mu.Unlock()
	for i, s := range late {
		if err := b.settle.Exec(ctx, b.client, s.keys, s.args).Error(); err != nil {
			b.mu.Lock()
			b.late = append(b.late, late[i:]...)
			b.mu.Unlock()
			return
		}
	}
}

// Balances implements budget.Book.
func (b *Book) Balances(ctx context.Context, accounts []budget.Account, now time.Time) ([]budget.Balance, error) {
	out := make([]budget.Balance, len(accounts))
	for i := range accounts {
		all, err := b.client.Do(ctx, b.client.B().Hgetall().Key(b.account(accounts[i].ID)).Build()).AsIntMap()
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
	slot = max(slot, all["latest:"+number(width)])
	oldest := int64(-1)
	b := budget.Balance{Held: all["held"]}
	for name, n := range all {
		s, err := strconv.ParseInt(name, 10, 64)
		if err != nil || s < slot-width {
			continue
		}
		b.Spent += n
		if oldest < 0 || s < oldest {
			oldest = s
		}
	}
	if oldest < 0 {
		oldest = slot
	}
	b.Resets = w.Ends(oldest)
	return b
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
	if err := b.client.Do(ctx, b.client.B().Set().Key(b.whole()).Value("1").Build()).Error(); err != nil {
		return false, fmt.Errorf("reaching the Valkey server: %w", err)
	}
	return true, nil
}
