package openai

import (
	"bytes"
	"slices"
	"strconv"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The members that Peek looks for, in the order of peekKeys.
const (
	atModel = iota
	atStream
	atMaxTokens
	atMaxCompletion
	atStreamOptions
	atMessages
	atFormat
	peeked
)

func peekKeys() [peeked]string {
	return [peeked]string{"model", "stream", "max_tokens", "max_completion_tokens", "stream_options", "messages", "response_format"}
}

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
	h := dialect.Head{Free: !s.found[atFormat].Found(), Names: s.names, State: s}
	model, ok := s.found[atModel].Value.String(in.Body)
	// Azure's classic addresses name the deployment in the path, and the path wins.
	if d := in.Vars[deploymentVar]; d != "" {
		model, ok = d, true
	}
	if !ok || model == "" {
		return h, invalid(wire.Bad("model", "the name of a model"))
	}
	h.Model = model
	if h.Stream, err = dialect.PeekStream("dialect/openai", in.Body, s.found[atStream].Value, false); err != nil {
		return h, err
	}
	for _, at := range [...]int{atMaxTokens, atMaxCompletion} {
		most, err := dialect.PeekCap("dialect/openai", in.Body, s.found[at].Value, peekKeys()[at])
		if err != nil {
			return h, err
		}
		if most.Set {
			h.MaxOut = most
		}
	}
	return h, nil
}

func scan(names *dialect.Naming, body []byte, depth int) (*spans, error) {
	var s spans
	keys := peekKeys()
	var err error
	if s.object, s.names, err = names.Scan(body, depth, keys[:], s.found[:]); err != nil {
		return nil, notJSON(err)
	}
	return &s, nil
}

// EditRequest implements dialect.Client.
func (c *codec) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = scan(nil, in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ed := &editor{body: in.Body, spans: st, shape: s, edit: splice.NewEdit(in.Body)}
	ed.model()
	ed.cap()
	if h.Stream {
		ed.askUsage()
	}
	ed.developers()
	if err := ed.redact(); err != nil {
		return dialect.Outbound{}, err
	}
	body, err := ed.edit.Bytes()
	if err != nil {
		return dialect.Outbound{}, internal("EditRequest", err)
	}
	body, refused, err := dialect.WithoutRefused("dialect/openai", body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	ed.changed = append(ed.changed, refused...)
	return dialect.Outbound{Header: headers(in.Header), Body: body, Changed: ed.changed, AskedUsage: ed.asked}, nil
}

// editor changes one request in place.
type editor struct {
	body    []byte
	spans   *spans
	shape   dialect.Shape
	edit    *splice.Edit
	changed []string
	gone    [peeked]bool // members that were taken out
	asked   bool
}

func (e *editor) change(what string) {
	if !slices.Contains(e.changed, what) {
		e.changed = append(e.changed, what)
	}
}

func (e *editor) model() {
	o, m := e.shape.Offer, e.spans.found[atModel]
	switch {
	case o == nil || o.Upstream == "" || m.Found() && m.Value.Equal(e.body, o.Upstream):
	case m.Found():
		e.edit.SetString(m.Value, o.Upstream)
	default:
		e.edit.Insert(e.spans.object.Span, "model", splice.Quote(nil, o.Upstream))
	}
}

// cap says the cap on output in the field that the host knows, and lowers it to the least of the caps.
func (e *editor) cap() {
	e.rename()
	newer, older := e.number(atMaxCompletion), e.number(atMaxTokens)
	was := newer
	if !was.Set {
		was = older
	}
	c, ok := dialect.LeastCap(e.shape.Edits, was)
	if !ok {
		return
	}
	n := strconv.AppendInt(nil, int64(c.N), 10)
	placed := false
	for _, at := range [...]int{atMaxCompletion, atMaxTokens} {
		if m := e.spans.found[at]; m.Found() && !e.gone[at] {
			e.edit.Set(m.Value, n)
			placed = true
		}
	}
	if !placed {
		e.edit.Insert(e.spans.object.Span, e.maxField(), n)
	}
	e.change(capped(c))
}

func (e *editor) number(at int) llm.Opt[int] {
	n, ok := e.spans.found[at].Value.Int(e.body)
	return llm.Opt[int]{V: int(n), Set: ok}
}

func (e *editor) maxField() string {
	if f := e.traits().MaxTokensField; f != "" {
		return f
	}
	return peekKeys()[atMaxCompletion]
}

func (e *editor) traits() plenum.Traits {
	if e.shape.Offer == nil {
		return plenum.Traits{}
	}
	return e.shape.Offer.Traits
}

// rename gives the cap on output the name that the host knows. Of two the one that it does not know goes.
func (e *editor) rename() {
	have, from := atMaxTokens, atMaxCompletion
	switch e.traits().MaxTokensField {
	case peekKeys()[atMaxTokens]:
	case peekKeys()[atMaxCompletion]:
		have, from = from, have
	default:
		return
	}
	m, keys := e.spans.found[from], peekKeys()
	switch {
	case !m.Found():
	case e.spans.found[have].Found():
		e.edit.Delete(m)
		e.gone[from] = true
		e.change(keys[from] + " removed (the host knows " + keys[have] + ")")
	default:
		e.edit.Set(m.Key, splice.Quote(nil, keys[have]))
		e.change(keys[from] + " said as " + keys[have])
	}
}

// askUsage asks for usage at the end of the stream, which this dialect gives only on request.
func (e *editor) askUsage() {
	m := e.spans.found[atStreamOptions]
	v := wire.At(e.body, m.Value)
	if e.traits().NoStreamUsage {
		if m.Found() && !v.IsNull() {
			e.edit.Delete(m)
			e.change("stream_options removed (refused by the host)")
		}
		return
	}
	if !e.shape.Meter {
		return
	}
	switch {
	case !m.Found():
		e.edit.Insert(e.spans.object.Span, "stream_options", []byte(`{"include_usage":true}`))
	case v.Kind() != '{':
		e.edit.Set(m.Value, []byte(`{"include_usage":true}`))
	default:
		asked := v.Get("include_usage")
		if yes, _ := asked.Bool(); yes {
			return
		}
		if asked.Found() {
			e.edit.Set(asked.Span(), []byte("true"))
		} else {
			// An empty object ends in a brace that Insert finds by its span.
			e.edit.Insert(m.Value, "include_usage", []byte("true"))
		}
	}
	e.asked = true
}

// developers says developer messages as system ones where the host knows no developers.
func (e *editor) developers() {
	if !e.traits().NoDeveloper || !bytes.Contains(e.body, []byte(`developer`)) {
		return
	}
	list := wire.At(e.body, e.spans.found[atMessages].Value)
	if list.Kind() != '[' {
		return
	}
	// The body passed Scan: walking it does not fail.
	_ = list.Elems(func(_ int, m wire.Value) error {
		if m.Kind() != '{' {
			return nil
		}
		if role := m.Get("role"); role.Is(string(llm.Developer)) {
			e.edit.SetString(role.Span(), string(llm.System))
			e.change(noDeveloper)
		}
		return nil
	})
}
