// Package anchor puts the heads of ledgers where whoever can rewrite a ledger cannot rewrite them: into a file, a git
// repository, under the stamp of a time-stamping authority (RFC 3161), into a log that somebody else keeps.
//
// A hash chain shows that something in the middle was changed. Whoever rewrites all of it from there on, or cuts off its
// end, is found out by a head that was kept elsewhere: package proof holds an export against the anchors.
package anchor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/plenum-foundry/plenum/ledger"
)

// The kinds of anchors.
const (
	KindFile  = "file"
	KindGit   = "git"
	KindStamp = "rfc3161"
	KindLog   = "log"
)

// Anchored is a head with what proves when it was one. As one line of JSON it is what files and repositories hold.
type Anchored struct {
	ledger.Head
	Time    int64  `json:"time_us"`           // of this node's clock, in Unix microseconds
	Kind    string `json:"kind"`              // of the anchor
	Receipt []byte `json:"receipt,omitempty"` // a time-stamp's token, or what a log answered
}

// Digest returns what is stamped of a head: the SHA-256 of its JSON, without kind and receipt.
func (a *Anchored) Digest() [32]byte {
	return sha256.Sum256(a.stamped())
}

func (a *Anchored) stamped() []byte {
	return fmt.Appendf(nil, `{"node":%q,"seq":%d,"chain":%q,"time_us":%d}`, a.Node, a.Seq, a.Chain, a.Time)
}

// line returns the anchored head as a line.
func (a *Anchored) line() ([]byte, error) {
	b, err := json.Marshal(a)
	return append(b, '\n'), err
}

// Anchor is a place for heads.
type Anchor interface {
	// Put keeps a head there. It may add a receipt to it.
	Put(ctx context.Context, a *Anchored) error
}

// Read reads anchored heads, one a line. Lines that say nothing are passed over.
func Read(r io.Reader) ([]Anchored, error) {
	var out []Anchored
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		b, err := lines.ReadBytes('\n')
		if b = bytes.TrimSpace(b); len(b) > 0 {
			var a Anchored
			if err := json.Unmarshal(b, &a); err != nil {
				return nil, fmt.Errorf("line %d is no anchored head: %w", n, err)
			}
			out = append(out, a)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// File is a file that heads are added to: on another machine's disk, or where only adding is allowed.
type File struct{ Path string }

// Put adds a line to the file, and forces it to the disk.
func (f File) Put(_ context.Context, a *Anchored) (err error) {
	line, err := a.line()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return err
	}
	w, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(line)
	return errors.Join(err, w.Sync(), w.Close())
}
