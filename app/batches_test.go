package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/batch"
	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/stage/policy"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// batchWorld is a world that runs batches on a store.
type batchWorld struct {
	*world
	db     store.Store
	engine *batch.Engine
	stop   func()
}

func newBatchWorld(t *testing.T, db store.Store, ck clock.Clock, yaml string, urls ...any) *batchWorld {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	keeper := file.New(db, ck, log)
	engine := batch.New(db, keeper, all.Dialects(), ck, log)
	engine.Alone = true
	w := &batchWorld{db: db, engine: engine}
	w.world = newWorld(t, Mechanisms{Policy: policy.Cedar{Clock: clock.Real}, Own: joined(keeper.Handlers(), engine.Handlers()), Owners: owners{db}}, yaml, urls...)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = engine.Run(ctx, gateway.NewRunner(w.current, w.handler)) })
	w.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(w.stop)
	return w
}

func openDB(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// chatLine is a line of a batch of chat completions.
func chatLine(id, text string) string {
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":%q}]}}`, id, text) + "\n"
}

// batchState is a batch as OpenAI's clients read it.
type batchState struct {
	ID, Status string
	Output     string `json:"output_file_id"`
	Errors     string `json:"error_file_id"`
	Counts     struct {
		Total, Completed, Failed int
	} `json:"request_counts"`
	Faults struct{ Data []struct{ Code string } } `json:"errors"`
}

// start makes a batch of lines.
func (w *batchWorld) start(lines string) batchState {
	w.t.Helper()
	in := w.putFile("batch", lines)
	return w.startOf(in, "24h")
}

func (w *batchWorld) startOf(in, window string) batchState {
	w.t.Helper()
	resp, got := w.post("/v1/batches", fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":%q,"metadata":{"a":"b"}}`, in, window))
	if resp.StatusCode != http.StatusOK || !strings.Contains(got, `"metadata":{"a":"b"}`) {
		w.t.Fatalf("creating a batch: %d %s", resp.StatusCode, got)
	}
	return readState(w.t, got)
}

func readState(t *testing.T, text string) batchState {
	t.Helper()
	var b batchState
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return b
}

// wait waits until a batch is in a state.
func (w *batchWorld) wait(id string, states ...string) batchState {
	w.t.Helper()
	var got string
	for range 1500 {
		_, got = w.do("GET", "/v1/batches/"+id)
		for _, s := range states {
			if b := readState(w.t, got); b.Status == s {
				return b
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("the batch does not become %v: %s", states, got)
	return batchState{}
}

// outLine is a line of an output.
type outLine struct {
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
		Body       json.RawMessage
	}
	Error *struct{ Code, Message string }
}

// output reads an output, by custom_id.
func (w *batchWorld) output(id string) map[string]outLine {
	w.t.Helper()
	out := map[string]outLine{}
	if id == "" {
		return out
	}
	resp, text := w.do("GET", "/v1/files/"+id+"/content")
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the output %s: %d %s", id, resp.StatusCode, text)
	}
	for l := range strings.Lines(text) {
		var o outLine
		if err := json.Unmarshal([]byte(l), &o); err != nil {
			w.t.Fatalf("%v in %q", err, l)
		}
		if _, twice := out[o.CustomID]; twice && o.CustomID != "" {
			w.t.Errorf("%s is there twice", o.CustomID)
		}
		out[o.CustomID] = o
	}
	return out
}

const completionAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"<hi> & bye"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`

func TestCase_K4_OneBadLineDoesNotStopTheOthers(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "refuse me") {
			return testkit.OpenAIError(400, "invalid_request_error", "no")
		}
		return testkit.JSON(completionAnswer)
	})
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	b := w.start(chatLine("one", "x") +
		"this is not JSON\n\n" +
		`{"custom_id":"elsewhere","method":"POST","url":"/v1/embeddings","body":{}}` + "\n" +
		`{"custom_id":"streamed","method":"POST","url":"/v1/chat/completions","body":{"model":"m","stream":true}}` + "\n" +
		`{"custom_id":"nobody","method":"POST","url":"/v1/chat/completions","body":[1]}` + "\n" +
		`{"custom_id":"unknown","method":"POST","url":"/v1/chat/completions","body":{"model":"nope","messages":[]}}` + "\n" +
		chatLine("refused", "refuse me") + chatLine("one", "again") +
		strings.TrimSuffix(chatLine("last", "y"), "\n"))
	if b.Status != "validating" {
		t.Errorf("a new batch is %s", b.Status)
	}
	b = w.wait(b.ID, "completed")
	if b.Counts.Total != 9 || b.Counts.Completed != 2 || b.Counts.Failed != 7 {
		t.Errorf("the counts are %+v", b.Counts)
	}
	good := w.output(b.Output)
	for _, id := range []string{"one", "last"} {
		if o := good[id]; o.Response == nil || o.Error != nil || o.Response.StatusCode != 200 || string(o.Response.Body) != completionAnswer || o.Response.RequestID == "" {
			t.Errorf("%s came to %+v", id, o)
		}
	}
	bad := w.output(b.Errors)
	for id, want := range map[string]string{"": "not a JSON object", "elsewhere": "url must be", "streamed": "not streamed", "nobody": "not a JSON object", "one": "earlier line"} {
		if o := bad[id]; o.Error == nil || o.Response != nil || o.Error.Code != "invalid_line" || !strings.Contains(o.Error.Message, want) {
			t.Errorf("%q came to %+v", id, o)
		}
	}
	for id, status := range map[string]int{"unknown": 404, "refused": 400} {
		if o := bad[id]; o.Response == nil || o.Response.StatusCode != status {
			t.Errorf("%s came to %+v", id, o)
		}
	}
	if len(good) != 2 || len(bad) != 7 {
		t.Errorf("there are %d and %d lines", len(good), len(bad))
	}
	if ls, err := w.db.Lines(t.Context(), b.ID, 0, 10); err != nil || len(ls) > 0 {
		t.Errorf("%d lines are kept beside the output, %v", len(ls), err)
	}
}

func TestCase_E5_ALineIsPricedLimitedAndRecordedLikeAnyCall(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer).DelayHeaders(50*time.Millisecond)) // more lines are sent at once than may run
	limited := strings.Replace(oneTarget, "    retry:", "    limits: {requests_per_minute: 120, concurrent: 2}\n    retry:", 1)
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, limited, up.URL)
	var lines strings.Builder
	for i := range 12 {
		lines.WriteString(chatLine(fmt.Sprint(i), "x"))
	}
	b := w.start(lines.String())
	b = w.wait(b.ID, "completed")
	if b.Counts.Completed != 12 || b.Counts.Failed != 0 {
		t.Fatalf("lines did not wait for their turn: %+v", b)
	}
	priced, refused := 0, 0
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	for _, r := range w.records.list {
		switch {
		case r.Parent != b.ID:
		case r.Outcome == "ok" && r.Cost == 60 && r.Priced && r.KeyID == "declared:dev" && r.Project == "default" && r.Deployment == "m":
			priced++
		case r.Outcome == "refused":
			refused++
		default:
			t.Errorf("a line's record is %+v", r)
		}
	}
	if priced != 12 || refused == 0 {
		t.Errorf("%d lines were priced, want 12; %d times one was held off, want some", priced, refused)
	}
}

func TestABatchIsCancelled(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer).DelayHeaders(100*time.Millisecond))
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	var lines strings.Builder
	for i := range 200 {
		lines.WriteString(chatLine(fmt.Sprint(i), "x"))
	}
	b := w.start(lines.String())
	w.wait(b.ID, "in_progress")
	resp, got := w.post("/v1/batches/"+b.ID+"/cancel", "")
	if s := readState(t, got); resp.StatusCode != 200 || s.Status != "cancelling" {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	b = w.wait(b.ID, "cancelled")
	if b.Counts.Completed+b.Counts.Failed != 200 || b.Counts.Completed == 200 {
		t.Errorf("the counts are %+v", b.Counts)
	}
	bad := w.output(b.Errors)
	if len(w.output(b.Output)) != b.Counts.Completed || len(bad) != b.Counts.Failed {
		t.Errorf("the outputs do not fit %+v", b.Counts)
	}
	for id, o := range bad {
		if o.Error == nil || o.Error.Code != "batch_cancelled" {
			t.Errorf("%s came to %+v", id, o)
		}
	}
	if n := up.Count(); n != b.Counts.Completed {
		t.Errorf("the model was asked %d times for %d answers", n, b.Counts.Completed)
	}
	if resp, got := w.post("/v1/batches/"+b.ID+"/cancel", ""); resp.StatusCode != 409 {
		t.Errorf("cancelling it again: %d %s", resp.StatusCode, got)
	}
}

// shifted is a clock that can be put forward.
type shifted struct {
	clock.Clock
	mu sync.Mutex
	by time.Duration
}

func (s *shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Clock.Now().Add(s.by)
}

func (s *shifted) shift(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = d
}

func TestABatchExpires(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer).DelayHeaders(50*time.Millisecond))
	ck := &shifted{Clock: clock.Real}
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), ck, oneTarget, up.URL)
	var lines strings.Builder
	for i := range 300 {
		lines.WriteString(chatLine(fmt.Sprint(i), "x"))
	}
	b := w.startOf(w.putFile("batch", lines.String()), "1h")
	w.wait(b.ID, "in_progress")
	ck.shift(2 * time.Hour)
	b = w.wait(b.ID, "expired")
	bad := w.output(b.Errors)
	if b.Counts.Completed+b.Counts.Failed != 300 || len(bad) != b.Counts.Failed || b.Counts.Failed == 0 {
		t.Errorf("the counts are %+v with %d errors", b.Counts, len(bad))
	}
	for id, o := range bad {
		if o.Error == nil || o.Error.Code != "batch_expired" {
			t.Errorf("%s came to %+v", id, o)
		}
	}
}

func TestBatchesThatCannotBe(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	in, pixels := w.putFile("batch", chatLine("a", "x")), w.putFile("vision", "x")
	for name, test := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"no JSON":      {`[]`, 400, "JSON object"},
		"endpoint":     {`{"input_file_id":"` + in + `","endpoint":"/v1/files","completion_window":"24h"}`, 400, `"endpoint"`},
		"window":       {`{"input_file_id":"` + in + `","endpoint":"/v1/chat/completions","completion_window":"soon"}`, 400, `"completion_window"`},
		"no file":      {`{"endpoint":"/v1/chat/completions","completion_window":"24h"}`, 400, `"input_file_id"`},
		"unknown file": {`{"input_file_id":"file-none","endpoint":"/v1/chat/completions","completion_window":"24h"}`, 404, "there is no file"},
		"purpose":      {`{"input_file_id":"` + pixels + `","endpoint":"/v1/chat/completions","completion_window":"24h"}`, 400, "vision"},
	} {
		if resp, got := w.post("/v1/batches", test.body); resp.StatusCode != test.status || !strings.Contains(got, test.says) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	empty := w.start("\n\n")
	if b := w.wait(empty.ID, "failed"); len(b.Faults.Data) != 1 || b.Faults.Data[0].Code != "empty_file" {
		t.Errorf("an empty batch: %+v", b)
	}
	if _, got := w.do("GET", "/v1/batches"); !strings.Contains(got, empty.ID) || !strings.Contains(got, `"object":"list"`) {
		t.Errorf("the list is %s", got)
	}
}

func TestCase_I10_BatchesOfAnotherProjectAreNotThere(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	w.withKeys(fmt.Sprintf(oneTarget, up.URL))
	in := w.putFile("batch", chatLine("a", "x"))
	b := w.startOf(in, "24h")
	w.wait(b.ID, "completed")
	for _, path := range []string{"GET /v1/batches/" + b.ID, "POST /v1/batches/" + b.ID + "/cancel", "GET /v1/messages/batches/" + b.ID + "/results", "DELETE /v1/messages/batches/" + b.ID} {
		method, path, _ := strings.Cut(path, " ")
		if resp, got := w.do(method, path, "Authorization", another); resp.StatusCode != 404 {
			t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, got)
		}
	}
	if resp, got := w.post("/v1/batches", `{"input_file_id":"`+in+`","endpoint":"/v1/chat/completions","completion_window":"24h"}`, "Authorization", another); resp.StatusCode != 404 {
		t.Errorf("a batch of another's file: %d %s", resp.StatusCode, got)
	}
	if _, got := w.do("GET", "/v1/batches", "Authorization", another); strings.Contains(got, b.ID) {
		t.Errorf("another's list has it: %s", got)
	}
}

func TestABatchEndsWhenItsKeyDoes(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer).DelayHeaders(50*time.Millisecond))
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	w.withKeys(fmt.Sprintf(oneTarget, up.URL))
	ct, body := form("purpose", "batch", "file", strings.Repeat(chatLine("", "x"), 0)+manyLines(100))
	_, got := w.post("/v1/files", body, "Content-Type", ct, "Authorization", another)
	var f struct{ ID string }
	_ = json.Unmarshal([]byte(got), &f)
	_, got = w.post("/v1/batches", `{"input_file_id":"`+f.ID+`","endpoint":"/v1/chat/completions","completion_window":"24h"}`, "Authorization", another)
	b := readState(t, got)
	for range 500 {
		if up.Count() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.current.Store(w.compile(fmt.Sprintf(oneTarget, up.URL))) // without the other key
	for range 500 {
		if o, err := w.db.Object(t.Context(), b.ID); err != nil || o.Status == "ended" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.withKeys(fmt.Sprintf(oneTarget, up.URL))
	_, got = w.do("GET", "/v1/batches/"+b.ID, "Authorization", another)
	b = readState(t, got)
	if b.Status != "completed" || b.Counts.Failed == 0 || b.Counts.Completed == 0 {
		t.Fatalf("the batch is %+v", b)
	}
	if _, text := w.do("GET", "/v1/files/"+b.Errors+"/content", "Authorization", another); !strings.Contains(text, `"status_code":401`) {
		t.Errorf("the errors are %s", text)
	}
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(chatLine(fmt.Sprint(i), "x"))
	}
	return b.String()
}

func TestMessageBatches(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	w := newBatchWorld(t, openDB(t, t.TempDir()+"/plenum.db"), clock.Real, oneTarget, up.URL)
	ask := `{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	_, got := w.post("/v1/messages/batches", `{"requests":[{"custom_id":"a","params":`+ask+`},{"custom_id":"b","params":{"model":"m"}},
		{"custom_id":"c","params":7}]}`, "anthropic-version", "2023-06-01")
	type message struct {
		ID, Type string
		Status   string         `json:"processing_status"`
		Results  string         `json:"results_url"`
		Counts   map[string]int `json:"request_counts"`
	}
	var b message
	if err := json.Unmarshal([]byte(got), &b); err != nil || b.Type != "message_batch" || b.Status != "in_progress" || b.Counts["processing"] != 3 {
		t.Fatalf("%v %s", err, got)
	}
	if resp, got := w.do("GET", "/v1/messages/batches/"+b.ID+"/results"); resp.StatusCode != 404 && resp.StatusCode != 200 {
		t.Errorf("results too early: %d %s", resp.StatusCode, got)
	}
	for i := 0; b.Status != "ended" && i < 500; i++ {
		time.Sleep(20 * time.Millisecond)
		_, got = w.do("GET", "/v1/messages/batches/"+b.ID)
		b = message{}
		_ = json.Unmarshal([]byte(got), &b)
	}
	if b.Counts["succeeded"] != 1 || b.Counts["errored"] != 2 || b.Counts["processing"] != 0 || b.Results == "" {
		t.Fatalf("it ended as %s", got)
	}
	_, text := w.do("GET", b.Results)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, want := range []string{`{"custom_id":"a","result":{"type":"succeeded","message":{`, `{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error"`, `{"custom_id":"c","result":{"type":"errored"`} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d of the results is wrong: %s", i, text)
		}
	}
	if _, got := w.do("GET", "/v1/messages/batches?limit=5"); !strings.Contains(got, b.ID) || !strings.Contains(got, `"has_more":false`) {
		t.Errorf("the list is %s", got)
	}
	if _, got := w.do("DELETE", "/v1/messages/batches/"+b.ID); !strings.Contains(got, "message_batch_deleted") {
		t.Errorf("deleting says %s", got)
	}
	if n, err := w.db.ObjectsSize(t.Context(), "default"); n != 0 || err != nil {
		t.Errorf("%d bytes are left, %v", n, err)
	}
	for name, body := range map[string]string{
		"none": `{"requests":[]}`, "no id": `{"requests":[{"params":{}}]}`, "twice": `{"requests":[{"custom_id":"a","params":{}},{"custom_id":"a","params":{}}]}`, "no JSON": `{`,
	} {
		if resp, got := w.post("/v1/messages/batches", body); resp.StatusCode != 400 || !strings.Contains(got, `"invalid_request_error"`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
}
