package gemini

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// draw speaks images as Imagen makes them, which is told to predict: a prompt and the images that it refers to as
// the only instance, and all else as parameters.
type draw struct {
	dialect.Single
	errors codec
}

var (
	_ dialect.Codec = (*draw)(nil)
	_ dialect.Apart = (*draw)(nil)
)

func newDraw(names *dialect.Naming) *draw {
	return &draw{Single: dialect.Single{Where: op, Names: names}}
}

// Apart implements dialect.Apart: Gemini's own models make images in the words of answers.
func (c *draw) Apart(upstream dialect.Codec) bool {
	_, same := upstream.(*draw)
	return !same
}

// Peek implements dialect.Server: the model is named in the path.
func (c *draw) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	_, names, err := c.Names.Scan(in.Body, b.MaxDepth, nil, nil)
	if err != nil {
		return dialect.Head{}, notJSON(err)
	}
	return dialect.Head{Model: modelOf(in), Names: names}, nil
}

// EditRequest implements dialect.Client: the address names the model.
func (c *draw) EditRequest(in dialect.Inbound, _ dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	body, changed, err := dialect.WithoutRefusedIn(op, in.Body, s, dialect.WithoutMember(op, "parameters"))
	return dialect.Outbound{Header: headers(in.Header), Body: body, Changed: changed}, err
}

// EncodeError implements dialect.Server.
func (c *draw) EncodeError(err error) dialect.Reply { return encodeError(err) }

// DecodeError implements dialect.Client.
func (c *draw) DecodeError(r dialect.Reply) *llm.Error { return c.errors.DecodeError(r) }

// changes reports whether an instance is about images that are there already.
func changes(instance wire.Value) bool {
	return instance.Get("referenceImages").Len() > 0 || instance.Get("image").Found()
}

// DecodeRequest implements dialect.Server.
func (c *draw) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	v, err := wire.Parse(in.Body, nil)
	if err != nil {
		return nil, notJSON(err)
	}
	d := &llm.Draw{Task: llm.OpImage, Model: modelOf(in), Extra: home()}
	err = v.Fields(Name, &d.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		var rest llm.Extra
		switch string(key) {
		case "instances":
			if m.Len() != 1 {
				return true, wire.Bad("", "a list of one object: there is one prompt a call")
			}
			err = m.Elems(func(_ int, el wire.Value) error { return drawInstance(d, el, &rest) })
			leave(&d.Extra, "instances[0]", rest)
			return true, err
		case "parameters":
			err = m.Fields(Name, &rest, func(key []byte, m wire.Value) (bool, error) { return drawParameter(d, string(key), m, &rest) })
			leave(&d.Extra, "parameters", rest)
			return true, err
		}
		return false, nil
	})
	if err != nil {
		return nil, invalid(err)
	}
	return d, nil
}

func drawInstance(d *llm.Draw, v wire.Value, rest *llm.Extra) error {
	if changes(v) {
		d.Task = llm.OpImageEdit
	}
	return v.Fields(Name, rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "prompt":
			return m.StrTo(&d.Prompt)
		case "image":
			p, ok, err := pictureOf(m)
			p.Field = "image[]"
			if ok {
				d.Images = append(d.Images, p)
			}
			return ok, err
		case "referenceImages":
			rest.Note(Name, noteWas+"referenceImages "+m.JSON())
			return true, m.Elems(func(_ int, el wire.Value) error {
				p, ok, err := pictureOf(el.Get("referenceImage"))
				if err != nil || !ok {
					rest.Add(Name, "referenceImages", m.JSON())
					return err
				}
				p.Field = "image[]"
				if el.Get("referenceType").Text() == "REFERENCE_TYPE_MASK" {
					p.Field = "mask"
				}
				d.Images = append(d.Images, p)
				return nil
			})
		}
		return false, nil
	})
}

// pictureOf reads an image that was sent along; one that is named by an address is none.
func pictureOf(v wire.Value) (p llm.Picture, ok bool, err error) {
	data := v.Get("bytesBase64Encoded")
	if data.Kind() != '"' {
		return p, false, nil
	}
	if p.Data, err = base64.StdEncoding.DecodeString(data.Text()); err != nil {
		return p, false, wire.Bad("bytesBase64Encoded", "base64")
	}
	p.MIME = v.Get("mimeType").Text()
	if p.MIME == "" {
		p.MIME = "image/png"
	}
	p.Name = "image." + p.MIME[strings.IndexByte(p.MIME, '/')+1:]
	return p, true, nil
}

func drawParameter(d *llm.Draw, key string, m wire.Value, rest *llm.Extra) (known bool, err error) {
	switch key {
	case "sampleCount":
		err = m.IntTo(&d.N)
	case "aspectRatio":
		return m.StrTo(&d.Aspect)
	case "sampleImageSize":
		return m.StrTo(&d.Detail)
	case "negativePrompt":
		return m.StrTo(&d.Negative)
	case "seed":
		err = m.IntTo(&d.Seed)
	case "guidanceScale":
		err = m.FloatTo(&d.Guidance)
	case "outputOptions":
		var left llm.Extra
		err = m.Fields(Name, &left, func(key []byte, m wire.Value) (bool, error) {
			switch string(key) {
			case "mimeType":
				return m.StrTo(&d.Format)
			case "compressionQuality":
				return true, m.IntTo(&d.Compression)
			}
			return false, nil
		})
		leave(rest, "outputOptions", left)
	default:
		return false, nil
	}
	return true, err
}

// aspects are those of Imagen.
func aspects() []string { return []string{"1:1", "3:4", "4:3", "9:16", "16:9"} }

// EncodeRequest implements dialect.Client. Requests that came in this dialect are not said anew but for another form.
func (c *draw) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	d, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	if d.Task == llm.OpImageVary {
		return dialect.Outbound{}, nil, dialect.Beyond(op, "", "the target varies no images: send a prompt, and the image to be edited")
	}
	var l dialect.Losses
	own := d.Extra.Dialect == Name
	if !own {
		l.LoseDraw(d, "size", "aspect", "detail", "format", "compression", "negative", "seed", "guidance")
	}
	var w jsonw.Writer
	top := wire.Begin(&w, without(d.Extra, "instances[0]", "parameters").In(Name))
	w.KeyOpen("instances", '[')
	if err := writeDrawInstance(&w, d); err != nil {
		return dialect.Outbound{}, nil, err
	}
	w.Close(']')
	writeDrawParameters(&w, d, own, &l)
	top.End()
	body, changed, err := dialect.WithoutRefusedIn(op, w.Buf, s, dialect.WithoutMember(op, "parameters"))
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: changed}, l.List(), err
}

func writeDrawInstance(w *jsonw.Writer, d *llm.Draw) error {
	kept := within(d.Extra, "instances[0]")
	o := wire.Begin(w, kept.In(Name))
	o.Str("prompt", d.Prompt)
	if len(d.Images) == 0 || !o.Free("referenceImages") {
		o.End()
		return nil
	}
	for _, f := range kept.In(Name) {
		if raw, ok := strings.CutPrefix(f.Key, noteWas+"referenceImages "); ok && f.Raw == "" {
			o.Raw("referenceImages", raw)
			o.End()
			return nil
		}
	}
	w.KeyOpen("referenceImages", '[')
	for i, p := range d.Images {
		kind, data := "REFERENCE_TYPE_RAW", p.Data
		if p.Field == "mask" {
			kind = "REFERENCE_TYPE_MASK"
			if d.Extra.Dialect != Name {
				var err error
				if data, err = dialect.Remask(data, dialect.MaskClear, dialect.MaskWhite); err != nil {
					return dialect.Beyond(op, "mask", "the mask cannot be said to the target: "+err.Error())
				}
			}
		}
		w.Open('{')
		w.KeyStr("referenceType", kind)
		w.KeyInt("referenceId", int64(i+1))
		w.KeyOpen("referenceImage", '{')
		w.KeyStr("bytesBase64Encoded", base64.StdEncoding.EncodeToString(data))
		w.Close('}')
		if p.Field == "mask" {
			w.KeyRaw("maskImageConfig", `{"maskMode":"MASK_MODE_USER_PROVIDED"}`)
		}
		w.Close('}')
	}
	w.Close(']')
	o.End()
	return nil
}

func writeDrawParameters(w *jsonw.Writer, d *llm.Draw, own bool, l *dialect.Losses) {
	aspect := d.Aspect
	if width, height, ok := dialect.Pixels(d.Size); ok && aspect == "" {
		near, exact := dialect.AspectOf(width, height, aspects()...)
		if aspect = near; !exact || width*height != 1024*1024 {
			l.Add("size", "as an aspect ratio of "+near)
		}
	}
	kept := within(d.Extra, "parameters")
	w.Key("parameters")
	o := wire.Begin(w, without(kept, "outputOptions").In(Name))
	o.OptInt("sampleCount", d.N)
	if !own && !d.N.Set {
		o.Int("sampleCount", 1) // the API makes four where nothing is said
	}
	o.OptStr("aspectRatio", aspect)
	o.OptStr("sampleImageSize", d.Detail)
	o.OptStr("negativePrompt", d.Negative)
	o.OptInt("seed", d.Seed)
	o.OptFloat("guidanceScale", d.Guidance)
	if mask, images := dialect.MaskOf(d); !own && len(images) > 0 {
		mode := "EDIT_MODE_DEFAULT"
		if mask != nil {
			mode = "EDIT_MODE_INPAINT_INSERTION"
		}
		o.Str("editMode", mode)
	}
	options := within(kept, "outputOptions")
	if d.Format != "" || d.Compression.Set || !options.Empty() {
		w.Key("outputOptions")
		oo := wire.Begin(w, options.In(Name))
		oo.OptStr("mimeType", d.Format)
		oo.OptInt("compressionQuality", d.Compression)
		oo.End()
	}
	o.End()
}

// DecodeResponse implements dialect.Client. What was filtered has a reason in place of an image, or is not there.
func (c *draw) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil || v.Kind() != '{' {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not a JSON object")
	}
	if v.Get("error").Kind() == '{' {
		return nil, inStream(r.Body)
	}
	res := &llm.Drawing{Extra: home()}
	filtered := ""
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (bool, error) {
		if string(key) != "predictions" {
			return false, nil
		}
		return true, m.Elems(func(_ int, el wire.Value) error {
			if why := el.Get("raiFilteredReason").Text(); why != "" {
				filtered = why
			}
			var one llm.Drawn
			err := el.Fields(Name, &one.Extra, func(key []byte, m wire.Value) (bool, error) {
				switch string(key) {
				case "bytesBase64Encoded":
					return m.StrTo(&one.Data)
				case "gcsUri":
					return m.StrTo(&one.URL)
				case "mimeType":
					return m.StrTo(&one.MIME)
				case "prompt":
					return m.StrTo(&one.Revised)
				}
				return false, nil
			})
			if one.Data != "" || one.URL != "" {
				res.Images = append(res.Images, one)
			} else {
				res.Extra.Add(Name, "filtered", el.JSON())
			}
			return err
		})
	})
	switch {
	case err != nil:
		return nil, dialect.BadUpstream(op, err, "the upstream's answer has no images")
	case len(res.Images) == 0:
		return nil, dialect.NoImage(op, filtered)
	}
	res.Usage.Images = int64(len(res.Images))
	return res, nil
}

// Gist implements dialect.Client.
func (c *draw) Gist(body []byte) dialect.Gist {
	var found [1]splice.Member
	var g dialect.Gist
	if _, err := splice.Scan(body, splice.MaxDepth, []string{"predictions"}, found[:]); err != nil || !found[0].Found() {
		return g
	}
	list := wire.At(body, found[0].Value)
	if list.Kind() != '[' {
		return g
	}
	// The visit has no error to give.
	_ = list.Elems(func(_ int, el wire.Value) error {
		if el.Get("bytesBase64Encoded").Found() || el.Get("gcsUri").Found() {
			g.Usage.Images++
		}
		return nil
	})
	g.Text = found[0].Value.End - found[0].Value.Start
	return g
}

// EncodeResponse implements dialect.Server.
func (c *draw) EncodeResponse(_ llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Drawing)
	if !ok {
		return dialect.Reply{}, nil, dialect.NotThis(op, r)
	}
	var l dialect.Losses
	if res.Extra.Dialect != Name {
		l.AddExtra("", res.Extra)
		l.AddUsage(Name, res.Usage, llm.ClassImage)
	}
	filtered, rest := wire.Take(res.Extra, Name, "filtered")
	var w jsonw.Writer
	o := wire.Begin(&w, rest.In(Name))
	w.KeyOpen("predictions", '[')
	for _, one := range res.Images {
		if err := writeDrawn(&w, one, &l); err != nil {
			return dialect.Reply{}, nil, err
		}
	}
	if filtered != "" {
		w.Raw(filtered)
	}
	w.Close(']')
	o.End()
	return dialect.JSONReply(w.Buf), l.List(), nil
}

func writeDrawn(w *jsonw.Writer, one llm.Drawn, l *dialect.Losses) error {
	if one.Extra.Dialect != Name {
		l.AddExtra("predictions", one.Extra)
		if one.Data == "" {
			return dialect.BadUpstream(op, errors.New("an address in place of an image"), "the upstream sent an address of an image, and this API sends images along; ask for the bytes")
		}
	}
	o := wire.Begin(w, one.Extra.In(Name))
	o.OptStr("bytesBase64Encoded", one.Data)
	o.OptStr("gcsUri", one.URL)
	kind := one.MIME
	if kind == "" && one.Extra.Dialect != Name {
		kind = sniffed(one.Data)
	}
	o.OptStr("mimeType", kind)
	o.OptStr("prompt", one.Revised)
	o.End()
	return nil
}

// sniffed returns the media type of an image by how its base64 begins.
func sniffed(data string) string {
	for head, kind := range map[string]string{"/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGO": "image/gif"} {
		if strings.HasPrefix(data, head) {
			return kind
		}
	}
	return "image/png"
}
