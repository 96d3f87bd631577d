package gemini_test

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func draws() dialect.Codec { return gemini.Predict().Codec(llm.OpImage) }

func drawBodies() (requests, answers []string) {
	requests = []string{
		`{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":2,"aspectRatio":"16:9","sampleImageSize":"2K","negativePrompt":"dogs","seed":7,"guidanceScale":6.5,"personGeneration":"ALLOW_ADULT","outputOptions":{"mimeType":"image/jpeg","compressionQuality":80,"x":1}}}`,
		`{"instances":[{"prompt":"a cat"}],"parameters":{}}`,
		`{"instances":[{"prompt":"a cat","referenceImages":[{"referenceType":"REFERENCE_TYPE_RAW","referenceId":1,"referenceImage":{"bytesBase64Encoded":"YQ=="}},{"referenceType":"REFERENCE_TYPE_MASK","referenceId":2,"referenceImage":{"bytesBase64Encoded":"Yg==","mimeType":"image/png"},"maskImageConfig":{"maskMode":"MASK_MODE_USER_PROVIDED","dilation":0.1}}]}],"parameters":{"editMode":"EDIT_MODE_INPAINT_REMOVAL"},"labels":{"a":"b"}}`,
	}
	answers = []string{
		`{"predictions":[{"bytesBase64Encoded":"iVBOR","mimeType":"image/png","prompt":"a grey cat","safetyAttributes":{"scores":[0.1]}},{"bytesBase64Encoded":"iVBOR","mimeType":"image/png"},{"raiFilteredReason":"blocked"}],"metadata":{}}`,
		`{"predictions":[{"gcsUri":"gs://b/a.png","mimeType":"image/png"}]}`,
	}
	return requests, answers
}

func TestImagesAreSaidAgain(t *testing.T) {
	requests, answers := drawBodies()
	dialecttest.Operation(t, draws(), embedVars(), requests, answers)
}

func FuzzDecodeDraw(f *testing.F) {
	requests, answers := drawBodies()
	dialecttest.FuzzOperation(f, draws(), requests, answers)
}

func drawn(t *testing.T, c dialect.Codec, body string) llm.Payload {
	t.Helper()
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(body), Vars: embedVars()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestImagesAreAskedForInOtherWords(t *testing.T) {
	theirs := openai.Dialect().Codec(llm.OpImage)
	asked := `{"model":"m","prompt":"a cat","n":1,"size":"1536x1024","quality":"high","output_format":"jpeg","background":"transparent"}`
	for name, c := range map[string]struct {
		from, to   dialect.Codec
		body, want string
		lost       []string
	}{
		"Imagen for OpenAI's": {
			theirs, draws(), asked,
			`{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":1,"aspectRatio":"4:3","outputOptions":{"mimeType":"image/jpeg"}}}`,
			[]string{"quality", "background", "size"},
		},
		"Gemini for OpenAI's": {
			theirs, gemini.Depict().Codec(llm.OpImage), asked,
			`{"contents":[{"role":"user","parts":[{"text":"a cat"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"3:2"}}}`,
			[]string{"quality", "output_format", "background", "size"},
		},
		"a plain one": {
			theirs, draws(), `{"model":"m","prompt":"a cat","size":"1024x1024"}`,
			`{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":1,"aspectRatio":"1:1"}}`, nil,
		},
		"OpenAI for Google's": {
			draws(), theirs, `{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":2,"aspectRatio":"9:16","sampleImageSize":"1K","personGeneration":"ALLOW_ALL","outputOptions":{"mimeType":"image/webp"}}}`,
			`{"model":"up","prompt":"a cat","n":2,"size":"1024x1536","output_format":"webp"}`,
			[]string{"parameters.sampleImageSize", "parameters.personGeneration", "parameters.aspectRatio"},
		},
		"an image in JSON": {
			theirs, gemini.Depict().Codec(llm.OpImageEdit), `{"model":"m","prompt":"bluer","images":[{"image_url":"data:image/png;base64,YQ=="}]}`,
			`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"YQ=="}},{"text":"bluer"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}`, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, losses, err := c.to.EncodeRequest(drawn(t, c.from, c.body), dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
			if err != nil {
				t.Fatal(err)
			}
			if d := dialecttest.SameJSON([]byte(c.want), out.Body); d != "" {
				t.Errorf("%s\n%s", out.Body, d)
			}
			var names []string
			for _, l := range losses {
				names = append(names, l.What)
			}
			if strings.Join(names, " ") != strings.Join(c.lost, " ") {
				t.Errorf("losses %v, want %v", losses, c.lost)
			}
		})
	}
}

func TestWhatGeminiCannotDrawIsRefused(t *testing.T) {
	for _, d := range []llm.Draw{
		{Prompt: "a", N: llm.Some(2)},
		{Prompt: "a", Images: []llm.Picture{{Field: "image"}, {Field: "mask"}}},
		{},
	} {
		_, _, err := gemini.Depict().Codec(llm.OpImage).EncodeRequest(&d, dialect.Shape{})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || !e.Elsewhere {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestImagesAreAnsweredInOtherWords(t *testing.T) {
	theirs := openai.Dialect().Codec(llm.OpImage)
	res, err := gemini.Depict().Codec(llm.OpImage).DecodeResponse(dialect.Reply{Body: []byte(`{"candidates":[{"content":{"parts":[
		{"text":"Here it is."},{"inlineData":{"mimeType":"image/png","data":"ZHJhZnQ="},"thought":true},{"inlineData":{"mimeType":"image/png","data":"iVBOR"}}]},"finishReason":"STOP"}],
		"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1300,"totalTokenCount":1307,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := theirs.EncodeResponse(nil, res, dialect.Meta{Now: 5})
	want := `{"created":5,"data":[{"b64_json":"iVBOR"}],"usage":{"input_tokens":7,"input_tokens_details":{"text_tokens":7,"image_tokens":0},"output_tokens":1300,"output_tokens_details":{"text_tokens":10,"image_tokens":1290},"total_tokens":1307}}`
	if d := dialecttest.SameJSON([]byte(want), out.Body); err != nil || d != "" || len(losses) != 1 || losses[0].What != "text" {
		t.Errorf("%s\n%s, losses %v, %v", out.Body, d, losses, err)
	}
	out, losses, err = draws().EncodeResponse(nil, res, dialect.Meta{})
	want = `{"predictions":[{"bytesBase64Encoded":"iVBOR","mimeType":"image/png"}]}`
	if d := dialecttest.SameJSON([]byte(want), out.Body); err != nil || d != "" || len(losses) == 0 {
		t.Errorf("%s\n%s, losses %v, %v", out.Body, d, losses, err)
	}
	res, err = theirs.DecodeResponse(dialect.Reply{Body: []byte(`{"created":1,"data":[{"b64_json":"/9j/x","revised_prompt":"a cat"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err = draws().EncodeResponse(nil, res, dialect.Meta{})
	want = `{"predictions":[{"bytesBase64Encoded":"/9j/x","mimeType":"image/jpeg","prompt":"a cat"}]}`
	if d := dialecttest.SameJSON([]byte(want), out.Body); err != nil || d != "" {
		t.Errorf("%s\n%s, %v", out.Body, d, err)
	}
}

func TestImagesThatWereFilteredAreAnError(t *testing.T) {
	for body, c := range map[string]dialect.Codec{
		`{}`: draws(),
		`{"predictions":[{"raiFilteredReason":"58061214"}]}`:                                                     draws(),
		`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`:                                                gemini.Depict().Codec(llm.OpImage),
		`{"candidates":[{"content":{"parts":[{"text":"I cannot."}]},"finishReason":"STOP"}]}`:                    gemini.Depict().Codec(llm.OpImage),
		`{"candidates":[{"finishReason":"IMAGE_SAFETY","finishMessage":"Unable to show the generated image."}]}`: gemini.Depict().Codec(llm.OpImage),
	} {
		if _, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)}); !llm.IsKind(err, llm.Blocked) {
			t.Errorf("%s: %v, want a block", body, err)
		}
	}
}
