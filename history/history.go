// Package history keeps what was said, for callers who want it kept: answers with what they answered, and
// conversations. A later call goes on from an answer by its id, and is put together here, before anything
// else of the pipeline sees it; whom it belongs to asks for it, has it cancelled or deleted. It also runs
// what was asked for in the background.
//
// What is kept belongs to a project: for any other it is not there. What is said is only kept where the
// configuration lets it be. Of answers that an upstream keeps itself only the place is noted, so that a call
// which goes on from one gets there, and nobody else's does.
package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// The kinds of what is kept.
const (
	kindAnswer       = "response"
	kindElsewhere    = "response.upstream" // kept by an upstream; the label is its connection
	kindConversation = "conversation"
)

// Objects is where it is kept.
type Objects interface {
	CreateObject(ctx context.Context, o store.Object) error
	Object(ctx context.Context, id string) (store.Object, error)
	Objects(ctx context.Context, f store.ObjectFilter) ([]store.Object, error)
	UpdateObject(ctx context.Context, id string, change func(*store.Object) error) (store.Object, error)
	DeleteObject(ctx context.Context, id string) error
}

// History keeps what was said. Nothing is written while a call waits, but for what is asked for in the
// background and for conversations: Run writes it.
type History struct {
	objects Objects
	clock   clock.Clock
	log     *slog.Logger
	node    string // as it holds what it works on

	mu      sync.Mutex
	pending map[string]*pending // not written yet
	order   []*pending
	wake    chan struct{}
	jobs    map[string]*job
	queue   []*job // not begun yet
	more    chan struct{}
}

// pending is an object that is not written yet.
type pending struct {
	object  store.Object
	dropped bool          // deleted before it was written
	written bool          // by write alone
	settled chan struct{} // closed when it was written, or will not be
}

// New returns a history. The node's name tells its work from that of others.
func New(objects Objects, node string, ck clock.Clock, log *slog.Logger) *History {
	return &History{
		objects: objects, node: node, clock: ck, log: log, pending: map[string]*pending{}, jobs: map[string]*job{},
		wake: make(chan struct{}, 1), more: make(chan struct{}, 1),
	}
}

// document is the body of an object.
type document struct {
	Previous     string         `json:"previous,omitempty"`
	Conversation string         `json:"conversation,omitempty"`
	Dialect      string         `json:"dialect,omitempty"`
	Input        []dialect.Item `json:"input,omitempty"`
	Output       []dialect.Item `json:"output,omitempty"`
	Answer       blob           `json:"answer,omitempty"`
	// Of an answer in the background: what is asked, and the events of its stream.
	Request blob    `json:"request,omitempty"`
	Path    string  `json:"path,omitempty"`
	CallID  string  `json:"call,omitempty"`
	Events  []event `json:"events,omitempty"`
	// Of a conversation.
	Items    []dialect.Item  `json:"items,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// blob is what a dialect says: JSON, which is kept as it stands, or bytes of another kind.
type blob []byte

// MarshalJSON implements json.Marshaler.
func (b blob) MarshalJSON() ([]byte, error) {
	if len(b) > 0 && b[0] == '{' { // no message of protobuf begins so
		return b, nil
	}
	return json.Marshal([]byte(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *blob) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		*b = append((*b)[:0], text...)
		return nil
	}
	return json.Unmarshal(text, (*[]byte)(b))
}

// event is an event of a stream. Its number is its place.
type event struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

func (d *document) bytes() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return []byte("{}") // all of it is JSON that was read as such
	}
	return b.Bytes()
}

// foreign reports whether it is kept in the words of another dialect than a call's.
func (d *document) foreign(c *gateway.Call) bool {
	return d.Dialect != "" && d.Dialect != c.Dialect.Name
}

func documentOf(o *store.Object) (*document, error) {
	var d document
	if err := json.Unmarshal(o.Body, &d); err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.ID, err)
	}
	return &d, nil
}

// object makes an object of a caller's.
func (h *History) object(c *gateway.Call, kind, id, status string, d *document) store.Object {
	now := h.clock.Now()
	o := store.Object{
		ID: id, Kind: kind, Project: c.Caller.Project, KeyID: c.Caller.KeyID, Member: c.Caller.Member, Status: status,
		Created: now.UnixMilli(), Expires: now.Add(retention(c)).UnixMilli(),
	}
	if c.Deployment != nil {
		o.Deployment = c.Deployment.Name
	}
	if d != nil {
		o.Body = d.bytes()
		o.Size = int64(len(o.Body))
	}
	return o
}

func retention(c *gateway.Call) time.Duration { return c.Config.Retention(c.Caller.Project) }

// mostPending bounds what waits to be written, while the store is away.
const mostPending = 10_000

// keep has an object written, soon.
func (h *History) keep(o store.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.order) >= mostPending {
		h.log.Error("an answer is not kept: too much waits to be written", "id", o.ID)
		return
	}
	p := &pending{object: o, settled: make(chan struct{})}
	h.pending[o.ID] = p
	h.order = append(h.order, p)
	signal(h.wake)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write writes what waits, until ctx ends; then it writes the rest.
func (h *History) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			h.flush(last)
			return nil
		case <-h.wake:
		}
		if !h.flush(ctx) {
			if h.clock.Sleep(ctx, time.Second) == nil {
				signal(h.wake)
			}
		}
	}
}

// flush writes what waits and reports whether all of it was.
func (h *History) flush(ctx context.Context) bool {
	for {
		h.mu.Lock()
		if len(h.order) == 0 {
			h.mu.Unlock()
			return true
		}
		p := h.order[0]
		h.mu.Unlock()
		if err := h.writeOne(ctx, p); err != nil {
			h.log.Warn("keeping an answer", "id", p.object.ID, "err", err)
			return false
		}
	}
}

// writeOne writes the first of those that wait, unless it was dropped; if that happens meanwhile it takes it back.
func (h *History) writeOne(ctx context.Context, p *pending) error {
	if !p.written && !h.dropped(p) {
		err := h.objects.CreateObject(ctx, p.object)
		switch {
		case errors.Is(err, store.ErrExists):
			h.log.Warn("an answer is not kept: there is one of its id already", "id", p.object.ID)
		case err != nil:
			return err
		default:
			p.written = true
		}
	}
	for {
		h.mu.Lock()
		if !p.dropped || !p.written {
			h.order = h.order[1:]
			if h.pending[p.object.ID] == p {
				delete(h.pending, p.object.ID)
			}
			close(p.settled)
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		if err := h.objects.DeleteObject(ctx, p.object.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		p.written = false
	}
}

func (h *History) dropped(p *pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return p.dropped
}

// How often and how long an object is looked for that another node may be about to write.
const (
	looks    = 3
	lookWait = 50 * time.Millisecond
)

// errNone says that there is no such thing for this caller.
var errNone = errors.New("not kept")

// find returns an object of a caller's project.
func (h *History) find(ctx context.Context, who plenum.Principal, id string, kinds ...string) (store.Object, error) {
	for i := range looks {
		o, err := h.look(ctx, id)
		switch {
		case err == nil && (o.Project != who.Project || !oneOf(o.Kind, kinds) || h.expired(&o)):
			return o, errNone
		case err == nil:
			return o, nil
		case !errors.Is(err, store.ErrNotFound):
			return o, &llm.Error{Kind: llm.Overloaded, Op: "history", Message: "what is kept cannot be read at the moment", Retry: time.Second, Err: err}
		}
		if i < looks-1 && h.clock.Sleep(ctx, lookWait) != nil {
			break
		}
	}
	return store.Object{}, errNone
}

func (h *History) look(ctx context.Context, id string) (store.Object, error) {
	h.mu.Lock()
	p, j := h.pending[id], h.jobs[id]
	dropped := p != nil && p.dropped
	h.mu.Unlock()
	if dropped {
		return store.Object{}, store.ErrNotFound
	}
	if p != nil {
		return p.object, nil
	}
	if j != nil && j.done() {
		select { // its end is being written
		case <-j.ended:
		case <-ctx.Done():
			return store.Object{}, context.Cause(ctx)
		}
	}
	return h.objects.Object(ctx, id)
}

func (h *History) expired(o *store.Object) bool {
	return o.Expires != 0 && o.Expires <= h.clock.Now().UnixMilli()
}

func oneOf(s string, list []string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// dropWait is how long a deletion waits for the object to be out of the hands of who writes it.
const dropWait = 5 * time.Second

// drop forgets an object. When it returns without an error, the object is nowhere, and nothing brings it back.
func (h *History) drop(ctx context.Context, id string) error {
	h.mu.Lock()
	p := h.pending[id]
	if p != nil {
		p.dropped = true
		signal(h.wake)
	}
	h.mu.Unlock()
	if p == nil {
		return h.objects.DeleteObject(ctx, id)
	}
	ctx, cancel := context.WithTimeout(ctx, dropWait)
	defer cancel()
	select {
	case <-p.settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deleting %s, which is still being written: %w", id, context.Cause(ctx))
	}
}

// sweepEvery is how often what has expired is deleted.
const sweepEvery = 10 * time.Minute

// sweep deletes what has expired.
func (h *History) sweep(ctx context.Context) error {
	for {
		for _, kind := range [...]string{kindAnswer, kindElsewhere, kindConversation} {
			h.sweepKind(ctx, kind)
		}
		if err := h.clock.Sleep(ctx, sweepEvery); err != nil {
			return nil //nolint:nilerr // it ends with ctx
		}
	}
}

func (h *History) sweepKind(ctx context.Context, kind string) {
	for ctx.Err() == nil {
		old, err := h.objects.Objects(ctx, store.ObjectFilter{Kind: kind, ExpiredBy: h.clock.Now().UnixMilli()})
		if err != nil || len(old) == 0 {
			return
		}
		for i := range old {
			if err := h.objects.DeleteObject(ctx, old[i].ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				h.log.Warn("deleting what has expired", "id", old[i].ID, "err", err)
				return
			}
		}
	}
}
