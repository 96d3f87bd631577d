package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
)

const reported = `
connections: [{name: a, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}]
deployments:
  - {name: m-of-web, targets: [{connection: a, upstream_model: gpt-4o}]}
  - {name: m-of-lab, targets: [{connection: a, upstream_model: gpt-4o-mini}]}
keys:
  - {name: web, project: web, secret: the-key-of-project-web}
  - {name: lab, project: lab, secret: the-key-of-project-lab}
`

// roles makes a key of the management API for each of some roles.
func (m *manager) roles(t *testing.T, grants map[string]string) map[string]*manager {
	t.Helper()
	out := map[string]*manager{}
	for name, roles := range grants {
		m.must(t, 201, "POST", "/members", fmt.Sprintf(`{"name":%q,"roles":[%s]}`, name, roles))
		key := m.must(t, 201, "POST", "/keys", fmt.Sprintf(`{"name":%q,"member":%q,"admin":true}`, name, name))
		out[name] = &manager{m.site, key["secret"].(string)} //nolint:forcetypeassert // it is shown once
	}
	return out
}

// TestADeveloperSeesTheReportsOfTheirProjectAlone asks every report as each role: nothing of project lab may reach who is
// of project web.
func TestADeveloperSeesTheReportsOfTheirProjectAlone(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer), testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(reported, up.URL))
	for _, p := range []string{"web", "lab"} {
		status, body := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m-of-`+p+`","messages":[{"role":"user","content":"x"}]}`,
			"Authorization", "Bearer the-key-of-project-"+p, "Plenum-Tags", "team=team-of-"+p)
		if status != 200 {
			t.Fatalf("a call of %s: %d %s", p, status, body)
		}
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		us, err := m.store.Usage(t.Context(), store.UsageQuery{})
		if err == nil && len(us) == 1 && us[0].Calls == 2 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the calls are not stored: %v %v", us, err)
		}
	}
	who := m.roles(t, map[string]string{
		"dev": `{"role":"developer","project":"web"}`, "two": `{"role":"developer","project":"web"},{"role":"developer","project":"other"}`,
		"auditor": `{"role":"auditor"}`, "billing": `{"role":"billing"}`, "owner": `{"role":"owner"}`,
		"publisher": `{"role":"publisher","publisher":"openai"}`,
	})
	paths := []string{
		"/reports/usage?by=project,member,key,deployment,model,publisher,provider,connection,target,upstream,region,dialect,operation,tags,tag:team",
		"/reports/usage?by=deployment&per=day&format=csv", "/reports/usage?top=1&by=project", "/reports/focus",
		"/reports/concentration", "/reports/exit-drill?vendor=openai&project=web", "/reports/exit-drill?host=openai&project=web",
	}
	for name, x := range who {
		for _, path := range paths {
			status, text := m.ask(t, "GET", "/admin/v1"+path, "", "Authorization", "Bearer "+x.key)
			lab := strings.Contains(text, "lab") || strings.Contains(text, "gpt-4o-mini")
			switch name {
			case "publisher":
				if status != http.StatusForbidden {
					t.Errorf("%s as %s: %d %s", path, name, status, text)
				}
			case "dev", "two":
				if status != 200 || lab || !strings.Contains(text, "gpt-4o") && !strings.Contains(text, "web") {
					t.Errorf("%s as %s: %d %s", path, name, status, text)
				}
			default:
				if status != 200 || !lab && !strings.Contains(path, "project=web") && !strings.Contains(path, "top=1") {
					t.Errorf("%s as %s: %d %s", path, name, status, text)
				}
			}
		}
		for _, path := range []string{"/reports/usage?project=lab", "/reports/usage?project=web,lab", "/reports/focus?project=lab", "/reports/concentration?project=lab", "/reports/exit-drill?vendor=openai&project=lab"} {
			status, text := m.ask(t, "GET", "/admin/v1"+path, "", "Authorization", "Bearer "+x.key)
			if refused := status == http.StatusForbidden; refused != (name == "dev" || name == "two" || name == "publisher") {
				t.Errorf("%s as %s: %d %s", path, name, status, text)
			}
		}
	}
	for _, bad := range []string{"by=x", "per=x", "zone=Local", "zone=x", "from=x", "to=2026-13-01", "top=-1", "top=x", "format=xml", "tag=x", "measures=x", "sort=x", "from=2026-01-02&to=2026-01-01", "by=,"} {
		m.must(t, 400, "GET", "/reports/usage?"+bad, "")
	}
	m.must(t, 400, "GET", "/reports/exit-drill", "")
	m.must(t, 400, "GET", "/reports/focus?per=week", "")
}
