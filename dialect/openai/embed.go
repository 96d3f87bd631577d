package openai

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// embed speaks embeddings (POST /v1/embeddings), as OpenAI documents them and as hosts have added to them:
// Voyage's input_type and output_dtype, Azure's input_type, Perplexity's packed bytes.
type embed struct{ operation }

var _ dialect.Codec = (*embed)(nil)

func embedRoutes() []dialect.Route {
	c := &embed{newOperation()}
	return postRoutes(llm.OpEmbed, "embeddings", c)
}

// DecodeRequest implements dialect.Server.
func (c *embed) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	d := embedDecoder{r: &llm.Embed{}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	if name := in.Vars[deploymentVar]; name != "" {
		d.r.Model = name
	}
	switch {
	case d.r.Model == "":
		return nil, c.NoModel()
	case len(d.r.Inputs) == 0:
		return nil, invalid(wire.Bad("input", "a text, or a list of texts or of tokens, that is not empty"))
	}
	d.forms()
	return d.r, nil
}

type embedDecoder struct {
	r             *llm.Embed
	format, dtype string
}

func (d *embedDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "input":
		err = d.input(v)
	case "dimensions":
		err = v.IntTo(&r.Size)
	case "output_dimension":
		r.Extra.Note(Name, "output_dimension")
		err = v.IntTo(&r.Size)
	case "encoding_format":
		d.format, err = v.Str()
	case "output_dtype":
		d.dtype, err = v.Str()
	case "input_type":
		var word string
		word, err = v.Str()
		if r.Purpose = purposeOf(word); r.Purpose == "" {
			return false, err
		}
		r.Extra.Note(Name, notePurpose+word)
	case "truncation":
		var yes bool
		yes, err = v.Bool()
		if r.Cut = llm.CutNone; yes {
			r.Cut = llm.CutEnd
		}
	case "user":
		return v.StrTo(&r.User)
	default:
		return false, nil
	}
	return true, err
}

// notePurpose notes the host's own word for a purpose.
const notePurpose = "input_type: "

// purposeOf returns what hosts mean by an input_type.
func purposeOf(word string) llm.Purpose {
	switch strings.ToLower(word) {
	case "query", "search_query":
		return llm.PurposeQuery
	case "document", "passage", "search_document":
		return llm.PurposeDocument
	case "classification":
		return llm.PurposeClassify
	case "clustering":
		return llm.PurposeCluster
	}
	return llm.PurposeUnset
}

// input reads a text, a list of texts, a list of tokens or a list of such lists.
func (d *embedDecoder) input(v wire.Value) error {
	switch v.Kind() {
	case '"':
		d.r.Bare = true
		return d.one(v)
	case '[':
		if k := v.Get("0").Kind(); k == '0' {
			d.r.Bare = true
			return d.one(v)
		}
		return v.Elems(func(_ int, el wire.Value) error { return d.one(el) })
	}
	return wire.Bad("", "a text, or a list of texts or of tokens")
}

func (d *embedDecoder) one(v wire.Value) error {
	var in llm.EmbedInput
	switch v.Kind() {
	case '"':
		in.Blocks = []llm.Block{llm.Text{Text: v.Text()}}
	case '[':
		if err := v.Elems(func(_ int, el wire.Value) error { _, err := el.Int(); return err }); err != nil {
			return err
		}
		in.Tokens = v.JSON()
	default:
		return wire.Bad("", "a text or a list of tokens")
	}
	d.r.Inputs = append(d.r.Inputs, in)
	return nil
}

// forms makes a form of what hosts say in one member or in two.
func (d *embedDecoder) forms() {
	if d.format == "" && d.dtype == "" {
		return
	}
	f := llm.VectorForm{Kind: llm.VectorKind(d.dtype)}
	format, kind, split := strings.Cut(d.format, "_")
	f.Packed = format == "base64"
	switch {
	case split && f.Packed:
		f.Kind = llm.VectorKind(kind)
	case f.Kind == "" && (f.Packed || d.format == "float" || d.format == ""):
		f.Kind = llm.VectorFloat
	case f.Kind == "":
		f.Kind = llm.VectorKind(d.format)
	}
	d.r.Forms = []llm.VectorForm{f}
	if d.dtype != "" {
		d.r.Extra.Note(Name, "output_dtype")
		if d.format == "" {
			d.r.Extra.Note(Name, "no encoding_format")
		}
	}
}

// EncodeRequest implements dialect.Client.
func (c *embed) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	var l dialect.Losses
	ours := e.Extra.Dialect == Name
	has := []string{"size", "user"}
	if ours {
		has = append(has, "purpose", "cut")
	} else if err := dialect.FloatsOnly(where, e); err != nil {
		return dialect.Outbound{}, nil, err
	}
	if e.Cut == llm.CutNone {
		has = append(has, "cut") // that is what hosts of this dialect do
	}
	l.LoseEmbed(e, Name, has...)
	var w jsonw.Writer
	o := wire.Begin(&w, e.Extra.In(Name))
	o.Str("model", s.Upstream(e.Model))
	if err := writeInputs(&w, e); err != nil {
		return dialect.Outbound{}, nil, err
	}
	sizeKey := "dimensions"
	if e.Extra.Noted(Name, "output_dimension") {
		sizeKey = "output_dimension"
		o.Forget(sizeKey)
	}
	o.OptInt(sizeKey, e.Size)
	if ours {
		writeOwn(&w, e)
	}
	o.OptStr("user", e.User)
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

func writeInputs(w *jsonw.Writer, e *llm.Embed) error {
	w.Key("input")
	bare := e.Bare && len(e.Inputs) == 1
	if !bare {
		w.Open('[')
	}
	for _, in := range e.Inputs {
		text, ok := in.Text()
		switch {
		case ok:
			w.Str(text)
		case in.Tokens != "":
			w.Raw(in.Tokens)
		default:
			return dialect.Beyond(where, "input", "the target embeds texts alone, each by itself; send no images and no lists of parts")
		}
	}
	if !bare {
		w.Close(']')
	}
	return nil
}

// writeOwn says what only hosts of this dialect know, as their caller did.
func writeOwn(w *jsonw.Writer, e *llm.Embed) {
	for _, f := range e.Extra.Fields {
		if word, ok := strings.CutPrefix(f.Key, notePurpose); ok && f.Raw == "" {
			w.KeyStr("input_type", word)
		}
	}
	if e.Cut != "" {
		w.KeyBool("truncation", e.Cut == llm.CutEnd)
	}
	for _, f := range e.Forms {
		writeForm(w, f, e.Extra.Noted(Name, "output_dtype"), e.Extra.Noted(Name, "no encoding_format"))
	}
}

func writeForm(w *jsonw.Writer, f llm.VectorForm, dtype, alone bool) {
	if dtype {
		w.KeyStr("output_dtype", string(f.Kind))
	}
	switch {
	case dtype && alone:
	case f.Packed && (dtype || f.Kind == llm.VectorFloat):
		w.KeyStr("encoding_format", "base64")
	case f.Packed:
		w.KeyStr("encoding_format", "base64_"+string(f.Kind))
	default:
		w.KeyStr("encoding_format", string(f.Kind))
	}
}

// DecodeResponse implements dialect.Client.
func (c *embed) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not JSON")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, inStream(r.Body)
	}
	res := &llm.Embeddings{}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "object":
			return m.Is("list"), nil
		case "id":
			return m.StrTo(&res.ID)
		case "model":
			return m.StrTo(&res.Model)
		case "data":
			return true, decodeVectors(res, m)
		case "usage":
			res.Usage = embedUsage(m, &res.Usage.Extra)
			return true, nil
		}
		return false, nil
	})
	if err == nil && len(res.Vectors) == 0 {
		err = wire.Bad("data", "a list of vectors")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not one of embeddings")
	}
	return res, nil
}

func decodeVectors(res *llm.Embeddings, list wire.Value) error {
	return list.Elems(func(i int, el wire.Value) error {
		vec := llm.Vector{Index: i}
		err := el.Fields(Name, &vec.Extra, func(key []byte, m wire.Value) (known bool, err error) {
			switch string(key) {
			case "object":
				return m.Is("embedding"), nil
			case "index":
				n, err := m.Int()
				vec.Index = int(n)
				return true, err
			case "embedding":
				n, err := decodeNumbers(m)
				vec.Numbers = []llm.Numbers{n}
				return true, err
			}
			return false, nil
		})
		if err == nil && len(vec.Numbers) == 0 {
			err = wire.Bad("embedding", "a vector")
		}
		res.Vectors = append(res.Vectors, vec)
		return err
	})
}

// decodeNumbers reads a vector. What is packed is of a kind that only the caller knows who asked for it.
func decodeNumbers(v wire.Value) (llm.Numbers, error) {
	switch v.Kind() {
	case '[':
		return llm.Numbers{Kind: llm.VectorFloat, List: v.JSON()}, nil
	case '"':
		return llm.Numbers{Packed: v.Text()}, nil
	}
	return llm.Numbers{}, wire.Bad("", "a list of numbers")
}

// embedUsage reads the usage of an operation that only reads. Some hosts say no more than the total.
func embedUsage(v wire.Value, rest *llm.Extra) llm.Usage {
	b := readBill(v, rest)
	u := llm.Usage{InputImage: b.imageIn}
	n := b.prompt
	if !n.Set {
		n = b.total
	}
	if n.Set {
		u.Input, u.Reported = max(0, n.V-b.imageIn), llm.InSide|llm.OutSide
	}
	if rest != nil {
		if b.completion.Set {
			rest.Add(Name, "completion_tokens", strconv.FormatInt(b.completion.V, 10)) // none, always; some say so
		}
		u.Extra = *rest
		if !b.prompt.Set {
			u.Extra.Note(Name, noteTotal)
		}
		if !b.total.Set {
			u.Extra.Note(Name, notePrompt)
		}
	}
	return u
}

// noteTotal and notePrompt note that only one of the figures was said.
const (
	noteTotal  = "total_tokens alone"
	notePrompt = "prompt_tokens alone"
)

// Gist implements dialect.Client.
func (c *embed) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 4)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"model", "usage", "data", "id"}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{Model: wire.At(body, found[0].Value).Text(), ID: wire.At(body, found[3].Value).Text()}
	if found[1].Found() {
		g.Usage = embedUsage(wire.At(body, found[1].Value), nil)
	}
	if found[2].Found() {
		g.Text = len(found[2].Value.Raw(body))
	}
	return g
}

// EncodeResponse implements dialect.Server.
func (c *embed) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Embeddings)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	vectors, err := dialect.InOrder(where, p, res)
	if err != nil {
		return dialect.Reply{}, nil, err
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	o.OptStr("id", res.ID)
	o.Str("object", "list")
	w.KeyOpen("data", '[')
	for _, v := range vectors {
		n, err := wantedNumbers(p, v)
		if err != nil {
			return dialect.Reply{}, nil, badUpstream(err, "the upstream's vectors are not in a form that can be said here")
		}
		writeVector(&w, v, n)
	}
	w.Close(']')
	o.OptStr("model", m.ModelOr(res.Model))
	writeEmbedUsage(&w, res.Usage)
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

func writeVector(w *jsonw.Writer, v llm.Vector, n llm.Numbers) {
	o := wire.Begin(w, v.Extra.In(Name))
	o.Str("object", "embedding")
	o.Int("index", int64(v.Index))
	if n.List != "" {
		o.Raw("embedding", n.List)
	} else {
		o.Str("embedding", n.Packed)
	}
	o.End()
}

// wantedNumbers returns a vector in the form that the caller asked for.
func wantedNumbers(p llm.Payload, v llm.Vector) (llm.Numbers, error) {
	e, ok := p.(*llm.Embed)
	if !ok || len(v.Numbers) == 1 && v.Numbers[0].Kind == llm.VectorUnknown {
		return v.Numbers[0], nil
	}
	f := llm.VectorForm{Kind: llm.VectorFloat}
	if len(e.Forms) > 0 {
		f = e.Forms[0]
	}
	n, ok := v.In(f.Kind)
	if !ok {
		return n, fmt.Errorf("there is no vector of %s", f.Kind)
	}
	return n.As(f.Packed)
}

// writeEmbedUsage says what was read.
func writeEmbedUsage(w *jsonw.Writer, u llm.Usage) {
	if u.Reported == 0 && len(u.Extra.In(Name)) == 0 && u.In() == 0 {
		return
	}
	w.Key("usage")
	o := wire.Begin(w, u.Extra.In(Name))
	if !u.Extra.Noted(Name, noteTotal) {
		o.Int("prompt_tokens", u.In())
	}
	if !u.Extra.Noted(Name, notePrompt) {
		o.Int("total_tokens", u.In())
	}
	o.End()
}
