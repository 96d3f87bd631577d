package xaigrpc

import (
	"bytes"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	most := llm.Opt[int]{}
	h, err := peekModel(in.Body, func(f field, names *naming) {
		if f.tag == 7<<3|varint {
			most = llm.Some(int(f.int()))
			return
		}
		names.field(f)
	})
	h.Stream, h.MaxOut = c.stream, most
	return h, err
}

// EditRequest implements dialect.Client. The caller's own bytes are sent, but for the model, a cap and what
// the host refuses. Only redactions, and state of another vendor that must not go to xAI, are reason to say
// the request anew.
func (c *codec) EditRequest(in dialect.Inbound, head dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) || bytes.Contains(in.Body, []byte(envelope)) {
		return c.again(in, s)
	}
	body, model := in.Body, s.Upstream(head.Model)
	out := dialect.Outbound{Header: headers(in.Header)}
	if model != head.Model {
		body = replaced(body, 2, func(m *message) { m.str(2, model) })
	}
	if least, ok := dialect.LeastCap(s.Edits, head.MaxOut); ok {
		body = replaced(body, 7, func(m *message) { m.num(7, int64(least.N)) })
		out.Changed = append(out.Changed, least.Changed("max_tokens"))
	}
	body, removed, err := withoutRefused(body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	out.Body, out.Changed = body, append(out.Changed, removed...)
	return out, nil
}

// again decodes and encodes a request of this dialect.
func (c *codec) again(in dialect.Inbound, s dialect.Shape) (dialect.Outbound, error) {
	p, err := c.DecodeRequest(in)
	if err != nil {
		return dialect.Outbound{}, err
	}
	out, losses, err := c.EncodeRequest(p, s)
	if bytes.Contains(in.Body, []byte(envelope)) {
		out.Changed = append(out.Changed, "encrypted_content removed (state of another vendor)")
	}
	for _, l := range losses {
		out.Changed = append(out.Changed, l.String())
	}
	for k, v := range headers(in.Header) {
		if out.Header != nil {
			out.Header[k] = v
		}
	}
	return out, err
}

// replaced returns a message with a field written anew, wherever and however often it stood.
func replaced(b []byte, num int, write func(*message)) []byte {
	out := message{b: make([]byte, 0, len(b)+64)}
	// Peek has read the message: it holds.
	_ = fields(b, func(f field) error {
		if f.num != num {
			out.b = append(out.b, f.raw...)
		}
		return nil
	})
	write(&out)
	return out.b
}
