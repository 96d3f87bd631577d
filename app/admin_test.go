package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// manager sends requests to the management API of a site.
type manager struct {
	*site
	key string
}

const theAdminKey = "the-key-of-the-admin"

func manage(t *testing.T, yaml string) *manager {
	t.Helper()
	return &manager{serveNode(t, t.TempDir(), "admin_key: "+theAdminKey+"\n"+yaml), theAdminKey}
}

// do sends a request and returns the status and the answer; JSON is taken apart.
func (m *manager) do(t *testing.T, method, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	status, text := m.ask(t, method, "/admin/v1"+path, body, append([]string{"Authorization", "Bearer " + m.key}, header...)...)
	var v map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, status, text, err)
		}
	}
	return status, v
}

// must sends a request that is to have a status.
func (m *manager) must(t *testing.T, want int, method, path, body string, header ...string) map[string]any {
	t.Helper()
	status, v := m.do(t, method, path, body, header...)
	if status != want {
		t.Fatalf("%s %s %s: status %d, want %d: %v", method, path, body, status, want, v)
	}
	return v
}

func TestADeploymentIsMadeThroughTheAPIAndCalled(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, "")
	m.must(t, 201, "POST", "/connections", fmt.Sprintf(`{"name":"a","provider":"openai-compatible","base_url":"%s/v1","network":"private","credentials":{"api_key":"the-key-of-a-vendor"}}`, up.URL))
	m.must(t, 201, "POST", "/deployments", `{"name":"org/m","targets":[{"connection":"a","upstream_model":"up"}]}`)
	m.must(t, 201, "POST", "/projects", `{"name":"lab"}`)
	key := m.must(t, 201, "POST", "/keys", `{"name":"ci","project":"lab"}`)
	status, body := m.ask(t, "POST", "/v1/chat/completions", `{"model":"org/m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+key["secret"].(string))
	if status != 200 || !strings.Contains(body, "choices") {
		t.Fatalf("the deployment answers %d %s", status, body)
	}
	if got := up.Requests()[0].Header.Get("Authorization"); got != "Bearer the-key-of-a-vendor" {
		t.Errorf("the vendor was sent %q", got)
	}

	// It is shown without its secret, changed, and goes.
	_, text := m.ask(t, "GET", "/admin/v1/connections/a", "", "Authorization", "Bearer "+m.key)
	if strings.Contains(text, "the-key-of-a-vendor") || !strings.Contains(text, `"(kept)"`) {
		t.Errorf("a connection is shown as %s", text)
	}
	m.must(t, 200, "PATCH", "/connections/a", `{"region":"eu"}`)
	status, _ = m.ask(t, "POST", "/v1/chat/completions", `{"model":"org/m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+key["secret"].(string))
	if got := up.Requests(); status != 200 || got[len(got)-1].Header.Get("Authorization") != "Bearer the-key-of-a-vendor" {
		t.Errorf("after a change that kept the secret: %d", status)
	}
	refused := m.must(t, 422, "DELETE", "/connections/a", "")
	if got := fmt.Sprint(refused["errors"]); !strings.Contains(got, `there is no connection "a"`) || !strings.Contains(got, `deployment "org/m"`) {
		t.Errorf("a connection that is in use: %v", got)
	}
	m.must(t, 200, "GET", "/deployments/org%2Fm", "")
	m.must(t, 204, "DELETE", "/deployments/org%2Fm", "")
	m.must(t, 204, "DELETE", "/connections/a", "")
	if status, _ := m.ask(t, "POST", "/v1/chat/completions", `{"model":"org/m","messages":[]}`, "Authorization", "Bearer "+key["secret"].(string)); status != 404 {
		t.Errorf("a deployment that is gone answers %d", status)
	}
	m.must(t, 204, "DELETE", "/keys/"+key["id"].(string), "")
	if status, _ := m.ask(t, "GET", "/v1/models", "", "Authorization", "Bearer "+key["secret"].(string)); status != 401 {
		t.Errorf("a revoked key is answered %d", status)
	}
}

const someDeclared = `
connections: [{name: a, provider: openai-compatible, base_url: "http://127.0.0.1:9/v1", credentials: {api_key: a-secret-of-a-vendor}}]
deployments: [{name: m, aliases: [n], targets: [{connection: a, upstream_model: up, price: {input_usd_per_million: 3, output_usd_per_million: 0.15}}]}]
`

func TestWhatAFileDeclaresIsReadOnly(t *testing.T) {
	m := manage(t, someDeclared)
	got := m.must(t, 200, "GET", "/deployments/m", "")
	want := map[string]any{"name": "m", "declared_in": "test.yaml", "spec": map[string]any{
		"name": "m", "aliases": []any{"n"}, "targets": []any{map[string]any{"connection": "a", "upstream_model": "up", "price": map[string]any{"input_usd_per_million": 3.0, "output_usd_per_million": 0.15}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	for _, c := range [][3]string{{"PUT", "/deployments/m", `{"name":"m","targets":[{"connection":"a"}]}`}, {"PATCH", "/deployments/m", `{"lossy":"refuse"}`}, {"DELETE", "/deployments/m", ""}, {"POST", "/deployments", `{"name":"m","targets":[{"connection":"a"}]}`}} {
		refused := m.must(t, 409, c[0], c[1], c[2])
		if !strings.Contains(refused["detail"].(string), "test.yaml") {
			t.Errorf("%s: %v", c[0], refused)
		}
	}
}

func TestOneOfTwoChangesAtOnceIsTold(t *testing.T) {
	m := manage(t, "")
	first := m.must(t, 201, "POST", "/budgets", `{"name":"b","amount_usd":5}`)
	tag := fmt.Sprintf("%q", fmt.Sprint(first["version"]))
	m.must(t, 200, "PUT", "/budgets/b", `{"name":"b","amount_usd":6}`, "If-Match", tag)
	m.must(t, 412, "PUT", "/budgets/b", `{"name":"b","amount_usd":7}`, "If-Match", tag)
	m.must(t, 409, "POST", "/budgets", `{"name":"b","amount_usd":8}`)
	m.must(t, 200, "PUT", "/budgets/b?dry_run=true", `{"name":"b","amount_usd":9}`)
	got := m.must(t, 200, "GET", "/budgets/b", "")
	if spec := got["spec"].(map[string]any); spec["amount_usd"] != 6.0 {
		t.Errorf("the budget is %v", got)
	}
	for _, c := range []struct {
		path, body, fault string
	}{
		{"/budgets/b", `{"name":"b","amount_usd":"much"}`, `"much" must be an amount of dollars`},
		{"/budgets/b", `{"name":"c","amount_usd":1}`, `the address says "b"`},
		{"/budgets/b", `{"name":"b","amont_usd":1}`, `did you mean "amount_usd"?`},
		{"/budgets/b", `[]`, "must be a mapping"},
		{"/deployments/x", `{"name":"x","targets":[{"connection":"nowhere"}]}`, `there is no connection "nowhere"`},
		{"/connections/x", `{"name":"x","provider":"openai","credentials":{"api_key":"(kept)"}}`, "there is no secret that could be kept"},
		{"/connections/x", `{"name":"x","provider":"openai","credentials":{"api_key":"${env:HOME}"}}`, "which is read in files alone"},
	} {
		if got := fmt.Sprint(m.must(t, 422, "PUT", c.path, c.body)["errors"]); !strings.Contains(got, c.fault) {
			t.Errorf("%s %s: %v, want %s", c.path, c.body, got, c.fault)
		}
	}
}

func TestADeclarationIsAppliedWholeOrNotAtAll(t *testing.T) {
	m := manage(t, "")
	const declaration = `{"connections":[{"name":"a","provider":"openai","credentials":{"api_key":"a-secret-of-a-vendor"}}],
		"deployments":[{"name":"m","targets":[{"connection":"a"}]}],"projects":[{"name":"lab"}]}`
	plan := m.must(t, 200, "POST", "/declarations:apply?dry_run=true", declaration)
	if len(plan["changes"].([]any)) != 3 || plan["applied"] != false {
		t.Errorf("the plan is %v", plan)
	}
	m.must(t, 404, "GET", "/projects/lab", "")
	if plan := m.must(t, 200, "POST", "/declarations:apply", declaration); plan["applied"] != true {
		t.Errorf("applied: %v", plan)
	}
	if plan := m.must(t, 200, "POST", "/declarations:apply", declaration); len(plan["changes"].([]any)) != 0 || plan["unchanged"] != 3.0 {
		t.Errorf("applied again: %v", plan)
	}
	// Nothing of one that does not hold.
	bad := m.must(t, 422, "POST", "/declarations:apply", `{"projects":[{"name":"other"}],"deployments":[{"name":"m2","targets":[{"connection":"b"}]}]}`)
	if !strings.Contains(fmt.Sprint(bad["errors"]), `there is no connection "b"`) {
		t.Errorf("it is refused with %v", bad)
	}
	m.must(t, 404, "GET", "/projects/other", "")
	// An export applies where it came from, and prunes.
	export, err := json.Marshal(m.must(t, 200, "GET", "/declarations", ""))
	if err != nil {
		t.Fatal(err)
	}
	if plan := m.must(t, 200, "POST", "/declarations:apply?prune=true", string(export)); len(plan["changes"].([]any)) != 0 {
		t.Errorf("an export applied where it came from changes %v", plan)
	}
	plan = m.must(t, 200, "POST", "/declarations:apply?prune=true", `{"deployments":[]}`)
	if got := plan["changes"].([]any)[0].(map[string]any); got["action"] != "delete" || got["name"] != "m" {
		t.Errorf("pruned: %v", plan)
	}
	m.must(t, 200, "GET", "/connections/a", "")
}

func TestRolesBoundWhatTheManagementAPIDoes(t *testing.T) {
	m := manage(t, someDeclared)
	m.must(t, 200, "POST", "/declarations:apply", `{"projects":[{"name":"lab"},{"name":"other"}],"members":[
		{"name":"ann@example.com","roles":[{"role":"developer","project":"lab"}]},
		{"name":"bob@example.com","roles":[{"role":"auditor"}]},
		{"name":"joe@example.com","roles":[{"role":"admin"}]}]}`)
	as := func(member string) *manager {
		k := m.must(t, 201, "POST", "/keys", fmt.Sprintf(`{"name":"of %s","member":%q,"admin":true}`, member, member))
		return &manager{m.site, k["secret"].(string)}
	}
	ann, bob, joe := as("ann@example.com"), as("bob@example.com"), as("joe@example.com")
	ann.must(t, 201, "POST", "/keys", `{"name":"hers","project":"lab"}`)
	for _, c := range []struct {
		who                *manager
		want               int
		method, path, body string
	}{
		{ann, 403, "POST", "/keys", `{"name":"not hers","project":"other"}`},
		{ann, 403, "POST", "/keys", `{"name":"up","project":"lab","admin":true,"member":"ann@example.com"}`},
		{ann, 403, "POST", "/projects", `{"name":"mine"}`},
		{ann, 200, "GET", "/deployments", ""},
		{ann, 403, "GET", "/connections", ""},
		{ann, 403, "GET", "/members", ""},
		{ann, 403, "GET", "/usage?project=other", ""},
		{ann, 200, "GET", "/usage", ""},
		{ann, 404, "GET", "/projects/other", ""},
		{bob, 200, "GET", "/members", ""},
		{bob, 403, "DELETE", "/projects/lab", ""},
		{joe, 201, "POST", "/members", `{"name":"kim@example.com","roles":[{"role":"auditor"}]}`},
		{joe, 403, "POST", "/members", `{"name":"eve@example.com","roles":[{"role":"owner"}]}`},
		{joe, 403, "PUT", "/members/joe@example.com", `{"name":"joe@example.com","roles":[{"role":"owner"}]}`},
	} {
		c.who.must(t, c.want, c.method, c.path, c.body)
	}
	keys := ann.must(t, 200, "GET", "/keys", "")["data"].([]any)
	for _, k := range keys {
		if k.(map[string]any)["project"] != "lab" {
			t.Errorf("she sees %v", k)
		}
	}
	if len(keys) != 1 {
		t.Errorf("she sees %d keys", len(keys))
	}
	// A key of the management API calls no model, and one for models does not manage.
	if status, _ := m.ask(t, "GET", "/v1/models", "", "Authorization", "Bearer "+ann.key); status != 403 {
		t.Errorf("a management key is answered %d by the models", status)
	}
	// Who is shut out stays out, with the key that there is.
	m.must(t, 200, "PATCH", "/members/bob@example.com", `{"disabled":true}`)
	bob.must(t, 403, "GET", "/members", "")
}

func TestAnIdempotencyKeyMakesOneKey(t *testing.T) {
	m := manage(t, "")
	first := m.must(t, 201, "POST", "/keys", `{"name":"ci"}`, "Idempotency-Key", "one")
	again := m.must(t, 201, "POST", "/keys", `{"name":"ci"}`, "Idempotency-Key", "one")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("sent again (-first +again):\n%s", diff)
	}
	m.must(t, 422, "POST", "/keys", `{"name":"other"}`, "Idempotency-Key", "one")
	if n := len(m.must(t, 200, "GET", "/keys", "")["data"].([]any)); n != 1 {
		t.Errorf("there are %d keys", n)
	}
}

func TestListsComeInPages(t *testing.T) {
	m := manage(t, "")
	for i := range 5 {
		m.must(t, 201, "POST", "/projects", fmt.Sprintf(`{"name":"p%d"}`, i))
	}
	var got []string
	after := ""
	for range 4 {
		page := m.must(t, 200, "GET", "/projects?limit=2"+after, "")
		for _, p := range page["data"].([]any) {
			got = append(got, p.(map[string]any)["name"].(string))
		}
		if page["has_more"] != true {
			break
		}
		after = "&after=" + page["next"].(string)
	}
	if diff := cmp.Diff([]string{"p0", "p1", "p2", "p3", "p4"}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/projects?limit=0", "/projects?limti=3", "/projects?limit=1&limit=2", "/projects?after=!"} {
		m.must(t, 400, "GET", path, "")
	}
	if status, v := m.do(t, "PUT", "/projects", `{}`); status != http.StatusMethodNotAllowed {
		t.Errorf("a method that is not there: %d %v", status, v)
	}
	m.must(t, 404, "GET", "/nothing", "")
}
