package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is what Verify found.
type Report struct {
	Segments int
	Begins   int
	Ends     int
	Audits   int
	From, To uint64 // the first and the last seq
	Chain    Sum    // of the last line: the one value to keep elsewhere
}

// Verify reads a journal, which may be in use, and proves that its lines are whole, in order and
// unchanged since they were written. What is before the first segment was shipped; see Entry.Verify.
//
// A hash chain says that nothing in it was altered after the fact, as long as somebody else knows its
// last value: keep Report.Chain where whoever could rewrite the journal cannot.
func Verify(dir string) (Report, error) {
	var rep Report
	all, err := segments(dir)
	if err != nil {
		return rep, err
	}
	for i, s := range all {
		err := rep.segment(segmentPath(dir, s), i == len(all)-1)
		if errors.Is(err, os.ErrNotExist) {
			rep = Report{} // it was shipped and deleted just now, with all before it
			continue
		}
		if err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// segment verifies one segment.
func (rep *Report) segment(path string, last bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("verifying the journal: %w", err)
	}
	defer f.Close()
	r, err := readAll(f)
	if err == nil {
		err = rep.read(r)
	}
	// The last line may be just being written.
	if errors.Is(err, io.EOF) || last && errors.Is(err, errTorn) {
		return nil
	}
	return fmt.Errorf("verifying %s at byte %d: %w", path, r.off, err)
}

// read verifies a segment's lines up to its end, which is an error too: io.EOF.
func (rep *Report) read(r *reader) error {
	for {
		b, err := r.lines()
		if err != nil {
			return err
		}
		if r.off == 0 {
			if err := rep.enter(b); err != nil {
				return err
			}
		}
		for len(b) > 0 {
			ln, err := follow(b, rep.To, rep.Chain)
			if err != nil {
				return err
			}
			rep.count(&ln)
			b, r.off = b[ln.size:], r.off+int64(ln.size)
		}
	}
}

// enter verifies that a segment begins where the one before ended.
func (rep *Report) enter(b []byte) error {
	h, ln, err := parseHead(b)
	if err != nil {
		return err
	}
	after, err := h.after()
	if err != nil {
		return err
	}
	if rep.Segments == 0 {
		rep.From, rep.To, rep.Chain = ln.seq, ln.seq-1, after
	}
	if after != rep.Chain {
		return errChain
	}
	rep.Segments++
	return nil
}

// count takes up a line.
func (rep *Report) count(ln *line) {
	rep.To, rep.Chain = ln.seq, ln.chain
	switch ln.kind {
	case kindBegin:
		rep.Begins++
	case kindEnd:
		rep.Ends++
	case kindAudit:
		rep.Audits++
	case kindSegment, kindIntent:
	}
}
