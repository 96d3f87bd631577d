package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plenum-foundry/plenum"
)

// The errors of Restore on which a caller may act; they come wrapped.
var (
	ErrNotEmpty = errors.New("the directory is not empty")
	ErrDamaged  = errors.New("the archive is damaged or not whole")
)

// maxManifest is the largest manifest that is read.
const maxManifest = 64 << 20

// Restore unpacks an archive into a data directory, which must be empty or not exist. All of it is
// checked before the directory is touched. What load is given is the directory in which the whole archive lies
// unpacked; where it fails nothing is put in place.
func Restore(ctx context.Context, r io.Reader, dir string, load ...func(ctx context.Context, unpacked string) error) (Manifest, error) {
	m, err := restore(ctx, r, dir, load)
	if err != nil {
		return m, fmt.Errorf("restoring into %s: %w", dir, err)
	}
	return m, nil
}

// restore unpacks into a directory beside the one that is wanted, checks it there and puts it in place.
func restore(ctx context.Context, r io.Reader, dir string, load []func(context.Context, string) error) (Manifest, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Manifest{}, err
	}
	if err := checkEmpty(dir); err != nil {
		return Manifest{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return Manifest{}, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".restoring-")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(tmp)
	m, err := unpack(ctx, r, tmp)
	if err != nil {
		return m, err
	}
	for _, f := range load {
		if err := f(ctx, tmp); err != nil {
			return m, err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	return m, os.Rename(tmp, dir)
}

// checkEmpty returns ErrNotEmpty where there is something in a directory.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = ErrNotEmpty
	}
	return err
}

// unpack unpacks an archive and checks it against its manifest.
func unpack(ctx context.Context, r io.Reader, dir string) (Manifest, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return Manifest{}, errors.Join(ErrDamaged, err)
	}
	t := tar.NewReader(z)
	var parts []Part
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return Manifest{}, fmt.Errorf("%w: it has no manifest", ErrDamaged)
		}
		if err != nil {
			return Manifest{}, errors.Join(ErrDamaged, err)
		}
		if h.Name == manifestName {
			return readManifest(t, parts)
		}
		p, err := unpackPart(ctx, t, h, dir)
		if err != nil {
			return Manifest{}, err
		}
		parts = append(parts, p)
	}
}

// unpackPart unpacks one file.
func unpackPart(ctx context.Context, t io.Reader, h *tar.Header, dir string) (Part, error) {
	name := filepath.FromSlash(h.Name)
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
		return Part{}, fmt.Errorf("%w: %q has no place in it", ErrDamaged, h.Name)
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Part{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Part{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), &reader{ctx, t})
	if err == nil {
		err = f.Sync()
	} else if ctx.Err() == nil && !errors.As(err, new(*fs.PathError)) {
		err = errors.Join(ErrDamaged, err) // no file failed, so it is what was read
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return Part{}, fmt.Errorf("unpacking %s: %w", h.Name, err)
	}
	return Part{h.Name, n, sumOf(sum)}, nil
}

// readManifest reads the manifest and holds the parts against it.
func readManifest(r io.Reader, parts []Part) (Manifest, error) {
	var m Manifest
	b, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	switch {
	case err != nil:
		return m, errors.Join(ErrDamaged, err)
	case m.Product != plenum.Product:
		return m, fmt.Errorf("%w: it is of %q", ErrDamaged, m.Product)
	case m.Format != archiveFormat:
		return m, fmt.Errorf("the archive has format %d, of %s %s; this is %s and reads format %d",
			m.Format, m.Product, m.Version, plenum.Version, archiveFormat)
	case len(m.Parts) != len(parts):
		return m, fmt.Errorf("%w: it has %d parts and should have %d", ErrDamaged, len(parts), len(m.Parts))
	}
	for i, want := range m.Parts {
		if parts[i] != want {
			return m, fmt.Errorf("%w: %s is not what was backed up", ErrDamaged, want.Name)
		}
	}
	return m, nil
}
