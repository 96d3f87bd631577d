package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bifrostBounds are the budgets and rate limits that a configuration has a list of, by their ids.
type bifrostBounds struct {
	budgets, limits map[string]bifrostBound
	of              map[string][]string // the budgets that name their owner, by the field and the owner's id
}

type bifrostBound struct {
	at   string
	m    map[string]any
	used bool
}

// bifrostOwner is somebody who has budgets and limits.
type bifrostOwner struct {
	at, label string
	m         map[string]any
	field, id string // by which budgets name it
	scope     map[string]any
	aligned   bool
}

// bifrostTenant is what a team or a customer is called here.
type bifrostTenant struct{ organization, project string }

// asked notes the models that virtual keys and budgets name, which then have deployments of their own.
func (b *bifrost) asked(g map[string]any) {
	want := func(provider string, models ...string) {
		if pl := b.places[provider]; pl != nil {
			for _, m := range models {
				pl.asked[strings.TrimPrefix(m, pl.name+"/")] = true
			}
		}
	}
	for _, k := range list(g["virtual_keys"]) {
		for _, p := range list(object(k)["provider_configs"]) {
			want(text(object(p)["provider"]), texts(object(p)["allowed_models"])...)
		}
	}
	for _, m := range list(g["model_configs"]) {
		want(text(object(m)["provider"]), text(object(m)["model_name"]))
	}
	for _, pl := range b.places {
		delete(pl.asked, "*")
		delete(pl.asked, "")
	}
}

// govern reads teams, customers, virtual keys, and what bounds them.
func (b *bifrost) govern(g map[string]any) {
	const at = "governance"
	b.bounds = bifrostBounds{budgets: map[string]bifrostBound{}, limits: map[string]bifrostBound{}, of: map[string][]string{}}
	b.objects(at, g, "budgets", func(at string, m map[string]any) {
		id := b.text(at, m, "id")
		b.bounds.budgets[id] = bifrostBound{at: at, m: m}
		for _, field := range []string{"virtual_key_id", "team_id", "customer_id", "model_config_id", "provider_config_id"} {
			if v := b.get(at, m, field); v != nil {
				key := field + " " + fmt.Sprint(v)
				b.bounds.of[key] = append(b.bounds.of[key], id)
			}
		}
	})
	b.objects(at, g, "rate_limits", func(at string, m map[string]any) {
		b.bounds.limits[b.text(at, m, "id")] = bifrostBound{at: at, m: m}
	})
	customers, teams := map[string]bifrostTenant{}, map[string]bifrostTenant{}
	b.objects(at, g, "customers", func(at string, m map[string]any) { b.customer(at, m, customers) })
	b.objects(at, g, "teams", func(at string, m map[string]any) { b.team(at, m, customers, teams) })
	b.objects(at, g, "virtual_keys", func(at string, m map[string]any) { b.virtualKey(at, m, customers, teams) })
	b.objects(at, g, "providers", b.providerBounds)
	b.objects(at, g, "model_configs", b.modelBounds)
	for what, all := range map[string]map[string]bifrostBound{"budgets": b.bounds.budgets, "rate_limits": b.bounds.limits} {
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if x := all[id]; !x.used && !b.seen[x.at] {
				b.note(x.at, LeftOut, "nothing that is carried has it: %s %s", strings.TrimSuffix(what, "s"), clipped(id))
			}
		}
	}
}

func (b *bifrost) customer(at string, m map[string]any, customers map[string]bifrostTenant) {
	id, title := b.text(at, m, "id"), b.text(at, m, "name")
	n := b.free("organization", firstText(name(firstText(title, id)), "customer"))
	b.add("organizations", map[string]any{"name": n, "title": firstText(title, id)})
	project := b.project(at, id, title, n)
	customers[id] = bifrostTenant{organization: n, project: project}
	b.Result.note(at, Carried, "the organization %q, with the project %q for keys of the customer itself", n, project)
	b.bound(&bifrostOwner{at: at, label: n, m: m, field: "customer_id", id: id, scope: map[string]any{"organization": n}, aligned: b.aligned(at, m)})
}

// project makes a project, of an organization where one is given.
func (b *bifrost) project(at, id, title, organization string) string {
	if id == "" {
		b.fail(at, "has no id")
	}
	n := name(firstText(title, id))
	if n == "" || n == "default" {
		n = name("project-" + id)
	}
	n = b.free("project", n)
	item := map[string]any{"name": n, "title": firstText(title, id)}
	if organization != "" {
		item["organization"] = organization
	}
	b.add("projects", item)
	return n
}

// team makes a team a project, of its customer's organization where it has one: so the customer's budget holds for it too.
func (b *bifrost) team(at string, m map[string]any, customers, teams map[string]bifrostTenant) {
	id, title, of := b.text(at, m, "id"), b.text(at, m, "name"), b.text(at, m, "customer_id")
	owner := &bifrostOwner{at: at, m: m, field: "team_id", id: id, aligned: b.aligned(at, m)}
	customer, ok := customers[of]
	if of != "" && !ok {
		b.fail(at+".customer_id", "there is no customer %q", clipped(of))
		return
	}
	project := b.project(at, id, title, customer.organization)
	teams[id] = bifrostTenant{organization: customer.organization, project: project}
	owner.label, owner.scope = project, map[string]any{"project": project}
	b.Result.note(at, Carried, "the project %q", project)
	b.bound(owner)
}

func (b *bifrost) aligned(at string, m map[string]any) bool {
	v, _ := b.get(at, m, "calendar_aligned").(bool)
	return v
}

// virtualKey makes a caller's key of a virtual one, unless it would be good for more than it is there.
func (b *bifrost) virtualKey(at string, m map[string]any, customers, teams map[string]bifrostTenant) {
	id, label := b.text(at, m, "id"), b.text(at, m, "name")
	k := Key{Name: b.free("key", firstText(label, id)), Project: "default"}
	if t := b.text(at, m, "team_id"); t != "" {
		of, ok := teams[t]
		if !ok {
			b.fail(at+".team_id", "there is no team %q", clipped(t))
			return
		}
		k.Project = of.project
	}
	if c := b.text(at, m, "customer_id"); c != "" {
		of, ok := customers[c]
		if !ok {
			b.fail(at+".customer_id", "there is no customer %q", clipped(c))
			return
		}
		k.Project = of.project
	}
	if on, ok := m["is_active"].(bool); ok && !on {
		b.note(at, LeftOut, "it is not active")
		return
	}
	b.mark(at + ".is_active")
	if !b.expiry(at, m, &k) || !b.value(at, m, &k) {
		return
	}
	if k.Deployments = b.allowed(at, m, k.Name); len(k.Deployments) == 0 {
		b.note(at, LeftOut, "it may call nothing: it has no provider_configs that allow a model of what was carried (before 1.5 an empty list allowed all: say \"version\": 1)")
		return
	}
	b.Keys = append(b.Keys, k)
	b.Result.note(at, Carried, "the key %q of the project %q: its secret stays good, in Authorization, x-api-key or x-goog-api-key; x-bf-vk is not read", k.Name, k.Project)
	b.bound(&bifrostOwner{at: at, label: "key-" + name(k.Name), m: m, field: "virtual_key_id", id: id, scope: map[string]any{"key": k.Name}, aligned: b.aligned(at, m)})
}

// expiry reads when a key ends; false where it has ended.
func (b *bifrost) expiry(at string, m map[string]any, k *Key) bool {
	s := b.text(at, m, "expires_at")
	if s == "" {
		return true
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		b.fail(at+".expires_at", "is no time such as 2027-01-31T15:04:05Z")
		return false
	}
	if !t.After(b.now) {
		b.note(at, LeftOut, "it has expired")
		return false
	}
	k.Expires = &t
	return true
}

// value reads a key's secret and keeps its hash; false where it is not in the file.
func (b *bifrost) value(at string, m map[string]any, k *Key) bool {
	v := b.get(at, m, "value")
	secret, variable := "", ""
	if v != nil {
		secret, variable = b.said(at+".value", v)
	}
	if variable != "" {
		secret, _ = b.lookup(variable)
		if secret == "" {
			b.note(at, Missing, "its value is in the environment variable %s, which is not set here: set it and run this again", clipped(variable))
			return false
		}
	}
	if secret == "" {
		b.note(at, Missing, "the file does not hold its value, but Bifrost's own database: add it as value, or make a key with plenum create key")
		return false
	}
	sum := sha256.Sum256([]byte(secret))
	k.SHA256, k.Prefix = hex.EncodeToString(sum[:]), secret[:min(len(secret)/4, 10)]
	return true
}

// allowed returns the deployments that a virtual key may call.
func (b *bifrost) allowed(at string, m map[string]any, label string) []string {
	var out []string
	b.objects(at, m, "provider_configs", func(at string, p map[string]any) {
		n := b.text(at, p, "provider")
		pl := b.places[n]
		if pl == nil {
			b.note(at, Missing, "the provider %q was not carried", clipped(n))
			return
		}
		if ids, said := b.texts(at, p, "key_ids"); said && len(ids) == 0 && !b.allowEmpty {
			b.note(at, LeftOut, "it allows no key of %s", n)
			return
		} else if len(ids) > 0 && !slices.Contains(ids, "*") {
			b.note(at+".key_ids", Different, "deployments choose among all keys of %s: declare one with fewer targets for it", n)
		}
		if p["weight"] != nil {
			b.note(at+".weight", Missing, "a caller says which provider is meant, or a deployment with targets at several has weights")
		}
		out = append(out, b.models(at, p, pl)...)
		b.bound(&bifrostOwner{at: at, label: "key-" + name(label) + "-" + name(n), m: p, field: "provider_config_id", id: fmt.Sprint(b.get(at, p, "id")), scope: b.ofPlace(pl, map[string]any{"key": label})})
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// models returns the deployments that one of a virtual key's providers allows.
func (b *bifrost) models(at string, p map[string]any, pl *bifrostPlace) []string {
	models, _ := b.texts(at, p, "allowed_models")
	denied, _ := b.texts(at, p, "blacklisted_models")
	if slices.Contains(models, "*") || len(models) == 0 && b.allowEmpty {
		if len(denied) == 0 {
			return []string{name(pl.name), name(pl.name) + "/*"}
		}
		models = slices.Sorted(maps.Keys(pl.made))
		b.note(at+".blacklisted_models", Different, "it may call the models of %s that have a deployment of their own, but for these", pl.name)
	}
	var out []string
	for _, m := range models {
		m = strings.TrimPrefix(m, pl.name+"/")
		if slices.Contains(denied, m) || slices.Contains(denied, "*") || m == "*" {
			continue
		}
		if d, ok := pl.made[m]; ok {
			out = append(out, d)
		} else {
			b.Result.note(at+".allowed_models", Missing, "no key of %s serves %s", pl.name, clipped(m))
		}
	}
	return out
}

// ofPlace returns a scope within a provider; nil where connections of its kind belong to several.
func (b *bifrost) ofPlace(pl *bifrostPlace, scope map[string]any) map[string]any {
	for _, other := range b.places {
		if other != pl && other.kind == pl.kind {
			return nil
		}
	}
	scope["provider"] = pl.kind
	return scope
}

func (b *bifrost) providerBounds(at string, m map[string]any) {
	n := b.text(at, m, "name")
	if pl := b.places[n]; pl != nil {
		b.bound(&bifrostOwner{at: at, label: "provider-" + name(n), m: m, scope: b.ofPlace(pl, map[string]any{})})
	}
}

func (b *bifrost) modelBounds(at string, m map[string]any) {
	model, n := b.text(at, m, "model_name"), b.text(at, m, "provider")
	owner := &bifrostOwner{at: at, label: "model-" + name(model), m: m, field: "model_config_id", id: b.text(at, m, "id"), aligned: b.aligned(at, m)}
	var found []string
	for _, pl := range b.places {
		if d, ok := pl.made[model]; ok && (n == "" || n == pl.name) {
			found = append(found, d)
		}
	}
	if s := b.text(at, m, "scope"); len(found) == 1 && (s == "" || s == "global") {
		owner.scope = map[string]any{"deployment": found[0]}
	}
	b.bound(owner)
}

// bound carries the budgets and limits of an owner.
func (b *bifrost) bound(o *bifrostOwner) {
	ids := texts(b.get(o.at, o.m, "budget_ids"))
	if id := b.text(o.at, o.m, "budget_id"); id != "" {
		ids = append(ids, id)
	}
	if o.field != "" && o.id != "" {
		ids = append(ids, b.bounds.of[o.field+" "+o.id]...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		x, ok := b.bounds.budgets[id]
		if !ok {
			b.fail(o.at, "there is no budget %q", clipped(id))
			continue
		}
		x.used = true
		b.bounds.budgets[id] = x
		b.budget(x.at, x.m, o)
	}
	b.objects(o.at, o.m, "budgets", func(at string, m map[string]any) { b.budget(at, m, o) })
	if id := b.text(o.at, o.m, "rate_limit_id"); id != "" {
		x, ok := b.bounds.limits[id]
		if !ok {
			b.fail(o.at+".rate_limit_id", "there is no rate limit %q", clipped(id))
			return
		}
		x.used = true
		b.bounds.limits[id] = x
		b.limits(x.at, x.m, o)
	}
}

func (b *bifrost) budget(at string, m map[string]any, o *bifrostOwner) {
	if o.scope == nil {
		b.note(at, Missing, "no scope here has just the calls of %s: declare a budget with a scope that does", o.at)
		return
	}
	b.get(at, m, "id")
	most, ok := b.number(at, m, "max_limit")
	if !ok || most < 0 {
		b.fail(at, "has no max_limit, in dollars")
		return
	}
	aligned := o.aligned || b.aligned(at, m)
	window, how, ok := b.window(at, m, "reset_duration", aligned)
	if !ok {
		return
	}
	n := b.free("budget", o.label+"-"+text(m["reset_duration"]))
	b.add("budgets", map[string]any{"name": n, "amount_usd": jsonNumber(most, 6), "window": window, "scope": maps.Clone(o.scope)})
	b.Result.note(at, how, "the hard budget %q: $%s a %s", n, jsonNumber(most, 6), window)
	b.get(at, m, "last_reset")
	if used, ok := b.number(at, m, "current_usage"); ok && used > 0 {
		b.Result.spent(n, used)
		b.Result.note(at+".current_usage", Carried, "$%s are spent of the budget %q", jsonNumber(used, 6), n)
	}
}

func (b *bifrost) limits(at string, m map[string]any, o *bifrostOwner) {
	if o.scope == nil {
		b.note(at, Missing, "no scope here has just the calls of %s: declare a limit with a scope that does", o.at)
		return
	}
	aligned := o.aligned || b.aligned(at, m)
	for _, what := range []string{"request", "token"} {
		most, ok := b.number(at, m, what+"_max_limit")
		b.get(at, m, what+"_last_reset")
		if !ok {
			continue
		}
		window, how, ok := b.window(at, m, what+"_reset_duration", aligned)
		if !ok {
			continue
		}
		n := b.free("limit", o.label+"-"+what+"s")
		item := map[string]any{"name": n, "counts": what + "s", "amount": int64(most), "window": window, "scope": maps.Clone(o.scope)}
		if what == "token" {
			item["kind"] = "soft" // there tokens are counted when an answer is complete
		}
		b.add("limits", item)
		b.Result.note(at, how, "the limit %q: %d %ss a %s", n, int64(most), what, window)
		if used, ok := b.number(at, m, what+"_current_usage"); ok && used > 0 {
			b.note(at+"."+what+"_current_usage", Missing, "it counts from nothing")
		}
	}
}

// window reads how long a budget or a limit is for, and when it begins anew.
func (b *bifrost) window(at string, m map[string]any, field string, aligned bool) (window string, how Fate, ok bool) {
	s := b.text(at, m, field)
	parts := regexp.MustCompile(`^([1-9][0-9]{0,5})(s|m|h|d|w|M|Y)$`).FindStringSubmatch(s)
	if parts == nil {
		b.fail(member(at, field), "is no time such as 1h, 1d, 1w, 1M or 1Y")
		return "", "", false
	}
	n, _ := strconv.Atoi(parts[1])
	whole := map[string]string{"d": "day", "w": "week", "M": "month", "Y": "year"}[parts[2]]
	if aligned && n == 1 && whole != "" {
		return whole, Carried, true
	}
	days := map[string]int{"d": 1, "w": 7, "M": 30, "Y": 365}[parts[2]] * n
	if days > 3650 {
		b.fail(member(at, field), "is longer than ten years")
		return "", "", false
	}
	b.mark(member(at, field))
	if days == 0 {
		return s, Different, true // it rolls here: what was spent in so long until now
	}
	return fmt.Sprintf("%dd", days), Different, true
}
