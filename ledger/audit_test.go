package ledger

import (
	"encoding/json"
	"errors"
	"os"
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

func TestWhatWasMeantAndNotToldIsSettled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"aud_done", "aud_cut"} {
		if err := l.Intend(Audit{ID: id, Actor: "member:ann", Action: "delete_key"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Audit(Audit{ID: "aud_done", Actor: "member:ann", Action: "delete_key"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Intend(Audit{ID: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	for range 2 { // it is settled once
		if l, err = Open(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(b), `"audit":{"id":"aud_cut"`) != 1 || strings.Count(string(b), `"audit":{"id":"aud_done"`) != 1 || !strings.Contains(string(b), `"decision":"failed"`) {
		t.Errorf("the journal says\n%s", b)
	}
	if rep, err := Verify(dir); err != nil || rep.Audits != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
}
