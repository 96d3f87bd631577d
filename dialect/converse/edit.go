package converse

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// spans is where Peek found what EditRequest may change.
type spans struct {
	object splice.Object
	found  [2]splice.Member // inferenceConfig, additionalModelRequestFields
	names  dialect.Names
}

const (
	atInference = iota
	atFields
)

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := scan(c.names, in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{Model: model(in), Stream: c.stream, Names: s.names, State: s}
	if c.op != llm.OpGenerate {
		return h, nil
	}
	config := s.found[atInference].Value
	if !config.Found() || config.IsNull(in.Body) {
		return h, nil
	}
	if config.Kind(in.Body) != '{' {
		return h, invalid(wire.Bad("inferenceConfig", "an object"))
	}
	at, _ := splice.Get(in.Body, config, "maxTokens")
	h.MaxOut, err = dialect.PeekCap(op, in.Body, at, "inferenceConfig.maxTokens")
	return h, err
}

func scan(names *dialect.Naming, body []byte, depth int) (*spans, error) {
	var s spans
	keys := [...]string{"inferenceConfig", fieldsMore}
	var err error
	if s.object, s.names, err = names.Scan(body, depth, keys[:], s.found[:]); err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	return &s, nil
}

// EditRequest implements dialect.Client. The model is in the address, which is not the codec's. A call with
// redactions is read and said again: where a text stands, blocks know and bytes do not.
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
	var changed []string
	if least, ok := dialect.LeastCap(s.Edits, h.MaxOut); ok && c.op == llm.OpGenerate {
		capTokens(ed, in.Body, st, least.N)
		changed = append(changed, least.Changed("inferenceConfig.maxTokens"))
	}
	body, err := ed.Bytes()
	if err != nil {
		return dialect.Outbound{}, dialect.InternalFault(op+".EditRequest", err)
	}
	body, refused, err := withoutRefused(body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	return dialect.Outbound{Header: headers(in.Header), Body: body, Changed: append(changed, refused...)}, nil
}

func capTokens(ed *splice.Edit, body []byte, st *spans, n int) {
	config := st.found[atInference].Value
	switch {
	case !config.Found():
		ed.Insert(st.object.Span, "inferenceConfig", fmt.Appendf(nil, `{"maxTokens":%d}`, n))
	case config.IsNull(body):
		ed.Set(config, fmt.Appendf(nil, `{"maxTokens":%d}`, n))
	default:
		if at, _ := splice.Get(body, config, "maxTokens"); at.Found() {
			ed.Set(at, fmt.Appendf(nil, "%d", n))
		} else {
			ed.Insert(config, "maxTokens", fmt.Appendf(nil, "%d", n))
		}
	}
}

// withoutRefused takes the parameters that the target refuses out of a body, wherever they may stand.
func withoutRefused(body []byte, s dialect.Shape) ([]byte, []string, error) {
	return dialect.WithoutRefusedIn(op, body, s, dialect.WithoutMember(op, "inferenceConfig", fieldsMore))
}

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if ch.Body != nil {
		return c.redactBody(ch, edits)
	}
	return c.redactFrame(ch, edits)
}

// redactBody changes a whole answer, its bytes and its meaning.
func (c *codec) redactBody(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	res, err := c.DecodeResponse(dialect.Reply{Body: ch.Body})
	if err != nil {
		return ch, err
	}
	r, ok := res.(*llm.Response)
	if !ok {
		return ch, dialect.InternalFault(op+".Redact", fmt.Errorf("no text in a %T", res))
	}
	fresh, err := dialect.RedactAnswer(r, edits)
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	reply, _, err := c.EncodeResponse(nil, fresh, dialect.Meta{})
	if err != nil {
		return ch, err
	}
	ch.Body, ch.Result = reply.Body, fresh
	return ch, nil
}

// redactFrame changes one event, in which there is one text.
func (c *codec) redactFrame(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	delta := wire.Whole(ch.Frame.Data).Get("delta")
	ed := splice.NewEdit(ch.Frame.Data)
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			ed.SetString(delta.Get("text").Span(), e.Text)
		case llm.ThoughtDelta:
			if at := delta.Get("reasoningContent", "text"); at.Found() {
				ed.SetString(at.Span(), e.Text)
			}
		case llm.ArgsDelta:
			if at := delta.Get("toolUse", "input"); at.Found() {
				ed.SetString(at.Span(), e.JSON)
			}
		}
	}
	data, err := ed.Bytes()
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	ch.Events = events
	ch.Frame.Data = data
	ch.Frame.Raw = frameOf(ch.Frame)
	return ch, nil
}
