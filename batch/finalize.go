package batch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/store"
)

// finalize writes the outputs of a batch and ends it. It may be done again from the start: the names of what
// it writes do not change.
func (r *run) finalize(ctx context.Context) error {
	e := r.engine
	err := r.set(ctx, func(b *Batch) {
		if b.Status != finalizing {
			b.Status, b.Finalizing, b.Verdict = finalizing, e.now(), r.verdict()
		}
	})
	if err != nil {
		return err
	}
	why := r.batch.Verdict
	counts, err := e.store.CountLines(ctx, r.batch.ID)
	if err != nil {
		return err
	}
	done, bad := counts[store.LineDone], counts[store.LineFailed]
	void := max(0, r.batch.Total-done-bad)
	if void == 0 && why == expired {
		why = completed
	}
	output, faults, err := r.write(ctx, why, done, bad+void)
	if err != nil {
		return err
	}
	err = r.set(ctx, func(b *Batch) {
		b.Status, b.Ended, b.Output, b.Errors = why, e.now(), output, faults
		b.Done, b.Failed, b.Void = done, bad+void, void
	})
	if err != nil {
		return err
	}
	return e.store.DropLines(ctx, r.batch.ID)
}

// verdict is what a batch ends in whose lines are over.
func (r *run) verdict() Status {
	switch {
	case r.stopped.Load():
		return cancelled
	case r.engine.now() >= r.batch.Expires:
		return expired
	}
	return completed
}

// write writes what a batch came to, and returns the ids of the files.
func (r *run) write(ctx context.Context, why Status, done, bad int) (output, faults string, err error) {
	if r.batch.anthropic() {
		output = r.batch.ID + ".results"
		return output, "", r.writeResults(ctx, output, why)
	}
	_, suffix, _ := strings.Cut(r.batch.ID, "_")
	if done > 0 {
		output = "file-" + suffix + "out"
		err = r.writeFile(ctx, output, "_output.jsonl", why, store.LineDone)
	}
	if err == nil && bad > 0 {
		faults = "file-" + suffix + "err"
		err = r.writeFile(ctx, faults, "_error.jsonl", why, store.LineFailed)
	}
	return output, faults, err
}

// keepFor is how long what a batch came to is kept.
const keepFor = 30 * 24 * time.Hour

// writeFile writes the lines of one state to a file of the caller.
func (r *run) writeFile(ctx context.Context, id, name string, why Status, only store.LineState) error {
	e := r.engine
	if err := e.store.DeleteObject(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text := r.text(ctx, why, only)
	defer text.Close()
	f := file.File{ID: id, Name: r.batch.ID + name, Purpose: file.Output, Expires: e.now() + keepFor.Milliseconds(), Writer: r.batch.ID}
	// What was paid for is written, also where the project's files have no room.
	_, err := e.files.Put(ctx, r.batch.Caller, f, file.Bounds{}, text)
	return err
}

// writeResults writes all lines to an object of the batch.
func (r *run) writeResults(ctx context.Context, id string, why Status) error {
	e := r.engine
	if err := e.store.DeleteObject(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text := r.text(ctx, why, "")
	defer text.Close()
	return e.putPart(ctx, r.batch, id, text)
}

// putPart keeps a content that belongs to a batch.
func (e *Engine) putPart(ctx context.Context, b *Batch, id string, text io.Reader) error {
	o := store.Object{ID: id, Kind: "batch_part", Project: b.Caller.Project, KeyID: b.Caller.KeyID, Created: e.now(), Expires: e.now() + keepFor.Milliseconds()}
	if err := e.store.CreateObject(ctx, o); err != nil {
		return err
	}
	n, err := e.store.PutContent(ctx, id, text)
	if err != nil {
		return errors.Join(err, e.store.DeleteObject(context.WithoutCancel(ctx), id))
	}
	_, err = e.store.UpdateObject(ctx, id, func(o *store.Object) error { o.Size = n; return nil })
	return err
}

// text returns the lines of an output as they are read: those of one state, or all.
func (r *run) text(ctx context.Context, why Status, only store.LineState) io.ReadCloser {
	in, out := io.Pipe()
	go func() { out.CloseWithError(r.sayLines(ctx, out, why, only)) }()
	return in
}

// sayLines writes the lines in the order of the input. Those that were never run say why.
func (r *run) sayLines(ctx context.Context, w io.Writer, why Status, only store.LineState) error {
	e := r.engine
	input, err := e.input(ctx, r.batch)
	if err != nil {
		return fmt.Errorf("opening the input: %w", err)
	}
	defer input.Close()
	page := &pages{store: e.store, batch: r.batch.ID}
	for l, err := range lines(input, &r.batch.job) {
		if err != nil {
			return err
		}
		kept, err := page.line(ctx, l.n)
		if err != nil {
			return err
		}
		text, state := kept.Result, kept.State
		if state != store.LineDone && state != store.LineFailed {
			state = store.LineFailed
			if text, err = r.never(l, why); err != nil {
				return err
			}
		}
		if only != "" && only != state {
			continue
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// never says of a line that it was not run.
func (r *run) never(l line, why Status) ([]byte, error) {
	res := &result{name: l.name, kind: "expired", err: &lineError{codeExpired, "this line was not run: the batch's time was over"}}
	if why == cancelled {
		res.kind, res.err = "canceled", &lineError{codeCancelled, "this line was not run: the batch was cancelled"}
	}
	return res.say("batch_req_"+strings.ToLower(rand.Text()), r.batch.anthropic())
}

// pages reads the lines of a batch in order, a page at a time.
type pages struct {
	store store.Lines
	batch string
	page  []store.Line
	next  int
	last  bool
}

// line returns a line; its State is "" where it was not begun. They are asked for in order.
func (p *pages) line(ctx context.Context, n int) (store.Line, error) {
	const size = 100
	for {
		for len(p.page) > 0 && p.page[0].N < n {
			p.page = p.page[1:]
		}
		if len(p.page) > 0 {
			if p.page[0].N == n {
				return p.page[0], nil
			}
			return store.Line{N: n}, nil
		}
		if p.last {
			return store.Line{N: n}, nil
		}
		page, err := p.store.Lines(ctx, p.batch, p.next, size)
		if err != nil {
			return store.Line{}, err
		}
		p.page, p.last = page, len(page) < size
		if len(page) > 0 {
			p.next = page[len(page)-1].N + 1
		}
	}
}
