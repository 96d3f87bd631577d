package valkey

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/budget"
)

// Patience is the default of how long one step waits for the server.
const Patience = 5 * time.Second

// Steps after one that failed ask nobody until the server is heard again: so no call waits for it but those that find out
// that it is away. How often it is looked for, and how long each time.
const (
	lookEvery = 100 * time.Millisecond
	lookFor   = time.Second
)

// Away reports whether the server could not be reached when it was last asked.
func (b *Book) Away() bool { return b.away.Load() }

// run runs a script, unless the server is away. Where it does not answer for as long as patience lasts it is away from then on, but not
// where it was the caller who went.
func (b *Book) run(ctx context.Context, script *valkey.Lua, keys, args []string) (valkey.ValkeyMessage, error) {
	if b.away.Load() {
		return valkey.ValkeyMessage{}, budget.ErrAway
	}
	limited, cancel := context.WithTimeout(ctx, b.Patience)
	defer cancel()
	m, err := script.Exec(limited, b.client, keys, args).ToMessage()
	if err != nil && ctx.Err() == nil {
		b.gone(err)
	}
	return m, err
}

// wanted returns until when a step that is begun now is wanted, by the server's clock: somewhat less long than its answer is waited for.
func (b *Book) wanted() string {
	ahead := b.ahead.Load()
	if ahead == 0 {
		return "0"
	}
	return number(time.Now().Add(b.Patience*9/10).UnixMilli() + ahead)
}

// heard notes what the server's clock says at the end of an answer.
func (b *Book) heard(said []valkey.ValkeyMessage) {
	at, err := said[len(said)-1].AsInt64()
	if err != nil {
		return // it says a word alone
	}
	ahead := at - time.Now().UnixMilli()
	if ahead == 0 {
		ahead = -1
	}
	b.ahead.Store(ahead)
}

// gone notes that the server is away, and has it looked for.
func (b *Book) gone(err error) {
	if !b.away.CompareAndSwap(false, true) {
		return
	}
	b.tell(err)
	go b.look()
}

// tell tells whoever wants to know whether the server is away.
func (b *Book) tell(err error) {
	if b.Told != nil {
		b.Told(err)
	}
}

// look waits until the server is back. What is held has its leases renewed, and what was spent is told, before anything is taken.
func (b *Book) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.done:
			return
		case now := <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), lookFor)
			err := b.client.Do(ctx, b.client.B().Ping().Build()).Error()
			cancel()
			if err == nil && b.welcome(now) {
				b.tell(nil)
				return
			}
		}
	}
}

// welcome has a server that is back know what it needs, and reports whether it does.
func (b *Book) welcome(now time.Time) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*lookFor)
	defer cancel()
	b.renew(ctx, now)
	if !b.catchUp(ctx) {
		return false
	}
	b.away.Store(false)
	return true
}

// errLost is the answer of a server that has lost what it knew.
var errLost = errors.New("the Valkey server has lost what it knew")

// end tells the server how holds ended.
func (b *Book) end(ctx context.Context, e *settlement) error {
	m, err := b.run(ctx, b.settle, e.Keys, e.Args)
	return settled(m, err)
}

// endNow does so also where the server counts as away.
func (b *Book) endNow(ctx context.Context, e *settlement) error {
	m, err := b.settle.Exec(ctx, b.client, e.Keys, e.Args).ToMessage()
	return settled(m, err)
}

// settled reads what became of a settlement.
func settled(m valkey.ValkeyMessage, err error) error {
	if err != nil {
		return err
	}
	switch n, err := m.AsInt64(); {
	case err != nil:
		return err
	case n < 0:
		return errLost
	}
	return nil
}

// later keeps a settlement until the server can be told. It is written down, so that a node which dies meanwhile tells it when
// it starts again.
func (b *Book) later(e *settlement) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Args[2] = millis(longRemembered)
	b.late = append(b.late, e)
	if b.journal == nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = b.journal.Write(append(line, '\n'))
	}
	if err != nil {
		b.tell(fmt.Errorf("writing down what was spent: %w", err))
	}
}

// catchUp tells the server what it could not be told before, and reports whether it knows all.
func (b *Book) catchUp(ctx context.Context) bool {
	b.mu.Lock()
	late := b.late
	b.late = nil
	b.mu.Unlock()
	for i, e := range late {
		err := b.endNow(ctx, e)
		if errors.Is(err, errLost) {
			if _, err = b.recall(ctx); err == nil {
				err = b.endNow(ctx, e)
			}
		}
		if err != nil {
			b.mu.Lock()
			b.late = append(late[i:], b.late...)
			b.mu.Unlock()
			return false
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(late) > 0 && len(b.late) == 0 && b.journal != nil {
		_ = b.journal.Truncate(0)
	}
	return len(b.late) == 0
}

// Journal has what the server cannot be told written down in a file, and tells it what is in it: it is what a process could not
// tell that has ended. It is called once, before anything is taken.
func (b *Book) Journal(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening what the budgets are still to be told: %w", err)
	}
	late, err := settlements(f)
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("reading what the budgets are still to be told: %w", err)
	}
	b.journal = f
	if b.told {
		late = nil // it is on record, and the server was told the record just now
	}
	for i, e := range late {
		if err := b.endNow(ctx, e); err != nil {
			return fmt.Errorf("telling the Valkey server what was spent (%d of %d told): %w", i, len(late), err)
		}
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("clearing what the budgets have been told: %w", err)
	}
	return nil
}

// settlements reads settlements that were written down. A last line that was not written whole is none.
func settlements(f io.Reader) (late []*settlement, err error) {
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return late, nil
		}
		if err != nil {
			return nil, err
		}
		e := &settlement{}
		if err := json.Unmarshal(line, e); err != nil {
			return nil, err
		}
		late = append(late, e)
	}
}

// here tells the server that this node is there, or with "1" that the book is whole, and sees whether it is the book that it was before.
func (b *Book) here(ctx context.Context, whole string) error {
	made, err := b.beat.Exec(ctx, b.client, []string{b.whole()}, []string{millis(b.lease), whole}).AsInt64()
	if err != nil {
		return err
	}
	if before := b.made.Swap(made); before != made && before != 0 {
		b.losses.Add(1)
	}
	return nil
}

// Losses returns how often the server was seen to have lost what it knew.
func (b *Book) Losses() int64 { return b.losses.Load() }

// Has reports whether this node has taken of a hold and not settled it.
func (b *Book) Has(hold string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holds[hold] != nil
}

// Pending returns how much there is that the server could not be told yet.
func (b *Book) Pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.late)
}

// Tell puts down what was spent of no hold, once for each id, now or when the server can be told.
func (b *Book) Tell(ctx context.Context, id string, charges []plenum.Charge) {
	e := b.charged("told/"+id, longRemembered, charges)
	if err := b.end(context.WithoutCancel(ctx), e); err != nil {
		b.later(e)
	}
}

// charged is a settlement of no hold.
func (b *Book) charged(id string, known time.Duration, charges []plenum.Charge) *settlement {
	e := b.settlement(id)
	e.Args[2] = millis(known)
	parts, amounts := make([]part, len(charges)), make([]int64, len(charges))
	for i, c := range charges {
		parts[i], amounts[i] = part{account: c.Account, slot: c.Slot}, c.Amount
	}
	e.add(b, parts, amounts)
	return e
}

// longRemembered is how long what is told twice is known to have been told: a node may be down between the two.
const longRemembered = 24 * time.Hour

// Keep takes as Take does, for a hold whose lease is renewed by calling it again, and by nothing else.
func (b *Book) Keep(ctx context.Context, id string, lines []budget.Line, now time.Time, lease time.Duration) (*budget.Refusal, error) {
	r, err := b.takeFor(ctx, id, lines, now, lease)
	if r == nil && err == nil {
		b.mu.Lock()
		b.holds[id].kept = true
		b.mu.Unlock()
	}
	return r, err
}

// Forget ends the holds whose ids begin so, with nothing spent: those of a process that has ended.
func (b *Book) Forget(ctx context.Context, prefix string) error {
	ids, err := b.client.Do(ctx, b.client.B().Zrange().Key(b.leases()).Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		return fmt.Errorf("looking for what is held: %w", err)
	}
	for _, id := range ids {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		e := b.settlement(id)
		if err := b.endNow(ctx, e); err != nil {
			return fmt.Errorf("giving back what was held: %w", err)
		}
	}
	return nil
}
