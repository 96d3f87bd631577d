// Package frame cuts a stream of bytes into frames: server-sent events, lines of JSON, or the messages of
// an AWS event stream. Every dialect
// that streams over HTTP reads its answers through it, and writes them with [Append].
//
// The readers keep the bytes: laid end to end, the Raw of all frames is what was read. They deliver a
// frame as soon as its last byte has arrived, however the stream was cut on its way, hold no more than
// one frame and what one read brought, and allocate nothing per frame once they are warm.
package frame

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// DefaultMax bounds a frame where the caller sets no bound: a single event may hold a base64 image.
const DefaultMax = 32 << 20

// Frame is one frame of a stream and the bytes that it was read from.
//
// ID, Data and Raw of a frame that a reader returned are good until the next call of Next; [Frame.Clone]
// keeps them longer.
type Frame struct {
	Event string // the event's type; "" where none was said
	ID    []byte // nil where none was said
	// Data is nil where the frame has none (comments, blank lines, which mean nothing to a client), and
	// empty but not nil for "data:". Several data lines are joined by a newline.
	Data []byte
	// Raw holds the bytes of the frame, comments and terminator included. Where a blank line was a bare
	// CR, and a LF came in a later read, that LF opens the Raw of the next frame, or is a frame alone
	// at the end: a frame never waits for a byte that may not come.
	Raw   []byte
	Retry time.Duration // 0 where none was said
	// Partial says that the stream ended before the frame's terminator. Many servers leave out the last
	// one; a server that died is also known by this.
	Partial bool
	// More says that the frame after this one has arrived already and can be had without waiting.
	More bool
	// Fault says that the framing itself marks the frame as an error: an exception of an event stream.
	Fault bool
}

// Clone returns a copy of the frame that stays good.
func (f Frame) Clone() Frame {
	f.ID, f.Data, f.Raw = slices.Clone(f.ID), slices.Clone(f.Data), slices.Clone(f.Raw)
	return f
}

// Append appends the frame as a server-sent event, made of its fields; Raw is not looked at. Data of
// several lines becomes several data lines.
func Append(dst []byte, f Frame) []byte {
	if f.Event != "" {
		dst = appendField(dst, "event: ", f.Event)
	}
	if f.ID != nil {
		dst = appendField(dst, "id: ", f.ID)
	}
	if f.Retry > 0 {
		dst = append(dst, "retry: "...)
		dst = append(strconv.AppendInt(dst, f.Retry.Milliseconds(), 10), '\n')
	}
	if f.Data != nil {
		dst = appendData(dst, f.Data)
	}
	return append(dst, '\n')
}

// AppendComment appends a comment, which clients skip: a sign of life on an idle stream.
func AppendComment(dst []byte, text string) []byte {
	return append(appendField(dst, ": ", text), '\n')
}

// appendField writes a line whose value cannot break out of it.
func appendField[T string | []byte](dst []byte, name string, value T) []byte {
	dst = append(dst, name...)
	for i := range len(value) {
		if c := value[i]; c != '\n' && c != '\r' {
			dst = append(dst, c)
		}
	}
	return append(dst, '\n')
}

func appendData(dst, data []byte) []byte {
	for {
		line, rest, more := cutLine(data)
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
		if !more {
			return dst
		}
		data = rest
	}
}

// cutLine splits data after its first line end: LF, CR or CRLF.
func cutLine(data []byte) (line, rest []byte, more bool) {
	lf := bytes.IndexByte(data, '\n')
	if lf < 0 {
		lf = len(data)
	}
	if cr := bytes.IndexByte(data[:lf], '\r'); cr >= 0 && cr+1 != lf {
		return data[:cr], data[cr+1:], true
	} else if cr >= 0 && lf == len(data) {
		return data[:cr], nil, true
	} else if cr >= 0 {
		return data[:cr], data[lf+1:], true
	}
	if lf == len(data) {
		return data, nil, false
	}
	return data[:lf], data[lf+1:], true
}

// TooLargeError says that something was longer than the bound set for it.
type TooLargeError struct {
	What string // "event", "line", "decompressed body"
	Max  int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s of more than %d bytes", e.What, e.Max)
}
