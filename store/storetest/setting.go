package storetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/plenum-foundry/plenum/store"
)

func settings(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if _, err := s.Setting(ctx, "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a setting that is not there: %v, want ErrNotFound", err)
	}
	for _, v := range []string{"one", "\x00\xff two"} {
		if err := s.SetSetting(ctx, "x", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Setting(ctx, "x"); err != nil || string(got) != v {
			t.Errorf("the setting is %q, %v; want %q", got, err, v)
		}
	}
	if got, err := s.EnsureSetting(ctx, "x", []byte("three")); err != nil || string(got) != "\x00\xff two" {
		t.Errorf("EnsureSetting returned %q, %v; want what was there", got, err)
	}
}

func settingsAtOnce(t *testing.T, open Open) {
	s := open(t)
	got := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			v, err := s.EnsureSetting(t.Context(), "pepper", []byte{byte(i)})
			if err != nil {
				t.Error(err)
			}
			got[i] = v
		})
	}
	wg.Wait()
	for _, v := range got {
		if len(v) != 1 || !bytes.Equal(v, got[0]) {
			t.Fatalf("several that start at once got %v", got)
		}
	}
}

func reopen(t *testing.T, open Open) {
	ctx := t.Context()
	s := open(t)
	if err := s.CreateKey(ctx, key("a", 1)); err != nil {
		t.Fatal(err)
	}
	newJournal(t).end(s, ok("c", 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	if _, err := s.Key(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := s.Call(ctx, "c"); err != nil {
		t.Error(err)
	}
}
