package gemini

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// spans is where Peek found what EditRequest may change.
type spans struct {
	object splice.Object
	config splice.Member // generationConfig, by either name
	model  splice.Member
	inner  splice.Member // generateContentRequest, by either name
	names  dialect.Names
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := scan(c.names, in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{Model: modelOf(in), Stream: c.stream, Media: c.media(in), Names: s.names, State: s}
	if c.op != llm.OpGenerate {
		return h, nil
	}
	config := s.config.Value
	if !config.Found() || config.IsNull(in.Body) {
		return h, nil
	}
	if config.Kind(in.Body) != '{' {
		return h, invalid(wire.Bad(inConfig, "an object"))
	}
	at, err := mostOut(in.Body, config)
	if err != nil {
		return h, err
	}
	if at.Found() && !at.IsNull(in.Body) {
		text := string(at.Raw(in.Body))
		n, err := wire.Raw(strings.Trim(text, `"`)).Int()
		if err != nil || n < 0 {
			return h, invalid(wire.Bad(inConfig+".maxOutputTokens", "a whole number"))
		}
		h.MaxOut = llm.Some(int(n))
	}
	return h, nil
}

// mostOut finds the cap on output, by either of its names. One that is said by both is refused: who reads
// the other than we do would not be held to it.
func mostOut(body []byte, config splice.Span) (splice.Span, error) {
	m, err := either(body, config, "maxOutputTokens", splice.MaxDepth)
	return m.Value, err
}

// either finds a member by its name in camel case or with underscores.
func either(body []byte, obj splice.Span, key string, depth int) (splice.Member, error) {
	var found [2]splice.Member
	if _, err := splice.ScanAt(body, obj, depth, []string{key, snake(key)}, found[:]); err != nil {
		return splice.Member{}, notJSON(err)
	}
	return one(found[0], found[1], key)
}

func one(a, b splice.Member, key string) (splice.Member, error) {
	switch {
	case a.Found() && b.Found():
		return a, invalid(wire.Bad(key, "said once, not also as "+snake(key)))
	case b.Found():
		return b, nil
	}
	return a, nil
}

func scan(names *dialect.Naming, body []byte, depth int) (*spans, error) {
	var s spans
	keys := [...]string{inConfig, "generation_config", "model", noteWrapped, "generate_content_request"}
	var found [len(keys)]splice.Member
	var err error
	if s.object, s.names, err = names.Scan(body, depth, keys[:], found[:]); err != nil {
		return nil, notJSON(err)
	}
	s.model = found[2]
	if s.config, err = one(found[0], found[1], inConfig); err != nil {
		return nil, err
	}
	s.inner, err = one(found[3], found[4], noteWrapped)
	return &s, err
}

func notJSON(err error) error { return dialect.NotJSON(op, err) }

// EditRequest implements dialect.Client. The model is in the address, which is not the codec's; where a body
// names it as well it goes. A call with redactions is read and said again: where a text stands, blocks know
// and bytes do not. So is one with another vendor's reasoning in it.
func (c *codec) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return c.again(in, s, dialect.Redacted)
	}
	if bytes.Contains(in.Body, []byte(`"`+dialect.EnclosedMark)) {
		return c.again(in, s, "reasoning of another vendor removed")
	}
	if c.op == llm.OpGenerate && modelBy(s, h.Model).signs() && unsigned(in.Body) {
		return c.again(in, s, "")
	}
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = scan(nil, in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	if c.op == llm.OpCountTokens && c.vertex == st.inner.Found() {
		return c.again(in, s, "")
	}
	ed := splice.NewEdit(in.Body)
	if st.model.Found() {
		ed.Delete(st.model)
	}
	changed, err := c.splice(ed, in.Body, st, h, s)
	if err != nil {
		return dialect.Outbound{}, err
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

func (c *codec) splice(ed *splice.Edit, body []byte, st *spans, h dialect.Head, s dialect.Shape) ([]string, error) {
	if st.inner.Found() && st.inner.Value.Kind(body) == '{' {
		at, _ := splice.Get(body, st.inner.Value, "model")
		if at.Found() {
			ed.SetString(at, "models/"+s.Upstream(h.Model))
		}
	}
	least, ok := dialect.LeastCap(s.Edits, h.MaxOut)
	if !ok || c.op != llm.OpGenerate {
		return nil, nil
	}
	return []string{least.Changed("maxOutputTokens")}, capTokens(ed, body, st, least.N)
}

// unsigned reports whether calls of functions may be without a signature. It counts words, and is sometimes
// wrong to say yes.
func unsigned(body []byte) bool {
	calls := bytes.Count(body, []byte(`"functionCall"`)) + bytes.Count(body, []byte(`"function_call"`))
	return calls > 0 && calls > bytes.Count(body, []byte(`"thoughtSignature"`))+bytes.Count(body, []byte(`"thought_signature"`))
}

// again reads a request and says it again.
func (c *codec) again(in dialect.Inbound, s dialect.Shape, why string) (dialect.Outbound, error) {
	p, err := c.DecodeRequest(in)
	if err != nil {
		return dialect.Outbound{}, err
	}
	if p, ok := p.(*llm.CountTokens); ok {
		rewrap(p.Request, c.vertex)
	}
	out, _, err := c.EncodeRequest(p, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	out.Header = headers(in.Header)
	if why != "" {
		out.Changed = append(out.Changed, why)
	}
	return out, nil
}

// rewrap has a request to count tokens said as the host wants it: within another object, or not.
func rewrap(r *llm.Request, vertex bool) {
	raw, rest := wire.Take(r.Extra, Name, noteWrapped)
	if raw == "" && !vertex {
		rest.Note(Name, noteWrapped)
	}
	r.Extra = rest
}

func capTokens(ed *splice.Edit, body []byte, st *spans, n int) error {
	config := st.config.Value
	switch {
	case !config.Found():
		ed.Insert(st.object.Span, inConfig, fmt.Appendf(nil, `{"maxOutputTokens":%d}`, n))
	case config.IsNull(body):
		ed.Set(config, fmt.Appendf(nil, `{"maxOutputTokens":%d}`, n))
	default:
		at, err := mostOut(body, config)
		if err != nil {
			return err
		}
		if at.Found() {
			ed.Set(at, fmt.Appendf(nil, "%d", n))
		} else {
			ed.Insert(config, "maxOutputTokens", fmt.Appendf(nil, "%d", n))
		}
	}
	return nil
}

// withoutRefused takes the parameters that the target refuses out of a body, wherever they may stand.
func withoutRefused(body []byte, s dialect.Shape) ([]byte, []string, error) {
	return dialect.WithoutRefusedIn(op, body, s, strip)
}

// strip returns a body without a parameter, by either name, in generationConfig or at the top.
func strip(body []byte, key string) (fresh []byte, found bool, err error) {
	st, err := scan(nil, body, splice.MaxDepth)
	if err != nil {
		return nil, false, err
	}
	ed := splice.NewEdit(body)
	places := []splice.Span{st.object.Span}
	if at := st.config.Value; at.Found() && at.Kind(body) == '{' {
		places = append(places, at)
	}
	for _, at := range places {
		m, err := either(body, at, camel(key), splice.MaxDepth)
		if err != nil {
			return nil, false, err
		}
		if m.Found() && !m.Value.IsNull(body) {
			ed.Delete(m)
			found = true
		}
	}
	if !found {
		return body, false, nil
	}
	fresh, err = ed.Bytes()
	if err != nil {
		return nil, false, dialect.InternalFault(op, err)
	}
	return fresh, true, nil
}
