package invoke

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Images returns the dialect of Bedrock's models of images, for upstreams. They are invoked, each in its vendor's own
// words: Amazon's (Titan Image Generator, Nova Canvas) or Stability AI's (Amazon Bedrock User Guide, "Inference
// request parameters").
func Images() *dialect.Dialect {
	c := &draw{Single: dialect.Single{Where: op}, aws: converse.Dialect().Codec(llm.OpGenerate)}
	d := &dialect.Dialect{Name: Name, Title: "Images of Amazon Bedrock", Headers: namespace()}
	for _, o := range [...]llm.Op{llm.OpImage, llm.OpImageEdit, llm.OpImageVary} {
		d.Routes = append(d.Routes, dialect.Route{Op: o, Method: http.MethodPost, Codec: c})
	}
	return d
}

// draw is the codec of images. Only its side toward upstreams is of use.
type draw struct {
	dialect.Single
	aws dialect.Codec
}

var _ dialect.Codec = (*draw)(nil)

// DecodeRequest implements dialect.Server: nobody calls in these words.
func (*draw) DecodeRequest(dialect.Inbound) (llm.Payload, error) {
	return nil, dialect.NotThis(op, nil)
}

// EncodeResponse implements dialect.Server: nobody is answered in these words.
func (*draw) EncodeResponse(_ llm.Payload, r llm.Result, _ dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	return dialect.Reply{}, nil, dialect.NotThis(op, r)
}

// EncodeError implements dialect.Server.
func (c *draw) EncodeError(err error) dialect.Reply { return c.aws.EncodeError(err) }

// DecodeError implements dialect.Client: errors are AWS's.
func (c *draw) DecodeError(r dialect.Reply) *llm.Error { return c.aws.DecodeError(r) }

// Gist implements dialect.Client: bytes never pass.
func (*draw) Gist([]byte) dialect.Gist { return dialect.Gist{} }

// EncodeRequest implements dialect.Client.
func (c *draw) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	d, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	e := &drawEncoder{d: d}
	var err error
	switch model := s.Upstream(d.Model); {
	case strings.Contains(model, "titan-image"), strings.Contains(model, "nova-canvas"):
		err = e.amazon(strings.Contains(model, "nova-canvas"))
	case strings.Contains(model, "stable-diffusion-xl"):
		err = e.older()
	case strings.Contains(model, "stability."):
		err = e.stability(strings.Contains(model, "inpaint"))
	default:
		err = dialect.Beyond(op, "model", "the model "+model+" of Bedrock makes no images that are known here: Titan, Nova Canvas and Stability AI's do")
	}
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	body, changed, err := dialect.WithoutRefused(op, e.w.Buf, s)
	return dialect.Outbound{Body: body, Changed: changed, Header: http.Header{"Content-Type": {"application/json"}}}, e.List(), err
}

// drawEncoder says one request for images.
type drawEncoder struct {
	dialect.Losses
	d *llm.Draw
	w jsonw.Writer
}

// base64Of returns an image as the APIs want it.
func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// mask returns the mask of a request as another kind of mask, "" where there is none.
func (e *drawEncoder) mask(to dialect.Mask) (string, error) {
	m, _ := dialect.MaskOf(e.d)
	if m == nil {
		return "", nil
	}
	from := dialect.MaskClear
	if e.d.Extra.Dialect == "gemini" {
		from = dialect.MaskWhite
	}
	data, err := dialect.Remask(m.Data, from, to)
	if err != nil {
		return "", dialect.Beyond(op, "mask", "the mask cannot be said to the target: "+err.Error())
	}
	return base64Of(data), nil
}

// amazon says a request to Titan or Nova Canvas.
func (e *drawEncoder) amazon(nova bool) error {
	d := e.d
	e.LoseDraw(d, "size", "aspect", "quality", "negative", "seed", "guidance")
	mask, err := e.mask(dialect.MaskBlack)
	if err != nil {
		return err
	}
	_, images := dialect.MaskOf(d)
	w := &e.w
	w.Open('{')
	switch {
	case mask != "" && len(images) == 0:
		return dialect.Beyond(op, "image", "there is a mask and no image that it is of")
	case mask != "":
		e.task("INPAINTING", "inPaintingParams")
		w.KeyStr("image", base64Of(images[0].Data))
		w.KeyStr("maskImage", mask)
		if len(images) > 1 {
			e.Add("image", "only the first is changed")
		}
	case len(images) > 0:
		if d.Task == llm.OpImageEdit {
			e.Add("image", "varied as the prompt says, for there is no mask")
		}
		e.task("IMAGE_VARIATION", "imageVariationParams")
		w.KeyOpen("images", '[')
		for _, img := range images {
			w.Str(base64Of(img.Data))
		}
		w.Close(']')
	case d.Prompt == "":
		return dialect.Beyond(op, "prompt", "the model makes images after a description: send a prompt")
	default:
		e.task("TEXT_IMAGE", "textToImageParams")
	}
	w.Close('}')
	w.KeyOpen("imageGenerationConfig", '{')
	if d.N.Set {
		w.KeyInt("numberOfImages", int64(d.N.V))
	}
	e.amazonSize(nova, mask != "")
	switch d.Quality {
	case "high", "hd", "premium":
		w.KeyStr("quality", "premium")
	case "low", "medium", "standard":
		w.KeyStr("quality", "standard")
	}
	if d.Guidance.Set {
		w.KeyFloat("cfgScale", d.Guidance.V)
	}
	if d.Seed.Set {
		w.KeyInt("seed", int64(d.Seed.V))
	}
	w.Close('}')
	w.Close('}')
	return nil
}

// task begins what is to be done, with what the prompt says.
func (e *drawEncoder) task(name, params string) {
	e.w.KeyStr("taskType", name)
	e.w.KeyOpen(params, '{')
	if e.d.Prompt != "" {
		e.w.KeyStr("text", e.d.Prompt)
	}
	if e.d.Negative != "" {
		e.w.KeyStr("negativeText", e.d.Negative)
	}
}

// amazonSize says the size: Nova Canvas takes any, Titan one of a few; what is painted into an image keeps that
// image's.
func (e *drawEncoder) amazonSize(nova, inside bool) {
	width, height, ok := dialect.Pixels(e.d.Size)
	if !ok {
		side := map[string][2]int{"1:1": {1024, 1024}, "16:9": {1280, 720}, "9:16": {720, 1280}, "4:3": {1152, 896}, "3:4": {896, 1152}}[e.d.Aspect]
		width, height = side[0], side[1]
		if e.d.Aspect != "" && width == 0 {
			e.Add(dialect.DrawWord(e.d.Extra.Dialect, "aspect"), "the target's API has no such shape")
		}
	}
	switch {
	case width == 0:
		return
	case inside:
		e.Add("size", "an image that is painted into keeps its own")
		return
	case !nova && (width > 1408 || height > 1408):
		e.Add("size", "as 1024x1024")
		width, height = 1024, 1024
	}
	e.w.KeyInt("width", int64(width))
	e.w.KeyInt("height", int64(height))
}

// stability says a request to Stability AI's newer models, which make one image a call.
func (e *drawEncoder) stability(inpaints bool) error {
	d := e.d
	if d.N.Or(1) > 1 {
		return dialect.Beyond(op, dialect.DrawWord(d.Extra.Dialect, "n"), "the model makes one image a call: send a call for each")
	}
	if d.Prompt == "" {
		return dialect.Beyond(op, "prompt", "the model makes images after a description: send a prompt")
	}
	e.LoseDraw(d, "size", "aspect", "format", "negative", "seed")
	mask, err := e.mask(dialect.MaskWhite)
	if err != nil {
		return err
	}
	if mask != "" && !inpaints {
		return dialect.Beyond(op, "mask", "the model takes no mask: another of the vendor's (stable-image-inpaint) does")
	}
	_, images := dialect.MaskOf(d)
	w := &e.w
	w.Open('{')
	w.KeyStr("prompt", d.Prompt)
	if d.Negative != "" {
		w.KeyStr("negative_prompt", d.Negative)
	}
	if len(images) > 0 {
		w.KeyStr("image", base64Of(images[0].Data))
		if len(images) > 1 {
			e.Add("image", "only the first is changed")
		}
	}
	if mask != "" {
		w.KeyStr("mask", mask)
	}
	e.stabilityShape(len(images) > 0, inpaints)
	if d.Seed.Set {
		w.KeyInt("seed", int64(d.Seed.V))
	}
	if format := strings.TrimPrefix(d.Format, "image/"); format != "" {
		w.KeyStr("output_format", format)
	}
	w.Close('}')
	return nil
}

// stabilityShape says the aspect ratio of a new image; a changed one keeps its own.
func (e *drawEncoder) stabilityShape(changed, inpaints bool) {
	aspect := e.d.Aspect
	if width, height, ok := dialect.Pixels(e.d.Size); ok && aspect == "" {
		near, exact := dialect.AspectOf(width, height, "16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
		if aspect = near; !exact || width*height != 1024*1024 {
			e.Add("size", "as an aspect ratio of "+near)
		}
	}
	switch {
	case !changed && aspect != "":
		e.w.KeyStr("aspect_ratio", aspect)
	case changed && aspect != "":
		e.Add("size", "an image that is changed keeps its own")
	}
	if changed && !inpaints {
		e.w.KeyStr("mode", "image-to-image")
		e.w.KeyFloat("strength", 0.7)
		e.Add("image", "a start of strength 0.7: the target needs one")
	}
}

// older says a request to Stable Diffusion XL.
func (e *drawEncoder) older() error {
	d := e.d
	if len(d.Images) > 0 {
		return dialect.Beyond(op, "image", "images are changed by other models of the vendor")
	}
	if d.Prompt == "" {
		return dialect.Beyond(op, "prompt", "the model makes images after a description: send a prompt")
	}
	e.LoseDraw(d, "size", "negative", "seed", "guidance")
	w := &e.w
	w.Open('{')
	w.KeyOpen("text_prompts", '[')
	e.weighted(d.Prompt, "1")
	if d.Negative != "" {
		e.weighted(d.Negative, "-1")
	}
	w.Close(']')
	if width, height, ok := dialect.Pixels(d.Size); ok {
		w.KeyInt("width", int64(width))
		w.KeyInt("height", int64(height))
	}
	if d.N.Set {
		w.KeyInt("samples", int64(d.N.V))
	}
	if d.Seed.Set {
		w.KeyInt("seed", int64(d.Seed.V))
	}
	if d.Guidance.Set {
		w.KeyFloat("cfg_scale", d.Guidance.V)
	}
	w.Close('}')
	return nil
}

func (e *drawEncoder) weighted(text, weight string) {
	e.w.Open('{')
	e.w.KeyStr("text", text)
	e.w.KeyRaw("weight", weight)
	e.w.Close('}')
}

// DecodeResponse implements dialect.Client.
func (*draw) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil || v.Kind() != '{' {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not a JSON object")
	}
	res := &llm.Drawing{}
	why := v.Get("error").Text()
	if refused := v.Get("finish_reasons", "0").Text(); refused != "" {
		return nil, dialect.NoImage(op, refused)
	}
	err = v.Fields(Name, &res.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "images":
			if m.IsNull() {
				return true, nil
			}
			return true, m.Elems(func(_ int, el wire.Value) error {
				data, err := el.Str()
				res.Images = append(res.Images, llm.Drawn{Data: data})
				return err
			})
		case "artifacts":
			return true, m.Elems(func(_ int, el wire.Value) error {
				if end := el.Get("finishReason").Text(); end != "SUCCESS" && end != "" {
					why = end
					return nil
				}
				data, err := el.Get("base64").Str()
				res.Images = append(res.Images, llm.Drawn{Data: data})
				return err
			})
		case "error", "result", "finish_reasons":
			return true, nil
		}
		return false, nil
	})
	switch {
	case err != nil:
		return nil, dialect.BadUpstream(op, err, "the upstream's answer has no images")
	case len(res.Images) == 0:
		return nil, dialect.NoImage(op, why)
	case why != "":
		res.Extra.Add(Name, "error", v.Get("error").JSON())
	}
	res.Usage.Images = int64(len(res.Images))
	return res, nil
}
