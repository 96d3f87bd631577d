package ledger

import (
	"fmt"
	"runtime"
	"sync"
)

// item is one record of a batch.
type item struct {
	kind  kind
	end   int   // where its payload ends
	begin Begin // of an end: the id alone
}

// room is the memory of a batch, used again by the next.
type room struct {
	payload []byte
	items   []item
}

// batch is what is written at once. The caller that opened it writes it, for all who joined: there is
// no writer of its own and no timer, so a caller that is alone never waits.
type batch struct {
	room
	done sync.WaitGroup
	err  error // set before done
}

// join returns the batch to add to, and whether the caller is to write it; nil once closed. The caller
// holds l.gather.
func (l *Ledger) join() (b *batch, lead bool) {
	if l.closed {
		return nil, false
	}
	if l.next != nil {
		return l.next, false
	}
	l.next = &batch{room: l.spare}
	l.spare = room{}
	l.next.done.Add(1)
	return l.next, true
}

// finish has the batch written, or waits until it is.
func (l *Ledger) finish(b *batch, lead bool) error {
	if !lead {
		b.done.Wait()
		return b.err
	}
	if l.crowded.Load() {
		runtime.Gosched() // others are about to join, and one write for all is cheaper
	}
	l.commit.Lock()
	l.gather.Lock()
	l.next = nil
	l.gather.Unlock()
	l.crowded.Store(len(b.items) > 1)
	b.err = l.write(b.room)
	if failed := b.err != nil; failed != l.failing.Load() {
		l.failing.Store(failed)
	}
	l.commit.Unlock()
	l.reuse(b)
	err := b.err
	b.done.Done()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return err
}

// reuse keeps the memory of a batch for the next, unless a burst made it large.
func (l *Ledger) reuse(b *batch) {
	if cap(b.payload) > 1<<20 {
		return
	}
	clear(b.items) // lets go of the callers' strings
	l.gather.Lock()
	l.spare = room{b.payload[:0], b.items[:0]}
	l.gather.Unlock()
	b.room = room{}
}

// write frames the records and writes them. Either all of them are in the journal or, on an error,
// none is. The caller holds l.commit.
func (l *Ledger) write(r room) error {
	if err := l.prepare(); err != nil {
		return err
	}
	seq, chain, last, out, from := l.seq, l.chain, l.last, l.out[:0], 0
	for i := range r.items {
		seq++
		out, chain = appendLine(out, seq, r.items[i].kind, r.payload[from:r.items[i].end], chain)
		from = r.items[i].end
		if isEntry(r.items[i].kind) {
			last = Head{Seq: seq, Chain: chain}
		}
	}
	l.out = out[:0]
	if cap(l.out) > 1<<20 {
		l.out = nil
	}
	if err := l.put(out); err != nil {
		return fmt.Errorf("writing to the journal: %w", err)
	}
	l.seq, l.chain, l.last = seq, chain, last
	for i := range r.items {
		l.note(r.items[i].kind, r.items[i].begin)
	}
	return l.force()
}

// note keeps track of the calls that are begun and not ended.
func (l *Ledger) note(k kind, b Begin) {
	switch k {
	case kindBegin:
		l.open[b.ID] = b
	case kindEnd:
		delete(l.open, b.ID)
	case kindSegment, kindAudit, kindIntent:
	}
}

// prepare makes the file fit to be written to: without a part of a line at its end, and not too long.
func (l *Ledger) prepare() error {
	if err := l.mend(); err != nil {
		return err
	}
	if l.size < l.opts.SegmentSize {
		return nil
	}
	if err := l.rotate(); err != nil {
		// The file in use is as good as a new one.
		l.opts.Log.Warn("cannot begin a new file of the journal", "error", err)
	}
	return nil
}

// put writes bytes at the end of the file. After an error the file is as it was before.
func (l *Ledger) put(b []byte) error {
	n, err := l.file.WriteAt(b, l.size)
	if err != nil {
		l.torn = n > 0 && l.file.Truncate(l.size) != nil
		return err
	}
	l.size += int64(n)
	l.dirty = true
	return nil
}

// force syncs the file where that is the policy.
func (l *Ledger) force() error {
	if l.opts.Sync != SyncAlways {
		return nil
	}
	return l.sync()
}

// sync forces what was written to the disk. The caller holds l.commit.
func (l *Ledger) sync() error {
	if !l.dirty {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("forcing the journal to the disk: %w", err)
	}
	l.dirty = false
	return nil
}
