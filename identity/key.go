package identity

import (
	"fmt"
	"hash/crc32"
	"io"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// A secret is prefix, then random characters, then a checksum over both. The prefix lets people and
// scanners of leaked keys recognise one, the checksum tells a mistyped key from a wrong one and keeps
// scanners from crying wolf. The random part holds 154 bits.
const (
	prefix       = "plenum_sk_"
	randomChars  = 26
	checksumLen  = 6
	secretLength = len(prefix) + randomChars + checksumLen
	shown        = len(prefix) + 4
	digits       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// New makes a key. The secret is returned this once; the Key holds only its MAC. Name, project and
// member are for the caller to fill in.
func New(random io.Reader, p *Pepper, now time.Time) (plenum.Secret, plenum.Key, error) {
	body, err := letters(random, randomChars)
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("making a key: %w", err)
	}
	id, err := letters(random, 16)
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("making a key: %w", err)
	}
	text := prefix + body
	text += checksum(text)
	secret := plenum.NewSecret(text)
	mac := p.MAC(secret)
	return secret, plenum.Key{ID: "key_" + id, Prefix: text[:shown], MAC: mac[:], Created: now.UnixMilli()}, nil
}

// WellFormed reports whether a secret looks like one of Plenum's own and its checksum fits. A key that
// was chosen by people need not be.
func WellFormed(s plenum.Secret) bool {
	v := s.Reveal()
	if len(v) != secretLength || v[:len(prefix)] != prefix {
		return false
	}
	body := secretLength - checksumLen
	return checksum(v[:body]) == v[body:]
}

// letters returns n random characters, each as likely as any other: bytes beyond the last multiple of
// their number are drawn again.
func letters(random io.Reader, n int) (string, error) {
	out, buf := make([]byte, 0, n), make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", err
		}
		for _, b := range buf {
			if int(b) < 256/len(digits)*len(digits) && len(out) < n {
				out = append(out, digits[int(b)%len(digits)])
			}
		}
	}
	return string(out), nil
}

// checksum returns the CRC-32 of a text in the digits of a secret.
func checksum(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	var out [checksumLen]byte
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = digits[sum%uint32(len(digits))]
		sum /= uint32(len(digits))
	}
	return string(out[:])
}
