package identity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// sealedPrefix begins every text that SealText makes, and tells how.
const sealedPrefix = "sealed:1:"

// SealText returns what is kept of a secret that must be known again: the credential of a connection.
func (p *Pepper) SealText(plain string) (string, error) {
	a, err := p.sealer(forKept)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, a.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	return sealedPrefix + base64.RawStdEncoding.EncodeToString(a.Seal(nonce, nonce, []byte(plain), nil)), nil
}

// Master returns a secret that a master key may be made of, where nobody gave one.
func (p *Pepper) Master() [32]byte { return p.MAC(plenum.NewSecret(forMaster)) }

// OpenText returns the secret that SealText sealed.
func (p *Pepper) OpenText(sealed string) (string, error) {
	text, ok := strings.CutPrefix(sealed, sealedPrefix)
	if !ok {
		return "", errors.New("it was not sealed by this program")
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("it is not what was sealed: %w", err)
	}
	a, err := p.sealer(forKept)
	if err != nil {
		return "", err
	}
	if len(b) < a.NonceSize() {
		return "", errors.New("it is cut off")
	}
	plain, err := a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], nil)
	if err != nil {
		return "", errors.New("it was sealed under another pepper, or changed since")
	}
	return string(plain), nil
}
