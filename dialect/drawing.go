package dialect

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// DrawWord returns what a dialect calls a part of a request for images, so that a loss is named in the words of
// whoever said it.
func DrawWord(dialect, part string) string {
	words := map[string]map[string]string{
		"openai": {"format": "output_format", "compression": "output_compression", "links": "response_format"},
		"gemini": {
			"aspect": "parameters.aspectRatio", "detail": "parameters.sampleImageSize", "format": "parameters.outputOptions.mimeType",
			"compression": "parameters.outputOptions.compressionQuality", "negative": "parameters.negativePrompt",
			"seed": "parameters.seed", "guidance": "parameters.guidanceScale", "n": "parameters.sampleCount",
		},
	}
	if w := words[dialect][part]; w != "" {
		return w
	}
	return part
}

// LoseDraw names what is set of a request for images and not among the parts that a target's API has a word for.
func (l *Losses) LoseDraw(d *llm.Draw, has ...string) {
	set := map[string]bool{
		"size": d.Size != "" && d.Size != "auto", "aspect": d.Aspect != "", "detail": d.Detail != "",
		"quality":     d.Quality != "" && d.Quality != "auto" && d.Quality != "standard",
		"format":      d.Format != "" && d.Format != "image/png",
		"compression": d.Compression.Set, "links": d.Links, "negative": d.Negative != "", "seed": d.Seed.Set,
		"guidance": d.Guidance.Set, "user": d.User != "",
	}
	for _, h := range has {
		set[h] = false
	}
	for _, part := range [...]string{"size", "aspect", "detail", "quality", "format", "compression", "negative", "seed", "guidance", "user"} {
		if set[part] {
			l.Add(DrawWord(d.Extra.Dialect, part), "the target's API has no word for it")
		}
	}
	if set["links"] {
		l.Add(DrawWord(d.Extra.Dialect, "links"), "the target sends images along")
	}
	if d.Stream {
		l.Add("stream", "the target makes images whole")
	}
	for _, f := range d.Fields {
		l.Add(f.Name, "")
	}
	l.AddExtra("", d.Extra)
}

// Pixels returns the width and the height that a size names, or false for "auto" and what is none.
func Pixels(size string) (w, h int, ok bool) {
	a, b, _ := strings.Cut(size, "x")
	w, err1 := strconv.Atoi(a)
	h, err2 := strconv.Atoi(b)
	return w, h, err1 == nil && err2 == nil && w > 0 && h > 0
}

// AspectOf returns the one of the aspect ratios ("4:3") that comes nearest to a size in pixels, and whether it is
// just that.
func AspectOf(w, h int, of ...string) (aspect string, exact bool) {
	best := math.Inf(1)
	want := math.Log(float64(w) / float64(h))
	for _, a := range of {
		x, y, ok := Pixels(strings.Replace(a, ":", "x", 1))
		if !ok {
			continue
		}
		if off := math.Abs(math.Log(float64(x)/float64(y)) - want); off < best {
			best, aspect, exact = off, a, x*h == y*w
		}
	}
	return aspect, exact
}

// mostPixels bounds the masks that are read.
const mostPixels = 8192 * 8192

// Mask is how a mask of what is to be changed in an image says so.
type Mask int

// The masks: OpenAI's is transparent where something is to be changed, Google's and Stability's white, Amazon's black.
const (
	MaskClear Mask = iota
	MaskWhite
	MaskBlack
)

// Remask returns a mask, a PNG, as another kind of mask.
func Remask(data []byte, from, to Mask) ([]byte, error) {
	if from == to {
		return data, nil
	}
	conf, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the mask: %w", err)
	}
	if conf.Width*conf.Height > mostPixels {
		return nil, fmt.Errorf("the mask of %dx%d is larger than is read here", conf.Width, conf.Height)
	}
	in, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the mask: %w", err)
	}
	size := in.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, size.Dx(), size.Dy()))
	for y := range size.Dy() {
		for x := range size.Dx() {
			out.SetNRGBA(x, y, mark(changed(in.At(size.Min.X+x, size.Min.Y+y), from), to))
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		return nil, fmt.Errorf("writing the mask: %w", err)
	}
	return buf.Bytes(), nil
}

// changed reports whether a pixel of a mask stands for one that is to be changed.
func changed(c color.Color, kind Mask) bool {
	if kind == MaskClear {
		_, _, _, a := c.RGBA()
		return a < 0x8000
	}
	white := color.GrayModel.Convert(c).(color.Gray).Y >= 0x80 //nolint:forcetypeassert // the model converts to it
	return white == (kind == MaskWhite)
}

// mark is the pixel of a mask.
func mark(change bool, kind Mask) color.NRGBA {
	switch {
	case kind == MaskClear && change:
		return color.NRGBA{}
	case kind == MaskClear:
		return color.NRGBA{A: 255}
	case change == (kind == MaskWhite):
		return color.NRGBA{R: 255, G: 255, B: 255, A: 255}
	}
	return color.NRGBA{A: 255}
}

// MaskOf returns the mask among the pictures of a request, and the rest of them.
func MaskOf(d *llm.Draw) (mask *llm.Picture, images []llm.Picture) {
	for i := range d.Images {
		if d.Images[i].Field == "mask" {
			mask = &d.Images[i]
		} else {
			images = append(images, d.Images[i])
		}
	}
	return mask, images
}

// NoImage is the error of an answer without an image, which the vendor refused to make.
func NoImage(where, why string) error {
	msg := "the model made no image"
	if why != "" {
		msg += ": " + why
	}
	return &llm.Error{Kind: llm.Blocked, Op: where, Code: "content_policy_violation", Message: msg}
}
