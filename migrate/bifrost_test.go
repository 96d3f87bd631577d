package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readBifrost(t *testing.T, text string) *Result {
	t.Helper()
	env := map[string]string{"VK": "sk-bf-from-the-environment"}
	r, err := Bifrost([]byte(text), func(n string) (string, bool) { v, ok := env[n]; return v, ok }, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lines(r *Result, what string) []Line {
	var out []Line
	for _, l := range r.Report {
		if l.What == what {
			out = append(out, l)
		}
	}
	return out
}

func declared(t *testing.T, r *Result, list string) string {
	t.Helper()
	b, err := json.MarshalIndent(r.Lists[list], "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sameAs(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Errorf("what is declared (-want +got):\n%s", d)
	}
}

func TestBifrostProvidersBecomeConnectionsAndDeployments(t *testing.T) {
	r := readBifrost(t, `{
	"providers": {
		"openai": {
			"keys": [
				{"name": "one", "value": "env.OPENAI_ONE", "models": ["gpt-4o"], "weight": 0.7, "aliases": {"fast": {"model_id": "gpt-4o-mini"}}},
				{"name": "two", "value": "sk-${two}", "models": ["gpt-4o"], "weight": 0.3}
			],
			"network_config": {"base_url": "http://127.0.0.1:9/", "max_retries": 2, "default_request_timeout_in_seconds": 40, "extra_headers": {"X-Team": "a"}, "enforce_http2": true}
		},
		"azure": {"keys": [{"name": "a", "value": "", "models": ["gpt-4o", "gpt@5"], "weight": 1, "azure_key_config": {"endpoint": "env.AZ", "client_id": "c", "client_secret": "env.AZS", "tenant_id": "t"}}]},
		"ollama": {"keys": [{"name": "o", "models": ["*"], "weight": 1, "ollama_key_config": {"url": "http://gpu.example:11434"}}]},
		"mine": {"keys": [{"name": "m", "value": "k", "models": ["x"], "weight": 1}], "custom_provider_config": {"base_provider_type": "openai"}, "network_config": {"base_url": "https://api.example.com/v1"}},
		"runway": {"keys": [{"name": "r", "value": "k", "models": ["*"], "weight": 1}]}
	}}`)
	sameAs(t, declared(t, r, "connections"), `[
		{"name": "azure", "provider": "azure", "auth": "entra", "base_url": "${env:AZ}", "client_id": "c", "tenant_id": "t", "credentials": {"client_secret": "${env:AZS}"}},
		{"name": "mine", "provider": "openai-compatible", "base_url": "https://api.example.com/v1", "credentials": {"api_key": "k"}},
		{"name": "ollama", "provider": "ollama", "base_url": "http://gpu.example:11434/v1", "network": "private"},
		{"name": "openai-one", "provider": "openai", "base_url": "http://127.0.0.1:9/v1", "network": "private", "headers": {"X-Team": "a"}, "timeouts": {"total": "40s"}, "credentials": {"api_key": "${env:OPENAI_ONE}"}},
		{"name": "openai-two", "provider": "openai", "base_url": "http://127.0.0.1:9/v1", "network": "private", "headers": {"X-Team": "a"}, "timeouts": {"total": "40s"}, "credentials": {"api_key": "sk-$${two}"}}]`)
	sameAs(t, declared(t, r, "deployments"), `[
		{"name": "azure/gpt-4o", "targets": [{"connection": "azure", "upstream_model": "gpt-4o"}]},
		{"name": "azure/gpt-5", "targets": [{"connection": "azure", "upstream_model": "gpt@5"}]},
		{"name": "mine/x", "aliases": ["x"], "targets": [{"connection": "mine", "upstream_model": "x"}]},
		{"name": "ollama", "aliases": ["ollama/*"], "targets": [{"connection": "ollama", "upstream_model": "*"}]},
		{"name": "openai/fast", "aliases": ["fast"], "retry": {"attempts": 3}, "targets": [{"connection": "openai-one", "upstream_model": "gpt-4o-mini"}]},
		{"name": "openai/gpt-4o", "retry": {"attempts": 3}, "strategy": "weighted", "targets": [{"connection": "openai-one", "upstream_model": "gpt-4o", "weight": 700}, {"connection": "openai-two", "upstream_model": "gpt-4o", "weight": 300}]}]`)
	for at, fate := range map[string]Fate{"providers.runway": Missing, "providers.openai.network_config.enforce_http2": Missing, "providers.openai.network_config.max_retries": Carried} {
		if l := lines(r, at); len(l) != 1 || l[0].Fate != fate {
			t.Errorf("the report says %v of %s, not %s", l, at, fate)
		}
	}
}

const governed = `{
	"providers": {"openai": {"keys": [{"name": "k", "value": "v", "models": ["*"], "weight": 1}]}, "anthropic": {"keys": [{"name": "k", "value": "v", "models": ["claude-a", "claude-b"], "weight": 1}]}},
	"governance": {
		"customers": [{"id": "c1", "name": "Big Co", "calendar_aligned": true, "budgets": [{"id": "cb", "max_limit": 1000, "reset_duration": "1M"}]}],
		"teams": [{"id": "t1", "name": "lab", "customer_id": "c1", "budget_id": "b1"}, {"id": "t2", "name": "alone", "rate_limit_id": "r1"}],
		"budgets": [{"id": "b1", "max_limit": 12.5, "reset_duration": "1w", "current_usage": 3.25}, {"id": "b2", "max_limit": 1, "reset_duration": "6h", "virtual_key_id": "v1"}, {"id": "b3", "max_limit": 1, "reset_duration": "1d"}],
		"rate_limits": [{"id": "r1", "token_max_limit": 5000, "token_reset_duration": "1m", "request_max_limit": 10, "request_reset_duration": "1d"}],
		"virtual_keys": [
			{"id": "v1", "name": "app", "value": "sk-bf-literal-literal", "team_id": "t1", "expires_at": "2027-01-01T00:00:00Z", "provider_configs": [
				{"provider": "openai", "weight": 0.5, "allowed_models": ["gpt-4o"], "key_ids": ["*"]}, {"provider": "anthropic", "allowed_models": ["*"], "blacklisted_models": ["claude-b"]}]},
			{"id": "v2", "name": "app", "value": "env.VK", "provider_configs": [{"provider": "openai", "allowed_models": ["*"]}], "mcp_configs": [{"mcp_client_name": "x"}]},
			{"id": "v3", "name": "none", "value": "sk-bf-x", "provider_configs": []},
			{"id": "v4", "name": "off", "value": "sk-bf-y", "is_active": false, "provider_configs": [{"provider": "openai", "allowed_models": ["*"]}]},
			{"id": "v5", "name": "elsewhere", "provider_configs": [{"provider": "openai", "allowed_models": ["*"]}]},
			{"id": "v6", "name": "unset", "value": "env.NOT_SET", "provider_configs": [{"provider": "openai", "allowed_models": ["*"]}]},
			{"id": "v7", "name": "old", "value": "sk-bf-z", "expires_at": "2026-01-01T00:00:00Z", "provider_configs": [{"provider": "openai", "allowed_models": ["*"]}]},
			{"id": "v8", "name": "no models", "value": "sk-bf-w", "provider_configs": [{"provider": "openai", "allowed_models": []}]}
		],
		"routing_rules": [{"id": "r", "name": "n", "cel_expression": "true", "targets": [{"weight": 1}]}],
		"model_configs": [{"id": "m", "model_name": "claude-a", "budget_ids": ["b1"]}]
	},
	"plugins": [{"enabled": true, "name": "semantic_cache", "config": {"dimension": 1}}, {"enabled": false, "name": "otel", "config": {}}],
	"client": {"max_request_body_size_mb": 10, "enforce_auth_on_inference": true},
	"something_new": {"a": [1]}
}`

func TestBifrostVirtualKeysStayGoodForWhatTheyWere(t *testing.T) {
	r := readBifrost(t, governed)
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []Key{
		{Name: "app", Project: "lab", Expires: &until, SHA256: sum("sk-bf-literal-literal"), Prefix: "sk-bf", Deployments: []string{"anthropic/claude-a", "openai/gpt-4o"}},
		{Name: "app-2", Project: "default", SHA256: sum("sk-bf-from-the-environment"), Prefix: "sk-bf-", Deployments: []string{"openai", "openai/*"}},
	}
	if d := cmp.Diff(want, r.Keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	for i, fate := range map[int]Fate{2: LeftOut, 3: LeftOut, 4: Missing, 5: Missing, 6: LeftOut, 7: LeftOut} {
		at := "governance.virtual_keys[" + string(rune('0'+i)) + "]"
		if l := lines(r, at); len(l) != 1 || l[0].Fate != fate {
			t.Errorf("the report says %v of %s, not %s", l, at, fate)
		}
	}
	b, err := json.Marshal(map[string]any{"lists": r.Lists, "keys": r.Keys, "report": r.Report})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "sk-bf-literal") || strings.Contains(string(b), "from-the-env") {
		t.Error("the secret of a virtual key is in what was read")
	}
}

func TestBifrostBudgetsAndLimits(t *testing.T) {
	r := readBifrost(t, governed)
	sameAs(t, declared(t, r, "projects"), `[{"name": "Big-Co", "title": "Big Co", "organization": "Big-Co"}, {"name": "lab", "title": "lab", "organization": "Big-Co"}, {"name": "alone", "title": "alone"}]`)
	sameAs(t, declared(t, r, "budgets"), `[
		{"name": "Big-Co-1M", "amount_usd": 1000, "window": "month", "scope": {"organization": "Big-Co"}},
		{"name": "lab-1w", "amount_usd": 12.5, "window": "7d", "scope": {"project": "lab"}},
		{"name": "key-app-6h", "amount_usd": 1, "window": "6h", "scope": {"key": "app"}},
		{"name": "model-claude-a-1w", "amount_usd": 12.5, "window": "7d", "scope": {"deployment": "anthropic/claude-a"}}]`)
	sameAs(t, declared(t, r, "limits"), `[
		{"name": "alone-requests", "counts": "requests", "amount": 10, "window": "1d", "scope": {"project": "alone"}},
		{"name": "alone-tokens", "counts": "tokens", "amount": 5000, "window": "1m", "kind": "soft", "scope": {"project": "alone"}}]`)
}

// What nothing was made of is in the report: each setting, or what it stands in.
func TestBifrostTellsWhatWasSpentOfABudget(t *testing.T) {
	r := readBifrost(t, governed)
	if len(r.Spent) != 2 { // two are of the budget there, and have one each here
		t.Errorf("spent is %+v", r.Spent)
	}
	for _, s := range r.Spent {
		if s.USD != "3.250000" || r.find("budgets", s.Budget) == nil {
			t.Errorf("spent is %+v", s)
		}
	}
}

func TestBifrostReportLeavesNothingOut(t *testing.T) {
	for _, text := range []string{governed, `{"a": {"b": [{"c": 1}]}, "client": {}, "providers": {"openai": {"keys": [{"name": "k", "value": "v", "models": ["m"], "weight": 1, "zzz": {"y": 1}}]}}}`} {
		doc, err := readDocument([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		r := readBifrost(t, text)
		for _, l := range r.Report {
			told[l.What] = true
			if l.Note == "" {
				t.Errorf("nothing is said of %s", l.What)
			}
		}
		for _, at := range []string{"governance.routing_rules", "governance.virtual_keys[1].mcp_configs", "governance.budgets[2]", "governance.budgets[0].current_usage", "plugins[0]", "plugins[1]", "client", "something_new", "a", "providers.openai.keys[0].zzz"} {
			if _, there := doc.lines[at]; there && !told[at] {
				t.Errorf("the report does not have %s; it has %v", at, slices.Sorted(maps.Keys(told)))
			}
		}
	}
}

func TestBifrostBadInputSaysTheLine(t *testing.T) {
	for text, want := range map[string][]string{
		"{\n \"providers\": {\n": {"line 3", "ends in the middle"},
		"{\n \"a\": 1,,\n}":      {"line 2", "not JSON"},
		"[1]":                    {"no JSON object"},
		"{\"a\": 1,\n\"a\": 2}":  {"line 2", "twice"},
		"{}\n{}":                 {"line 2", "follows"},
		"{\n\"providers\": {\n\"nonesuch\": {\"keys\": []}}}":                                       {"line 3", "knows no provider", "nonesuch"},
		"{\n\"providers\": [1]}":                                                                    {"line 2", "no object"},
		"{\"providers\": {\"openai\": {\n\"keys\": {}}}}":                                           {"line 2", "no list"},
		"{\"governance\": {\"virtual_keys\": [\n{\"id\": \"v\", \"team_id\": \"gone\"}]}}":          {"line 2", "no team", "gone"},
		"{\"governance\": {\"teams\": [\n{\"id\": \"t\", \"name\": \"t\", \"budget_id\": \"x\"}]}}": {"line 2", "no budget", "x"},
		"{\"governance\": {\"teams\": [\n{\"id\": \"t\", \"name\": \"t\", \"budget_id\": \"x\"}],\n\"budgets\": [{\"id\": \"x\", \"max_limit\": 1, \"reset_duration\": \"soon\"}]}}": {"line 3", "reset_duration", "no time"},
		strings.Repeat("[", 1000): {"nests deeper"},
		"":                        {"line 1", "ends in the middle"},
	} {
		_, err := Bifrost([]byte(text), func(string) (string, bool) { return "", false }, time.Now())
		if err == nil {
			t.Errorf("%.60q is taken", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%.60q is refused with %q, without %q", text, err, w)
			}
		}
	}
}
