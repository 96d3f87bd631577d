package dialect

import (
	"io"
	"iter"

	"github.com/plenum-foundry/plenum/internal/frame"
)

// Frames reads the frames of a streamed answer, whose media type says how they stand on the wire: [NDJSON],
// [EventStream], or else server-sent events. A frame of more than limit bytes is an error; 0 is a generous
// default. Frames are good for one round of the loop. An error is the last that is yielded.
func Frames(body io.Reader, media string, limit int) iter.Seq2[Frame, error] {
	switch media {
	case NDJSON:
		return frame.NewLines(body, limit).All()
	case EventStream:
		return frame.NewEventStream(body, limit).All()
	}
	return frame.NewReader(body, limit).All()
}

// AppendFrame appends a frame as it stands on the wire: the bytes that it has, or a server-sent event.
func AppendFrame(dst []byte, f Frame) []byte {
	if len(f.Raw) > 0 {
		return append(dst, f.Raw...)
	}
	return frame.Append(dst, f)
}
