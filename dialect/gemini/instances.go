package gemini

import (
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Vertex AI's models of vectors are told to predict: a list of instances, of a text each, and what holds for all
// of them as parameters. The models of texts answer with embeddings and what they counted, the one for texts and
// images with a vector of each.

// Notes of a request to predict as it stood.
const (
	noteInstance = "instance "
	noteParams   = "parameters "
)

// readInstances reads what a request to predict asks of a model of vectors.
func readInstances(e *llm.Embed, v wire.Value) error {
	params := &llm.Embed{}
	var unused llm.EmbedInput
	err := v.Fields(Name, &e.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "instances":
			return true, nil // below: the parameters may come after them
		case "parameters":
			e.Extra.Note(Name, noteParams+m.JSON())
			var rest llm.Extra
			err = m.Fields(Name, &rest, func(key []byte, m wire.Value) (bool, error) {
				name := camel(string(key))
				if name == "dimension" {
					name = "outputDimensionality"
				}
				return embedSetting(params, &unused, name, m)
			})
			leave(&e.Extra, "parameters", rest)
			return true, err
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return wire.Under(v.Get("instances").Elems(func(i int, el wire.Value) error {
		e.Extra.Note(Name, noteInstance+el.JSON())
		return readInstance(e, i, el, *params)
	}), "instances")
}

func readInstance(e *llm.Embed, i int, v wire.Value, one llm.Embed) error {
	var in llm.EmbedInput
	err := v.Fields(Name, &one.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch name := camel(string(key)); name {
		case "content", "text":
			var text string
			text, err = m.Str()
			in.Blocks = append(in.Blocks, llm.Text{Text: text})
			return true, err
		case "image":
			data := m.Get("bytesBase64Encoded")
			if data.Kind() != '"' {
				return false, nil
			}
			in.Blocks = append(in.Blocks, llm.Media{Kind: llm.Image, MIME: m.Get("mimeType").Text(), Data: data.Text()})
			return true, nil
		default:
			return embedSetting(&one, &in, name, m)
		}
	})
	if err != nil {
		return err
	}
	if len(in.Blocks) == 0 {
		return wire.Bad("content", "a text")
	}
	addInput(e, i, &one, in)
	return nil
}

// writeInstances says a request to predict.
func writeInstances(w *jsonw.Writer, e *llm.Embed, model string, l *dialect.Losses) error {
	if instancesAgain(w, e) {
		return nil
	}
	if err := dialect.FloatsOnly(op, e); err != nil {
		return err
	}
	images := strings.HasPrefix(model, "multimodalembedding")
	if images {
		l.LoseEmbed(e, "", "size")
	} else {
		l.LoseEmbed(e, "", "size", "purpose", "title", "cut")
		loseTask(e, l)
		if e.Cut == llm.CutStart {
			l.Add(dialect.EmbedWord(e.Extra.Dialect, "cut"), "the end is cut")
		}
	}
	w.Open('{')
	w.KeyOpen("instances", '[')
	for _, in := range e.Inputs {
		var err error
		if images {
			err = writeMixed(w, in)
		} else {
			err = writeText(w, e, in)
		}
		if err != nil {
			return err
		}
	}
	w.Close(']')
	writeParameters(w, e, images)
	w.Close('}')
	return nil
}

func writeParameters(w *jsonw.Writer, e *llm.Embed, images bool) {
	if !e.Size.Set && (e.Cut == "" || images) {
		return
	}
	w.KeyOpen("parameters", '{')
	switch {
	case !e.Size.Set:
	case images:
		w.KeyInt("dimension", int64(e.Size.V))
	default:
		w.KeyInt("outputDimensionality", int64(e.Size.V))
	}
	if e.Cut != "" && !images {
		w.KeyBool("autoTruncate", e.Cut != llm.CutNone)
	}
	w.Close('}')
}

func writeText(w *jsonw.Writer, e *llm.Embed, in llm.EmbedInput) error {
	text, ok := in.Text()
	if !ok {
		return dialect.Beyond(op, "input", "the model embeds texts alone, each by itself; send no images, no lists of parts and no lists of tokens")
	}
	w.Open('{')
	w.KeyStr("content", text)
	if word, ok := taskOf(e.Purpose); ok {
		w.KeyStr("task_type", word)
	}
	if in.Title != "" {
		w.KeyStr("title", in.Title)
	}
	w.Close('}')
	return nil
}

// writeMixed says an instance for the model that makes a vector of a text or of an image.
func writeMixed(w *jsonw.Writer, in llm.EmbedInput) error {
	if len(in.Blocks) != 1 || in.Tokens != "" {
		return dialect.Beyond(op, "input", "the model makes a vector of one text or of one image; send each by itself")
	}
	w.Open('{')
	switch b := in.Blocks[0].(type) {
	case llm.Text:
		w.KeyStr("text", b.Text)
	case llm.Media:
		if b.Data == "" || b.Kind != llm.Image {
			return dialect.Beyond(op, "input", "the model embeds texts, and images that are sent along")
		}
		w.KeyOpen("image", '{')
		w.KeyStr("bytesBase64Encoded", b.Data)
		if b.MIME != "" {
			w.KeyStr("mimeType", b.MIME)
		}
		w.Close('}')
	default:
		return dialect.Beyond(op, "input", "the model embeds texts and images alone")
	}
	w.Close('}')
	return nil
}

// instancesAgain says a request as it stood, and reports whether there was one.
func instancesAgain(w *jsonw.Writer, e *llm.Embed) bool {
	var instances []string
	params := ""
	for _, f := range e.Extra.In(Name) {
		if raw, ok := strings.CutPrefix(f.Key, noteInstance); ok && f.Raw == "" {
			instances = append(instances, raw)
		} else if raw, ok := strings.CutPrefix(f.Key, noteParams); ok && f.Raw == "" {
			params = raw
		}
	}
	if len(instances) == 0 {
		return false
	}
	w.Open('{')
	w.KeyOpen("instances", '[')
	for _, raw := range instances {
		w.Raw(raw)
	}
	w.Close(']')
	if params != "" {
		w.KeyRaw("parameters", params)
	}
	w.Close('}')
	return true
}

// readPrediction reads what was predicted of one instance.
func readPrediction(res *llm.Embeddings, i int, v wire.Value) error {
	vec := llm.Vector{Index: i}
	add := func(list wire.Value) error {
		if list.Kind() != '[' {
			return wire.Bad("embeddings.values", "a list of numbers")
		}
		vec.Numbers = []llm.Numbers{{Kind: llm.VectorFloat, List: list.JSON()}}
		return nil
	}
	err := v.Fields(Name, &vec.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "embeddings":
			readStatistics(&res.Usage, m)
			var rest llm.Extra
			err := m.Fields(Name, &rest, func(key []byte, _ wire.Value) (bool, error) { return string(key) == "values", nil })
			leave(&vec.Extra, "embeddings", rest)
			if err != nil {
				return true, err
			}
			return true, add(m.Get("values"))
		case "textEmbedding", "imageEmbedding":
			if len(vec.Numbers) > 0 {
				return false, nil
			}
			vec.Extra.Note(Name, noteAs+string(key))
			return true, add(m)
		}
		return false, nil
	})
	if err == nil && len(vec.Numbers) == 0 {
		err = wire.Bad("embeddings", "an object with a vector")
	}
	res.Vectors = append(res.Vectors, vec)
	return wire.Under(err, "predictions")
}

func readStatistics(u *llm.Usage, embeddings wire.Value) {
	n := embeddings.Get("statistics", "token_count")
	if n.Kind() != '0' {
		return
	}
	u.Reported = llm.InSide | llm.OutSide
	u.Input += n.Count()
}

// predictedGist reads what metering needs of predicted vectors.
func predictedGist(body []byte) dialect.Gist {
	var g dialect.Gist
	v := wire.Whole(body)
	if list := v.Get("predictions"); list.Kind() == '[' {
		g.Text = list.Span().End - list.Span().Start
		// The visit has no error to give.
		_ = list.Elems(func(_ int, el wire.Value) error {
			readStatistics(&g.Usage, el.Get("embeddings"))
			return nil
		})
	}
	g.Usage.Characters = v.Get("metadata", "billableCharacterCount").Count()
	return g
}

// encodePredictions says vectors as predictions. How many tokens were read is said of each alone, so that it can
// only be told of one.
func encodePredictions(p llm.Payload, res *llm.Embeddings, vectors []llm.Vector) (dialect.Reply, []dialect.Loss, error) {
	var l dialect.Losses
	var w jsonw.Writer
	own := res.Extra.In(Name)
	o := wire.Begin(&w, own)
	w.KeyOpen("predictions", '[')
	for _, v := range vectors {
		if err := writePrediction(&w, v, res.Usage, len(vectors) == 1); err != nil {
			return dialect.Reply{}, nil, err
		}
	}
	w.Close(']')
	if e, ok := p.(*llm.Embed); ok && o.Free("metadata") {
		w.KeyOpen("metadata", '{')
		w.KeyInt("billableCharacterCount", characters(e))
		w.Close('}')
	}
	if res.Usage.Reported != 0 && len(vectors) > 1 && res.Extra.Dialect != Name {
		l.Add("usage."+string(llm.ClassInput), "said of one vector alone")
	}
	o.End()
	return dialect.JSONReply(w.Buf), l.List(), nil
}

func writePrediction(w *jsonw.Writer, v llm.Vector, u llm.Usage, alone bool) error {
	n, ok := v.In(llm.VectorFloat)
	list, err := n.AsList()
	if !ok || err != nil {
		return dialect.BadUpstream(op, err, "the upstream's vectors are not of floats")
	}
	outer := without(v.Extra, "embeddings")
	o := wire.Begin(w, outer.In(Name))
	defer o.End()
	for _, name := range [...]string{"textEmbedding", "imageEmbedding"} {
		if outer.Noted(Name, noteAs+name) {
			o.Raw(name, list)
			return nil
		}
	}
	w.Key("embeddings")
	rest := within(v.Extra, "embeddings")
	inner := wire.Begin(w, rest.In(Name))
	inner.Raw("values", list)
	if alone && u.Reported != 0 && v.Extra.Dialect != Name {
		inner.Raw("statistics", `{"token_count":`+itoa(int(u.In()))+`,"truncated":false}`)
	}
	inner.End()
	return nil
}

// characters counts the characters of the inputs.
func characters(e *llm.Embed) int64 {
	n := 0
	for _, in := range e.Inputs {
		for _, b := range in.Blocks {
			if t, ok := b.(llm.Text); ok {
				n += utf8.RuneCountInString(t.Text)
			}
		}
	}
	return int64(n)
}
