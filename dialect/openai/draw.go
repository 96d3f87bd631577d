package openai

import (
	"iter"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/form"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// draw speaks images: POST /v1/images/generations in JSON, /v1/images/edits as a form or in JSON, and
// /v1/images/variations as a form. Answers come whole, or as events with unfinished images before the last.
type draw struct {
	operation
	task llm.Op
}

var _ dialect.Codec = (*draw)(nil)

func drawRoutes() []dialect.Route {
	var out []dialect.Route
	for _, o := range [...]struct {
		op   llm.Op
		path string
	}{{llm.OpImage, "images/generations"}, {llm.OpImageEdit, "images/edits"}, {llm.OpImageVary, "images/variations"}} {
		out = append(out, postRoutes(o.op, o.path, &draw{namingOperation(), o.op})...)
	}
	return out
}

// Peek implements dialect.Server.
func (c *draw) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	if isForm(in) {
		h, err := peekForm(in)
		h.Names = c.Names.Read(in)
		return h, err
	}
	h, err := c.Single.Peek(in, b)
	if err != nil {
		return h, err
	}
	found := make([]splice.Member, 1)
	if _, err := splice.Scan(in.Body, b.MaxDepth, []string{"stream"}, found); err != nil {
		return h, notJSON(err)
	}
	if v := found[0].Value; v.Found() && !v.IsNull(in.Body) {
		var ok bool
		if h.Stream, ok = v.Bool(in.Body); !ok {
			return h, invalid(wire.Bad("stream", "true or false"))
		}
	}
	return h, nil
}

// EditRequest implements dialect.Client.
func (c *draw) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if isForm(in) {
		return editForm(in, h, s)
	}
	return c.Single.EditRequest(in, h, s)
}

// DecodeRequest implements dialect.Server.
func (c *draw) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	r := &llm.Draw{Task: c.task}
	var err error
	if isForm(in) {
		err = c.readForm(r, in)
	} else {
		err = c.readJSON(r, in)
	}
	if err != nil {
		return nil, err
	}
	if name := in.Vars[deploymentVar]; name != "" {
		r.Model = name
	}
	if r.Model == "" {
		return nil, c.NoModel()
	}
	return r, nil
}

func (c *draw) readJSON(r *llm.Draw, in dialect.Inbound) error {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return notJSON(err)
	}
	err = v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			r.Model, err = m.Str()
		case "prompt":
			return m.StrTo(&r.Prompt)
		case "n":
			err = m.IntTo(&r.N)
		case "stream":
			r.Stream, err = m.Bool()
			return r.Stream || err != nil, err
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return invalid(err)
	}
	return nil
}

func (c *draw) readForm(r *llm.Draw, in dialect.Inbound) error {
	f, err := readForm(in)
	if err != nil {
		return err
	}
	for _, p := range f.Parts {
		value := f.Content(p)
		switch {
		case p.File != "" || p.Name == "image" || p.Name == "image[]" || p.Name == "mask":
			r.Images = append(r.Images, llm.Picture{Field: p.Name, Name: p.File, MIME: p.Type, Data: value})
		case p.Name == "model":
			r.Model = string(value)
		case p.Name == "prompt":
			r.Prompt = string(value)
		case p.Name == "n":
			n, err := strconv.Atoi(string(value))
			if err != nil {
				return invalid(wire.Bad("n", "a whole number"))
			}
			r.N = llm.Some(n)
		case p.Name == "stream":
			r.Stream = yes(string(value))
		default:
			r.Fields = append(r.Fields, llm.FormField{Name: p.Name, Value: string(value)})
		}
	}
	return nil
}

// EncodeRequest implements dialect.Client.
func (c *draw) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	if len(r.Images) > 0 {
		return drawForm(r, s), nil, nil
	}
	var l losses
	l.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", s.Upstream(r.Model))
	o.OptStr("prompt", r.Prompt)
	o.OptInt("n", r.N)
	if r.Stream {
		o.Raw("stream", "true")
	}
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

func drawForm(r *llm.Draw, s dialect.Shape) dialect.Outbound {
	b := newForm()
	b.field("model", s.Upstream(r.Model))
	for _, img := range r.Images {
		b.file(form.Part{Name: img.Field, File: img.Name, Type: img.MIME}, img.Data)
	}
	b.optional("prompt", r.Prompt)
	if r.N.Set {
		b.field("n", strconv.Itoa(r.N.V))
	}
	if r.Stream {
		b.field("stream", "true")
	}
	for _, x := range r.Fields {
		b.field(x.Name, x.Value)
	}
	return b.end()
}

// DecodeResponse implements dialect.Client.
func (c *draw) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not JSON")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, inStream(r.Body)
	}
	res := &llm.Drawing{}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "created":
			res.Created, err = m.Int()
			return true, err
		case "data":
			return true, m.Elems(func(_ int, el wire.Value) error {
				var img llm.Drawn
				err := el.Fields(Name, &img.Extra, func(key []byte, m wire.Value) (bool, error) {
					switch string(key) {
					case "url":
						return m.StrTo(&img.URL)
					case "b64_json":
						return m.StrTo(&img.Data)
					case "revised_prompt":
						return m.StrTo(&img.Revised)
					}
					return false, nil
				})
				res.Images = append(res.Images, img)
				return err
			})
		}
		return false, nil // the usage too, which is read beside
	})
	if err == nil && len(res.Images) == 0 {
		err = wire.Bad("data", "a list of images")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer has no images")
	}
	res.Usage = drawnUsage(v.Get("usage"))
	res.Usage.Images = int64(len(res.Images))
	return res, nil
}

// drawnUsage reads the usage of images, whose output is images where nothing else is said.
func drawnUsage(v wire.Value) llm.Usage {
	u := mediaUsage(v)
	if !v.Get("output_tokens_details").Found() {
		u.OutputImage, u.Output = u.Output, 0
	}
	return u
}

// Gist implements dialect.Client.
func (c *draw) Gist(body []byte) dialect.Gist {
	found := make([]splice.Member, 2)
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"data", "usage"}, found); err != nil {
		return dialect.Gist{}
	}
	var g dialect.Gist
	if at := found[0].Value; at.Found() {
		// What is no list has no elements.
		_ = splice.Elems(body, at, func(int, splice.Span) error { g.Usage.Images++; return nil })
		g.Text = len(at.Raw(body))
	}
	n := g.Usage.Images
	g.Usage = drawnUsage(wire.At(body, found[1].Value))
	g.Usage.Images = n
	return g
}

// EncodeResponse implements dialect.Server.
func (c *draw) EncodeResponse(_ llm.Payload, r llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Drawing)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(where, r)
	}
	var w jsonw.Writer
	o := wire.Begin(&w, res.Extra.In(Name))
	created := res.Created
	if created == 0 && res.Extra.Dialect != Name {
		created = m.Now
	}
	if created != 0 {
		o.Int("created", created)
	}
	w.KeyOpen("data", '[')
	for _, img := range res.Images {
		io := wire.Begin(&w, img.Extra.In(Name))
		io.OptStr("b64_json", img.Data)
		io.OptStr("url", img.URL)
		io.OptStr("revised_prompt", img.Revised)
		io.End()
	}
	w.Close(']')
	o.End()
	return dialect.JSONReply(w.Buf), nil, nil
}

// DecodeStream implements dialect.Client.
func (*draw) DecodeStream(frames iter.Seq2[dialect.Frame, error], _ dialect.Want) iter.Seq2[dialect.Chunk, error] {
	images := int64(0)
	s := steps{many: true, last: func(kind string) bool {
		return kind == "image_generation.completed" || kind == "image_edit.completed"
	}}
	s.usage = func(v wire.Value) llm.Usage {
		images++
		u := drawnUsage(v)
		u.Images = images
		return u
	}
	return s.decode(frames)
}

// NewEncoder implements dialect.Server.
func (*draw) NewEncoder(llm.Payload, dialect.Meta) dialect.Encoder { return stepEncoder{} }
