package invoke_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/invoke"
	"github.com/plenum-foundry/plenum/llm"
)

// clearMask is a mask as OpenAI has it: the left of its two pixels is to be changed.
func clearMask(t *testing.T) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(1, 0, color.NRGBA{R: 9, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func remasked(t *testing.T, to dialect.Mask) string {
	t.Helper()
	data, err := dialect.Remask(clearMask(t), dialect.MaskClear, to)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

func TestImagesAreAskedForInTheWordsOfTheModel(t *testing.T) {
	img := llm.Picture{Field: "image", MIME: "image/png", Data: []byte("img")}
	mask := llm.Picture{Field: "mask", MIME: "image/png", Data: clearMask(t)}
	open := llm.Extra{Dialect: "openai"}
	for name, c := range map[string]struct {
		model string
		ask   llm.Draw
		want  string
		lost  string
	}{
		"titan": {
			"amazon.titan-image-generator-v2:0",
			llm.Draw{Task: llm.OpImage, Prompt: "a cat", N: llm.Some(2), Size: "512x512", Quality: "high", Extra: open},
			`{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a cat"},"imageGenerationConfig":{"numberOfImages":2,"width":512,"height":512,"quality":"premium"}}`, "",
		},
		"nova painted": {
			"us.amazon.nova-canvas-v1:0",
			llm.Draw{Task: llm.OpImageEdit, Prompt: "a cat", Size: "1024x1024", Images: []llm.Picture{img, mask}, Extra: open},
			`{"taskType":"INPAINTING","inPaintingParams":{"text":"a cat","image":"aW1n","maskImage":"` + remasked(t, dialect.MaskBlack) + `"},"imageGenerationConfig":{}}`, "size",
		},
		"nova edited": {
			"amazon.nova-canvas-v1:0",
			llm.Draw{Task: llm.OpImageEdit, Prompt: "a cat", Images: []llm.Picture{img}, Extra: open},
			`{"taskType":"IMAGE_VARIATION","imageVariationParams":{"text":"a cat","images":["aW1n"]},"imageGenerationConfig":{}}`, "image",
		},
		"nova varied": {
			"amazon.nova-canvas-v1:0",
			llm.Draw{Task: llm.OpImageVary, Images: []llm.Picture{img}, Extra: open},
			`{"taskType":"IMAGE_VARIATION","imageVariationParams":{"images":["aW1n"]},"imageGenerationConfig":{}}`, "",
		},
		"from Google": {
			"amazon.nova-canvas-v1:0",
			llm.Draw{Task: llm.OpImage, Prompt: "a cat", Aspect: "16:9", Negative: "dogs", Seed: llm.Some(7), Guidance: llm.Some(6.5), Extra: llm.Extra{Dialect: "gemini"}},
			`{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a cat","negativeText":"dogs"},"imageGenerationConfig":{"width":1280,"height":720,"cfgScale":6.5,"seed":7}}`, "",
		},
		"stability": {
			"stability.stable-image-core-v1:1",
			llm.Draw{Task: llm.OpImage, Prompt: "a cat", Size: "1536x1024", Format: "image/jpeg", Extra: open},
			`{"prompt":"a cat","aspect_ratio":"3:2","output_format":"jpeg"}`, "size",
		},
		"stability painted": {
			"us.stability.stable-image-inpaint-v1:0",
			llm.Draw{Task: llm.OpImageEdit, Prompt: "a cat", Images: []llm.Picture{img, mask}, Extra: open},
			`{"prompt":"a cat","image":"aW1n","mask":"` + remasked(t, dialect.MaskWhite) + `"}`, "",
		},
		"stability from an image": {
			"stability.sd3-5-large-v1:0",
			llm.Draw{Task: llm.OpImageEdit, Prompt: "a cat", Images: []llm.Picture{img}, Links: true, Extra: open},
			`{"prompt":"a cat","image":"aW1n","mode":"image-to-image","strength":0.7}`, "response_format",
		},
		"sdxl": {
			"stability.stable-diffusion-xl-v1",
			llm.Draw{Task: llm.OpImage, Prompt: "a cat", Negative: "dogs", Size: "512x512", Extra: open},
			`{"text_prompts":[{"text":"a cat","weight":1},{"text":"dogs","weight":-1}],"width":512,"height":512}`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, losses, err := invoke.Images().Codec(llm.OpImage).EncodeRequest(&c.ask, dialect.Shape{Offer: &plenum.Offer{Upstream: c.model}})
			if err != nil {
				t.Fatal(err)
			}
			if d := dialecttest.SameJSON([]byte(c.want), out.Body); d != "" {
				t.Errorf("%s\n%s", out.Body, d)
			}
			found := c.lost == "" && len(losses) == 0
			for _, l := range losses {
				found = found || c.lost != "" && l.What == c.lost
			}
			if !found {
				t.Errorf("losses %v, want %q", losses, c.lost)
			}
		})
	}
}

func TestImagesThatAModelCannotMakeAreRefused(t *testing.T) {
	mask := llm.Picture{Field: "mask", Data: clearMask(t)}
	for model, d := range map[string]llm.Draw{
		"meta.llama":                        {Prompt: "a"},
		"stability.stable-image-ultra-v1:1": {Prompt: "a", N: llm.Some(2)},
		"stability.stable-image-core-v1:1":  {Prompt: "a", Images: []llm.Picture{mask}},
		"stability.sd3-5-large-v1:0":        {},
		"amazon.nova-canvas-v1:0":           {Prompt: "a", Images: []llm.Picture{mask}},
		"amazon.titan-image-generator-v1":   {Prompt: "a", Images: []llm.Picture{{Field: "image"}, {Field: "mask", Data: []byte("no png")}}},
	} {
		_, _, err := invoke.Images().Codec(llm.OpImage).EncodeRequest(&d, dialect.Shape{Offer: &plenum.Offer{Upstream: model}})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || !e.Elsewhere {
			t.Errorf("%s: %v", model, err)
		}
	}
}

func TestImagesOfBedrockAreRead(t *testing.T) {
	c := invoke.Images().Codec(llm.OpImage)
	for body, n := range map[string]int64{
		`{"images":["YQ==","Yg=="],"error":null}`:                                                2,
		`{"images":["YQ=="],"error":"one was filtered"}`:                                         1,
		`{"seeds":[1],"finish_reasons":[null],"images":["YQ=="]}`:                                1,
		`{"result":"success","artifacts":[{"seed":1,"base64":"YQ==","finishReason":"SUCCESS"}]}`: 1,
	} {
		res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if d, ok := res.(*llm.Drawing); !ok || d.Usage.Images != n || d.Images[0].Data != "YQ==" {
			t.Errorf("%s: %+v", body, res)
		}
	}
	for body, why := range map[string]string{
		`{"images":null,"error":"This request has been blocked by our content filters."}`:                 "content filters",
		`{"seeds":[1],"finish_reasons":["Filter reason: prompt"],"images":[null]}`:                        "Filter reason: prompt",
		`{"result":"success","artifacts":[{"seed":1,"base64":"YQ==","finishReason":"CONTENT_FILTERED"}]}`: "CONTENT_FILTERED",
	} {
		_, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
		if !llm.IsKind(err, llm.Blocked) || !strings.Contains(llm.AsError(err).Message, why) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
