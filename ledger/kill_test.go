package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum"
)

// victimVar holds the directory of a process that the kill test starts to kill it.
const victimVar = "PLENUM_TEST_LEDGER_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimVar); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim makes calls from many goroutines until it is killed. It says on its standard output, which
// stands for the clients, "b ID" when the first byte of an answer would go out and "e ID" for the last.
func victim(dir string) error {
	l, err := Open(filepath.Join(dir, "journal"), Options{SegmentSize: 64 << 10, Linger: time.Millisecond})
	if err != nil {
		return err
	}
	sink, err := newFileSink(filepath.Join(dir, "sink"))
	if err != nil {
		return err
	}
	errs := make(chan error)
	go func() { errs <- l.Run(context.Background(), sink) }()
	for g := range 32 {
		go func() {
			for i := 0; ; i++ {
				if err := answer(l, fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

// answer makes one call.
func answer(l *Ledger, id string) error {
	r := typical(id)
	if err := l.Begin(BeginOf(&r)); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString("b " + id + "\n"); err != nil {
		return err
	}
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
	}
	if err := l.End(&r); err != nil {
		return err
	}
	_, err := os.Stdout.WriteString("e " + id + "\n")
	return err
}

// fileSink is a Sink that stores entries in a file, a line each.
type fileSink struct{ f *os.File }

func newFileSink(path string) (*fileSink, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("\n") // ends what a killed process may have left half written
	return &fileSink{f}, err
}

func (s *fileSink) Append(_ context.Context, entries []Entry) error {
	var b bytes.Buffer
	for i := range entries {
		if err := json.NewEncoder(&b).Encode(&entries[i]); err != nil {
			return err
		}
	}
	_, err := s.f.Write(b.Bytes())
	return err
}

// stored reads what a fileSink has.
func stored(t *testing.T, path string) *memory {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var m memory
	for s := bufio.NewScanner(f); s.Scan(); {
		var e Entry
		if json.Unmarshal(s.Bytes(), &e) == nil {
			_ = m.Append(t.Context(), []Entry{e})
		}
	}
	return &m
}

// clients are what came out of the victims: the furthest that each call got.
type clients map[string]byte

// killOne starts a victim, kills it at a random moment and notes what it said before.
func (c clients) killOne(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimVar+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	for s := bufio.NewScanner(out); s.Scan(); {
		once.Do(func() {
			time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		})
		if what, id, ok := strings.Cut(s.Text(), " "); ok {
			c[id] = what[0]
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the process ended by itself: %v, %s", err, stderr.Bytes())
	}
}

func TestKillLosesNoCallThatReachedItsClient(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	dir := t.TempDir()
	journal, path := filepath.Join(dir, "journal"), filepath.Join(dir, "sink")
	begun := clients{}
	for range rounds {
		begun.killOne(t, dir)
		if _, err := Verify(journal); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, journal, Options{})
	sink, err := newFileSink(path)
	if err != nil {
		t.Fatal(err)
	}
	drainTo(t, l, sink)
	rep, err := Verify(journal)
	if err != nil {
		t.Fatal(err)
	}
	m := stored(t, path)
	m.checkChain(t)
	lost, missing := begun.check(t, m)
	t.Logf("%d kills, %d calls of which a byte reached the client: %d settled as lost, %d missing; "+
		"%d calls stored, %d sent again and recognised; chain of %d lines verified",
		rounds, len(begun), lost, missing, len(m.entries), m.again, rep.To)
}

// check fails for each call that is not stored as it should be, and returns how many were settled
// and how many are not there.
func (c clients) check(t *testing.T, m *memory) (lost, missing int) {
	t.Helper()
	outcomes := map[string]plenum.Outcome{}
	for i := range m.entries {
		r, err := m.entries[i].Record()
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := outcomes[r.ID]; twice {
			t.Errorf("call %s is stored twice", r.ID)
		}
		outcomes[r.ID] = r.Outcome
	}
	for id, got := range c {
		switch o := outcomes[id]; {
		case o == "":
			t.Errorf("call %s reached its client and has no record", id)
			missing++
		case got == 'e' && o != plenum.OutcomeOK:
			t.Errorf("call %s ended at its client and is recorded as %s", id, o)
		case o == plenum.OutcomeLost:
			lost++
		}
	}
	return lost, missing
}
