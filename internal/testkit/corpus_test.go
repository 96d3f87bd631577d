package testkit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const sample = `{"meta":{"kind":"recorded"},"interactions":[
{"vendor":"v","endpoint":"chat.completions","features":["stream"],
 "request":{"method":"POST","url":"https://h.<REGION>/v1/chat/completions?x=/messages","headers":{"a":["1","2"]},"body":"{ \"z\": 1 }"},
 "response":{"status":200,"headers":{"content-type":["text/event-stream"],"content-encoding":["gzip"],"content-length":["5"]},"body":"data: {}\r\n\r\n"}},
{"vendor":"v","endpoint":"messages","request":{"method":"POST","url":"https://h/v1/messages","body_json":{"z": 1, "a": "<é>"}},
 "response":{"status":400,"headers":{"content-type":["application/json"]},"body_json":{"type":"error"}}},
{"vendor":"v","endpoint":"messages","response":{"status":200,"stream_data_lines":["{\"type\":\"message_start\"}","{\"type\":\"message_stop\"}"]}},
{"vendor":"v","endpoint":"chat.completions","request":{"body_json":{}},"response":{"status":200,"stream_events":[{"id": 1},{"id": 2}]}},
{"vendor":"v","endpoint":"rawPredict","request":{"body_json":{"anthropic_version":"vertex-2023-10-16"}},"response":{"status":200,"stream_events":[{"type":"message"}]}},
{"vendor":"v","endpoint":"converse-stream","request":{"method":"POST","url":"https://h/model/m%3A0/converse-stream"},"response":{"status":200,"headers":{"content-type":["application/vnd.amazon.eventstream"]},"body_base64":"AAE="}},
{"vendor":"v","endpoint":"messages","request":{"method":"GET","url":"https://h/v1/messages/batches"},"response":{"status":200,"headers":{}}},
{"kind":"text","direction":"in","data":"{}"},
{"vendor":"v","rpc":"x","request":{"json":{}},"response":{"json":{}}}
]}`

func TestLoadCorpusReadsEveryShape(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "v"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "v", "s.json"), []byte(sample), 0o644); err != nil {
		t.Fatal(err)
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range xs {
		got = append(got, fmt.Sprintf("%s %s %s | %s %v | %d %q %v %q", x.Name(), x.Op(), x.Dialect(),
			x.Request.Body, x.Request.Exact, x.Response.Status, x.Response.Body, x.Response.Exact, x.Response.Framing))
	}
	want := []string{
		`v/s.json#0 chat.completions openai | { "z": 1 } true | 200 "data: {}\r\n\r\n" true "sse"`,
		`v/s.json#1 messages anthropic | {"z":1,"a":"<é>"} false | 400 "{\"type\":\"error\"}" false ""`,
		`v/s.json#2 messages anthropic |  false | 200 "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" false "sse"`,
		`v/s.json#3 chat.completions openai | {} false | 200 "data: {\"id\":1}\n\ndata: {\"id\":2}\n\ndata: [DONE]\n\n" false "sse"`,
		`v/s.json#4 rawPredict anthropic | {"anthropic_version":"vertex-2023-10-16"} false | 200 "{\"type\":\"message\"}" false ""`,
		`v/s.json#5 converse-stream converse |  true | 200 "\x00\x01" true "eventstream"`,
		`v/s.json#6 other other |  true | 200 "" true ""`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	first := xs[0]
	if first.Path() != "/v1/chat/completions" || !first.Stream() || !first.Request.Found || xs[2].Request.Found ||
		!slices.Equal(first.Request.Header["A"], []string{"1", "2"}) || len(first.Response.Header) != 1 {
		t.Errorf("got %+v", first)
	}
	if len(xs.Dialect("anthropic")) != 3 || len(xs.Op("messages")) != 2 {
		t.Errorf("%d in the dialect, %d of the operation", len(xs.Dialect("anthropic")), len(xs.Op("messages")))
	}
}

func TestLoadCorpusTellsOfWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := testkit.LoadCorpus(dir); err == nil {
		t.Error("an empty directory passed")
	}
	_ = os.Mkdir(filepath.Join(dir, "v"), 0o755)
	_ = os.WriteFile(filepath.Join(dir, "v", "bad.json"), []byte("{"), 0o644)
	if _, err := testkit.LoadCorpus(dir); err == nil || !strings.Contains(err.Error(), "v/bad.json") {
		t.Errorf("got %v", err)
	}
}

func TestFindCorpus(t *testing.T) {
	t.Setenv("PLENUM_CORPUS", t.TempDir())
	if dir, err := testkit.FindCorpus(); err != nil || dir != os.Getenv("PLENUM_CORPUS") {
		t.Errorf("got %s, %v", dir, err)
	}
	t.Setenv("PLENUM_CORPUS", "/nowhere")
	if _, err := testkit.FindCorpus(); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a wrong PLENUM_CORPUS would be skipped over: %v", err)
	}
	t.Setenv("PLENUM_CORPUS", "")
	t.Chdir(t.TempDir())
	if _, err := testkit.FindCorpus(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestCorpusSummary checks what the rest of the tests builds on, and prints what there is with -v.
func TestCorpusSummary(t *testing.T) {
	xs := testkit.Corpus(t)
	counts := map[string]int{}
	for i := range xs {
		x := &xs[i]
		checkExchange(t, x)
		counts[fmt.Sprintf("%-10s %-22s framing %-12q request exact %-5v response exact %-5v %s", x.Dialect(), x.Op(), x.Response.Framing, x.Request.Exact && x.Request.Found, x.Response.Exact, class(x.Response.Status))]++
	}
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		t.Logf("%4d %s", counts[k], k)
	}
	t.Logf("%d exchanges", len(xs))
	for _, d := range []string{"openai", "anthropic", "responses", "gemini", "converse"} {
		if len(xs.Dialect(d)) == 0 {
			t.Errorf("none in dialect %s", d)
		}
	}
}

func class(status int) string {
	if status < 300 {
		return "ok"
	}
	return "error"
}

// checkExchange checks that an exchange is what its dialect says.
func checkExchange(t *testing.T, x *testkit.Exchange) {
	t.Helper()
	if x.Response.Status < 100 || x.Vendor == "" {
		t.Errorf("%s: status %d of vendor %q", x.Name(), x.Response.Status, x.Vendor)
	}
	if x.Dialect() != "openai" && x.Dialect() != "anthropic" {
		return
	}
	if x.Request.Found && !json.Valid(x.Request.Body) {
		t.Errorf("%s: request %.60q", x.Name(), x.Request.Body)
	}
	if x.Request.Found && !hasKey(x.Request.Body, "messages") {
		t.Errorf("%s: request without messages", x.Name())
	}
	if x.Response.Status != 200 || x.Op() == "messages.count_tokens" || x.Response.Framing == testkit.EventStream {
		return
	}
	key := map[string]string{"openai": "choices", "anthropic": "type"}[x.Dialect()]
	for _, data := range datas(t, x) {
		if !hasKey(data, key) && !hasKey(data, "error") {
			t.Errorf("%s: no %s in %.80s", x.Name(), key, data)
		}
	}
}

// datas returns the JSON of an answer: its body, or the data of its events.
func datas(t *testing.T, x *testkit.Exchange) [][]byte {
	t.Helper()
	if !x.Stream() {
		return [][]byte{x.Response.Body}
	}
	var all [][]byte
	for f, err := range frame.NewReader(bytes.NewReader(x.Response.Body), 0).All() {
		if err != nil {
			t.Fatalf("%s: %v", x.Name(), err)
		}
		if f.Data != nil && string(f.Data) != "[DONE]" {
			all = append(all, bytes.Clone(f.Data))
		}
	}
	return all
}

func hasKey(body []byte, key string) bool {
	_, ok := splice.Get(body, splice.Whole(body), key)
	return ok
}

func TestCorpusStreamsPassTheUpstream(t *testing.T) {
	up := testkit.NewUpstream(t)
	n := 0
	for _, x := range testkit.Corpus(t) {
		if !x.Stream() || n >= 20 {
			continue
		}
		n++
		up.Script(testkit.Stream(x.Response.Body).SplitRandom(uint64(n), 4000))
		res, err := client(t).Get(up.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Equal(got, x.Response.Body) {
			t.Errorf("%s: %d bytes of %d, %v", x.Name(), len(got), len(x.Response.Body), err)
		}
	}
}

func TestDocumentedErrorsAreThere(t *testing.T) {
	for _, e := range testkit.DocumentedErrors(t) {
		if e.Vendor == "" || e.Status == 0 {
			t.Errorf("got %+v", e)
		}
	}
}
