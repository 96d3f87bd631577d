package gemini

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

// embed speaks embeddings, in one of three forms. The Gemini API is asked for several, also where there is one.
type embed struct {
	dialect.Single
	errors codec
	form   embedForm
}

// embedForm is a form of the operation.
type embedForm int

const (
	embedBatch   embedForm = iota // several contents, at the Gemini API (:batchEmbedContents)
	embedOne                      // one content (:embedContent)
	embedPredict                  // several texts, at Vertex AI (:predict)
)

func newEmbed(form embedForm, names *dialect.Naming) *embed {
	return &embed{Single: dialect.Single{Where: op, Names: names}, form: form}
}

var (
	_ dialect.Codec = (*embed)(nil)
	_ dialect.Apart = (*embed)(nil)
)

// embedRoutes lists the operation, the form in which upstreams are asked first. What Vertex AI is told to
// predict may be a vector as well: see predicted.
func embedRoutes(vertex bool, names *dialect.Naming) []dialect.Route {
	batch, one := newEmbed(embedBatch, names), newEmbed(embedOne, names)
	route := func(path, verb string, c *embed) dialect.Route {
		return dialect.Route{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: path + ":" + verb, Codec: c}
	}
	var many, single, theirs []dialect.Route
	for _, v := range [...]string{"/v1beta", "/v1", "/v1alpha"} {
		many = append(many, route(v+"/models/{model...}", "batchEmbedContents", batch))
		single = append(single, route(v+"/models/{model...}", "embedContent", one))
	}
	for _, path := range vertexPaths() {
		theirs = append(theirs, route(path, "embedContent", one))
	}
	if vertex {
		return slices.Concat(theirs, many, single)
	}
	return slices.Concat(many, single, theirs)
}

// Apart implements dialect.Apart: each form has an answer of its own.
func (c *embed) Apart(upstream dialect.Codec) bool {
	u, ok := upstream.(*embed)
	return ok && u.form != c.form
}

// Peek implements dialect.Server: the model is named in the path.
func (c *embed) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	_, names, err := c.Names.Scan(in.Body, b.MaxDepth, nil, nil)
	if err != nil {
		return dialect.Head{}, notJSON(err)
	}
	return dialect.Head{Model: modelOf(in), Names: names}, nil
}

// EditRequest implements dialect.Client. In a batch every request names the model once more; Vertex AI, the only
// one that is asked in the other forms, knows it by the address.
func (c *embed) EditRequest(in dialect.Inbound, _ dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if c.form != embedBatch {
		body, _, err := dialect.WithoutMember(op)(in.Body, "model")
		return dialect.Outbound{Header: headers(in.Header), Body: body}, err
	}
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
	list := "requests"
	switch c.form {
	case embedBatch:
		err = wire.Under(v.Get(list).Elems(func(i int, r wire.Value) error { return c.one(e, i, r) }), list)
	case embedOne:
		err = c.one(e, 0, v)
	case embedPredict:
		list = "instances"
		err = readInstances(e, v)
	}
	if err == nil && len(e.Inputs) == 0 {
		err = wire.Bad(list, "a list that is not empty")
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
		case "embedContentConfig":
			var rest llm.Extra
			err = m.Fields(Name, &rest, func(key []byte, m wire.Value) (bool, error) {
				return embedSetting(one, &input, camel(string(key)), m)
			})
			leave(&one.Extra, "embedContentConfig", rest)
			return true, err
		}
		return embedSetting(one, &input, camel(string(key)), m)
	})
	switch {
	case err != nil:
		return err
	case len(input.Blocks) == 0:
		return wire.Bad("content.parts", "a list of parts that is not empty")
	}
	addInput(e, i, one, input)
	e.Extra.Note(Name, noteRequest+v.JSON())
	return nil
}

// addInput adds an input and what was said of it alone.
func addInput(e *llm.Embed, i int, one *llm.Embed, input llm.EmbedInput) {
	if i == 0 {
		e.Purpose, e.Size, e.Cut = one.Purpose, one.Size, one.Cut
	} else if e.Purpose != one.Purpose || e.Size != one.Size || e.Cut != one.Cut {
		e.Mixed = true
	}
	for _, f := range one.Extra.Fields {
		if _, there := e.Extra.Get(f.Key); !there {
			e.Extra.Fields = append(e.Extra.Fields, f)
		}
	}
	e.Inputs = append(e.Inputs, input)
}

// embedSetting reads what is said of the vectors, in whichever object a form has it.
func embedSetting(e *llm.Embed, input *llm.EmbedInput, key string, m wire.Value) (known bool, err error) {
	switch key {
	case "taskType":
		word, err := m.Str()
		e.Purpose = tasks()[word]
		return e.Purpose != "" || word == "TASK_TYPE_UNSPECIFIED", err
	case "title":
		input.Title, err = m.Str()
	case "outputDimensionality":
		err = m.IntTo(&e.Size)
	case "autoTruncate":
		var cut bool
		cut, err = m.Bool()
		if e.Cut = llm.CutNone; cut {
			e.Cut = llm.CutEnd
		}
	default:
		return false, nil
	}
	return true, err
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
	err := c.write(&w, e, s.Upstream(e.Model), &l)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	body, changed, err := dialect.WithoutRefused(op, w.Buf, s)
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: changed}, l.List(), err
}

func (c *embed) write(w *jsonw.Writer, e *llm.Embed, model string, l *dialect.Losses) error {
	switch {
	case c.form == embedPredict:
		return writeInstances(w, e, model, l)
	case c.form == embedOne && len(e.Inputs) != 1:
		return dialect.Beyond(op, "input", "the model makes one vector a call: send each input in a call of its own")
	}
	if c.form == embedOne {
		return writeRequests(w, e, "", l)
	}
	w.Open('{')
	w.KeyOpen("requests", '[')
	err := writeRequests(w, e, whole(model), l)
	w.Close(']')
	w.Close('}')
	return err
}

// writeRequests says a request for each input: with a model's name, or without where the address says it.
func writeRequests(w *jsonw.Writer, e *llm.Embed, model string, l *dialect.Losses) error {
	if saidAgain(w, e, model) {
		return nil
	}
	if err := dialect.FloatsOnly(op, e); err != nil {
		return err
	}
	l.LoseEmbed(e, "", "size", "purpose", "title", "cut")
	loseTask(e, l)
	if e.Cut == llm.CutStart {
		l.Add(dialect.EmbedWord(e.Extra.Dialect, "cut"), "the end is cut")
	}
	for _, in := range e.Inputs {
		if err := writeRequest(w, e, in, model); err != nil {
			return err
		}
	}
	return nil
}

// loseTask names a purpose for which there is no word.
func loseTask(e *llm.Embed, l *dialect.Losses) {
	if _, ok := taskOf(e.Purpose); !ok && e.Purpose != "" && e.Purpose != llm.PurposeImage {
		l.Add(dialect.EmbedWord(e.Extra.Dialect, "purpose"), "the target's API has no word for it")
	}
}

// saidAgain says the requests as they stood, but for the model, and reports whether there are any.
func saidAgain(w *jsonw.Writer, e *llm.Embed, model string) bool {
	any := false
	for _, f := range e.Extra.In(Name) {
		raw, ok := strings.CutPrefix(f.Key, noteRequest)
		if !ok || f.Raw != "" {
			continue
		}
		any = true
		w.Open('{')
		if model != "" {
			w.KeyStr("model", model)
		}
		// The visit has no error to give.
		_ = wire.Raw(raw).Members(func(key []byte, m wire.Value) error {
			if string(key) != "model" {
				w.KeyRaw(string(key), m.JSON())
			}
			return nil
		})
		w.Close('}')
	}
	return any
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
	if model != "" {
		w.KeyStr("model", model)
	}
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
	writeSettings(w, e, in, model == "")
	w.Close('}')
	return nil
}

// writeSettings says what is said of a vector. What becomes of an input that is too long stands in an object of its
// own, where Vertex AI has all of it.
func writeSettings(w *jsonw.Writer, e *llm.Embed, in llm.EmbedInput, inside bool) {
	word, task := taskOf(e.Purpose)
	object := e.Cut != "" || inside && (task || in.Title != "" || e.Size.Set)
	if object && inside {
		w.KeyOpen("embedContentConfig", '{')
	}
	if task {
		w.KeyStr("taskType", word)
	}
	if in.Title != "" {
		w.KeyStr("title", in.Title)
	}
	if e.Size.Set {
		w.KeyInt("outputDimensionality", int64(e.Size.V))
	}
	if object && !inside {
		w.KeyOpen("embedContentConfig", '{')
	}
	if e.Cut != "" {
		w.KeyBool("autoTruncate", e.Cut != llm.CutNone)
	}
	if object {
		w.Close('}')
	}
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
		case "predictions":
			return true, m.Elems(func(i int, el wire.Value) error { return readPrediction(res, i, el) })
		case "metadata":
			res.Usage.Characters = m.Get("billableCharacterCount").Count()
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
	if c.form == embedPredict {
		return predictedGist(body)
	}
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
	if c.form == embedPredict {
		return encodePredictions(p, res, vectors)
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	if c.form == embedBatch {
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
	if c.form == embedBatch {
		w.Close(']')
	}
	if res.Extra.Dialect != Name && res.Usage.Reported != 0 {
		w.KeyRaw("usageMetadata", `{"promptTokenCount":`+itoa(int(res.Usage.In()))+`}`)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}
