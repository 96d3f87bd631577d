package migrate

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// bifrostPlace is a provider of Bifrost's configuration: several keys, each a connection here.
type bifrostPlace struct {
	name, kind string // what it is called there; the kind of connection here
	at         string
	keys       []bifrostKey
	retry      map[string]any
	asked      map[string]bool // models that other parts of the file name
	made       map[string]string
	any        bool // every model may be asked for
}

// bifrostKey is a vendor's key.
type bifrostKey struct {
	connection string
	all        bool
	models     []string
	denied     []string
	aliases    map[string]string // what a model is called at the vendor
	weight     float64
}

func (k *bifrostKey) serves(model string) bool {
	return (k.all || slices.Contains(k.models, model)) && !slices.Contains(k.denied, model) && !slices.Contains(k.denied, "*")
}

func (k *bifrostKey) upstream(model string) string {
	if id := k.aliases[model]; id != "" {
		return id
	}
	return model
}

// bifrostKind is how a provider that Bifrost knows is called here.
type bifrostKind struct {
	name   string // "" where there is none
	base   string // where it is another address than the provider's own
	local  bool   // it is mostly in one's own network
	suffix string // what an address there lacks, and here has
}

func bifrostKinds() map[string]bifrostKind {
	v1 := func(name string) bifrostKind { return bifrostKind{name: name, suffix: "/v1"} }
	return map[string]bifrostKind{
		"openai": v1("openai"), "anthropic": {name: "anthropic"}, "azure": {name: "azure"}, "bedrock": {name: "bedrock"}, "bedrock_mantle": {name: "bedrock"},
		"cohere": {name: "cohere"}, "vertex": {name: "vertex"}, "mistral": v1("mistral"), "groq": v1("groq"), "gemini": {name: "gemini"}, "openrouter": v1("openrouter"),
		"perplexity": {name: "perplexity"}, "cerebras": v1("cerebras"), "deepseek": {name: "deepseek"}, "huggingface": v1("huggingface"), "fireworks": v1("fireworks"),
		"xai": v1("xai"), "ollama": {name: "ollama", local: true, suffix: "/v1"}, "vllm": {name: "vllm", local: true, suffix: "/v1"},
		"sgl":      {name: "openai-compatible", local: true, suffix: "/v1"},
		"parasail": {name: "openai-compatible", base: "https://api.parasail.io", suffix: "/v1"},
		"nebius":   {name: "openai-compatible", base: "https://api.tokenfactory.nebius.com", suffix: "/v1"},
		// What has no dialect here.
		"opencode-go": {}, "opencode-zen": {}, "replicate": {}, "elevenlabs": {}, "deepgram": {}, "runway": {}, "runware": {}, "sarvam": {},
	}
}

// readPlaces reads the providers and makes their connections.
func (b *bifrost) readPlaces() {
	all := b.object("", b.doc, "providers")
	for _, n := range slices.Sorted(maps.Keys(all)) {
		if p := b.object("providers", all, n); p != nil {
			b.place(n, "providers."+n, p)
		}
	}
	if len(all) == 0 {
		b.note("providers", Missing, "there are none in the file; Bifrost may have them in its own database, which is not read")
	}
}

func (b *bifrost) place(n, at string, p map[string]any) {
	kind, known := bifrostKinds()[n]
	var keyless bool
	custom := b.object(at, p, "custom_provider_config")
	if custom != nil {
		here := at + ".custom_provider_config"
		base := b.text(here, custom, "base_provider_type")
		keyless, _ = b.get(here, custom, "is_key_less").(bool)
		likes := map[string]bifrostKind{
			"openai": {name: "openai-compatible", suffix: "/v1"}, "anthropic": {name: "anthropic-compatible"}, "gemini": {name: "gemini"}, "cohere": {name: "cohere"}, "bedrock": {name: "bedrock"},
		}
		kind, known = likes[base], true
		if kind.name == "" {
			b.note(here+".base_provider_type", Missing, "nothing here is like %q", clipped(base))
		}
	}
	if !known {
		b.fail(at, "Bifrost knows no provider %q, and it has no custom_provider_config that says what it is like", clipped(n))
		return
	}
	if kind.name == "" {
		b.note(at, Missing, "%s has no dialect here; its callers go on calling it there, or it is declared as openai-compatible where it speaks that", clipped(n))
		return
	}
	pl := &bifrostPlace{name: n, kind: kind.name, at: at, asked: map[string]bool{}, made: map[string]string{}}
	b.places[n] = pl
	common := b.network(at, p, pl)
	several := len(list(p["keys"])) > 1
	b.objects(at, p, "keys", func(here string, k map[string]any) {
		b.key(pl, here, k, kind, maps.Clone(common), several)
	})
	if len(list(p["keys"])) == 0 && (kind.local || keyless) {
		b.key(pl, at, map[string]any{"models": []any{"*"}}, kind, common, false)
	}
}

// network reads how a provider is reached: what its connections have in common.
func (b *bifrost) network(at string, p map[string]any, pl *bifrostPlace) map[string]any {
	out := map[string]any{}
	n, here := b.object(at, p, "network_config"), at+".network_config"
	if base := n["base_url"]; base != nil {
		out["base_url"] = b.secret(here+".base_url", b.get(here, n, "base_url"))
	}
	if allow, _ := b.get(here, n, "allow_private_network").(bool); allow {
		out["network"] = "private"
		b.note(here+".allow_private_network", Carried, "network: private")
	}
	headers := map[string]any{}
	for name, v := range b.object(here, n, "extra_headers") {
		headers[name] = b.secret(here+".extra_headers."+name, v)
	}
	if len(headers) > 0 {
		out["headers"] = headers
		b.note(here+".extra_headers", Carried, "headers of the connections")
	}
	timeouts := map[string]any{}
	for from, to := range map[string]string{"default_request_timeout_in_seconds": "total", "stream_idle_timeout_in_seconds": "idle"} {
		if s, ok := b.number(here, n, from); ok && s > 0 {
			timeouts[to] = fmt.Sprintf("%gs", s)
			b.note(here+"."+from, Carried, "timeouts.%s: %gs", to, s)
		}
	}
	if len(timeouts) > 0 {
		out["timeouts"] = timeouts
	}
	if r, ok := b.number(here, n, "max_retries"); ok {
		pl.retry = map[string]any{"attempts": int(min(max(r, 0), 19)) + 1}
		b.note(here+".max_retries", Carried, "retry.attempts: %d of its deployments, the first attempt with them", pl.retry["attempts"])
	}
	if ms, ok := b.number(here, n, "retry_backoff_max"); ok && ms > 0 {
		if pl.retry == nil {
			pl.retry = map[string]any{}
		}
		pl.retry["max_wait"] = fmt.Sprintf("%gms", ms)
		b.note(here+".retry_backoff_max", Carried, "retry.max_wait: %gms of its deployments", ms)
	}
	return out
}

// key makes a vendor's key a connection.
func (b *bifrost) key(pl *bifrostPlace, at string, k map[string]any, kind bifrostKind, c map[string]any, several bool) {
	if on, ok := b.get(at, k, "enabled").(bool); ok && !on {
		b.note(at, LeftOut, "it is not enabled")
		return
	}
	label, id := b.text(at, k, "name"), b.text(at, k, "id")
	want := name(pl.name)
	if several {
		want = name(pl.name + "-" + firstText(label, id, "key"))
	}
	out := bifrostKey{aliases: map[string]string{}, weight: 1}
	if w, ok := b.number(at, k, "weight"); ok {
		out.weight = w
	}
	credentials := map[string]any{}
	if v := b.get(at, k, "value"); v != nil {
		if s := b.secret(at+".value", v); s != "" {
			credentials["api_key"] = s
		}
	}
	b.aliases(at, k, "aliases", &out)
	b.keySettings(pl, at, k, c, credentials, &out)
	b.address(at, c, kind)
	models, said := b.texts(at, k, "models")
	out.all = slices.Contains(models, "*") || len(models) == 0 && (b.allowEmpty || !said && kind.local)
	if !out.all {
		out.models = append(out.models, models...)
	}
	out.denied, _ = b.texts(at, k, "blacklisted_models")
	needs := !slices.Contains([]string{"bedrock", "vertex", "ollama", "vllm", "openai-compatible", "anthropic-compatible"}, pl.kind) && c["auth"] == nil
	switch {
	case needs && credentials["api_key"] == nil:
		b.note(at, Missing, "it has no value, which a connection of kind %s wants", pl.kind)
		return
	case !out.all && len(out.models) == 0:
		b.note(at, LeftOut, "it allows no model: an empty list of models denies all, but with \"version\": 1, which files of before 1.5 want")
		return
	case strings.HasSuffix(pl.kind, "-compatible") && c["base_url"] == nil:
		b.fail(at, "has no address: network_config.base_url is missing")
		return
	}
	if len(credentials) > 0 {
		c["credentials"] = credentials
	}
	out.connection = b.free("connection", want)
	c["name"], c["provider"] = out.connection, pl.kind
	b.add("connections", c)
	pl.keys = append(pl.keys, out)
	b.Result.note(at, Carried, "the connection %q of kind %s", out.connection, pl.kind)
}

func firstText(of ...string) string {
	for _, s := range of {
		if s != "" {
			return s
		}
	}
	return ""
}

// aliases reads what models are called at the vendor: in one text, or in an object.
func (b *bifrost) aliases(at string, k map[string]any, field string, out *bifrostKey) {
	here := at + "." + field
	for n, v := range b.object(at, k, field) {
		id, one := text(v), here+"."+n
		if m := object(v); m != nil {
			id = b.text(one, m, "model_id")
			b.get(one, m, "model_name")
		} else {
			b.mark(one)
		}
		if id == "" {
			b.fail(one, "has no model_id")
			continue
		}
		out.aliases[n] = id
		out.models = append(out.models, n)
	}
	if len(list(k[field]))+len(object(k[field])) > 0 {
		b.Result.note(here, Carried, "upstream_model of the targets")
	}
}

// keySettings reads what some providers have besides a key.
func (b *bifrost) keySettings(pl *bifrostPlace, at string, k, c, credentials map[string]any, out *bifrostKey) {
	take := func(of, from string, to map[string]any, as string) {
		m, here := object(k[of]), at+"."+of
		if v := b.get(here, m, from); v != nil {
			if s := b.secret(here+"."+from, v); s != "" {
				to[as] = s
			}
		}
	}
	switch pl.kind {
	case "azure":
		take("azure_key_config", "endpoint", c, "base_url")
		take("azure_key_config", "client_id", c, "client_id")
		take("azure_key_config", "tenant_id", c, "tenant_id")
		take("azure_key_config", "client_secret", credentials, "client_secret")
		if credentials["api_key"] == nil {
			c["auth"] = "entra"
		}
		b.aliasesIn(at, k, "azure_key_config", out)
		if object(k["azure_key_config"])["api_version"] != nil {
			b.note(at+".azure_key_config.api_version", Different, "it is the v1 API, which has none, as in Bifrost")
		}
	case "bedrock":
		for _, of := range []string{"bedrock_key_config", "bedrock_mantle_key_config"} {
			for from, to := range map[string]string{"access_key": "access_key_id", "secret_key": "secret_access_key", "session_token": "session_token"} {
				take(of, from, credentials, to)
			}
			for _, same := range []string{"region", "role_arn", "external_id"} {
				take(of, same, c, same)
			}
		}
		b.aliasesIn(at, k, "bedrock_key_config", out)
	case "vertex":
		take("vertex_key_config", "project_id", c, "project")
		take("vertex_key_config", "region", c, "location")
		take("vertex_key_config", "auth_credentials", credentials, "credentials_json")
		b.aliasesIn(at, k, "vertex_key_config", out)
	}
	for _, of := range []string{"vllm_key_config", "ollama_key_config", "sgl_key_config"} {
		take(of, "url", c, "base_url")
	}
	if m := text(object(k["vllm_key_config"])["model_name"]); m != "" {
		b.mark(at + ".vllm_key_config.model_name")
		out.models = append(out.models, m)
	}
}

// aliasesIn reads the deployments that older files have in the settings of a cloud.
func (b *bifrost) aliasesIn(at string, k map[string]any, of string, out *bifrostKey) {
	if m := object(k[of]); m["deployments"] != nil {
		b.aliases(at+"."+of, m, "deployments", out)
	}
}

// address completes where a connection goes.
func (b *bifrost) address(at string, c map[string]any, kind bifrostKind) {
	base, _ := c["base_url"].(string)
	if base == "" {
		base = kind.base
	}
	if base == "" {
		return
	}
	was := base
	base = strings.TrimSuffix(base, "/")
	if kind.name == "gemini" {
		base = strings.TrimSuffix(base, "/v1beta")
	}
	if !strings.HasSuffix(base, kind.suffix) {
		base += kind.suffix
	}
	c["base_url"] = base
	if base != was {
		b.Result.note(at, Different, "base_url: %s, as an SDK wants it", base)
	}
	u, err := url.Parse(base)
	if c["network"] == nil && (kind.local || err == nil && isLocal(u.Hostname())) {
		c["network"] = "private"
		b.Result.note(at, Different, "network: private, for the address is a local one; calls reach no such addresses elsewhere")
	}
}

// isLocal reports whether a host is in one's own network, as far as its name says.
func isLocal(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate()
	}
	return host != "" && (!strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".lan"))
}

// deployments makes those of all providers: one for each model that is named, and one for all others where they may be
// asked for.
func (b *bifrost) deployments() {
	bare := map[string]int{} // how many providers have a model
	for _, pl := range b.places {
		for _, m := range pl.models() {
			bare[m]++
		}
	}
	for _, n := range slices.Sorted(maps.Keys(b.places)) {
		pl := b.places[n]
		for _, m := range pl.models() {
			b.deployment(pl, m, bare[m] == 1)
		}
		if slices.ContainsFunc(pl.keys, func(k bifrostKey) bool { return k.all && !slices.Contains(k.denied, "*") }) {
			b.wildcard(pl)
		}
	}
	if len(b.Lists["deployments"]) > 0 {
		b.Result.note("models", Carried, "deployments are called PROVIDER/MODEL, as callers of Bifrost say it; where one provider alone names a model, MODEL is an alias. fallbacks in requests are not read: give a deployment targets with priorities")
	}
}

// models are those that are named, sorted.
func (pl *bifrostPlace) models() []string {
	all := map[string]bool{}
	for i := range pl.keys {
		k := &pl.keys[i]
		for _, m := range k.models {
			all[m] = k.serves(m) || all[m]
		}
		for m := range pl.asked {
			all[m] = k.serves(m) || all[m]
		}
	}
	maps.DeleteFunc(all, func(m string, served bool) bool { return !served || m == "*" })
	return slices.Sorted(maps.Keys(all))
}

func (b *bifrost) deployment(pl *bifrostPlace, model string, alone bool) {
	d := map[string]any{"name": b.free("deployment", name(pl.name+"/"+model))}
	if short := name(model); alone && short != d["name"] && short == model {
		d["aliases"] = []any{short}
	}
	b.targets(pl, d, func(k *bifrostKey) (string, bool) { return k.upstream(model), k.serves(model) })
	pl.made[model] = text(d["name"])
	if want := pl.name + "/" + model; want != d["name"] {
		b.Result.note(pl.at, Different, "%s is called %q here: names hold letters, digits and . _ : / -", clipped(want), d["name"])
	}
}

func (b *bifrost) wildcard(pl *bifrostPlace) {
	d := map[string]any{"name": b.free("deployment", name(pl.name)), "aliases": []any{name(pl.name) + "/*"}}
	b.targets(pl, d, func(k *bifrostKey) (string, bool) { return "*", k.all && !slices.Contains(k.denied, "*") })
	pl.made["*"], pl.any = text(d["name"]), true
	b.Result.note(pl.at, Different, "every model of it is the deployment %q with the alias %s/*: callers who asked for a model alone, at %s's own path, ask for %s/MODEL, or get a deployment of that name", d["name"], name(pl.name), pl.name, name(pl.name))
	for i := range pl.keys {
		for _, m := range pl.keys[i].denied {
			b.Result.note(pl.at, Missing, "%s is denied to a key that has all others: forbid it by a policy (docs/policies.md)", clipped(m))
		}
	}
}

// targets gives a deployment those keys as targets that serve it.
func (b *bifrost) targets(pl *bifrostPlace, d map[string]any, of func(*bifrostKey) (upstream string, ok bool)) {
	scale := 1.0
	for i := range pl.keys {
		if w := pl.keys[i].weight; w != math.Trunc(w) {
			scale = 1000
		}
	}
	var targets []any
	for i := range pl.keys {
		k := &pl.keys[i]
		upstream, ok := of(k)
		if !ok {
			continue
		}
		t := map[string]any{"connection": k.connection, "upstream_model": upstream}
		if w := int(math.Round(min(max(k.weight, 0)*scale, 1e6))); w != 1 {
			t["weight"] = w
		}
		targets = append(targets, t)
	}
	if d["targets"] = targets; len(targets) > 1 {
		d["strategy"] = "weighted"
	} else {
		delete(object(targets[0]), "weight")
	}
	if pl.retry != nil {
		d["retry"] = maps.Clone(pl.retry)
	}
	b.add("deployments", d)
}

func clipped(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
