package gemini

import (
	"encoding/base64"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// depict asks Gemini's own models for images, which make them as answers do: a prompt and images in, one image out.
// Only its side toward upstreams is of use.
type depict struct {
	*draw
}

var _ dialect.Codec = (*depict)(nil)

// Depict returns the dialect of Gemini's models that make images as answers do, for upstreams.
func Depict() *dialect.Dialect {
	names := naming()
	c := &depict{newDraw(names)}
	return &dialect.Dialect{
		Name: Name, Title: "Google Gemini", Headers: namespace(), Names: names,
		Routes: []dialect.Route{
			{Op: llm.OpImage, Method: http.MethodPost, Codec: c},
			{Op: llm.OpImageEdit, Method: http.MethodPost, Codec: c},
		},
	}
}

// EncodeRequest implements dialect.Client.
func (c *depict) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	d, ok := p.(*llm.Draw)
	if !ok {
		return dialect.Outbound{}, nil, dialect.NotThis(op, p)
	}
	mask, images := dialect.MaskOf(d)
	switch {
	case d.N.Or(1) > 1:
		return dialect.Outbound{}, nil, dialect.Beyond(op, dialect.DrawWord(d.Extra.Dialect, "n"), "the model makes one image a call: send a call for each")
	case mask != nil:
		return dialect.Outbound{}, nil, dialect.Beyond(op, "mask", "the model takes no mask: say in the prompt what is to be changed")
	case d.Prompt == "":
		return dialect.Outbound{}, nil, dialect.Beyond(op, "prompt", "the model makes images after a description: send a prompt")
	}
	var l dialect.Losses
	l.LoseDraw(d, "size", "aspect", "detail", "seed")
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen("contents", '[')
	w.Open('{')
	w.KeyStr("role", "user")
	w.KeyOpen("parts", '[')
	for _, img := range images {
		w.Open('{')
		w.KeyOpen("inlineData", '{')
		w.KeyStr("mimeType", pictureType(img))
		w.KeyStr("data", base64.StdEncoding.EncodeToString(img.Data))
		w.Close('}')
		w.Close('}')
	}
	w.Open('{')
	w.KeyStr("text", d.Prompt)
	w.Close('}')
	w.Close(']')
	w.Close('}')
	w.Close(']')
	depictConfig(&w, d, &l)
	w.Close('}')
	body, changed, err := dialect.WithoutRefusedIn(op, w.Buf, s, dialect.WithoutMember(op, "generationConfig"))
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: changed}, l.List(), err
}

// pictureType returns the media type of a picture, as what it is where nobody said.
func pictureType(p llm.Picture) string {
	if p.MIME == "" || p.MIME == "application/octet-stream" {
		return http.DetectContentType(p.Data)
	}
	return p.MIME
}

func depictConfig(w *jsonw.Writer, d *llm.Draw, l *dialect.Losses) {
	aspect := d.Aspect
	if width, height, ok := dialect.Pixels(d.Size); ok && aspect == "" {
		near, exact := dialect.AspectOf(width, height, "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
		if aspect = near; !exact || width*height != 1024*1024 {
			l.Add("size", "as an aspect ratio of "+near)
		}
	}
	w.KeyOpen("generationConfig", '{')
	w.KeyRaw("responseModalities", `["TEXT","IMAGE"]`)
	if d.Seed.Set {
		w.KeyInt("seed", int64(d.Seed.V))
	}
	if aspect != "" || d.Detail != "" {
		w.KeyOpen("imageConfig", '{')
		if aspect != "" {
			w.KeyStr("aspectRatio", aspect)
		}
		if d.Detail != "" {
			w.KeyStr("imageSize", d.Detail)
		}
		w.Close('}')
	}
	w.Close('}')
}

// DecodeResponse implements dialect.Client. What was said beside the image goes with it as far as there is a word.
func (c *depict) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil || v.Kind() != '{' {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not a JSON object")
	}
	if v.Get("error").Kind() == '{' {
		return nil, inStream(r.Body)
	}
	res := &llm.Drawing{Usage: decodeUsage(v.Get("usageMetadata"))}
	why := v.Get("promptFeedback", "blockReason").Text()
	err = v.Get("candidates").Elems(func(_ int, cand wire.Value) error {
		if why = cand.Get("finishMessage").Text(); why == "" {
			why = cand.Get("finishReason").Text()
		}
		parts := cand.Get("content", "parts")
		if !parts.Found() {
			return nil
		}
		return parts.Elems(func(_ int, p wire.Value) error {
			data := p.Get("inlineData")
			thought, _ := p.Get("thought").Bool()
			switch {
			case thought: // a draft, and no image that was asked for
			case data.Get("data").Kind() == '"':
				res.Images = append(res.Images, llm.Drawn{Data: data.Get("data").Text(), MIME: data.Get("mimeType").Text()})
			case p.Get("text").Text() != "":
				res.Extra.Add("generateContent", "text", p.Get("text").JSON())
			}
			return nil
		})
	})
	switch {
	case err != nil && why == "":
		return nil, dialect.BadUpstream(op, err, "the upstream's answer has no images")
	case len(res.Images) == 0:
		if said, _ := res.Extra.Get("text"); said != "" {
			why += ": " + wire.Raw(said).Text()
		}
		return nil, dialect.NoImage(op, why)
	}
	res.Usage.Extra = llm.Extra{}
	res.Usage.Images = int64(len(res.Images))
	return res, nil
}
