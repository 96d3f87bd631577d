package sqlite_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// data is a data directory in use.
type data struct {
	dir string
	db  *sqlite.DB
	l   *ledger.Ledger
}

// openData opens a data directory.
func openData(t *testing.T, dir string) data {
	t.Helper()
	db := open(t, filepath.Join(dir, store.DatabaseName))
	l, err := ledger.Open(filepath.Join(dir, store.JournalName),
		ledger.Options{SegmentSize: 20_000, Linger: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return data{dir, db, l}
}

// backup makes an archive.
func (d data) backup(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := store.Backup(t.Context(), &b, store.Source{Dir: d.dir, Copy: d.db.Backup, Files: files}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// call writes one whole call.
func (d data) call(id string) error {
	r := plenum.Record{ID: id, Start: 1, Outcome: plenum.OutcomeOK, Cost: 1, Priced: true}
	if err := d.l.Begin(ledger.BeginOf(&r)); err != nil {
		return err
	}
	return d.l.End(&r)
}

func TestABackupUnderLoadHasEveryCallThatEndedBefore(t *testing.T) {
	d := openData(t, filepath.Join(t.TempDir(), "data"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.l.Run(ctx, d.db); err != nil {
			t.Error(err)
		}
	})
	var ended calls
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", g, i)
				if err := d.call(id); err != nil {
					t.Error(err)
					return
				}
				ended.add(id)
				time.Sleep(time.Millisecond)
			}
		})
	}
	var before [4][]string
	var archives [4][]byte
	for i := range archives {
		time.Sleep(200 * time.Millisecond)
		before[i] = ended.all()
		archives[i] = d.backup(t)
	}
	cancel()
	wg.Wait()
	for i := range archives {
		checkRestored(t, archives[i], before[i])
	}
}

// calls gathers ids.
type calls struct {
	mu  sync.Mutex
	ids []string
}

func (c *calls) add(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, id)
}

func (c *calls) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[:len(c.ids):len(c.ids)]
}

// checkRestored restores an archive, lets it settle and fails unless it has every call, once.
func checkRestored(t *testing.T, archive []byte, want []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := store.Restore(t.Context(), bytes.NewReader(archive), dir); err != nil {
		t.Fatal(err)
	}
	d := openData(t, dir)
	if err := d.l.Drain(t.Context(), d.db); err != nil {
		t.Fatal(err)
	}
	stored, err := d.db.Calls(t.Context(), store.Filter{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	has, lost := map[string]bool{}, 0
	for i := range stored {
		has[stored[i].ID] = true
		if stored[i].Outcome == plenum.OutcomeLost {
			lost++
		}
	}
	for _, id := range want {
		if !has[id] {
			t.Errorf("call %s ended before the backup and is not in it", id)
		}
	}
	us, err := d.db.Usage(t.Context(), store.UsageQuery{})
	if err != nil || us[0].Calls != int64(len(stored)) || us[0].Cost != plenum.Micros(len(stored)-lost) {
		t.Errorf("the usage is %+v, %v; want that of %d calls, %d of them lost", us, err, len(stored), lost)
	}
	p, err := store.Verify(t.Context(), d.db)
	if err != nil || len(p.Changed)+len(p.Gaps) > 0 {
		t.Errorf("the proof is %+v, %v", p, err)
	}
	t.Logf("%d calls ended before the backup, %d are in it, %d of them under way and settled as lost",
		len(want), len(stored), lost)
}

func TestARestoredDirectoryHasAllItsParts(t *testing.T) {
	d := openData(t, filepath.Join(t.TempDir(), "data"))
	if err := d.db.SetSetting(t.Context(), "pepper", []byte("p")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "master.key"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.call("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.PutContent(t.Context(), "file-1", strings.NewReader("text")); err != nil {
		t.Fatal(err)
	}
	archive := d.backup(t, "master.key", "not-there")
	if left, _ := filepath.Glob(filepath.Join(d.dir, "backup-*")); len(left) > 0 {
		t.Errorf("the backup left %v behind", left)
	}
	dir := t.TempDir() // it exists, and is empty
	m, err := store.Restore(t.Context(), bytes.NewReader(archive), dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range m.Parts {
		names = append(names, p.Name)
		st, err := os.Stat(filepath.Join(dir, p.Name))
		if err != nil || st.Size() != p.Size || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p.Name, st, err)
		}
	}
	want := []string{"journal/00000000000000000001.journal", "master.key", "plenum.db", "content/66696c652d31"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", st.Mode())
	}
	r := openData(t, dir)
	if v, err := r.db.Setting(t.Context(), "pepper"); err != nil || string(v) != "p" {
		t.Errorf("the setting is %q, %v", v, err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "master.key")); string(b) != "secret" {
		t.Errorf("the file is %q", b)
	}
}

func TestARestoredJournalDoesNotTakeThePlacesOfTheOriginal(t *testing.T) {
	d := openData(t, filepath.Join(t.TempDir(), "data"))
	if err := d.call("before"); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	// The original goes on, and is stored, between the copy of the journal and that of the database.
	copyLater := func(ctx context.Context, path string) error {
		if err := errors.Join(d.call("meanwhile"), d.l.Drain(ctx, d.db)); err != nil {
			return err
		}
		return d.db.Backup(ctx, path)
	}
	if _, err := store.Backup(t.Context(), &archive, store.Source{Dir: d.dir, Copy: copyLater}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := store.Restore(t.Context(), &archive, dir); err != nil {
		t.Fatal(err)
	}
	r := openData(t, dir)
	if err := errors.Join(r.call("after"), r.l.Drain(t.Context(), r.db)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"before", "meanwhile", "after"} {
		if _, err := r.db.Call(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	d := openData(t, filepath.Join(t.TempDir(), "data"))
	if err := d.call("a"); err != nil {
		t.Fatal(err)
	}
	good := d.backup(t)
	restore := func(b []byte, dir string) error {
		_, err := store.Restore(t.Context(), bytes.NewReader(b), dir)
		return err
	}
	t.Run("a directory in use", func(t *testing.T) {
		if err := restore(good, d.dir); !errors.Is(err, store.ErrNotEmpty) {
			t.Errorf("Restore returned %v, want ErrNotEmpty", err)
		}
	})
	for name, bad := range map[string][]byte{
		"nothing":          nil,
		"something else":   []byte("PK\x03\x04"),
		"half an archive":  good[:len(good)/2],
		"no manifest":      rewrite(t, good, func(h *tar.Header, b []byte) []byte { return drop(h, b, "manifest.json") }),
		"a part left out":  rewrite(t, good, func(h *tar.Header, b []byte) []byte { return drop(h, b, "plenum.db") }),
		"a changed byte":   rewrite(t, good, flip),
		"a way out of it":  rewrite(t, good, escape),
		"another's backup": rewrite(t, good, rename),
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			if err := restore(bad, filepath.Join(parent, "new")); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("Restore returned %v, want ErrDamaged", err)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("it left %v behind", left)
			}
		})
	}
}

// drop leaves out a file.
func drop(h *tar.Header, b []byte, name string) []byte {
	if h.Name == name {
		return nil
	}
	return b
}

// flip changes a byte of the database.
func flip(h *tar.Header, b []byte) []byte {
	if h.Name == store.DatabaseName {
		b[len(b)/2] ^= 1
	}
	return b
}

// escape gives a file a place outside.
func escape(h *tar.Header, b []byte) []byte {
	if h.Name == store.DatabaseName {
		h.Name = "../" + h.Name
	}
	return b
}

// rename gives the archive to another product.
func rename(h *tar.Header, b []byte) []byte {
	if h.Name == "manifest.json" {
		return []byte(strings.Replace(string(b), `"plenum"`, `"forum"`, 1))
	}
	return b
}

// rewrite passes each file of an archive through f, which returns nil for one to leave out.
func rewrite(t *testing.T, archive []byte, f func(*tar.Header, []byte) []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if b = f(h, b); b == nil {
			continue
		}
		h.Size = int64(len(b))
		_, err = tw.Write(nil)
		if err = errors.Join(err, tw.WriteHeader(h)); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
