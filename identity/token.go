package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	// longestToken is the longest token that is looked at.
	longestToken = 16 << 10
	// skew is how far the clocks of an issuer and this machine may be apart.
	skew = time.Minute
	// tendEvery is how often is looked whether keys must be read.
	tendEvery = 5 * time.Second
)

// Tokens judges the tokens of issuers. It keeps the keys of these at hand, so that no call waits for them but the
// first, and remembers tokens that were verified. It is safe for concurrent use.
type Tokens struct {
	clock clock.Clock
	log   *slog.Logger
	seen  seen
	bufs  sync.Pool // of *[]byte, to hash tokens in

	mu      sync.Mutex
	sources map[plenum.KeySource]*keySource
}

// NewTokens returns a Tokens that has read no keys yet.
func NewTokens(c clock.Clock, log *slog.Logger) *Tokens {
	return &Tokens{clock: c, log: log, sources: map[plenum.KeySource]*keySource{}}
}

// Run keeps the keys of the issuers in force at hand until ctx ends.
func (t *Tokens) Run(ctx context.Context, issuers func() []*plenum.Issuer) error {
	for {
		t.tend(issuers())
		if err := t.clock.Sleep(ctx, tendEvery); err != nil {
			return err
		}
	}
}

// tend reads the keys that it is time for.
func (t *Tokens) tend(issuers []*plenum.Issuer) {
	for _, is := range issuers {
		t.source(is.Source).tend()
	}
}

func (t *Tokens) source(from plenum.KeySource) *keySource {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.sources[from]
	if !ok {
		s = &keySource{from: from, clock: t.clock, log: t.log}
		t.sources[from] = s
	}
	return s
}

// verified is a token whose signature was verified.
type verified struct {
	issuer   string // as it has it in iss
	alg      string
	mark     [32]byte // of the key that has signed it
	claims   claims
	from     time.Time
	until    time.Time
	standing atomic.Pointer[standing]
}

// standing is what a token counts for under one declaration of its issuer.
type standing struct {
	issuer *plenum.Issuer
	source *keySource
	who    plenum.Principal
	err    error
}

// Authenticate returns whom a token stands for. Find returns the issuers of the configuration in force. The error is
// an *llm.Error that the caller may see.
func (t *Tokens) Authenticate(ctx context.Context, find func(iss string) (*plenum.Issuer, bool), c Cred) (plenum.Principal, error) {
	text := c.Secret.Reveal()
	if len(text) > longestToken {
		return plenum.Principal{}, refuse("malformed_token", "this token is too long")
	}
	sum := t.sum(text)
	v := t.seen.get(sum)
	if v == nil {
		var err error
		if v, err = t.verify(ctx, find, text); err != nil {
			return plenum.Principal{}, err
		}
		t.seen.put(sum, v)
	}
	if err := v.timely(t.clock.Now()); err != nil {
		return plenum.Principal{}, err
	}
	is, ok := find(v.issuer)
	if !ok {
		return plenum.Principal{}, unknownIssuer()
	}
	st := v.standing.Load()
	if st == nil || st.issuer != is {
		st = t.judge(v, is)
		v.standing.Store(st)
	}
	if st.err != nil {
		return plenum.Principal{}, st.err
	}
	if set := st.source.fresh(); set == nil || !set.has(v.mark) {
		t.seen.drop(sum)
		if set != nil {
			return plenum.Principal{}, refuse("unknown_signing_key", "the issuer of this token has taken the key back that it is signed with; get a new token")
		}
		return plenum.Principal{}, unreadable(is)
	}
	return st.who, nil
}

// sum returns the hash that a token is remembered by.
func (t *Tokens) sum(text string) [32]byte {
	buf, ok := t.bufs.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	*buf = append((*buf)[:0], text...)
	sum := sha256.Sum256(*buf)
	clear(*buf)
	t.bufs.Put(buf)
	return sum
}

// judge says whom a verified token stands for, by what is declared of its issuer.
func (t *Tokens) judge(v *verified, is *plenum.Issuer) *standing {
	st := &standing{issuer: is, source: t.source(is.Source)}
	switch {
	case !slices.Contains(is.Algorithms, v.alg):
		st.err = wrongAlgorithm(is)
	case !v.claims.meant(is.Audiences):
		st.err = refuse("wrong_audience", "this token is meant for somebody else: its audience (aud) must be "+strings.Join(is.Audiences, " or "))
	default:
		st.who, st.err = v.claims.account(is)
	}
	return st
}

// timely returns an error if a token is not good at a time.
func (v *verified) timely(now time.Time) error {
	switch {
	case now.After(v.until.Add(skew)):
		return refuse("expired_token", "this token expired on "+v.until.UTC().Format(time.DateTime)+" UTC; get a new one")
	case now.Before(v.from.Add(-skew)):
		return refuse("early_token", "this token is good from "+v.from.UTC().Format(time.DateTime)+" UTC on only; if that is past, a clock is wrong")
	}
	return nil
}

// header is what a token says of its signature.
type header struct {
	Alg  string          `json:"alg"`
	Kid  string          `json:"kid"`
	Typ  string          `json:"typ"`
	Crit json.RawMessage `json:"crit"`
}

// verify verifies a token's signature.
func (t *Tokens) verify(ctx context.Context, find func(string) (*plenum.Issuer, bool), text string) (*verified, error) {
	h, said, err := unwrap(text)
	if err != nil {
		return nil, err
	}
	is, ok := find(said.text("iss"))
	switch {
	case strings.EqualFold(h.Alg, "none") || h.Alg == "":
		return nil, refuse("unsigned_token", "this token is not signed")
	case !ok:
		return nil, unknownIssuer()
	case !slices.Contains(is.Algorithms, h.Alg):
		return nil, wrongAlgorithm(is)
	case len(h.Crit) > 0:
		return nil, refuse("malformed_token", "this token asks for more (crit) than is done here")
	case !bearer(h.Typ):
		return nil, refuse("malformed_token", "this is a token for another purpose (typ): an access token or an ID token is wanted")
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.Alg)})
	if err != nil {
		return nil, malformed()
	}
	source := t.source(is.Source)
	set, err := source.keys(ctx)
	if err != nil {
		return nil, unreadable(is)
	}
	made := set.of(h.Kid)
	mark, err := check(signed, h.Alg, made)
	if err != nil && (h.Kid == "" || len(made) == 0) {
		if set = source.again(ctx); set == nil {
			return nil, unreadable(is)
		}
		mark, err = check(signed, h.Alg, set.of(h.Kid))
	}
	if err != nil {
		return nil, err
	}
	return accept(said, h.Alg, mark)
}

// check returns the key that has made a signature.
func check(signed *jose.JSONWebSignature, alg string, keys []publicKey) ([32]byte, error) {
	err := refuse("unknown_signing_key", "this token is signed with a key that its issuer does not publish")
	for _, k := range keys {
		if k.alg != "" && k.alg != alg {
			err = refuse("wrong_algorithm", "this token's signature is not of the kind (alg) that its issuer makes with that key")
			continue
		}
		if _, bad := signed.Verify(k.key); bad == nil {
			return k.mark, nil
		}
		err = refuse("invalid_signature", "this token's signature is wrong: it was changed, or is cut off")
	}
	return [32]byte{}, err
}

// accept reads what every token must say.
func accept(said claims, alg string, mark [32]byte) (*verified, error) {
	v := &verified{issuer: said.text("iss"), alg: alg, mark: mark, claims: said}
	var ok bool
	if v.until, ok = said.time("exp"); !ok {
		return nil, refuse("malformed_token", "this token does not say when it expires (exp)")
	}
	if _, there := said["nbf"]; there {
		if v.from, ok = said.time("nbf"); !ok {
			return nil, malformed()
		}
	}
	if _, bound := said["cnf"]; bound {
		return nil, refuse("bound_token", "this token is bound to a key of its holder (cnf), which cannot be shown here; get a bearer token")
	}
	return v, nil
}

// unwrap reads a token without believing it.
func unwrap(text string) (header, claims, error) {
	var h header
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return h, nil, malformed()
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(head, &h) != nil {
		return h, nil, malformed()
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return h, nil, malformed()
	}
	said, err := readClaims(body)
	if err != nil {
		return h, nil, malformed()
	}
	return h, said, nil
}

// bearer reports whether tokens of a type are to show who calls.
func bearer(typ string) bool {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

func malformed() error {
	return refuse("malformed_token", "this is no whole token: three parts in base64, the first two of them JSON")
}

func unknownIssuer() error {
	return refuse("unknown_issuer", "the issuer of this token (iss) does not vouch for callers here; whoever runs this Plenum declares issuers")
}

func wrongAlgorithm(is *plenum.Issuer) error {
	return refuse("wrong_algorithm", "this token's signature is of a kind (alg) that is not taken from its issuer: it must be "+strings.Join(is.Algorithms, " or "))
}

// unreadable is what a caller learns who may be good: it is no fault of theirs.
func unreadable(is *plenum.Issuer) error {
	return &llm.Error{Kind: llm.Unavailable, Op: "identity", Code: "issuer_unreachable", Message: "the keys of the issuer " + is.Name + " cannot be read just now, so that nothing can be said of its tokens; try again"}
}

// mostSeen bounds how many tokens are remembered, in each of two generations.
const mostSeen = 8192

// seen remembers tokens that were verified, by their hash. The zero value remembers none.
type seen struct {
	mu       sync.RWMutex
	new, old map[[32]byte]*verified // when new is full it becomes old, and old is forgotten
}

func (s *seen) get(sum [32]byte) *verified {
	s.mu.RLock()
	v, isNew := s.new[sum]
	if !isNew {
		v = s.old[sum]
	}
	s.mu.RUnlock()
	if v != nil && !isNew {
		s.put(sum, v)
	}
	return v
}

func (s *seen) put(sum [32]byte, v *verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || len(s.new) >= mostSeen {
		s.old, s.new = s.new, make(map[[32]byte]*verified)
	}
	s.new[sum] = v
}

func (s *seen) drop(sum [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.new, sum)
	delete(s.old, sum)
}
