//go:build unix

package app

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

const litellmFile = `
model_list:
  - model_name: fast
    litellm_params: {model: openai/gpt-4o-mini, api_base: "%[1]s/v1", api_key: os.environ/THE_KEY, rpm: 100, tags: [a]}
    model_info: {input_cost_per_token: 0.00000015, output_cost_per_token: 6e-7}
  - model_name: fast
    litellm_params: {model: hosted_vllm/llama, api_base: "%[1]s", api_key: none, weight: 3}
  - model_name: big
    litellm_params: {model: custom_openai/huge, api_base: "%[1]s/v1", api_key: os.environ/THE_KEY, temperature: 0.2}
    model_info: {input_cost_per_token: 1e-7, output_cost_per_token: 1e-7}
  - model_name: elsewhere
    litellm_params: {model: sagemaker/thing}
router_settings:
  routing_strategy: simple-shuffle
  num_retries: 2
  model_group_alias: {quick: fast}
  fallbacks: [{big: [fast]}, {fast: [big]}]
  cooldown_time: 30
litellm_settings: {drop_params: true, success_callback: [langfuse], max_budget: 1000, budget_duration: 30d}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, database_url: os.environ/DATABASE_URL}
`

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// sealedThere encrypts as LiteLLM does.
func sealedThere(salt, plain string) string {
	key := sha256.Sum256([]byte(salt))
	var nonce [24]byte
	_, _ = rand.Read(nonce[:])
	return base64.URLEncoding.EncodeToString(secretbox.Seal(nonce[:], []byte(plain), &nonce, &key))
}

func TestLiteLLMIsTakenOverWithItsKeys(t *testing.T) {
	server := testkit.Postgres(t)
	database := server.Database()
	up := testkit.NewUpstream(t, testkit.JSON(completionAnswer))
	const salt = "the-salt-of-theirs"
	text, err := os.ReadFile("testdata/litellm.sql")
	if err != nil {
		t.Fatal(err)
	}
	server.SQL(database, fmt.Sprintf(string(text), hashed("sk-good"), hashed("sk-free"), hashed("sk-over"), hashed("sk-shut"), hashed("sk-gone"),
		sealedThere(salt, "the-key-of-the-database"), sealedThere(salt, "openai/gpt-db"), sealedThere(salt, up.URL+"/v1")))
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, litellmFile, up.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	m := manage(t, "")
	t.Setenv("THE_KEY", "the-key-of-the-file")
	t.Setenv("LITELLM_SALT_KEY", salt)
	t.Setenv("PLENUM_ADMIN_KEY", theAdminKey)
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := Command(Parts{})
		cmd.SetArgs(append([]string{"import", "litellm", "-f", file, "--database", database, "--url", m.url}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	// Dry, it tells and does nothing.
	said, err := run("--dry-run", "--report", filepath.Join(t.TempDir(), "report.json"))
	if err != nil {
		t.Fatal(err, said)
	}
	for _, want := range []string{
		"model_list[3]: nothing is known of \"sagemaker/thing\"", "temperature: it is a default", "success_callback", "cooldown_time", "$3.500000 was spent of it until its reset", "What was spent of 2 budgets is to be carried over.", "LiteLLM_Config: 1 rows",
		"key old: it expired", "key shut: it is blocked", "key for-gone.models: none of gone-model", "key clear: it is kept in clear", "allowed_routes", "LiteLLM_EndUserTable: 1 rows",
		"2 keys to take over", "+ deployment fast", "Nothing was changed",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(said, "the-key-of") {
		t.Errorf("the report has a secret:\n%s", said)
	}
	if list := m.must(t, 200, "GET", "/deployments", "")["data"].([]any); len(list) != 0 || t.Failed() {
		t.Fatalf("after a dry run there are %d deployments\n%s", len(list), said)
	}
	// It takes over, and again changes nothing.
	for _, want := range []string{"2 keys taken over, 0 were here already", "0 keys taken over, 2 were here already"} {
		if said, err := run(); err != nil || !strings.Contains(said, want) {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	// What was spent of a budget there is spent of it here, once.
	spent := map[string]float64{}
	for _, b := range m.must(t, 200, "GET", "/balances?kind=budget", "")["data"].([]any) {
		b := b.(map[string]any)
		spent[b["name"].(string)], _ = b["spent"].(float64)
	}
	if spent["Physics-Co"] != 40_250_000 || spent["Physics-Co-1d"] != 1_500_000 || spent["user-bob-example.com"] != 0 {
		t.Errorf("spent is %v", spent)
	}
	// The old secrets call what they could, and are told what they cannot.
	for _, c := range []struct {
		secret, model string
		want          int
	}{
		{"sk-good", "fast", 200},
		{"sk-good", "quick", 200},
		{"sk-good", "from-db", 200},
		{"sk-good", "big", 403},
		{"sk-free", "big", 200},
		{"sk-over", "fast", 401},
		{"sk-shut", "fast", 401},
		{"sk-gone", "fast", 401},
		{hashed("sk-good"), "fast", 401}, // the hash itself opens nothing
	} {
		if status, body := m.call(t, c.secret, c.model); status != c.want {
			t.Errorf("%s to %s: %d %s, want %d", c.secret, c.model, status, body, c.want)
		}
	}
	var credentials []string
	for _, q := range up.Requests() {
		credentials = append(credentials, q.Header.Get("Authorization"))
	}
	if all := fmt.Sprint(credentials); !strings.Contains(all, "the-key-of-the-file") || !strings.Contains(all, "the-key-of-the-database") {
		t.Errorf("the vendors were sent %s", all)
	}
	// Teams, people, money and limits are there.
	for path, want := range map[string]string{
		"/projects/Physics-Co": "Physics & Co", "/members/ann@example.com": "admin", "/members/bob@example.com": "organization:All-of-us role:admin",
		"/budgets/Physics-Co": "month", "/budgets/user-bob-example.com": "week", "/budgets/key-ci-fast": "day", "/budgets/all": "1000",
		"/organizations/All-of-us": "All of us", "/projects/22222222": "22222222", "/budgets/organization-All-of-us": "organization:All-of-us", "/limits/organization-All-of-us-requests": "60",
		"/limits/Physics-Co-requests": "600", "/limits/Physics-Co-tokens-a-day": "100000", "/limits/key-ci-requests": "60",
	} {
		status, got := m.do(t, "GET", strings.ReplaceAll(path, "@", "%40"), "")
		if text := fmt.Sprint(got["spec"]); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %s in it", path, status, text, want)
		}
	}
	deployment := fmt.Sprint(m.must(t, 200, "GET", "/deployments/fast", "")["spec"])
	for _, want := range []string{"quick", "drop", "attempts:3", "input_usd_per_million:0.15", "input_usd_per_million:0.1 output_usd_per_million:0.1]", "weight:3", "requests_per_minute:100", "priority:2"} {
		if !strings.Contains(deployment, want) {
			t.Errorf("the deployment has no %q: %s", want, deployment)
		}
	}
	// A key from elsewhere can be given a secret of our own, and revoked.
	var id string
	for _, k := range m.must(t, 200, "GET", "/keys", "")["data"].([]any) {
		if k := k.(map[string]any); k["name"] == "ci" {
			id = k["id"].(string)
		}
	}
	fresh := m.must(t, 200, "POST", "/keys/"+id+"/rotate", `{"overlap":"1h"}`)["secret"].(string)
	for _, secret := range []string{"sk-good", fresh} {
		if status, _ := m.call(t, secret, "fast"); status != 200 {
			t.Errorf("rotated: %d", status)
		}
	}
	m.must(t, 204, "DELETE", "/keys/"+id, "")
	if status, _ := m.call(t, "sk-good", "fast"); status != 401 {
		t.Errorf("revoked: %d", status)
	}
}

func TestWhatIsNoConfigurationOfLiteLLMIsAnError(t *testing.T) {
	t.Setenv("PLENUM_ADMIN_KEY", theAdminKey)
	for text, want := range map[string]string{"[1": "not YAML", "just text": "no mapping", "- a": "no mapping"} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := Command(Parts{})
		cmd.SetArgs([]string{"import", "litellm", "-f", file})
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// What is written to a file is a declaration as it stands, with references in the place of secrets.
	dir := t.TempDir()
	file, out := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "plenum.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, litellmFile, "https://models.example"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := Command(Parts{})
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetArgs([]string{"import", "litellm", "-f", file, "-o", out})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), "${env:THE_KEY}") {
		t.Errorf("%v\n%s", err, text)
	}
	t.Setenv("THE_KEY", "x")
	if _, err := config.LoadDeclaration(out, config.Env{}); err != nil {
		t.Errorf("it does not apply: %v\n%s", err, text)
	}
}
