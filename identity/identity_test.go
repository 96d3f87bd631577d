package identity_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
	"pgregory.net/rapid"
)

func pepper(t testing.TB) *identity.Pepper {
	t.Helper()
	p, err := identity.NewPepper(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(t testing.TB, p *identity.Pepper) (plenum.Secret, *plenum.Key) {
	t.Helper()
	s, k, err := identity.New(rand.Reader, p, time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	return s, &k
}

// keys is a store of keys.
func keys(ks ...*plenum.Key) identity.Lookup {
	m := map[[32]byte]*plenum.Key{}
	for _, k := range ks {
		m[[32]byte(k.MAC)] = k
	}
	return func(mac [32]byte) (*plenum.Key, bool) {
		k, ok := m[mac]
		return k, ok
	}
}

func TestANewKeyIsRecognisable(t *testing.T) {
	s, k := newKey(t, pepper(t))
	v := s.Reveal()
	if len(v) != 42 || !strings.HasPrefix(v, "plenum_sk_") || !identity.WellFormed(s) {
		t.Errorf("secret has %d characters", len(v))
	}
	if k.Prefix != v[:14] || !strings.HasPrefix(k.ID, "key_") || k.Created != 1000 {
		t.Errorf("key is %+v", k)
	}
	for i := range v {
		other := []byte(v)
		other[i] ^= 1
		if identity.WellFormed(plenum.NewSecret(string(other))) {
			t.Errorf("a change at %d goes unnoticed", i)
		}
	}
	if other, _ := newKey(t, pepper(t)); other.Reveal() == v {
		t.Error("two keys are the same")
	}
}

func TestNoRandomnessNoKey(t *testing.T) {
	if _, _, err := identity.New(strings.NewReader("too little"), pepper(t), time.Now()); err == nil {
		t.Error("a key was made of nothing")
	}
}

func TestTheMACIsHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "pepper")
		secret := rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "secret")
		p, err := identity.NewPepper(key)
		if err != nil {
			t.Fatal(err)
		}
		h := hmac.New(sha256.New, key)
		h.Write(secret)
		if got := p.MAC(plenum.NewSecret(string(secret))); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Fatal("differs from crypto/hmac")
		}
	})
}

func TestTheCredentialIsFoundWhereverAnSDKPutsIt(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		query  string
		want   string // where and what
		clean  string
	}{
		{"bearer", http.Header{"Authorization": {"Bearer k"}}, "a=1", "Authorization k", "a=1"},
		{"any case", http.Header{"Authorization": {"bEARER  k "}}, "", "Authorization k", ""},
		{"azure", http.Header{"Api-Key": {"k"}}, "api-version=v1", "api-key k", "api-version=v1"},
		{"anthropic", http.Header{"X-Api-Key": {"k"}}, "", "x-api-key k", ""},
		{"google", http.Header{"X-Goog-Api-Key": {"k"}}, "alt=sse", "x-goog-api-key k", "alt=sse"},
		{"query", nil, "key=k", "?key= k", ""},
		{"query first", nil, "key=k&alt=sse&x", "?key= k", "alt=sse&x"},
		{"query amid", nil, "alt=sse&key=a%2Bb&x=%20", "?key= a+b", "alt=sse&x=%20"},
		{"query encoded name", nil, "%6b%65%79=k&b", "?key= k", "b"},
		{"query odd", nil, "a;KEY=k;b&keys=1&&", "?key= k", "a;b&keys=1&&"},
		{"query bad escape", nil, "key=%zz&a", "?key= %zz", "a"},
		{"same twice", http.Header{"Authorization": {"Bearer k"}, "X-Api-Key": {"k"}}, "key=k", "Authorization k", ""},
		{"empty ones", http.Header{"Authorization": {"Bearer "}, "X-Api-Key": {"k"}, "Api-Key": {""}}, "key=", "x-api-key k", ""},
		{"basic beside", http.Header{"Authorization": {"Basic eA=="}, "X-Api-Key": {"k"}}, "", "x-api-key k", ""},
		{"none", nil, "a=1", "missing_key", "a=1"},
		{"basic", http.Header{"Authorization": {"Basic dXNlcjpwdw=="}}, "", "malformed_key", ""},
		{"no scheme", http.Header{"Authorization": {"plenum_sk_x"}}, "", "malformed_key", ""},
		{"scheme alone", http.Header{"Authorization": {"Bearer"}}, "", "malformed_key", ""},
		{"two differ", http.Header{"Authorization": {"Bearer a"}, "X-Api-Key": {"b"}}, "", "ambiguous_key", ""},
		{"twice in the query", nil, "key=a&key=b&c", "ambiguous_key", "c"},
		{"huge", http.Header{"Authorization": {"Bearer " + strings.Repeat("k", 100_000)}}, "", "malformed_key", ""},
		{"too many", nil, strings.Repeat("key=a&", 9), "ambiguous_key", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, clean, err := identity.Credential(tt.header, tt.query)
			got := c.Where + " " + c.Secret.Reveal()
			if err != nil {
				got = identity.Code(err)
			}
			if diff := cmp.Diff([]string{tt.want, strings.TrimRight(tt.clean, "&")}, []string{got, strings.TrimRight(clean, "&")}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAmbiguousCallLearnsWhichHeaders(t *testing.T) {
	h := http.Header{"Authorization": {"Bearer secret-a"}, "X-Api-Key": {"secret-b"}}
	_, _, err := identity.Credential(h, "key=secret-c")
	want := "several different credentials were sent, in Authorization, x-api-key and ?key=: send one"
	if e := llm.AsError(err); e.Kind != llm.Unauthorized || e.Message != want {
		t.Errorf("error is %v", err)
	}
	_, _, err = identity.Credential(http.Header{"Api-Key": {"secret-a", "secret-b"}}, "")
	if e := llm.AsError(err); e.Message != "several different credentials were sent, in api-key more than once: send one" {
		t.Errorf("error is %v", err)
	}
}

func TestTokensAndSignaturesAreToldApart(t *testing.T) {
	tests := map[string]identity.CredKind{
		"Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln":                          identity.TokenCred,
		"AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/x/aws4_request, Sig=1": identity.SignatureCred,
		"Bearer eyJnotatoken": identity.KeyCred,
	}
	for header, want := range tests {
		c, _, err := identity.Credential(http.Header{"Authorization": {header}}, "")
		if err != nil || c.Kind != want {
			t.Errorf("kind is %v, %v", c.Kind, err)
		}
		if want == identity.KeyCred {
			continue
		}
		if _, err := identity.Authenticate(pepper(t), keys(), c, time.Now()); identity.Code(err) != "unsupported_credential" {
			t.Errorf("error is %v", err)
		}
	}
}

func TestAGoodKeySaysWhoCalls(t *testing.T) {
	p := pepper(t)
	s, k := newKey(t, p)
	k.Name, k.Project, k.Member = "dev", "lab", "ada"
	who, err := identity.Authenticate(p, keys(k), cred(s), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := plenum.Principal{KeyID: k.ID, KeyName: "dev", Project: "lab", Member: "ada"}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Error(diff)
	}
	k.Admin = true
	if who, _ := identity.Authenticate(p, keys(k), cred(s), time.Now()); !who.Admin {
		t.Error("the administrator is not known")
	}
}

func cred(s plenum.Secret) identity.Cred {
	return identity.Cred{Kind: identity.KeyCred, Secret: s, Where: "Authorization"}
}

func TestExpiredAndRevokedKeysAreToldApart(t *testing.T) {
	p := pepper(t)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name             string
		expires, revoked time.Time
		code, message    string
	}{
		{"good", now.Add(time.Second), time.Time{}, "", ""},
		{"expired", now, time.Time{}, "expired_key", "this key expired on 2026-11-22 12:00:00 UTC"},
		{"revoked", time.Time{}, now, "revoked_key", "this key was revoked"},
		{"to be revoked", time.Time{}, now.Add(time.Hour), "", ""},
		{"both", now.Add(-time.Hour), now.Add(-time.Hour), "revoked_key", "this key was revoked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, k := newKey(t, p)
			if !tt.expires.IsZero() {
				k.Expires = tt.expires.UnixMilli()
			}
			if !tt.revoked.IsZero() {
				k.Revoked = tt.revoked.UnixMilli()
			}
			_, err := identity.Authenticate(p, keys(k), cred(s), now)
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := llm.AsError(err); e.Kind != llm.Unauthorized || e.Code != tt.code || e.Message != tt.message {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAMistypedKeyIsToldFromAWrongOne(t *testing.T) {
	p := pepper(t)
	s, _ := newKey(t, p)
	cut := plenum.NewSecret(s.Reveal()[:41])
	for secret, want := range map[plenum.Secret]string{cut: "malformed_key", s: "unknown_key", plenum.NewSecret("sk-other"): "unknown_key"} {
		if _, err := identity.Authenticate(p, keys(), cred(secret), time.Now()); identity.Code(err) != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestCase_I3_SQLInABearerIsJustAWrongKey(t *testing.T) {
	p := pepper(t)
	_, k := newKey(t, p)
	for _, v := range []string{"' OR '1'='1", "x'; DROP TABLE keys; --", "\" OR \"\"=\"", "%' --", "*", "null", "undefined"} {
		c, _, err := identity.Credential(http.Header{"Authorization": {"Bearer " + v}}, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := identity.Authenticate(p, keys(k), c, time.Now()); identity.Code(err) != "unknown_key" {
			t.Errorf("%q: %v", v, err)
		}
	}
}

func TestCase_I2_ABadKeyIsNeverEchoed(t *testing.T) {
	p := pepper(t)
	const bad = "hunter2-hunter2-hunter2"
	heads := []http.Header{
		{"Authorization": {"Bearer " + bad}},
		{"Authorization": {bad}},
		{"Authorization": {"Basic " + bad}},
		{"Authorization": {"Bearer plenum_sk_" + bad}},
		{"Authorization": {"Bearer " + bad}, "X-Api-Key": {"other"}},
		{"Authorization": {"Bearer " + bad + strings.Repeat("x", 9000)}},
		{"Authorization": {"Bearer eyJ" + bad + ".b.c"}},
	}
	for i, h := range heads {
		c, clean, err := identity.Credential(h, "key=&x="+"1&%4bey="+bad)
		if err == nil {
			_, err = identity.Authenticate(p, keys(), c, time.Now())
		}
		if err == nil {
			t.Errorf("%d: no error", i)
			continue
		}
		if strings.Contains(err.Error()+fmt.Sprintf("%+v %#v", c, c)+clean, "hunter2") {
			t.Errorf("%d: repeats the key: %v, %s", i, err, clean)
		}
	}
}

func TestCase_I1_TheKeyLeavesTheQuery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{
			"key=hunter2", "KEY=hunter2", "%6bey=hunter2", "k%65%79=hunter2", "key=hunter2%zz", "a=1", "", "b", "keys=2", "x=key",
		})).Draw(t, "parts")
		seps := rapid.SampledFrom([]string{"&", ";"})
		query, want := "", ""
		for i, p := range parts {
			if i > 0 {
				query += seps.Draw(t, "sep")
			}
			query += p
			if !strings.Contains(p, "hunter2") {
				want += p
			}
		}
		_, clean, _ := identity.Credential(nil, query)
		if strings.Contains(clean, "hunter2") {
			t.Fatalf("%q leaves %q", query, clean)
		}
		if got := strings.NewReplacer("&", "", ";", "").Replace(clean); got != want {
			t.Fatalf("%q leaves %q", query, clean)
		}
	})
}

func FuzzCredential(f *testing.F) {
	f.Add("Bearer k", "x", "key=k")
	f.Add("Bearer", "", "%")
	f.Add("bearer \x00\xff", "\xff", "key&;=%")
	f.Fuzz(func(t *testing.T, auth, key, query string) {
		c, clean, err := identity.Credential(http.Header{"Authorization": {auth}, "X-Api-Key": {key}}, query)
		if err == nil && (c.Kind == identity.NoCred || c.Secret.Empty()) {
			t.Error("neither a credential nor an error")
		}
		if err != nil && identity.Code(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if len(clean) > len(query) {
			t.Errorf("%q became %q", query, clean)
		}
		again, cleaner, _ := identity.Credential(nil, clean)
		if again.Kind != identity.NoCred || cleaner != clean {
			t.Errorf("%q still holds a key", clean)
		}
	})
}

func TestThePepperIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	macs := make([][32]byte, 8)
	var wg sync.WaitGroup
	for i := range macs {
		wg.Go(func() {
			p, err := identity.LoadOrCreatePepper(dir)
			if err != nil {
				t.Error(err)
				return
			}
			macs[i] = p.MAC(plenum.NewSecret("x"))
		})
	}
	wg.Wait()
	for _, m := range macs {
		if m != macs[0] {
			t.Fatal("two starts at once made two peppers")
		}
	}
	info, err := os.Stat(filepath.Join(dir, "pepper"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestABrokenPepperIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pepper")
	if err := os.WriteFile(path, []byte("abcd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.LoadOrCreatePepper(dir); err == nil || strings.Contains(err.Error(), "abcd") {
		t.Errorf("error is %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "abcd" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if _, err := identity.LoadOrCreatePepper(filepath.Join(path, "under-a-file")); err == nil || errors.Is(err, os.ErrExist) {
		t.Errorf("error is %v", err)
	}
}

func TestAuthenticationAllocatesTheSecretAlone(t *testing.T) {
	p := pepper(t)
	s, k := newKey(t, p)
	find, now := keys(k), time.Now()
	h := http.Header{"Authorization": {"Bearer " + s.Reveal()}}
	allocs := testing.AllocsPerRun(100, func() {
		c, _, err := identity.Credential(h, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := identity.Authenticate(p, find, c, now); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 { // the secret's own
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	p := pepper(b)
	s, k := newKey(b, p)
	find, now := keys(k), time.Now()
	h := http.Header{"Authorization": {"Bearer " + s.Reveal()}}
	b.ReportAllocs()
	for b.Loop() {
		c, _, err := identity.Credential(h, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := identity.Authenticate(p, find, c, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMAC compares the MAC written out with crypto/hmac, made anew and kept.
func BenchmarkMAC(b *testing.B) {
	p := pepper(b)
	s, _ := newKey(b, p)
	b.Run("plenum", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.MAC(s)
		}
	})
	b.Run("crypto/hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h := hmac.New(sha256.New, make([]byte, 32))
			h.Write([]byte(s.Reveal()))
			h.Sum(nil)
		}
	})
}
