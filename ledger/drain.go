package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// position is a place in the journal: after the line Seq.
type position struct {
	Node    string `json:"node"`
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
	Seq     uint64 `json:"seq"`
	Chain   string `json:"chain"`
}

// drain is how far the journal was shipped.
type drain struct {
	mu     sync.Mutex // held while shipping; guards stored
	stored position   // after the last entry that the Sink has; kept in a file
	seq    atomic.Uint64
}

const positionName = "drained"

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// Run ships the ended calls to the Sink until ctx ends. While the Sink fails it tries again, ever less
// often, and the journal grows.
func (l *Ledger) Run(ctx context.Context, sink Sink) error {
	var syncs <-chan time.Time
	if l.opts.Sync == SyncInterval {
		tick := time.NewTicker(l.opts.SyncEvery)
		defer tick.Stop()
		syncs = tick.C
	}
	var due <-chan time.Time // nil while there is nothing to ship
	var waited time.Duration // after a failure
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-syncs:
			l.syncNow()
		case <-l.wake:
			if due == nil {
				due = time.After(l.opts.Linger)
			}
		case <-due:
			due = nil
			if waited = l.attempt(ctx, sink, waited); waited > 0 {
				due = time.After(waited)
			}
		}
	}
}

// attempt ships what there is. It returns how long to wait after a failure, 0 after a success.
func (l *Ledger) attempt(ctx context.Context, sink Sink, waited time.Duration) time.Duration {
	err := l.Drain(ctx, sink)
	switch {
	case err == nil && waited > 0:
		l.opts.Log.Info("the journal is being stored again")
		return 0
	case err == nil || ctx.Err() != nil:
		return 0
	}
	wait := min(max(2*waited, minBackoff), maxBackoff)
	l.opts.Log.Error("the journal cannot be stored; trying again", "error", err, "wait", wait)
	return wait
}

// syncNow forces the journal to the disk, at its interval.
func (l *Ledger) syncNow() {
	l.commit.Lock()
	defer l.commit.Unlock()
	if err := l.sync(); err != nil {
		l.opts.Log.Error("the journal was not forced to the disk", "error", err)
	}
}

// Drain ships what was written before it was called, once. A node that stops for good calls it after
// Run has returned, so that nothing stays behind on it.
func (l *Ledger) Drain(ctx context.Context, sink Sink) error {
	l.drain.mu.Lock()
	defer l.drain.mu.Unlock()
	s := &shipper{l: l, at: l.drain.stored}
	defer s.close()
	l.commit.Lock()
	s.last, s.limit = l.segment, l.size
	l.commit.Unlock()
	for {
		entries, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(entries) > 0 {
			err = l.ship(ctx, sink, entries, s.ended)
		}
		if err != nil {
			return err
		}
	}
}

// ship hands entries to the Sink and notes that it has them.
func (l *Ledger) ship(ctx context.Context, sink Sink, entries []Entry, ended position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := sink.Append(ctx, entries); err != nil {
		return fmt.Errorf("storing %d entries: %w", len(entries), err)
	}
	l.drain.stored = ended
	l.drain.seq.Store(ended.Seq)
	b, err := json.Marshal(ended)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(l.dir, positionName), b); err != nil {
		return fmt.Errorf("noting what was stored: %w", err)
	}
	return removeBefore(l.dir, ended.Segment)
}

// removeBefore deletes the segments before one.
func removeBefore(dir string, segment uint64) error {
	all, err := segments(dir)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s >= segment {
			break
		}
		if err := os.Remove(segmentPath(dir, s)); err != nil {
			return fmt.Errorf("deleting a stored segment: %w", err)
		}
	}
	return nil
}

// loadPosition reads how far the journal was shipped. Where that is not known, or is not a place in this
// journal, everything is shipped again: the Sink knows what it has.
func loadPosition(dir string) position {
	var p position
	b, err := os.ReadFile(filepath.Join(dir, positionName))
	if err != nil || json.Unmarshal(b, &p) != nil || !p.within(dir) {
		return position{}
	}
	return p
}

// within reports whether the journal has the position's line where the position says.
func (p *position) within(dir string) bool {
	f, err := os.Open(segmentPath(dir, p.Segment))
	if err != nil {
		return false
	}
	defer f.Close()
	tail := make([]byte, tailSize)
	if _, err := f.ReadAt(tail, p.Offset-int64(tailSize)); err != nil {
		return false
	}
	return len(p.Chain) == 2*len(Sum{}) && bytes.Contains(tail, []byte(`"`+p.Chain+`"`))
}

// shipper reads a journal from a position on, segment after segment, and makes entries of the ends.
type shipper struct {
	l     *Ledger
	last  uint64 // the segment to stop in
	limit int64  // and where in it

	r       *reader
	at      position
	chain   Sum
	prior   Sum      // the chain of the entry before
	between []Sum    // of the lines since
	ended   position // after the last entry returned
}

// next returns the entries of the next run of lines, which may be none, and io.EOF at the end. The
// entries are valid until the next call.
func (s *shipper) next() ([]Entry, error) {
	if s.r == nil {
		if err := s.start(); err != nil {
			return nil, err
		}
	}
	b, err := s.r.lines()
	switch {
	case errors.Is(err, io.EOF):
		return nil, s.advance()
	case errors.Is(err, errTorn):
		return nil, s.skip(err)
	case err != nil:
		return nil, err
	}
	entries, err := s.take(b)
	if err != nil && len(entries) == 0 {
		err = s.skip(err)
	} else {
		err = nil // it comes up again when these are stored
	}
	return entries, err
}

// take makes entries of lines, up to the first that does not follow.
func (s *shipper) take(b []byte) (entries []Entry, err error) {
	for len(b) > 0 {
		ln, err := follow(b, s.at.Seq, s.chain)
		if err != nil {
			return entries, err
		}
		s.move(&ln)
		b = b[ln.size:]
		if !isEntry(ln.kind) {
			s.between = append(s.between, ln.sum)
			continue
		}
		entries = append(entries, Entry{
			Node: s.at.Node, Seq: ln.seq, Kind: string(ln.kind), Prior: s.prior, Between: s.between, Chain: ln.chain, Body: ln.payload,
		})
		s.prior, s.between = ln.chain, nil
		s.ended = s.at
		s.ended.Chain = ln.chain.String()
	}
	return entries, nil
}

// move goes past a line.
func (s *shipper) move(ln *line) {
	s.r.off += int64(ln.size)
	s.at.Offset, s.at.Seq, s.chain = s.r.off, ln.seq, ln.chain
}

// start opens the segment of the position, or the first.
func (s *shipper) start() error {
	if s.at.Segment == 0 {
		return s.advance()
	}
	if _, err := hex.Decode(s.chain[:], []byte(s.at.Chain)); err != nil {
		return fmt.Errorf("reading the position in the journal: %w", err)
	}
	s.prior = s.chain
	if err := s.open(s.at.Segment); err != nil {
		return err
	}
	s.r.off = s.at.Offset
	return nil
}

// open opens a segment for reading.
func (s *shipper) open(segment uint64) error {
	f, err := os.Open(segmentPath(s.l.dir, segment))
	if err != nil {
		return fmt.Errorf("shipping the journal: %w", err)
	}
	r, err := readAll(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if segment == s.last {
		r.limit = s.limit
	}
	s.close()
	s.r = r
	return nil
}

// advance goes on to the next segment, and returns io.EOF in the last.
func (s *shipper) advance() error {
	all, err := segments(s.l.dir)
	if err != nil {
		return err
	}
	for _, next := range all {
		if next > s.at.Segment && next <= s.last {
			return s.enter(next)
		}
	}
	return io.EOF
}

// enter opens the next segment and reads its head.
func (s *shipper) enter(segment uint64) error {
	if err := s.open(segment); err != nil {
		return err
	}
	b, err := s.r.lines()
	if err != nil {
		return fmt.Errorf("reading the head of segment %d: %w", segment, err)
	}
	h, ln, err := parseHead(b)
	if err != nil {
		return fmt.Errorf("reading the head of segment %d: %w", segment, err)
	}
	after, err := h.after()
	if err != nil {
		return err
	}
	if after != s.chain {
		if s.at.Segment != 0 {
			s.l.opts.Log.Error("the journal has a gap", "before", segmentPath(s.l.dir, segment))
		}
		s.prior, s.between = after, nil
	}
	s.at = position{Node: h.Node, Segment: segment}
	s.move(&ln)
	s.between = append(s.between, ln.sum)
	return nil
}

// skip passes over the rest of a segment that cannot be read, and keeps it for the operator. The last
// segment is still being written and is not passed over.
func (s *shipper) skip(cause error) error {
	path := segmentPath(s.l.dir, s.at.Segment)
	err := fmt.Errorf("%s is damaged at byte %d: %w", path, s.r.off, cause)
	if s.at.Segment == s.last {
		return err
	}
	s.l.opts.Log.Error("the rest of a segment is set aside; its records are not stored", "error", err)
	if err := setAside(s.r, path); err != nil {
		return err
	}
	return s.advance()
}

// close closes the segment being read.
func (s *shipper) close() {
	if s.r != nil {
		_ = s.r.file.Close() // it was only read
	}
}
