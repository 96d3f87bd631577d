package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/policy"
	"github.com/plenum-foundry/plenum/stage/resolve"
)

// noUploads is a policy by which files may be seen and not made.
type noUploads struct{}

var _ policy.OwnDecider = noUploads{}

func (noUploads) Allow(*gateway.Call, *plenum.Target) error { return nil }

func (noUploads) AllowOwn(c *gateway.Call) error {
	if c.Op == llm.OpFileCreate {
		return errors.New("no uploads")
	}
	return nil
}

func TestAPolicyDecidesOnFilesToo(t *testing.T) {
	up := testkit.NewUpstream(t)
	keeper := file.New(openDB(t, t.TempDir()+"/plenum.db"), clock.Real, slog.New(slog.DiscardHandler))
	w := newWorld(t, Mechanisms{Policy: noUploads{}, Own: keeper.Handlers()}, oneTarget, up.URL)
	ct, body := form("purpose", "user_data", "file", "x")
	if resp, got := w.post("/v1/files", body, "Content-Type", ct); resp.StatusCode != 403 {
		t.Errorf("an upload: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/files"); resp.StatusCode != 200 {
		t.Errorf("the list: %d %s", resp.StatusCode, got)
	}
}

// inForce are the mechanisms of a world whose policies are those of its configuration.
func inForce(m Mechanisms) Mechanisms {
	m.Policy = policy.Cedar{Clock: clock.Real}
	return m
}

// manyTargets has a deployment of two places, one of one of them, and policies.
const manyTargets = `
connections:
  - {name: eu, provider: openai-compatible, base_url: "%s/v1", region: eu-west-1}
  - {name: us, provider: openai-compatible, base_url: "%s/v1", region: us-east-1}
deployments:
  - name: m
    lifecycle: allow
    targets:
      - {connection: us, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
      - {connection: eu, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}
  - {name: far, targets: [{connection: us, upstream_model: up-2}]}
  - {name: vectors, targets: [{connection: us, upstream_model: up-3}]}
policies:
  - name: base
    cedar: permit (principal, action, resource);
  - name: only-eu
    cedar: |
      @message("only models in the EU, says compliance")
      forbid (principal, action == Action::"use", resource)
        unless { resource.region like "eu-*" || resource.upstream == "up-3" && context.operation == "embed" };
`

func TestAPolicyRemovesTargetsAndIsOnRecord(t *testing.T) {
	eu, us := testkit.NewUpstream(t, testkit.JSON(whole)), testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, inForce(Mechanisms{}), manyTargets, eu.URL, us.URL)
	version := regexp.MustCompile("^base@[0-9a-f]{8} permits$")
	for range 2 {
		if resp, got := w.post("/v1/chat/completions", askWhole); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
	}
	if us.Count() != 0 || eu.Count() != 2 {
		t.Errorf("the targets had %d and %d calls", eu.Count(), us.Count())
	}
	for i := range 2 {
		r := w.records.nth(t, i)
		if !version.MatchString(r.Policy) || len(r.Notes) != 1 || !regexp.MustCompile("^policy: not to us/up: only-eu@[0-9a-f]{8} forbids$").MatchString(r.Notes[0]) {
			t.Errorf("the record says %q, %q", r.Policy, r.Notes)
		}
	}
}

func TestARefusalByPolicyIsSaidInEveryDialect(t *testing.T) {
	us := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, inForce(Mechanisms{}), manyTargets, us.URL, us.URL)
	const says = `the policy \"only-eu\" does not allow this key to use \"far\": only models in the EU, says compliance`
	for i, c := range []struct{ path, body, code string }{
		{"/v1/chat/completions", strings.Replace(askWhole, `"m"`, `"far"`, 1), `"policy_denied"`},
		{"/v1/chat/completions", strings.Replace(ask, `"m"`, `"far"`, 1), `"policy_denied"`},
		{"/v1/responses", `{"model":"far","input":"hi"}`, `"policy_denied"`},
		{"/v1/messages", strings.Replace(askClaude, `"m"`, `"far"`, 1), `"permission_error"`},
		{"/v1/messages/count_tokens", `{"model":"far","messages":[{"role":"user","content":"hi"}]}`, `"permission_error"`},
		{"/v1beta/models/far:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, `"PERMISSION_DENIED"`},
		{"/model/far/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, `"message"`},
		{"/v1/embeddings", `{"model":"far","input":"hi"}`, `"policy_denied"`},
		{"/v1/images/generations", `{"model":"far","prompt":"hi"}`, `"policy_denied"`},
		{"/v1/audio/speech", `{"model":"far","input":"hi","voice":"alloy"}`, `"policy_denied"`},
		{"/v2/rerank", `{"model":"far","query":"hi","documents":["a"]}`, `"message"`},
	} {
		resp, got := w.post(c.path, c.body)
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(got, says) || !strings.Contains(got, c.code) {
			t.Errorf("%s: %d %s", c.path, resp.StatusCode, got)
		}
		if r := w.records.nth(t, i); !strings.HasPrefix(r.Policy, "only-eu@") || r.Outcome != plenum.OutcomeRefused || r.ErrorKind != llm.Forbidden {
			t.Errorf("%s: the record is %+v", c.path, r)
		}
	}
	if us.Count() != 0 {
		t.Errorf("the upstream had %d calls", us.Count())
	}
}

func TestModelsListsWhatTheCallerMayUse(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	w := newWorld(t, inForce(Mechanisms{}), manyTargets, up.URL, up.URL)
	for _, path := range []string{"/v1/models", "/v1beta/models", "/api/tags"} {
		resp, got := w.do("GET", path)
		if resp.StatusCode != 200 || !strings.Contains(got, "m\"") || !strings.Contains(got, "vectors") || strings.Contains(got, "far") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
	if resp, got := w.do("GET", "/v1/models/far"); resp.StatusCode != 403 || !strings.Contains(got, "only-eu") {
		t.Errorf("one that may not be used: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/models/vectors"); resp.StatusCode != 200 {
		t.Errorf("one that may be used for embeddings: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/models/fars"); resp.StatusCode != 404 || strings.Contains(got, "mean far") {
		t.Errorf("one that may not be used is suggested: %d %s", resp.StatusCode, got)
	}
	if _, got := w.do("GET", "/v1/models/vector"); !strings.Contains(got, "mean vectors") {
		t.Errorf("one that may be used is not suggested: %s", got)
	}
	w.current.Store(w.compile(fmt.Sprintf(closed, up.URL)))
	if resp, got := w.do("GET", "/v1/models"); resp.StatusCode != 200 || strings.Contains(got, `"m"`) {
		t.Errorf("who may use nothing sees %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/models/m"); resp.StatusCode != 403 || !strings.Contains(got, "ask whoever manages the policies") {
		t.Errorf("who may use nothing asks for one: %d %s", resp.StatusCode, got)
	}
}

// closed lets nobody do anything but those of a project that there is not.
const closed = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - {name: m, aliases: ["*"], lifecycle: allow, targets: [{connection: a, upstream_model: up}]}
policies:
  - {name: nobody, cedar: 'permit (principal in Project::"nobody", action, resource);'}
`

// everyones are owners to whom all is the caller's.
type everyones struct{ Owners }

func (everyones) Owned(_ context.Context, _ string, ids []string) (map[string]resolve.Place, error) {
	owned := map[string]resolve.Place{}
	for _, id := range ids {
		owned[id] = resolve.Place{Deployment: "m", Connection: "a"}
	}
	return owned, nil
}

// Whatever a caller asks for, at whatever address of whatever dialect, is refused where no policy permits it: but for
// lists of models, which are empty.
func TestAPolicyDecidesAtEveryRoute(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	db := openDB(t, t.TempDir()+"/plenum.db")
	keeper := file.New(db, clock.Real, slog.New(slog.DiscardHandler))
	w := newWorld(t, inForce(Mechanisms{Own: keeper.Handlers(), Owners: everyones{owners{db}}}), closed, up.URL)
	seen := map[llm.Op]int{}
	for _, d := range all.Dialects() {
		for _, r := range d.Routes {
			path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(r.Pattern, "m")
			media, body := "application/json", `{"model":"m","input":"x","messages":[{"role":"user","content":"x"}],"instances":[{"content":"x"}]}`
			if slices.Contains([]llm.Op{llm.OpTranscribe, llm.OpTranslate, llm.OpImageEdit, llm.OpImageVary}, r.Op) {
				media, body = form("model", "m", "file", "x")
			} else if d.Name == "xaigrpc" {
				media, body = "application/grpc", string(frame.AppendMessage(nil, []byte("\x12\x01m"))) // model is its second field
			}
			req := httptest.NewRequestWithContext(t.Context(), r.Method, "/"+d.Name+path+"?model=m", strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+worldKey)
			req.Header.Set("Content-Type", media)
			rec := httptest.NewRecorder()
			edge := gateway.NewEdge([]*dialect.Dialect{d}, w.current, w.handler, slog.New(slog.DiscardHandler))
			edge.ServeHTTP(rec, req)
			seen[r.Op]++
			got := rec.Body.String()
			switch {
			case r.Match != nil && (strings.Contains(got, "there is nothing at") || rec.Code == http.StatusMethodNotAllowed):
				seen[r.Op]-- // it is only for requests that tell more
			case r.Op == llm.OpModels && rec.Code == 200 && !strings.Contains(got, `"m"`):
			case rec.Code == http.StatusForbidden && strings.Contains(got, "no policy allows this key to"):
			case strings.Contains(rec.Header().Get("Content-Type"), "grpc") && strings.Contains(rec.Header().Get("Grpc-Message"), "no policy"):
			default:
				t.Errorf("%s %s %s %s: %d %.200s", d.Name, r.Op, r.Method, path, rec.Code, got)
			}
		}
	}
	if up.Count() != 0 {
		t.Errorf("the upstream had %d calls", up.Count())
	}
	if len(seen) < 25 {
		t.Errorf("only %d operations were tried: %v", len(seen), seen)
	}
	for op, n := range seen {
		if n == 0 {
			t.Errorf("no route of %s was reached", op)
		}
	}
}

// A line of a batch is decided on when it is done, like any other call.
func TestAPolicyDecidesOnTheLinesOfABatch(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(whole))
	db := openDB(t, t.TempDir()+"/plenum.db")
	w := newBatchWorld(t, db, clock.Real, manyTargets, up.URL, up.URL)
	b := w.start(chatLine("a", "hi") + strings.Replace(chatLine("b", "hi"), `"m"`, `"far"`, 1))
	b = w.wait(b.ID, "completed")
	if b.Counts.Completed != 1 || b.Counts.Failed != 1 {
		t.Fatalf("the batch is %+v", b)
	}
	if _, got := w.do("GET", "/v1/files/"+b.Errors+"/content"); !strings.Contains(got, "only-eu") || !strings.Contains(got, "403") {
		t.Errorf("the errors are %s", got)
	}
}

// A session that was opened is closed by the first turn that policies do not allow any more.
func TestAPolicyDecidesOnEveryTurnOfASession(t *testing.T) {
	v := newVoice(t, func(say func(string), _ string) { say(`{"type":"response.created","response":{"id":"resp_1"}}`) })
	now := "2026-11-23T12:00:00Z"
	conf := func(until string) string {
		return strings.Replace(oneTarget, "  - name: m\n", "  - name: m\n    opaque: allow\n", 1) + `
policies:
  - {name: base, cedar: 'permit (principal, action, resource) when { context.time < datetime("` + until + `") };'}
`
	}
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Mechanisms{Policy: policy.Cedar{Clock: stopped{clock.Real, at}}}, conf("2026-11-23T12:00:01Z"), v.URL)
	s := w.session()
	w.current.Store(w.compile(fmt.Sprintf(conf(now), v.URL)))
	s.say(`{"type":"response.create"}`)
	s.until("no policy allows this key")
	if end := s.end(); end.Code != websocket.StatusPolicyViolation {
		t.Errorf("the session ends with %v", end)
	}
	if _, resp, err := w.open(http.Header{"Authorization": {"Bearer " + worldKey}}); err == nil || resp.StatusCode != 403 {
		t.Errorf("another is opened: %v", err)
	}
}

// stopped is a clock that always says one time.
type stopped struct {
	clock.Clock
	at time.Time
}

func (c stopped) Now() time.Time { return c.at }

func TestAPolicyThatIsWrongIsAProblemOfTheConfiguration(t *testing.T) {
	f, err := config.Parse("test.yaml", []byte(`
connections: [{name: a, provider: openai, credentials: {api_key: sk-of-a-test}}]
deployments: [{name: m, targets: [{connection: a}]}]
policies:
  - name: base
    cedar: permit (principal, action, resource);
  - name: off
    enabled: false
    cedar: forbid (principal, action, resource);
  - name: wrong
    cedar: |
      permit (principal, action, resource);
      forbid (principal, action, resource is Offer)
        when { resource.regoin == "eu" };
  - name: wrong
    enabled: false
    cedar: forbid
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	comp := newCompiler(all.Providers(), builtIn(), func(plenum.Secret) [32]byte { return [32]byte{} })
	_, err = comp.compile(f, nil, nil)
	want := `test.yaml:11:12: policies[2].cedar: line 3, column 19 of the policy: Offer has no regoin; did you mean "region"?
test.yaml:15:11: policies[3].name: "wrong" is the name of policies[2] as well
test.yaml:17:12: policies[3].cedar: line 1, column 7 of the policy: is not Cedar: it ends where "(" is missing`
	if err == nil || err.Error() != want {
		t.Errorf("it is\n%v\nwant\n%s", err, want)
	}
	f.Policies = f.Policies[1:2]
	f.Policies[0].Enabled = true
	if _, err = comp.compile(f, nil, nil); err == nil || !strings.Contains(err.Error(), "every call would be refused") {
		t.Errorf("policies that permit nothing: %v", err)
	}
	f.Policies[0].Enabled = false
	if s, err := comp.compile(f, nil, nil); err != nil || s.Policies != nil {
		t.Errorf("policies that are not in force: %v", err)
	}
}

func TestTheLifeOfAModelIsWhatTheCatalogKnowsOfIt(t *testing.T) {
	comp := newCompiler(all.Providers(), builtIn(), nil)
	var got []string
	for _, o := range []plenum.Offer{
		{Provider: "gemini", Upstream: "gemini-3.1-pro-preview"},
		{Provider: "gemini", Upstream: "gemini-2.5-pro"},
		{Provider: "azure", Upstream: "mine", Model: "google/gemini-3.1-pro-preview"},
		{Provider: "openai-compatible", Upstream: "expert-model"},
		{Provider: "openai-compatible", Upstream: "model-exp-1"},
		{Provider: "openai", Upstream: retired(t, comp.catalog)},
	} {
		got = append(got, knowing{comp.catalog}.lifecycle(&o, time.Now().UTC().Format(time.DateOnly)))
	}
	if want := []string{"preview", "ga", "preview", "unknown", "unknown", "deprecated"}; !slices.Equal(got, want) {
		t.Errorf("they are %v, want %v", got, want)
	}
}

// retired returns a model of OpenAI's that the catalog knows to be.
func retired(t *testing.T, c *catalog.Catalog) string {
	t.Helper()
	for _, id := range []string{"gpt-4-0314", "gpt-4.5-preview", "gpt-4-32k", "text-davinci-003", "gpt-3.5-turbo-0613", "o1-mini", "o1-preview", "gpt-4-vision-preview", "gpt-3.5-turbo-instruct", "gpt-3.5-turbo"} {
		if f, ok := c.Offer("openai", id); ok && f.Life.At("2026-11-22") == catalog.Deprecated {
			return id
		}
	}
	t.Fatal("none is")
	return ""
}

func TestPoliciesAreDeclaredThroughTheManagementAPI(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(oneTarget, up.URL)+"\nkeys:\n  - {name: dev, secret: "+worldKey+"}\n")
	call := func() int {
		status, _ := m.ask(t, "POST", "/v1/chat/completions", askWhole, "Authorization", "Bearer "+worldKey)
		return status
	}
	const forbid = `{"name":"no-m","cedar":"forbid (principal, action, resource in Deployment::\"m\");"}`
	for body, want := range map[string]string{
		forbid:                                 "every call would be refused",
		`{"name":"x","cedar":"permit (prin"}`:  `there is "prin" where "principal" must stand`,
		`{"name":"x","cedar":"permit","e": 1}`: "unknown field",
	} {
		if refused := m.must(t, 422, "POST", "/policies", body); !strings.Contains(fmt.Sprint(refused), want) {
			t.Errorf("%s: %v", body, refused)
		}
	}
	m.must(t, 201, "POST", "/policies", `{"name":"base","cedar":"permit (principal, action, resource);"}`)
	if status := call(); status != 200 {
		t.Errorf("with everything permitted: %d", status)
	}
	m.must(t, 201, "POST", "/policies", forbid)
	if status := call(); status != 403 {
		t.Errorf("with the deployment forbidden: %d", status)
	}
	m.must(t, 422, "DELETE", "/policies/base", "")

	// Who explains them knows of them, and a draft stands in for them.
	dir := t.TempDir()
	for name, text := range map[string]string{"plenum.yaml": "data_dir: " + m.dir + "\n" + fmt.Sprintf(oneTarget, up.URL), "draft.cedar": "permit (principal, action, resource);"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for drafts, rules := range map[string]int{"": 2, filepath.Join(dir, "draft.cedar"): 1} {
		c := &court{parts: Parts{Providers: all.Providers()}, place: place{config: filepath.Join(dir, "plenum.yaml")}}
		if drafts != "" {
			c.files = []string{drafts}
		}
		if err := c.open(t.Context()); err != nil || len(c.set.Rules()) != rules {
			t.Errorf("%d rules, %v; want %d", len(c.set.Rules()), err, rules)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
	// Those in force are explained over the API, and drafts are tried on what was called.
	e := m.must(t, 200, "POST", "/policies:explain", `{"model":"m"}`)
	if text := fmt.Sprint(e["targets"]); !strings.Contains(text, "allowed:false") || !strings.Contains(text, "no-m") || !strings.Contains(text, "changes:") {
		t.Errorf("explained: %v", e)
	}
	e = m.must(t, 200, "POST", "/policies:explain", `{"model":"m","policies":[{"name":"d","cedar":"permit (principal, action, resource);"}]}`)
	if text := fmt.Sprint(e["targets"]); !strings.Contains(text, "allowed:true") {
		t.Errorf("a draft: %v", e)
	}
	for body, want := range map[string]string{
		`{"model":"mm"}`:    "did you mean m?",
		`{"key":"nobody"}`:  "there is no key",
		`{"call":"req_X"}`:  "there is no call",
		`{"operation":"x"}`: "there is no operation",
		`{"names":"m"}`:     "names",
		`{"policies":[{"name":"d","cedar":"permit (principal, action, resource)"}]}`: "policies[0].cedar",
	} {
		for _, path := range []string{"/policies:explain", "/policies:test"} {
			if status, got := m.do(t, "POST", path, body); status == 200 && path == "/policies:explain" || status >= 500 || path == "/policies:explain" && !strings.Contains(fmt.Sprint(got), want) {
				t.Errorf("%s %s: %d %v", path, body, status, got)
			}
		}
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until the calls are on record
		r := m.must(t, 200, "POST", "/policies:test", `{"policies":[{"name":"never","cedar":"permit (principal, action, resource) when { false };"}]}`)
		if calls, _ := r["calls"].(float64); calls > 0 && r["refused"] == r["calls"] {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a draft that permits nothing refuses %v", r)
		}
	}
	m.must(t, 200, "PATCH", "/policies/no-m", `{"enabled":false}`)
	if status := call(); status != 200 {
		t.Errorf("with the forbid not in force: %d", status)
	}
}

// An item that does not hold any more is left out, so that the others serve. A policy is not: that could open what it
// closes.
func TestAKeptPolicyThatDoesNotHoldIsNotLeftOut(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(oneTarget, up.URL)+"\npolicies: [{name: declared, cedar: 'permit (principal, action, resource);'}]\n")
	n := m.Node
	before := n.current.Load()
	for name, c := range map[string]struct {
		item config.Item
		want string
	}{
		"one that does not parse":        {config.Item{List: "policies", Name: "x", Version: 90, Spec: []byte(`{"name":"x","cedar":"forbid"}`)}, `policy "x": cedar: line 1, column 7`},
		"one that cannot be read":        {config.Item{List: "policies", Name: "x", Version: 91, Spec: []byte(`{"name":"x","text":"forbid"}`)}, `policy "x": text: unknown field`},
		"another thing that is wrong":    {config.Item{List: "budgets", Name: "x", Version: 92, Spec: []byte(`{"name":"x"}`)}, ""},
		"one that the file has, as well": {config.Item{List: "policies", Name: "declared", Version: 93, Spec: []byte(`{"name":"declared","cedar":"forbid"}`)}, ""},
	} {
		n.mu.Lock()
		n.items = []config.Item{c.item}
		n.mu.Unlock()
		err := n.rebuild()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != "" && n.current.Load() != before {
			t.Errorf("%s: it is taken over", name)
		}
		before = n.current.Load()
	}
}

func TestPoliciesDecideWhoMakesDeployments(t *testing.T) {
	m := manage(t, `
connections:
  - {name: eu, provider: openai-compatible, base_url: "http://127.0.0.1:9/v1", region: eu-west-1}
  - {name: us, provider: openai-compatible, base_url: "http://127.0.0.1:9/v1", region: us-east-1}
members: [{name: joe@example.com, roles: [{role: admin}]}]
policies:
  - name: base
    cedar: permit (principal, action, resource);
  - name: only-eu
    cedar: |
      @message("deploy in the EU")
      forbid (principal in Member::"joe@example.com", action == Action::"deploy", resource) unless { resource.region like "eu-*" };
`)
	k := m.must(t, 201, "POST", "/keys", `{"name":"joe","member":"joe@example.com","admin":true}`)
	joe := &manager{m.site, k["secret"].(string)}
	const near, far = `{"name":"near","targets":[{"connection":"eu"}]}`, `{"name":"far","targets":[{"connection":"eu"},{"connection":"us"}]}`
	joe.must(t, 201, "POST", "/deployments", near)
	refused := joe.must(t, 403, "POST", "/deployments", far)
	if want := `the policy "only-eu" does not let you make the deployment "far" with the target us/far: deploy in the EU`; refused["detail"] != want || refused["code"] != "policy_denied" {
		t.Errorf("it is refused with %v", refused)
	}
	joe.must(t, 403, "PATCH", "/deployments/near", `{"targets":[{"connection":"us"}]}`)
	joe.must(t, 403, "POST", "/declarations:apply", `{"deployments":[`+far+`]}`)
	joe.must(t, 403, "POST", "/deployments?dry_run=true", far)
	joe.must(t, 204, "DELETE", "/deployments/near", "")
	m.must(t, 201, "POST", "/deployments", far) // the owner is not asked: he could change the policies as well
}

// Whoever makes keys gives them no more than they have: not another project, not another member's name, by which
// policies go, and no name of a key that a policy trusts, since those go by ids.
func TestCase_I6_AKeyMayDoNoMoreThanWhoMadeIt(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(manyTargets, up.URL, up.URL)+`
  - {name: trusted, cedar: 'forbid (principal, action, resource in Deployment::"m") unless { principal in Project::"rich" || principal in Member::"boss@example.com" || principal in Group::"chiefs" || principal == Key::"declared:dev" };'}
projects: [{name: lab}, {name: rich}]
members:
  - {name: ann@example.com, roles: [{role: developer, project: lab}]}
  - {name: boss@example.com, groups: [chiefs]}
  - {name: chief@example.com, groups: [chiefs]}
keys: [{name: dev, secret: `+worldKey+`}]
`)
	k := m.must(t, 201, "POST", "/keys", `{"name":"of ann","member":"ann@example.com","admin":true}`)
	ann := &manager{m.site, k["secret"].(string)}
	for _, body := range []string{
		`{"name":"x","project":"rich"}`, `{"name":"x","project":"lab","member":"boss@example.com"}`, `{"name":"x","project":"lab","member":"chief@example.com"}`,
		`{"name":"x","project":"lab","member":"ann@example.com","admin":true}`,
	} {
		ann.must(t, 403, "POST", "/keys", body)
	}
	ann.must(t, 422, "POST", "/keys", `{"name":"x","project":"lab","groups":["chiefs"]}`)
	call := func(key string) int {
		status, _ := m.ask(t, "POST", "/v1/chat/completions", askWhole, "Authorization", "Bearer "+key)
		return status
	}
	for _, body := range []string{
		`{"name":"declared:dev","project":"lab"}`, `{"name":"dev","project":"lab"}`, `{"name":"mine","project":"lab","member":"ann@example.com"}`,
	} {
		made := ann.must(t, 201, "POST", "/keys", body)
		if status := call(made["secret"].(string)); status != 403 {
			t.Errorf("with the key %s: %d", body, status)
		}
	}
	if status := call(worldKey); status != 200 {
		t.Errorf("with the key that is trusted: %d", status)
	}
	chief := m.must(t, 201, "POST", "/keys", `{"name":"c","project":"lab","member":"chief@example.com"}`)
	if status := call(chief["secret"].(string)); status != 200 {
		t.Errorf("with a key of a member of the group: %d", status)
	}
}
