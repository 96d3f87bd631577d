package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const twoDeployments = `
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments:
  - {name: grok-4, targets: [{connection: a, upstream_model: up}]}
  - {name: gpt-5, targets: [{connection: a, upstream_model: up}]}
members: [{name: ann, roles: [{role: owner}]}]
`

// call asks a deployment with a key and returns the status and the answer.
func (m *manager) call(t *testing.T, secret, model string) (int, string) {
	t.Helper()
	return m.ask(t, "POST", "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+secret)
}

func TestAKeyIsGoodForItsScopeAlone(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(twoDeployments, up.URL))
	make := func(scope string) string {
		return m.must(t, 201, "POST", "/keys", `{"name":"k","scope":`+scope+`}`)["secret"].(string)
	}
	grok := make(`{"deployments":["grok*"]}`)
	for model, want := range map[string]int{"grok-4": 200, "gpt-5": 403} {
		status, body := m.call(t, grok, model)
		if status != want || want == 403 && !strings.Contains(body, `not good for \"gpt-5\", but for grok*`) {
			t.Errorf("%s by a key for grok*: %d %s", model, status, body)
		}
	}
	if _, body := m.ask(t, "GET", "/v1/models", "", "Authorization", "Bearer "+grok); !strings.Contains(body, "grok-4") || strings.Contains(body, "gpt-5") {
		t.Errorf("it sees the models %s", body)
	}
	if status, body := m.call(t, make(`{"operations":["embed"]}`), "gpt-5"); status != 403 || !strings.Contains(body, "not good for the operation generate, but for embed") {
		t.Errorf("an answer by a key for embeddings: %d %s", status, body)
	}
	if status, body := m.ask(t, "GET", "/v1/files", "", "Authorization", "Bearer "+make(`{"operations":["generate"]}`)); status != 403 {
		t.Errorf("files by a key for answers: %d %s", status, body)
	}
	if status, body := m.call(t, make(`{"networks":["192.0.2.0/24"]}`), "gpt-5"); status != 403 || !strings.Contains(body, "certain networks") {
		t.Errorf("a call from elsewhere: %d %s", status, body)
	}
	if status, body := m.call(t, make(`{"networks":["127.0.0.1","::1"]}`), "gpt-5"); status != 200 {
		t.Errorf("a call from where it may come: %d %s", status, body)
	}
	looks := &manager{m.site, m.must(t, 201, "POST", "/keys", `{"name":"k","member":"ann","admin":true,"scope":{"read_only":true}}`)["secret"].(string)}
	looks.must(t, 200, "GET", "/keys", "")
	looks.must(t, 403, "POST", "/projects", `{"name":"lab"}`)

	for scope, want := range map[string]string{
		`{"operations":["generat"]}`: `did you mean "generate"`, `{"networks":["10.0.0.0/99"]}`: "no network", `{"deployments":["a b"]}`: "may hold only",
		`{"read_only":true}`: "of keys of the management API",
	} {
		if refused := m.must(t, 422, "POST", "/keys", `{"name":"k","scope":`+scope+`}`); !strings.Contains(refused["detail"].(string), want) {
			t.Errorf("%s: %v", scope, refused["detail"])
		}
	}
}

func TestARotatedKeyStaysTheSameKey(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(twoDeployments, up.URL))
	made := m.must(t, 201, "POST", "/keys", `{"name":"k","scope":{"deployments":["grok*"]}}`)
	id, first := made["id"].(string), made["secret"].(string)
	if shown := m.must(t, 200, "GET", "/keys/"+id, ""); shown["last_used"] != nil {
		t.Errorf("a key that nobody used was used: %v", shown)
	}
	rotated := m.must(t, 200, "POST", "/keys/"+id+"/rotate", `{"overlap":"1h"}`)
	second := rotated["secret"].(string)
	if rotated["id"] != id || rotated["overlap_until"] == nil || second == first {
		t.Errorf("rotated: %v", rotated)
	}
	for _, secret := range []string{first, second} {
		if status, body := m.call(t, secret, "grok-4"); status != 200 {
			t.Errorf("during the overlap: %d %s", status, body)
		}
		if status, _ := m.call(t, secret, "gpt-5"); status != 403 {
			t.Errorf("the scope is lost: %d", status)
		}
	}
	third := m.must(t, 200, "POST", "/keys/"+id+"/rotate", `{"overlap":"0s"}`)["secret"].(string)
	for secret, want := range map[string]int{first: 401, second: 401, third: 200} {
		if status, body := m.call(t, secret, "grok-4"); status != want {
			t.Errorf("after a rotation without overlap: %d %s, want %d", status, body, want)
		}
	}
	if _, body := m.call(t, second, "grok-4"); !strings.Contains(body, "another secret since it was rotated") {
		t.Errorf("the old secret is told %s", body)
	}
	if shown := m.must(t, 200, "GET", "/keys/"+id, ""); shown["last_used"] == nil || shown["secret"] != nil {
		t.Errorf("a key that was used: %v", shown)
	}
	m.must(t, 204, "DELETE", "/keys/"+id, "")
	m.must(t, 409, "POST", "/keys/"+id+"/rotate", `{}`)
	if status, _ := m.call(t, third, "grok-4"); status != 401 {
		t.Errorf("after it was revoked: %d", status)
	}
	m.must(t, 422, "POST", "/keys/"+id+"/rotate", `{"overlap":"forever"}`)
	m.must(t, 404, "POST", "/keys/nobody/rotate", `{}`)
}
