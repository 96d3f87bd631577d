// Package batch runs many calls that nobody waits for: the lines of a file that a caller uploaded, or the
// requests of a message batch. Each line is a call of its own through the whole pipeline, for the key that
// made the batch: priced, limited and recorded line by line.
//
// A line is noted before it is sent and again when it is answered. A node that dies in between leaves lines of
// which nobody knows whether the model was asked; these are not asked again, since that could cost twice, and
// end in an error that says so. All others go on where they stopped.
package batch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// Kind is what batches are called among the objects of a store.
const Kind = "batch"

// The states of a batch as an object: whether there is work left.
const (
	open  = "open"
	ended = "ended"
)

// Store is what batches are kept in.
type Store interface {
	store.Objects
	store.Contents
	store.Lines
}

// Engine keeps batches and runs them.
type Engine struct {
	store    Store
	files    *file.Keeper
	dialects []*dialect.Dialect
	clock    clock.Clock
	log      *slog.Logger
	node     string // of this process, so that none takes what another holds
	wake     chan struct{}

	// Alone says that no other process works on the store, so that what one before this held is free.
	Alone bool

	mu      sync.Mutex
	running map[string]*run
}

// New returns an Engine for batches of calls in these dialects.
func New(s Store, files *file.Keeper, dialects []*dialect.Dialect, ck clock.Clock, log *slog.Logger) *Engine {
	return &Engine{
		store: s, files: files, dialects: dialects, clock: ck, log: log, node: rand.Text(), wake: make(chan struct{}, 1), running: map[string]*run{},
	}
}

// Handlers returns the handlers of the operations.
func (e *Engine) Handlers() map[llm.Op]gateway.Handler {
	return map[llm.Op]gateway.Handler{
		llm.OpBatchCreate:  e.create,
		llm.OpBatchList:    e.list,
		llm.OpBatchGet:     e.get,
		llm.OpBatchCancel:  e.cancel,
		llm.OpBatchResults: e.results,
		llm.OpBatchDelete:  e.delete,
	}
}

// Status is how far a batch has come, in OpenAI's words.
type Status string

// The states of a batch.
const (
	validating Status = "validating"
	inProgress Status = "in_progress"
	finalizing Status = "finalizing"
	completed  Status = "completed"
	failed     Status = "failed"
	expired    Status = "expired"
	cancelling Status = "cancelling"
	cancelled  Status = "cancelled"
)

// over reports whether nothing happens any more.
func (s Status) over() bool {
	return s == completed || s == failed || s == expired || s == cancelled
}

// job is a batch as it is kept. Times are Unix milliseconds; 0 is not yet.
type job struct {
	Dialect  string            `json:"dialect"` // in whose words it was made
	Endpoint string            `json:"endpoint"`
	Input    string            `json:"input"` // the object whose content has the lines
	Window   string            `json:"window"`
	Model    string            `json:"model,omitempty"` // of lines that name none
	Metadata map[string]string `json:"metadata,omitempty"`
	Caller   plenum.Principal  `json:"caller"`
	Status   Status            `json:"status"`
	Output   string            `json:"output,omitempty"` // the file of what was answered
	Errors   string            `json:"errors,omitempty"` // the file of what was not
	Faults   []fault           `json:"faults,omitempty"` // why none of it was run
	Total    int               `json:"total"`
	Done     int               `json:"done"`
	Failed   int               `json:"failed"`
	Verdict  Status            `json:"verdict,omitempty"` // what it ends in, once it is finalized
	Void     int               `json:"void"`              // of Failed, those that were never run

	Created    int64 `json:"created"`
	Expires    int64 `json:"expires"`
	Started    int64 `json:"started,omitempty"`
	Finalizing int64 `json:"finalizing,omitempty"`
	Cancelling int64 `json:"cancelling,omitempty"`
	Ended      int64 `json:"ended,omitempty"`
}

// fault is what is wrong with a batch as a whole.
type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    *int   `json:"line"`
	Param   string `json:"param,omitempty"`
}

// Batch is a batch with its id.
type Batch struct {
	ID string
	job
}

func batchOf(o *store.Object) (*Batch, error) {
	b := &Batch{ID: o.ID}
	if err := json.Unmarshal(o.Body, &b.job); err != nil {
		return nil, fmt.Errorf("reading batch %s: %w", o.ID, err)
	}
	return b, nil
}

// keepIn writes a batch into its object.
func (b *Batch) keepIn(o *store.Object) error {
	body, err := json.Marshal(&b.job)
	if err != nil {
		return err
	}
	o.Body, o.Status = body, open
	if b.Status.over() {
		o.Status, o.Holder, o.HeldUntil = ended, "", 0
	}
	return nil
}

// anthropic and mistral are ways in which a batch is spoken of, beside OpenAI's.
func (j *job) anthropic() bool { return j.Dialect == "anthropic" }
func (j *job) mistral() bool   { return j.Dialect == mistralWords }

// wordsOf returns in whose words a call speaks of batches.
func wordsOf(c *gateway.Call) string {
	if own, ok := c.Codec.(dialect.Own); ok && own.Words != "" {
		return own.Words
	}
	if c.Dialect.Name == "anthropic" {
		return c.Dialect.Name
	}
	return "openai"
}

// change changes a batch while nobody else does.
func (e *Engine) change(ctx context.Context, id string, f func(*Batch) error) (*Batch, error) {
	var b *Batch
	_, err := e.store.UpdateObject(ctx, id, func(o *store.Object) (err error) {
		if b, err = batchOf(o); err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
		return b.keepIn(o)
	})
	return b, err
}

// find returns a caller's batch, or a NotFound.
func (e *Engine) find(ctx context.Context, who plenum.Principal, id string) (*Batch, error) {
	o, err := e.store.Object(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (o.Kind != Kind || o.Project != who.Project) {
		return nil, &llm.Error{Kind: llm.NotFound, Op: "batch", Param: "id", Message: fmt.Sprintf("there is no batch %q for this project: it was never made, was deleted, or belongs to another", clip(id))}
	}
	if err != nil {
		return nil, unavailable(err)
	}
	b, err := batchOf(&o)
	if err == nil && !b.Status.over() {
		err = e.count(ctx, b)
	}
	return b, err
}

// count fills in how far a batch has come.
func (e *Engine) count(ctx context.Context, b *Batch) error {
	counts, err := e.store.CountLines(ctx, b.ID)
	if err != nil {
		return unavailable(err)
	}
	b.Done, b.Failed = counts[store.LineDone], counts[store.LineFailed]
	return nil
}

// nudge makes Run look for work now.
func (e *Engine) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// now returns the time in Unix milliseconds.
func (e *Engine) now() int64 { return e.clock.Now().UnixMilli() }

// input opens the lines of a batch.
func (e *Engine) input(ctx context.Context, b *Batch) (io.ReadCloser, error) {
	return e.store.Content(ctx, b.Input)
}

func invalid(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Op: "batch", Param: param, Message: message}
}

// unavailable says that what is kept cannot be reached.
func unavailable(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return err
	}
	return &llm.Error{Kind: llm.Overloaded, Op: "batch", Message: "the store cannot be reached at the moment", Retry: time.Second, Err: err}
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "?") }
