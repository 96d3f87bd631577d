package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Pepper is the random value that secrets are hashed under.
type Pepper struct{ inner, outer [sha256.BlockSize]byte }

// pepperLen is how many random bytes a pepper has.
const pepperLen = 32

// longest bounds a credential: what is longer is refused before any work is done with it.
const longest = 512

// NewPepper makes a pepper of its random bytes, of which there must be 32.
func NewPepper(b []byte) (*Pepper, error) {
	if len(b) != pepperLen {
		return nil, fmt.Errorf("a pepper has %d bytes, not %d", pepperLen, len(b))
	}
	p := &Pepper{}
	copy(p.inner[:], b)
	copy(p.outer[:], b)
	for i := range p.inner {
		p.inner[i] ^= 0x36
		p.outer[i] ^= 0x5c
	}
	return p, nil
}

// MAC returns the HMAC-SHA-256 of a secret under the pepper: what a key is kept as and found by.
//
// It is HMAC written out over buffers on the stack. crypto/hmac, which the tests compare it with, makes
// its state anew for every key, and its cost would be most of what authentication costs.
func (p *Pepper) MAC(s plenum.Secret) [32]byte {
	v := s.Reveal()
	var buf [sha256.BlockSize + longest]byte
	msg := append(append(buf[:0], p.inner[:]...), v...) // grows beyond the stack only for what is too long anyway
	in := sha256.Sum256(msg)
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], p.outer[:])
	copy(out[sha256.BlockSize:], in[:])
	return sha256.Sum256(out[:])
}

// PepperName is the file of the pepper within a data directory.
const PepperName = "pepper"

// LoadOrCreatePepper returns the pepper kept in a data directory, made on the first start. Without the
// same pepper no key that was made before is known any more, so that a file which cannot be read is an
// error and is never replaced.
func LoadOrCreatePepper(dir string) (*Pepper, error) {
	path := filepath.Join(dir, PepperName)
	b, err := readPepper(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createPepper(dir, path); err != nil {
			return nil, fmt.Errorf("making the pepper of the keys: %w", err)
		}
		b, err = readPepper(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pepper of the keys: %w", err)
	}
	return NewPepper(b)
}

func readPepper(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != pepperLen {
		return nil, fmt.Errorf("%s does not hold %d bytes in hexadecimal; put the right file back from a backup", path, pepperLen)
	}
	return b, nil
}

// createPepper writes a new pepper beside its place and links it there: two processes that start
// together agree on the first one's, and a crash leaves no half of one.
func createPepper(dir, path string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".pepper-*") // which only its owner may read
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	var b [pepperLen]byte
	_, _ = rand.Read(b[:]) // it never fails
	_, err = f.WriteString(hex.EncodeToString(b[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
