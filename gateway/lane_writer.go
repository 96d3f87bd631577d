package gateway

import (
	"bytes"
	"encoding/binary"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
)

// laneWriter says an answer of a lane as messages. The last is held back until all is known of the answer: what
// was lost and changed is told in it.
type laneWriter struct {
	session *lanes
	lane    string
	header  http.Header
	status  int
	events  bool
	body    bytes.Buffer // of what is no stream
	final   []byte
}

var _ http.ResponseWriter = (*laneWriter)(nil)

// Header returns the head.
func (w *laneWriter) Header() http.Header { return w.header }

// WriteHeader notes what comes.
func (w *laneWriter) WriteHeader(status int) {
	w.status, w.events = status, w.header.Get("Content-Type") == messageStream
}

// Write says messages, or keeps what is none.
func (w *laneWriter) Write(b []byte) (int, error) {
	if !w.events {
		return w.body.Write(b)
	}
	for rest := b; len(rest) >= messageHead; {
		end := messageHead + int(binary.BigEndian.Uint32(rest[1:]))
		text := rest[messageHead:end]
		if dialect.Ending(rest[0]) != dialect.Goes {
			w.final = bytes.Clone(text) // an error is followed by the end that says it as well
		} else if err := w.session.tell(text); err != nil {
			return 0, err
		}
		rest = rest[end:]
	}
	return len(b), nil
}

// Flush does nothing: each message is sent by itself.
func (w *laneWriter) Flush() {}

// end says the last message.
func (w *laneWriter) end(c *Call) error {
	if w.session.ctx.Err() != nil {
		return nil
	}
	if !w.events && w.status != 0 {
		w.final = w.session.codec.Whole(dialect.Reply{Status: w.status, Header: w.header, Body: w.body.Bytes()}, w.lane)
	}
	if w.final == nil {
		return nil
	}
	if r := c.Trail.Snapshot(); len(r.Lost)+len(r.Changed) > 0 {
		about := dialect.Remark{CallID: c.ID, Deployment: r.Deployment, Target: r.Target, Lost: r.Lost, Changed: r.Changed}
		w.final = w.session.codec.Remark(w.final, about)
	}
	return w.session.tell(w.final)
}
