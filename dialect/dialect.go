// Package dialect is the seam between wire formats and the meaning of a call.
//
// A [Dialect] is a language that clients and vendors speak over HTTP: its routes, its headers and a
// [Codec] for each operation. A codec works in both directions. As a [Server] it faces callers: it
// reads their requests and speaks answers to them. As a [Client] it faces upstreams: it writes requests
// and reads answers.
//
// There are two ways through a codec. Where caller and upstream speak the same dialect the bytes pass:
// EditRequest splices only what it must, DecodeStream hands every frame on together with its meaning,
// and nothing is marshalled again. Where they differ the call crosses through llm, and what the other
// side has no word for comes back as a [Loss], never in silence.
package dialect

import (
	"iter"
	"net/http"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// Dialect is one wire format.
type Dialect struct {
	Name    string
	Title   string
	Routes  []Route
	Headers Namespace
	// Names says what its requests name that a vendor keeps, for whoever wants to know; codecs look by themselves.
	// Nil: nothing, or not in JSON.
	Names *Naming
	// Streams is the media type of its streamed answers; "" is text/event-stream. Lines of JSON are
	// [NDJSON], the binary messages of AWS [EventStream].
	Streams string
	// Wrap, where set, appends a frame as a host sends it that carries this dialect in a framing of its own.
	// A frame that has no place there appends nothing.
	Wrap func(dst []byte, f Frame) []byte
	// Allow says in the head of an answer what limits leave to the caller. Nil: the dialect has no words for that.
	Allow func(h http.Header, as []plenum.Allowance, now time.Time)
	// Speaks reports whether a request that no route matched was meant for this dialect, so that a 404
	// is said in its words. Nil: only paths under the dialect's own prefix are.
	Speaks func(path string, h http.Header) bool
}

// NDJSON is the media type of streams that are lines of JSON.
const NDJSON = "application/x-ndjson"

// JSONList is the media type of streams that are one list of JSON objects, written as they come.
const JSONList = "application/json"

// GRPC is the media type of calls and answers by gRPC, streamed or not. A codec of such a dialect reads and
// writes messages alone: their heads, and the status that its EncodeError leaves in the headers of a Reply
// (Grpc-Status, Grpc-Message), are the gateway's to put on the wire.
const GRPC = "application/grpc"

// EventStream is the media type of the binary event streams of AWS.
const EventStream = "application/vnd.amazon.eventstream"

// Route binds a path to an operation. Pattern holds literal segments and {name} for one segment;
// {name...} as the last takes the rest. Match, where set, must hold as well: two dialects may share a path.
type Route struct {
	Op      llm.Op
	Method  string
	Pattern string
	Match   func(*http.Request) bool
	// Always says that Match holds under the dialect's own prefix as well: it does not tell dialects apart.
	Always bool
	Codec  Codec
}

// Codec returns the codec of an operation, or nil where the dialect does not have it.
func (d *Dialect) Codec(op llm.Op) Codec {
	for i := range d.Routes {
		if d.Routes[i].Op == op {
			return d.Routes[i].Codec
		}
	}
	return nil
}

// Namespace says which headers belong to a dialect and so pass between caller and upstream unchanged,
// known or not.
type Namespace struct {
	Prefixes []string // lower case: "anthropic-"
	Names    []string // lower case: "request-id"
	Deny     []string // lower case; wins: a caller never steers our account with the vendor
}

// Holds reports whether a header belongs to the namespace.
func (n Namespace) Holds(name string) bool {
	name = strings.ToLower(name)
	for _, d := range n.Deny {
		if d == name {
			return false
		}
	}
	for _, x := range n.Names {
		if x == name {
			return true
		}
	}
	for _, p := range n.Prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// Codec speaks one operation of a dialect in both directions.
type Codec interface {
	Server
	Client
}

// Inbound is a request as a caller sent it. Body is whole, decompressed and bounded, and is not written to
// or used again for another call: what is decoded of it may share its memory.
type Inbound struct {
	Method, Path, RawQuery string
	Vars                   map[string]string // from the route's pattern
	Header                 http.Header
	Body                   []byte
	// Origin is the address that the caller has us at, "https://plenum.example"; "" where no one called.
	Origin string
}

// Head is what a call must know of a request before anyone decodes it.
type Head struct {
	Model  string
	Stream bool
	MaxOut llm.Opt[int]
	// Media is the media type of the stream that the request asks for, where a dialect has several; "" is
	// the dialect's own.
	Media string
	// Free says that the request asks for no shape of its answer. False: nobody looked.
	Free bool
	// Names is what the request names that its vendor keeps.
	Names Names
	// State is what the codec found on the way and wants back in EditRequest: spans of the body, say.
	State any
}

// Outbound is a request to an upstream, less the address and the signature.
type Outbound struct {
	Header http.Header // of the dialect's own namespace, and Content-Type
	// Body is the receiver's alone, to be overwritten when it was sent; or it is the body of the Inbound.
	Body    []byte
	Changed []string // what differs from what the caller said, for plenum-changed: "model" is understood
	// AskedUsage says that the request asks for a usage frame that the caller did not ask for; the
	// frame is then muted on its way back.
	AskedUsage bool
}

// Reply is a whole answer. As with Inbound, what is decoded of Body may share its memory.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Frame is one frame of a stream: its type and data, and the bytes that it was read from.
type Frame = frame.Frame

// Chunk is a piece of an answer: bytes and their meaning, side by side. A stage may hold chunks back,
// let them go or redact them, but bytes and events stay together.
type Chunk struct {
	// Frame is the frame as it came. Its bytes are only good until the next chunk is asked for.
	// Where Mute is set no caller may see it: it exists because Plenum asked for it (usage).
	Frame Frame
	Mute  bool
	// Events is what the frame means. Under Want.Meter it may hold only what metering needs.
	Events []llm.Event
	// Text counts the bytes of answer in the frame, also where they were not decoded, so that what a
	// broken stream consumed can be estimated.
	Text int
	// More says that the next chunk has arrived already: whoever writes need not flush now.
	More bool
	// Resay says that the text was changed of a stream which says it again later: from here on the answer is
	// said from its meaning, and what the frames repeat is not.
	Resay bool

	// Body and Result are an unstreamed answer: its bytes, and its meaning where that was wanted.
	Body   []byte
	Result llm.Result
}

// Want says how much of a stream must be understood.
type Want struct {
	// Meter asks only for what routing and metering need (starts, the first content, finishes, usage,
	// faults, the end): the bytes pass and nobody else listens.
	Meter bool
	// MuteUsage asks that frames which are there only because Plenum wanted usage are marked Mute.
	MuteUsage bool
}

// Gist is what metering and the record need to know of an unstreamed answer whose bytes pass.
type Gist struct {
	ID, Model string
	Usage     llm.Usage // its Extra may be missing
	Stop      llm.StopReason
	Text      int // bytes of the answer, about
	// Tier is the service tier that the answer was given at, in the vendor's words; the standard one may be "".
	Tier string
}

// Shape is how a request must look for its target.
type Shape struct {
	Offer  *plenum.Offer
	Params plenum.ParamPolicy
	Edits  []Edit
	// Meter asks for usage at the end of a stream where the dialect gives it only on request.
	Meter bool
}

// Edit is a change that a stage makes to a request. The set is sealed: Cap, Redact.
type Edit interface{ edit() }

// Cap lowers the most output tokens to N, or sets it where the caller gave none.
type Cap struct {
	N   int
	Why string
}

// Redact replaces bytes Start to End of the text of a block of a message by New.
type Redact struct {
	Message, Block int
	Start, End     int
	New            string
	Why            string
}

func (Cap) edit()    {}
func (Redact) edit() {}

// TextEdit replaces bytes Start to End of the text that one chunk adds to a block by New.
type TextEdit struct {
	Choice, Index int
	Start, End    int
	New           string
}

// Meta is what an answer needs that neither request nor upstream says.
type Meta struct {
	CallID string // for dialects that must have an id where the upstream gave none
	Now    int64  // Unix seconds
	// Began is when the call did, for dialects that tell how long an answer took; it may be zero.
	Began time.Time
	// Kept says that Plenum keeps the answer, and what it belongs to. Nil: it does not.
	Kept *Kept
	// Model is what the caller asked for; see ModelOr.
	Model string
}

// ModelOr returns the name of the model that an answer is said to be of: what the upstream called it, and
// where that says nothing of it (Converse, Cohere) what the caller asked for.
func (m Meta) ModelOr(said string) string {
	if said == "" {
		return m.Model
	}
	return said
}

// Server faces callers.
type Server interface {
	// Peek reads what the call needs to be routed, without decoding the body. It refuses what is not
	// a JSON object, is nested too deep, or has no model, with an *llm.Error of kind Invalid.
	Peek(Inbound, Bounds) (Head, error)
	// DecodeRequest reads the whole request. An error is an *llm.Error of kind Invalid that names the
	// parameter at fault.
	DecodeRequest(Inbound) (llm.Payload, error)
	// EncodeResponse says a whole answer to the caller that sent the payload.
	EncodeResponse(llm.Payload, llm.Result, Meta) (Reply, []Loss, error)
	// EncodeError says an error. One whose Upstream is of this dialect passes as it was.
	EncodeError(error) Reply
	// NewEncoder returns an encoder for one streamed answer to the caller that sent the payload.
	NewEncoder(llm.Payload, Meta) Encoder
}

// Bounds limit what a codec reads.
type Bounds struct {
	MaxDepth int // nesting of the JSON body
}

// Encoder speaks one streamed answer. It is used by one goroutine at a time.
type Encoder interface {
	// Observe tells of an event that already went out as raw bytes, so that what is said after it (a
	// continuation, an error) fits.
	Observe(llm.Event)
	// Encode says an event, in no frame, one or several.
	Encode(llm.Event) ([]Frame, error)
	// Close says the terminal frames, once: after success with nil, else with the error that ended it.
	Close(error) []Frame
	// Losses returns what could not be said so far.
	Losses() []Loss
}

// Client faces upstreams.
type Client interface {
	// EncodeRequest says a request that came in another dialect.
	EncodeRequest(llm.Payload, Shape) (Outbound, []Loss, error)
	// EditRequest says a request that came in this dialect: the same bytes, but for splices.
	EditRequest(Inbound, Head, Shape) (Outbound, error)
	// DecodeResponse reads a whole answer with status 200.
	DecodeResponse(Reply) (llm.Result, error)
	// Gist reads what metering needs of a whole answer with status 200. It is cheap.
	Gist(body []byte) Gist
	// DecodeStream reads a streamed answer with status 200. Faults within it are events; a stream that
	// ends before its end is an error of kind BadUpstream. Chunks are valid until the next is asked for.
	DecodeStream(iter.Seq2[Frame, error], Want) iter.Seq2[Chunk, error]
	// DecodeError reads an answer with another status. It never returns nil.
	DecodeError(Reply) *llm.Error
	// Redact changes the text in a chunk, its bytes and its events alike, wherever it is repeated
	// (log probabilities, a final event that says the whole again).
	Redact(Chunk, []TextEdit) (Chunk, error)
}
