package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/plenum-foundry/plenum/store"
)

// object makes an object of a project.
func object(id, project string, created int64) store.Object {
	return store.Object{ID: id, Kind: "file", Project: project, KeyID: "k", Member: "m", Label: "batch", Status: "kept", Size: 7, Created: created, Body: []byte(`{"x":1}`)}
}

func create(t *testing.T, s store.Store, objects ...store.Object) {
	t.Helper()
	for _, o := range objects {
		if err := s.CreateObject(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func objects(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	a := object("a", "p", 5)
	a.Deployment, a.Expires, a.Holder, a.HeldUntil = "d", 9, "n", 8
	create(t, s, a)
	if got, err := s.Object(ctx, "a"); err != nil || !cmp.Equal(got, a) {
		t.Errorf("the object came back as %+v, %v; %s", got, err, cmp.Diff(a, got))
	}
	if err := s.CreateObject(ctx, object("a", "q", 1)); !errors.Is(err, store.ErrExists) {
		t.Errorf("creating it again: %v, want ErrExists", err)
	}
	got, err := s.UpdateObject(ctx, "a", func(o *store.Object) error {
		o.Status, o.Size, o.Body, o.Holder = "done", 11, []byte("other"), ""
		return nil
	})
	if again, _ := s.Object(ctx, "a"); err != nil || got.Status != "done" || !cmp.Equal(got, again) {
		t.Errorf("after a change: %+v, %v; it is kept as %+v", got, err, again)
	}
	no := errors.New("no")
	if _, err := s.UpdateObject(ctx, "a", func(o *store.Object) error { o.Status = "x"; return no }); !errors.Is(err, no) {
		t.Errorf("a change that fails: %v", err)
	}
	if again, _ := s.Object(ctx, "a"); again.Status != "done" {
		t.Errorf("a change that failed was kept: %+v", again)
	}
	if n, err := s.ObjectsSize(ctx, "p"); err != nil || n != 11 {
		t.Errorf("the project measures %d, %v; want 11", n, err)
	}
	if n, err := s.ObjectsSize(ctx, "nobody"); err != nil || n != 0 {
		t.Errorf("an empty project measures %d, %v", n, err)
	}
	if err := s.DeleteObject(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"reading": second(s.Object(ctx, "a")), "deleting": s.DeleteObject(ctx, "a"),
		"changing": second(s.UpdateObject(ctx, "a", func(*store.Object) error { return nil })),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s what is not there: %v, want ErrNotFound", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func listObjects(t *testing.T, open Open) {
	s := open(t)
	b := object("b", "p", 1)
	b.Label, b.Expires = "vision", 50
	other := object("o", "q", 2)
	running := object("r", "p", 3)
	running.Kind, running.Status = "batch", "open"
	create(t, s, object("a", "p", 1), b, object("c", "p", 2), other, running)
	for name, test := range map[string]struct {
		filter store.ObjectFilter
		want   string
	}{
		"latest first":      {store.ObjectFilter{Kind: "file", Project: "p"}, "c b a"},
		"oldest first":      {store.ObjectFilter{Kind: "file", Project: "p", OldestFirst: true}, "a b c"},
		"a page":            {store.ObjectFilter{Kind: "file", Project: "p", Limit: 2}, "c b"},
		"the next page":     {store.ObjectFilter{Kind: "file", Project: "p", After: "b", AfterCreated: 1}, "a"},
		"after a gone one":  {store.ObjectFilter{Kind: "file", Project: "p", After: "bb", AfterCreated: 1, OldestFirst: true}, "c"},
		"by label":          {store.ObjectFilter{Kind: "file", Project: "p", Label: "vision"}, "b"},
		"by status":         {store.ObjectFilter{Kind: "batch", Status: "open"}, "r"},
		"expired":           {store.ObjectFilter{ExpiredBy: 50}, "b"},
		"not yet expired":   {store.ObjectFilter{ExpiredBy: 49}, ""},
		"by id, one's own":  {store.ObjectFilter{IDs: []string{"a", "o", "zz"}, Project: "p"}, "a"},
		"strange id":        {store.ObjectFilter{IDs: []string{"a\x00'"}}, ""},
		"of another":        {store.ObjectFilter{Project: "q"}, "o"},
		"of all, two kinds": {store.ObjectFilter{OldestFirst: true}, "a b c o r"},
	} {
		got, err := s.Objects(t.Context(), test.filter)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, o := range got {
			ids = append(ids, o.ID)
		}
		if strings.Join(ids, " ") != test.want {
			t.Errorf("%s: got %v, want %s", name, ids, test.want)
		}
	}
}

// takeOver: of several that want an object, one gets it.
func takeOver(t *testing.T, open Open) {
	s := open(t)
	create(t, s, object("b", "p", 1))
	held := errors.New("held")
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 8 {
		wg.Go(func() {
			_, err := s.UpdateObject(t.Context(), "b", func(o *store.Object) error {
				if o.Holder != "" {
					return held
				}
				o.Holder = fmt.Sprint(i)
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
			} else if !errors.Is(err, held) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d hold it, want 1", got)
	}
}

func contents(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	for name, text := range map[string][]byte{
		"plain": []byte("hello"), "empty": {}, "large": bytes.Repeat([]byte("0123456789abcdef"), 150_000), "../../etc/passwd": []byte("no"),
		"exact": make([]byte, 1<<20),
	} {
		create(t, s, object(name, "p", 1))
		n, err := s.PutContent(ctx, name, bytes.NewReader(text))
		if err != nil || n != int64(len(text)) {
			t.Fatalf("%s: kept %d, %v", name, n, err)
		}
		r, err := s.Content(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes came back, %v; want %d", name, len(got), err, len(text))
		}
		if err := s.DeleteObject(ctx, name); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Content(ctx, name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: after it was deleted: %v, want ErrNotFound", name, err)
		}
	}
	broken := errors.New("broken")
	create(t, s, object("half", "p", 1))
	if _, err := s.PutContent(ctx, "half", io.MultiReader(strings.NewReader("some"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("a content that breaks off: %v", err)
	}
	if _, err := s.Content(ctx, "half"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half a content was kept: %v", err)
	}
}

// failing is a reader that fails.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func lines(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	create(t, s, object("b", "p", 1))
	for n := range 4 {
		if err := s.BeginLine(ctx, "b", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.BeginLine(ctx, "b", 1); !errors.Is(err, store.ErrExists) {
		t.Errorf("a line begun twice: %v, want ErrExists", err)
	}
	for _, err := range []error{
		s.EndLine(ctx, "b", store.Line{N: 0, State: store.LineDone, Result: []byte("zero")}),
		s.EndLine(ctx, "b", store.Line{N: 7, State: store.LineFailed, Result: []byte("seven")}),
		s.ReleaseLine(ctx, "b", 2),
		s.ReleaseLine(ctx, "b", 0), // it ended: nothing to release
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []store.Line{
		{N: 0, State: store.LineDone, Result: []byte("zero")},
		{N: 1, State: store.LineRunning, Result: []byte{}},
		{N: 3, State: store.LineRunning, Result: []byte{}},
		{N: 7, State: store.LineFailed, Result: []byte("seven")},
	}
	got, err := s.Lines(ctx, "b", 0, 10)
	if err != nil || !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
		t.Errorf("the lines are %v, %v; %s", got, err, cmp.Diff(want, got))
	}
	if got, err := s.Lines(ctx, "b", 1, 2); err != nil || !cmp.Equal(got, want[1:3], cmpopts.EquateEmpty()) {
		t.Errorf("a page of the lines is %v, %v", got, err)
	}
	counts, err := s.CountLines(ctx, "b")
	if diff := cmp.Diff(map[store.LineState]int{store.LineDone: 1, store.LineFailed: 1, store.LineRunning: 2}, counts); err != nil || diff != "" {
		t.Errorf("the counts differ: %v %s", err, diff)
	}
	if err := s.BeginLine(ctx, "other", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.DropLines(ctx, "other"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lines(ctx, "other", 0, 10); err != nil || len(got) > 0 {
		t.Errorf("lines that were dropped: %v, %v", got, err)
	}
	if err := s.DeleteObject(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lines(ctx, "b", 0, 10); err != nil || len(got) > 0 {
		t.Errorf("lines of a batch that was deleted: %v, %v", got, err)
	}
}
