// Package identity says who makes a call. It makes keys, finds the credential that a caller's SDK sent
// wherever that puts it, and judges whether it is good.
//
// The secret of a key is never kept. What is kept, and what a key is looked up by, is the secret's
// HMAC-SHA-256 under the pepper, a random value that never leaves the data directory: whoever gets hold
// of the store can neither use the keys nor test guesses at them.
package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Lookup finds a key by the MAC of its secret.
//
// An ordinary map will do. The time of a lookup may tell how many bits of two MACs agree, but a caller
// who does not know the pepper cannot choose MACs, so that nothing is learned about any secret.
type Lookup func(mac [32]byte) (*plenum.Key, bool)

// Authenticate returns who a credential belongs to. Its error is an *llm.Error that the caller may see:
// it says which of the ways to be wrong it was, and never repeats what was sent.
func Authenticate(p *Pepper, find Lookup, c Cred, now time.Time) (plenum.Principal, error) {
	if c.Kind != KeyCred {
		return plenum.Principal{}, refuse("unsupported_credential",
			"this Plenum takes its own keys; it has no issuer that could vouch for a token")
	}
	k, ok, err := Find(p, find, c.Secret, now)
	if !ok {
		return plenum.Principal{}, unknown(c)
	}
	if err != nil {
		return plenum.Principal{}, err
	}
	return k.Principal(), nil
}

// Find returns the key of a secret; false where there is none. Its error says why the key, or this secret of it, is
// not good any more.
func Find(p *Pepper, find Lookup, s plenum.Secret, now time.Time) (*plenum.Key, bool, error) {
	mac := p.MAC(s)
	k, ok := find(mac)
	if !ok { // one that came from elsewhere is known by its hash
		sum := sha256.Sum256([]byte(s.Reveal()))
		mac = p.imported(sum)
		if k, ok = find(mac); !ok {
			return nil, false, nil
		}
	}
	if err := Usable(k, now); err != nil {
		return k, true, err
	}
	if bytes.Equal(k.Before, mac[:]) && k.Overlap <= now.UnixMilli() {
		return k, true, refuse("rotated_key", "this key has another secret since it was rotated; what it had was good until "+time.UnixMilli(k.Overlap).UTC().Format(time.DateTime)+" UTC")
	}
	return k, true, nil
}

// imported returns the MAC of a secret of which only the SHA-256 is known. It is none that a secret itself has: no
// header carries the zero byte.
func (p *Pepper) imported(sum [sha256.Size]byte) [32]byte {
	return p.MAC(plenum.NewSecret("plenum: a key from elsewhere\x00" + hex.EncodeToString(sum[:])))
}

// Import returns the key of a secret that another gateway made and of which only the SHA-256 is known. Its id is made of
// the hash, so that it is the same however often it is imported.
func Import(p *Pepper, sum [sha256.Size]byte, now time.Time) plenum.Key {
	mac := p.imported(sum)
	id := p.MAC(plenum.NewSecret("plenum: the id of a key from elsewhere\x00" + hex.EncodeToString(sum[:])))
	return plenum.Key{ID: "key_from_" + hex.EncodeToString(id[:10]), MAC: mac[:], Created: now.UnixMilli()}
}

// Rotate returns a key with a new secret; what it had stays good for the overlap.
func Rotate(random io.Reader, p *Pepper, k plenum.Key, now time.Time, overlap time.Duration) (plenum.Secret, plenum.Key, error) {
	secret, fresh, err := New(random, p, now)
	if err != nil {
		return secret, k, err
	}
	k.Before, k.Overlap = k.MAC, now.Add(overlap).UnixMilli()
	k.MAC, k.Prefix = fresh.MAC, fresh.Prefix
	return secret, k, nil
}

// From returns an error if calls with a key may not come from an address.
func From(s *plenum.Scope, address string) error {
	if s.Network(address) {
		return nil
	}
	return &llm.Error{Kind: llm.Forbidden, Op: "identity", Code: "key_network", Message: "this key is good for calls from certain networks alone, and yours came from none of them"}
}

// Usable returns an error if a key has been revoked or has expired.
func Usable(k *plenum.Key, now time.Time) error {
	ms := now.UnixMilli()
	switch {
	case k.Revoked != 0 && k.Revoked <= ms:
		return refuse("revoked_key", "this key was revoked")
	case k.Expires != 0 && k.Expires <= ms:
		return refuse("expired_key", "this key expired on "+time.UnixMilli(k.Expires).UTC().Format(time.DateTime)+" UTC")
	}
	return nil
}

// unknown tells someone who mistyped a key from someone who has the wrong one.
func unknown(c Cred) error {
	s := c.Secret.Reveal()
	if strings.HasPrefix(s, prefix) && !WellFormed(c.Secret) {
		return refuse("malformed_key", "the key in "+c.Where+" is mistyped or cut off: its checksum does not fit")
	}
	return refuse("unknown_key", "the key in "+c.Where+" is not known here: it is mistyped, was revoked, or is of another gateway; whoever runs this one makes keys")
}

// refuse returns the error of a call that shows no good credential.
func refuse(code, message string) error {
	return &llm.Error{Kind: llm.Unauthorized, Op: "identity", Code: code, Message: message}
}

// Code returns the exact word for why a credential was refused, such as "expired_key"; "" for other
// errors.
func Code(err error) string {
	var e *llm.Error
	if errors.As(err, &e) && e.Kind == llm.Unauthorized {
		return e.Code
	}
	return ""
}
