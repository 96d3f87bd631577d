package openai

import (
	"errors"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// moderate speaks POST /v1/moderations. It is the only operation whose model may be left out: it is then asked
// of a deployment of the name of OpenAI's own default.
type moderate struct{ operation }

var _ dialect.Codec = (*moderate)(nil)

// defaultModerator is that name.
const defaultModerator = "omni-moderation-latest"

func moderateRoutes() []dialect.Route {
	return postRoutes(llm.OpModerate, "moderations", &moderate{newOperation()})
}

// Peek implements dialect.Server.
func (c *moderate) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	h, err := c.Single.Peek(in, b)
	var e *llm.Error
	if errors.As(err, &e) && e.Param == "model" {
		found := make([]splice.Member, 1)
		if _, err := splice.Scan(in.Body, b.MaxDepth, []string{"model"}, found); err != nil || found[0].Found() {
			return h, e
		}
		return dialect.Head{Model: defaultModerator}, nil
	}
	return h, err
}

// The shapes in which inputs stand.
const (
	shapeText = "text"
	shapeList = "list"
	shapePart = "parts"
)

// DecodeRequest implements dialect.Server.
func (c *moderate) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	r := &llm.Moderate{}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			return m.StrTo(&r.Model)
		case "input":
			return true, c.input(r, m)
		}
		return false, nil
	})
	if err == nil && len(r.Inputs) == 0 {
		err = wire.Bad("input", "a text, or a list of texts or of parts, that is not empty")
	}
	if err != nil {
		return nil, invalid(err)
	}
	return r, nil
}

func (*moderate) input(r *llm.Moderate, v wire.Value) error {
	if r.Shape = shapeText; v.Kind() == '"' {
		r.Inputs = []llm.Block{llm.Text{Text: v.Text()}}
		return nil
	}
	if r.Shape = shapeList; v.Get("0").Kind() == '{' {
		r.Shape = shapePart
	}
	return v.Elems(func(_ int, el wire.Value) error {
		var b llm.Block
		switch {
		case r.Shape == shapeList && el.Kind() == '"':
			b = llm.Text{Text: el.Text()}
		case r.Shape == shapePart && el.Kind() == '{':
			b = opaque(el.Get("type").Text(), el)
			if el.Get("type").Is("text") {
				b = llm.Text{Text: el.Get("text").Text(), Extra: partExtra(el)}
			}
		default:
			return wire.Bad("", "a text or a part, like the others")
		}
		r.Inputs = append(r.Inputs, b)
		return nil
	})
}

// partExtra keeps a part as it stood, under a key that no part has.
func partExtra(el wire.Value) llm.Extra {
	var e llm.Extra
	e.Add(Name, wholePart, el.JSON())
	return e
}

const wholePart = ""

// EncodeRequest implements dialect.Client.
func (c *moderate) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Moderate)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	var l losses
	l.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.OptStr("model", s.Upstream(r.Model))
	w.Key("input")
	if r.Shape != shapeText {
		w.Open('[')
	}
	for _, b := range r.Inputs {
		switch b := b.(type) {
		case llm.Opaque:
			w.Raw(b.Raw)
		case llm.Text:
			if raw, ok := b.Extra.Get(wholePart); ok && r.Shape == shapePart {
				w.Raw(raw)
			} else {
				w.Str(b.Text)
			}
		}
	}
	if r.Shape != shapeText {
		w.Close(']')
	}
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

// DecodeResponse implements dialect.Client.
func (c *moderate) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not JSON")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, inStream(r.Body)
	}
	res := &llm.Moderation{}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&res.ID)
		case "model":
			return m.StrTo(&res.Model)
		case "results":
			return true, m.Elems(func(_ int, el wire.Value) error {
				var x llm.Verdict
				err := el.Fields(Name, &x.Extra, func(key []byte, m wire.Value) (bool, error) {
					if string(key) != "flagged" {
						return false, nil
					}
					return true, m.BoolTo(&x.Flagged)
				})
				res.Results = append(res.Results, x)
				return err
			})
		case "usage":
			res.Usage = embedUsage(m, &res.Usage.Extra)
			return false, nil // and kept as it stood
		}
		return false, nil
	})
	if err == nil && len(res.Results) == 0 {
		err = wire.Bad("results", "a list")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is no moderation")
	}
	return res, nil
}

// Gist implements dialect.Client.
func (c *moderate) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 4)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"id", "model", "results", "usage"}, found); err != nil {
		return dialect.Gist{}
	}
	g := dialect.Gist{ID: wire.At(body, found[0].Value).Text(), Model: wire.At(body, found[1].Value).Text(), Text: len(found[2].Value.Raw(body))}
	if found[3].Found() {
		g.Usage = embedUsage(wire.At(body, found[3].Value), nil)
	}
	return g
}

// EncodeResponse implements dialect.Server.
func (c *moderate) EncodeResponse(_ llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Moderation)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	o.OptStr("id", res.ID)
	o.OptStr("model", m.ModelOr(res.Model))
	w.KeyOpen("results", '[')
	for _, x := range res.Results {
		ro := wire.Begin(&w, x.Extra.In(Name))
		ro.OptBool("flagged", x.Flagged)
		ro.End()
	}
	w.Close(']')
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}
