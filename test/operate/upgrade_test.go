//go:build unix

package operate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// previous is the commit whose program must run on the tables of this one, so that an upgrade can be rolled back. With a release it
// becomes the release before it.
const previous = "1583f2a548fc869bb90c8a547a4f3098c7fc9fe0"

// TestUpgrade runs the previous program and this one on the same data, one after the other and side by side.
func TestUpgrade(t *testing.T) {
	before, bin := buildPrevious(t), build(t)
	t.Run("a node is upgraded, rolled back and upgraded again", func(t *testing.T) { upgradeEmbedded(t, bin, before) })
	t.Run("nodes are upgraded, rolled back and upgraded again under load", func(t *testing.T) { upgradeRolling(t, bin, before) })
}

// buildPrevious builds the previous program from the project's own history.
func buildPrevious(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skipf("the previous program is built from the project's history, and this is no clone of it: %v", err)
	}
	dir := t.TempDir()
	bin, src := filepath.Join(dir, "plenum-previous"), filepath.Join(dir, "src")
	if err := os.Mkdir(src, 0o700); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "src.tar")
	cmd := exec.CommandContext(t.Context(), "git", "archive", "-o", archive, previous)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the previous program is built from commit %.12s, which this clone has not: %v %s", previous, err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", src).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "./cmd/plenum")
	build.Dir = src
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the previous program: %v\n%s", err, out)
	}
	return bin
}

// upgradeEmbedded upgrades one node in place, rolls it back and upgrades it again.
func upgradeEmbedded(t *testing.T, bin, before string) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	up.KeepLast(1)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(answer) })
	s := newSite(t, before, up, "", "budgets:\n  - {name: all, amount_usd: 1000}\n")
	var ids []string
	for _, with := range []string{before, bin, before, bin} {
		s.bin = with
		s.start(t)
		c := s.load(t, 4, callerKey)
		c.wait(t, 20)
		c.stop()
		if len(c.errs) > 0 {
			t.Fatalf("%s: %d calls failed, the first with %s", filepath.Base(with), len(c.errs), c.errs[0])
		}
		ids = append(ids, c.answered()...)
		s.stop(t)
	}
	accounted(t, s, ids)
}

// upgradeRolling upgrades three nodes on one PostgreSQL and one Valkey, one after the other, behind a balancer; rolls them
// back, and upgrades them again, all under load.
func upgradeRolling(t *testing.T, bin, before string) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	up.KeepLast(1)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.SSE(chunks(20)...).Delay(10 * time.Millisecond) })
	database := testkit.Postgres(t).Database()
	more := fmt.Sprintf("database: %q\nvalkey: %q\ndrain: 60s\nbudgets:\n  - {name: all, amount_usd: 1000}\n", database, testkit.Valkey(t))
	var nodes []*site
	b := &balancer{}
	for i := range 3 {
		s := newSite(t, before, up, "", more)
		s.database = database
		if i > 0 { // all have the pepper of the first, as operators copied it before the configuration had a word for it
			pepper, err := os.ReadFile(filepath.Join(nodes[0].data, "pepper"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(s.data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.data, "pepper"), pepper, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.start(t)
		nodes, b.nodes = append(nodes, s), append(b.nodes, &backend{addr: s.addr})
	}
	b.run(t)
	c := b.load(t, 6, 0) // the previous program may close a connection that is kept as a call comes in on it
	for _, with := range []string{bin, before, bin} {
		for i, s := range nodes {
			c.wait(t, 10)
			b.nodes[i].rest.Store(true) // as a balancer that is told before: the previous program has no drain_delay
			time.Sleep(300 * time.Millisecond)
			s.stop(t)
			s.bin = with
			s.start(t)
			b.nodes[i].rest.Store(false)
			until(t, func() bool { return b.ready() == len(nodes) }, func() string { return "a node does not come back" })
		}
	}
	c.wait(t, 20)
	c.stop()
	if len(c.errs) > 0 {
		t.Errorf("%d calls failed, the first with %s", len(c.errs), c.errs[0])
	}
	for _, s := range nodes {
		s.stop(t)
	}
	accounted(t, nodes[0], c.answered())
}

// accounted proves that calls are on record, and no others.
func accounted(t *testing.T, s *site, ids []string) {
	t.Helper()
	calls := s.prove(t)
	for _, id := range ids {
		if r, ok := calls[id]; !ok || r.Outcome != plenum.OutcomeOK {
			t.Errorf("call %s is on record as %q", id, r.Outcome)
		}
	}
	if len(calls) != len(ids) {
		t.Errorf("%d calls were answered and %d are on record", len(ids), len(calls))
	}
	t.Logf("%d calls and streams by both programs, none lost", len(ids))
}
