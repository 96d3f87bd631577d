package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/scim"
)

// scimDo sends what a directory sends, and wants a status.
func (m *manager) scimDo(t *testing.T, key string, want int, method, path, body string, header ...string) map[string]any {
	t.Helper()
	header = append([]string{"Authorization", "Bearer " + key, "Content-Type", "application/scim+json"}, header...)
	status, text := m.ask(t, method, "/scim/v2"+path, body, header...)
	if status != want {
		t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, status, want, text)
	}
	var v map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// directory is a site with a service account for a directory, and the key of that.
func directory(t *testing.T, more string) (*manager, string) {
	t.Helper()
	m := manage(t, more+`
projects: [{name: lab}]
scim: {roles: [{group: platform, role: auditor}, {group: physics, role: developer, project: lab}]}
`)
	m.must(t, 201, "POST", "/service_accounts", `{"name":"entra","roles":[{"role":"admin"}]}`)
	key := m.must(t, 201, "POST", "/keys", `{"name":"entra","member":"entra","admin":true,"scope":{"scim":true}}`)
	return m, key["secret"].(string)
}

const annOfEntra = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"Ann@Example.com","active":true,"emails":[{"primary":true,"type":"work","value":"ann@example.com"}],
"meta":{"resourceType":"User"},"name":{"formatted":"Ann Lee","familyName":"Lee","givenName":"Ann"},"roles":[]}`

func TestADirectoryMakesMembersAndShutsThemOut(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m, key := directory(t, fmt.Sprintf(`
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]`, up.URL))
	found := m.scimDo(t, key, 200, "GET", "/Users?filter="+url.QueryEscape(`userName eq "Ann@Example.com"`), "")
	if found["totalResults"] != 0.0 {
		t.Fatalf("there is somebody before anybody was made: %v", found)
	}
	ann := m.scimDo(t, key, 201, "POST", "/Users", annOfEntra)
	id := ann["id"].(string)
	m.scimDo(t, key, 409, "POST", "/Users", annOfEntra)
	group := m.scimDo(t, key, 201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"g-1","displayName":"platform"}`)
	gid := group["id"].(string)
	m.scimDo(t, key, 200, "PATCH", "/Groups/"+gid, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+id+`"}]}]}`)

	member := m.must(t, 200, "GET", "/members/ann@example.com", "")["spec"].(map[string]any)
	if fmt.Sprint(member["groups"]) != "[platform]" || member["title"] != "Ann Lee" || member["directory"] != true {
		t.Fatalf("the member is %v", member)
	}
	own := m.must(t, 201, "POST", "/keys", `{"name":"ann","member":"ann@example.com","admin":true}`)["secret"].(string)
	caller := m.must(t, 201, "POST", "/keys", `{"name":"call","member":"ann@example.com"}`)["secret"].(string)
	as := &manager{m.site, own}
	as.must(t, 200, "GET", "/members", "") // what the group's role lets her
	as.must(t, 403, "POST", "/projects", `{"name":"x"}`)
	call := func() int {
		status, _ := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+caller)
		return status
	}
	if got := call(); got != 200 {
		t.Fatalf("her key calls: %d", got)
	}

	// Out of the group: the role is gone with it.
	m.scimDo(t, key, 200, "PATCH", "/Groups/"+gid, `{"Operations":[{"op":"remove","path":"members[value eq \"`+id+`\"]"}]}`)
	as.must(t, 403, "GET", "/members", "")
	m.scimDo(t, key, 200, "PATCH", "/Groups/"+gid, `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+id+`","display":"x"}]}]}`)
	as.must(t, 200, "GET", "/members", "")

	// Deactivated as Entra ID does it, and activated as Okta does.
	m.scimDo(t, key, 200, "PATCH", "/Users/"+id, `{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`)
	as.must(t, 403, "GET", "/members", "")
	if got := call(); got != 401 && got != 403 {
		t.Fatalf("the key of somebody who is shut out calls: %d", got)
	}
	got := m.scimDo(t, key, 200, "PUT", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com","name":{"givenName":"Ann","familyName":"Lee"}}`)
	if got["active"] != false {
		t.Error("somebody came back because it was not said whether they are active")
	}
	m.scimDo(t, key, 200, "PATCH", "/Users/"+id, `{"Operations":[{"op":"replace","value":{"active":true}}]}`)
	if got := call(); got != 200 {
		t.Fatalf("her key calls again: %d", got)
	}

	m.scimDo(t, key, 204, "DELETE", "/Users/"+id, "")
	m.scimDo(t, key, 404, "GET", "/Users/"+id, "")
	m.must(t, 404, "GET", "/members/ann@example.com", "")
	if got := call(); got != 401 && got != 403 {
		t.Fatalf("the key of somebody who is gone calls: %d", got)
	}
	if list := m.scimDo(t, key, 200, "GET", "/Groups/"+gid, "")["members"].([]any); len(list) != 0 {
		t.Errorf("the group still has %v", list)
	}
}

func TestADirectoryReadsInPagesAndByFilters(t *testing.T) {
	m, key := directory(t, "")
	for i := range 5 {
		m.scimDo(t, key, 201, "POST", "/Users", fmt.Sprintf(`{"userName":"u%d","externalId":"x%d","active":"%v","displayName":"User %d"}`, i, i, i%2 == 0, i))
	}
	page := m.scimDo(t, key, 200, "GET", "/Users?startIndex=2&count=2", "")
	if page["totalResults"] != 5.0 || page["startIndex"] != 2.0 || page["itemsPerPage"] != 2.0 || page["Resources"].([]any)[0].(map[string]any)["userName"] != "u1" {
		t.Errorf("the page is %v", page)
	}
	if got := m.scimDo(t, key, 200, "GET", "/Users?filter="+url.QueryEscape(`active eq false and externalId sw "x"`)+"&attributes=userName", ""); got["totalResults"] != 2.0 || len(got["Resources"].([]any)[0].(map[string]any)) != 3 {
		t.Errorf("the filter finds %v", got)
	}
	m.scimDo(t, key, 400, "GET", "/Users?filter="+url.QueryEscape(`userName is "a"`), "")
	m.scimDo(t, key, 400, "GET", "/Users?count=many", "")

	first := page["Resources"].([]any)[0].(map[string]any)
	at, tag := "/Users/"+first["id"].(string), first["meta"].(map[string]any)["version"].(string)
	m.scimDo(t, key, 304, "GET", at, "", "If-None-Match", tag)
	m.scimDo(t, key, 200, "PUT", at, `{"userName":"u1","displayName":"other"}`, "If-Match", tag)
	m.scimDo(t, key, 412, "PUT", at, `{"userName":"u1","displayName":"another"}`, "If-Match", tag)
	for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/ResourceTypes/Group"} {
		m.scimDo(t, key, 200, "GET", path, "")
	}
	for _, body := range []string{`[]`, `{"userName":""}`, `{}`, `{"userName":7,"active":"perhaps"}`, "{\"userName\":\"a\\u0007\"}"} {
		if got := m.scimDo(t, key, 400, "POST", "/Users", body); got["status"] != "400" {
			t.Errorf("%s: %v", body, got)
		}
	}
	m.scimDo(t, key, 400, "POST", "/Groups", `{"displayName":"g","members":[{"value":"nobody"}]}`)
}

func TestOnlyWhoKeepsMembersIsADirectory(t *testing.T) {
	m, key := directory(t, `
members: [{name: ann, roles: [{role: auditor}]}]
keys: [{name: caller, secret: the-key-of-a-caller}]`)
	reads := m.must(t, 201, "POST", "/keys", `{"name":"reads","member":"ann","admin":true}`)["secret"].(string)
	for _, route := range scim.Routes() {
		method, path, _ := strings.Cut(strings.Replace(route, "/scim/v2", "", 1), " ")
		m.scimDo(t, "nobody-knows-this", 401, method, path, `{"userName":"x"}`)
		m.scimDo(t, "the-key-of-a-caller", 403, method, path, `{"userName":"x"}`)
		if method != http.MethodGet {
			m.scimDo(t, reads, 403, method, path, `{"userName":"x"}`)
		}
	}
	m.scimDo(t, reads, 200, "GET", "/Users", "")
	// The key of a directory opens nothing else, and makes no owner of anybody.
	(&manager{m.site, key}).must(t, 403, "GET", "/members", "")
	m.must(t, 422, "POST", "/keys", `{"name":"x","scope":{"scim":true}}`)
	m.scimDo(t, key, 409, "POST", "/Users", `{"userName":"Ann"}`) // the file declares her
	m.must(t, 201, "POST", "/members", `{"name":"root@example.com","roles":[{"role":"owner"}]}`)
	m.scimDo(t, key, 403, "POST", "/Users", `{"userName":"root@example.com","active":false}`)
	m.scimDo(t, key, 409, "POST", "/Users", `{"userName":"entra"}`) // a service account
	m.must(t, 200, "GET", "/members/root@example.com", "")
}

func TestWhatADirectoryKeepsIsNoPartOfADeclaration(t *testing.T) {
	m, key := directory(t, "")
	m.scimDo(t, key, 201, "POST", "/Users", `{"userName":"bob"}`)
	all := m.must(t, 200, "GET", "/declarations", "")
	if _, there := all["scim_users"]; there || len(all["members"].([]any)) != 1 {
		t.Errorf("the declaration is %v", all)
	}
	m.must(t, 201, "POST", "/projects", `{"name":"other"}`)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // it is written beside the requests
		entries, _ := m.must(t, 200, "GET", "/audit?noun=scim_users", "")["data"].([]any)
		if slices.ContainsFunc(entries, func(e any) bool {
			v := e.(map[string]any)
			return v["action"] == "scim_create" && v["actor"] == "member:entra" && v["name"] == "bob"
		}) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the audit has %v", entries)
		}
	}
}

func TestAServiceAccountThatIsDisabledIsRefused(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(`
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]
members: [{name: ann}]`, up.URL))
	m.must(t, 201, "POST", "/service_accounts", `{"name":"ci","title":"builds","roles":[{"role":"auditor"}]}`)
	m.must(t, 422, "POST", "/service_accounts", `{"name":"ann"}`) // a member has the name
	calls := m.must(t, 201, "POST", "/keys", `{"name":"calls","member":"ci"}`)["secret"].(string)
	manages := m.must(t, 201, "POST", "/keys", `{"name":"manages","member":"ci","admin":true}`)["secret"].(string)
	try := func() (int, int) {
		a, _ := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer "+calls)
		b, _ := (&manager{m.site, manages}).do(t, "GET", "/members", "")
		return a, b
	}
	if a, b := try(); a != 200 || b != 200 {
		t.Fatalf("its keys: %d, %d", a, b)
	}
	m.must(t, 200, "PATCH", "/service_accounts/ci", `{"disabled":true}`)
	if a, b := try(); a < 401 || b != 403 {
		t.Errorf("its keys once it is disabled: %d, %d", a, b)
	}
	m.must(t, 200, "PATCH", "/service_accounts/ci", `{"disabled":false}`)
	m.must(t, 204, "DELETE", "/service_accounts/ci", "")
	if a, b := try(); a < 401 || b < 401 {
		t.Errorf("its keys once it is gone: %d, %d", a, b)
	}
}

func TestADirectoryChangesNothingThatCannotBeWrittenDown(t *testing.T) {
	m, key := directory(t, "")
	if err := m.ledger.Close(); err != nil { // as where its disk is gone
		t.Fatal(err)
	}
	if got := m.scimDo(t, key, 503, "POST", "/Users", annOfEntra); !strings.Contains(fmt.Sprint(got["detail"]), "unrecorded") {
		t.Errorf("it is told %v", got)
	}
	if got := m.scimDo(t, key, 200, "GET", "/Users", ""); got["totalResults"] != 0.0 {
		t.Errorf("somebody was made: %v", got)
	}
}
