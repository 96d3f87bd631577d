package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// Bounds of the room on a disk, below which it is told.
const (
	fewBytes = 1 << 30
	noBytes  = 100 << 20
)

// data looks at what Plenum keeps.
func (d *doctor) data(ctx context.Context, f *config.File) section {
	s := section{title: "Data in " + f.DataDir}
	st, err := os.Stat(f.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.add("directory", note, "is not there yet; the first start makes it", "")
		s.room(existing(f.DataDir))
		return s
	case err != nil:
		s.add("directory", bad, err.Error(), "give the user that Plenum runs as access to it")
		return s
	case !st.IsDir():
		s.add("directory", bad, "is not a directory", "move it away, or set another data_dir")
		return s
	}
	s.access(f.DataDir, st)
	s.room(f.DataDir)
	s.pepper(f.DataDir)
	s.journal(filepath.Join(f.DataDir, store.JournalName))
	d.store(ctx, &s, f)
	return s
}

// access looks who may read the directory, and whether we may write to it.
func (s *section) access(dir string, st os.FileInfo) {
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		s.add("directory", warn, fmt.Sprintf("other users of the machine may enter it (mode %04o)", st.Mode().Perm()), "chmod 700 "+dir)
	} else {
		s.add("directory", good, "is there, and closed to others", "")
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		s.add("writing", bad, err.Error(), "give the user that Plenum runs as (now "+userName()+") the right to write there")
		return
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString("x")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		s.add("writing", bad, err.Error(), "")
	}
}

func userName() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return fmt.Sprintf("user %d", os.Getuid())
}

// room looks how much room there is on the disk.
func (s *section) room(dir string) {
	free, ok := freeBytes(dir)
	switch {
	case !ok:
	case free < noBytes:
		s.add("disk", bad, bytesText(free)+" free", "make room: Plenum refuses calls that it cannot record")
	case free < fewBytes:
		s.add("disk", warn, bytesText(free)+" free", "make room soon")
	default:
		s.add("disk", good, bytesText(free)+" free", "")
	}
}

// existing returns the nearest directory above a path that is there.
func existing(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return "."
	}
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// pepper looks at the value that keys are hashed under.
func (s *section) pepper(dir string) {
	path := filepath.Join(dir, identity.PepperName)
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, store.DatabaseName)); err == nil {
			s.add("pepper", bad, "is missing: no key that was made before will be known", "restore "+path+" from a backup before the next start")
		}
		return
	}
	if err == nil {
		_, err = identity.LoadOrCreatePepper(dir)
	}
	switch {
	case err != nil:
		s.add("pepper", bad, err.Error(), "restore it from a backup: without it no key is known")
	case runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0:
		s.add("pepper", bad, fmt.Sprintf("others may read it (mode %04o)", st.Mode().Perm()), "chmod 600 "+path)
	default:
		s.add("pepper", good, "is whole, and only its owner may read it", "")
	}
}

// journal proves the journal of the calls that are not in the store yet.
func (s *section) journal(dir string) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		s.add("journal", note, "there is none yet", "")
		return
	}
	rep, err := ledger.Verify(dir)
	if err != nil {
		s.add("journal", bad, err.Error(), "Plenum goes on behind the damage at its next start and sets the rest aside; keep a copy of "+dir)
		return
	}
	s.add("journal", good, fmt.Sprintf("whole and unchanged: %s in %s", many(rep.Begins+rep.Ends, "line"), many(rep.Segments, "file")), "")
}

// storeTime is how long the store may take to answer.
const storeTime = 15 * time.Second

// store looks whether the store opens, is of this version, and has what it should.
func (d *doctor) store(ctx context.Context, s *section, f *config.File) {
	about := "store"
	if !f.Database.Empty() {
		about = "database"
	} else if _, err := os.Stat(filepath.Join(f.DataDir, store.DatabaseName)); errors.Is(err, fs.ErrNotExist) {
		s.add(about, note, "there is none yet; the first start makes it", "")
		return
	}
	quick, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	st, err := openStore(quick, f)
	if err != nil {
		s.add(about, bad, err.Error(), "see that it is there and that Plenum may use it, or restore a backup")
		return
	}
	defer st.Close()
	keys, err := st.Keys(quick)
	if err != nil {
		s.add(about, bad, err.Error(), "restore a backup: `plenum restore FILE --data-dir ANOTHER`")
		return
	}
	sums, err := st.Usage(quick, store.UsageQuery{})
	if err != nil {
		s.add(about, bad, err.Error(), "restore a backup: `plenum restore FILE --data-dir ANOTHER`")
		return
	}
	var calls int64
	for _, u := range sums {
		calls += u.Calls
	}
	s.add(about, good, "opens and is up to date: "+many(int(calls), "call"), "")
	usable := len(f.Keys)
	for i := range keys {
		if identity.Usable(&keys[i], d.now()) == nil {
			usable++
		}
	}
	if usable == 0 {
		s.add("keys", warn, "there is none that is good, so nobody can call", "`plenum create key NAME` makes one")
	} else {
		s.add("keys", good, many(usable, "good one"), "")
	}
	if d.deep {
		s.proof(ctx, st)
	}
}

// proof proves that the records in the store are those that were written.
func (s *section) proof(ctx context.Context, st store.Store) {
	p, err := store.Verify(ctx, st)
	switch {
	case err != nil:
		s.add("records", bad, err.Error(), "")
	case len(p.Changed) > 0 || len(p.Gaps) > 0:
		s.add("records", bad, fmt.Sprintf("%d were changed after they were written, before %d something is missing", len(p.Changed), len(p.Gaps)),
			"find out who can write to the store; a backup from before has the originals")
	default:
		s.add("records", good, fmt.Sprintf("%d are as they were written", p.Entries), "")
	}
}
