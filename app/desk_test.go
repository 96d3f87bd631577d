package app

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/desk"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
)

const (
	vendorKey = "the-key-of-the-vendor-acme"
	vendorURL = "https://acme.example/terms"
)

// fair is a Plenum with a vendor desk, the publisher acme and a project.
type fair struct {
	*manager
	up     *testkit.Upstream
	vendor *testkit.Vendor
	sign   ed25519.PrivateKey
	acme   *manager // its publisher
	ann    *manager // a developer of the project lab
	key    string   // of the project lab
}

func newFair(t *testing.T, yaml string) *fair {
	t.Helper()
	f := &fair{manager: manage(t, yaml), vendor: &testkit.Vendor{Key: vendorKey, Model: "mini-1", Can: []string{"streaming", "tools", "schema"}}}
	f.up = testkit.NewUpstream(t)
	f.up.Handle(func(r *testkit.Request) testkit.Answer { return f.vendor.Handle(r) })
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.sign = private
	f.must(t, 200, "POST", "/declarations:apply", fmt.Sprintf(`{"publishers":[{"name":"acme","network":"private","payout_percent":70,"signing_key":%q},{"name":"other"}],
		"projects":[{"name":"lab-of-secrets"},{"name":"elsewhere"}],"members":[
		{"name":"pat@acme.example","roles":[{"role":"publisher","publisher":"acme"}]},
		{"name":"olu@other.example","roles":[{"role":"publisher","publisher":"other"}]},
		{"name":"ann@example.com","roles":[{"role":"developer","project":"lab-of-secrets"}]}]}`, base64.StdEncoding.EncodeToString(public)))
	f.acme, f.ann = f.as(t, "pat@acme.example"), f.as(t, "ann@example.com")
	f.key = f.must(t, 201, "POST", "/keys", `{"name":"name-of-the-key","project":"lab-of-secrets"}`)["secret"].(string)
	return f
}

// as is the management API as a member sees it.
func (f *fair) as(t *testing.T, member string) *manager {
	t.Helper()
	k := f.must(t, 201, "POST", "/keys", fmt.Sprintf(`{"name":"of %s","member":%q,"admin":true}`, member, member))
	return &manager{f.site, k["secret"].(string)}
}

// card returns a signed card, with members changed; nil takes one away.
func (f *fair) card(t *testing.T, change map[string]any) string {
	t.Helper()
	c := map[string]any{
		"publisher": "acme", "model": "mini", "version": "1", "title": "Mini", "address": f.up.URL + "/v1", "dialect": "chat", "upstream_model": "mini-1",
		"price": map[string]any{"input_usd_per_million": 1.5, "output_usd_per_million": 6}, "context": 32000, "max_output": 4096,
		"capabilities": []string{"streaming", "tools", "schema"}, "licence": "proprietary",
		"terms": map[string]any{"version": "2026-11", "url": vendorURL}, "data": map[string]any{"retention": "none", "training": false},
		"credentials": map[string]any{"api_key": vendorKey},
	}
	for name, v := range change {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, given := change["signature"]; !given {
		if c["signature"], err = desk.Sign(b, f.sign); err != nil {
			t.Fatal(err)
		}
	}
	if b, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settled waits until a card is tried, and returns it.
func (f *fair) settled(t *testing.T, id string) map[string]any {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		e := f.acme.must(t, 200, "GET", "/cards/"+url.PathEscape(id), "")
		if e["running"] == false {
			return e
		}
		if time.Now().After(end) {
			t.Fatalf("it is still tried: %v", e)
		}
	}
}

// runs returns the reports of a card as text.
func (f *fair) runs(t *testing.T, id string) string {
	t.Helper()
	_, text := f.ask(t, "GET", "/admin/v1/cards/"+url.PathEscape(id)+"/runs", "", "Authorization", "Bearer "+f.acme.key)
	return text
}

// saleDoors are the ways in which callers of four dialects ask for a model.
func saleDoors(model string) []struct{ name, path, body, header string } {
	return []struct{ name, path, body, header string }{
		{"chat", "/v1/chat/completions", `{"model":"` + model + `","messages":[{"role":"user","content":"words that nobody may read"}]}`, "Authorization"},
		{"messages", "/v1/messages", `{"model":"` + model + `","max_tokens":64,"messages":[{"role":"user","content":"words that nobody may read"}]}`, "X-Api-Key"},
		{"responses", "/v1/responses", `{"model":"` + model + `","input":"words that nobody may read","store":false}`, "Authorization"},
		{"gemini", "/v1beta/models/" + model + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"words that nobody may read"}]}]}`, "X-Goog-Api-Key"},
	}
}

// call asks for a model through a door.
func (f *fair) call(t *testing.T, path, body, header string) (int, string) {
	t.Helper()
	key := f.key
	if header == "Authorization" {
		key = "Bearer " + key
	}
	return f.ask(t, "POST", path, body, header, key, "Anthropic-Version", "2023-06-01")
}

func TestAVendorIsOnboardedWithinAMinute(t *testing.T) {
	f := newFair(t, "")
	began := time.Now()
	sent := f.acme.must(t, 202, "POST", "/cards", f.card(t, nil))
	if sent["state"] != "submitted" || sent["id"] != "acme/mini:1" {
		t.Fatalf("it was taken in as %v", sent)
	}
	e := f.settled(t, "acme/mini:1")
	listed := time.Since(began)
	if e["state"] != "listed" {
		t.Fatalf("%v\n%s", e, f.runs(t, "acme/mini:1"))
	}
	// Before its terms are accepted, it is refused in every dialect, and after that called.
	for _, d := range saleDoors("acme/mini") {
		status, body := f.call(t, d.path, d.body, d.header)
		if status != 403 || !strings.Contains(body, "must accept the terms") || !strings.Contains(body, "plenum terms accept acme/2026-11 --project lab-of-secrets") {
			t.Errorf("%s before the terms are accepted: %d %s", d.name, status, body)
		}
	}
	f.ann.must(t, 201, "POST", "/terms/acme%2F2026-11/accept", `{"project":"lab-of-secrets"}`)
	f.ann.must(t, 403, "POST", "/terms/acme%2F2026-11/accept", `{"project":"elsewhere"}`)
	for _, d := range saleDoors("acme/mini") {
		status, body := f.call(t, d.path, d.body, d.header)
		if status != 200 || !strings.Contains(body, "yes") {
			t.Errorf("%s: %d %s", d.name, status, body)
		}
	}
	whole := time.Since(began)
	t.Logf("listed %.2f s after the card was submitted; called in four dialects after %.2f s", listed.Seconds(), whole.Seconds())
	if whole > time.Minute {
		t.Errorf("it took %s", whole)
	}
	// Its credential is nowhere to be read.
	for _, path := range []string{"/cards", "/cards/acme%2Fmini:1/runs", "/connections/acme%2Fmini:1", "/declarations", "/deployments"} {
		if _, text := f.ask(t, "GET", "/admin/v1"+path, "", "Authorization", "Bearer "+f.manager.key); strings.Contains(text, vendorKey) {
			t.Errorf("%s shows the credential", path)
		}
	}
	// Taken back, it is gone at once.
	f.acme.must(t, 200, "POST", "/cards/acme%2Fmini:1/withdraw", `{"reason":"enough"}`)
	d := saleDoors("acme/mini")[0]
	if status, body := f.call(t, d.path, d.body, d.header); status != 404 {
		t.Errorf("after it was withdrawn: %d %s", status, body)
	}
}

func TestAModelThatIsNotAsItsCardSaysIsNotListed(t *testing.T) {
	f := newFair(t, "")
	f.vendor.Can = []string{"streaming"}
	f.acme.must(t, 202, "POST", "/cards", f.card(t, nil))
	e := f.settled(t, "acme/mini:1")
	if e["state"] != "failed" || !strings.Contains(e["reason"].(string), "tools") {
		t.Errorf("it is %v", e)
	}
	report := f.runs(t, "acme/mini:1")
	for _, want := range []string{`"name":"tools"`, `it was to call a tool and did not`, `"passed":false`, `"verdict":"passed"`} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %s:\n%s", want, report)
		}
	}
	d := saleDoors("acme/mini")[0]
	if status, _ := f.call(t, d.path, d.body, d.header); status != 404 {
		t.Errorf("it is called all the same: %d", status)
	}
	// Mended, the same card is listed.
	f.vendor.Can = []string{"streaming", "tools", "schema"}
	f.acme.must(t, 202, "POST", "/cards", f.card(t, nil))
	if e := f.settled(t, "acme/mini:1"); e["state"] != "listed" {
		t.Errorf("mended it is %v", e)
	}
}

// listed publishes a card, and has the project accept its terms.
func (f *fair) listed(t *testing.T, change map[string]any) {
	t.Helper()
	e := f.acme.must(t, 202, "POST", "/cards", f.card(t, change))
	id := e["id"].(string)
	if e = f.settled(t, id); e["state"] != "listed" {
		t.Fatalf("%v\n%s", e, f.runs(t, id))
	}
	terms := e["card"].(map[string]any)["terms"].(map[string]any)["version"].(string)
	f.do(t, "POST", "/terms/acme%2F"+terms+"/accept", `{"project":"lab-of-secrets"}`)
}

func TestPublishersSeeWhatIsUsedAndPaidAndNothingElse(t *testing.T) {
	f := newFair(t, "")
	f.listed(t, nil)
	doors := saleDoors("acme/mini")
	for _, d := range doors {
		if status, body := f.call(t, d.path, d.body, d.header); status != 200 {
			t.Fatalf("%s: %d %s", d.name, status, body)
		}
	}
	var usage []any
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		usage = f.acme.must(t, 200, "GET", "/publishers/acme/usage", "")["data"].([]any)
		if len(usage) == 1 && usage[0].(map[string]any)["calls"] == 4.0 { // the records have come to the store
			break
		}
	}
	st := f.acme.must(t, 200, "GET", "/publishers/acme/statement", "")
	lines := st["lines"].([]any)
	if len(usage) != 1 || len(lines) != 1 || usage[0].(map[string]any)["calls"] != 4.0 {
		t.Fatalf("used: %v\nstatement: %v", usage, st)
	}
	// The statement is what the ledger's records cost, and 70 per cent of that.
	var cost, payout float64
	calls := f.must(t, 200, "GET", "/calls", "")["data"].([]any)
	for _, c := range calls {
		cost += c.(map[string]any)["cost_micros"].(float64)
	}
	payout = float64(int64(cost*70+50) / 100)
	if want := fmt.Sprintf("%.6f", cost/1e6); len(calls) != 4 || cost == 0 || st["gross_usd"] != want || usage[0].(map[string]any)["cost_usd"] != want || st["payout_usd"] != fmt.Sprintf("%.6f", payout/1e6) {
		t.Errorf("%d calls cost %s by their records; the statement says %v, the usage %v", len(calls), want, st, usage)
	}

	// Whatever a publisher can read, nothing of callers is in it.
	secret := []string{"words that nobody may read", "lab-of-secrets", "name-of-the-key", f.key, f.key[:12], "ann@example.com", vendorKey}
	for _, path := range []string{
		"/cards", "/cards/acme%2Fmini:1", "/cards/acme%2Fmini:1/runs", "/publishers", "/publishers/acme", "/publishers/acme/usage", "/publishers/acme/statement", "/models",
		"/calls", "/usage", "/keys", "/projects", "/members", "/deployments", "/declarations", "/acceptances", "/terms", "/connections",
	} {
		status, text := f.ask(t, "GET", "/admin/v1"+path, "", "Authorization", "Bearer "+f.acme.key)
		for _, s := range secret {
			if strings.Contains(text, s) {
				t.Errorf("GET %s: %d, and shows %q", path, status, s)
			}
		}
	}
	other := f.as(t, "olu@other.example")
	for _, path := range []string{"/cards/acme%2Fmini:1", "/cards/acme%2Fmini:1/runs", "/publishers/acme/usage", "/publishers/acme/statement", "/publishers/acme"} {
		other.must(t, 404, "GET", path, "")
	}
	if got := other.must(t, 200, "GET", "/cards", "")["data"].([]any); len(got) != 0 {
		t.Errorf("another publisher sees %v", got)
	}
	other.must(t, 403, "POST", "/cards", f.card(t, map[string]any{"version": "9"}))
	other.must(t, 404, "POST", "/cards/acme%2Fmini:1/withdraw", `{}`)

	// Where the owner shows projects they are there.
	f.must(t, 200, "PATCH", "/publishers/acme", `{"show_projects":true}`)
	usage = f.acme.must(t, 200, "GET", "/publishers/acme/usage", "")["data"].([]any)
	if len(usage) != 1 || usage[0].(map[string]any)["project"] != "lab-of-secrets" {
		t.Errorf("with projects: %v", usage)
	}
}

func TestWhatDriftsFromItsCardIsUnlisted(t *testing.T) {
	f := newFair(t, "desk: {on_drift: unlist, failures: 2}\n")
	f.listed(t, nil)
	d := saleDoors("acme/mini")[0]
	again := func() map[string]any {
		f.acme.must(t, 202, "POST", "/cards/acme%2Fmini:1/run", "")
		return f.settled(t, "acme/mini:1")
	}
	f.vendor.Can = []string{"streaming", "schema"}
	if e := again(); e["state"] != "listed" || fmt.Sprint(e["drift"]) != "[tools]" {
		t.Errorf("after the first run that failed: %v", e)
	}
	if status, _ := f.call(t, d.path, d.body, d.header); status != 200 {
		t.Errorf("it is called with %d", status)
	}
	if e := again(); e["state"] != "unlisted" || e["failures"] != 2.0 {
		t.Errorf("after the second: %v", e)
	}
	if status, _ := f.call(t, d.path, d.body, d.header); status != 404 {
		t.Errorf("unlisted, it is called with %d", status)
	}
	f.vendor.Can = append(f.vendor.Can, "tools")
	if e := again(); e["state"] != "listed" || fmt.Sprint(e["drift"]) != "[]" {
		t.Errorf("after it was mended: %v", e)
	}
	if status, body := f.call(t, d.path, d.body, d.header); status != 200 {
		t.Errorf("listed again, it is called with %d %s", status, body)
	}
	// The audit has it all.
	want := map[string]int{"member:pat@acme.example submit_card": 1, "member:pat@acme.example run_card": 3, "desk list_card": 2, "desk run_card": 1, "desk unlist_card": 1}
	var did map[string]int
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && !maps.Equal(want, did); time.Sleep(20 * time.Millisecond) {
		if err := f.ledger.Drain(t.Context(), f.Node.store); err != nil {
			t.Fatal(err)
		}
		audits, err := f.Node.store.Audits(t.Context(), store.AuditFilter{Noun: "cards"})
		if err != nil {
			t.Fatal(err)
		}
		did = map[string]int{}
		for _, a := range audits {
			did[a.Actor+" "+a.Action]++
		}
	}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
}

func TestVersionsStandBesideEachOtherAndTermsAreAskedForAnew(t *testing.T) {
	f := newFair(t, "")
	f.listed(t, nil)
	// What a file does not name is pruned, but for what the desk has listed.
	f.must(t, 201, "PUT", "/deployments/of-the-owner", `{"name":"of-the-owner","targets":[{"connection":"acme/mini:1","upstream_model":"mini-1"}]}`)
	plan := f.must(t, 200, "POST", "/declarations:apply?prune=true", `{"deployments":[],"connections":[],"terms":[]}`)["changes"]
	if changes, ok := plan.([]any); !ok || len(changes) != 1 || changes[0].(map[string]any)["name"] != "of-the-owner" {
		t.Errorf("pruned: %v", plan)
	}
	// Listed, it does not change; its credential does, once it is seen to work.
	f.acme.must(t, 409, "POST", "/cards", f.card(t, map[string]any{"context": 64000}))
	f.vendor.Key = "another-key-of-the-vendor"
	f.acme.must(t, 202, "POST", "/cards", f.card(t, map[string]any{"credentials": map[string]any{"api_key": f.vendor.Key}}))
	f.settled(t, "acme/mini:1")
	one := saleDoors("acme/mini:1")[0]
	if status, body := f.call(t, one.path, one.body, one.header); status != 200 {
		t.Fatalf("with a new credential: %d %s", status, body)
	}
	good := map[string]any{"api_key": f.vendor.Key}
	// The same version of terms does not say something else.
	f.acme.must(t, 422, "POST", "/cards", f.card(t, map[string]any{"version": "2", "credentials": good, "terms": map[string]any{"version": "2026-11", "text": "All is ours."}}))
	f.acme.must(t, 202, "POST", "/cards", f.card(t, map[string]any{"version": "2", "credentials": good, "terms": map[string]any{"version": "2026-12", "text": "All is ours."}}))
	if e := f.settled(t, "acme/mini:2"); e["state"] != "listed" {
		t.Fatalf("%v", e)
	}
	for model, want := range map[string]int{"acme/mini:1": 200, "acme/mini": 403, "acme/mini:2": 403} {
		d := saleDoors(model)[0]
		if status, body := f.call(t, d.path, d.body, d.header); status != want {
			t.Errorf("%s under new terms: %d %s", model, status, body)
		}
	}
	f.ann.must(t, 201, "POST", "/terms/acme%2F2026-12/accept", `{"project":"lab-of-secrets"}`)
	f.ann.must(t, 200, "POST", "/terms/acme%2F2026-12/accept", `{"project":"lab-of-secrets"}`)
	two := saleDoors("acme/mini")[0]
	if status, body := f.call(t, two.path, two.body, two.header); status != 200 {
		t.Errorf("accepted: %d %s", status, body)
	}
	a := f.must(t, 200, "GET", "/acceptances/lab-of-secrets:acme%2F2026-12", "")
	if a["changed_by"] != "member:ann@example.com" || a["created"] == nil {
		t.Errorf("the acceptance is %v", a)
	}
	// Taken out by the owner, the name falls back to the version before, and the publisher cannot put it back.
	f.must(t, 200, "POST", "/cards/acme%2Fmini:2/withdraw", `{"reason":"not here"}`)
	if status, body := f.call(t, two.path, two.body, two.header); status != 200 {
		t.Errorf("the version before: %d %s", status, body)
	}
	f.acme.must(t, 409, "POST", "/cards/acme%2Fmini:2/restore", "")
	f.must(t, 202, "POST", "/cards/acme%2Fmini:2/restore", "")
	f.settled(t, "acme/mini:2")
	// With its publisher all of it goes.
	f.must(t, 204, "DELETE", "/publishers/acme", "")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := f.call(t, two.path, two.body, two.header)
		if status == 404 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("without its publisher: %d %s", status, body)
		}
	}
}

func TestBadCardsAreRefused(t *testing.T) {
	f := newFair(t, "")
	price := func(in, out any) map[string]any {
		return map[string]any{"price": map[string]any{"input_usd_per_million": in, "output_usd_per_million": out}}
	}
	for _, c := range []struct {
		name   string
		change map[string]any
		says   string
	}{
		{"less than nothing", price(-1, 2), "less than nothing"},
		{"dearer than can be meant", price(1, 15_000_000), "cannot be meant"},
		{"no number", price("much", 2), "much"},
		{"no price", map[string]any{"price": nil}, "price"},
		{"half a price", map[string]any{"price": map[string]any{"input_usd_per_million": 1}}, "output_usd_per_million"},
		{"a wrong signature", map[string]any{"signature": base64.StdEncoding.EncodeToString(make([]byte, 64))}, "is not that of this card"},
		{"no signature", map[string]any{"signature": nil}, "are signed"},
		{"another dialect", map[string]any{"dialect": "morse"}, "there are chat"},
		{"another's connection", map[string]any{"connection": "x", "address": nil, "dialect": nil, "credentials": nil}, "may not publish at"},
		{"more output than context", map[string]any{"max_output": 64000}, "from 1 to context"},
		{"what nobody can", map[string]any{"capabilities": []string{"flying"}}, "flying"},
		{"no terms", map[string]any{"terms": map[string]any{"version": "1"}}, "neither url nor text"},
		{"a name with more in it", map[string]any{"model": "mini/../x"}, "letters, digits"},
		{"no member of a card", map[string]any{"homepage_": "x"}, "homepage_"},
		{"no address", map[string]any{"address": "ftp://x"}, "http"},
	} {
		got := f.acme.must(t, 422, "POST", "/cards", f.card(t, c.change))
		if text := fmt.Sprint(got); !strings.Contains(text, c.says) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if all := f.acme.must(t, 200, "GET", "/cards", "")["data"].([]any); len(all) != 0 {
		t.Errorf("kept: %v", all)
	}
	// A private address is not reached where the owner has not allowed that.
	f.must(t, 200, "PATCH", "/publishers/acme", `{"network":"public"}`)
	f.acme.must(t, 202, "POST", "/cards", f.card(t, nil))
	if e := f.settled(t, "acme/mini:1"); e["state"] != "failed" || f.up.Count() != 0 {
		t.Errorf("a private address: %v, and %d calls", e, f.up.Count())
	}
	if report := f.runs(t, "acme/mini:1"); !strings.Contains(report, "may not be reached") {
		t.Errorf("the report says %s", report)
	}
}

func TestAModelOfALocalEngineIsPublished(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle((&testkit.Vendor{Model: "smol", Can: []string{"streaming"}}).Handle)
	f := newFair(t, `connections: [{name: local, provider: llamacpp, base_url: "`+up.URL+`/v1"}]`+"\n")
	f.must(t, 200, "PATCH", "/publishers/acme", `{"connections":["local"]}`)
	f.listed(t, map[string]any{
		"model": "smol", "upstream_model": nil, "connection": "local", "address": nil, "dialect": nil, "credentials": nil,
		"price": map[string]any{"input_usd_per_million": 0, "output_usd_per_million": 0}, "capabilities": []string{"streaming"},
	})
	for _, d := range saleDoors("acme/smol") {
		if status, body := f.call(t, d.path, d.body, d.header); status != 200 {
			t.Errorf("%s: %d %s", d.name, status, body)
		}
	}
}

// TestAVendorOfEveryDialectIsListed publishes one model in each dialect that cards may name: the vendor is another Plenum, whose
// door speaks them all.
func TestAVendorOfEveryDialectIsListed(t *testing.T) {
	f := newFair(t, "")
	theirs := manage(t, fmt.Sprintf(`
connections: [{name: v, provider: openai-compatible, base_url: %q, network: private, credentials: {api_key: %s}}]
deployments: [{name: mini-1, structured: native, targets: [{connection: v, upstream_model: mini-1}]}]
`, f.up.URL+"/v1", vendorKey))
	key := theirs.must(t, 201, "POST", "/keys", `{"name":"k"}`)["secret"].(string)
	for i, d := range desk.Dialects() {
		address := theirs.url
		if d.Name == "chat" || d.Name == "responses" {
			address += "/v1"
		}
		model := "in-" + d.Name
		began := time.Now()
		f.acme.must(t, 202, "POST", "/cards", f.card(t, map[string]any{
			"model": model, "dialect": d.Name, "address": address, "credentials": map[string]any{"api_key": key}, "terms": map[string]any{"version": fmt.Sprint(i), "url": vendorURL},
		}))
		id := "acme/" + model + ":1"
		if e := f.settled(t, id); e["state"] != "listed" {
			t.Errorf("%s: %v\n%s", d.Name, e["reason"], f.runs(t, id))
			continue
		}
		f.ann.must(t, 201, "POST", fmt.Sprintf("/terms/acme%%2F%d/accept", i), `{"project":"lab-of-secrets"}`)
		for _, door := range saleDoors("acme/" + model) {
			if status, body := f.call(t, door.path, door.body, door.header); status != 200 || !strings.Contains(body, "yes") {
				t.Errorf("%s, called by %s: %d %s", d.Name, door.name, status, body)
			}
		}
		t.Logf("%s: listed and called in four dialects after %.2f s", d.Name, time.Since(began).Seconds())
		// What it claims and has not, it is not listed with.
		f.vendor.Can = []string{"streaming", "schema"}
		f.acme.must(t, 202, "POST", "/cards", f.card(t, map[string]any{
			"model": model, "version": "2", "dialect": d.Name, "address": address, "credentials": map[string]any{"api_key": key}, "terms": map[string]any{"version": fmt.Sprint(i), "url": vendorURL},
		}))
		if e := f.settled(t, "acme/"+model+":2"); e["state"] != "failed" || !strings.Contains(fmt.Sprint(e["reason"]), "tools") {
			t.Errorf("%s without tools: %v: %v", d.Name, e["state"], e["reason"])
		}
		f.vendor.Can = []string{"streaming", "tools", "schema"}
	}
}

// TestOneNodeTriesACard has two nodes on one PostgreSQL try several models at the same time: each card once, by either, and what one
// lists is called at the other.
func TestOneNodeTriesACard(t *testing.T) {
	database := testkit.Postgres(t).Database()
	f := newFair(t, fmt.Sprintf("database: %q\npepper: %s\n", database, strings.Repeat("7e57ab1e", 8)))
	other := manage(t, fmt.Sprintf("database: %q\npepper: %s\n", database, strings.Repeat("7e57ab1e", 8)))
	const cards = 12
	began := time.Now()
	for i := range cards {
		f.acme.must(t, 202, "POST", "/cards", f.card(t, map[string]any{"model": fmt.Sprintf("mini-%d", i)}))
	}
	for i := range cards {
		id := fmt.Sprintf("acme/mini-%d:1", i)
		if e := f.settled(t, id); e["state"] != "listed" {
			t.Errorf("%s: %v\n%s", id, e, f.runs(t, id))
		}
		var runs struct{ Data []map[string]any }
		if err := json.Unmarshal([]byte(f.runs(t, id)), &runs); err != nil || len(runs.Data) != 1 {
			t.Errorf("%s was tried %d times, %v", id, len(runs.Data), err)
		}
	}
	t.Logf("%d models listed %.2f s after the first was submitted", cards, time.Since(began).Seconds())
	f.ann.must(t, 201, "POST", "/terms/acme%2F2026-11/accept", `{"project":"lab-of-secrets"}`)
	d := saleDoors("acme/mini-3")[0]
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := other.ask(t, "POST", d.path, d.body, "Authorization", "Bearer "+f.key)
		if status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("at the other node: %d %s", status, body)
		}
	}
}

func TestPoliciesReadTheLicenceOfACard(t *testing.T) {
	f := newFair(t, "")
	f.listed(t, map[string]any{"model": "open", "licence": "Apache-2.0"})
	f.listed(t, map[string]any{"model": "closed", "licence": "proprietary"})
	f.must(t, 201, "POST", "/policies", `{"name":"open-weights","cedar":"@message(\"open weights alone\") forbid(principal, action == Action::\"use\", resource is Offer) unless { resource.license == \"Apache-2.0\" }; permit(principal, action, resource);"}`)
	for model, want := range map[string]int{"open": 200, "closed": 403} {
		d := saleDoors("acme/" + model)[0]
		if status, body := f.call(t, d.path, d.body, d.header); status != want || status == 403 && !strings.Contains(body, "open weights alone") {
			t.Errorf("%s: %d %s, want %d", model, status, body, want)
		}
	}
}

// ahead is the clock of a node on which it is later.
type ahead struct {
	clock.Clock
	by time.Duration
}

func (l ahead) Now() time.Time { return l.Clock.Now().Add(l.by) }

// another runs a vendor desk on the data of the fair, as a node would on which it is later.
func (f *fair) another(t *testing.T, by time.Duration) *desk.Desk {
	t.Helper()
	d := desk.New(stall{foundry{f.Node}}, f.Node.store, Pipeline(Mechanisms{}), f.parts.Dialects[0], "later", ahead{clock.Real, by}, f.log)
	run, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(run) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the desk ended with %v", err)
		}
	})
	return d
}

// TestTheNightlyRunTriesWhatIsListed lets a day pass: what drifted is unlisted without anybody's asking, and the other is not.
func TestTheNightlyRunTriesWhatIsListed(t *testing.T) {
	f := newFair(t, "desk: {on_drift: unlist, failures: 1}\n")
	f.listed(t, nil)
	f.vendor.Can = []string{"streaming", "schema"}
	time.Sleep(1100 * time.Millisecond) // the node's own desk has looked twice, and tries nothing that is not due
	if e := f.acme.must(t, 200, "GET", "/cards/acme%2Fmini:1", ""); e["state"] != "listed" {
		t.Fatalf("on the same day: %v", e)
	}
	f.another(t, 24*time.Hour)
	d := saleDoors("acme/mini")[0]
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		e := f.acme.must(t, 200, "GET", "/cards/acme%2Fmini:1", "")
		if e["state"] == "unlisted" && e["running"] == false {
			if fmt.Sprint(e["drift"]) != "[tools]" {
				t.Errorf("unlisted, it is %v", e)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a day later: %v", e)
		}
	}
	if status, body := f.call(t, d.path, d.body, d.header); status != 404 {
		t.Errorf("unlisted, it is called with %d %s", status, body)
	}
	if runs := f.runs(t, "acme/mini:1"); !strings.Contains(runs, `"schedule"`) {
		t.Errorf("the reports do not say that it was the schedule: %s", runs)
	}
}

// TestAMonthIsClosedAndStays lets the month end: what is paid for it was fixed then, whatever is agreed or called later.
func TestAMonthIsClosedAndStays(t *testing.T) {
	f := newFair(t, "")
	f.listed(t, nil)
	door := saleDoors("acme/mini")[0]
	call := func() {
		t.Helper()
		if status, body := f.call(t, door.path, door.body, door.header); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	statement := func(calls float64) map[string]any {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			st := f.acme.must(t, 200, "GET", "/publishers/acme/statement", "")
			lines, _ := st["lines"].([]any)
			if len(lines) == 1 && lines[0].(map[string]any)["calls"] == calls {
				return st
			}
			if time.Now().After(end) {
				t.Fatalf("the statement is %v, want %v calls", st, calls)
			}
		}
	}
	call()
	open := statement(1)
	f.must(t, 200, "PATCH", "/publishers/acme", `{"payout_percent":50}`)
	call()
	half := statement(2) // an open month follows what is agreed
	if open["closed"] == true || open["payout_usd"] == half["payout_usd"] {
		t.Errorf("while the month is open: %v, then %v", open, half)
	}
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	end := month.AddDate(0, 1, 0)
	early := f.another(t, end.Add(23*time.Hour).Sub(now)) // nodes that were away may have records of it still
	if st, err := early.Statement(t.Context(), "acme", month); err != nil || st.Closed {
		t.Fatalf("within a day of its end: %+v, %v", st, err)
	}
	late := f.another(t, end.Add(36*time.Hour).Sub(now))
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if statement(2)["closed"] == true { // by the desk itself: nobody has asked that one
			break
		}
		if time.Now().After(end) {
			t.Fatal("nobody closes the month")
		}
	}
	f.must(t, 200, "PATCH", "/publishers/acme", `{"payout_percent":10}`)
	call()
	time.Sleep(time.Second)
	if closed := statement(2); closed["payout_usd"] != half["payout_usd"] || closed["gross_usd"] != half["gross_usd"] {
		t.Errorf("closed, it was %v and is %v", half, closed)
	}
	if next, err := late.Statement(t.Context(), "acme", end); err != nil || next.Closed || len(next.Lines) != 0 {
		t.Errorf("the next month: %+v, %v", next, err)
	}
}
