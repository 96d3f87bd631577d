package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/config"
)

// LiteLLM reads the configuration file of LiteLLM's proxy, as its documentation has it (config.yaml: model_list,
// litellm_settings, router_settings, general_settings). References to the environment stay references.
func LiteLLM(text []byte) (*Result, error) {
	b, err := config.JSON(text)
	if err != nil {
		return nil, fmt.Errorf("reading LiteLLM's configuration: %w", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil || doc == nil {
		return nil, fmt.Errorf("reading LiteLLM's configuration: it is no mapping with model_list in it")
	}
	l := &litellm{Result: &Result{}, credentials: map[string]map[string]any{}}
	for _, c := range list(doc["credential_list"]) {
		l.credentials[textOf(object(c)["credential_name"])] = object(object(c)["credential_values"])
	}
	for i, m := range list(doc["model_list"]) {
		l.model(fmt.Sprintf("model_list[%d]", i), object(m))
	}
	if len(list(doc["model_list"])) == 0 {
		l.note("model_list", Missing, "there are no models in it; those that are kept in the database come with --database")
	}
	l.router(object(doc["router_settings"]), "router_settings")
	l.settings(object(doc["litellm_settings"]))
	l.general(object(doc["general_settings"]))
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		switch name {
		case "model_list", "router_settings", "litellm_settings", "general_settings", "credential_list":
		case "environment_variables":
			l.note(name, Different, "set them where Plenum runs, or where the declaration is applied: a file holds no environment")
		default:
			l.note(name, Missing, "nothing here reads it")
		}
	}
	l.join()
	return l.Result, nil
}

func textOf(v any) string { return text(v) }

// litellm is what was read of it so far.
type litellm struct {
	*Result
	credentials map[string]map[string]any
	fallbacks   map[string][]string
}

// provider is how a kind of place that LiteLLM knows is called here.
type provider struct {
	name, base string // base where it is another than the provider's own
}

// providers are the prefixes of models.
func litellmProviders() map[string]provider {
	own := func(name string) provider { return provider{name: name} }
	like := func(base string) provider { return provider{"openai-compatible", base} }
	return map[string]provider{
		"openai": own("openai"), "text-completion-openai": own("openai"), "azure": own("azure"), "azure_ai": own("azure"), "azure_text": own("azure"),
		"anthropic": own("anthropic"), "anthropic_text": own("anthropic"), "bedrock": own("bedrock"), "bedrock_converse": own("bedrock"), "vertex_ai": own("vertex"), "vertex_ai_beta": own("vertex"),
		"gemini": own("gemini"), "cohere": own("cohere"), "cohere_chat": own("cohere"), "mistral": own("mistral"), "codestral": own("mistral"), "groq": own("groq"),
		"deepseek": own("deepseek"), "xai": own("xai"), "together_ai": own("together"), "fireworks_ai": own("fireworks"), "openrouter": own("openrouter"),
		"perplexity": own("perplexity"), "cerebras": own("cerebras"), "nvidia_nim": own("nvidia"), "huggingface": own("huggingface"), "moonshot": own("moonshot"),
		"zai": own("zai"), "ollama": own("ollama"), "ollama_chat": own("ollama"), "hosted_vllm": own("vllm"), "vllm": own("vllm"), "llamafile": own("llamacpp"),
		"custom_openai": like(""), "openai_like": like(""), "litellm_proxy": like(""), "lm_studio": like(""), "llamafile_chat": like(""),
		"deepinfra": like("https://api.deepinfra.com/v1/openai"), "sambanova": like("https://api.sambanova.ai/v1"), "hyperbolic": like("https://api.hyperbolic.xyz/v1"),
		"nebius": like("https://api.studio.nebius.ai/v1"), "novita": like("https://api.novita.ai/v3/openai"), "dashscope": like("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
		"volcengine": like("https://ark.cn-beijing.volces.com/api/v3"), "github": like("https://models.inference.ai.azure.com"), "ai21_chat": like("https://api.ai21.com/studio/v1"), "baseten": like("https://inference.baseten.co/v1"),
	}
}

// split takes the provider off a model's name. Without one LiteLLM knows it by the model.
func (l *litellm) split(params map[string]any) (p provider, prefix, model string, ok bool) {
	full := text(params["model"])
	known := litellmProviders()
	if c := text(params["custom_llm_provider"]); c != "" {
		p, ok = known[c]
		return p, c, strings.TrimPrefix(full, c+"/"), ok
	}
	if prefix, model, cut := strings.Cut(full, "/"); cut {
		if p, ok = known[prefix]; ok {
			return p, prefix, model, true
		}
		if text(params["api_base"]) != "" && (strings.Contains(prefix, "openai") || prefix == "") {
			return provider{name: "openai-compatible"}, prefix, model, true
		}
		return p, prefix, full, false
	}
	for _, x := range [][2]string{{"gpt-", "openai"}, {"o1", "openai"}, {"o3", "openai"}, {"o4", "openai"}, {"chatgpt", "openai"}, {"text-embedding-", "openai"}, {"dall-e", "openai"}, {"whisper", "openai"}, {"tts-", "openai"}, {"claude-", "anthropic"}, {"command", "cohere"}, {"gemini-", "vertex_ai"}, {"anthropic.", "bedrock"}, {"amazon.", "bedrock"}, {"meta.", "bedrock"}, {"us.", "bedrock"}, {"eu.", "bedrock"}} {
		if strings.HasPrefix(full, x[0]) {
			return known[x[1]], x[1], full, true
		}
	}
	return p, "", full, false
}

// reference makes LiteLLM's reference to the environment one of ours.
func reference(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if n, cut := strings.CutPrefix(s, "os.environ/"); cut {
		return "${env:" + n + "}"
	}
	return strings.ReplaceAll(s, "${", "$${")
}

// model takes one entry of the list of models.
func (l *litellm) model(at string, m map[string]any) {
	group, params, info := text(m["model_name"]), maps.Clone(object(m["litellm_params"])), object(m["model_info"])
	if c := text(params["litellm_credential_name"]); c != "" {
		values, ok := l.credentials[c]
		if !ok {
			l.note(at+".litellm_params.litellm_credential_name", Missing, "there is no credential %q in what was read", c)
		}
		for name, v := range values {
			if params[name] == nil {
				params[name] = v
			}
		}
	}
	p, prefix, model, ok := l.split(params)
	if !ok || group == "" || model == "" {
		l.note(at, Missing, "nothing is known of %q here; declare a connection to it (openai-compatible, if it speaks that) and a target", text(params["model"]))
		return
	}
	conn := l.connection(at, p, prefix, &model, params)
	if conn == nil {
		return
	}
	deployment := l.deployment(group)
	target := map[string]any{"connection": conn["name"], "upstream_model": model}
	if w, ok := number(params["weight"]); ok {
		target["weight"] = int(w)
	}
	if o, ok := number(params["order"]); ok {
		target["priority"] = int(o)
	}
	l.price(at, target, params, info)
	for name, to := range map[string]string{"max_input_tokens": "context", "max_output_tokens": "max_output"} {
		if n, ok := number(info[name]); ok && n > 0 {
			target[to] = int(n)
		}
	}
	if strings.Contains(group, "*") || strings.Contains(model, "*") {
		l.wildcard(at, deployment, target, group, model)
	}
	deployment["targets"] = append(deployment["targets"].([]any), target)
	if n := text(object(m["model_info"])["base_model"]); n != "" {
		l.note(at+".model_info.base_model", Different, "%s is used for prices there; here the catalog knows %s, or declare a price", n, model)
	}
	limits, _ := deployment["limits"].(map[string]any)
	for name, to := range map[string]string{"rpm": "requests_per_minute", "tpm": "tokens_per_minute", "max_parallel_requests": "concurrent"} {
		if n, ok := number(params[name]); ok && n > 0 {
			if limits == nil {
				limits = map[string]any{}
				deployment["limits"] = limits
			}
			was, _ := limits[to].(int)
			limits[to] = was + int(n)
			l.note(at+".litellm_params."+name, Different, "the limit is of the deployment %q as a whole, the sum over its targets", group)
		}
	}
	l.rest(at, params)
	l.note(at, Carried, "%s is a target of the deployment %q, at the connection %q", text(params["model"]), group, conn["name"])
}

// wildcard makes a group of a pattern a deployment whose alias is that.
func (l *litellm) wildcard(at string, deployment, target map[string]any, group, model string) {
	plain := strings.Trim(strings.NewReplacer("*", "all", "/", "-").Replace(group), "-")
	l.Lists["deployments"] = slices.DeleteFunc(l.Lists["deployments"], func(d map[string]any) bool {
		return d["name"] == plain && !reflect.DeepEqual(d, deployment)
	})
	deployment["name"], deployment["aliases"] = plain, []any{group}
	target["upstream_model"] = model
	l.note(at, Different, "%q is an alias of the deployment %q: what * stands for there is the model that is asked for", group, plain)
}

// deployment returns the deployment of a group.
func (l *litellm) deployment(group string) map[string]any {
	if d := l.find("deployments", group); d != nil {
		return d
	}
	for _, d := range l.Lists["deployments"] {
		if reflect.DeepEqual(d["aliases"], []any{group}) && strings.Contains(group, "*") {
			return d
		}
	}
	d := map[string]any{"name": name(group), "targets": []any{}, "strategy": "weighted"}
	if n := name(group); n != group && !strings.Contains(group, "*") {
		l.note("model_name "+group, Different, "it is called %q here: names hold letters, digits and . _ : / -", n)
	}
	l.add("deployments", d)
	return l.find("deployments", name(group))
}

// connection returns the connection that a model is called by.
func (l *litellm) connection(at string, p provider, prefix string, model *string, params map[string]any) map[string]any {
	c := map[string]any{"provider": p.name}
	credentials := map[string]any{}
	secret := func(from, to string) {
		if v := params[from]; v != nil {
			credentials[to] = reference(v)
		}
	}
	base := text(reference(params["api_base"]))
	if base == "" {
		base = text(reference(params["base_url"]))
	}
	if base == "" {
		base = p.base
	}
	if base != "" {
		c["base_url"] = strings.TrimSuffix(base, "/")
	}
	secret("api_key", "api_key")
	switch p.name {
	case "azure":
		if v := params["api_version"]; v != nil {
			c["api_version"] = reference(v)
		}
		if params["tenant_id"] != nil {
			c["auth"], c["tenant_id"], c["client_id"] = "entra", reference(params["tenant_id"]), reference(params["client_id"])
			secret("client_secret", "client_secret")
		}
	case "bedrock":
		secret("aws_access_key_id", "access_key_id")
		secret("aws_secret_access_key", "secret_access_key")
		secret("aws_session_token", "session_token")
		for from, to := range map[string]string{"aws_region_name": "region", "aws_role_name": "role_arn", "aws_profile_name": "profile"} {
			if v := params[from]; v != nil {
				c[to] = reference(v)
			}
		}
		for _, route := range []string{"converse/", "converse_like/", "invoke/"} {
			*model = strings.TrimPrefix(*model, route)
		}
	case "vertex":
		for from, to := range map[string]string{"vertex_project": "project", "vertex_location": "location"} {
			if v := params[from]; v != nil {
				c[to] = reference(v)
			}
		}
		if v := text(reference(params["vertex_credentials"])); strings.HasPrefix(v, "/") || strings.HasSuffix(v, ".json") {
			c["credentials_file"] = v
		} else if v != "" {
			credentials["credentials_json"] = v
		}
	case "openai-compatible":
		if base == "" {
			l.note(at+".litellm_params.api_base", Missing, "%s has no address here; give one", prefix)
			return nil
		}
	case "ollama", "vllm", "llamacpp":
		if base != "" && !strings.HasSuffix(strings.TrimSuffix(base, "/"), "/v1") && !strings.HasPrefix(base, "${") {
			c["base_url"] = strings.TrimSuffix(base, "/") + "/v1"
		}
	}
	if u, err := url.Parse(text(c["base_url"])); err == nil && u.Hostname() != "" && !strings.Contains(u.Hostname(), ".") || strings.HasPrefix(text(c["base_url"]), "http://") {
		c["network"] = "private"
	}
	if len(credentials) > 0 {
		c["credentials"] = credentials
	}
	if h := object(params["extra_headers"]); len(h) > 0 {
		headers := map[string]any{}
		for n, v := range h {
			headers[n] = reference(v)
		}
		c["headers"] = headers
	}
	timeouts := map[string]any{}
	for from, to := range map[string]string{"timeout": "total", "stream_timeout": "first_byte"} {
		if n, ok := number(params[from]); ok && n > 0 {
			timeouts[to] = strconv.FormatFloat(n, 'f', -1, 64) + "s"
		}
	}
	if len(timeouts) > 0 {
		c["timeouts"] = timeouts
	}
	return l.shared(p.name, c)
}

// shared returns a connection that is the same, or adds this one under a name of its own.
func (l *litellm) shared(base string, c map[string]any) map[string]any {
	for _, x := range l.Lists["connections"] {
		other := maps.Clone(x)
		delete(other, "name")
		if reflect.DeepEqual(other, c) {
			return x
		}
	}
	n := base
	for i := 2; l.find("connections", n) != nil; i++ {
		n = base + "-" + strconv.Itoa(i)
	}
	c["name"] = n
	l.add("connections", c)
	return c
}

// price takes prices that are declared with a model: they are by token there, and by a million here, to a millionth
// of a dollar. What is beyond that is rounded; a double's own error is nothing to speak of.
func (l *litellm) price(at string, target, params, info map[string]any) {
	price := map[string]any{}
	for from, to := range map[string]string{
		"input_cost_per_token": "input_usd_per_million", "output_cost_per_token": "output_usd_per_million",
		"cache_read_input_token_cost": "cache_read_usd_per_million", "cache_creation_input_token_cost": "cache_write_5m_usd_per_million",
	} {
		for _, in := range []map[string]any{info, params} {
			if n, ok := number(in[from]); ok {
				million := n * 1e6
				micros := math.Round(million * 1e6)
				price[to] = json.Number(strconv.FormatFloat(micros/1e6, 'f', -1, 64))
				if math.Abs(million*1e6-micros) > 1e-6*micros+1e-6 {
					l.note(at+"."+from, Different, "%g is rounded: prices are to a millionth of a dollar by a million tokens here", n)
				}
			}
		}
	}
	if price["input_usd_per_million"] != nil || price["output_usd_per_million"] != nil {
		for _, need := range []string{"input_usd_per_million", "output_usd_per_million"} {
			if price[need] == nil {
				price[need] = 0
			}
		}
		target["price"] = price
	}
}

// rest says of the parameters of a model that nothing took.
func (l *litellm) rest(at string, params map[string]any) {
	taken := []string{
		"model", "custom_llm_provider", "litellm_credential_name", "weight", "order", "rpm", "tpm", "max_parallel_requests", "api_base", "base_url", "api_key", "api_version",
		"tenant_id", "client_id", "client_secret", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_role_name", "aws_profile_name",
		"vertex_project", "vertex_location", "vertex_credentials", "extra_headers", "timeout", "stream_timeout", "input_cost_per_token", "output_cost_per_token",
		"cache_read_input_token_cost", "cache_creation_input_token_cost",
	}
	for _, n := range slices.Sorted(maps.Keys(params)) {
		if slices.Contains(taken, n) || params[n] == nil || n == "use_in_pass_through" || n == "use_litellm_proxy" || n == "merge_reasoning_content_in_choices" {
			continue
		}
		note := "it is a default for requests; callers set it themselves here"
		if n == "tags" || n == "max_budget" || n == "budget_duration" {
			note = "declare a budget with the scope of the deployment, or a policy"
		}
		l.note(at+".litellm_params."+n, Missing, "%s", note)
	}
}

// strategies are how LiteLLM's ways of routing are called here.
func strategies() map[string]string {
	return map[string]string{
		"simple-shuffle": "weighted", "least-busy": "headroom", "usage-based-routing": "headroom", "usage-based-routing-v2": "headroom",
		"latency-based-routing": "latency", "cost-based-routing": "cost",
	}
}

// router takes the settings of the router.
func (l *litellm) router(s map[string]any, at string) {
	for _, n := range slices.Sorted(maps.Keys(s)) {
		here := at + "." + n
		switch n {
		case "routing_strategy":
			to, ok := strategies()[text(s[n])]
			if !ok {
				l.note(here, Missing, "there is no strategy %q; deployments are weighted", text(s[n]))
				continue
			}
			for _, d := range l.Lists["deployments"] {
				d["strategy"] = to
			}
			l.note(here, Carried, "strategy: %s", to)
		case "num_retries":
			if k, ok := number(s[n]); ok {
				for _, d := range l.Lists["deployments"] {
					d["retry"] = map[string]any{"attempts": int(k) + 1}
				}
				l.note(here, Carried, "retry.attempts counts the first as well: %d", int(k)+1)
			}
		case "model_group_alias":
			for _, alias := range slices.Sorted(maps.Keys(object(s[n]))) {
				to := text(object(s[n])[alias])
				if m := object(object(s[n])[alias]); m != nil {
					to = text(m["model"])
				}
				d := l.find("deployments", name(to))
				if d == nil {
					l.note(here+"."+alias, Missing, "there is no deployment %q", to)
					continue
				}
				aliases, _ := d["aliases"].([]any)
				d["aliases"] = append(aliases, name(alias))
				l.note(here+"."+alias, Carried, "an alias of the deployment %q", to)
			}
		case "fallbacks", "default_fallbacks":
			l.fallback(here, s[n], n == "default_fallbacks")
		case "context_window_fallbacks", "content_policy_fallbacks":
			l.note(here, Missing, "a target that a request does not fit is not asked; what a filter holds back is not asked for elsewhere")
		case "timeout":
			l.timeout(here, s[n])
		case "redis_host", "redis_port", "redis_password", "redis_url":
			l.note(here, Different, "set valkey in the configuration of the nodes")
		case "allowed_fails", "cooldown_time", "retry_after", "retry_policy", "allowed_fails_policy":
			l.note(here, Missing, "what may be tried again is known by the error here, and how long to wait by the answer")
		default:
			l.note(here, Missing, "nothing here reads it")
		}
	}
}

// timeout sets the time of all connections that have none.
func (l *litellm) timeout(at string, v any) {
	n, ok := number(v)
	if !ok || n <= 0 {
		return
	}
	for _, c := range l.Lists["connections"] {
		t, _ := c["timeouts"].(map[string]any)
		if t == nil {
			t = map[string]any{}
			c["timeouts"] = t
		}
		if t["total"] == nil {
			t["total"] = strconv.FormatFloat(n, 'f', -1, 64) + "s"
		}
	}
	l.note(at, Carried, "timeouts.total of every connection that has none")
}

// fallback notes who is asked after whom; the targets are joined when all are known.
func (l *litellm) fallback(at string, v any, all bool) {
	if l.fallbacks == nil {
		l.fallbacks = map[string][]string{}
	}
	if all {
		for _, d := range l.Lists["deployments"] {
			own := text(d["name"])
			l.fallbacks[own] = append(l.fallbacks[own], slices.DeleteFunc(texts(v), func(s string) bool { return s == own })...)
		}
		l.note(at, Different, "the targets of these deployments stand behind those of every other, with a priority of their own")
		return
	}
	for _, one := range list(v) {
		for from, to := range object(one) {
			l.fallbacks[from] = append(l.fallbacks[from], texts(to)...)
			l.note(at, Different, "the targets of %s stand behind those of %q, with a priority of their own", strings.Join(texts(to), ", "), from)
		}
	}
}

// join joins what falls back with what it falls back to. A circle is no error there and none here: each deployment has
// each target once.
func (l *litellm) join() {
	own := map[string][]any{}
	for _, d := range l.Lists["deployments"] {
		own[text(d["name"])] = slices.Clone(list(d["targets"]))
	}
	for _, from := range slices.Sorted(maps.Keys(l.fallbacks)) {
		d := l.find("deployments", name(from))
		if d == nil {
			l.note("fallbacks of "+from, Missing, "there is no deployment %q", from)
			continue
		}
		highest := 1
		for _, t := range list(d["targets"]) {
			if p, ok := object(t)["priority"].(int); ok {
				highest = max(highest, p)
			}
		}
		for i, to := range l.fallbacks[from] {
			if own[name(to)] == nil {
				l.note("fallbacks of "+from, Missing, "there is no deployment %q", to)
				continue
			}
			for _, t := range own[name(to)] {
				t := maps.Clone(object(t))
				t["priority"] = highest + 1 + i
				has := slices.ContainsFunc(list(d["targets"]), func(x any) bool {
					return object(x)["connection"] == t["connection"] && object(x)["upstream_model"] == t["upstream_model"]
				})
				if !has {
					d["targets"] = append(list(d["targets"]), t)
				}
			}
		}
	}
}

// settings takes those of the library.
func (l *litellm) settings(s map[string]any) {
	budget := map[string]any{}
	for _, n := range slices.Sorted(maps.Keys(s)) {
		at := "litellm_settings." + n
		switch n {
		case "drop_params":
			if s[n] == true {
				for _, d := range l.Lists["deployments"] {
					d["parameters"] = "drop"
				}
				l.note(at, Carried, "parameters: drop")
			}
		case "num_retries", "fallbacks", "default_fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "model_group_alias", "allowed_fails":
			l.router(map[string]any{n: s[n]}, "litellm_settings")
		case "request_timeout":
			l.timeout(at, s[n])
		case "max_budget", "budget_duration":
			budget[n] = s[n]
		case "set_verbose", "json_logs", "suppress_debug_info":
			l.note(at, Different, "log in the configuration of the nodes says what is written")
		case "callbacks", "success_callback", "failure_callback", "service_callbacks", "audit_log_callbacks":
			l.note(at, Missing, "records, metrics and the audit are kept here; nothing is sent to %v", s[n])
		case "cache", "cache_params":
			l.note(at, Missing, "answers are not cached here")
		case "guardrails":
			l.note(at, Missing, "declare guardrails anew")
		default:
			l.note(at, Missing, "nothing here reads it")
		}
	}
	if n, ok := number(budget["max_budget"]); ok {
		l.budget("all", map[string]any{}, n, text(budget["budget_duration"]), "litellm_settings.max_budget")
	}
}

// general takes the settings of the server.
func (l *litellm) general(s map[string]any) {
	for _, n := range slices.Sorted(maps.Keys(s)) {
		at := "general_settings." + n
		switch n {
		case "master_key":
			l.note(at, Different, "it manages and calls there. Here admin_key of the nodes' configuration manages; make a key for calls with plenum create key")
		case "database_url":
			l.note(at, Different, "give it to --database, for teams, users and keys to come along")
		case "max_parallel_requests", "global_max_parallel_requests":
			if k, ok := number(s[n]); ok && k > 0 {
				l.add("limits", map[string]any{"name": "all-at-once", "counts": "concurrent", "amount": int(k)})
				l.note(at, Carried, "the limit all-at-once")
			}
		case "store_model_in_db", "store_prompts_in_spend_logs", "proxy_batch_write_at", "database_connection_pool_limit", "database_connection_timeout", "allow_requests_on_db_unavailable", "disable_spend_logs", "background_health_checks", "health_check_interval":
			l.note(at, Different, "Plenum keeps and does this its own way; see docs/configuration.md")
		default:
			l.note(at, Missing, "nothing here reads it")
		}
	}
}

// window returns a budget's length as it is said here. LiteLLM begins days, weeks and months with the calendar.
func window(duration string) string {
	switch duration {
	case "":
		return "total"
	case "1d", "24h":
		return "day"
	case "7d", "1w":
		return "week"
	case "30d", "1mo":
		return "month"
	case "1h":
		return "hour"
	case "1m", "60s":
		return "minute"
	}
	return duration
}

// budget adds a budget in money.
func (l *litellm) budget(n string, scope map[string]any, amount float64, duration, at string) string {
	n = name(n)
	item := map[string]any{"name": n, "amount_usd": json.Number(strconv.FormatFloat(amount, 'f', -1, 64)), "window": window(duration)}
	if len(scope) > 0 {
		item["scope"] = scope
	}
	l.add("budgets", item)
	l.note(at, Carried, "the hard budget %q: $%v a %s", n, item["amount_usd"], item["window"])
	return n
}

// limit adds limits of requests, tokens and calls at the same time.
func (l *litellm) limit(n string, scope, of map[string]any, at string) {
	if k, ok := number(of["tpd_limit"]); ok && k > 0 {
		item := map[string]any{"name": name(n + "-tokens-a-day"), "counts": "tokens", "amount": int(k), "window": "day"}
		if len(scope) > 0 {
			item["scope"] = maps.Clone(scope)
		}
		l.add("limits", item)
		l.note(at+".tpd_limit", Carried, "the limit %q", item["name"])
	}
	for from, to := range map[string]string{"rpm_limit": "requests", "tpm_limit": "tokens", "max_parallel_requests": "concurrent"} {
		if k, ok := number(of[from]); ok && k > 0 {
			item := map[string]any{"name": name(n + "-" + to), "counts": to, "amount": int(k)}
			if len(scope) > 0 {
				item["scope"] = maps.Clone(scope)
			}
			l.add("limits", item)
			l.note(at+"."+from, Carried, "the limit %q", item["name"])
		}
	}
}
