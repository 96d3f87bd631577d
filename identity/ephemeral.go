package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Ephemeral is a short-lived secret that a caller makes for somebody else, such as a browser, to open one kind of
// session with. It is kept nowhere: it holds what it stands for, sealed, so that any node can open it.
type Ephemeral struct {
	KeyID   string          `json:"k"`           // the key that it was made with, and ends with
	Member  string          `json:"p,omitempty"` // the person who made it, where the key does not say: a token may stand for several
	Model   string          `json:"m"`
	Opening json.RawMessage `json:"o,omitempty"` // the settings that the session begins with
	Upload  string          `json:"u,omitempty"` // the upload that it goes on with, and nothing else
	Expires int64           `json:"e"`           // Unix seconds
}

// ephemeralPrefix begins every such secret.
const ephemeralPrefix = "ek_"

// longestEphemeral is the longest that is opened.
const longestEphemeral = 32 << 10

// IsEphemeral reports whether a credential has the form of such a secret.
func IsEphemeral(c Cred) bool {
	return c.Kind == KeyCred && strings.HasPrefix(c.Secret.Reveal(), ephemeralPrefix)
}

// What a key that is made of the pepper serves for. Each serves for nothing else.
const (
	forEphemeral = "plenum: the key that seals ephemeral secrets"
	forKept      = "plenum: the key that seals secrets that are kept"
	forMaster    = "plenum: what the master key is made of where none is given"
)

// sealer returns what seals and opens for one purpose.
func (p *Pepper) sealer(purpose string) (cipher.AEAD, error) {
	key := p.MAC(plenum.NewSecret(purpose))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal makes the secret.
func (p *Pepper) Seal(e Ephemeral) (plenum.Secret, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return plenum.Secret{}, err
	}
	a, err := p.sealer(forEphemeral)
	if err != nil {
		return plenum.Secret{}, err
	}
	nonce := make([]byte, a.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	return plenum.NewSecret(ephemeralPrefix + base64.RawURLEncoding.EncodeToString(a.Seal(nonce, nonce, text, nil))), nil
}

// OpenEphemeral opens a secret and returns what it stands for, with the caller who made it.
func (p *Pepper) OpenEphemeral(c Cred, find func(id string) (*plenum.Key, bool), now time.Time) (Ephemeral, plenum.Principal, error) {
	var e Ephemeral
	if err := p.open(c.Secret.Reveal(), &e); err != nil {
		return e, plenum.Principal{}, refuse("invalid_api_key", "this client secret is not one of this Plenum")
	}
	if now.Unix() >= e.Expires {
		return e, plenum.Principal{}, refuse("expired_client_secret", "this client secret has expired; have a new one made")
	}
	k, ok := find(e.KeyID)
	if !ok {
		return e, plenum.Principal{}, refuse("invalid_api_key", "the key that this client secret was made with is not there any more")
	}
	if err := Usable(k, now); err != nil {
		return e, plenum.Principal{}, err
	}
	who := k.Principal()
	if who.Member == "" {
		who.Member = e.Member
	}
	return e, who, nil
}

func (p *Pepper) open(secret string, e *Ephemeral) error {
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(secret, ephemeralPrefix))
	if err != nil {
		return err
	}
	a, err := p.sealer(forEphemeral)
	if err != nil {
		return err
	}
	if len(sealed) < a.NonceSize() {
		return fmt.Errorf("%d bytes are too few", len(sealed))
	}
	text, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, e)
}
