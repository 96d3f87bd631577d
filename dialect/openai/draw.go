package openai

import (
	"encoding/base64"
	"iter"
	"slices"
	"strconv"
	"strings"

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
			return drawMember(r, string(key), m)
		}
		return true, err
	})
	if err != nil {
		return invalid(err)
	}
	return nil
}

// drawMember reads a member that other dialects have a word for.
func drawMember(r *llm.Draw, key string, m wire.Value) (known bool, err error) {
	switch key {
	case "size":
		return m.StrTo(&r.Size)
	case "aspect_ratio":
		return m.StrTo(&r.Aspect)
	case "quality":
		return m.StrTo(&r.Quality)
	case "user":
		return m.StrTo(&r.User)
	case "output_format":
		if format := m.Text(); format != "" {
			r.Format = "image/" + format
			return true, nil
		}
	case "output_compression":
		return true, m.IntTo(&r.Compression)
	case "response_format":
		r.Links = m.Is("url")
		return r.Links, nil
	case "images":
		if list, ok := sentAlong(m); ok {
			r.Images = append(r.Images, list...)
			return true, nil
		}
	case "image", "mask":
		if p, ok := picture(m); ok {
			p.Field = key
			r.Images = append(r.Images, p)
			return true, nil
		}
	}
	return false, nil
}

// sentAlong returns the images of a list, if all of them were sent along.
func sentAlong(v wire.Value) (out []llm.Picture, ok bool) {
	if v.Kind() != '[' {
		return nil, false
	}
	ok = true
	// The visit has no error to give.
	_ = v.Elems(func(_ int, el wire.Value) error {
		p, sent := picture(el)
		p.Field, ok = "image[]", ok && sent
		out = append(out, p)
		return nil
	})
	return out, ok && len(out) > 0
}

// picture returns an image that stands in a JSON body as a data URL.
func picture(v wire.Value) (llm.Picture, bool) {
	for _, name := range [...]string{"image_url", "url"} {
		at := v.Get(name)
		if at.Kind() == '{' {
			at = at.Get("url")
		}
		head, data, ok := strings.Cut(at.Text(), ";base64,")
		mime, isData := strings.CutPrefix(head, "data:")
		if !ok || !isData {
			continue
		}
		if raw, err := base64.StdEncoding.DecodeString(data); err == nil {
			return llm.Picture{Name: "image." + mime[strings.IndexByte(mime, '/')+1:], MIME: mime, Data: raw}, true
		}
	}
	return llm.Picture{}, false
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
		case drawField(r, p.Name, string(value)):
		default:
			r.Fields = append(r.Fields, llm.FormField{Name: p.Name, Value: string(value)})
		}
	}
	return nil
}

// drawField reads a field that other dialects have a word for.
func drawField(r *llm.Draw, name, value string) (known bool) {
	switch name {
	case "size":
		r.Size = value
	case "quality":
		r.Quality = value
	case "user":
		r.User = value
	case "output_format":
		r.Format = "image/" + value
	case "output_compression":
		n, err := strconv.Atoi(value)
		r.Compression = llm.Some(n)
		return err == nil
	case "response_format":
		r.Links = value == "url"
		return r.Links
	default:
		return false
	}
	return true
}

// EncodeRequest implements dialect.Client.
func (c *draw) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(where, p)
	}
	r, l, err := foreignDraw(r)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	if len(r.Images) > 0 {
		return drawForm(r, s), l.List(), nil
	}
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", s.Upstream(r.Model))
	o.OptStr("prompt", r.Prompt)
	o.OptInt("n", r.N)
	if r.Stream {
		o.Raw("stream", "true")
	}
	for _, f := range drawFields(r) {
		switch {
		case f.Name == "output_compression":
			o.Raw(f.Name, f.Value)
		default:
			o.Str(f.Name, f.Value)
		}
	}
	o.End()
	body, changed, err := dialect.WithoutRefused(where, w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed}, l.List(), err
}

// drawFields are the members that stand in a form as they do in JSON.
func drawFields(r *llm.Draw) []llm.FormField {
	var out []llm.FormField
	add := func(name, value string) {
		if value != "" {
			out = append(out, llm.FormField{Name: name, Value: value})
		}
	}
	add("size", r.Size)
	if r.Extra.Dialect == Name {
		add("aspect_ratio", r.Aspect)
	}
	add("quality", r.Quality)
	add("output_format", strings.TrimPrefix(r.Format, "image/"))
	if r.Compression.Set {
		add("output_compression", strconv.Itoa(r.Compression.V))
	}
	if r.Links {
		add("response_format", "url")
	}
	add("user", r.User)
	return out
}

// foreignDraw returns a request of another dialect in the words of this one, and names what it has none for.
func foreignDraw(in *llm.Draw) (*llm.Draw, *dialect.Losses, error) {
	l := &dialect.Losses{}
	if in.Extra.Dialect == Name || in.Extra.Dialect == "" {
		return in, l, nil
	}
	r := *in
	r.Images = slices.Clone(in.Images)
	l.LoseDraw(in, "size", "aspect", "quality", "format", "compression", "links", "user")
	if x, y, ok := dialect.Pixels(strings.Replace(r.Aspect, ":", "x", 1)); ok {
		near, exact := dialect.AspectOf(x, y, "1:1", "3:2", "2:3")
		r.Size = map[string]string{"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"}[near]
		if !exact {
			l.Add(dialect.DrawWord(r.Extra.Dialect, "aspect"), "as size "+r.Size)
		}
	}
	for i := range r.Images {
		p := &r.Images[i]
		if p.Field != "mask" {
			continue
		}
		data, err := dialect.Remask(p.Data, dialect.MaskWhite, dialect.MaskClear)
		if err != nil {
			return nil, nil, dialect.Beyond(where, "mask", "the mask cannot be said to the target: "+err.Error())
		}
		p.Data, p.MIME, p.Name = data, "image/png", "mask.png"
	}
	return &r, l, nil
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
	for _, x := range drawFields(r) {
		b.field(x.Name, x.Value)
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
	var l dialect.Losses
	if res.Extra.Dialect != Name {
		l.AddExtra("", res.Extra)
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
		if img.Extra.Dialect != Name {
			l.AddExtra("data", img.Extra)
		}
	}
	w.Close(']')
	if u := res.Usage; u.Reported != 0 && o.Free("usage") && res.Extra.Dialect != Name {
		w.Key("usage")
		drawUsage(&w, u)
	}
	o.End()
	return dialect.JSONReply(w.Buf), l.List(), nil
}

// drawUsage says the usage of images.
func drawUsage(w *jsonw.Writer, u llm.Usage) {
	w.Open('{')
	w.KeyInt("input_tokens", u.In())
	w.KeyOpen("input_tokens_details", '{')
	w.KeyInt("text_tokens", u.In()-u.InputImage)
	w.KeyInt("image_tokens", u.InputImage)
	w.Close('}')
	w.KeyInt("output_tokens", u.Out())
	w.KeyOpen("output_tokens_details", '{')
	w.KeyInt("text_tokens", u.Out()-u.OutputImage)
	w.KeyInt("image_tokens", u.OutputImage)
	w.Close('}')
	w.KeyInt("total_tokens", u.In()+u.Out())
	w.Close('}')
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
