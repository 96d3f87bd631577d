package openai_test

import (
	"net/http"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

func codecOf(op llm.Op) dialect.Codec { return openai.Dialect().Codec(op) }

// operationBodies are requests and answers of the operations in JSON.
func operationBodies() map[llm.Op][2][]string {
	return map[llm.Op][2][]string{
		llm.OpModerate: {{
			`{"input":"a"}`,
			`{"model":"m","input":["a","b"],"x_new":1}`,
			`{"model":"m","input":[{"type":"text","text":"a","x":1},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}`,
		}, {
			`{"id":"modr-1","model":"m","results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":0.91}}]}`,
			`{"id":"x","model":"mistral-moderation","results":[{"categories":{"pii":false}}],"usage":{"prompt_tokens":7,"total_tokens":7}}`,
		}},
		llm.OpImage: {{
			`{"model":"m","prompt":"a cat","n":2,"size":"1024x1024","quality":"low","background":"transparent"}`,
			`{"model":"m","prompt":"a cat","stream":true,"partial_images":2}`,
			`{"model":"m","prompt":"a cat","stream":false,"response_format":"url"}`,
		}, {
			`{"created":1,"data":[{"b64_json":"aaaa","revised_prompt":"a cat"},{"url":"https://example.com/a.png"}],"usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens":272,"total_tokens":322},"size":"1024x1024"}`,
			`{"data":[{"url":"https://example.com/a.png"}]}`,
		}},
		llm.OpTranscribe: {nil, {
			`{"text":"Hi"}`,
			`{"task":"transcribe","language":"english","duration":8.47,"text":"Hi","segments":[{"id":0}]}`,
			`{"text":"Hi","usage":{"type":"duration","seconds":9}}`,
			`{"text":"Hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5,"total_tokens":19}}`,
		}},
		llm.OpSpeak: {{
			`{"model":"m","input":"Hi","voice":"alloy","response_format":"wav","speed":1.5,"instructions":"Whisper."}`,
			`{"model":"m","input":"Hi","voice":{"id":"v"},"stream_format":"sse"}`,
			`{"model":"m","input":"Hi","voice":"alloy","stream_format":"audio"}`,
		}, nil},
	}
}

func TestOperationsAreSaidAgain(t *testing.T) {
	for op, bodies := range operationBodies() {
		t.Run(string(op), func(t *testing.T) { dialecttest.Operation(t, codecOf(op), nil, bodies[0], bodies[1]) })
	}
}

func FuzzDecodeModerate(f *testing.F) {
	bodies := operationBodies()[llm.OpModerate]
	dialecttest.FuzzOperation(f, codecOf(llm.OpModerate), bodies[0], bodies[1])
}

func FuzzDecodeDraw(f *testing.F) {
	bodies := operationBodies()[llm.OpImage]
	dialecttest.FuzzOperation(f, codecOf(llm.OpImage), bodies[0], bodies[1])
}

func FuzzDecodeSpeak(f *testing.F) {
	bodies := operationBodies()[llm.OpSpeak]
	dialecttest.FuzzOperation(f, codecOf(llm.OpSpeak), bodies[0], nil)
}

const formType = "multipart/form-data; boundary=B"

func formOf(parts ...string) []byte {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		name, file, isFile := strings.Cut(parts[i], "/")
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"" + name + "\"")
		if isFile {
			b.WriteString("; filename=\"" + file + "\"")
		}
		b.WriteString("\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return []byte(b.String() + "--B--\r\n")
}

func formRequest(body []byte) dialect.Inbound {
	return dialect.Inbound{Method: http.MethodPost, Header: http.Header{"Content-Type": {formType}}, Body: body}
}

// A form that is written anew means what the one that was read does.
func TestFormsAreSaidAgain(t *testing.T) {
	body := formOf("file/a.mp3", "\x00\xff", "model", "m", "language", "de", "prompt", "p", "response_format", "srt", "stream", "true", "x[]", "1", "x[]", "2")
	for _, op := range []llm.Op{llm.OpTranscribe, llm.OpTranslate, llm.OpImageEdit, llm.OpImageVary} {
		c := codecOf(op)
		p, err := c.DecodeRequest(formRequest(body))
		if err != nil {
			t.Fatal(err)
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Fatal(losses, err)
		}
		again, err := c.DecodeRequest(dialect.Inbound{Header: out.Header, Body: out.Body})
		if err != nil {
			t.Fatal(err)
		}
		if d := dialecttest.Differ(p, again); d != "" {
			t.Errorf("%s: %s", op, d)
		}
	}
}

// What the host refuses is taken out of a form, or the call is refused, as the deployment wants it.
func TestRefusedFieldsOfForms(t *testing.T) {
	c := codecOf(llm.OpTranscribe)
	in := formRequest(formOf("file/a.mp3", "x", "model", "m", "prompt", "p"))
	h, err := c.Peek(in, dialect.Bounds{})
	if err != nil || h.Model != "m" {
		t.Fatal(h, err)
	}
	offer := &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"prompt", "language"}}}
	out, err := c.EditRequest(in, h, dialect.Shape{Offer: offer, Params: plenum.ParamReport})
	if err != nil || string(out.Body) != string(formOf("file/a.mp3", "x", "model", "up")) || len(out.Changed) != 1 {
		t.Errorf("%q %q %v", out.Body, out.Changed, err)
	}
	if _, err := c.EditRequest(in, h, dialect.Shape{Offer: offer, Params: plenum.ParamStrict}); !llm.IsKind(err, llm.Invalid) {
		t.Errorf("%v", err)
	}
	if out, err := c.EditRequest(in, h, dialect.Shape{Offer: offer, Params: plenum.ParamPass}); err != nil || !strings.Contains(string(out.Body), "prompt") {
		t.Errorf("%q %v", out.Body, err)
	}
}

func FuzzDecodeForm(f *testing.F) {
	f.Add(formOf("file/a.mp3", "\x00\xff", "model", "m", "language", "de", "x[]", "1"))
	f.Add(formOf("image[]/a.png", "x", "mask/b.png", "y", "model", "m", "n", "2"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range []llm.Op{llm.OpTranscribe, llm.OpImageEdit} {
			c, in := codecOf(op), formRequest(body)
			h, err := c.Peek(in, dialect.Bounds{})
			if err == nil {
				_, err = c.EditRequest(in, h, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
			}
			if err != nil && !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
			if p, err := c.DecodeRequest(in); err == nil {
				if _, losses, err := c.EncodeRequest(p, dialect.Shape{}); err != nil || len(losses) > 0 {
					t.Fatal(losses, err)
				}
			}
		}
	})
}

func FuzzDecodeSteps(f *testing.F) {
	f.Add([]byte("event: x\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"transcript.text.done\",\"usage\":{\"seconds\":1}}\n\n"))
	f.Add([]byte("data: {\"type\":\"error\",\"error\":{\"message\":\"no\"}}\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range []llm.Op{llm.OpTranscribe, llm.OpSpeak, llm.OpImage} {
			said := dialecttest.Decode(codecOf(op), dialecttest.Frames(body), dialect.Want{})
			if said.Err != nil && llm.AsError(said.Err).Message == "" {
				t.Fatal(said.Err)
			}
		}
	})
}
