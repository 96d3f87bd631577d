package ledger

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
)

func TestCheckKnowsThatNothingCanBeWrittenAndWhenItCanAgain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	call(t, l, "a")
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	good := l.file
	bad, err := os.Open(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	l.file = bad
	if err := l.Begin(Begin{ID: "b"}); err == nil {
		t.Fatal("it wrote to a file that cannot be written")
	}
	if err := l.Check(); err == nil {
		t.Error("Check knows of nothing")
	}
	l.file = good
	if err := l.Check(); err != nil {
		t.Errorf("it can be written again, and Check says %v", err)
	}
	if err := l.End(&plenum.Record{ID: "c"}); err != nil {
		t.Error(err)
	}
	var m memory
	drainTo(t, l, &m)
	if diff := cmp.Diff([]string{"a", "c"}, m.ids(t)); diff != "" {
		t.Errorf("stored calls (-want +got):\n%s", diff)
	}
	if _, err := Verify(dir); err != nil {
		t.Error(err)
	}
}
