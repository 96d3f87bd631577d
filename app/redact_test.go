package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
)

func TestWhatIsKeptIsRedactedBefore(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(strings.Replace(completionAnswer, `"content":"`, `"content":"call +49 170 1234567 `, 1)))
	m := manage(t, fmt.Sprintf(`content: {keep: true, redact: [cards, email, phone], redact_patterns: [{name: ticket, pattern: "TICK-[0-9]+"}]}
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1", credentials: {api_key: k}}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]
`, up.URL))
	m.must(t, 201, "POST", "/projects", `{"name":"lab"}`)
	key := m.must(t, 201, "POST", "/keys", `{"name":"ci","project":"lab"}`)["secret"].(string)
	said := "I am ann@example.com, pay with 4111 1111 1111 1111 for TICK-7"
	status, got := m.ask(t, "POST", "/v1/responses", `{"model":"m","input":"`+said+`"}`, "Authorization", "Bearer "+key)
	if status != 200 || !strings.Contains(string(up.Requests()[0].Body), said) || !strings.Contains(got, "+49 170") {
		t.Fatalf("what is answered is not as it was said: %d %s", status, got)
	}
	var body string
	for end := time.Now().Add(30 * time.Second); body == ""; time.Sleep(20 * time.Millisecond) { // it is written soon
		all, err := m.store.Objects(t.Context(), store.ObjectFilter{Kind: "response"})
		if err != nil || time.Now().After(end) {
			t.Fatalf("nothing is kept, %v", err)
		}
		if len(all) > 0 {
			body = string(all[0].Body)
		}
	}
	for _, gone := range []string{"ann@example.com", "4111", "TICK-7", "1234567"} {
		if strings.Contains(body, gone) {
			t.Errorf("%s is kept: %s", gone, body)
		}
	}
	for _, left := range []string{"I am [EMAIL], pay with [CARD] for [TICKET]", "call [PHONE]"} {
		if !strings.Contains(body, left) {
			t.Errorf("%s is not kept: %s", left, body)
		}
	}
}

// A project that forbids it is heard at once, also of what was begun before.
func TestAProjectForbidsWhatIsKeptOfIt(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, fmt.Sprintf(`content: {keep: true, opt_in: true}
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1", credentials: {api_key: k}}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]
`, up.URL))
	m.must(t, 201, "POST", "/projects", `{"name":"lab","content":{"keep":true}}`)
	key := m.must(t, 201, "POST", "/keys", `{"name":"ci","project":"lab"}`)["secret"].(string)
	as := []string{"Authorization", "Bearer " + key}
	status, got := m.ask(t, "POST", "/v1/conversations", `{"items":[{"type":"message","role":"user","content":"before"}]}`, as...)
	if status != 200 {
		t.Fatalf("a conversation: %d %s", status, got)
	}
	var begun struct{ ID string }
	if err := json.Unmarshal([]byte(got), &begun); err != nil {
		t.Fatal(err)
	}
	turn := `{"model":"m","input":"x","conversation":"` + begun.ID + `"}`
	if status, got := m.ask(t, "POST", "/v1/responses", turn, as...); status != 200 {
		t.Fatalf("a turn: %d %s", status, got)
	}
	asked := len(up.Requests())
	m.must(t, 200, "PATCH", "/projects/lab", `{"content":{"keep":false}}`)
	for _, x := range [][2]string{
		{"/v1/responses", turn},
		{"/v1/conversations", `{}`},
		{"/v1/conversations/" + begun.ID + "/items", `{"items":[{"type":"message","role":"user","content":"more"}]}`},
	} {
		if status, got := m.ask(t, "POST", x[0], x[1], as...); status != 403 || !strings.Contains(got, "content_not_kept") {
			t.Errorf("%s: %d %s", x[0], status, got)
		}
	}
	if len(up.Requests()) != asked {
		t.Error("the upstream was asked all the same")
	}
	if status, _ := m.ask(t, "GET", "/v1/conversations/"+begun.ID, "", as...); status != 200 {
		t.Errorf("what is there cannot be read: %d", status)
	}
	if status, _ := m.ask(t, "DELETE", "/v1/conversations/"+begun.ID, "", as...); status != 200 {
		t.Errorf("what is there cannot be deleted: %d", status)
	}
}
