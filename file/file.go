// Package file answers the operations on files: what callers upload for batches and other uses, and what
// batches write for them. A file belongs to a project; for the keys of others it is not there.
//
// Two vendors' shapes are spoken over the same files. Which one, the dialect of the call says.
package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// Kind is what files are called among the objects of a store.
const Kind = "file"

// The states of a file.
const (
	kept      = "kept"
	uploading = "uploading" // its content is not whole yet: nobody sees it
)

// Store is what files are kept in.
type Store interface {
	store.Objects
	store.Contents
}

// Keeper keeps files.
type Keeper struct {
	store Store
	clock clock.Clock
	log   *slog.Logger
}

// New returns a Keeper.
func New(s Store, ck clock.Clock, log *slog.Logger) *Keeper {
	return &Keeper{store: s, clock: ck, log: log}
}

// Handlers returns the handlers of the operations.
func (k *Keeper) Handlers() map[llm.Op]gateway.Handler {
	return map[llm.Op]gateway.Handler{
		llm.OpFileCreate:  k.create,
		llm.OpFileList:    k.list,
		llm.OpFileGet:     k.get,
		llm.OpFileContent: k.content,
		llm.OpFileDelete:  k.delete,
	}
}

// Bounds are how much may be kept; 0 is without bound.
type Bounds struct{ Size, Total int64 }

// File is a file as it is kept.
type File struct {
	ID      string
	Name    string
	Purpose string
	Media   string
	Size    int64
	Created int64 // Unix milliseconds
	Expires int64 // Unix milliseconds; 0 is never
	Writer  string
}

// about is what is kept of a file beside the columns of an object.
type about struct {
	Name   string `json:"name"`
	Media  string `json:"media,omitempty"`
	Writer string `json:"writer,omitempty"` // the batch that wrote it
}

func fileOf(o *store.Object) File {
	var a about
	_ = json.Unmarshal(o.Body, &a) // it was written by put
	return File{o.ID, a.Name, o.Label, a.Media, o.Size, o.Created, o.Expires, a.Writer}
}

// uploadTime is how long an upload may take before what came of it is swept away.
const uploadTime = 24 * time.Hour

// Put keeps a file for a caller. Its content is written first; before it is whole nobody sees the file.
func (k *Keeper) Put(ctx context.Context, who plenum.Principal, f File, b Bounds, r io.Reader) (File, error) {
	if err := k.write(ctx, who, f.ID, b, r); err != nil {
		return f, err
	}
	return k.finish(ctx, f)
}

// write keeps a content under an id. The file is not there before finish.
func (k *Keeper) write(ctx context.Context, who plenum.Principal, id string, b Bounds, r io.Reader) error {
	room, err := k.room(ctx, who.Project, b)
	if err != nil {
		return err
	}
	now := k.clock.Now()
	o := store.Object{
		ID: id, Kind: Kind, Project: who.Project, KeyID: who.KeyID, Member: who.Member, Status: uploading,
		Created: now.UnixMilli(), Expires: now.Add(uploadTime).UnixMilli(),
	}
	if err := k.store.CreateObject(ctx, o); err != nil {
		return err
	}
	n, err := k.store.PutContent(ctx, id, &within{r: r, left: room, total: b.Total})
	if err == nil {
		_, err = k.store.UpdateObject(ctx, id, func(o *store.Object) error { o.Size = n; return nil })
	}
	if err != nil {
		k.forget(ctx, id)
	}
	return err
}

// finish makes what was written a file.
func (k *Keeper) finish(ctx context.Context, f File) (File, error) {
	body, err := json.Marshal(about{Name: f.Name, Media: f.Media, Writer: f.Writer})
	if err != nil {
		return f, err
	}
	o, err := k.store.UpdateObject(ctx, f.ID, func(o *store.Object) error {
		o.Label, o.Expires, o.Body, o.Status = f.Purpose, f.Expires, body, kept
		return nil
	})
	return fileOf(&o), err
}

// room returns how much a project may still keep.
func (k *Keeper) room(ctx context.Context, project string, b Bounds) (int64, error) {
	if b.Total <= 0 {
		return 1 << 62, nil
	}
	used, err := k.store.ObjectsSize(ctx, project)
	if err != nil {
		return 0, err
	}
	if used >= b.Total {
		return 0, full(b.Total)
	}
	return b.Total - used, nil
}

func full(total int64) error {
	return &llm.Error{
		Kind: llm.Quota, Op: "file", Code: "storage_full",
		Message: fmt.Sprintf("the files of this project would be larger than %d bytes (files.max_total); delete some", total),
	}
}

// within fails, rather than ends, where a project has no room left.
type within struct {
	r     io.Reader
	left  int64
	total int64
}

// Read reads on.
func (w *within) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if w.left -= int64(n); w.left < 0 {
		return 0, full(w.total)
	}
	return n, err
}

// forget removes what is left of a file, though the call may be over.
func (k *Keeper) forget(ctx context.Context, id string) {
	if err := k.store.DeleteObject(context.WithoutCancel(ctx), id); err != nil && !errors.Is(err, store.ErrNotFound) {
		k.log.Error("forgetting a file", "id", id, "err", err)
	}
}

// Find returns a caller's file, or a NotFound.
func (k *Keeper) Find(ctx context.Context, who plenum.Principal, id string) (File, error) {
	o, err := k.store.Object(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !k.visible(&o, who.Project) {
		return File{}, &llm.Error{Kind: llm.NotFound, Op: "file", Param: "id", Message: fmt.Sprintf("there is no file %q for this project: it was never uploaded, was deleted, has expired, or belongs to another", clip(id))}
	}
	if err != nil {
		return File{}, unavailable(err)
	}
	return fileOf(&o), nil
}

func (k *Keeper) visible(o *store.Object, project string) bool {
	return o.Kind == Kind && o.Project == project && o.Status == kept && o.Deployment == "" && (o.Expires == 0 || o.Expires > k.clock.Now().UnixMilli())
}

// Open opens the content of a file.
func (k *Keeper) Open(ctx context.Context, id string) (io.ReadCloser, error) {
	return k.store.Content(ctx, id)
}

// Delete deletes a file.
func (k *Keeper) Delete(ctx context.Context, id string) error { return k.store.DeleteObject(ctx, id) }

// sweepEvery is how often what has expired is deleted.
const sweepEvery = 10 * time.Minute

// Run deletes what has expired, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("deleting expired files", "err", err)
		}
		if err := k.clock.Sleep(ctx, sweepEvery); err != nil {
			return err
		}
	}
}

// Sweep deletes what has expired by now, of whatever kind.
func (k *Keeper) Sweep(ctx context.Context) error {
	for {
		old, err := k.store.Objects(ctx, store.ObjectFilter{ExpiredBy: k.clock.Now().UnixMilli()})
		if err != nil || len(old) == 0 {
			return err
		}
		for i := range old {
			if err := k.store.DeleteObject(ctx, old[i].ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
	}
}

// unavailable says that what is kept cannot be reached.
func unavailable(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return err
	}
	return &llm.Error{Kind: llm.Overloaded, Op: "file", Message: "the store cannot be reached at the moment", Retry: time.Second, Err: err}
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "?") }
