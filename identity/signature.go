package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Signed is a request that its caller has signed by AWS Signature Version 4, as far as the signature covers it.
// The access key is a key's id, and the secret is made of the key: see [Pepper.AWSSecret].
type Signed struct {
	KeyID string

	method, path, query string // the path and the query as they were sent
	names               string // of the signed headers, as they were sent
	header              string // those headers as they are signed
	scope               string // date/region/service/aws4_request
	date                time.Time
	signature           string
	payload             string // what the caller says the body's hash is; "" where nothing
}

const (
	amzDate    = "X-Amz-Date"
	amzPayload = "X-Amz-Content-Sha256"
	amzLayout  = "20060102T150405Z"
	amzSkew    = 5 * time.Minute // as AWS has it
)

// ReadSigned reads what a signature covers. Its error is an *llm.Error.
func ReadSigned(r *http.Request) (*Signed, error) {
	_, rest, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	names := strings.Split(parts["SignedHeaders"], ";")
	n := len(scope)
	if n < 5 || scope[n-1] != "aws4_request" || parts["Signature"] == "" {
		return nil, refuse("incomplete_signature", "the Authorization header is no whole signature: Credential=ID/date/region/service/aws4_request, SignedHeaders=..., Signature=...")
	}
	s := &Signed{
		KeyID: strings.Join(scope[:n-4], "/"), scope: strings.Join(scope[n-4:], "/"), signature: parts["Signature"],
		method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, names: parts["SignedHeaders"],
	}
	var err error
	if s.date, err = time.Parse(amzLayout, r.Header.Get(amzDate)); err != nil || s.date.Format("20060102") != scope[n-4] {
		return nil, refuse("incomplete_signature", "X-Amz-Date is missing, or is not of the day that the signature is for")
	}
	host := slices.Contains(names, "host") || slices.Contains(names, ":authority") // as SDKs have it over HTTP/2
	if !host || !slices.Contains(names, strings.ToLower(amzDate)) {
		return nil, refuse("incomplete_signature", "the headers host and x-amz-date must be signed")
	}
	for _, name := range names {
		s.header += name + ":" + signedValue(r, name) + "\n"
	}
	s.payload = r.Header.Get(amzPayload)
	return s, s.readable(r)
}

// signedValue returns a header's value as it is signed: several joined, and runs of spaces as one.
func signedValue(r *http.Request, name string) string {
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch name {
	case "host", ":authority":
		values = []string{r.Host}
	case "content-length":
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(out, ",")
}

// readable refuses what cannot be checked.
func (s *Signed) readable(r *http.Request) error {
	switch {
	case s.payload != "" && !strings.Contains("\n"+s.header, "\n"+strings.ToLower(amzPayload)+":"):
		return refuse("incomplete_signature", "the header x-amz-content-sha256 must be signed where it is sent")
	case s.payload != "" && len(s.payload) != 2*sha256.Size:
		return refuse("unsigned_payload", "the body must be signed as a whole; x-amz-content-sha256 is "+s.payload[:min(len(s.payload), 40)])
	case r.Header.Get("Content-Encoding") != "":
		return refuse("encoded_payload", "a signed body is taken without Content-Encoding")
	case r.Header.Get("X-Amz-Security-Token") != "":
		return refuse("session_token", "keys of Plenum have no session tokens; leave AWS_SESSION_TOKEN out")
	}
	return nil
}

// Fresh returns an error where a signature is too old, or of a time to come.
func (s *Signed) Fresh(now time.Time) error {
	if off := now.Sub(s.date); off > amzSkew || off < -amzSkew {
		return refuse("expired_signature", "the request was signed at "+s.date.Format(time.RFC3339)+", and here it is "+now.UTC().Format(time.RFC3339)+"; set the clock that is wrong")
	}
	return nil
}

// AWSSecret returns the secret that a key's owner signs with: it is made of the key as it is kept, so that it is
// kept nowhere, and ends with the key.
func (p *Pepper) AWSSecret(k *plenum.Key) plenum.Secret { return p.awsSecret(k.ID, k.MAC) }

func (p *Pepper) awsSecret(id string, of []byte) plenum.Secret {
	mac := p.MAC(plenum.NewSecret("plenum: the secret that signs for AWS\x00" + id + "\x00" + hex.EncodeToString(of)))
	return plenum.NewSecret(base64.RawURLEncoding.EncodeToString(mac[:]))
}

// Verify returns who has signed a request with a body. Its error is an *llm.Error.
func (p *Pepper) Verify(s *Signed, find func(id string) (*plenum.Key, bool), body []byte, now time.Time) (plenum.Principal, error) {
	k, ok := find(s.KeyID)
	if !ok {
		return plenum.Principal{}, refuse("unknown_key", "the access key is not the id of a key that is known here; `plenum create key NAME --aws` makes one")
	}
	if err := s.Fresh(now); err != nil {
		return plenum.Principal{}, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if s.payload != "" && subtle.ConstantTimeCompare([]byte(s.payload), []byte(hash)) != 1 {
		return plenum.Principal{}, mismatch()
	}
	fits := func(mac []byte) bool {
		return subtle.ConstantTimeCompare([]byte(s.sign(p.awsSecret(k.ID, mac), hash)), []byte(s.signature)) == 1
	}
	if !fits(k.MAC) && (k.Overlap <= now.UnixMilli() || !fits(k.Before)) {
		return plenum.Principal{}, mismatch()
	}
	if err := Usable(k, now); err != nil {
		return plenum.Principal{}, err
	}
	return k.Principal(), nil
}

func mismatch() error {
	return refuse("invalid_signature", "the signature does not fit the request: the secret is wrong, or something between has changed what was signed")
}

// sign returns the signature that the request should have: the one written out of AWS's description of Signature
// Version 4. The signer of AWS's own SDK cannot be asked, for it always signs the header host, which its siblings call
// :authority over HTTP/2.
func (s *Signed) sign(secret plenum.Secret, bodyHash string) string {
	canonical := s.method + "\n" + escapeSigned(s.path, true) + "\n" + canonicalQuery(s.query) + "\n" + s.header + "\n" + s.names + "\n" + bodyHash
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + s.date.Format(amzLayout) + "\n" + s.scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret.Reveal())
	for part := range strings.SplitSeq(s.scope, "/") {
		key = hmacOf(key, part)
	}
	return hex.EncodeToString(hmacOf(key, text))
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// escapeSigned escapes all but the letters, digits and marks that RFC 3986 leaves, and slashes where they are kept.
func escapeSigned(text string, slashes bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
		if plain || c == '/' && slashes {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	if slashes && b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// canonicalQuery returns a query as it is signed: escaped in one way, and in order.
func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var pairs []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, escapeSigned(unescaped(name), false)+"="+escapeSigned(unescaped(value), false))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func unescaped(s string) string {
	if out, err := url.PathUnescape(s); err == nil { // a plus is a plus
		return out
	}
	return s
}
