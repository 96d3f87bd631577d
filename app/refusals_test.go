package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// refusal is one way in which a request may not do what it asks.
type refusal struct {
	name, key string
	extra     string // of the configuration
	spend     bool   // the budget is spent first
	want      []int
}

const keysOfTheWalk = `
admin_key: the-key-of-the-admin
content: {keep: true}
projects: [{name: mine}, {name: other}]
members: [{name: ann, roles: [{role: admin}]}, {name: bob, roles: [{role: developer, project: other}]}]
keys:
  - {name: good, project: mine, secret: a-good-key-of-mine}
  - {name: over, project: mine, secret: an-expired-key-of-mine, expires: 2020-01-01}
  - {name: other, project: other, secret: a-good-key-of-other}
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}, {name: b, provider: openai-compatible, base_url: "%s/v1"}]
deployments:
  - name: spender
    targets: [{connection: b, upstream_model: up, price: {input_usd_per_million: 0, output_usd_per_million: 1000}, context: 100000, max_output: 5}]
  - name: m
    aliases: ["arn:m/x", "arn:m/x/x"]
    lifecycle: allow
    retry: {attempts: 1, max_wait: 1s}
    targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 1000, output_usd_per_million: 1000, image_usd_per_thousand: 1000, character_usd_per_million: 1000, second_usd_per_thousand: 1000}, context: 100000, max_output: 1000}]
`

// refusals are the ways, and what each route answers.
func refusals() []refusal {
	mine := "policies: [{name: mine-alone, cedar: 'permit (principal in Project::\"mine\", action, resource);'}]\n"
	nobody := "policies: [{name: nobody, cedar: 'permit (principal in Project::\"nobody\", action, resource);'}]\n"
	spent := "budgets: [{name: spent, amount_usd: 0.005, window: year}]\n"
	return []refusal{
		{name: "no key", want: []int{401}},
		{name: "expired key", key: "an-expired-key-of-mine", want: []int{401}},
		{name: "key of another project", key: "a-good-key-of-other", extra: mine, want: []int{403}},
		{name: "policy denial", key: "a-good-key-of-mine", extra: nobody, want: []int{403}},
		{name: "exhausted budget", key: "a-good-key-of-mine", extra: spent, spend: true, want: []int{402, 429}},
	}
}

// inPattern is a variable of a route's pattern.
var inPattern = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// pathOf fills a pattern: what names a model names the one that there is, and what names a thing one that nobody has.
func pathOf(pattern string) string {
	return inPattern.ReplaceAllStringFunc(pattern, func(v string) string {
		switch name := inPattern.FindStringSubmatch(v)[1]; name {
		case "model", "modelId", "deployment":
			if strings.Contains(pattern, "{more}") {
				return "arn:m"
			}
			return "m"
		case "more", "most":
			return "x"
		default:
			return "thing_1"
		}
	})
}

// asking is a body that asks for something in every dialect: each reads its own members.
const asking = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"input":"hi","prompt":"hi","query":"hi","documents":["a"],"texts":["hi"],
"message":"hi","input_type":"search_query","embedding_types":["float"],"content":{"parts":[{"text":"hi"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],
"requests":[{"model":"models/m","content":{"parts":[{"text":"hi"}]}}],"instances":[{"content":"hi","prompt":"hi"}],"max_tokens":10,"voice":"alloy","anthropic_version":"bedrock-2023-05-31"}`

// bodyOf returns what a route is sent, and as what.
func bodyOf(t *testing.T, d *dialect.Dialect, r *dialect.Route) (body, media string) {
	t.Helper()
	switch {
	case d.Name == xaigrpc.Name:
		return string(frame.AppendMessage(nil, xaiBody(t, r))), "application/grpc"
	case d.Name == "ollama":
		return strings.Replace(asking, `[{"type":"text","text":"hi"}]`, `"hi"`, 1), "application/json"
	case d.Name == "cohere-v1":
		return strings.Replace(asking, `"documents":["a"],`, "", 1), "application/json"
	case r.Method == http.MethodGet || r.Method == http.MethodDelete:
		return "", ""
	case r.Op == llm.OpTranscribe || r.Op == llm.OpTranslate || r.Op == llm.OpImageEdit || r.Op == llm.OpImageVary || r.Op == llm.OpFileCreate:
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for name, v := range map[string]string{"model": "m", "prompt": "hi", "purpose": "batch"} {
			_ = w.WriteField(name, v)
		}
		name := "file"
		if r.Op == llm.OpImageEdit || r.Op == llm.OpImageVary {
			name = "image"
		}
		f, _ := w.CreateFormFile(name, "a.png")
		_, _ = f.Write([]byte("\x89PNG\r\n\x1a\n"))
		_ = w.Close()
		return b.String(), w.FormDataContentType()
	}
	return asking, "application/json"
}

// xaiBody returns the message of a method of xAI's gRPC.
func xaiBody(t *testing.T, r *dialect.Route) []byte {
	t.Helper()
	switch r.Op {
	case llm.OpGenerate:
		return xaiRequest(t, askCat("m"))
	case llm.OpEmbed:
		return xaiEmbedAsked(0)
	case llm.OpImage:
		out, _, err := r.Codec.(dialect.Client).EncodeRequest(&llm.Draw{Model: "m", Prompt: "hi"}, dialect.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		return out.Body
	case llm.OpKept:
		return idOf("thing_1")
	case llm.OpModels:
		if strings.Contains(r.Pattern, "/Get") {
			return []byte{0x0a, 1, 'm'}
		}
	}
	return nil
}

// headers are what requests may carry beside their key, so that a route takes them for its own.
func headers(key string) []map[string]string {
	return []map[string]string{
		{},
		{"Anthropic-Version": "2023-06-01"},
		{"Plenum-Deployment": "m"},
		{"Anthropic-Version": "2023-06-01", "Plenum-Deployment": "m"},
		{"X-Goog-Api-Key": key},
		{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
		{"User-Agent": "mistral-client-python/1.9.0"},
		{"User-Agent": "ai-sdk/xai/2.0"},
		{"User-Agent": "python-httpx/0.28", "Accept": "text/event-stream", "Cache-Control": "no-store"},
		{"X-Fern-Sdk-Name": "cohere"},
	}
}

// request returns a request that a route takes for its own; false where none of the headers makes it so.
func request(t *testing.T, d *dialect.Dialect, r *dialect.Route, prefix, key string) (*http.Request, bool) {
	t.Helper()
	body, media := bodyOf(t, d, r)
	path := prefix + pathOf(r.Pattern)
	switch {
	case r.Op == llm.OpRealtime:
		path += "?model=m"
	case r.Match != nil && strings.HasSuffix(r.Pattern, "/publishers/{publisher}/models/{model...}"):
		path += ":rawPredict"
	}
	for _, header := range headers(key) {
		q := httptest.NewRequest(r.Method, path, strings.NewReader(body))
		if media != "" {
			q.Header.Set("Content-Type", media)
		}
		if d.Name == xaigrpc.Name {
			q.ProtoMajor, q.ProtoMinor, q.Proto = 2, 0, "HTTP/2.0"
		}
		if key != "" {
			q.Header.Set("Authorization", "Bearer "+key)
		}
		for name, v := range header {
			q.Header.Set(name, v)
		}
		if r.Match == nil || r.Match(q) {
			return q, true
		}
	}
	return nil, false
}

// walk sends a request to a node without a network between, and returns the status: of gRPC the one of HTTP that says
// the same.
func (n *Node) walk(q *http.Request) (int, string) {
	w := httptest.NewRecorder()
	n.handler().ServeHTTP(w, q)
	resp := w.Result()
	defer resp.Body.Close()
	status := resp.StatusCode
	if grpc := resp.Header.Get("Grpc-Status") + resp.Trailer.Get("Grpc-Status"); grpc != "" {
		status = map[string]int{"16": 401, "7": 403, "5": 404, "8": 429, "3": 400, "12": 501, "0": 200}[grpc]
		return status, resp.Header.Get("Grpc-Message") + resp.Trailer.Get("Grpc-Message")
	}
	return status, w.Body.String()
}

// costs reports whether what a route asks for is paid for. What reads, lists, deletes or keeps costs nothing, nor does what
// is made of calls that are paid for one by one: batches and sessions.
func costs(r *dialect.Route) bool {
	switch r.Op {
	case llm.OpGenerate, llm.OpEmbed, llm.OpRerank, llm.OpModerate, llm.OpImage, llm.OpImageEdit, llm.OpImageVary, llm.OpSpeak, llm.OpTranscribe, llm.OpTranslate, llm.OpCompact:
		return true
	case llm.OpLifecycle:
		return r.Method != http.MethodGet && r.Method != http.MethodDelete
	}
	return false
}

// listed is the deployment in a list of models.
var listed = regexp.MustCompile(`"(models/)?m"`)

// fault says what is wrong with the answer of a route to who may not be answered; "" where nothing is.
func (way *refusal) fault(r *dialect.Route, status int, said string, reached bool) string {
	names := r.Op == llm.OpLifecycle && strings.Contains(r.Pattern, "{") // a thing of the vendor's that is nobody's
	switch {
	case way.spend && !costs(r):
		if status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
			return "what costs nothing is refused"
		}
		return ""
	case reached:
		return "it reached the upstream"
	case slices.Contains(way.want, status):
		return ""
	case strings.HasSuffix(r.Pattern, "/StartDeferredCompletion") && status == http.StatusOK && way.want[0] != http.StatusUnauthorized:
		return "" // it is put off, and refused when its time comes
	case names && status == http.StatusNotFound && way.want[0] != http.StatusUnauthorized:
		return ""
	case r.Op == llm.OpModels && status == http.StatusOK && way.want[0] == http.StatusForbidden && !listed.MatchString(said):
		return "" // a list, and nothing is in it
	}
	return fmt.Sprintf("it answers %d, not %v", status, way.want)
}

// refusedRoutes is what the routes of an operation answered to each refusal.
type refusedRoutes struct {
	routes   int
	statuses [5]map[int]bool
}

// TestEveryRouteRefuses sends every route of every dialect, at its own path and under its dialect's prefix, what must be
// refused, and writes docs/refusals.md.
func TestEveryRouteRefuses(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	table := map[string]*refusedRoutes{}
	for i, way := range refusals() {
		m := serveNode(t, t.TempDir(), fmt.Sprintf(keysOfTheWalk, up.URL, up.URL)+way.extra)
		if way.spend {
			if status, said := m.walk(spending()); status != http.StatusOK {
				t.Fatalf("the budget cannot be spent: %d %s", status, said)
			}
		}
		began := up.Count()
		for _, d := range all.Dialects() {
			for j := range d.Routes {
				r := &d.Routes[j]
				tried := false
				for _, prefix := range []string{"/" + d.Name, ""} {
					q, ok := request(t, d, r, prefix, way.key)
					if !ok {
						continue
					}
					tried = true
					before := up.Count()
					status, said := m.walk(q)
					if fault := way.fault(r, status, said, up.Count() != before); fault != "" {
						t.Errorf("%s: %s %s, %s %s: %s: %.300s", way.name, d.Name, r.Op, r.Method, prefix+pathOf(r.Pattern), fault, said)
					}
					o := table[string(r.Op)]
					if o == nil {
						o = &refusedRoutes{}
						table[string(r.Op)] = o
					}
					o.note(i, status)
				}
				if !tried && way.key != "" { // some are known by where the key stands
					t.Errorf("%s %s, %s %s: no request is known that it takes for its own", d.Name, r.Op, r.Method, r.Pattern)
				}
			}
		}
		m.end(t) // with what was put off
		if n := up.Count() - began; n != 0 && !way.spend {
			t.Errorf("%s: %d requests reached the upstream", way.name, n)
		}
	}
	page(t, "refusals.md", "TestEveryRouteRefuses", refusalsPage(table))
}

// note notes an answer; the first way counts the requests.
func (o *refusedRoutes) note(i, status int) {
	if i == 0 {
		o.routes++
	}
	if o.statuses[i] == nil {
		o.statuses[i] = map[int]bool{}
	}
	o.statuses[i][status] = true
}

// refusalsPage is the page of it.
func refusalsPage(table map[string]*refusedRoutes) string {
	var b strings.Builder
	b.WriteString("# What every route refuses\n\n" +
		"Every route of every dialect, at its own path and under its dialect's prefix, is asked without a key, with an expired key, with a key of\n" +
		"a project that no policy lets in, with a key that a policy denies, and with a hard budget that is spent. The statuses are those of HTTP; gRPC's\n" +
		"are given as what says the same. In the first four columns nothing reached an upstream; in the last nothing that costs. The page is written by\n" +
		"`go test ./app -run TestEveryRouteRefuses -update`, and the test holds every route to it.\n\n" +
		"- `200` to `models` is a list in which nothing is.\n" +
		"- `200` to `generate` is an answer that is put off (xAI's deferred completions); it is refused when its time comes.\n" +
		"- `404` is what names a thing at the vendor that is not the caller's.\n" +
		"- A budget refuses what costs. What reads, lists, deletes or keeps costs nothing and is answered, as are batches and sessions, whose calls\n" +
		"  are refused one by one.\n\n" +
		"| operation | requests | no key | expired key | key of another project | policy denial | exhausted budget |\n|---|---|---|---|---|---|---|\n")
	for _, op := range slices.Sorted(maps.Keys(table)) {
		o := table[op]
		fmt.Fprintf(&b, "| %s | %d |", op, o.routes)
		for i, statuses := range o.statuses {
			cell := make([]string, 0, len(statuses))
			for _, s := range slices.Sorted(maps.Keys(statuses)) {
				cell = append(cell, fmt.Sprint(s))
			}
			if i == 4 && !statuses[http.StatusTooManyRequests] {
				cell = []string{"costs nothing"}
			}
			b.WriteString(" " + strings.Join(cell, ", ") + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// spending asks for what costs all that there is.
func spending() *http.Request {
	q := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model":"spender","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer a-good-key-of-mine")
	return q
}

// TestEveryOperationOfTheManagementAPIRefuses walks its own description: who shows no key, one that has expired, one for
// models, and who may only look, changes nothing.
func TestEveryOperationOfTheManagementAPIRefuses(t *testing.T) {
	up := testkit.NewUpstream(t)
	n := serveNode(t, t.TempDir(), fmt.Sprintf(keysOfTheWalk, up.URL, up.URL))
	keep := func(k plenum.Key) string {
		secret, key, err := keepKey(t.Context(), n.store, n.pepper, k)
		if err != nil {
			t.Fatal(err)
		}
		if key.Admin = k.Admin; !key.Admin {
			t.Fatal("it is to be of the management API")
		}
		return secret.Reveal()
	}
	ended := keep(plenum.Key{Name: "e", Project: "mine", Member: "ann", Admin: true, Expires: 1})
	looks := keep(plenum.Key{Name: "l", Project: "mine", Member: "ann", Admin: true, Scope: &plenum.Scope{ReadOnly: true}})
	bobs := keep(plenum.Key{Name: "b", Project: "other", Member: "bob", Admin: true})
	if err := (foundry{n.Node}).Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	var api struct{ Paths map[string]map[string]any }
	_, text := n.walk(httptest.NewRequest(http.MethodGet, "/admin/v1/openapi.json", nil))
	if err := json.Unmarshal([]byte(text), &api); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for path, methods := range api.Paths {
		path = "/admin/v1" + strings.TrimPrefix(inPattern.ReplaceAllString(path, "m"), "/admin/v1")
		for method := range methods {
			method = strings.ToUpper(method)
			if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) || strings.HasSuffix(path, "/openapi.json") {
				continue
			}
			tried++
			for _, c := range []struct {
				who, key string
				want     int
				writes   bool
			}{
				{"nobody", "", 401, false},
				{"who has a key that has expired", ended, 401, false},
				{"who has an expired key for models", "an-expired-key-of-mine", 401, false},
				{"who has a key for models", "a-good-key-of-mine", 403, false},
				{"who may only look", looks, 403, true},
			} {
				if asks := strings.HasSuffix(path, ":explain") || strings.HasSuffix(path, ":test"); c.writes && (method == http.MethodGet || asks) {
					continue
				}
				q := httptest.NewRequest(method, path, strings.NewReader(`{"name":"m"}`))
				q.Header.Set("Content-Type", "application/json")
				if c.key != "" {
					q.Header.Set("Authorization", "Bearer "+c.key)
				}
				if status, said := n.walk(q); status != c.want {
					t.Errorf("%s %s to %s: %d %.200s, want %d", method, path, c.who, status, said, c.want)
				}
			}
			// Who has a role in another project sees and changes nothing of this one.
			q := httptest.NewRequest(method, strings.ReplaceAll(path, "/m", "/mine"), strings.NewReader(`{"name":"mine"}`))
			q.Header.Set("Content-Type", "application/json")
			q.Header.Set("Authorization", "Bearer "+bobs)
			if status, said := n.walk(q); method != http.MethodGet && status < 300 || strings.Contains(said, `"mine"`) && status < 300 {
				t.Errorf("%s %s to a developer of another project: %d %.300s", method, path, status, said)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d operations were tried", tried)
	}
}
