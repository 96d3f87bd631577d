// Package ledger writes down every call, before its answer goes out and again when it ended, so that
// usage and audit survive whatever happens to the process.
//
// A Ledger is a journal of files in one directory of the node. Begin and End return when their line has
// been handed to the kernel with write(2): a killed process loses none of them. Power loss is another
// matter, see Sync. Lines of concurrent callers go out together in one write; a caller that is alone
// waits for nobody. No database is involved. Run carries the ended calls on to a Sink, in order and in
// batches, and deletes what the Sink has stored.
//
// The contract with callers: Begin before the first byte of an answer, End before its last. A call whose
// whole answer is known before its first byte may do with End alone. At the next Open, calls that were
// begun and never ended are settled as lost.
//
// The lines form a hash chain, one per node, which goes on across files and restarts; Verify checks what
// is in the journal, Entry.Verify what has left it.
package ledger

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plenum-foundry/plenum"
)

// ErrClosed is returned by a ledger that was closed.
var ErrClosed = errors.New("the ledger is closed")

// ErrLocked is returned by Open where another process has the journal open.
var ErrLocked = errors.New("another process has the journal open")

// Sync is when the journal is forced to the disk, which protects it against power loss.
type Sync string

// The sync policies.
const (
	SyncOff      Sync = "off"      // when the operating system does; the default
	SyncInterval Sync = "interval" // every so often, by Run
	SyncAlways   Sync = "always"   // before Begin and End return
)

// Options are what may be chosen of a ledger. The zero Options is useful.
type Options struct {
	Sync        Sync          // "" is SyncOff
	SyncEvery   time.Duration // of SyncInterval; 0 is a second
	SegmentSize int64         // the size from which a new file is begun; 0 is 16 MiB
	Linger      time.Duration // how long Run gathers before it ships; 0 is 250 ms
	// Settle makes the end of a call that was begun and never ended; nil is Lost. Whatever it returns is
	// marked as lost and estimated.
	Settle func(Begin) plenum.Record
	Log    *slog.Logger // nil logs nothing
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Sync == "" {
		o.Sync = SyncOff
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = time.Second
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = 16 << 20
	}
	if o.Linger <= 0 {
		o.Linger = 250 * time.Millisecond
	}
	if o.Settle == nil {
		o.Settle = Lost
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Ledger is the journal of one node. Its methods may be called from any number of goroutines.
type Ledger struct {
	dir  string
	opts Options
	node string
	lock *os.File
	wake chan struct{} // tells Run that there is something to ship

	gather sync.Mutex // guards the batch that callers are joining
	next   *batch     // nil where nobody waits
	spare  room
	closed bool

	crowded atomic.Bool // the last batch had more than one record

	failing atomic.Bool // the last batch could not be written

	commit  sync.Mutex // held while a batch is written; guards all below
	file    *os.File
	segment uint64 // the seq of the file's first line, which is also its name
	size    int64
	seq     uint64
	chain   Sum
	last    Head             // of the entries, which the Sink gets
	open    map[string]Begin // begun and not ended
	meant   map[string]Audit // intents of the last process of which nothing tells what came of them
	out     []byte
	torn    bool // the file may have a part of a line at its end
	dirty   bool // written since the last sync

	drain drain
}

// Stats are figures for the operator.
type Stats struct {
	Node    string
	Seq     uint64 // the last line written
	Drained uint64 // the last line that the Sink has stored
	Open    int    // calls begun and not ended
}

// Begin writes down that the answer to a call is about to begin.
func (l *Ledger) Begin(b Begin) error {
	l.gather.Lock()
	bt, lead := l.join()
	if bt == nil {
		l.gather.Unlock()
		return ErrClosed
	}
	bt.payload = appendBegin(bt.payload, &b)
	bt.items = append(bt.items, item{kindBegin, len(bt.payload), b})
	l.gather.Unlock()
	return l.finish(bt, lead)
}

// End writes down what became of a call.
func (l *Ledger) End(r *plenum.Record) error {
	l.gather.Lock()
	bt, lead := l.join()
	if bt == nil {
		l.gather.Unlock()
		return ErrClosed
	}
	bt.payload = appendRecord(bt.payload, r)
	bt.items = append(bt.items, item{kindEnd, len(bt.payload), Begin{ID: r.ID}})
	l.gather.Unlock()
	return l.finish(bt, lead)
}

// Stats returns the figures of this moment.
func (l *Ledger) Stats() Stats {
	drained := l.drain.seq.Load()
	l.commit.Lock()
	defer l.commit.Unlock()
	return Stats{Node: l.node, Seq: l.seq, Drained: drained, Open: len(l.open)}
}

// Head is the last entry of a node's chain. Kept where whoever could rewrite the chain cannot, it proves the entries up
// to it.
type Head struct {
	Node  string `json:"node"`
	Seq   uint64 `json:"seq"`
	Chain Sum    `json:"chain"`
}

// Head returns the last entry that was written; its Seq is 0 where there is none yet.
func (l *Ledger) Head() Head {
	l.commit.Lock()
	defer l.commit.Unlock()
	h := l.last
	h.Node = l.node
	return h
}

// Close waits for the records under way, forces the journal to the disk and gives it up. What was not
// shipped yet is shipped after the next Open.
func (l *Ledger) Close() error {
	l.gather.Lock()
	if l.closed {
		l.gather.Unlock()
		return nil
	}
	l.closed = true
	last := l.next
	l.gather.Unlock()
	if last != nil {
		last.done.Wait()
	}
	l.commit.Lock()
	defer l.commit.Unlock()
	return errors.Join(l.file.Sync(), l.file.Close(), l.lock.Close())
}
