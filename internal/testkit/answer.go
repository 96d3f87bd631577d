package testkit

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/internal/frame"
)

// Forever is a delay that only ends when the caller goes away or the upstream is closed.
const Forever time.Duration = 1<<63 - 1

// Answer is what an upstream says to one call, and how badly. It is a value: each method returns a
// changed copy, so that answers can be kept and varied.
//
// A streamed answer is made of pieces, one for each event, which are written and flushed one by one.
type Answer struct {
	status   int
	header   http.Header
	pieces   [][]byte
	streamed bool

	early         bool
	beforeHeaders time.Duration
	before        map[int]time.Duration // by piece
	between       time.Duration
	split         func() func() int // gives sizes for one delivery
	splitDelay    time.Duration
	encodings     []string
	cutAt         int // bytes of body; -1 is never
	reset         bool
	length        int // the Content-Length to claim; -1 is none
}

// Text answers with a status, a type and a body.
func Text(status int, contentType, body string) Answer {
	return Answer{
		status: status, header: http.Header{"Content-Type": {contentType}}, pieces: [][]byte{[]byte(body)},
		cutAt: -1, length: -1,
	}
}

// JSON answers 200 with a JSON body.
func JSON(body string) Answer { return Text(http.StatusOK, "application/json", body) }

// SSE answers 200 with a stream of events. One that does not end in a blank line is the data of an event.
func SSE(events ...string) Answer {
	a := Text(http.StatusOK, "text/event-stream", "")
	a.streamed = true
	a.pieces = nil
	for _, e := range events {
		if !endsBlank(e) {
			e = string(frame.Append(nil, frame.Frame{Data: []byte(e)}))
		}
		a.pieces = append(a.pieces, []byte(e))
	}
	return a
}

func endsBlank(e string) bool {
	return strings.HasSuffix(e, "\n\n") || strings.HasSuffix(e, "\r\n\r\n") || strings.HasSuffix(e, "\r\r")
}

// Stream answers 200 with a recorded stream of server-sent events, byte for byte.
func Stream(body []byte) Answer {
	a := SSE()
	r := frame.NewReader(bytes.NewReader(body), 0)
	for f, err := range r.All() {
		if err != nil {
			a.pieces = append(a.pieces, bytes.Clone(r.Pending()))
			break
		}
		a.pieces = append(a.pieces, bytes.Clone(f.Raw))
	}
	return a
}

// Event returns a typed event, for SSE.
func Event(name, data string) string {
	return string(frame.Append(nil, frame.Frame{Event: name, Data: []byte(data)}))
}

// HugeEvent returns an event whose only line is longer than n bytes.
func HugeEvent(n int) string { return `data: {"huge":"` + strings.Repeat("x", n) + "\"}\n\n" }

// OpenAIError answers with an error as OpenAI shapes it.
func OpenAIError(status int, kind, message string) Answer {
	return Text(status, "application/json", marshal(map[string]any{
		"error": map[string]any{"message": message, "type": kind, "param": nil, "code": nil},
	}))
}

// AnthropicError answers with an error as Anthropic shapes it.
func AnthropicError(status int, kind, message string) Answer {
	return Text(status, "application/json", marshal(map[string]any{
		"type": "error", "error": map[string]any{"type": kind, "message": message}, "request_id": "req_testkit",
	}))
}

// Overloaded answers 529 as Anthropic does.
func Overloaded() Answer { return AnthropicError(529, "overloaded_error", "Overloaded") }

// Hang never answers.
func Hang() Answer { return JSON("{}").DelayHeaders(Forever) }

// Garbage answers 200 with n bytes that mean nothing, the same for the same seed.
func Garbage(seed uint64, n int) Answer {
	rnd := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return JSON(string(b))
}

// Redirect answers with a redirect to a place.
func Redirect(status int, to string) Answer {
	return Text(status, "text/plain", "").WithHeader("Location", to)
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only strings and nil are given
	}
	return string(b)
}

// WithStatus sets the status.
func (a Answer) WithStatus(status int) Answer {
	a.status = status
	return a
}

// WithHeader sets a header.
func (a Answer) WithHeader(name, value string) Answer {
	a.header = a.header.Clone()
	a.header.Set(name, value)
	return a
}

// RetryAfter sets the Retry-After header, and its finer brother, to d.
func (a Answer) RetryAfter(d time.Duration) Answer {
	secs := int64((d + time.Second - 1) / time.Second)
	return a.WithHeader("Retry-After", strconv.FormatInt(secs, 10)).
		WithHeader("Retry-After-Ms", strconv.FormatInt(d.Milliseconds(), 10))
}

// Then adds pieces of a stream as they are, whole events or not.
func (a Answer) Then(raw ...string) Answer {
	a.pieces = a.pieces[:len(a.pieces):len(a.pieces)]
	for _, r := range raw {
		a.pieces = append(a.pieces, []byte(r))
	}
	a.streamed = true
	return a
}

// Early answers before the request's body is read. It works for scripted answers: a handler is only
// asked when the body is there.
func (a Answer) Early() Answer {
	a.early = true
	return a
}

// DelayHeaders waits before anything is sent.
func (a Answer) DelayHeaders(d time.Duration) Answer {
	a.beforeHeaders = d
	return a
}

// DelayAt waits before piece i of a stream (0 is the first, the number of pieces is the end), after
// everything before it was flushed.
func (a Answer) DelayAt(i int, d time.Duration) Answer {
	a.before = maps.Clone(a.before)
	if a.before == nil {
		a.before = map[int]time.Duration{}
	}
	a.before[i] = d
	a.streamed = true
	return a
}

// DelayFirst sends the headers and waits before the first piece.
func (a Answer) DelayFirst(d time.Duration) Answer { return a.DelayAt(0, d) }

// Delay waits between the pieces of a stream: a paced stream.
func (a Answer) Delay(d time.Duration) Answer {
	a.between = d
	return a
}

// SplitEvery writes and flushes n bytes at a time, wherever that cuts.
func (a Answer) SplitEvery(n int) Answer {
	return a.splitBy(func() func() int { return func() int { return n } })
}

// SplitRandom writes and flushes 1 to most bytes at a time, the same for the same seed.
func (a Answer) SplitRandom(seed uint64, most int) Answer {
	return a.splitBy(func() func() int {
		rnd := rand.New(rand.NewPCG(seed, 0))
		return func() int { return 1 + rnd.IntN(most) }
	})
}

// Drip writes n bytes every d.
func (a Answer) Drip(n int, d time.Duration) Answer {
	a = a.SplitEvery(n)
	a.splitDelay = d
	return a
}

func (a Answer) splitBy(split func() func() int) Answer {
	a.split = split
	a.streamed = true
	return a
}

// Burst writes all pieces at once.
func (a Answer) Burst() Answer {
	a.pieces = [][]byte{bytes.Join(a.pieces, nil)}
	return a
}

// Gzip compresses the body, flushing after each piece.
func (a Answer) Gzip() Answer { return a.Encoded("gzip") }

// Zstd compresses the body, flushing after each piece.
func (a Answer) Zstd() Answer { return a.Encoded("zstd") }

// Encoded compresses the body with encodings, in the order in which they are applied: gzip, deflate,
// zstd.
func (a Answer) Encoded(encodings ...string) Answer {
	a.encodings = append(a.encodings[:len(a.encodings):len(a.encodings)], encodings...)
	return a
}

// CutAt closes the connection after k bytes of the body, as encoded. No last chunk is sent, so that the
// caller can know of it.
func (a Answer) CutAt(k int) Answer {
	a.cutAt = k
	return a
}

// ResetAt resets the connection after k bytes of the body. Bytes on their way may be lost as well.
func (a Answer) ResetAt(k int) Answer {
	a.cutAt, a.reset = k, true
	return a
}

// ClaimLength sends a Content-Length of n whatever the body, and closes the connection after that.
func (a Answer) ClaimLength(n int) Answer {
	a.length = n
	return a
}

// Body returns the body as it is before it is compressed or cut.
func (a Answer) Body() []byte { return bytes.Join(a.pieces, nil) }
