package ollama

import (
	"net/http"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// embed speaks embeddings: POST /api/embed, or its older form /api/embeddings, which has one prompt and one
// vector. The older one is a part of [Generate], so that it is never taken for the newer one: upstreams are
// asked by that alone.
type embed struct {
	dialect.Single
	errors codec
	older  bool
}

var _ dialect.Codec = (*embed)(nil)

func embedRoute(pattern string, older bool) dialect.Route {
	c := &embed{errors: codec{name: Name}, older: older}
	c.Single = dialect.Single{Where: c.errors.op("embed"), Headers: func(http.Header) http.Header { return headers() }}
	return dialect.Route{Op: llm.OpEmbed, Method: http.MethodPost, Pattern: pattern, Codec: c}
}

// EncodeError implements dialect.Server.
func (c *embed) EncodeError(err error) dialect.Reply { return c.errors.EncodeError(err) }

// DecodeError implements dialect.Client.
func (c *embed) DecodeError(r dialect.Reply) *llm.Error { return c.errors.DecodeError(r) }

// DecodeRequest implements dialect.Server.
func (c *embed) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, dialect.NotJSON(c.Where, err)
	}
	r := &llm.Embed{}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			r.Model, err = m.Str()
			return true, err
		case "input", "prompt":
			if c.older != (string(key) == "prompt") {
				return false, nil
			}
			return true, readInputs(r, m)
		case "truncate":
			var yes bool
			yes, err = m.Bool()
			if r.Cut = llm.CutNone; yes {
				r.Cut = llm.CutEnd
			}
			return true, err
		case "dimensions":
			return true, m.IntTo(&r.Size)
		}
		return false, nil
	})
	switch {
	case err != nil:
		return nil, c.errors.invalid(err)
	case r.Model == "":
		return nil, c.NoModel()
	case len(r.Inputs) == 0:
		return nil, c.errors.invalid(wire.Bad("input", "a text, or a list of texts that is not empty"))
	}
	return r, nil
}

func readInputs(r *llm.Embed, v wire.Value) error {
	add := func(_ int, el wire.Value) error {
		s, err := el.Str()
		r.Inputs = append(r.Inputs, llm.EmbedInput{Blocks: []llm.Block{llm.Text{Text: s}}})
		return err
	}
	if v.Kind() == '"' {
		r.Bare = true
		return add(0, v)
	}
	return v.Elems(add)
}

// EncodeRequest implements dialect.Client.
func (c *embed) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	e, ok := p.(*llm.Embed)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(c.Where, p)
	}
	texts, err := dialect.Texts(c.Where, e)
	if err == nil {
		err = dialect.FloatsOnly(c.Where, e)
	}
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	var l dialect.Losses
	has := []string{"size"}
	if e.Cut != llm.CutStart {
		has = append(has, "cut")
	}
	l.LoseEmbed(e, Name, has...)
	var w jsonw.Writer
	o := wire.Begin(&w, e.Extra.In(Name))
	o.Str("model", s.Upstream(e.Model))
	if e.Bare && len(texts) == 1 {
		w.KeyStr("input", texts[0])
	} else {
		w.KeyOpen("input", '[')
		for _, t := range texts {
			w.Str(t)
		}
		w.Close(']')
	}
	if e.Cut == llm.CutNone || e.Cut == llm.CutEnd {
		w.KeyBool("truncate", e.Cut == llm.CutEnd)
	}
	o.OptInt("dimensions", e.Size)
	o.End()
	body, changed, err := dialect.WithoutRefused(c.Where, w.Buf, s)
	return dialect.Outbound{Header: headers(), Body: body, Changed: changed}, l.List(), err
}

// DecodeResponse implements dialect.Client.
func (c *embed) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(c.Where, err, "the upstream's answer is not JSON")
	}
	if v.Get("error").Kind() == '"' {
		return nil, c.errors.inStream(r.Body)
	}
	res := &llm.Embeddings{}
	add := func(i int, el wire.Value) error {
		if el.Kind() != '[' {
			return wire.Bad("", "a list of numbers")
		}
		res.Vectors = append(res.Vectors, llm.Vector{Index: i, Numbers: []llm.Numbers{{Kind: llm.VectorFloat, List: el.JSON()}}})
		return nil
	}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			return m.StrTo(&res.Model)
		case "embeddings":
			return true, m.Elems(add)
		case "embedding":
			return true, add(0, m)
		case "prompt_eval_count":
			res.Usage = embedUsage(m)
			return true, nil
		}
		return false, nil
	})
	if err == nil && len(res.Vectors) == 0 {
		err = wire.Bad("embeddings", "a list of vectors")
	}
	if err != nil {
		return nil, dialect.BadUpstream(c.Where, err, "the upstream's answer is not one of embeddings")
	}
	return res, nil
}

func embedUsage(count wire.Value) llm.Usage {
	if count.Kind() != '0' {
		return llm.Usage{}
	}
	return llm.Usage{Input: count.Count(), Reported: llm.InSide | llm.OutSide}
}

// Gist implements dialect.Client.
func (c *embed) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 4)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"model", "prompt_eval_count", "embeddings", "embedding"}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{Model: wire.At(body, found[0].Value).Text()}
	g.Usage = embedUsage(wire.At(body, found[1].Value))
	g.Text = len(found[2].Value.Raw(body)) + len(found[3].Value.Raw(body))
	return g
}

// EncodeResponse implements dialect.Server.
func (c *embed) EncodeResponse(p llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Embeddings)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(c.Where, r)
	}
	vectors, err := dialect.InOrder(c.Where, p, res)
	if err != nil {
		return dialect.Reply{}, nil, err
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	if !c.older {
		o.OptStr("model", m.ModelOr(res.Model))
		w.KeyOpen("embeddings", '[')
	} else {
		w.Key("embedding")
		vectors = vectors[:min(1, len(vectors))]
	}
	for _, v := range vectors {
		n, ok := v.In(llm.VectorFloat)
		list, err := n.AsList()
		if !ok || err != nil {
			return dialect.Reply{}, nil, dialect.BadUpstream(c.Where, err, "the upstream's vectors are not of floats")
		}
		w.Raw(list)
	}
	if !c.older {
		w.Close(']')
		c.times(&w, res, m)
	}
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

// times says how long it took, where the host did not, and what was read.
func (c *embed) times(w *jsonw.Writer, res *llm.Embeddings, m dialect.Meta) {
	if res.Extra.Dialect != Name && !m.Began.IsZero() {
		w.KeyInt("total_duration", time.Since(m.Began).Nanoseconds())
		w.KeyInt("load_duration", 0)
	}
	if res.Usage.Reported != 0 || res.Usage.In() > 0 {
		w.KeyInt("prompt_eval_count", res.Usage.In())
	}
}
