package identity

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Cred is the credential that a caller sent.
type Cred struct {
	Kind   CredKind
	Secret plenum.Secret
	Where  string // where it was found, for messages: "Authorization", "x-api-key", "?key="
}

// CredKind is what sort of credential it is.
type CredKind uint8

// The kinds of credential.
const (
	NoCred CredKind = iota
	KeyCred
	TokenCred     // a signed token of an issuer (JWT)
	UploadCred    // what stands in the address of an upload, where no other credential is sent
	SignatureCred // an AWS Signature Version 4; Secret is the whole header
)

// The places in which SDKs put a key.
const (
	inAuthorization = "Authorization"
	inAPIKey        = "api-key"
	inXAPIKey       = "x-api-key"
	inGoogle        = "x-goog-api-key"
	inQuery         = "?key="
	inProtocol      = "Sec-WebSocket-Protocol"
)

// found collects the candidates of one request, without allocating.
type found struct {
	list [8]Cred
	n    int
	more bool // there were more than fit

	upload string // what stands in the address of an upload: it counts where nothing else is sent
}

func (f *found) add(kind CredKind, value, where string) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
	case f.n == len(f.list):
		f.more = true
	default:
		f.list[f.n] = Cred{Kind: kind, Secret: plenum.NewSecret(value), Where: where}
		f.n++
	}
}

// Credential finds the credential in a request's head: Authorization: Bearer, api-key, x-api-key,
// x-goog-api-key and ?key=. It always looks in every place. The query is returned without its key
// parameter, whatever else is wrong, and only that one may be used, logged or sent on.
//
// A request that carries two different credentials is refused: which of them was meant, nobody knows,
// and what one of them may do the other perhaps may not. The error is an *llm.Error and repeats
// nothing of what was sent.
func Credential(h http.Header, rawQuery string) (Cred, string, error) {
	var f found
	scheme := false // an Authorization header of a scheme that is not ours
	for _, v := range h["Authorization"] {
		kind, value := authorization(v)
		if kind == NoCred && strings.TrimSpace(v) != "" {
			scheme = true
		}
		f.add(kind, value, inAuthorization)
	}
	for _, v := range h["Api-Key"] {
		f.add(kindOf(v), v, inAPIKey)
	}
	for _, v := range h["X-Api-Key"] {
		f.add(kindOf(v), v, inXAPIKey)
	}
	for _, v := range h["X-Goog-Api-Key"] {
		f.add(kindOf(v), v, inGoogle)
	}
	takeProtocol(h, &f)
	clean := takeKey(rawQuery, &f)
	c, err := f.one(scheme)
	return c, clean, err
}

// keyProtocol is how browsers send a key when they open a WebSocket: they can set no other header.
const keyProtocol = "openai-insecure-api-key."

// takeProtocol takes a key out of the subprotocols that a WebSocket offers.
func takeProtocol(h http.Header, f *found) {
	const name = "Sec-Websocket-Protocol"
	if len(h[name]) == 0 {
		return
	}
	var rest []string
	for _, line := range h[name] {
		for p := range strings.SplitSeq(line, ",") {
			p = strings.TrimSpace(p)
			if key, ok := strings.CutPrefix(p, keyProtocol); ok {
				f.add(KeyCred, key, inProtocol)
			} else if p != "" {
				rest = append(rest, p)
			}
		}
	}
	h.Del(name)
	if len(rest) > 0 {
		h.Set(name, strings.Join(rest, ", "))
	}
}

// one returns the one credential that was found.
func (f *found) one(scheme bool) (Cred, error) {
	switch {
	case f.n == 0 && f.upload != "" && len(f.upload) <= longestEphemeral:
		return Cred{Kind: UploadCred, Secret: plenum.NewSecret(f.upload), Where: "?" + UploadParam + "="}, nil
	case f.n == 0 && scheme:
		return Cred{}, refuse("malformed_key", "the Authorization header must be \"Bearer\", a space and the key")
	case f.n == 0:
		return Cred{}, refuse("missing_key", "there is no key: send one as \"Authorization: Bearer <key>\", or where your SDK puts it")
	}
	first := f.list[0]
	for _, c := range f.list[:f.n] {
		if n := len(c.Secret.Reveal()); c.Kind == KeyCred && n > longest && (!IsEphemeral(c) || n > longestEphemeral) {
			return Cred{}, refuse("malformed_key", "what is sent in "+c.Where+" is too long to be a key")
		}
	}
	for _, c := range f.list[1:f.n] {
		if f.more || !equal(first, c) {
			return Cred{}, refuse("ambiguous_key", "several different credentials were sent, in "+f.places()+": send one")
		}
	}
	return first, nil
}

// equal compares two credentials in a time that tells nothing about where they differ.
func equal(a, b Cred) bool {
	same := subtle.ConstantTimeCompare([]byte(a.Secret.Reveal()), []byte(b.Secret.Reveal()))
	return same == 1
}

// places names where credentials were found, each place once.
func (f *found) places() string {
	var names []string
	for _, c := range f.list[:f.n] {
		if len(names) == 0 || names[len(names)-1] != c.Where {
			names = append(names, c.Where)
		}
	}
	if len(names) == 1 {
		return names[0] + " more than once"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// authorization takes an Authorization header apart. The scheme's case does not matter.
func authorization(v string) (CredKind, string) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(v), " ")
	switch {
	case !ok:
		return NoCred, ""
	case strings.EqualFold(scheme, "Bearer"):
		return kindOf(rest), rest
	case strings.EqualFold(scheme, "AWS4-HMAC-SHA256"):
		return SignatureCred, v
	}
	return NoCred, ""
}

// kindOf tells a signed token from a key: it is three parts in base64, and the first is a JSON object.
func kindOf(bearer string) CredKind {
	bearer = strings.TrimSpace(bearer)
	if strings.HasPrefix(bearer, "eyJ") && strings.Count(bearer, ".") == 2 {
		return TokenCred
	}
	return KeyCred
}

// UploadParam is the parameter of an address at which an upload goes on, that holds a sealed secret: some SDKs send
// their key with the first piece alone.
const UploadParam = "plenum-upload"

// takeKey moves the key parameters of a query to the candidates and returns the query without them,
// the rest as it was. Whatever could be read as such a parameter goes: the name in another case or
// percent-encoded, and after ; as after &.
func takeKey(query string, f *found) string {
	if query == "" {
		return ""
	}
	var kept []byte
	for rest, sep := query, ""; ; {
		end := strings.IndexAny(rest, "&;")
		part := rest
		if end >= 0 {
			part = rest[:end]
		}
		if value, ok := keyParam(part); ok {
			f.add(KeyCred, value, inQuery)
		} else if value, ok := uploadParam(part); ok {
			f.upload = value
		} else {
			if len(kept) > 0 {
				kept = append(kept, sep...)
			}
			kept = append(kept, part...)
		}
		if end < 0 {
			return string(kept)
		}
		sep, rest = rest[end:end+1], rest[end+1:]
	}
}

// uploadParam returns the value of the parameter that stands in the addresses of uploads, however its name is escaped.
func uploadParam(part string) (string, bool) {
	name, value, _ := strings.Cut(part, "=")
	if len(name) > 3*len(UploadParam) || len(name) < len(UploadParam) {
		return "", false
	}
	plain, err := url.QueryUnescape(name)
	return value, err == nil && strings.EqualFold(plain, UploadParam)
}

// keyParam returns the value of a query's parameter that is named key. A value that cannot be decoded
// is taken as it stands: it will be a wrong key, and it must not remain in the query.
func keyParam(part string) (string, bool) {
	name, value, _ := strings.Cut(part, "=")
	if len(name) > 9 { // longer than "key" with every letter percent-encoded
		return "", false
	}
	if plain, err := url.QueryUnescape(name); err != nil || !strings.EqualFold(plain, "key") {
		return "", false
	}
	if plain, err := url.QueryUnescape(value); err == nil {
		return plain, true
	}
	return value, true
}
