package cohere

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// embed speaks embeddings (POST /v2/embed), and their first version (/v1/embed), in which the vectors of an
// answer are a bare list where no form was asked for.
type embed struct {
	operation
	first bool
}

var _ dialect.Codec = (*embed)(nil)

func embedRoutes() []dialect.Route {
	return []dialect.Route{
		{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: "/v2/embed", Codec: &embed{operation: newOperation()}},
		{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: "/v1/embed", Codec: &embed{operation: newOperation(), first: true}},
	}
}

// DecodeRequest implements dialect.Server.
func (c *embed) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	d := embedDecoder{r: &llm.Embed{}}
	if err := v.Fields(Name, &d.r.Extra, d.member); err != nil {
		return nil, invalid(err)
	}
	switch {
	case d.r.Model == "":
		return nil, c.NoModel()
	case len(d.r.Inputs) == 0:
		return nil, invalid(wire.Bad("texts", "a list of texts that is not empty"))
	}
	return d.r, nil
}

type embedDecoder struct{ r *llm.Embed }

// inputKinds are the members that inputs stand in; the second and the third are noted.
const (
	noteImages = "images"
	noteInputs = "inputs"
)

func (d *embedDecoder) member(key []byte, v wire.Value) (known bool, err error) {
	r := d.r
	switch string(key) {
	case "model":
		r.Model, err = v.Str()
	case "texts":
		err = v.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Inputs = append(r.Inputs, llm.EmbedInput{Blocks: []llm.Block{llm.Text{Text: s}}})
			return err
		})
	case "images":
		r.Extra.Note(Name, noteImages)
		err = v.Elems(func(_ int, el wire.Value) error {
			img, err := imageAt(el)
			r.Inputs = append(r.Inputs, llm.EmbedInput{Blocks: []llm.Block{img}})
			return err
		})
	case "inputs":
		r.Extra.Note(Name, noteInputs)
		err = v.Elems(d.input)
	case "output_dimension":
		err = v.IntTo(&r.Size)
	case "embedding_types":
		err = v.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Forms = append(r.Forms, formOf(s))
			return err
		})
	case "input_type":
		var word string
		word, err = v.Str()
		r.Purpose = purposes()[word]
		return r.Purpose != "", err
	case "truncate":
		var word string
		word, err = v.Str()
		r.Cut = cuts()[word]
		return r.Cut != "", err
	default:
		return false, nil
	}
	return true, err
}

func (d *embedDecoder) input(_ int, v wire.Value) error {
	var in llm.EmbedInput
	err := v.Get("content").Elems(func(_ int, part wire.Value) error {
		switch {
		case part.Get("type").Is("text"):
			s, err := part.Get("text").Str()
			in.Blocks = append(in.Blocks, llm.Text{Text: s})
			return wire.Under(err, "text")
		case part.Get("type").Is("image_url"):
			img, err := imageAt(part.Get("image_url", "url"))
			in.Blocks = append(in.Blocks, img)
			return wire.Under(err, "image_url.url")
		default:
			return wire.Bad("type", "text or image_url")
		}
	})
	d.r.Inputs = append(d.r.Inputs, in)
	return wire.Under(err, "content")
}

func purposes() map[string]llm.Purpose {
	return map[string]llm.Purpose{
		"search_query": llm.PurposeQuery, "search_document": llm.PurposeDocument, "classification": llm.PurposeClassify,
		"clustering": llm.PurposeCluster, "image": llm.PurposeImage,
	}
}

func cuts() map[string]llm.Cut {
	return map[string]llm.Cut{"NONE": llm.CutNone, "START": llm.CutStart, "END": llm.CutEnd}
}

func formOf(word string) llm.VectorForm {
	if word == base64Type {
		return llm.VectorForm{Kind: llm.VectorFloat, Packed: true}
	}
	return llm.VectorForm{Kind: llm.VectorKind(word)}
}

// base64Type is the type of floats that are packed.
const base64Type = "base64"

func formWord(f llm.VectorForm) string {
	if f.Packed && f.Kind == llm.VectorFloat {
		return base64Type
	}
	return string(f.Kind)
}

// EncodeRequest implements dialect.Client.
func (c *embed) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	var l dialect.Losses
	l.LoseEmbed(e, Name, "size", "purpose", "cut")
	var w jsonw.Writer
	body, err := EmbedBody(&w, e, s.Upstream(e.Model), e.Extra.In(Name), &l)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	out := dialect.Outbound{Body: w.Buf}
	var changed []string
	out.Body, changed, err = dialect.WithoutRefused(op, out.Body, s)
	out.Changed = append(body, changed...)
	return out, l.List(), err
}

// EmbedBody writes the body of a request for embeddings, with the model in it unless it is "", as for a place
// that names it in the path. It returns what the body says that the caller did not.
func EmbedBody(w *jsonw.Writer, e *llm.Embed, model string, kept []llm.Field, l *dialect.Losses) (changed []string, err error) {
	o := wire.Begin(w, kept)
	o.OptStr("model", model)
	if err := embedInputs(w, e); err != nil {
		return nil, err
	}
	if word, set := embedPurpose(e, o, l); word != "" {
		w.KeyStr("input_type", word)
		if set {
			changed = append(changed, "input_type "+word+" set (the target needs one)")
		}
	}
	if e.Extra.Dialect == Name {
		writeForms(w, e.Forms)
	} else {
		writeForms(w, unpacked(e.Forms))
	}
	o.OptInt("output_dimension", e.Size)
	for word, cut := range cuts() {
		if cut == e.Cut {
			w.KeyStr("truncate", word)
		}
	}
	o.End()
	return changed, nil
}

// unpacked asks for lists of numbers: they are packed here, where the caller wants that.
func unpacked(forms []llm.VectorForm) []llm.VectorForm {
	if len(forms) == 0 {
		return []llm.VectorForm{{Kind: llm.VectorFloat}}
	}
	out := make([]llm.VectorForm, len(forms))
	for i, f := range forms {
		out[i] = llm.VectorForm{Kind: f.Kind}
	}
	return out
}

func writeForms(w *jsonw.Writer, forms []llm.VectorForm) {
	if len(forms) == 0 {
		return
	}
	w.KeyOpen("embedding_types", '[')
	for _, f := range forms {
		w.Str(formWord(f))
	}
	w.Close(']')
}

// embedPurpose returns the word for what vectors are wanted for. Newer models need one: where the caller said
// none, or one that has no word here, they are taken for documents.
func embedPurpose(e *llm.Embed, o wire.Object, l *dialect.Losses) (word string, set bool) {
	for word, p := range purposes() {
		if p == e.Purpose {
			return word, false
		}
	}
	if !o.Free("input_type") {
		return "", false
	}
	switch e.Purpose {
	case llm.PurposeQuestion, llm.PurposeCode:
		l.Add(dialect.EmbedWord(e.Extra.Dialect, "purpose"), "said as search_query")
		return "search_query", false
	case llm.PurposeSimilarity, llm.PurposeFact:
		l.Add(dialect.EmbedWord(e.Extra.Dialect, "purpose"), "said as clustering")
		return "clustering", false
	}
	if e.Extra.Dialect == Name {
		return "", false
	}
	if onlyImages(e) {
		return "image", true
	}
	return "search_document", true
}

func onlyImages(e *llm.Embed) bool {
	for _, in := range e.Inputs {
		if len(in.Blocks) != 1 {
			return false
		}
		if _, ok := in.Blocks[0].(llm.Media); !ok {
			return false
		}
	}
	return true
}

// embedInputs says the inputs in the narrowest member that holds them: older models know no other.
func embedInputs(w *jsonw.Writer, e *llm.Embed) error {
	mixed := e.Extra.Noted(Name, noteInputs)
	if !mixed && onlyImages(e) && len(e.Inputs) > 0 {
		w.KeyOpen("images", '[')
		for _, in := range e.Inputs {
			url, err := imageURL(in.Blocks[0])
			if err != nil {
				return err
			}
			w.Str(url)
		}
		w.Close(']')
		return nil
	}
	if texts, err := dialect.Texts(op, e); err == nil && !mixed {
		w.KeyOpen("texts", '[')
		for _, t := range texts {
			w.Str(t)
		}
		w.Close(']')
		return nil
	}
	w.KeyOpen("inputs", '[')
	for _, in := range e.Inputs {
		if err := writeInput(w, in); err != nil {
			return err
		}
	}
	w.Close(']')
	return nil
}

func writeInput(w *jsonw.Writer, in llm.EmbedInput) error {
	if in.Tokens != "" {
		return dialect.Beyond(op, "input", "the target embeds texts and images: send text in place of lists of tokens, which are another model's")
	}
	w.Open('{')
	w.KeyOpen("content", '[')
	for _, b := range in.Blocks {
		w.Open('{')
		if t, ok := b.(llm.Text); ok {
			w.KeyStr("type", "text")
			w.KeyStr("text", t.Text)
		} else {
			url, err := imageURL(b)
			if err != nil {
				return err
			}
			w.KeyStr("type", "image_url")
			w.KeyOpen("image_url", '{')
			w.KeyStr("url", url)
			w.Close('}')
		}
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
	return nil
}

// imageAt reads an image from its address, which mostly holds it.
func imageAt(v wire.Value) (llm.Media, error) {
	m := llm.Media{Kind: llm.Image}
	url, err := v.Str()
	if err == nil && url == "" {
		err = wire.Bad("", "the address of an image")
	}
	if mime, data, ok := cutDataURL(url); ok {
		m.MIME, m.Data = mime, data
	} else {
		m.URL = url
	}
	return m, err
}

func imageURL(b llm.Block) (string, error) {
	m, ok := b.(llm.Media)
	switch {
	case ok && m.Kind == llm.Image && m.Data != "":
		return "data:" + m.MIME + ";base64," + m.Data, nil
	case ok && m.Kind == llm.Image && m.URL != "":
		return m.URL, nil
	}
	return "", dialect.Beyond(op, "input", "the target embeds texts and images alone")
}

// DecodeResponse implements dialect.Client.
func (c *embed) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	res, err := DecodeEmbeddings(r.Body)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not one of embeddings")
	}
	return res, nil
}

// DecodeEmbeddings reads an answer with embeddings, in either version.
func DecodeEmbeddings(body []byte) (*llm.Embeddings, error) {
	v, err := wire.Parse(body, nil)
	if err != nil {
		return nil, err
	}
	res := &llm.Embeddings{}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&res.ID)
		case "embeddings":
			if m.Kind() == '[' {
				res.Extra.Note(Name, noteFloats)
				return true, addVectors(res, llm.VectorForm{Kind: llm.VectorFloat}, m)
			}
			return true, m.Members(func(key []byte, list wire.Value) error {
				if list.IsNull() {
					return nil
				}
				return addVectors(res, formOf(string(key)), list)
			})
		case "meta":
			res.Usage = metaUsage(m)
			return false, nil // and kept as it stood
		}
		return false, nil
	})
	if err == nil && len(res.Vectors) == 0 {
		err = wire.Bad("embeddings", "vectors")
	}
	return res, err
}

// noteFloats notes that the vectors were a bare list.
const noteFloats = "embeddings: list"

func addVectors(res *llm.Embeddings, f llm.VectorForm, list wire.Value) error {
	return list.Elems(func(i int, el wire.Value) error {
		n := llm.Numbers{Kind: f.Kind}
		switch {
		case f.Packed && el.Kind() == '"':
			n.Packed = el.Text()
		case !f.Packed && el.Kind() == '[':
			n.List = el.JSON()
		default:
			return wire.Bad("", "a vector")
		}
		for len(res.Vectors) <= i {
			res.Vectors = append(res.Vectors, llm.Vector{Index: len(res.Vectors)})
		}
		res.Vectors[i].Numbers = append(res.Vectors[i].Numbers, n)
		return nil
	})
}

// Gist implements dialect.Client.
func (c *embed) Gist(body []byte) dialect.Gist { return gistOf(body, "embeddings") }

// gistOf looks for what an answer consumed, in its meta, and for the member that is the answer.
func gistOf(body []byte, answer string) dialect.Gist {
	found := make([]splice.Member, 3)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"id", "meta", answer}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{ID: wire.At(body, found[0].Value).Text(), Text: len(found[2].Value.Raw(body))}
	if found[1].Found() {
		g.Usage = metaUsage(wire.At(body, found[1].Value))
	}
	return g
}

// metaUsage reads what was billed: the same object as in chat, and what only these operations have.
func metaUsage(meta wire.Value) llm.Usage {
	u := decodeUsage(meta).Metered()
	u.InputImage = meta.Get("billed_units", "image_tokens").Count()
	if u.InputImage > 0 || u.Searches > 0 {
		u.Reported |= llm.InSide
	}
	return u
}

// EncodeResponse implements dialect.Server.
func (c *embed) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Embeddings)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(op, r)
	}
	vectors, err := dialect.InOrder(op, p, res)
	if err != nil {
		return dialect.Reply{}, nil, err
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	id := res.ID
	if id == "" {
		id = m.CallID
	}
	o.OptStr("id", id)
	e, _ := p.(*llm.Embed)
	if err := c.writeVectors(&w, e, res, vectors); err != nil {
		return dialect.Reply{}, nil, dialect.BadUpstream(op, err, "the upstream's vectors are not in a form that can be said here")
	}
	if res.Extra.Dialect != Name {
		writeTexts(&w, e)
		writeMeta(&w, res.Usage, c.first)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

func (c *embed) writeVectors(w *jsonw.Writer, e *llm.Embed, res *llm.Embeddings, vectors []llm.Vector) error {
	forms := formsOf(res)
	bare := res.Extra.Noted(Name, noteFloats)
	if e != nil {
		forms, bare = e.Forms, c.first && len(e.Forms) == 0
		if len(forms) == 0 {
			forms = []llm.VectorForm{{Kind: llm.VectorFloat}}
		}
	}
	if bare {
		if res.Extra.Dialect != Name {
			w.KeyStr("response_type", "embeddings_floats")
		}
		return writeForm(w, "embeddings", forms[0], vectors)
	}
	if res.Extra.Dialect != Name {
		w.KeyStr("response_type", "embeddings_by_type")
	}
	w.KeyOpen("embeddings", '{')
	for _, f := range forms {
		if err := writeForm(w, formWord(f), f, vectors); err != nil {
			return err
		}
	}
	w.Close('}')
	return nil
}

// formsOf returns the forms that an answer has.
func formsOf(res *llm.Embeddings) []llm.VectorForm {
	var out []llm.VectorForm
	if len(res.Vectors) > 0 {
		for _, n := range res.Vectors[0].Numbers {
			out = append(out, llm.VectorForm{Kind: n.Kind, Packed: n.Packed != ""})
		}
	}
	return out
}

func writeForm(w *jsonw.Writer, key string, f llm.VectorForm, vectors []llm.Vector) error {
	w.KeyOpen(key, '[')
	for _, v := range vectors {
		n, ok := pick(v, f)
		if !ok {
			return fmt.Errorf("there is no vector of %s", f.Kind)
		}
		n, err := n.As(f.Packed)
		if err != nil {
			return err
		}
		if f.Packed {
			w.Str(n.Packed)
		} else {
			w.Raw(n.List)
		}
	}
	w.Close(']')
	return nil
}

// pick returns a vector in a form as it stands, or else in its kind of numbers.
func pick(v llm.Vector, f llm.VectorForm) (llm.Numbers, bool) {
	for _, n := range v.Numbers {
		if n.Kind == f.Kind && (n.Packed != "") == f.Packed {
			return n, true
		}
	}
	return v.In(f.Kind)
}

// writeTexts repeats the texts, as the vendor does.
func writeTexts(w *jsonw.Writer, e *llm.Embed) {
	if e == nil {
		return
	}
	w.KeyOpen("texts", '[')
	for _, in := range e.Inputs {
		if t, ok := in.Text(); ok {
			w.Str(t)
		}
	}
	w.Close(']')
}

// writeMeta says what an answer of another vendor consumed.
func writeMeta(w *jsonw.Writer, u llm.Usage, first bool) {
	w.KeyOpen("meta", '{')
	w.KeyOpen("api_version", '{')
	if first {
		w.KeyStr("version", "1")
	} else {
		w.KeyStr("version", "2")
	}
	w.Close('}')
	w.KeyOpen("billed_units", '{')
	if in := u.In() - u.InputImage; in > 0 || u.Searches == 0 {
		w.KeyInt("input_tokens", in)
	}
	if u.InputImage > 0 {
		w.KeyInt("image_tokens", u.InputImage)
	}
	if u.Searches > 0 {
		w.KeyInt("search_units", u.Searches)
	}
	w.Close('}')
	w.Close('}')
}

// cutDataURL splits a data URL with base64 content.
func cutDataURL(url string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	mime, data, ok = strings.Cut(rest, ";base64,")
	return mime, data, ok && data != ""
}
