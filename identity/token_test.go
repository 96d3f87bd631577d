package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// shifted is the computer's clock, put forward.
type shifted struct {
	clock.Clock
	by atomic.Int64
}

func (s *shifted) Now() time.Time          { return s.Clock.Now().Add(time.Duration(s.by.Load())) }
func (s *shifted) forward(d time.Duration) { s.by.Add(int64(d)) }

// door is a Tokens with the issuers that are declared.
type door struct {
	*Tokens
	clock    *shifted
	declared map[string]*plenum.Issuer
}

func newDoor(issuers ...*plenum.Issuer) *door {
	d := &door{clock: &shifted{Clock: clock.Real}, declared: map[string]*plenum.Issuer{}}
	d.Tokens = NewTokens(d.clock, slog.New(slog.DiscardHandler))
	for _, i := range issuers {
		d.declared[i.URL] = i
	}
	return d
}

func (d *door) find(iss string) (*plenum.Issuer, bool) { i, ok := d.declared[iss]; return i, ok }

func (d *door) knock(token string) (plenum.Principal, error) {
	return d.Authenticate(context.Background(), d.find, Cred{Kind: TokenCred, Secret: plenum.NewSecret(token)})
}

// declare returns what is declared of an issuer: one account for workloads of prod, one for people.
func declare(i *testkit.Issuer, algs ...string) *plenum.Issuer {
	if len(algs) == 0 {
		algs = []string{"RS256", "ES256", "EdDSA"}
	}
	return &plenum.Issuer{
		Name: "here", URL: i.URL, Audiences: []string{"plenum", "api://plenum"}, Algorithms: algs, Source: plenum.KeySource{Issuer: i.URL},
		Accounts: []plenum.Account{
			{Key: plenum.Key{ID: "token:here/robots", Name: "robots", Project: "prod"}, Claims: []plenum.Claim{{Name: "sub", Value: "system:serviceaccount:prod:*"}}},
			{Key: plenum.Key{ID: "token:here/people", Name: "people", Project: "desk"}, Claims: []plenum.Claim{{Name: "groups", Value: "staff"}}, Member: "email"},
		},
	}
}

var robot = map[string]any{"aud": "plenum", "sub": "system:serviceaccount:prod:indexer"}

// with returns the claims of the robot with some of them others.
func with(more map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range robot {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func TestATokenStandsForItsAccount(t *testing.T) {
	is := testkit.NewIssuer(t)
	d := newDoor(declare(is))
	who, err := d.knock(is.Token(with(map[string]any{"aud": []string{"other", "api://plenum"}})))
	if want := (plenum.Principal{KeyID: "token:here/robots", KeyName: "robots", Project: "prod"}); err != nil || !reflect.DeepEqual(who, want) {
		t.Errorf("%+v, %v", who, err)
	}
	who, err = d.knock(is.Token(map[string]any{"aud": "plenum", "groups": []string{"all", "staff"}, "email": "ada@plenum.example", "email_verified": true}))
	if want := (plenum.Principal{KeyID: "token:here/people", KeyName: "people", Project: "desk", Member: "ada@plenum.example"}); err != nil || !reflect.DeepEqual(who, want) {
		t.Errorf("%+v, %v", who, err)
	}
	if is.Reads() != 1 {
		t.Errorf("the keys were read %d times", is.Reads())
	}
}

// Every way to be wrong has a word and a sentence of its own, and none repeats the token.
func TestCase_I10_WhatIsWrongWithATokenIsTold(t *testing.T) {
	is, other := testkit.NewIssuer(t), testkit.NewIssuer(t)
	d := newDoor(declare(is))
	der, err := x509.MarshalPKIXPublicKey(is.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := is.Token(robot)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	for name, c := range map[string]struct{ token, code string }{
		"not signed":               {b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "unsigned_token"},
		"not signed, in capitals":  {b64([]byte(`{"alg":"NONE"}`)) + "." + parts[1] + "." + parts[2], "unsigned_token"},
		"the public key as secret": {testkit.SignToken(t, jose.HS256, public, is.Claims(robot)), "wrong_algorithm"},
		"another algorithm":        {testkit.SignToken(t, jose.PS256, stranger, is.Claims(robot)), "wrong_algorithm"},
		"another's key":            {testkit.SignToken(t, jose.RS256, jose.JSONWebKey{Key: stranger, KeyID: "key-1"}, is.Claims(robot)), "invalid_signature"},
		"an unknown key":           {testkit.SignToken(t, jose.RS256, jose.JSONWebKey{Key: stranger, KeyID: "key-9"}, is.Claims(robot)), "unknown_signing_key"},
		"no key's name":            {testkit.SignToken(t, jose.RS256, stranger, is.Claims(robot)), "invalid_signature"},
		"changed":                  {parts[0] + "." + b64([]byte(`{"iss":"`+is.URL+`","aud":"plenum","sub":"system:serviceaccount:prod:root","exp":99999999999}`)) + "." + parts[2], "invalid_signature"},
		"cut off":                  {good[:len(good)-4], "invalid_signature"},
		"another issuer":           {other.Token(robot), "unknown_issuer"},
		"no issuer":                {is.Token(with(map[string]any{"iss": nil})), "unknown_issuer"},
		"for somebody else":        {is.Token(with(map[string]any{"aud": "them"})), "wrong_audience"},
		"for nobody":               {is.Token(with(map[string]any{"aud": nil})), "wrong_audience"},
		"over":                     {is.Token(with(map[string]any{"exp": now - 120})), "expired_token"},
		"without end":              {is.Token(with(map[string]any{"exp": nil})), "malformed_token"},
		"an end that is text":      {is.Token(with(map[string]any{"exp": "tomorrow"})), "malformed_token"},
		"not yet":                  {is.Token(with(map[string]any{"nbf": now + 300})), "early_token"},
		"bound to a key":           {is.Token(with(map[string]any{"cnf": map[string]any{"jkt": "x"}})), "bound_token"},
		"nobody's account":         {is.Token(with(map[string]any{"sub": "system:serviceaccount:test:x"})), "no_account"},
		"an account's prefix":      {is.Token(with(map[string]any{"sub": "system:serviceaccount:prod:"})), "no_account"},
		"nobody by name":           {is.Token(map[string]any{"aud": "plenum", "groups": "staff"}), "missing_claim"},
		"an address not verified":  {is.Token(map[string]any{"aud": "plenum", "groups": "staff", "email": "root@plenum.example", "email_verified": false}), "missing_claim"},
		"for another purpose":      {typed(t, is, stranger), "malformed_token"},
		"no base64":                {"eyJ!.{}.%", "malformed_token"},
		"no JSON":                  {b64([]byte(`{"alg":`)) + "." + parts[1] + "." + parts[2], "malformed_token"},
		"claims that are a list":   {parts[0] + "." + b64([]byte(`[1]`)) + "." + parts[2], "malformed_token"},
		"claims that are null":     {parts[0] + "." + b64([]byte(`null`)) + "." + parts[2], "unknown_issuer"},
		"too long":                 {"eyJ." + strings.Repeat("a", longestToken) + ".b", "malformed_token"},
		"two parts":                {parts[0] + "." + parts[1], "malformed_token"},
	} {
		who, err := d.knock(c.token)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != c.code || who.KeyID != "" {
			t.Errorf("%s: %+v, %v (%s)", name, who, err, Code(err))
			continue
		}
		if e.Message == "" || strings.Contains(err.Error(), parts[1]) || strings.Contains(err.Error(), "root@") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.knock(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// typed is a token of a type that shows no caller.
func typed(t *testing.T, is *testkit.Issuer, key *rsa.PrivateKey) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(is.Claims(robot))
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

// A key that says which algorithm it is for serves for no other, even one that its kind can do.
func TestCase_I10_AKeyServesForItsAlgorithmAlone(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: "RS256"}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
	}))
	defer s.Close()
	url := s.URL
	d := newDoor(&plenum.Issuer{
		Name: "x", URL: url, Audiences: []string{"a"}, Algorithms: []string{"RS256", "PS256"}, Source: plenum.KeySource{Issuer: url, KeysURL: url},
		Accounts: []plenum.Account{{Key: plenum.Key{ID: "token:x/a", Name: "a"}, Claims: []plenum.Claim{{Name: "sub", Value: "*"}}}},
	})
	said := map[string]any{"iss": url, "aud": "a", "sub": "s", "exp": time.Now().Unix() + 60}
	if _, err := d.knock(testkit.SignToken(t, jose.PS256, jose.JSONWebKey{Key: key, KeyID: "k"}, said)); Code(err) != "wrong_algorithm" {
		t.Errorf("%v", err)
	}
	if _, err := d.knock(testkit.SignToken(t, jose.RS256, jose.JSONWebKey{Key: key, KeyID: "k"}, said)); err != nil {
		t.Errorf("%v", err)
	}
}

// Not only RS256: what issuers sign with today.
func TestCase_I10_OtherSignaturesThanRS256(t *testing.T) {
	is := testkit.NewIssuer(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS512} {
		is.Rotate(alg)
		d := newDoor(declare(is, string(alg)))
		if _, err := d.knock(is.Token(robot)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// A new key counts with the first token that it has signed; one that was taken back ends the tokens that it has
// signed, remembered or not.
func TestKeysRotate(t *testing.T) {
	is := testkit.NewIssuer(t)
	d := newDoor(declare(is))
	old := is.Token(robot)
	if _, err := d.knock(old); err != nil {
		t.Fatal(err)
	}
	is.Rotate(jose.ES256)
	young := is.Token(robot)
	if _, err := d.knock(young); Code(err) != "unknown_signing_key" || is.Reads() != 1 {
		t.Errorf("within the pause: %v, read %d times", err, is.Reads())
	}
	d.clock.forward(pauseUnknown)
	for _, token := range []string{young, old} {
		if _, err := d.knock(token); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
	}
	if is.Reads() != 2 {
		t.Errorf("the keys were read %d times", is.Reads())
	}
	is.Withdraw()
	d.clock.forward(refreshEvery)
	d.tend([]*plenum.Issuer{d.declared[is.URL]})
	until(t, func() bool { return is.Reads() == 3 && d.source(plenum.KeySource{Issuer: is.URL}).idle() })
	if _, err := d.knock(old); Code(err) != "unknown_signing_key" {
		t.Errorf("a token of a key that was taken back: %v", err)
	}
	if _, err := d.knock(young); err != nil {
		t.Errorf("a token of the key that is left: %v", err)
	}
}

func (s *keySource) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flight == nil
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}

// An issuer that is away is no fault of callers; keys that were read count for a day.
func TestAnIssuerThatIsAway(t *testing.T) {
	is := testkit.NewIssuer(t)
	d := newDoor(declare(is))
	is.Down(true)
	token := is.Token(with(map[string]any{"exp": time.Now().Add(72 * time.Hour).Unix()}))
	_, err := d.knock(token)
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.Unavailable || e.Code != "issuer_unreachable" {
		t.Errorf("%v", err)
	}
	is.Down(false)
	d.clock.forward(time.Second)
	if _, err := d.knock(token); err != nil {
		t.Errorf("%v", err)
	}
	is.Down(true)
	d.clock.forward(mostStale - time.Minute)
	if _, err := d.knock(token); err != nil {
		t.Errorf("within the day: %v", err)
	}
	d.clock.forward(2 * time.Minute)
	if _, err := d.knock(token); !errors.As(err, &e) || e.Kind != llm.Unavailable {
		t.Errorf("after the day: %v", err)
	}
}

// A token that is remembered ends in its time, and with what is declared.
func TestARememberedTokenEnds(t *testing.T) {
	is := testkit.NewIssuer(t)
	d := newDoor(declare(is))
	token := is.Token(robot)
	if _, err := d.knock(token); err != nil {
		t.Fatal(err)
	}
	other := declare(is)
	other.Accounts[0].Key.Project = "elsewhere"
	d.declared[is.URL] = other
	if who, err := d.knock(token); err != nil || who.Project != "elsewhere" {
		t.Errorf("%+v, %v", who, err)
	}
	other = declare(is)
	other.Audiences = []string{"others"}
	d.declared[is.URL] = other
	if _, err := d.knock(token); Code(err) != "wrong_audience" {
		t.Errorf("%v", err)
	}
	d.declared[is.URL] = declare(is, "ES256")
	if _, err := d.knock(token); Code(err) != "wrong_algorithm" {
		t.Errorf("%v", err)
	}
	d.declared[is.URL] = declare(is)
	d.clock.forward(10*time.Minute + skew + time.Second)
	if _, err := d.knock(token); Code(err) != "expired_token" {
		t.Errorf("%v", err)
	}
	delete(d.declared, is.URL)
	if _, err := d.knock(is.Token(with(map[string]any{"exp": time.Now().Unix() + 3600}))); Code(err) != "unknown_issuer" {
		t.Errorf("%v", err)
	}
}

// As many calls as come while there are no keys wait for one reading of them.
func TestCallsShareTheFirstReading(t *testing.T) {
	is := testkit.NewIssuer(t)
	d := newDoor(declare(is))
	token := is.Token(robot)
	errs := make(chan error, 50)
	for range cap(errs) {
		go func() {
			_, err := d.knock(token)
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if is.Reads() != 1 {
		t.Errorf("the keys were read %d times", is.Reads())
	}
}

// A cluster shows its keys over its own certificate, to whoever shows a token.
func TestKeysBehindACertificateAndAToken(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := jose.JSONWebKey{Key: key, KeyID: "k"}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to an address that nobody declared")
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
	}))
	defer elsewhere.Close()
	var url string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-pod" {
			http.Error(w, "who?", http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": url, "jwks_uri": elsewhere.URL})
	}))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	url = s.URL
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token")
	write := func(name string, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	write(token, []byte("of-the-pod\n"))
	account := []plenum.Account{{Key: plenum.Key{ID: "token:k8s/a", Name: "a"}, Claims: []plenum.Claim{{Name: "kubernetes.io/namespace", Value: "prod"}}}}
	said := map[string]any{"iss": url, "aud": "a", "exp": time.Now().Unix() + 60, "kubernetes.io": map[string]any{"namespace": "prod"}}
	issuer := func(from plenum.KeySource) *plenum.Issuer {
		return &plenum.Issuer{Name: "k8s", URL: url, Audiences: []string{"a"}, Algorithms: []string{"RS256"}, Source: from, Accounts: account}
	}
	signed := testkit.SignToken(t, jose.RS256, k, said)
	if _, err := newDoor(issuer(plenum.KeySource{Issuer: url, CA: ca, TokenFile: token})).knock(signed); err != nil {
		t.Errorf("%v", err)
	}
	var e *llm.Error
	if _, err := newDoor(issuer(plenum.KeySource{Issuer: url, TokenFile: token})).knock(signed); !errors.As(err, &e) || e.Kind != llm.Unavailable {
		t.Errorf("without the certificate: %v", err)
	}
	if _, err := newDoor(issuer(plenum.KeySource{Issuer: url, CA: ca})).knock(signed); !errors.As(err, &e) || e.Kind != llm.Unavailable {
		t.Errorf("without the token: %v", err)
	}
}

// What an issuer publishes is not taken as it comes.
func TestWhichKeysAreTaken(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(k jose.JSONWebKey) json.RawMessage {
		text, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	set := setOf([]json.RawMessage{
		raw(jose.JSONWebKey{Key: short.Public(), KeyID: "short"}),
		raw(jose.JSONWebKey{Key: []byte("a secret that is shared with all"), KeyID: "shared"}),
		raw(jose.JSONWebKey{Key: short, KeyID: "private"}),
		json.RawMessage(`{"kty":"RSA"}`), json.RawMessage(`{"kty":"new","kid":"x"}`), json.RawMessage(`7`),
	}, time.Now())
	if len(set.keys) != 0 {
		t.Errorf("%+v", set.keys)
	}
}

func TestClaimsAreFound(t *testing.T) {
	c, err := readClaims([]byte(`{"a":"1","n":12345678901234567890,"b":true,"list":["x","y",["z"]],"scp":"read call","kubernetes.io":{"pod":{"name":"p"}},"https://x.example/role":"dev","o":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for want, ok := range map[[2]string]bool{
		{"a", "1"}: true, {"a", "2"}: false, {"n", "12345678901234567890"}: true, {"n", "12345678901234567891"}: false,
		{"b", "true"}: true, {"list", "y"}: true, {"list", "z"}: false, {"scp", "call"}: true, {"scp", "cal"}: false,
		{"scp", "read call"}: false, {"kubernetes.io/pod/name", "p"}: true, {"kubernetes.io/pod", "*"}: false,
		{"https://x.example/role", "dev"}: true, {"o", "*"}: false, {"none", "*"}: false, {"a", "*"}: true,
	} {
		if got := c.fit([]plenum.Claim{{Name: want[0], Value: want[1]}}); got != ok {
			t.Errorf("%v: %v", want, got)
		}
	}
	if c.fit(nil) {
		t.Error("nothing asked is fit")
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	var s seen
	var sum [32]byte
	first := &verified{}
	s.put(sum, first)
	for i := 1; i <= 3*mostSeen; i++ {
		s.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}, &verified{})
		if i%mostSeen == 0 && s.get(sum) != first {
			t.Fatalf("what is used is forgotten after %d", i)
		}
	}
	if n := len(s.new) + len(s.old); n > 2*mostSeen {
		t.Errorf("%d are remembered", n)
	}
}

// Nothing that comes in place of a token makes the judge fall over.
func FuzzCase_I10_AnythingForAToken(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln")
	f.Add("eyJ..")
	f.Add("eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiYjY0Il19.bnVsbA.")
	d := newDoor(&plenum.Issuer{Name: "x", URL: "x", Audiences: []string{"x"}, Algorithms: []string{"RS256"}, Source: plenum.KeySource{KeysURL: "http://127.0.0.1:1"}})
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := d.knock(token); err == nil {
			t.Errorf("%q is taken", token)
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	is := testkit.NewIssuer(b)
	d := newDoor(declare(is))
	cred := Cred{Kind: TokenCred, Secret: plenum.NewSecret(is.Token(robot))}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Authenticate(ctx, d.find, cred); err != nil {
			b.Fatal(err)
		}
	}
}
