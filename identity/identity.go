// Package identity says who makes a call. It makes keys, finds the credential that a caller's SDK sent
// wherever that puts it, and judges whether it is good.
//
// The secret of a key is never kept. What is kept, and what a key is looked up by, is the secret's
// HMAC-SHA-256 under the pepper, a random value that never leaves the data directory: whoever gets hold
// of the store can neither use the keys nor test guesses at them.
package identity

import (
	"errors"
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
	k, ok := find(p.MAC(c.Secret))
	if !ok {
		return plenum.Principal{}, unknown(c)
	}
	if err := Usable(k, now); err != nil {
		return plenum.Principal{}, err
	}
	return k.Principal(), nil
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
