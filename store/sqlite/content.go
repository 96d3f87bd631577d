package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plenum-foundry/plenum/store"
)

// Contents are files in a folder beside the database: large ones would make it and its backups slow.

// contentPath returns where a content is. Ids come from outside too, and not every id makes a good name.
func (d *DB) contentPath(id string) string {
	return filepath.Join(filepath.Dir(d.path), store.ContentName, hex.EncodeToString([]byte(id)))
}

// PutContent keeps all of r. It is on the disk, whole, before it has its name.
func (d *DB) PutContent(ctx context.Context, id string, r io.Reader) (n int64, err error) {
	path := d.contentPath(id)
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping the content of %s: %w", id, err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "part-*") // readable by its owner alone
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err = io.Copy(f, &whileGoing{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), path)
}

// whileGoing reads until its context ends.
type whileGoing struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call of io.Copy
	r   io.Reader
}

// Read reads on.
func (w *whileGoing) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(b)
}

// Content opens a content.
func (d *DB) Content(_ context.Context, id string) (io.ReadCloser, error) {
	f, err := os.Open(d.contentPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("opening the content of %s: %w", id, err)
	}
	return f, nil
}

// dropContent forgets a content, if there is one.
func (d *DB) dropContent(id string) error {
	if err := os.Remove(d.contentPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
