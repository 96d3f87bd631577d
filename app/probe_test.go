package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/probe"
)

// limited is an upstream that streams and calls tools, and reads no images; log probabilities it leaves out.
func limited(t *testing.T, name string, sees bool, calls *atomic.Int64) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		b, _ := io.ReadAll(r.Body)
		body := string(b)
		said := `{"role":"assistant","content":"` + name + `"}`
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(body, `"image_url"`) && !sees, strings.Contains(body, `"input_audio"`), strings.Contains(body, `"file_data"`):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"text alone is read here","type":"invalid_request_error","param":null,"code":null}}`)
			return
		case strings.Contains(body, `"reasoning_effort"`):
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error":{"message":"come back later","type":"server_error","param":null,"code":null}}`)
			return
		case strings.Contains(body, `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
			return
		case strings.Contains(body, `"tools"`):
			said = `{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"note","arguments":"{\"answer\":7}"}}]}`
		case strings.Contains(body, `"response_format"`):
			said = `{"role":"assistant","content":"{\"answer\": 7}"}`
		}
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":`+said+`,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	}))
	t.Cleanup(srv.Close)
	return srv
}

const probed = `admin_key: the-key-of-the-admin
retry: {attempts: 1}
connections:
  - {name: a, provider: openai-compatible, base_url: %[1]q}
  - {name: b, provider: openai-compatible, base_url: %[2]q}
deployments:
  - {name: m, targets: [{connection: a, upstream_model: blind, priority: 1}, {connection: b, upstream_model: seeing, priority: 2}]}
keys:
  - {name: dev, project: p, secret: "pk-the-key-of-a-developer"}
`

func (s *site) send(t *testing.T, path, key, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// What is probed is kept, and decides from then on which targets a call is sent to.
func TestCase_J8_ATargetThatCannotServeIsNotAsked(t *testing.T) {
	var blind, seeing atomic.Int64
	dir := t.TempDir()
	yaml := fmt.Sprintf(probed, limited(t, "blind", false, &blind).URL, limited(t, "seeing", true, &seeing).URL)
	s := serveNode(t, dir, yaml)
	const picture = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`
	if status, got := s.send(t, "/v1/chat/completions", "pk-the-key-of-a-developer", picture); status != http.StatusBadRequest {
		t.Errorf("before anybody knows, the first target answers: %d %s", status, got)
	}
	if status, _ := s.send(t, "/admin/v1/deployments/m/probe", "pk-the-key-of-a-developer", ""); status != http.StatusForbidden {
		t.Errorf("anybody may probe: %d", status)
	}
	t.Setenv("PLENUM_ADMIN_KEY", "the-key-of-the-admin")
	answer, err := askToProbe(t.Context(), s.url, "m", nil)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := (&output{format: "table"}).showFindings(&table, answer); err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(table.String()) {
		if f := strings.Fields(line); f[0] == "a/blind" {
			found = append(found, f[1]+" "+f[2])
		}
	}
	want := []string{"streaming yes", "tools yes", "schema yes", "images no", "documents no", "audio no", "thinking unknown", "logprobs no"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("want (-) and got (+):\n%s\n%s", diff, table.String())
	}
	look := func(s *site) {
		blind.Store(0)
		if status, got := s.send(t, "/v1/chat/completions", "pk-the-key-of-a-developer", picture); status != http.StatusOK || !strings.Contains(got, "seeing") || blind.Load() != 0 {
			t.Errorf("%d %s; the blind one was asked %d times", status, got, blind.Load())
		}
	}
	look(s)
	s.end(t)
	_ = s.Close()
	look(serveNode(t, dir, yaml)) // and after a restart
}

func TestACallThatNoTargetCanServeIsRefusedWithTheReason(t *testing.T) {
	var calls atomic.Int64
	up := limited(t, "x", true, &calls)
	yaml := strings.Replace(fmt.Sprintf(probed, up.URL, up.URL), "upstream_model: blind,", "upstream_model: blind, traits: {capabilities: {tools: false}},", 1)
	yaml = strings.Replace(yaml, "upstream_model: seeing,", "upstream_model: seeing, traits: {capabilities: {images: false}},", 1)
	s := serveNode(t, t.TempDir(), yaml)
	status, got := s.send(t, "/v1/chat/completions", "pk-the-key-of-a-developer",
		`{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`)
	if status != http.StatusBadRequest || calls.Load() != 0 || !strings.Contains(got, "a/blind cannot call tools; b/seeing cannot read images") {
		t.Errorf("%d, %d calls: %s", status, calls.Load(), got)
	}
}

// What is declared of a target stands, and the table says so.
func TestTheTableSaysWhatWasBelievedAndWhatStands(t *testing.T) {
	var calls atomic.Int64
	up := limited(t, "x", false, &calls)
	yaml := strings.Replace(fmt.Sprintf(probed, up.URL, up.URL), "upstream_model: blind,", "upstream_model: blind, traits: {capabilities: {images: true}},", 1)
	s := serveNode(t, t.TempDir(), yaml)
	t.Setenv("PLENUM_ADMIN_KEY", "the-key-of-the-admin")
	look := func(want ...string) {
		t.Helper()
		answer, err := askToProbe(t.Context(), s.url, "m", url.Values{"capabilities": {"tools,images"}})
		if err != nil {
			t.Fatal(err)
		}
		var table strings.Builder
		if err := (&output{format: "table"}).showFindings(&table, answer); err != nil {
			t.Fatal(err)
		}
		squeezed := strings.Join(strings.Fields(table.String()), " ")
		for _, w := range want {
			if !strings.Contains(squeezed, w) {
				t.Errorf("%q is not in\n%s", w, table.String())
			}
		}
	}
	look("a/blind tools yes unknown it called", "a/blind images no yes (configuration) text alone is read here; the configuration says otherwise, and stands", "b/seeing images no unknown text alone")
	look("a/blind tools yes yes (probed) it called", "b/seeing images no no (probed)")
}

func TestWhatIsTooOldDoesNotCount(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	fs := []probe.Finding{
		{Offer: "a", Capability: "tools", Can: plenum.No, Time: now.Add(-31 * 24 * time.Hour)},
		{Offer: "a", Capability: "images", Can: plenum.Yes, Time: now.Add(-29 * 24 * time.Hour)},
		{Offer: "b", Capability: "schema", Can: plenum.No, Time: now.Add(-time.Hour)},
	}
	of, until := probe.Of(fs, now, 30*24*time.Hour)
	if d := cmp.Diff(map[string]plenum.Capabilities{"a": {Images: plenum.Yes}, "b": {Schema: plenum.No}}, of); d != "" || !until.Equal(now.Add(24*time.Hour)) {
		t.Errorf("until %v: %s", until, d)
	}
	of, until = probe.Of(fs, now, 0)
	if of["a"].Tools != plenum.No || !until.IsZero() {
		t.Errorf("for ever: %+v until %v", of, until)
	}
}

// A finding that becomes too old while Plenum runs gives way to the catalog without a restart.
func TestAFindingGivesWayWhenItIsTooOld(t *testing.T) {
	var calls atomic.Int64
	up := limited(t, "x", false, &calls)
	s := serveNode(t, t.TempDir(), "probe_age: 3s\n"+fmt.Sprintf(probed, up.URL, up.URL))
	t.Setenv("PLENUM_ADMIN_KEY", "the-key-of-the-admin")
	if _, err := askToProbe(t.Context(), s.url, "m", url.Values{"capabilities": {"images"}}); err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		_, got := s.send(t, "/v1/chat/completions", "pk-the-key-of-a-developer", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`)
		return got
	}
	for end := time.Now().Add(30 * time.Second); !strings.Contains(ask(), "text alone is read here"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the finding still counts")
		}
	}
}

func TestFindingsAreMerged(t *testing.T) {
	old := []probe.Finding{{Offer: "a", Capability: "tools", Can: 1, Answer: "yes"}}
	got := probe.Merge(old, []probe.Finding{{Offer: "a", Capability: "tools", Can: 0, Answer: "unknown"}, {Offer: "a", Capability: "images", Can: 2, Answer: "no"}})
	if len(got) != 2 || got[0].Answer != "yes" || got[1].Answer != "no" {
		t.Errorf("%+v", got)
	}
}
