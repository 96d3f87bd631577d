package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// twoOrganizations serves a Plenum that two organizations share; everything of the second has "bbbb" in its name. It returns who
// manages it and the secrets of keys that call models, by the project.
func twoOrganizations(t *testing.T, more string) (*manager, map[string]string) {
	t.Helper()
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(`
connections: [{name: up, provider: openai-compatible, base_url: "%s/v1", network: private, credentials: {api_key: the-key-of-a-vendor}}]
deployments: [{name: org/m, targets: [{connection: up, upstream_model: up, price: {input_usd_per_million: 1000, output_usd_per_million: 1000}}]}]
terms: [{name: use, text: Be kind.}]
`, up.URL)+more)
	m.must(t, 200, "POST", "/declarations:apply", `{
		"organizations":[{"name":"a"},{"name":"bbbb"}],
		"projects":[{"name":"a-lab","organization":"a"},{"name":"a-ops","organization":"a"},{"name":"bbbb-lab","organization":"bbbb"},{"name":"bbbb-of-none"}],
		"members":[
			{"name":"amy","organization":"a","roles":[{"role":"admin","organization":"a"}]},
			{"name":"abe","organization":"a","roles":[{"role":"auditor","organization":"a"}]},
			{"name":"ada","organization":"a","roles":[{"role":"developer","organization":"a"}]},
			{"name":"ali","organization":"a","roles":[{"role":"billing","organization":"a"}]},
			{"name":"bbbb-ben","organization":"bbbb","roles":[{"role":"admin","organization":"bbbb"}]},
			{"name":"bbbb-boss","roles":[{"role":"admin"}]}],
		"service_accounts":[{"name":"bbbb-bot","organization":"bbbb"},{"name":"a-bot","organization":"a"}],
		"budgets":[{"name":"a","amount_usd":100,"window":"month","scope":{"organization":"a"}},{"name":"bbbb","amount_usd":100,"window":"month","scope":{"organization":"bbbb"}},
			{"name":"bbbb-lab","amount_usd":10,"window":"month","scope":{"project":"bbbb-lab"}},{"name":"each","amount_usd":1000,"window":"month","per":"organization"}],
		"limits":[{"name":"bbbb-lab","counts":"requests","amount":1000,"window":"1m","scope":{"project":"bbbb-lab"}}]}`)
	secrets := map[string]string{}
	for _, p := range []string{"a-lab", "a-ops", "bbbb-lab", "bbbb-of-none"} {
		k := m.must(t, 201, "POST", "/keys", fmt.Sprintf(`{"name":"of %s","project":%q}`, p, p))
		secrets[p] = k["secret"].(string)
		if status, body := m.call(t, secrets[p], "org/m"); status != 200 {
			t.Fatalf("a call of %s: %d %s", p, status, body)
		}
	}
	for len(m.must(t, 200, "GET", "/calls", "")["data"].([]any)) < len(secrets) { // they are on record soon after
		time.Sleep(20 * time.Millisecond)
	}
	return m, secrets
}

// as returns somebody who is a member, with a key of the management API.
func (m *manager) as(t *testing.T, member string) *manager {
	t.Helper()
	k := m.must(t, 201, "POST", "/keys", fmt.Sprintf(`{"name":"of %s","member":%q,"admin":true}`, member, member))
	return &manager{m.site, k["secret"].(string)}
}

// TestAnOrganizationSeesNothingOfAnother walks every operation of the management API as those with roles in one organization, at
// everything that is of another.
func TestAnOrganizationSeesNothingOfAnother(t *testing.T) {
	m, _ := twoOrganizations(t, "")
	m.must(t, 201, "POST", "/terms/use/accept", `{"project":"bbbb-lab"}`)
	ids := []string{"bbbb", "bbbb-lab", "bbbb-of-none", "bbbb-ben", "bbbb-boss", "bbbb-bot"}
	for _, v := range m.must(t, 200, "GET", "/acceptances", "")["data"].([]any) {
		ids = append(ids, strings.ReplaceAll(v.(map[string]any)["name"].(string), "/", "%2F"))
	}
	for _, list := range []string{"/keys", "/calls"} {
		for _, v := range m.must(t, 200, "GET", list, "")["data"].([]any) {
			if v := v.(map[string]any); strings.Contains(fmt.Sprint(v["project"]), "bbbb") {
				ids = append(ids, v["id"].(string))
			}
		}
	}
	if len(ids) < 11 {
		t.Fatalf("there is too little to look for: %v", ids)
	}
	before, keys := m.must(t, 200, "GET", "/declarations", ""), m.must(t, 200, "GET", "/keys?project=bbbb-lab", "")
	var api struct{ Paths map[string]map[string]any }
	_, text := m.ask(t, "GET", "/admin/v1/openapi.json", "")
	if err := json.Unmarshal([]byte(text), &api); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, who := range []string{"amy", "abe", "ada", "ali"} {
		actor := m.as(t, who)
		for path, methods := range api.Paths {
			path = strings.TrimPrefix(path, "/admin/v1")
			paths := []string{path, path + "?project=bbbb-lab", path + "?project=bbbb-of-none", path + "?organization=bbbb", path + "?organization=bbbb&project=bbbb-lab"}
			if strings.Contains(path, "{") {
				paths = nil
				for _, id := range ids {
					paths = append(paths, inPattern.ReplaceAllString(path, id))
				}
			}
			for method := range methods {
				method = strings.ToUpper(method)
				for _, at := range paths {
					if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) || strings.HasSuffix(path, "/openapi.json") {
						continue
					}
					tried++
					for _, body := range []string{`{"name":"bbbb-lab"}`, `{"name":"bbbb-lab","organization":"bbbb"}`, `{"project":"bbbb-lab"}`, `{"name":"x","project":"bbbb-of-none","scope":{"project":"bbbb-lab"}}`} {
						if method == http.MethodGet || method == http.MethodDelete {
							body = ""
						}
						status, said := actor.ask(t, method, "/admin/v1"+at, body, "Authorization", "Bearer "+actor.key)
						asks := method == http.MethodGet || strings.HasSuffix(path, ":explain") || strings.HasSuffix(path, ":test")
						if strings.HasSuffix(path, "/audit") && status < 300 {
							continue // it has the names that they try here: see TestAnOrganizationsAuditorsReadItsPartOfTheAudit
						}
						if status >= 500 || status < 300 && (!asks || strings.Contains(said, "bbbb")) {
							t.Errorf("%s: %s %s %s: %d %.300s", who, method, at, body, status, said)
						}
						if body == "" {
							break
						}
					}
				}
			}
		}
	}
	t.Logf("%d ways tried", tried)
	if after := m.must(t, 200, "GET", "/declarations", ""); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("something is declared otherwise now:\n%v\n%v", before, after)
	}
	if after := m.must(t, 200, "GET", "/keys?project=bbbb-lab", ""); fmt.Sprint(after) != fmt.Sprint(keys) {
		t.Errorf("the keys are others now:\n%v\n%v", keys, after)
	}
}

// TestAnOrganizationKeepsItsOwn does what the admins of one may do, and what they may not.
func TestAnOrganizationKeepsItsOwn(t *testing.T) {
	m, secrets := twoOrganizations(t, "keys: [{name: old, secret: a-key-that-is-declared, project: undeclared}]\n")
	amy := m.as(t, "amy")
	for _, c := range []struct {
		want               int
		method, path, body string
	}{
		{201, "POST", "/projects", `{"name":"a-new","organization":"a"}`},
		{403, "POST", "/projects", `{"name":"a-free"}`},
		{409, "POST", "/projects", `{"name":"default","organization":"a"}`},
		{409, "POST", "/projects", `{"name":"undeclared","organization":"a"}`}, // a key that the file declares calls with it
		{409, "PUT", "/projects/bbbb-lab", `{"name":"bbbb-lab","organization":"a"}`},
		{403, "PATCH", "/projects/a-new", `{"organization":"bbbb"}`},
		{403, "PATCH", "/projects/a-new", `{"organization":null}`},
		{200, "PATCH", "/projects/a-new", `{"title":"New"}`},
		{204, "DELETE", "/projects/a-new", ""},
		{409, "DELETE", "/projects/a-lab", ""}, // it has a key that is good
		// Money: what the whole may spend is said by others.
		{201, "POST", "/budgets", `{"name":"a-lab","amount_usd":5,"window":"month","scope":{"project":"a-lab"},"within":"a"}`},
		{403, "POST", "/budgets", `{"name":"more","amount_usd":5,"window":"month","scope":{"organization":"a"}}`},
		{404, "PATCH", "/budgets/a", `{"amount_usd":1000000}`},
		{404, "DELETE", "/budgets/a", ""},
		{404, "DELETE", "/budgets/each", ""},
		{409, "POST", "/budgets", `{"name":"bbbb-lab","amount_usd":5,"window":"month","scope":{"project":"a-lab"}}`},
		{422, "POST", "/budgets", `{"name":"none","amount_usd":5,"window":"month","scope":{"project":"a-lab","organization":"bbbb"}}`},
		{201, "POST", "/limits", `{"name":"a-lab","counts":"requests","amount":1000,"window":"1m","scope":{"project":"a-lab"}}`},
		// People and programs: with roles within it alone.
		{201, "POST", "/members", `{"name":"art","organization":"a","roles":[{"role":"developer","project":"a-lab"}],"groups":["a/lab"]}`},
		{422, "POST", "/members", `{"name":"aim","organization":"a","roles":[{"role":"developer","project":"bbbb-lab"}]}`},
		{422, "POST", "/members", `{"name":"aim","organization":"a","roles":[{"role":"admin"}]}`},
		{403, "POST", "/members", `{"name":"aim","organization":"a","roles":[{"role":"owner"}]}`},
		{403, "POST", "/members", `{"name":"aim","organization":"a","groups":["friends of bbbb"]}`},
		{403, "POST", "/members", `{"name":"aim"}`},
		{404, "DELETE", "/members/bbbb-boss", ""},
		{201, "POST", "/service_accounts", `{"name":"a-robot","organization":"a","roles":[{"role":"auditor","organization":"a"}]}`},
		{201, "POST", "/keys", `{"name":"robot","project":"a-lab","member":"a-robot","admin":true}`},
		{403, "POST", "/keys", `{"name":"boss","project":"a-lab","member":"bbbb-boss","admin":true}`},
		{403, "POST", "/keys", `{"name":"boss","project":"a-lab","member":"bbbb-boss"}`},
		{201, "POST", "/keys", `{"name":"art's","project":"a-lab","member":"art"}`},
		// What is for all is not theirs.
		{403, "POST", "/organizations", `{"name":"c"}`},
		{403, "DELETE", "/organizations/a", ""},
		{403, "POST", "/policies", `{"name":"p","cedar":"permit(principal,action,resource);"}`},
		{403, "POST", "/declarations:apply", `{"projects":[]}`},
		{200, "GET", "/organizations/a", ""},
		{404, "GET", "/organizations/bbbb", ""},
	} {
		amy.must(t, c.want, c.method, c.path, c.body)
	}
	// An organization with projects is not taken away from over them.
	m.must(t, 422, "DELETE", "/organizations/a", "")
	me := amy.must(t, 200, "GET", "/me", "")
	if got := fmt.Sprint(me["roles"]); got != "[map[organization:a role:admin]]" {
		t.Errorf("she is told of the roles %s", got)
	}
	// A report has what is hers, and an organization without a project has none.
	r := amy.must(t, 200, "GET", "/reports/usage?by=organization,project", "")
	var lines []string
	for _, l := range r["data"].([]any) {
		lines = append(lines, fmt.Sprint(l.(map[string]any)["by"]))
	}
	slices.Sort(lines)
	if got := strings.Join(lines, " "); got != "map[organization:a project:a-lab] map[organization:a project:a-ops]" {
		t.Errorf("her report has %s", got)
	}
	m.must(t, 201, "POST", "/organizations", `{"name":"empty"}`)
	m.must(t, 201, "POST", "/members", `{"name":"eva","organization":"empty","roles":[{"role":"admin","organization":"empty"}]}`)
	eva := m.as(t, "eva")
	eva.must(t, 403, "GET", "/reports/usage", "")
	eva.must(t, 403, "GET", "/usage", "")
	if got := eva.must(t, 200, "GET", "/keys", "")["data"].([]any); len(got) != 0 {
		t.Errorf("an organization without projects sees the keys %v", got)
	}
	// What a project used goes with it into another organization.
	m.must(t, 200, "PATCH", "/projects/a-ops", `{"organization":"empty"}`)
	if got := fmt.Sprint(eva.must(t, 200, "GET", "/reports/usage?by=organization", "")["data"]); !strings.Contains(got, "organization:empty") {
		t.Errorf("the report of the project that moved has %s", got)
	}
	if status, _ := m.call(t, secrets["a-ops"], "org/m"); status != 200 {
		t.Errorf("a call of the project that moved: %d", status)
	}
}

// TestAnOrganizationsMoneyAndPoliciesHoldForItsProjects spends a budget of an organization from two of its projects.
func TestAnOrganizationsMoneyAndPoliciesHoldForItsProjects(t *testing.T) {
	m, secrets := twoOrganizations(t, "")
	left := func(name, part string) int64 {
		for _, b := range m.must(t, 200, "GET", "/balances?name="+name, "")["data"].([]any) {
			if b := b.(map[string]any); part == "" || b["part"] == part {
				return int64(b["left"].(float64))
			}
		}
		t.Fatalf("there is no balance %s of %q", name, part)
		return 0
	}
	price := 100_000_000 - left("bbbb", "")
	if got := 100_000_000 - left("a", ""); got != 2*price || price <= 0 { // from two projects
		t.Errorf("of the budget of a %d were spent, want twice %d", got, price)
	}
	for part, calls := range map[string]int64{"a": 2, "bbbb": 1, "": 1} {
		if got := 1_000_000_000 - left("each", part); got != calls*price {
			t.Errorf("of the part of %q %d were spent, want %d times %d", part, got, calls, price)
		}
	}
	m.must(t, 200, "PATCH", "/budgets/a", fmt.Sprintf(`{"amount_usd":%s}`, fmt.Sprintf("%d.%06d", 2*price/1_000_000, 2*price%1_000_000)))
	for p, want := range map[string]int{"a-lab": 429, "a-ops": 429, "bbbb-lab": 200, "bbbb-of-none": 200} {
		if status, body := m.call(t, secrets[p], "org/m"); status != want {
			t.Errorf("once a has spent all, a call of %s: %d %s, want %d", p, status, body, want)
		}
	}
	m.must(t, 204, "DELETE", "/budgets/a", "")
	m.must(t, 201, "POST", "/policies", `{"name":"b-alone","cedar":"permit(principal in Organization::\"bbbb\", action, resource);"}`)
	for p, want := range map[string]int{"a-lab": 403, "a-ops": 403, "bbbb-lab": 200, "bbbb-of-none": 403} {
		if status, body := m.call(t, secrets[p], "org/m"); status != want {
			t.Errorf("where b alone may call, a call of %s: %d %s, want %d", p, status, body, want)
		}
	}
	m.must(t, 200, "PATCH", "/projects/bbbb-of-none", `{"organization":"bbbb"}`)
	if status, body := m.call(t, secrets["bbbb-of-none"], "org/m"); status != 200 {
		t.Errorf("once it belongs to b: %d %s", status, body)
	}
	said := fmt.Sprint(m.must(t, 200, "POST", "/policies:explain", `{"project":"bbbb-lab","model":"org/m"}`))
	if !strings.Contains(said, "allowed:true") {
		t.Errorf("explained: %s", said)
	}
}

// TestAnOrganizationsAuditorsReadItsPartOfTheAudit has things done in two organizations and above them.
func TestAnOrganizationsAuditorsReadItsPartOfTheAudit(t *testing.T) {
	m, _ := twoOrganizations(t, "")
	amy, abe, ada, ben := m.as(t, "amy"), m.as(t, "abe"), m.as(t, "ada"), m.as(t, "bbbb-ben")
	amy.must(t, 201, "POST", "/projects", `{"name":"a-new","organization":"a"}`)
	amy.must(t, 201, "POST", "/keys", `{"name":"of a-new","project":"a-new"}`)
	amy.must(t, 201, "POST", "/budgets", `{"name":"a-new","amount_usd":5,"window":"month","scope":{"project":"a-new"}}`)
	amy.must(t, 409, "PUT", "/projects/bbbb-lab", `{"name":"bbbb-lab","organization":"a"}`)
	ada.must(t, 403, "POST", "/budgets", `{"name":"no","amount_usd":5,"scope":{"project":"a-lab"}}`)
	ben.must(t, 201, "POST", "/projects", `{"name":"bbbb-new","organization":"bbbb"}`)
	ben.must(t, 403, "POST", "/members", `{"name":"x","organization":"a","roles":[{"role":"admin","organization":"a"}]}`)
	m.must(t, 200, "PATCH", "/members/ali", `{"title":"Ali"}`)
	m.must(t, 201, "POST", "/connections", `{"name":"for-all","provider":"xai","credentials":{"api_key":"k"}}`)
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	audit := func(who *manager, query string) (out []string) {
		t.Helper()
		for _, v := range who.must(t, 200, "GET", "/audit?limit=1000"+query, "")["data"].([]any) {
			v := v.(map[string]any)
			out = append(out, fmt.Sprintf("%v %v %v %v", v["actor"], v["action"], v["name"], v["decision"]))
		}
		return out
	}
	theirs := audit(abe, "")
	for _, want := range []string{
		"member:amy create_project a-new allowed", "member:amy put_project bbbb-lab refused", "member:ada create_budget", "admin_key patch_member ali allowed",
	} {
		if !slices.ContainsFunc(theirs, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("the auditor of a does not read %q, but:\n%s", want, strings.Join(theirs, "\n"))
		}
	}
	for _, line := range theirs {
		if strings.Contains(line, "ben") || strings.Contains(line, "for-all") || strings.Contains(line, "bbbb-new") {
			t.Errorf("the auditor of a reads %q", line)
		}
	}
	if got := audit(abe, "&project=a-new"); len(got) < 3 || len(got) >= len(theirs) {
		t.Errorf("of one project they read %q", got)
	}
	if got := audit(m, "&organization=bbbb"); len(got) == 0 || slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "amy") || strings.Contains(s, "a-new") }) {
		t.Errorf("of bbbb there is %q", got)
	}
	for _, query := range []string{"?organization=bbbb", "?project=bbbb-lab", "?organization=a&project=bbbb-lab"} {
		abe.must(t, 403, "GET", "/audit"+query, "")
	}
}
