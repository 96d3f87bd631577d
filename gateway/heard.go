package gateway

import (
	"bytes"
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Heard gathers what a caller asked and was answered, as it went over the wire, for whoever keeps it. A streamed answer of a
// model is gathered by its meaning, and said as a whole one of the caller's dialect: nobody finds words in frames.
//
// A stage makes one with Listen. The edge fills it and ends it when the last byte is written.
type Heard struct {
	Asked    Words
	Answered Words

	most int
	done func(*Call, *Heard)
	fold *llm.Folder
}

// Words are one side of what was said.
type Words struct {
	Media  string // the media type
	Bytes  []byte // nil where Size is more than is gathered; of Asked they are good until the call has ended
	Size   int    // in bytes, as they went over the wire
	Folded bool   // a stream, said as a whole answer
	Failed string // why there are no bytes, where that is not for their size
}

// Listen has what is said in a call gathered, up to a size of each side in bytes, and given to done when the call has ended.
func (c *Call) Listen(most int, done func(*Call, *Heard)) {
	c.heard = &Heard{most: most, done: done}
	if c.In.Body != nil {
		c.heard.asked(c, c.In.Body)
	}
}

// asked notes the request's body.
func (h *Heard) asked(c *Call, body []byte) {
	if h == nil {
		return
	}
	h.Asked = Words{Media: c.In.Header.Get("Content-Type"), Size: len(body)}
	if len(body) <= h.most {
		h.Asked.Bytes = body
	}
}

// wrote notes bytes that have gone out. Those of a stream whose meaning is gathered count alone.
func (h *Heard) wrote(b []byte) {
	if h == nil {
		return
	}
	a := &h.Answered
	a.Size += len(b)
	switch {
	case h.fold != nil:
	case a.Size > h.most:
		a.Bytes = nil
	default:
		a.Bytes = append(a.Bytes, b...)
	}
}

// events notes what has gone out of a stream.
func (h *Heard) events(evs []llm.Event) {
	if h == nil || h.fold == nil {
		return
	}
	for _, ev := range evs {
		h.fold.Add(ev)
	}
}

// streams says that the answer is a stream whose meaning is gathered.
func (h *Heard) streams(c *Call) {
	if h != nil && c.Op == llm.OpGenerate && c.Understand && h.fold == nil {
		h.fold = llm.NewFolder()
	}
}

// endHeard makes the answer whole and gives everything away.
func (o *edgeOut) endHeard() {
	h := o.c.heard
	if h == nil {
		return
	}
	o.c.heard = nil
	h.Answered.Media = o.w.Header().Get("Content-Type")
	if h.fold != nil {
		size := h.Answered.Size
		reply, err := o.foldedReply(h.fold.Response())
		h.Answered = Words{Size: size, Folded: true, Media: "application/json"}
		switch {
		case err != nil:
			h.Answered.Failed = fmt.Sprintf("the stream could not be said as a whole: %v", err)
		case len(reply.Body) <= h.most:
			h.Answered.Bytes = reply.Body
			if isGRPC(o.c.Dialect) {
				h.Answered.Media = dialect.GRPC
			}
		}
	}
	h.Asked.Bytes = bytes.Clone(h.Asked.Bytes)
	h.done(o.c, h)
}

// foldedReply says an answer that went out as a stream as a whole one.
func (o *edgeOut) foldedReply(r *llm.Response) (dialect.Reply, error) {
	p, err := o.c.Payload()
	if err != nil {
		return dialect.Reply{}, err
	}
	reply, _, err := o.c.Codec.EncodeResponse(p, r, o.meta())
	return reply, err
}
