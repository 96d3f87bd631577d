// Package gateway carries a call from the door to an upstream and its answer back.
//
// The edge turns an HTTP request into a [Call] and runs it through a chain of [Stage]s, the same for
// every surface. Each stage wraps the next as middleware does, and pushes what comes back through an
// [Out]. Dispatch, innermost, sends one attempt to one target. There is no other way to an upstream, so
// that a call that skips authentication, a guardrail or metering cannot be written.
package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// Call is one call on its way through the pipeline. Every field has one writer, named beside it; other
// stages only read it. It is used by one goroutine at a time; attempts that run side by side have
// copies of their own, made by [Call.Attempt].
type Call struct {
	ID      string           // edge or Runner
	Op      llm.Op           // edge; Load, where a request carries one of another operation
	Dialect *dialect.Dialect // edge: what the caller speaks; Load, where a request carries one of another dialect
	Codec   dialect.Codec    // with Dialect: the codec of Op in it
	In      dialect.Inbound  // edge; Body once Load has run, and good until the pipeline returns
	Head    dialect.Head     // Load
	Config  *config.Snapshot // edge: the configuration that the call began under

	Cred       identity.Cred      // edge: what the caller's SDK sent, wherever that puts it
	CredErr    error              // edge: why no credential could be told
	Caller     plenum.Principal   // auth
	Signed     *identity.Signed   // edge: what the caller has signed, where the credential is a signature
	Opening    []byte             // auth: the settings that a session begins with, as JSON, where its credential holds some
	Deployment *plenum.Deployment // resolve
	Candidates []plenum.Target    // resolve, best first; policy removes some
	Pin        *plenum.Target     // Runner: a batch, an evaluation; recall: what only one place keeps
	Try        *Try               // route: the attempt that this copy is for
	// Vet reports what of the things that a message of a session names is not the caller's. Nil: everything is.
	Vet   func(context.Context, dialect.Names) error // claim
	Edits []dialect.Edit                             // guardrail, budget: each is named on the Trail

	// Bare asks that a target is asked as it is, and that nothing is made for it of what it cannot do by itself.
	Bare bool // Runner: a probe

	// Understand asks that the whole answer is decoded, not only what metering needs. A stage that
	// reads answers sets it before it calls the next.
	Understand bool

	// Recent tells what was said before on the same connection, where nobody keeps it: all that comes before an
	// answer and the answer, by its id.
	Recent func(id string) ([]dialect.Item, bool) // Runner: a session

	Parent string // Runner: the call that makes this one
	Depth  int    // Runner: how many calls are above
	Trail  *Trail // everyone: the one wide event

	heard     *Heard  // Listen
	rewritten bool    // route: the payload is not what the body says
	req       *intake // shared by all copies
}

// intake is what has been read of a request. Attempts that run side by side share it.
type intake struct {
	mu      sync.Mutex
	load    func() error                         // edge: reads the body
	open    func(limit int64) (io.Reader, error) // edge: gives the body as it comes
	upgrade *upgrade                             // edge: how the call becomes a session
	turn    *turn                                // of a call that is a turn of a session
	hold    *holding                             // edge: what the call's bodies hold of the room for all
	fetched bool                                 // the body has been read
	got     error
	loaded  bool
	loadErr error
	payload llm.Payload
	decoded bool
	decErr  error
	lease   *lease // of the body's bytes; nil where they are nobody's but the collector's
}

// Load reads the body, bounded, and what routing must know of it. It does so once; stages call it when
// they need it, so that nothing is read before the caller is known.
func (c *Call) Load() error {
	c.req.mu.Lock()
	defer c.req.mu.Unlock()
	return c.loadLocked()
}

func (c *Call) loadLocked() error {
	q := c.req
	if q.loaded {
		return q.loadErr
	}
	q.loaded = true
	if q.loadErr = q.fetch(); q.loadErr != nil {
		return q.loadErr
	}
	if q.loadErr = c.unpack(c.bounds()); q.loadErr != nil {
		return q.loadErr
	}
	if c.heard != nil && c.Op == llm.OpGenerate {
		c.Understand = true // whatever the request was carried in
	}
	c.Head, q.loadErr = c.Codec.Peek(c.In, c.bounds())
	return q.loadErr
}

// fetch reads the body, once.
func (q *intake) fetch() error {
	if !q.fetched {
		q.fetched = true
		if q.load != nil {
			q.got = q.load()
		}
	}
	return q.got
}

// Body reads the body, bounded, and nothing of what it says: for whoever must see it before it is understood.
func (c *Call) Body() ([]byte, error) {
	c.req.mu.Lock()
	defer c.req.mu.Unlock()
	if !c.req.loaded {
		if err := c.req.fetch(); err != nil {
			return nil, err
		}
	}
	return c.In.Body, nil
}

// Stream returns the request's body as it comes, up to a limit, for a stage that has no need of it as a whole: a
// file may be larger than what is held in memory. Load must not have been called, and is not any more.
func (c *Call) Stream(limit int64) (io.Reader, error) {
	q := c.req
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.loadErr != nil {
		return nil, q.loadErr
	}
	if q.loaded || q.fetched || q.open == nil {
		return bytes.NewReader(c.In.Body), nil
	}
	q.loaded = true
	return q.open(limit)
}

// unpack puts the request that another carries in the place of that.
func (c *Call) unpack(b dialect.Bounds) error {
	carrier, ok := c.Codec.(dialect.Carrier)
	if !ok {
		return nil
	}
	inner, err := carrier.Unpack(c.In, b)
	if err != nil {
		return err
	}
	c.In, c.Dialect, c.Codec = inner.In, inner.Dialect, inner.Codec
	if inner.Op != "" {
		c.Op = inner.Op
		if c.Trail != nil {
			c.Trail.Record.Op = inner.Op
		}
	}
	return nil
}

func (c *Call) bounds() dialect.Bounds {
	if c.Config == nil || c.Config.Declared == nil {
		return dialect.Bounds{}
	}
	return dialect.Bounds{MaxDepth: c.Config.Declared.MaxDepth}
}

// Payload decodes the request, once. A call within one dialect that no stage reads is never decoded.
func (c *Call) Payload() (llm.Payload, error) {
	q := c.req
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.decoded {
		if err := c.loadLocked(); err != nil {
			return nil, err
		}
		q.decoded = true
		if q.lease != nil {
			q.lease.shared.Store(true)
		}
		q.payload, q.decErr = c.Codec.DecodeRequest(c.In)
	}
	return q.payload, q.decErr
}

// Refill puts another body in the place of what the caller sent, for all copies of the call: recall has put
// what was said before in front of it. It is read as if it had come so.
func (c *Call) Refill(body []byte) error {
	q := c.req
	q.mu.Lock()
	defer q.mu.Unlock()
	c.In.Body = body
	if q.lease != nil {
		q.lease.shared.Store(true) // texts of what came may be part of what is there now
		q.lease = nil
	}
	q.payload, q.decoded, q.decErr = nil, false, nil
	c.Head, q.loadErr = c.Codec.Peek(c.In, c.bounds())
	return q.loadErr
}

// Attempt returns a copy of the call for one attempt at one target. The copy shares the Trail and what
// has been read; its Edits may grow without the others seeing it.
func (c *Call) Attempt(t *Try) *Call {
	a := *c
	a.Try = t
	a.Edits = c.Edits[:len(c.Edits):len(c.Edits)]
	return &a
}

// Rewrite puts another payload in the place of what the caller sent, for this copy of the call: a
// continuation asks for the rest of an answer. The bytes of the body no longer pass.
func (c *Call) Rewrite(p llm.Payload) {
	c.req = &intake{loaded: true, decoded: true, payload: p, hold: c.req.hold}
	c.rewritten = true
}

// Respell puts other bytes in the place of some of the caller's body, for this copy of the call: all else passes as it
// came. It is false where the bytes are not there, or what comes of it cannot be read.
func (c *Call) Respell(was, is string) bool {
	at := bytes.Index(c.In.Body, []byte(was))
	if at < 0 || was == "" {
		return false
	}
	in := c.In
	in.Body = slices.Concat(c.In.Body[:at], []byte(is), c.In.Body[at+len(was):])
	head, err := c.Codec.Peek(in, c.bounds())
	if err != nil {
		return false
	}
	c.In, c.Head = in, head
	c.req = &intake{loaded: true, hold: c.req.hold}
	return true
}

// Speaks returns how a target of this call is spoken to, and whether the bytes of the call can pass to it.
func (c *Call) Speaks(o *plenum.Offer) (codec dialect.Codec, same bool, err error) {
	conn, err := connection(c.Config, o.Connection)
	if err != nil {
		return nil, false, err
	}
	plan, err := provider.PlanFor(conn.Provider, c.Dialect.Name, o.Upstream, c.Op, c.Head.Stream)
	if err != nil {
		return nil, false, err
	}
	return plan.Codec, sameWords(c, plan), nil
}

// Try is one attempt at one target. Dispatch and meter write into Record; route adds it to the Trail
// when the attempt has ended.
type Try struct {
	Target plenum.Target
	Record plenum.Attempt
	// Sent says that the request may have reached the upstream, so that it may cost.
	Sent bool // dispatch
	// Text counts the bytes of answer that came, for an estimate where no usage was reported.
	Text int // meter
	// Usage is what the attempt has consumed so far, as reported, and Tier the service tier that it was served at.
	Usage llm.Usage // meter
	Tier  string    // meter
}

// Head is the head of an answer.
type Head struct {
	Status  int
	Dialect string // whose bytes the chunks carry
	Header  http.Header
	Stream  bool // the chunks are frames of a stream; else there is one chunk with a Body
	// Codec is the upstream's: it redacts the chunks. Nil where no upstream answered.
	Codec dialect.Codec
	// Upgraded says that the connection is a session's from now on: nothing of the answer is written.
	Upgraded bool
	// Pieces says that the chunks are pieces of a body of any kind (Frame.Raw), which Header describes, and that
	// they pass as they are. The last has an llm.End among its events.
	Pieces bool
	// Continues says that an answer which has begun goes on with chunks from elsewhere: their events are
	// said, their bytes do not fit any more.
	Continues bool
	// First is the call that was answered first, where its answer is given again: what is made of a call's id and time
	// is then made of its.
	First *First
}

// First is a call whose answer is given again.
type First struct {
	ID    string
	Began time.Time
}

// Out takes an answer: one Begin, then chunks. A chunk's bytes are good until Chunk returns; who keeps
// one longer clones it. An error from Out means that nobody listens any more, and is returned as it is.
type Out interface {
	Begin(Head) error
	Chunk(dialect.Chunk) error
}

// Handler handles a call: it pushes the answer through out, or returns an error and has pushed nothing,
// or returns an error after some of it.
type Handler func(ctx context.Context, c *Call, out Out) error

// Stage is one step of the pipeline.
type Stage struct {
	Name string
	Wrap func(next Handler) Handler
}

// Chain returns the handler that runs the stages in order, the first outermost, around the last.
func Chain(last Handler, stages ...Stage) Handler {
	h := last
	for i := len(stages) - 1; i >= 0; i-- {
		h = stages[i].Wrap(h)
	}
	return h
}

// Trail is the record of a call while it is being made. Attempts that run side by side may end at
// the same time, so what they add goes through its methods.
type Trail struct {
	mu     sync.Mutex
	Record plenum.Record
	began  time.Time
	live   *Try // the attempt whose answer is going out
	allows []plenum.Allowance
	asked  bool // an upstream was
}

// NewTrail begins the record of a call.
func NewTrail(id string, now time.Time) *Trail {
	return &Trail{Record: plenum.Record{ID: id, Start: now.UnixMicro()}, began: now}
}

// Began returns when the call came in.
func (t *Trail) Began() time.Time { return t.began }

// Lose notes what the target's dialect could not carry.
func (t *Trail) Lose(losses []dialect.Loss) {
	if len(losses) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range losses {
		t.Record.Lost = appendOnce(t.Record.Lost, l.What)
	}
}

// Change notes what Plenum changed in the request or the answer.
func (t *Trail) Change(what ...string) {
	if len(what) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range what {
		t.Record.Changed = appendOnce(t.Record.Changed, w)
	}
}

// Note adds a remark for whoever reads the record.
func (t *Trail) Note(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Record.Notes = append(t.Record.Notes, s)
}

// Answered notes the attempt whose answer is going out.
func (t *Trail) Answered(try *Try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live = try
	t.Record.Target = try.Target.Offer.ID
	try.Record.Won = true
	if t.Record.FirstByte == 0 {
		t.Record.FirstByte = time.Since(t.began).Microseconds()
	}
}

// Hold notes what budgets hold for the call, and of which accounts: should the node die, that is what it has cost.
func (t *Trail) Hold(held plenum.Micros, of []plenum.Charge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Record.Held, t.Record.HeldOf = held, of
}

// Allow notes what limits leave to the caller, for the headers of the answer.
func (t *Trail) Allow(as []plenum.Allowance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.allows = as
}

// Allowances returns what limits leave to the caller; nothing where none holds.
func (t *Trail) Allowances() []plenum.Allowance {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.allows
}

// Charge adds what the call spent of accounts besides its attempts.
func (t *Trail) Charge(cs []plenum.Charge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Record.Charges = plenum.AddCharges(t.Record.Charges, cs)
}

// Attempted adds an attempt that has ended. What it consumed is part of the call's cost, whether or not
// its answer went out.
func (t *Trail) Attempted(try *Try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == try {
		t.live = nil
	}
	t.asked = t.asked || try.Sent
	t.Record.Add(try.Record)
}

// Asked reports whether an attempt that has ended may have reached an upstream.
func (t *Trail) Asked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

// Attempts returns how many attempts there were, the one under way included.
func (t *Trail) Attempts() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.Record.Attempts)
	if t.live != nil {
		n++
	}
	return n
}

// Snapshot returns the record as it stands, the attempt whose answer is going out included.
func (t *Trail) Snapshot() plenum.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.Record
	if t.live != nil {
		r.Attempts = r.Attempts[:len(r.Attempts):len(r.Attempts)]
		live := t.live.Record
		live.End = max(live.End, r.End)
		r.Add(live)
	}
	return r
}

// Cost returns what the call has cost so far, and whether that is known.
func (t *Trail) Cost() (plenum.Micros, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cost, priced := t.Record.Cost, t.Record.Priced
	if t.live != nil {
		cost += t.live.Record.Cost
		priced = t.live.Record.Priced && (priced || len(t.Record.Attempts) == 0)
	}
	return cost, priced
}

// maxNamed bounds how many losses and changes are kept of one call: a request of ten thousand marks
// loses one thing ten thousand times.
const maxNamed = 64

func appendOnce(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	if len(list) >= maxNamed {
		return list
	}
	return append(list, s)
}

// Runner makes calls through the whole chain, for whoever has no HTTP request in hand: a batch line, a
// judge, a turn of a realtime session.
type Runner interface {
	Run(ctx context.Context, c *Call, out Out) error
}
