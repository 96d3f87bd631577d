package app

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// killedVar tells a child process which store to work on, and before which upstream.
const killedVar = "PLENUM_TEST_BATCHES"

// TestRunBatchesUntilKilled is the child of the test below: it runs batches until it is killed.
func TestRunBatchesUntilKilled(t *testing.T) {
	dir, url := os.Getenv(killedVar), os.Getenv(killedVar+"_URL")
	if dir == "" {
		t.Skip("it is run by the test of killed nodes")
	}
	newBatchWorld(t, openDB(t, filepath.Join(dir, "plenum.db")), clock.Real, oneTarget, url)
	time.Sleep(time.Minute)
}

func TestANodeThatIsKilledRunsNoLineTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	const total = 120
	up := testkit.NewUpstream(t)
	var mu sync.Mutex
	asked := map[string]int{}
	up.Handle(func(r *testkit.Request) testkit.Answer {
		var q struct{ Messages []struct{ Content string } }
		_ = json.Unmarshal(r.Body, &q)
		mu.Lock()
		asked[q.Messages[0].Content]++
		mu.Unlock()
		return testkit.JSON(completionAnswer).DelayHeaders(40 * time.Millisecond)
	})
	dir := t.TempDir()
	db := openDB(t, filepath.Join(dir, "plenum.db"))
	w := newBatchWorld(t, db, clock.Real, oneTarget, up.URL)
	w.stop()
	var lines string
	for i := range total {
		lines += chatLine(string(rune('a'+i%26))+time.Duration(i).String(), time.Duration(i).String())
	}
	b := w.start(lines)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for kill := 1; kill <= 3; kill++ {
		runAndKill(t, dir, up, kill*25)
	}
	w = newBatchWorld(t, openDB(t, filepath.Join(dir, "plenum.db")), clock.Real, oneTarget, up.URL)
	b = w.wait(b.ID, "completed")
	good, bad := w.output(b.Output), w.output(b.Errors)
	if len(good)+len(bad) != total || b.Counts.Total != total || len(good) != b.Counts.Completed {
		t.Errorf("%d lines were answered and %d not, of %d: %+v", len(good), len(bad), total, b.Counts)
	}
	if len(bad) == 0 || len(bad) > 3*8 {
		t.Errorf("%d lines were under way when the node was killed, three times", len(bad))
	}
	for id, o := range bad {
		if o.Error == nil || o.Error.Code != "line_interrupted" {
			t.Errorf("%s came to %+v", id, o)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for text, n := range asked {
		if n != 1 {
			t.Errorf("the line %q was sent %d times", text, n)
		}
	}
}

// runAndKill runs batches in a process of their own and kills it when the upstream was asked so often.
func runAndKill(t *testing.T, dir string, up *testkit.Upstream, after int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRunBatchesUntilKilled$") //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), killedVar+"="+dir, killedVar+"_URL="+up.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if up.Count() >= after {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if up.Count() < after {
		t.Fatalf("the child asked %d times, want %d", up.Count(), after)
	}
}
