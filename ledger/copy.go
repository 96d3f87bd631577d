package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Copy hands out the files of a journal, which may be in use by this or another process: how far it was
// shipped first, then what was written. What was shipped may have been deleted already; so a copy of the
// journal and a copy of the Sink's store made after it have every record between them, some in both.
//
// The copy has no name of a node: whoever opens it goes on as a node of its own. Calls that were under
// way are settled as lost there.
func Copy(dir string, emit func(name string, size int64, r io.Reader) error) error {
	position, err := os.ReadFile(filepath.Join(dir, positionName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("copying the journal: %w", err)
	}
	files, err := holdSegments(dir)
	if err != nil {
		return fmt.Errorf("copying the journal: %w", err)
	}
	defer closeAll(files)
	for _, f := range files {
		if err := copySegment(f, emit); err != nil {
			return fmt.Errorf("copying the journal: %w", err)
		}
	}
	if len(position) == 0 {
		return nil
	}
	return emit(positionName, int64(len(position)), bytes.NewReader(position))
}

// holdSegments opens all segments, so that none is missing from their row however many are deleted
// meanwhile.
func holdSegments(dir string) ([]*os.File, error) {
	for {
		all, err := segments(dir)
		if err != nil {
			return nil, err
		}
		files, err := openSegments(dir, all)
		if !errors.Is(err, os.ErrNotExist) {
			return files, err
		}
	}
}

// openSegments opens segments, or none of them.
func openSegments(dir string, all []uint64) (files []*os.File, err error) {
	for _, s := range all {
		f, err := os.Open(segmentPath(dir, s))
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// closeAll closes files that were only read.
func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// copySegment hands out the whole lines that a segment has now.
func copySegment(f *os.File, emit func(string, int64, io.Reader) error) error {
	r, err := readAll(f)
	if err != nil {
		return err
	}
	for {
		b, err := r.lines()
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			break
		}
		if err != nil {
			return err
		}
		r.off += int64(len(b))
	}
	return emit(filepath.Base(f.Name()), r.off, io.NewSectionReader(f, 0, r.off))
}
