package ledger

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum"
)

func TestAuditIsInTheChain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if err := l.Begin(Begin{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Audit(Audit{ID: "a", Actor: "key:1", Action: "delete", Before: json.RawMessage(`{"x": 1}`)}); err != nil {
		t.Fatal(err)
	}
	if err := l.End(&plenum.Record{ID: "b"}); err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().Open; n != 1 {
		t.Errorf("%d calls are open; want 1, whatever an entry of the audit is called", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Audit(Audit{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	l, err = Open(dir, Options{}) // reads it all again
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rep, err := Verify(dir)
	if err != nil || rep.Audits != 1 || rep.Ends != 2 {
		t.Errorf("the journal is %+v, %v; want an entry of the audit, and an end settled", rep, err)
	}
}

func TestAuditKeepsWhatIsTooLongAsADigest(t *testing.T) {
	long := json.RawMessage(`"` + strings.Repeat("x", mostShown) + `"`)
	for _, b := range []json.RawMessage{long, json.RawMessage(`{"half":`)} {
		var got struct {
			Bytes  int
			SHA256 string
		}
		if err := json.Unmarshal(shown(b), &got); err != nil || got.Bytes != len(b) || len(got.SHA256) != 64 {
			t.Errorf("%.20s is kept as %.100s, %v", b, shown(b), err)
		}
	}
	if got := shown(json.RawMessage(`{"a":1}`)); string(got) != `{"a":1}` {
		t.Errorf("what is short is kept as %s", got)
	}
}
