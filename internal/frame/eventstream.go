package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"

	"github.com/plenum-foundry/plenum/internal/jsonw"
)

// EventStream reads the binary event streams of AWS (application/vnd.amazon.eventstream). A frame is a
// message: its Event the value of the header :event-type, its Data the payload. One that says an error (an
// exception, or an error without a payload) has Fault set; its Event is the exception's type or the error's
// code, and its Data, where the message had none, an object with the error's message. Messages are checked
// by both of their checksums. It is not safe for concurrent use.
//
//	prelude:  4 bytes length of the whole, 4 bytes length of the headers, 4 bytes CRC-32 of those eight
//	headers:  each 1 byte length of the name, the name, 1 byte type, the value
//	payload
//	4 bytes CRC-32 of all that precedes them
type EventStream struct {
	w     window
	max   int
	names map[string]string // event types that were seen: they are few
}

// The parts of a message besides headers and payload.
const (
	preludeSize  = 12
	trailerSize  = 4
	leastMessage = preludeSize + trailerSize
)

// NewEventStream returns a reader of an event stream. A message of more than limit bytes is an error; 0
// means DefaultMax.
func NewEventStream(src io.Reader, limit int) *EventStream {
	if limit <= 0 {
		limit = DefaultMax
	}
	return &EventStream{w: window{src: src}, max: limit}
}

// errChecksum says that a message did not arrive as it was sent.
var errChecksum = errors.New("a message of the event stream does not fit its checksum")

// Next returns the next message, or io.EOF after the last. A stream that ends within a message ends with
// io.ErrUnexpectedEOF.
func (e *EventStream) Next() (Frame, error) {
	for {
		n, err := e.size()
		if err != nil {
			return Frame{}, err
		}
		if b := e.w.bytes(); n > 0 && len(b) >= n {
			f, err := e.message(b[:n:n])
			if err != nil {
				return Frame{}, err
			}
			e.w.start += n
			next, err := e.size()
			f.More = err == nil && next > 0 && len(e.w.bytes()) >= next
			return f, nil
		}
		if e.w.err != nil {
			if errors.Is(e.w.err, io.EOF) && len(e.w.bytes()) > 0 {
				return Frame{}, io.ErrUnexpectedEOF
			}
			return Frame{}, e.w.err
		}
		e.w.fill()
	}
}

// size returns the length of the message at hand, or 0 where its prelude has not arrived.
func (e *EventStream) size() (int, error) {
	b := e.w.bytes()
	if len(b) < preludeSize {
		return 0, nil
	}
	if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0, errChecksum
	}
	whole, headers := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	if whole > uint64(e.max) {
		return 0, &TooLargeError{What: "event", Max: int64(e.max)}
	}
	if whole < leastMessage+headers {
		return 0, fmt.Errorf("a message of the event stream says it is %d bytes long, its headers %d", whole, headers)
	}
	return int(whole), nil
}

func (e *EventStream) message(b []byte) (Frame, error) {
	body := len(b) - trailerSize
	if crc32.ChecksumIEEE(b[:body]) != binary.BigEndian.Uint32(b[body:]) {
		return Frame{}, errChecksum
	}
	headers := preludeSize + int(binary.BigEndian.Uint32(b[4:]))
	f := Frame{Raw: b, Data: b[headers:body:body]}
	var said, code []byte
	err := eachHeader(b[preludeSize:headers], func(name, value []byte, kind byte) {
		if kind != stringHeader {
			return
		}
		switch string(name) {
		case ":message-type":
			f.Fault = string(value) == "exception" || string(value) == "error"
		case ":event-type", ":exception-type":
			f.Event = e.intern(value)
		case ":error-code":
			code = value
		case ":error-message":
			said = value
		}
	})
	if f.Fault && f.Event == "" {
		f.Event = string(code)
	}
	if f.Fault && len(f.Data) == 0 {
		f.Data = append(jsonw.AppendString([]byte(`{"message":`), string(said)), '}')
	}
	return f, err
}

// intern returns the event type as a string, without allocating for one that was seen before.
func (e *EventStream) intern(b []byte) string {
	if s, ok := e.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if e.names == nil {
		e.names = make(map[string]string, 8)
	}
	if len(e.names) < 64 && len(s) <= 128 {
		e.names[s] = s
	}
	return s
}

// All returns the messages up to the end of the stream, or to the error that ended it. The frames it
// yields are good for one round of the loop.
func (e *EventStream) All() iter.Seq2[Frame, error] { return all(e.Next) }

// Pending returns the bytes that were read and not delivered. They are good until the next Next.
func (e *EventStream) Pending() []byte { return e.w.bytes() }

// Release gives the reader's memory to others. Neither it nor a frame that it returned is of use after.
func (e *EventStream) Release() { e.w.release() }

// The types of a header's value that have a length of their own.
const (
	bytesHeader  = 6
	stringHeader = 7
)

// headerSize returns the length of a value by its type: true, false, byte, short, int, long, the two that
// say their length, a time and a UUID.
func headerSize(kind byte) int {
	sizes := [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}
	if int(kind) >= len(sizes) {
		return -1
	}
	return sizes[kind]
}

var errHeaders = errors.New("the headers of a message of the event stream cannot be read")

// eachHeader calls visit with every header.
func eachHeader(b []byte, visit func(name, value []byte, kind byte)) error {
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || len(b) < n+2 {
			return errHeaders
		}
		name, kind := b[1:1+n], b[1+n]
		b = b[2+n:]
		size := headerSize(kind)
		if kind == bytesHeader || kind == stringHeader {
			if len(b) < 2 {
				return errHeaders
			}
			size = int(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if size < 0 || len(b) < size {
			return errHeaders
		}
		visit(name, b[:size], kind)
		b = b[size:]
	}
	return nil
}

// AppendEvent appends a message of an event stream: the frame's Event and Data, and an exception where
// its Fault is set. Raw is not looked at.
func AppendEvent(dst []byte, f Frame) []byte {
	var room [128]byte
	headers := room[:0]
	if f.Fault {
		headers = appendHeader(headers, ":exception-type", f.Event)
	} else {
		headers = appendHeader(headers, ":event-type", f.Event)
	}
	headers = appendHeader(headers, ":content-type", "application/json")
	if f.Fault {
		headers = appendHeader(headers, ":message-type", "exception")
	} else {
		headers = appendHeader(headers, ":message-type", "event")
	}
	return appendEvent(dst, headers, f.Data)
}

// EventMessage returns a message of an event stream with these headers, as they stand on the wire.
func EventMessage(headers, payload []byte) []byte { return appendEvent(nil, headers, payload) }

func appendEvent(dst, headers, payload []byte) []byte {
	size := leastMessage + len(headers) + len(payload)
	dst = slices.Grow(dst, size)
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))         //nolint:gosec // bounded by what is read
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers))) //nolint:gosec // a few short headers
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[from:]))
	dst = append(append(dst, headers...), payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[from:]))
}

func appendHeader(dst []byte, name, value string) []byte {
	dst = append(dst, byte(len(name)))
	dst = append(dst, name...)
	dst = append(dst, stringHeader)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value))) //nolint:gosec // names of events
	return append(dst, value...)
}
