package xaigrpc

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// PathImage is the path of the call that makes and changes images.
const PathImage = "/xai_api.Image/GenerateImage"

// drawn is the call for images. It is one for new and for changed ones: the request tells.
type drawn struct {
	draw
	home *dialect.Dialect
}

var (
	_ dialect.Carrier = (*drawn)(nil)
	_ dialect.Codec   = (*draw)(nil)
)

// Unpack implements dialect.Carrier.
func (c *drawn) Unpack(in dialect.Inbound, _ dialect.Bounds) (dialect.Carried, error) {
	out := dialect.Carried{In: in, Dialect: c.home, Codec: &c.draw, Op: llm.OpImage}
	err := fields(in.Body, func(f field) error {
		if f.num == 5 || f.num == 17 {
			out.Op = llm.OpImageEdit
		}
		return nil
	})
	if err != nil {
		return out, invalid(err)
	}
	return out, nil
}

// draw speaks a GenerateImageRequest and its ImageResponse.
type draw struct {
	dialect.Single
	errors codec
}

func newDraw() draw { return draw{Single: dialect.Single{Where: "dialect/xaigrpc"}} }

// The formats in which images are wanted.
const (
	formatBase64 = 1
	formatURL    = 2
)

// Words of enumerations, by their numbers.
func drawQualities() []string { return []string{"", "low", "medium", "high"} }
func drawDetails() []string   { return []string{"", "1K", "2K"} }
func drawAspects() []string {
	return []string{"", "1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "auto", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1"}
}

func drawNames() map[int]string {
	return map[int]string{12: "quality", 14: "aspect_ratio", 15: "resolution", 19: "storage_options"}
}

// word returns the word of a number; a number that has none is kept as it stood.
func word(words []string, e *llm.Extra, f field) string {
	if f.val < uint64(len(words)) {
		return words[f.val]
	}
	keep(e, drawNames(), f)
	return ""
}

// Peek implements dialect.Server.
func (c *draw) Peek(in dialect.Inbound, _ dialect.Bounds) (dialect.Head, error) {
	return peekModel(in.Body, func(f field, names *naming) {
		if f.tag == 5<<3|chars || f.tag == 17<<3|chars {
			within(f, 3<<3|chars, func(id field) { names.add("images.file_id", id) })
		}
	})
}

// EditRequest implements dialect.Client.
func (c *draw) EditRequest(in dialect.Inbound, head dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	return editModel(in, head, s)
}

// peekModel reads the head of a request that names its model as every one does; name looks into the other fields.
func peekModel(body []byte, name func(field, *naming)) (dialect.Head, error) {
	h, names := dialect.Head{}, naming{}
	err := fields(body, func(f field) (err error) {
		if f.tag == 2<<3|chars {
			h.Model, err = f.text()
			return under(err, "model")
		}
		name(f, &names)
		return nil
	})
	h.Names = names.Names
	switch {
	case err != nil:
		return h, invalid(err)
	case h.Model == "":
		return h, noModel()
	}
	return h, nil
}

// editModel returns the caller's own bytes with the upstream's model.
func editModel(in dialect.Inbound, head dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	body := in.Body
	if model := s.Upstream(head.Model); model != head.Model {
		body = replaced(body, 2, func(m *message) { m.str(2, model) })
	}
	return dialect.Outbound{Header: headers(in.Header), Body: body}, nil
}

// DecodeRequest implements dialect.Server.
func (c *draw) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	d := &llm.Draw{Task: llm.OpImage, Extra: llm.Extra{Dialect: Name}}
	err := fields(in.Body, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			d.Prompt, err = f.text()
			return under(err, "prompt")
		case 2<<3 | chars:
			d.Model, err = f.text()
			return under(err, "model")
		case 3<<3 | varint:
			d.N = llm.Some(int(f.int()))
		case 4<<3 | chars:
			d.User, err = f.text()
			return under(err, "user")
		case 5<<3 | chars, 17<<3 | chars:
			return under(decodePicture(d, f.data), "images")
		case 11<<3 | varint:
			d.Links = f.val == formatURL
		case 12<<3 | varint:
			d.Quality = word(drawQualities(), &d.Extra, f)
		case 14<<3 | varint:
			d.Aspect = word(drawAspects(), &d.Extra, f)
		case 15<<3 | varint:
			d.Detail = word(drawDetails(), &d.Extra, f)
		default:
			keep(&d.Extra, drawNames(), f)
		}
		return nil
	})
	if err != nil {
		return nil, invalid(err)
	}
	return d, nil
}

// decodePicture reads an image that is to be changed. Only one that came along can be said to another vendor.
func decodePicture(d *llm.Draw, b []byte) error {
	d.Task = llm.OpImageEdit
	var url, id string
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			url = string(f.data)
		case 3<<3 | chars:
			id = string(f.data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if id != "" {
		return fault("file_id", "names a file that xAI keeps, and another vendor makes this image: send the image itself, as a data: URL")
	}
	media, data, ok := strings.Cut(strings.TrimPrefix(url, "data:"), ";base64,")
	if !ok || !strings.HasPrefix(url, "data:") {
		return fault("image_url", "must be a data: URL with base64 here: another vendor makes this image, and takes none by its address")
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return fault("image_url", "must be a data: URL whose base64 is sound")
	}
	d.Images = append(d.Images, llm.Picture{Field: "image", Name: "image", MIME: media, Data: raw})
	return nil
}

// EncodeRequest implements dialect.Client.
func (c *draw) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	d, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.InternalFault("dialect/xaigrpc.EncodeRequest", fmt.Errorf("a %T", p))
	}
	var losses dialect.Losses
	var m message
	m.text(1, d.Prompt)
	m.text(2, s.Upstream(d.Model))
	if d.N.Set {
		m.num(3, int64(d.N.V))
	}
	m.text(4, d.User)
	mask, images := dialect.MaskOf(d)
	for i := range images {
		num := 17
		if len(images) == 1 {
			num = 5
		}
		m.sub(num, func(m *message) {
			m.str(1, "data:"+images[i].MIME+";base64,"+base64.StdEncoding.EncodeToString(images[i].Data))
		})
	}
	if mask != nil {
		losses.Add("mask", "the target changes images as a whole")
	}
	format := int64(formatBase64)
	if d.Links {
		format = formatURL
	}
	m.num(11, format)
	writeLook(&m, d, &losses)
	m.extra(d.Extra)
	if d.Extra.Dialect == Name {
		return dialect.Outbound{Header: headers(nil), Body: m.b}, losses.List(), nil
	}
	losses.LoseDraw(d, "size", "aspect", "detail", "quality", "links", "user")
	return dialect.Outbound{Header: headers(nil), Body: m.b}, losses.List(), nil
}

// writeLook says what the images are to be like.
func writeLook(m *message, d *llm.Draw, losses *dialect.Losses) {
	number := func(num int, words []string, said, part string) {
		if i := slices.Index(words, said); i > 0 {
			m.num(num, int64(i))
		} else if said != "" && said != "auto" && said != "standard" {
			losses.Add(dialect.DrawWord(d.Extra.Dialect, part), "the target knows "+strings.Join(words[1:], ", "))
		}
	}
	number(12, drawQualities(), d.Quality, "quality")
	aspect, detail := d.Aspect, d.Detail
	if w, h, ok := dialect.Pixels(d.Size); ok {
		var exact bool
		if aspect, exact = dialect.AspectOf(w, h, drawAspects()...); !exact {
			losses.Add(dialect.DrawWord(d.Extra.Dialect, "size"), aspect+" is the nearest that the target knows")
		}
		detail = "1K"
		if max(w, h) > 1536 {
			detail = "2K"
		}
	}
	number(14, drawAspects(), aspect, "aspect")
	number(15, drawDetails(), detail, "detail")
}

// EncodeResponse implements dialect.Server. Where images are wanted by their addresses and came along, an address holds
// the image itself.
func (c *draw) EncodeResponse(p llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	x, ok := r.(*llm.Drawing)
	if !ok {
		return dialect.Reply{}, nil, dialect.InternalFault("dialect/xaigrpc.EncodeResponse", fmt.Errorf("a %T", r))
	}
	links := false
	if d, ok := p.(*llm.Draw); ok {
		links = d.Links
	}
	var losses dialect.Losses
	var m message
	for i := range x.Images {
		img := &x.Images[i]
		m.sub(1, func(m *message) { writeDrawn(m, img, links) })
		if img.Revised != "" {
			losses.Add("revised_prompt", "xAI's answers do not tell it")
		}
		if img.Extra.Dialect != Name {
			losses.AddExtra("data["+fmt.Sprint(i)+"]", img.Extra)
		}
	}
	m.text(2, meta.ModelOr(""))
	m.sub(3, func(m *message) { writeUsage(m, x.Usage) })
	m.extra(x.Extra)
	if x.Extra.Dialect != Name {
		losses.AddExtra("", x.Extra)
	}
	return dialect.Reply{Status: 200, Header: headersOut(), Body: m.b}, losses.List(), nil
}

func writeDrawn(m *message, img *llm.Drawn, links bool) {
	media := img.MIME
	if media == "" {
		media = "image/png"
	}
	switch {
	case img.URL != "":
		m.text(3, img.URL)
	case links:
		m.text(3, "data:"+media+";base64,"+img.Data)
	default:
		m.text(1, "data:"+media+";base64,"+img.Data)
	}
	m.bool(4, true) // what a vendor's moderation held back is no image
	m.extra(img.Extra)
}

// DecodeResponse implements dialect.Client.
func (c *draw) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	x := &llm.Drawing{Extra: llm.Extra{Dialect: Name}}
	err := fields(r.Body, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			img, err := decodeDrawn(f.data)
			x.Images = append(x.Images, img)
			return err
		case 2<<3 | chars: // the model, which an answer of other dialects does not name
		case 3<<3 | chars:
			x.Usage, err = decodeUsage(f.data)
			return err
		default:
			keep(&x.Extra, nil, f)
		}
		return nil
	})
	if err != nil {
		return nil, dialect.BadUpstream("dialect/xaigrpc.DecodeResponse", err, "the upstream's answer is not an ImageResponse")
	}
	made := slices.ContainsFunc(x.Images, func(d llm.Drawn) bool { return d.URL != "" || d.Data != "" })
	if !made {
		return nil, dialect.NoImage("dialect/xaigrpc.DecodeResponse", "the vendor's moderation held it back")
	}
	x.Usage.Images = max(x.Usage.Images, int64(len(x.Images)))
	return x, nil
}

func decodeDrawn(b []byte) (llm.Drawn, error) {
	img := llm.Drawn{Extra: llm.Extra{Dialect: Name}}
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			img.Data = string(f.data)
			if media, data, ok := strings.Cut(img.Data, ";base64,"); ok {
				img.MIME, img.Data = strings.TrimPrefix(media, "data:"), data
			}
		case 3<<3 | chars:
			img.URL = string(f.data)
		case 4<<3 | varint: // said of every image that there is
		default:
			keep(&img.Extra, nil, f)
		}
		return nil
	})
	return img, err
}

// Gist implements dialect.Client.
func (c *draw) Gist(body []byte) dialect.Gist {
	var g dialect.Gist
	if r, err := c.DecodeResponse(dialect.Reply{Body: body}); err == nil {
		g.Usage = r.(*llm.Drawing).Usage
	}
	return g
}

// EncodeError implements dialect.Server.
func (c *draw) EncodeError(err error) dialect.Reply { return encodeError(err) }

// DecodeError implements dialect.Client.
func (c *draw) DecodeError(r dialect.Reply) *llm.Error { return c.errors.DecodeError(r) }
