// Package vault encrypts what Plenum keeps and must be able to read again: vendors' credentials, and what callers said.
//
// It is envelope encryption. Each process makes a data key, seals with it, and keeps the key beside what it sealed, itself
// sealed under the master key. The master key is in a file, the environment, or a key management service, which is asked
// once for each data key and not for each thing. Several master keys may be known: the first seals, all open.
package vault

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	plenum "github.com/plenum-foundry/plenum"
)

// Master is a master key. Its AEAD may be a call to a key management service.
type Master struct {
	ID   string // tells it from others; it is no secret
	AEAD tink.AEAD
}

// keyLen is the length of keys.
const keyLen = 32

// NewMaster makes a master key of 32 bytes as text: in hexadecimal or base64.
func NewMaster(s plenum.Secret) (Master, error) {
	raw, err := decode(strings.TrimSpace(s.Reveal()))
	if err != nil {
		return Master{}, err
	}
	return master(raw)
}

func decode(text string) ([]byte, error) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == keyLen {
		return b, nil
	}
	for _, e := range [...]*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(text); err == nil && len(b) == keyLen {
			return b, nil
		}
	}
	return nil, fmt.Errorf("a master key is %d random bytes in hexadecimal or base64, such as `openssl rand -hex 32` makes", keyLen)
}

// Derived makes a master key of a secret that has been there before.
func Derived(secret [32]byte) (Master, error) { return master(secret[:]) }

// master makes a master key. Its id is derived from it, and tells nothing of it.
func master(raw []byte) (Master, error) {
	key, err := hkdf.Key(sha256.New, raw, nil, "plenum master key", keyLen)
	if err != nil {
		return Master{}, err
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "plenum master key id", 6)
	if err != nil {
		return Master{}, err
	}
	a, err := subtle.NewXChaCha20Poly1305(key)
	return Master{hex.EncodeToString(id), a}, err
}

// Service is a key management service, as Tink's integrations have it (registry.KMSClient).
type Service interface {
	Supported(keyURI string) bool
	GetAEAD(keyURI string) (tink.AEAD, error)
}

// FromService returns the master key that a service has under an address such as gcp-kms://...
func FromService(uri string, services []Service) (Master, error) {
	for _, s := range services {
		if !s.Supported(uri) {
			continue
		}
		a, err := s.GetAEAD(uri)
		if err != nil {
			return Master{}, fmt.Errorf("opening the master key at its service: %w", err)
		}
		sum := sha256.Sum256([]byte(uri))
		return Master{hex.EncodeToString(sum[:6]), a}, nil
	}
	return Master{}, errors.New("this build has no key management service for that address")
}

// Vault seals and opens. Its methods may be called from any number of goroutines.
type Vault struct {
	masters []Master

	mu      sync.Mutex
	current *dataKey
	opened  map[string]*opened // by id and wrapped key
}

// dataKey is what this process seals with.
type dataKey struct {
	opened
	id      string // of the master key
	wrapped []byte
	head    []byte // what everything that is sealed with it begins with
	until   time.Time
}

// opened is a data key that is known.
type opened struct {
	aead tink.AEAD
	raw  []byte
}

func open(raw []byte) (opened, error) {
	a, err := subtle.NewXChaCha20Poly1305(raw)
	return opened{a, raw}, err
}

const (
	magic      = "\x00plenum-sealed-2\x00"
	textPrefix = "sealed:2:"
	keyFor     = 24 * time.Hour // how long a data key is used
	mostOpened = 1024
)

// New returns a vault. The first master key seals, all of them open.
func New(masters ...Master) *Vault {
	return &Vault{masters: masters, opened: map[string]*opened{}}
}

// Current is the id of the master key that seals.
func (v *Vault) Current() string { return v.masters[0].ID }

// Knows reports whether what was sealed under the master key of an id can be opened.
func (v *Vault) Knows(id string) bool {
	return slices.ContainsFunc(v.masters, func(m Master) bool { return m.ID == id })
}

// Seal seals bytes for one place, such as the id of what they are part of. Only there do they open again.
func (v *Vault) Seal(plain []byte, place string) ([]byte, error) {
	k, err := v.key()
	if err != nil {
		return nil, err
	}
	c, err := k.aead.Encrypt(plain, []byte(place))
	if err != nil {
		return nil, err
	}
	return append(k.head[:len(k.head):len(k.head)], c...), nil
}

// key returns the data key to seal with.
func (v *Vault) key() (*dataKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if v.current != nil && now.Before(v.current.until) {
		return v.current, nil
	}
	raw := make([]byte, keyLen)
	_, _ = rand.Read(raw) // it never fails
	m := &v.masters[0]
	wrapped, err := m.AEAD.Encrypt(raw, []byte(m.ID))
	if err != nil {
		return nil, fmt.Errorf("sealing a data key under the master key: %w", err)
	}
	k, err := open(raw)
	if err != nil {
		return nil, err
	}
	v.current = &dataKey{k, m.ID, wrapped, headOf(magic, m.ID, wrapped), now.Add(keyFor)}
	return v.current, nil
}

// headOf is what something sealed begins with.
func headOf(magic, id string, wrapped []byte) []byte {
	head := append([]byte(magic), byte(len(id)))
	head = append(head, id...)
	head = binary.BigEndian.AppendUint16(head, uint16(len(wrapped))) //nolint:gosec // a wrapped key is short
	return append(head, wrapped...)
}

// Sealed reports whether bytes were sealed by a vault.
func Sealed(b []byte) bool { return len(b) > len(magic) && string(b[:len(magic)]) == magic }

var errCut = errors.New("what was sealed is cut off")

// split takes apart what was sealed.
func split(b []byte) (id string, wrapped, rest []byte, err error) {
	b = b[len(magic):]
	if len(b) < 1 || len(b) < 1+int(b[0])+2 {
		return "", nil, nil, errCut
	}
	id, b = string(b[1:1+b[0]]), b[1+b[0]:]
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return "", nil, nil, errCut
	}
	return id, b[:n], b[n:], nil
}

// MasterOf returns the id of the master key that something was sealed under; "" where it was not sealed.
func MasterOf(b []byte) string {
	if !Sealed(b) {
		return ""
	}
	id, _, _, _ := split(b)
	return id
}

// Open opens what was sealed for a place. What was never sealed it returns as it is: it was kept before there was a vault.
func (v *Vault) Open(b []byte, place string) ([]byte, error) {
	if !Sealed(b) {
		return b, nil
	}
	id, wrapped, c, err := split(b)
	if err != nil {
		return nil, err
	}
	k, err := v.unwrap(id, wrapped)
	if err != nil {
		return nil, err
	}
	plain, err := k.aead.Decrypt(c, []byte(place))
	if err != nil {
		return nil, errors.New("what was sealed was changed, or belongs somewhere else")
	}
	return plain, nil
}

// unwrap opens a data key.
func (v *Vault) unwrap(id string, wrapped []byte) (*opened, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a, ok := v.opened[id+string(wrapped)]; ok {
		return a, nil
	}
	for i := range v.masters {
		m := &v.masters[i]
		if m.ID != id {
			continue
		}
		raw, err := m.AEAD.Decrypt(wrapped, []byte(id))
		if err != nil {
			return nil, fmt.Errorf("opening a data key under the master key %s: %w", id, err)
		}
		k, err := open(raw)
		if err != nil {
			return nil, err
		}
		if len(v.opened) >= mostOpened {
			clear(v.opened)
		}
		v.opened[id+string(wrapped)] = &k
		return &k, nil
	}
	return nil, fmt.Errorf("it was sealed under the master key %s, which is not known here; name it under master_keys_before", id)
}

// SealText seals a text, such as a credential, as text.
func (v *Vault) SealText(plain string) (string, error) {
	b, err := v.Seal([]byte(plain), "")
	return textPrefix + base64.RawStdEncoding.EncodeToString(b), err
}

// OpenText opens a text that SealText sealed; ok is false where it did not.
func (v *Vault) OpenText(sealed string) (plain string, ok bool, err error) {
	text, ok := strings.CutPrefix(sealed, textPrefix)
	if !ok {
		return "", false, nil
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err == nil && !Sealed(b) {
		err = errCut
	}
	if err != nil {
		return "", true, err
	}
	b, err = v.Open(b, "")
	return string(b), true, err
}
