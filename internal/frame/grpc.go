package frame

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// grpcHead is what stands before each message of a gRPC call: whether it is compressed, and its length.
const grpcHead = 5

// Messages reads the messages of a gRPC call: the Data of a frame is the message, its Raw the same with its
// head, and with its compression undone, so that it can go on to somebody who has not agreed to that. It is
// not safe for concurrent use.
type Messages struct {
	w        window
	max      int
	encoding string
	unpacked []byte
}

// NewMessages returns a reader of messages, which may be compressed as the header grpc-encoding says. A
// message of more than limit bytes is an error; 0 means DefaultMax.
func NewMessages(src io.Reader, limit int, encoding string) *Messages {
	if limit <= 0 {
		limit = DefaultMax
	}
	return &Messages{w: window{src: src}, max: limit, encoding: encoding}
}

// Next returns the next message, or io.EOF after the last. What ends within a message is
// io.ErrUnexpectedEOF.
func (m *Messages) Next() (Frame, error) {
	n, err := m.find()
	for n < 0 && err == nil {
		if m.w.err != nil {
			return Frame{}, m.atEnd()
		}
		m.w.fill()
		n, err = m.find()
	}
	if err != nil {
		return Frame{}, err
	}
	raw := m.w.bytes()[:n:n]
	m.w.start += n
	f := Frame{Data: raw[grpcHead:], Raw: raw}
	if raw[0] != 0 {
		if f, err = m.unpack(f); err != nil {
			return Frame{}, err
		}
	}
	next, err := m.find()
	f.More = next >= 0 || err != nil
	return f, nil
}

// All returns the messages up to the end of the stream, or to the error that ended it. The frames it yields
// are good for one round of the loop.
func (m *Messages) All() iter.Seq2[Frame, error] { return all(m.Next) }

// Release gives the reader's memory to others. Neither it nor a frame that it returned is of use after.
func (m *Messages) Release() { m.w.release() }

// find returns the length of the next message with its head, or -1.
func (m *Messages) find() (int, error) {
	b := m.w.bytes()
	if len(b) < grpcHead {
		return -1, nil
	}
	size := binary.BigEndian.Uint32(b[1:grpcHead])
	if b[0] > 1 {
		return -1, fmt.Errorf("no gRPC message begins with a byte %#x", b[0])
	}
	if int64(size) > int64(m.max) {
		return -1, &TooLargeError{What: "event", Max: int64(m.max)}
	}
	if len(b) < grpcHead+int(size) {
		return -1, nil
	}
	return grpcHead + int(size), nil
}

func (m *Messages) atEnd() error {
	if errors.Is(m.w.err, io.EOF) && len(m.w.bytes()) > 0 {
		return io.ErrUnexpectedEOF
	}
	return m.w.err
}

func (m *Messages) unpack(f Frame) (Frame, error) {
	data, err := inflate(f.Data, m.encoding, m.max)
	if err != nil {
		return Frame{}, err
	}
	m.unpacked = AppendMessage(m.unpacked[:0], data)
	return Frame{Data: m.unpacked[grpcHead:], Raw: m.unpacked}, nil
}

// inflate undoes the compression of one message. Gzip is what gRPC's own libraries have.
func inflate(data []byte, encoding string, limit int) ([]byte, error) {
	if encoding != "gzip" {
		return nil, &EncodingError{encoding}
	}
	if limit <= 0 {
		limit = DefaultMax
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if len(out) > limit {
		return nil, &TooLargeError{What: "event", Max: int64(limit)}
	}
	return out, err
}

// AppendMessage appends a message with its head.
func AppendMessage(dst, message []byte) []byte {
	dst = append(dst, MessageHead(len(message))...)
	return append(dst, message...)
}

// MessageHead returns what stands before a message of n bytes that is not compressed.
func MessageHead(n int) []byte {
	head := make([]byte, grpcHead)
	binary.BigEndian.PutUint32(head[1:], uint32(n)) //nolint:gosec // bodies are bounded far below 4 GiB
	return head
}

// OneMessage returns the only message of a call's body, without its head. It shares the memory of the body
// unless it was compressed.
func OneMessage(body []byte, encoding string, limit int) ([]byte, error) {
	if len(body) < grpcHead || body[0] > 1 {
		return nil, errors.New("the body is not a gRPC message")
	}
	size := binary.BigEndian.Uint32(body[1:grpcHead])
	if rest := int64(len(body) - grpcHead); rest != int64(size) {
		return nil, fmt.Errorf("a gRPC message of %d bytes comes with %d", size, rest)
	}
	if body[0] == 0 {
		return body[grpcHead:], nil
	}
	return inflate(body[grpcHead:], encoding, limit)
}
