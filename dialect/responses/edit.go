package responses

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The members that Peek looks for, in the order of peekKeys.
const (
	atModel = iota
	atStream
	atMaxOut
	atInput
	atPrevious
	atConversation
	atStore
	atBackground
	atText
	peeked
)

func peekKeys() [peeked]string {
	return [peeked]string{"model", "stream", maxOutput, "input", "previous_response_id", "conversation", "store", "background", "text"}
}

const maxOutput = "max_output_tokens"

// spans is where Peek found what EditRequest may change.
type spans struct {
	object splice.Object
	found  [peeked]splice.Member
	names  dialect.Names
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := scan(c.names, in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{Free: !s.found[atText].Found(), Names: s.names, State: s}
	if h.Model, err = dialect.PeekModel("dialect/responses", in.Body, s.found[atModel].Value); err != nil {
		return h, err
	}
	if c.op == llm.OpGenerate {
		if h.Stream, err = dialect.PeekStream("dialect/responses", in.Body, s.found[atStream].Value, false); err != nil {
			return h, err
		}
	}
	h.MaxOut, err = dialect.PeekCap("dialect/responses", in.Body, s.found[atMaxOut].Value, maxOutput)
	return h, err
}

func scan(names *dialect.Naming, body []byte, depth int) (*spans, error) {
	var s spans
	keys := peekKeys()
	var err error
	if s.object, s.names, err = names.Scan(body, depth, keys[:], s.found[:]); err != nil {
		return nil, dialect.NotJSON("dialect/responses", err)
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
		if st, err = scan(nil, in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ed := splice.NewEdit(in.Body)
	if at := st.found[atModel].Value; s.Offer != nil && s.Offer.Upstream != "" && !at.Equal(in.Body, s.Offer.Upstream) {
		ed.SetString(at, s.Offer.Upstream)
	}
	var changed []string
	if least, ok := dialect.LeastCap(s.Edits, h.MaxOut); ok && c.op == llm.OpGenerate {
		n := strconv.AppendInt(nil, int64(least.N), 10)
		if at := st.found[atMaxOut].Value; at.Found() {
			ed.Set(at, n)
		} else {
			ed.Insert(st.object.Span, maxOutput, n)
		}
		changed = append(changed, least.Changed(maxOutput))
	}
	if stripForeign(ed, in.Body, st.found[atInput].Value) {
		changed = append(changed, strippedState)
	}
	body, err := ed.Bytes()
	if err != nil {
		return dialect.Outbound{}, internal("EditRequest", err)
	}
	body, refused, err := dialect.WithoutRefused("dialect/responses", body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	return dialect.Outbound{Header: headers(in.Header), Body: body, Changed: append(changed, refused...)}, nil
}

// stripForeign takes out the items that only bring another vendor's state home, which this dialect's vendors
// would refuse, and reports whether there were any.
func stripForeign(ed *splice.Edit, body []byte, at splice.Span) bool {
	if !bytes.Contains(body, []byte(envelopeMark)) {
		return false
	}
	input := wire.At(body, at)
	if input.Kind() != '[' {
		return false
	}
	found := false
	_ = input.Elems(func(_ int, item wire.Value) error {
		if item.Kind() == '{' && strings.HasPrefix(item.Get("encrypted_content").Text(), envelopeMark) {
			span := item.Span()
			ed.DeleteElem(span)
			found = true
		}
		return nil
	})
	return found
}
