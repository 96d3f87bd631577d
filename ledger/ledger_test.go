package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
)

// memory is a Sink that keeps entries, knows what it has, and fails while told to.
type memory struct {
	mu      sync.Mutex
	fail    error
	cut     bool // the next Append stores and reports a failure all the same
	entries []Entry
	has     map[Sum]bool
	again   int // entries that came a second time
}

func (m *memory) Append(_ context.Context, entries []Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.has == nil {
		m.has = map[Sum]bool{}
	}
	for _, e := range entries {
		if m.has[e.Chain] {
			m.again++
			continue
		}
		m.has[e.Chain] = true
		e.Body = bytes.Clone(e.Body)
		m.entries = append(m.entries, e)
	}
	if m.cut {
		m.cut = false
		return errors.New("the answer was lost")
	}
	return nil
}

// ids returns the ids of the calls that were stored, in order.
func (m *memory) ids(t *testing.T) []string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for i := range m.entries {
		if m.entries[i].Kind == KindAudit {
			continue // that one node goes on where another was
		}
		r, err := m.entries[i].Record()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// heal ends the failing.
func (m *memory) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = nil
}

// checkChain fails unless the entries prove each other.
func (m *memory) checkChain(t *testing.T) {
	t.Helper()
	for i := range m.entries {
		if !m.entries[i].Verify() {
			t.Errorf("entry %d does not verify", i)
		}
		if i > 0 && m.entries[i].Prior != m.entries[i-1].Chain {
			t.Errorf("entry %d does not follow from the one before", i)
		}
	}
}

// open opens a journal that is closed with the test.
func open(t *testing.T, dir string, o Options) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// isDirty reports whether something is not forced to the disk.
func (l *Ledger) isDirty() bool {
	l.commit.Lock()
	defer l.commit.Unlock()
	return l.dirty
}

// call writes one whole call.
func call(t *testing.T, l *Ledger, id string) {
	t.Helper()
	if err := l.Begin(Begin{ID: id, Start: 1}); err != nil {
		t.Fatal(err)
	}
	if err := l.End(&plenum.Record{ID: id, Start: 1, Outcome: plenum.OutcomeOK}); err != nil {
		t.Fatal(err)
	}
}

// drainTo ships everything.
func drainTo(t *testing.T, l *Ledger, s Sink) {
	t.Helper()
	if err := l.Drain(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestEndedCallsReachTheSinkOnceAndInOrder(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 2000})
	var m memory
	var want []string
	for i := range 100 {
		id := fmt.Sprint("call-", i)
		call(t, l, id)
		want = append(want, id)
		if i%7 == 0 {
			drainTo(t, l, &m)
		}
	}
	drainTo(t, l, &m)
	if diff := cmp.Diff(want, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
	if m.again != 0 {
		t.Errorf("%d entries were sent twice", m.again)
	}
	m.checkChain(t)
	left, _ := segments(dir)
	if len(left) != 1 {
		t.Errorf("%d segments are left after everything was stored, want the one in use", len(left))
	}
	if st := l.Stats(); st.Open != 0 || st.Drained == 0 || st.Drained > st.Seq {
		t.Errorf("stats are %+v", st)
	}
}

func TestARecordComesBackWhole(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	want := typical("a")
	want.Error, want.Notes = "line one\nline \"two\" \x00 é", []string{"n"}
	if err := l.End(&want); err != nil {
		t.Fatal(err)
	}
	var m memory
	drainTo(t, l, &m)
	got, err := m.entries[0].Record()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestConcurrentCallersShareWritesAndLoseNothing(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 50_000})
	const callers, each = 32, 100
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				call(t, l, fmt.Sprintf("%d-%d", c, i))
			}
		})
	}
	wg.Wait()
	rep, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Ends != callers*each || rep.Begins < callers*each || rep.Segments < 2 {
		t.Errorf("the journal has %+v, want %d ends in several segments", rep, callers*each)
	}
	var m memory
	drainTo(t, l, &m)
	m.checkChain(t)
	next := map[string]int{} // each caller's calls come in the order in which they were made
	for _, id := range m.ids(t) {
		c, n, _ := strings.Cut(id, "-")
		if n != fmt.Sprint(next[c]) {
			t.Fatalf("caller %s: call %s came where %d was due", c, n, next[c])
		}
		next[c]++
	}
	if len(m.entries) != callers*each {
		t.Errorf("%d calls were stored, want %d", len(m.entries), callers*each)
	}
}

func TestOpenSettlesCallsThatWereLeftOpen(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 600})
	long := Begin{ID: "long", Start: 7, Op: "generate", Dialect: "openai", KeyID: "k", Project: "p", Deployment: "d", Stream: true}
	if err := l.Begin(long); err != nil {
		t.Fatal(err)
	}
	var m memory
	for i := range 20 { // several segments pass, and are stored and deleted
		call(t, l, fmt.Sprint(i))
		drainTo(t, l, &m)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	drainTo(t, l, &m)
	got, err := m.entries[len(m.entries)-1].Record()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Lost(long), got); diff != "" {
		t.Errorf("the settled call (-want +got):\n%s", diff)
	}
	if len(m.entries) != 21 || m.again != 0 {
		t.Errorf("%d entries stored, %d again; want 21 and none", len(m.entries), m.again)
	}
	m.checkChain(t)
	_ = l.Close()
	l = open(t, dir, Options{})
	if st := l.Stats(); st.Open != 0 || st.Drained != m.entries[20].Seq {
		t.Errorf("after another restart the stats are %+v", st)
	}
}

func TestSettleDecidesWhatALostCallIsChargedFor(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	if err := l.Begin(Begin{ID: "x", Start: 5}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	l = open(t, dir, Options{Settle: func(b Begin) plenum.Record {
		return plenum.Record{ID: "other", Start: b.Start, Cost: 42, Outcome: plenum.OutcomeOK}
	}})
	var m memory
	drainTo(t, l, &m)
	got, _ := m.entries[0].Record()
	want := plenum.Record{ID: "x", Start: 5, Cost: 42, Outcome: plenum.OutcomeLost, Estimated: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settled call (-want +got):\n%s", diff)
	}
}

func TestATornTailIsCutOffAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	before := l.size
	call(t, l, "b")
	_ = l.Close()
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for cut := before; cut < int64(len(whole)); cut++ {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, Options{})
		call(t, l, "c")
		_ = l.Close()
		if _, err := Verify(dir); err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		l = open(t, dir, Options{})
		var m memory
		drainTo(t, l, &m)
		_ = l.Close()
		got := m.ids(t)
		// "b" is there as lost, or not begun.
		if got[0] != "a" || got[len(got)-1] != "c" || len(got) > 3 || len(got) == 3 && got[1] != "b" {
			t.Fatalf("cut at byte %d: stored %v", cut, got)
		}
		checkAside(t, dir, whole[:cut])
	}
}

// checkAside fails unless what was cut off is beside the segment.
func checkAside(t *testing.T, dir string, torn []byte) {
	t.Helper()
	keep := bytes.LastIndexByte(torn, '\n') + 1
	b, err := os.ReadFile(fmt.Sprintf("%s.%d%s", segmentPath(dir, 1), keep, tornExt))
	if keep == len(torn) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a tail was set aside though none was torn: %v", err)
		}
		return
	}
	if err != nil || !bytes.Equal(b, torn[keep:]) {
		t.Errorf("cut at %d: the torn tail was not kept: %q, %v", len(torn), b, err)
	}
}

func TestVerifyFindsEveryChangedByte(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	call(t, l, "b")
	_ = l.Close()
	path := segmentPath(dir, 1)
	whole, _ := os.ReadFile(path)
	good, err := Verify(dir)
	if err != nil || good.Ends != 2 {
		t.Fatalf("Verify of a good journal: %+v, %v", good, err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		// Without its last newline the last line counts as one that is just being written.
		if rep, err := Verify(dir); err == nil && rep.Chain == good.Chain {
			t.Fatalf("a change of byte %d was not found", i)
		}
	}
}

func TestVerifyFindsALineTakenOut(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	call(t, l, "b")
	_ = l.Close()
	path := segmentPath(dir, 1)
	whole, _ := os.ReadFile(path)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	_ = os.WriteFile(path, bytes.Join(append(lines[:2:2], lines[3:]...), nil), 0o600)
	if _, err := Verify(dir); !errors.Is(err, errChain) {
		t.Errorf("Verify returned %v, want a broken chain", err)
	}
}

func TestTheSinkIsTriedAgainAndNothingIsLostOrDoubled(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	m := memory{fail: errors.New("down")}
	call(t, l, "a")
	if err := l.Drain(t.Context(), &m); !errors.Is(err, m.fail) {
		t.Fatalf("Drain returned %v", err)
	}
	call(t, l, "b")
	m.fail, m.cut = nil, true // stored, but we do not know it
	if err := l.Drain(t.Context(), &m); err == nil {
		t.Fatal("Drain returned no error")
	}
	_ = l.Close() // and the process ends before the position is noted
	l = open(t, dir, Options{})
	call(t, l, "c")
	drainTo(t, l, &m)
	if diff := cmp.Diff([]string{"a", "b", "c"}, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
	if m.again != 2 {
		t.Errorf("%d entries came again, want 2", m.again)
	}
	m.checkChain(t)
}

func TestAPositionThatIsNotInTheJournalIsNotBelieved(t *testing.T) {
	for _, position := range []string{"", "{", `{"segment":1,"offset":50,"seq":3,"chain":"00"}`, `{"segment":9}`} {
		dir := t.TempDir()
		l := open(t, dir, Options{})
		call(t, l, "a")
		_ = l.Close()
		_ = os.WriteFile(filepath.Join(dir, positionName), []byte(position), 0o600)
		l = open(t, dir, Options{})
		var m memory
		drainTo(t, l, &m)
		if diff := cmp.Diff([]string{"a"}, m.ids(t)); diff != "" {
			t.Errorf("position %q: stored calls (-want +got):\n%s", position, diff)
		}
	}
}

func TestADamagedSegmentIsPassedOverAndTheGapShows(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 1000})
	for i := range 12 {
		call(t, l, fmt.Sprint(i))
	}
	all, _ := segments(dir)
	if len(all) < 3 {
		t.Fatalf("%d segments", len(all))
	}
	path := segmentPath(dir, all[1])
	b, _ := os.ReadFile(path)
	b[len(b)/2] ^= 1
	_ = os.WriteFile(path, b, 0o600)
	var m memory
	drainTo(t, l, &m)
	got := m.ids(t)
	if got[0] != "0" || got[len(got)-1] != "11" || len(got) == 12 {
		t.Errorf("stored calls are %v", got)
	}
	gaps := 0
	for i := range m.entries {
		if !m.entries[i].Verify() {
			t.Errorf("entry %d does not verify", i)
		}
		if i > 0 && m.entries[i].Prior != m.entries[i-1].Chain {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("the entries show %d gaps, want 1", gaps)
	}
	if aside, _ := filepath.Glob(path + "*" + tornExt); len(aside) != 1 {
		t.Errorf("set aside: %v", aside)
	}
}

func TestASegmentWithoutAHeadIsSetAside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	_ = l.Close()
	_ = os.WriteFile(segmentPath(dir, 99), make([]byte, 500), 0o600)
	l = open(t, dir, Options{})
	call(t, l, "b")
	var m memory
	drainTo(t, l, &m)
	if diff := cmp.Diff([]string{"a", "b"}, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
}

func TestAJournalOfAnotherNodeGoesOnUnderANewName(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	if err := l.Begin(Begin{ID: "open"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_ = os.Remove(filepath.Join(dir, nodeName)) // as in a restored backup
	l2 := open(t, dir, Options{})
	if l2.node == l.node {
		t.Fatal("the node has the same name")
	}
	var m memory
	drainTo(t, l2, &m)
	m.checkChain(t)
	if diff := cmp.Diff([]string{"a", "open"}, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
	if m.entries[0].Node != l.node || m.entries[1].Node != l2.node {
		t.Errorf("the entries are of nodes %s and %s, want %s and %s",
			m.entries[0].Node, m.entries[1].Node, l.node, l2.node)
	}
}

func TestOneProcessHasTheJournal(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open returned %v, want ErrLocked", err)
	}
	_ = l.Close()
	open(t, dir, Options{})
	if err := l.Begin(Begin{ID: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin after Close returned %v, want ErrClosed", err)
	}
	if err := l.End(&plenum.Record{ID: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("End after Close returned %v, want ErrClosed", err)
	}
}

func TestAFailedWriteIsReportedAndLeavesTheJournalWhole(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	good := l.file
	readOnly, err := os.Open(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	l.file = readOnly
	if err := l.Begin(Begin{ID: "b"}); err == nil {
		t.Error("Begin returned no error though nothing can be written")
	}
	if l.Stats().Open != 0 {
		t.Error("a call whose begin was not written counts as open")
	}
	l.file = good
	call(t, l, "c")
	if rep, err := Verify(dir); err != nil || rep.Ends != 2 {
		t.Errorf("the journal has %+v, %v; want 2 ends", rep, err)
	}
}

func TestAHalfWrittenLineIsRemovedBeforeTheNext(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	if _, err := l.file.WriteAt([]byte(`{"seq":4,"be`), l.size); err != nil {
		t.Fatal(err)
	}
	l.torn = true // as after a write that the disk had no room for, and a truncate that failed
	call(t, l, "b")
	if rep, err := Verify(dir); err != nil || rep.Ends != 2 {
		t.Errorf("the journal has %+v, %v; want 2 ends", rep, err)
	}
}

func TestEverySyncPolicyWrites(t *testing.T) {
	for _, s := range []Sync{SyncOff, SyncInterval, SyncAlways} {
		dir := t.TempDir()
		l := open(t, dir, Options{Sync: s, SegmentSize: 1000})
		for i := range 10 {
			call(t, l, fmt.Sprint(i))
		}
		if l.isDirty() != (s != SyncAlways) {
			t.Errorf("%s: dirty is %v", s, l.isDirty())
		}
		l.syncNow()
		if l.isDirty() {
			t.Errorf("%s: dirty after a sync", s)
		}
		if rep, err := Verify(dir); err != nil || rep.Ends != 10 {
			t.Errorf("%s: the journal has %+v, %v", s, rep, err)
		}
	}
}

func TestAnUnknownSyncPolicyIsRefused(t *testing.T) {
	if _, err := Open(t.TempDir(), Options{Sync: "sometimes"}); err == nil {
		t.Error("Open returned no error")
	}
}

func TestACopyOfAJournalInUseSettlesWhatWasOpen(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	l := open(t, dir, Options{SegmentSize: 1000})
	var m memory
	for i := range 10 {
		call(t, l, fmt.Sprint(i))
		if i == 4 {
			drainTo(t, l, &m)
		}
	}
	if err := l.Begin(Begin{ID: "open"}); err != nil {
		t.Fatal(err)
	}
	err := Copy(dir, func(name string, size int64, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil || int64(len(b)) != size {
			t.Errorf("%s: %d bytes of %d, %v", name, len(b), size, err)
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	drainTo(t, open(t, to, Options{}), &m)
	m.checkChain(t)
	if got := m.ids(t); len(got) != 11 || got[10] != "open" {
		t.Errorf("the copy has %v", got)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	dir := filepath.Join(t.TempDir(), "journal")
	l := open(t, dir, Options{})
	call(t, l, "a")
	drainTo(t, l, &memory{})
	st, _ := os.Stat(dir)
	if st.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", st.Mode())
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if fi, _ := f.Info(); fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), fi.Mode())
		}
	}
	if len(files) != 4 { // lock, node, drained, a segment
		t.Errorf("the directory has %d files", len(files))
	}
}

func TestReaderGrowsForALongLine(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	long := plenum.Record{ID: "long", Error: strings.Repeat("x", 3*chunk)}
	if err := l.End(&long); err != nil {
		t.Fatal(err)
	}
	call(t, l, "after")
	var m memory
	drainTo(t, l, &m)
	if diff := cmp.Diff([]string{"long", "after"}, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
}

func FuzzLine(f *testing.F) {
	good, chain := appendLine(nil, 7, kindEnd, []byte(`{"id":"x"}`), Sum{1})
	f.Add(good)
	f.Add(bytes.Repeat([]byte("\n"), 3))
	f.Add([]byte(strings.Repeat(`{"seq":`, 30) + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ln, err := follow(b, 6, Sum{1})
		if err == nil && (ln.chain != chain || !bytes.HasPrefix(b, good)) {
			t.Errorf("%q was taken for a line that follows", b)
		}
		_, _, _ = parseHead(b)
	})
}
