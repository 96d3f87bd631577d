package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bifrost reads the configuration file of Bifrost (config.json), as its schema has it. References to the environment stay
// references, but for the values of virtual keys, of which only the hash is kept: lookup finds these. The error has a line for
// everything that the file says of things that are not there.
func Bifrost(text []byte, lookup func(string) (string, bool), now time.Time) (*Result, error) {
	doc, err := readDocument(text)
	if err != nil {
		return nil, fmt.Errorf("reading Bifrost's configuration: %w", err)
	}
	b := &bifrost{
		Result: &Result{Lists: map[string][]map[string]any{}}, faults: faults{lines: doc.lines}, doc: doc.root, lookup: lookup, now: now,
		seen: map[string]bool{}, inside: map[string]bool{}, places: map[string]*bifrostPlace{}, taken: map[string]bool{},
	}
	v, ok := number(b.get("", doc.root, "version"))
	b.allowEmpty = ok && v == 1
	b.readPlaces()
	g := b.object("", doc.root, "governance")
	b.asked(g)
	b.deployments()
	b.govern(g)
	b.plugins()
	b.note("the address", Different, "clients call this Plenum at /v1 (OpenAI's, Anthropic's and the others' paths as their SDKs have them), and not at /openai, /anthropic, /genai and the like")
	b.rest("", doc.root)
	if err := b.err(); err != nil {
		return nil, fmt.Errorf("reading Bifrost's configuration:\n%w", err)
	}
	return b.Result, nil
}

// bifrost is what was read of a configuration so far.
type bifrost struct {
	*Result
	faults
	doc          map[string]any
	lookup       func(string) (string, bool)
	now          time.Time
	allowEmpty   bool            // an empty list of models allows all of them, as it did before version 2
	seen, inside map[string]bool // the paths that something was made of, and those that they are in
	places       map[string]*bifrostPlace
	taken        map[string]bool // names
	bounds       bifrostBounds
}

// mark says that something was made of what stands at a path.
func (b *bifrost) mark(at string) {
	b.seen[at] = true
	for i, r := range at {
		if r == '.' || r == '[' {
			b.inside[at[:i]] = true
		}
	}
}

// note is Result's, for something that stands at a path.
func (b *bifrost) note(at string, f Fate, format string, args ...any) {
	b.mark(at)
	b.Result.note(at, f, format, args...)
}

// get returns a member that is used.
func (b *bifrost) get(at string, of map[string]any, name string) any {
	v, ok := of[name]
	if ok {
		b.mark(member(at, name))
	}
	return v
}

func (b *bifrost) text(at string, of map[string]any, name string) string {
	v := b.get(at, of, name)
	s, ok := v.(string)
	if !ok && v != nil {
		b.fail(member(at, name), "is no text")
	}
	return s
}

func (b *bifrost) number(at string, of map[string]any, name string) (float64, bool) {
	v := b.get(at, of, name)
	if _, ok := v.(string); ok || v != nil && number0(v) {
		b.fail(member(at, name), "is no number")
		return 0, false
	}
	return number(v)
}

func number0(v any) bool { _, ok := number(v); return !ok }

// object returns a member that is an object; what is in it is still to be read.
func (b *bifrost) object(at string, of map[string]any, name string) map[string]any {
	v, ok := of[name]
	m, is := v.(map[string]any)
	if ok && v != nil && !is {
		b.fail(member(at, name), "is no object")
	}
	return m
}

// objects calls f with the objects of a list.
func (b *bifrost) objects(at string, of map[string]any, name string, f func(at string, m map[string]any)) {
	v, ok := of[name]
	l, is := v.([]any)
	here := member(at, name)
	if ok && v != nil && !is {
		b.fail(here, "is no list")
	}
	for i := range l {
		one := fmt.Sprintf("%s[%d]", here, i)
		m, is := l[i].(map[string]any)
		if !is {
			b.fail(one, "is no object")
			continue
		}
		f(one, m)
	}
}

// texts returns a list of texts, and whether it is there.
func (b *bifrost) texts(at string, of map[string]any, name string) ([]string, bool) {
	v := b.get(at, of, name)
	l, is := v.([]any)
	if v != nil && !is {
		b.fail(member(at, name), "is no list")
	}
	for i := range l {
		if _, is := l[i].(string); !is {
			b.fail(fmt.Sprintf("%s[%d]", member(at, name), i), "is no text")
		}
	}
	return texts(l), is
}

// free returns a name that nothing else of its kind has.
func (b *bifrost) free(kind, want string) string {
	n := want
	for i := 2; b.taken[kind+" "+n]; i++ {
		n = fmt.Sprintf("%s-%d", want, i)
	}
	b.taken[kind+" "+n] = true
	return n
}

// secret returns a value as a declaration says it: a reference to the environment, or the value itself.
func (b *bifrost) secret(at string, v any) string {
	s, variable := b.said(at, v)
	if variable != "" {
		return "${env:" + variable + "}"
	}
	return strings.ReplaceAll(s, "${", "$${")
}

// said returns a value, or the name of the environment variable that has it.
func (b *bifrost) said(at string, v any) (value, variable string) {
	switch v := v.(type) {
	case string:
		if n, ok := strings.CutPrefix(v, "env."); ok {
			return "", n
		}
		if strings.HasPrefix(v, "vault.") {
			n := "BIFROST_" + strings.ToUpper(strings.Trim(strings.NewReplacer(".", "_", "[", "_", "]", "", "-", "_").Replace(at), "_"))
			b.note(at, Different, "it is in a vault; set the environment variable %s to it", n)
			return "", n
		}
		return v, ""
	case map[string]any:
		for _, name := range []string{"env_var", "ref", "value"} {
			s := text(v[name])
			if s == "" {
				continue
			}
			switch {
			case name == "env_var" || name == "ref" && v["type"] == "env":
				return "", strings.TrimPrefix(s, "env.")
			case name == "ref" && v["type"] == "vault":
				return b.said(at, "vault."+strings.TrimPrefix(s, "vault."))
			default:
				return b.said(at, s)
			}
		}
	}
	if v != nil {
		b.fail(at, "is neither a text nor a reference to one")
	}
	return "", ""
}

// rest notes everything that nothing was made of.
func (b *bifrost) rest(at string, v any) {
	switch {
	case at != "" && b.seen[at]:
		return
	case at != "" && !b.inside[at]:
		b.note(at, Missing, "%s", bifrostMissing(at))
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.rest(member(at, name), v[name])
		}
	case []any:
		for i := range v {
			b.rest(fmt.Sprintf("%s[%d]", at, i), v[i])
		}
	}
}

// bifrostMissing says why something has no counterpart, and what to do.
func bifrostMissing(at string) string {
	parts := strings.FieldsFunc(at, func(r rune) bool { return r == '.' || r == '[' })
	for i := len(parts) - 1; i >= 0; i-- {
		if s, ok := bifrostReasons()[parts[i]]; ok {
			return s
		}
	}
	return "nothing here is like it"
}

// bifrostReasons are what is said of settings by their names, the innermost first.
func bifrostReasons() map[string]string {
	const node = "it is of a node here, and not of a declaration: "
	return map[string]string{
		"$schema": "it is the schema of that file", "env_label": "nodes have no label",
		"encryption_key": node + "master_key; what is kept here is always encrypted (docs/secrets.md)",
		"auth_config":    "people sign in by OpenID Connect (docs/sign-in.md); admin_key of a node manages it meanwhile",
		"admin_username": "people sign in by OpenID Connect (docs/sign-in.md)", "admin_password": "people sign in by OpenID Connect (docs/sign-in.md)",
		"server": node + "see docs/configuration.md", "framework": "prices come from the catalog (docs/catalog.md)",
		"max_request_body_size_mb": node + "max_body", "enforce_auth_on_inference": "every call has a key here", "enforce_governance_header": "every call has a key here",
		"allow_direct_keys": "callers cannot bring a vendor's key", "log_retention_days": "records of calls are kept in the ledger (docs/ledger.md)",
		"enable_logging": "every call is on record here", "disable_content_logging": "what is said is not kept here, unless content.keep of a node says so",
		"allowed_origins": "put a proxy that answers browsers before it", "compat": "parameters of a deployment says what becomes of those that a target refuses",
		"client": node + "see docs/configuration.md", "config_store": node + "database and data_dir", "logs_store": node + "database and ledger",
		"vector_store": "answers are not cached here", "vault_store": "give secrets by ${env:NAME} or ${file:PATH}", "mcp": "tools are not run here; callers run them",
		"mcp_configs": "tools are not run here; callers run them", "skills_registry": "there are no skills here", "webhooks": "nothing is sent when a call is done; ask for it",
		"alerting": "ask GET /admin/v1/balances what is left of budgets", "websocket": node + "see docs/realtime.md",
		"guardrails_config": "declare guardrails anew", "audit_logs": "everything that is changed is on record here: plenum get audit", "cluster_config": node + "database and valkey",
		"load_balancer_config": "strategy of a deployment: latency, cost, headroom", "large_payload_optimization": node + "max_body and max_in_flight",
		"scim_config": "groups of an identity provider map to roles (docs/sign-in.md)", "access_profiles": "say it as a policy (docs/policies.md)",
		"feature_flags": "there are none", "circuit_breaker_config": "a target that fails is left alone for a while here too, without settings",
		"retry_backoff_initial": "waits begin short and double, or are what the vendor asks for", "enforce_http2": "it is negotiated",
		"insecure_skip_verify": "certificates are always checked; let the machine trust the authority", "ca_cert_pem": "let the machine trust the authority (SSL_CERT_FILE)",
		"keep_alive_timeout_in_seconds": "connections are kept as long as they serve", "max_conns_per_host": "connections are opened as calls need them",
		"beta_header_overrides": "traits.betas of a target lists those that it takes", "proxy_config": "connections go straight there; say base_url for a proxy that speaks the API",
		"concurrency_and_buffer_size": "calls do not queue here; a limit of concurrent calls refuses those above it",
		"send_back_raw_request":       "answers have no copy of what the vendor was sent", "send_back_raw_response": "answers to callers of the vendor's dialect are the vendor's own bytes",
		"store_raw_request_response": "what is said is not kept here, unless content.keep of a node says so", "openai_config": "store of a request passes as it is",
		"use_for_batch_api": "batches go by the same connections", "batch_s3_config": "batches of Bedrock are made call by call here (docs/batches.md)",
		"session_name": "sessions of roles have a name of Plenum's", "project_number": "project is enough", "force_single_region": "calls go to the location that is declared",
		"arn": "write the profile's whole ARN as upstream_model of the target", "description": "there is no such text here",
		"routing_rules":  "expressions in CEL are not carried: a policy says who may use what, and a deployment's targets with priorities who is asked next",
		"roles":          "roles here are owner, admin, developer, auditor, publisher and billing: members or groups of an identity provider have them",
		"business_units": "declare a project, and say the unit in its title", "pricing_overrides": "say price of a target, or import a table of prices (docs/catalog.md)",
		"complexity_analyzer_config": "deployments are not chosen by how hard a request looks", "profile": "there are no such fields here", "claims": "there are no such fields here",
		"source_id": "groups of an identity provider map to roles (docs/sign-in.md)", "access_profile_id": "say it as a policy (docs/policies.md)",
		"model_family": "the catalog knows it", "anthropic_version": "it is 2023-06-01", "custom_provider_config": "connections have no such setting", "virtual_key_count": "it is computed",
	}
}

// plugins says what became of the plugins.
func (b *bifrost) plugins() {
	b.objects("", b.doc, "plugins", func(at string, m map[string]any) {
		name := b.text(at, m, "name")
		fate, note := Missing, "nothing like it runs here"
		switch name {
		case "telemetry":
			fate, note = Different, "metrics are always at /metrics, for Prometheus to fetch; labels of one's own and pushing have no counterpart"
		case "logging":
			fate, note = Different, "every call is always on record: plenum get usage, plenum get records"
		case "governance":
			fate, note = Different, "keys, budgets and limits always hold, and every call has a key"
		case "semantic_cache":
			note = "answers are not cached here"
		case "prompts":
			note = "prompts are not kept here"
		case "otel", "datadog", "maxim", "bigquery", "kafka", "pubsub":
			note = "nothing is sent there; records are at GET /admin/v1/records and in the ledger, metrics at /metrics"
		}
		if on, ok := m["enabled"].(bool); ok && !on {
			fate, note = LeftOut, "it is not enabled"
		}
		b.note(at, fate, "%s: %s", name, note)
	})
}

// jsonNumber is a number as a declaration has it.
func jsonNumber(f float64, digits int) json.Number {
	s := fmt.Sprintf("%.*f", digits, f)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return json.Number(s)
}
