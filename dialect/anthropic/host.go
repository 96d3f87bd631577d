package anthropic

import (
	"net/http"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Host is a place that serves the vendor's models and wants a few members of a request elsewhere than the
// vendor does: the model and whether to stream in the address, the version in the body.
type Host struct {
	// Version is what anthropic_version says in the body.
	Version string
	// Betas are the values of anthropic-beta that the host takes where the offer says nothing of them;
	// one may end in * for any rest. It answers any other with an error.
	Betas []string
	// BodyBetas says that betas are said in the body, as anthropic_beta.
	BodyBetas bool
	// Stream says that the member stream stays in the body.
	Stream bool
}

// hostChanged is what a caller is told of a request that a host wants otherwise.
const hostChanged = "model, stream, version and betas said where the host wants them"

// The members that a host wants elsewhere.
const (
	hostModel = iota
	hostStream
	hostVersion
	hostBetas
	hostMembers
)

func hostKeys() [hostMembers]string {
	return [hostMembers]string{"model", "stream", "anthropic_version", "anthropic_beta"}
}

// Dialect returns the dialect as it is spoken to the host. All that the host does not want elsewhere is
// as the vendor has it, answers to the last byte.
func (h Host) Dialect() *dialect.Dialect {
	d := Dialect()
	d.Routes = []dialect.Route{
		{Op: llm.OpGenerate, Codec: &hosted{codec: &codec{op: llm.OpGenerate}, host: h}},
		{Op: llm.OpCountTokens, Codec: &hosted{codec: &codec{op: llm.OpCountTokens}, host: h}},
	}
	return d
}

// hosted is the codec for requests to a host.
type hosted struct {
	*codec
	host Host
}

// EncodeRequest implements dialect.Client.
func (c *hosted) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	out, losses, err := c.codec.EncodeRequest(p, s)
	if err != nil {
		return out, losses, err
	}
	out, err = c.house(out)
	return out, losses, err
}

// EditRequest implements dialect.Client.
func (c *hosted) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	out, err := c.codec.EditRequest(in, h, c.shape(s))
	if err != nil {
		return out, err
	}
	out.Changed = append(out.Changed, hostChanged)
	return c.house(out)
}

// shape returns what a request must look like before its members are put where the host wants them. The
// name of the model is not changed where it will be taken out.
func (c *hosted) shape(s dialect.Shape) dialect.Shape {
	if s.Offer == nil {
		return s
	}
	o := *s.Offer
	if o.Traits.Betas == nil {
		o.Traits.Betas = c.host.Betas
	}
	if c.op == llm.OpGenerate {
		o.Upstream = ""
	}
	s.Offer = &o
	return s
}

// house puts the members of a request where the host wants them.
func (c *hosted) house(out dialect.Outbound) (dialect.Outbound, error) {
	keys := hostKeys()
	var found [hostMembers]splice.Member
	object, err := splice.Scan(out.Body, splice.MaxDepth, keys[:], found[:])
	if err != nil {
		return out, notJSON(err)
	}
	betas := betas(out.Header)
	out.Header.Del("Anthropic-Version")
	ed := splice.NewEdit(out.Body)
	if c.op == llm.OpGenerate { // a count names its model in the body
		drop(ed, found[hostModel])
	}
	if !c.host.Stream {
		drop(ed, found[hostStream])
	}
	version := splice.Quote(nil, c.host.Version)
	if at := found[hostVersion].Value; at.Found() {
		ed.Set(at, version)
	} else {
		ed.Insert(object.Span, keys[hostVersion], version)
	}
	if c.host.BodyBetas {
		out.Header.Del("Anthropic-Beta")
		c.betas(ed, object, found[hostBetas], betas)
	}
	if out.Body, err = ed.Bytes(); err != nil {
		return out, internal("house", err)
	}
	return out, nil
}

func drop(ed *splice.Edit, m splice.Member) {
	if m.Found() {
		ed.Delete(m)
	}
}

// betas says betas in the body. A caller who said them there himself has said all that he wants.
func (c *hosted) betas(ed *splice.Edit, object splice.Object, at splice.Member, names []string) {
	if at.Found() || len(names) == 0 {
		return
	}
	var w jsonw.Writer
	w.Open('[')
	for _, b := range names {
		w.Str(b)
	}
	w.Close(']')
	ed.Insert(object.Span, hostKeys()[hostBetas], w.Buf)
}

// FromHost returns a request that a client sent as a host wants it, as the vendor wants it: the model and
// whether to stream in the body, the version and betas in the headers. No other byte changes. A model of ""
// is that of the body; nothing is said of streaming where stream is not set.
func FromHost(in dialect.Inbound, model string, stream llm.Opt[bool], b dialect.Bounds) (dialect.Inbound, error) {
	keys := hostKeys()
	var found [hostMembers]splice.Member
	object, err := splice.Scan(in.Body, b.MaxDepth, keys[:], found[:])
	if err != nil {
		return in, notJSON(err)
	}
	ed := splice.NewEdit(in.Body)
	if model != "" {
		put(ed, object, found[hostModel], keys[hostModel], splice.Quote(nil, model))
	}
	switch {
	case stream.Set && stream.V:
		put(ed, object, found[hostStream], keys[hostStream], []byte("true"))
	case stream.Set:
		drop(ed, found[hostStream])
	}
	drop(ed, found[hostVersion])
	in.Header = in.Header.Clone()
	if in.Header == nil {
		in.Header = http.Header{}
	}
	if at := found[hostBetas]; at.Found() {
		if err := bodyBetas(in, at); err != nil {
			return in, err
		}
		ed.Delete(at)
	}
	in.Body, err = ed.Bytes()
	if err != nil {
		return in, internal("FromHost", err)
	}
	in.RawQuery = ""
	return in, nil
}

// put sets a member, which there may not be yet.
func put(ed *splice.Edit, object splice.Object, m splice.Member, key string, raw []byte) {
	if m.Found() {
		ed.Set(m.Value, raw)
		return
	}
	ed.Insert(object.Span, key, raw)
}

// bodyBetas moves the betas of a body to the headers.
func bodyBetas(in dialect.Inbound, at splice.Member) error {
	names := betas(in.Header)
	v := wire.At(in.Body, at.Value)
	if v.IsNull() {
		return nil
	}
	if v.Kind() != '[' {
		return invalid(wire.Bad("anthropic_beta", "a list of names"))
	}
	err := v.Elems(func(_ int, el wire.Value) error {
		b, err := el.Str()
		if err != nil || strings.ContainsAny(b, ",\r\n") {
			return wire.Bad("anthropic_beta", "a list of names")
		}
		if !slices.ContainsFunc(names, func(x string) bool { return strings.EqualFold(x, b) }) {
			names = append(names, b)
		}
		return nil
	})
	if err != nil {
		return invalid(err)
	}
	for k := range in.Header {
		if strings.EqualFold(k, "anthropic-beta") {
			delete(in.Header, k)
		}
	}
	if len(names) > 0 {
		in.Header.Set("Anthropic-Beta", strings.Join(names, ","))
	}
	return nil
}
