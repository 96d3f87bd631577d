package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// TestCase_I5_WhatIsSentIsNoTemplateAndNoCommand sends what template engines, shells and this configuration itself would
// put something in the place of, to everything that keeps or repeats texts: it stays as it was sent.
func TestCase_I5_WhatIsSentIsNoTemplateAndNoCommand(t *testing.T) {
	t.Setenv("A_SECRET_OF_THE_NODE", "nobody-may-read-this")
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m := manage(t, "connections: [{name: a, provider: openai-compatible, base_url: \""+up.URL+"/v1\"}]\ndeployments: [{name: m, targets: [{connection: a, upstream_model: up}]}]\n")
	for i, text := range []string{
		"{{7*7}}", "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "${env:A_SECRET_OF_THE_NODE}", "${file:/etc/passwd}", "<%= 7*7 %>", "#{7*7}", "$(id)", "`id`", "{{.Secret}}", "${{7*7}}",
	} {
		// A declaration through the management API is read without references: they are the file's and the command line's.
		name := fmt.Sprint("p", i)
		status, shown := m.do(t, "POST", "/projects", fmt.Sprintf(`{"name":%q,"title":%q}`, name, text))
		if strings.Contains(text, "${") {
			if status != http.StatusUnprocessableEntity || strings.Contains(fmt.Sprint(shown), "nobody-may-read-this") {
				t.Errorf("the title %q: %d %v", text, status, shown)
			}
		} else if p, ok := m.current.Load().Project(name); status != http.StatusCreated || shown["spec"].(map[string]any)["title"] != text || !ok || p.Title != text {
			t.Errorf("the title %q is shown as %v and in force as %+v", text, shown, p)
		}
		// So is a call: the vendor gets what the caller wrote.
		key := m.must(t, http.StatusCreated, "POST", "/keys", fmt.Sprintf(`{"name":%q}`, text))["secret"].(string)
		if status, body := m.ask(t, "POST", "/v1/chat/completions", fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}]}`, text), "Authorization", "Bearer "+key); status != http.StatusOK {
			t.Fatalf("a call with %q: %d %s", text, status, body)
		}
		all := up.Requests()
		if got := string(all[len(all)-1].Body); !strings.Contains(got, fmt.Sprintf("%q", text)) {
			t.Errorf("the vendor got %s of %q", got, text)
		}
		// And what a page repeats is text.
		if _, page := m.ask(t, "GET", "/sign-in/%7B%7B7*7%7D%7D", ""); strings.Contains(page, "49") {
			t.Errorf("a page says %s", page)
		}
	}
	// Nothing that can be declared through the API runs a program.
	for _, body := range []string{`{"name":"x","provider":"command","command":"id"}`, `{"name":"x","provider":"openai","command":["id"]}`} {
		if status, said := m.do(t, "POST", "/connections", body); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %v", body, status, said)
		}
	}
}
