package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
)

// An archive is a .tar.gz of the files of a data directory, with the manifest last: an archive that was
// not written whole has none.

const (
	manifestName  = "manifest.json"
	archiveFormat = 1
)

// Manifest says what is in an archive.
type Manifest struct {
	Format  int    `json:"format"`
	Product string `json:"product"`
	Version string `json:"version"` // of the program that wrote it
	Time    string `json:"time"`
	Parts   []Part `json:"parts"`
}

// Part is one file of an archive.
type Part struct {
	Name   string `json:"name"` // within the data directory, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Source is what a backup is made of.
type Source struct {
	Dir string // the data directory
	// Copy copies the database as it is at one moment into a new file, such as the Backup of a
	// sqlite.DB.
	Copy func(ctx context.Context, path string) error
	// Dump hands out the parts of a database that is elsewhere, instead of Copy, such as postgres.Dump does.
	Dump func(ctx context.Context, emit Emit) error
	// Files are more files of the directory that belong to the archive, such as the one with the master
	// key, by their names within it. One that is not there is left out.
	Files []string
}

// Emit takes one part of a database.
type Emit func(name string, size int64, r io.Reader) error

// Backup writes an archive of a data directory that may be in use. It has every call that ended before
// Backup began.
//
// The order makes it so: what the ledger has not stored yet is in the journal, and from there it goes to
// the database. The journal is copied first and the database after it, so whatever moves meanwhile is in
// both copies rather than in neither; the store knows a record that comes again.
func Backup(ctx context.Context, w io.Writer, src Source) (Manifest, error) {
	z := gzip.NewWriter(w)
	a := &archive{tar: tar.NewWriter(z), manifest: Manifest{
		Format: archiveFormat, Product: plenum.Product, Version: plenum.Version,
		Time: time.Now().UTC().Format(time.RFC3339),
	}}
	err := a.addAll(ctx, src)
	if err == nil {
		err = errors.Join(a.tar.Close(), z.Close())
	}
	if err != nil {
		return a.manifest, fmt.Errorf("backing up %s: %w", src.Dir, err)
	}
	return a.manifest, nil
}

// archive is an archive being written.
type archive struct {
	tar      *tar.Writer
	manifest Manifest
}

// addAll adds all parts and the manifest.
func (a *archive) addAll(ctx context.Context, src Source) error {
	if err := a.addJournal(ctx, filepath.Join(src.Dir, JournalName)); err != nil {
		return err
	}
	for _, name := range src.Files {
		if err := a.addFile(ctx, name, filepath.Join(src.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := a.addDatabase(ctx, src); err != nil {
		return err
	}
	if err := a.addContents(ctx, src.Dir); err != nil {
		return err
	}
	b, err := json.MarshalIndent(a.manifest, "", "\t")
	if err != nil {
		return err
	}
	return a.write(ctx, manifestName, int64(len(b)), bytes.NewReader(b))
}

// addJournal adds what the ledger holds.
func (a *archive) addJournal(ctx context.Context, dir string) error {
	err := ledger.Copy(dir, func(name string, size int64, r io.Reader) error {
		return a.add(ctx, path.Join(JournalName, name), size, r)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there has been no call yet
	}
	return err
}

// addDatabase adds a copy of the database.
func (a *archive) addDatabase(ctx context.Context, src Source) error {
	if src.Dump != nil {
		return src.Dump(ctx, func(name string, size int64, r io.Reader) error {
			return a.add(ctx, path.Join(DumpName, name), size, r)
		})
	}
	// The copy is made beside the original, where there is room for such a file and nobody else looks.
	dir, err := os.MkdirTemp(src.Dir, "backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, DatabaseName)
	if err := src.Copy(ctx, file); err != nil {
		return err
	}
	return a.addFile(ctx, DatabaseName, file)
}

// addContents adds the contents of objects. They come after the database: one that the database knows is
// there, but for those that were deleted in between.
func (a *archive) addContents(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, ContentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "part-") {
			continue // it is not whole yet
		}
		name := path.Join(ContentName, e.Name())
		if err := a.addFile(ctx, name, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// addFile adds a file.
func (a *archive) addFile(ctx context.Context, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return a.add(ctx, filepath.ToSlash(name), st.Size(), f)
}

// add adds a part.
func (a *archive) add(ctx context.Context, name string, size int64, r io.Reader) error {
	h := sha256.New()
	if err := a.write(ctx, name, size, io.TeeReader(r, h)); err != nil {
		return err
	}
	a.manifest.Parts = append(a.manifest.Parts, Part{name, size, sumOf(h)})
	return nil
}

// write writes one file of the archive.
func (a *archive) write(ctx context.Context, name string, size int64, r io.Reader) error {
	h := tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: time.Now(), Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(&h); err != nil {
		return fmt.Errorf("adding %s: %w", name, err)
	}
	if _, err := io.Copy(a.tar, &reader{ctx, r}); err != nil {
		return fmt.Errorf("adding %s: %w", name, err)
	}
	return nil
}

// sumOf returns a hash in hexadecimal.
func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// reader reads until its context ends.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call of io.Copy
	r   io.Reader
}

// Read reads on.
func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
