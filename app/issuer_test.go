package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const adminKeyOfTests = "admin-of-tests-0123456789"

// vouched is a deployment, and an issuer whose robots may call it.
const vouched = oneTarget + `
members: [{name: eve@plenum.example, disabled: true}]
issuers:
  - name: cluster
    issuer: %s
    audiences: [plenum]
    accounts:
      - {name: robots, project: prod, groups: [machines], claims: {sub: "robot:*"}}
      - {name: people, project: desk, claims: {groups: staff}, member_claim: email}
`

func tokensOfTests() *identity.Tokens {
	return identity.NewTokens(clock.Real, slog.New(slog.DiscardHandler))
}

// A token opens what a key opens, wherever an SDK of a dialect puts it, and refusals are said in that dialect.
func TestATokenOfAnIssuerCallsInEveryDialect(t *testing.T) {
	up, is := testkit.NewUpstream(t, testkit.JSON(whole)), testkit.NewIssuer(t)
	w := newWorld(t, Mechanisms{Tokens: tokensOfTests()}, vouched, up.URL, is.URL)
	good := is.Token(map[string]any{"aud": "plenum", "sub": "robot:1"})
	bad := is.Token(map[string]any{"aud": "them", "sub": "robot:1"})
	for i, c := range []struct{ path, body, header, prefix, refused string }{
		{"/v1/chat/completions", askWhole, "Authorization", "Bearer ", `"code":"invalid_api_key"`},
		{"/openai/deployments/m/chat/completions?api-version=2024-10-21", `{"messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer ", `"code":`},
		{"/v1/messages", askClaude, "Authorization", "Bearer ", `"type":"authentication_error"`},
		{"/v1/messages", askClaude, "X-Api-Key", "", `"type":"authentication_error"`},
		{"/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`, "X-Goog-Api-Key", "", `"status":"UNAUTHENTICATED"`},
		{"/model/m/converse", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "Authorization", "Bearer ", `"message":"this token is meant for somebody else`},
		{"/v2/chat", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "Authorization", "bearer ", `"message":"this token is meant for somebody else`},
		{"/api/chat", `{"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]}`, "Authorization", "Bearer ", `"error":"this token is meant for somebody else`},
	} {
		resp, text := w.as(c.path, c.body, c.header, c.prefix+good)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s by %s: %d %s", c.path, c.header, resp.StatusCode, text)
		}
		if r := w.records.nth(t, 2*i); r.KeyID != "token:cluster/robots" || r.Project != "prod" {
			t.Errorf("%s: written down for %q in %q", c.path, r.KeyID, r.Project)
		}
		resp, text = w.as(c.path, c.body, c.header, c.prefix+bad)
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden || !strings.Contains(text, c.refused) || !strings.Contains(text, "must be plenum") {
			t.Errorf("%s by %s: %d %s", c.path, c.header, resp.StatusCode, text)
		}
		w.records.nth(t, 2*i+1)
	}
	if n := len(up.Requests()); n != 8 {
		t.Errorf("%d calls reached the upstream", n)
	}
	for _, r := range up.Requests() {
		if strings.Contains(fmt.Sprint(r.Header), strings.Split(good, ".")[2]) {
			t.Error("the token went to the upstream")
		}
	}
}

// as sends a body with one credential.
func (w *world) as(path, body, header, credential string) (*http.Response, string) {
	w.t.Helper()
	if header == "Authorization" {
		return w.post(path, body, header, credential)
	}
	return w.post(path, body, "Authorization", "", header, credential)
}

// Whom a token names may be shut out like whoever has a key; one that fits no account is refused for good.
func TestWhoATokenNames(t *testing.T) {
	up, is := testkit.NewUpstream(t, testkit.JSON(whole)), testkit.NewIssuer(t)
	w := newWorld(t, Mechanisms{Tokens: tokensOfTests()}, vouched, up.URL, is.URL)
	ask := func(claims map[string]any) (int, string) {
		claims["aud"] = "plenum"
		resp, text := w.post("/v1/chat/completions", askWhole, "Authorization", "Bearer "+is.Token(claims))
		return resp.StatusCode, text
	}
	if status, text := ask(map[string]any{"groups": []string{"staff"}, "email": "ada@plenum.example"}); status != http.StatusOK {
		t.Errorf("ada: %d %s", status, text)
	}
	if status, text := ask(map[string]any{"groups": []string{"staff"}, "email": "eve@plenum.example"}); status != http.StatusUnauthorized || !strings.Contains(text, "shut out") {
		t.Errorf("eve: %d %s", status, text)
	}
	if status, text := ask(map[string]any{"sub": "somebody"}); status != http.StatusForbidden || !strings.Contains(text, "no_account") {
		t.Errorf("somebody: %d %s", status, text)
	}
	is.Down(true)
	w.current.Store(w.compile(fmt.Sprintf(vouched, up.URL, testkit.NewIssuer(t).URL)))
	if status, text := ask(map[string]any{"sub": "robot:1"}); status != http.StatusUnauthorized || !strings.Contains(text, "does not vouch") {
		t.Errorf("of an issuer that is declared no more: %d %s", status, text)
	}
}

// Work that goes on after a call is done for the account, as long as that is declared.
func TestWorkForATokenEndsWithItsAccount(t *testing.T) {
	up, is := testkit.NewUpstream(t, testkit.JSON(whole)), testkit.NewIssuer(t)
	w := newWorld(t, Mechanisms{Tokens: tokensOfTests()}, vouched, up.URL, is.URL)
	k, ok := w.current.Load().KeyByID("token:cluster/robots")
	if !ok || identity.Usable(k, time.Now()) != nil || k.Principal().Project != "prod" || len(k.Principal().Groups) != 1 {
		t.Fatalf("%+v", k)
	}
	w.current.Store(w.compile(strings.Replace(fmt.Sprintf(vouched, up.URL, is.URL), "name: robots", "name: others", 1)))
	if _, ok := w.current.Load().KeyByID("token:cluster/robots"); ok {
		t.Error("the account is gone and works on")
	}
}

// A node reads keys before anybody calls, and takes an issuer over that is declared through the management API.
func TestANodeReadsTheKeysOfItsIssuers(t *testing.T) {
	up, is := testkit.NewUpstream(t, testkit.JSON(whole)), testkit.NewIssuer(t)
	n := serveNode(t, t.TempDir(), fmt.Sprintf(vouched, up.URL, is.URL)+"\nadmin_key: "+adminKeyOfTests+"\n")
	for end := time.Now().Add(30 * time.Second); is.Reads() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the keys are not read")
		}
	}
	token := is.Token(map[string]any{"aud": "plenum", "sub": "robot:1"})
	if status, text := n.ask(t, http.MethodPost, "/v1/chat/completions", askWhole, "Authorization", "Bearer "+token); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	second := testkit.NewIssuer(t)
	second.Rotate(jose.ES256)
	spec := fmt.Sprintf(`{"name":"second","issuer":%q,"audiences":["plenum"],"accounts":[{"name":"a","claims":{"sub":"*"}}]}`, second.URL)
	if status, text := n.ask(t, http.MethodPost, "/admin/v1/issuers", spec, "Authorization", "Bearer "+adminKeyOfTests, "Content-Type", "application/json"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	token = second.Token(map[string]any{"aud": "plenum", "sub": "x"})
	if status, text := n.ask(t, http.MethodPost, "/v1/chat/completions", askWhole, "Authorization", "Bearer "+token); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	n.end(t)
}
