package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// piece says a piece of a body of any kind.
func (o *edgeOut) piece(ch dialect.Chunk) error {
	if !o.wrote {
		h := o.w.Header()
		for k, v := range o.head.Header {
			h[http.CanonicalHeaderKey(k)] = v
		}
		o.own(h)
		o.wrote = true
		o.c.Trail.Record.Status = o.head.Status
		o.w.WriteHeader(o.head.Status)
	}
	return o.write(ch.Frame.Raw, !ch.More)
}

// pieceSize is how much of a body is held at a time.
const pieceSize = 64 << 10

// SendPieces says a body of any kind as it is read: the answer's head, then pieces of it, then its end. The
// header describes the body.
func SendPieces(out Out, head Head, body io.Reader) error {
	head.Pieces = true
	if err := out.Begin(head); err != nil {
		return err
	}
	buf := make([]byte, pieceSize)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if err := out.Chunk(dialect.Chunk{Frame: dialect.Frame{Raw: buf[:n]}, Text: n, More: n == len(buf)}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Chunk(dialect.Chunk{Events: []llm.Event{llm.End{}}})
		}
		if err != nil {
			return &llm.Error{Kind: llm.Internal, Op: "gateway.SendPieces", Message: "the body cannot be read to its end", Err: err}
		}
	}
}

// SendJSON says a whole answer in the caller's dialect.
func SendJSON(c *Call, out Out, status int, body []byte) error {
	h := http.Header{"Content-Type": {"application/json"}}
	if err := out.Begin(Head{Status: status, Dialect: c.Dialect.Name, Header: h}); err != nil {
		return err
	}
	return out.Chunk(dialect.Chunk{Body: body})
}

// stream gives the body as it comes, bounded. It is decompressed by nobody: what streams is stored as it is.
func (b *bodyReader) stream(limit int64) (io.Reader, error) {
	rc := http.NewResponseController(b.w)
	src := &patientReader{r: b.r.Body, rc: rc, wait: b.conf.Timeouts.ReadBody}
	if b.r.ContentLength > limit {
		b.refuse(src, limit)
		return nil, tooLarge("files.max_size", limit)
	}
	if b.r.Header.Get("Content-Encoding") != "" {
		return nil, &llm.Error{Kind: llm.Unsupported, Op: "edge", Message: "a body that streams is taken without content-encoding"}
	}
	return &streamed{b: b, r: &boundedReader{r: src, left: limit, limit: limit, name: "files.max_size"}, rc: rc}, nil
}

// streamed is a body that is read as it comes. Its errors are such as a caller may hear.
type streamed struct {
	b  *bodyReader
	r  io.Reader
	rc *http.ResponseController
}

// Read reads on.
func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		_ = s.rc.SetReadDeadline(time.Time{}) // or it would look as if the caller went away
		return n, err
	}
	s.b.w.Header().Set("Connection", "close")
	return n, s.b.explain(err)
}
