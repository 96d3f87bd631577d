// Package transcript keeps what is asked and answered in calls, where a project has that kept.
//
// A call hands it over when its last byte is written and waits for nothing. Beside it, a worker takes out what is to be
// redacted, writes a commitment to what is left into the ledger, and then keeps it, sealed. What the store cannot take in time
// is dropped, counted, and told in the ledger too. The commitment outlives the transcript: deleting one leaves the chain valid.
package transcript

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// Noun is what the audit calls transcripts.
const Noun = "transcripts"

// The actions of Plenum itself that the audit has of them.
const (
	ActionKeep   = "keep_transcripts"   // After has the commitments, and how many were dropped
	ActionExpire = "expire_transcripts" // After has how many were deleted, since their retention is over
)

// Ledger is where commitments are written down.
type Ledger interface{ Audit(a ledger.Audit) error }

// row is what the store is given.
type row = store.Transcript

// Keeper keeps transcripts.
type Keeper struct {
	store  store.Transcripts
	ledger Ledger
	snap   func() *config.Snapshot
	clock  clock.Clock
	log    *slog.Logger

	mu      sync.Mutex
	queue   []*item
	size    int
	dropped map[string]int // by project, since the ledger was last told
	wake    chan struct{}
	kept    Counts
}

// Counts are what became of the calls whose transcripts were to be kept by this process.
type Counts struct{ Kept, Dropped int64 }

// New returns a keeper, which works while Run does.
func New(s store.Transcripts, l Ledger, snap func() *config.Snapshot, c clock.Clock, log *slog.Logger) *Keeper {
	return &Keeper{store: s, ledger: l, snap: snap, clock: c, log: log, dropped: map[string]int{}, wake: make(chan struct{}, 1)}
}

const (
	// mostQueued bounds what waits to be kept, in bytes.
	mostQueued = 64 << 20
	// together is how many are kept in one step.
	together = 64
)

// Keep takes what was said in a call that has ended.
func (k *Keeper) Keep(c *gateway.Call, h *gateway.Heard) {
	if c.Deployment != nil && c.Deployment.Keep == plenum.No {
		return
	}
	i := itemOf(c, h)
	k.mu.Lock()
	if k.size+i.size() > mostQueued {
		k.dropLocked(i.doc.Project)
	} else {
		k.queue = append(k.queue, i)
		k.size += i.size()
	}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *Keeper) dropLocked(project string) {
	k.dropped[project]++
	k.kept.Dropped++
}

// Counts returns what became of calls so far.
func (k *Keeper) Counts() Counts {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept
}

// Run keeps what comes until ctx is done, and then what still waits, for which it takes up to lastly.
func (k *Keeper) Run(ctx context.Context) error {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { k.sweep(ctx) })
	defer sweeping.Wait()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastly)
			defer cancel()
			if err := k.flush(last); err != nil {
				k.log.Error("transcripts were not kept before the end", "err", err)
			}
			return context.Cause(ctx)
		case <-k.wake:
		}
		for pause := firstPause; ; pause = min(2*pause, longestPause) {
			err := k.flush(ctx)
			if err == nil {
				break
			}
			k.log.Warn("transcripts cannot be kept at the moment; they wait", "err", err)
			if k.clock.Sleep(ctx, pause) != nil {
				break
			}
		}
	}
}

const (
	lastly       = 5 * time.Second
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// flush keeps all that waits.
func (k *Keeper) flush(ctx context.Context) error {
	for {
		k.mu.Lock()
		some := slices.Clone(k.queue[:min(together, len(k.queue))])
		dropped := len(k.dropped)
		k.mu.Unlock()
		if len(some) == 0 && dropped == 0 {
			return nil
		}
		if err := k.keep(ctx, some); err != nil {
			return err
		}
		k.mu.Lock()
		for _, i := range some {
			k.size -= i.size()
		}
		k.queue = slices.Delete(k.queue, 0, len(some))
		k.kept.Kept += int64(len(some))
		k.mu.Unlock()
	}
}

// keep commits to some and keeps them. What was committed to before is not committed to again.
func (k *Keeper) keep(ctx context.Context, some []*item) error {
	if err := k.commit(some); err != nil {
		return err
	}
	rows := make([]store.Transcript, len(some))
	for n, i := range some {
		rows[n] = i.row
	}
	if len(rows) == 0 {
		return nil
	}
	return k.store.PutTranscripts(ctx, rows)
}

// commitments are what an entry of the ledger has of transcripts.
type commitments struct {
	Kept    map[string]string `json:"kept,omitempty"` // by the call
	Dropped int               `json:"dropped,omitempty"`
}

// commit writes down what will be kept, for each project.
func (k *Keeper) commit(some []*item) error {
	by := map[string]*commitments{}
	of := func(project string) *commitments {
		if by[project] == nil {
			by[project] = &commitments{Kept: map[string]string{}}
		}
		return by[project]
	}
	var fresh []*item
	for _, i := range some {
		if i.row.Sum != "" {
			continue
		}
		body, err := i.write()
		if err != nil {
			return err
		}
		d := &i.doc
		i.row = store.Transcript{
			Call: d.Call, Project: d.Project, KeyID: d.KeyID, Member: d.Member, Deployment: d.Deployment, Start: d.Start,
			Size: int64(d.Request.Bytes + d.Answer.Bytes), Body: body,
		}
		of(d.Project).Kept[d.Call] = d.Commitment
		fresh = append(fresh, i)
	}
	k.mu.Lock()
	for project, n := range k.dropped {
		of(project).Dropped = n
	}
	k.mu.Unlock()
	for project, c := range by {
		if err := k.tell(ActionKeep, project, c); err != nil {
			return err
		}
		k.mu.Lock()
		if k.dropped[project] -= c.Dropped; k.dropped[project] <= 0 {
			delete(k.dropped, project)
		}
		k.mu.Unlock()
		for _, i := range fresh {
			if i.doc.Project == project {
				i.row.Sum = i.doc.Commitment
			}
		}
	}
	return nil
}

// tell writes an entry of the audit.
func (k *Keeper) tell(action, project string, after any) error {
	b, err := json.Marshal(after)
	if err != nil {
		return err
	}
	return k.ledger.Audit(ledger.Audit{Actor: "plenum", Action: action, Noun: Noun, Project: project, Config: k.snap().Version, After: b})
}

// sweepEvery is how often what is older than its retention is deleted.
const sweepEvery = 10 * time.Minute

// sweep deletes what is older than its retention, again and again.
func (k *Keeper) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := k.Expire(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("transcripts whose retention is over could not be deleted", "err", err)
		}
		if k.clock.Sleep(ctx, sweepEvery) != nil {
			return
		}
	}
}

// Expire deletes what is older than its retention, as that is now.
func (k *Keeper) Expire(ctx context.Context) error {
	snap := k.snap()
	if snap == nil {
		return nil
	}
	now := k.clock.Now()
	var errs []error
	for project, kept := range snap.Retentions() {
		errs = append(errs, k.expire(ctx, store.TranscriptFilter{Project: project, To: now.Add(-kept).UnixMicro()}))
	}
	errs = append(errs, k.expire(ctx, store.TranscriptFilter{To: now.Add(-snap.Declared.Content.Retention).UnixMicro()}))
	return errors.Join(errs...)
}

// expire deletes what a filter chooses, some at a time: nobody else waits long for the store.
func (k *Keeper) expire(ctx context.Context, f store.TranscriptFilter) error {
	f.Limit = 500
	var all int64
	for {
		n, err := k.store.DeleteTranscripts(ctx, f)
		all += n
		if err == nil && n == int64(f.Limit) {
			continue
		}
		if all > 0 {
			told := k.tell(ActionExpire, f.Project, map[string]any{"deleted": all, "before": time.UnixMicro(f.To).UTC().Format(time.RFC3339)})
			err = errors.Join(err, told)
		}
		return err
	}
}
