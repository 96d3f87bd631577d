package gateway

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// What gRPC puts around the messages of a dialect: a head before each, and a status after the last, in
// trailers. All else of such a call is as of any other.
const (
	grpcStatus   = "Grpc-Status"
	grpcMessage  = "Grpc-Message"
	grpcDetails  = "Grpc-Status-Details-Bin"
	grpcEncoding = "Grpc-Encoding"
)

func isGRPC(d *dialect.Dialect) bool { return d != nil && d.Streams == dialect.GRPC }

// unwrap returns the message in the body of a gRPC call.
func unwrap(c *Call, body []byte, limit int) ([]byte, error) {
	if !isGRPC(c.Dialect) {
		return body, nil
	}
	msg, err := frame.OneMessage(body, c.In.Header.Get(grpcEncoding), limit)
	var unknown *frame.EncodingError
	var big *frame.TooLargeError
	switch {
	case errors.As(err, &unknown):
		return nil, &llm.Error{Kind: llm.Unsupported, Op: "edge", Message: "the message's compression is not read here; send gzip, or none", Err: err}
	case errors.As(err, &big):
		return nil, tooLarge("max_decompressed", int64(limit))
	case err != nil:
		return nil, &llm.Error{Kind: llm.Invalid, Op: "edge", Message: "the body is not one gRPC message", Err: err}
	}
	return msg, nil
}

// parts returns the pieces in which a request's body is sent.
func (a *attempt) parts(b []byte) [][]byte {
	if a.plan.Framing == provider.GRPC {
		return [][]byte{frame.MessageHead(len(b)), b}
	}
	return [][]byte{b}
}

// grpcFault returns the error in a status that is not OK. A status that is missing is an answer that was cut
// off.
func (a *attempt) grpcFault(h http.Header) error {
	switch h.Get(grpcStatus) {
	case "0":
		return nil
	case "":
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer ended without a status"}
	}
	e := a.plan.Codec.DecodeError(dialect.Reply{Status: a.resp.StatusCode, Header: h})
	if e.Upstream != nil {
		a.call.Try.Record.Status = e.Upstream.Status
		for k, v := range a.pass() {
			e.Upstream.Header[k] = v
		}
	}
	return e
}

// grpc reads the answer of a gRPC call.
func (a *attempt) grpc() error {
	if a.resp.StatusCode != http.StatusOK {
		return a.refused(a.resp.Body)
	}
	if media := mediaType(a.resp.Header.Get("Content-Type")); !strings.HasPrefix(media, dialect.GRPC) {
		return &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream does not answer in gRPC"}
	}
	if a.resp.Header.Get(grpcStatus) != "" { // there is nothing but a status
		if err := a.grpcFault(a.resp.Header); err != nil {
			return err
		}
	}
	if a.call.Head.Stream {
		return a.stream(a.resp.Body)
	}
	return a.whole(a.resp.Body, dialect.GRPC)
}

// grpcMessage takes the message out of a whole answer, whose body was read to its end.
func (a *attempt) grpcMessage(body []byte) ([]byte, error) {
	if err := a.grpcFault(a.trailer()); err != nil {
		return nil, err
	}
	msg, err := frame.OneMessage(body, a.resp.Header.Get(grpcEncoding), int(a.bounds().answer))
	if err != nil {
		return nil, &llm.Error{Kind: llm.BadUpstream, Op: "dispatch", Message: "the upstream's answer is not one gRPC message", Err: err}
	}
	return msg, nil
}

// trailer returns where the status of a call stands whose body was read to its end.
func (a *attempt) trailer() http.Header {
	if a.resp.Header.Get(grpcStatus) != "" {
		return a.resp.Header
	}
	return a.resp.Trailer
}

// grpcFrames are the messages of a stream, and its status.
type grpcFrames struct {
	*frame.Messages
	a *attempt
}

func (a *attempt) messages(body io.Reader, limit int) frames {
	return grpcFrames{frame.NewMessages(body, limit, a.resp.Header.Get(grpcEncoding)), a}
}

// All returns the messages up to the end, and then the error that the status says.
func (f grpcFrames) All() iter.Seq2[frame.Frame, error] {
	return func(yield func(frame.Frame, error) bool) {
		for {
			m, err := f.Next()
			if errors.Is(err, io.EOF) {
				if err = f.a.grpcFault(f.a.trailer()); err == nil {
					return
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// replyGRPC writes a whole answer, or an error that comes instead of one.
func (o *edgeOut) replyGRPC(r dialect.Reply) error {
	h := o.w.Header()
	for k, v := range r.Header {
		if !isStatus(k) {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	h.Set("Content-Type", dialect.GRPC)
	h.Set("Trailer", strings.Join([]string{grpcStatus, grpcMessage, grpcDetails}, ", "))
	o.own(h)
	if cost, priced := o.c.Trail.Cost(); priced {
		h.Set("Plenum-Cost-Usd", cost.String())
	}
	o.wrote = true
	o.c.Trail.Record.Status = r.Status
	o.w.WriteHeader(http.StatusOK)
	o.status = r.Header
	if statusOf(r.Header) != "0" {
		return o.write(nil, true)
	}
	if err := o.write(frame.MessageHead(len(r.Body)), false); err != nil {
		return err
	}
	return o.write(r.Body, false)
}

func isStatus(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case grpcStatus, grpcMessage, grpcDetails:
		return true
	}
	return false
}

func statusOf(h http.Header) string {
	if s := h.Get(grpcStatus); s != "" {
		return s
	}
	return "0"
}

// sayStatus says as trailers how a gRPC call ended. A call that ended without an answer or an error has gone
// wrong in a way that nobody foresaw.
func (o *edgeOut) sayStatus() {
	h := o.w.Header()
	if !o.wrote {
		return
	}
	h.Set(grpcStatus, statusOf(o.status))
	for _, name := range [...]string{grpcMessage, grpcDetails} {
		if v := o.status[name]; len(v) > 0 {
			h[name] = v
		}
	}
	if code, err := strconv.Atoi(statusOf(o.status)); err != nil || code < 0 {
		h.Set(grpcStatus, "2")
	}
}
