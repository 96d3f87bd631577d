package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

const otherKey = "another-key-of-the-tests-012345"

// keysOfTwo are two declared keys of two projects beside the world's own.
const keysOfTwo = "files: {max_size: 1MiB, max_total: 3MiB}\n"

// fileWorld is a world that keeps files.
func fileWorld(t *testing.T, yaml string, urls ...any) (*world, *sqlite.DB) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "plenum.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keeper := file.New(db, clock.Real, slog.New(slog.DiscardHandler))
	return newWorld(t, Mechanisms{Own: keeper.Handlers()}, yaml, urls...), db
}

// form makes a multipart form: pairs of field and value; the field "file" takes a name as well.
func form(parts ...string) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		if parts[i] == "file" {
			p, _ := w.CreateFormFile("file", "lines.jsonl")
			_, _ = io.WriteString(p, parts[i+1])
			continue
		}
		_ = w.WriteField(parts[i], parts[i+1])
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

// putFile uploads a file and returns its id.
func (w *world) putFile(purpose, text string, header ...string) string {
	w.t.Helper()
	ct, body := form("purpose", purpose, "file", text)
	resp, got := w.post("/v1/files", body, append([]string{"Content-Type", ct}, header...)...)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the upload ended in %d: %s", resp.StatusCode, got)
	}
	var f struct{ ID string }
	_ = json.Unmarshal([]byte(got), &f)
	return f.ID
}

// do sends a request without a body.
func (w *world) do(method, path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return w.request(method, path, "", header...)
}

// request sends a request of any method.
func (w *world) request(method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+worldKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(text)
}

const another = "Bearer " + otherKey

func newFileWorld(t *testing.T) (*world, *sqlite.DB) {
	up := testkit.NewUpstream(t)
	w, db := fileWorld(t, keysOfTwo+oneTarget, up.URL)
	w.withKeys(keysOfTwo + fmt.Sprintf(oneTarget, up.URL))
	return w, db
}

// withKeys publishes a configuration that has the second project's key as well.
func (w *world) withKeys(yaml string) {
	w.t.Helper()
	s := w.compileWith(yaml, "  - {name: other, project: elsewhere, secret: "+otherKey+"}\n")
	w.current.Store(s)
}

func TestAFileIsKeptListedReadAndDeleted(t *testing.T) {
	w, _ := newFileWorld(t)
	text := strings.Repeat("{\"a\":1}\n", 20_000)
	id := w.putFile("batch", text)
	if !strings.HasPrefix(id, "file-") {
		t.Fatalf("the id is %q", id)
	}
	second := w.putFile("vision", "pixels")
	resp, got := w.do("GET", "/v1/files/"+id)
	var f struct {
		Object, Filename, Purpose, Status string
		Bytes                             int64
		ExpiresAt                         int64 `json:"expires_at"`
		CreatedAt                         int64 `json:"created_at"`
	}
	if err := json.Unmarshal([]byte(got), &f); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if f.Object != "file" || f.Filename != "lines.jsonl" || f.Purpose != "batch" || f.Bytes != int64(len(text)) || f.ExpiresAt-f.CreatedAt != 30*86400 {
		t.Errorf("the file is %+v", f)
	}
	resp, got = w.do("GET", "/openai/v1/files/"+id+"/content")
	if got != text || resp.Header.Get("Content-Disposition") != `attachment; filename=lines.jsonl` || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the content has %d bytes and the head %v", len(got), resp.Header)
	}
	if r := w.records.nth(t, 3); r.Op != "file.content" || r.Status != 200 || r.KeyID != "declared:dev" || len(r.Attempts) != 0 {
		t.Errorf("the record is %+v", r)
	}
	_, got = w.do("GET", "/v1/files?limit=1")
	if !strings.Contains(got, second) || strings.Contains(got, id) || !strings.Contains(got, `"has_more":true`) {
		t.Errorf("the first page is %s", got)
	}
	if _, got = w.do("GET", "/v1/files?limit=1&after="+second); !strings.Contains(got, id) || !strings.Contains(got, `"has_more":false`) {
		t.Errorf("the second page is %s", got)
	}
	if _, got = w.do("GET", "/v1/files?purpose=vision"); strings.Contains(got, id) || !strings.Contains(got, second) {
		t.Errorf("the list of one purpose is %s", got)
	}
	if _, got = w.do("DELETE", "/v1/files/"+id); got != `{"deleted":true,"id":"`+id+`","object":"file"}` {
		t.Errorf("the deletion says %s", got)
	}
	if resp, _ = w.do("GET", "/v1/files/"+id+"/content"); resp.StatusCode != 404 {
		t.Errorf("a deleted file is answered with %d", resp.StatusCode)
	}
}

func TestCase_I10_FilesOfAnotherProjectAreNotThere(t *testing.T) {
	w, _ := newFileWorld(t)
	id := w.putFile("batch", "x")
	_, missing := w.do("GET", "/v1/files/file-none", "Authorization", another)
	for _, probe := range [][2]string{{"GET", ""}, {"GET", "/content"}, {"DELETE", ""}} {
		resp, got := w.do(probe[0], "/v1/files/"+id+probe[1], "Authorization", another)
		if resp.StatusCode != 404 || got != strings.ReplaceAll(missing, "file-none", id) {
			t.Errorf("%v is answered with %d %s", probe, resp.StatusCode, got)
		}
	}
	if _, got := w.do("GET", "/v1/files", "Authorization", another); strings.Contains(got, id) {
		t.Errorf("another's list has it: %s", got)
	}
	if resp, got := w.do("GET", "/v1/files?after="+id, "Authorization", another); resp.StatusCode != 400 || strings.Contains(got, "lines.jsonl") {
		t.Errorf("a page after another's file is %d %s", resp.StatusCode, got)
	}
	if resp, _ := w.do("GET", "/v1/files/"+id); resp.StatusCode != 200 {
		t.Errorf("the owner's file is gone: %d", resp.StatusCode)
	}
	if resp, _ := w.do("GET", "/v1/files/"+id, "Authorization", "Bearer nobody"); resp.StatusCode != 401 {
		t.Errorf("without a key: %d", resp.StatusCode)
	}
}

func TestFilesInAnthropicsWords(t *testing.T) {
	w, _ := newFileWorld(t)
	ct, body := form("file", "hello")
	resp, got := w.post("/v1/files", body, "Content-Type", ct, "anthropic-version", "2023-06-01", "X-Api-Key", worldKey, "Authorization", "")
	var f struct {
		ID, Type, Filename string
		SizeBytes          int64  `json:"size_bytes"`
		CreatedAt          string `json:"created_at"`
	}
	if err := json.Unmarshal([]byte(got), &f); err != nil || resp.StatusCode != 200 || f.Type != "file" || f.SizeBytes != 5 || !strings.HasPrefix(f.ID, "file_") {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if _, err := time.Parse(time.RFC3339, f.CreatedAt); err != nil {
		t.Error(err)
	}
	if _, got = w.do("GET", "/v1/files/"+f.ID+"/content", "anthropic-version", "2023-06-01"); got != "hello" {
		t.Errorf("the content is %q", got)
	}
	if _, got = w.do("DELETE", "/anthropic/v1/files/"+f.ID); got != `{"id":"`+f.ID+`","type":"file_deleted"}` {
		t.Errorf("the deletion says %s", got)
	}
	if resp, got = w.do("GET", "/anthropic/v1/files/"+f.ID); resp.StatusCode != 404 || !strings.Contains(got, `"not_found_error"`) {
		t.Errorf("a deleted file: %d %s", resp.StatusCode, got)
	}
}

func TestUploadsThatAreRefusedLeaveNothing(t *testing.T) {
	w, db := newFileWorld(t)
	for name, test := range map[string]struct {
		parts  []string
		status int
		says   string
	}{
		"no purpose":      {[]string{"file", "x"}, 400, `"purpose"`},
		"strange purpose": {[]string{"purpose", "fun", "file", "x"}, 400, "must be one of"},
		"no file":         {[]string{"purpose", "batch"}, 400, "no file"},
		"two files":       {[]string{"purpose", "batch", "file", "x", "file", "y"}, 400, "one file"},
		"too large":       {[]string{"purpose", "batch", "file", strings.Repeat("x", 1<<20+1)}, 413, "files.max_size"},
		"much too large":  {[]string{"purpose", "batch", "file", strings.Repeat("x", 4<<20)}, 413, "files.max_size"},
		"expiry":          {[]string{"file", "x", "purpose", "batch", "expires_after[anchor]", "created_at", "expires_after[seconds]", "5"}, 400, "expires_after"},
	} {
		ct, body := form(test.parts...)
		resp, got := w.post("/v1/files", body, "Content-Type", ct)
		if resp.StatusCode != test.status || !strings.Contains(got, test.says) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	ct, body := form("purpose", "batch", "file", "0123456789")
	if resp, got := w.post("/v1/files", body[:len(body)-40], "Content-Type", ct); resp.StatusCode != 400 {
		t.Errorf("a form that is cut off: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.post("/v1/files", `{}`, "Content-Type", "application/json"); resp.StatusCode != 400 {
		t.Errorf("JSON: %d %s", resp.StatusCode, got)
	}
	if n, err := db.ObjectsSize(t.Context(), "default"); n != 0 || err != nil {
		t.Errorf("%d bytes were left behind, %v", n, err)
	}
	if left, _ := filepath.Glob(filepath.Join(t.TempDir(), "..", "*", "content", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAProjectsFilesHaveABoundTogether(t *testing.T) {
	w, _ := newFileWorld(t)
	for range 3 {
		w.putFile("vision", strings.Repeat("x", 1<<20))
	}
	ct, body := form("purpose", "vision", "file", "x")
	if resp, got := w.post("/v1/files", body, "Content-Type", ct); resp.StatusCode != 429 || !strings.Contains(got, "files.max_total") {
		t.Errorf("one more is answered with %d %s", resp.StatusCode, got)
	}
	if resp, got := w.post("/v1/files", body, "Content-Type", ct, "Authorization", another); resp.StatusCode != 200 {
		t.Errorf("another project's is answered with %d %s", resp.StatusCode, got)
	}
}

// later is a clock that is ahead.
type later struct {
	clock.Clock
	by time.Duration
}

func (l later) Now() time.Time { return l.Clock.Now().Add(l.by) }

func TestAFileExpires(t *testing.T) {
	w, db := newFileWorld(t)
	ct, body := form("purpose", "batch", "expires_after[anchor]", "created_at", "expires_after[seconds]", "3600", "file", "x")
	_, got := w.post("/v1/files", body, "Content-Type", ct)
	var f struct{ ID string }
	_ = json.Unmarshal([]byte(got), &f)
	kept := w.putFile("vision", "x")
	soon := file.New(db, later{clock.Real, 59 * time.Minute}, slog.New(slog.DiscardHandler))
	if err := soon.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Object(context.Background(), f.ID); err != nil {
		t.Errorf("it was gone too soon: %v", err)
	}
	past := file.New(db, later{clock.Real, 61 * time.Minute}, slog.New(slog.DiscardHandler))
	if err := past.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Object(context.Background(), f.ID); err == nil {
		t.Error("it is still there")
	}
	if _, err := db.Object(context.Background(), kept); err != nil {
		t.Error("one that does not expire is gone")
	}
}
