package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is one file of the journal, named after the seq of its first line. It begins with a head
// and with the calls that were under way, begun again: so the last segment alone tells which calls are
// open, and a segment may go as soon as its ends are stored.

const (
	segmentExt = ".journal"
	newExt     = ".new"  // a segment that is being made
	tornExt    = ".torn" // what was cut off
)

// segmentPath returns the path of a segment.
func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentExt))
}

// segments lists the segments of a directory, oldest first.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	var all []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentExt)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(name, 10, 64); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// rotate begins a new segment. On an error the one in use stays in use. The caller holds l.commit.
func (l *Ledger) rotate() error {
	if l.opts.Sync != SyncOff {
		if err := l.sync(); err != nil {
			return err
		}
	}
	buf, seq, chain, err := l.opening()
	if err != nil {
		return err
	}
	f, err := createSegment(l.dir, l.seq+1, buf)
	if err != nil {
		return err
	}
	if l.opts.Sync != SyncOff {
		syncDir(l.dir)
	}
	if l.file != nil {
		_ = l.file.Close() // everything in it was written; nothing is buffered
	}
	l.file, l.segment, l.size = f, l.seq+1, int64(len(buf))
	l.seq, l.chain, l.dirty = seq, chain, true
	return nil
}

// opening returns the lines that a new segment begins with, and the state after them.
func (l *Ledger) opening() (buf []byte, seq uint64, chain Sum, err error) {
	h, err := json.Marshal(head{version, l.node, l.chain.String(), time.Now().UnixMicro()})
	if err != nil {
		return nil, 0, chain, err
	}
	seq = l.seq + 1
	buf, chain = appendLine(nil, seq, kindSegment, h, l.chain)
	var payload []byte
	for _, b := range l.begun() {
		seq++
		payload = appendBegin(payload[:0], &b)
		buf, chain = appendLine(buf, seq, kindBegin, payload, chain)
	}
	return buf, seq, chain, nil
}

// begun returns the open calls, oldest first.
func (l *Ledger) begun() []Begin {
	return slices.SortedFunc(maps.Values(l.open), func(a, b Begin) int {
		if a.Start != b.Start {
			return int(max(-1, min(1, a.Start-b.Start)))
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// createSegment makes a segment that begins with buf. It takes its name when it is whole.
func createSegment(dir string, first uint64, buf []byte) (*os.File, error) {
	path := segmentPath(dir, first)
	f, err := os.OpenFile(path+newExt, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a segment: %w", err)
	}
	_, err = f.Write(buf)
	if err == nil {
		err = os.Rename(path+newExt, path)
	}
	if err != nil {
		return nil, fmt.Errorf("making a segment: %w", errors.Join(err, f.Close(), os.Remove(path+newExt)))
	}
	return f, nil
}

// syncDir forces a directory's list of names to the disk, where the system knows such a thing.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// reader reads the whole lines of a segment, many at once, in bounded memory.
type reader struct {
	file  *os.File
	off   int64
	limit int64
	buf   []byte
}

// chunk is how much is read at once.
const chunk = 1 << 20

// readAll makes a reader of everything that is in the file now.
func readAll(f *os.File) (*reader, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &reader{file: f, limit: st.Size()}, nil
}

// lines returns the next run of whole lines; the caller moves off on past what it took. It returns
// io.EOF at the limit, and errTorn where there is no end of a line before it.
func (r *reader) lines() ([]byte, error) {
	if r.off >= r.limit {
		return nil, io.EOF
	}
	for size := int64(max(chunk, len(r.buf))); ; size *= 2 {
		size = min(size, r.limit-r.off)
		if int64(len(r.buf)) < size {
			r.buf = make([]byte, size)
		}
		n, err := r.file.ReadAt(r.buf[:size], r.off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the journal: %w", err)
		}
		if end := bytes.LastIndexByte(r.buf[:n], '\n'); end >= 0 {
			return r.buf[:end+1], nil
		}
		if int64(n) < size || r.off+size >= r.limit {
			return nil, errTorn
		}
	}
}
