//go:build linux

package operate

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// disk is a way to take away the room that a program has, and to give it back.
type disk interface {
	prepare(t *testing.T, s *site) // before the program starts
	fill(t *testing.T, s *site)
	free(t *testing.T, s *site)
	steady() bool // whether there is no room at any time until it is given back; a store gives up some now and then
}

// fullDisk takes away the room that a Plenum has, and gives it back, while it runs.
func fullDisk(t *testing.T, bin string, d disk) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), `"stream":true`) {
			return testkit.SSE(chunks(3)...)
		}
		return testkit.JSON(answer)
	})
	s := newSite(t, bin, up, "", "")
	d.prepare(t, s)
	s.start(t)
	c := s.load(t, 4, callerKey)
	c.wait(t, 50)
	c.stop()
	d.fill(t, s)
	refused(t, s, up, d.steady())
	d.free(t, s)
	s.waitReady(t, http.StatusOK) // and without a restart
	more := s.load(t, 4, callerKey)
	more.wait(t, 50)
	more.stop()
	if len(c.errs)+len(more.errs) > 0 {
		t.Errorf("calls failed: %q %q", c.errs, more.errs)
	}
	if status, body, err := s.do(t, http.MethodPost, "/admin/v1/projects", adminKey, `{"name":"later"}`); err != nil || status != http.StatusCreated {
		t.Errorf("%d %s %v", status, body, err)
	}
	s.stop(t)
	all := s.prove(t)
	for _, id := range append(c.answered(), more.answered()...) {
		if _, ok := all[id]; !ok {
			t.Errorf("call %s is gone", id)
		}
	}
}

// refused looks how calls and changes are refused while nothing can be written down.
func refused(t *testing.T, s *site, up *testkit.Upstream, steady bool) {
	t.Helper()
	var body string
	until(t, func() bool { // the last room is used up by some more
		status, b, err := s.do(t, http.MethodPost, "/v1/chat/completions", callerKey, ask)
		body = b
		return err == nil && status == http.StatusServiceUnavailable
	}, func() string { return "calls are not refused: " + body })
	asked := up.Count()
	stream := strings.Replace(ask, `{"model"`, `{"stream":true,"model"`, 1)
	for _, call := range []struct {
		path, body, shape string
		status            int
	}{
		{"/v1/chat/completions", ask, `"error":{"message":"the gateway cannot record calls`, 503},
		{"/v1/chat/completions", stream, `"error":{"message":"the gateway cannot record calls`, 503},
		{"/v1/messages", strings.Replace(ask, `{"model"`, `{"max_tokens":9,"model"`, 1), `"type":"overloaded_error","message":"the gateway cannot record calls`, 529},
		{"/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, `"status":"UNAVAILABLE"`, 503},
	} {
		status, body, err := s.do(t, http.MethodPost, call.path, callerKey, call.body)
		if err != nil || status != call.status || !strings.Contains(strings.Join(strings.Fields(body), " "), strings.Join(strings.Fields(call.shape), " ")) {
			t.Errorf("%s: %d %s %v", call.path, status, body, err)
		}
	}
	if n := up.Count() - asked; n > 0 && steady {
		t.Errorf("%d calls were made that could not be written down", n)
	}
	if status, body, err := s.do(t, http.MethodPost, "/admin/v1/projects", adminKey, `{"name":"never"}`); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, `"unrecorded"`) && !strings.Contains(body, `"unavailable"`) { // of the journal or of the store
		t.Errorf("a change: %d %s %v", status, body, err)
	}
	if status, body, err := s.do(t, http.MethodGet, "/admin/v1/projects/never", adminKey, ""); err != nil || status != http.StatusNotFound {
		t.Errorf("it was made: %d %s %v", status, body, err)
	}
	if said := s.waitReady(t, http.StatusServiceUnavailable); member(t, said, "status") != "unrecorded" || !strings.Contains(member(t, said, "why"), "writing to the journal") {
		t.Errorf("readyz says %s", said)
	}
}

// fileLimit is the limit of a file's size. Everybody may set it for processes of his own; a write past it fails as on a full
// disk.
type fileLimit struct{}

func (fileLimit) prepare(*testing.T, *site) {}

func (fileLimit) steady() bool { return true }

func (fileLimit) fill(t *testing.T, s *site) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.data, "journal", "*.journal"))
	if err != nil || len(names) == 0 {
		t.Fatal("there is no journal", err)
	}
	st, err := os.Stat(names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	setLimit(t, s, uint64(st.Size()))
}

func (fileLimit) free(t *testing.T, s *site) {
	t.Helper()
	setLimit(t, s, math.MaxUint64)
}

func setLimit(t *testing.T, s *site, size uint64) {
	t.Helper()
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: math.MaxUint64}, nil); err != nil {
		t.Fatal(err)
	}
}

// smallDisk is a disk of a few megabytes, which root alone may make: the store is full as well.
type smallDisk struct{}

func (smallDisk) steady() bool { return false }

func (smallDisk) prepare(t *testing.T, s *site) {
	t.Helper()
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", s.data, "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Skip("no small disk can be made here (the limit of a file's size is tested): ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(s.data, unix.MNT_DETACH) })
}

func (smallDisk) fill(t *testing.T, s *site) {
	t.Helper()
	f, err := os.Create(filepath.Join(s.data, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, bytes.NewReader(make([]byte, 32<<20)))
	if err = errors.Join(err, f.Close()); !errors.Is(err, unix.ENOSPC) {
		t.Fatal("the disk is not full: ", err)
	}
}

func (smallDisk) free(t *testing.T, s *site) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.data, "filler")); err != nil {
		t.Fatal(err)
	}
}
