package cohere

import (
	"net/http"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
)

// The members that Peek looks for, in the order of peekKeys.
const (
	atModel = iota
	atStream
	atMaxTokens
	peeked
)

func peekKeys() [peeked]string { return [peeked]string{"model", "stream", "max_tokens"} }

// spans is where Peek found what EditRequest may change.
type spans struct {
	object splice.Object
	found  [peeked]splice.Member
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := scan(in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	return s.head(in.Body)
}

// head reads what was found.
func (s *spans) head(body []byte) (h dialect.Head, err error) {
	h.State = s
	if h.Model, err = dialect.PeekModel(op, body, s.found[atModel].Value); err != nil {
		return h, err
	}
	if h.Stream, err = dialect.PeekStream(op, body, s.found[atStream].Value, false); err != nil {
		return h, err
	}
	h.MaxOut, err = dialect.PeekCap(op, body, s.found[atMaxTokens].Value, "max_tokens")
	return h, err
}

func scan(body []byte, depth int) (*spans, error) {
	var s spans
	keys := peekKeys()
	var err error
	if s.object, err = splice.Scan(body, depth, keys[:], s.found[:]); err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	return &s, nil
}

// EditRequest implements dialect.Client.
func (c *codec) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(in.Header), dialect.Redacted)
	}
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = scan(in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ed := splice.NewEdit(in.Body)
	if at := st.found[atModel].Value; s.Offer != nil && s.Offer.Upstream != "" && !at.Equal(in.Body, s.Offer.Upstream) {
		ed.SetString(at, s.Offer.Upstream)
	}
	var changed []string
	if least, ok := dialect.LeastCap(s.Edits, h.MaxOut); ok {
		n := strconv.AppendInt(nil, int64(least.N), 10)
		if at := st.found[atMaxTokens].Value; at.Found() {
			ed.Set(at, n)
		} else {
			ed.Insert(st.object.Span, "max_tokens", n)
		}
		changed = append(changed, least.Changed("max_tokens"))
	}
	body, err := ed.Bytes()
	if err != nil {
		return dialect.Outbound{}, dialect.InternalFault(op, err)
	}
	body, refused, err := dialect.WithoutRefused(op, body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	return dialect.Outbound{Header: headers(in.Header), Body: body, Changed: append(changed, refused...)}, nil
}

// headers returns what is said to the upstream of the caller's headers: the name that it gives itself.
func headers(in http.Header) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if name := in.Get("X-Client-Name"); name != "" {
		h.Set("X-Client-Name", name)
	}
	return h
}
