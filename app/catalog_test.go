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

// grokAt is LiteLLM's entry of Grok 4.3 at a price a token.
func grokAt(in, out string, more ...string) string {
	return `{"xai/grok-4.3":{"litellm_provider":"xai","mode":"chat","input_cost_per_token":` + in + `,"output_cost_per_token":` + out + strings.Join(more, "") + `}}`
}

const grokSite = `
connections: [{name: a, provider: xai, base_url: "%s/v1", network: private, credentials: {api_key: k}}]
deployments: [{name: m, targets: [{connection: a, upstream_model: grok-4.3}]}]
policies:
  - {name: base, cedar: "permit (principal, action, resource);"}
  - {name: living, cedar: "forbid (principal, action, resource is Offer) when { resource.lifecycle == \"deprecated\" };"}
keys: [{name: dev, secret: ` + worldKey + `}]
`

// charged makes a call and returns its status and what it cost.
func charged(t *testing.T, m *manager) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url+"/v1/chat/completions", strings.NewReader(askWhole))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+worldKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Plenum-Cost-Usd")
}

// becomes waits until a call has a status and a cost.
func becomes(t *testing.T, m *manager, status int, cost string) {
	t.Helper()
	var got int
	var is string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got, is = charged(t, m); got == status && is == cost {
			return
		}
	}
	t.Fatalf("a call is answered %d at %s, want %d at %s", got, is, status, cost)
}

func TestCallsAreChargedByWhatWasImported(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer)) // ten tokens read, five written
	m := manage(t, fmt.Sprintf(grokSite, up.URL))
	becomes(t, m, 200, "0.000025")

	dry := m.must(t, 200, "POST", "/catalog/imports?dry_run=true", grokAt("2e-06", "4e-06"))
	if dry["applied"] != false || len(dry["changed"].([]any)) != 1 {
		t.Errorf("a dry run says %v", dry)
	}
	becomes(t, m, 200, "0.000025")
	m.must(t, 200, "POST", "/catalog/imports?date=2026-01-01", grokAt("2e-06", "4e-06"))
	becomes(t, m, 200, "0.000040")

	// Nothing of a bad table counts.
	bad := strings.TrimSuffix(grokAt("3e-06", "4e-06"), "}") + `,"xai/grok-9":{"litellm_provider":"xai","mode":"chat","input_cost_per_token":-1}}`
	p := m.must(t, 422, "POST", "/catalog/imports?date=2026-01-02", bad)
	if faults := p["errors"].([]any); len(faults) != 1 || faults[0].(map[string]any)["item"] != "xai/grok-9" {
		t.Errorf("what is wrong is told as %v", p)
	}
	m.must(t, 409, "POST", "/catalog/imports?date=2025-12-31", grokAt("3e-06", "4e-06"))
	m.must(t, 400, "POST", "/catalog/imports?date=2999-01-01", grokAt("3e-06", "4e-06"))
	becomes(t, m, 200, "0.000040")

	// A policy reads the facts that were imported.
	m.must(t, 200, "POST", "/catalog/imports?date=2026-01-02", grokAt("2e-06", "4e-06", `,"deprecation_date":"2026-01-01"`))
	becomes(t, m, 403, "")
	m.must(t, 204, "DELETE", "/catalog/imports/litellm", "")
	becomes(t, m, 200, "0.000025")
	m.must(t, 404, "DELETE", "/catalog/imports/litellm", "")
}

// TestWhatAnotherNodeImportsCountsHere has a table in the store that this node did not put there.
func TestWhatAnotherNodeImportsCountsHere(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	m, other := manage(t, fmt.Sprintf(grokSite, up.URL)), manage(t, "")
	other.must(t, 200, "POST", "/catalog/imports", grokAt("1e-05", "1e-05"))
	tables, err := other.store.Tables(t.Context())
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	becomes(t, m, 200, "0.000025")
	if err := m.store.PutTable(t.Context(), 0, tables[0]); err != nil {
		t.Fatal(err)
	}
	becomes(t, m, 200, "0.000150")

	// What cannot be read is left out; the rest counts on.
	broken := store.Table{Name: "broken", Date: "2026-01-01", Body: []byte("x")}
	if err := m.store.PutTable(t.Context(), 0, broken); err != nil {
		t.Fatal(err)
	}
	m.must(t, 201, "POST", "/projects", `{"name":"lab"}`)
	becomes(t, m, 200, "0.000150")
}

func TestTheCatalogThroughTheManagementAPI(t *testing.T) {
	m := manage(t, "")
	page := m.must(t, 200, "GET", "/catalog/models?publisher=xai&limit=2", "")
	if len(page["data"].([]any)) != 2 || page["has_more"] != true {
		t.Fatalf("the first page is %v", page)
	}
	next := m.must(t, 200, "GET", "/catalog/models?publisher=xai&limit=2&after="+page["next"].(string), "")
	if next["data"].([]any)[0].(map[string]any)["id"] == page["data"].([]any)[0].(map[string]any)["id"] {
		t.Error("the second page is the first")
	}
	card := m.must(t, 200, "GET", "/catalog/models/anthropic%2Fclaude-sonnet-5?on=2026-08-31", "")
	for _, o := range card["offers"].([]any) {
		if o := o.(map[string]any); o["host"] == "anthropic" && o["price_in_force"].(map[string]any)["input"] != 2.0 {
			t.Errorf("the price of that day is %v", o["price_in_force"])
		}
	}
	if card["publisher"].(map[string]any)["title"] != "Anthropic" || card["lifecycle"] != nil || card["stage"] != "ga" {
		t.Errorf("the model is %v", card)
	}
	if n := len(m.must(t, 200, "GET", "/catalog/publishers", "")["data"].([]any)); n < 10 {
		t.Errorf("%d publishers", n)
	}
	offers := m.must(t, 200, "GET", "/catalog/offers?host=vertex&q=grok", "")["data"].([]any)
	if len(offers) < 5 {
		t.Errorf("the offers are %v", offers)
	}
	for _, bad := range []string{"open=maybe", "min_context=-1", "max_input_price=NaN", "max_output_price=-1", "on=today", "lifecycle=x", "colour=red"} {
		m.must(t, 400, "GET", "/catalog/models?"+bad, "")
	}
	m.must(t, 400, "GET", "/catalog/conflicts?stale_days=x", "")
	if all := m.must(t, 200, "GET", "/catalog/conflicts?stale_days=0&host=xai", "")["data"].([]any); len(all) != 1 {
		t.Errorf("the conflicts are %v", all)
	}
	m.must(t, 422, "POST", "/catalog/imports", `{"a":1}`)
}

// TestAModelThatOnlyThisPlenumOffersIsInTheCatalog has a deployment of a model that nobody else knows.
func TestAModelThatOnlyThisPlenumOffersIsInTheCatalog(t *testing.T) {
	m := manage(t, `
connections: [{name: a, provider: openai-compatible, base_url: "http://127.0.0.1:9/v1", network: private}]
deployments: [{name: rocket, model: acme/rocket-1, targets: [{connection: a, upstream_model: r1, context: 5000, price: {input_usd_per_million: 2, output_usd_per_million: 3}}]}]
`)
	found := m.must(t, 200, "GET", "/catalog/models?publisher=acme", "")["data"].([]any)
	if len(found) != 1 || found[0].(map[string]any)["input_price"] != 2.0 || found[0].(map[string]any)["id"] != "acme/rocket-1" {
		t.Fatalf("it is %v", found)
	}
	card := m.must(t, 200, "GET", "/catalog/models/acme%2Frocket-1", "")
	if offers := card["offers"].([]any); len(offers) != 1 || offers[0].(map[string]any)["context"] != 5000.0 {
		t.Errorf("its offers are %v", card["offers"])
	}
	if all := m.must(t, 200, "GET", "/catalog/models?max_input_price=1&publisher=acme", "")["data"].([]any); len(all) != 0 {
		t.Errorf("it is cheaper than it is: %v", all)
	}
}
