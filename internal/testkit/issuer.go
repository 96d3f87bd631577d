package testkit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Issuer is an OpenID Connect issuer on the loopback interface, as far as those see it who verify its tokens: a
// discovery document, keys that rotate, and tokens that are signed with them.
type Issuer struct {
	URL string

	t     testing.TB
	down  atomic.Bool
	reads atomic.Int64
	mu    sync.Mutex
	made  int
	sign  jose.JSONWebKey   // what tokens are signed with
	shown []jose.JSONWebKey // what is published
}

// NewIssuer starts an issuer that signs with an RSA key.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t}
	i.Rotate(jose.RS256)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.reads.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.answer(w, jose.JSONWebKeySet{Keys: i.shown})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.URL = s.URL
	return i
}

func (i *Issuer) answer(w http.ResponseWriter, v any) {
	if i.down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}

// Down makes the issuer answer with errors, or end that.
func (i *Issuer) Down(down bool) { i.down.Store(down) }

// Reads returns how often its keys were asked for.
func (i *Issuer) Reads() int { return int(i.reads.Load()) }

// Rotate makes a new key, with which tokens are signed from now on. The older ones stay published.
func (i *Issuer) Rotate(alg jose.SignatureAlgorithm) {
	i.t.Helper()
	var key any
	var err error
	switch alg {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.sign = jose.JSONWebKey{Key: key, KeyID: fmt.Sprintf("key-%d", i.made), Algorithm: string(alg), Use: "sig"}
	i.shown = append(i.shown, i.sign.Public())
}

// Withdraw takes all keys back but the newest.
func (i *Issuer) Withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shown = i.shown[len(i.shown)-1:]
}

// Public returns the key that tokens are verified with at the moment.
func (i *Issuer) Public() crypto.PublicKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sign.Public().Key
}

// Token returns a token that makes these claims, beside its issuer and, for ten minutes from now, its time. A claim
// that is nil is left out.
func (i *Issuer) Token(claims map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	return SignToken(i.t, jose.SignatureAlgorithm(i.sign.Algorithm), i.sign, i.Claims(claims))
}

// Claims returns what a token of these claims says.
func (i *Issuer) Claims(claims map[string]any) map[string]any {
	now := time.Now().Unix()
	all := map[string]any{"iss": i.URL, "iat": now, "nbf": now, "exp": now + 600}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// SignToken returns a token of these claims that is signed with a key.
func SignToken(t testing.TB, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
