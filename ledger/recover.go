package ledger

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum"
)

const (
	lockName = "lock"
	nodeName = "node"
)

// Open opens the journal in a directory, which it makes where there is none. It cuts off a line that was
// not written whole (what it cut is kept in a file beside it) and settles the calls that were begun and
// never ended.
func Open(dir string, o Options) (*Ledger, error) {
	o = o.withDefaults()
	if o.Sync != SyncOff && o.Sync != SyncInterval && o.Sync != SyncAlways {
		return nil, fmt.Errorf("opening the journal %s: there is no sync policy %q", dir, string(o.Sync))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("opening the journal %s: %w", dir, err)
	}
	l := &Ledger{
		dir: dir, opts: o, lock: lock,
		wake: make(chan struct{}, 1), open: map[string]Begin{}, meant: map[string]Audit{},
	}
	if err := l.recover(); err != nil {
		if l.file != nil {
			_ = l.file.Close()
		}
		return nil, fmt.Errorf("opening the journal %s: %w", dir, errors.Join(err, lock.Close()))
	}
	return l, nil
}

// recover brings the ledger to where the last process left it.
func (l *Ledger) recover() error {
	if err := removeUnfinished(l.dir); err != nil {
		return err
	}
	var err error
	if l.node, err = readNode(l.dir); err != nil {
		return err
	}
	writer, err := l.resume()
	if err != nil {
		return err
	}
	// A journal that another node wrote (a restored backup, a copied directory) is taken over under this
	// node's name, so that no place in a chain is ever taken twice.
	taken := writer != "" && writer != l.node
	before := l.last
	if l.file == nil || taken {
		l.last = Head{}
		if err := l.rotate(); err != nil {
			return err
		}
	}
	l.drain.stored = loadPosition(l.dir)
	l.drain.seq.Store(l.drain.stored.Seq)
	if err := l.recall(); err != nil {
		return err
	}
	if taken {
		if err := l.took(writer, before); err != nil {
			return err
		}
	}
	select {
	case l.wake <- struct{}{}: // there may be something to ship
	default:
	}
	if err := l.settleMeant(); err != nil {
		return err
	}
	return l.settle()
}

// recall finds the last entry where it is in no file any more, or in none that was read.
func (l *Ledger) recall() error {
	p := &l.drain.stored
	if l.last.Seq != 0 || p.Node != l.node {
		return nil
	}
	l.last.Seq = p.Seq
	return l.last.Chain.UnmarshalText([]byte(p.Chain))
}

// took writes down that this node goes on where another has been: so a chain that begins in the middle says why.
func (l *Ledger) took(writer string, before Head) error {
	before.Node = writer
	was, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return l.Audit(Audit{Actor: "plenum", Action: ActionTakeOver, Noun: "ledger", Name: l.node, Before: was})
}

// removeUnfinished removes segments that were being made when the process ended.
func removeUnfinished(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+segmentExt+newExt))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := os.Remove(n); err != nil {
			return fmt.Errorf("removing an unfinished segment: %w", err)
		}
	}
	return nil
}

// readNode returns the name of the node, which is made up at the first start.
func readNode(dir string) (string, error) {
	path := filepath.Join(dir, nodeName)
	b, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the node's name: %w", err)
	}
	name := strings.ToLower(rand.Text()[:16])
	if err := replaceFile(path, []byte(name+"\n")); err != nil {
		return "", fmt.Errorf("naming the node: %w", err)
	}
	return name, nil
}

// replaceFile puts a file in place of another, whole or not at all.
func replaceFile(path string, b []byte) error {
	if err := os.WriteFile(path+newExt, b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+newExt, path)
}

// resume goes on with the last segment that has a head, and returns the node that wrote it. Where there
// is none, the file stays nil.
func (l *Ledger) resume() (writer string, err error) {
	all, err := segments(l.dir)
	if err != nil {
		return "", err
	}
	for i := len(all) - 1; i >= 0; i-- {
		writer, err = l.reopen(all[i])
		if err == nil || l.file != nil {
			return writer, err
		}
		path := segmentPath(l.dir, all[i])
		l.opts.Log.Error("a segment of the journal cannot be read; it is set aside", "file", path, "error", err)
		if err := os.Rename(path, path+tornExt); err != nil {
			return "", fmt.Errorf("setting a segment aside: %w", err)
		}
	}
	return "", nil
}

// reopen reads a segment and opens it for more. It leaves l.file nil where the segment has no head.
func (l *Ledger) reopen(first uint64) (writer string, err error) {
	f, err := os.OpenFile(segmentPath(l.dir, first), os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	r, err := readAll(f)
	if err != nil {
		return "", errors.Join(err, f.Close())
	}
	h, err := l.readHead(r)
	if err != nil {
		return "", errors.Join(err, f.Close())
	}
	l.file, l.segment = f, first
	if err := l.replay(r); err != nil {
		return "", err
	}
	l.size = r.off
	return h.Node, l.cutTail(r)
}

// readHead reads the head of a segment and takes the chain from it.
func (l *Ledger) readHead(r *reader) (head, error) {
	b, err := r.lines()
	if err != nil {
		return head{}, err
	}
	h, ln, err := parseHead(b)
	if err != nil {
		return h, err
	}
	r.off += int64(ln.size)
	l.seq, l.chain = ln.seq, ln.chain
	return h, nil
}

// replay reads the lines up to the end, or to the first that is not whole.
func (l *Ledger) replay(r *reader) error {
	for {
		b, err := r.lines()
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			return nil
		}
		if err != nil {
			return err
		}
		for len(b) > 0 {
			ln, err := follow(b, l.seq, l.chain)
			if err != nil {
				return nil //nolint:nilerr // the tail is cut off here
			}
			if err := l.replayLine(&ln); err != nil {
				return err
			}
			b, r.off = b[ln.size:], r.off+int64(ln.size)
		}
	}
}

// replayLine takes up one line.
func (l *Ledger) replayLine(ln *line) error {
	l.seq, l.chain = ln.seq, ln.chain
	if isEntry(ln.kind) {
		l.last = Head{Seq: ln.seq, Chain: ln.chain}
	}
	switch ln.kind {
	case kindSegment:
		return nil
	case kindIntent, kindAudit:
		return l.replayAudit(ln)
	case kindBegin, kindEnd:
	}
	var b Begin // an end has the same members, and more
	if err := json.Unmarshal(ln.payload, &b); err != nil {
		return fmt.Errorf("reading line %d: %w", ln.seq, err)
	}
	l.note(ln.kind, b)
	return nil
}

// replayAudit takes up what somebody was about to do, or what came of it.
func (l *Ledger) replayAudit(ln *line) error {
	if ln.kind == kindAudit && len(l.meant) == 0 {
		return nil
	}
	var a Audit
	if err := json.Unmarshal(ln.payload, &a); err != nil {
		return fmt.Errorf("reading line %d: %w", ln.seq, err)
	}
	if ln.kind == kindIntent {
		l.meant[a.ID] = a
	} else {
		delete(l.meant, a.ID)
	}
	return nil
}

// settleMeant writes down of what was begun by somebody, and not told of as done, that nobody knows what came of it.
func (l *Ledger) settleMeant() error {
	ids := slices.Sorted(maps.Keys(l.meant))
	for _, id := range ids {
		a := l.meant[id]
		a.Decision, a.Reason = Failed, "the process ended before it was told; it may have been done"
		if err := l.Audit(a); err != nil {
			return err
		}
		delete(l.meant, id)
	}
	return nil
}

// cutTail cuts off what follows the last whole line and keeps it for the operator.
func (l *Ledger) cutTail(r *reader) error {
	if r.off == r.limit {
		return nil
	}
	path := segmentPath(l.dir, l.segment)
	l.opts.Log.Warn("the journal's last line is not whole; it is cut off and kept aside",
		"file", path, "bytes", r.limit-r.off)
	if err := setAside(r, path); err != nil {
		return err
	}
	return l.file.Truncate(r.off)
}

// setAside keeps what the reader has not read in a file beside the segment.
func setAside(r *reader, segment string) error {
	path := fmt.Sprintf("%s.%d%s", segment, r.off, tornExt)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("setting aside a part of the journal: %w", err)
	}
	_, err = io.Copy(f, io.NewSectionReader(r.file, r.off, r.limit-r.off))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("setting aside a part of the journal: %w", err)
	}
	return nil
}

// settle ends the calls that the last process left open.
func (l *Ledger) settle() error {
	var r room
	for _, b := range l.begun() {
		rec := l.opts.Settle(b)
		rec.ID, rec.Outcome, rec.Estimated = b.ID, plenum.OutcomeLost, true
		r.payload = appendRecord(r.payload, &rec)
		r.items = append(r.items, item{kindEnd, len(r.payload), b})
	}
	if len(r.items) == 0 {
		return nil
	}
	l.opts.Log.Warn("calls that a stopped process left open are settled", "calls", len(r.items))
	return l.write(r)
}
