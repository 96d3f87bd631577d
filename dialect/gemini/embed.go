package gemini

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// embed speaks embeddings: of one content (:embedContent) or of several (:batchEmbedContents). Upstreams are
// asked for several, also where there is one.
type embed struct {
	dialect.Single
	errors codec
	batch  bool
}

var (
	_ dialect.Codec = (*embed)(nil)
	_ dialect.Apart = (*embed)(nil)
)

// embedRoutes lists the operation, the form in which upstreams are asked first.
func embedRoutes(names *dialect.Naming) []dialect.Route {
	var out []dialect.Route
	for _, batch := range [...]bool{true, false} {
		c, verb := &embed{Single: dialect.Single{Where: op, Names: names}, batch: batch}, "embedContent"
		if batch {
			verb = "batchEmbedContents"
		}
		for _, v := range [...]string{"/v1beta", "/v1", "/v1alpha"} {
			out = append(out, dialect.Route{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: v + "/models/{model...}:" + verb, Codec: c})
		}
	}
	return out
}

// Apart implements dialect.Apart: the answer for one content is said otherwise than that for several.
func (c *embed) Apart(upstream dialect.Codec) bool {
	u, ok := upstream.(*embed)
	return ok && u.batch != c.batch
}

// Peek implements dialect.Server: the model is named in the path.
func (c *embed) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	_, names, err := c.Names.Scan(in.Body, b.MaxDepth, nil, nil)
	if err != nil {
		return dialect.Head{}, notJSON(err)
	}
	return dialect.Head{Model: modelOf(in), Names: names}, nil
}

// EditRequest implements dialect.Client: every request names the model once more.
func (c *embed) EditRequest(in dialect.Inbound, _ dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return dialect.Outbound{}, notJSON(err)
	}
	ed := splice.NewEdit(in.Body)
	if name := s.Upstream(""); name != "" {
		err = v.Get("requests").Elems(func(_ int, r wire.Value) error {
			if m := r.Get("model"); m.Kind() == '"' && !m.Is(whole(name)) {
				ed.SetString(m.Span(), whole(name))
			}
			return nil
		})
	}
	if err != nil {
		return dialect.Outbound{}, invalid(wire.Under(err, "requests"))
	}
	body, err := ed.Bytes()
	if err != nil {
		return dialect.Outbound{}, dialect.InternalFault(op, err)
	}
	return dialect.Outbound{Header: headers(in.Header), Body: body}, nil
}

// whole returns the whole name of a model.
func whole(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "models/" + name
}

// EncodeError implements dialect.Server.
func (c *embed) EncodeError(err error) dialect.Reply { return encodeError(err) }

// DecodeError implements dialect.Client.
func (c *embed) DecodeError(r dialect.Reply) *llm.Error { return c.errors.DecodeError(r) }

// noteRequest begins the note of a request for the vector of one content as it stood: within the dialect it is
// said again in the same words, for they may differ from one content to the next.
const noteRequest = "request "

// DecodeRequest implements dialect.Server.
func (c *embed) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	e := &llm.Embed{Model: modelOf(in), Extra: home()}
	if c.batch {
		err = wire.Under(v.Get("requests").Elems(func(i int, r wire.Value) error { return c.one(e, i, r) }), "requests")
	} else {
		err = c.one(e, 0, v)
	}
	if err == nil && len(e.Inputs) == 0 {
		err = wire.Bad("requests", "a list that is not empty")
	}
	if err != nil {
		return nil, invalid(err)
	}
	return e, nil
}

func (c *embed) one(e *llm.Embed, i int, v wire.Value) error {
	one := &llm.Embed{}
	var input llm.EmbedInput
	err := v.Fields(Name, &one.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch camel(string(key)) {
		case "model":
			return true, nil
		case "content":
			return true, readContent(&input, m)
		case "taskType":
			var word string
			word, err = m.Str()
			one.Purpose = tasks()[word]
			return one.Purpose != "" || word == "TASK_TYPE_UNSPECIFIED", err
		case "title":
			input.Title, err = m.Str()
			return true, err
		case "outputDimensionality":
			return true, m.IntTo(&one.Size)
		}
		return false, nil
	})
	switch {
	case err != nil:
		return err
	case len(input.Blocks) == 0:
		return wire.Bad("content.parts", "a list of parts that is not empty")
	}
	if i == 0 {
		e.Purpose, e.Size = one.Purpose, one.Size
	} else if e.Purpose != one.Purpose || e.Size != one.Size {
		e.Mixed = true
	}
	for _, f := range one.Extra.Fields {
		if _, there := e.Extra.Get(f.Key); !there {
			e.Extra.Fields = append(e.Extra.Fields, f)
		}
	}
	e.Inputs = append(e.Inputs, input)
	e.Extra.Note(Name, noteRequest+v.JSON())
	return nil
}

func readContent(in *llm.EmbedInput, v wire.Value) error {
	if v.Kind() == '"' { // as some SDKs say it
		in.Blocks = []llm.Block{llm.Text{Text: v.Text()}}
		return nil
	}
	parts := v.Get("parts")
	add := func(_ int, p wire.Value) error {
		if p.Kind() != '{' {
			return wire.Bad("", "a part")
		}
		data := p.Get("inlineData")
		if !data.Found() {
			data = p.Get("inline_data")
		}
		switch {
		case p.Get("text").Kind() == '"':
			in.Blocks = append(in.Blocks, llm.Text{Text: p.Get("text").Text()})
		case data.Get("data").Kind() == '"':
			mime := data.Get("mimeType").Text() + data.Get("mime_type").Text()
			m := llm.Media{Kind: llm.File, MIME: mime, Data: data.Get("data").Text()}
			if strings.HasPrefix(mime, "image/") {
				m.Kind = llm.Image
			}
			in.Blocks = append(in.Blocks, m)
		default:
			in.Blocks = append(in.Blocks, opaque("part", p))
		}
		return nil
	}
	if parts.Kind() == '{' {
		return wire.Under(add(0, parts), "parts")
	}
	return wire.Under(parts.Elems(add), "parts")
}

func tasks() map[string]llm.Purpose {
	return map[string]llm.Purpose{
		"RETRIEVAL_QUERY": llm.PurposeQuery, "RETRIEVAL_DOCUMENT": llm.PurposeDocument, "SEMANTIC_SIMILARITY": llm.PurposeSimilarity,
		"CLASSIFICATION": llm.PurposeClassify, "CLUSTERING": llm.PurposeCluster, "QUESTION_ANSWERING": llm.PurposeQuestion,
		"FACT_VERIFICATION": llm.PurposeFact, "CODE_RETRIEVAL_QUERY": llm.PurposeCode,
	}
}

// EncodeRequest implements dialect.Client.
func (c *embed) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	var l dialect.Losses
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen("requests", '[')
	if e.Extra.Dialect == Name {
		sayAgain(&w, e, whole(s.Upstream(e.Model)))
	} else {
		if err := dialect.FloatsOnly(op, e); err != nil {
			return dialect.Outbound{}, nil, err
		}
		l.LoseEmbed(e, Name, "size", "purpose", "title")
		if _, ok := taskOf(e.Purpose); !ok && e.Purpose != "" && e.Purpose != llm.PurposeImage {
			l.Add(dialect.EmbedWord(e.Extra.Dialect, "purpose"), "the target's API has no word for it")
		}
		for _, in := range e.Inputs {
			if err := writeRequest(&w, e, in, whole(s.Upstream(e.Model))); err != nil {
				return dialect.Outbound{}, nil, err
			}
		}
	}
	w.Close(']')
	w.Close('}')
	return dialect.Outbound{Header: headers(nil), Body: w.Buf}, l.List(), nil
}

// sayAgain says the requests as they stood, but for the model.
func sayAgain(w *jsonw.Writer, e *llm.Embed, model string) {
	for _, f := range e.Extra.Fields {
		raw, ok := strings.CutPrefix(f.Key, noteRequest)
		if !ok || f.Raw != "" {
			continue
		}
		w.Open('{')
		w.KeyStr("model", model)
		// The visit has no error to give.
		_ = wire.Raw(raw).Members(func(key []byte, m wire.Value) error {
			if string(key) != "model" {
				w.KeyRaw(string(key), m.JSON())
			}
			return nil
		})
		w.Close('}')
	}
}

func taskOf(p llm.Purpose) (string, bool) {
	for word, x := range tasks() {
		if x == p {
			return word, true
		}
	}
	return "", false
}

func writeRequest(w *jsonw.Writer, e *llm.Embed, in llm.EmbedInput, model string) error {
	if in.Tokens != "" {
		return dialect.Beyond(op, "input", "the target embeds texts and images: send text in place of lists of tokens, which are another model's")
	}
	w.Open('{')
	w.KeyStr("model", model)
	w.KeyOpen("content", '{')
	w.KeyOpen("parts", '[')
	for _, b := range in.Blocks {
		w.Open('{')
		switch b := b.(type) {
		case llm.Text:
			w.KeyStr("text", b.Text)
		case llm.Media:
			if b.Data == "" {
				return dialect.Beyond(op, "input", "the target embeds images that are sent to it, and fetches none: send the image as a data URL")
			}
			w.KeyOpen("inlineData", '{')
			w.KeyStr("mimeType", b.MIME)
			w.KeyStr("data", b.Data)
			w.Close('}')
		default:
			return dialect.Beyond(op, "input", "the target embeds texts and images alone")
		}
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
	if word, ok := taskOf(e.Purpose); ok {
		w.KeyStr("taskType", word)
	}
	if in.Title != "" {
		w.KeyStr("title", in.Title)
	}
	if e.Size.Set {
		w.KeyInt("outputDimensionality", int64(e.Size.V))
	}
	w.Close('}')
	return nil
}

// DecodeResponse implements dialect.Client.
func (c *embed) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not JSON")
	}
	if v.Get("error").Kind() == '{' {
		return nil, inStream(r.Body)
	}
	res := &llm.Embeddings{}
	add := func(i int, el wire.Value) error {
		vec := llm.Vector{Index: i}
		err := el.Fields(Name, &vec.Extra, func(key []byte, m wire.Value) (bool, error) {
			if string(key) != "values" {
				return false, nil
			}
			if m.Kind() != '[' {
				return true, wire.Bad("", "a list of numbers")
			}
			vec.Numbers = []llm.Numbers{{Kind: llm.VectorFloat, List: m.JSON()}}
			return true, nil
		})
		if err == nil && len(vec.Numbers) == 0 {
			err = wire.Bad("values", "a list of numbers")
		}
		res.Vectors = append(res.Vectors, vec)
		return err
	}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "embeddings":
			return true, m.Elems(add)
		case "embedding":
			return true, add(0, m)
		case "usageMetadata":
			res.Usage = embedUsage(m)
		}
		return false, nil // the usage is kept as it stood
	})
	if err == nil && len(res.Vectors) == 0 {
		err = wire.Bad("embeddings", "a list of vectors")
	}
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not one of embeddings")
	}
	return res, nil
}

func embedUsage(v wire.Value) llm.Usage {
	n := v.Get("promptTokenCount")
	if n.Kind() != '0' {
		return llm.Usage{}
	}
	u := llm.Usage{Reported: llm.InSide | llm.OutSide}
	if d := v.Get("promptTokenDetails"); d.Kind() == '[' {
		// The visit has no error to give.
		_ = d.Elems(func(_ int, el wire.Value) error {
			switch el.Get("modality").Text() {
			case "IMAGE":
				u.InputImage += el.Get("tokenCount").Count()
			case "AUDIO":
				u.InputAudio += el.Get("tokenCount").Count()
			}
			return nil
		})
	}
	u.Input = max(0, n.Count()-u.InputImage-u.InputAudio)
	return u
}

// Gist implements dialect.Client.
func (c *embed) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 3)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"usageMetadata", "embeddings", "embedding"}, found); err != nil {
		return dialect.Gist{}
	}
	return dialect.Gist{
		Usage: embedUsage(wire.At(body, found[0].Value)),
		Text:  len(found[1].Value.Raw(body)) + len(found[2].Value.Raw(body)),
	}
}

// EncodeResponse implements dialect.Server.
func (c *embed) EncodeResponse(p llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
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
	if c.batch {
		w.KeyOpen("embeddings", '[')
	} else {
		w.Key("embedding")
		vectors = vectors[:min(1, len(vectors))]
	}
	for _, v := range vectors {
		n, ok := v.In(llm.VectorFloat)
		list, err := n.AsList()
		if !ok || err != nil {
			return dialect.Reply{}, nil, dialect.BadUpstream(op, err, "the upstream's vectors are not of floats")
		}
		vo := wire.Begin(&w, v.Extra.In(Name))
		vo.Raw("values", list)
		vo.End()
	}
	if c.batch {
		w.Close(']')
	}
	if res.Extra.Dialect != Name && res.Usage.Reported != 0 {
		w.KeyRaw("usageMetadata", `{"promptTokenCount":`+itoa(int(res.Usage.In()))+`}`)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}
