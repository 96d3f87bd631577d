package app

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const mediaYAML = `
connections:
  - {name: a, %s}
deployments:
  - name: m
    retry: {attempts: 2, max_wait: 1s}
    targets:
      - {connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 0, image_usd_per_thousand: 40, character_usd_per_million: 15, second_usd_per_thousand: 0.1}}
`

const openaiPlace = `provider: openai, base_url: "%s/v1", credentials: {api_key: "sk-vendor-0123456789"}`

// upload makes a form of fields and a file.
func upload(t *testing.T, file, name, content string, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(file, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// wavOf returns a WAV file of so many bytes, at a hundred a second.
func wavOf(n int) string {
	return "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x64\x00\x00\x00\x64\x00\x00\x00\x01\x00\x08\x00data\xff\xff\xff\xff" + strings.Repeat("\x80", n)
}

func TestSpeech(t *testing.T) {
	sound := strings.Repeat("ID3\x00\xff\xfb", 40_000)
	up := testkit.NewUpstream(t, testkit.Text(http.StatusOK, "audio/mpeg", sound))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	resp, text := w.post("/v1/audio/speech", `{"model":"m","input":"Grüß dich","voice":"alloy"}`)
	if resp.StatusCode != 200 || text != sound || resp.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("%d %s, %d bytes", resp.StatusCode, resp.Header.Get("Content-Type"), len(text))
	}
	if got := string(up.Last().Body); got != `{"model":"up","input":"Grüß dich","voice":"alloy"}` || up.Last().Path != "/v1/audio/speech" {
		t.Errorf("sent %s to %s", got, up.Last().Path)
	}
	if r := w.records.nth(t, 0); r.Usage.Characters != 9 || r.Cost != 135 || r.Estimated || r.Usage.Input != 0 || r.Outcome != "ok" {
		t.Errorf("metered %+v, cost %d, estimated %v, %s", r.Usage, r.Cost, r.Estimated, r.Outcome)
	}
}

func TestSpeechAsEvents(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(
		`{"type":"speech.audio.delta","audio":"AAAA"}`,
		`{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}`))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	resp, text := w.post("/v1/audio/speech", `{"model":"m","input":"Hello","voice":"alloy","stream_format":"sse"}`)
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") || !strings.Contains(text, "speech.audio.done") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if r := w.records.nth(t, 0); r.Usage.Input != 14 || r.Usage.OutputAudio != 101 || r.Usage.Characters != 5 || r.Estimated {
		t.Errorf("metered %+v, estimated %v", r.Usage, r.Estimated)
	}
}

// An error is tried again, and one that looks like an answer too; a cut answer is seen to be cut.
func TestSpeechThatFails(t *testing.T) {
	sound := testkit.Text(http.StatusOK, "audio/wav", "RIFF")
	up := testkit.NewUpstream(t, testkit.Text(http.StatusServiceUnavailable, "application/json", `{"error":{"message":"busy"}}`), sound)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	if resp, text := w.post("/v1/audio/speech", `{"model":"m","input":"a","voice":"alloy"}`); resp.StatusCode != 200 || text != "RIFF" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	up.Script(testkit.JSON(`{"error":{"message":"no such voice","type":"invalid_request_error"}}`))
	if resp, text := w.post("/v1/audio/speech", `{"model":"m","input":"a","voice":"alloy"}`); resp.StatusCode != 400 || !strings.Contains(text, "no such voice") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	up.Script(testkit.JSON(`{}`), sound)
	if resp, text := w.post("/v1/audio/speech", `{"model":"m","input":"a","voice":"alloy"}`); resp.StatusCode != 200 || text != "RIFF" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// F17: the file's name, its type and the boundary arrive as they were sent, and no byte of the file differs.
func TestCase_F17_FormsArriveAsTheyWereSent(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(`{"text":"Hello there","usage":{"type":"duration","seconds":8.2}}`))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	file := "\x00\r\n--model\xff\xfe" + strings.Repeat("\x01\x02", 100_000)
	body, contentType := upload(t, "file", `Grüße "a".mp3`, file, "model", "m", "temperature", "0", "timestamp_granularities[]", "word")
	resp, text := w.post("/v1/audio/transcriptions", body, "Content-Type", contentType)
	if resp.StatusCode != 200 || text != `{"text":"Hello there","usage":{"type":"duration","seconds":8.2}}` {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	want := strings.Replace(body, "name=\"model\"\r\n\r\nm\r\n", "name=\"model\"\r\n\r\nup\r\n", 1)
	if last := up.Last(); string(last.Body) != want || last.Header.Get("Content-Type") != contentType || last.Path != "/v1/audio/transcriptions" {
		t.Errorf("sent to %s as %s: the body is as it should be: %v", last.Path, last.Header.Get("Content-Type"), string(last.Body) == want)
	}
	if r := w.records.nth(t, 0); r.Usage.Seconds != 9 || r.Cost != 900 || r.Estimated {
		t.Errorf("metered %+v, cost %d, estimated %v", r.Usage, r.Cost, r.Estimated)
	}
}

func TestTranscriptions(t *testing.T) {
	for _, x := range []struct {
		name, path, format, file string
		answer                   testkit.Answer
		says                     string
		seconds, audio, output   int64
		estimated                bool
	}{
		{"tokens", "/v1/audio/transcriptions", "json", "abc", testkit.JSON(`{"text":"Hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5,"total_tokens":19}}`), `"text":"Hi"`, 1, 10, 5, false},
		{"verbose", "/v1/audio/translations", "verbose_json", "abc", testkit.JSON(`{"task":"translate","language":"german","duration":2.4,"text":"Hi","segments":[]}`), `"segments":[]`, 3, 0, 0, false},
		{"text, of a WAV file", "/v1/audio/transcriptions", "text", wavOf(250), testkit.Text(200, "text/plain; charset=utf-8", "Hi\n"), "Hi\n", 3, 30, 0, true},
		{"subtitles", "/openai/deployments/m/audio/transcriptions?api-version=2024-10-21", "srt", strings.Repeat("x", 40_000), testkit.Text(200, "text/plain", "1\n00:00:00,000 --> 00:00:01,000\nHi\n"), "-->", 3, 30, 0, true},
		{"events", "/v1/audio/transcriptions", "stream", "abc", testkit.SSE(`{"type":"transcript.text.delta","delta":"Hi"}`, `{"type":"transcript.text.done","text":"Hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5}}`), "transcript.text.done", 1, 10, 5, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			up := testkit.NewUpstream(t, x.answer)
			yaml := strings.Replace(mediaYAML, "second_usd_per_thousand: 0.1", "second_usd_per_thousand: 0.1, input_audio_usd_per_million: 3", 1)
			w := newWorld(t, Mechanisms{}, fmt.Sprintf(yaml, openaiPlace), up.URL)
			fields := []string{"model", "m", "response_format", x.format}
			if x.format == "stream" {
				fields = []string{"stream", "true", "model", "m"}
			}
			body, contentType := upload(t, "file", "a.wav", x.file, fields...)
			resp, text := w.post(x.path, body, "Content-Type", contentType)
			if resp.StatusCode != 200 || !strings.Contains(text, x.says) {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			r := w.records.nth(t, 0)
			if r.Usage.Seconds != x.seconds || r.Usage.InputAudio != x.audio || r.Usage.Output != x.output || r.Estimated != x.estimated {
				t.Errorf("metered %+v, estimated %v", r.Usage, r.Estimated)
			}
		})
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	twice, contentType := upload(t, "file", "a.wav", "x", "model", "m", "model", "other")
	none, noneType := upload(t, "file", "a.wav", "x")
	for _, x := range []struct {
		body, contentType string
		status            int
		says              string
	}{
		{twice, contentType, 400, "twice"},
		{none, noneType, 400, `"param":"model"`},
		{`{"model":"m"}`, "application/json", 415, "multipart/form-data"},
		{twice[:len(twice)-20], contentType, 400, "form"},
	} {
		resp, text := w.post("/v1/audio/transcriptions", x.body, "Content-Type", x.contentType)
		if resp.StatusCode != x.status || !strings.Contains(text, x.says) {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
}

func TestImages(t *testing.T) {
	answer := `{"created":1,"data":[{"b64_json":"aaaa"},{"b64_json":"bbbb","revised_prompt":"x"}],"usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens":272,"total_tokens":322}}`
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	form, contentType := upload(t, "image[]", "a.png", "\x89PNG\r\n", "prompt", "A cat", "model", "m", "n", "2")
	n := 0
	for _, x := range []struct{ path, body, contentType, sent string }{
		{"/v1/images/generations", `{"model":"m","prompt":"A cat","n":2,"quality":"low"}`, "application/json", `{"model":"up","prompt":"A cat","n":2,"quality":"low"}`},
		{"/v1/images/edits", form, contentType, strings.Replace(form, "\r\n\r\nm\r\n", "\r\n\r\nup\r\n", 1)},
		{"/v1/images/edits", `{"model":"m","prompt":"A cat","images":[{"image_url":"https://example.com/a.png"}]}`, "application/json", `{"model":"up","prompt":"A cat","images":[{"image_url":"https://example.com/a.png"}]}`},
		{"/v1/images/variations", form, contentType, strings.Replace(form, "\r\n\r\nm\r\n", "\r\n\r\nup\r\n", 1)},
	} {
		up.Script(testkit.JSON(answer))
		resp, text := w.post(x.path, x.body, "Content-Type", x.contentType)
		if resp.StatusCode != 200 || text != answer || string(up.Last().Body) != x.sent || up.Last().Path != x.path {
			t.Errorf("%s: %d %s\nsent %s", x.path, resp.StatusCode, text, up.Last().Body)
		}
		if r := w.records.nth(t, n); r.Usage.Images != 2 || r.Usage.Input != 10 || r.Usage.InputImage != 40 || r.Usage.OutputImage != 272 || r.Cost != 80_050 || r.Estimated {
			t.Errorf("%s: metered %+v, cost %d, estimated %v", x.path, r.Usage, r.Cost, r.Estimated)
		}
		n++
	}
}

func TestImagesAsTheyAreMade(t *testing.T) {
	up := testkit.NewUpstream(t, sse(
		`{"type":"image_generation.partial_image","partial_image_index":0,"b64_json":"aaaa"}`,
		`{"type":"image_generation.completed","b64_json":"bbbb","usage":{"input_tokens":10,"input_tokens_details":{"text_tokens":10,"image_tokens":0},"output_tokens":272,"total_tokens":282}}`))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, openaiPlace), up.URL)
	resp, text := w.post("/v1/images/generations", `{"model":"m","prompt":"A cat","stream":true,"partial_images":1}`)
	if resp.StatusCode != 200 || !strings.Contains(text, "partial_image") || !strings.Contains(text, "event: image_generation.completed") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if r := w.records.nth(t, 0); r.Usage.Images != 1 || r.Usage.OutputImage != 272 || r.Usage.Input != 10 || r.Outcome != "ok" {
		t.Errorf("metered %+v, %s", r.Usage, r.Outcome)
	}
	up.Script(sse(`{"type":"image_generation.partial_image","b64_json":"aaaa"}`, `{"type":"error","error":{"type":"server_error","message":"broken"}}`))
	if _, text := w.post("/v1/images/generations", `{"model":"m","prompt":"A cat","stream":true}`); !strings.Contains(text, `"broken"`) {
		t.Errorf("the error was lost: %s", text)
	}
	up.Script(sse(`{"type":"image_generation.partial_image","b64_json":"aaaa"}`))
	if _, text := w.post("/v1/images/generations", `{"model":"m","prompt":"A cat","stream":true}`); !strings.Contains(text, "event: error") {
		t.Errorf("a cut stream does not look so: %s", text)
	}
}

func TestModerations(t *testing.T) {
	answer := `{"id":"modr-1","model":"up","results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":0.9}}]}`
	up := testkit.NewUpstream(t, testkit.JSON(answer))
	yaml := strings.Replace(mediaYAML, "name: m\n", "name: omni-moderation-latest\n    aliases: [m]\n", 1)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(yaml, openaiPlace), up.URL)
	for i, body := range []string{`{"model":"m","input":"I hate"}`, `{"input":["I hate"]}`, `{"input":[{"type":"text","text":"I hate"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}`} {
		up.Script(testkit.JSON(answer))
		resp, text := w.post("/v1/moderations", body)
		if resp.StatusCode != 200 || text != answer || !strings.Contains(string(up.Last().Body), `"model":"up"`) {
			t.Errorf("%d %s\nsent %s", resp.StatusCode, text, up.Last().Body)
		}
		if r := w.records.nth(t, i); r.Usage.Input == 0 || !r.Estimated {
			t.Errorf("metered %+v", r.Usage)
		}
	}
	for _, body := range []string{`{"model":7,"input":"a"}`, `{"model":"","input":"a"}`} {
		if resp, text := w.post("/v1/moderations", body); resp.StatusCode != 400 {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
}

// What a place does not have is refused with a word that says so, and a caller of another dialect hears it in
// its own.
func TestOperationsThatAPlaceLacks(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(mediaYAML, `provider: deepseek, base_url: "%s", credentials: {api_key: "sk-vendor-0123456789"}`), up.URL)
	form, contentType := upload(t, "file", "a.wav", "x", "model", "m")
	for _, x := range []struct{ path, body, contentType, says string }{
		{"/v1/images/generations", `{"model":"m","prompt":"a"}`, "application/json", "DeepSeek has no making of images"},
		{"/v1/audio/speech", `{"model":"m","input":"a"}`, "application/json", "DeepSeek has no speech"},
		{"/v1/audio/transcriptions", form, contentType, "DeepSeek has no transcription"},
		{"/v1/moderations", `{"model":"m","input":"a"}`, "application/json", "DeepSeek has no moderation"},
		{"/v2/embed", `{"model":"m","texts":["a"],"input_type":"image"}`, "application/json", `{"message":"DeepSeek has no embeddings`},
		{"/api/embed", `{"model":"m","input":"a"}`, "application/json", `{"error":"DeepSeek has no embeddings`},
	} {
		resp, text := w.post(x.path, x.body, "Content-Type", x.contentType)
		if resp.StatusCode != 404 || !strings.Contains(text, x.says) {
			t.Errorf("%s: %d %s", x.path, resp.StatusCode, text)
		}
	}
}
