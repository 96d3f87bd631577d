// Package recall is the stage that loads what a call refers to.
//
// That is what was said before, where a call goes on from an earlier answer or is a turn of a conversation:
// a History, the mechanism behind it, puts it into the request, so that it is limited and screened like what
// the caller sends, and keeps the answer. It also answers who asks for an answer that is kept.
//
// And it is an earlier call with the same Idempotency-Key: its answer is given again, so that a client which
// retries after a broken connection neither pays nor acts twice. Such an answer is kept in memory, on this node, for a day at most; only answers that went well are, streamed
// or not, and only up to a size. The same key with another request is a conflict, and so is the same key
// while its first call is under way.
package recall

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
)

// Bounds of what is remembered.
const (
	keepFor   = 24 * time.Hour
	keepBytes = 64 << 20
	keepBody  = 1 << 20
	keyBytes  = 255
)

// New returns the stage. With a nil History nothing that was said is kept.
func New(ck clock.Clock, h History) gateway.Stage {
	m := &memory{clock: ck, entries: map[key]*entry{}, order: list.New()}
	return gateway.Stage{Name: "recall", Wrap: func(next gateway.Handler) gateway.Handler {
		next = refer(h, next)
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			name := c.In.Header.Get("Idempotency-Key")
			if name == "" || c.In.Method != http.MethodPost || c.Op == llm.OpFileCreate {
				return next(ctx, c, out)
			}
			if len(name) > keyBytes {
				return &llm.Error{Kind: llm.Invalid, Op: "recall", Param: "Idempotency-Key", Message: "the Idempotency-Key is longer than 255 characters"}
			}
			if err := c.Load(); err != nil {
				return err
			}
			return m.do(ctx, next, c, out, key{c.Caller.KeyID, name})
		}
	}}
}

// key is a caller's idempotency key: callers do not share them.
type key struct{ caller, name string }

type entry struct {
	key     key
	request [sha256.Size]byte
	made    time.Time
	done    bool
	head    gateway.Head
	chunks  []dialect.Chunk
	about   about
	size    int
	place   *list.Element
}

// about is what the record of a call that is answered again says of the first.
type about struct {
	deployment, target string
	priced             bool
	call               *gateway.First
}

type memory struct {
	clock   clock.Clock
	mu      sync.Mutex
	entries map[key]*entry
	order   *list.List // oldest first
	size    int
}

func (m *memory) do(ctx context.Context, next gateway.Handler, c *gateway.Call, out gateway.Out, k key) error {
	e, mine, err := m.claim(k, fingerprint(c))
	if err != nil {
		return err
	}
	if !mine {
		return again(c, e, out)
	}
	rec := &recorder{next: out}
	done := false
	defer func() { m.settle(e, rec, done) }()
	err = next(ctx, c, rec)
	done = err == nil
	r := &c.Trail.Record
	rec.about = about{r.Deployment, r.Target, r.Priced, &gateway.First{ID: c.ID, Began: c.Trail.Began()}}
	return err
}

// again gives the answer of an earlier call. It costs nothing, and says whose answer it is.
func again(c *gateway.Call, e *entry, out gateway.Out) error {
	c.Trail.Note("answered from an earlier call with the same Idempotency-Key")
	r := &c.Trail.Record
	r.Asked, r.Stream, r.Cache = c.Head.Model, c.Head.Stream, gateway.Replayed
	r.Deployment, r.Target, r.Priced = e.about.deployment, e.about.target, e.about.priced
	head := e.head
	head.First = e.about.call
	if err := out.Begin(head); err != nil {
		return err
	}
	for i, ch := range e.chunks {
		ch.More = i < len(e.chunks)-1
		if err := out.Chunk(ch); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint tells requests apart: the path and every byte of the body.
func fingerprint(c *gateway.Call) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(c.In.Path))
	h.Write([]byte{0})
	h.Write(c.In.Body)
	return [sha256.Size]byte(h.Sum(nil))
}

// claim returns the finished entry of a key, or makes one that the caller must settle.
func (m *memory) claim(k key, request [sha256.Size]byte) (e *entry, mine bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	m.expire(now)
	if e := m.entries[k]; e != nil {
		switch {
		case e.request != request:
			return nil, false, &llm.Error{Kind: llm.Conflict, Op: "recall", Param: "Idempotency-Key", Message: "this Idempotency-Key was used for another request; use a new one"}
		case !e.done:
			return nil, false, &llm.Error{Kind: llm.Conflict, Op: "recall", Param: "Idempotency-Key", Message: "a call with this Idempotency-Key is under way; wait for it", Retry: time.Second}
		}
		return e, false, nil
	}
	e = &entry{key: k, request: request, made: now}
	e.place = m.order.PushBack(e)
	m.entries[k] = e
	return e, true, nil
}

// settle keeps the answer, or forgets the key so that the next try is a first try.
func (m *memory) settle(e *entry, r *recorder, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !ok || !r.kept() {
		m.drop(e)
		return
	}
	e.head, e.chunks, e.about, e.size, e.done = r.head, r.chunks, r.about, r.size+keyBytes, true
	m.size += e.size
	for m.size > keepBytes {
		oldest := m.oldestDone()
		if oldest == nil {
			return
		}
		m.drop(oldest)
	}
}

func (m *memory) oldestDone() *entry {
	for el := m.order.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); e.done {
			return e
		}
	}
	return nil
}

func (m *memory) expire(now time.Time) {
	for {
		front := m.order.Front()
		if front == nil {
			return
		}
		e := front.Value.(*entry)
		if !e.done || now.Sub(e.made) < keepFor {
			return
		}
		m.drop(e)
	}
}

func (m *memory) drop(e *entry) {
	m.order.Remove(e.place)
	delete(m.entries, e.key)
	m.size -= e.size
}

// recorder lets an answer pass and keeps a copy if it is one that can be kept.
type recorder struct {
	next   gateway.Out
	begun  bool
	head   gateway.Head
	chunks []dialect.Chunk
	size   int
	not    bool // too large, or in parts that do not fit together again
	about  about
}

// chunkBytes is about what a chunk takes beside its bytes.
const chunkBytes = 256

func (r *recorder) kept() bool { return !r.not && len(r.chunks) > 0 }

func (r *recorder) Begin(h gateway.Head) error {
	r.not = r.not || r.begun
	r.begun, r.head = true, h
	return r.next.Begin(h)
}

func (r *recorder) Chunk(ch dialect.Chunk) error {
	r.size += chunkBytes + len(ch.Body) + len(ch.Frame.Raw) + len(ch.Frame.Data) + ch.Text
	if r.not = r.not || r.size > keepBody; r.not {
		r.chunks = nil
	} else {
		r.chunks = append(r.chunks, keep(ch))
	}
	return r.next.Chunk(ch)
}

func keep(ch dialect.Chunk) dialect.Chunk {
	ch.Frame = ch.Frame.Clone()
	ch.Events = slices.Clone(ch.Events)
	if ch.Body != nil || ch.Result != nil {
		// Nothing is consumed when the answer is given again.
		ch.Body, ch.Events = bytes.Clone(ch.Body), slices.DeleteFunc(ch.Events, isUsage)
	}
	return ch
}

func isUsage(ev llm.Event) bool {
	_, ok := ev.(llm.UsageReport)
	return ok
}
