package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/ledger/proof"
	"github.com/plenum-foundry/plenum/store"
)

const boundedSite = `
connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments: [{name: m, targets: [{connection: a, upstream_model: up, context: 200000, max_output: 32000, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}]
keys: [{name: dev, project: lab, secret: a-key-of-the-site-1}]
`

// TestCase_E6_ABudgetThatIsSentIsKeptAndHoldsOrIsRefused declares budgets and limits as people mistake them, and as they are.
func TestCase_E6_ABudgetThatIsSentIsKeptAndHoldsOrIsRefused(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	m := manage(t, fmt.Sprintf(boundedSite, up.URL))
	for path, bodies := range map[string][]string{
		"/budgets": {
			`{"name":"lab","budget":{"max_limit":0.0005}}`, `{"name":"lab","max_limit":0.0005}`, `{"name":"lab","amount_usd":0.0005,"max_limit":0.0005}`,
			`{"name":"lab","amount_usd":0.0005,"Window":"day"}`, `{"name":"lab"}`, `{"name":"lab","amount_usd":"a lot"}`, `{"name":"lab","amount_usd":0.0005,"scope":{"team":"x"}}`,
			`{"name":"lab","amount_usd":0.0005,"within":"lab"}`,
		},
		"/limits": {
			`{"name":"often","rpm":5}`, `{"name":"often","counts":"requests"}`, `{"name":"often","counts":"requests","amount":5,"budget_duration":"1d"}`,
			`{"name":"often","counts":"cost","amount":5}`, `{"name":"often","counts":"requests","amount":-1}`, `{"name":"few","counts":"concurrent","amount":1,"window":"day"}`,
		},
	} {
		for _, body := range bodies {
			if status, got := m.do(t, http.MethodPost, path, body); status != http.StatusUnprocessableEntity || fmt.Sprint(got["errors"]) == "" {
				t.Errorf("%s %s: %d %v", path, body, status, got)
			}
		}
		if got := m.must(t, 200, http.MethodGet, path, ""); len(got["data"].([]any)) != 0 {
			t.Errorf("%s: something of that is kept: %v", path, got)
		}
	}
	ask := func() (int, string) {
		return m.ask(t, http.MethodPost, "/v1/chat/completions", asks(10, 100, false), "Authorization", "Bearer a-key-of-the-site-1")
	}
	if status, got := ask(); status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	m.must(t, 201, http.MethodPost, "/budgets", `{"name":"lab","amount_usd":0.0005,"scope":{"project":"lab"}}`)
	if status, got := ask(); status != 429 || !strings.Contains(got, `budget \"lab\" has $0.000500 left of $0.000500`) {
		t.Errorf("%d %s", status, got)
	}
	m.must(t, 200, http.MethodPatch, "/budgets/lab", `{"amount_usd":50}`)
	m.must(t, 201, http.MethodPost, "/limits", `{"name":"often","counts":"requests","amount":1,"window":"day"}`)
	if status, got := ask(); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if status, got := ask(); status != 429 || !strings.Contains(got, `limit \"often\"`) {
		t.Errorf("%d %s", status, got)
	}
	if got := m.must(t, 200, http.MethodGet, "/limits/often", ""); fmt.Sprint(got["spec"]) == "" || !strings.Contains(fmt.Sprint(got), "requests") {
		t.Errorf("it is shown as %v", got)
	}
	// What others are within does not go alone.
	m.must(t, 201, http.MethodPost, "/budgets", `{"name":"part","amount_usd":1,"within":"lab"}`)
	if got := m.must(t, 422, http.MethodDelete, "/budgets/lab", ""); !strings.Contains(fmt.Sprint(got["errors"]), `there is no budget "lab"`) {
		t.Errorf("%v", got)
	}
	m.must(t, 204, http.MethodDelete, "/limits/often", "")
	if status, got := ask(); status != 200 {
		t.Errorf("%d %s", status, got)
	}
}

func TestWhatIsLeftIsShownToWhoMaySeeIt(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	m := manage(t, fmt.Sprintf(boundedSite, up.URL)+`
budgets: [{name: all, amount_usd: 5}, {name: lab, amount_usd: 1, scope: {project: lab}}, {name: each, per: key, amount_usd: 2, window: 24h}, {name: shop, scope: {project: shop}, amount_usd: 1}]
limits: [{name: projects, per: project, counts: tokens, amount: 1000, window: day, kind: soft}, {name: few, counts: concurrent, amount: 9}]
projects: [{name: lab}, {name: shop}]
members: [{name: ann@example.com, roles: [{role: developer, project: lab}]}]
`)
	for range 2 {
		if status, got := m.ask(t, http.MethodPost, "/v1/chat/completions", asks(100, 100, false), "Authorization", "Bearer a-key-of-the-site-1"); status != 200 {
			t.Fatalf("%d %s", status, got)
		}
	}
	list := func(query string) (names []string, data []map[string]any) {
		got := m.must(t, 200, http.MethodGet, "/balances"+query, "")
		for _, x := range got["data"].([]any) {
			b := x.(map[string]any)
			names, data = append(names, b["account"].(string)), append(data, b)
		}
		return names, data
	}
	names, data := list("")
	if got := fmt.Sprint(names); got != "[[concurrent]few [tokens]projects[lab] all each[declared:dev] lab shop]" {
		t.Fatalf("there are %v", got)
	}
	for i, want := range map[int]string{0: "0 of 9", 1: "272 of 1000", 2: "2072 of 5000000", 3: "2072 of 2000000", 4: "2072 of 1000000", 5: "0 of 1000000"} {
		b := data[i]
		spent, amount, held, left := b["spent"].(float64), b["amount"].(float64), b["held"].(float64), b["left"].(float64)
		if got := fmt.Sprintf("%.0f of %.0f", spent, amount); got != want || left != amount-spent || held != 0 {
			t.Errorf("%s: %s, %v left, %v held; want %s", names[i], got, left, held, want)
		}
	}
	if data[3]["part_name"] != "dev" || data[3]["per"] != "key" || data[2]["resets"] == nil || data[5]["resets"] != nil {
		t.Errorf("%v", data)
	}
	if names, _ := list("?kind=limit&name=few"); fmt.Sprint(names) != "[[concurrent]few]" {
		t.Errorf("asked for one: %v", names)
	}
	m.must(t, 400, http.MethodGet, "/balances?kind=wish", "")
	first := m.must(t, 200, http.MethodGet, "/balances?limit=4", "")
	if names, _ := list("?limit=4&after=" + first["next"].(string)); fmt.Sprint(names) != "[lab shop]" {
		t.Errorf("the second page has %v", names)
	}
	// A developer of one project sees what is that project's.
	key := m.must(t, 201, http.MethodPost, "/keys", `{"name":"ann","member":"ann@example.com","admin":true}`)
	m.key = key["secret"].(string)
	if names, _ := list(""); fmt.Sprint(names) != "[[tokens]projects[lab] lab]" {
		t.Errorf("a developer of the lab sees %v", names)
	}
}

func TestABudgetThatIsUsedUpIsToldByWebhook(t *testing.T) {
	type told struct {
		Name      string
		Threshold int
	}
	got := make(chan told, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e told
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
			t.Errorf("%v %v", err, r.Header)
		}
		got <- e
	}))
	defer hook.Close()
	up := testkit.NewUpstream(t)
	up.Handle(scribe)
	m := manage(t, fmt.Sprintf(boundedSite, up.URL)+"budgets: [{name: lab, amount_usd: 0.01}]\n")
	m.must(t, 422, http.MethodPost, "/alerts", `{"name":"ops","url":"`+hook.URL+`","secret":"0123456789abcdef","of":["lba"]}`)
	m.must(t, 201, http.MethodPost, "/alerts", `{"name":"ops","url":"`+hook.URL+`","secret":"0123456789abcdef","network":"private","at":[10,1000]}`)
	if _, text := m.ask(t, http.MethodGet, "/admin/v1/alerts/ops", "", "Authorization", "Bearer "+m.key); strings.Contains(text, "0123456789abcdef") || strings.Contains(text, hook.URL) {
		t.Errorf("it is shown as %s", text)
	}
	if status, text := m.ask(t, http.MethodPost, "/v1/chat/completions", asks(200, 200, false), "Authorization", "Bearer a-key-of-the-site-1"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	select {
	case e := <-got:
		if e != (told{"lab", 10}) {
			t.Errorf("told was %+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was told")
	}
}

// TestWhatWasSpentElsewhereIsCarriedOver raises what is spent of budgets to what was spent before they were here: it counts as
// if it had been spent here, and outlives the process.
func TestWhatWasSpentElsewhereIsCarriedOver(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	dir := t.TempDir()
	yaml := "admin_key: " + theAdminKey + fmt.Sprintf(`
connections: [{name: a, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}]
deployments: [{name: m, targets: [{connection: a, upstream_model: gpt-4o}]}]
projects: [{name: web}, {name: lab}]
budgets:
  - {name: all, amount_usd: 100, window: month}
  - {name: each, amount_usd: 10, window: total, per: project}
  - {name: of-lab, amount_usd: 5, window: total, scope: {project: lab}}
keys:
  - {name: web, project: web, secret: the-key-of-project-web}
`, up.URL)
	m := &manager{serveNode(t, dir, yaml), theAdminKey}
	carry := func(m *manager, want int, body string) map[string]any {
		t.Helper()
		return m.must(t, want, "POST", "/balances:carry", body)
	}
	for range 2 {
		if b := carry(m, 200, `{"name":"all","spent_usd":"40.25","reason":"spent before"}`); b["spent"] != 40_250_000.0 {
			t.Errorf("carried: %v", b)
		}
	}
	if b := carry(m, 200, `{"name":"all","spent_usd":"12","reason":"an older sum"}`); b["spent"] != 40_250_000.0 {
		t.Errorf("it was lowered: %v", b)
	}
	if b := carry(m, 200, `{"name":"each","part":"web","spent_usd":"11.5","reason":"more than its amount"}`); b["spent"] != 11_500_000.0 || b["left"] != 0.0 {
		t.Errorf("carried: %v", b)
	}
	for _, bad := range []string{
		`{"name":"nobody","spent_usd":"1","reason":"spent before"}`, `{"name":"each","spent_usd":"1","reason":"spent before"}`,
		`{"name":"all","part":"web","spent_usd":"1","reason":"spent before"}`, `{"name":"all","spent_usd":"-1","reason":"spent before"}`,
		`{"name":"all","spent_usd":"1e9","reason":"spent before"}`, `{"name":"all","spent_usd":"1","reason":""}`, `{"name":"all","spent_usd":1,"reason":"spent before"}`,
	} {
		carry(m, 422, bad)
	}
	who := m.roles(t, map[string]string{"billing": `{"role":"billing","project":"lab"}`, "dev": `{"role":"developer"}`})
	carry(who["billing"], 422, `{"name":"all","spent_usd":"50","reason":"not theirs"}`)
	carry(who["billing"], 200, `{"name":"of-lab","spent_usd":"1","reason":"theirs"}`)
	carry(who["dev"], 403, `{"name":"all","spent_usd":"50","reason":"not theirs"}`)
	if status, text := m.call(t, "the-key-of-project-web", "m"); status != 429 || !strings.Contains(text, "each") {
		t.Errorf("a call of who has spent all elsewhere: %d %s", status, text)
	}
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	m.end(t)
	if err := m.Node.Close(); err != nil {
		t.Fatal(err)
	}

	again := &manager{serveNode(t, dir, yaml), theAdminKey}
	found := map[string]any{}
	for _, b := range again.must(t, 200, "GET", "/balances", "")["data"].([]any) {
		b := b.(map[string]any)
		found[b["name"].(string)] = b["spent"]
	}
	if want := map[string]any{"all": 40_250_000.0, "each": 11_500_000.0, "of-lab": 1_000_000.0}; !reflect.DeepEqual(found, want) {
		t.Errorf("after a restart %v is spent, want %v", found, want)
	}
	usage, err := again.store.Usage(t.Context(), store.UsageQuery{})
	if err != nil || len(usage) != 1 || usage[0].Cost != 0 || usage[0].Calls != 1 {
		t.Errorf("it counts as usage: %+v, %v", usage, err)
	}
	var b bytes.Buffer
	if _, err := proof.Export(t.Context(), &b, again.store, 1); err != nil {
		t.Fatal(err)
	}
	if rep, err := proof.Verify(&b, proof.Options{}); err != nil || len(rep.Findings) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}
