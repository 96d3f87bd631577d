package history

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

const (
	// mostRunning is how many answers a node makes in the background at one time; others wait.
	mostRunning = 64
	// mostQueued is how many wait on a node.
	mostQueued = 10_000
	// heldFor is how long a node that is not heard of keeps what it works on, and beatEvery how often it is.
	heldFor   = 30 * time.Second
	beatEvery = 5 * time.Second
	// lookElsewhere is how often it is looked whether another node has come to an end.
	lookElsewhere = 500 * time.Millisecond
)

// job is an answer that is made in the background.
type job struct {
	id     string
	call   *gateway.Call // what runs; made again from what is kept after a restart
	codec  dialect.Keeper
	meta   dialect.Meta
	object store.Object
	doc    *document

	mu     sync.Mutex
	events []event
	state  []byte        // the answer as far as it has come
	status string        // of the answer
	over   bool          // there will be no more events
	moved  chan struct{} // closed and made anew with each event
	cancel context.CancelFunc
	ended  chan struct{} // closed when the end is written
	why    error         // what it was stopped for
}

var errCancelled = errors.New("cancelled by its owner")

func errStopped() error {
	return &llm.Error{Kind: llm.Unavailable, Op: "history", Message: "the gateway was stopped while it made this answer; ask again"}
}

// inBackground has a call run after it was answered: with an answer that waits, or with a stream of the
// events as they come, which go on to be made when nobody listens any more.
func (h *History) inBackground(ctx context.Context, o *opening, out gateway.Out) error {
	c := o.call
	input, err := o.codec.Items(o.own, c.ID)
	if err != nil {
		return err
	}
	body, err := o.codec.Recall(c.In, c.Head, dialect.Recalled{Unstored: true, Streamed: true})
	if err != nil {
		return err
	}
	d := &document{
		Previous: o.ref.Previous, Conversation: o.ref.Conversation, Dialect: c.Dialect.Name, Input: input,
		Request: body, Path: c.In.Path, CallID: c.ID,
	}
	j, err := h.job(c, o.codec, d)
	if err != nil {
		return err
	}
	j.object = h.object(c, kindAnswer, j.id, dialect.StateQueued, d)
	j.object.Holder, j.object.HeldUntil = h.node, h.clock.Now().Add(heldFor).UnixMilli()
	if err := h.objects.CreateObject(ctx, j.object); err != nil {
		return unwritten(err)
	}
	if err := h.enqueue(j); err != nil {
		_ = h.objects.DeleteObject(ctx, j.id)
		return err
	}
	c.Trail.Note("answered in the background by call " + j.call.ID)
	c.Trail.Record.Asked, c.Trail.Record.Stream = c.Head.Model, c.Head.Stream
	if c.Head.Stream {
		return j.follow(ctx, c, out, -1)
	}
	said, err := o.codec.Show(dialect.Asking{Ask: dialect.AskQueued, ID: j.id}, dialect.StateQueued, d.Answer)
	return send(c, out, said, err)
}

// job makes a job of what is kept of it.
func (h *History) job(c *gateway.Call, k dialect.Keeper, d *document) (*job, error) {
	call, err := gateway.NewCall(d.CallID, c.Caller, c.Dialect, llm.OpGenerate, d.Path, d.Request)
	if err != nil {
		return nil, &llm.Error{Kind: llm.Internal, Op: "history", Message: "the call cannot be made in the background", Err: err}
	}
	call.Understand = true
	p, err := k.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Path: d.Path, Header: http.Header{}, Body: d.Request})
	if err != nil {
		return nil, err
	}
	j := &job{id: "resp_" + d.CallID, call: call, codec: k, doc: d, status: dialect.StateQueued, moved: make(chan struct{}), ended: make(chan struct{})}
	j.meta = dialect.Meta{
		CallID: d.CallID, Now: h.clock.Now().Unix(), Began: h.clock.Now(), Model: c.Head.Model,
		Kept: &dialect.Kept{Previous: d.Previous, Conversation: d.Conversation, Background: true},
	}
	j.state = k.State(p, j.meta, dialect.StateQueued, nil)
	d.Answer = j.state
	return j, nil
}

func (h *History) enqueue(j *job) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) >= mostQueued {
		return &llm.Error{Kind: llm.Overloaded, Op: "history", Message: "too much waits to be answered in the background; try again later", Retry: 10 * time.Second}
	}
	h.jobs[j.id] = j
	h.queue = append(h.queue, j)
	signal(h.more)
	return nil
}

// running returns the job of an answer that this node makes.
func (h *History) running(id string) *job {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.jobs[id]
}

// Run writes what is kept, deletes what has expired, and runs what was asked for in the background, until
// ctx ends. What runs then is stopped, and says so.
func (h *History) Run(ctx context.Context, r gateway.Runner) error {
	if err := h.takeOver(ctx); err != nil {
		h.log.Warn("looking for what was asked for in the background", "err", err)
	}
	var g errgroup.Group
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g.Go(func() error { return h.sweep(ctx) })
	g.Go(func() error { return h.beat(ctx) })
	g.Go(func() error { return h.work(ctx, work, r) })
	err := h.write(ctx)
	stop()
	return errors.Join(err, g.Wait())
}

// work runs jobs, each in a goroutine of its own, until ctx ends, and waits for them.
func (h *History) work(ctx, work context.Context, r gateway.Runner) error {
	var g errgroup.Group
	g.SetLimit(mostRunning)
	for {
		select {
		case <-ctx.Done():
			return g.Wait()
		case <-h.more:
		}
		for j := h.next(); j != nil && ctx.Err() == nil; j = h.next() {
			g.Go(func() error {
				h.run(work, j, r)
				return nil
			})
		}
	}
}

func (h *History) next() *job {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return nil
	}
	j := h.queue[0]
	h.queue = h.queue[1:]
	return j
}

// run runs one job to its end, and writes that down.
func (h *History) run(ctx context.Context, j *job, r gateway.Runner) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j.mu.Lock()
	j.cancel = cancel
	early := j.why
	j.status = dialect.StateInProgress
	j.mu.Unlock()
	err := early
	if err == nil {
		err = h.begun(ctx, j)
	}
	o := &jobOut{job: j}
	if err == nil {
		err = r.Run(ctx, j.call, o)
	}
	if err != nil && ctx.Err() != nil {
		j.mu.Lock()
		if j.why == nil {
			j.why = errStopped()
		}
		err = j.why
		j.mu.Unlock()
	}
	o.close(err)
	h.finish(j, err)
}

// begun notes that a job is under way: from now on nobody runs it again.
func (h *History) begun(ctx context.Context, j *job) error {
	_, err := h.objects.UpdateObject(ctx, j.id, func(o *store.Object) error {
		if o.Status != dialect.StateQueued {
			return errCancelled
		}
		o.Status, o.Holder, o.HeldUntil = dialect.StateInProgress, h.node, h.clock.Now().Add(heldFor).UnixMilli()
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return errCancelled
	}
	return err
}

// finish writes the end of a job.
func (h *History) finish(j *job, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), addFor)
	defer cancel()
	j.mu.Lock()
	doc := *j.doc
	doc.Request, doc.Answer, doc.Events = nil, j.state, j.events
	status := j.status
	j.mu.Unlock()
	said, _ := j.codec.Said(doc.Answer)
	doc.Output = said.Items
	_, werr := h.objects.UpdateObject(ctx, j.id, func(o *store.Object) error {
		if o.Status == dialect.StateCancelled && status != dialect.StateCancelled {
			status = o.Status // cancelled on another node, which has said so
			if d, err := documentOf(o); err == nil {
				doc.Answer = d.Answer
			}
		}
		o.Status, o.Holder, o.HeldUntil, o.Body = status, "", 0, doc.bytes()
		o.Size = int64(len(o.Body))
		return nil
	})
	if werr != nil && !errors.Is(werr, store.ErrNotFound) {
		h.log.Error("keeping an answer that was made in the background", "id", j.id, "err", werr)
	}
	if err == nil && doc.Conversation != "" {
		h.goOn(j.call, doc.Conversation, append(doc.Input, doc.Output...))
	}
	h.mu.Lock()
	delete(h.jobs, j.id)
	h.mu.Unlock()
	close(j.ended)
}

// jobOut takes the answer of a job and makes events of it.
type jobOut struct {
	job  *job
	head gateway.Head
	enc  dialect.Encoder
	fold *llm.Folder // where the events do not tell the answer
}

// Begin implements gateway.Out.
func (o *jobOut) Begin(h gateway.Head) error {
	o.head = h
	return nil
}

// Chunk implements gateway.Out. An answer in our own words says who keeps it, whatever dialect the upstream
// speaks.
func (o *jobOut) Chunk(ch dialect.Chunk) error {
	evs := ch.Events
	if r, ok := ch.Result.(*llm.Response); ok {
		evs = nil
		for ev := range llm.Replay(r) {
			evs = append(evs, ev)
		}
	}
	for _, ev := range evs {
		switch e := ev.(type) {
		case llm.Fault:
			continue // close says it
		case llm.Start:
			ev = llm.Start{Model: e.Model, Tier: e.Tier}
		case llm.End:
			ev = llm.End{Tier: e.Tier}
		}
		if !o.job.codec.Sums("") {
			if o.fold == nil {
				o.fold = llm.NewFolder()
			}
			o.fold.Add(ev)
			continue
		}
		enc, err := o.encoder()
		if err != nil {
			return err
		}
		frames, err := enc.Encode(ev)
		if err != nil {
			return err
		}
		o.job.add(frames)
	}
	return nil
}

func (o *jobOut) encoder() (dialect.Encoder, error) {
	if o.enc == nil {
		p, err := o.job.call.Payload()
		if err != nil {
			return nil, err
		}
		o.enc = o.job.codec.NewEncoder(p, o.job.meta)
	}
	return o.enc, nil
}

// close says the end.
func (o *jobOut) close(err error) {
	j := o.job
	if err == nil && o.fold != nil {
		err = o.sum()
	}
	enc, encErr := o.encoder()
	switch {
	case o.fold != nil && err == nil:
	case errors.Is(err, errCancelled):
		p, _ := j.call.Payload()
		j.settle(j.codec.State(p, j.meta, dialect.StateCancelled, nil), dialect.StateCancelled)
	case encErr != nil:
		j.settle(j.codec.State(nil, j.meta, dialect.StateFailed, encErr), dialect.StateFailed)
	default:
		j.add(enc.Close(err))
		j.call.Trail.Lose(enc.Losses())
		if err != nil && j.now() != dialect.StateFailed {
			p, _ := j.call.Payload()
			j.settle(j.codec.State(p, j.meta, dialect.StateFailed, err), dialect.StateFailed)
		}
	}
	j.end()
}

// sum says the whole answer of what its events meant.
func (o *jobOut) sum() error {
	j := o.job
	p, err := j.call.Payload()
	if err != nil {
		return err
	}
	reply, losses, err := j.codec.EncodeResponse(p, o.fold.Response(), j.meta)
	if err != nil {
		return err
	}
	j.call.Trail.Lose(losses)
	if said, ok := j.codec.Said(reply.Body); ok {
		j.settle(said.Answer, said.Status)
	}
	return nil
}

// add adds events.
func (j *job) add(frames []dialect.Frame) {
	if len(frames) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range frames {
		if len(f.Data) == 0 {
			continue
		}
		data := append(json.RawMessage(nil), f.Data...)
		j.events = append(j.events, event{f.Event, data})
		if said, ok := j.codec.Said(data); ok {
			j.state, j.status = said.Answer, said.Status
		}
	}
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *job) settle(state []byte, status string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state, j.status = state, status
}

func (j *job) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *job) now() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.status
}

func (j *job) answer() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}

// stop stops a job, which says why.
func (j *job) stop(why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.why == nil {
		j.why = why
	}
	if j.cancel != nil {
		j.cancel()
	}
}

// done reports whether all is said.
func (j *job) done() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.over
}

// begun reports whether a job runs, so that it will come to an end.
func (j *job) begun() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cancel != nil
}

// follow says the events of a job as they come, from after a number on. Who goes away misses nothing: the
// events are kept.
func (j *job) follow(ctx context.Context, c *gateway.Call, out gateway.Out, from int64) error {
	if err := out.Begin(streamHead(c)); err != nil {
		return err
	}
	next := int(max(from+1, 0))
	for {
		j.mu.Lock()
		events, over, moved := j.events, j.over, j.moved
		j.mu.Unlock()
		for ; next < len(events); next++ {
			if err := sayEvent(out, events[next], next < len(events)-1, over && next == len(events)-1); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return &llm.Error{Kind: llm.Canceled, Op: "history", Message: "the caller went away", Err: ctx.Err()}
		}
	}
}

func waiting(status string) bool {
	return status == dialect.StateQueued || status == dialect.StateInProgress
}

// cancel stops a job of this node.
func (h *History) cancel(id string) *job {
	j := h.running(id)
	if j != nil {
		j.stop(errCancelled)
	}
	return j
}

// cancelled stops the making of an answer, and returns what it is then. One that has ended stays as it is.
func (h *History) cancelled(ctx context.Context, k dialect.Keeper, o *store.Object, d *document) ([]byte, error) {
	if d.CallID == "" {
		return nil, &llm.Error{Kind: llm.Invalid, Op: "history", Param: "response_id", Message: "only a response that is made in the background can be cancelled"}
	}
	if !waiting(o.Status) {
		return d.Answer, nil
	}
	if j := h.cancel(o.ID); j != nil && j.begun() {
		select {
		case <-j.ended:
			return j.answer(), nil
		case <-ctx.Done():
			return nil, &llm.Error{Kind: llm.Canceled, Op: "history", Message: "the caller went away", Err: ctx.Err()}
		}
	}
	x, err := h.objects.UpdateObject(ctx, o.ID, func(o *store.Object) error {
		if !waiting(o.Status) {
			return nil
		}
		d, err := documentOf(o)
		if err != nil {
			return err
		}
		p, _ := k.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Header: http.Header{}, Body: d.Request})
		meta := dialect.Meta{CallID: d.CallID, Now: o.Created / 1000, Kept: &dialect.Kept{Previous: d.Previous, Conversation: d.Conversation, Background: true}}
		d.Answer = k.State(p, meta, dialect.StateCancelled, nil)
		o.Status, o.Body = dialect.StateCancelled, d.bytes()
		return nil
	})
	if err != nil {
		return nil, unwritten(err)
	}
	if d, err = documentOf(&x); err != nil {
		return nil, unwritten(err)
	}
	return d.Answer, nil
}

// beat keeps what this node works on, stops what was cancelled on another, and looks after what nodes left
// behind that are not heard of any more.
func (h *History) beat(ctx context.Context) error {
	for n := 1; ; n++ {
		if err := h.clock.Sleep(ctx, beatEvery); err != nil {
			return nil //nolint:nilerr // it ends with ctx
		}
		h.mu.Lock()
		mine := make([]*job, 0, len(h.jobs))
		for _, j := range h.jobs {
			mine = append(mine, j)
		}
		h.mu.Unlock()
		for _, j := range mine {
			o, err := h.objects.UpdateObject(ctx, j.id, func(o *store.Object) error {
				o.Holder, o.HeldUntil = h.node, h.clock.Now().Add(heldFor).UnixMilli()
				return nil
			})
			if errors.Is(err, store.ErrNotFound) || err == nil && !waiting(o.Status) {
				j.stop(errCancelled)
			}
		}
		if n%6 == 0 {
			if err := h.takeOver(ctx); err != nil {
				h.log.Warn("looking for what was asked for in the background", "err", err)
			}
		}
	}
}

// takeOver ends what a node that is gone was about: an answer that was under way has failed, for what of it
// was made is lost, and may have been paid. One that waited is not taken up either: who asked for it is told.
func (h *History) takeOver(ctx context.Context) error {
	for _, status := range [...]string{dialect.StateQueued, dialect.StateInProgress} {
		left, err := h.objects.Objects(ctx, store.ObjectFilter{Kind: kindAnswer, Status: status})
		if err != nil {
			return err
		}
		for i := range left {
			o := &left[i]
			now := h.clock.Now().UnixMilli()
			if h.running(o.ID) != nil || o.HeldUntil > now && o.Holder != h.node {
				continue
			}
			if err := h.failLeft(ctx, o.ID, now); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

func (h *History) failLeft(ctx context.Context, id string, now int64) error {
	_, err := h.objects.UpdateObject(ctx, id, func(o *store.Object) error {
		if !waiting(o.Status) || o.HeldUntil > now && o.Holder != h.node {
			return nil
		}
		d, err := documentOf(o)
		if err != nil {
			return err
		}
		d.Answer, d.Request = failed(d.Answer), nil
		o.Status, o.Holder, o.HeldUntil, o.Body = dialect.StateFailed, "", 0, d.bytes()
		return nil
	})
	return err
}

// failed returns an answer that waits as one that has failed.
func failed(answer []byte) []byte {
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil || m == nil {
		m = map[string]any{}
	}
	m["status"] = dialect.StateFailed
	m["error"] = map[string]string{"code": "server_error", "message": "the gateway was stopped before this answer was made; ask again"}
	out, err := json.Marshal(m)
	if err != nil {
		return answer
	}
	return out
}
