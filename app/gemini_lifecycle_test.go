package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const googleDeployments = `
connections:
  - {name: g, provider: gemini, base_url: "%[1]s", credentials: {api_key: "vendor-key-0123456789"}}
  - {name: v, provider: vertex, base_url: "%[1]s", project: ours, location: global, credentials: {access_token: "vendor-token-0123456789"}}
deployments:
  - name: gem
    lifecycle: allow
    targets: [{connection: g, upstream_model: gemini-2.5-flash, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: vert
    lifecycle: allow
    targets: [{connection: v, upstream_model: gemini-2.5-flash, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]
  - name: pictures
    targets: [{connection: v, upstream_model: imagen-4.0-generate-001, price: {input_usd_per_million: 0, output_usd_per_million: 0, image_usd_per_thousand: 40}}]
  - name: vectors
    targets: [{connection: v, upstream_model: text-embedding-005, price: {input_usd_per_million: 1, output_usd_per_million: 0}}]
`

func googleWorld(t *testing.T) (*world, *testkit.Upstream) {
	t.Helper()
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{Owners: owners{openDB(t, t.TempDir()+"/plenum.db")}}, googleDeployments, up.URL)
	w.withKeys(fmt.Sprintf(googleDeployments, up.URL))
	return w, up
}

func asJSON(more ...string) []string {
	return append([]string{"Content-Type", "application/json"}, more...)
}

func TestCase_I10_AFileIsSentToGoogleInPieces(t *testing.T) {
	w, up := googleWorld(t)
	begun := testkit.Text(200, "text/plain", "")
	begun = begun.WithHeader("X-Goog-Upload-Url", "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=up-1&upload_protocol=resumable&key=vendor-key-0123456789")
	begun = begun.WithHeader("X-Goog-Upload-Status", "active")
	up.Script(begun)
	resp, got := w.post("/upload/v1beta/files", `{"file":{"mimeType":"text/plain"}}`, asJSON("X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start")...)
	at, ok := strings.CutPrefix(resp.Header.Get("X-Goog-Upload-Url"), w.url)
	at, secret, sealed := strings.Cut(strings.Replace(at, "plenum-upload=", "\x00", 1), "\x00")
	secret, rest, _ := strings.Cut(secret, "&")
	at += rest
	if resp.StatusCode != 200 || !ok || !sealed || at != "/upload/v1beta/files?upload_id=up-1&upload_protocol=resumable" || resp.Header.Get("X-Goog-Upload-Status") != "active" {
		t.Fatalf("%d %s %v", resp.StatusCode, got, resp.Header)
	}
	if r := up.Last(); r.Path != "/upload/v1beta/files" || r.Header.Get("X-Goog-Upload-Command") != "start" || r.Header.Get("X-Goog-Api-Key") != "vendor-key-0123456789" {
		t.Errorf("sent to %s with %v", r.Path, r.Header)
	}
	before := up.Count()
	if resp, _ := w.post(at, "abc", "Authorization", another, "X-Goog-Upload-Command", "upload, finalize"); resp.StatusCode != http.StatusNotFound || up.Count() != before {
		t.Errorf("another's piece: %d", resp.StatusCode)
	}
	const none = "" // no key
	for name, piece := range map[string]string{
		"no secret":       at,
		"another upload":  strings.Replace(at, "up-1", "up-2", 1) + "&plenum-upload=" + secret,
		"another call":    "/v1beta/files?plenum-upload=" + secret,
		"a model":         "/v1beta/models/gem:generateContent?plenum-upload=" + secret,
		"half of it":      at + "&plenum-upload=" + secret[:len(secret)/2],
		"another's at it": strings.Replace(at, "up-1", "up-1x", 1) + "&plenum-upload=" + secret,
	} {
		if resp, _ := w.post(piece, "abc", "Authorization", none); resp.StatusCode != http.StatusUnauthorized || up.Count() != before {
			t.Errorf("a piece without a key, %s: %d", name, resp.StatusCode)
		}
	}
	up.Script(testkit.Text(200, "text/plain", ""))
	if resp, got := w.post(at+"&plenum-upload="+secret, "abc", "Authorization", none, "X-Goog-Upload-Command", "upload"); resp.StatusCode != 200 || strings.Contains(up.Last().RawQuery, "plenum") {
		t.Errorf("a piece without a key: %d %s; sent with %s", resp.StatusCode, got, up.Last().RawQuery)
	}
	up.Script(testkit.JSON(`{"file":{"name":"files/abc1","uri":"https://generativelanguage.googleapis.com/v1beta/files/abc1"}}`))
	resp, got = w.post(at, "\x00abc", "X-Goog-Upload-Command", "upload, finalize", "X-Goog-Upload-Offset", "0")
	if r := up.Last(); resp.StatusCode != 200 || !strings.Contains(got, "files/abc1") || string(r.Body) != "\x00abc" || r.Header.Get("X-Goog-Upload-Offset") != "0" {
		t.Fatalf("%d %s; sent %q", resp.StatusCode, got, r.Body)
	}
	up.Script(testkit.JSON(`{"name":"files/abc1"}`), testkit.Text(200, "text/plain", "abc"),
		testkit.JSON(`{"files":[{"name":"files/abc1"},{"name":"files/foreign"}],"nextPageToken":"n"}`), testkit.JSON(`{}`))
	if resp, _ := w.do("GET", "/v1beta/files/abc1"); resp.StatusCode != 200 || up.Last().Path != "/v1beta/files/abc1" {
		t.Errorf("its head: %d at %s", resp.StatusCode, up.Last().Path)
	}
	if _, got := w.do("GET", "/v1beta/files/abc1:download?alt=media"); got != "abc" || up.Last().Path != "/v1beta/files/abc1:download" {
		t.Errorf("its content: %s at %s", got, up.Last().Path)
	}
	if _, got := w.do("GET", "/v1beta/files?pageSize=2"); strings.Contains(got, "foreign") || !strings.Contains(got, "files/abc1") || !strings.Contains(got, "nextPageToken") {
		t.Errorf("the list: %s", got)
	}
	if resp, got := w.do("GET", "/v1beta/files"); resp.StatusCode != 200 || got != "{}" {
		t.Errorf("an empty list: %d %s", resp.StatusCode, got)
	}
	theirsToName(t, w, up)
	up.Script(testkit.JSON(`{}`))
	if resp, _ := w.do("DELETE", "/v1beta/files/abc1"); resp.StatusCode != 200 {
		t.Errorf("deleting: %d", resp.StatusCode)
	}
	if resp, _ := w.do("GET", "/v1beta/files/abc1"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after it was deleted: %d", resp.StatusCode)
	}
}

// theirsToName asks an answer about a file: of who owns it, and of another.
func theirsToName(t *testing.T, w *world, up *testkit.Upstream) {
	t.Helper()
	const asked = `{"contents":[{"role":"user","parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc1","mimeType":"text/plain"}}]}]}`
	up.Script(testkit.JSON(`{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}`))
	if resp, got := w.post("/v1beta/models/gem:generateContent", asked, asJSON()...); resp.StatusCode != 200 {
		t.Errorf("one's own file: %d %s", resp.StatusCode, got)
	}
	before := up.Count()
	for path, body := range map[string]string{
		"/v1beta/models/gem:generateContent":      asked,
		"/v1beta/cachedContents":                  `{"model":"models/gem","contents":[{"parts":[{"file_data":{"file_uri":"http://generativelanguage.googleapis.com/v1beta/files/abc1"}}]}]}`,
		"/v1beta/models/gem:batchGenerateContent": `{"batch":{"inputConfig":{"fileName":"files/abc1"}}}`,
		"/v1beta/fileSearchStores":                `{"x":"gs://bucket/a"}`,
	} {
		if resp, got := w.post(path, body, asJSON("Authorization", another)...); resp.StatusCode != http.StatusNotFound || up.Count() != before {
			t.Errorf("another's at %s: %d %s", path, resp.StatusCode, got)
		}
	}
}

func TestWhatGoogleKeepsIsMadeForADeployment(t *testing.T) {
	w, up := googleWorld(t)
	for _, x := range []struct{ path, body, sentTo, sent, answer, then, thenTo string }{
		{
			"/v1beta/cachedContents", `{"model":"models/gem","ttl":"60s"}`, "/v1beta/cachedContents", `{"model":"models/gemini-2.5-flash","ttl":"60s"}`,
			`{"name":"cachedContents/c1","model":"models/gemini-2.5-flash"}`, "/v1beta/cachedContents/c1", "/v1beta/cachedContents/c1",
		},
		{
			"/v1beta/models/gem:batchGenerateContent", `{"batch":{"model":"models/gem","inputConfig":{"requests":{"requests":[{"request":{"model":"models/gem"}}]}}}}`,
			"/v1beta/models/gemini-2.5-flash:batchGenerateContent",
			`{"batch":{"model":"models/gemini-2.5-flash","inputConfig":{"requests":{"requests":[{"request":{"model":"models/gemini-2.5-flash"}}]}}}}`,
			`{"name":"batches/b1","metadata":{}}`, "/v1beta/batches/b1:cancel", "/v1beta/batches/b1:cancel",
		},
		{
			"/v1beta/fileSearchStores", `{"displayName":"s"}`, "/v1beta/fileSearchStores", `{"displayName":"s"}`,
			`{"name":"fileSearchStores/s-1"}`, "/v1beta/fileSearchStores/s-1/documents", "/v1beta/fileSearchStores/s-1/documents",
		},
		{
			"/v1beta/interactions", `{"model":"gem","input":"Hi"}`, "/v1beta/interactions", `{"model":"gemini-2.5-flash","input":"Hi"}`,
			`{"id":"v1_0123456789abcdefghijklm"}`, "/v1beta/interactions/v1_0123456789abcdefghijklm", "/v1beta/interactions/v1_0123456789abcdefghijklm",
		},
		{
			"/v1beta1/projects/theirs/locations/here/cachedContents", `{"model":"projects/theirs/locations/here/publishers/google/models/vert"}`,
			"/v1/projects/ours/locations/global/cachedContents", `{"model":"projects/ours/locations/global/publishers/google/models/gemini-2.5-flash"}`,
			`{"name":"projects/1/locations/global/cachedContents/777"}`, "/v1beta1/projects/1/locations/global/cachedContents/777",
			"/v1/projects/ours/locations/global/cachedContents/777",
		},
	} {
		up.Script(testkit.JSON(x.answer), testkit.JSON(`{}`))
		resp, got := w.post(x.path, x.body, asJSON()...)
		if r := up.Last(); resp.StatusCode != 200 || got != x.answer || r.Path != x.sentTo || string(r.Body) != x.sent {
			t.Errorf("%s: %d %s; sent %s to %s", x.path, resp.StatusCode, got, r.Body, r.Path)
			continue
		}
		before := up.Count()
		if resp, _ := w.post(x.then, `{}`, asJSON("Authorization", another)...); resp.StatusCode != http.StatusNotFound || up.Count() != before {
			t.Errorf("another's at %s: %d", x.then, resp.StatusCode)
		}
		if resp, got := w.post(x.then, `{}`, asJSON()...); resp.StatusCode != 200 || up.Last().Path != x.thenTo {
			t.Errorf("%s: %d %s at %s", x.then, resp.StatusCode, got, up.Last().Path)
		}
	}
}

func TestWhatComesOfABatchAtGoogleIsItsMakers(t *testing.T) {
	w, up := googleWorld(t)
	up.Script(testkit.JSON(`{"name":"batches/b1"}`), testkit.JSON(`{"name":"batches/b1","done":true,"response":{"responsesFile":"files/batch-b1"}}`), testkit.Text(200, "application/octet-stream", "{}"))
	w.post("/v1beta/models/gem:batchGenerateContent", `{"batch":{}}`, asJSON()...)
	if resp, _ := w.do("GET", "/v1beta/files/batch-b1:download?alt=media"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("before the batch was asked for: %d", resp.StatusCode)
	}
	w.do("GET", "/v1beta/batches/b1")
	if resp, got := w.do("GET", "/v1beta/files/batch-b1:download?alt=media"); resp.StatusCode != 200 || got != "{}" {
		t.Errorf("its result: %d %s", resp.StatusCode, got)
	}
}

func TestWhatIsPredictedIsMeteredAsWhatItIs(t *testing.T) {
	w, up := googleWorld(t)
	up.Script(testkit.JSON(`{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":3}}}]}`), testkit.JSON(`{"predictions":[{"bytesBase64Encoded":"iVBOR","mimeType":"image/png"},{"bytesBase64Encoded":"iVBOR","mimeType":"image/png"}]}`),
		testkit.JSON(`{"predictions":[{"bytesBase64Encoded":"iVBOR","mimeType":"image/png"}]}`))
	const at = "/v1beta1/projects/p/locations/l/publishers/google/models/"
	if resp, got := w.post(at+"vectors:predict", `{"instances":[{"content":"a"}]}`, asJSON()...); resp.StatusCode != 200 || up.Last().Path != "/v1/projects/ours/locations/global/publishers/google/models/text-embedding-005:predict" {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if resp, got := w.post(at+"pictures:predict", `{"instances":[{"prompt":"a"}],"parameters":{"sampleCount":2}}`, asJSON()...); resp.StatusCode != 200 || up.Last().Path != "/v1/projects/ours/locations/global/publishers/google/models/imagen-4.0-generate-001:predict" {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if resp, got := w.post("/v1/images/generations", `{"model":"pictures","prompt":"a"}`, asJSON()...); resp.StatusCode != 200 || !strings.Contains(got, `"b64_json":"iVBOR"`) {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	for i, want := range []struct {
		op     string
		tokens int64
		images int64
		micros int64
	}{{"embed", 3, 0, 3}, {"image", 0, 2, 80_000}, {"image", 0, 1, 40_000}} {
		rec := w.records.nth(t, i)
		if string(rec.Op) != want.op || rec.Usage.Input != want.tokens || rec.Usage.Images != want.images || int64(rec.Cost) != want.micros {
			t.Errorf("record %d: %s, %+v, cost %v", i, rec.Op, rec.Usage, rec.Cost)
		}
	}
}
