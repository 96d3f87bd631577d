package storetest

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

func keys(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if ks, err := s.Keys(ctx); err != nil || len(ks) != 0 {
		t.Errorf("an empty store has keys %v, %v", ks, err)
	}
	b, a := key("b", 1), key("a", 2)
	b.Expires, b.Revoked, b.Admin = 5, 6, true
	for _, k := range []plenum.Key{a, b} {
		if err := s.CreateKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]plenum.Key{b, a}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	one, err := s.Key(ctx, "b")
	if diff := cmp.Diff(b, one); err != nil || diff != "" {
		t.Errorf("key: %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.Key(ctx, "c"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that is not there: %v, want ErrNotFound", err)
	}
}

func keyTwice(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if err := s.CreateKey(ctx, key("a", 1)); err != nil {
		t.Fatal(err)
	}
	sameMAC := key("a", 1)
	sameMAC.ID = "b"
	sameID := key("c", 1)
	sameID.ID = "a"
	for _, k := range []plenum.Key{sameMAC, sameID} {
		if err := s.CreateKey(ctx, k); !errors.Is(err, store.ErrExists) {
			t.Errorf("creating it again: %v, want ErrExists", err)
		}
	}
	if ks, err := s.Keys(ctx); err != nil || len(ks) != 1 {
		t.Errorf("there are %d keys, %v; want 1", len(ks), err)
	}
}

func revoke(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	if err := s.CreateKey(ctx, key("a", 1)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{50, 60} {
		if err := s.RevokeKey(ctx, "a", at); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := s.Key(ctx, "a"); err != nil || k.Revoked != 50 {
		t.Errorf("the key is revoked at %d, %v; want 50, when it was first", k.Revoked, err)
	}
	if err := s.RevokeKey(ctx, "b", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking a key that is not there: %v, want ErrNotFound", err)
	}
}

func rotate(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	k := key("a", 1)
	k.Scope = &plenum.Scope{Deployments: []string{"grok*"}, Operations: []string{"embed"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if err := s.CreateKey(ctx, k); err != nil {
		t.Fatal(err)
	}
	began, err := s.KeysRevision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next := k
	next.Before, next.MAC, next.Prefix, next.Overlap, next.Expires = k.MAC, key("b", 1).MAC, "pk-b", 500, 900
	if err := s.RotateKey(ctx, next); err != nil {
		t.Fatal(err)
	}
	got, err := s.Key(ctx, "a")
	if diff := cmp.Diff(next, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("a rotated key, %v (-want +got):\n%s", err, diff)
	}
	if now, err := s.KeysRevision(ctx); err != nil || now == began {
		t.Errorf("the revision of the keys is %d, %v after a change, as before", now, err)
	}
	if err := s.RotateKey(ctx, next); !errors.Is(err, store.ErrMoved) {
		t.Errorf("rotated from a secret that it has not any more: %v, want ErrMoved", err)
	}
	next.ID = "nobody"
	if err := s.RotateKey(ctx, next); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("rotating a key that is not there: %v, want ErrNotFound", err)
	}
	if err := s.RevokeKey(ctx, "a", 1); err != nil {
		t.Fatal(err)
	}
	got.Before, got.MAC = got.MAC, key("c", 1).MAC
	if err := s.RotateKey(ctx, got); !errors.Is(err, store.ErrMoved) {
		t.Errorf("rotating a revoked key: %v, want ErrMoved", err)
	}
}

func uses(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	for _, used := range []map[string]int64{{"a": 5, "declared:b": 7}, {"a": 9}, {"a": 3, "c": 1}, {}} {
		if err := s.UseKeys(ctx, used); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.KeyUses(ctx)
	if diff := cmp.Diff(map[string]int64{"a": 9, "declared:b": 7, "c": 1}, got); diff != "" || err != nil {
		t.Errorf("uses, %v (-want +got):\n%s", err, diff)
	}
}
