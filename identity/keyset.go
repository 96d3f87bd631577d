package identity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/outbound"
)

const (
	// refreshEvery is how old an issuer's keys become before they are read again: so long a key counts that the
	// issuer has taken back.
	refreshEvery = 5 * time.Minute
	// retryEvery is the time between two tries to read them while that fails.
	retryEvery = 30 * time.Second
	// pauseUnknown is the least time between two readings that tokens of unknown keys ask for: anybody can make those.
	pauseUnknown = 10 * time.Second
	// mostStale is how long keys count that could not be read again.
	mostStale = 24 * time.Hour
	// patience bounds one reading, and patienceOfCall how long a call waits for it.
	patience, patienceOfCall = 15 * time.Second, 5 * time.Second
	// mostKeys and largestKeys bound what an issuer may publish.
	mostKeys, largestKeys = 64, 1 << 20
	// weakest is the shortest RSA key that is believed, in bits.
	weakest = 2048
)

// publicKey is a key of an issuer.
type publicKey struct {
	id, alg string
	mark    [32]byte // its thumbprint
	key     any
}

// keySet is what an issuer publishes at one time.
type keySet struct {
	keys  []publicKey
	marks map[[32]byte]struct{}
	read  time.Time
}

func (s *keySet) has(mark [32]byte) bool {
	_, ok := s.marks[mark]
	return ok
}

// of returns the keys that may have made a signature: those of its key's id, or all where it names none.
func (s *keySet) of(id string) []publicKey {
	if id == "" {
		return s.keys
	}
	var out []publicKey
	for _, k := range s.keys {
		if k.id == id {
			out = append(out, k)
		}
	}
	return out
}

// keySource keeps the keys of an issuer at hand.
type keySource struct {
	from  plenum.KeySource
	clock clock.Clock
	log   *slog.Logger
	held  atomic.Pointer[keySet]

	mu     sync.Mutex
	flight chan struct{} // closed when the reading ends that is under way
	tried  time.Time     // when the last one began
	failed error         // of the last one
}

// fresh returns the keys at hand; nil where there are none that may be believed.
func (s *keySource) fresh() *keySet {
	set := s.held.Load()
	if set == nil || s.clock.Now().Sub(set.read) > mostStale {
		return nil
	}
	return set
}

// keys returns the keys. Only while there are none does it wait, for one reading that all calls share.
func (s *keySource) keys(ctx context.Context) (*keySet, error) {
	if set := s.fresh(); set != nil {
		return set, nil
	}
	s.await(ctx, time.Second)
	if set := s.fresh(); set != nil {
		return set, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return nil, s.failed
	}
	return nil, errors.New("they are being read")
}

// again reads the keys anew for a token whose key is not among them, which is how issuers rotate theirs.
func (s *keySource) again(ctx context.Context) *keySet {
	s.await(ctx, pauseUnknown)
	return s.fresh()
}

// await waits for a reading, and begins one unless the last one began less than a pause ago.
func (s *keySource) await(ctx context.Context, pause time.Duration) {
	flight := s.begin(pause)
	if flight == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfCall)
	defer cancel()
	select {
	case <-flight:
	case <-ctx.Done():
	}
}

// begin begins a reading, or joins the one that is under way; nil if the last one began less than a pause ago. It
// belongs to none of those who wait for it.
func (s *keySource) begin(pause time.Duration) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.flight != nil {
		return s.flight
	}
	if !s.tried.IsZero() && now.Sub(s.tried) < pause {
		return nil
	}
	s.tried, s.flight = now, make(chan struct{})
	flight := s.flight
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		set, err := s.read(ctx)
		s.end(set, err)
		close(flight)
	}()
	return flight
}

// end takes over what a reading has found.
func (s *keySource) end(set *keySet, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (err == nil) != (s.failed == nil) || err != nil && s.failed.Error() != err.Error() {
		if err != nil {
			s.log.Warn("the keys of an issuer of tokens cannot be read; those that were read before count for a day", "issuer", s.from.Issuer, "err", err)
		} else {
			s.log.Info("the keys of an issuer of tokens can be read again", "issuer", s.from.Issuer)
		}
	}
	s.flight, s.failed = nil, err
	if err == nil {
		s.held.Store(set)
	}
}

// tend reads the keys when it is time, beside all calls.
func (s *keySource) tend() {
	set := s.held.Load()
	if set == nil || s.clock.Now().Sub(set.read) >= refreshEvery {
		s.begin(retryEvery)
	}
}

// read reads the keys, and before them where they are.
func (s *keySource) read(ctx context.Context) (*keySet, error) {
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	at := s.from.KeysURL
	if at == "" {
		var found struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		where := strings.TrimSuffix(s.from.Issuer, "/") + "/.well-known/openid-configuration"
		if err := s.get(ctx, client, where, &found); err != nil {
			return nil, fmt.Errorf("reading its discovery document: %w", err)
		}
		switch {
		case found.Issuer != s.from.Issuer:
			return nil, errors.New("its discovery document is of another issuer")
		case !plenum.SafeURL(found.Keys):
			return nil, errors.New("its discovery document names no address of keys that begins with https://")
		}
		at = found.Keys
	}
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, client, at, &published); err != nil {
		return nil, fmt.Errorf("reading its keys: %w", err)
	}
	set := setOf(published.Keys, s.clock.Now())
	if len(set.keys) == 0 {
		return nil, errors.New("it publishes no key that signatures could be verified with")
	}
	return set, nil
}

// setOf takes what can verify a signature out of what an issuer publishes. The rest is no fault: an issuer may have
// keys for other things, of kinds that are not known here.
func setOf(published []json.RawMessage, now time.Time) *keySet {
	set := &keySet{marks: map[[32]byte]struct{}{}, read: now}
	for _, raw := range published[:min(len(published), mostKeys)] {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if r, ok := k.Key.(*rsa.PublicKey); ok && r.N.BitLen() < weakest {
			continue
		}
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil || len(sum) != 32 {
			continue
		}
		p := publicKey{id: k.KeyID, alg: k.Algorithm, mark: [32]byte(sum), key: k.Key}
		set.keys = append(set.keys, p)
		set.marks[p.mark] = struct{}{}
	}
	return set
}

// client returns what reads the keys. It is made anew for each reading, so that a new certificate counts.
func (s *keySource) client() (*http.Client, error) {
	by := outbound.Private.Leave(patience)
	t := &http.Transport{Proxy: by.Proxy, DialContext: by.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if s.from.CA != "" {
		pem, err := os.ReadFile(s.from.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates to trust: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", s.from.CA)
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !plenum.SafeURL(r.URL.String()) {
			return errors.New("it leads elsewhere too often, or to an address without https://")
		}
		return nil
	}}, nil
}

// get reads a JSON document.
func (s *keySource) get(ctx context.Context, client *http.Client, at string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	if s.from.TokenFile != "" && s.trusted(r.URL) {
		token, err := os.ReadFile(s.from.TokenFile)
		if err != nil {
			return fmt.Errorf("reading the token to read it with: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, largestKeys+1))
	if err != nil {
		return err
	}
	if len(text) > largestKeys {
		return fmt.Errorf("it is larger than %d bytes", largestKeys)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("it is not the JSON that it should be")
	}
	return nil
}

// trusted reports whether the token goes to an address: it is for those alone that are declared, not for what a
// document says.
func (s *keySource) trusted(at *url.URL) bool {
	for _, declared := range [...]string{s.from.Issuer, s.from.KeysURL} {
		if u, err := url.Parse(declared); err == nil && u.Scheme == at.Scheme && u.Host == at.Host {
			return true
		}
	}
	return false
}
