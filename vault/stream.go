package vault

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// streamMagic is what a stream that was sealed begins with. The head of one has the same form as that of bytes.
const streamMagic = "\x00plenum-stream-1\x00"

// segment is how much of a stream is sealed at once, and so how much memory one takes.
const segment = 64 << 10

// cipher makes what seals streams with a data key. Each stream gets a key of its own, derived from it.
func (k *opened) cipher() (*subtle.AESGCMHKDF, error) {
	return subtle.NewAESGCMHKDF(k.raw, "SHA256", keyLen, segment, 0)
}

// Stream is a reader that seals what it reads.
type Stream struct {
	from io.Reader
	to   io.WriteCloser // writes to out
	out  bytes.Buffer
	buf  []byte
	size int64 // of what was read from from
	done bool
}

// SealStream seals a stream for one place, such as the id of what it is the content of. It is sealed while it is read.
func (v *Vault) SealStream(r io.Reader, place string) (*Stream, error) {
	k, err := v.key()
	if err != nil {
		return nil, err
	}
	c, err := k.cipher()
	if err != nil {
		return nil, err
	}
	s := &Stream{from: r, buf: make([]byte, segment)}
	s.out.Write(headOf(streamMagic, k.id, k.wrapped))
	s.to, err = c.NewEncryptingWriter(&s.out, []byte(place))
	return s, err
}

// Size is how much was read of what is sealed.
func (s *Stream) Size() int64 { return s.size }

// Read reads on.
func (s *Stream) Read(b []byte) (int, error) {
	for s.out.Len() == 0 {
		if s.done {
			return 0, io.EOF
		}
		n, err := s.from.Read(s.buf)
		s.size += int64(n)
		if _, err := s.to.Write(s.buf[:n]); err != nil {
			return 0, fmt.Errorf("sealing a stream: %w", err)
		}
		if errors.Is(err, io.EOF) {
			if s.done = true; s.to.Close() != nil {
				return 0, errors.New("the end of a stream could not be sealed")
			}
			continue
		}
		if err != nil {
			return 0, err
		}
	}
	return s.out.Read(b)
}

// streamHead reads the head of a stream; sealed is false where it has none, and then nothing of it is gone.
func streamHead(r *bufio.Reader) (id string, wrapped []byte, sealed bool, err error) {
	b, err := r.Peek(len(streamMagic))
	if string(b) != streamMagic {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return "", nil, false, err
	}
	_, _ = r.Discard(len(streamMagic)) // it was peeked
	n, err := r.ReadByte()
	if err != nil {
		return "", nil, true, errCut
	}
	name := make([]byte, int(n)+2)
	if _, err := io.ReadFull(r, name); err != nil {
		return "", nil, true, errCut
	}
	wrapped = make([]byte, binary.BigEndian.Uint16(name[n:]))
	if _, err := io.ReadFull(r, wrapped); err != nil {
		return "", nil, true, errCut
	}
	return string(name[:n]), wrapped, true, nil
}

// OpenStream opens a stream that was sealed for a place. One that was never sealed passes as it is. What was changed,
// cut off or belongs elsewhere ends in an error, and nothing of the segment that it is in is given out.
func (v *Vault) OpenStream(r io.Reader, place string) (io.Reader, error) {
	in := bufio.NewReader(r)
	id, wrapped, sealed, err := streamHead(in)
	if err != nil {
		return nil, err
	}
	if !sealed {
		return in, nil
	}
	k, err := v.unwrap(id, wrapped)
	if err != nil {
		return nil, err
	}
	c, err := k.cipher()
	if err != nil {
		return nil, err
	}
	return c.NewDecryptingReader(in, []byte(place))
}

// Rewrap returns a stream as it is sealed under the master key of now, or false where it is that already. Only its data
// key is sealed anew, and the rest passes as it stands; one that was never sealed is sealed.
func (v *Vault) Rewrap(r io.Reader, place string) (io.Reader, bool, error) {
	in := bufio.NewReader(r)
	id, wrapped, sealed, err := streamHead(in)
	if err != nil {
		return nil, false, err
	}
	if !sealed {
		s, err := v.SealStream(in, place)
		return s, err == nil, err
	}
	if id == v.Current() {
		return nil, false, nil
	}
	k, err := v.unwrap(id, wrapped)
	if err != nil {
		return nil, false, err
	}
	m := &v.masters[0]
	again, err := m.AEAD.Encrypt(k.raw, []byte(m.ID))
	if err != nil {
		return nil, false, fmt.Errorf("sealing a data key under the master key: %w", err)
	}
	return io.MultiReader(bytes.NewReader(headOf(streamMagic, m.ID, again)), in), true, nil
}
