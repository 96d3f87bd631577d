package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/store"
)

// transcripts holds that what was asked and answered is kept once, found by whose it is, and forgotten by the same.
func transcripts(t *testing.T, open Open) {
	s := open(t)
	ctx := t.Context()
	var all []store.Transcript
	for i := range 24 {
		all = append(all, store.Transcript{
			Call: fmt.Sprintf("call_%02d", i), Project: fmt.Sprint("p", i%2), KeyID: fmt.Sprint("k", i%3), Member: fmt.Sprint("m", i%4),
			Deployment: "d", Start: int64(1000 + i/2), Size: int64(i), Sum: fmt.Sprint("sum", i), Body: []byte{0, byte(i), 0xff},
		})
	}
	if err := s.PutTranscripts(ctx, all); err != nil {
		t.Fatal(err)
	}
	again := all[0]
	again.Body = []byte("another")
	if err := s.PutTranscripts(ctx, []store.Transcript{again}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Transcript(ctx, "call_00")
	if diff := cmp.Diff(all[0], got); err != nil || diff != "" {
		t.Errorf("one that came again: %v\n%s", err, diff)
	}
	if _, err := s.Transcript(ctx, "call_99"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
	calls := func(f store.TranscriptFilter) (out []string) {
		t.Helper()
		ts, err := s.Transcripts(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ts {
			if ts[i].Body != nil {
				t.Errorf("a list tells what %s holds", ts[i].Call)
			}
			out = append(out, ts[i].Call)
		}
		return out
	}
	for _, c := range []struct {
		f    store.TranscriptFilter
		want []string
		n    int64
	}{
		{store.TranscriptFilter{Limit: 2}, []string{"call_23", "call_22"}, 24},
		{store.TranscriptFilter{Limit: 2, Before: 1011, BeforeID: "call_23"}, []string{"call_22", "call_21"}, 24},
		{store.TranscriptFilter{Project: "p1", KeyID: "k1", Member: "m3"}, []string{"call_19", "call_07"}, 2},
		{store.TranscriptFilter{From: 1001, To: 1002}, []string{"call_03", "call_02"}, 2},
		{store.TranscriptFilter{Call: "call_05", Deployment: "d"}, []string{"call_05"}, 1},
		{store.TranscriptFilter{Member: "' OR 1=1 --"}, nil, 0},
	} {
		if diff := cmp.Diff(c.want, calls(c.f)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.f, diff)
		}
		if n, err := s.CountTranscripts(ctx, c.f); err != nil || n != c.n {
			t.Errorf("%+v counts %d, %v; want %d", c.f, n, err, c.n)
		}
	}
	if err := s.ReplaceTranscript(ctx, "call_01", all[1].Body, []byte("sealed anew")); err != nil {
		t.Fatal(err)
	}
	if err := s.ReplaceTranscript(ctx, "call_01", all[1].Body, []byte("late")); !errors.Is(err, store.ErrMoved) {
		t.Errorf("replacing what is there no more: %v", err)
	}
	if got, err := s.Transcript(ctx, "call_01"); err != nil || !bytes.Equal(got.Body, []byte("sealed anew")) {
		t.Errorf("after it was replaced: %q, %v", got.Body, err)
	}
	for _, c := range []struct {
		f store.TranscriptFilter
		n int64
	}{
		{store.TranscriptFilter{Member: "m3"}, 6},
		{store.TranscriptFilter{Member: "m3"}, 0},
		{store.TranscriptFilter{To: 1004, Limit: 3}, 3},
		{store.TranscriptFilter{Call: "call_23"}, 0},
		{store.TranscriptFilter{}, 15},
	} {
		if n, err := s.DeleteTranscripts(ctx, c.f); err != nil || n != c.n {
			t.Fatalf("deleting %+v: %d, %v; want %d", c.f, n, err, c.n)
		}
		if c.n == 3 {
			if _, err := s.Transcript(ctx, "call_04"); err != nil {
				t.Errorf("a limit takes the oldest, and call_04 is gone: %v", err)
			}
		}
	}
	if err := s.ReplaceTranscript(ctx, "call_01", []byte("sealed anew"), []byte("back")); !errors.Is(err, store.ErrMoved) {
		t.Errorf("what is deleted does not come back: %v", err)
	}
}
