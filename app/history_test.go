package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/history"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

const keeping = "content: {keep: true}\n"

// keepingWorld is a world with a history.
type keepingWorld struct {
	*world
	h  *history.History
	db *sqlite.DB
}

// newKeeping opens a world on a store, which runs until the test ends.
func newKeeping(t *testing.T, yaml string, urls ...any) *keepingWorld {
	t.Helper()
	return newKeepingWith(t, Mechanisms{}, yaml, urls...)
}

func newKeepingWith(t *testing.T, m Mechanisms, yaml string, urls ...any) *keepingWorld {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "plenum.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return keepingOn(t, db, m, yaml, urls...)
}

func keepingOn(t *testing.T, db *sqlite.DB, m Mechanisms, yaml string, urls ...any) *keepingWorld {
	t.Helper()
	h := history.New(db, "node", clock.Real, slog.New(slog.DiscardHandler))
	m.History, m.Own = h, h.Handlers()
	w := newWorld(t, m, yaml, urls...)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, gateway.NewRunner(w.current, w.handler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &keepingWorld{w, h, db}
}

// ask sends a request of Responses and returns what was answered.
func (w *keepingWorld) ask(body string, header ...string) map[string]any {
	w.t.Helper()
	resp, got := w.post("/v1/responses", body, header...)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%d %s", resp.StatusCode, got)
	}
	return object(w.t, got)
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return m
}

// call sends a request without a body and returns what was answered, whatever the status.
func (w *keepingWorld) call(method, path string, header ...string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, http.NoBody)
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
	return resp.StatusCode, object(w.t, string(text))
}

const chatText = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"It is Paris."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`

// A conversation goes on from an answer by its id, on an upstream that knows nothing of that.
func TestAnAnswerIsGoneOnFromByItsID(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	first := w.ask(`{"model":"m","input":"The capital of France? <&>"}`)
	id, _ := first["id"].(string)
	if !strings.HasPrefix(id, "resp_") || first["store"] != true || first["previous_response_id"] != nil {
		t.Fatalf("the first answer is %v", first)
	}
	second := w.ask(`{"model":"m","input":[{"role":"user","content":"And of Spain?"}],"previous_response_id":"` + id + `"}`)
	if second["previous_response_id"] != id {
		t.Errorf("the second answer is %v", second)
	}
	sent := string(up.Requests()[1].Body)
	for _, want := range []string{"The capital of France? <&>", "It is Paris.", "And of Spain?"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q was not sent: %s", want, sent)
		}
	}
	if strings.Contains(sent, "previous_response_id") {
		t.Errorf("what the upstream does not know was sent: %s", sent)
	}
	third := w.ask(`{"model":"m","input":"And of Italy?","previous_response_id":"` + second["id"].(string) + `","stream":false,"store":false}`)
	if third["store"] != false {
		t.Errorf("store: false was answered with %v", third["store"])
	}
	if sent := string(up.Requests()[2].Body); strings.Count(sent, "It is Paris.") != 2 || strings.Index(sent, "France") > strings.Index(sent, "Spain") {
		t.Errorf("the third turn sent %s", sent)
	}
	if code, _ := w.call(http.MethodGet, "/v1/responses/"+third["id"].(string)); code != http.StatusNotFound {
		t.Errorf("what was not to be kept is found: %d", code)
	}
	resp, got := w.post("/v1/responses/input_tokens", `{"model":"m","input":"x","previous_response_id":"`+id+`"}`)
	if n, _ := object(t, got)["input_tokens"].(float64); resp.StatusCode != 200 || n < 10 {
		t.Errorf("the history was not counted: %s", got)
	}
}

func TestAStreamedAnswerIsKeptAsItWasHeard(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("It is "), chunk("Paris."), stopChunk, usageChunk, "[DONE]"))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	_, got := w.post("/v1/responses", `{"model":"m","input":"France?","stream":true}`)
	checkResponseStream(t, got)
	answer := lastResponse(t, got)
	if answer["store"] != true {
		t.Errorf("the stream says store %v", answer["store"])
	}
	code, kept := w.call(http.MethodGet, "/v1/responses/"+answer["id"].(string))
	if code != http.StatusOK || fmt.Sprint(kept) != fmt.Sprint(answer) {
		t.Errorf("kept is\n%v, heard was\n%v", kept, answer)
	}
	r := w.records.nth(t, 0)
	if r.Usage.Output != 5 || r.Outcome != "ok" {
		t.Errorf("the record says %+v", r)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/responses/"+answer["id"].(string)+"?stream=true&starting_after=3", http.NoBody)
	req.Header.Set("Authorization", "Bearer "+worldKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	again, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(again), "response.completed") || strings.Contains(string(again), `"sequence_number":3,`) || !strings.Contains(string(again), `"sequence_number":4,`) {
		t.Errorf("the stream again is %s", again)
	}
}

// lastResponse returns the answer in the last event of a stream.
func lastResponse(t *testing.T, stream string) map[string]any {
	t.Helper()
	i := strings.LastIndex(stream, "data: {")
	if i < 0 {
		t.Fatalf("no event in %q", stream)
	}
	line, _, _ := strings.Cut(stream[i+6:], "\n")
	r, _ := object(t, line)["response"].(map[string]any)
	if r == nil {
		t.Fatalf("no answer in %s", line)
	}
	return r
}

// checkResponseStream checks that the events of a stream are numbered without gaps.
func checkResponseStream(t *testing.T, stream string) {
	t.Helper()
	n := 0
	for line := range strings.SplitSeq(stream, "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if got := object(t, data)["sequence_number"]; got != float64(n) {
				t.Fatalf("event %d has the number %v: %s", n, got, stream)
			}
			n++
		}
	}
}

func TestKeptAnswersAreListedAndDeleted(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	first := w.ask(`{"model":"m","input":[{"role":"user","content":"one"},{"role":"user","content":"two"},{"type":"message","id":"msg_3","role":"user","content":[{"type":"input_text","text":"three"}]}]}`)
	id := first["id"].(string)
	code, list := w.call(http.MethodGet, "/v1/responses/"+id+"/input_items?limit=2&order=asc")
	data, _ := list["data"].([]any)
	if code != 200 || len(data) != 2 || list["has_more"] != true || list["object"] != "list" {
		t.Fatalf("%d %v", code, list)
	}
	one := data[0].(map[string]any)
	if one["type"] != "message" || one["id"] == "" || fmt.Sprint(one["content"]) != "[map[text:one type:input_text]]" {
		t.Errorf("the first item is %v", one)
	}
	_, list = w.call(http.MethodGet, "/v1/responses/"+id+"/input_items?order=asc&after="+list["last_id"].(string))
	if data, _ := list["data"].([]any); len(data) != 1 || data[0].(map[string]any)["id"] != "msg_3" || list["has_more"] != false {
		t.Errorf("the second page is %v", list)
	}
	if code, gone := w.call(http.MethodDelete, "/v1/responses/"+id); code != 200 || gone["deleted"] != true {
		t.Errorf("deleting: %d %v", code, gone)
	}
	for _, path := range []string{"", "/input_items"} {
		if code, _ := w.call(http.MethodGet, "/v1/responses/"+id+path); code != 404 {
			t.Errorf("what was deleted is there: %d", code)
		}
	}
	resp, got := w.post("/v1/responses", `{"model":"m","input":"x","previous_response_id":"`+id+`"}`)
	if resp.StatusCode != 404 || !strings.Contains(got, "previous_response_not_found") || !strings.Contains(got, "was deleted") {
		t.Errorf("going on from it: %d %s", resp.StatusCode, got)
	}
	if code, e := w.call(http.MethodGet, "/v1/responses/x?limit=1000"); code != 400 {
		t.Errorf("a page too long: %d %v", code, e)
	}
}

// Another project's answers are not there, by whatever way one asks for them.
func TestCase_I10_KeptAnswersBelongToTheirProject(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	w.current.Store(w.compileWith(fmt.Sprintf(keeping+oneTarget, up.URL), "  - {name: other, project: other, secret: "+otherKey+"}\n"))
	id := w.ask(`{"model":"m","input":"a secret"}`)["id"].(string)
	other := []string{"Authorization", "Bearer " + otherKey}
	for _, x := range [][2]string{
		{http.MethodGet, "/v1/responses/" + id},
		{http.MethodGet, "/v1/responses/" + id + "/input_items"},
		{http.MethodPost, "/v1/responses/" + id + "/cancel"},
		{http.MethodDelete, "/v1/responses/" + id},
	} {
		if code, got := w.call(x[0], x[1], other...); code != 404 || strings.Contains(fmt.Sprint(got), "secret") {
			t.Errorf("%s %s: %d %v", x[0], x[1], code, got)
		}
	}
	n := len(up.Requests())
	resp, _ := w.post("/v1/responses", `{"model":"m","input":"What was said?","previous_response_id":"`+id+`"}`, other...)
	if resp.StatusCode != 404 || len(up.Requests()) != n {
		t.Errorf("another project went on from it: %d", resp.StatusCode)
	}
	if code, _ := w.call(http.MethodGet, "/v1/responses/"+id); code != 200 {
		t.Errorf("its own project does not find it any more: %d", code)
	}
}

func TestNothingIsKeptUnlessTheConfigurationLetsItBe(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(chatText))
	for _, content := range []string{
		"", "content: {keep: true, projects: [elsewhere]}\n", "content: {keep: true}\n", "content: {keep: true, opt_in: true}\n",
		"content: {keep: true}\nprojects: [{name: default, content: {keep: false}}]\n",
	} {
		yaml := content + oneTarget
		if content == "content: {keep: true}\n" {
			yaml = strings.Replace(yaml, "  - name: m\n", "  - name: m\n    keep_content: false\n", 1)
		}
		w := newKeeping(t, yaml, up.URL)
		first := w.ask(`{"model":"m","input":"x","store":true}`)
		if first["store"] != false {
			t.Errorf("%q: store is %v", content, first["store"])
		}
		resp, got := w.post("/v1/responses", `{"model":"m","input":"x","previous_response_id":"`+first["id"].(string)+`"}`)
		if resp.StatusCode != 404 || !strings.Contains(got, "content.keep") {
			t.Errorf("%q: %d %s", content, resp.StatusCode, got)
		}
		resp, got = w.post("/v1/responses", `{"model":"m","input":"x","background":true}`)
		if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Plenum-Changed"), "background") || !strings.Contains(got, `"completed"`) {
			t.Errorf("%q: in the background: %d %s %s", content, resp.StatusCode, resp.Header.Get("Plenum-Changed"), got)
		}
		if code, _ := w.call(http.MethodPost, "/v1/conversations"); content != "content: {keep: true}\n" && code != 403 {
			t.Errorf("%q: a conversation: %d", content, code)
		}
	}
}

func TestWhatAnUpstreamKeepsIsAskedOfThatUpstream(t *testing.T) {
	whole := func(id string) testkit.Answer { return testkit.JSON(strings.Replace(responsesWhole, "resp_1", id, 1)) }
	a, b := testkit.NewUpstream(t, whole("resp_a1"), whole("resp_a2"), whole("resp_a1")), testkit.NewUpstream(t, whole("resp_b"))
	w := newKeeping(t, `
connections:
  - {name: a, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}
  - {name: b, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}
deployments:
  - {name: a, targets: [{connection: a, upstream_model: up}]}
  - {name: both, targets: [{connection: b, upstream_model: up}, {connection: a, upstream_model: up}]}
  - {name: b, targets: [{connection: b, upstream_model: up}]}
`, a.URL, b.URL)
	if id := w.ask(`{"model":"a","input":"x"}`)["id"]; id != "resp_a1" {
		t.Fatalf("the id is %v", id)
	}
	if id := w.ask(`{"model":"both","input":"x","previous_response_id":"resp_a1"}`)["id"]; id != "resp_a2" {
		t.Errorf("it went elsewhere: %v", id)
	}
	if sent := string(a.Requests()[1].Body); !strings.Contains(sent, `"previous_response_id":"resp_a1"`) {
		t.Errorf("the upstream heard %s", sent)
	}
	resp, got := w.post("/v1/responses", `{"model":"b","input":"x","previous_response_id":"resp_a1"}`)
	if resp.StatusCode != 404 || !strings.Contains(got, "does not call") {
		t.Errorf("a deployment that cannot reach it: %d %s", resp.StatusCode, got)
	}
	resp, _ = w.post("/v1/responses", `{"model":"a","input":"x","previous_response_id":"resp_of_somebody"}`)
	if resp.StatusCode != 404 || len(a.Requests()) != 2 {
		t.Errorf("an id that nobody here was given: %d", resp.StatusCode)
	}
	code, answer := w.call(http.MethodGet, "/v1/responses/resp_a1?include=x&api_key=no")
	if r := a.Requests()[2]; code != 200 || answer["id"] != "resp_a1" || r.Method != http.MethodGet || r.Path != "/v1/responses/resp_a1" || r.RawQuery != "include=x" {
		t.Errorf("asking for it: %d %v %+v", code, answer, r)
	}
}

func TestConversationsAreKept(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	_, got := w.post("/v1/conversations", `{"metadata":{"topic":"x"},"items":[{"type":"message","role":"user","content":"Be kind."}]}`)
	conv := object(t, got)
	id, _ := conv["id"].(string)
	if !strings.HasPrefix(id, "conv_") || fmt.Sprint(conv["metadata"]) != "map[topic:x]" {
		t.Fatalf("the conversation is %v", conv)
	}
	first := w.ask(`{"model":"m","input":"France?","conversation":"` + id + `"}`)
	if fmt.Sprint(first["conversation"]) != "map[id:"+id+"]" {
		t.Errorf("the answer says %v", first["conversation"])
	}
	w.ask(`{"model":"m","input":"Spain?","conversation":{"id":"` + id + `"},"store":false}`)
	sent := string(up.Requests()[1].Body)
	for _, want := range []string{"Be kind.", "France?", "It is Paris.", "Spain?"} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q was not sent: %s", want, sent)
		}
	}
	_, list := w.call(http.MethodGet, "/v1/conversations/"+id+"/items?order=asc")
	data, _ := list["data"].([]any)
	if len(data) != 5 {
		t.Fatalf("the items are %v", list)
	}
	item := data[1].(map[string]any)["id"].(string)
	if code, it := w.call(http.MethodGet, "/v1/conversations/"+id+"/items/"+item); code != 200 || it["id"] != item {
		t.Errorf("the item: %d %v", code, it)
	}
	if code, _ := w.call(http.MethodDelete, "/v1/conversations/"+id+"/items/"+item); code != 200 {
		t.Errorf("deleting an item: %d", code)
	}
	if code, _ := w.call(http.MethodGet, "/v1/conversations/"+id+"/items/"+item); code != 404 {
		t.Errorf("a deleted item: %d", code)
	}
	if resp, got := w.post("/v1/conversations/"+id, `{"metadata":{"topic":"y"}}`); resp.StatusCode != 200 || !strings.Contains(got, `"topic":"y"`) {
		t.Errorf("changing it: %s", got)
	}
	if resp, got := w.post("/v1/conversations/"+id+"/items", `{"items":[{"type":"message","role":"user","content":"more"}]}`); resp.StatusCode != 200 || !strings.Contains(got, "more") {
		t.Errorf("adding to it: %s", got)
	}
	if code, gone := w.call(http.MethodDelete, "/v1/conversations/"+id); code != 200 || gone["object"] != "conversation.deleted" {
		t.Errorf("deleting it: %d %v", code, gone)
	}
	if resp, got := w.post("/v1/responses", `{"model":"m","input":"x","conversation":"`+id+`"}`); resp.StatusCode != 404 || !strings.Contains(got, "conversation") {
		t.Errorf("a turn of it: %d %s", resp.StatusCode, got)
	}
}

// waitFor asks for an answer until it is over.
func (w *keepingWorld) waitFor(id string) map[string]any {
	w.t.Helper()
	for range 500 {
		if _, r := w.call(http.MethodGet, "/v1/responses/"+id); r["status"] != "queued" && r["status"] != "in_progress" {
			return r
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("%s does not come to an end", id)
	return nil
}

func TestAnAnswerIsMadeInTheBackground(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("It is "), chunk("Paris."), stopChunk, usageChunk, "[DONE]"))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	first := w.ask(`{"model":"m","input":"France?","background":true}`)
	if first["status"] != "queued" || first["background"] != true || first["store"] != true {
		t.Fatalf("the answer is %v", first)
	}
	id := first["id"].(string)
	done := w.waitFor(id)
	if done["status"] != "completed" || done["id"] != id || done["background"] != true || !strings.Contains(fmt.Sprint(done["output"]), "It is Paris.") {
		t.Errorf("made was %v", done)
	}
	outer, inner := w.records.nth(t, 0), w.made(0)
	if outer.Parent != "" {
		outer = w.records.nth(t, 1)
	}
	if inner.Parent != outer.ID || inner.Usage.Output != 5 || inner.KeyID == "" || inner.Project != "default" || outer.Cost != 0 {
		t.Errorf("the records say %+v and %+v", outer, inner)
	}
	next := w.ask(`{"model":"m","input":"Spain?","previous_response_id":"` + id + `"}`)
	if sent := string(up.Requests()[1].Body); !strings.Contains(sent, "It is Paris.") || next["previous_response_id"] != id {
		t.Errorf("going on from it sent %s", sent)
	}
	if code, e := w.call(http.MethodPost, "/v1/responses/"+id+"/cancel"); code != 200 || e["status"] != "completed" {
		t.Errorf("cancelling what is over: %d %v", code, e)
	}
	if code, e := w.call(http.MethodPost, "/v1/responses/"+next["id"].(string)+"/cancel"); code != 400 {
		t.Errorf("cancelling what was not in the background: %d %v", code, e)
	}
}

// get reads a stream until it ends, or until stop is found in it.
func (w *keepingWorld) stream(ctx context.Context, path, stop string) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+worldKey)
	return w.read(req, stop)
}

func (w *keepingWorld) read(req *http.Request, stop string) string {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var got strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		got.Write(buf[:n])
		if err != nil || stop != "" && strings.Contains(got.String(), stop) {
			return got.String()
		}
	}
}

// Who goes away from a stream in the background comes back to it, and misses nothing.
func TestAStreamInTheBackgroundIsResumed(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk("It is "), chunk("Paris."), stopChunk, usageChunk, "[DONE]").DelayAt(2, 300*time.Millisecond))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v1/responses", strings.NewReader(`{"model":"m","input":"France?","background":true,"stream":true}`))
	req.Header.Set("Authorization", "Bearer "+worldKey)
	first := w.read(req, `"delta":"It is "`)
	_, rest, _ := strings.Cut(first, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	number := -1
	for line := range strings.SplitSeq(first, "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok && strings.HasSuffix(data, "}") {
			number = int(object(t, data)["sequence_number"].(float64))
		}
	}
	second := w.stream(ctx, fmt.Sprintf("/v1/responses/%s?stream=true&starting_after=%d", id, number), "")
	if strings.Contains(second, fmt.Sprintf(`"sequence_number":%d,`, number)) || !strings.Contains(second, fmt.Sprintf(`"sequence_number":%d,`, number+1)) {
		t.Errorf("after %d came %s", number, second)
	}
	if r := lastResponse(t, second); r["status"] != "completed" || r["id"] != id || !strings.Contains(fmt.Sprint(r["output"]), "It is Paris.") {
		t.Errorf("the end is %v", r)
	}
	w.waitFor(id)
	whole := w.stream(ctx, "/v1/responses/"+id+"?stream=true", "")
	checkResponseStream(t, whole)
	if !strings.HasPrefix(whole, first[:strings.LastIndex(first, "event: ")]) {
		t.Errorf("said again it is\n%s\nand was\n%s", whole, first)
	}
}

func TestWhatIsMadeInTheBackgroundCanBeCancelled(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(roleChunk, chunk(strings.Repeat("long ", 100)), chunk("b"), stopChunk, "[DONE]").DelayAt(2, testkit.Forever))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	for n, how := range []string{http.MethodPost, http.MethodDelete} {
		id := w.ask(`{"model":"m","input":"France?","background":true}`)["id"].(string)
		for range 500 {
			if len(up.Requests()) == n+1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		path := "/v1/responses/" + id
		if how == http.MethodPost {
			path += "/cancel"
		}
		code, got := w.call(how, path)
		if how == http.MethodPost && (code != 200 || got["status"] != "cancelled" || got["background"] != true) || how == http.MethodDelete && got["deleted"] != true {
			t.Errorf("%s: %d %v", how, code, got)
		}
		r := w.made(n)
		if r.Parent == "" || r.Outcome != "canceled" || r.Usage.Output == 0 || !r.Estimated {
			t.Errorf("the record says %+v", r)
		}
		if code, got := w.call(http.MethodGet, "/v1/responses/"+id); how == http.MethodPost && got["status"] != "cancelled" || how == http.MethodDelete && code != 404 {
			t.Errorf("then it is %d %v", code, got)
		}
	}
}

// made waits for the record of the call number n that was made in the background.
func (w *keepingWorld) made(n int) plenum.Record {
	w.t.Helper()
	for i, left := 0, n; ; i++ {
		if r := w.records.nth(w.t, i); r.Parent != "" {
			if left == 0 {
				return r
			}
			left--
		}
	}
}

func TestWhatFailsInTheBackgroundSaysWhy(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.OpenAIError(400, "invalid_request_error", "the upstream's reason"))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	got := w.waitFor(w.ask(`{"model":"m","input":"x","background":true}`)["id"].(string))
	if got["status"] != "failed" || !strings.Contains(fmt.Sprint(got["error"]), "the upstream's reason") {
		t.Errorf("it is %v", got)
	}
	resp, text := w.post("/v1/responses", `{"model":"nobody","input":"x","background":true}`)
	if resp.StatusCode != 404 || !strings.Contains(text, "model_not_found") {
		t.Errorf("an unknown model: %d %s", resp.StatusCode, text)
	}
}

// What was under way when a node went down has failed when it comes back, and says so.
func TestWhatANodeLeftBehindHasFailed(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "plenum.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	up := testkit.NewUpstream(t, testkit.Hang())
	h := history.New(db, "node", clock.Real, slog.New(slog.DiscardHandler)) // nobody runs it: it died
	first := &keepingWorld{newWorld(t, Mechanisms{History: h, Own: h.Handlers()}, keeping+oneTarget, up.URL), h, db}
	id := first.ask(`{"model":"m","input":"x","background":true}`)["id"].(string)
	second := keepingOn(t, db, Mechanisms{}, keeping+oneTarget, up.URL)
	got := second.waitFor(id)
	if got["status"] != "failed" || !strings.Contains(fmt.Sprint(got["error"]), "stopped") {
		t.Errorf("it is %v", got)
	}
	if len(up.Requests()) != 0 {
		t.Error("it was run again")
	}
}

func TestCase_I10_AnItemThatIsOnlyNamedIsTheCallersOwn(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(*testkit.Request) testkit.Answer { return testkit.JSON(responsesWhole) })
	yaml := keysOfTwo + `
connections:
  - {name: a, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}
deployments:
  - {name: m, targets: [{connection: a, upstream_model: up}]}
  - {name: open, unknown_ids: allow, targets: [{connection: a, upstream_model: up}]}
`
	w := newKeeping(t, yaml, up.URL)
	w.withKeys(fmt.Sprintf(yaml, up.URL))
	answer := w.ask(`{"model":"m","input":"x"}`)
	output, _ := answer["output"].([]any)
	item, _ := output[0].(map[string]any)
	id, _ := item["id"].(string)
	if id == "" {
		t.Fatalf("the answer is %v", answer)
	}
	for name, x := range map[string]struct {
		item, model, key string
		want             int
	}{
		"the caller's":              {`{"type":"item_reference","id":"` + id + `"}`, "m", worldKey, 200},
		"another's":                 {`{"type":"item_reference","id":"` + id + `"}`, "m", otherKey, 404},
		"without a type":            {`{"id":"` + id + `"}`, "m", otherKey, 404},
		"with an escaped type":      {`{"type":"item\u005freference","id":"` + id + `"}`, "m", otherKey, 404},
		"a picture":                 {`{"type":"image_generation_call","id":"ig_1"}`, "m", worldKey, 404},
		"nobody's":                  {`{"type":"item_reference","id":"msg_9"}`, "m", worldKey, 404},
		"nobody's, and allowed":     {`{"type":"item_reference","id":"msg_9"}`, "open", worldKey, 200},
		"an item that is all there": {`{"type":"message","role":"user","id":"msg_9","content":"hi"}`, "m", worldKey, 200},
	} {
		before := up.Count()
		resp, got := w.post("/v1/responses", `{"model":"`+x.model+`","input":[`+x.item+`,{"role":"user","content":"y"}]}`, "Authorization", "Bearer "+x.key)
		if resp.StatusCode != x.want || (up.Count() > before) != (x.want == 200) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	resp, got := w.post("/v1/responses", `{"model":"m","previous_response_id":"`+answer["id"].(string)+`","input":[{"type":"item_reference","id":"msg_9"}]}`)
	if resp.StatusCode != 404 {
		t.Errorf("beside an answer that the upstream keeps: %d %s", resp.StatusCode, got)
	}
}
