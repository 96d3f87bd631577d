package ollama

import (
	"math"
	"net/http"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The members that Peek looks for, in the order of peekKeys.
const (
	atModel = iota
	atStream
	atOptions
	peeked
)

func peekKeys() [peeked]string { return [peeked]string{"model", "stream", "options"} }

// spans is where Peek found what EditRequest may change.
type spans struct {
	object  splice.Object
	found   [peeked]splice.Member
	predict splice.Span // options.num_predict
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := c.scan(in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{State: s, Stream: true} // a stream it is unless the caller wants none
	if h.Model, err = dialect.PeekModel(c.op("Peek"), in.Body, s.found[atModel].Value); err != nil {
		return h, err
	}
	if h.Stream, err = dialect.PeekStream(c.op("Peek"), in.Body, s.found[atStream].Value, true); err != nil {
		return h, err
	}
	if s.predict.Found() && !s.predict.IsNull(in.Body) {
		n, ok := s.predict.Int(in.Body)
		if !ok || n > math.MaxInt32 {
			return h, c.invalid(wire.Bad("options.num_predict", "a whole number"))
		}
		if n > 0 {
			h.MaxOut = llm.Some(int(n))
		}
	}
	return h, nil
}

func (c *codec) scan(body []byte, depth int) (*spans, error) {
	var s spans
	keys := peekKeys()
	var err error
	if s.object, err = splice.Scan(body, depth, keys[:], s.found[:]); err != nil {
		return nil, dialect.NotJSON(c.op("Peek"), err)
	}
	if o := s.found[atOptions].Value; o.Found() && o.Kind(body) == '{' {
		var inner [1]splice.Member
		if _, err := splice.ScanAt(body, o, depth, []string{"num_predict"}, inner[:]); err != nil {
			return nil, dialect.NotJSON(c.op("Peek"), err)
		}
		s.predict = inner[0].Value
	}
	return &s, nil
}

// EditRequest implements dialect.Client.
func (c *codec) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(), dialect.Redacted)
	}
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = c.scan(in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ed := splice.NewEdit(in.Body)
	if at := st.found[atModel].Value; s.Offer != nil && s.Offer.Upstream != "" && !at.Equal(in.Body, s.Offer.Upstream) {
		ed.SetString(at, s.Offer.Upstream)
	}
	var changed []string
	if cap, ok := dialect.LeastCap(s.Edits, h.MaxOut); ok {
		st.cap(ed, in.Body, cap.N)
		changed = append(changed, cap.Changed("options.num_predict"))
	}
	body, err := ed.Bytes()
	if err != nil {
		return dialect.Outbound{}, dialect.InternalFault(c.op("EditRequest"), err)
	}
	body, refused, err := c.withoutRefused("EditRequest", body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	return dialect.Outbound{Header: headers(), Body: body, Changed: append(changed, refused...)}, nil
}

// withoutRefused takes the parameters that the target refuses out of a body: out of its options, where most stand, or
// its top.
func (c *codec) withoutRefused(doing string, body []byte, s dialect.Shape) ([]byte, []string, error) {
	return dialect.WithoutRefusedIn(c.op(doing), body, s, dialect.WithoutMember(c.op(doing), "options"))
}

// cap sets options.num_predict.
func (s *spans) cap(ed *splice.Edit, body []byte, n int) {
	number := strconv.AppendInt(nil, int64(n), 10)
	switch options := s.found[atOptions].Value; {
	case s.predict.Found():
		ed.Set(s.predict, number)
	case options.Found() && options.Kind(body) == '{':
		ed.Insert(options, "num_predict", number)
	case options.Found():
		ed.Set(options, append(append([]byte(`{"num_predict":`), number...), '}'))
	default:
		ed.Insert(s.object.Span, "options", append(append([]byte(`{"num_predict":`), number...), '}'))
	}
}

func headers() http.Header { return http.Header{"Content-Type": {"application/json"}} }
