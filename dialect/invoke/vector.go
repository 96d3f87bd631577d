package invoke

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	vendor "github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Vectors returns the dialect of Bedrock's models of vectors and rankings, for upstreams. They are invoked, each
// in its vendor's own words, and the model's id tells whose those are: Cohere's, Titan's or Nova's (Amazon Bedrock
// User Guide, "Inference request parameters").
func Vectors() *dialect.Dialect {
	own, aws := vendor.Dialect(), converse.Dialect().Codec(llm.OpGenerate)
	return &dialect.Dialect{
		Name:  Name,
		Title: "Vectors and rankings of Amazon Bedrock",
		Routes: []dialect.Route{
			{Op: llm.OpEmbed, Method: http.MethodPost, Codec: &vectors{Codec: own.Codec(llm.OpEmbed), aws: aws}},
			{Op: llm.OpRerank, Method: http.MethodPost, Codec: &rankings{Codec: own.Codec(llm.OpRerank), aws: aws}},
		},
		Headers: namespace(),
	}
}

// vectors is the codec of embeddings. Only its side toward upstreams is of use.
type vectors struct {
	dialect.Codec
	aws dialect.Codec
}

// EncodeRequest implements dialect.Client.
func (c *vectors) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	var (
		l   dialect.Losses
		w   jsonw.Writer
		out dialect.Outbound
		err error
	)
	switch model := s.Upstream(e.Model); {
	case strings.Contains(model, "cohere."):
		l.LoseEmbed(e, vendor.Name, "size", "purpose", "cut")
		if out.Changed, err = vendor.EmbedBody(&w, e, "", e.Extra.In(vendor.Name), &l); err != nil {
			return out, nil, err
		}
	case strings.Contains(model, "titan-embed"):
		err = titanVector(&w, e, model, &l)
	case strings.Contains(model, "nova") && strings.Contains(model, "embed"):
		out.Changed, err = novaVector(&w, e, &l)
	default:
		err = dialect.Beyond(op, "model", "the model "+model+" of Bedrock makes no vectors that are known here: those of Cohere, Titan and Nova do")
	}
	if err != nil {
		return out, nil, err
	}
	var refused []string
	out.Body, refused, err = dialect.WithoutRefused(op, w.Buf, s)
	out.Changed = append(out.Changed, refused...)
	out.Header = http.Header{"Content-Type": {"application/json"}}
	return out, l.List(), err
}

// alone returns the only input: these models make one vector a call.
func alone(e *llm.Embed) (llm.EmbedInput, error) {
	switch {
	case len(e.Inputs) != 1:
		return llm.EmbedInput{}, dialect.Beyond(op, "input", "the model makes one vector a call: send each input in a call of its own")
	case e.Inputs[0].Tokens != "":
		return llm.EmbedInput{}, dialect.Beyond(op, "input", "the target embeds texts: send text in place of lists of tokens, which are another model's")
	}
	return e.Inputs[0], nil
}

// titanVector writes the body of Titan's embeddings. The model that reads images as well takes its size elsewhere.
func titanVector(w *jsonw.Writer, e *llm.Embed, model string, l *dialect.Losses) error {
	images := strings.Contains(model, "embed-image")
	l.LoseEmbed(e, Name, "size")
	in, err := alone(e)
	if err != nil {
		return err
	}
	w.Open('{')
	for _, b := range in.Blocks {
		switch b := b.(type) {
		case llm.Text:
			w.KeyStr("inputText", b.Text)
		case llm.Media:
			if !images || b.Kind != llm.Image || b.Data == "" {
				return dialect.Beyond(op, "input", "the model embeds texts, and only the one for images also images that are sent along")
			}
			w.KeyStr("inputImage", b.Data)
		}
	}
	switch {
	case images && e.Size.Set:
		w.KeyOpen("embeddingConfig", '{')
		w.KeyInt("outputEmbeddingLength", int64(e.Size.V))
		w.Close('}')
	case e.Size.Set:
		w.KeyInt("dimensions", int64(e.Size.V))
	}
	if err := titanForms(w, e, images); err != nil {
		return err
	}
	w.Close('}')
	return nil
}

func titanForms(w *jsonw.Writer, e *llm.Embed, images bool) error {
	binary := false
	for _, f := range e.Forms {
		switch {
		case f.Kind == llm.VectorBinary && !images:
			binary = true
		case f.Kind != llm.VectorFloat:
			return dialect.Beyond(op, dialect.EmbedWord(e.Extra.Dialect, "forms"), "the target makes no vectors of "+string(f.Kind))
		}
	}
	if !binary {
		return nil
	}
	w.KeyOpen("embeddingTypes", '[')
	for _, f := range e.Forms {
		w.Str(string(f.Kind))
	}
	w.Close(']')
	return nil
}

// novaVector writes the body of Nova's embeddings. They must be told what the vector is for.
func novaVector(w *jsonw.Writer, e *llm.Embed, l *dialect.Losses) (changed []string, err error) {
	l.LoseEmbed(e, Name, "size", "purpose", "cut")
	if err := dialect.FloatsOnly(op, e); err != nil {
		return nil, err
	}
	in, err := alone(e)
	if err != nil {
		return nil, err
	}
	text, ok := in.Text()
	if !ok {
		return nil, dialect.Beyond(op, "input", "the target embeds one text a call here; send no images and no lists of parts")
	}
	purpose := map[llm.Purpose]string{
		llm.PurposeDocument: "GENERIC_INDEX", llm.PurposeQuery: "GENERIC_RETRIEVAL", llm.PurposeQuestion: "TEXT_RETRIEVAL",
		llm.PurposeClassify: "CLASSIFICATION", llm.PurposeCluster: "CLUSTERING",
	}[e.Purpose]
	if purpose == "" {
		purpose = "GENERIC_INDEX"
		changed = []string{"embeddingPurpose GENERIC_INDEX set (the target needs one)"}
	}
	cut := map[llm.Cut]string{llm.CutStart: "START", llm.CutEnd: "END"}[e.Cut]
	if cut == "" {
		cut = "NONE"
	}
	w.Open('{')
	w.KeyStr("taskType", "SINGLE_EMBEDDING")
	w.KeyOpen("singleEmbeddingParams", '{')
	w.KeyStr("embeddingPurpose", purpose)
	if e.Size.Set {
		w.KeyInt("embeddingDimension", int64(e.Size.V))
	}
	w.KeyOpen("text", '{')
	w.KeyStr("truncationMode", cut)
	w.KeyStr("value", text)
	w.Close('}')
	w.Close('}')
	w.Close('}')
	return changed, nil
}

// DecodeResponse implements dialect.Client. What was read is told in the body or in a header.
func (c *vectors) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not JSON")
	}
	var res *llm.Embeddings
	if v.Get("embedding").Found() || v.Get("embeddingsByType").Found() || v.Get("embeddings", "0", "embedding").Found() {
		res, err = amazon(v)
	} else {
		res, err = vendor.DecodeEmbeddings(r.Body)
	}
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not one of embeddings")
	}
	if res.Usage.Reported == 0 {
		extra := res.Usage.Extra
		res.Usage = (&claude{}).HeadUsage(r.Header)
		res.Usage.Extra = extra
	}
	return res, nil
}

// amazon reads what Titan and Nova answer.
func amazon(v wire.Value) (*llm.Embeddings, error) {
	res := &llm.Embeddings{}
	add := func(kind llm.VectorKind, list wire.Value) error {
		if list.Kind() != '[' {
			return wire.Bad("embedding", "a list of numbers")
		}
		if len(res.Vectors) == 0 {
			res.Vectors = []llm.Vector{{}}
		}
		res.Vectors[0].Numbers = append(res.Vectors[0].Numbers, llm.Numbers{Kind: kind, List: list.JSON()})
		return nil
	}
	if n := v.Get("inputTextTokenCount"); n.Kind() == '0' {
		res.Usage = llm.Usage{Input: n.Count(), Reported: llm.InSide | llm.OutSide}
	}
	if by := v.Get("embeddingsByType"); by.Kind() == '{' {
		err := by.Members(func(key []byte, m wire.Value) error { return add(llm.VectorKind(key), m) })
		return res, err
	}
	if first := v.Get("embeddings", "0", "embedding"); first.Found() {
		return res, add(llm.VectorFloat, first)
	}
	return res, add(llm.VectorFloat, v.Get("embedding"))
}

// DecodeError implements dialect.Client: errors are AWS's.
func (c *vectors) DecodeError(r dialect.Reply) *llm.Error { return c.aws.DecodeError(r) }

// rankings is the codec of Cohere's rankings as they are invoked. Only its side toward upstreams is of use.
type rankings struct {
	dialect.Codec
	aws dialect.Codec
}

// EncodeRequest implements dialect.Client. The path names the model, and the body the version of the API.
func (c *rankings) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	out, losses, err := c.Codec.EncodeRequest(p, s)
	if err != nil {
		return out, nil, err
	}
	found := make([]splice.Member, 1)
	object, err := splice.Scan(out.Body, splice.MaxDepth, []string{"model"}, found)
	if err != nil {
		return out, nil, dialect.InternalFault(op, err)
	}
	ed := splice.NewEdit(out.Body)
	ed.Delete(found[0])
	ed.Insert(object.Span, "api_version", []byte("2"))
	if out.Body, err = ed.Bytes(); err != nil {
		return out, nil, dialect.InternalFault(op, err)
	}
	return out, losses, nil
}

// DecodeError implements dialect.Client: errors are AWS's.
func (c *rankings) DecodeError(r dialect.Reply) *llm.Error { return c.aws.DecodeError(r) }
